/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The vector registers of core/hw.h: they hold the guest's values. Kensho is compiled without
 * vector instructions; these are the only ones. CR4.OSFXSR and OSXSAVE are set in root mode
 * (paging.c), XCR0 is the guest's.
 */
#include "core/hw.h"

#include "core/diag/panic.h"
#include "core/lib/bits.h"

#define FSW_ES BIT32(7) /* an unmasked x87 exception is pending */

/* clang-format off */
#define LOAD(insn, reg, n)                                                       \
	case n:                                                                  \
		asm volatile(insn " (%0), %%" reg #n : : "r"(val) : "memory");   \
		break;
#define STORE(insn, reg, n)                                                      \
	case n:                                                                  \
		asm volatile(insn " %%" reg #n ", (%0)" : : "r"(val) : "memory"); \
		break;

/* The instruction has the number of its register: one for each of them. */
#define EACH_8(HOW, insn, reg)                                                              \
	HOW(insn, reg, 0) HOW(insn, reg, 1) HOW(insn, reg, 2) HOW(insn, reg, 3)             \
	HOW(insn, reg, 4) HOW(insn, reg, 5) HOW(insn, reg, 6) HOW(insn, reg, 7)
#define EACH_16(HOW, insn, reg)                                                             \
	EACH_8(HOW, insn, reg)                                                              \
	HOW(insn, reg, 8) HOW(insn, reg, 9) HOW(insn, reg, 10) HOW(insn, reg, 11)           \
	HOW(insn, reg, 12) HOW(insn, reg, 13) HOW(insn, reg, 14) HOW(insn, reg, 15)
#define MOVE(HOW, kind, nr)                                                                 \
	do {                                                                                \
		if ((kind) == HW_MMX)                                                       \
			switch (nr) { EACH_8(HOW, "movq", "mm") }                           \
		else if ((kind) == HW_XMM)                                                  \
			switch (nr) { EACH_16(HOW, "movdqu", "xmm") }                       \
		else                                                                        \
			switch (nr) { EACH_16(HOW, "vmovdqu", "ymm") }                      \
	} while (0)
/* clang-format on */

/* An MMX instruction would raise #MF, here in the hypervisor. FNSTSW does not. */
static err_t x87_state(enum hw_vector kind)
{
	u16 status;

	if (kind != HW_MMX)
		return ERR_NONE;
	asm volatile("fnstsw %0" : "=a"(status));
	return (status & FSW_ES) ? ERR_BUSY : ERR_NONE;
}

err_t hw_vector_read(enum hw_vector kind, u32 nr, u64 val[4])
{
	ASSERT(nr < (kind == HW_MMX ? 8 : 16));
	TRY(x87_state(kind));
	MOVE(STORE, kind, nr);
	return ERR_NONE;
}

err_t hw_vector_write(enum hw_vector kind, u32 nr, const u64 val[4])
{
	ASSERT(nr < (kind == HW_MMX ? 8 : 16));
	TRY(x87_state(kind));
	MOVE(LOAD, kind, nr);
	return ERR_NONE;
}
