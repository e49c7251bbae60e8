/* SPDX-License-Identifier: BSD-2-Clause */
/* libFuzzer entry: instruction decoder. First byte: mode; the rest: instruction bytes. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/emul/emul.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum emul_mode mode;
	struct insn in, again;
	u32 n;

	if (size == 0)
		return 0;
	mode = (enum emul_mode)(data[0] % 3);
	n = (u32)(size - 1);
	if (emul_decode(data + 1, n, mode, &in) != ERR_NONE)
		return 0;
	must(in.len >= 1 && in.len <= 15 && in.len <= n);
	must(in.reg < 16 && in.base < 16 && in.index < 16 && in.seg < 6 && in.scale < 4);
	must(in.opsize <= in.regsize && (in.opsize & (in.opsize - 1)) == 0);
	must(in.opsize <= (in.op == EMUL_VMOV ? 32 : 8) && in.regsize <= 32);
	must(in.half <= VEC_HIGH && in.vec_src < 16);
	/* Its own bytes are enough, one less is not. */
	must(emul_decode(data + 1, in.len, mode, &again) == ERR_NONE && again.len == in.len);
	must(emul_decode(data + 1, in.len - 1u, mode, &again) == ERR_RANGE);
	return 0;
}
