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

#define MMX_REGISTERS(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7)
#define REGISTERS(X)     MMX_REGISTERS(X) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15)

/* clang-format off */
#define LOAD(insn, reg, n)                                                       \
	case n:                                                                  \
		asm volatile(insn " (%0), %%" reg #n : : "r"(val) : "memory");   \
		break;
#define STORE(insn, reg, n)                                                      \
	case n:                                                                  \
		asm volatile(insn " %%" reg #n ", (%0)" : : "r"(val) : "memory"); \
		break;
/* clang-format on */
#define LOAD_MMX(n)  LOAD("movq", "mm", n)
#define LOAD_XMM(n)  LOAD("movdqu", "xmm", n)
#define LOAD_YMM(n)  LOAD("vmovdqu", "ymm", n)
#define STORE_MMX(n) STORE("movq", "mm", n)
#define STORE_XMM(n) STORE("movdqu", "xmm", n)
#define STORE_YMM(n) STORE("vmovdqu", "ymm", n)

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
	if (kind == HW_MMX) {
		switch (nr) {
			MMX_REGISTERS(STORE_MMX)
		}
	} else if (kind == HW_XMM) {
		switch (nr) {
			REGISTERS(STORE_XMM)
		}
	} else {
		switch (nr) {
			REGISTERS(STORE_YMM)
		}
	}
	return ERR_NONE;
}

err_t hw_vector_write(enum hw_vector kind, u32 nr, const u64 val[4])
{
	ASSERT(nr < (kind == HW_MMX ? 8 : 16));
	TRY(x87_state(kind));
	if (kind == HW_MMX) {
		switch (nr) {
			MMX_REGISTERS(LOAD_MMX)
		}
	} else if (kind == HW_XMM) {
		switch (nr) {
			REGISTERS(LOAD_XMM)
		}
	} else {
		switch (nr) {
			REGISTERS(LOAD_YMM)
		}
	}
	return ERR_NONE;
}
