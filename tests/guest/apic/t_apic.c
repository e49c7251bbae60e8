// SPDX-License-Identifier: BSD-2-Clause
// Local APIC: registers, priorities, IPIs to oneself. Tests named apic_x2_* run in x2APIC mode.

#include "arch/x86/defs/apic.h"

#include "arch/x86/defs/vector.h"
#include "core/lib/bits.h"
#include "tests/guest/groups.h"
#include "tests/guest/lib/apic.h"
#include "tests/guest/lib/cpu.h"

static void apic_id_version(void)
{
	u32 version = apic_read(APIC_VERSION);

	EXPECT_GE(version & 0xff, 0x10);
	EXPECT_LE(version & 0xff, 0x15);
	EXPECT_GE((version >> 16) & 0xff, 5);
	EXPECT_EQ(cpuid2(0xb, 0).d, apic_id());
	EXPECT_NE(0, rdmsr(MSR_IA32_APIC_BASE) & APIC_BASE_BSP);
}

static void apic_read_only(void)
{
	static const u16 regs[] = { APIC_VERSION, APIC_PPR, APIC_ISR, APIC_TMR, APIC_IRR };

	for (u32 i = 0; i < ARRAY_SIZE(regs); i++) {
		u32 val = apic_read(regs[i]);

		apic_write(regs[i], ~val);
		EXPECT_EQ(val, apic_read(regs[i]));
	}
}

/* Reserved bits read as zero in xAPIC mode whatever is written. */
static void apic_lvt_bits(void)
{
	static const struct {
		u16 reg;
		u32 may;
	} rows[] = {
		{ APIC_LVT_TIMER, 0x710ff }, { APIC_LVT_THERMAL, 0x117ff },
		{ APIC_LVT_PERF, 0x117ff },  { APIC_LVT_LINT0, 0x1f7ff },
		{ APIC_LVT_LINT1, 0x1f7ff }, { APIC_LVT_ERROR, 0x110ff },
	};

	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		apic_write(rows[i].reg, 0xffffffff);
		EXPECT_EQ(0, apic_read(rows[i].reg) & ~rows[i].may);
		EXPECT_EQ(0x100ff, apic_read(rows[i].reg) & 0x100ff);
		apic_write(rows[i].reg, APIC_LVT_MASKED | 0x31);
		EXPECT_EQ(APIC_LVT_MASKED | 0x31, apic_read(rows[i].reg));
	}
}

static void apic_tpr_ppr(void)
{
	for (u32 tpr = 0; tpr < 256; tpr += 0x11) {
		apic_write(APIC_TPR, tpr);
		EXPECT_EQ(tpr, apic_read(APIC_TPR));
		EXPECT_EQ(tpr, apic_read(APIC_PPR));
		EXPECT_EQ(tpr >> 4, read_cr8());
	}
}

/* SVR.enable = 0 masks the LVTs and keeps them masked; nothing fixed is accepted. */
static void apic_software_disable(void)
{
	apic_write(APIC_LVT_ERROR, 0x40);
	EXPECT_EQ(0x40, apic_read(APIC_LVT_ERROR));
	apic_write(APIC_SVR, SPURIOUS_VECTOR);
	EXPECT_EQ(SPURIOUS_VECTOR, apic_read(APIC_SVR));
	EXPECT_EQ(0x40 | APIC_LVT_MASKED, apic_read(APIC_LVT_ERROR));
	apic_write(APIC_LVT_ERROR, 0x41);
	EXPECT_EQ(0x41 | APIC_LVT_MASKED, apic_read(APIC_LVT_ERROR));
	if (machine_is_kensho()) { /* the bare emulator accepts it */
		apic_self_ipi(0x50);
		EXPECT_TRUE(!apic_requested(0x50));
	}
	apic_write(APIC_SVR, APIC_SVR_ENABLE | SPURIOUS_VECTOR);
	EXPECT_EQ(0x41 | APIC_LVT_MASKED, apic_read(APIC_LVT_ERROR));
	apic_write(APIC_LVT_ERROR, 0x41);
	EXPECT_EQ(0x41, apic_read(APIC_LVT_ERROR));
}

static void apic_logical_destination(void)
{
	apic_write(APIC_LDR, 0xffffffff);
	EXPECT_EQ(0xff000000, apic_read(APIC_LDR));
	apic_write(APIC_LDR, 0x04ffffff & 0xff000000);
	EXPECT_EQ(0x04000000, apic_read(APIC_LDR));
	apic_write(APIC_DFR, 0x0fffffff);
	EXPECT_EQ(0x0fffffff, apic_read(APIC_DFR));
	apic_write(APIC_DFR, 0xf0000000);
	EXPECT_EQ(0xffffffff, apic_read(APIC_DFR));
}

static void ipi_expect(const char *what, u32 dest, u32 low, u32 count)
{
	irq_log_count = 0;
	sti();
	apic_icr(dest, low);
	asm volatile("nop; nop");
	cli();
	test_expect(irq_log_count == count, "interrupts wanted", what, irq_log_count, count,
		    __FILE__, __LINE__);
}

static void apic_ipi_destinations(void)
{
	u32 me = apic_id(), logical = BIT32(11), assert = APIC_ICR_ASSERT;
	bool x2 = apic_mode() == APIC_X2APIC;
	u32 mine = x2 ? x2apic_ldr(me) : 1;

	ipi_expect("self shorthand", 0, 0x50 | 1 << 18 | assert, 1);
	ipi_expect("all including self", 0, 0x50 | 2 << 18 | assert, 1);
	ipi_expect("all but self", 0, 0x50 | 3 << 18 | assert, 0);
	ipi_expect("physical", me, 0x50 | assert, 1);
	ipi_expect("physical, nobody", me + 77, 0x50 | assert, 0);
	ipi_expect("physical broadcast", x2 ? 0xffffffff : 0xff, 0x50 | assert, 1);
	ipi_expect("logical", mine, 0x50 | logical | assert, 1);
	ipi_expect("logical, nobody", x2 ? 0x00010002 : 0x80, 0x50 | logical | assert, 0);
	ipi_expect("lowest priority", mine, 0x150 | logical | assert, 1);
	if (!x2) {
		apic_write(APIC_DFR, APIC_DFR_CLUSTER);
		apic_write(APIC_LDR, 0x24000000);
		ipi_expect("cluster", 0x26, 0x50 | logical | assert, 1);
		ipi_expect("other cluster", 0x34, 0x50 | logical | assert, 0);
		ipi_expect("other in cluster", 0x21, 0x50 | logical | assert, 0);
		ipi_expect("cluster broadcast", 0xff, 0x50 | logical | assert, 1);
	}
}

static void apic_icr_readback(void)
{
	apic_icr(0, 0x50 | 1 << 18 | APIC_ICR_ASSERT);
	/* the bare emulator does not store an x2APIC mode ICR */
	if (machine_is_kensho() || apic_mode() == APIC_XAPIC)
		EXPECT_EQ(0x50 | 1 << 18 | APIC_ICR_ASSERT, apic_read(APIC_ICR));
	EXPECT_EQ(0, apic_read(APIC_ICR) & APIC_ICR_PENDING);
	sti_nop_cli();
	EXPECT_EQ(1, irq_log_count);
}

/* IF = 0: three vectors wait, then come highest first. */
static void apic_priority_order(void)
{
	apic_self_ipi(0x51);
	apic_self_ipi(0x71);
	apic_self_ipi(0x61);
	apic_self_ipi(0x61); /* merges */
	apic_self_ipi(0x62);
	EXPECT_TRUE(apic_requested(0x51) && apic_requested(0x61) && apic_requested(0x71));
	sti();
	asm volatile("nop; nop");
	cli();
	EXPECT_EQ(4, irq_log_count);
	EXPECT_EQ(0x71626151, irq_log[0] << 24 | irq_log[1] << 16 | irq_log[2] << 8 | irq_log[3]);
	EXPECT_TRUE(!apic_requested(0x51) && !apic_in_service(0x51));
}

static u8 nest_log[16];
static u32 nest_count;

static void nest_note(u8 what)
{
	if (nest_count < sizeof(nest_log))
		nest_log[nest_count] = what;
	nest_count++;
}

/* 0x51: raises 0x61 (nests), 0x52 (same class: waits), 0x41 (lower: waits); then EOI. */
static void nest_outer(struct trap_regs *regs)
{
	nest_note(0x51);
	EXPECT_TRUE(apic_in_service(0x51));
	EXPECT_EQ(0x50, apic_read(APIC_PPR));
	apic_self_ipi(0x61);
	apic_self_ipi(0x52);
	apic_self_ipi(0x41);
	sti();
	asm volatile("nop; nop");
	cli();
	nest_note(0xe1);
	EXPECT_TRUE(apic_requested(0x52) && apic_requested(0x41));
	apic_eoi();
	EXPECT_TRUE(!apic_in_service(0x51));
	nest_note(0xe2);
}

static void nest_inner(struct trap_regs *regs)
{
	nest_note((u8)regs->vector);
	if (regs->vector == 0x61) {
		EXPECT_TRUE(apic_in_service(0x51) && apic_in_service(0x61));
		EXPECT_EQ(0x60, apic_read(APIC_PPR));
	}
	apic_eoi();
	if (regs->vector == 0x61) {
		EXPECT_TRUE(apic_in_service(0x51) && !apic_in_service(0x61));
		EXPECT_EQ(0x50, apic_read(APIC_PPR));
	}
}

static void apic_nesting(void)
{
	static const u8 want[] = { 0x51, 0x61, 0xe1, 0xe2, 0x52, 0x41 };

	nest_count = 0;
	trap_handle(0x51, nest_outer);
	trap_handle(0x52, nest_inner);
	trap_handle(0x61, nest_inner);
	trap_handle(0x41, nest_inner);
	sti();
	apic_self_ipi(0x51);
	asm volatile("nop; nop; nop");
	cli();
	EXPECT_EQ(ARRAY_SIZE(want), nest_count);
	for (u32 i = 0; i < ARRAY_SIZE(want); i++)
		EXPECT_EQ(want[i], nest_log[i]);
	EXPECT_EQ(0, apic_read(APIC_PPR));
}

static u32 again_count;

static void again_handler(struct trap_regs *regs)
{
	if (again_count++ == 0) {
		apic_self_ipi(0x51); /* latched while in service */
		apic_self_ipi(0x51);
		EXPECT_TRUE(apic_requested(0x51) && apic_in_service(0x51));
	}
	apic_eoi();
}

static void apic_latch_in_service(void)
{
	again_count = 0;
	trap_handle(0x51, again_handler);
	sti();
	apic_self_ipi(0x51);
	asm volatile("nop; nop; nop");
	cli();
	EXPECT_EQ(2, again_count);
}

/* EOI with nothing in service is harmless. */
static void apic_eoi_idle(void)
{
	apic_eoi();
	apic_eoi();
	apic_self_ipi(0x50);
	apic_eoi(); /* pending, not in service: stays */
	EXPECT_TRUE(apic_requested(0x50));
	sti_nop_cli();
	EXPECT_EQ(1, irq_log_count);
}

static void apic_all_vectors(void)
{
	for (u32 v = 32; v < 255; v++) {
		irq_log_count = 0;
		if (v == USER_EXIT_VECTOR)
			continue;
		apic_self_ipi((u8)v);
		EXPECT_AT(apic_requested((u8)v), "vector 0x%x", v);
		sti_nop_cli();
		EXPECT_AT(irq_log_count == 1 && irq_log[0] == v, "vector 0x%x", v);
	}
}

/* Vectors 0-15 are illegal: ESR says so and the error LVT fires. */
static void apic_illegal_vector(void)
{
	apic_write(APIC_LVT_ERROR, 0x45);
	apic_write(APIC_ESR, 0);
	irq_log_count = 0;
	apic_icr(0, 0x0f | 1 << 18 | APIC_ICR_ASSERT);
	sti_nop_cli();
	if (machine_is_kensho()) /* the bare emulator has no error interrupt */
		EXPECT_EQ(1, irq_count(0x45));
	apic_write(APIC_ESR, 0);
	EXPECT_NE(0, apic_read(APIC_ESR) & (APIC_ESR_SEND_ILLEGAL | APIC_ESR_RECEIVE_ILLEGAL));
	apic_write(APIC_ESR, 0);
	EXPECT_EQ(0, apic_read(APIC_ESR));
}

static void apic_reserved_register(void)
{
	apic_write(APIC_ESR, 0);
	(void)apic_read(0x040);
	apic_write(APIC_ESR, 0);
	EXPECT_EQ(APIC_ESR_ILLEGAL_REGISTER, apic_read(APIC_ESR));
	apic_write(APIC_ESR, 0);
	EXPECT_EQ(0, apic_read(APIC_ESR));
}

static u32 hot_count;

static void hot_irq(struct trap_regs *regs)
{
	hot_count++;
	apic_eoi();
}

/*
 * TPR and EOI a thousand times: the runner looks at the exits by reason, which are none with
 * apicv=on. Solo, for other tests would add theirs.
 */
static void apic_tpr_eoi(void)
{
	trap_handle(0x55, hot_irq);
	hot_count = 0;
	sti();
	for (u32 i = 0; i < 1000; i++) {
		apic_write(APIC_TPR, 0x20);
		EXPECT_EQ(0x20, apic_read(APIC_TPR));
		apic_write(APIC_TPR, 0);
		if (i % 100 == 0)
			apic_self_ipi(0x55); /* its EOI is one of the thousand */
		else
			apic_eoi();
	}
	cli();
	EXPECT_EQ(10, hot_count);
}

/* As before an IPI by ID: one was sent, then the destination. The exits are the runner's again. */
static void apic_icr_halves(void)
{
	for (u32 i = 0; i < 1000; i++) {
		EXPECT_EQ(0, apic_read(APIC_ICR) & APIC_ICR_PENDING);
		apic_write(APIC_ICR2, i << 24);
	}
	EXPECT_EQ((999u & 0xff) << 24, apic_read(APIC_ICR2));
}

#define BOTH(prefix, more)                                                                      \
	{ .name = prefix "id_version", .run = apic_id_version, .flags = more },                 \
		{ .name = prefix "tpr_ppr", .run = apic_tpr_ppr, .flags = more },               \
		{ .name = prefix "software_disable",                                            \
		  .run = apic_software_disable,                                                 \
		  .flags = more },                                                              \
		{ .name = prefix "ipi_destinations",                                            \
		  .run = apic_ipi_destinations,                                                 \
		  .flags = more },                                                              \
		{ .name = prefix "icr_readback", .run = apic_icr_readback, .flags = more },     \
		{ .name = prefix "priority_order", .run = apic_priority_order, .flags = more }, \
		{ .name = prefix "nesting", .run = apic_nesting, .flags = more },               \
		{ .name = prefix "latch_in_service",                                            \
		  .run = apic_latch_in_service,                                                 \
		  .flags = more },                                                              \
		{ .name = prefix "eoi_idle", .run = apic_eoi_idle, .flags = more },             \
		{ .name = prefix "all_vectors", .run = apic_all_vectors, .flags = more },       \
	{                                                                                       \
		.name = prefix "illegal_vector", .run = apic_illegal_vector, .flags = more      \
	}

static const struct test t_apic_tests[] = {
	BOTH("apic_", 0),
	{ .name = "apic_read_only", .run = apic_read_only },
	{ .name = "apic_lvt_bits", .run = apic_lvt_bits },
	{ .name = "apic_logical_destination", .run = apic_logical_destination },
	{ .name = "apic_reserved_register", .run = apic_reserved_register },
	BOTH("apic_x2_", T_X2APIC),
	{ .name = "apic_tpr_eoi", .run = apic_tpr_eoi, .flags = T_SOLO },
	{ .name = "apic_icr_halves", .run = apic_icr_halves, .flags = T_SOLO },
	{ .name = "apic_x2_tpr_eoi", .run = apic_tpr_eoi, .flags = T_SOLO | T_X2APIC },
};
TEST_GROUP(t_apic);
