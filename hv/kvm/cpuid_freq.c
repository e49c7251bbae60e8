/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The leaf with the frequencies of TSC and APIC timer, VMware's in origin. Context: VP's own CPU.
 *
 * Spec: Linux Documentation/virt/kvm/x86/cpuid.rst; QEMU's property vmware-cpuid-freq.
 */
#include "core/vp/vp.h"
#include "hv/kvm/kvm_internal.h"

#define HZ_PER_KHZ 1000u

static void frequencies(const struct vp *vp, u32 leaf, u32 subleaf, struct cpuid_regs *r)
{
	r->a = (u32)(vp->partition->clock.tsc_hz / HZ_PER_KHZ);
	r->b = (u32)(vp->apic.timer_hz / HZ_PER_KHZ);
}

static const struct cpuid_row leaves[] = {
	{ .leaf = KVM_CPUID_FREQUENCIES,
	  .subleaf = CPUID_ANY,
	  .name = "kvm frequencies",
	  .fn = frequencies },
};

/* Manual: leaf 10H of the interface: TSC in kHz, APIC timer undivided in kHz */
const struct hv_feature kvm_cpuid_freq_feature = {
	.name = "vmware-cpuid-freq",
	.help = "the frequencies of TSC and APIC timer in a leaf",
	.abi = &kvm_abi,
	.cpuid = leaves,
	.cpuid_count = ARRAY_SIZE(leaves),
};
