/* SPDX-License-Identifier: BSD-2-Clause */
/* boot/option/option.c and its table: what is accepted, what is refused, and what the refusal says.
 */
#include "tests/host/harness.h"

#include "boot/option/option_internal.h"
#include "core/diag/trace.h"
#include "core/partition.h"
#include "hv/feature.h"

static struct options o;
static char msg[256];

static err_t parse(const char *cmdline)
{
	options_default(&o);
	msg[0] = '\0';
	return options_parse(&o, cmdline, msg, sizeof(msg));
}

static void test_every_default_is_a_legal_value(void)
{
	for (u32 i = 0; i < option_row_count; i++) {
		struct options defaults;
		char word[200];

		options_default(&defaults);
		snprintf(word, sizeof(word), "%s=%s", option_rows[i].name, option_rows[i].dflt);
		EXPECT_EQ(ERR_NONE, parse(word));
		EXPECT_EQ(1ull << i, o.given);
		o.given = 0;
		EXPECT_MEMEQ(&defaults, &o, sizeof(o));
	}
}

static void test_defaults(void)
{
	EXPECT_EQ(ERR_NONE, parse(""));
	EXPECT_EQ(APICV_AUTO, o.config.apicv);
	EXPECT_EQ(CONSOLE_ALL, o.console);
	EXPECT_EQ(LOG_NONE, o.config.log);
	EXPECT_EQ(MITIGATIONS_AUTO, o.mitigations);
	EXPECT_EQ(ON_CRASH_REBOOT, o.config.on_crash);
	EXPECT_EQ(ON_PANIC_HALT, o.on_panic);
	EXPECT_EQ(250, o.tsc_tolerance_ppm);
	EXPECT_EQ(1, o.config.report_ignored_msrs);
	EXPECT_EQ(0, o.test_fault);
	EXPECT_EQ(200000, o.config.halt_poll_ns); /* KVM's */
	EXPECT_EQ(2, o.config.halt_poll_ns_grow);
	EXPECT_EQ(10000, o.config.halt_poll_ns_grow_start);
	EXPECT_EQ(0, o.config.halt_poll_ns_shrink);
	EXPECT_EQ(200, o.config.min_timer_period_us);
	EXPECT_EQ(0, o.config.lapic_timer_advance_ns);
	EXPECT_EQ(1, o.config.vector_hashing);
	EXPECT_EQ(MWAIT_HIDE, o.config.mwait);
	EXPECT_EQ(HLT_EXIT, o.config.hlt);
}

static void expect_ports_refused(const char *value, const char *why)
{
	char word[300];

	snprintf(word, sizeof(word), "cpu=host,hv-synic synic_loopback=%s", value);
	EXPECT_EQ(ERR_INVAL, parse(word));
	EXPECT_TRUE(strstr(msg, why) != NULL && strstr(msg, "write ID:VP:SINT") != NULL);
}

static void test_synic_loopback(void)
{
	const struct config_ports *p = &o.config.synic_loopback;
	char text[64];

	EXPECT_EQ(ERR_NONE,
		  parse("cpu=host,hv-vpindex,hv-synic "
			"synic_loopback=1:0:2,0xff:255:15:event,1:3:4:event,7:1:0:message"));
	EXPECT_EQ(4, p->count);
	EXPECT_EQ(255, p->port[1].id);
	EXPECT_EQ(255, p->port[1].vp);
	EXPECT_EQ(15, p->port[1].sint);
	EXPECT_TRUE(p->port[1].is_event && p->port[2].is_event);
	EXPECT_FALSE(p->port[0].is_event || p->port[3].is_event);
	for (u32 i = 0; i < option_row_count; i++) {
		if (strcmp(option_rows[i].name, "synic_loopback") != 0)
			continue;
		option_value(&o, i, text, sizeof(text));
		EXPECT_STREQ("1:0:2,255:255:15:event,1:3:4:event,7:1:0", text);
	}
	EXPECT_EQ(ERR_NONE, parse("synic_loopback=none"));
	EXPECT_EQ(0, p->count);
	expect_ports_refused("", "three numbers");
	expect_ports_refused("1:0", "three numbers");
	expect_ports_refused("256:0:2", "a bad connection ID");
	expect_ports_refused("1:256:2", "a bad virtual processor");
	expect_ports_refused("1:0:16", "a bad SINT");
	expect_ports_refused("1:0:2:events", "a bad kind");
	expect_ports_refused("1:0:2,1:1:3", "is there already");
	expect_ports_refused("1:0:1,2:0:1,3:0:1,4:0:1,5:0:1,6:0:1,7:0:1,8:0:1,9:0:1,10:0:1,11:0:1,"
			     "12:0:1,13:0:1,14:0:1,15:0:1,16:0:1,17:0:1",
			     "too many");
	EXPECT_EQ(ERR_NODEV, parse("synic_loopback=1:0:2"));
	EXPECT_TRUE(strstr(msg, "add cpu=host,hv-synic") != NULL);
}

/* The debugger and its port: both or neither, and not the log's. */
static void test_syndbg(void)
{
#define WORDS "cpu=host,hv-relaxed,hv-vpindex,hv-synic,hv-syndbg "

	EXPECT_EQ(ERR_NONE, parse(WORDS "syndbg=com1 log=com2"));
	EXPECT_EQ(SYNDBG_COM1, o.config.syndbg);
	EXPECT_EQ(ERR_NONE, parse("syndbg=com2 " WORDS));
	EXPECT_EQ(SYNDBG_COM2, o.config.syndbg);
	EXPECT_EQ(ERR_NODEV, parse(WORDS));
	EXPECT_STREQ("option cpu: hv-syndbg needs a serial port: add syndbg=com1 or syndbg=com2",
		     msg);
	EXPECT_EQ(ERR_NODEV, parse("profile=hv-test syndbg=com1"));
	EXPECT_CONTAINS(msg, "syndbg: it needs hv-syndbg");
	EXPECT_EQ(ERR_NODEV, parse("log=com2 syndbg=com2 " WORDS));
	EXPECT_CONTAINS(msg, "the log has that port");
	EXPECT_EQ(ERR_INVAL, parse(WORDS "syndbg=com3"));
	EXPECT_CONTAINS(msg, "none|com1|com2");
	EXPECT_EQ(ERR_NODEV, parse("cpu=host,hv-relaxed,hv-syndbg syndbg=com1"));
	EXPECT_CONTAINS(msg, "Hyper-V hv-syndbg requires Hyper-V hv-synic");
	EXPECT_EQ(ERR_NODEV, parse("cpu=host,hv-vpindex,hv-synic,hv-syndbg syndbg=com1"));
	EXPECT_CONTAINS(msg, "requires Hyper-V hv-relaxed");
	EXPECT_EQ(ERR_NONE, parse("cpu=host,hv-passthrough,hv-syndbg,hv-passthrough=off"));
	EXPECT_EQ(0, o.config.cpu_features & BIT64(FEATURE_HV_SYNDBG));
#undef WORDS
}

static void test_idle_and_timer_options(void)
{
	EXPECT_EQ(ERR_NONE,
		  parse("halt_poll_ns=0 halt_poll_ns_grow=0 halt_poll_ns_grow_start=0 "
			"halt_poll_ns_shrink=3 min_timer_period_us=50 lapic_timer_advance_ns=5000 "
			"vector_hashing=N mwait=c1 hlt=exit"));
	EXPECT_EQ(0, o.config.halt_poll_ns | o.config.halt_poll_ns_grow |
			     o.config.halt_poll_ns_grow_start);
	EXPECT_EQ(3, o.config.halt_poll_ns_shrink);
	EXPECT_EQ(50, o.config.min_timer_period_us);
	EXPECT_EQ(5000, o.config.lapic_timer_advance_ns);
	EXPECT_EQ(0, o.config.vector_hashing);
	EXPECT_EQ(MWAIT_C1, o.config.mwait);
	EXPECT_EQ(ERR_NONE, parse("lapic_timer_advance_ns=-1"));
	EXPECT_EQ(CONFIG_ADAPTS, o.config.lapic_timer_advance_ns);
	EXPECT_EQ(ERR_RANGE, parse("lapic_timer_advance_ns=5001"));
	EXPECT_CONTAINS(msg, "from 0 to 5000 or -1");
	EXPECT_EQ(ERR_RANGE, parse("halt_poll_ns=-1"));
	EXPECT_EQ(ERR_RANGE, parse("min_timer_period_us=0"));
	EXPECT_EQ(ERR_INVAL, parse("mwait=c6"));
}

/* Dependencies: named in one line, in either order, and only when the option was given. */
static void test_hlt_passthrough_costs_halt_polling(void)
{
	static const char *const polls[] = { "halt_poll_ns", "halt_poll_ns_grow",
					     "halt_poll_ns_grow_start", "halt_poll_ns_shrink" };

	EXPECT_EQ(ERR_NONE, parse("hlt=passthrough mwait=c1"));
	EXPECT_EQ(HLT_PASSTHROUGH, o.config.hlt);
	for (u32 i = 0; i < ARRAY_SIZE(polls); i++) {
		char words[100], want[100];

		snprintf(words, sizeof(words), "%s=2 hlt=passthrough", polls[i]);
		snprintf(want, sizeof(want), "hlt=passthrough excludes %s:", polls[i]);
		EXPECT_EQ(ERR_INVAL, parse(words));
		EXPECT_CONTAINS(msg, want);
		snprintf(words, sizeof(words), "hlt=passthrough %s=2", polls[i]);
		EXPECT_EQ(ERR_INVAL, parse(words));
		EXPECT_CONTAINS(msg, want);
		snprintf(words, sizeof(words), "hlt=passthrough %s=2 hlt=exit", polls[i]);
		EXPECT_EQ(ERR_NONE, parse(words));
	}
}

static void test_testdev_exit_needs_testdev(void)
{
	EXPECT_EQ(ERR_NONE, parse(""));
	EXPECT_EQ(0, o.testdev);
	EXPECT_EQ(ERR_NONE, parse("testdev_exit=poweroff testdev=on"));
	EXPECT_EQ(1, o.testdev);
	EXPECT_EQ(TESTDEV_EXIT_POWEROFF, o.testdev_exit);
	EXPECT_EQ(ERR_NONE, parse("testdev"));
	EXPECT_EQ(TESTDEV_EXIT_HALT, o.testdev_exit);
	EXPECT_EQ(ERR_INVAL, parse("testdev_exit=poweroff"));
	EXPECT_CONTAINS(msg, "testdev=off excludes testdev_exit: the exit port exists with "
			     "testdev=on only");
	EXPECT_EQ(ERR_INVAL, parse("testdev=on testdev_exit=reboot"));
	EXPECT_CONTAINS(msg, "halt|poweroff");
}

static void test_all_types(void)
{
	EXPECT_EQ(
		ERR_NONE,
		parse("apicv=off  console=none\tlog=com2 on_crash=halt mitigations=off stats=0x1f "
		      "tsc_tolerance_ppm=1000 ignore_msrs=Y report_ignored_msrs=0 "
		      "test_fault=page_fault cpu=host,kvm=off help"));
	EXPECT_EQ(APICV_OFF, o.config.apicv);
	EXPECT_EQ(CONSOLE_NONE, o.console);
	EXPECT_EQ(LOG_COM2, o.config.log);
	EXPECT_EQ(ON_CRASH_HALT, o.config.on_crash);
	EXPECT_EQ(MITIGATIONS_OFF, o.mitigations);
	EXPECT_EQ(31, o.config.stats_s);
	EXPECT_EQ(1000, o.tsc_tolerance_ppm);
	EXPECT_EQ(1, o.config.ignore_msrs);
	EXPECT_EQ(0, o.config.report_ignored_msrs);
	EXPECT_EQ(2, o.test_fault); /* the second row */
	EXPECT_EQ(0, o.config.cpu_features & BIT64(FEATURE_KVM));
	EXPECT_EQ(1, o.help);
}

static void test_booleans_as_kvm_writes_them(void)
{
	static const char *const words[] = { "0", "1", "N", "Y", "off", "on" };

	for (u32 i = 0; i < ARRAY_SIZE(words); i++) {
		char word[40];

		snprintf(word, sizeof(word), "ignore_msrs=%s", words[i]);
		EXPECT_EQ(ERR_NONE, parse(word));
		EXPECT_EQ(i % 2, o.config.ignore_msrs);
	}
	EXPECT_EQ(ERR_NONE, parse("ignore_msrs"));
	EXPECT_EQ(1, o.config.ignore_msrs);
	EXPECT_NE(ERR_NONE, parse("ignore_msrs=2"));
	EXPECT_CONTAINS(msg, "ignore_msrs=2");
	EXPECT_NE(ERR_NONE, parse("ignore_msrs="));
}

static void test_last_duplicate_wins(void)
{
	EXPECT_EQ(ERR_NONE, parse("stats=1 stats=2 stats=3"));
	EXPECT_EQ(3, o.config.stats_s);
}

/* One wrong, missing or extra letter in a name of 5 or more still leads to that name. */
static void test_a_typo_is_answered_with_the_name(void)
{
	for (u32 i = 0; i < option_row_count; i++) {
		const char *name = option_rows[i].name;
		size_t len = strlen(name);
		char word[64], want[64];

		if (len < 5)
			continue;
		snprintf(want, sizeof(want), "\"%s\"?", name);
		for (size_t k = 0; k < len; k++) {
			snprintf(word, sizeof(word), "%.*sQ%s=1", (int)k, name, name + k + 1);
			EXPECT_EQ(ERR_NOENT, parse(word));
			EXPECT_CONTAINS(msg, want);
			snprintf(word, sizeof(word), "%.*s%s=1", (int)k, name, name + k + 1);
			EXPECT_EQ(ERR_NOENT, parse(word));
			EXPECT_CONTAINS(msg, want);
			snprintf(word, sizeof(word), "%.*sQ%s", (int)k, name, name + k);
			EXPECT_EQ(ERR_NOENT, parse(word));
			EXPECT_CONTAINS(msg, want);
		}
	}
}

static void test_enum_typo_is_answered_with_the_value(void)
{
	EXPECT_EQ(ERR_INVAL, parse("apicv=atuo"));
	EXPECT_CONTAINS(msg, "apicv=auto?");
	EXPECT_CONTAINS(msg, "auto|on|off");
	EXPECT_EQ(ERR_INVAL, parse("log=com1"));
	EXPECT_CONTAINS(msg, "log=com2?");
	EXPECT_EQ(ERR_INVAL, parse("console=com"));
	EXPECT_EQ(ERR_INVAL, parse("apicv="));
	EXPECT_EQ(ERR_INVAL, parse("apicv"));
	EXPECT_CONTAINS(msg, "apicv=auto|on|off");
	EXPECT_EQ(ERR_INVAL, parse("test_fault=cups"));
	EXPECT_CONTAINS(msg, "test_fault=cpus?");
}

/* Some of the values, in any order, with commas. */
static void test_sets(void)
{
	char text[64];
	u32 row = 0;

	while (strcmp(option_rows[row].name, "trace") != 0)
		row++;
	EXPECT_EQ(ERR_NONE, parse(""));
	EXPECT_EQ(BIT32(0), o.trace);
	EXPECT_EQ(128, o.trace_size);
	EXPECT_FALSE(trace_traces_exits(o.trace));
	EXPECT_EQ(ERR_NONE, parse("trace=exits"));
	EXPECT_EQ(BIT32(1), o.trace);
	EXPECT_EQ(ERR_NONE, parse("trace=msr,cpuid,msr trace_size=65536"));
	EXPECT_EQ(65536, o.trace_size);
	option_value(&o, row, text, sizeof(text));
	EXPECT_STREQ("cpuid,msr", text);
	option_value(&o, row, text, 7); /* cut, not overrun */
	EXPECT_STREQ("cpuid,", text);
	EXPECT_EQ(ERR_INVAL, parse("trace=msr,cupid"));
	EXPECT_CONTAINS(msg, "option trace=cupid: did you mean trace=cpuid? (rare|exits|");
	EXPECT_EQ(ERR_INVAL, parse("trace=msr,"));
	EXPECT_EQ(ERR_INVAL, parse("trace="));
	EXPECT_EQ(ERR_INVAL, parse("trace"));
	EXPECT_EQ(ERR_RANGE, parse("trace_size=65537"));
	EXPECT_EQ(ERR_RANGE, parse("trace_size=127"));
}

static void test_numbers_have_ranges(void)
{
	static const char *const bad[] = { "stats=-1",
					   "stats=",
					   "stats=1s",
					   "stats=86401",
					   "stats=99999999999999999999",
					   "stats=0x",
					   "stats=18446744073709551616",
					   "tsc_tolerance_ppm=0" };

	for (u32 i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_NE(ERR_NONE, parse(bad[i]));
		EXPECT_CONTAINS(msg, "give a number from");
	}
	EXPECT_EQ(ERR_NONE, parse("stats=86400"));
	EXPECT_EQ(86400, o.config.stats_s);
}

static void test_odd_command_lines(void)
{
	static char line[8192];

	EXPECT_EQ(ERR_NONE, parse("   \t  "));
	EXPECT_EQ(ERR_NONE, parse("\n stats=5 \r\n"));
	EXPECT_EQ(5, o.config.stats_s);
	EXPECT_NE(ERR_NONE, parse("stats=5\x01"));
	EXPECT_CONTAINS(msg, "0x01 at position 7");
	EXPECT_NE(ERR_NONE, parse("\xc3\xa4"));
	EXPECT_NE(ERR_NONE, parse("=5"));
	EXPECT_NE(ERR_NONE, parse("=="));
	memset(line, 'x', sizeof(line) - 1);
	EXPECT_EQ(ERR_RANGE, parse(line));
	EXPECT_CONTAINS(msg, "8191 characters");
	memset(line, ' ', sizeof(line) - 1);
	EXPECT_EQ(ERR_NONE, parse(line));
}

static char printed[16384];
static u32 widest, lines;

static void collect(const char *text)
{
	size_t n = strlen(printed);

	widest = widest > strlen(text) ? widest : (u32)strlen(text);
	lines++;
	snprintf(printed + n, sizeof(printed) - n, "%s\n", text);
}

static const char *print(const char *cmdline)
{
	printed[0] = '\0';
	widest = 0;
	lines = 0;
	EXPECT_EQ(ERR_NONE, parse(cmdline));
	options_print(o.help, collect);
	return printed;
}

/* How often @text holds @word between blanks. */
static u32 count_word(const char *text, const char *word)
{
	size_t len = strlen(word);
	u32 count = 0;

	for (const char *at = text; (at = strstr(at, word)) != NULL; at += len) {
		bool begins = at == text || strchr(" \n", at[-1]) != NULL;

		count += begins && strchr(" \n", at[len]) != NULL;
	}
	return count;
}

/* help fits a screen of 80 columns and 25 lines, with every option and every feature once, and room
 * for the line after it that says that the machine is halted. */
static void test_help_fits_a_screen(void)
{
	const char *text = print("help");
	char word[64];

	for (u32 i = 0; i < option_row_count; i++) {
		snprintf(word, sizeof(word), "%s=%s", option_rows[i].name, option_rows[i].dflt);
		EXPECT_EQ(1, count_word(text, word));
	}
	EXPECT_EQ(1, count_word(text, "hypervisor=on"));
	EXPECT_EQ(1, count_word(text, "hyperv=off"));
	EXPECT_LE(widest, 79);
	EXPECT_LE(lines, 23);
}

/* All about one option or feature, in full, on a screen. */
static void test_help_for_one_option(void)
{
	for (u32 i = 0; i < option_row_count; i++) {
		char words[64], row[64];

		snprintf(words, sizeof(words), "help=%s", option_rows[i].name);
		snprintf(row, sizeof(row), "  %s=", option_rows[i].name);
		EXPECT_EQ(0, strncmp(row, print(words), strlen(row)));
		EXPECT_LE(widest, 79);
		EXPECT_LE(lines, 23);
	}
	print("help=test_fault");
	EXPECT_CONTAINS(printed, "selftest_timer");
	EXPECT_CONTAINS(printed, "For its development");
	EXPECT_CONTAINS(print("help=stats"),
			"  stats=SECONDS (0 to 86400) [0]\n      dump the counters");
	EXPECT_EQ(1, count_word(print("help=cpu"), "kvm=on"));
	EXPECT_EQ(1, count_word(print("help=kvm"), "kvm-hint-dedicated=off"));
	EXPECT_EQ(1, count_word(print("help=hyperv"), "hv-relaxed=off"));
	EXPECT_LE(lines, 23);
	EXPECT_EQ(0, count_word(printed, "kvmclock=on"));
	EXPECT_NULL(strstr(print("help=log"), "apicv"));
	EXPECT_EQ(ERR_NOENT, parse("help=apicvv"));
	EXPECT_CONTAINS(msg, "did you mean \"apicv\"?");
	EXPECT_EQ(ERR_NOENT, parse("help=kvmclok"));
	EXPECT_CONTAINS(msg, "did you mean \"kvmclock\"?");
	EXPECT_EQ(ERR_NONE, parse("help=off"));
	EXPECT_EQ(HELP_OFF, o.help);
}

static void test_help_for_one_feature(void)
{
	EXPECT_STREQ("  cpu=host,kvm-pv-unhalt=on|off [on]\n"
		     "      a CPU wakes another one from HLT\n"
		     "      in profile kvm, kvm-test, both\n"
		     "      needs kvm\n"
		     "      needs hlt=exit\n",
		     print("help=kvm_pv-unhalt"));
	EXPECT_EQ(HELP_TOPIC + option_row_count, (parse("help=hypervisor"), o.help));
	EXPECT_EQ(HELP_TOPIC + option_row_count + FEATURE_KVM_HINT_DEDICATED,
		  (parse("help=kvm-hint-dedicated"), o.help));
	EXPECT_CONTAINS(printed, "kvm-pv-unhalt");
	EXPECT_CONTAINS(print("help=hv-no-nonarch-coresharing"), "=on|off|auto [off]");
	EXPECT_EQ(ERR_NOENT, parse("help=maxcpu_s"));
}

/* A word of cpu= with a value; the word of a feature may have one, too. */
static void test_help_for_one_setting(void)
{
	EXPECT_STREQ("  cpu=host,hv-vendor-id=TEXT (at most 12 characters) [Microsoft Hv]\n"
		     "      the name in the first leaf\n",
		     print("help=hv_vendor_id"));
	EXPECT_CONTAINS(print("help=hv-version-id-major"), "=N (0 to 0xffff) [0xa]\n");
	EXPECT_CONTAINS(print("help=hv_spinlocks"), "hv-spinlocks=on|off [off]\n");
	EXPECT_CONTAINS(printed, "hv-spinlocks=N (0 to 0xffffffff) [0xfff]\n");
	EXPECT_EQ(HELP_TOPIC + option_row_count + FEATURE_COUNT + cpu_setting_count - 1,
		  (parse("help=hv-version-id-snumber"), o.help));
}

/* A feature's name where an option's is expected. */
static void test_a_feature_is_no_option(void)
{
	EXPECT_EQ(ERR_NOENT, parse("hv_relaxed"));
	EXPECT_CONTAINS(msg, "did you mean \"cpu=host,hv_relaxed\"?");
	EXPECT_EQ(ERR_NOENT, parse("hv_spinlocks=0x1fff,hv_time"));
	EXPECT_CONTAINS(msg, "did you mean \"cpu=host,hv_spinlocks=0x1fff,hv_time\"?");
	EXPECT_EQ(ERR_NOENT, parse("kvm-pv_eoi=off"));
	EXPECT_CONTAINS(msg, "did you mean \"cpu=host,kvm-pv_eoi=off\"?");
	EXPECT_EQ(ERR_NOENT, parse("-kvm-pv-eoi"));
	EXPECT_CONTAINS(msg, "did you mean \"cpu=host,-kvm-pv-eoi\"?");
	EXPECT_EQ(ERR_NOENT, parse("apic=on")); /* QEMU has such a word; closer is our option */
	EXPECT_CONTAINS(msg, "did you mean \"apicv\"?");
}

/* maxcpus= allows as many CPUs as there can be VPs, by default too. */
static void test_maxcpus_goes_to_the_limit(void)
{
	EXPECT_EQ(ERR_NONE, parse(""));
	EXPECT_EQ(VP_MAX, o.maxcpus);
	EXPECT_EQ(ERR_NONE, parse("maxcpus=256"));
	EXPECT_EQ(VP_MAX, o.maxcpus);
	EXPECT_NE(ERR_NONE, parse("maxcpus=257"));
}

/* What option_value() says, given as options, makes the same options: of every accepted line. */
static void test_values_are_what_one_would_write(void)
{
	static const char *const given[] = {
		"",
		"dryrun",
		"help=maxcpus",
		"selftest",
		"selftest=stop apicv=off console=vga log=com2 stats=7 maxcpus=3",
		"lapic_timer_advance_ns=-1 halt_poll_ns=0x10 hlt=exit test_fault=caps1",
		"cpu=host,kvm-pv-eoi=off,+hypervisor profile=kvm",
		"profile=bare mitigations=all mwait=c1 trace=ept,io,rare",
	};

	for (u32 k = 0; k < ARRAY_SIZE(given); k++) {
		char again[4096] = "", val[512];
		struct options first;
		size_t n = 0;

		EXPECT_EQ(ERR_NONE, parse(given[k]));
		first = o;
		for (u32 i = 0; i < option_row_count; i++) {
			/* A rule may exclude even the default: only what is given. */
			if (strcmp(option_rows[i].name, "halt_poll_ns") == 0 &&
			    first.config.hlt != HLT_EXIT)
				continue;
			option_value(&first, i, val, sizeof(val));
			n += (size_t)snprintf(again + n, sizeof(again) - n, "%s=%s ",
					      option_rows[i].name, val);
		}
		EXPECT_EQ(ERR_NONE, parse(again));
		o.given = first.given;
		EXPECT_MEMEQ(&first, &o, sizeof(o));
	}
}

static void test_features_by_name(void)
{
	char text[512];

	EXPECT_EQ(ERR_NONE, parse("profile=bare cpu=host,hypervisor=on"));
	options_features(&o, text, sizeof(text));
	EXPECT_STREQ("hypervisor", text);
	EXPECT_EQ(ERR_NONE, parse("profile=kvm cpu=host,kvm-pv-eoi=off"));
	options_features(&o, text, sizeof(text));
	EXPECT_CONTAINS(text, "kvm ");
	EXPECT_NULL(strstr(text, "kvm-pv-eoi"));
}

static void test_selftest_alone_is_on(void)
{
	EXPECT_EQ(ERR_NONE, parse("selftest"));
	EXPECT_EQ(SELFTEST_ON, o.selftest);
	EXPECT_EQ(ERR_NONE, parse("selftest=stop"));
	EXPECT_EQ(SELFTEST_STOP, o.selftest);
	EXPECT_EQ(ERR_NONE, parse("dryrun"));
	EXPECT_EQ(1, o.dryrun);
	EXPECT_NE(ERR_NONE, parse("dryrun selftest"));
	EXPECT_CONTAINS(msg, "dryrun=on excludes selftest");
	EXPECT_EQ(ERR_NONE, parse("dryrun selftest=off"));
	EXPECT_NE(ERR_NONE, parse("profile"));
	EXPECT_CONTAINS(msg, "needs a value");
}

TEST_MAIN(TEST(test_maxcpus_goes_to_the_limit), TEST(test_values_are_what_one_would_write),
	  TEST(test_features_by_name), TEST(test_selftest_alone_is_on),
	  TEST(test_every_default_is_a_legal_value), TEST(test_defaults),
	  TEST(test_testdev_exit_needs_testdev), TEST(test_all_types), TEST(test_synic_loopback),
	  TEST(test_syndbg), TEST(test_idle_and_timer_options),
	  TEST(test_hlt_passthrough_costs_halt_polling), TEST(test_booleans_as_kvm_writes_them),
	  TEST(test_last_duplicate_wins),

	  TEST(test_a_typo_is_answered_with_the_name),
	  TEST(test_enum_typo_is_answered_with_the_value), TEST(test_sets),
	  TEST(test_numbers_have_ranges), TEST(test_odd_command_lines),
	  TEST(test_help_fits_a_screen), TEST(test_help_for_one_option),
	  TEST(test_help_for_one_feature), TEST(test_help_for_one_setting),
	  TEST(test_a_feature_is_no_option))
