/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Privileged instructions of the test guests. A wrapper named try_* returns the vector of the fault
 * the instruction raised, or NO_FAULT; trap_last() then has the details.
 */
#pragma once

#include "arch/x86/defs/cpuid.h"
#include "core/lib/types.h"

#define NO_FAULT 0x100u

/* The next exception resumes behind the instruction between TRY_BEGIN and TRY_END. */
extern u64 trap_catch_rip;
void trap_clear(void);
u32 trap_vector(void);
#define TRY_BEGIN "movq $771f, trap_catch_rip(%%rip)\n\t"
#define TRY_END   "\n771:\tmovq $0, trap_catch_rip(%%rip)\n\t"

/* A whole instruction (string) without operands. */
#define TRY_INSN(text)                                                      \
	({                                                                  \
		trap_clear();                                               \
		asm volatile(TRY_BEGIN text TRY_END                         \
			     :                                              \
			     :                                              \
			     : "memory", "cc", "rax", "rbx", "rcx", "rdx"); \
		trap_vector();                                              \
	})

static inline struct cpuid_regs cpuid2(u32 leaf, u32 subleaf)
{
	struct cpuid_regs r;

	asm volatile("cpuid"
		     : "=a"(r.a), "=b"(r.b), "=c"(r.c), "=d"(r.d)
		     : "a"(leaf), "c"(subleaf));
	return r;
}

static inline struct cpuid_regs cpuid(u32 leaf)
{
	return cpuid2(leaf, 0);
}

static inline u64 rdtsc(void)
{
	u32 lo, hi;

	asm volatile("rdtsc" : "=a"(lo), "=d"(hi) : : "memory");
	return (u64)hi << 32 | lo;
}

static inline u64 rdmsr(u32 msr)
{
	u32 lo, hi;

	asm volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr) : "memory");
	return (u64)hi << 32 | lo;
}

static inline void wrmsr(u32 msr, u64 val)
{
	asm volatile("wrmsr" : : "c"(msr), "a"((u32)val), "d"((u32)(val >> 32)) : "memory");
}

static inline u32 try_rdmsr(u32 msr, u64 *val)
{
	u32 lo = 0, hi = 0;

	trap_clear();
	asm volatile(TRY_BEGIN "rdmsr" TRY_END : "+a"(lo), "+d"(hi) : "c"(msr) : "memory");
	*val = (u64)hi << 32 | lo;
	return trap_vector();
}

static inline u32 try_wrmsr(u32 msr, u64 val)
{
	trap_clear();
	asm volatile(TRY_BEGIN "wrmsr" TRY_END
		     :
		     : "c"(msr), "a"((u32)val), "d"((u32)(val >> 32))
		     : "memory");
	return trap_vector();
}

static inline u64 xgetbv(u32 index)
{
	u32 lo, hi;

	asm volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(index));
	return (u64)hi << 32 | lo;
}

static inline u32 try_xsetbv(u32 index, u64 val)
{
	trap_clear();
	asm volatile(TRY_BEGIN "xsetbv" TRY_END
		     :
		     : "c"(index), "a"((u32)val), "d"((u32)(val >> 32))
		     : "memory");
	return trap_vector();
}

#define DEFINE_CR(n)                                                                       \
	static inline u64 read_cr##n(void)                                                 \
	{                                                                                  \
		u64 val;                                                                   \
                                                                                           \
		asm volatile("mov %%cr" #n ", %0" : "=r"(val) : : "memory");               \
		return val;                                                                \
	}                                                                                  \
	static inline void write_cr##n(u64 val)                                            \
	{                                                                                  \
		asm volatile("mov %0, %%cr" #n : : "r"(val) : "memory");                   \
	}                                                                                  \
	static inline u32 try_write_cr##n(u64 val)                                         \
	{                                                                                  \
		trap_clear();                                                              \
		asm volatile(TRY_BEGIN "mov %0, %%cr" #n TRY_END : : "r"(val) : "memory"); \
		return trap_vector();                                                      \
	}
DEFINE_CR(0)
DEFINE_CR(2)
DEFINE_CR(3)
DEFINE_CR(4)
DEFINE_CR(8)

#define DEFINE_DR(n)                                                         \
	static inline u64 read_dr##n(void)                                   \
	{                                                                    \
		u64 val;                                                     \
                                                                             \
		asm volatile("mov %%dr" #n ", %0" : "=r"(val) : : "memory"); \
		return val;                                                  \
	}                                                                    \
	static inline void write_dr##n(u64 val)                              \
	{                                                                    \
		asm volatile("mov %0, %%dr" #n : : "r"(val) : "memory");     \
	}
DEFINE_DR(0)
DEFINE_DR(1)
DEFINE_DR(6)
DEFINE_DR(7)

static inline u8 inb(u16 port)
{
	u8 val;

	asm volatile("inb %1, %0" : "=a"(val) : "Nd"(port) : "memory");
	return val;
}

static inline u16 inw(u16 port)
{
	u16 val;

	asm volatile("inw %1, %0" : "=a"(val) : "Nd"(port) : "memory");
	return val;
}

static inline u32 inl(u16 port)
{
	u32 val;

	asm volatile("inl %1, %0" : "=a"(val) : "Nd"(port) : "memory");
	return val;
}

static inline void outb(u16 port, u8 val)
{
	asm volatile("outb %0, %1" : : "a"(val), "Nd"(port) : "memory");
}

static inline void outw(u16 port, u16 val)
{
	asm volatile("outw %0, %1" : : "a"(val), "Nd"(port) : "memory");
}

static inline void outl(u16 port, u32 val)
{
	asm volatile("outl %0, %1" : : "a"(val), "Nd"(port) : "memory");
}

static inline void sti(void)
{
	asm volatile("sti" : : : "memory");
}

static inline void cli(void)
{
	asm volatile("cli" : : : "memory");
}

static inline void sti_nop_cli(void)
{
	asm volatile("sti; nop; nop; cli" : : : "memory");
}

static inline void sti_hlt_cli(void)
{
	asm volatile("sti; hlt; cli" : : : "memory");
}

static inline void cpu_relax(void)
{
	asm volatile("pause" : : : "memory");
}

static inline u64 read_rflags(void)
{
	u64 val;

	asm volatile("pushf; pop %0" : "=r"(val) : : "memory");
	return val;
}

static inline void write_rflags(u64 val)
{
	asm volatile("push %0; popf" : : "r"(val) : "memory", "cc");
}

static inline void invlpg(const void *va)
{
	asm volatile("invlpg (%0)" : : "r"(va) : "memory");
}

static inline u32 mmio_read32(u64 addr)
{
	u32 val;

	asm volatile("movl (%1), %0" : "=r"(val) : "r"(addr) : "memory");
	return val;
}

static inline void mmio_write32(u64 addr, u32 val)
{
	asm volatile("movl %0, (%1)" : : "r"(val), "r"(addr) : "memory");
}
