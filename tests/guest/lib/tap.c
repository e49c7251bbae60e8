// SPDX-License-Identifier: BSD-2-Clause
// Test runner of the guests: selection by command line, TAP output, recovery from exceptions.

#include "tests/guest/lib/tap.h"

#include <stdarg.h>

#include "arch/x86/defs/vector.h"
#include "tests/guest/lib/apic.h"
#include "tests/guest/lib/boot.h"
#include "tests/guest/lib/cpu.h"
#include "tests/guest/lib/platform.h"
#include "tests/guest/lib/smp.h"
#include "tests/guest/lib/str.h"

#define COM1 0x3f8

#define COUNTERS_MAX 48

static const struct tap_hooks no_hooks;
static const struct tap_hooks *hooks = &no_hooks;
static void (*screen_put)(char c);
static char failure[256];
static const char *skipped;
static volatile bool checked; /* by any CPU, since the running test began */
static struct {
	const char *name;
	u64 want;
} counters[COUNTERS_MAX];

void tap_init(void)
{
	outb(COM1 + 1, 0);
	outb(COM1 + 3, 0x80);
	outb(COM1 + 0, 1);
	outb(COM1 + 1, 0);
	outb(COM1 + 3, 3);
	outb(COM1 + 2, 7);
	outb(COM1 + 4, 0xb); /* OUT2: the interrupt line is connected */
}

static void tap_putc(char c)
{
	if (c == '\n')
		tap_putc('\r');
	for (u32 i = 0; i < 100000 && (inb(COM1 + 5) & 0x20) == 0; i++)
		cpu_relax();
	outb(COM1, (u8)c);
}

void tap_screen(void (*put)(char c))
{
	screen_put = put;
}

void tap_printf(const char *fmt, ...)
{
	char line[512];
	va_list ap;

	va_start(ap, fmt);
	str_vformat(line, sizeof(line), fmt, ap);
	va_end(ap);
	for (const char *p = line; *p != '\0'; p++) {
		tap_putc(*p);
		if (screen_put != NULL)
			screen_put(*p);
	}
}

static void failure_set(const char *fmt, ...) PRINTF(1, 2);
static void failure_set(const char *fmt, ...)
{
	va_list ap;

	if (failure[0] != '\0')
		return;
	va_start(ap, fmt);
	str_vformat(failure, sizeof(failure), fmt, ap);
	va_end(ap);
}

static const char *base_name(const char *path)
{
	const char *base = path;

	for (; *path != '\0'; path++) {
		if (*path == '/')
			base = path + 1;
	}
	return base;
}

bool test_expect(bool ok, const char *verb, const char *expr, u64 got, u64 want, const char *file,
		 int line)
{
	checked = true;
	if (!ok)
		failure_set("%s = 0x%llx, %s 0x%llx (%s:%d)", expr, got, verb, want,
			    base_name(file), line);
	return ok;
}

bool test_check(bool ok, const char *cond, const char *file, int line)
{
	checked = true;
	if (!ok)
		test_fail(cond, file, line);
	return ok;
}

bool test_check_at(bool ok, const char *cond, const char *file, int line, const char *where, ...)
{
	char text[sizeof(failure)];
	va_list ap;

	checked = true;
	if (ok)
		return true;
	va_start(ap, where);
	str_vformat(text, sizeof(text), where, ap);
	va_end(ap);
	failure_set("%s: %s (%s:%d)", text, cond, base_name(file), line);
	return false;
}

void test_fail(const char *text, const char *file, int line)
{
	failure_set("%s (%s:%d)", text, base_name(file), line);
}

bool test_failed(void)
{
	return failure[0] != '\0';
}

void counter_want(const char *name, u64 n)
{
	for (u32 i = 0; i < COUNTERS_MAX; i++) {
		if (counters[i].name == NULL)
			counters[i].name = name;
		if (str_equal(counters[i].name, name)) {
			counters[i].want += n;
			return;
		}
	}
	test_fail("COUNTERS_MAX", __FILE__, __LINE__);
}

static void counters_print(void)
{
	for (u32 i = 0; i < COUNTERS_MAX && counters[i].name != NULL; i++)
		tap_printf("# counter %s %llu\n", counters[i].name, counters[i].want);
}

void test_skip(const char *why)
{
	skipped = why;
}

bool test_refuses(bool ok, const char *cond, const char *file, int line)
{
	if (ok || machine_is_kensho() || cmdline_option("enforce") != NULL)
		return test_check(ok, cond, file, line);
	test_skip("answers what CPUID does not offer; enforce=yes makes that a failure");
	return false;
}

void test_trapped(const struct trap_regs *regs, u64 cr2)
{
	failure_set("unexpected %s, error 0x%llx, rip 0x%llx, cr2 0x%llx, rsp 0x%llx",
		    exception_name((u8)regs->vector), regs->error, regs->rip, cr2, regs->rsp);
	if (test_jump == NULL) {
		tap_printf("Bail out! %s\n", failure);
		platform_poweroff();
	}
}

/* One of the comma-separated prefixes in @list fits; @full: one is the whole name. */
static bool list_has(const char *list, const char *name, bool full)
{
	while (list != NULL && *list != '\0' && *list != ' ') {
		u32 n = 0;

		while (list[n] != '\0' && list[n] != ' ' && list[n] != ',')
			n++;
		if (n != 0 && str_prefix(name, list, n) && (!full || name[n] == '\0'))
			return true;
		list += n;
		if (*list == ',')
			list++;
	}
	return false;
}

static bool test_selected(const struct test *t)
{
	const char *only = cmdline_option("test");

	if (list_has(cmdline_option("skip"), t->name, false))
		return false;
	if ((t->flags & T_SOLO) != 0)
		return list_has(only, t->name, true);
	if ((t->flags & T_NAMED) != 0 && !(hooks->all_abi && (t->flags & T_KENSHO) == 0))
		return list_has(only, t->name, false);
	return only == NULL || list_has(only, t->name, false);
}

static const char *test_not_here(const struct test *t)
{
	bool kensho = machine_is_kensho();
	const char *why = hooks->not_here != NULL ? hooks->not_here(t) : NULL;

	if (why != NULL)
		return why;
	if ((t->flags & T_ABI) != 0 && !machine_has_hypervisor())
		return "bare";
	if ((t->flags & T_KENSHO) != 0 && !kensho)
		return machine_has_hypervisor() ? "a choice of Kensho's own" : "bare";
	if ((t->flags & T_BARE) != 0 && kensho)
		return "kensho";
	if ((t->flags & T_BOCHS) != 0 && !kensho)
		return t->why;
	if (!apic_enter((t->flags & T_X2APIC) != 0 ? APIC_X2APIC : APIC_XAPIC))
		return "the APIC does not switch to this mode here";
	return NULL;
}

static void machine_quiesce(void)
{
	cpu_reset_handlers();
	smp_stop();
	platform_quiesce();
	if (apic_mode() != APIC_OFF)
		apic_quiesce();
	cpu_reset_handlers();
	write_dr7(0x400);
	write_dr6(0xffff0ff0);
	write_cr0(0x80010033);
	write_cr4(0x20);
	write_rflags(2);
}

static bool test_run_one(const struct test *t, u32 number)
{
	struct jump jump;

	failure[0] = '\0';
	skipped = NULL;
	machine_quiesce();
	skipped = test_not_here(t);
	if (skipped == NULL) {
		tap_printf("# run %s\n", t->name);
		machine_quiesce();
		checked = false;
		if (guest_setjmp(&jump) == 0) {
			test_jump = &jump;
			t->run();
		}
		test_jump = NULL;
		cli();
		if (!checked && skipped == NULL && (t->flags & T_OUTSIDE) == 0)
			failure_set("no EXPECT_ was reached");
	}
	if (failure[0] != '\0')
		tap_printf("not ok %u - %s # %s\n", number, t->name, failure);
	else if (skipped != NULL)
		tap_printf("ok %u - %s # SKIP %s\n", number, t->name, skipped);
	else
		tap_printf("ok %u - %s\n", number, t->name);
	if (hooks->ended != NULL)
		hooks->ended(t, failure[0] != '\0' ? TAP_FAIL
				: skipped != NULL  ? TAP_SKIP
						   : TAP_PASS);
	return failure[0] == '\0';
}

/* The selected tests of @g whose flag T_X2APIC is @x2apic; failures are added to *@failed. */
static u32 group_run(const struct test_group *g, bool x2apic, u32 number, u32 *failed)
{
	for (u32 i = 0; g != NULL && i < g->count; i++) {
		const struct test *t = &g->tests[i];

		if (((t->flags & T_X2APIC) != 0) == x2apic && test_selected(t))
			*failed += !test_run_one(t, ++number);
	}
	return number;
}

static u32 group_plan(const struct test_group *g)
{
	u32 planned = 0;

	for (u32 i = 0; g != NULL && i < g->count; i++) {
		bool selected = test_selected(&g->tests[i]);

		planned += selected;
		if (selected && hooks->list)
			tap_printf("%s\n", g->tests[i].name);
	}
	return planned;
}

u32 tap_run(const struct test_group *const *groups, u32 count, const struct tap_hooks *with)
{
	u32 number = 0, failed = 0, planned = 0;

	hooks = with != NULL ? with : &no_hooks;
	for (u32 i = 0; i < count; i++)
		planned += group_plan(groups[i]);
	if (hooks->list)
		return 0;
	tap_printf("TAP version 13\n1..%u\n", planned);
	/* xAPIC first: on the bare emulator the way to x2APIC is one-way. */
	for (u32 pass = 0; pass < 2; pass++) {
		for (u32 i = 0; i < count; i++)
			number = group_run(groups[i], pass != 0, number, &failed);
	}
	counters_print();
	tap_printf("# done: %u tests, %u failed\n", number, failed);
	return failed;
}
