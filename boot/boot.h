/* SPDX-License-Identifier: BSD-2-Clause */
/* The steps of the boot, in the order boot_main() takes them, and what they find out. */
#pragma once

#include "arch/x86/mitigation.h"
#include "arch/x86/vmx_ctls.h"
#include "boot/acpi/acpi.h"
#include "boot/load/boot_info.h"
#include "boot/load/disk.h"
#include "boot/option/option.h"
#include "core/time/clock.h"
#include "core/time/run_timer.h"
#include "core/time/tsc_skew.h"
#include "core/vp/ctx.h"

struct acpi_cpu;
struct guest_image;
struct load_plan;
struct partition;
struct vp;

/* Remapping units of the DMAR table in which something was on, by kind. */
struct iommu_state {
	u32 translating, remapping_interrupts;
};

/* Filled in from top to bottom; static storage of main.c. */
struct boot_state {
	struct boot_info info; /* early.c: a copy; the loader's own does not survive */
	struct options options;
	struct acpi_info acpi; /* platform.c; zero if the machine has no ACPI */
	hpa_t region_base;     /* relocate.c */
	u64 region_bytes;
	struct e820_busy region_avoids;
	struct iommu_state iommu;
	u32 host_bridge;                /* platform.c; vendor and device ID of PCI 00:00.0 */
	struct tsc_sources tsc_sources; /* platform.c */
	struct tsc_decision tsc;        /* platform.c */
	u64 wall_s;                     /* UNIX time at @wall_tsc, good to 1 s (rule T4) */
	u64 wall_tsc;
	u64 rsdp_pa;           /* platform.c; 0: unknown */
	struct bios_info bios; /* platform.c; as the firmware and the loader left it */
};

/* Decided by start.c; the same on all CPUs. */
struct boot_vmx {
	struct vmx_cpu cpu; /* the boot CPU */
	struct vmx_caps caps;
	bool has_caps; /* they could be read */
	bool is_usable;
	struct vmx_apicv apicv;
	const char *x2apic_why; /* of machine.phys_x2apic */
	enum run_timer timer;
	const char *timer_why;
	struct vp_ctls ctls;
	struct mitigation_input cpu_bugs;
	u32 mitigations;
	u32 trace;      /* trace=: a set of enum trace_family */
	u32 trace_size; /* records of a ring */
};

/* Entered from entry.S; the composition root. */
COLD NORETURN void boot_main(u32 mb2_pa);

/* screen.c: give the loader's screen to the consoles: NULL, or why there is none. Then map it in
 * the tables that boot_relocate() builds. */
const char *boot_open_screen(const struct boot_info *bi);
void boot_map_screen(const struct boot_info *bi);

/* screen.c: the screen that a guest is told of; NULL: none. */
const struct boot_framebuffer *boot_guest_screen(const struct boot_info *bi);

/* early.c: loader's information, options, consoles, banner. Stops with one line on bad input. */
void boot_early(struct boot_state *b, u32 mb2_pa);

/* syndbg_port.c: program the serial port of syndbg=; false: there is none. After the move,
 * before the first VP: hand it over. */
bool boot_open_syndbg(enum syndbg_option port);
void boot_start_syndbg(void);

/* platform.c: before the move ACPI and low memory; after it LAPIC, timers, clock. */
COLD void boot_acpi(struct boot_state *b);
void boot_bios(struct boot_state *b);
void boot_platform(struct boot_state *b);

/* iommu.c: after the move: what is on in them. */
void boot_iommu(struct boot_state *b);

/* relocate.c: choose the hypervisor region, move into it, give the rest to page_alloc. */
void boot_relocate(struct boot_state *b);

/* start.c: VMX, the partition, VP 0, its first instruction. */
NORETURN void boot_start(struct boot_state *b);

/* report.c: fatal(), but a dry run goes on, with the first refusal as its verdict. */
void boot_refuse(const char *fmt, ...) PRINTF(1, 2);

/* guest.c: check the images and plan their places; write them. */
COLD void boot_plan_guest(const struct boot_state *b, const struct partition *p);
const struct load_plan *boot_load_guest(void);

/* guest.c: a CPU without a VP must not be in a MADT of the guest's (P3). */
void boot_hide_cpus(const struct boot_state *b, const struct partition *p);
u8 *boot_map_madt(const struct acpi_madt *madt);

/* start.c, for boot/cpus.c: create a VP; enter VMX on its CPU, with a VMCS: NULL, or why the CPU
 * is left out. */
struct vp *boot_create_vp(struct partition *p, u32 apic_id);
const char *boot_adopt_cpu(struct vp *vp, void *vmxon_page, void *vmcs_page);

/* CPUs that are tried in vain: each costs a second, and memory that it may still come to use. */
#define BOOT_CPUS_FAILED_MAX 32u

/* cpus.c: bring up the other CPUs and park them with a VP each; then let them wait for the guest.
 */
void boot_start_cpus(const struct boot_state *b, struct partition *p);
void boot_release_cpus(void);

/* cpus.c: why the guest, which has @have CPUs, cannot get @cpu; NULL: it can, as far as we know. */
const char *boot_cpu_refusal(const struct boot_state *b, const struct partition *p,
			     const struct acpi_cpu *cpu, u32 have);

/* cpus.c: a page of free RAM below 1 MiB, for real mode. */
bool boot_find_low_page(const struct partition *p, u64 *pa);

/* The TSC of a CPU, next to the boot CPU's. */
struct cpu_tsc {
	struct tsc_skew skew;
	s64 found;       /* its offset, before ... */
	bool moved;      /* ... we tried to bring it into step */
	bool has_adjust; /* IA32_TSC_ADJUST exists, and has the value ... */
	s64 adjust;
};

/* cpus.c: the TSC of VP @index's CPU, which is not the boot CPU. */
const struct cpu_tsc *boot_cpu_tsc(u32 index);

/* start.c: make @page the VMCS of @vp, current and ready for the first entry; reset @vp. */
void boot_fill_vmcs(struct vp *vp, void *page);

/* selftest.c: option selftest=. VP 0, its CPU, in VMX, all others parked; @vmcs_page: of VP 0. */
void boot_selftest(struct boot_state *b, struct partition *p, const struct boot_vmx *vmx,
		   void *vmcs_page);

/* entry.S: new stack-protector canary; for callers that never return. */
void canary_seed(void);
