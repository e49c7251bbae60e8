/* SPDX-License-Identifier: BSD-2-Clause */
/* Fuzzer: boot information as a boot loader, or something worse, left it. */
#include <stdlib.h>

#include "core/load/boot_info.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t len);

static void check(bool ok)
{
	if (!ok)
		abort();
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t len)
{
	static struct boot_info bi;
	const char *why = NULL;

	if (mb2_parse(data, len, &bi, &why) != ERR_NONE) {
		check(why != NULL);
		return 0;
	}
	check(e820_ram_bytes(&bi.memory) != 0);
	for (u32 i = 1; i < bi.memory.count; i++)
		check(bi.memory.e[i - 1].base + bi.memory.e[i - 1].len <= bi.memory.e[i].base);
	return 0;
}
