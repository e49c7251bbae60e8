/* SPDX-License-Identifier: BSD-2-Clause */
/* core/diag/log.c, core/diag/panic.c */
#include "tests/host/harness.h"

#include "arch/x86/defs/vmcs.h"
#include "core/diag/log_internal.h"
#include "core/diag/panic.h"
#include "core/diag/stop_all.h"
#include "core/partition.h"
#include "tests/host/fakes/rig.h"

#define HZ 1000000000ull

static void init(void)
{
	fake_reset();
	log_reset();
	panic_reset();
	stop_all_reset();
	the_partition.vp_count = 0;
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
	the_partition.vp[the_partition.vp_count++] = &vp;
	fake.vmcs[VMCS_GUEST_RIP] = 0xffffffff81000042ull;
	fake.vmcs[VMCS_GUEST_CS_SELECTOR] = 0x10;
	fake.vmcs[VMCS_EXIT_REASON] = EXIT_REASON_HLT;
	panic_init("1.2-abc", false);
	EXPECT_EQ(FAKE_END_HALT, FAKE_CATCH(panic("bad %d", 42)));
	EXPECT_CONTAINS(fake.console, "---- hypervisor panic: Kensho 1.2-abc ----\nbad 42\n"
				      "guest of vp3: rip 0010:ffffffff81000042 rsp ");
	EXPECT_CONTAINS(fake.console, "last exit hlt (0x0)");
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

/* on_panic=reboot: once. When the reset itself ends in a panic, the machine halts. */
static void test_panic_may_reboot(void)
{
	init();
	panic_init("1.2-abc", true);
	EXPECT_EQ(FAKE_END_REBOOT, FAKE_CATCH(panic("one")));
	EXPECT_EQ(0, fake.tone[TONE_BAD]);
	EXPECT_CONTAINS(fake.console, "---- the machine reboots (on_panic=reboot); please");
	EXPECT_EQ(FAKE_END_HALT, FAKE_CATCH(panic("two")));
	EXPECT_CONTAINS(fake.console, "panic during a panic:\ntwo\n");
	init();
	EXPECT_EQ(FAKE_END_HALT, FAKE_CATCH(fatal("the user's mistake")));
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

/* Two CPUs: the other one takes its NMI while the first one waits for that. */
static struct vp other;

static void other_stops(void)
{
	fake.cpu_vp = &other;
	EXPECT_TRUE(stop_all_wanted());
	EXPECT_EQ(FAKE_END_HALT, FAKE_CATCH(stop_all_obey()));
	fake.cpu_vp = &vp;
	EXPECT_FALSE(stop_all_wanted());
}

static void two_cpus(void)
{
	init();
	memset(&vp, 0, sizeof(vp));
	memset(&other, 0, sizeof(other));
	fake.cpu_vp = &vp;
	fake.tsc_step = 100;
	vp.apic_id = 4;
	other.apic_id = 6;
	partition_add_vp(&the_partition, &vp);
	partition_add_vp(&the_partition, &other);
}

static void test_one_cpu_reports_the_other_is_silent(void)
{
	u32 first;

	two_cpus();
	stop_all_others(); /* the fake one never answers: given up */
	EXPECT_EQ(1, fake.kick_count);
	EXPECT_TRUE(fake.kicked[0] == &other);
	fake.vmcs[VMCS_GUEST_RIP] = 0x7c00;
	fake.vmcs[VMCS_EXIT_REASON] = EXIT_REASON_WRMSR;
	other_stops();
	fake.vmcs[VMCS_GUEST_RIP] = 0x1234;
	EXPECT_EQ(FAKE_END_HALT, FAKE_CATCH(panic("first")));
	EXPECT_EQ(1, fake.kick_count);
	EXPECT_CONTAINS(fake.console, "stopped 1 of 1 other CPUs within ");
	EXPECT_CONTAINS(fake.console, "vp1 stopped: guest rip 0000000000007c00, last exit wrmsr\n");
	EXPECT_NULL(strstr(fake.console, "vp0 stopped"));
	EXPECT_NULL(strstr(fake.console, "lost"));
	first = lines(fake.console);
	fake.cpu_vp = &other;
	EXPECT_EQ(FAKE_END_HALT, FAKE_CATCH(panic("second")));
	EXPECT_EQ(first, lines(fake.console));
}

static void test_a_lost_cpu_does_not_hold_up_the_report(void)
{
	two_cpus();
	EXPECT_EQ(FAKE_END_HALT, FAKE_CATCH(panic("alone")));
	EXPECT_CONTAINS(fake.console, "stopped 0 of 1 other CPUs within 1000");
	EXPECT_CONTAINS(fake.console, "cpu 6 (vp1) is lost: no answer to an NMI after ");
	EXPECT_NULL(strstr(fake.console, "vp1 stopped"));
	two_cpus();
	the_partition.clock.tsc_hz = 2000000000; /* 1 ms are 2 000 000 ticks */
	EXPECT_EQ(FAKE_END_HALT, FAKE_CATCH(panic("alone")));
	EXPECT_CONTAINS(fake.console, "stopped 0 of 1 other CPUs within 2000");
	EXPECT_CONTAINS(fake.console, "is lost: no answer to an NMI after 1000 us\n");
}

static void test_a_stopped_cpu_may_hold_the_lock(void)
{
	init();
	fake.console_stops = true;
	EXPECT_EQ(FAKE_END_HALT, FAKE_CATCH(log_info("cut off")));
	fake.console_stops = false;
	log_take_consoles();
	log_info("report"); /* would spin for ever */
	EXPECT_CONTAINS(fake.console, "report");
}

static void test_fatal_is_one_sentence(void)
{
	init();
	EXPECT_EQ(FAKE_END_HALT, FAKE_CATCH(fatal("no %s; do this: enable it", "VMX")));
	EXPECT_STREQ(HALTED "\n"
			    "RESULT: Kensho cannot run here: no VMX; do this: enable it\n",
		     fake.console);
	EXPECT_EQ(1, fake.tone[TONE_BAD]);
	EXPECT_EQ(strlen(HALTED "\n"), fake.tone_from);
	EXPECT_EQ(fake.console_len, fake.tone_to);
	EXPECT_EQ(fake.console_len - strlen(HALTED "\n"), fake.console_panic_len);
}

static char heard[256];
static u32 heard_count;

static void hear(const char *why, bool panicking)
{
	snprintf(heard, sizeof(heard), "%s %d", why, panicking);
	heard_count++;
	if (heard_count > 5) /* what goes wrong in the last words is not reported to them again */
		abort();
	fatal("once more");
}

/* In place of the sentence, once, and not at all when nobody listens any more. */
static void test_last_words(void)
{
	init();
	heard_count = 0;
	at_fatal(hear);
	EXPECT_EQ(FAKE_END_HALT, FAKE_CATCH(fatal("no %s", "VMX")));
	EXPECT_STREQ("no VMX 0", heard);
	EXPECT_STREQ(HALTED "\nRESULT: Kensho cannot run here: once more\n", fake.console);
	at_fatal(hear);
	EXPECT_EQ(FAKE_END_HALT, FAKE_CATCH(panic("bad")));
	EXPECT_CONTAINS(heard, "panic");
	EXPECT_EQ('1', heard[strlen(heard) - 1]);
	EXPECT_EQ(2, heard_count);
	at_fatal(hear);
	at_fatal(NULL);
	EXPECT_EQ(FAKE_END_HALT, FAKE_CATCH(fatal("quiet")));
	EXPECT_EQ(2, heard_count);
	EXPECT_CONTAINS(fake.console, "RESULT: Kensho cannot run here: quiet\n");
}

TEST_MAIN(TEST(test_last_words), TEST(test_one_cpu_reports_the_other_is_silent),
	  TEST(test_a_lost_cpu_does_not_hold_up_the_report),
	  TEST(test_a_stopped_cpu_may_hold_the_lock), TEST(test_messages_reach_ring_and_console),
	  TEST(test_ring_keeps_the_newest), TEST(test_long_line_is_cut_not_lost),
	  TEST(test_guest_cannot_flood), TEST(test_guest_rate_without_clock),
	  TEST(test_panic_reports_everything_everywhere), TEST(test_panic_without_vp_or_vmcs),
	  TEST(test_panic_may_reboot), TEST(test_second_panic_is_one_short_text),
	  TEST(test_fatal_is_one_sentence))
