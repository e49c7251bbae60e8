/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Values of test_fault=: each breaks the hypervisor deliberately, at one point, to test what a bug
 * or a broken machine looks like.
 */
#pragma once

/* Where a row can strike: each is a call of test_point() in boot/test_fault.h. */
enum test_point {
	TEST_BOOT,      /* all is set up but VMX. Boot CPU; arg: struct boot_state */
	TEST_APIC_MODE, /* before the decision of core/apic/phys_mode.h. Boot CPU; arg: its facts */
	TEST_PATCH,     /* our text has been patched for this CPU. Boot CPU; arg: NULL */
	TEST_VMX_CPU,   /* struct vmx_cpu of a CPU was read. That CPU; arg: it */
	TEST_VMX_CAPS,  /* its struct vmx_caps was read; arg: it */
	TEST_RUN_TIMER, /* before the choice of the timer. Boot CPU; arg: struct run_timer_facts */
	TEST_APICV,     /* APIC virtualization was decided. Boot CPU; arg: struct vmx_apicv */
	TEST_AP_STEP,   /* an AP runs our code (1), has entered VMX but not said so (2); arg: u32 */
	TEST_AP_TSC,    /* its TSC is to be compared. The AP; arg: u32, 0 the first time */
	TEST_SELFTEST,  /* before the checks of selftest=. Boot CPU; arg: struct partition */
	TEST_TIMER,     /* selftest= has armed the run timer. Boot CPU; arg: struct vp */
	TEST_ENTRY,     /* before the first entry of a VP. Its CPU; arg: struct vp */
	TEST_GUEST,     /* 300 ms later on VP 0, between exit and entry; arg: struct vp */
	TEST_ANY_TIME,  /* only in rows: BOOT or GUEST, by test_fault_at= */
};

/*
 * X(name, point, help): make the values and the help of test_fault=; boot/test_fault.c has a
 * strike_NAME() for each.
 */
/* clang-format off */
#define TEST_FAULTS(X)                                                                              \
	X(help,            BOOT,     "list these names and stop")                                   \
	X(page_fault,      ANY_TIME, "write to a member of a NULL structure")                       \
	X(write_text,      ANY_TIME, "write to the hypervisor's code")                              \
	X(exec_data,       ANY_TIME, "call a function that lies in data")                           \
	X(assert,          ANY_TIME, "fail an ASSERT()")                                            \
	X(stack,           ANY_TIME, "recurse into the guard page of the stack")                    \
	X(smash,           ANY_TIME, "overwrite the canary of a function's frame")                  \
	X(ud,              ANY_TIME, "execute an undefined instruction")                            \
	X(double_fault,    ANY_TIME, "page fault whose IDT gate is not present")                    \
	X(entry,           GUEST,    "guest state that VM entry refuses to load")                   \
	X(vmfail,          GUEST,    "controls that VM entry refuses")                              \
	X(lost_cpu,        ENTRY,    "panic on VP 0 while the CPU of VP 1 ignores NMIs")            \
	X(wide_window,     PATCH,    "more time between the work check and VM entry")               \
	X(cpu0,            ENTRY,    "panic on VP 0 while the others run the guest")                \
	X(cpu1,            ENTRY,    "the same on VP 1")                                            \
	X(cpu2,            ENTRY,    "the same on VP 2")                                            \
	X(cpu3,            ENTRY,    "the same on VP 3")                                            \
	X(cpus,            ENTRY,    "page faults on all CPUs at once")                             \
	X(xapic,           APIC_MODE, "the machine has no interrupt remapping: physical xAPIC")       \
	X(caps1,           VMX_CAPS, "the VMX of the CPU with APIC ID 1 is another")                \
	X(vmxoff1,         VMX_CPU,  "firmware has locked VMX off on the CPU with APIC ID 1")       \
	X(far1,            BOOT,     "the MADT says 0x101 where it means APIC ID 1")                \
	X(lost1,           AP_STEP,  "APIC ID 1 takes 1.5 s to answer, 2 to enter VMX")             \
	X(skew1,           AP_TSC,   "the TSC of APIC ID 1 is 2 ms ahead")                          \
	X(drift1,          AP_TSC,   "and it is again, whenever it was set")                        \
	X(tsc_frequency,   GUEST,    "the TSC counts 4/3 of its frequency as far as the guest can tell") \
	X(pause,           ENTRY,    "the partition pauses for 500 ms, after 1 s and every 5 s")    \
	X(apic_timer,      RUN_TIMER, "no VMX-preemption timer")                                    \
	X(apic_one_shot,   RUN_TIMER, "nor a TSC-deadline mode of the APIC timer")                  \
	X(no_apic_access,  APICV,    "no APIC-access page")                                         \
	X(selftest_kick,   SELFTEST, "a kick that never arrives")                                   \
	X(selftest_region, SELFTEST, "the guest can reach the hypervisor's memory")                 \
	X(selftest_timer,  TIMER,    "a run timer that is late")
/* clang-format on */
