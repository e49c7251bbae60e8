/* SPDX-License-Identifier: BSD-2-Clause */
/* Decoder for single-stepping: what the next instruction does to RFLAGS.TF. Pure. */
#pragma once

#include "core/lib/types.h"

enum insn_kind {
	INSN_PLAIN,
	INSN_PUSHF,
	INSN_LOADS_TF, /* POPF, IRET */
	INSN_INT,      /* INT n, INT3, INTO, INT1 */
	INSN_SYSCALL,
	INSN_SYSENTER,
	INSN_SYSRET,
	INSN_SYSEXIT,
};

/* enum cs_bits - size of code, from CS and EFER. */
enum cs_bits { CS_16, CS_32, CS_64 };

struct step_insn {
	enum insn_kind kind;
	u32 len;    /* INSN_INT */
	u32 event;  /* INSN_INT: VM-entry interruption information */
	u32 opsize; /* bytes: 2, 4 or 8 */
};

/*
 * step_insn_decode() - the @n bytes at @code, at most 15. A truncated instruction decodes as plain.
 */
struct step_insn step_insn_decode(const u8 *code, u32 n, enum cs_bits cs);
