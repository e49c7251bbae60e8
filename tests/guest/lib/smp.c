// SPDX-License-Identifier: BSD-2-Clause
// Starting the other CPUs and giving them work.

#include "tests/guest/lib/smp.h"

#include "core/lib/bits.h"
#include "tests/guest/lib/platform.h"
#include "tests/guest/lib/str.h"
#include "tests/guest/lib/tap.h"

#define OTHERS    ((u32)FIELD_PREP(APIC_ICR_SHORTHAND, APIC_SHORTHAND_OTHERS) | APIC_ICR_ASSERT)
#define ICR_INIT  ((u32)FIELD_PREP(APIC_ICR_MODE, APIC_MODE_INIT) | APIC_ICR_ASSERT)
#define ICR_SIPI  ((u32)FIELD_PREP(APIC_ICR_MODE, APIC_MODE_STARTUP) | APIC_ICR_ASSERT)
#define AP_VECTOR (AP_BASE >> 12)
#define ANSWER_US 100000
#define RUN_US    2000000
#define INIT_US   100 /* long enough for the emulator and for a kick */
#define FIRST_US  20000

extern u8 ap_start[], ap_end[];
void ap_main(u32 cpu);

struct smp_cpu smp_cpu[SMP_MAX];
u32 smp_ids[SMP_MAX];
u8 smp_stacks[SMP_MAX << SMP_STACK_SHIFT] ALIGNED(16);

static u32 count; /* 0: not looked yet */
static bool running;
static enum apic_mode wanted_mode;

static void read_apic(struct ap_apic *found)
{
	static const u16 lvts[] = { APIC_LVT_TIMER, APIC_LVT_THERMAL, APIC_LVT_PERF,
				    APIC_LVT_LINT0, APIC_LVT_LINT1,   APIC_LVT_ERROR };

	memset(found, 0, sizeof(*found));
	found->base = rdmsr(MSR_IA32_APIC_BASE);
	found->svr = apic_read(APIC_SVR);
	found->tpr = apic_read(APIC_TPR);
	found->ldr = apic_read(APIC_LDR);
	if ((found->base & APIC_BASE_EXTD) == 0)
		found->dfr = apic_read(APIC_DFR);
	found->esr = apic_read(APIC_ESR);
	found->icr = apic_read(APIC_ICR);
	found->tmict = apic_read(APIC_TMICT);
	found->tmcct = apic_read(APIC_TMCCT);
	for (u32 i = 0; i < ARRAY_SIZE(lvts); i++)
		found->lvt[i] = apic_read(lvts[i]);
	for (u32 i = 0; i < 8; i++) {
		found->isr |= apic_read(APIC_ISR + i * APIC_REG_STRIDE);
		found->irr |= apic_read(APIC_IRR + i * APIC_REG_STRIDE);
		found->tmr |= apic_read(APIC_TMR + i * APIC_REG_STRIDE);
	}
}

void ap_main(u32 cpu)
{
	struct smp_cpu *me = &smp_cpu[cpu];

	cpu_init_ap(cpu);
	if (apic_mode() != APIC_OFF)
		read_apic(&me->found);
	apic_enter(wanted_mode);
	apic_write(APIC_SVR, APIC_SVR_ENABLE | SPURIOUS_VECTOR);
	if (apic_mode() == APIC_XAPIC) {
		apic_write(APIC_DFR, APIC_DFR_FLAT);
		apic_write(APIC_LDR, 1u << (24 + cpu));
	}
	STORE_RELEASE(me->starts, me->starts + 1);
	for (;;) {
		void (*fn)(u64) = LOAD_ACQUIRE(me->fn);

		if (fn == NULL) {
			cpu_relax();
			continue;
		}
		fn(me->arg);
		cli();
		STORE_RELEASE(me->fn, NULL);
	}
}

void smp_trap(struct trap_regs *regs)
{
	if (regs->vector == SPURIOUS_VECTOR)
		return;
	test_expect(false, "on another CPU, rip", regs->vector < 32 ? "exception" : "interrupt",
		    regs->vector, regs->rip, "cpu", (int)smp_self());
	for (;;)
		asm volatile("cli; hlt");
}

const struct ap_state *smp_state(void)
{
	return (const struct ap_state *)(uintptr_t)(AP_BASE + AP_STATE);
}

static void others_start(void)
{
	wanted_mode = apic_mode();
	memcpy((void *)(uintptr_t)AP_BASE, ap_start, (u32)(ap_end - ap_start));
	running = true;
	apic_icr(0, OTHERS | ICR_INIT);
	delay_us(INIT_US);
	for (u32 i = 1; i < SMP_MAX; i++)
		smp_cpu[i].fn = NULL;
	apic_icr(0, OTHERS | ICR_SIPI | AP_VECTOR);
}

u32 smp_count(void)
{
	if (count != 0)
		return count;
	smp_ids[0] = cpuid(1).b >> 24;
	for (u32 i = 1; i < SMP_MAX; i++)
		smp_ids[i] = ~0u;
	others_start();
	delay_us(200);
	apic_icr(0, OTHERS | ICR_SIPI | AP_VECTOR);
	delay_us(FIRST_US);
	for (count = 1; count < SMP_MAX && smp_cpu[count].starts != 0;)
		count++;
	return count;
}

bool smp_start(void)
{
	u32 before[SMP_MAX];

	for (u32 i = 1; i < smp_count(); i++)
		before[i] = smp_cpu[i].starts;
	others_start();
	for (u32 i = 1; i < count; i++) {
		if (!WAIT_FOR(smp_cpu[i].starts != before[i], ANSWER_US))
			return false;
	}
	return true;
}

void smp_stop(void)
{
	if (!running)
		return;
	running = false;
	apic_icr(0, OTHERS | ICR_INIT);
	delay_us(INIT_US);
}

void smp_send_init(u32 cpu)
{
	apic_icr(smp_ids[cpu], ICR_INIT);
}

void smp_send_sipi(u32 cpu, u8 vector)
{
	apic_icr(smp_ids[cpu], ICR_SIPI | vector);
}

bool smp_restart(u32 cpu)
{
	u32 before;

	smp_send_init(cpu);
	delay_us(INIT_US);
	smp_cpu[cpu].fn = NULL;
	before = smp_cpu[cpu].starts;
	smp_send_sipi(cpu, AP_VECTOR);
	return WAIT_FOR(smp_cpu[cpu].starts != before, ANSWER_US);
}

void smp_call(u32 cpu, void (*fn)(u64), u64 arg)
{
	smp_cpu[cpu].arg = arg;
	STORE_RELEASE(smp_cpu[cpu].fn, fn);
}

bool smp_wait(u32 cpu)
{
	return WAIT_FOR(LOAD_ACQUIRE(smp_cpu[cpu].fn) == NULL, RUN_US);
}

bool smp_run(u32 cpu, void (*fn)(u64), u64 arg)
{
	smp_call(cpu, fn, arg);
	return smp_wait(cpu);
}
