/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Images with address fields. Boot time, pure.
 * Spec: Multiboot 0.6.96 "The address fields of Multiboot header"; Multiboot2 2.0 "The address tag
 * of Multiboot2 header".
 */
#include "boot/load/flat.h"

#include "boot/load/plan.h"
#include "core/lib/bytes.h"

err_t flat_extent(const struct flat *f, const struct guest_image *img, struct load_plan *out,
		  struct flat_extent *x)
{
	u64 load = f->load_addr, load_end = f->load_end_addr, bss_end = f->bss_end_addr;

	/* Cause (guest): a faulty multiboot header.
	 * Remedy: correct it as the message says: docs/guests.md. */
	if (load > f->header_addr || f->header_addr - load > f->header_off)
		return plan_fail(out, ERR_INVAL,
				 "multiboot header: load_addr 0x%llx and header_addr 0x%llx do not "
				 "fit its place in the file; do this: link it again",
				 load, (u64)f->header_addr);
	x->load = load;
	x->offset = f->header_off - (f->header_addr - load);
	x->len = load_end == 0 ? img->len - x->offset : load_end - load;
	/* Cause (guest): a damaged copy or medium.
	 * Remedy: copy it again; write the stick again. */
	if ((load_end != 0 && load_end < load) || !range_fits(x->offset, x->len, img->len))
		return plan_fail(out, ERR_INVAL,
				 "multiboot image is truncated: load_end_addr 0x%llx is behind the "
				 "file (%llu bytes); do this: copy it again",
				 load_end, img->len);
	x->mem = bss_end == 0 ? x->len : bss_end - load;
	/* Cause (guest): a faulty multiboot header.
	 * Remedy: correct it as the message says: docs/guests.md. */
	if ((bss_end != 0 && bss_end < load) || x->mem < x->len ||
	    !range_fits(load, x->mem, LOAD_4G))
		return plan_fail(out, ERR_INVAL,
				 "multiboot header: bss_end_addr 0x%llx is not valid; do this: "
				 "link it again",
				 bss_end);
	if (f->entry_addr < load || f->entry_addr - load >= x->mem)
		return plan_fail(
			out, ERR_INVAL,
			"multiboot entry point 0x%llx is outside the image; do this: link it again",
			(u64)f->entry_addr);
	return ERR_NONE;
}

err_t flat_plan(const struct flat *f, const struct flat_extent *x, const struct guest_image *img,
		u64 shift, struct load_plan *out, u64 *entry)
{
	*entry = f->entry_addr + shift;
	return plan_copy(out, x->load + shift, img->start.v + x->offset, x->len, x->mem - x->len);
}
