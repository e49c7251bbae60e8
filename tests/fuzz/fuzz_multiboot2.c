/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fuzzer: multiboot 2 images, see fuzz_load.h. What is accepted has boot information that the
 * parser of our own boot loader's understands, with the same memory map.
 */
#include "tests/fuzz/fuzz_load.h"

#include "boot/load/multiboot2.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t len);

static void check_info(const struct load_copy *c)
{
	static struct boot_info bi;
	const char *why;

	fuzz_check(mb2_parse(c->blob, c->len, &bi, &why) == ERR_NONE);
	fuzz_check(bi.memory.count == fuzz_map.count);
	for (u32 i = 0; i < fuzz_map.count; i++) {
		const struct e820_entry *want = &fuzz_map.e[i], *got = &bi.memory.e[i];

		fuzz_check(got->base == want->base && got->len == want->len &&
			   got->type == want->type);
	}
	fuzz_check(bi.module_count == 1 && strcmp(bi.module[0].string, "m") == 0);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t len)
{
	const struct load_plan *p = &fuzz_plan;

	fuzz_plan.count = 0;
	fuzz_plan.rax = 0;
	fuzz_load(data, len);
	for (u32 i = 0; fuzz_plan.why[0] == '\0' && i < p->count; i++) {
		if (p->rax == MB2H_BOOT_MAGIC && p->copy[i].blob != NULL &&
		    p->copy[i].dst == p->rbx)
			check_info(&p->copy[i]);
	}
	return 0;
}
