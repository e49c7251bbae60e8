/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * selftest=: checks in VMX non-root operation. A few instructions run as a guest, with VP 0's
 * controls and the partition's EPT, in a VMCS that is thrown away.
 */
#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/exit.h"
#include "arch/x86/defs/vmcs.h"
#include "arch/x86/guest_probe.h"
#include "arch/x86/insn.h"
#include "arch/x86/isr.h"
#include "arch/x86/vmx.h"
#include "arch/x86/vmx_insn.h"
#include "boot/selftest.h"
#include "boot/test_fault.h"
#include "core/hw.h"
#include "core/lib/string.h"
#include "core/mem/page_alloc.h"
#include "core/partition.h"
#include "core/vp/vp.h"

/* Cause (selftest): the EPT does not protect Kensho.
 * Remedy: send the report; **do not use this machine**. */

#define PROBE_BYTES    4096u
#define PROBE_CODE_AR  (AR_G | AR_DB | AR_P | AR_S | 0xbu) /* flat, 32 bits, accessed */
#define PROBE_DATA_AR  (AR_G | AR_DB | AR_P | AR_S | 0x3u)
#define RETRIES        16u /* NMIs and interrupts of the firmware */
#define TIMER_PER_S    1000u
#define TIMER_TRIES    3u
#define TIMER_SLACK    1000u /* ticks, besides a tenth of the span */
#define DEVICE_ADDRESS 0xfec00000u

static void add(const char *key, u64 val)
{
	report_field(&boot_report, key, "%llu", val);
}

/* The run ends @span_tsc after its start. Returns what the timer was set to. */
static u64 arm_timer(struct selftest *s, u64 span_tsc)
{
	if (s->vmx->timer == RUN_TIMER_VMX)
		return hw_timer_arm(span_tsc);
	s->vp->deadline_tsc = rdtsc() + span_tsc;
	apic_timer_arm(s->vp, rdtsc());
	return span_tsc;
}

static void disarm_timer(struct selftest *s)
{
	if (s->vmx->timer == RUN_TIMER_VMX)
		return;
	s->vp->deadline_tsc = TIMER_NEVER;
	apic_timer_arm(s->vp, rdtsc());
}

/* HW-ERRATUM: with IF = 0 at entry Bochs does not exit for an interrupt. Nothing is delivered
 * either way: interrupts exit. */
static u64 guest_rflags(const struct selftest *s)
{
	return s->vmx->timer == RUN_TIMER_VMX ? RFLAGS_FIXED : RFLAGS_FIXED | RFLAGS_IF;
}

static void fill_flat(const struct selftest *s)
{
	hw_vmwrite(VMCS_GUEST_RFLAGS, guest_rflags(s));
	hw_vmwrite(VMCS_GUEST_CR0, CR0_PE | CR0_ET | CR0_NE);
	hw_vmwrite(VMCS_GUEST_CS_SELECTOR, 8);
	hw_vmwrite(VMCS_GUEST_CS_BASE, 0);
	hw_vmwrite(VMCS_GUEST_CS_LIMIT, 0xffffffff);
	hw_vmwrite(VMCS_GUEST_CS_AR, PROBE_CODE_AR);
	hw_vmwrite(VMCS_GUEST_DS_LIMIT, 0xffffffff);
	hw_vmwrite(VMCS_GUEST_DS_AR, PROBE_DATA_AR);
	hw_vmwrite(VMCS_GUEST_IDTR_LIMIT, 0);
}

bool selftest_begin(struct selftest *s)
{
	u8 *page;

	s->vmcs_page = page_alloc();
	s->saved = page_alloc();
	if (s->vmcs_page == NULL || s->saved == NULL || !boot_find_low_page(s->p, &s->page_pa))
		return false;
	page = hw_phys_to_virt(hpa(s->page_pa));
	memcpy(s->saved, page, PROBE_BYTES);
	memcpy(page, guest_probe_code, (size_t)(guest_probe_end - guest_probe_code));
	boot_fill_vmcs(s->vp, s->vmcs_page);
	fill_flat(s);
	return true;
}

void selftest_end(struct selftest *s)
{
	disarm_timer(s);
	memcpy(hw_phys_to_virt(hpa(s->page_pa)), s->saved, PROBE_BYTES);
	(void)vmclear(hw_virt_to_phys(s->vmcs_page).v);
	page_free(s->saved);
	page_free(s->vmcs_page);
}

/* An exit that the code did not cause. True: handled, enter again. The run timer's sets s->reason
 * to that of the preemption timer. */
static bool take_foreign_exit(struct selftest *s)
{
	u64 fired = s->vp->counters.c[COUNTER_RUN_TIMER];

	if (s->reason == EXIT_REASON_EXTERNAL_INTERRUPT) {
		u32 info = (u32)hw_vmread(VMCS_VM_EXIT_INTR_INFO);

		host_interrupt((u32)FIELD_GET(INTR_INFO_VECTOR, info));
		if (s->vp->counters.c[COUNTER_RUN_TIMER] == fired)
			return true;
		s->reason = EXIT_REASON_PREEMPTION_TIMER;
		return false;
	}
	if (s->reason == EXIT_REASON_EXCEPTION_NMI) {
		hw_nmi_unblock();
		return true;
	}
	return false;
}

/* Run from @at, with EBX = @rbx, to the next exit of the code's own. False: VM entry failed. */
static bool run_at(struct selftest *s, const u8 *at, u64 rbx)
{
	hw_vmwrite(VMCS_GUEST_RIP, s->page_pa + (u64)(at - guest_probe_code));
	for (u32 i = 0; i < RETRIES; i++) {
		s->regs[0] = 0;
		s->regs[1] = rbx;
		if (!guest_probe_enter(s->regs, s->launched))
			return false;
		s->launched = true;
		s->reason = (u32)hw_vmread(VMCS_EXIT_REASON);
		if (!take_foreign_exit(s))
			return true;
	}
	return false;
}

/* The same; the run timer stops code that does not exit. */
static bool run(struct selftest *s, const u8 *at, u64 rbx)
{
	(void)arm_timer(s, s->b->tsc.tsc_hz);
	return run_at(s, at, rbx);
}

static const char *no_entry(void)
{
	add("instruction_error", hw_vmread(VMCS_VM_INSTRUCTION_ERROR));
	/* Cause (selftest): VMX does not work as it should.
	 * Remedy: send the report. */
	return "the VM entry fails";
}

/* Require a violation of @kind at @gpa. */
static const char *expect_violation(struct selftest *s, u64 gpa, u64 kind)
{
	u64 qual = hw_vmread(VMCS_EXIT_QUALIFICATION);

	add("exit_reason", s->reason);
	if (s->reason != EXIT_REASON_EPT_VIOLATION)
		return "there is no EPT violation";
	report_field(&boot_report, "gpa", "0x%llx", hw_vmread(VMCS_GUEST_PHYSICAL_ADDRESS));
	if ((qual & (EPT_QUAL_READ | EPT_QUAL_WRITE | EPT_QUAL_FETCH) & ~kind) != 0 ||
	    (qual & kind) != kind || hw_vmread(VMCS_GUEST_PHYSICAL_ADDRESS) != gpa)
		return "the EPT violation is for something else";
	return NULL;
}

static const char *check_region_read(struct selftest *s)
{
	if (!run(s, guest_probe_read, s->p->region_base.v))
		return no_entry();
	add("exit_reason", s->reason);
	report_field(&boot_report, "eax", "0x%x", (u32)s->regs[0]);
	if (s->reason != EXIT_REASON_VMCALL)
		return "the read does not succeed";
	return (u32)s->regs[0] == 0xffffffff ? NULL : "the guest reads the hypervisor's memory";
}

static const char *check_region_write(struct selftest *s)
{
	volatile const u32 *word = hw_phys_to_virt(s->p->region_base);
	u32 before = *word;

	if (!run(s, guest_probe_write, s->p->region_base.v))
		return no_entry();
	if (*word != before)
		return "the guest writes the hypervisor's memory";
	return expect_violation(s, s->p->region_base.v, EPT_QUAL_WRITE);
}

static const char *check_region_execute(struct selftest *s)
{
	if (!run(s, guest_probe_jump, s->p->region_base.v))
		return no_entry();
	return expect_violation(s, s->p->region_base.v, EPT_QUAL_FETCH);
}

static const char *check_device_execute(struct selftest *s)
{
	if (!run(s, guest_probe_jump, DEVICE_ADDRESS))
		return no_entry();
	return expect_violation(s, DEVICE_ADDRESS, EPT_QUAL_FETCH);
}

static const char *check_round_trip(struct selftest *s)
{
	struct stats *st = &s->stats;

	st->count = 0;
	for (u32 i = 0; i < STATS_MAX; i++) {
		u64 start;

		if (!run(s, guest_probe_cpuid, 0))
			return no_entry();
		start = rdtsc();
		if (!guest_probe_enter(s->regs, true))
			return no_entry();
		start = rdtsc() - start;
		s->reason = (u32)hw_vmread(VMCS_EXIT_REASON);
		if (!take_foreign_exit(s)) {
			/* Cause (selftest): VMX does not work as it should.
			 * Remedy: send the report. */
			if (s->reason != EXIT_REASON_CPUID)
				return "CPUID does not exit";
			stats_add(st, start);
		}
	}
	add("exits", st->count);
	add("min_ticks", stats_min(st));
	add("median_ticks", stats_median(st));
	add("median_ns", clock_tsc_to_ns(&s->p->clock, stats_median(st)));
	return st->count != 0 ? NULL : "every exit was something else";
}

/* Ticks from entry to the exit by the timer, set to @span ticks; 0: VM entry failed. */
static u64 time_timer(struct selftest *s, u64 *span)
{
	u64 start;

	*span = arm_timer(s, s->b->tsc.tsc_hz / TIMER_PER_S);
	test_point(TEST_TIMER, s->vp);
	start = rdtsc();
	return run_at(s, guest_probe_spin, 0) ? rdtsc() - start : 0;
}

/* Rule T1: the timer must count from VM entry at its stated rate. Retry: an SMI can make it
 * late. */
static const char *check_timer(struct selftest *s)
{
	bool is_vmx = s->vmx->timer == RUN_TIMER_VMX;
	u64 rate = is_vmx ? BIT64(FIELD_GET(VMX_MISC_PREEMPTION_TIMER_RATE, s->vmx->caps.misc)) : 1;
	u64 span = 0, took = ~0ull;

	for (u32 i = 0; i < TIMER_TRIES; i++) {
		u64 ticks = time_timer(s, &span);

		if (ticks == 0)
			return no_entry();
		if (s->reason != EXIT_REASON_PREEMPTION_TIMER) {
			add("exit_reason", s->reason);
			/* Cause (selftest): a wrong rate in IA32_VMX_MISC, or no interrupt from the
			 * local APIC's timer.
			 * Remedy: send the report. */
			return "the timer does not end the guest";
		}
		took = umin64(took, ticks);
	}
	report_field(&boot_report, "source", "%s", run_timer_name(s->vmx->timer));
	add("rate", rate);
	add("asked_ticks", span);
	add("took_ticks", took);
	if (took + 2 * rate < span)
		return "the timer is early";
	if (took > span + span / 10 + TIMER_SLACK)
		return "the timer is late";
	return NULL;
}

/* Enter at @at in the shadow of STI, with the window for NMIs asked for. False: VM entry failed. */
static bool run_in_sti_shadow(struct selftest *s, const u8 *at)
{
	for (u32 i = 0; i < RETRIES; i++) {
		hw_vmwrite(VMCS_GUEST_RIP, s->page_pa + (u64)(at - guest_probe_code));
		hw_vmwrite(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF);
		hw_vmwrite(VMCS_GUEST_INTERRUPTIBILITY, GUEST_INTR_BLOCKED_BY_STI);
		if (!guest_probe_enter(s->regs, s->launched))
			return false;
		s->launched = true;
		s->reason = (u32)hw_vmread(VMCS_EXIT_REASON);
		if (!take_foreign_exit(s))
			break;
	}
	return true;
}

/*
 * Which kind of CPU this is: one may open the window for NMIs in the shadow of STI, where no NMI
 * can be injected, or hold it back (event.c copes with both). Either way it must open at once
 * behind the shadow.
 */
static const char *check_nmi_window(struct selftest *s)
{
	u64 ctls = hw_vmread(VMCS_PROC_BASED_CTLS);
	u64 start = s->page_pa + (u64)(guest_probe_nops - guest_probe_code);
	u64 rip;
	bool entered;

	(void)arm_timer(s, s->b->tsc.tsc_hz);
	hw_vmwrite(VMCS_PROC_BASED_CTLS, ctls | PROC_NMI_WINDOW_EXITING);
	entered = run_in_sti_shadow(s, guest_probe_nops);
	rip = hw_vmread(VMCS_GUEST_RIP);
	hw_vmwrite(VMCS_PROC_BASED_CTLS, ctls);
	hw_vmwrite(VMCS_GUEST_RFLAGS, guest_rflags(s));
	hw_vmwrite(VMCS_GUEST_INTERRUPTIBILITY, 0);
	if (!entered)
		return no_entry();
	add("exit_reason", s->reason);
	add("instructions", rip - start); /* of one byte */
	report_field(&boot_report, "sti_shadow", "%s", rip == start ? "open" : "held");
	if (s->reason != EXIT_REASON_NMI_WINDOW || rip - start > 1)
		/* Cause (selftest): VMX does not work as it should.
		 * Remedy: send the report. */
		return "the NMI window does not open behind the shadow of STI";
	return NULL;
}

static u64 width_mask(enum vmcs_width width)
{
	switch (width) {
	case VMCS_WIDTH_U16:
		return 0xffff;
	case VMCS_WIDTH_U32:
		return 0xffffffff;
	case VMCS_WIDTH_U64:
	case VMCS_WIDTH_NAT:
		return ~0ull;
	}
	return 0;
}

/*
 * Every writable field must keep what fits its width and no more. Run it last: the VMCS is useless
 * afterwards. SPEC-GAP: access rights and activity state may drop bits that are reserved.
 */
static const char *check_field_widths(struct selftest *s)
{
	/* clang-format off */
	static const enum vmcs_field fields[] = {
#define X(name, encoding, width, class) VMCS_##name,
#include "arch/x86/defs/vmcs_fields.def"
	};
	/* clang-format on */
	u32 checked = 0, absent = 0;

	for (u32 i = 0; i < ARRAY_SIZE(fields); i++) {
		u64 mask = width_mask(vmcs_field_width(fields[i])), val;

		if (vmcs_field_class(fields[i]) == VMCS_CLASS_RO)
			continue;
		if (hw_vmread_safe(fields[i], &val) != ERR_NONE) {
			absent++;
			continue;
		}
		hw_vmwrite(fields[i], ~0ull);
		val = hw_vmread(fields[i]);
		checked++;
		if ((val & ~mask) != 0 || val == 0) {
			report_field(&boot_report, "field", "0x%x", (u32)fields[i]);
			report_field(&boot_report, "value", "0x%llx", val);
			/* Cause (selftest): VMX does not work as it should.
			 * Remedy: send the report. */
			return "a VMCS field has another width";
		}
	}
	add("fields", checked);
	add("absent", absent);
	return NULL;
}

const struct selftest_row selftest_vmx_rows[] = {
	{ "ept-region-read", check_region_read },
	{ "ept-region-write", check_region_write },
	{ "ept-region-execute", check_region_execute },
	{ "ept-device-execute", check_device_execute },
	{ "exit-round-trip", check_round_trip },
	{ "run-timer", check_timer },
	{ "nmi-window", check_nmi_window },
	{ "vmcs-field-widths", check_field_widths },
};

const u32 selftest_vmx_row_count = ARRAY_SIZE(selftest_vmx_rows);
