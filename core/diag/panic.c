/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The end of a hypervisor bug: one report on every console, then on_panic=. What and where come
 * first: a screen shows 25 lines. Pure; takes no locks: the CPU that panics may hold them. A panic
 * within a panic prints one line; one on another CPU prints nothing.
 */
#include "core/diag/panic.h"
#include "arch/x86/defs/vmcs.h"
#include "core/diag/counters.h"
#include "core/diag/log_internal.h"
#include "core/diag/result.h"
#include "core/diag/stop_all.h"
#include "core/diag/vp_dump.h"
#include "core/hw.h"
#include "core/lib/fmt.h"
#include "core/partition.h"
#include "core/vp/vp.h"

static u32 panics; /* reports begun */
static u32 resets; /* tried */
static bool reboots;
static const char *version = "";
static void (*last_words)(const char *why, bool panicking);

static void dump_vmcs(void)
{
	/* clang-format off */
	static const struct {
		const char *name;
		enum vmcs_field field;
	} fields[] = {
#define X(name, encoding, width, class) { #name, VMCS_##name },
#include "arch/x86/defs/vmcs_fields.def"
	};
	/* clang-format on */

	log_panic("VMCS, fields that are not zero:");
	for (u32 i = 0; i < ARRAY_SIZE(fields); i++) {
		u64 val;

		if (hw_vmread_safe(fields[i].field, &val) == ERR_NONE && val != 0)
			log_panic("  %-32s %016llx", fields[i].name, val);
	}
}

static void report(const char *fmt, va_list ap)
{
	const struct vp *vp = hw_cpu_vp();

	log_panic("%s", ""); /* another CPU may have been stopped mid-line */
	log_panic("---- hypervisor panic: Kensho %s ----", version);
	log_vpanic(fmt, ap);
	if (vp != NULL)
		vp_dump_state(vp, log_panic);
	stop_all_report(log_panic);
	hw_crash_dump();
	if (vp != NULL) {
		vp_dump_registers(vp, log_panic);
		dump_vmcs();
	}
	stop_all_report_guests(log_panic);
	log_panic("counters: panic");
	for (u32 i = 0; i < the_partition.vp_count; i++)
		counters_dump_vp(the_partition.vp[i], log_panic);
	trace_dump(&the_partition, TRACE_AT_END, log_panic);
	log_panic("---- %s; please report the text above ----",
		  reboots ? "the machine reboots (on_panic=reboot)" : HALTED);
}

void at_fatal(void (*fn)(const char *why, bool panicking))
{
	last_words = fn;
}

/* False: nobody has any. */
static bool say_last_words(const char *why, bool panicking)
{
	void (*fn)(const char *why, bool panicking) = last_words;

	last_words = NULL;
	if (fn != NULL)
		fn(why, panicking);
	return fn != NULL;
}

void panic_init(const char *v, bool reboot)
{
	version = v;
	reboots = reboot;
}

void panic_end(void)
{
	if (reboots && __atomic_fetch_add(&resets, 1, __ATOMIC_RELAXED) == 0)
		hw_reboot();
	hw_halt(); /* also if the reset itself panics */
}

void panic(const char *fmt, ...)
{
	va_list ap;

	stop_all_others(); /* does not return if another CPU is panicking */
	va_start(ap, fmt);
	if (__atomic_fetch_add(&panics, 1, __ATOMIC_RELAXED) == 0) {
		report(fmt, ap);
		(void)say_last_words("a hypervisor panic; do this: please report it with the text "
				     "above",
				     true);
	} else {
		log_panic("panic during a panic:");
		log_vpanic(fmt, ap);
	}
	va_end(ap);
	panic_end();
}

void fatal(const char *fmt, ...)
{
	va_list ap;

	char why[REFUSAL_MAX];

	va_start(ap, fmt);
	fmt_vprint(why, sizeof(why), fmt, ap);
	va_end(ap);
	if (!say_last_words(why, false))
		result_cannot_run(why, 0);
	hw_halt();
}

void panic_reset(void)
{
	panics = 0;
	resets = 0;
	last_words = NULL;
	reboots = false;
}
