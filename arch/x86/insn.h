/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Wrappers of the privileged instructions; with vmx_insn.h the only inline assembly in C files.
 * They act on the calling CPU. "memory" clobbers keep the compiler from moving accesses across.
 */
#pragma once

#include "arch/x86/defs/cpuid.h"
#include "arch/x86/defs/seg.h"
#include "core/lib/compiler.h"
#include "core/lib/err.h"
#include "core/lib/types.h"

static inline struct cpuid_regs cpuid(u32 leaf, u32 subleaf)
{
	struct cpuid_regs r;

	asm volatile("cpuid"
		     : "=a"(r.a), "=b"(r.b), "=c"(r.c), "=d"(r.d)
		     : "a"(leaf), "c"(subleaf));
	return r;
}

/* Zeros where the CPU has no such leaf: asked for it, Intel's answer with their last one. */
static inline struct cpuid_regs cpuid_if(u32 leaf, u32 subleaf)
{
	if (cpuid(leaf & CPUID_LEAF_EXT_MAX, 0).a < leaf)
		return (struct cpuid_regs){ 0 };
	return cpuid(leaf, subleaf);
}

/* MAXPHYADDR: every CPU with 64-bit mode has the leaf. */
static inline u32 cpu_phys_bits(void)
{
	return (u32)FIELD_GET(CPUID80000008_EAX_PHYS_BITS, cpuid(0x80000008, 0).a);
}

/* --- MSRs --- */

static inline u64 rdmsr(u32 msr)
{
	u64 lo, hi; /* RDMSR clears the upper halves */

	asm volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr) : "memory");
	return hi << 32 | lo;
}

static inline void wrmsr(u32 msr, u64 val)
{
	asm volatile("wrmsr" : : "c"(msr), "a"((u32)val), "d"((u32)(val >> 32)) : "memory");
}

/* An instruction at label 1 that may #GP; extable.c resumes at the C label @fault. */
#define EXTABLE(fault)                                                              \
	"\n\t.pushsection .extable, \"a\"\n\t.balign 4\n\t.long 1b - ., %l[" #fault \
	"] - .\n\t.popsection"

static inline MUST_CHECK err_t rdmsr_safe(u32 msr, u64 *val)
{
	u32 lo, hi;

	asm goto volatile("1: rdmsr" EXTABLE(fault)
			  : "=a"(lo), "=d"(hi)
			  : "c"(msr)
			  : "memory"
			  : fault);
	*val = (u64)hi << 32 | lo;
	return ERR_NONE;
fault:
	return ERR_FAULT;
}

static inline MUST_CHECK err_t wrmsr_safe(u32 msr, u64 val)
{
	asm goto volatile("1: wrmsr" EXTABLE(fault)
			  :
			  : "c"(msr), "a"((u32)val), "d"((u32)(val >> 32))
			  : "memory"
			  : fault);
	return ERR_NONE;
fault:
	return ERR_FAULT;
}

/* --- Extended control registers --- */

static inline u64 xgetbv(u32 xcr)
{
	u32 lo, hi;

	asm volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(xcr));
	return (u64)hi << 32 | lo;
}

static inline void xsetbv(u32 xcr, u64 val)
{
	asm volatile("xsetbv" : : "c"(xcr), "a"((u32)val), "d"((u32)(val >> 32)) : "memory");
}

/* --- Time --- */

static inline u64 rdtsc(void)
{
	u64 lo, hi; /* RDTSC clears the upper halves */

	asm volatile("rdtsc" : "=a"(lo), "=d"(hi) : : "memory");
	return hi << 32 | lo;
}

/* After all earlier loads and instructions: a plain RDTSC may be executed before them. */
static inline u64 rdtsc_ordered(void)
{
	asm volatile("lfence" : : : "memory");
	return rdtsc();
}

static inline void cpu_pause(void)
{
	asm volatile("pause" : : : "memory");
}

/* --- Control and debug registers --- */

#define CONTROL_REGISTER(name, reg)                                         \
	static inline u64 read_##name(void)                                 \
	{                                                                   \
		u64 val;                                                    \
                                                                            \
		asm volatile("mov %%" reg ", %0" : "=r"(val) : : "memory"); \
		return val;                                                 \
	}                                                                   \
	static inline void write_##name(u64 val)                            \
	{                                                                   \
		asm volatile("mov %0, %%" reg : : "r"(val) : "memory");     \
	}

CONTROL_REGISTER(cr0, "cr0")
CONTROL_REGISTER(cr2, "cr2")
CONTROL_REGISTER(cr3, "cr3")
CONTROL_REGISTER(cr4, "cr4")
CONTROL_REGISTER(cr8, "cr8")
CONTROL_REGISTER(dr0, "dr0")
CONTROL_REGISTER(dr1, "dr1")
CONTROL_REGISTER(dr2, "dr2")
CONTROL_REGISTER(dr3, "dr3")
CONTROL_REGISTER(dr6, "dr6")
CONTROL_REGISTER(dr7, "dr7")

/* --- Caches and translations --- */

static inline void wbinvd(void)
{
	asm volatile("wbinvd" : : : "memory");
}

static inline void invlpg(const void *va)
{
	asm volatile("invlpg (%0)" : : "r"(va) : "memory");
}

/* MFENCE orders stores before a later WRMSR only together with LFENCE. */
static inline void memory_fence(void)
{
	asm volatile("mfence\n\tlfence" : : : "memory");
}

/* --- Descriptor tables --- */

static inline void lgdt(const struct desc_ptr *p)
{
	asm volatile("lgdt %0" : : "m"(*p) : "memory");
}

static inline void lidt(const struct desc_ptr *p)
{
	asm volatile("lidt %0" : : "m"(*p) : "memory");
}

static inline void ltr(u16 sel)
{
	asm volatile("ltr %0" : : "r"(sel) : "memory");
}

/* --- Interrupts --- */

static inline void cpu_cli(void)
{
	asm volatile("cli" : : : "memory");
}

static inline void cpu_hlt(void)
{
	asm volatile("hlt" : : : "memory");
}

/* --- Port I/O --- */

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

/* --- Device memory: one access of the given width, in program order --- */

static inline u32 mmio_read32(const volatile void *reg)
{
	u32 val;

	asm volatile("movl %1, %0" : "=r"(val) : "m"(*(const volatile u32 *)reg) : "memory");
	return val;
}

static inline void mmio_write32(volatile void *reg, u32 val)
{
	asm volatile("movl %1, %0" : "=m"(*(volatile u32 *)reg) : "r"(val) : "memory");
}

static inline u64 mmio_read64(const volatile void *reg)
{
	u64 val;

	asm volatile("movq %1, %0" : "=r"(val) : "m"(*(const volatile u64 *)reg) : "memory");
	return val;
}
