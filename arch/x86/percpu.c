/* SPDX-License-Identifier: BSD-2-Clause */
/* The boot CPU's per-CPU block, and how a CPU starts to use its block. */
#include "arch/x86/percpu.h"

#include "arch/x86/defs/msr.h"
#include "arch/x86/insn.h"
#include "core/lib/bits.h"

struct percpu percpu_boot;

struct cpu_stacks boot_stacks __attribute__((section(".bss.pages"), aligned(0x1000)));

void percpu_load(struct percpu *pc, struct cpu_stacks *stacks, u32 cpu)
{
	pc->self = pc;
	pc->stacks = stacks;
	pc->cpu = cpu;
	for (u32 i = 0; i < IST_COUNT - 1; i++)
		pc->tss.ist[i] = (u64)(stacks->ist[i].stack + IST_STACK_BYTES);
	pc->tss.rsp[0] = (u64)(stacks->main + MAIN_STACK_BYTES);
	pc->tss.iomap_base = TSS64_BYTES; /* past the limit: no map; we never run at CPL 3 */

	gdt_load(pc);
	idt_load();
	wrmsr(MSR_IA32_GS_BASE, (u64)pc);
}

const char *percpu_guard_name(const struct percpu *pc, u64 addr)
{
	static const char *const ist_names[] = { "NMI", "double-fault", "machine-check",
						 "exception" };
	const struct cpu_stacks *s = pc->stacks;

	if (addr - (u64)s->guard_main < sizeof(s->guard_main))
		return "main";
	for (u32 i = 0; i < ARRAY_SIZE(s->ist); i++) {
		if (addr - (u64)s->ist[i].guard < sizeof(s->ist[i].guard))
			return ist_names[i];
	}
	return NULL;
}
