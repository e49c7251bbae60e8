/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * core/vp/halt_poll.c against its definition (KVM's halt polling), and the loop in
 * core/exit/exit_cpu.c that uses it: what ends a poll, and that nothing is late or lost.
 */
#include "core/exit/exit.h"
#include "tests/host/harness.h"

#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/vector.h"
#include "tests/host/fakes/rig.h"

#define PARAMS(max, grow, start, shrink)                                            \
	{                                                                           \
		.halt_poll_ns = (max), .halt_poll_ns_grow = (grow),                 \
		.halt_poll_ns_grow_start = (start), .halt_poll_ns_shrink = (shrink) \
	}

static const struct config kvm_defaults = PARAMS(200000, 2, 10000, 0);

/*
 * The definition, one row per sentence:
 * - not an event of the guest: shrink; else maximum 0: 0; else block <= value: keep;
 *   value != 0 and block > max: shrink; value < max and block < max: grow; else keep.
 * - grow: value * grow, at least grow_start, at most max at the next begin; grow 0: never.
 * - shrink: 0 if shrink is 0, else value / shrink; a result below grow_start: 0.
 */
static const struct {
	struct config params;
	u32 value_ns;
	u64 block_ns;
	bool is_event;
	u32 want_ns;
} table[] = {
	{ PARAMS(200000, 2, 10000, 0), 0, 1, true, 10000 },         /* 0 -> start */
	{ PARAMS(200000, 2, 10000, 0), 0, 199999, true, 10000 },    /* any short block */
	{ PARAMS(200000, 2, 10000, 0), 0, 200000, true, 0 },        /* not shorter than max */
	{ PARAMS(200000, 2, 10000, 0), 0, 200001, true, 0 },        /* value 0: no shrink either */
	{ PARAMS(200000, 2, 10000, 0), 10000, 10000, true, 10000 }, /* the poll caught it: keep */
	{ PARAMS(200000, 2, 10000, 0), 10000, 10001, true, 20000 }, /* just missed: grow */
	{ PARAMS(200000, 2, 10000, 0), 160000, 170000, true, 200000 }, /* capped */
	{ PARAMS(200000, 2, 10000, 0), 200000, 200000, true, 200000 },
	{ PARAMS(200000, 2, 10000, 0), 160000, 200000, true, 160000 }, /* block = max: neither */
	{ PARAMS(200000, 2, 10000, 0), 160000, 200001, true, 0 },      /* long: reset */
	{ PARAMS(200000, 2, 10000, 0), 160000, ~0ull, true, 0 },
	{ PARAMS(200000, 2, 10000, 4), 160000, 200001, true, 40000 }, /* long: divided */
	{ PARAMS(200000, 2, 10000, 4), 39999, 200001, true, 0 },      /* below the start: 0 */
	{ PARAMS(200000, 2, 10000, 4), 40000, 200001, true, 10000 },
	{ PARAMS(200000, 2, 10000, 1), 160000, 200001, true, 160000 },
	{ PARAMS(200000, 0, 10000, 0), 0, 5, true, 0 },             /* grow 0: never */
	{ PARAMS(200000, 0, 10000, 0), 20000, 30000, true, 20000 }, /* nor later */
	{ PARAMS(200000, 1, 10000, 0), 20000, 30000, true, 20000 }, /* grow 1 */
	{ PARAMS(200000, 2, 0, 0), 0, 5, true, 0 },                 /* 0 * 2, at least 0 */
	{ PARAMS(200000, 2, 0, 2), 1, 200001, true, 0 },            /* 1 / 2 */
	{ PARAMS(1000000000, 1000000, 0, 0), 999999999, 999999999, true, 999999999 },
	{ PARAMS(1000000000, 1000000, 0, 0), 999999998, 999999999, true, 1000000000 }, /* no wrap */
	{ PARAMS(0, 2, 10000, 0), 0, 5, true, 0 },                                     /* off */
	{ PARAMS(0, 2, 10000, 0), 30000, 5, true, 0 },
	{ PARAMS(5000, 2, 10000, 0), 0, 4999, true, 5000 }, /* the start is above max: capped */
	{ PARAMS(200000, 2, 10000, 0), 160000, 5, false,
	  0 }, /* no event: shrink, whatever the block */
	{ PARAMS(200000, 2, 10000, 2), 160000, 5, false, 80000 },
	{ PARAMS(0, 2, 10000, 2), 160000, 5, false, 80000 },
};

static void test_every_row_of_the_definition(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct halt_poll h = { .value_ns = table[i].value_ns,
				       .polled = true,
				       .start_tsc = 7 };

		halt_poll_end(&h, &table[i].params, table[i].block_ns, table[i].is_event);
		if (h.value_ns != table[i].want_ns)
			print_message("row %zu\n", i);
		EXPECT_EQ(table[i].want_ns, h.value_ns);
		EXPECT_EQ(0, h.start_tsc);
		EXPECT_FALSE(h.polled);
	}
}

static void test_disallowed_leaves_the_value_alone(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct halt_poll h = { .value_ns = table[i].value_ns, .disallowed = true };

		halt_poll_end(&h, &table[i].params, table[i].block_ns, table[i].is_event);
		EXPECT_EQ(table[i].value_ns, h.value_ns);
	}
}

static void test_begin_returns_at_most_the_maximum(void)
{
	struct halt_poll h = { .value_ns = 300000 };
	struct config none = { 0 };

	EXPECT_EQ(200000, halt_poll_begin(&h, &kvm_defaults));
	EXPECT_TRUE(h.polled);
	h.disallowed = true;
	EXPECT_EQ(0, halt_poll_begin(&h, &kvm_defaults));
	EXPECT_FALSE(h.polled);
	EXPECT_EQ(200000, h.value_ns);
	h.disallowed = false;
	EXPECT_EQ(0, halt_poll_begin(&h, &none));
	EXPECT_FALSE(h.polled);
}

/* Random blocks and parameters: the value is 0 or in [grow_start, max] whenever shrink and grow
 * act. */
static void test_value_stays_in_its_range(void)
{
	for (u32 round = 0; round < 2000; round++) {
		struct config p = PARAMS((u32)test_rng() % 400000, (u32)test_rng() % 5,
					 (u32)test_rng() % 30000, (u32)test_rng() % 5);
		struct halt_poll h = { 0 };

		for (u32 i = 0; i < 50; i++) {
			u32 poll_ns = halt_poll_begin(&h, &p);

			EXPECT_LE(poll_ns, p.halt_poll_ns);
			halt_poll_end(&h, &p, test_rng() % 600000, test_rng() % 8 != 0);
			EXPECT_TRUE(h.value_ns == 0 ||
				    h.value_ns >=
					    umin32(p.halt_poll_ns_grow_start, p.halt_poll_ns));
			EXPECT_LE(h.value_ns, p.halt_poll_ns);
		}
	}
}

/* --- The loop --- */

#define US      (GUEST_TSC_HZ / 1000000)
#define VECTOR  0x41
#define POLL_US 50u

static struct fake_guest g;
static struct vp *vp;
static u64 halted_tsc, event_tsc;
static void (*event)(void);

static void configure(struct partition *p)
{
	u64 features = p->config.cpu_features;

	p->config = kvm_defaults;
	p->config.cpu_features = features;
}

/* Time passes in the windows only: 1 us each. */
static void window(void)
{
	fake.tsc += US;
	if (event != NULL && fake.tsc >= event_tsc) {
		event();
		event = NULL;
	}
}

static void ready(u32 value_ns)
{
	fake_guest_init(&g, 2, configure);
	vp = &g.vp[0];
	vlapic_write(vp, APIC_SVR, 0x1ff);
	vp->halt_poll.value_ns = value_ns;
	vp->work = 0;
	fake.vmcs[VMCS_GUEST_RFLAGS] = RFLAGS_FIXED | RFLAGS_IF;
	fake.irq_window = window;
	fake.irq_windows = 0;
	event = NULL;
}

/* The HLT's exit, then the window of vmenter.S. */
static void hlt(void)
{
	halted_tsc = fake.tsc;
	exit_complete(vp, exit_hlt(vp, &vp->exit));
	while (vp->work != 0)
		(void)vp_prepare_entry(vp);
}

static bool sleeps(void)
{
	return vp->state == VP_HALTED && fake.vmcs[VMCS_GUEST_ACTIVITY_STATE] == ACTIVITY_HLT;
}

/* What the next HLT does first. */
static void learn(void)
{
	struct halt_poll *h = &vp->halt_poll;

	halt_poll_end(h, &g.p.config, clock_tsc_to_ns(&g.p.clock, h->end_tsc - h->start_tsc), true);
}

/* The event came after @us, and the VP runs with @vector injected. */
static void expect_woken(u32 us, u8 vector)
{
	EXPECT_EQ(VP_RUNNING, vp->state);
	EXPECT_EQ(ACTIVITY_ACTIVE, fake.vmcs[VMCS_GUEST_ACTIVITY_STATE]);
	EXPECT_EQ(vector, fake.vmcs[VMCS_VM_ENTRY_INTR_INFO] & INTR_INFO_VECTOR);
	EXPECT_EQ(us * US, fake.tsc - halted_tsc);
	EXPECT_EQ(1, vp->counters.c[COUNTER_HALT_POLL_OK]);
	EXPECT_EQ(0, vp->counters.c[COUNTER_HALT_POLL_FAIL] + vp->counters.c[COUNTER_HLT] +
			     vp->counters.c[COUNTER_HLT_NO_SLEEP]);
	learn();
	EXPECT_EQ(POLL_US * 1000, vp->halt_poll.value_ns);
}

static void device_interrupt(void)
{
	vlapic_set_irr(vp, VECTOR, false);
}

static void remote_ipi(void)
{
	fake.cpu_vp = &g.vp[1];
	vlapic_post_irq(vp, VECTOR);
	fake.cpu_vp = vp;
}

static void nmi(void)
{
	event_nmi(vp);
}

static void test_each_event_ends_the_poll_at_once(void)
{
	static void (*const events[])(void) = { device_interrupt, remote_ipi, nmi };

	for (size_t i = 0; i < ARRAY_SIZE(events); i++) {
		ready(POLL_US * 1000);
		event = events[i];
		event_tsc = fake.tsc + 7 * US;
		hlt();
		expect_woken(7, events[i] == nmi ? EXC_NMI : VECTOR);
		EXPECT_EQ(7, fake.irq_windows);
	}
}

static void test_a_timer_that_is_due_ends_the_poll(void)
{
	ready(POLL_US * 1000);
	vlapic_write(vp, APIC_LVT_TIMER, VECTOR | 2u << 17);
	vlapic_timer_write_deadline(vp, fake.tsc + 20 * US);
	hlt();
	expect_woken(20, VECTOR);
}

/* CLI; HLT: an interrupt goes to the IRR and wakes nobody; the VP sleeps as rule K3 says. */
static void test_if_0_is_woken_by_nmi_only(void)
{
	ready(POLL_US * 1000);
	fake.vmcs[VMCS_GUEST_RFLAGS] = RFLAGS_FIXED;
	event = device_interrupt;
	event_tsc = fake.tsc + 7 * US;
	hlt();
	EXPECT_TRUE(sleeps());
	EXPECT_TRUE(fake.vmcs[VMCS_GUEST_RFLAGS] & RFLAGS_IF);
	vp_left_hlt(vp);
	event_nmi(vp);
	(void)vp_prepare_entry(vp);
	EXPECT_EQ(VP_RUNNING, vp->state);
	EXPECT_EQ(EXC_NMI, fake.vmcs[VMCS_VM_ENTRY_INTR_INFO] & INTR_INFO_VECTOR);
	EXPECT_FALSE(fake.vmcs[VMCS_GUEST_RFLAGS] & RFLAGS_IF);
	EXPECT_EQ(1, vp->counters.c[COUNTER_HALT_POLL_FAIL]);
}

static void flush(void)
{
	vp_set_work(vp, VP_WORK_FLUSH);
}

/* Work that is no event is done; the VP must be asleep then, not run past its HLT. */
static void test_other_work_leads_to_sleep(void)
{
	ready(POLL_US * 1000);
	event = flush;
	event_tsc = fake.tsc + 3 * US;
	hlt();
	EXPECT_TRUE(sleeps());
	EXPECT_EQ(1, fake.invepts);
}

static void tlb_flush_asked(void)
{
	vp_set_work(vp, VP_WORK_TLB);
}

/* A flush of the guest's wakes nobody and can wait. */
static void test_a_tlb_flush_does_not_end_the_poll(void)
{
	ready(POLL_US * 1000);
	event = tlb_flush_asked;
	event_tsc = fake.tsc + 3 * US;
	fake.invvpids = 0;
	hlt();
	EXPECT_TRUE(sleeps());
	EXPECT_EQ(POLL_US * US, fake.tsc - halted_tsc);
	EXPECT_EQ(1, fake.invvpids);
}

static void test_the_poll_ends_after_its_time(void)
{
	ready(POLL_US * 1000);
	hlt();
	EXPECT_TRUE(sleeps());
	EXPECT_EQ(POLL_US * US, fake.tsc - halted_tsc);
	fake.tsc += 30 * US; /* woken after 80 us in all */
	vlapic_set_irr(vp, VECTOR, false);
	(void)vp_prepare_entry(vp);
	EXPECT_EQ(VP_RUNNING, vp->state);
	EXPECT_EQ(1, vp->counters.c[COUNTER_HALT_POLL_FAIL]);
	EXPECT_EQ(1, vp->counters.c[COUNTER_HLT]);
	learn();
	EXPECT_EQ(2 * POLL_US * 1000, vp->halt_poll.value_ns);
}

static void test_short_blocks_grow_and_a_long_one_resets(void)
{
	static const u32 want_ns[] = { 10000, 20000, 40000, 80000, 160000, 160000 };

	ready(0);
	for (size_t i = 0; i <= ARRAY_SIZE(want_ns); i++) {
		bool last = i == ARRAY_SIZE(want_ns);
		u64 wake_tsc = fake.tsc + (last ? 300 : 100) * US;

		event = device_interrupt;
		event_tsc = wake_tsc;
		hlt();
		if (sleeps()) {
			fake.tsc = wake_tsc;
			vlapic_set_irr(vp, VECTOR, false);
			(void)vp_prepare_entry(vp);
		}
		EXPECT_EQ(VP_RUNNING, vp->state);
		EXPECT_EQ(i == 0 ? 0 : want_ns[i - 1], vp->halt_poll.value_ns);
		fake.vmcs[VMCS_VM_ENTRY_INTR_INFO] = 0;
		vlapic_eoi(vp);
		vp->work = 0;
	}
	/* 160 us were enough for 100; the block of 300 was polled for in vain. */
	EXPECT_EQ(1, vp->counters.c[COUNTER_HALT_POLL_OK]);
	EXPECT_EQ(5, vp->counters.c[COUNTER_HALT_POLL_FAIL]);
	learn();
	EXPECT_EQ(0, vp->halt_poll.value_ns);
}

static void test_a_pending_interrupt_is_not_polled_for(void)
{
	ready(POLL_US * 1000);
	vlapic_set_irr(vp, VECTOR, false);
	hlt();
	EXPECT_EQ(0, fake.irq_windows);
	EXPECT_EQ(1, vp->counters.c[COUNTER_HLT_NO_SLEEP]);
	EXPECT_EQ(VP_RUNNING, vp->state);
	EXPECT_EQ(POLL_US * 1000, vp->halt_poll.value_ns);
}

static void test_maximum_0_never_polls(void)
{
	ready(POLL_US * 1000);
	g.p.config.halt_poll_ns = 0;
	hlt();
	EXPECT_TRUE(sleeps());
	EXPECT_EQ(0, fake.irq_windows);
	EXPECT_EQ(0, vp->halt_poll.value_ns);
}

static void test_reset_ends_the_block_without_an_event(void)
{
	static u8 bitmap[4096];

	ready(POLL_US * 1000);
	vp->ctx->msr_bitmap = bitmap;
	hlt();
	vp_reset(vp, true);
	EXPECT_EQ(0, vp->halt_poll.start_tsc);
	EXPECT_EQ(0, vp->halt_poll.value_ns);
}

static void test_value_is_in_the_dump(void)
{
	ready(POLL_US * 1000);
	counters_dump(&g.p, "test");
	EXPECT_CONTAINS(fake.console, "\ngauge vp0 halt_poll_ns 50000\n");
}

TEST_MAIN(TEST(test_every_row_of_the_definition), TEST(test_disallowed_leaves_the_value_alone),
	  TEST(test_begin_returns_at_most_the_maximum), TEST(test_value_stays_in_its_range),
	  TEST(test_each_event_ends_the_poll_at_once), TEST(test_a_timer_that_is_due_ends_the_poll),
	  TEST(test_if_0_is_woken_by_nmi_only), TEST(test_other_work_leads_to_sleep),
	  TEST(test_a_tlb_flush_does_not_end_the_poll), TEST(test_the_poll_ends_after_its_time),
	  TEST(test_short_blocks_grow_and_a_long_one_resets),
	  TEST(test_a_pending_interrupt_is_not_polled_for), TEST(test_maximum_0_never_polls),
	  TEST(test_reset_ends_the_block_without_an_event), TEST(test_value_is_in_the_dump))
