/* SPDX-License-Identifier: BSD-2-Clause */
/* The list of loaders, and the way through them. Boot time, pure. */
#include "boot/load/load.h"

#include "boot/load/plan.h"

const struct guest_loader *const guest_loaders[] = {
	&loader_bzimage,
	&loader_multiboot2, /* first: an image with both headers gets the richer information */
	&loader_multiboot,
	NULL,
};

err_t load_plan_guest(const struct load_input *in, struct load_plan *out)
{
	const struct guest_image *k = in->kernel;

	for (u32 i = 0; guest_loaders[i] != NULL; i++) {
		if (!guest_loaders[i]->probe(k->data, k->len))
			continue;
		TRY(plan_begin(out, in));
		TRY(guest_loaders[i]->plan(in, out));
		return plan_order(out, in->memory);
	}
	/* Cause (guest): the file is something else: a vmlinux, a compressed kernel, a kernel for
	 * another processor.
	 * Remedy: `make iso KERNEL=FILE` says what it is; of Linux take `arch/x86/boot/bzImage`. */
	return plan_fail(out, ERR_NOENT,
			 "the kernel module is neither a Linux bzImage nor a multiboot image");
}
