/* SPDX-License-Identifier: BSD-2-Clause */
/* core/diag/counters.c: the dump's format is what the test runner parses. */
#include "tests/host/harness.h"

#include "arch/x86/defs/vmcs.h"
#include "core/diag/log_internal.h"
#include "tests/host/fakes/rig.h"

static struct fake_guest g;

static u32 lines(const char *s)
{
	u32 n = 0;

	for (; *s != '\0'; s++)
		n += *s == '\n';
	return n;
}

static void init(void)
{
	fake_guest_init(&g, 2, NULL);
	log_reset();
	fake.console_len = 0;
	fake.console[0] = '\0';
}

static const char *dump(void)
{
	fake.console_len = 0;
	fake.console[0] = '\0';
	counters_dump(&g.p, "test");
	return fake.console;
}

static void test_only_what_happened_is_listed(void)
{
	init();
	counters_dump(&g.p, "test");
	EXPECT_CONTAINS(fake.console, "counters: test\ndump ");
	EXPECT_EQ(4, lines(fake.console));
	EXPECT_CONTAINS(fake.console, "\ncounters: end\n");
	COUNT(&g.vp[1], HLT);
	COUNT(&g.vp[1], HLT);
	g.vp[0].counters.exits[EXIT_REASON_EPT_VIOLATION] = 1234567890123ull;
	EXPECT_CONTAINS(dump(), "\nexit vp0 ept-violation 1234567890123\n"
				"counter vp1 HLT 2\ndump ");
	EXPECT_EQ(6, lines(fake.console));
}

/* The head says when the counters were so, and what all dumps before it have cost. */
static void test_head_has_number_and_times(void)
{
	char want[160];
	u32 number;

	init();
	fake.tsc = 1000;
	counters_start();
	number = (u32)strtoul(strstr(dump(), "dump ") + 5, NULL, 10);
	fake.tsc = 2000 + GUEST_TSC_HZ * 12 + GUEST_TSC_HZ / 4;
	steal_end(&g.vp[0], STEAL_DUMP, fake.tsc - GUEST_TSC_HZ / 1000);
	steal_end(&g.vp[0], STEAL_DUMP, fake.tsc - GUEST_TSC_HZ / 2000 - 1000);
	snprintf(want, sizeof(want),
		 "\ndump %u: tsc=29400002000 tsc_hz=2400000000 seconds=12.250000 "
		 "dumping=0.001500 pieces=2\n",
		 number + 1);
	EXPECT_CONTAINS(dump(), want);
	snprintf(want, sizeof(want), "\ndump %u: took=0.000000\n", number + 1);
	EXPECT_CONTAINS(fake.console, want);
	counters_dump_end(&g.p, GUEST_TSC_HZ * 2 + GUEST_TSC_HZ / 50 + 1000);
	EXPECT_CONTAINS(fake.console, ": took=2.020000\ncounters: end\n");
}

/* A slow dump is of the moment at which it began. */
static void test_a_dump_is_of_one_moment(void)
{
	u32 count = 0;

	init();
	for (u32 i = 0; i < 2; i++) {
		COUNT(&g.vp[i], HLT);
		g.vp[i].counters.exits[EXIT_REASON_CPUID] = 7;
	}
	fake.console_len = 0;
	counters_dump_begin(&g.p, "test");
	do {
		for (u32 i = 0; i < 2; i++) {
			COUNT(&g.vp[i], HLT);
			COUNT(&g.vp[i], EOI);
			g.vp[i].counters.exits[EXIT_REASON_CPUID]++;
		}
		count++;
	} while (counters_dump_line(&g.p));
	EXPECT_FALSE(counters_dump_line(&g.p));
	EXPECT_GE(count, 4);
	for (u32 i = 0; i < 2; i++) {
		char want[64];

		snprintf(want, sizeof(want), "exit vp%u cpuid 7\ncounter vp%u HLT 1\n", i, i);
		EXPECT_CONTAINS(fake.console, want);
	}
	EXPECT_NULL(strstr(fake.console, "EOI"));
}

/* Where exits are traced: how many, how long in all, and the extremes since the dump before. */
static void test_times_are_listed(void)
{
	static struct exit_times times;
	static struct trace_record ring[TRACE_RECORDS_MIN];

	init();
	memset(&times, 0, sizeof(times));
	trace_init(&g.vp[1], ring, TRACE_RECORDS_MIN, 2, &times);
	fake.vmcs[VMCS_EXIT_REASON] = EXIT_REASON_WRMSR;
	for (u32 i = 1; i <= 3; i++) {
		trace_exit(&g.vp[1]);
		fake.tsc += i * 100;
		trace_entry(&g.vp[1]);
	}
	EXPECT_CONTAINS(dump(), "\ntime vp1 wrmsr 3 600 100 300\ndump ");
	trace_exit(&g.vp[1]);
	fake.tsc += 50;
	trace_entry(&g.vp[1]);
	EXPECT_CONTAINS(dump(), "\ntime vp1 wrmsr 4 650 50 50\n");
	g.vp[1].trace.times = NULL;
}

/* Every name of counters.def is dumped under exactly that name. */
static void test_every_counter_has_its_name(void)
{
	static const char *const names[] = {
#define X(name, help) #name,
#include "core/diag/counters.def"
#undef X
	};

	init();
	for (u32 i = 0; i < COUNTER_COUNT; i++)
		g.vp[0].counters.c[i] = i + 1;
	counters_dump(&g.p, "test");
	for (u32 i = 0; i < COUNTER_COUNT; i++) {
		char line[100];

		snprintf(line, sizeof(line), "\ncounter vp0 %s %u\n", names[i], i + 1);
		EXPECT_CONTAINS(fake.console, line);
	}
}

TEST_MAIN(TEST(test_only_what_happened_is_listed), TEST(test_head_has_number_and_times),
	  TEST(test_a_dump_is_of_one_moment), TEST(test_times_are_listed),
	  TEST(test_every_counter_has_its_name))
