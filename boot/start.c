/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From the machine's description to the first guest instruction: decisions, partition, image, VP 0.
 *
 * Context: boot CPU, own page tables, interrupts off.
 */
#include "arch/x86/defs/cpuid.h"
#include "arch/x86/defs/ept.h"
#include "arch/x86/defs/msr.h"
#include "arch/x86/defs/vmx_msr.h"
#include "arch/x86/hw_vmx.h"
#include "arch/x86/insn.h"
#include "arch/x86/ioapic.h"
#include "arch/x86/lapic.h"
#include "arch/x86/mitigation.h"
#include "arch/x86/percpu.h"
#include "arch/x86/vmx.h"
#include "arch/x86/vmx_ctls.h"
#include "boot/acpi/bochs.h"
#include "boot/load/load.h"
#include "boot/report.h"
#include "boot/test_fault.h"
#include "core/apic/phys_mode.h"
#include "core/dev/testdev.h"
#include "core/diag/log.h"
#include "core/diag/panic.h"
#include "core/lib/string.h"
#include "core/mem/page_alloc.h"
#include "core/mon/monitor.h"
#include "core/partition.h"
#include "core/surface/cpuid_xsave.h"
#include "core/vp/ctx.h"
#include "core/vp/guest_cr.h"
#include "core/vp/vp.h"
#include "drivers/console.h"
#include "hv/hv.h"

#define EPT_PHYS_BITS_MAX 48u /* 4-level EPT */

static struct boot_vmx vmx;

/* For a boot step that can only fail by a hypervisor bug or in too small a region. */
static void must(err_t err, const char *what)
{
	/* Cause (loader): a bug in Kensho.
	 * Remedy: please report it. */
	if (err != ERR_NONE)
		fatal("%s failed (%s): hypervisor bug; do this: please report it", what,
		      err_name(err));
}

static NORETURN void no_pages(void)
{
	/* Cause (loader): a bug in Kensho.
	 * Remedy: please report it. */
	fatal("the hypervisor region is used up (%llu pages): hypervisor bug; do this: "
	      "please report it",
	      page_total_count());
}

static void decide_mitigations(const struct options *o)
{
	struct mitigation_input in = { .hidden = o->mitigations == MITIGATIONS_OFF,
				       .all = o->mitigations == MITIGATIONS_ALL };
	struct cpuid_regs f = cpuid_if(CPUID_LEAF_EXT_FEATURES, 0);
	char text[80];

	in.arch_capabilities_present =
		(f.d & CPUID7_EDX_ARCH_CAPABILITIES) &&
		rdmsr_safe(MSR_IA32_ARCH_CAPABILITIES, &in.arch_capabilities) == ERR_NONE;
	in.md_clear = (f.d & CPUID7_EDX_MD_CLEAR) != 0;
	in.rtm = (f.b & CPUID7_EBX_RTM) != 0;
	vmx.cpu_bugs = in;
	vmx.mitigations = mitigation_decide(&in);
	mitigation_apply(vmx.mitigations);
	mitigation_describe(vmx.mitigations, text, sizeof(text));
	log_info("mitigations: %s%s", text,
		 in.hidden ? " (mitigations=off)"
		 : in.all  ? " (mitigations=all)"
			   : "");
	/* Cause (cpu): old microcode; the boot goes on.
	 * Remedy: update the firmware; do not keep secrets next to an untrusted guest. */
	if (vmx.mitigations & MITIGATION_L1TF)
		log_warn(
			"this CPU may leak the L1 cache to the guest (L1TF): update its microcode");
}

static void decide_apicv(const struct boot_state *b, struct machine *m)
{
	const char *why = "";

	if (vmx_apicv_decide(&vmx.caps, b->options.config.apicv, m->is_bochs, &vmx.apicv, &why) !=
	    ERR_NONE)
		boot_refuse("%s", why);
	test_point(TEST_APICV, &vmx.apicv);
	m->apic_accesses = vmx.apicv.apic_accesses;
	m->tpr_shadow = vmx.apicv.tpr_shadow;
	m->apic_register_virt = vmx.apicv.register_virt;
	m->virt_intr_delivery = vmx.apicv.virt_intr_delivery;
	m->virt_x2apic = vmx.apicv.virt_x2apic;
	if (vmx.is_usable && !m->apic_accesses)
		log_info("apicv: no APIC-access page: xAPIC accesses are emulated by violations");
	log_info("apicv: TPR shadow %s, register virtualization %s, interrupt delivery %s%s",
		 m->tpr_shadow ? "on" : "off", m->apic_register_virt ? "on" : "off",
		 m->virt_intr_delivery ? "on" : "off",
		 m->is_bochs && !m->virt_intr_delivery ? " (Bochs: see docs/emulators.md)" : "");
}

/* Rule I7. */
static void decide_apic_mode(const struct boot_state *b, struct machine *m, bool nested)
{
	struct phys_apic_facts f = {
		.has_x2apic = m->x2apic,
		.is_x2apic = this_cpu()->x2apic,
		.has_hypervisor = nested,
		.is_bochs = m->is_bochs,
		.has_dmar = b->acpi.has_dmar,
		.intr_remap = (b->acpi.dmar_flags & DMAR_INTR_REMAP) != 0,
		.x2apic_opt_out = (b->acpi.dmar_flags & DMAR_X2APIC_OPT_OUT) != 0,
	};

	test_point(TEST_APIC_MODE, &f);
	m->phys_x2apic = phys_apic_may_x2apic(&f, &vmx.x2apic_why);
	log_info("lapic: x2APIC mode, when the guest enters it, is %s: %s",
		 m->phys_x2apic ? "physical, too" : "virtual only", vmx.x2apic_why);
}

/* Rule T1. */
static void decide_timer(const struct boot_state *b, struct machine *m)
{
	struct run_timer_facts facts = {
		.has_vmx_timer =
			(FIELD_GET(VMX_CTLS_ALLOWED1, vmx.caps.pin) & PIN_PREEMPTION_TIMER) != 0,
		.vmx_timer_is_broken = vmx_timer_is_broken(&vmx.cpu),
		.has_tsc_deadline = vmx.cpu.has_tsc_deadline,
	};

	if (!vmx.is_usable)
		return; /* a dry run has reported it */
	test_point(TEST_RUN_TIMER, &facts);
	vmx.timer = run_timer_choose(&facts, &vmx.timer_why);
	m->run_timer = vmx.timer;
	if (vmx.timer == RUN_TIMER_APIC_ONE_SHOT)
		m->apic_timer_hz = lapic_timer_hz(b->tsc.tsc_hz);
	if (vmx.timer != RUN_TIMER_VMX)
		log_info("timer: %s, since %s", run_timer_what(vmx.timer), vmx.timer_why);
}

static void describe_machine(const struct boot_state *b, struct machine *m, bool nested)
{
	const struct bochs_facts facts = {
		.has_hypervisor = nested,
		.rsdp = b->info.has_rsdp ? b->info.rsdp : NULL,
		.host_bridge = b->host_bridge,
	};

	m->is_bochs = bochs_is_it(&facts);
	m->phys_bits = umin32(cpu_phys_bits(), EPT_PHYS_BITS_MAX);
	m->x2apic = (cpuid(1, 0).c & CPUID1_ECX_X2APIC) != 0;
	decide_apic_mode(b, m, nested);
	m->cpuid_tsc_trusted = b->tsc.cpuid_trusted;
	m->has_nmi_status = vp_probe_nmi_status();
	if (!m->has_nmi_status)
		log_info("nmi: no port 61h: an NMI is the guest's if no kick explains it");
	m->pm1a_cnt = b->acpi.pm1a_cnt;
	m->pm1b_cnt = b->acpi.pm1b_cnt;
	m->s3_slp_typ = b->acpi.s3_slp_typ;
	m->s5_slp_typ = b->acpi.s5_slp_typ;
}

static void apply_options(const struct options *o, struct config *c)
{
	char dropped[256];

	*c = o->config;
	if (options_dropped(o, dropped, sizeof(dropped)))
		log_info("cpu: off, because of other options: %s", dropped);
	if (c->hlt == HLT_PASSTHROUGH) /* also for HLTs that exit nevertheless */
		c->halt_poll_ns = 0;
	/* Cause (cpu): off in the firmware set-up, or hidden by an outer hypervisor.
	 * Remedy: remove `mwait=c1`. */
	if (c->mwait == MWAIT_C1 && !(cpuid(1, 0).c & CPUID1_ECX_MONITOR))
		boot_refuse(
			"mwait=c1: this CPU has no MONITOR and MWAIT; do this: remove the option");
}

/* Registers every row of every table, then seals the tables. */
static void register_rows(const struct options *o, struct partition *p)
{
	const char *what = "";
	err_t err = hv_build_surface(p, &what);

	must(err, what);
	must(platform_ports_add(&p->pio, p->machine.pm1a_cnt, p->machine.pm1b_cnt,
				p->config.syndbg == SYNDBG_COM1,
				p->config.syndbg == SYNDBG_COM2 || p->config.log == LOG_COM2),
	     "owned ports");
	if (o->testdev != 0) {
		ioapic_map();
		must(testdev_add(p, o->testdev_exit == TESTDEV_EXIT_POWEROFF), "the test devices");
		must(hv_testdev_add(p), "the test devices of the ABIs");
	} else {
		must(extint_add_ports(&p->pio), "owned ports");
	}
	p->io_bitmap = page_alloc_n(PIO_BITMAP_BYTES / 4096, 1);
	p->msr_bitmap = page_alloc();
	if (!p->io_bitmap || !p->msr_bitmap)
		no_pages();
	pio_bitmap_build(&p->pio, p->io_bitmap);
	msr_bitmap_build(p, p->msr_bitmap);
}

static void create_partition(struct boot_state *b, struct partition *p, bool nested)
{
	describe_machine(b, &p->machine, nested);
	apply_options(&b->options, &p->config);
	decide_apicv(b, &p->machine);
	decide_timer(b, &p->machine);
	p->region_base = b->region_base;
	p->region_len = b->region_bytes;
	p->memory = b->info.memory;
	must(e820_reserve(&p->memory, p->region_base.v, p->region_len, E820_RESERVED),
	     "reserving the region");
	must(clock_init(&p->clock, b->tsc.tsc_hz, b->wall_tsc, b->wall_s * 1000000000ull),
	     "the clock");
	p->machine.xcr0_supported = xsave_supported();
	register_rows(&b->options, p);
	boot_start_syndbg();
}

/* boot_relocate() has made the region large enough. */
static void start_trace(struct vp *vp)
{
	u64 bytes = trace_ring_records(vmx.trace_size) * sizeof(struct trace_record);
	struct trace_record *record = page_alloc_n((u32)(bytes / 4096), 1);
	struct exit_times *times = NULL;

	if (trace_traces_exits(vmx.trace))
		times = page_alloc_n((sizeof(*times) + 4095) / 4096, 1);
	if (!record || (!times && trace_traces_exits(vmx.trace)))
		no_pages();
	trace_init(vp, record, vmx.trace_size, vmx.trace, times);
}

struct vp *boot_create_vp(struct partition *p, u32 apic_id)
{
	struct {
		struct vp vp;
		u8 abi_state[HV_VP_STATE_BYTES] ALIGNED(64);
	} *block = page_alloc_n((sizeof(*block) + 4095) / 4096, 1);
	u8 *apic_page = page_alloc();
	struct vp *vp;

	if (!block || !apic_page)
		no_pages();
	vp = &block->vp;
	vp->abi_state = block->abi_state;
	vp->apic_id = apic_id;
	partition_add_vp(p, vp);
	if (hv_vp_create(vp) != ERR_NONE)
		no_pages();
	ctx_init(vp, (u16)(vp->index + 1), &exit_table_guest);
	timer_init(vp);
	vp->ctx->msr_bitmap = page_alloc();
	if (!vp->ctx->msr_bitmap)
		no_pages();
	memcpy(vp->ctx->msr_bitmap, p->msr_bitmap, 4096);
	start_trace(vp);
	vlapic_init(vp, apic_page);
	mtrr_init_from_host(&vp->mtrr, p->machine.phys_bits);
	return vp;
}

static void map_memory(struct partition *p)
{
	bool has_1g = (vmx.caps.ept_vpid & EPT_VPID_CAP_1G) != 0;

	/* No accessed and dirty flags: nothing reads them, and page walks would become writes. */
	must(ept_init(&p->ept, has_1g, true, false, MT_WB), "EPT");
	must(apic_page_init(p), "the APIC page");
	must(ept_build_partition(p), "the EPT identity map");
	log_info("ept: %u tables, %s pages, out to %u bits; %llu of %llu heap pages free",
		 p->ept.pages, has_1g ? "1-GiB" : "2-MiB", p->machine.phys_bits, page_free_count(),
		 page_total_count());
}

/* Controls that depend on what the guest sees. */
static void decide_controls(const struct partition *p)
{
	struct vmx_guest_features gf = {
		/* RDPID is enabled by the same control as RDTSCP. */
		.rdtscp = (cpuid_base(p, 0x80000001, 0).d & CPUID80000001_EDX_RDTSCP) ||
			  (cpuid_base(p, 7, 0).c & CPUID7_ECX_RDPID),
		.invpcid = (cpuid_base(p, 7, 0).b & CPUID7_EBX_INVPCID) != 0,
		.xsaves = (cpuid_base(p, 0xd, 1).a & CPUIDD_1_EAX_XSAVES) != 0,
		.waitpkg = (cpuid_base(p, 7, 0).c & CPUID7_ECX_WAITPKG) != 0,
		.mwait = (cpuid_base(p, 1, 0).c & CPUID1_ECX_MONITOR) != 0,
		.hlt_passthrough = p->config.hlt == HLT_PASSTHROUGH,
	};
	struct vmx_ctls c;

	if (!vmx.is_usable)
		return; /* a dry run has reported it */
	if (vmx_ctls_init(&vmx.caps, &gf, &vmx.apicv, vmx.timer == RUN_TIMER_VMX, &c) != ERR_NONE) {
		/* Cause (cpu): a faulty outer hypervisor, or a processor unknown to Kensho.
		 * Remedy: please report it. */
		boot_refuse("the VMX controls of this CPU contradict its CPUID; do this: please "
			    "report it with a log");
		return;
	}
	vmx.ctls = (struct vp_ctls){ c.pin, c.proc, c.proc2, c.exit, c.entry };
}

void boot_fill_vmcs(struct vp *vp, void *page)
{
	vmcs_create(vp, page, &vmx.caps,
		    mitigation_host_rip(vmx.mitigations, trace_traces_exits(vmx.trace)));
	if (vp->index == 0)
		vp->partition->machine.cr4_allowed = guest_cr4_allowed(vp);
	ctx_fill(vp, &vmx.ctls);
	this_cpu()->vp = vp;
	vp_reset(vp, false);
	vlapic_copy_physical(vp);
}

const char *boot_adopt_cpu(struct vp *vp, void *vmxon_page, void *vmcs_page)
{
	struct vmx_caps caps;
	struct vmx_cpu cpu;
	const char *why;

	vmx_read_cpu(&cpu);
	test_point(TEST_VMX_CPU, &cpu);
	why = vmx_left_out(&cpu, vmx.timer == RUN_TIMER_VMX);
	if (why)
		return why;
	vmx_read_caps(&caps);
	test_point(TEST_VMX_CAPS, &caps);
	why = vmx_caps_difference(&caps, &vmx.caps);
	if (!why)
		why = vmx_on(&cpu, &caps, vmxon_page);
	if (why)
		return why;
	boot_fill_vmcs(vp, vmcs_page);
	return NULL;
}

static void probe(void)
{
	const struct vmx_cpu *cpu = &vmx.cpu;
	char why[REFUSAL_MAX];

	vmx.is_usable = vmx_probe(&vmx.cpu, &vmx.caps, &vmx.has_caps, why, sizeof(why)) == ERR_NONE;
	if (!vmx.is_usable) {
		boot_refuse("%s", why);
		return;
	}
	log_info("VMX: family %u model 0x%x stepping %u, revision 0x%llx, EPT/VPID 0x%llx%s",
		 cpu->family, cpu->model, cpu->stepping, vmx.caps.basic & VMX_BASIC_REVISION,
		 vmx.caps.ept_vpid, cpu->has_hypervisor ? ", nested" : "");
}

/* All decisions before VMX is entered: a dry run ends here. Returns VP 0. */
static COLD struct vp *decide(struct boot_state *b, struct partition *p)
{
	struct vp *vp;

	probe();
	vmx.trace = b->options.trace;
	vmx.trace_size = b->options.trace_size;
	report_cpu(b, &vmx);
	hw_vmx_init(&vmx.caps);
	decide_mitigations(&b->options);
	test_point(TEST_PATCH, NULL);
	create_partition(b, p, vmx.cpu.has_hypervisor);
	decide_controls(p);
	vp = boot_create_vp(p, this_cpu()->apic_id);
	map_memory(p);
	report_partition(b, p, &vmx);
	boot_plan_guest(b, p);
	if (b->options.dryrun != 0)
		report_end_dry_run();
	return vp;
}

void boot_start(struct boot_state *b)
{
	struct partition *p = &the_partition;
	struct vp *vp = decide(b, p);
	void *vmxon_page, *vmcs_page;
	const char *why;

	vmxon_page = page_alloc();
	vmcs_page = page_alloc();
	if (!vmxon_page || !vmcs_page)
		no_pages();
	why = boot_adopt_cpu(vp, vmxon_page, vmcs_page);
	/* Cause (cpu): another hypervisor owns VMX: the firmware's own, or one outside.
	 * Remedy: "virtualization-based security", "BIOS Guard", "trusted execution" off in the
	 * firmware set-up; check the outer hypervisor. */
	if (why)
		fatal("the boot CPU cannot enter VMX: %s; do this: switch off in the firmware "
		      "set-up what else uses VMX, and check the outer hypervisor",
		      why);
	boot_start_cpus(b, p);
	boot_selftest(b, p, &vmx, vmcs_page);
	boot_hide_cpus(b, p);
	monitor_start(vp, p->config.log == LOG_COM2 ? console_read_log : NULL);
	hv_start_periodic(vp);
	log_info("starting the guest: %sthe screen %s its own from here on",
		 p->config.syndbg == SYNDBG_COM1 ? "" : "COM1 and ",
		 p->config.syndbg == SYNDBG_COM1 ? "is" : "are");
	load_set_entry(vp, boot_load_guest()); /* no output after this: the cursor is passed on */
	if (b->options.testdev != 0 && p->config.syndbg != SYNDBG_COM1)
		console_set_up_com1();
	console_handover();
	boot_release_cpus();
	WRITE_ONCE(vp->entered, true);
	test_point(TEST_ENTRY, vp);
	vmx_run(vp);
}
