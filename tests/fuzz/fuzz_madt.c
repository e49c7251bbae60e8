/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fuzzer: one MADT; the processors with even APIC IDs stay, all others are disabled, and nothing
 * else changes (rule P3).
 */
#include <stdlib.h>
#include <string.h>

#include "boot/acpi/tables.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t len);

static void must(bool ok)
{
	if (!ok)
		abort();
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t len)
{
	static struct acpi_info info, again;
	static u32 ids[ACPI_CPUS_MAX];
	struct madt_keep keep = { .ids = ids };
	u8 *madt, sum;

	if (len < ACPI_HEADER_LEN) /* what acpi_parse() hands over has a header */
		return 0;
	madt = malloc(len);
	memcpy(madt, data, len);
	memset(&info, 0, sizeof(info));
	madt_parse(madt, (u32)len, &info);
	must(info.cpu_count <= ACPI_CPUS_MAX);
	for (u32 i = 0; i < info.cpu_count; i++) {
		must(info.cpu[i].enabled && info.cpu[i].madt_offset + 4 <= len);
		for (u32 j = 0; j < i; j++)
			must(info.cpu[i].apic_id != info.cpu[j].apic_id);
		if (info.cpu[i].apic_id % 2 == 0)
			ids[keep.count++] = info.cpu[i].apic_id;
	}
	sum = acpi_checksum(madt, len);
	madt_disable_others(madt, (u32)len, &keep);
	must(acpi_checksum(madt, len) == sum);
	must(madt_count_others(madt, (u32)len, &keep) == 0);
	memset(&again, 0, sizeof(again));
	madt_parse(madt, (u32)len, &again);
	must(again.cpu_count == keep.count);
	for (u32 i = 0; i < again.cpu_count; i++)
		must(again.cpu[i].apic_id == ids[i]);
	free(madt);
	return 0;
}
