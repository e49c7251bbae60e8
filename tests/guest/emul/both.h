/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The same instruction twice: with its operand in the emulated RAM of testdev=on, and in ordinary
 * RAM, where the CPU runs it. Registers, flags, memory and the exception must be the same.
 */
#pragma once

#include "core/lib/bits.h"
#include "tests/guest/lib/insn.h"

#define BOTH_MMIO  0xff000000ull
#define BOTH_BYTES 0x100u /* of each that are set and compared */
#define BOTH_SEEDS 8u

struct both {
	u64 rax, rcx, rdx, rbx, rsi, rdi, flags, rsp;
	u64 base; /* RBX, RSI and RDI point behind it: + 40h, + 80h, + C0h */
	u32 vector, error;
};

/* Where the operands lie: in the middle of a page, or over the edge of one. */
#define BOTH_MIDDLE 0x400u
#define BOTH_EDGE   (0x1000u - 0x42u)

/*
 * both_start() - registers and memory for @seed; @place 0: emulated, 1: plain. @alike: bytes of 0
 * and 1 for comparisons. both_same() - compare @r[0] with @r[1], of the flags those in @mask.
 */
void both_start(struct both *r, u32 place, u32 at, u32 seed, bool alike);
void both_same(const char *text, const struct both r[2], u64 mask);

/* @text may leave RSP anywhere; R12 has the one from before. */
#define BOTH_RUN(text, r)                                                                        \
	({                                                                                       \
		trap_clear();                                                                    \
		asm volatile(                                                                    \
			"mov %%rsp, %%r12; push %6; popfq\n\t" TRY_BEGIN text TRY_END            \
			"mov %%rsp, %%r13; mov %%r12, %%rsp; pushfq; pop %6; cld; mov %%r13, %7" \
			: "+a"((r)->rax), "+c"((r)->rcx), "+d"((r)->rdx), "+b"((r)->rbx),        \
			  "+S"((r)->rsi), "+D"((r)->rdi), "+r"((r)->flags), "=m"((r)->rsp)       \
			:                                                                        \
			: "memory", "cc", "r12", "r13", "r14");                                  \
		(r)->vector = trap_vector();                                                     \
		(r)->error = (r)->vector == NO_FAULT ? 0 : trap_last()->error;                   \
	})

#define BOTH_AT(text, mask, where, alike)                                         \
	({                                                                        \
		for (u32 seed_ = 0; seed_ < BOTH_SEEDS; seed_++) {                \
			struct both r_[2];                                        \
			for (u32 i_ = 0; i_ < 2; i_++) {                          \
				both_start(&r_[i_], i_, (where), seed_, (alike)); \
				BOTH_RUN(text, &r_[i_]);                          \
			}                                                         \
			both_same(text, r_, mask);                                \
		}                                                                 \
	})

#define BOTH(text, mask)       BOTH_AT(text, mask, BOTH_MIDDLE, false)
#define BOTH_ALIKE(text, mask) BOTH_AT(text, mask, BOTH_MIDDLE, true)

/* In @mask: the memory holds addresses of itself. */
#define BOTH_NO_MEMORY BIT64(63)

/* The same with the stack there; for what pushes no address of it. */
#define BOTH_STACK(text, mask) BOTH("lea 0x80(%%rbx), %%rsp; " text, mask)

#define ARITH 0x8d5ull /* OF SF ZF AF PF CF */

/* The row of such a test: testdev_FN, which is run where its option is on. */
#define TESTDEV_ROW(fn)                                               \
	{                                                             \
		.name = "testdev_" #fn, .run = (fn), .flags = T_NAMED \
	}
