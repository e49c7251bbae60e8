// SPDX-License-Identifier: BSD-2-Clause
// SynIC messages and events between CPUs: none lost, none twice, and what INIT takes away.

#include "core/lib/bits.h"
#include "tests/guest/groups.h"
#include "tests/guest/hyperv/synic.h"
#include "tests/guest/lib/apic.h"
#include "tests/guest/lib/cpu.h"
#include "tests/guest/lib/platform.h"
#include "tests/guest/smp/t_smp.h"

#define MSG_ID   0x10u /* + the CPU to which it leads */
#define EVT_ID   0x40u
#define MSG_TYPE 0x12345678u

static volatile u32 taken[SMP_MAX];

static void count_and_eoi(struct trap_regs *regs)
{
	taken[smp_self()]++;
	apic_eoi();
}

static void count_only(struct trap_regs *regs)
{
	taken[smp_self()]++;
}

static void on(u64 flags)
{
	u32 cpu = smp_self();

	hyperv_cpu_begin();
	synic_on(flags);
	synic_ctl(SYNIC_MSG_CREATE, cpu, SYNIC_MSG_SINT, MSG_ID + cpu);
	synic_ctl(SYNIC_EVT_CREATE, cpu, SYNIC_EVT_SINT, EVT_ID + cpu);
	taken[cpu] = 0;
}

/* VP indices are the CPUs' numbers here: both count in the order of the start. */
static bool begin(trap_handler fn, u64 flags)
{
	if (!synic_begin() || !smp_begin())
		return false;
	trap_handle(SYNIC_MSG_VEC, fn);
	trap_handle(SYNIC_EVT_VEC, fn);
	on(flags);
	for (u32 cpu = 1; cpu < smp_count(); cpu++)
		EXPECT_TRUE(smp_run(cpu, on, flags));
	return true;
}

static void end(void)
{
	for (u32 cpu = 0; cpu < smp_count(); cpu++) {
		synic_ctl(SYNIC_MSG_DESTROY, 0, 0, MSG_ID + cpu);
		synic_ctl(SYNIC_EVT_DESTROY, 0, 0, EVT_ID + cpu);
	}
	smp_stop();
	synic_off(0);
	hyperv_end();
}

/* kvm-unit-tests' hyperv_connections: each CPU sends to the next one. */

static volatile u16 status[SMP_MAX];

static u32 next_cpu(void)
{
	return (smp_self() + 1) % smp_count();
}

static void post_next(u64 n)
{
	status[smp_self()] = synic_post(MSG_ID + next_cpu(), MSG_TYPE, n * 16 + smp_self());
}

static void signal_next(u64 n)
{
	status[smp_self()] = synic_signal(EVT_ID + next_cpu(), 0);
}

static void clear_message(u64 n)
{
	synic_slot(smp_self(), SYNIC_MSG_SINT)->header.message_type = 0;
	wrmsr(HV_X64_MSR_EOM, 0);
	sti_nop_cli();
}

static void open(u64 n)
{
	sti_nop_cli();
}

static void clear_events(u64 n)
{
	synic_flags(smp_self(), SYNIC_EVT_SINT)[0] = 0;
	synic_flags(smp_self(), SYNIC_EVT_SINT)[1] = 0;
}

/* On every CPU, and then each takes what was sent to it. */
static void on_each(void (*fn)(u64), u64 n)
{
	for (u32 i = 0; i < 2; i++) {
		void (*what)(u64) = i == 0 ? fn : open;

		for (u32 cpu = 1; cpu < smp_count(); cpu++)
			EXPECT_TRUE(smp_run(cpu, what, n));
		what(n);
	}
}

static void expect_messages(u64 n, u32 pending, u32 interrupts)
{
	u32 cpus = smp_count();

	for (u32 cpu = 0; cpu < cpus; cpu++) {
		volatile struct hv_message *slot = synic_slot(cpu, SYNIC_MSG_SINT);
		u32 from = (cpu + cpus - 1) % cpus;

		EXPECT_EQ(0, status[cpu]);
		EXPECT_EQ(MSG_TYPE, slot->header.message_type);
		EXPECT_EQ(pending, slot->header.message_flags);
		EXPECT_EQ(n * 16 + from, slot->u.payload[0]);
		EXPECT_EQ(interrupts, taken[cpu]);
	}
}

static void run_messages(void)
{
	for (u32 n = 1; n < 20; n += 2) {
		for (u32 cpu = 0; cpu < smp_count(); cpu++)
			taken[cpu] = 0;
		on_each(post_next, n);
		expect_messages(n, 0, 1);
		on_each(post_next, n + 1); /* full */
		expect_messages(n, 1, 1);
		on_each(clear_message, 0);
		expect_messages(n + 1, 0, 2);
		on_each(clear_message, 0);
	}
	end();
}

static void smp_hvsynic_messages(void)
{
	if (begin(count_and_eoi, 0))
		run_messages();
}

static void smp_hvsynic_messages_auto_eoi(void)
{
	if (begin(count_only, HV_SYNIC_SINT_AUTO_EOI))
		run_messages();
}

static void run_events(void)
{
	for (u32 n = 1; n < 20; n++) {
		for (u32 k = 0; k < 2; k++) { /* the second finds it set */
			on_each(signal_next, 0);
			for (u32 cpu = 0; cpu < smp_count(); cpu++) {
				EXPECT_EQ(0, status[cpu]);
				EXPECT_EQ(BIT64(cpu), synic_flags(cpu, SYNIC_EVT_SINT)[1]);
				EXPECT_EQ(n, taken[cpu]);
			}
		}
		on_each(clear_events, 0);
	}
	end();
}

static void smp_hvsynic_events(void)
{
	if (begin(count_and_eoi, 0))
		run_events();
}

static void smp_hvsynic_events_auto_eoi(void)
{
	if (begin(count_only, HV_SYNIC_SINT_AUTO_EOI))
		run_events();
}

/* --- all send to CPU 0, as fast as they can --- */

#define STORM 300u

static volatile u64 expected[SMP_MAX]; /* what each CPU's next message has */
static volatile u32 wrong, total, style;

/*
 * Each way to free the slot: EOM if the flag asks for it, then EOI; EOI alone, which counts behind
 * the emptying; with auto-EOI, EOM alone.
 */
static void storm_irq(struct trap_regs *regs)
{
	volatile struct hv_message *slot = synic_slot(0, SYNIC_MSG_SINT);
	u64 what = slot->u.payload[0];

	if (slot->header.message_type != 0) {
		u32 from = (u32)(what & 0xff);

		if (what >> 8 == expected[from])
			expected[from]++;
		else
			wrong++;
		total++;
		slot->header.message_type = 0;
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		if (style != 1 && slot->header.message_flags != 0)
			wrmsr(HV_X64_MSR_EOM, 0);
	}
	if (style != 2)
		apic_eoi();
}

static void storm(u64 id)
{
	for (u64 i = 0; i < STORM && !smp_quit; i++) {
		u64 what = i << 8 | smp_self();

		while (synic_post((u32)id + smp_self(), MSG_TYPE, what) ==
			       HV_STATUS_INSUFFICIENT_BUFFERS &&
		       !smp_quit)
			cpu_relax();
	}
}

/* A connection for each sender: they share the slot. */
static void run_storm(u32 how, bool halts)
{
	u32 want = STORM * (smp_count() - 1);

	style = how;
	wrong = total = 0;
	for (u32 cpu = 1; cpu < smp_count(); cpu++) {
		expected[cpu] = 0;
		synic_ctl(SYNIC_MSG_CREATE, 0, SYNIC_MSG_SINT, 0x80 + cpu);
		smp_call(cpu, storm, 0x80);
	}
	for (u64 end = rdtsc() + us_to_tsc(8000000); total < want && rdtsc() < end;) {
		if (halts && total + 1 < want)
			sti_hlt_cli();
		else
			sti_nop_cli();
	}
	EXPECT_EQ(want, total);
	EXPECT_EQ(0, wrong);
	for (u32 cpu = 1; cpu < smp_count(); cpu++) {
		EXPECT_TRUE(smp_wait(cpu));
		synic_ctl(SYNIC_MSG_DESTROY, 0, 0, 0x80 + cpu);
	}
}

static void smp_hvsynic_storm(void)
{
	if (!begin(storm_irq, 0))
		return;
	for (u32 halts = 0; halts < 2; halts++)
		for (u32 how = 0; how < 2; how++)
			run_storm(how, halts != 0);
	end();
}

static void smp_hvsynic_storm_auto_eoi(void)
{
	if (!begin(storm_irq, HV_SYNIC_SINT_AUTO_EOI))
		return;
	run_storm(2, false);
	run_storm(2, true);
	end();
}

/* INIT takes the registers, the pages and the queue of its CPU, and of no other. */

static volatile u64 found[6];

static void look(u64 unused)
{
	found[0] = rdmsr(HV_X64_MSR_SCONTROL);
	found[1] = rdmsr(HV_X64_MSR_SIMP);
	found[2] = rdmsr(HV_X64_MSR_SIEFP);
	found[3] = rdmsr(HV_X64_MSR_SINT0 + SYNIC_MSG_SINT);
}

static void smp_hvsynic_init(void)
{
	volatile u64 *page = (volatile u64 *)synic_page(1, 0);

	if (!begin(count_and_eoi, 0))
		return;
	for (u32 i = 0; i < 2; i++)
		EXPECT_EQ(0, synic_post(MSG_ID + 1, MSG_TYPE, i));
	EXPECT_EQ(0, synic_post(MSG_ID, MSG_TYPE, 7));
	EXPECT_NE(0, page[SYNIC_MSG_SINT * 32]);
	EXPECT_TRUE(smp_restart(1));
	EXPECT_EQ(0, page[SYNIC_MSG_SINT * 32]); /* memory beneath */
	EXPECT_TRUE(smp_run(1, look, 0));
	EXPECT_EQ(0, found[0] | found[1] | found[2]);
	EXPECT_EQ(0x10000, found[3]);
	EXPECT_EQ(HV_STATUS_INVALID_SYNIC_STATE, synic_post(MSG_ID + 1, MSG_TYPE, 0));
	EXPECT_TRUE(smp_run(1, on, 0));
	EXPECT_EQ(0, synic_slot(1, SYNIC_MSG_SINT)->header.message_type);
	EXPECT_EQ(0, synic_post(MSG_ID + 1, MSG_TYPE, 9));
	EXPECT_EQ(9, synic_slot(1, SYNIC_MSG_SINT)->u.payload[0]);
	EXPECT_EQ(7, synic_slot(0, SYNIC_MSG_SINT)->u.payload[0]);
	sti_nop_cli();
	end();
}

static const struct test t_smp_synic_tests[] = {
	{ "smp_hvsynic_messages", smp_hvsynic_messages, T_KENSHO | T_NAMED, NULL },
	{ "smp_hvsynic_messages_auto_eoi", smp_hvsynic_messages_auto_eoi, T_KENSHO | T_NAMED,
	  NULL },
	{ "smp_hvsynic_events", smp_hvsynic_events, T_KENSHO | T_NAMED, NULL },
	{ "smp_hvsynic_events_auto_eoi", smp_hvsynic_events_auto_eoi, T_KENSHO | T_NAMED, NULL },
	{ "smp_hvsynic_storm", smp_hvsynic_storm, T_KENSHO | T_NAMED, NULL },
	{ "smp_hvsynic_storm_auto_eoi", smp_hvsynic_storm_auto_eoi, T_KENSHO | T_NAMED, NULL },
	{ "smp_hvsynic_init", smp_hvsynic_init, T_KENSHO | T_NAMED, NULL },
};
TEST_GROUP(t_smp_synic);
