/* SPDX-License-Identifier: BSD-2-Clause */
/* MONITOR, which touches no memory but exits as if it did. VP's CPU, with its VMCS current. */
#include "core/emul/emul_internal.h"

#include "core/lib/string.h"

static const u8 monitor[] = { 0x0f, 0x01, 0xc8 };

static bool is_prefix(u8 byte, enum emul_mode mode)
{
	return (insn_one_byte[byte] & INSN_PREFIX) != 0 ||
	       (mode == EMUL_64 && (byte & 0xf0) == 0x40); /* REX */
}

u32 emul_monitor_length(struct vp *vp)
{
	enum emul_mode mode = emul_cpu_mode(vp);
	struct code code;
	const u8 *bytes = (const u8 *)code.raw;
	u32 n = 0;

	fetch_code(vp, mode, &code);
	while (n + sizeof(monitor) < code.len && is_prefix(bytes[n], mode))
		n++;
	if (n + sizeof(monitor) > code.len || memcmp(bytes + n, monitor, sizeof(monitor)) != 0)
		return 0;
	return n + (u32)sizeof(monitor);
}
