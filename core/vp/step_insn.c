/* SPDX-License-Identifier: BSD-2-Clause */
/* Instructions that single-stepping must know. Pure. Spec: SDM Vol. 2, "Opcode Map". */
#include "core/vp/step_insn.h"

#include "arch/x86/defs/vector.h"
#include "arch/x86/defs/vmcs.h"
#include "core/lib/bits.h"

#define PREFIX_OPSIZE 0x66
#define REX_W         0x08

static bool is_prefix(u8 b, enum cs_bits cs, bool *opsize, bool *wide)
{
	switch (b) {
	case PREFIX_OPSIZE:
		*opsize = true;
		*wide = false;
		return true;
	case 0x26:
	case 0x2e:
	case 0x36:
	case 0x3e:
	case 0x64:
	case 0x65:
	case 0x67:
	case 0xf0:
	case 0xf2:
	case 0xf3:
		*wide = false; /* a REX prefix counts only right before the opcode */
		return true;
	default:
		if (cs != CS_64 || (b & 0xf0) != 0x40)
			return false;
		*wide = (b & REX_W) != 0;
		return true;
	}
}

static struct step_insn software_event(enum intr_type type, u8 vector, u32 len)
{
	return (struct step_insn){
		.kind = INSN_INT,
		.len = len,
		.event = INTR_INFO_VALID | (u32)FIELD_PREP(INTR_INFO_TYPE, type) | vector,
	};
}

static enum insn_kind two_bytes(u8 b)
{
	switch (b) {
	case 0x05:
		return INSN_SYSCALL;
	case 0x07:
		return INSN_SYSRET;
	case 0x34:
		return INSN_SYSENTER;
	case 0x35:
		return INSN_SYSEXIT;
	default:
		return INSN_PLAIN;
	}
}

static u32 operand_bytes(enum cs_bits cs, bool opsize, bool wide)
{
	if (wide)
		return 8;
	return (cs == CS_16) == opsize ? 4 : 2;
}

struct step_insn step_insn_decode(const u8 *code, u32 n, enum cs_bits cs)
{
	struct step_insn in = { .kind = INSN_PLAIN };
	bool opsize = false, wide = false;
	u32 i = 0;

	while (i < n && is_prefix(code[i], cs, &opsize, &wide))
		i++;
	if (i == n)
		return in;
	in.opsize = operand_bytes(cs, opsize, wide);
	switch (code[i]) {
	case 0x0f:
		in.kind = i + 1 < n ? two_bytes(code[i + 1]) : INSN_PLAIN;
		return in;
	case 0x9c:
		in.kind = INSN_PUSHF;
		if (cs == CS_64 && !opsize)
			in.opsize = 8;
		return in;
	case 0x9d:
	case 0xcf:
		in.kind = INSN_LOADS_TF;
		return in;
	case 0xcc:
		return software_event(INTR_TYPE_SOFT_EXCEPTION, EXC_BP, i + 1);
	case 0xcd:
		return i + 1 < n ? software_event(INTR_TYPE_SOFT_INT, code[i + 1], i + 2) : in;
	case 0xce:
		return cs == CS_64 ? in : software_event(INTR_TYPE_SOFT_EXCEPTION, EXC_OF, i + 1);
	case 0xf1:
		return software_event(INTR_TYPE_PRIV_SOFT_EXCEPTION, EXC_DB, i + 1);
	default:
		return in;
	}
}
