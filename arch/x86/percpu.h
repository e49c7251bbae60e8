/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Per-CPU block, reached through GS. In VMX root operation GS.base is always the block of the CPU:
 * set by percpu_load(), and by HOST_GS_BASE after every VM exit.
 */
#pragma once

#include "arch/x86/defs/seg.h"
#include "arch/x86/layout.h"
#include "core/lib/types.h"

struct vp;
struct exc_frame;

/*
 * Interrupt-stack-table slots. All exceptions switch stacks: the VM-exit entry has RSP pointing
 * into struct vp while it pushes the guest's registers, and an exception must not overwrite those.
 */
enum ist {
	IST_NONE,
	IST_NMI,
	IST_DF,
	IST_MC,
	IST_EXC,
	IST_COUNT,
};

struct cpu_stacks {
	u8 guard_main[0x1000]; /* guard pages are never mapped */
	u8 main[MAIN_STACK_BYTES];
	struct {
		u8 guard[0x1000];
		u8 stack[IST_STACK_BYTES];
	} ist[IST_COUNT - 1];
};

struct percpu {
	struct percpu *self;
	struct vp *vp; /* NULL until the VP exists */
	struct cpu_stacks *stacks;
	struct exc_frame *crash; /* exception that panics, for hw_crash_dump() */
	u32 crash_depth;         /* faults on the way to a panic */
	u32 cpu;                 /* 0..: index of the CPU and of its VP */
	u32 apic_id;
	bool x2apic; /* mode of the physical local APIC */
	bool alive;  /* the CPU runs our code */
	u64 gdt[GDT_BYTES / 8] ALIGNED(16);
	struct tss64 tss;
};

/* percpu_load() - make @pc the block of the calling CPU: GDT, TSS, IDT, GS. Once per CPU. */
void percpu_load(struct percpu *pc, struct cpu_stacks *stacks, u32 cpu);

/* percpu_boot - block and stacks of the boot CPU; the stacks are in use from _start on. */
extern struct percpu percpu_boot;
extern struct cpu_stacks boot_stacks;

/* percpu_guard_name() - the stack that overflowed when @addr faulted; NULL: @addr is no guard page.
 */
const char *percpu_guard_name(const struct percpu *pc, u64 addr);

/* percpu_main_stack_top() - 16-byte aligned; what HOST_RSP and the run loop start from. */
static inline void *percpu_main_stack_top(const struct percpu *pc)
{
	return pc->stacks->main + MAIN_STACK_BYTES;
}

static inline struct percpu *this_cpu(void)
{
	struct percpu *pc;

	asm volatile("movq %%gs:%c1, %0" : "=r"(pc) : "i"(offsetof(struct percpu, self)));
	return pc;
}

/* GDT and IDT of a CPU; values for HOST_GDTR_BASE, HOST_IDTR_BASE, HOST_TR_BASE. */
void gdt_load(struct percpu *pc);
void idt_init(void);
void idt_load(void);

extern struct idt_gate host_idt[256];

static_assert(offsetof(struct cpu_stacks, main) + MAIN_STACK_BYTES == MAIN_STACK_TOP,
	      "entry.S finds the main stack by this constant");
static_assert(sizeof(struct cpu_stacks) % 0x1000 == 0, "guard pages are whole pages");
