// SPDX-License-Identifier: BSD-2-Clause
// Several CPUs: starting and stopping them, IPIs, device interrupts, time. t_smp_run.c has the
// stress runs. Tests named smp_x2_* run in x2APIC mode.
// Longer than usual: one property per function, most run in both modes.

#include "tests/guest/smp/t_smp.h"
#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/vector.h"
#include "core/lib/bits.h"
#include "tests/guest/groups.h"
#include "tests/guest/lib/apic.h"
#include "tests/guest/lib/platform.h"
#include "tests/guest/lib/str.h"

#define LOGICAL   APIC_ICR_LOGICAL
#define ASSERT    APIC_ICR_ASSERT
#define SHORT(s)  ((u32)FIELD_PREP(APIC_ICR_SHORTHAND, s))
#define NMI       ((u32)FIELD_PREP(APIC_ICR_MODE, APIC_MODE_NMI) | ASSERT)
#define LOWEST    ((u32)FIELD_PREP(APIC_ICR_MODE, APIC_MODE_LOWEST) | ASSERT)
#define SETTLE_US 100

volatile u32 smp_hits[SMP_MAX];
volatile u32 smp_beat[SMP_MAX];
volatile bool smp_quit;

void smp_irq(struct trap_regs *regs)
{
	smp_hits[smp_self()]++;
	apic_eoi();
}

bool smp_begin(void)
{
	if (smp_count() < 2) {
		test_skip("there is 1 CPU");
		return false;
	}
	for (u32 i = 0; i < SMP_MAX; i++)
		smp_hits[i] = smp_beat[i] = 0;
	smp_quit = false;
	trap_handle(SMP_VEC, smp_irq);
	if (!smp_start()) {
		test_fail("a CPU does not start", __FILE__, __LINE__);
		return false;
	}
	return true;
}

void smp_spin(u64 interrupts)
{
	if (interrupts)
		sti();
	while (!smp_quit) {
		smp_beat[smp_self()]++;
		cpu_relax();
	}
	cli();
}

bool smp_all(void (*fn)(u64), u64 arg)
{
	for (u32 i = 1; i < smp_count(); i++)
		smp_call(i, fn, arg);
	for (u32 i = 1; i < smp_count(); i++) {
		u32 before = smp_beat[i];

		if (fn == smp_spin && !WAIT_FOR(smp_beat[i] != before, 100000))
			return false;
	}
	return true;
}

bool smp_end(void)
{
	bool all = true;

	smp_quit = true;
	for (u32 i = 1; i < smp_count(); i++)
		all &= smp_wait(i);
	return all;
}

static bool beats(u32 cpu)
{
	u32 before = smp_beat[cpu];

	return WAIT_FOR(smp_beat[cpu] != before, 20000);
}

/* Start @fn there and wait until it says that it runs. */
static bool call(u32 cpu, void (*fn)(u64), u64 arg)
{
	u32 before = smp_beat[cpu];

	smp_call(cpu, fn, arg);
	return WAIT_FOR(smp_beat[cpu] != before, 20000);
}

static bool is_still(u32 cpu)
{
	u32 before = smp_beat[cpu];

	delay_us(300);
	return smp_beat[cpu] == before;
}

/* --- bring-up --- */

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
		EXPECT_TRUE(beats(1));
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
		EXPECT_TRUE(call(cpu, dirty_state, 0));
		smp_send_init(cpu);
		delay_us(SETTLE_US);
		EXPECT_TRUE(is_still(cpu));
		REQUIRE(smp_restart(cpu));
		check_state(smp_state());
		/* the bare emulator falls back to xAPIC mode */
		check_apic(&smp_cpu[cpu].found, machine_is_kensho());
		EXPECT_TRUE(smp_run(cpu, report_id, 0));
		EXPECT_EQ(smp_ids[cpu], seen_id);
	}
}

static void halt_sti(u64 interrupts)
{
	u32 self = smp_self();

	while (!smp_quit) {
		smp_beat[self]++;
		if (interrupts)
			asm volatile("sti; hlt; cli" : : : "memory");
		else
			asm volatile("cli; hlt" : : : "memory");
	}
}

static void init_halted(void)
{
	if (!smp_begin())
		return;
	for (u64 interrupts = 0; interrupts < 2; interrupts++) {
		for (u32 i = 0; i < 5; i++) {
			EXPECT_TRUE(call(1, halt_sti, interrupts));
			delay_us(SETTLE_US);
			EXPECT_TRUE(is_still(1));
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
	EXPECT_TRUE(call(1, smp_spin, 1));
	apic_icr(smp_ids[1], 0x61 | ASSERT);
	delay_us(SETTLE_US);
	EXPECT_TRUE(beats(1));
	apic_icr(smp_ids[1], SMP_VEC | ASSERT); /* waits for ever */
	apic_icr(smp_ids[1], 0x71 | ASSERT);    /* waits for IF */
	delay_us(SETTLE_US);
	REQUIRE(smp_restart(1));
	check_apic(&smp_cpu[1].found, false);
	EXPECT_TRUE(call(1, smp_spin, 1));
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
		EXPECT_TRUE(call(1, smp_spin, 1));
		ioapic_route(IOAPIC_PIN_COM1, 0x62 | IOAPIC_RTE_LEVEL, smp_ids[1]);
		com1_irq_raise();
		delay_us(SETTLE_US);
		EXPECT_TRUE(beats(1));
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
			EXPECT_TRUE(is_still(i));
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
		EXPECT_TRUE(beats(i));
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

/* --- IPIs --- */

/* @low to @dest: every CPU of @mask gets one, nobody else. */
static void expect_ipi(const char *what, u32 dest, u32 low, u32 mask)
{
	u32 before[SMP_MAX], got = 0, more = 0;

	for (u32 i = 0; i < smp_count(); i++)
		before[i] = smp_hits[i];
	sti();
	apic_icr(dest, low);
	for (u32 i = 0; i < smp_count(); i++) {
		if ((mask >> i & 1) != 0)
			(void)WAIT_FOR(smp_hits[i] != before[i], 10000);
	}
	if (mask == 0 || (low & LOWEST) != 0)
		delay_us(SETTLE_US);
	cli();
	for (u32 i = 0; i < smp_count(); i++) {
		got |= (u32)(smp_hits[i] != before[i]) << i;
		more |= smp_hits[i] - before[i] > 1;
	}
	if (got != mask || more != 0)
		test_expect(false, more ? "sent too often, to" : "wanted by CPUs", what, got, mask,
			    __FILE__, __LINE__);
}

static u32 all_mask(void)
{
	return (1u << smp_count()) - 1;
}

static bool ipi_begin(void)
{
	if (!smp_begin())
		return false;
	if (apic_mode() == APIC_XAPIC)
		apic_write(APIC_LDR, 1u << 24);
	if (!smp_all(smp_spin, 1)) {
		test_fail("a CPU does not run", __FILE__, __LINE__);
		return false;
	}
	return true;
}

static void ipi_physical(void)
{
	if (!ipi_begin())
		return;
	for (u32 round = 0; round < 5; round++) {
		for (u32 i = 0; i < smp_count(); i++)
			expect_ipi("physical", smp_ids[i], SMP_VEC | ASSERT, 1u << i);
	}
	expect_ipi("physical, nobody", 0x70, SMP_VEC | ASSERT, 0);
	EXPECT_TRUE(smp_end());
}

static u32 logical_of(u32 mask)
{
	u32 dest = 0;

	if (apic_mode() == APIC_XAPIC)
		return mask;
	for (u32 i = 0; i < smp_count(); i++) {
		if ((mask >> i & 1) != 0)
			dest |= x2apic_ldr(smp_ids[i]);
	}
	return dest;
}

static void ipi_logical(void)
{
	u32 all;

	if (!ipi_begin())
		return;
	all = all_mask();
	for (u32 mask = 1; mask <= all; mask += smp_count() > 4 ? 7 : 1)
		expect_ipi("logical", logical_of(mask), SMP_VEC | ASSERT | LOGICAL, mask);
	if (apic_mode() == APIC_X2APIC)
		expect_ipi("other cluster", 0x00070001, SMP_VEC | ASSERT | LOGICAL, 0);
	else if (smp_count() < 8)
		expect_ipi("logical, nobody", 0x80, SMP_VEC | ASSERT | LOGICAL, 0);
	EXPECT_TRUE(smp_end());
}

/* Clusters of two: CPU n is bit n % 2 of cluster n / 2. */
static void set_cluster(u64 unused)
{
	u32 i = smp_self();

	apic_write(APIC_DFR, APIC_DFR_CLUSTER);
	apic_write(APIC_LDR, (i / 2) << 28 | 1u << (24 + i % 2));
}

static void ipi_cluster(void)
{
	if (!smp_begin())
		return;
	set_cluster(0);
	for (u32 i = 1; i < smp_count(); i++)
		EXPECT_TRUE(smp_run(i, set_cluster, 0));
	REQUIRE(smp_all(smp_spin, 1));
	for (u32 i = 0; i < smp_count(); i++)
		expect_ipi("cluster", (i / 2) << 4 | 1u << i % 2, SMP_VEC | ASSERT | LOGICAL,
			   1u << i);
	expect_ipi("both of a cluster", 0x03, SMP_VEC | ASSERT | LOGICAL, 3);
	expect_ipi("nobody of a cluster", 0x0c, SMP_VEC | ASSERT | LOGICAL, 0);
	expect_ipi("no such cluster", 0x73, SMP_VEC | ASSERT | LOGICAL, 0);
	EXPECT_TRUE(smp_end());
}

static void ipi_broadcast(void)
{
	u32 dest = apic_mode() == APIC_X2APIC ? ~0u : 0xff;

	if (!ipi_begin())
		return;
	for (u32 i = 0; i < 5; i++) {
		expect_ipi("physical broadcast", dest, SMP_VEC | ASSERT, all_mask());
		expect_ipi("logical broadcast", dest, SMP_VEC | ASSERT | LOGICAL, all_mask());
	}
	EXPECT_TRUE(smp_end());
}

static void ipi_shorthands(void)
{
	if (!ipi_begin())
		return;
	for (u32 i = 0; i < 5; i++) {
		expect_ipi("self", 0, SMP_VEC | ASSERT | SHORT(APIC_SHORTHAND_SELF), 1);
		expect_ipi("all", 0, SMP_VEC | ASSERT | SHORT(APIC_SHORTHAND_ALL), all_mask());
		expect_ipi("others", 0, SMP_VEC | ASSERT | SHORT(APIC_SHORTHAND_OTHERS),
			   all_mask() & ~1u);
	}
	EXPECT_TRUE(smp_end());
}

static void send_shorthand(u64 shorthand)
{
	apic_icr(0, SMP_VEC | ASSERT | SHORT((u32)shorthand));
	sti_nop_cli();
}

/* From another CPU, too. */
static void ipi_from_others(void)
{
	if (!smp_begin())
		return;
	for (u32 cpu = 1; cpu < smp_count(); cpu++) {
		for (u32 i = 1; i < smp_count(); i++) {
			if (i != cpu)
				smp_call(i, smp_spin, 1);
		}
		sti();
		EXPECT_TRUE(smp_run(cpu, send_shorthand, APIC_SHORTHAND_OTHERS));
		EXPECT_TRUE(smp_run(cpu, send_shorthand, APIC_SHORTHAND_ALL));
		delay_us(SETTLE_US);
		cli();
		EXPECT_TRUE(smp_end());
		smp_quit = false;
		for (u32 i = 0; i < smp_count(); i++) {
			EXPECT_EQ(i == cpu ? 1 : 2, smp_hits[i]);
			smp_hits[i] = 0;
		}
	}
}

static u32 hits_total(void)
{
	u32 n = 0;

	for (u32 i = 0; i < smp_count(); i++)
		n += smp_hits[i];
	return n;
}

static void ipi_lowest(void)
{
	u32 all, low = SMP_VEC | LOWEST | LOGICAL;

	if (!ipi_begin())
		return;
	all = all_mask();
	sti();
	for (u32 mask = 1; mask <= all; mask += smp_count() > 4 ? 5 : 1) {
		u32 before[SMP_MAX], total = hits_total();

		for (u32 i = 0; i < smp_count(); i++)
			before[i] = smp_hits[i];
		apic_icr(logical_of(mask), low);
		EXPECT_TRUE(WAIT_FOR(hits_total() != total, 10000));
		delay_us(SETTLE_US);
		EXPECT_EQ(total + 1, hits_total());
		for (u32 i = 0; i < smp_count(); i++) {
			if ((mask >> i & 1) == 0)
				EXPECT_EQ(before[i], smp_hits[i]);
		}
	}
	cli();
	EXPECT_TRUE(smp_end());
}

static volatile u32 nmis[SMP_MAX], nmi_depth[SMP_MAX], nmi_deepest;
static volatile bool nmi_hold;

static void nmi_count(struct trap_regs *regs)
{
	u32 self = smp_self();

	if (++nmi_depth[self] > nmi_deepest)
		nmi_deepest = nmi_depth[self];
	nmis[self]++;
	for (u32 i = 0; nmi_hold && i < 10000000; i++)
		cpu_relax();
	nmi_depth[self]--;
}

static void nmi_begin(void)
{
	for (u32 i = 0; i < SMP_MAX; i++)
		nmis[i] = nmi_depth[i] = 0;
	nmi_deepest = 0;
	nmi_hold = false;
	trap_handle(EXC_NMI, nmi_count);
}

/* To each CPU, to all others; also into code that runs with IF = 0 and never exits. */
static void nmi_others(void)
{
	nmi_begin();
	if (!smp_begin())
		return;
	for (u32 interrupts = 0; interrupts < 2; interrupts++) {
		REQUIRE(smp_all(smp_spin, interrupts));
		for (u32 round = 0; round < 20; round++) {
			for (u32 i = 1; i < smp_count(); i++) {
				u32 before = nmis[i];

				apic_icr(smp_ids[i], NMI);
				EXPECT_TRUE(WAIT_FOR(nmis[i] == before + 1, 10000));
			}
		}
		apic_icr(0, NMI | SHORT(APIC_SHORTHAND_OTHERS));
		delay_us(SETTLE_US);
		for (u32 i = 1; i < smp_count(); i++)
			EXPECT_EQ(21 * (interrupts + 1), nmis[i]);
		EXPECT_EQ(0, nmis[0]);
		EXPECT_TRUE(smp_end());
		smp_quit = false;
	}
	EXPECT_EQ(1, nmi_deepest);
}

/* More NMIs while one is handled: one of them comes, after the IRET. */
static void nmi_blocked(void)
{
	nmi_begin();
	if (!smp_begin())
		return;
	REQUIRE(smp_all(smp_spin, 0));
	for (u32 round = 1; round <= 10; round++) {
		nmi_hold = true;
		apic_icr(smp_ids[1], NMI);
		EXPECT_TRUE(WAIT_FOR(nmis[1] == 2 * round - 1, 10000));
		apic_icr(smp_ids[1], NMI);
		apic_icr(smp_ids[1], NMI);
		delay_us(SETTLE_US);
		EXPECT_EQ(2 * round - 1, nmis[1]);
		nmi_hold = false;
		EXPECT_TRUE(WAIT_FOR(nmis[1] == 2 * round, 10000));
		delay_us(SETTLE_US);
		EXPECT_EQ(2 * round, nmis[1]);
	}
	EXPECT_EQ(1, nmi_deepest);
	EXPECT_TRUE(smp_end());
}

static volatile u32 irr_seen;

static void watch_irr(u64 unused)
{
	smp_beat[1]++;
	irr_seen = WAIT_FOR(apic_requested(SMP_VEC), 20000);
	irr_seen += smp_hits[1] == 0 && !apic_in_service(SMP_VEC);
	sti_nop_cli();
	irr_seen += smp_hits[1] == 1 && !apic_requested(SMP_VEC);
}

static void ipi_pending(void)
{
	if (!smp_begin())
		return;
	for (u32 i = 0; i < 10; i++) {
		irr_seen = 0;
		smp_hits[1] = 0;
		EXPECT_TRUE(call(1, watch_irr, 0));
		delay_us(i * 10);
		apic_icr(smp_ids[1], SMP_VEC | ASSERT);
		EXPECT_TRUE(smp_wait(1));
		EXPECT_EQ(3, irr_seen);
		EXPECT_EQ(1, smp_hits[1]);
	}
}

/* TPR of the target holds it back until the target lowers it. */
static void watch_tpr(u64 unused)
{
	apic_write(APIC_TPR, 0xf0);
	sti();
	smp_beat[1]++;
	(void)WAIT_FOR(apic_requested(SMP_VEC), 20000);
	irr_seen = smp_hits[1] == 0;
	apic_write(APIC_TPR, 0);
	asm volatile("nop; nop");
	cli();
	irr_seen += smp_hits[1] == 1;
}

static void ipi_tpr(void)
{
	if (!smp_begin())
		return;
	for (u32 i = 0; i < 10; i++) {
		smp_hits[1] = 0;
		EXPECT_TRUE(call(1, watch_tpr, 0));
		apic_icr(smp_ids[1], SMP_VEC | ASSERT);
		EXPECT_TRUE(smp_wait(1));
		EXPECT_EQ(2, irr_seen);
	}
}

/* No wake-up is lost, wherever around STI; HLT the interrupt comes. */
static void hlt_wakes(void)
{
	if (!smp_begin())
		return;
	REQUIRE(smp_all(halt_sti, 1));
	for (u32 round = 0; round < 300; round++) {
		for (u32 i = 1; i < smp_count(); i++) {
			u32 hits = smp_hits[i], beat = smp_beat[i];

			apic_icr(smp_ids[i], SMP_VEC | ASSERT);
			if (!WAIT_FOR(smp_hits[i] == hits + 1, 10000) ||
			    !WAIT_FOR(smp_beat[i] != beat, 10000)) {
				EXPECT_EQ(hits + 1, smp_hits[i]);
				EXPECT_EQ(0, round);
				return;
			}
		}
		for (u32 n = 0; n < round % 64; n++)
			cpu_relax();
	}
	smp_quit = true;
	apic_icr(0, SMP_VEC | ASSERT | SHORT(APIC_SHORTHAND_OTHERS));
	EXPECT_TRUE(smp_end());
}

/* CLI; HLT: an interrupt does not end it and stays pending, an NMI does. */
static void hlt_cli(void)
{
	nmi_begin();
	if (!smp_begin())
		return;
	for (u32 round = 1; round <= 5; round++) {
		u32 beat = smp_beat[1];

		smp_quit = false;
		EXPECT_TRUE(call(1, halt_sti, 0));
		apic_icr(smp_ids[1], SMP_VEC | ASSERT);
		delay_us(SETTLE_US);
		EXPECT_EQ(beat + 1, smp_beat[1]);
		apic_icr(smp_ids[1], NMI);
		EXPECT_TRUE(WAIT_FOR(smp_beat[1] == beat + 2, 10000));
		EXPECT_EQ(round, nmis[1]);
		EXPECT_EQ(round - 1, smp_hits[1]);
		smp_quit = true;
		delay_us(SETTLE_US);
		apic_icr(smp_ids[1], NMI);
		EXPECT_TRUE(smp_wait(1));
		nmis[1] = round;
		smp_quit = true;
		EXPECT_TRUE(smp_run(1, smp_spin, 1)); /* STI: here it comes */
		EXPECT_EQ(round, smp_hits[1]);
	}
}

static volatile u32 seen_esr;

static void send_illegal(u64 low)
{
	apic_write(APIC_ESR, 0);
	apic_write(APIC_ESR, 0);
	apic_icr(smp_ids[0], (u32)low);
	apic_write(APIC_ESR, 0);
	seen_esr = apic_read(APIC_ESR);
	apic_write(APIC_ESR, 0);
}

/* Vectors 0-15: the sender's ESR says so, nothing arrives. */
static void ipi_illegal(void)
{
	if (!smp_begin())
		return;
	for (u32 v = 0; v < 16; v += 5) {
		apic_write(APIC_ESR, 0);
		EXPECT_TRUE(smp_run(1, send_illegal, v | ASSERT));
		apic_write(APIC_ESR, 0);
		if (machine_is_kensho()) { /* the bare emulator logs nothing at the sender */
			EXPECT_EQ(APIC_ESR_SEND_ILLEGAL, seen_esr);
			EXPECT_EQ(0, apic_read(APIC_ESR));
		}
		EXPECT_TRUE(!apic_requested((u8)v));
	}
	EXPECT_TRUE(smp_run(1, send_illegal, SMP_VEC | ASSERT));
	EXPECT_EQ(0, seen_esr);
	sti_nop_cli();
	EXPECT_EQ(1, smp_hits[0]);
}

static void disable_svr(u64 unused)
{
	apic_write(APIC_SVR, SPURIOUS_VECTOR);
}

/* A software-disabled APIC takes no fixed interrupt, yet NMI, INIT and SIPI. */
static void ipi_disabled(void)
{
	nmi_begin();
	if (!smp_begin())
		return;
	if (!machine_is_kensho()) {
		test_skip("the bare emulator's disabled APIC accepts interrupts");
		return;
	}
	EXPECT_TRUE(smp_run(1, disable_svr, 0));
	EXPECT_TRUE(call(1, smp_spin, 1));
	apic_icr(smp_ids[1], SMP_VEC | ASSERT);
	apic_icr(smp_ids[1], NMI);
	EXPECT_TRUE(WAIT_FOR(nmis[1] == 1, 10000));
	delay_us(SETTLE_US);
	EXPECT_EQ(0, smp_hits[1]);
	EXPECT_TRUE(beats(1));
	EXPECT_TRUE(smp_restart(1));
}

/* --- device interrupts --- */

static void device_irq(struct trap_regs *regs)
{
	smp_hits[smp_self()]++;
	com1_irq_drop();
	apic_eoi();
}

static void expect_device(const char *what, u32 cpu)
{
	u32 before = smp_hits[cpu], total = hits_total();

	sti();
	com1_irq_raise();
	(void)WAIT_FOR(smp_hits[cpu] != before, 20000);
	delay_us(20);
	cli();
	com1_irq_drop();
	if (smp_hits[cpu] != before + 1 || hits_total() != total + 1)
		test_expect(false, "wanted by CPU", what, hits_total() - total, cpu, __FILE__,
			    __LINE__);
}

/*
 * Logical destinations in xAPIC mode only: in x2APIC mode Bochs 2.7 still compares them with the
 * LDR of xAPIC mode, and nobody uses them without interrupt remapping.
 */
static void device_to_each(void)
{
	if (!ipi_begin())
		return;
	trap_handle(0x63, device_irq);
	for (u32 level = 0; level < 2; level++) {
		u32 low = 0x63 | (level != 0 ? IOAPIC_RTE_LEVEL : 0);

		for (u32 round = 0; round < 3; round++) {
			for (u32 i = 0; i < smp_count(); i++) {
				ioapic_route(IOAPIC_PIN_COM1, low, smp_ids[i]);
				expect_device("physical", i);
				if (apic_mode() == APIC_X2APIC)
					continue;
				ioapic_route(IOAPIC_PIN_COM1, low | BIT32(11), 1u << i);
				expect_device("logical", i);
			}
		}
	}
	EXPECT_TRUE(smp_end());
}

/* Periodic interrupts move from CPU to CPU while they come: by ID, then by logical destination. */
static void device_moves(void)
{
	if (!ipi_begin())
		return;
	pit_periodic(1193);
	sti();
	for (u32 i = 0; i < 4 * smp_count(); i++) {
		u32 cpu = i % smp_count(), before;
		bool logical = i >= 2 * smp_count();

		if (logical && apic_mode() == APIC_X2APIC)
			break;
		if (logical)
			ioapic_route(IOAPIC_PIN_PIT, SMP_VEC | BIT32(11), 1u << cpu);
		else
			ioapic_route(IOAPIC_PIN_PIT, SMP_VEC, smp_ids[cpu]);
		delay_us(20);
		smp_hits[cpu] = 0;
		before = hits_total();
		EXPECT_TRUE(WAIT_FOR(smp_hits[cpu] >= 5, 50000));
		EXPECT_LE(hits_total() - before, smp_hits[cpu] + 1);
	}
	pit_stop();
	cli();
	EXPECT_TRUE(smp_end());
}

static void device_lowest(void)
{
	u32 total;

	if (!ipi_begin())
		return;
	ioapic_route(IOAPIC_PIN_PIT, SMP_VEC | BIT32(11) | 0x100, all_mask());
	sti();
	for (u32 i = 0; i < 5; i++) {
		total = hits_total();
		pit_oneshot(300);
		EXPECT_TRUE(WAIT_FOR(hits_total() != total, 20000));
		delay_us(SETTLE_US);
		EXPECT_EQ(total + 1, hits_total());
	}
	cli();
	EXPECT_TRUE(smp_end());
}

static void device_wakes_hlt(void)
{
	if (!smp_begin())
		return;
	REQUIRE(smp_all(halt_sti, 1));
	for (u32 i = 1; i < smp_count(); i++) {
		ioapic_route(IOAPIC_PIN_PIT, SMP_VEC, smp_ids[i]);
		for (u32 n = 1; n <= 5; n++) {
			pit_oneshot(500);
			EXPECT_TRUE(WAIT_FOR(smp_hits[i] == n, 20000));
		}
	}
	smp_quit = true;
	apic_icr(0, SMP_VEC | ASSERT | SHORT(APIC_SHORTHAND_OTHERS));
	EXPECT_TRUE(smp_end());
}

/* --- modes --- */

static volatile u32 mode_ok;

static bool has_x2apic(void)
{
	return (cpuid(1).c & CPUID1_ECX_X2APIC) != 0;
}

static void cycle_modes(u64 last)
{
	u32 id = apic_id(), ok = 1;

	ok &= apic_enter(APIC_OFF);
	ok &= apic_enter(APIC_XAPIC);
	ok &= apic_id() == id;
	if (has_x2apic()) {
		ok &= apic_enter(APIC_X2APIC);
		ok &= apic_id() == id && apic_read(APIC_LDR) == x2apic_ldr(id);
	}
	ok &= apic_enter((enum apic_mode)last);
	ok &= apic_id() == id;
	apic_write(APIC_SVR, APIC_SVR_ENABLE | SPURIOUS_VECTOR);
	mode_ok = ok;
}

static void check_all_reached(u32 low)
{
	REQUIRE(smp_all(smp_spin, 1));
	for (u32 i = 0; i < smp_count(); i++)
		expect_ipi("after the switch", smp_ids[i], low | ASSERT, 1u << i);
	expect_ipi("all", 0, low | ASSERT | SHORT(APIC_SHORTHAND_ALL), all_mask());
	EXPECT_TRUE(smp_end());
	smp_quit = false;
}

/* Every CPU through all modes; at the end of each round IPIs reach everybody. */
static void modes_all(void)
{
	enum apic_mode old = apic_mode();

	if (!smp_begin())
		return;
	for (u32 round = 0; round < 4; round++) {
		enum apic_mode last = round % 2 == 0 && has_x2apic() ? APIC_X2APIC : APIC_XAPIC;

		cycle_modes(last);
		EXPECT_EQ(1, mode_ok);
		for (u32 i = 1; i < smp_count(); i++) {
			mode_ok = 0;
			EXPECT_TRUE(smp_run(i, cycle_modes, last));
			EXPECT_EQ(1, mode_ok);
		}
		check_all_reached(SMP_VEC);
	}
	apic_enter(old);
}

static void apic_off(u64 unused)
{
	apic_enter(APIC_OFF);
	smp_spin(1);
	apic_enter(APIC_XAPIC);
	mode_ok = apic_id() == smp_ids[smp_self()] && !apic_requested(SMP_VEC);
	apic_write(APIC_SVR, APIC_SVR_ENABLE | SPURIOUS_VECTOR);
	sti_nop_cli();
}

/* A disabled APIC is not on the bus: no IPI, no NMI, no INIT; enabled again it is. */
static void disabled_ap(void)
{
	nmi_begin();
	if (!smp_begin())
		return;
	EXPECT_TRUE(call(1, apic_off, 0));
	apic_icr(smp_ids[1], SMP_VEC | ASSERT);
	apic_icr(smp_ids[1], NMI);
	apic_icr(0, SMP_VEC | ASSERT | SHORT(APIC_SHORTHAND_OTHERS));
	delay_us(SETTLE_US);
	EXPECT_TRUE(beats(1));
	EXPECT_EQ(0, nmis[1] | smp_hits[1]);
	smp_quit = true;
	EXPECT_TRUE(smp_wait(1));
	EXPECT_EQ(1, mode_ok);
	EXPECT_EQ(0, nmis[1] | smp_hits[1]);
	smp_quit = false;
	EXPECT_TRUE(smp_start());
	check_all_reached(SMP_VEC);
}

/* --- the end of all CPUs at once: one per run, the runner judges the report --- */

static void triple_fault(void)
{
	struct {
		u16 limit;
		u64 base;
	} PACKED idt = { 0 };

	asm volatile("lidt %0; ud2" : : "m"(idt));
}

static volatile u32 at_the_edge;

static void crash_together(u64 unused)
{
	__atomic_add_fetch(&at_the_edge, 1, __ATOMIC_ACQ_REL);
	while (LOAD_ACQUIRE(at_the_edge) != smp_count())
		cpu_relax();
	triple_fault();
}

static void crash_all(void)
{
	if (!smp_begin())
		return;
	for (u32 i = 1; i < smp_count(); i++)
		smp_call(i, crash_together, 0);
	tap_printf("# crashing\n");
	crash_together(0);
}

/* Says again and again that it is alive; CPU 1 and 2 do, with either IF. */
static void chatter(u64 interrupts)
{
	if (interrupts)
		sti();
	for (;;) {
		smp_beat[smp_self()]++;
		outb(0x3f8, '.');
	}
}

/* The others run with IF = 0 and 1, sleep, and wait for a SIPI. */
static void crash_one(void)
{
	if (!smp_begin())
		return;
	REQUIRE(smp_count() >= 5);
	smp_call(3, halt_sti, 1);
	smp_call(4, halt_sti, 0);
	for (u32 i = 5; i < smp_count(); i++)
		smp_send_init(i);
	tap_printf("# crashing\n");
	EXPECT_TRUE(call(1, chatter, 0));
	EXPECT_TRUE(call(2, chatter, 1));
	delay_us(SETTLE_US);
	triple_fault();
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
		{ .name = prefix "wait_sipi_deaf", .run = wait_sipi_deaf, .flags = more },       \
		{ .name = prefix "ipi_physical", .run = ipi_physical, .flags = more },           \
		{ .name = prefix "ipi_broadcast", .run = ipi_broadcast, .flags = more },         \
		{ .name = prefix "ipi_shorthands", .run = ipi_shorthands, .flags = more },       \
		{ .name = prefix "ipi_from_others", .run = ipi_from_others, .flags = more },     \
		{ .name = prefix "ipi_pending", .run = ipi_pending, .flags = more },             \
		{ .name = prefix "ipi_tpr", .run = ipi_tpr, .flags = more },                     \
		{ .name = prefix "ipi_illegal", .run = ipi_illegal, .flags = more },             \
		{ .name = prefix "ipi_disabled", .run = ipi_disabled, .flags = more },           \
		{ .name = prefix "nmi_others", .run = nmi_others, .flags = more },               \
		{ .name = prefix "nmi_blocked", .run = nmi_blocked, .flags = more },             \
		{ .name = prefix "hlt_wakes", .run = hlt_wakes, .flags = more },                 \
		{ .name = prefix "hlt_cli", .run = hlt_cli, .flags = more },                     \
		{ .name = prefix "device_to_each", .run = device_to_each, .flags = more },       \
		{ .name = prefix "device_moves", .run = device_moves, .flags = more },           \
	{                                                                                        \
		.name = prefix "device_wakes_hlt", .run = device_wakes_hlt, .flags = more        \
	}

static const struct test t_smp_tests[] = {
	BOTH("smp_", 0),
	{ .name = "smp_ipi_logical", .run = ipi_logical },
	{ .name = "smp_ipi_lowest", .run = ipi_lowest },
	{ .name = "smp_x2_ipi_logical",
	  .run = ipi_logical,
	  .flags = T_X2APIC | T_BOCHS,
	  .why = "Bochs 2.7 compares logical destinations with the LDR of xAPIC mode" },
	{ .name = "smp_x2_ipi_lowest",
	  .run = ipi_lowest,
	  .flags = T_X2APIC | T_BOCHS,
	  .why = "Bochs 2.7 compares logical destinations with the LDR of xAPIC mode" },
	{ .name = "smp_ipi_cluster", .run = ipi_cluster },
	{ .name = "smp_device_lowest", .run = device_lowest },
	{ .name = "smp_modes_all", .run = modes_all, .flags = T_KENSHO },
	{ .name = "smp_disabled_ap", .run = disabled_ap, .flags = T_KENSHO },
	BOTH("smp_x2_", T_X2APIC),
	{ .name = "crash_smp_all", .run = crash_all, .flags = T_SOLO },
	{ .name = "crash_smp_one", .run = crash_one, .flags = T_SOLO },
};
TEST_GROUP(t_smp);
