/* SPDX-License-Identifier: BSD-2-Clause */
/* Structure offsets and constants for assembly: compiled to text, never linked. The Makefile turns
 * each into a #define of build/asm_offsets.h. */
#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/exit.h"
#include "arch/x86/defs/vmcs.h"
#include "arch/x86/percpu.h"
#include "core/surface/msr_values.h"
#include "core/vp/vp.h"

#define VALUE(name, value)        asm volatile("\n.ascii \"->" #name " %0\"" : : "i"(value))
#define OFFSET(name, type, field) VALUE(name, offsetof(type, field))

void asm_offsets(void);

void asm_offsets(void)
{
	OFFSET(VP_REGS, struct vp, regs);
	OFFSET(VP_RAX, struct vp, regs.rax);
	OFFSET(VP_RCX, struct vp, regs.rcx);
	OFFSET(VP_RDX, struct vp, regs.rdx);
	OFFSET(VP_RSI, struct vp, regs.rsi);
	OFFSET(VP_RDI, struct vp, regs.rdi);
	OFFSET(VP_R8, struct vp, regs.r8);
	OFFSET(VP_R9, struct vp, regs.r9);
	OFFSET(VP_R10, struct vp, regs.r10);
	OFFSET(VP_R11, struct vp, regs.r11);
	OFFSET(VP_WORK, struct vp, work);
	VALUE(VP_WORK_LAUNCH, VP_WORK_LAUNCH);
	OFFSET(VP_HOST_STACK, struct vp, host_stack_top);
	OFFSET(VP_REARM, struct vp, rearm_tsc);
	OFFSET(VP_EXITS_RDMSR, struct vp, counters.exits[EXIT_REASON_RDMSR]);
	VALUE(EXIT_RESUME, EXIT_RESUME);
	VALUE(EXIT_REASON_RDMSR, EXIT_REASON_RDMSR);
	VALUE(RFLAGS_TF_AND_RF, RFLAGS_TF | RFLAGS_RF);
	VALUE(SHADOWS_THAT_END, GUEST_INTR_BLOCKED_BY_STI | GUEST_INTR_BLOCKED_BY_MOV_SS);
	VALUE(MSR_HASH_FACTOR, MSR_HASH_FACTOR);
	VALUE(MSR_HASH_DROPPED, MSR_HASH_DROPPED);
	OFFSET(MSR_VALUE_FN, struct msr_values, value);
	OFFSET(PERCPU_VP, struct percpu, vp);
}

static_assert(EXIT_NEXT == 0, "vmenter.S tests for it");
static_assert(offsetof(struct vp, regs) == 0, "vmenter.S loads RSP with the address of struct vp");
