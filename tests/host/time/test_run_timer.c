/* SPDX-License-Identifier: BSD-2-Clause */
/* core/time/run_timer.c: which timer ends the runs (rule T1), and what people are told of it. */
#include "tests/host/harness.h"

#include "core/time/run_timer.h"

static void test_the_run_timer_is_the_first_that_works(void)
{
	static const struct {
		struct run_timer_facts facts;
		enum run_timer want;
		const char *why;
	} rows[] = {
		{ { true, false, true }, RUN_TIMER_VMX, "has it" },
		{ { true, false, false }, RUN_TIMER_VMX, "has it" },
		{ { true, true, true }, RUN_TIMER_APIC_DEADLINE, "erratum" },
		{ { true, true, false }, RUN_TIMER_APIC_ONE_SHOT, "erratum" },
		{ { false, false, true }, RUN_TIMER_APIC_DEADLINE, "no VMX-preemption timer" },
		{ { false, false, false }, RUN_TIMER_APIC_ONE_SHOT, "no VMX-preemption timer" },
	};
	const char *why;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		EXPECT_EQ(rows[i].want, run_timer_choose(&rows[i].facts, &why));
		EXPECT_CONTAINS(why, rows[i].why);
	}
}

static void test_names(void)
{
	EXPECT_STREQ("vmx-preemption", run_timer_name(RUN_TIMER_VMX));
	EXPECT_STREQ("apic-tsc-deadline", run_timer_name(RUN_TIMER_APIC_DEADLINE));
	EXPECT_STREQ("apic-one-shot", run_timer_name(RUN_TIMER_APIC_ONE_SHOT));
	EXPECT_CONTAINS(run_timer_what(RUN_TIMER_APIC_DEADLINE), "TSC-deadline");
}

TEST_MAIN(TEST(test_the_run_timer_is_the_first_that_works), TEST(test_names))
