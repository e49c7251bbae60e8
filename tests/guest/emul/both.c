// SPDX-License-Identifier: BSD-2-Clause
// See both.h.
#include "tests/guest/emul/both.h"

#include "tests/guest/lib/cpu.h"
#include "tests/guest/lib/tap.h"

static u8 plain[0x2000] ALIGNED(4096);

static u64 random64(u64 *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* Edges are frequent. */
static u64 value(u64 *state)
{
	static const u64 edges[] = { 0, 1, 0x7f, 0x80, 0x8000, 0x80000000, 1ull << 63, ~0ull };
	u64 r = random64(state);

	return (r & 1) ? edges[r >> 8 & 7] : random64(state);
}

void both_start(struct both *r, u32 place, u32 at, u32 seed, bool alike)
{
	u64 state = 0x9e3779b97f4a7c15ull * (seed + 1);
	volatile u64 *mem;

	r->base = (place ? (u64)(uintptr_t)plain : BOTH_MMIO) + at;
	mem = (volatile u64 *)(uintptr_t)r->base;
	for (u32 i = 0; i < BOTH_BYTES / 8; i++)
		mem[i] = alike ? random64(&state) & 0x0100000000000000 : value(&state);
	r->rax = alike ? 0 : value(&state);
	r->rdx = value(&state);
	r->rcx = alike ? 1 + random64(&state) % 6 : value(&state);
	r->rbx = r->base + 0x40;
	r->rsi = r->base + 0x80;
	r->rdi = r->base + 0xc0;
	r->flags = 2 | (random64(&state) & ARITH) | (alike && seed % 4 == 3 ? 0x400 : 0);
}

static void differ(const char *text, const char *what, u64 emulated, u64 native)
{
	EXPECT_AT(emulated == native, "%s: %s is 0x%llx, on the CPU 0x%llx", text, what, emulated,
		  native);
}

/* Relative to the operands if it points there. */
static u64 stack_of(const struct both *r)
{
	return r->rsp - r->base < 0x1000 ? r->rsp - r->base : r->rsp;
}

void both_same(const char *text, const struct both r[2], u64 mask)
{
	differ(text, "vector", r[0].vector, r[1].vector);
	differ(text, "error code", r[0].error, r[1].error);
	differ(text, "RAX", r[0].rax, r[1].rax);
	differ(text, "RCX", r[0].rcx, r[1].rcx);
	differ(text, "RDX", r[0].rdx, r[1].rdx);
	differ(text, "RBX", r[0].rbx - r[0].base, r[1].rbx - r[1].base);
	differ(text, "RSI", r[0].rsi - r[0].base, r[1].rsi - r[1].base);
	differ(text, "RDI", r[0].rdi - r[0].base, r[1].rdi - r[1].base);
	differ(text, "RSP", stack_of(&r[0]), stack_of(&r[1]));
	differ(text, "RFLAGS", r[0].flags & mask, r[1].flags & mask);
	for (u32 i = 0; i < BOTH_BYTES && !(mask & BOTH_NO_MEMORY); i += 8)
		differ(text, "memory", *(volatile u64 *)(uintptr_t)(r[0].base + i),
		       *(volatile u64 *)(uintptr_t)(r[1].base + i));
}
