/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The machine around the CPU: ACPI, local APIC, timers, clock. Context: boot CPU.
 */
#include "arch/x86/insn.h"
#include "arch/x86/lapic.h"
#include "arch/x86/paging.h"
#include "arch/x86/percpu.h"
#include "arch/x86/reboot.h"
#include "arch/x86/tsc.h"
#include "boot/boot.h"
#include "core/diag/log.h"
#include "core/diag/panic.h"
#include "core/hw.h"
#include "core/lib/bits.h"
#include "core/lib/bytes.h"
#include "core/lib/fmt.h"
#include "core/lib/string.h"
#include "core/time/tsc_measure.h"
#include "drivers/pmtimer.h"
#include "drivers/rtc.h"

#define BIOS_AREA       0xe0000
#define BIOS_AREA_BYTES 0x20000
#define RSDP_ALIGN      16
#define RSDP_REVISION   15
#define RSDP_V1_LEN     20u /* revision 0 ends here */

/* Through a window of their own: tables of UEFI firmware may be above 4 GiB. */
static const void *acpi_map(void *ctx, u64 pa, u64 len)
{
	u64 end = BIT64(cpu_phys_bits());

	if (pa == 0 || !range_fits(pa, len, end))
		return NULL;
	return paging_early_table(pa, len);
}

static u64 search_rsdp(const struct boot_info *bi, u64 start, u64 bytes)
{
	const u8 *p = hw_phys_to_virt(hpa(start));

	for (u64 i = 0; i + sizeof(bi->rsdp) <= bytes; i += RSDP_ALIGN) {
		if (p[i] == bi->rsdp[0] && memcmp(p + i, bi->rsdp, bi->rsdp_len) == 0)
			return start + i;
	}
	return 0;
}

/* On a BIOS machine: ACPI "Finding the RSDP on IA-PC Systems". 0: not there. */
static u64 search_low_memory(const struct boot_info *bi)
{
	u64 ebda = bios_ebda(hw_phys_to_virt(hpa(0)));
	u64 pa = ebda != 0 ? search_rsdp(bi, ebda, KIB(1)) : 0;

	return pa != 0 ? pa : search_rsdp(bi, BIOS_AREA, BIOS_AREA_BYTES);
}

/* On UEFI ask the system table only: low memory does not hold what a BIOS has there. */
static u64 find_rsdp(struct boot_info *bi)
{
	const u8 *found;
	u64 pa;

	if (!bi->efi.present)
		return bi->has_rsdp ? search_low_memory(bi) : 0;
	pa = efi_find_rsdp(&bi->efi, acpi_map, NULL);
	found = pa != 0 ? acpi_map(NULL, pa, sizeof(bi->rsdp)) : NULL;
	if (found == NULL || memcmp(found, "RSD PTR ", 8) != 0)
		return 0;
	if (!bi->has_rsdp) { /* the loader passed no copy */
		bi->rsdp_len = found[RSDP_REVISION] >= 2 ? sizeof(bi->rsdp) : RSDP_V1_LEN;
		memcpy(bi->rsdp, found, bi->rsdp_len);
		bi->has_rsdp = true;
	}
	return pa;
}

void boot_acpi(struct boot_state *b)
{
	/* Cause (loader): the firmware's ACPI tables are missing or damaged.
	 * Remedy: update the firmware; GRUB 2.06 or later. */
	const char *why = "the boot loader passed no RSDP";
	struct acpi_info *a = &b->acpi;

	*a = (struct acpi_info){ .reset_space = 0xff, .s3_slp_typ = -1, .s5_slp_typ = -1 };
	b->rsdp_pa = find_rsdp(&b->info);
	if (!b->info.has_rsdp ||
	    acpi_parse(b->info.rsdp, b->info.rsdp_len, acpi_map, NULL, a, &why) != ERR_NONE) {
		/* Cause (loader): the firmware's ACPI tables are missing or damaged.
		 * Remedy: update the firmware; GRUB 2.06 or later. */
		log_warn("acpi: %s; going on with one CPU%s", why,
			 a->pm_tmr_port == 0 && a->hpet_pa == 0 ? " and legacy timers" : "");
		return;
	}
	/* Cause (loader): a virtual machine whose CPUs start by a mailbox, not INIT and SIPI; the
	 * boot goes on without them.
	 * Remedy: another outer hypervisor. */
	if (a->wakeup_mailbox != 0)
		log_warn("acpi: CPUs may start by a mailbox only (MADT, at 0x%llx): those will not "
			 "answer",
			 a->wakeup_mailbox);
	/* Cause (loader): the firmware's MADT is wrong; each ID is used once.
	 * Remedy: update the firmware. */
	if (a->duplicates != 0)
		log_warn("acpi: the MADT lists CPUs again with the same APIC ID, %u times",
			 a->duplicates);
	log_info("acpi: %u CPU%s, PM timer port 0x%x, HPET at %llx", a->cpu_count,
		 plural(a->cpu_count), a->pm_tmr_port, a->hpet_pa);
}

/* Not on UEFI: some leaves a vector table, but no handlers. */
void boot_bios(struct boot_state *b)
{
	if (!b->info.efi.present)
		bios_read(hw_phys_to_virt(hpa(0)), &b->bios);
}

/* The best timer that works. Leave the others alone: they are the guest's. */
static struct tsc_measurement measure_tsc(const struct acpi_info *acpi, const char **by)
{
	struct tsc_measurement m = { 0 };
	struct tick_source src;

	if (acpi->pm_tmr_port != 0) {
		src = pmtimer_source(acpi->pm_tmr_port, acpi->pm_tmr_32bit);
		m = tsc_measure(&src, TSC_MEASURE_PPM);
	}
	if (m.hz == 0 && acpi->hpet_pa != 0) {
		src = hpet_source(mmio_map(hpa(acpi->hpet_pa), HPET_BYTES));
		if (src.hz != 0)
			m = tsc_measure(&src, TSC_MEASURE_PPM);
	}
	if (m.hz == 0) {
		src = pit_source();
		m = tsc_measure(&src, TSC_MEASURE_PPM);
	}
	*by = src.name;
	return m;
}

static void decide_tsc(struct boot_state *b)
{
	struct tsc_sources s = {
		.cpuid_hz = tsc_cpuid_hz(),
		.tolerance_ppm = (u32)b->options.tsc_tolerance_ppm,
	};
	struct tsc_measurement m = measure_tsc(&b->acpi, &s.measured_by);
	u64 adjust;

	s.measured_hz = m.hz;
	s.error_ppm = m.error_ppm;
	b->tsc_sources = s;
	/* Cause (cpu): no legacy timer.
	 * Remedy: enable HPET, or disable "8254 clock gating", in the firmware set-up. */
	if (tsc_decide(&s, &b->tsc) != ERR_NONE)
		fatal("no TSC frequency: CPUID has none and no PM timer, HPET or PIT counts; do "
		      "this: switch on the HPET in the firmware set-up");
	/* Cause (cpu): no PM timer, HPET or PIT ticks; CPUID's number is used.
	 * Remedy: none; please report if the guest's clock is wrong. */
	if (s.measured_hz == 0)
		log_warn("TSC: no timer counts to check the %llu kHz of CPUID against",
			 s.cpuid_hz / 1000);
	else if (s.cpuid_hz == 0)
		log_info("TSC: cpuid says nothing, %s says %llu kHz +-%u ppm, using %llu kHz",
			 s.measured_by, s.measured_hz / 1000, s.error_ppm, b->tsc.tsc_hz / 1000);
	else
		log_info("TSC: cpuid says %llu kHz, %s says %llu kHz +-%u ppm, using %llu kHz",
			 s.cpuid_hz / 1000, s.measured_by, s.measured_hz / 1000, s.error_ppm,
			 b->tsc.tsc_hz / 1000);
	if (tsc_adjust_read(&adjust) == ERR_NONE && adjust != 0)
		log_info("TSC: the firmware has adjusted the boot CPU's by %lld", (s64)adjust);
}

static void read_clock(struct boot_state *b)
{
	struct rtc_time t;
	struct rtc_raw raw;

	if (rtc_read(&raw) != ERR_NONE ||
	    rtc_decode(raw.reg, raw.century, raw.status_b, &t) != ERR_NONE ||
	    rtc_to_unix(&t, &b->wall_s) != ERR_NONE) {
		/* Cause (cpu): the machine's clock is not set.
		 * Remedy: set it in the firmware set-up; replace the battery. */
		log_warn("clock: the RTC makes no sense; wall clock starts at 1970");
		b->wall_tsc = rdtsc();
		return;
	}
	b->wall_tsc = rdtsc();
	log_info("clock: RTC says %04u-%02u-%02u %02u:%02u:%02u UTC, good to 1 s", t.year, t.month,
		 t.day, t.hour, t.minute, t.second);
}

#define PCI_ADDRESS 0xcf8
#define PCI_DATA    0xcfc
#define PCI_ENABLE  0x80000000u /* bus 0, device 0, function 0, register 0 */

static u32 pci_host_bridge(void)
{
	outl(PCI_ADDRESS, PCI_ENABLE);
	return inl(PCI_DATA);
}

void boot_platform(struct boot_state *b)
{
	reboot_init(b->acpi.reset_space, b->acpi.reset_addr, b->acpi.reset_value);
	/* Cause (cpu): "local APIC" or "MPS" is off in the firmware set-up.
	 * Remedy: switch it on. */
	if (lapic_init() != ERR_NONE)
		fatal("the local APIC is disabled; do this: enable it in the firmware set-up");
	log_info("lapic: ID %u, %s mode%s", this_cpu()->apic_id,
		 this_cpu()->x2apic ? "x2APIC" : "xAPIC",
		 lapic_is_locked() ? ", locked by the firmware" : "");
	b->host_bridge = pci_host_bridge();
	decide_tsc(b);
	read_clock(b);
}
