/* SPDX-License-Identifier: BSD-2-Clause */
/* What a hypervisor needs from ACPI tables: pure, bounded parsers of untrusted bytes. */
#pragma once

#include "core/lib/err.h"
#include "core/lib/types.h"

/* How parsers read physical memory: returns a pointer to @len bytes that are readable until the
 * next call, or NULL. */
typedef const void *(*acpi_map_fn)(void *ctx, u64 pa, u64 len);

struct acpi_cpu {
	u32 apic_id;
	bool enabled;
	bool x2apic;     /* from a type 9 entry */
	u32 madt_offset; /* of the flags field, for rule P3 */
};

/* A MADT that a guest may come to. */
struct acpi_madt {
	u64 pa;
	u32 len;
};

/* Processors that rule P3 leaves alone. */
struct madt_keep {
	const u32 *ids; /* APIC IDs */
	u32 count;
};

#define ACPI_CPUS_MAX    512 /* more than VP_MAX: some may not start */
#define ACPI_MADTS_MAX   4
#define ACPI_TABLES_SEEN 48
#define ACPI_DMAR_UNITS  64

/* A table that was readable, for the machine report. */
struct acpi_table {
	char signature[5];
	u64 pa;
	u32 len;
};

/* Flags of the DMAR table: VT-d, "DMA Remapping Reporting Structure". */
#define DMAR_INTR_REMAP     0x01u
#define DMAR_X2APIC_OPT_OUT 0x02u

struct acpi_info {
	u32 cpu_count;
	struct acpi_cpu cpu[ACPI_CPUS_MAX];
	u64 madt_pa; /* of the MADT that lists them; 0: none is usable */
	u32 madt_len;
	u32 madt_count; /* all, damaged ones included: guests differ in what they accept */
	struct acpi_madt madt[ACPI_MADTS_MAX];
	u16 pm_tmr_port; /* 0: none */
	bool pm_tmr_32bit;
	u16 pm1a_cnt, pm1b_cnt;
	/* reset register (FADT), space 0xff: none */
	u8 reset_space, reset_value;
	u64 reset_addr;
	s32 s3_slp_typ, s5_slp_typ; /* SLP_TYPa; -1: no object */
	u64 hpet_pa;                /* 0: none */
	bool has_dmar;
	u8 dmar_flags; /* DMAR_* */
	u32 dmar_units;
	u64 dmar_unit_pa[ACPI_DMAR_UNITS]; /* their registers */
	u64 wakeup_mailbox; /* MADT: CPUs that start by it may ignore INIT and SIPI; 0: none */
	u32 duplicates;     /* MADT: enabled CPUs listed again in an entry of the same kind */
	u64 ecam_pa;        /* MCFG: of the first segment; 0: none */
	u32 unreadable;     /* tables skipped since the map function does not reach them */
	u32 bad_checksums;  /* tables skipped for that */
	u32 table_count;    /* in the order of the root table, then the DSDT */
	struct acpi_table table[ACPI_TABLES_SEEN];
};

/**
 * acpi_parse() - walk the tables from a copy of the RSDP.
 * @why: on error, what is wrong. What is in @out is valid nevertheless; ERR_NOENT: only the MADT is
 *       missing.
 *
 * Tables with bad checksums are skipped and counted. Only enabled CPUs are listed, each once.
 */
MUST_CHECK err_t acpi_parse(const u8 *rsdp, u32 rsdp_len, acpi_map_fn map, void *ctx,
			    struct acpi_info *out, const char **why);

/**
 * madt_disable_others() - rule P3: clear Enabled and Online Capable in every processor entry, of
 * either type, whose APIC ID @keep does not have. The table's sum stays as it is.
 * madt_count_others() - how many of these entries are enabled now.
 *
 * @len readable bytes at @madt, damaged or not.
 */
void madt_disable_others(u8 *madt, u32 len, const struct madt_keep *keep);
u32 madt_count_others(const u8 *madt, u32 len, const struct madt_keep *keep);

/* aml_find_sleep_type() - SLP_TYPa of the "_S3_"/"_S5_" package in AML bytes; -1: none. */
s32 aml_find_sleep_type(const u8 *aml, u64 len, char digit);
