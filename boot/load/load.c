/* SPDX-License-Identifier: BSD-2-Clause */
/* The list of loaders, and the way through them. Boot time, pure. */
#include "boot/load/load.h"

#include "boot/load/bios_hook.h"
#include "boot/load/plan.h"
#include "core/lib/string.h"

const struct guest_loader *const guest_loaders[] = {
	&loader_bzimage,
	&loader_multiboot2, /* first: an image with both headers gets the richer information */
	&loader_multiboot,
	NULL,
};

static err_t plan_plain(const struct guest_loader *l, const struct load_input *in,
			struct load_plan *out)
{
	TRY(plan_begin(out, in));
	TRY(l->plan(in, out));
	return plan_order(out, in->memory);
}

/* The hook's steps come first, so that the loader finds other places. */
static err_t plan_hooked(const struct guest_loader *l, const struct load_input *in,
			 struct load_plan *out)
{
	static struct e820_map told;
	struct load_input hooked = *in;
	u64 base;

	told = *in->memory;
	hooked.memory = &told;
	TRY(bios_hook_place(in->hook, &told, &base, out));
	TRY(plan_begin(out, &hooked));
	TRY(bios_hook_add(in->hook, &told, base, out));
	TRY(l->plan(&hooked, out));
	TRY(plan_order(out, in->memory));
	out->bios_hook = base;
	return ERR_NONE;
}

/* A guest that does not fit beside the hook starts without it. */
static err_t plan_with(const struct guest_loader *l, const struct load_input *in,
		       struct load_plan *out)
{
	static char why[sizeof(out->why)];

	if (in->hook == NULL || !l->calls_bios)
		return plan_plain(l, in, out);
	if (plan_hooked(l, in, out) == ERR_NONE)
		return ERR_NONE;
	memcpy(why, out->why, sizeof(why));
	TRY(plan_plain(l, in, out));
	memcpy(out->why, why, sizeof(why));
	return ERR_NONE;
}

err_t load_plan_guest(const struct load_input *in, struct load_plan *out)
{
	const struct guest_image *k = in->kernel;

	for (u32 i = 0; guest_loaders[i] != NULL; i++) {
		if (guest_loaders[i]->probe(k->data, k->len))
			return plan_with(guest_loaders[i], in, out);
	}
	/* Cause (guest): no module is a Linux bzImage or multiboot image.
	 * Remedy: `make iso KERNEL=FILE` says what it is; of Linux take `arch/x86/boot/bzImage`. */
	return plan_fail(out, ERR_NOENT,
			 "the kernel module is neither a Linux bzImage nor a multiboot image; "
			 "do this: load one of these");
}
