/* SPDX-License-Identifier: BSD-2-Clause */
/* The port core/hw.h, VMX part: VMCS access, preemption timer, invalidation, NMIs in root. */
#include "core/hw.h"

#include "arch/x86/hw_vmx.h"
#include "arch/x86/isr.h"
#include "arch/x86/percpu.h"
#include "arch/x86/vmx_insn.h"
#include "core/diag/panic.h"
#include "core/vp/vp.h"

#define TIMER_MAX 0xffffffffull

/* IA32_VMX_MISC bits 4:0: the timer counts down every 2^rate TSC ticks. */
static u32 timer_rate;

void hw_vmx_init(const struct vmx_caps *caps)
{
	timer_rate = (u32)FIELD_GET(VMX_MISC_PREEMPTION_TIMER_RATE, caps->misc);
}

u64 hw_vmread(enum vmcs_field field)
{
	return vmread(field);
}

void hw_vmwrite(enum vmcs_field field, u64 val)
{
	vmwrite(field, val);
}

err_t hw_vmread_safe(enum vmcs_field field, u64 *val)
{
	bool ok;
	u64 v;

	asm volatile("vmread %[field], %[v]" : "=@cca"(ok), [v] "=rm"(v) : [field] "r"((u64)field));
	if (!ok)
		return ERR_NODEV;
	*val = v;
	return ERR_NONE;
}

/* SPEED(unchecked-vmread): what could fail has failed in prove_hot_fields(). */
u64 hw_vmread_hot(enum vmcs_field field)
{
	return vmread_unchecked(field);
}

/* SPEED(unchecked-vmwrite): the same. */
void hw_vmwrite_hot(enum vmcs_field field, u64 val)
{
	vmwrite_unchecked(field, val);
}

void hw_vmcs_load(hpa_t vmcs)
{
	if (!vmptrld(vmcs.v))
		panic("VMPTRLD of 0x%llx failed", vmcs.v);
}

void hw_vmcs_clear(hpa_t vmcs)
{
	if (!vmclear(vmcs.v))
		panic("VMCLEAR of 0x%llx failed", vmcs.v);
}

u64 hw_timer_arm(u64 delta_tsc)
{
	/* Round up: after an exit before the deadline there would have to be a second. */
	u64 ticks = (delta_tsc >> timer_rate) + (timer_rate != 0);

	if (unlikely(ticks > TIMER_MAX))
		ticks = TIMER_MAX;
	vmwrite(VMCS_VMX_PREEMPTION_TIMER_VALUE, ticks);
	return ticks << timer_rate;
}

void hw_invept(u64 eptp)
{
	struct invept_desc desc = { .eptp = eptp };

	if (!invept(INVEPT_SINGLE_CONTEXT, &desc))
		panic("INVEPT of EPTP 0x%llx failed", eptp);
}

void hw_invvpid(u16 vpid)
{
	struct invvpid_desc desc = { .vpid = vpid };

	if (!invvpid(INVVPID_SINGLE_CONTEXT, &desc))
		panic("INVVPID of VPID %u failed", vpid);
}

void vmx_access_failed(u32 field, bool write)
{
	u64 error = 0;

	/* Not vmread(): its failure would end up here again. */
	panic("%s of VMCS field 0x%x failed: %s", write ? "VMWRITE" : "VMREAD", field,
	      hw_vmread_safe(VMCS_VM_INSTRUCTION_ERROR, &error) == ERR_NONE
		      ? vmcs_instruction_error_name((u32)error)
		      : "no current VMCS");
}

/*
 * Rule K2. After an exit caused by an NMI, NMIs stay blocked until an IRET: SDM "Loading Host
 * State", blocking by NMI. So IRET to the next instruction, on the same stack.
 */
void hw_nmi_unblock(void)
{
	u64 tmp;

	asm volatile("mov %%rsp, %[tmp]\n\t"
		     "pushq %[ss]\n\t"
		     "pushq %[tmp]\n\t"
		     "pushfq\n\t"
		     "pushq %[cs]\n\t"
		     "pushq $1f\n\t"
		     "iretq\n"
		     "1:"
		     : [tmp] "=&r"(tmp)
		     : [ss] "i"(0), [cs] "i"(SEL_CODE64)
		     : "cc", "memory");
}

void host_nmi(bool restarted)
{
	struct vp *vp = this_cpu()->vp;

	if (!vp)
		return;
	if (restarted)
		COUNT(vp, WINDOW_RESTART);
	vp_nmi_received(vp);
}
