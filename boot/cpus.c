/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The other CPUs: each gets a block, stacks and a VP, is started once and enters VMX; its VP waits
 * for the guest's SIPI. One that does not answer in time is left out. Hazard: it may still run, and
 * halt only when it notices, so its pages are never reused.
 *
 * Context: boot CPU; ap_main() and what it calls: the AP, while the boot CPU waits for it.
 */
#include "arch/x86/cpuid_limit.h"
#include "arch/x86/insn.h"
#include "arch/x86/lapic.h"
#include "arch/x86/paging.h"
#include "arch/x86/smp.h"
#include "arch/x86/vmx.h"
#include "boot/ap_internal.h"
#include "boot/test_fault.h"
#include "core/diag/log.h"
#include "core/lib/fmt.h"
#include "core/mem/page_alloc.h"
#include "core/partition.h"
#include "core/vp/vp.h"

static bool released;

static struct cpu_tsc tsc_of[VP_MAX];

/* End the CPU's bring-up in @state, unless the other side (AP or boot CPU) has ended it already:
 * false. */
static bool settle(struct ap *ap, enum ap_state state)
{
	u32 coming = AP_COMING;

	return __atomic_compare_exchange_n(&ap->state, &coming, state, false, __ATOMIC_ACQ_REL,
					   __ATOMIC_ACQUIRE);
}

NORETURN void ap_end_late(const struct ap *ap)
{
	/* Cause (left-out): it does not start, or too slowly (an overloaded outer hypervisor).
	 * Remedy: fewer virtual CPUs than the host has; update the firmware. */
	log_warn("cpu %u: answers after it was left out: it halts", ap->pc.apic_id);
	hw_halt();
}

/*
 * NULL, or why the CPU is left out. Where the firmware switched the boot CPU alone to x2APIC mode
 * this one follows: in xAPIC mode it would read 8 bits of its ID, and reach none of 255 and more.
 */
static const char *init_lapic(struct ap *ap)
{
	err_t err = lapic_init();

	if (err == ERR_NONE && percpu_boot.x2apic && !this_cpu()->x2apic) {
		ap->switched = hw_lapic_set_x2apic(true);
		err = lapic_init();
	}
	/* Cause (left-out): the firmware has switched it off on this processor.
	 * Remedy: update the firmware. */
	return err != ERR_NONE ? "its local APIC is disabled" : NULL;
}

static NORETURN void ap_main(struct percpu *pc)
{
	struct ap *ap = (struct ap *)(void *)pc;

	percpu_load(pc, pc->stacks, pc->cpu);
	cpuid_lift_limit();
	smp_arrived(pc);
	test_point(TEST_AP_STEP, &(u32){ 1 });
	ap_answer_tsc(ap);
	ap->left_out = init_lapic(ap);
	if (!ap->left_out)
		ap->left_out = boot_adopt_cpu(ap->vp, ap->vmxon_page, ap->vmcs_page);
	test_point(TEST_AP_STEP, &(u32){ 2 });
	if (!settle(ap, AP_SETTLED))
		ap_end_late(ap);
	if (ap->left_out)
		hw_halt();
	while (!LOAD_ACQUIRE(released))
		cpu_pause();
	STORE_RELEASE(ap->vp->entered, true);
	test_point(TEST_ENTRY, ap->vp);
	vmx_run(ap->vp);
}

bool ap_wait(struct ap *ap, const u32 *at, u32 want)
{
	u64 start = rdtsc();

	while (LOAD_ACQUIRE(*at) != want) {
		if (rdtsc() - start > ap->tsc_hz && settle(ap, AP_GIVEN_UP))
			return false;
		cpu_pause();
	}
	return true;
}

static struct ap *create_ap(u32 apic_id, u32 index)
{
	struct ap *ap = page_alloc_n((sizeof(*ap) + 4095) / 4096, 1);
	struct cpu_stacks *stacks = page_alloc_n(sizeof(*stacks) / 4096, 1);

	if (!ap || !stacks)
		return NULL;
	ap->vmxon_page = page_alloc();
	ap->vmcs_page = page_alloc();
	if (!ap->vmxon_page || !ap->vmcs_page)
		return NULL;
	ap->pc.stacks = stacks;
	ap->pc.apic_id = apic_id;
	ap->pc.cpu = index;
	paging_guard(stacks);
	return ap;
}

/* NULL: it has joined; else why it is left out. */
static const char *bring_up(struct ap *ap, struct cpu_tsc *tsc)
{
	if (smp_start_cpu(&ap->pc, ap_main, ap->tsc_hz) != ERR_NONE) {
		(void)settle(ap, AP_GIVEN_UP);
		/* Cause (left-out): it does not start, or too slowly (an overloaded outer
		 * hypervisor).
		 * Remedy: fewer virtual CPUs than the host has; update the firmware. */
		return "does not answer INIT-SIPI-SIPI";
	}
	if (!ap_sync_tsc(ap, tsc))
		return "does not answer within a second of its start";
	if (!ap_wait(ap, &ap->state, AP_SETTLED))
		return "has not entered VMX within a second";
	return ap->left_out;
}

static void note_tsc(struct partition *p, u32 apic_id, const struct cpu_tsc *tsc)
{
	s64 offset = tsc_skew_offset(&tsc->skew);

	if (!tsc_skew_is_in_step(&tsc->skew)) {
		/* Cause (cpu): the TSCs cannot be brought into step, or an outer hypervisor moves
		 * them; the guest's kvmclock gets slower.
		 * Remedy: update the firmware; pin the outer machine's virtual CPUs. */
		log_warn("cpu %u: its TSC is %lld ticks off the boot CPU's and stays so: no clock "
			 "is "
			 "STABLE",
			 apic_id, offset);
		clock_out_of_step(&p->clock);
		p->hooks->clock_changed(p);
	} else if (tsc->moved) {
		log_info("cpu %u: its TSC was %lld ticks off the boot CPU's: moved", apic_id,
			 tsc->found);
	}
}

/* False: it is left out. */
static bool start_cpu(const struct boot_state *b, struct partition *p, u32 apic_id)
{
	u64 pages = page_free_count();
	struct cpu_tsc *tsc = &tsc_of[p->vp_count];
	const char *left_out;
	char adjust[32] = "";
	struct ap *ap;

	ap = create_ap(apic_id, p->vp_count);
	if (!ap) {
		/* Cause (left-out): Kensho's region is full.
		 * Remedy: `maxcpus=N`; please report it. */
		log_warn("cpu %u: no memory for it: it is left out", apic_id);
		return false;
	}
	ap->vp = boot_create_vp(p, apic_id);
	ap->tsc_hz = b->tsc.tsc_hz;
	left_out = bring_up(ap, tsc);
	if (left_out) {
		/* Cause (left-out): another row or line gives the reason; the guest runs on the
		 * other processors.
		 * Remedy: see there. */
		log_warn("cpu %u: %s: it is left out", apic_id, left_out);
		partition_drop_last_vp(p);
		return false;
	}
	if (ap->switched)
		log_info("cpu %u: in xAPIC mode, unlike the boot CPU: switched to x2APIC mode",
			 apic_id);
	if (tsc->has_adjust)
		fmt_print(adjust, sizeof(adjust), " (adjusted by %lld)", tsc->adjust);
	log_info("cpu %u: VP %u, TSC offset %lld +-%llu ticks%s, %llu KiB", apic_id, ap->vp->index,
		 tsc_skew_offset(&tsc->skew), tsc_skew_error(&tsc->skew), adjust,
		 (pages - page_free_count()) * (PAGE_SIZE / 1024));
	note_tsc(p, apic_id, tsc);
	return true;
}

bool boot_find_low_page(const struct partition *p, u64 *pa)
{
	for (*pa = 0x8f000; *pa >= 0x1000; *pa -= 0x1000) {
		if (e820_is_type(&p->memory, *pa, 0x1000, E820_RAM))
			return true;
	}
	return false;
}

const char *boot_cpu_refusal(const struct boot_state *b, const struct partition *p,
			     const struct acpi_cpu *cpu, u32 have)
{
	u64 page;

	/* Cause (left-out): hyper-threading or cores are off in the firmware set-up.
	 * Remedy: switch them on if the guest needs them. */
	if (!cpu->enabled)
		return "the firmware has disabled it";
	/* Cause (left-out): at most 256.
	 * Remedy: a larger `maxcpus=`. */
	if (have >= b->options.maxcpus)
		return "maxcpus= allows no more";
	/* Cause (left-out): an APIC ID of 255 or more.
	 * Remedy: "x2APIC" on in the firmware set-up. */
	if (!lapic_reaches(cpu->apic_id))
		return "xAPIC mode cannot address it (switch the firmware to x2APIC)";
	/* Cause (left-out): no RAM below 1 MiB.
	 * Remedy: update the firmware; boot by BIOS (CSM) instead of UEFI, or the reverse. */
	if (!boot_find_low_page(p, &page))
		return "there is no page below 1 MiB to start it";
	return NULL;
}

/* CPUs that are left out for one reason: a large machine may have hundreds. */
struct left_out {
	const char *why;
	u32 more; /* beside the first, which has a line of its own */
};

static void leave_out(struct left_out *l, u32 apic_id, const char *why)
{
	if (why == l->why) {
		l->more++;
		return;
	}
	/* Cause (left-out): another row or line gives the reason; the guest runs on the other
	 * processors.
	 * Remedy: see there. */
	if (l->more != 0)
		log_warn("cpus: %u more are left out for that reason", l->more);
	*l = (struct left_out){ .why = why };
	/* Cause (left-out): another row or line gives the reason; the guest runs on the other
	 * processors.
	 * Remedy: see there. */
	if (why != NULL)
		log_warn("cpu %u: %s: it is left out", apic_id, why);
}

void boot_start_cpus(const struct boot_state *b, struct partition *p)
{
	struct left_out left_out = { 0 };
	u32 own = this_cpu()->apic_id, failed = 0;
	void *tables;
	u64 page;

	if (b->acpi.cpu_count < 2 || b->options.maxcpus < 2)
		return;
	tables = page_alloc_n(SMP_PAGES, 1);
	if (!tables || !boot_find_low_page(p, &page)) {
		/* Cause (left-out): no RAM below 1 MiB.
		 * Remedy: update the firmware; boot by BIOS (CSM) instead of UEFI, or the
		 * reverse. */
		log_warn("no page below 1 MiB to start other CPUs: the guest gets one");
		return;
	}
	smp_begin(page, tables);
	for (u32 i = 0; i < b->acpi.cpu_count; i++) {
		const struct acpi_cpu *cpu = &b->acpi.cpu[i];
		const char *why = boot_cpu_refusal(b, p, cpu, p->vp_count);

		if (cpu->apic_id == own)
			continue;
		/* Cause (left-out): the firmware lists absent processors, or the outer hypervisor
		 * is overloaded.
		 * Remedy: see the lines about those that were tried. */
		if (why == NULL && failed == BOOT_CPUS_FAILED_MAX)
			why = "too many others did not start";
		if (why != NULL)
			leave_out(&left_out, cpu->apic_id, why);
		else
			failed += !start_cpu(b, p, cpu->apic_id);
	}
	leave_out(&left_out, 0, NULL);
	smp_end();
}

const struct cpu_tsc *boot_cpu_tsc(u32 index)
{
	return &tsc_of[index];
}

void boot_release_cpus(void)
{
	STORE_RELEASE(released, true);
}
