/* SPDX-License-Identifier: BSD-2-Clause */
/* Fuzzer: one MADT; every processor it lists can be disabled, and is gone then (rule P3). */
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
	u8 *madt;

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
		madt_disable_cpu(madt, (u32)len, &info.cpu[i]);
		must(acpi_checksum(madt, len) == 0);
	}
	memset(&again, 0, sizeof(again));
	madt_parse(madt, (u32)len, &again);
	for (u32 i = 0; i < info.cpu_count; i++) {
		for (u32 j = 0; j < again.cpu_count; j++)
			must(info.cpu[i].apic_id != again.cpu[j].apic_id);
	}
	free(madt);
	return 0;
}
