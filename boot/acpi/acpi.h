/* SPDX-License-Identifier: BSD-2-Clause */
/* What a hypervisor needs from ACPI tables: pure, bounded parsers of untrusted bytes. */
#pragma once

#include "core/lib/err.h"
#include "core/lib/types.h"

/* How parsers read physical memory: returns a readable pointer to @len bytes or NULL. */
typedef const void *(*acpi_map_fn)(void *ctx, u64 pa, u64 len);

struct acpi_cpu {
	u32 apic_id;
	bool enabled;
	bool x2apic;     /* from a type 9 entry */
	u32 madt_offset; /* of the flags field, for rule P3 */
};

#define ACPI_CPUS_MAX    64
#define ACPI_TABLES_SEEN 48

/* A table that was readable, for the machine report. */
struct acpi_table {
	char signature[5];
	u64 pa;
	u32 len;
};

struct acpi_info {
	u32 cpu_count;
	struct acpi_cpu cpu[ACPI_CPUS_MAX];
	u64 madt_pa;
	u32 madt_len;
	u16 pm_tmr_port; /* 0: none */
	bool pm_tmr_32bit;
	u16 pm1a_cnt, pm1b_cnt;
	/* reset register (FADT), space 0xff: none */
	u8 reset_space, reset_value;
	u64 reset_addr;
	s32 s3_slp_typ, s5_slp_typ; /* SLP_TYPa; -1: no object */
	u64 hpet_pa;                /* 0: none */
	u32 bad_checksums;          /* tables skipped for that */
	u32 table_count;            /* in the order of the root table, then the DSDT */
	struct acpi_table table[ACPI_TABLES_SEEN];
};

/**
 * acpi_parse() - walk the tables from a copy of the RSDP.
 * @why: on error, what is wrong. ERR_NOENT: no MADT, but everything else in @out is valid.
 *
 * Tables with bad checksums are skipped and counted. Only enabled CPUs are listed, each once.
 */
MUST_CHECK err_t acpi_parse(const u8 *rsdp, u32 rsdp_len, acpi_map_fn map, void *ctx,
			    struct acpi_info *out, const char **why);

/* madt_disable_cpu() - rule P3: clear Enabled and Online Capable in all entries with the APIC ID of
 * @cpu, fix the checksum. */
void madt_disable_cpu(u8 *madt, u32 madt_len, const struct acpi_cpu *cpu);

/* aml_find_sleep_type() - SLP_TYPa of the "_S3_"/"_S5_" package in AML bytes; -1: none. */
s32 aml_find_sleep_type(const u8 *aml, u64 len, char digit);
