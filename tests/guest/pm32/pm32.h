/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Between the 32-bit program, which is copied to PM_BASE and run anew for each test, and its 64-bit
 * side t_task.c: where it lies, which tests it has, what it reports in the mailbox.
 */
#pragma once

#define PM_BASE   0x20000
#define PM_TABLES 0x50000 /* 16 pages of paging structures */
#define PM_END    0x60000

/* mail->in */
#define PM_IN_TEST   0
#define PM_IN_PAGING 1
#define PM_IN_REGION 2 /* a page of the hypervisor's region, 0: none */
#define PM_IN_HYPERV 3 /* not 0: VMCALL is a hypercall of the Hyper-V ABI */

#define PM_PAGING_OFF 0
#define PM_PAGING_32  1
#define PM_PAGING_PAE 2

/* mail->out: of the first EXPECT_ that fails */
#define PM_OUT_DONE    0 /* PM_DONE: the test came to its end */
#define PM_OUT_LINE    1 /* 0: nothing failed */
#define PM_OUT_FILE    2 /* addresses of strings */
#define PM_OUT_EXPR    3
#define PM_OUT_WANT    4
#define PM_OUT_GOT     5
/* of the test hidden_insns: places where they exit, and VMCALLs */
#define PM_OUT_HIDDEN  6
#define PM_OUT_VMCALLS 7
/* EXPECT_s that were reached */
#define PM_OUT_CHECKS  8

#define PM_DONE 0x600dda7a

/* X(name, flags of the row in t_task.c, why): each runs without paging, with 32-bit and with PAE
 * paging. */
#define PM_TESTS(X)                     \
	X(call, 0, "")                  \
	X(jmp, 0, "")                   \
	X(call_gate, 0, "")             \
	X(jmp_gate, 0, "")              \
	X(nested, 0, "")                \
	X(resumes_behind_iret, 0, "")   \
	X(int_gate, 0, "")              \
	X(int3_gate, 0, "")             \
	X(fault_gate, 0, "")            \
	X(fault_gate_error_code, 0, "") \
	X(injected_fault_gate, 0, "")   \
	X(debug_gate, 0, "")            \
	X(nmi_gate, 0, "")              \
	X(irq_gate, 0, "")              \
	X(tss16, 0, "")                 \
	X(tss16_is_old, 0, "")          \
	X(tss16_error_code, 0, "")      \
	X(bad_tss, 0, "")               \
	X(bad_gate, 0, "")              \
	X(bad_link, 0, "")              \
	X(bad_event_gate, 0, "")        \
	X(old_tss_small, 0, "")         \
	X(bad_ldt, 0, "")               \
	X(bad_ss, 0, "")                \
	X(bad_cs, 0, "")                \
	X(bad_data, 0, "")              \
	X(bad_eip, 0, "")               \
	X(bad_segment_ext, 0, "")       \
	X(good_segments, 0, "")         \
	X(ldt_segments, 0, "")          \
	X(error_code_stack, 0, "")      \
	X(ts_gate, 0, "")               \
	X(df_gate, 0, "")               \
	X(df_of_bad_handler, 0, "")     \
	X(t_flag, 0, "")                \
	X(dr7_local, 0, "")             \
	X(single_step, 0, "")           \
	X(resume_flag, 0, "")           \
	X(mov_ss_shadow, 0, "")         \
	X(user, 0, "")                  \
	X(io_bitmap, 0, "")             \
	X(region_old_tss, T_KENSHO, "") \
	X(region_gdt, T_KENSHO, "")     \
	X(region_stack, T_KENSHO, "")   \
	X(v86, 0, "")                   \
	X(hidden_insns, 0, "")          \
	X(cr0_illegal, 0, "")           \
	X(cr4_illegal, 0, "")           \
	X(efer_illegal, 0, "")

/* The same, for tests that need page tables. */
#define PM_PAGING_TESTS(X)       \
	X(cr3, 0, "")            \
	X(pf_gate, 0, "")        \
	X(pf_new_tss, 0, "")     \
	X(pf_old_tss, 0, "")     \
	X(pf_link, 0, "")        \
	X(pf_gdt, 0, "")         \
	X(tss_over_pages, 0, "") \
	X(pf_descriptor, 0, "")  \
	X(pf_push, 0, "")

/* For PAE paging alone. */
#define PM_PAE_TESTS(X) X(pdpt_illegal, 0, "")

/* And for what would lose its page tables, or needs none. */
#define PM_FLAT_TESTS(X) X(region_new_tss, T_KENSHO, "") X(ac_loop, T_SOLO, "")

#ifndef __ASSEMBLER__
enum pm_test {
#define X(name, flags, why) PM_TEST_##name,
	PM_TESTS(X) PM_PAGING_TESTS(X) PM_PAE_TESTS(X) PM_FLAT_TESTS(X)
#undef X
		PM_TEST_COUNT
};
#endif
