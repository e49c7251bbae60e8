/* SPDX-License-Identifier: BSD-2-Clause */
/* Structure offsets and constants for assembly: compiled to text, never linked. The Makefile turns
 * each into a #define of build/asm_offsets.h. */
#include "arch/x86/percpu.h"
#include "core/vp/vp.h"

#define VALUE(name, value)        asm volatile("\n.ascii \"->" #name " %0\"" : : "i"(value))
#define OFFSET(name, type, field) VALUE(name, offsetof(type, field))

void asm_offsets(void);

void asm_offsets(void)
{
	OFFSET(VP_REGS, struct vp, regs);
	OFFSET(VP_WORK, struct vp, work);
	VALUE(VP_WORK_LAUNCH, VP_WORK_LAUNCH);
	OFFSET(VP_HOST_STACK, struct vp, host_stack_top);
	OFFSET(PERCPU_VP, struct percpu, vp);
}

static_assert(offsetof(struct vp, regs) == 0, "vmenter.S loads RSP with the address of struct vp");
