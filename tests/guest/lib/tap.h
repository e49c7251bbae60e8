/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tests as rows and their TAP output on COM1.
 *
 * An EXPECT_ that fails marks the test and goes on; the first failure is reported. REQUIRE() also
 * leaves the function it stands in. A test that came to its end without either fails: an EXPECT_
 * stands where it is always reached, not inside the `if` that finds the fault. Each is a value:
 * true on success.
 */
#pragma once

#include "core/lib/types.h"

#define T_KENSHO (1u << 0) /* only on Kensho */
#define T_SOLO                                                                             \
	(1u << 1) /* runs only when `test=` names it in full: it ends or endangers the run \
		   */
#define T_X2APIC  (1u << 2) /* runs in x2APIC mode, after all others */
#define T_BOCHS   (1u << 3) /* the bare emulator is known wrong here: @why says how */
#define T_BARE    (1u << 4) /* only on the bare machine */
#define T_NAMED   (1u << 5) /* runs only when `test=` names it or its group: it needs an option */
/* Checks nothing itself: it prints, and the runner judges that (`check =` of its row). */
#define T_OUTSIDE (1u << 6)
/*
 * Of an interface that other hypervisors have, too: skipped on the bare machine, and part of
 * build/abi-test.elf, which runs it on any hypervisor. Behaviour that the specification leaves open
 * is for T_KENSHO.
 */
#define T_ABI     (1u << 7)

struct test {
	const char *name; /* group_property: `test=` selects by prefix */
	void (*run)(void);
	u32 flags;
	const char *why;
};

struct test_group {
	const struct test *tests;
	u32 count;
};

#define TEST_GROUP(g) const struct test_group g = { g##_tests, ARRAY_SIZE(g##_tests) }

enum tap_result { TAP_PASS, TAP_FAIL, TAP_SKIP };

/* What another program than the suite wants of the runner. */
struct tap_hooks {
	const char *(*not_here)(const struct test *t); /* why it cannot run here; NULL: it can */
	void (*ended)(const struct test *t, enum tap_result result);
	bool all_abi; /* T_NAMED counts only with T_KENSHO */
	bool list;    /* print names, run nothing */
};

/* tap_run() - the groups' tests that the command line selects; the number of failures. A group
 * pointer may be NULL, as may @hooks. */
u32 tap_run(const struct test_group *const *groups, u32 count, const struct tap_hooks *hooks);
void tap_printf(const char *fmt, ...) PRINTF(1, 2);
void tap_init(void);                  /* COM1 */
void tap_screen(void (*put)(char c)); /* a copy of everything goes there */

void test_skip(const char *why); /* the rest of the running test does not apply here */

/*
 * test_refuses() - what CPUID does not offer must be refused: @ok says that it was. Others than
 * Kensho may answer nevertheless (KVM does, unless it is told to enforce CPUID): then the test is
 * skipped, without `enforce=yes`.
 */
#define EXPECT_REFUSED(ok) test_refuses(ok, #ok, __FILE__, __LINE__)
bool test_refuses(bool ok, const char *cond, const char *file, int line);

/* What the macros below call, and a test that has better words. True: @ok. */
bool test_expect(bool ok, const char *verb, const char *expr, u64 got, u64 want, const char *file,
		 int line);
bool test_check(bool ok, const char *cond, const char *file, int line);
bool test_check_at(bool ok, const char *cond, const char *file, int line, const char *where, ...)
	PRINTF(5, 6);
void test_fail(const char *text, const char *file, int line); /* this alone is no check */
bool test_failed(void);

/*
 * counter_want() - Kensho's counter @name, or the exits "exit:REASON", is to grow by @n. What a
 * boot adds up is printed at its end, and compared there by tests/run/checks.py. @name stays valid.
 */
void counter_want(const char *name, u64 n);

#define EXPECT_EQ(want, got)                                                               \
	({                                                                                 \
		u64 got_ = (u64)(got), want_ = (u64)(want);                                \
		test_expect(got_ == want_, "want", #got, got_, want_, __FILE__, __LINE__); \
	})
#define EXPECT_NE(unwanted, got)                                                                  \
	({                                                                                        \
		u64 got_ = (u64)(got), want_ = (u64)(unwanted);                                   \
		test_expect(got_ != want_, "must not be", #got, got_, want_, __FILE__, __LINE__); \
	})
#define EXPECT_LE(got, limit)                                                               \
	({                                                                                  \
		u64 got_ = (u64)(got), want_ = (u64)(limit);                                \
		test_expect(got_ <= want_, "limit", #got, got_, want_, __FILE__, __LINE__); \
	})
#define EXPECT_GE(got, limit)                                                                  \
	({                                                                                     \
		u64 got_ = (u64)(got), want_ = (u64)(limit);                                   \
		test_expect(got_ >= want_, "at least", #got, got_, want_, __FILE__, __LINE__); \
	})
#define EXPECT_TRUE(cond) test_check(cond, #cond, __FILE__, __LINE__)
/* Says where it failed, as printf() does. What follows @cond is evaluated behind it. */
#define EXPECT_AT(cond, ...)                                                \
	({                                                                  \
		bool ok_ = (cond);                                          \
		test_check_at(ok_, #cond, __FILE__, __LINE__, __VA_ARGS__); \
	})
#define REQUIRE(cond)                   \
	do {                            \
		if (!EXPECT_TRUE(cond)) \
			return;         \
	} while (0)

/* What we run on: read once at start. */
bool machine_has_hypervisor(void);           /* CPUID says so */
bool machine_is_kensho(void);                /* by the boot loader's name */
const char *cmdline_option(const char *key); /* text behind "key=", up to a space; NULL: absent */
u64 cmdline_number(const char *key, u64 absent);
