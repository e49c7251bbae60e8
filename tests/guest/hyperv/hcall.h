/* SPDX-License-Identifier: BSD-2-Clause */
/* What the tests of the hypercall interface share. The same tests run with features on and off. */
#pragma once

#include "arch/x86/defs/vector.h"
#include "core/lib/bits.h"
#include "tests/guest/groups.h"
#include "tests/guest/lib/cpu.h"
#include "tests/guest/lib/hidden_insns.h"
#include "tests/guest/lib/hyperv.h"
#include "tests/guest/lib/kvm.h"
#include "tests/guest/lib/str.h"
#include "tests/guest/lib/tap.h"

#define OS_ID   HV_X64_MSR_GUEST_OS_ID
#define HCALL   HV_X64_MSR_HYPERCALL
#define ENABLE  HV_X64_MSR_HYPERCALL_ENABLE
#define LOCKED  HV_X64_MSR_HYPERCALL_LOCKED
#define SPIN    HVCALL_NOTIFY_LONG_SPIN_WAIT
#define UNKNOWN 0xbeefu

/* One page of input or output. */
extern u64 area[512];

/* call32() - by 32-bit code: EDX:EAX, EBX:ECX and EDI:ESI; returns EDX:EAX. Expects no fault. */
u64 call32(u64 control, u64 in, u64 out);

/*
 * Random control words: of no call that starts a VP, sends an interrupt or writes a register, since
 * those may end the test. Random places: of input, usually in @area.
 */
u64 random64(void);
u64 random_control(void);
u64 random_place(void);

static inline u64 at(const void *p)
{
	return (u64)(uintptr_t)p;
}

static inline bool has_d(u32 bit)
{
	return (hyperv_features_d() & bit) != 0;
}

/* The status that hv-spinlocks gives its call. */
static inline u64 spin_status(u64 if_on)
{
	return cpuid(0x40000004).b == HV_SPIN_NEVER_NOTIFY ? HV_STATUS_ACCESS_DENIED : if_on;
}

/* The order of Kensho's checks (docs/hyperv.md), and what it checks beyond others. */
static inline bool is_strict(void)
{
	return machine_is_kensho();
}

static inline u64 machine_end(void)
{
	return BIT64(cpuid(0x80000008).a & 0xff);
}

/* VMCALL or VMMCALL, and RET: slot_begin(). */
static u8 slot[32] ALIGNED(16);

static inline void slot_begin(void)
{
	memcpy(slot, vmcall_insn.code, vmcall_insn.len);
	if (hypercall_is_vmmcall())
		slot[2] = 0xd9;
	slot[vmcall_insn.len] = 0xc3;
}

static inline u64 call_slot(u64 control)
{
	register u64 third asm("r8") = 0;
	u64 result = control, second = 0;

	trap_clear();
	asm volatile("mov %%rsp, %%rbx;" TRY_BEGIN "call *%[slot]" TRY_END "mov %%rbx, %%rsp"
		     : "+a"(result), "+c"(control), "+d"(second), "+r"(third)
		     : [slot] "S"(slot)
		     : "rbx", "memory", "cc");
	return result;
}

#define ROW(test)                                                    \
	{                                                            \
		.name = #test, .run = test, .flags = T_ABI | T_NAMED \
	}
#define OURS(test)                                                      \
	{                                                               \
		.name = #test, .run = test, .flags = T_KENSHO | T_NAMED \
	}
