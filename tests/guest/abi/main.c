// SPDX-License-Identifier: BSD-2-Clause
// build/abi-test.elf: the tests of the KVM and the Hyper-V interface, on any hypervisor.

#include "core/lib/bits.h"
#include "tests/guest/abi/screen.h"
#include "tests/guest/abi/words.h"
#include "tests/guest/lib/boot.h"
#include "tests/guest/lib/cpu.h"
#include "tests/guest/lib/kvm.h"
#include "tests/guest/lib/modes.h"
#include "tests/guest/lib/platform.h"
#include "tests/guest/lib/smp.h"
#include "tests/guest/lib/str.h"

/* Those of the areas that are not linked are NULL. */
#define X(group) extern const struct test_group group __attribute__((weak));
#include "tests/guest/groups.def"
#undef X

static const struct test_group *const groups[] = {
#define X(group) &group,
#include "tests/guest/groups.def"
#undef X
};

enum status { STATUS_PASS, STATUS_FAIL, STATUS_NOTHING };

static const char *const verdicts[] = {
	[STATUS_PASS] = "PASS",
	[STATUS_FAIL] = "FAIL",
	[STATUS_NOTHING] = "NOTHING TESTED: no interface of KVM or Hyper-V here",
};

static const char *const help[] = {
	"abi-test: what KVM's and Hyper-V's interfaces promise, tested on this hypervisor",
	"  test=a,b       only tests whose names begin so",
	"  skip=a,b       without these",
	"  list           the names of the tests",
	"  enforce=yes    what CPUID does not offer and answers nevertheless is a failure",
	"  exit=debug     end QEMU by isa-debug-exit: 1 pass, 3 fail, 5 nothing tested",
	"  exit=poweroff  exit=reboot  exit=halt",
	"without exit=: debug where that device is, else halt",
};

static bool has_word(const char *word)
{
	u32 len = 0;

	while (word[len] != '\0')
		len++;
	for (const char *p = boot.cmdline; *p != '\0'; p++) {
		if ((p == boot.cmdline || p[-1] == ' ') && str_prefix(p, word, len) &&
		    (p[len] == ' ' || p[len] == '\0'))
			return true;
	}
	return false;
}

static bool exit_is(const char *way)
{
	const char *val = cmdline_option("exit");
	u32 len = 0;

	while (way[len] != '\0')
		len++;
	return val != NULL && str_prefix(val, way, len);
}

static void end(enum status status) __attribute__((noreturn));
static void end(enum status status)
{
	if (exit_is("poweroff"))
		platform_poweroff();
	if (exit_is("reboot"))
		platform_reboot();
	if (!exit_is("halt"))
		platform_debug_exit((u8)status);
	platform_halt();
}

static void machine_print(void)
{
	struct cpuid_regs r = cpuid(0x40000000);
	char name[13] = "";

	if (machine_has_hypervisor()) {
		memcpy(name, &r.b, 4);
		memcpy(name + 4, &r.c, 4);
		memcpy(name + 8, &r.d, 4);
	}
	tap_printf("# abi-test: hypervisor \"%s\"%s%s, %u CPUs, TSC %llu Hz\n", name,
		   kvm_base() > 0x40000000 ? ", and KVM's interface" : "",
		   machine_is_kensho() ? ", Kensho" : "", smp_count(), tsc_hz());
}

void guest_main(void);
void guest_main(void)
{
	struct tap_hooks hooks = { .not_here = word_not_here,
				   .ended = word_ended,
				   .all_abi = true };
	enum status status;
	u32 failed;

	boot_copy();
	cpu_init();
	tap_init();
	screen_init();
	modes_init();
	hooks.list = has_word("list");
	if (has_word("help")) {
		for (u32 i = 0; i < ARRAY_SIZE(help); i++)
			tap_printf("# %s\n", help[i]);
		end(STATUS_PASS);
	}
	if (!pm_timer_runs()) {
		tap_printf("Bail out! no ACPI PM timer where a PIIX4 or ICH9 has it\n");
		end(STATUS_FAIL);
	}
	platform_init();
	words_init();
	machine_print();
	failed = tap_run(groups, ARRAY_SIZE(groups), &hooks);
	if (hooks.list)
		end(STATUS_PASS);
	words_print();
	status = failed != 0 ? STATUS_FAIL : words_passed() != 0 ? STATUS_PASS : STATUS_NOTHING;
	tap_printf("# abi-test: %s\n", verdicts[status]);
	end(status);
}
