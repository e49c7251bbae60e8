/* SPDX-License-Identifier: BSD-2-Clause */
/* What a panic prints about the CPU. Context: any, possibly with everything else broken. */
#include "arch/x86/crash.h"

#include "arch/x86/defs/msr.h"
#include "arch/x86/insn.h"
#include "arch/x86/isr.h"
#include "arch/x86/layout.h"
#include "arch/x86/paging.h"
#include "arch/x86/percpu.h"
#include "core/hw.h"
#include "core/log.h"

#define BACKTRACE_MAX 24

static bool is_text(u64 addr)
{
	return addr >= (u64)text_start && addr < (u64)text_end;
}

/* Frame-pointer chain; every step is checked, for a corrupted stack must not fault again. */
static void dump_backtrace(u64 rip, u64 rbp)
{
	log_panic("backtrace (addr2line -e kensho.elf):");
	log_panic("  %016llx", rip);
	for (u32 i = 0; i < BACKTRACE_MAX; i++) {
		const u64 *frame = (const u64 *)rbp;

		if (rbp < KENSHO_BASE || !paging_is_mapped(rbp) || !paging_is_mapped(rbp + 8))
			return;
		if (!is_text(frame[1]))
			return;
		log_panic("  %016llx", frame[1]);
		if (frame[0] == 0)
			return;
		rbp = frame[0];
	}
}

static void dump_frame(const struct exc_frame *f)
{
	log_panic("rax %016llx rbx %016llx rcx %016llx", f->rax, f->rbx, f->rcx);
	log_panic("rdx %016llx rsi %016llx rdi %016llx", f->rdx, f->rsi, f->rdi);
	log_panic("rbp %016llx rsp %016llx r8  %016llx", f->rbp, f->rsp, f->r8);
	log_panic("r9  %016llx r10 %016llx r11 %016llx", f->r9, f->r10, f->r11);
	log_panic("r12 %016llx r13 %016llx r14 %016llx", f->r12, f->r13, f->r14);
	log_panic("r15 %016llx rip %016llx rfl %016llx", f->r15, f->rip, f->rflags);
	log_panic("vector %llu error 0x%llx cs 0x%llx ss 0x%llx", f->vector, f->error, f->cs,
		  f->ss);
}

void hw_crash_dump(void)
{
	const struct percpu *pc = this_cpu();
	const struct exc_frame *f = pc->crash;

	log_panic("cpu %u: cr0 %08llx cr2 %016llx cr3 %llx cr4 %08llx efer %llx", pc->cpu,
		  read_cr0(), read_cr2(), read_cr3(), read_cr4(), rdmsr(MSR_IA32_EFER));
	if (f != NULL) {
		dump_frame(f);
		dump_backtrace(f->rip, f->rbp);
	} else {
		dump_backtrace((u64)__builtin_return_address(0),
			       *(const u64 *)__builtin_frame_address(0));
	}
}

/* The compiler calls it behind the back of link-time optimisation. */
__attribute__((used)) void __stack_chk_fail(void)
{
	panic("stack overrun found in the function that returns to %p",
	      __builtin_return_address(0));
}
