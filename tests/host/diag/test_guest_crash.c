/* SPDX-License-Identifier: BSD-2-Clause */
/* core/diag/guest_crash.c: what is logged, kept and made harmless. */
#include "tests/host/harness.h"

#include <stdarg.h>
#include <stdio.h>

#include "core/diag/guest_crash.h"
#include "core/partition.h"
#include "tests/host/fakes/fake.h"
#include "tests/host/fakes/rig.h"

static const u64 param[GUEST_CRASH_PARAMS] = { 1, 2, 3, 4, 0xabcdef };

static char out[16384];
static struct fake_guest g;

static void PRINTF(1, 2) line(const char *fmt, ...)
{
	size_t n = strlen(out);
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(out + n, sizeof(out) - n, fmt, args);
	va_end(args);
	strcat(out, "\n");
}

static const char *dump(void)
{
	out[0] = '\0';
	guest_crash_dump(line);
	return out;
}

static void test_none(void)
{
	guest_crash_reset();
	EXPECT_STREQ("guest crash: none so far\n", dump());
}

static void test_text_by_lines(void)
{
	guest_crash_reset();
	guest_crash_note(3, param, "first\n\n\x1b[31m\x80\tsecond\r\nlast", 26);
	EXPECT_STREQ("guest crash 1, on vp3: 0x1 0x2 0x3 0x4 0xabcdef, 26 bytes of text\n"
		     "guest crash: first\n"
		     "guest crash: .[31m..second.\n"
		     "guest crash: last\n",
		     dump());
	guest_crash_note(1, param, "", 0);
	EXPECT_STREQ("guest crash 2, on vp1: 0x1 0x2 0x3 0x4 0xabcdef, 0 bytes of text\n", dump());
}

static void test_bounds(void)
{
	static char text[GUEST_CRASH_TEXT + 1];

	guest_crash_reset();
	memset(text, 'x', sizeof(text));
	text[GUEST_CRASH_TEXT] = 'Z';
	guest_crash_note(0, param, text, sizeof(text));
	EXPECT_CONTAINS(dump(), "4096 bytes of text");
	EXPECT_NULL(strchr(out, 'Z'));
}

/* A guest that crashes for ever: a few in full, then a line each, as fast as log_guest() allows. */
static void test_no_flood(void)
{
	u32 found = 0;

	fake_reset();
	guest_crash_reset();
	for (u32 i = 0; i < 100; i++)
		guest_crash_note(0, param, "the text", 8);
	for (const char *at = fake.console; (at = strstr(at, "the text")) != NULL; at++)
		found++;
	EXPECT_EQ(GUEST_CRASHES_LOGGED, found);
	EXPECT_CONTAINS(dump(), "guest crash 100, on vp0");
}

static void PRINTF(1, 2) crash_meanwhile(const char *fmt, ...)
{
	static u32 calls;

	if (calls++ == 0)
		guest_crash_note(2, param, "another text", 12);
}

/* Another VP that crashes does not wait for the serial line, and mixes nothing up. */
static void test_crash_while_one_is_printed(void)
{
	guest_crash_reset();
	guest_crash_note(0, param, "one\ntwo", 7);
	guest_crash_dump(crash_meanwhile); /* with the lock held this would not return */
	EXPECT_CONTAINS(dump(), "guest crash 2, on vp2");
	EXPECT_CONTAINS(out, "guest crash: another text");
	EXPECT_NULL(strstr(out, "two"));
}

/* The reports of a guest's end have it, if there was any. */
static void test_in_the_last_reports(void)
{
	fake_guest_init(&g, 1, NULL);
	guest_crash_reset();
	FAKE_CATCH(partition_stop(&g.vp[0], "test"));
	EXPECT_NULL(strstr(fake.console, "guest crash"));
	partition_ending(&g.vp[0], "test");
	EXPECT_NULL(strstr(fake.console, "guest crash"));
	guest_crash_note(0, param, "told\nwhy", 8);
	fake.console_len = 0;
	partition_ending(&g.vp[0], "test");
	EXPECT_CONTAINS(fake.console, "guest crash: why");
	fake.console_len = 0;
	memset(fake.console, 0, sizeof(fake.console));
	FAKE_CATCH(partition_stop(&g.vp[0], "test"));
	EXPECT_CONTAINS(fake.console, "guest crash 1, on vp0");
	EXPECT_CONTAINS(fake.console, "guest crash: why");
}

TEST_MAIN(TEST(test_none), TEST(test_text_by_lines), TEST(test_bounds), TEST(test_no_flood),
	  TEST(test_crash_while_one_is_printed), TEST(test_in_the_last_reports))
