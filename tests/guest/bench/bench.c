// SPDX-License-Identifier: BSD-2-Clause
// Instruction counts of exits: lines `bench NAME MEDIAN instructions min MIN` on COM1.
//
// On Bochs the TSC counts instructions. Per row 512 samples of
//	jmp; rdtsc; ...; OP; jmp; rdtsc
// minus the minimum of the same block with a NOP in place of OP, plus 1: a native instruction reads
// 1. Interrupts are off unless the row is about one, and a far deadline is armed. Rows that deliver
// an interrupt include the guest's handler; tests/run/bench.py subtracts the bare run where that is
// asked for. All rows but xapic_* run in x2APIC mode.
//
// `smp=1` on the command line runs the rows that need more CPUs, and no other. `deaf=1` ends the
// run: all other CPUs spin with interrupts off and CPU 0 crashes; Kensho's report says what
// stopping takes.
//
// `outer=1` is bench_outer.c.
//
// `hv=1`: the rows of the Hyper-V ABI behind the others.
//
// `kvm=1` registers what a guest of the KVM ABI registers (clock page, steal time, PV EOI) before
// the rows; they are the same. kvmclock_read is a reading of a clock page as Linux does it: what it
// takes longer than on the bare machine would be exits.
//
// The ipi_* rows need a second CPU. Time is the TSC, which is common
// to all CPUs: one tick is one instruction on every CPU. The emulator runs its CPUs in turns, and
// what a sample shows comes in steps of a turn (5 measured on packaged 2.7): good to that, so these
// rows give the mean of samples that start anywhere.
// ipi_send: RDTSC; WRMSR ICR; RDTSC on CPU 0 while CPU 1 spins with interrupts on.
// ipi_round_trip: from RDTSC before the WRMSR of CPU 0 to RDTSC in its handler. CPU 1 spins, its
// handler answers with its own WRMSR: two sends, two deliveries, one EOI.
// ipi_wake_hlt: from RDTSC before the WRMSR of CPU 0 to RDTSC in the handler of CPU 1, which has
// halted for 100 us.
// ept_change: WRMSR IA32_APIC_BASE on CPU 0, which moves a page in the EPT of all VPs, while all
// other CPUs spin. What it takes longer with more CPUs is the INVEPT shoot-down.
// kick_running, kick_halted, send_ipi_4: RDTSC; VMCALL; RDTSC on CPU 0 while CPU 1 spins or has
// halted with IF = 0 for 100 us, or while CPUs 1-4 spin.
//
// `hvsmp=1` runs hv_ipi_4, hv_flush_4 and hv_flush_4_memory and nothing else: RDTSC; VMCALL; RDTSC
// on CPU 0 while CPUs 1-4 spin, an IPI to them (fast), and a flush of all VPs, the caller among
// them (fast, and with its input in memory).

#include "tests/guest/bench/bench.h"

#define FAR             (1ull << 40)
#define COM1_IER        0x3f9
#define COM1_IIR        0x3fa
#define KVM_SYSTEM_TIME 0x4b564d01u

PAIR(cpuid_0, "xor %%eax, %%eax\n\t", "cpuid")
PAIR(cpuid_kvm, "mov $0x40000001, %%eax\n\t", "cpuid")
PAIR(vmcall, "mov $0x4b1d, %%eax\n\t", "vmcall")
PAIR(rdmsr, "", "rdmsr")
PAIR(wrmsr, "mov %%esi, %%eax; mov %%edi, %%edx\n\t", "wrmsr")
PAIR(xsetbv, "mov %%esi, %%eax; mov %%edi, %%edx\n\t", "xsetbv")
PAIR(load, "", "movl (%%rbx), %%eax")
PAIR(store, "xor %%eax, %%eax\n\t", "movl %%eax, (%%rbx)")
PAIR(in, "mov %%esi, %%edx\n\t", "inb %%dx, %%al")
PAIR(out, "mov %%esi, %%edx; mov %%edi, %%eax\n\t", "outb %%al, %%dx")
PAIR(hlt, "", "sti; hlt")
PAIR(sti_window, "", "sti; nop")

u32 bench_samples[SAMPLES];
volatile u32 bench_irqs;
volatile u64 bench_tsc;
u64 bench_reply;
u32 bench_word[2] ALIGNED(8);

static void samples_sort(void)
{
	for (u32 i = 1; i < SAMPLES; i++) {
		u32 val = bench_samples[i], j = i;

		for (; j > 0 && bench_samples[j - 1] > val; j--)
			bench_samples[j] = bench_samples[j - 1];
		bench_samples[j] = val;
	}
}

void bench_report(const char *name, u32 floor)
{
	samples_sort();
	tap_printf("bench %s %d instructions min %d max %d\n", name,
		   (int)(bench_samples[SAMPLES / 2] - floor), (int)(bench_samples[0] - floor),
		   (int)(bench_samples[SAMPLES - 1] - floor));
}

u32 bench_floor(block_fn nop, const struct regs *r)
{
	u32 min = ~0u;

	for (u32 i = 0; i < 16; i++)
		min = umin32(min, nop(r));
	return min - 1;
}

void bench_report_mean(const char *name)
{
	u64 sum = 0;

	samples_sort();
	for (u32 i = 0; i < SAMPLES; i++)
		sum += bench_samples[i];
	tap_printf("bench %s %d instructions min %d max %d\n", name, (int)(sum / SAMPLES),
		   (int)bench_samples[0], (int)bench_samples[SAMPLES - 1]);
}

void bench_nothing(void)
{
}

void bench_run(const char *name, block_fn op, block_fn nop, const struct regs *r,
	       void (*before)(void), void (*after)(void))
{
	u32 floor = bench_floor(nop, r);

	for (u32 i = 0; i < SAMPLES; i++) {
		before();
		bench_samples[i] = op(r);
		after();
	}
	bench_report(name, floor);
}

void bench_simple(const char *name, block_fn op, block_fn nop, const struct regs *r)
{
	bench_run(name, op, nop, r, bench_nothing, bench_nothing);
}

/* --- interrupt handlers ---------------------------------------------------------------------- */

#define EOI_PLAIN "mov $0x80b, %ecx; xor %eax, %eax; xor %edx, %edx; wrmsr\n\t"
#define EOI(word) "btrl $0, bench_word+" #word "(%rip); jc 9f\n\t" EOI_PLAIN "9:\n\t"
#define EOI_XAPIC "mov $0xfee000b0, %eax; movl $0, (%rax)\n\t"
#define LEAVE     "pop %rdx; pop %rcx; pop %rax; iretq\n"
#define ENTER     "push %rax; push %rcx; push %rdx\n\t"
#define STAMP     "rdtsc; mov %eax, bench_tsc(%rip); mov %edx, bench_tsc+4(%rip)\n\t"
#define COUNT_IRQ "incl bench_irqs(%rip)\n\t"

asm(".globl bench_irq, bench_irq_1, bench_irq_plain, bench_irq_level, bench_irq_xapic\n"
    ".globl bench_irq_tsc, bench_irq_tsc_1, bench_irq_reply_1\n"
    "bench_irq: " ENTER EOI(0) COUNT_IRQ LEAVE "bench_irq_1: " ENTER EOI(4) COUNT_IRQ LEAVE
    "bench_irq_plain: " ENTER EOI_PLAIN COUNT_IRQ LEAVE
    "bench_irq_xapic: " ENTER EOI_XAPIC COUNT_IRQ LEAVE
    /* the device is made quiet first: the line of a level interrupt must be low at the EOI */
    "bench_irq_level: " ENTER "mov $0x3f9, %edx; xor %eax, %eax; outb %al, %dx; inc %edx;"
    "inb %dx, %al\n\t" EOI(0) COUNT_IRQ LEAVE "bench_irq_tsc: " ENTER STAMP EOI(0) COUNT_IRQ LEAVE
    "bench_irq_tsc_1: " ENTER STAMP EOI(4) COUNT_IRQ LEAVE
    "bench_irq_reply_1: " ENTER EOI(4) "mov $0x830, %ecx; mov bench_reply(%rip), %eax;"
				       "mov bench_reply+4(%rip), %edx; wrmsr\n\t" LEAVE);

/* --- rows ---------------------------------------------------------------------------------------
 */

static void far_deadline(void)
{
	apic_deadline(rdtsc() + FAR);
}

static void drain(void)
{
	sti_nop_cli();
}

static void self_ipi(void)
{
	wrmsr(X2APIC_MSR(APIC_ICR), VEC | BIT32(18) | APIC_ICR_ASSERT);
}

static void bench_exits(void)
{
	u64 far = rdtsc() + FAR;
	const struct regs cpuid_regs = { 0 }, clock = { .rcx = KVM_SYSTEM_TIME },
			  base = { .rcx = MSR_IA32_APIC_BASE },
			  deadline = { .rcx = MSR_IA32_TSC_DEADLINE,
				       .rsi = (u32)far,
				       .rdi = far >> 32 },
			  disarm = { .rcx = MSR_IA32_TSC_DEADLINE }, xcr = { .rsi = 1 },
			  port = { .rsi = 0x92 }, delay = { .rsi = 0x80 };

	bench_simple("cpuid_0", cpuid_0_op, cpuid_0_nop, &cpuid_regs);
	bench_simple("cpuid_40000001", cpuid_kvm_op, cpuid_kvm_nop, &cpuid_regs);
	if (machine_is_kensho()) {
		bench_simple("vmcall_unknown", vmcall_op, vmcall_nop, &cpuid_regs);
		bench_simple("rdmsr_kvmclock", rdmsr_op, rdmsr_nop, &clock);
		bench_simple("wrmsr_kvmclock", wrmsr_op, wrmsr_nop,
			     &clock); /* 0: disabled, no update */
	}
	bench_simple("rdmsr_apic_base", rdmsr_op, rdmsr_nop, &base);
	bench_simple("rdmsr_tsc_deadline", rdmsr_op, rdmsr_nop, &disarm);
	bench_simple("tsc_deadline_arm", wrmsr_op, wrmsr_nop, &deadline);
	bench_simple("tsc_deadline_disarm", wrmsr_op, wrmsr_nop, &disarm);
	far_deadline();
	if ((cpuid(1).c & CPUID1_ECX_XSAVE) != 0) {
		write_cr4(read_cr4() | BIT64(18));
		bench_simple("xsetbv", xsetbv_op, xsetbv_nop, &xcr);
	}
	bench_simple("in_owned_port", in_op, in_nop, &port);
	bench_simple("out_passed_port", out_op, out_nop, &delay);
}

static void bench_apic(void)
{
	const struct regs none = { 0 },
			  icr = { .rcx = X2APIC_MSR(APIC_ICR),
				  .rsi = VEC | BIT32(18) | APIC_ICR_ASSERT },
			  eoi = { .rcx = X2APIC_MSR(APIC_EOI) },
			  tpr = { .rcx = X2APIC_MSR(APIC_TPR) };

	cpu_set_gate(VEC, bench_irq);
	bench_irqs = 0;
	bench_run("x2apic_self_ipi", wrmsr_op, wrmsr_nop, &icr, bench_nothing, drain);
	bench_simple("x2apic_eoi_idle", wrmsr_op, wrmsr_nop, &eoi);
	bench_simple("x2apic_tpr_write", wrmsr_op, wrmsr_nop, &tpr);
	bench_run("hlt_pending", hlt_op, hlt_nop, &none, self_ipi, cli);
	bench_run("irq_window", sti_window_op, sti_window_nop, &none, self_ipi, cli);
	if (bench_irqs != 3 * SAMPLES)
		tap_printf("# WRONG: %u interrupts instead of %u\n", bench_irqs, 3 * SAMPLES);
}

/* The UART's "transmitter empty" line rises with the OUT; interrupts are on. */
static void bench_device(const char *name, u32 rte, void (*handler)(void))
{
	const struct regs raise = { .rsi = COM1_IER, .rdi = 2 }, idle = { .rsi = COM1_IER };
	u32 floor;

	delay_us(3000); /* the last character has left the UART */
	cpu_set_gate(VEC, handler);
	ioapic_route(IOAPIC_PIN_COM1, VEC | rte, apic_id());
	bench_irqs = 0;
	floor = bench_floor(out_op, &idle) + 1; /* the OUT itself does not count */
	for (u32 i = 0; i < SAMPLES; i++) {
		sti();
		bench_samples[i] = out_op(&raise);
		cli();
		outb(COM1_IER, 0);
		(void)inb(COM1_IIR);
	}
	ioapic_route(IOAPIC_PIN_COM1, IOAPIC_RTE_MASKED, 0);
	bench_report(name, floor);
	if (bench_irqs != SAMPLES)
		tap_printf("# WRONG: %u interrupts instead of %u\n", bench_irqs, SAMPLES);
}

static void bench_deadline(const char *name, bool halt)
{
	cpu_set_gate(VEC, bench_irq_tsc);
	apic_timer(APIC_TIMER_TSC_DEADLINE, VEC, APIC_TDCR_BY_1);
	for (u32 i = 0; i < SAMPLES; i++) {
		u64 deadline = rdtsc() + 20000 + i % 64;

		bench_irqs = 0;
		apic_deadline(deadline);
		if (halt) {
			sti_hlt_cli();
		} else {
			sti();
			while (READ_ONCE(bench_irqs) == 0)
				;
			cli();
		}
		bench_samples[i] = (u32)(bench_tsc - deadline);
	}
	bench_report(name, 0);
}

static void bench_xapic(void)
{
	const struct regs tmcct = { .rbx = APIC_BASE_DEFAULT + APIC_TMCCT },
			  tpr = { .rbx = APIC_BASE_DEFAULT + APIC_TPR },
			  icr2 = { .rbx = APIC_BASE_DEFAULT + APIC_ICR2 },
			  eoi = { .rbx = APIC_BASE_DEFAULT + APIC_EOI },
			  ioapic = { .rbx = IOAPIC_ADDR };

	/* the count is the far deadline of these rows: TMCCT has something to compute */
	apic_timer(APIC_TIMER_ONE_SHOT, VEC, 0xa);
	apic_write(APIC_TMICT, 0xffffffff);
	bench_simple("xapic_tmcct", load_op, load_nop, &tmcct);
	bench_simple("xapic_tpr_write", store_op, store_nop, &tpr);
	bench_simple("xapic_icr2_write", store_op, store_nop, &icr2);
	bench_simple("xapic_eoi_idle", store_op, store_nop, &eoi);
	bench_simple("ioapic_read", load_op, load_nop, &ioapic);
	apic_write(APIC_TMICT, 0);
}

static void bench_one(void)
{
	apic_timer(APIC_TIMER_TSC_DEADLINE, VEC, APIC_TDCR_BY_1);
	far_deadline();
	if (bench_with_kvm())
		bench_kvm_register(0);
	bench_exits();
	bench_apic();
	bench_device("irq_edge", 0, bench_irq);
	bench_device("irq_level", IOAPIC_RTE_LEVEL, bench_irq_level);
	bench_deadline("deadline_spin", false);
	bench_deadline("deadline_hlt", true);
	bench_kvm();
	bench_hv();
}

void guest_main(void);
void guest_main(void)
{
	boot_copy();
	cpu_init();
	tap_init();
	platform_init();
	tap_printf("# %s, TSC %llu Hz\n", machine_is_kensho() ? "kensho" : "bare", tsc_hz());
	if (cmdline_number("deaf", 0) != 0) {
		apic_enter(APIC_XAPIC);
		apic_quiesce();
		(void)smp_count();
		bench_deaf();
	} else if (cmdline_number("smp", 0) != 0) {
		apic_enter(APIC_XAPIC);
		apic_quiesce();
		bench_smp();
	} else if (cmdline_number("hvsmp", 0) != 0) {
		apic_enter(APIC_X2APIC);
		apic_quiesce();
		bench_hv_smp();
	} else if (cmdline_number("outer", 0) != 0) {
		bench_outer();
	} else {
		if (apic_enter(APIC_XAPIC)) {
			apic_quiesce();
			bench_xapic();
		}
		apic_enter(APIC_X2APIC);
		apic_quiesce();
		bench_one();
	}
	tap_printf("# done\n");
	platform_poweroff();
}
