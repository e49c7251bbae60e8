// SPDX-License-Identifier: BSD-2-Clause
// The Hyper-V ABI for test guests.

#include "tests/guest/lib/hyperv.h"

#include "arch/x86/defs/cr.h"
#include "tests/guest/lib/insn.h"
#include "tests/guest/lib/tap.h"

#define LEAVES 0x40000000u
#define OS_ID  0x8100000000000000ull /* open source, Linux */

static u8 page[4096] ALIGNED(4096);

static u32 is_hyperv(void)
{
	return machine_has_hypervisor() &&
	       cpuid(LEAVES + HYPERV_CPUID_INTERFACE).a == HYPERV_INTERFACE_SIGNATURE;
}

u32 hyperv_features_a(void)
{
	return is_hyperv() ? cpuid(LEAVES + HYPERV_CPUID_FEATURES).a : 0;
}

u32 hyperv_features_d(void)
{
	return is_hyperv() ? cpuid(LEAVES + HYPERV_CPUID_FEATURES).d : 0;
}

u32 hyperv_hints(void)
{
	return is_hyperv() ? cpuid(LEAVES + HYPERV_CPUID_ENLIGHTMENT_INFO).a : 0;
}

bool hyperv_begin(void)
{
	if (!is_hyperv()) {
		test_skip("Hyper-V's interface is off");
		return false;
	}
	wrmsr(HV_X64_MSR_GUEST_OS_ID, OS_ID);
	wrmsr(HV_X64_MSR_HYPERCALL, (u64)(uintptr_t)page | HV_X64_MSR_HYPERCALL_ENABLE);
	hyperv_cpu_begin();
	return true;
}

void hyperv_end(void)
{
	wrmsr(HV_X64_MSR_HYPERCALL, 0);
	wrmsr(HV_X64_MSR_GUEST_OS_ID, 0);
}

void hyperv_cpu_begin(void)
{
	write_cr4(read_cr4() | CR4_OSFXSR);
}

u64 hyperv_rip(void)
{
	return (u64)(uintptr_t)page + 3;
}

u64 hyperv_call(u64 control, u64 rdx, u64 r8)
{
	register u64 third asm("r8") = r8;
	u64 result;

	asm volatile("call *%[page]"
		     : "=a"(result), "+c"(control), "+d"(rdx), "+r"(third)
		     : [page] "r"(page)
		     : "memory", "cc");
	return result;
}

u64 hyperv_xmm_call(u64 control, const u64 words[HYPERV_FAST_WORDS])
{
	asm volatile("movups (%0), %%xmm0\n\t"
		     "movups 16(%0), %%xmm1\n\t"
		     "movups 32(%0), %%xmm2\n\t"
		     "movups 48(%0), %%xmm3\n\t"
		     "movups 64(%0), %%xmm4\n\t"
		     "movups 80(%0), %%xmm5"
		     :
		     : "r"(words + 2)
		     : "memory");
	return hyperv_call(control | HYPERV_FAST, words[0], words[1]);
}
