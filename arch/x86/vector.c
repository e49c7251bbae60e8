/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The vector registers of core/hw.h: they hold the guest's values. Kensho is compiled without
 * vector instructions; these are the only ones. CR4.OSFXSR and OSXSAVE are set in root mode
 * (paging.c), XCR0 is the guest's.
 */
#include "core/hw.h"

#include "core/diag/panic.h"

#define REGISTERS(X) \
	X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15)

/* clang-format off */
#define READ(n)                                                                         \
	case n:                                                                         \
		if (wide)                                                               \
			asm volatile("vmovdqu %%ymm" #n ", (%0)" : : "r"(val) : "memory"); \
		else                                                                    \
			asm volatile("movdqu %%xmm" #n ", (%0)" : : "r"(val) : "memory");  \
		break;
#define WRITE(n)                                                                        \
	case n:                                                                         \
		if (wide)                                                               \
			asm volatile("vmovdqu (%0), %%ymm" #n : : "r"(val) : "memory"); \
		else                                                                    \
			asm volatile("movdqu (%0), %%xmm" #n : : "r"(val) : "memory");  \
		break;
/* clang-format on */

void hw_vector_read(u32 nr, bool wide, u64 val[4])
{
	switch (nr) {
		REGISTERS(READ)
	default:
		ASSERT(nr < 16);
	}
}

void hw_vector_write(u32 nr, bool wide, const u64 val[4])
{
	switch (nr) {
		REGISTERS(WRITE)
	default:
		ASSERT(nr < 16);
	}
}
