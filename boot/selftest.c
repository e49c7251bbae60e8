/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * selftest=: check the machine under VMX before the guest gets it: local APIC, clocks, page tables,
 * EPT, kicks, exits. Each check restores what it changes, except channel 2 of the 8254 (its users
 * program it first) and the VMCS of VP 0, which is made anew.
 */
#include "boot/selftest.h"

#include "arch/x86/defs/apic.h"
#include "arch/x86/insn.h"
#include "arch/x86/lapic.h"
#include "arch/x86/paging.h"
#include "arch/x86/percpu.h"
#include "boot/test_fault.h"
#include "core/apic/i8259.h"
#include "core/diag/log.h"
#include "core/diag/panic.h"
#include "core/hw.h"
#include "core/lib/fmt.h"
#include "core/mem/ept_audit.h"
#include "core/partition.h"
#include "core/time/tsc_measure.h"
#include "core/vp/vp.h"
#include "drivers/console.h"
#include "drivers/pmtimer.h"

#define PORT_B         0x61
#define SELF_VECTOR    0xf1u
#define TSC_READS      10000u
#define KICKS          100u
#define KICKS_LATE_MAX 5u /* an SMI, or an outer hypervisor that ran something else */
#define TRIES          3u
#define LATE_PER_S     100u  /* a kick that takes longer than 10 ms is late */
#define CLOCK_PPM      100u  /* error of one measurement */
#define CLOCK_PPM_MAX  1000u /* between two clocks */

const char selftest_not_here[] = "";

static void add(const char *key, u64 val)
{
	report_field(&boot_report, key, "%llu", val);
}

/* Add a value for one of several CPUs. */
static void add_of_cpu(const char *key, u32 apic_id, s64 val)
{
	char name[40];

	fmt_print(name, sizeof(name), "%s.%u", key, apic_id);
	report_field(&boot_report, name, "%lld", val);
}

/* --- local APIC --- */

static const char *check_lapic_id(struct selftest *s)
{
	u32 initial = (u32)FIELD_GET(CPUID1_EBX_APIC_ID, cpuid(1, 0).b);
	u32 version = hw_lapic_read(APIC_VERSION);

	add("id", this_cpu()->apic_id);
	report_field(&boot_report, "version", "0x%x", version);
	/* Cause (selftest): the local APIC does not work as it should.
	 * Remedy: send the report. */
	if ((this_cpu()->apic_id & 0xff) != initial)
		return "the APIC ID is not the one of CPUID";
	if (FIELD_GET(APIC_VERSION_VERSION, version) < 0x10 ||
	    FIELD_GET(APIC_VERSION_MAX_LVT, version) < 3)
		return "the version register makes no sense";
	return NULL;
}

static bool lapic_bit(u32 reg, u32 vector)
{
	return (hw_lapic_read(reg + (vector >> 5) * APIC_REG_STRIDE) & BIT32(vector & 31)) != 0;
}

/* A self-IPI must arrive, be taken in root through the IDT, and be acknowledged. */
static const char *send_self(struct selftest *s)
{
	u64 limit = s->b->tsc.tsc_hz / LATE_PER_S, start = rdtsc(), arrived;

	lapic_send(this_cpu()->apic_id, SELF_VECTOR | APIC_ICR_ASSERT);
	while (!lapic_bit(APIC_IRR, SELF_VECTOR)) {
		/* Cause (selftest): the local APIC does not work as it should.
		 * Remedy: send the report. */
		if (rdtsc() - start > limit)
			return "it never arrived";
	}
	arrived = rdtsc() - start;
	for (u32 i = 0; i < 64 && lapic_bit(APIC_IRR, SELF_VECTOR); i++)
		hw_irq_window();
	add("arrival_ticks", arrived);
	add("taken_ticks", rdtsc() - start);
	/* Cause (selftest): the local APIC does not work as it should.
	 * Remedy: send the report. */
	if (lapic_bit(APIC_IRR, SELF_VECTOR))
		return "the CPU does not take it";
	if (lapic_bit(APIC_ISR, SELF_VECTOR))
		return "it stays in service after its EOI";
	return NULL;
}

static const char *check_self_ipi(struct selftest *s)
{
	u32 svr = hw_lapic_read(APIC_SVR);
	const char *why;

	this_cpu()->vp = NULL; /* it is not the guest's */
	hw_lapic_write(APIC_SVR, svr | APIC_SVR_ENABLE);
	why = send_self(s);
	hw_lapic_write(APIC_SVR, svr);
	this_cpu()->vp = s->vp;
	return why;
}

/* --- time --- */

static const char *check_tsc_monotonic(struct selftest *s)
{
	u64 last = rdtsc(), largest = 0;

	for (u32 i = 0; i < TSC_READS; i++) {
		u64 now = rdtsc();

		/* Cause (selftest): TSCs out of step (firmware) or not monotonic (an outer
		 * hypervisor).
		 * Remedy: send the report. */
		if (now < last)
			return "it goes backwards";
		largest = umax64(largest, now - last);
		last = now;
	}
	add("reads", TSC_READS);
	add("largest_step", largest);
	return NULL;
}

static const char *check_tsc_in_step(struct selftest *s)
{
	const char *why = NULL;

	if (s->p->vp_count < 2)
		return selftest_not_here;
	for (u32 i = 1; i < s->p->vp_count; i++) {
		const struct cpu_tsc *tsc = boot_cpu_tsc(i);
		u32 apic_id = s->p->vp[i]->apic_id;

		add_of_cpu("found", apic_id, tsc->found);
		add_of_cpu("offset", apic_id, tsc_skew_offset(&tsc->skew));
		add_of_cpu("error", apic_id, (s64)tsc_skew_error(&tsc->skew));
		if (tsc->has_adjust)
			add_of_cpu("adjust", apic_id, tsc->adjust);
		/* Cause (selftest): TSCs out of step (firmware) or not monotonic (an outer
		 * hypervisor).
		 * Remedy: send the report. */
		if (!tsc_skew_is_in_step(&tsc->skew))
			why = "a CPU's TSC is off the boot CPU's";
	}
	return why;
}

/* False: @src is off, or does not count although it @must. Retry: an SMI, or another guest of an
 * outer hypervisor, can disturb a measurement. */
static bool agrees(const struct tick_source *src, u64 want_hz, const char *key, bool must)
{
	u64 hz = 0, off = ~0ull;

	for (u32 i = 0; i < TRIES && off > want_hz / 1000000 * CLOCK_PPM_MAX; i++) {
		hz = src->hz != 0 ? tsc_measure(src, CLOCK_PPM).hz : 0;
		off = hz > want_hz ? hz - want_hz : want_hz - hz;
	}
	add(key, hz);
	return hz == 0 ? !must : off <= want_hz / 1000000 * CLOCK_PPM_MAX;
}

/* A timer in ACPI must count; the 8254 has no clock on some newer machines. */
static const char *check_clocks(struct selftest *s)
{
	const struct acpi_info *a = &s->b->acpi;
	u64 hz = s->b->tsc.tsc_hz;
	u8 port_b = inb(PORT_B);
	struct tick_source src = pit_source();
	const char *why = NULL;

	/* Cause (selftest): one of two clocks is wrong, or SMM takes long.
	 * Remedy: send the report. */
	if (!agrees(&src, hz, "by_pit_hz", false))
		why = "the PIT disagrees with the TSC";
	outb(PORT_B, port_b);
	if (a->pm_tmr_port != 0) {
		src = pmtimer_source(a->pm_tmr_port, a->pm_tmr_32bit);
		if (!agrees(&src, hz, "by_pm_timer_hz", true))
			why = "the PM timer disagrees with the TSC";
	}
	if (a->hpet_pa != 0) {
		u8 *regs = mmio_map(hpa(a->hpet_pa), HPET_BYTES);
		u32 config = mmio_read32(regs + HPET_CONFIG);

		src = hpet_source(regs);
		/* Cause (selftest): one of two clocks is wrong, or SMM takes long.
		 * Remedy: send the report. */
		if (!agrees(&src, hz, "by_hpet_hz", true))
			why = "the HPET disagrees with the TSC";
		mmio_write32(regs + HPET_CONFIG, config);
	}
	return why;
}

/* --- memory --- */

static const char *check_own_paging(struct selftest *s)
{
	/* VGA, I/O APIC, local APIC: cached, the CPU could read them ahead of time. */
	static const u64 device[] = { 0xa0000, 0xb8000, 0xbf000, 0xfec00000, 0xfee00000 };
	struct paging_stats st =
		paging_check(); /* panics at a page that is writable and executable */

	add("tables", st.tables);
	add("executable_bytes", st.executable);
	add("writable_bytes", st.writable);
	/* Cause (selftest): the firmware's memory map calls device memory RAM.
	 * Remedy: send the report. */
	for (u32 i = 0; i < ARRAY_SIZE(device); i++) {
		if (paging_is_mapped((u64)(uintptr_t)hw_phys_to_virt(hpa(device[i]))))
			return "registers of a device are mapped as memory";
	}
	return st.executable != 0 ? NULL : "the walk found no code";
}

static const char *check_ept_audit(struct selftest *s)
{
	struct ept_audit a = ept_audit(s->p);

	add("tables", a.tables);
	add("leaves_4k", a.leaves[0]);
	add("leaves_2m", a.leaves[1]);
	add("leaves_1g", a.leaves[2]);
	return a.wrong;
}

/* --- kicks --- */

/* Ticks until @vp's CPU takes the NMI; ~0: not within @limit. */
static u64 kick_once(struct vp *vp, u64 limit)
{
	u64 start = rdtsc();

	(void)hw_kick(vp);
	while (READ_ONCE(vp->kicked) != 0) {
		if (rdtsc() - start > limit)
			return ~0ull;
	}
	return rdtsc() - start;
}

static const char *kick_cpu(struct selftest *s, struct vp *vp)
{
	u64 hz = s->b->tsc.tsc_hz;
	struct stats *st = &s->stats;
	u32 late = 0;

	st->count = 0;
	for (u32 i = 0; i < KICKS; i++) {
		u64 ticks = kick_once(vp, hz);

		if (ticks == ~0ull) {
			add("lost_by_cpu", vp->apic_id);
			add("kick", i);
			/* Cause (selftest): NMIs between CPUs are lost or late.
			 * Remedy: send the report. */
			return "a kick is lost";
		}
		late += ticks > hz / LATE_PER_S;
		stats_add(st, ticks);
	}
	add_of_cpu("late", vp->apic_id, late);
	add_of_cpu("kicks", vp->apic_id, st->count);
	add_of_cpu("min_ticks", vp->apic_id, (s64)stats_min(st));
	add_of_cpu("median_ticks", vp->apic_id, (s64)stats_median(st));
	add_of_cpu("max_ticks", vp->apic_id, (s64)stats_max(st));
	add_of_cpu("median_ns", vp->apic_id, (s64)clock_tsc_to_ns(&s->p->clock, stats_median(st)));
	if (late > KICKS_LATE_MAX)
		return "kicks are late";
	return NULL;
}

/* Kick CPUs that wait in root; restores their VPs' counters. */
static const char *check_kicks(struct selftest *s)
{
	const char *why = s->p->vp_count < 2 ? selftest_not_here : NULL;

	for (u32 i = 1; i < s->p->vp_count && why == NULL; i++) {
		u64 *received = &s->p->vp[i]->counters.c[COUNTER_KICK_RECEIVED];
		u64 before = *received;

		why = kick_cpu(s, s->p->vp[i]);
		*received = before;
	}
	return why;
}

static const struct selftest_row root_rows[] = {
	{ "lapic-id", check_lapic_id },           { "lapic-self-ipi", check_self_ipi },
	{ "tsc-monotonic", check_tsc_monotonic }, { "tsc-in-step", check_tsc_in_step },
	{ "clocks-agree", check_clocks },         { "own-page-tables", check_own_paging },
	{ "ept-audit", check_ept_audit },         { "kick-latency", check_kicks },
};

struct tally {
	u32 run, failed;
	const char *first, *why;
};

static void note(struct tally *t, const char *name, const char *why)
{
	report_field(&boot_report, "result", "%s",
		     why == NULL                ? "pass"
		     : why == selftest_not_here ? "skip"
						: "fail");
	if (why != NULL)
		report_field(&boot_report, "why", "%s",
			     why == selftest_not_here ? "there is one CPU only" : why);
	report_break(&boot_report);
	t->run++;
	if (why == NULL || why == selftest_not_here)
		return;
	t->failed++;
	if (t->failed == 1) {
		t->first = name;
		t->why = why;
	}
}

static void run_rows(struct selftest *s, const struct selftest_row *rows, u32 count,
		     struct tally *t)
{
	for (u32 i = 0; i < count; i++) {
		report_line(&boot_report, "selftest");
		report_field(&boot_report, "name", "%s", rows[i].name);
		note(t, rows[i].name, rows[i].run(s));
	}
}

/* Mask the 8259s meanwhile: an interrupt that an exit of the throw-away guest acknowledges would
 * be lost. Edges stay latched in the 8259s. */
static void run_all(struct selftest *s, struct tally *t)
{
	u8 mask[I8259_CHIPS];
	u32 lint0 = hw_lapic_read(APIC_LVT_LINT0);

	for (u32 chip = 0; chip < I8259_CHIPS; chip++) {
		mask[chip] = inb(i8259_mask(chip));
		outb(i8259_mask(chip), 0xff);
	}
	hw_lapic_write(APIC_LVT_LINT0, lint0 | APIC_LVT_MASKED);
	run_rows(s, root_rows, ARRAY_SIZE(root_rows), t);
	if (selftest_begin(s)) {
		run_rows(s, selftest_vmx_rows, selftest_vmx_row_count, t);
		selftest_end(s);
	} else {
		report_line(&boot_report, "selftest");
		report_field(&boot_report, "name", "guest-mode");
		note(t, "guest-mode", "there is no page below 1 MiB for its code");
	}
	hw_lapic_write(APIC_LVT_LINT0, lint0);
	for (u32 chip = 0; chip < I8259_CHIPS; chip++)
		outb(i8259_mask(chip), mask[chip]);
}

static NORETURN void refuse(const struct tally *t)
{
	char why[200];

	fmt_print(why, sizeof(why), "selftest: %u of %u checks failed, the first is %s: %s",
		  t->failed, t->run, t->first, t->why);
	report_refuse(&boot_report, why);
	report_end();
	/* Cause (selftest): at least one check failed.
	 * Remedy: send the report; the boot without `selftest` still works, at your risk. */
	fatal("%s; do this: do not run Kensho on this machine, send the report above", why);
}

void boot_selftest(struct boot_state *b, struct partition *p, const struct boot_vmx *vmx,
		   void *vmcs_page)
{
	static struct selftest s;
	struct tally t = { 0 };

	if (b->options.selftest == SELFTEST_OFF)
		return;
	s = (struct selftest){ .b = b, .p = p, .vp = p->vp[0], .vmx = vmx };
	test_point(TEST_SELFTEST, p);
	run_all(&s, &t);
	boot_fill_vmcs(s.vp, vmcs_page);
	if (t.failed != 0)
		refuse(&t);
	report_end();
	log_info("selftest: %u checks, none failed", t.run);
	if (b->options.selftest == SELFTEST_STOP) {
		log_info("selftest=stop: nothing was started; reset the machine");
		report_end_result();
	}
}
