/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Composition root: the boot from top to bottom. Context: boot CPU, interrupts off, main stack.
 */
#include "arch/x86/cpuid_limit.h"
#include "arch/x86/percpu.h"
#include "boot/report.h"
#include "boot/test_fault.h"
#include "core/diag/log.h"
#include "core/hw.h"

static struct boot_state boot;

void boot_main(u32 mb2_pa)
{
	/* From here on a fault is a readable panic. */
	idt_init();
	percpu_load(&percpu_boot, &boot_stacks, 0);
	cpuid_lift_limit();

	/* The loader's information; stops if it is malformed. */
	boot_early(&boot, mb2_pa);
	report_loader(&boot);
	boot_acpi(&boot);
	boot_bios(&boot);
	report_firmware(&boot);
	test_fault_choose(&boot.options);

	/* Move into our own memory, W^X; the old image and the loader's data are unused after
	 * this. */
	boot_relocate(&boot);
	canary_seed(); /* the old one is readable in the unused image */

	report_region(&boot);

	boot_iommu(&boot);
	boot_platform(&boot);
	report_platform(&boot);
	test_point(TEST_BOOT, &boot);

	boot_start(&boot);
}
