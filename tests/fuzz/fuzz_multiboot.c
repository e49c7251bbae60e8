/* SPDX-License-Identifier: BSD-2-Clause */
/* Fuzzer: multiboot images, see fuzz_load.h; the corpus makes the difference to its twin. */
#include "tests/fuzz/fuzz_load.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t len);

int LLVMFuzzerTestOneInput(const u8 *data, size_t len)
{
	fuzz_load(data, len);
	return 0;
}
