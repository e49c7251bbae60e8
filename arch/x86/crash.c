/* SPDX-License-Identifier: BSD-2-Clause */
/* What a panic prints about the CPU. Context: any, possibly with everything else broken. */
#include "arch/x86/crash.h"

#include "arch/x86/defs/msr.h"
#include "arch/x86/insn.h"
#include "arch/x86/isr.h"
#include "arch/x86/layout.h"
#include "arch/x86/paging.h"
#include "arch/x86/percpu.h"
#include "core/diag/log.h"
#include "core/diag/panic.h"
#include "core/hw.h"
#include "core/lib/string.h"

#define BACKTRACE_MAX 24
#define SCAN_WORDS    2048 /* more than a stack has: its guard page ends the scan */
#define CALL_BYTES    5    /* CALL rel32: also indirect calls, through a thunk */
#define CALL_OPCODE   0xe8

static bool is_text(u64 addr)
{
	return addr >= (u64)text_start && addr < (u64)text_end;
}

/* An address right after a CALL whose target is in the text. */
static bool is_return_address(u64 addr)
{
	const u8 *insn = (const u8 *)(addr - CALL_BYTES);
	s32 rel;

	if (!is_text(addr) || !is_text((u64)insn) || *insn != CALL_OPCODE)
		return false;
	memcpy(&rel, insn + 1, sizeof(rel));
	return is_text(addr + (u64)(s64)rel);
}

/*
 * Return addresses from @rsp up. Those in the frame-pointer chain from @rbp are certain. The files
 * of the exit path have no frame pointers, so print every other word that looks like a return
 * address, too, with a '?': it may be a leftover of an earlier call. Check every page before
 * reading it: a corrupted stack must not fault again.
 */
static void dump_backtrace(u64 rip, u64 rsp, u64 rbp)
{
	u32 lines = 1;

	log_panic("backtrace (addr2line -e kensho.elf; ?: may be stale):");
	log_panic("  %016llx", rip);
	rsp = (rsp + 7) & ~7ull;
	if (!paging_is_mapped(rsp)) /* in the guard page, after an overflow */
		rsp = (rsp | 0xfff) + 1;
	for (u32 i = 0; i < SCAN_WORDS && lines < BACKTRACE_MAX; i++, rsp += 8) {
		bool sure = rsp == rbp + 8;
		u64 val;

		if ((i == 0 || (rsp & 0xfff) == 0) && (rsp < KENSHO_BASE || !paging_is_mapped(rsp)))
			return;
		val = *(const u64 *)rsp;
		if (sure && (rsp & 0xfff) != 0)
			rbp = *(const u64 *)(rsp - 8);
		if (is_return_address(val)) {
			log_panic("%s %016llx", sure ? " " : "?", val);
			lines++;
		}
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
		dump_backtrace(f->rip, f->rsp, f->rbp);
	} else {
		u64 frame = (u64)__builtin_frame_address(0);

		log_panic("rsp %016llx rbp %016llx", frame, *(const u64 *)frame);
		dump_backtrace((u64)__builtin_return_address(0), frame + 16, *(const u64 *)frame);
	}
}

/* The compiler emits calls to it after link-time optimisation would have dropped it. */
__attribute__((used)) void __stack_chk_fail(void)
{
	panic("stack overrun found in the function that returns to %p",
	      __builtin_return_address(0));
}
