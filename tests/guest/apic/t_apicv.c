// SPDX-License-Identifier: BSD-2-Clause
// Who delivers, the CPU or software, changes while interrupts are in service and pending: by the
// SVR, and by CLI; HLT. With apicv=off these are tests of the same rules without a change.

#include "arch/x86/defs/vector.h"
#include "core/lib/bits.h"
#include "tests/guest/groups.h"
#include "tests/guest/lib/apic.h"
#include "tests/guest/lib/platform.h"
#include "tests/guest/smp/ipi.h"
#include "tests/guest/smp/t_smp.h"

#define ROUNDS    300
#define DEPTH_MAX 4

static const u8 vectors[] = {
	0x41, 0x42, 0x4f, 0x52, 0x61, 0x63, 0x78, 0x91, 0x92, 0xa0, 0xc5, 0xe1
};

static bool pending[256]; /* our own book of the IRR */
static u8 in_service[16]; /* and of the ISR, innermost last */
static u32 depth, raised, handled, switched, random_state;
static bool accepting; /* SVR bit 8 */

static u32 random(u32 limit)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 17;
	random_state ^= random_state << 5;
	return random_state % limit;
}

static void raise_some(u32 max)
{
	for (u32 n = random(max + 1); n > 0; n--) {
		u8 vector = vectors[random(ARRAY_SIZE(vectors))];

		apic_self_ipi(vector);
		if (!accepting || pending[vector])
			continue; /* refused, or merged */
		pending[vector] = true;
		raised++;
	}
}

static void toggle(void)
{
	if (random(2))
		return;
	accepting = !accepting;
	apic_write(APIC_SVR, SPURIOUS_VECTOR | (accepting ? APIC_SVR_ENABLE : 0));
	switched++;
}

static void check_book(void)
{
	for (u32 i = 0; i < ARRAY_SIZE(vectors); i++) {
		u8 v = vectors[i];
		bool served = false;

		for (u32 d = 0; d < depth; d++)
			served |= in_service[d] == v;
		EXPECT_AT(apic_requested(v) == pending[v] && apic_in_service(v) == served,
			  "vector 0x%x, in the book IRR %u, ISR %u", v, pending[v], served);
	}
}

static void handler(struct trap_regs *regs)
{
	u8 vector = (u8)regs->vector;

	for (u32 v = vector + 1u; v < 256; v++)
		EXPECT_AT(!pending[v], "vector 0x%x comes before 0x%x", vector, v);
	EXPECT_TRUE(pending[vector]);
	EXPECT_TRUE(depth == 0 || vector >> 4 > in_service[depth - 1] >> 4);
	pending[vector] = false;
	in_service[depth++] = vector;
	handled++;
	raise_some(depth < DEPTH_MAX ? 2 : 0);
	toggle();
	check_book();
	sti_nop_cli();
	toggle();
	apic_eoi();
	depth--;
	check_book();
	toggle();
}

/*
 * SDM "Local APIC State After It Has Been Software Disabled": what is in the IRR and the ISR is
 * held; the CPU handles it. New interrupts are refused.
 */
static void svr(void)
{
	for (u32 i = 0; i < ARRAY_SIZE(vectors); i++)
		trap_handle(vectors[i], handler);
	depth = raised = handled = switched = 0;
	random_state = 0x2545f491;
	accepting = true;
	for (u32 round = 0; round < ROUNDS && !test_failed(); round++) {
		raise_some(4);
		toggle();
		check_book();
		sti_nop_cli();
		toggle();
		check_book();
		sti_nop_cli();
		EXPECT_EQ(raised, handled);
		EXPECT_EQ(0, depth);
	}
	tap_printf("# %u handled, SVR changed %u times\n", handled, switched);
	EXPECT_GE(handled, ROUNDS);
	EXPECT_GE(switched, ROUNDS);
	apic_write(APIC_SVR, SPURIOUS_VECTOR | APIC_SVR_ENABLE);
}

/* --- CLI; HLT --- */

#define VEC_OUTER 0x45 /* its handler executes CLI; HLT */

static volatile u32 nmis;
static volatile u32 order; /* vectors as they came, a byte each, while VEC_OUTER is in service */
static volatile u32 order_after;
static volatile bool entered, served;

static void count_nmi(struct trap_regs *regs)
{
	nmis++;
}

static void note(struct trap_regs *regs)
{
	if (served)
		order_after = order_after << 8 | (u8)regs->vector;
	else
		order = order << 8 | (u8)regs->vector;
	apic_eoi();
}

static void outer(struct trap_regs *regs)
{
	u32 nmis_before = nmis;

	order = order_after = 0;
	served = false;
	entered = true;
	while (nmis == nmis_before)
		asm volatile("hlt" : : : "memory");
	EXPECT_EQ(0, order | order_after);
	EXPECT_TRUE(apic_in_service(VEC_OUTER));
	EXPECT_TRUE(apic_requested(0x62) && apic_requested(0x61) && apic_requested(0x43));
	sti_nop_cli();
	EXPECT_EQ(0x6261, order); /* the higher class nests, the others wait for the EOI */
	EXPECT_TRUE(!apic_requested(0x62) && !apic_requested(0x61) && apic_requested(0x43));
	served = true;
	apic_eoi();
	sti_nop_cli();
	EXPECT_EQ(0x4342, order_after);
	smp_beat[1]++;
}

/* One vector in service and four pending, while CLI; HLT waits for an NMI. */
static void cli_hlt(void)
{
	static const u8 sent[] = { 0x42, 0x62, 0x43, 0x61 };

	trap_handle(EXC_NMI, count_nmi);
	trap_handle(VEC_OUTER, outer);
	for (u32 i = 0; i < ARRAY_SIZE(sent); i++)
		trap_handle(sent[i], note);
	if (!smp_begin())
		return;
	nmis = 0;
	for (u32 round = 0; round < 20 && !test_failed(); round++) {
		u32 beat;

		smp_quit = entered = false;
		smp_call(1, smp_spin, 1);
		beat = smp_beat[1];
		REQUIRE(WAIT_FOR(smp_beat[1] != beat, 20000));
		apic_icr(smp_ids[1], VEC_OUTER | ASSERT);
		REQUIRE(WAIT_FOR(entered, 20000));
		for (u32 i = 0; i < ARRAY_SIZE(sent); i++) {
			delay_us(round % 2 ? SETTLE_US : 0); /* asleep already, or on its way */
			apic_icr(smp_ids[1], sent[i] | ASSERT);
		}
		delay_us(2 * SETTLE_US);
		beat = smp_beat[1];
		delay_us(SETTLE_US);
		EXPECT_EQ(beat, smp_beat[1]);
		apic_icr(smp_ids[1], NMI);
		EXPECT_TRUE(WAIT_FOR(smp_beat[1] != beat, 20000));
		smp_quit = true;
		EXPECT_TRUE(smp_wait(1));
		EXPECT_EQ(round + 1, nmis);
	}
}

static const struct test t_apicv_tests[] = {
	{ .name = "apicv_svr", .run = svr, .flags = T_KENSHO },
	{ .name = "apicv_x2_svr", .run = svr, .flags = T_KENSHO | T_X2APIC },
	{ .name = "smp_apicv_cli_hlt", .run = cli_hlt },
	{ .name = "smp_x2_apicv_cli_hlt", .run = cli_hlt, .flags = T_X2APIC },
};
TEST_GROUP(t_apicv);
