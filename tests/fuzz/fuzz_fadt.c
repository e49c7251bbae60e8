/* SPDX-License-Identifier: BSD-2-Clause */
/* Fuzzer: one FADT, and the bytes behind its header as AML. */
#include <stdlib.h>
#include <string.h>

#include "boot/acpi/tables.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t len);

int LLVMFuzzerTestOneInput(const u8 *data, size_t len)
{
	static struct acpi_info info;
	struct fadt_links links = { 0 };
	u8 *fadt;
	s32 type;

	if (len < ACPI_HEADER_LEN)
		return 0;
	fadt = malloc(len); /* exactly: the sanitizer sees the byte behind it */
	memcpy(fadt, data, len);
	memset(&info, 0, sizeof(info));
	info.reset_space = 0xff;
	fadt_parse(fadt, (u32)len, &info, &links);
	if (info.reset_space != 0xff && info.reset_addr == 0)
		abort();
	if (len < 44 && links.dsdt_pa != 0)
		abort();
	for (char digit = '0'; digit <= '5'; digit++) {
		type = aml_find_sleep_type(fadt, len, digit);
		if (type < -1 || type > 7)
			abort();
	}
	free(fadt);
	return 0;
}
