/* SPDX-License-Identifier: BSD-2-Clause */
/* core/mon: what is typed on the log console, and what comes back. */
#include "core/mon/monitor.h"

#include "core/diag/log_internal.h"
#include "core/lib/bits.h"
#include "core/lib/word.h"
#include "core/mon/channel.h"
#include "core/mon/command.h"
#include "tests/host/fakes/rig.h"
#include "tests/host/harness.h"

static struct fake_guest g;
static const char *typed;

static s32 receive(void)
{
	return *typed != '\0' ? (u8)*typed++ : -1;
}

/* Time goes on until the guest would be entered again. */
static void seconds(u64 n)
{
	for (u64 i = 0; i < n * 20; i++) {
		fake.tsc += GUEST_TSC_HZ / 20;
		timer_run(&g.vp[0], fake.tsc);
	}
}

static void start(void (*change)(struct partition *p))
{
	fake_guest_init(&g, 2, change);
	log_reset();
	typed = "";
	monitor_start(&g.vp[0], receive);
}

static const char *answer(const char *keys)
{
	fake.console_len = 0;
	fake.console[0] = '\0';
	typed = keys;
	seconds(2);
	return fake.console;
}

static void test_keys_act_at_once(void)
{
	start(NULL);
	EXPECT_CONTAINS(answer("c"), "counters: asked for on COM2\n");
	EXPECT_CONTAINS(fake.console, "counters: end\n");
	EXPECT_CONTAINS(answer("t"), "trace: end\n");
	EXPECT_CONTAINS(answer("e"), "EPT audit: ");
	EXPECT_STREQ("monitor: this key does nothing; ? lists those that do\n", answer("z"));
	EXPECT_STREQ("", answer("\r\n"));
	/* A key that does nothing does not hide the one behind it. */
	EXPECT_CONTAINS(answer("zc"), "counters: end\n");
}

static void test_help_lists_every_row(void)
{
	start(NULL);
	(void)answer("?");
	for (u32 i = 0; i < command_count; i++) {
		EXPECT_CONTAINS(fake.console, commands[i].name);
		EXPECT_CONTAINS(fake.console, commands[i].help);
	}
}

/* Names and keys are unique, and no key begins a line. */
static void test_rows_are_distinct(void)
{
	for (u32 i = 0; i < command_count; i++) {
		EXPECT_NE(':', commands[i].key);
		for (u32 k = 0; k < i; k++) {
			EXPECT_NE(0, strcmp(commands[i].name, commands[k].name));
			EXPECT_TRUE(commands[i].key == 0 || commands[i].key != commands[k].key);
		}
	}
}

static void test_lines(void)
{
	start(NULL);
	EXPECT_CONTAINS(answer(":counters\r"), ": counters\ncounters: asked for on COM2\n");
	EXPECT_CONTAINS(answer(":  counters \r"), "counters: end\n");
	EXPECT_STREQ(": trase\nmonitor: no command \"trase\"; the closest is \"trace\"\n",
		     answer(":trase\r"));
	EXPECT_STREQ(": \n", answer(":\r"));
	/* Rubbed out: a character, a whole line. */
	EXPECT_CONTAINS(answer(":hex\x7flp\r"), "\b \blp\nmonitor: a key acts at once");
	EXPECT_CONTAINS(answer(":xy\x15\x7fhelp\r"), "monitor: a key acts at once");
	/* Dropped: the next byte is a key again. */
	EXPECT_CONTAINS(answer(":help\x1b?"), ": help\nmonitor: a key acts at once");
	EXPECT_CONTAINS(answer(":help\x03z"), ": help\nmonitor: this key does nothing");
}

static void test_lines_have_an_end(void)
{
	char line[400] = ":";

	start(NULL);
	memset(line + 1, 'x', sizeof(line) - 3);
	line[sizeof(line) - 2] = '\r';
	fake.console_len = 0;
	typed = line;
	seconds(4);
	EXPECT_CONTAINS(fake.console, "monitor: no command \"xxxxx");
	EXPECT_GE(160 + 80, strlen(fake.console));
	/* Noise that looks like the beginning of a line does not keep the log. */
	fake.console_len = 0;
	typed = ":";
	seconds(1);
	log_info("held");
	EXPECT_STREQ(": ", fake.console);
	seconds(11);
	EXPECT_STREQ(": \nheld\n", fake.console);
	EXPECT_CONTAINS(answer("z"), "this key does nothing");
}

static void test_arguments(void)
{
	start(NULL);
	EXPECT_CONTAINS(answer(":regs 0\r"), "vp0: running\n");
	EXPECT_NULL(strstr(fake.console, "vp1"));
	EXPECT_CONTAINS(answer("r"), "vp1: its CPU does not answer\n"); /* never entered */
	EXPECT_CONTAINS(answer(":regs 2\r"), "monitor: a VP is a number from 0 to 1\n");
	EXPECT_CONTAINS(answer(":regs one\r"), "monitor: a VP is a number from 0 to 1\n");
	EXPECT_CONTAINS(answer(":regs 0 1\r"), "monitor: a VP is a number from 0 to 1\n");
}

static void stats_2s(struct partition *p)
{
	p->config.stats_s = 2;
}

static void test_stats_repeat(void)
{
	u32 count = 0;

	start(stats_2s);
	seconds(9);
	for (const char *at = fake.console; (at = strstr(at, "counters: periodic")) != NULL; at++)
		count++;
	EXPECT_EQ(4, count);
	/* Without a console there are no keys, and nothing polls. */
	fake_guest_init(&g, 1, NULL);
	monitor_start(&g.vp[0], NULL);
	EXPECT_EQ(TIMER_NEVER, g.vp[0].deadline_tsc);
}

static u32 lines_seen(void)
{
	u32 n = 0;

	for (const char *s = fake.console; *s != '\0'; s++)
		n += *s == '\n';
	return n;
}

/*
 * On a slow line a dump comes in pieces of 4 ms, and the guest runs as long between two. All of it
 * is stolen time.
 */
static void test_dumps_come_in_pieces(void)
{
	u64 stolen, longest = 0, slept = 0;
	u32 pieces = 0;

	start(NULL);
	for (u32 i = 0; i < COUNTER_COUNT; i++)
		g.vp[0].counters.c[i] = 1;
	fake.console_len = 0;
	fake.tsc_step = GUEST_TSC_HZ / 1000; /* one reading of the TSC or so per line */
	stolen = g.vp[0].park.dump_tsc;
	monitor_dump_counters(&g.vp[0], "test");
	while (strstr(fake.console, "counters: end") == NULL) {
		u64 before = g.vp[0].park.dump_tsc;
		u32 had = lines_seen();

		if (g.vp[0].deadline_tsc > fake.tsc) { /* the guest runs */
			slept += g.vp[0].deadline_tsc - fake.tsc;
			fake.tsc = g.vp[0].deadline_tsc;
		}
		timer_run(&g.vp[0], fake.tsc);
		longest = umax64(longest, g.vp[0].park.dump_tsc - before);
		pieces += lines_seen() != had;
		EXPECT_GE(1000, pieces);
	}
	EXPECT_GE(pieces, COUNTER_COUNT / 10);
	EXPECT_GE(GUEST_TSC_HZ / 100, longest);
	EXPECT_GE(slept, (pieces - 1) * (GUEST_TSC_HZ / 400));
	EXPECT_GE(g.vp[0].park.dump_tsc - stolen, COUNTER_COUNT * (GUEST_TSC_HZ / 1000) / 2);
	fake.tsc_step = 0;
}

static u32 count_of(const char *text)
{
	u32 n = 0;

	for (const char *at = fake.console; (at = strstr(at, text)) != NULL; at++)
		n++;
	return n;
}

/* One dump at a time, and the trace records nothing meanwhile: it shows one moment. */
static void test_one_dump_at_a_time(void)
{
	static struct trace_record ring[TRACE_RECORDS_MIN];

	start(NULL);
	trace_init(&g.vp[1], ring, TRACE_RECORDS_MIN, 0, NULL);
	for (u32 i = 0; i < 100; i++)
		TRACE(&g.vp[1], SIPI, i, 0, 0);
	fake.tsc_step = GUEST_TSC_HZ / 1000;
	fake.console_len = 0;
	typed = "t";
	for (u32 i = 0; i < 10; i++)
		timer_run(&g.vp[0], fake.tsc += GUEST_TSC_HZ / 20);
	EXPECT_GE(98, count_of("SIPI"));
	EXPECT_GE(count_of("SIPI"), 1);
	TRACE(&g.vp[1], NMI, 0, 0, 0);
	monitor_dump_counters(&g.vp[0], "periodic");
	EXPECT_CONTAINS(fake.console, "monitor: not now: another dump is under way\n");
	while (strstr(fake.console, "trace: end\n") == NULL)
		timer_run(&g.vp[0], fake.tsc += GUEST_TSC_HZ / 100);
	EXPECT_EQ(100, count_of("SIPI"));
	EXPECT_EQ(0, count_of("NMI") + count_of("counters:"));
	fake.tsc_step = 0;
	TRACE(&g.vp[1], NMI, 0, 0, 0);
	EXPECT_CONTAINS(answer("t"), " NMI ");
	EXPECT_CONTAINS(answer("c"), "counters: end\n");
}

/* --- The channel, with owners of our own --- */

static struct channel ch;
static char got[2][32];
static const struct channel_owner *next;

static void first_byte(struct vp *vp, struct channel *c, u8 byte)
{
	got[0][strlen(got[0])] = (char)byte;
	if (byte == '(')
		EXPECT_EQ(ERR_NONE, channel_take(c, next));
}

static void second_byte(struct vp *vp, struct channel *c, u8 byte)
{
	got[1][strlen(got[1])] = (char)byte;
	if (byte == ')')
		channel_hand_back(c);
}

static const struct channel_owner first = { "first", first_byte, false, 3, 0 };
static const struct channel_owner second = { "second", second_byte, false, 50, 0 };
static const struct channel_owner quiet = { "quiet", second_byte, true, 50, 0 };

static void open_channel(const struct channel_owner *other)
{
	fake_guest_init(&g, 1, NULL);
	log_reset();
	fake.console_len = 0;
	fake.console[0] = '\0';
	memset(got, 0, sizeof(got));
	next = other;
	channel_open(&ch, receive, &first);
}

/* Each byte is for the owner of that moment, also within one poll. */
static void test_bytes_follow_the_owner(void)
{
	open_channel(&second);
	typed = "a(b)c(";
	EXPECT_EQ(50, channel_poll(&ch, &g.vp[0]));
	EXPECT_STREQ("a(c(", got[0]);
	EXPECT_STREQ("b)", got[1]);
	EXPECT_EQ(ERR_BUSY, channel_take(&ch, &first));
	typed = "d)";
	EXPECT_EQ(3, channel_poll(&ch, &g.vp[0]));
	EXPECT_STREQ("b)d)", got[1]);
	channel_hand_back(&ch); /* the first keeps it */
	typed = "e";
	(void)channel_poll(&ch, &g.vp[0]);
	EXPECT_STREQ("a(c(e", got[0]);
}

static void test_a_poll_is_bounded(void)
{
	open_channel(&second);
	typed = "0123456789abcdefghij";
	(void)channel_poll(&ch, &g.vp[0]);
	EXPECT_STREQ("0123456789abcdef", got[0]);
	(void)channel_poll(&ch, &g.vp[0]);
	EXPECT_STREQ("0123456789abcdefghij", got[0]);
}

/* Log lines wait for a quiet owner, in order, and what the ring lost is said. */
static void test_log_waits_for_a_quiet_owner(void)
{
	open_channel(&quiet);
	log_info("before");
	typed = "(";
	(void)channel_poll(&ch, &g.vp[0]);
	log_info("one");
	channel_send("packet", 6);
	log_info("two");
	EXPECT_STREQ("before\npacket", fake.console);
	typed = ")";
	(void)channel_poll(&ch, &g.vp[0]);
	EXPECT_STREQ("before\npacketone\ntwo\n", fake.console);

	fake.console_len = 0;
	log_hold(true);
	for (u32 i = 0; i < LOG_RING_BYTES / 8 + 2; i++)
		log_info("%07u", i);
	log_hold(false);
	EXPECT_CONTAINS(fake.console, "... 16 bytes of the log are lost\n0000002\n0000003\n");
}

/* A panic has the line at once, with all that led to it. */
static void test_a_panic_does_not_wait(void)
{
	open_channel(&quiet);
	log_hold(true);
	log_info("what led to it");
	EXPECT_STREQ("", fake.console);
	log_panic("the end");
	EXPECT_STREQ("what led to it\nthe end\n", fake.console);
	EXPECT_EQ(fake.console_len, fake.console_panic_len);
}

static void test_words_are_numbers(void)
{
	static const char *const bad[] = { "", "x", "1x", "-1", "1234567890" };
	u32 val = 5;

	for (u32 i = 0; i < ARRAY_SIZE(bad); i++)
		EXPECT_FALSE(word_u32((struct word){ bad[i], strlen(bad[i]) }, &val));
	EXPECT_EQ(5, val);
	EXPECT_TRUE(word_u32((struct word){ "123456789", 9 }, &val));
	EXPECT_EQ(123456789, val);
}

TEST_MAIN(TEST(test_keys_act_at_once), TEST(test_help_lists_every_row),
	  TEST(test_rows_are_distinct), TEST(test_lines), TEST(test_lines_have_an_end),
	  TEST(test_arguments), TEST(test_stats_repeat), TEST(test_dumps_come_in_pieces),
	  TEST(test_one_dump_at_a_time), TEST(test_bytes_follow_the_owner),
	  TEST(test_a_poll_is_bounded), TEST(test_log_waits_for_a_quiet_owner),
	  TEST(test_a_panic_does_not_wait), TEST(test_words_are_numbers))
