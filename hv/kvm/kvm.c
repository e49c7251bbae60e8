/* SPDX-License-Identifier: BSD-2-Clause */
/* Identification, per-VP state and hypercalls of the KVM ABI. Pure. Context: VP's own CPU. */
#include "hv/kvm/kvm.h"

#include "core/apic/lazy_eoi.h"
#include "core/hw.h"
#include "core/partition.h"
#include "hv/kvm/kvm_abi.h"
#include "hv/kvm/kvm_internal.h"

struct kvm_vp kvm_vps[VP_MAX];

/* What has nothing but its bit, or only a hypercall. */
static const struct kvm_feature bit_features[] = {
	{ .id = CPU_KVM_NOPIODELAY, .bits = KVM_FEATURE_NOP_IO_DELAY },
	{ .id = CPU_KVMCLOCK_STABLE_BIT, .bits = KVM_FEATURE_CLOCKSOURCE_STABLE },
	{ .id = CPU_KVM_PV_UNHALT, .bits = KVM_FEATURE_PV_UNHALT },
	{ .id = CPU_KVM_PV_TLB_FLUSH, .bits = KVM_FEATURE_PV_TLB_FLUSH },
	{ .id = CPU_KVM_PV_IPI, .bits = KVM_FEATURE_PV_SEND_IPI },
	{ .id = CPU_KVM_PV_SCHED_YIELD, .bits = KVM_FEATURE_PV_SCHED_YIELD },
};

static const struct kvm_feature *const features[] = {
	&kvm_clock_feature, &kvm_steal_time_feature, &kvm_pv_eoi_feature, &kvm_poll_feature,
	&bit_features[0],   &bit_features[1],        &bit_features[2],    &bit_features[3],
	&bit_features[4],   &bit_features[5],
};
static_assert(ARRAY_SIZE(bit_features) == 6, "each is in the list");

/* The highest leaf of the block, wherever the block is. */
static void signature_init(const struct partition *p, u32 leaf, u32 subleaf, struct cpuid_regs *r)
{
	r->a = leaf + KVM_CPUID_FEATURES - KVM_CPUID_SIGNATURE;
}

static void features_init(const struct partition *p, u32 leaf, u32 subleaf, struct cpuid_regs *r)
{
	for (u32 i = 0; i < ARRAY_SIZE(features); i++) {
		if (config_has(&p->config, features[i]->id))
			r->a |= features[i]->bits;
	}
	if (config_has(&p->config, CPU_KVM_HINT_DEDICATED))
		r->d |= KVM_HINTS_REALTIME;
}

static err_t add_rows(struct partition *p)
{
	for (u32 i = 0; i < ARRAY_SIZE(features); i++) {
		if (config_has(&p->config, features[i]->id))
			TRY(msr_add_rows(p, features[i]->msrs, features[i]->msr_count));
	}
	return ERR_NONE;
}

/* clang-format off */
static const struct cpuid_row kvm_cpuid[] = {
	{ .leaf = KVM_CPUID_SIGNATURE, .subleaf = CPUID_ANY, .name = "kvm signature",
	  .set = { 0, KVM_SIGNATURE_EBX, KVM_SIGNATURE_ECX, KVM_SIGNATURE_EDX },
	  .init = signature_init },
	{ .leaf = KVM_CPUID_FEATURES, .subleaf = CPUID_ANY, .name = "kvm features",
	  .init = features_init },
};
/* clang-format on */

static bool kvm_is_enabled(const struct partition *p)
{
	return config_has(&p->config, CPU_KVM);
}

/* KVM clears what a VP registered on INIT and on RESET alike. */
static void kvm_vp_reset(struct vp *vp, bool init)
{
	for (u32 i = 0; i < ARRAY_SIZE(features); i++) {
		if (features[i]->vp_reset != NULL)
			features[i]->vp_reset(vp, init);
	}
}

static void kvm_map_changed(struct partition *p)
{
	kvm_clock_map_changed(p);
	kvm_steal_map_changed(p);
	for (u32 i = 0; i < p->vp_count; i++)
		lazy_eoi_map_changed(p->vp[i]);
}

static NOINLINE enum exit_action denied(struct vp *vp)
{
	COUNT(vp, HCALL_DENIED);
	vp->regs.rax = vp_is_long64(vp) ? (u64)-KVM_EPERM : (u32)-KVM_EPERM;
	return EXIT_NEXT;
}

/* @mask: what counts of the number, the arguments and the result. An error is a value in RAX. */
static NOINLINE enum exit_action acting_call(struct vp *vp, u64 mask)
{
	struct gpr_regs *r = &vp->regs;
	const u64 args[] = { r->rbx & mask, r->rcx & mask, r->rdx & mask, r->rsi & mask };

	r->rax = (u64)kvm_hypercall(vp, r->rax & mask, args) & mask;
	return EXIT_NEXT;
}

/* Those that do nothing: their exit itself evaluates what is pending. */
static inline s64 plain_call(struct vp *vp, u64 nr)
{
	if (nr == KVM_HC_VAPIC_POLL_IRQ)
		return 0;
	COUNT(vp, VMCALL_UNKNOWN);
	return -KVM_ENOSYS;
}

static inline bool is_acting(u64 nr)
{
	return nr - KVM_HC_KICK_CPU <= KVM_HC_SCHED_YIELD - KVM_HC_KICK_CPU;
}

/* Outside 64-bit mode numbers, arguments and results have 32 bits. */
static NOINLINE enum exit_action vmcall32(struct vp *vp)
{
	u32 nr = (u32)vp->regs.rax;

	if (is_acting(nr))
		return acting_call(vp, ~0u);
	vp->regs.rax = (u32)plain_call(vp, nr);
	return EXIT_NEXT;
}

/*
 * Order of checks: privilege level, then the number. CS.L alone tells 64-bit mode here: outside
 * IA-32e mode nobody can see the upper halves that it might leave.
 */
enum exit_action kvm_vmcall(struct vp *vp)
{
	if (unlikely(hw_vmread_hot(VMCS_GUEST_SS_AR) & AR_DPL))
		return denied(vp);
	if (unlikely(!(hw_vmread_hot(VMCS_GUEST_CS_AR) & AR_L)))
		return vmcall32(vp);
	if (is_acting(vp->regs.rax))
		return acting_call(vp, ~0ull);
	vp->regs.rax = (u64)plain_call(vp, vp->regs.rax);
	return EXIT_NEXT;
}

const struct hv_module kvm_module = {
	.name = "KVM",
	.cpuid = kvm_cpuid,
	.cpuid_count = ARRAY_SIZE(kvm_cpuid),
	.add_rows = add_rows,
	.is_enabled = kvm_is_enabled,
	.vp_reset = kvm_vp_reset,
	.clock_changed = kvm_clock_changed,
	.map_changed = kvm_map_changed,
	.stolen = kvm_steal_update,
	.paused = kvm_clock_paused,
};
