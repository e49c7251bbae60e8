// SPDX-License-Identifier: BSD-2-Clause
// Rows of the Hyper-V ABI, `hv=1`: its hypercalls through VMCALL, one CPU. bench.c says what each
// is.

#include "tests/guest/bench/bench.h"
#include "tests/guest/lib/hyperv.h"

PAIR(msr, "", "rdmsr")
PAIR(call, "mov %%esi, %%edx\n\t", "vmcall")
PAIR(eoi, "xor %%eax, %%eax; xor %%edx, %%edx\n\t", "wrmsr")

/* Reference time by the page at RSI, as the TLFS writes it. */
BLOCK(page_op, "",
      "3: mov (%%rsi), %%ebx\n\t"
      "test %%ebx, %%ebx; jz 4f\n\t"
      "rdtsc; shl $32, %%rdx; or %%rdx, %%rax\n\t"
      "mulq 8(%%rsi); add 16(%%rsi), %%rdx\n\t"
      "cmp (%%rsi), %%ebx; jne 3b\n\t"
      "4:")

static u8 overlay_at[4096] ALIGNED(4096), assist_at[4096] ALIGNED(4096);
u32 bench_by_register;

/* The first leaves its interrupt in service, the second ends it by the assist page if it can. */
void bench_irq_open(void);
void bench_irq_lazy(void);
asm("bench_irq_open: incl bench_irqs(%rip); iretq\n"
    "bench_irq_lazy: push %rax; push %rcx; push %rdx\n\t"
    "mov bench_assist(%rip), %rax; btrl $0, (%rax); jc 9f\n\t"
    "incl bench_by_register(%rip)\n\t"
    "mov $0x40000070, %ecx; xor %eax, %eax; xor %edx, %edx; wrmsr\n\t"
    "9: pop %rdx; pop %rcx; pop %rax; iretq\n");
u64 bench_assist = (u64)(uintptr_t)assist_at;

static void take(void)
{
	wrmsr(X2APIC_MSR(APIC_ICR), VEC | BIT32(18) | APIC_ICR_ASSERT);
	sti_nop_cli();
}

/* An interrupt is in service. */
static void bench_eoi(void)
{
	const struct regs eoi = { .rcx = HV_X64_MSR_EOI };

	cpu_set_gate(VEC, bench_irq_open);
	bench_run("wrmsr_hv_eoi", eoi_op, eoi_nop, &eoi, take, bench_nothing);
}

/* How many of 512 interrupts cost an EOI register. */
static void bench_lazy(void)
{
	wrmsr(HV_X64_MSR_VP_ASSIST_PAGE, (u64)(uintptr_t)assist_at | 1);
	cpu_set_gate(VEC, bench_irq_lazy);
	bench_by_register = 0;
	for (u32 i = 0; i < SAMPLES; i++)
		take();
	tap_printf("bench hv_lazy_eoi %d exits\n", (int)bench_by_register);
	wrmsr(HV_X64_MSR_VP_ASSIST_PAGE, 0);
}

/* Reading the page less reading a copy of it in RAM; and the page against the MSR around it. */
static void bench_page(void)
{
	static struct ms_hyperv_tsc_page copy ALIGNED(4096);
	const struct regs real = { .rsi = (u64)(uintptr_t)overlay_at },
			  plain = { .rsi = (u64)(uintptr_t)&copy };
	const volatile struct ms_hyperv_tsc_page *page = (const void *)overlay_at;
	u32 wrong = 0;

	wrmsr(HV_X64_MSR_REFERENCE_TSC, (u64)(uintptr_t)overlay_at | 1);
	copy.tsc_sequence = page->tsc_sequence;
	copy.tsc_scale = page->tsc_scale;
	copy.tsc_offset = page->tsc_offset;
	for (u32 i = 0; i < SAMPLES; i++) {
		u64 before = rdmsr(HV_X64_MSR_TIME_REF_COUNT), after, now;

		now = (u64)(((unsigned __int128)rdtsc() * page->tsc_scale) >> 64) +
		      (u64)page->tsc_offset;
		after = rdmsr(HV_X64_MSR_TIME_REF_COUNT);
		wrong += now < before || now > after;
		bench_samples[i] = page_op(&real) - page_op(&plain);
	}
	if (wrong != 0 || page->tsc_sequence == 0)
		tap_printf("# WRONG: the reference TSC page differs from the MSR\n");
	bench_report("hv_tsc_page_added", 0);
	wrmsr(HV_X64_MSR_REFERENCE_TSC, 0);
}

static u8 pages[2][4096] ALIGNED(4096); /* messages, events */
static struct hv_input_post_message message ALIGNED(4096) = { .connectionid = 1,
							      .message_type = 1,
							      .payload_size = 240 };

/* The slot of SINT 2 and flag 0 of SINT 3 are free again. */
static void take_from_synic(void)
{
	sti_nop_cli();
	*(volatile u32 *)(void *)(pages[0] + 2 * 256) = 0;
	*(volatile u32 *)(void *)(pages[1] + 3 * 256) = 0;
}

/* Connections by synic_loopback=1:0:2,2:0:3:event. */
static void bench_synic(void)
{
	const struct regs post = { .rcx = HVCALL_POST_MESSAGE, .rsi = (u64)(uintptr_t)&message },
			  signal = { .rcx = HVCALL_SIGNAL_EVENT | HYPERV_FAST, .rsi = 2 };

	if (!(hyperv_features_a() & HV_MSR_SYNIC_AVAILABLE))
		return;
	cpu_set_gate(VEC, bench_irq);
	wrmsr(HV_X64_MSR_SIMP, (u64)(uintptr_t)pages[0] | 1);
	wrmsr(HV_X64_MSR_SIEFP, (u64)(uintptr_t)pages[1] | 1);
	wrmsr(HV_X64_MSR_SCONTROL, 1);
	wrmsr(HV_X64_MSR_SINT0 + 2, VEC);
	wrmsr(HV_X64_MSR_SINT0 + 3, VEC);
	bench_irqs = 0;
	bench_run("hv_post_message", call_op, call_nop, &post, bench_nothing, take_from_synic);
	bench_run("hv_signal_event", call_op, call_nop, &signal, bench_nothing, take_from_synic);
	if (bench_irqs != 2 * SAMPLES)
		tap_printf("# WRONG: %u interrupts instead of %u\n", bench_irqs, 2 * SAMPLES);
	wrmsr(HV_X64_MSR_SCONTROL, 0);
	wrmsr(HV_X64_MSR_SIMP, 0);
	wrmsr(HV_X64_MSR_SIEFP, 0);
}

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
	bench_page();
	bench_eoi();
	bench_lazy();
	cpu_set_gate(VEC, bench_irq);
	bench_synic();
	bench_stimer();
	hyperv_end();
}
