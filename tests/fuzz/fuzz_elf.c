/* SPDX-License-Identifier: BSD-2-Clause */
/* Fuzzer: ELF program headers, without a multiboot header around them. See fuzz_load.h. */
#include "tests/fuzz/fuzz_load.h"

#include "boot/load/elf.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t len);

int LLVMFuzzerTestOneInput(const u8 *data, size_t len)
{
	struct guest_image kernel = { .data = data, .start = { FUZZ_KERNEL_PA }, .len = len };
	struct load_input in = { .kernel = &kernel, .memory = &fuzz_map };
	u64 entry = ~0ull;

	if (!elf_probe(data, len))
		return 0;
	fuzz_machine();
	memset(fuzz_plan.why, 0, sizeof(fuzz_plan.why));
	fuzz_check(plan_begin(&fuzz_plan, &in) == ERR_NONE);
	if (elf_plan(&in, &kernel, &fuzz_plan, &entry) != ERR_NONE ||
	    plan_order(&fuzz_plan, &fuzz_map) != ERR_NONE) {
		fuzz_check(fuzz_plan.why[0] != '\0');
		return 0;
	}
	fuzz_plan.rip = entry;
	fuzz_check_plan();
	return 0;
}
