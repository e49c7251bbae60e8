/* SPDX-License-Identifier: BSD-2-Clause */
/* Fuzzer: boot information as a boot loader, or something worse, left it. */
#include <stdlib.h>

#include "boot/load/boot_info.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t len);

static void check(bool ok)
{
	if (!ok)
		abort();
}

/* The guest's edited copy: RAM of one map is RAM of the other, and nothing is written past its end.
 */
static void check_efi(struct boot_info *bi)
{
	struct efi_map *m = &bi->efi.map;
	u8 *out;

	if (m->count == 0 || efi_map_agree(m, &bi->memory) != ERR_NONE)
		return;
	for (u32 i = 0; i < m->count; i++) {
		const struct efi_descriptor *d = &m->d[i];

		if (efi_e820_type(d) == E820_RAM)
			check(e820_is_type(&bi->memory, d->pa, d->pages << 12, E820_RAM));
	}
	out = malloc(efi_map_bytes(m));
	efi_map_write(m, out);
	free(out);
}

struct input {
	const u8 *data;
	size_t len;
};

/* The input is the machine's memory, too: tables may lie in it. */
static const void *map_input(void *ctx, u64 pa, u64 len)
{
	const struct input *in = ctx;

	return pa <= in->len && len <= in->len - pa ? in->data + pa : NULL;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t len)
{
	struct input in = { data, len };
	static struct boot_info bi;
	const char *why = NULL;

	if (mb2_parse(data, len, &bi, &why) != ERR_NONE) {
		check(why != NULL);
		return 0;
	}
	check(e820_ram_bytes(&bi.memory) != 0);
	for (u32 i = 1; i < bi.memory.count; i++)
		check(bi.memory.e[i - 1].base + bi.memory.e[i - 1].len <= bi.memory.e[i].base);
	check_efi(&bi);
	(void)efi_find_rsdp(&bi.efi, map_input, &in);
	return 0;
}
