// SPDX-License-Identifier: BSD-2-Clause
// The KVM ABI for test guests.

#include "tests/guest/lib/kvm.h"

#include "tests/guest/lib/insn.h"
#include "tests/guest/lib/tap.h"

#define LEAVES      0x40000000u
#define LEAVES_END  0x40010000u
#define LEAVES_STEP 0x100u
#define KVM_EBX     0x4b4d564bu /* "KVMKVMKVM\0\0\0" */
#define KVM_ECX     0x564b4d56u
#define KVM_EDX     0x0000004du
#define AMD_EBX     0x68747541u /* "AuthenticAMD" */
#define HYGON_EBX   0x6f677948u

u32 kvm_base(void)
{
	static u32 base = 1;

	if (base != 1)
		return base;
	base = 0;
	for (u32 leaf = LEAVES; machine_has_hypervisor() && leaf < LEAVES_END;
	     leaf += LEAVES_STEP) {
		struct cpuid_regs r = cpuid(leaf);

		if (r.b == KVM_EBX && r.c == KVM_ECX && r.d == KVM_EDX) {
			base = leaf;
			break;
		}
	}
	return base;
}

u32 kvm_features(void)
{
	return kvm_base() != 0 ? cpuid(kvm_base() + 1).a : 0;
}

/* Asked for once: CPUID exits, and callers may be at CPL 3 and count. */
bool hypercall_is_vmmcall(void)
{
	static s32 known = -1;

	if (known < 0)
		known = cpuid(0).b == AMD_EBX || cpuid(0).b == HYGON_EBX;
	return known != 0;
}

s64 kvm_call(u64 nr, u64 a0, u64 a1, u64 a2, u64 a3)
{
	s64 ret;

	if (hypercall_is_vmmcall())
		asm volatile("vmmcall"
			     : "=a"(ret)
			     : "a"(nr), "b"(a0), "c"(a1), "d"(a2), "S"(a3)
			     : "memory");
	else
		asm volatile("vmcall"
			     : "=a"(ret)
			     : "a"(nr), "b"(a0), "c"(a1), "d"(a2), "S"(a3)
			     : "memory");
	return ret;
}
