/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * CPUID exit. In a file of its own because it has an instruction budget: guests provoke this exit
 * more than any other. SPEED(cpuid-ready): a leaf without per-access part is two loads away.
 * Context: VP's CPU, root mode.
 */
#include "core/surface/cpuid_internal.h"
#include "core/vp/vp.h"

static NOINLINE enum exit_action cpuid_slow(struct vp *vp)
{
	struct cpuid_regs r;

	cpuid_query(vp, (u32)vp->regs.rax, (u32)vp->regs.rcx, &r);
	vp->regs.rax = r.a;
	vp->regs.rbx = r.b;
	vp->regs.rcx = r.c;
	vp->regs.rdx = r.d;
	return EXIT_NEXT;
}

enum exit_action exit_cpuid(struct vp *vp, const struct exit_info *x)
{
	const struct cpuid_entry *e = cpuid_entry_of(vp->partition->cpuid, (u32)vp->regs.rax);

	if (unlikely(e == NULL) || unlikely(e->rows != 0))
		return cpuid_slow(vp);
	vp->regs.rax = e->regs.a;
	vp->regs.rbx = e->regs.b;
	vp->regs.rcx = e->regs.c;
	vp->regs.rdx = e->regs.d;
	return EXIT_NEXT;
}
