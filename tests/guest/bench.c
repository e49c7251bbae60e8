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

#include "core/lib/bits.h"
#include "tests/guest/lib/apic.h"
#include "tests/guest/lib/boot.h"
#include "tests/guest/lib/cpu.h"
#include "tests/guest/lib/platform.h"
#include "tests/guest/lib/smp.h"
#include "tests/guest/lib/tap.h"

#define SAMPLES         512
#define VEC             0x60
#define FAR             (1ull << 40)
#define COM1_IER        0x3f9
#define COM1_IIR        0x3fa
#define KVM_SYSTEM_TIME 0x4b564d01u

struct regs {
	u64 rbx, rcx, rsi, rdi;
};

/* EAX and EDX are the counter's: @setup loads them from ESI, EDI or constants. */
#define BLOCK(name, setup, op)                                                 \
	static NOINLINE u32 name(const struct regs *r)                         \
	{                                                                      \
		u64 b = r->rbx, c = r->rcx, s = r->rsi, d = r->rdi;            \
		u32 ticks;                                                     \
                                                                               \
		asm volatile("jmp 1f\n"                                        \
			     "1: rdtsc\n\t"                                    \
			     "mov %%eax, %%r8d\n\t" setup op "\n\t"            \
			     "jmp 2f\n"                                        \
			     "2: rdtsc\n\t"                                    \
			     "sub %%r8d, %%eax"                                \
			     : "=a"(ticks), "+b"(b), "+c"(c), "+S"(s), "+D"(d) \
			     :                                                 \
			     : "rdx", "r8", "memory", "cc");                   \
		return ticks;                                                  \
	}
#define PAIR(name, setup, op)       \
	BLOCK(name##_op, setup, op) \
	BLOCK(name##_nop, setup, "nop")

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

static u32 samples[SAMPLES];
u32 bench_irqs;
u64 bench_tsc;

static void samples_sort(void)
{
	for (u32 i = 1; i < SAMPLES; i++) {
		u32 val = samples[i], j = i;

		for (; j > 0 && samples[j - 1] > val; j--)
			samples[j] = samples[j - 1];
		samples[j] = val;
	}
}

static void report(const char *name, u32 floor)
{
	samples_sort();
	tap_printf("bench %s %d instructions min %d max %d\n", name,
		   (int)(samples[SAMPLES / 2] - floor), (int)(samples[0] - floor),
		   (int)(samples[SAMPLES - 1] - floor));
}

typedef u32 (*block_fn)(const struct regs *r);

static u32 floor_of(block_fn nop, const struct regs *r)
{
	u32 min = ~0u;

	for (u32 i = 0; i < 16; i++)
		min = umin32(min, nop(r));
	return min - 1;
}

static void nothing(void)
{
}

/* @before and @after run around every sample, outside of what is counted. */
static void run(const char *name, block_fn op, block_fn nop, const struct regs *r,
		void (*before)(void), void (*after)(void))
{
	u32 floor = floor_of(nop, r);

	for (u32 i = 0; i < SAMPLES; i++) {
		before();
		samples[i] = op(r);
		after();
	}
	report(name, floor);
}

static void simple(const char *name, block_fn op, block_fn nop, const struct regs *r)
{
	run(name, op, nop, r, nothing, nothing);
}

/* --- interrupt handlers, as short as can be ------------------------------------------------- */

void bench_irq(void);
void bench_irq_level(void);
void bench_irq_tsc(void);

#define EOI   "mov $0x80b, %ecx; xor %eax, %eax; xor %edx, %edx; wrmsr\n\t"
#define LEAVE "pop %rdx; pop %rcx; pop %rax; iretq\n"
#define ENTER "push %rax; push %rcx; push %rdx\n\t"

asm(".globl bench_irq, bench_irq_level, bench_irq_tsc\n"
    "bench_irq: " ENTER EOI "incl bench_irqs(%rip)\n\t" LEAVE
    /* the device is made quiet first: the line of a level interrupt must be low at the EOI */
    "bench_irq_level: " ENTER "mov $0x3f9, %edx; xor %eax, %eax; outb %al, %dx; inc %edx;"
    "inb %dx, %al\n\t" EOI "incl bench_irqs(%rip)\n\t" LEAVE "bench_irq_tsc: " ENTER
    "rdtsc; mov %eax, bench_tsc(%rip); mov %edx, bench_tsc+4(%rip)\n\t" EOI
    "incl bench_irqs(%rip)\n\t" LEAVE);

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

	simple("cpuid_0", cpuid_0_op, cpuid_0_nop, &cpuid_regs);
	simple("cpuid_40000001", cpuid_kvm_op, cpuid_kvm_nop, &cpuid_regs);
	if (machine_is_kensho()) {
		simple("vmcall_unknown", vmcall_op, vmcall_nop, &cpuid_regs);
		simple("rdmsr_kvmclock", rdmsr_op, rdmsr_nop, &clock);
		simple("wrmsr_kvmclock", wrmsr_op, wrmsr_nop, &clock); /* 0: disabled, no update */
	}
	simple("rdmsr_apic_base", rdmsr_op, rdmsr_nop, &base);
	simple("tsc_deadline_arm", wrmsr_op, wrmsr_nop, &deadline);
	simple("tsc_deadline_disarm", wrmsr_op, wrmsr_nop, &disarm);
	far_deadline();
	if ((cpuid(1).c & CPUID1_ECX_XSAVE) != 0) {
		write_cr4(read_cr4() | BIT64(18));
		simple("xsetbv", xsetbv_op, xsetbv_nop, &xcr);
	}
	simple("in_owned_port", in_op, in_nop, &port);
	simple("out_passed_port", out_op, out_nop, &delay);
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
	run("x2apic_self_ipi", wrmsr_op, wrmsr_nop, &icr, nothing, drain);
	simple("x2apic_eoi_idle", wrmsr_op, wrmsr_nop, &eoi);
	simple("x2apic_tpr_write", wrmsr_op, wrmsr_nop, &tpr);
	run("hlt_pending", hlt_op, hlt_nop, &none, self_ipi, cli);
	run("irq_window", sti_window_op, sti_window_nop, &none, self_ipi, cli);
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
	floor = floor_of(out_op, &idle) + 1; /* the OUT itself does not count */
	for (u32 i = 0; i < SAMPLES; i++) {
		sti();
		samples[i] = out_op(&raise);
		cli();
		outb(COM1_IER, 0);
		(void)inb(COM1_IIR);
	}
	ioapic_route(IOAPIC_PIN_COM1, IOAPIC_RTE_MASKED, 0);
	report(name, floor);
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
		samples[i] = (u32)(bench_tsc - deadline);
	}
	report(name, 0);
}

static void bench_xapic(void)
{
	const struct regs tmcct = { .rbx = APIC_BASE_DEFAULT + APIC_TMCCT },
			  tpr = { .rbx = APIC_BASE_DEFAULT + APIC_TPR },
			  icr2 = { .rbx = APIC_BASE_DEFAULT + APIC_ICR2 },
			  ioapic = { .rbx = IOAPIC_ADDR };

	/* the count is the far deadline of these rows: TMCCT has something to compute */
	apic_timer(APIC_TIMER_ONE_SHOT, VEC, 0xa);
	apic_write(APIC_TMICT, 0xffffffff);
	simple("xapic_tmcct", load_op, load_nop, &tmcct);
	simple("xapic_tpr_write", store_op, store_nop, &tpr);
	simple("xapic_icr2_write", store_op, store_nop, &icr2);
	simple("ioapic_read", load_op, load_nop, &ioapic);
	apic_write(APIC_TMICT, 0);
}

/* --- two CPUs --- */

#define IPI_HALT_US 100 /* longer than the halt polling goes on */

void bench_irq_reply(void);
u64 bench_reply; /* ICR of CPU 1's answer */

asm(".globl bench_irq_reply\n"
    "bench_irq_reply: " ENTER EOI "mov $0x830, %ecx; mov bench_reply(%rip), %eax;"
    "mov bench_reply+4(%rip), %edx; wrmsr\n\t" LEAVE);

static volatile bool ipi_quit;
static volatile u32 ipi_ready;

static void ipi_spin(u64 halt)
{
	sti();
	while (!ipi_quit) {
		ipi_ready++;
		if (halt)
			asm volatile("hlt" : : : "memory");
	}
	cli();
}

static void report_mean(const char *name, u64 floor)
{
	u64 sum = 0;

	samples_sort();
	for (u32 i = 0; i < SAMPLES; i++)
		sum += samples[i];
	tap_printf("bench %s %d instructions min %d max %d\n", name, (int)(sum / SAMPLES - floor),
		   (int)(samples[0] - floor), (int)(samples[SAMPLES - 1] - floor));
}

/* CPU 1 works or halts, with @handler on its side; @irq: CPU 0 waits for bench_tsc. */
static void ipi_run(const char *name, void (*handler)(void), bool halt, bool irq)
{
	u64 icr = (u64)smp_ids[1] << 32 | APIC_ICR_ASSERT | VEC;

	cpu_set_gate(VEC, handler);
	cpu_set_gate(VEC + 1, bench_irq_tsc);
	bench_reply = (u64)smp_ids[0] << 32 | APIC_ICR_ASSERT | (VEC + 1);
	ipi_quit = false;
	ipi_ready = 0;
	smp_call(1, ipi_spin, halt);
	if (!WAIT_FOR(ipi_ready != 0, 10000))
		tap_printf("# WRONG: CPU 1 does not run %s\n", name);
	for (u32 i = 0; i < SAMPLES; i++) {
		u64 start, end;

		if (halt)
			delay_us(IPI_HALT_US);
		for (u32 n = i % 32; n != 0; n--) /* anywhere in the emulator's turn */
			cpu_relax();
		bench_irqs = 0;
		sti();
		start = rdtsc();
		wrmsr(X2APIC_MSR(APIC_ICR), icr);
		end = rdtsc();
		if (irq && !WAIT_FOR(READ_ONCE(bench_irqs) != 0, 10000))
			tap_printf("# WRONG: no interrupt in %s\n", name);
		cli();
		samples[i] = (u32)((irq ? bench_tsc : end) - start);
		if (!irq) /* its handler is done before the next one */
			delay_us(50);
	}
	ipi_quit = true;
	if (halt)
		wrmsr(X2APIC_MSR(APIC_ICR), icr);
	if (!smp_wait(1))
		tap_printf("# WRONG: CPU 1 does not come back from %s\n", name);
	sti_nop_cli();
	report_mean(name, 0);
}

#define APIC_ELSEWHERE 0xfed80000ull

static void bench_ept_change(void)
{
	u64 home = rdmsr(MSR_IA32_APIC_BASE), away = (home & 0xfff) | APIC_ELSEWHERE;

	ipi_quit = false;
	for (u32 cpu = 1; cpu < smp_count(); cpu++)
		smp_call(cpu, ipi_spin, false);
	delay_us(1000);
	for (u32 i = 0; i < SAMPLES; i++) {
		u64 start = rdtsc();

		wrmsr(MSR_IA32_APIC_BASE, i % 2 != 0 ? home : away);
		samples[i] = (u32)(rdtsc() - start);
	}
	ipi_quit = true;
	for (u32 cpu = 1; cpu < smp_count(); cpu++) {
		if (!smp_wait(cpu))
			tap_printf("# WRONG: CPU %d does not come back\n", (int)cpu);
	}
	report_mean("ept_change", 0);
}

static void bench_smp(void)
{
	if (smp_count() > 1 && !smp_start())
		tap_printf("# WRONG: not all CPUs start\n");
	bench_ept_change();
	smp_stop();
	apic_enter(APIC_X2APIC);
	apic_quiesce();
	if (smp_count() < 2)
		return;
	if (!smp_start()) {
		tap_printf("# WRONG: not all CPUs start\n");
		return;
	}
	ipi_run("ipi_send", bench_irq, false, false);
	ipi_run("ipi_round_trip", bench_irq_reply, false, true);
	ipi_run("ipi_wake_hlt", bench_irq_tsc, true, true);
	smp_stop();
}

static void deaf_spin(u64 unused)
{
	asm volatile("cli; 1: jmp 1b");
}

static void bench_deaf(void)
{
	struct {
		u16 limit;
		u64 base;
	} PACKED none = { 0 };

	if (!smp_start())
		tap_printf("# WRONG: not all CPUs start\n");
	for (u32 cpu = 1; cpu < smp_count(); cpu++)
		smp_call(cpu, deaf_spin, 0);
	delay_us(1000);
	asm volatile("lidt %0; int3" : : "m"(none));
}

static void bench_one(void)
{
	apic_timer(APIC_TIMER_TSC_DEADLINE, VEC, APIC_TDCR_BY_1);
	far_deadline();
	bench_exits();
	bench_apic();
	bench_device("irq_edge", 0, bench_irq);
	bench_device("irq_level", IOAPIC_RTE_LEVEL, bench_irq_level);
	bench_deadline("deadline_spin", false);
	bench_deadline("deadline_hlt", true);
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
