/* SPDX-License-Identifier: BSD-2-Clause */
/* core/diag/report.c: the format of docs/report.md, read back by a reader of its own. */
#include "tests/host/harness.h"

#include <ctype.h>

#include "core/diag/panic.h"
#include "core/diag/report.h"
#include "tests/host/fakes/fake.h"

#define OUT_MAX 65536

static struct report report;
static char out[OUT_MAX];
static size_t out_len;
static u32 printed;

static void keep(const char *line)
{
	EXPECT_LE(strlen(line), REPORT_LINE_MAX);
	EXPECT_EQ(0, strncmp(line, "report: ", 8));
	EXPECT_NULL(strchr(line, '\n'));
	printed++;
	out_len += (size_t)snprintf(out + out_len, OUT_MAX - out_len, "%s\n", line);
}

static void open_report(void)
{
	out_len = printed = 0;
	out[0] = '\0';
	report_open(&report, keep, "dryrun", "0.1-test");
}

/* The value of @key of the last line that begins with @section, as docs/report.md says to read it.
 * False: it is not there. */
static bool read_back(const char *section, const char *key, char *val, size_t len)
{
	bool here = false, found = false;
	size_t n = 0;
	char *s = out;

	val[0] = '\0';
	while (*s != '\0') {
		size_t word;

		s += 8;
		word = strcspn(s, " \n");
		if (strncmp(s, "+", word) != 0 || word != 1)
			here = word == strlen(section) && strncmp(s, section, word) == 0;
		s += word;
		while (*s == ' ') {
			size_t name = strcspn(++s, "=+");
			bool mine = here && name == strlen(key) && strncmp(s, key, name) == 0;

			s += name;
			if (mine && *s != '+')
				n = 0;
			s += *s == '+';
			s++; /* = */
			found |= mine;
			if (*s != '"') {
				word = strcspn(s, " \n");
				if (mine) {
					memcpy(val, s, word);
					n = word;
				}
				s += word;
			} else {
				for (s++; *s != '"'; s++) {
					char c = *s;

					if (c == '\\' && *++s == 'x') {
						char hex[3] = { s[1], s[2] };

						c = (char)strtoul(hex, NULL, 16);
						s += 2;
					} else {
						c = *s;
					}
					if (mine && n + 1 < len)
						val[n++] = c;
				}
				s++;
			}
			if (mine)
				val[n] = '\0';
		}
		EXPECT_EQ('\n', *s);
		s++;
	}
	return found;
}

static void expect_field(const char *section, const char *key, const char *want)
{
	static char got[REPORT_TEXT_MAX];

	EXPECT_TRUE(read_back(section, key, got, sizeof(got)));
	EXPECT_STREQ(want, got);
}

static void test_frame_and_count(void)
{
	open_report();
	report_line(&report, "cpu");
	report_field(&report, "family", "%u", 6u);
	report_field(&report, "name", "%s", "a \"b\" \\ c");
	report_close(&report, true);
	EXPECT_STREQ("report: begin format=1 mode=dryrun version=0.1-test\n"
		     "report: cpu family=6 name=\"a \\\"b\\\" \\\\ c\"\n"
		     "report: verdict run=yes\n"
		     "report: end lines=4 complete=yes\n",
		     out);
	EXPECT_EQ(4, printed);
	EXPECT_FALSE(report_is_open(&report));
	report_line(&report, "late");
	report_field(&report, "x", "%d", 1);
	report_close(&report, true);
	EXPECT_EQ(4, printed);
}

static void test_first_refusal_is_the_verdict(void)
{
	open_report();
	report_refuse(&report, "no VMX: buy one");
	report_refuse(&report, "no guest");
	report_close(&report, false);
	expect_field("verdict", "run", "no");
	expect_field("verdict", "reason", "no VMX: buy one");
	expect_field("end", "complete", "no");
	open_report(); /* what was cut short without a reason is no yes */
	report_close(&report, false);
	expect_field("verdict", "run", "unknown");
}

/* The person reads what the verdict says. */
static void test_the_last_sentence_is_the_verdict(void)
{
	fake_reset();
	open_report();
	report_close(&report, true);
	report_result(&report);
	EXPECT_STREQ(HALTED "\nRESULT: Kensho can run here\n", fake.console);
	EXPECT_EQ(1, fake.tone[TONE_GOOD]);
	EXPECT_EQ(0, fake.tone[TONE_BAD]);

	fake_reset();
	open_report();
	report_refuse(&report, "no VMX; do this: buy one");
	report_close(&report, true);
	report_result(&report);
	EXPECT_STREQ(HALTED "\nRESULT: Kensho cannot run here: no VMX; do this: buy one\n",
		     fake.console);
	EXPECT_EQ(0, fake.tone[TONE_GOOD]);

	fake_reset();
	report_refuse(&report, "no guest");
	report_refuse(&report, "no luck");
	report_result(&report);
	EXPECT_STREQ(
		HALTED
		"\n"
		"RESULT: Kensho cannot run here: no VMX; do this: buy one; and 2 more: see the\n"
		"report above\n",
		fake.console);
}

/* Whatever bytes, whatever lengths: the reader gets back what was written. */
static void test_any_value_comes_back(void)
{
	for (u32 round = 0; round < 3000; round++) {
		static char val[1200], key[16];
		size_t len = test_rng() % (round % 3 == 0 ? 20 : sizeof(val) - 1);
		bool wild = test_rng() % 2 != 0;

		for (size_t i = 0; i < len; i++)
			val[i] = (char)(wild ? 1 + test_rng() % 255 : 'a' + test_rng() % 26);
		val[len] = '\0';
		open_report();
		report_line(&report, "text");
		for (u32 i = (u32)(test_rng() % 8); i > 0; i--) {
			snprintf(key, sizeof(key), "pad%u", i);
			report_field(&report, key, "%llu", (unsigned long long)test_rng());
		}
		report_field(&report, "value", "%s", val);
		report_field(&report, "after", "%s", "x");
		report_close(&report, true);
		if (4 * len + 1 < REPORT_TEXT_MAX)
			expect_field("text", "value", val);
		expect_field("text", "after", "x");
	}
}

/* The end line's count includes continuations: a cut copy is found out. */
static void test_count_includes_continuations(void)
{
	char lines[16];

	open_report();
	report_line(&report, "options");
	for (u32 i = 0; i < 60; i++)
		report_field(&report, "option", "%u", i);
	report_close(&report, true);
	snprintf(lines, sizeof(lines), "%u", printed);
	expect_field("end", "lines", lines);
	EXPECT_GE(printed, 6);
}

TEST_MAIN(TEST(test_frame_and_count), TEST(test_first_refusal_is_the_verdict),
	  TEST(test_the_last_sentence_is_the_verdict), TEST(test_any_value_comes_back),
	  TEST(test_count_includes_continuations))
