/* SPDX-License-Identifier: BSD-2-Clause */
/* The KVM ABI: its identification and the convention of its hypercalls. Pure. Context: VP's own
 * CPU. */
#include "core/hw.h"
#include "hv/hv.h"
#include "hv/kvm/kvm_internal.h"

static struct hcall_table calls;

static void signature_init(const struct partition *p, u32 leaf, u32 subleaf, struct cpuid_regs *r)
{
	r->a = leaf + hv_cpuid_last(p, &kvm_abi);
}

/* clang-format off */
static const struct cpuid_row kvm_cpuid[] = {
	{ .leaf = KVM_CPUID_SIGNATURE, .subleaf = CPUID_ANY, .name = "kvm signature",
	  .set = { 0, KVM_SIGNATURE_EBX, KVM_SIGNATURE_ECX, KVM_SIGNATURE_EDX },
	  .init = signature_init },
	{ .leaf = KVM_CPUID_FEATURES, .subleaf = CPUID_ANY, .name = "kvm features" },
};
/* clang-format on */

static NOINLINE enum exit_action denied(struct vp *vp)
{
	COUNT(vp, HCALL_DENIED);
	vp->regs.rax = vp_is_long64(vp) ? (u64)-KVM_EPERM : (u32)-KVM_EPERM;
	return EXIT_NEXT;
}

/* Calls with output; and calls not offered, which answer as if they did not exist. */
static NOINLINE s64 rare_call(struct vp *vp, u64 nr, u64 mask)
{
	const struct gpr_regs *r = &vp->regs;
	const u64 args[] = { r->rbx & mask, r->rcx & mask, r->rdx & mask, r->rsi & mask };
	bool live;
	const struct hcall_row *row = hcall_find(&calls, nr, &live);
	s64 result;

	if (!live) {
		COUNT(vp, VMCALL_UNKNOWN);
		return -KVM_ENOSYS;
	}
	return hcall_reg_out(vp, row, args, &result) == ERR_NONE ? result : -KVM_EFAULT;
}

/* @mask: valid bits of the number, the arguments and the result. Errors are returned in RAX. */
static inline enum exit_action call(struct vp *vp, u64 nr, u64 mask)
{
	struct gpr_regs *r = &vp->regs;
	hcall_reg_fn fn = calls.reg[nr];
	s64 result;

	if (likely(fn != NULL))
		result = fn(vp, r->rbx & mask, r->rcx & mask, r->rdx & mask, r->rsi & mask);
	else
		result = rare_call(vp, nr, mask);
	r->rax = (u64)result & mask;
	return EXIT_NEXT;
}

static NOINLINE enum exit_action vmcall64(struct vp *vp)
{
	return call(vp, vp->regs.rax, ~0ull);
}

static inline enum exit_action unknown(struct vp *vp, u64 mask)
{
	COUNT(vp, VMCALL_UNKNOWN);
	vp->regs.rax = (u64)-KVM_ENOSYS & mask;
	return EXIT_NEXT;
}

/* Outside 64-bit mode numbers, arguments and results have 32 bits. */
static NOINLINE enum exit_action vmcall32(struct vp *vp)
{
	u32 nr = (u32)vp->regs.rax;

	return nr < HCALL_LOW ? call(vp, nr, ~0u) : unknown(vp, ~0u);
}

/*
 * Order of checks: privilege level, then the number. CS.L alone is enough to tell 64-bit mode:
 * outside IA-32e mode the guest cannot see upper halves of registers.
 */
static enum exit_action kvm_vmcall(struct vp *vp, const struct exit_info *x)
{
	if (unlikely(hw_vmread_hot(VMCS_GUEST_SS_AR) & AR_DPL))
		return denied(vp);
	if (unlikely(!(hw_vmread_hot(VMCS_GUEST_CS_AR) & AR_L)))
		return vmcall32(vp);
	if (vp->regs.rax < HCALL_LOW)
		return vmcall64(vp);
	return unknown(vp, ~0ull);
}

static bool vmcall_now(const struct partition *p, exit_fn *fn)
{
	*fn = kvm_vmcall;
	return true;
}

const struct hv_abi kvm_abi = {
	.name = "KVM",
	.whole = FEATURE_KVM,
	.cpuid = kvm_cpuid,
	.cpuid_count = ARRAY_SIZE(kvm_cpuid),
	.calls = &calls,
	.vmcall = vmcall_now,
};

/* The exit itself looks for what is pending. */
static s64 vapic_poll_irq(struct vp *vp, u64 a0, u64 a1, u64 a2, u64 a3)
{
	return 0;
}

/* Calls without a feature of their own: offered with the interface. */
static const struct hcall_row hcalls[] = {
	/* Manual: nothing: the exit itself delivers what is pending | 0 */
	{ .nr = KVM_HC_VAPIC_POLL_IRQ, .name = "VAPIC_POLL_IRQ", .reg = vapic_poll_irq },
	/*
	 * Manual: 64 bytes: wall time and the caller's TSC at the same moment, then 0 | 0;
	 * -KVM_EOPNOTSUPP: not the wall clock; -KVM_EFAULT: not RAM
	 */
	{ .nr = KVM_HC_CLOCK_PAIRING,
	  .name = "CLOCK_PAIRING",
	  .reg_out = kvm_clock_pairing,
	  .out_size = sizeof(struct kvm_clock_pairing) },
};

/* Manual: the leaves, and the hypercalls without a bit */
const struct hv_feature kvm_feature = {
	.name = "kvm",
	.help = "KVM's interface: CPUID leaves, MSRs and hypercalls",
	.abi = &kvm_abi,
	.hcalls = hcalls,
	.hcall_count = ARRAY_SIZE(hcalls),
};
