// SPDX-License-Identifier: BSD-2-Clause
// Several CPUs: rings and floods of IPIs, in which none may be lost.

#include "core/lib/bits.h"
#include "tests/guest/groups.h"
#include "tests/guest/lib/apic.h"
#include "tests/guest/lib/platform.h"
#include "tests/guest/smp/ipi.h"
#include "tests/guest/smp/t_smp.h"

/* --- rings: each interrupt is passed on by its handler, so none may be lost or doubled --- */

#define RING_VEC  0x57 /* upwards; + 0x10: downwards */
#define RING_HOPS 2000u

static volatile u32 hops[2];

static void ring_send(u32 down)
{
	u32 n = smp_count(), to = (smp_self() + (down != 0 ? n - 1 : 1)) % n;

	apic_icr(smp_ids[to], RING_VEC + down * 0x10 + ASSERT);
}

static void ring_irq(struct trap_regs *regs)
{
	u32 down = regs->vector != RING_VEC;

	smp_hits[smp_self()]++;
	apic_eoi();
	if (__atomic_add_fetch(&hops[down], 1, __ATOMIC_RELAXED) < RING_HOPS)
		ring_send(down);
}

/* What CPU n does while it waits: spin, exit all the time, halt. */
static void ring_wait(u64 kind)
{
	while (!smp_quit) {
		if (kind == 2) {
			sti_hlt_cli();
			continue;
		}
		sti();
		if (kind == 1)
			(void)cpuid(0);
		cpu_relax();
		cli();
	}
}

/* Only ends a HLT. */
static void wake_irq(struct trap_regs *regs)
{
	apic_eoi();
}

static void ring_run(u32 both, u32 kinds)
{
	u32 total = 0, want = RING_HOPS * (both + 1);

	for (u32 i = 0; i < smp_count(); i++)
		smp_hits[i] = 0;
	hops[0] = hops[1] = 0;
	smp_quit = false;
	for (u32 i = 1; i < smp_count(); i++)
		smp_call(i, ring_wait, (kinds + i) % 3);
	ring_send(0);
	if (both != 0)
		ring_send(1);
	sti();
	(void)WAIT_FOR(hops[0] + hops[1] >= want, 2000000);
	delay_us(200);
	cli();
	smp_quit = true;
	apic_icr(0, SMP_VEC | ASSERT | (u32)FIELD_PREP(APIC_ICR_SHORTHAND, APIC_SHORTHAND_OTHERS));
	EXPECT_TRUE(smp_end());
	EXPECT_EQ(RING_HOPS, hops[0]);
	EXPECT_EQ(both != 0 ? RING_HOPS : 0, hops[1]);
	for (u32 i = 0; i < smp_count(); i++)
		total += smp_hits[i];
	EXPECT_EQ(want, total);
}

static void ring(void)
{
	if (!smp_begin())
		return;
	trap_handle(SMP_VEC, wake_irq);
	trap_handle(RING_VEC, ring_irq);
	trap_handle(RING_VEC + 0x10, ring_irq);
	for (u32 kinds = 0; kinds < 3; kinds++) {
		ring_run(0, kinds);
		ring_run(1, kinds);
	}
}

/* --- floods: the vector tells the sender; what was sent before the last one must be seen --- */

#define FROM_VEC(from) (0x68 + ((from) << 4)) /* not 0x80 and 0x81 */
#define FLOOD_ROUNDS   300

static volatile u32 sent[SMP_MAX][SMP_MAX]; /* [to][from] */
static volatile u32 seen[SMP_MAX][SMP_MAX];

static void flood_irq(struct trap_regs *regs)
{
	u32 self = smp_self(), from = ((u32)regs->vector - FROM_VEC(0)) >> 4;

	apic_eoi(); /* before the look: an IPI from now on comes again */
	seen[self][from] = LOAD_ACQUIRE(sent[self][from]);
	smp_hits[self]++;
}

static void flood_begin(void)
{
	for (u32 i = 0; i < SMP_MAX; i++) {
		trap_handle(FROM_VEC(i), flood_irq);
		for (u32 j = 0; j < SMP_MAX; j++)
			sent[i][j] = seen[i][j] = 0;
	}
}

static void send_to(u32 to)
{
	u32 self = smp_self();

	STORE_RELEASE(sent[to][self], sent[to][self] + 1);
	cli(); /* ICR and ICR2 are two writes */
	apic_icr(smp_ids[to], FROM_VEC(self) | ASSERT);
	sti();
}

static void flood(u64 unused)
{
	for (u32 round = 0; round < FLOOD_ROUNDS; round++) {
		for (u32 i = 0; i < smp_count(); i++) {
			if (i != smp_self())
				send_to(i);
		}
	}
	smp_spin(1);
}

static void expect_all_seen(void)
{
	for (u32 to = 0; to < smp_count(); to++) {
		for (u32 from = 0; from < smp_count(); from++)
			EXPECT_AT(WAIT_FOR(seen[to][from] == sent[to][from], 20000),
				  "CPU %u saw %u of %u by CPU %u", to, seen[to][from],
				  sent[to][from], from);
	}
}

static void flood_all(void)
{
	if (!smp_begin())
		return;
	flood_begin();
	for (u32 i = 1; i < smp_count(); i++)
		smp_call(i, flood, 0);
	smp_quit = false;
	for (u32 round = 0; round < FLOOD_ROUNDS; round++) {
		for (u32 i = 1; i < smp_count(); i++)
			send_to(i);
	}
	for (u32 i = 1; i < smp_count(); i++)
		EXPECT_TRUE(WAIT_FOR(sent[0][i] == FLOOD_ROUNDS && smp_beat[i] != 0, 1000000));
	expect_all_seen();
	cli();
	EXPECT_TRUE(smp_end());
}

static const struct test t_smp_ring_tests[] = {
	{ .name = "smp_ring", .run = ring },
	{ .name = "smp_flood", .run = flood_all },
	{ .name = "smp_x2_ring", .run = ring, .flags = T_X2APIC },
	{ .name = "smp_x2_flood", .run = flood_all, .flags = T_X2APIC },
};
TEST_GROUP(t_smp_ring);
