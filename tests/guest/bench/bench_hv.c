// SPDX-License-Identifier: BSD-2-Clause
// Rows of the Hyper-V ABI, `hv=1`: its hypercalls through VMCALL, one CPU. bench.c says what each
// is.

#include "tests/guest/bench/bench.h"
#include "tests/guest/lib/hyperv.h"

PAIR(msr, "", "rdmsr")
PAIR(call, "mov %%esi, %%edx\n\t", "vmcall")

/* RCX is the control word, RDX the input. */
void bench_hv(void)
{
	const struct regs spin = { .rcx = HVCALL_NOTIFY_LONG_SPIN_WAIT | HYPERV_FAST, .rsi = 1 },
			  unknown = { .rcx = 0xbeef }, index = { .rcx = HV_X64_MSR_VP_INDEX },
			  time = { .rcx = HV_X64_MSR_TIME_REF_COUNT };

	if (cmdline_number("hv", 0) == 0 || !hyperv_begin())
		return;
	bench_simple("rdmsr_vp_index", msr_op, msr_nop, &index);
	bench_simple("rdmsr_time_ref_count", msr_op, msr_nop, &time);
	bench_simple("hv_spin_wait", call_op, call_nop, &spin);
	bench_simple("hv_unknown", call_op, call_nop, &unknown);
	hyperv_end();
}
