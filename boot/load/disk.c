/* SPDX-License-Identifier: BSD-2-Clause */
/* The plan of guest=disk0. Boot time, pure. */
#include "boot/load/disk.h"

#include "boot/load/disk_stub.h"
#include "boot/load/plan.h"
#include "core/lib/string.h"

err_t disk_plan(const struct disk_input *in, struct e820_map *guest, struct load_plan *out)
{
	u64 base;

	memset(out, 0, sizeof(*out));
	/* Cause (disk): a UEFI boot has no BIOS to read the disk.
	 * Remedy: switch to BIOS mode, or load the system's kernel with `module2`. */
	if (!in->hook.bios->is_present)
		return plan_fail(
			out, ERR_NODEV,
			"guest=disk0: this machine was not started by a BIOS (no INT 13h); "
			"do this: boot in BIOS (CSM, legacy) mode, or give a kernel as module");
	*guest = *in->memory;
	TRY(bios_hook_place(&in->hook, guest, &base, out));
	out->mode = ENTRY_REAL16;
	out->rip = base + DISK_STUB_ENTRY;
	out->what = "the boot sector of the first BIOS disk";
	TRY(bios_hook_add(&in->hook, guest, base, out));
	return plan_order(out, in->memory);
}
