/* SPDX-License-Identifier: BSD-2-Clause */
/* core/diag/counters.c: the dump's format is what the test runner parses. */
#include "tests/host/harness.h"

#include "core/diag/log_internal.h"
#include "tests/host/fakes/rig.h"

static struct fake_guest g;

static void init(void)
{
	fake_guest_init(&g, 2, NULL);
	log_reset();
	fake.console_len = 0;
	fake.console[0] = '\0';
}

static void test_only_what_happened_is_listed(void)
{
	init();
	counters_dump(&g.p, "test");
	EXPECT_STREQ("counters: test\ncounters: end\n", fake.console);
	COUNT(&g.vp[1], HLT);
	COUNT(&g.vp[1], HLT);
	g.vp[0].counters.exits[EXIT_REASON_EPT_VIOLATION] = 1234567890123ull;
	counters_dump(&g.p, "test");
	EXPECT_CONTAINS(fake.console, "\nexit vp0 ept-violation 1234567890123\n"
				      "counter vp1 HLT 2\ncounters: end\n");
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

TEST_MAIN(TEST(test_only_what_happened_is_listed), TEST(test_every_counter_has_its_name))
