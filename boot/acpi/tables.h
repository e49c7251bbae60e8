/* SPDX-License-Identifier: BSD-2-Clause */
/* Parsers of single ACPI tables, called by acpi_parse(). Bytes are untrusted, lengths are
 * checked. */
#pragma once

#include "boot/acpi/acpi.h"

/* Offsets in the header all tables share. ACPI 6.4, "System Description Table Header". */
#define ACPI_HEADER_LEN   36u
#define ACPI_LENGTH_OFF   4u
#define ACPI_CHECKSUM_OFF 9u

/* What the FADT says beyond struct acpi_info: where the differentiated table is. */
struct fadt_links {
	u64 dsdt_pa;
};

/* acpi_checksum() - sum of all bytes; 0 for a valid table. */
static inline u8 acpi_checksum(const u8 *data, u64 len)
{
	u8 sum = 0;

	for (u64 i = 0; i < len; i++)
		sum = (u8)(sum + data[i]);
	return sum;
}

/* @len is the table's own length field; that many bytes are readable. */
void madt_parse(const u8 *madt, u32 len, struct acpi_info *out);
void dmar_parse(const u8 *dmar, u32 len, struct acpi_info *out);
void fadt_parse(const u8 *fadt, u32 len, struct acpi_info *out, struct fadt_links *links);
