// SPDX-License-Identifier: BSD-2-Clause
// Several CPUs: starting and stopping them by INIT and SIPI. Tests named smp_x2_* run in x2APIC
// mode.

#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/vector.h"
#include "core/lib/bits.h"
#include "tests/guest/groups.h"
#include "tests/guest/lib/apic.h"
#include "tests/guest/lib/platform.h"
#include "tests/guest/smp/ipi.h"
#include "tests/guest/smp/t_smp.h"

static volatile u32 seen_id, seen_leaf_b, seen_bsp;

static void report_id(u64 unused)
{
	seen_id = apic_id();
	seen_leaf_b = cpuid(0).a >= 0xb ? cpuid2(0xb, 0).d : cpuid(1).b >> 24;
	seen_bsp = (rdmsr(MSR_IA32_APIC_BASE) & APIC_BASE_BSP) != 0;
}

static void answer(void)
{
	if (!smp_begin())
		return;
	tap_printf("# %u CPUs\n", smp_count());
	for (u32 i = 1; i < smp_count(); i++) {
		seen_id = ~0u;
		EXPECT_TRUE(smp_run(i, report_id, 0));
		EXPECT_EQ(smp_ids[i], seen_id);
		EXPECT_EQ(smp_ids[i], seen_leaf_b);
		EXPECT_EQ(0, seen_bsp);
		for (u32 j = 0; j < i; j++)
			EXPECT_NE(smp_ids[j], smp_ids[i]);
	}
}

/* mov %cs, %cs:0x10; ljmp AP_BASE: the page tells that a CPU came through it. */
static const u8 jump_page[] = { 0x2e, 0x8c, 0x0e, 0x10, 0x00, 0xea, 0x00, 0x00, 0x00, 0x67 };
static u8 saved_page[32];

static volatile u8 *page_of(u8 vector)
{
	volatile u8 *page;

	asm volatile("" : "=r"(page) : "0"((u64)vector << 12)); /* address 0 is one, too */
	return page;
}

static void page_prepare(u8 vector)
{
	volatile u8 *page = page_of(vector);

	for (u32 i = 0; i < sizeof(saved_page); i++)
		saved_page[i] = page[i];
	for (u32 i = 0; i < sizeof(jump_page); i++)
		page[i] = jump_page[i];
	page[0x10] = page[0x11] = 0x5a;
}

static u32 page_restore(u8 vector)
{
	volatile u8 *page = page_of(vector);
	u32 seen = page[0x10] | (u32)page[0x11] << 8;

	for (u32 i = 0; i < sizeof(saved_page); i++)
		page[i] = saved_page[i];
	return seen;
}

static void sipi_vectors(void)
{
	static const u8 vectors[] = { 0x00, 0x01, 0x07, 0x10, 0x42, 0x66, 0x8e };

	if (!smp_begin())
		return;
	for (u32 cpu = 1; cpu < smp_count(); cpu++) {
		for (u32 i = 0; i < ARRAY_SIZE(vectors); i++) {
			u32 before = smp_cpu[cpu].starts;

			smp_send_init(cpu);
			delay_us(SETTLE_US);
			page_prepare(vectors[i]);
			smp_send_sipi(cpu, vectors[i]);
			EXPECT_TRUE(WAIT_FOR(smp_cpu[cpu].starts == before + 1, 100000));
			EXPECT_EQ((u32)vectors[i] << 8, page_restore(vectors[i]));
		}
		EXPECT_TRUE(smp_run(cpu, report_id, 0));
		EXPECT_EQ(smp_ids[cpu], seen_id);
	}
}

/* One SIPI to all others, vector 0: no second one follows, and none is needed. */
static void sipi_broadcast_once(void)
{
	u32 before[SMP_MAX];

	if (!smp_begin())
		return;
	for (u32 i = 1; i < smp_count(); i++)
		before[i] = smp_cpu[i].starts;
	apic_icr(0, SHORT(APIC_SHORTHAND_OTHERS) | ASSERT |
			    (u32)FIELD_PREP(APIC_ICR_MODE, APIC_MODE_INIT));
	delay_us(SETTLE_US);
	page_prepare(0);
	apic_icr(0, SHORT(APIC_SHORTHAND_OTHERS) | ASSERT |
			    (u32)FIELD_PREP(APIC_ICR_MODE, APIC_MODE_STARTUP));
	for (u32 i = 1; i < smp_count(); i++)
		EXPECT_TRUE(WAIT_FOR(smp_cpu[i].starts == before[i] + 1, 100000));
	EXPECT_EQ(0, page_restore(0));
}

/* Two SIPIs in a row: the first one counts. */
static void sipi_second(void)
{
	u32 before;

	if (!smp_begin())
		return;
	before = smp_cpu[1].starts;
	for (u32 i = 1; i <= 10; i++) {
		smp_send_init(1);
		delay_us(SETTLE_US);
		page_prepare(0x42);
		smp_send_sipi(1, AP_BASE >> 12);
		if (i % 2 != 0)
			delay_us(i);
		smp_send_sipi(1, 0x42);
		EXPECT_TRUE(WAIT_FOR(smp_cpu[1].starts == before + i, 100000));
		delay_us(SETTLE_US);
		EXPECT_EQ(0x5a5a, page_restore(0x42));
		EXPECT_EQ(before + i, smp_cpu[1].starts);
	}
}

static void sipi_running(void)
{
	u32 before;

	if (!smp_begin())
		return;
	before = smp_cpu[1].starts;
	REQUIRE(smp_all(smp_spin, 0));
	for (u32 i = 0; i < 10; i++) {
		smp_send_sipi(1, AP_BASE >> 12);
		EXPECT_TRUE(smp_beats(1));
	}
	EXPECT_TRUE(smp_end());
	/* none was kept for the next INIT */
	smp_send_init(1);
	delay_us(SETTLE_US);
	delay_us(SETTLE_US);
	EXPECT_EQ(before, smp_cpu[1].starts);
	EXPECT_TRUE(smp_restart(1));
	EXPECT_EQ(before + 1, smp_cpu[1].starts);
}

/* INIT with SIPI right behind it, no wait between them. */
static void init_sipi_at_once(void)
{
	u64 start, longest = 0;
	u32 before;

	if (!machine_is_kensho()) {
		test_skip("the bare emulator takes the INIT later than the SIPI");
		return;
	}
	if (!smp_begin())
		return;
	before = smp_cpu[1].starts;
	for (u32 i = 1; i <= 20; i++) {
		start = rdtsc();
		smp_send_init(1);
		smp_send_sipi(1, AP_BASE >> 12);
		EXPECT_TRUE(WAIT_FOR(smp_cpu[1].starts == before + i, 100000));
		if (rdtsc() - start > longest)
			longest = rdtsc() - start;
	}
	tap_printf("# from INIT to a running CPU: %llu ticks at most\n", longest);
}

static void dirty_state(u64 unused)
{
	apic_write(APIC_TPR, 0x30);
	apic_write(APIC_LVT_TIMER, 0x5e);
	apic_write(APIC_LVT_LINT0, (u32)FIELD_PREP(APIC_LVT_MODE, APIC_MODE_FIXED) | 0x5f);
	apic_write(APIC_LVT_ERROR, 0x5d);
	apic_write(APIC_TMICT, 0x7fffffff);
	write_dr0(0x12345678);
	write_dr7(0x402);
	write_cr2(0x1234567);
	write_cr4(read_cr4() | BIT64(3)); /* DE */
	write_rflags(read_rflags() | 0x8d5 | BIT64(10) | BIT64(21));
	asm volatile("mov $0xaaaa, %%esi; mov $0xbbbb, %%edi\n"
		     "1: incl (%0); pause; jmp 1b"
		     :
		     : "r"(&smp_beat[smp_self()])
		     : "rsi", "rdi", "memory");
}

static void check_state(const struct ap_state *s)
{
	EXPECT_EQ(0, s->eax | s->ebx | s->ecx | s->esi | s->edi | s->ebp | s->esp);
	if (machine_is_kensho()) /* the bare emulator clears EDX */
		EXPECT_EQ(cpuid(1).a, s->edx);
	EXPECT_EQ(0, s->ds | s->ss);
	EXPECT_EQ(AP_BASE >> 4, s->cs);
	EXPECT_EQ(2, s->eflags);
	EXPECT_EQ(0x10, s->cr0 & 0x9fffffff); /* CD and NW stay as they were */
	EXPECT_EQ(0, s->cr3 | s->cr4);
	if (machine_is_kensho()) /* nor does it touch CR2 */
		EXPECT_EQ(0, s->cr2);
	EXPECT_EQ(0xffff0ff0, s->dr6);
	EXPECT_EQ(0x400, s->dr7);
	EXPECT_EQ(0, s->efer);
	EXPECT_EQ(0xffff, s->idt_limit);
	EXPECT_EQ(0, s->idt_base);
}

static void check_apic(const struct ap_apic *a, bool same_mode)
{
	if (same_mode)
		EXPECT_EQ(APIC_BASE_EN | (apic_mode() == APIC_X2APIC ? APIC_BASE_EXTD : 0) |
				  APIC_BASE_DEFAULT,
			  a->base);
	EXPECT_EQ(0xff, a->svr);
	EXPECT_EQ(0, a->tpr | a->esr | a->tmict | a->tmcct);
	EXPECT_EQ(0, a->isr | a->irr | a->tmr);
	if ((a->base & APIC_BASE_EXTD) == 0) {
		EXPECT_EQ(0, a->ldr);
		EXPECT_EQ(0xffffffff, a->dfr);
	}
	for (u32 i = 0; i < ARRAY_SIZE(a->lvt); i++)
		EXPECT_EQ(APIC_LVT_RESET, a->lvt[i]);
}

/* SDM "Processor States Following Power-up, Reset, or INIT" and "APIC State After INIT". */
static void init_stops(void)
{
	if (!smp_begin())
		return;
	for (u32 cpu = 1; cpu < smp_count(); cpu++) {
		EXPECT_TRUE(smp_call_beats(cpu, dirty_state, 0));
		smp_send_init(cpu);
		delay_us(SETTLE_US);
		EXPECT_TRUE(smp_is_still(cpu));
		REQUIRE(smp_restart(cpu));
		check_state(smp_state());
		/* the bare emulator falls back to xAPIC mode */
		check_apic(&smp_cpu[cpu].found, machine_is_kensho());
		EXPECT_TRUE(smp_run(cpu, report_id, 0));
		EXPECT_EQ(smp_ids[cpu], seen_id);
	}
}

static void init_halted(void)
{
	if (!smp_begin())
		return;
	for (u64 interrupts = 0; interrupts < 2; interrupts++) {
		for (u32 i = 0; i < 5; i++) {
			EXPECT_TRUE(smp_call_beats(1, smp_halts, interrupts));
			delay_us(SETTLE_US);
			EXPECT_TRUE(smp_is_still(1));
			REQUIRE(smp_restart(1));
			check_state(smp_state());
			EXPECT_TRUE(smp_run(1, report_id, 0));
		}
	}
}

static void serve(struct trap_regs *regs) /* the INIT comes in here: no EOI */
{
	for (;;) {
		smp_beat[smp_self()]++;
		cpu_relax();
	}
}

static void init_in_service(void)
{
	if (!smp_begin())
		return;
	trap_handle(0x61, serve);
	EXPECT_TRUE(smp_call_beats(1, smp_spin, 1));
	apic_icr(smp_ids[1], 0x61 | ASSERT);
	delay_us(SETTLE_US);
	EXPECT_TRUE(smp_beats(1));
	apic_icr(smp_ids[1], SMP_VEC | ASSERT); /* waits for ever */
	apic_icr(smp_ids[1], 0x71 | ASSERT);    /* waits for IF */
	delay_us(SETTLE_US);
	REQUIRE(smp_restart(1));
	check_apic(&smp_cpu[1].found, false);
	EXPECT_TRUE(smp_call_beats(1, smp_spin, 1));
	EXPECT_EQ(0, smp_hits[1]);
	apic_icr(smp_ids[1], SMP_VEC | ASSERT);
	EXPECT_TRUE(WAIT_FOR(smp_hits[1] == 1, 10000));
	EXPECT_TRUE(smp_end());
}

static void level_stay(struct trap_regs *regs)
{
	com1_irq_drop();
	for (;;) {
		smp_beat[smp_self()]++;
		cpu_relax();
	}
}

/* Rule I5: the held level vector is given back, the line works afterwards, on any CPU. */
static void init_in_level(void)
{
	if (!smp_begin())
		return;
	for (u32 round = 0; round < 3; round++) {
		trap_handle(0x62, level_stay);
		EXPECT_TRUE(smp_call_beats(1, smp_spin, 1));
		ioapic_route(IOAPIC_PIN_COM1, 0x62 | IOAPIC_RTE_LEVEL, smp_ids[1]);
		com1_irq_raise();
		delay_us(SETTLE_US);
		EXPECT_TRUE(smp_beats(1));
		REQUIRE(smp_restart(1));
		EXPECT_EQ(0, smp_cpu[1].found.isr | smp_cpu[1].found.irr);
		for (u32 cpu = 0; cpu < 2; cpu++) {
			u32 before = smp_hits[cpu];

			ioapic_route(IOAPIC_PIN_COM1, SMP_VEC, smp_ids[cpu]);
			if (cpu == 1)
				smp_call(1, smp_spin, 1);
			com1_irq_raise();
			sti();
			EXPECT_TRUE(WAIT_FOR(smp_hits[cpu] == before + 1, 20000));
			cli();
			com1_irq_drop();
		}
		EXPECT_TRUE(smp_end());
		smp_quit = false;
	}
}

static void init_broadcast(void)
{
	u32 before[SMP_MAX];

	if (!smp_begin())
		return;
	for (u32 round = 0; round < 5; round++) {
		for (u32 i = 1; i < smp_count(); i++)
			before[i] = smp_cpu[i].starts;
		REQUIRE(smp_all(smp_spin, round & 1));
		smp_stop();
		for (u32 i = 1; i < smp_count(); i++)
			EXPECT_TRUE(smp_is_still(i));
		EXPECT_TRUE(smp_start());
		for (u32 i = 1; i < smp_count(); i++)
			EXPECT_EQ(before[i] + 1, smp_cpu[i].starts);
	}
}

static void init_deassert(void)
{
	u32 low = (u32)FIELD_PREP(APIC_ICR_MODE, APIC_MODE_INIT) | APIC_ICR_LEVEL;

	if (!smp_begin())
		return;
	REQUIRE(smp_all(smp_spin, 0));
	apic_icr(smp_ids[1], low);
	apic_icr(0, low | SHORT(APIC_SHORTHAND_ALL));
	apic_icr(0, low | SHORT(APIC_SHORTHAND_OTHERS));
	for (u32 i = 1; i < smp_count(); i++)
		EXPECT_TRUE(smp_beats(i));
	EXPECT_TRUE(smp_end());
}

/* A CPU that waits for a SIPI takes no interrupt, and keeps none. */
static void wait_sipi_deaf(void)
{
	if (!smp_begin())
		return;
	smp_send_init(1);
	delay_us(SETTLE_US);
	apic_icr(smp_ids[1], SMP_VEC | ASSERT);
	apic_icr(0, SMP_VEC | ASSERT | SHORT(APIC_SHORTHAND_OTHERS));
	delay_us(SETTLE_US);
	REQUIRE(smp_restart(1));
	if (machine_is_kensho()) /* the bare emulator's disabled APIC accepts them */
		EXPECT_EQ(0, smp_cpu[1].found.irr | smp_cpu[1].found.isr);
	EXPECT_TRUE(smp_run(1, report_id, 0));
}

#define BOTH(prefix, more)                                                                       \
	{ .name = prefix "answer", .run = answer, .flags = more },                               \
		{ .name = prefix "sipi_vectors", .run = sipi_vectors, .flags = more },           \
		{ .name = prefix "sipi_broadcast_once",                                          \
		  .run = sipi_broadcast_once,                                                    \
		  .flags = more },                                                               \
		{ .name = prefix "sipi_second", .run = sipi_second, .flags = more },             \
		{ .name = prefix "sipi_running", .run = sipi_running, .flags = more },           \
		{ .name = prefix "init_sipi_at_once", .run = init_sipi_at_once, .flags = more }, \
		{ .name = prefix "init_stops", .run = init_stops, .flags = more },               \
		{ .name = prefix "init_halted", .run = init_halted, .flags = more },             \
		{ .name = prefix "init_in_service", .run = init_in_service, .flags = more },     \
		{ .name = prefix "init_in_level", .run = init_in_level, .flags = more },         \
		{ .name = prefix "init_broadcast", .run = init_broadcast, .flags = more },       \
		{ .name = prefix "init_deassert", .run = init_deassert, .flags = more },         \
	{                                                                                        \
		.name = prefix "wait_sipi_deaf", .run = wait_sipi_deaf, .flags = more            \
	}

static const struct test t_smp_init_tests[] = {
	BOTH("smp_", 0),
	BOTH("smp_x2_", T_X2APIC),
};
TEST_GROUP(t_smp_init);
