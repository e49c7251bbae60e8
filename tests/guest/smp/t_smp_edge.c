// SPDX-License-Identifier: BSD-2-Clause
// Several CPUs, the rarer paths: INIT to oneself, APIC errors, kexec, clocks that differ, MWAIT,
// who gets a lowest-priority interrupt.

#include "arch/x86/defs/vector.h"
#include "core/lib/bits.h"
#include "tests/guest/groups.h"
#include "tests/guest/lib/apic.h"
#include "tests/guest/lib/platform.h"
#include "tests/guest/smp/ipi.h"
#include "tests/guest/smp/t_smp.h"

/* --- INIT --- */

static void init_itself(u64 mode)
{
	smp_beat[smp_self()]++;
	apic_icr(smp_ids[smp_self()], (u32)mode);
	for (;;) {
		smp_beat[smp_self()]++;
		cpu_relax();
	}
}

/* By its own ID the INIT comes; with the shorthand "self" it is no valid IPI. */
static void init_self(void)
{
	u32 before;

	if (!smp_begin())
		return;
	EXPECT_TRUE(smp_call_beats(1, init_itself,
				   INIT | FIELD_PREP(APIC_ICR_SHORTHAND, APIC_SHORTHAND_SELF)));
	delay_us(SETTLE_US);
	EXPECT_TRUE(smp_beats(1));
	EXPECT_TRUE(smp_restart(1));
	EXPECT_TRUE(smp_call_beats(1, init_itself, INIT));
	delay_us(SETTLE_US);
	before = smp_beat[1];
	delay_us(300);
	EXPECT_EQ(before, smp_beat[1]);
	EXPECT_TRUE(smp_restart(1));
	EXPECT_TRUE(smp_run(1, smp_spin, 0) || smp_end());
}

/* --- errors --- */

static volatile u32 seen_esr, seen_error;

static void error_irq(struct trap_regs *regs)
{
	seen_error++;
	apic_eoi();
}

enum error { SEND_LOWEST, SEND_SELF, LVT_TIMER, NO_ERROR };

static void make_error(u64 error)
{
	apic_write(APIC_ESR, 0);
	apic_write(APIC_ESR, 0);
	apic_write(APIC_LVT_ERROR, 0x5c);
	switch (error) {
	case SEND_LOWEST:
		apic_icr(smp_ids[0], 3 | LOWEST);
		break;
	case SEND_SELF:
		apic_icr(0, 3 | ASSERT | (u32)FIELD_PREP(APIC_ICR_SHORTHAND, APIC_SHORTHAND_SELF));
		break;
	case LVT_TIMER:
		apic_timer(APIC_TIMER_ONE_SHOT, 3, APIC_TDCR_BY_1);
		apic_write(APIC_TMICT, 1);
		delay_us(50);
		break;
	default:
		apic_icr(smp_ids[0], SMP_VEC | ASSERT);
	}
	sti_nop_cli();
	apic_write(APIC_ESR, 0);
	seen_esr = apic_read(APIC_ESR);
	apic_write(APIC_LVT_ERROR, APIC_LVT_MASKED);
	apic_write(APIC_LVT_TIMER, APIC_LVT_MASKED);
	apic_write(APIC_ESR, 0);
}

/* On another CPU than the first: its ESR, its error interrupt, nobody else's. */
static void errors(void)
{
	static const u32 want[] = { APIC_ESR_SEND_ILLEGAL,
				    APIC_ESR_SEND_ILLEGAL | APIC_ESR_RECEIVE_ILLEGAL,
				    APIC_ESR_RECEIVE_ILLEGAL, 0 };

	if (!smp_begin())
		return;
	trap_handle(0x5c, error_irq);
	for (u32 i = 0; i < ARRAY_SIZE(want); i++) {
		seen_error = 0;
		seen_esr = ~0u;
		EXPECT_TRUE(smp_run(1, make_error, i));
		EXPECT_EQ(want[i], seen_esr);
		EXPECT_EQ(want[i] != 0, seen_error);
		apic_write(APIC_ESR, 0);
		EXPECT_EQ(0, apic_read(APIC_ESR));
	}
	sti_nop_cli();
	EXPECT_EQ(1, smp_hits[0]);
}

/* --- a disabled APIC forgets --- */

static volatile u32 left_over;

static void disable_pending(u64 unused)
{
	smp_beat[1]++;
	left_over = !WAIT_FOR(apic_requested(SMP_VEC), 20000);
	apic_enter(APIC_OFF);
	apic_enter(APIC_XAPIC);
	left_over += apic_requested(SMP_VEC) + apic_in_service(SMP_VEC);
	left_over += apic_read(APIC_LVT_TIMER) != APIC_LVT_RESET;
	apic_write(APIC_SVR, APIC_SVR_ENABLE | SPURIOUS_VECTOR);
	sti_nop_cli();
}

static void off_with_pending(void)
{
	if (!smp_begin())
		return;
	for (u32 i = 1; i <= 5; i++) {
		EXPECT_TRUE(smp_call_beats(1, disable_pending, 0));
		apic_icr(smp_ids[1], SMP_VEC | ASSERT);
		EXPECT_TRUE(smp_wait(1));
		EXPECT_EQ(0, left_over);
		EXPECT_EQ(0, smp_hits[1]);
	}
	EXPECT_TRUE(smp_start());
	REQUIRE(smp_all(smp_spin, 1));
	apic_icr(smp_ids[1], SMP_VEC | ASSERT);
	EXPECT_TRUE(WAIT_FOR(smp_hits[1] == 1, 20000));
	EXPECT_TRUE(smp_end());
}

/* --- a kernel that starts another one: kexec --- */

#define OLD_LEVEL 0x62
#define NEW_LEVEL 0x55 /* of a lower class: the old one in service would keep it waiting */

static volatile u32 old_level, new_level;

/* As a driver that is cut off in its handler: no EOI, the line stays up. */
static void level_cut_off(struct trap_regs *regs)
{
	old_level++;
}

static void level_served(struct trap_regs *regs)
{
	com1_irq_drop();
	new_level++;
	apic_eoi();
}

static void wait_cut_off(u64 unused)
{
	smp_beat[1]++;
	sti();
	(void)WAIT_FOR(old_level != 0, 20000);
	cli();
	for (;;)
		smp_beat[1]++;
}

/* The old kernel's last steps: other CPUs stopped, the I/O APIC and its own APIC off. */
static void old_kernel_ends(bool globally)
{
	smp_send_init(1);
	delay_us(SETTLE_US);
	ioapic_route(IOAPIC_PIN_COM1, IOAPIC_RTE_MASKED | IOAPIC_RTE_LEVEL | OLD_LEVEL, 0);
	ioapic_route(IOAPIC_PIN_COM1, IOAPIC_RTE_MASKED, 0);
	apic_write(APIC_LVT_TIMER, APIC_LVT_MASKED);
	apic_write(APIC_LVT_LINT0, APIC_LVT_MASKED);
	apic_write(APIC_SVR, SPURIOUS_VECTOR);
	if (globally)
		apic_enter(APIC_OFF);
}

/* The new one's first: its APIC on, what is in service finished, the other CPU started. */
static void new_kernel_starts(enum apic_mode mode)
{
	(void)apic_enter(mode);
	apic_write(APIC_SVR, APIC_SVR_ENABLE | SPURIOUS_VECTOR);
	if (mode == APIC_XAPIC)
		apic_write(APIC_LDR, BIT32(24));
	for (u32 i = 0; i < 8 && apic_in_service(OLD_LEVEL); i++)
		apic_eoi();
	EXPECT_TRUE(!apic_in_service(OLD_LEVEL));
	EXPECT_TRUE(smp_restart(1));
	EXPECT_EQ(0, smp_cpu[1].found.isr | smp_cpu[1].found.irr);
}

static void kexec_round(u32 holder, bool globally)
{
	enum apic_mode mode = apic_mode();

	old_level = 0;
	trap_handle(OLD_LEVEL, level_cut_off);
	if (holder == 1)
		EXPECT_TRUE(smp_call_beats(1, wait_cut_off, 0));
	ioapic_route(IOAPIC_PIN_COM1, OLD_LEVEL | IOAPIC_RTE_LEVEL, smp_ids[holder]);
	com1_irq_raise();
	if (holder == 0)
		sti();
	EXPECT_TRUE(WAIT_FOR(old_level == 1, 20000));
	cli();
	EXPECT_EQ(holder == 0, apic_in_service(OLD_LEVEL));

	old_kernel_ends(globally);
	new_kernel_starts(mode);
	trap_handle(NEW_LEVEL, level_served);
	for (u32 cpu = 0; cpu < 2; cpu++) {
		new_level = 0;
		if (cpu == 1)
			EXPECT_TRUE(smp_call_beats(1, smp_spin, 1));
		/* the first of them finds the line as the old kernel left it: up */
		ioapic_route(IOAPIC_PIN_COM1, NEW_LEVEL | IOAPIC_RTE_LEVEL, smp_ids[cpu]);
		if (cpu == 1)
			com1_irq_raise();
		sti();
		EXPECT_TRUE(WAIT_FOR(new_level == 1, 20000));
		cli();
		com1_irq_drop();
	}
	EXPECT_TRUE(smp_end());
	smp_quit = false;
}

/* A level vector that the old kernel never finished: the new kernel gets its interrupts. */
static void kexec_level(void)
{
	if (!smp_begin())
		return;
	for (u32 holder = 0; holder < 2; holder++) {
		for (u32 globally = 0; globally < 2; globally++)
			kexec_round(holder, globally != 0);
	}
}

/* --- clocks that differ (rule T2) --- */

#define KVM_SYSTEM_TIME 0x4b564d01u
#define FLAGS_AT        29

static volatile u8 clock_pages[SMP_MAX][64] ALIGNED(4096);

static void clock_on(u64 unused)
{
	wrmsr(KVM_SYSTEM_TIME, (u64)(uintptr_t)clock_pages[smp_self()] | 1);
}

static void clock_off(u64 unused)
{
	wrmsr(KVM_SYSTEM_TIME, 0);
}

static void add_adjust(u64 add)
{
	wrmsr(MSR_IA32_TSC_ADJUST, rdmsr(MSR_IA32_TSC_ADJUST) + add);
}

/* in_step=0: the CPUs' own TSCs differ (test_fault=drift1). */
static void expect_stable(bool equal)
{
	u32 stable = equal && cmdline_number("in_step", 1) != 0;

	for (u32 i = 0; i < smp_count(); i++)
		EXPECT_EQ(stable, clock_pages[i][FLAGS_AT] & 1);
}

static void clock_flags(void)
{
	if (!smp_begin())
		return;
	clock_on(0);
	for (u32 i = 1; i < smp_count(); i++)
		EXPECT_TRUE(smp_run(i, clock_on, 0));
	expect_stable(true);
	EXPECT_TRUE(smp_run(1, add_adjust, 1000000));
	expect_stable(false);
	EXPECT_TRUE(smp_run(1, add_adjust, -1000000ull));
	expect_stable(true);
	add_adjust(5000);
	for (u32 i = 1; i < smp_count(); i++) {
		expect_stable(false);
		EXPECT_TRUE(smp_run(i, add_adjust, 5000));
	}
	expect_stable(true); /* all by the same amount */
	add_adjust(-5000ull);
	clock_off(0);
	for (u32 i = 1; i < smp_count(); i++) {
		EXPECT_TRUE(smp_run(i, add_adjust, -5000ull));
		EXPECT_TRUE(smp_run(i, clock_off, 0));
	}
}

/* --- MWAIT (mwait=c1) --- */

static volatile u64 line[16] ALIGNED(128);
static volatile u32 woken;

static void wait_on_line(u64 interrupts)
{
	while (!smp_quit) {
		u64 before = line[0];

		/* INVLPG: Bochs 2.7 monitors another address when the TLB has this one. */
		asm volatile("invlpg (%0)" : : "r"(line) : "memory");
		asm volatile("monitor" : : "a"(line), "c"(0), "d"(0) : "memory");
		smp_beat[smp_self()]++;
		if (line[0] == before) {
			if (interrupts)
				asm volatile("sti; mwait; cli" : : "a"(0), "c"(0) : "memory");
			else
				asm volatile("mwait" : : "a"(0), "c"(0) : "memory");
		}
		woken++;
	}
}

/* A store of another CPU ends it, an interrupt does, too; CPUID offers C1 and nothing deeper. */
static void mwait(void)
{
	if ((cpuid(1).c & CPUID1_ECX_MONITOR) == 0) {
		test_skip("MONITOR is hidden");
		return;
	}
	if (!smp_begin())
		return;
	if (machine_is_kensho())
		EXPECT_EQ(0, cpuid(5).d & ~0xf0u);
	for (u64 interrupts = 0; interrupts < 2; interrupts++) {
		smp_quit = false;
		EXPECT_TRUE(smp_call_beats(1, wait_on_line, interrupts));
		for (u32 i = 0; i < 50; i++) {
			u32 before = woken;

			delay_us(20);
			if (interrupts != 0 && i % 2 != 0)
				apic_icr(smp_ids[1], SMP_VEC | ASSERT);
			else
				line[0]++;
			EXPECT_AT(WAIT_FOR(woken != before, 20000), "IF %llu, round %u", interrupts,
				  i);
		}
		smp_quit = true;
		line[0]++;
		EXPECT_TRUE(smp_wait(1));
	}
	EXPECT_EQ(25, smp_hits[1]);
}

/* --- who gets it --- */

static void raise_tpr(u64 tpr)
{
	apic_write(APIC_TPR, (u32)tpr);
}

/* vector_hashing=on: number (vector mod count) of the candidates by ID. `hashing=0`: lowest TPR. */
static u32 policy(u32 mask, u32 vector, const u32 *tpr)
{
	u32 best = SMP_MAX, count = 0, nr;

	for (u32 i = 0; i < smp_count(); i++)
		count += mask >> i & 1;
	nr = vector % count;
	for (u32 i = 0; i < smp_count(); i++) {
		u32 rank = 0; /* candidates with a lower ID */

		if ((mask >> i & 1) == 0)
			continue;
		for (u32 j = 0; j < smp_count(); j++)
			rank += (mask >> j & 1) != 0 && smp_ids[j] < smp_ids[i];
		if (cmdline_number("hashing", 1) != 0) {
			if (rank == nr)
				return i;
		} else if (best == SMP_MAX || tpr[i] < tpr[best] ||
			   (tpr[i] == tpr[best] && smp_ids[i] < smp_ids[best])) {
			best = i;
		}
	}
	return best;
}

static void lowest_policy(void)
{
	u32 tpr[SMP_MAX], all;

	if (!smp_begin())
		return;
	all = (1u << smp_count()) - 1;
	for (u32 i = 0; i < smp_count(); i++) {
		tpr[i] = i * 3 % 4 << 4;
		if (i == 0)
			raise_tpr(tpr[i]);
		else
			EXPECT_TRUE(smp_run(i, raise_tpr, tpr[i]));
	}
	if (apic_mode() == APIC_XAPIC)
		apic_write(APIC_LDR, 1u << 24);
	REQUIRE(smp_all(smp_spin, 1));
	for (u32 v = 0x50; v < 0x58; v++)
		trap_handle(v, smp_irq);
	sti();
	for (u32 mask = 1; mask <= all; mask += smp_count() > 4 ? 13 : 1) {
		for (u32 v = 0x50; v < 0x58; v++) {
			u32 to = policy(mask, v, tpr), before = smp_hits[to], dest = mask;

			if (apic_mode() == APIC_X2APIC) {
				dest = 0;
				for (u32 i = 0; i < smp_count(); i++)
					dest |= (mask >> i & 1) != 0 ? x2apic_ldr(smp_ids[i]) : 0;
			}
			apic_icr(dest, v | LOWEST | LOGICAL);
			EXPECT_AT(WAIT_FOR(smp_hits[to] == before + 1, 5000),
				  "mask 0x%x, vector 0x%x, not to CPU %u", mask, v, to);
		}
	}
	cli();
	EXPECT_TRUE(smp_end());
}

static const struct test t_smp_edge_tests[] = {
	{ .name = "smp_init_self", .run = init_self, .flags = T_KENSHO },
	{ .name = "smp_errors", .run = errors, .flags = T_KENSHO },
	{ .name = "smp_off_with_pending", .run = off_with_pending, .flags = T_KENSHO },
	{ .name = "smp_kexec_level", .run = kexec_level, .flags = T_KENSHO },
	{ .name = "smp_clock_flags", .run = clock_flags, .flags = T_KENSHO },
	{ .name = "smp_mwait", .run = mwait },
	{ .name = "smp_lowest_policy", .run = lowest_policy, .flags = T_KENSHO },
	{ .name = "smp_x2_init_self", .run = init_self, .flags = T_KENSHO | T_X2APIC },
	{ .name = "smp_x2_errors", .run = errors, .flags = T_KENSHO | T_X2APIC },
	{ .name = "smp_x2_kexec_level", .run = kexec_level, .flags = T_KENSHO | T_X2APIC },
	{ .name = "smp_x2_lowest_policy", .run = lowest_policy, .flags = T_KENSHO | T_X2APIC },
};
TEST_GROUP(t_smp_edge);
