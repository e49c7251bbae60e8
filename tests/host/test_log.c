/* SPDX-License-Identifier: BSD-2-Clause */
/* core/log.c, core/panic.c */
#include "tests/host/harness.h"

#include "arch/x86/defs/vmcs.h"
#include "core/log_internal.h"
#include "tests/host/fakes/rig.h"

#define HZ 1000000000ull

static void init(void)
{
	fake_reset();
	log_reset();
	panic_reset();
	the_partition.clock.tsc_hz = HZ;
}

static void test_messages_reach_ring_and_console(void)
{
	static char buf[LOG_RING_BYTES + 1];

	init();
	log_info("found %u of %s", 3u, "them");
	log_warn("w");
	log_error("e");
	buf[log_ring_read(buf, sizeof(buf) - 1)] = '\0';
	EXPECT_STREQ("found 3 of them\nwarning: w\nerror: e\n", buf);
	EXPECT_STREQ(buf, fake.console);
	EXPECT_EQ(0, fake.console_panic_len);
}

/* Whatever was written, the ring is the end of it. */
static void test_ring_keeps_the_newest(void)
{
	static char all[4 * LOG_RING_BYTES], ring[LOG_RING_BYTES];
	size_t total = 0;

	init();
	while (total < 3 * LOG_RING_BYTES) {
		unsigned len = (unsigned)(test_rng() % 200);
		char c = (char)('a' + test_rng() % 26);
		char text[201];

		memset(text, c, len);
		text[len] = '\0';
		log_info("%s", text);
		total += (size_t)snprintf(all + total, sizeof(all) - total, "%s\n", text);
	}
	EXPECT_EQ(LOG_RING_BYTES, log_ring_read(ring, sizeof(ring)));
	EXPECT_MEMEQ(all + total - LOG_RING_BYTES, ring, LOG_RING_BYTES);
	EXPECT_EQ(10, log_ring_read(ring, 10)); /* oldest first */
	EXPECT_MEMEQ(all + total - LOG_RING_BYTES, ring, 10);
}

static void test_long_line_is_cut_not_lost(void)
{
	char text[2000];

	init();
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	log_error("%s", text);
	EXPECT_EQ('\n', fake.console[fake.console_len - 1]);
	EXPECT_GE(fake.console_len, 300);
	EXPECT_LE(fake.console_len, 320);
}

static u32 lines(const char *text)
{
	u32 n = 0;

	for (; *text != '\0'; text++)
		n += *text == '\n';
	return n;
}

static void test_guest_cannot_flood(void)
{
	init();
	for (int i = 0; i < 1000; i++) {
		fake.tsc += HZ / 10000; /* a tenth of a second in all */
		log_guest("m %d", i);
	}
	EXPECT_EQ(10, lines(fake.console));
	fake.tsc += HZ;
	log_guest("next");
	EXPECT_EQ(12, lines(fake.console));
	EXPECT_CONTAINS(fake.console, "990 messages dropped");
	EXPECT_CONTAINS(fake.console, "next");
}

/* Before calibration there is no second: ten messages, whatever happens. */
static void test_guest_rate_without_clock(void)
{
	init();
	the_partition.clock.tsc_hz = 0;
	for (int i = 0; i < 1000; i++) {
		fake.tsc += HZ;
		log_guest("m");
	}
	EXPECT_EQ(10, lines(fake.console));
}

/* --- Panic --- */

static struct vp vp;

static void test_panic_reports_everything_everywhere(void)
{
	init();
	memset(&vp, 0, sizeof(vp));
	vp.index = 3;
	vp.regs.rbx = 0x1234567812345678ull;
	vp.counters.c[COUNTER_EOI] = 77;
	vp.counters.exits[EXIT_REASON_CPUID] = 5;
	fake.cpu_vp = &vp;
	fake.vmcs[VMCS_GUEST_RIP] = 0xffffffff81000042ull;
	EXPECT_EQ(FAKE_END_HALT, FAKE_CATCH(panic("bad %d", 42)));
	EXPECT_CONTAINS(fake.console, "bad 42");
	EXPECT_CONTAINS(fake.console, "1234567812345678");
	EXPECT_CONTAINS(fake.console, "GUEST_RIP");
	EXPECT_CONTAINS(fake.console, "ffffffff81000042");
	EXPECT_CONTAINS(fake.console, "counter vp3 EOI 77");
	EXPECT_CONTAINS(fake.console, "exit vp3 cpuid 5");
	EXPECT_EQ(1, fake.crash_dumps);
	EXPECT_EQ(fake.console_len, fake.console_panic_len);
}

static void test_panic_without_vp_or_vmcs(void)
{
	init();
	EXPECT_EQ(FAKE_END_HALT, FAKE_CATCH(panic("early")));
	EXPECT_CONTAINS(fake.console, "early");
	init();
	memset(&vp, 0, sizeof(vp));
	fake.cpu_vp = &vp;
	fake.vmcs_absent = true;
	EXPECT_EQ(FAKE_END_HALT, FAKE_CATCH(panic("no vmcs")));
	EXPECT_EQ(0, fake.vmreads);
}

static void test_second_panic_is_one_short_text(void)
{
	u32 first;

	init();
	EXPECT_EQ(FAKE_END_HALT, FAKE_CATCH(panic("one")));
	first = lines(fake.console);
	EXPECT_EQ(FAKE_END_HALT, FAKE_CATCH(panic("two")));
	EXPECT_EQ(first + 2, lines(fake.console));
	EXPECT_CONTAINS(fake.console, "two");
	EXPECT_EQ(1, fake.crash_dumps);
}

static void test_fatal_is_one_line(void)
{
	init();
	EXPECT_EQ(FAKE_END_HALT, FAKE_CATCH(fatal("no VMX: enable it in the firmware")));
	EXPECT_STREQ("no VMX: enable it in the firmware\n", fake.console);
	EXPECT_EQ(fake.console_len, fake.console_panic_len);
}

TEST_MAIN(TEST(test_messages_reach_ring_and_console), TEST(test_ring_keeps_the_newest),
	  TEST(test_long_line_is_cut_not_lost), TEST(test_guest_cannot_flood),
	  TEST(test_guest_rate_without_clock), TEST(test_panic_reports_everything_everywhere),
	  TEST(test_panic_without_vp_or_vmcs), TEST(test_second_panic_is_one_short_text),
	  TEST(test_fatal_is_one_line))
