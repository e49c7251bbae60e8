/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The Hyper-V ABI: its identification. Pure. Context: data; rows: the boot CPU.
 *
 * Spec: TLFS "Feature and Interface Discovery"; "Requirements for Implementing the Microsoft
 * Hypervisor Interface".
 */
#include "core/lib/string.h"
#include "hv/hv.h"
#include "hv/hyperv/hyperv_internal.h"

static void vendor_init(const struct partition *p, u32 leaf, u32 subleaf, struct cpuid_regs *r)
{
	u32 text[HYPERV_VENDOR_CHARS / 4];

	memcpy(text, p->config.hv_vendor_id, HYPERV_VENDOR_CHARS);
	*r = (struct cpuid_regs){ leaf + hv_cpuid_last(p, &hyperv_abi), text[0], text[1], text[2] };
}

static void version_init(const struct partition *p, u32 leaf, u32 subleaf, struct cpuid_regs *r)
{
	const struct config *c = &p->config;

	*r = (struct cpuid_regs){ c->hv_version_id_build,
				  c->hv_version_id_major << 16 | c->hv_version_id_minor,
				  c->hv_version_id_spack,
				  c->hv_version_id_sbranch << 24 | c->hv_version_id_snumber };
}

static void hints_init(const struct partition *p, u32 leaf, u32 subleaf, struct cpuid_regs *r)
{
	/* An interrupt that ends by itself makes us deliver all of them in place of the CPU. */
	if (hv_has(p, FEATURE_HV_SYNIC) && p->machine.virt_intr_delivery)
		r->a |= HV_DEPRECATING_AEOI_RECOMMENDED;
	r->b = hv_has(p, FEATURE_HV_SPINLOCKS) ? p->config.hv_spinlocks : HV_SPIN_NEVER_NOTIFY;
}

/* clang-format off */
static const struct cpuid_row hyperv_cpuid[] = {
	{ .leaf = HYPERV_CPUID_VENDOR_AND_MAX_FUNCTIONS, .subleaf = CPUID_ANY,
	  .name = "hyperv signature", .init = vendor_init },
	{ .leaf = HYPERV_CPUID_INTERFACE, .subleaf = CPUID_ANY, .name = "hyperv interface",
	  .set = { .a = HYPERV_INTERFACE_SIGNATURE } },
	{ .leaf = HYPERV_CPUID_VERSION, .subleaf = CPUID_ANY, .name = "hyperv version",
	  .init = version_init },
	{ .leaf = HYPERV_CPUID_FEATURES, .subleaf = CPUID_ANY, .name = "hyperv features" },
	{ .leaf = HYPERV_CPUID_ENLIGHTMENT_INFO, .subleaf = CPUID_ANY, .name = "hyperv hints",
	  .init = hints_init },
	{ .leaf = HYPERV_CPUID_IMPLEMENT_LIMITS, .subleaf = CPUID_ANY, .name = "hyperv limits",
	  .set = { .a = HV_MAX_VPS_UNLIMITED, .b = HV_MAX_LPS } },
};
/* clang-format on */

const struct hv_abi hyperv_abi = {
	.name = "Hyper-V",
	.whole = FEATURE_HYPERV,
	.whole_is_implied = true,
	.everything = "hv-passthrough",
	.cpuid = hyperv_cpuid,
	.cpuid_count = ARRAY_SIZE(hyperv_cpuid),
	.calls = &hyperv_calls,
	.vmcall = hyperv_vmcall_now,
	.testdev = hyperv_testdev_add,
};
