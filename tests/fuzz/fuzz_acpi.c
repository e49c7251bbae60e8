/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fuzzer: physical memory with ACPI tables in it, the RSDP at its start. Checksums are repaired as
 * tables are mapped, for behind them is where the bugs would be; the first byte of the OEM ID
 * leaves those of the RSDP ('1'), of the tables ('2') or all ('3') as they are.
 */
#include <stdlib.h>
#include <string.h>

#include "boot/acpi/tables.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t len);

struct memory {
	u8 *bytes;
	size_t len;
	bool raw_tables;
};

static void repair(u8 *p, u64 len, u32 at)
{
	p[at] = (u8)(p[at] - acpi_checksum(p, len));
}

static const void *map(void *ctx, u64 pa, u64 len)
{
	struct memory *m = ctx;

	if (pa > m->len || len > m->len - pa)
		return NULL;
	if (len > ACPI_HEADER_LEN && !m->raw_tables)
		repair(m->bytes + pa, len, ACPI_CHECKSUM_OFF);
	return m->bytes + pa;
}

/* Rule P3 for a guest with one CPU; the sum stays. */
static void disable(struct memory *m, const struct acpi_madt *madt)
{
	const struct madt_keep keep = { .ids = (const u32[]){ 0 }, .count = 1 };
	u8 *bytes = m->bytes + madt->pa;
	u8 sum = acpi_checksum(bytes, madt->len);

	madt_disable_others(bytes, madt->len, &keep);
	if (acpi_checksum(bytes, madt->len) != sum ||
	    madt_count_others(bytes, madt->len, &keep) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t len)
{
	struct memory m = { .bytes = malloc(len + 1), .len = len };
	static struct acpi_info info;
	const char *why = NULL;
	u8 rsdp[36];

	memcpy(m.bytes, data, len);
	(void)aml_find_sleep_type(m.bytes, len, '5');
	if (len >= sizeof(rsdp)) {
		memcpy(rsdp, data, sizeof(rsdp));
		m.raw_tables = data[9] == '2' || data[9] == '3';
		if (data[9] != '1' && data[9] != '3') {
			memcpy(rsdp, "RSD PTR ", 8);
			repair(rsdp, 20, 8);
			repair(rsdp, 36, 32);
		}
		if (acpi_parse(rsdp, data[8] % 2 ? 36 : 20, map, &m, &info, &why) != ERR_NONE &&
		    why == NULL)
			abort();
		for (u32 i = 0; i < info.madt_count; i++)
			disable(&m, &info.madt[i]);
	}
	free(m.bytes);
	return 0;
}
