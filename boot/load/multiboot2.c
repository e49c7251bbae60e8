/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Multiboot 2 guests: ELF32, ELF64, or a flat image by its address tag; where they are linked, or
 * anywhere if they are relocatable. Boot time, pure.
 * Spec: Multiboot2 2.0, "OS image format", "I386 machine state".
 */
#include "boot/load/multiboot2.h"

#include "boot/load/plan.h"
#include "core/lib/bytes.h"

static bool multiboot2_probe(const u8 *data, u64 len)
{
	return multiboot2_find(data, len) != ~0ull;
}

static err_t no_place(const struct load_input *in, const struct mb2_request *r, u64 len,
		      struct load_plan *out)
{
	/* Cause (guest): no free range for the relocatable guest.
	 * Remedy: more memory, or a wider range in its relocatable tag. */
	return plan_fail(out, ERR_NOMEM,
			 "no place for the image: it needs %llu MiB of free RAM in one piece from "
			 "0x%llx to 0x%llx, aligned to 0x%llx (RAM: %llu MiB); do this: add memory",
			 plan_mib(len), r->min, r->max, r->align,
			 plan_mib(e820_ram_bytes(in->memory)));
}

/* "Highest possible physical address at which loaded image should end". */
static err_t relocate(const struct load_input *in, const struct mb2_request *r, u64 link, u64 len,
		      struct load_plan *out, u64 *base)
{
	struct e820_fit fit = { .lo = r->min, .hi = r->max, .len = len, .align = r->align };
	bool stays = IS_ALIGNED(link, r->align) && link >= r->min && link + len <= r->max &&
		     e820_is_type(in->memory, link, len, E820_RAM);
	err_t err;

	*base = link;
	if (r->preference == MB2H_PREFER_NONE && stays)
		return ERR_NONE;
	if (r->preference == MB2H_PREFER_HIGH)
		err = plan_find_free_high(out, in->memory, &fit, base);
	else
		err = plan_find_free(out, in->memory, &fit, base);
	/* If need be, over the images: those are moved first. */
	if (err != ERR_NONE && e820_fit_low(in->memory, NULL, &fit, base) != ERR_NONE)
		return no_place(in, r, len, out);
	return ERR_NONE;
}

static err_t flat_image(const struct load_input *in, struct mb2_request *r, struct mb2_image *img,
			struct load_plan *out)
{
	struct flat_extent x;

	/* Cause (guest): a faulty multiboot header.
	 * Remedy: correct it as the message says: docs/guests.md. */
	if (!r->has_entry)
		return plan_fail(
			out, ERR_INVAL,
			"multiboot2 header has an address tag but no entry address tag; do this: "
			"link it again");
	/* The whole file is loaded: the header's address gives the address of its first byte. */
	if (r->flat.load_addr == FLAT_FROM_START && r->flat.header_addr >= r->flat.header_off)
		r->flat.load_addr = r->flat.header_addr - (u32)r->flat.header_off;
	TRY(flat_extent(&r->flat, in->kernel, out, &x));
	img->base = x.load;
	if (r->is_relocatable)
		TRY(relocate(in, r, x.load, x.mem, out, &img->base));
	out->what = "multiboot2 image with an address tag";
	return flat_plan(&r->flat, &x, in->kernel, img->base - x.load, out, &out->rip);
}

static bool is_loaded(const struct load_plan *p, u64 pa)
{
	for (u32 i = 0; i < p->count; i++) {
		const struct load_copy *c = &p->copy[i];

		if (pa >= c->dst && pa - c->dst < c->len + c->zero_len)
			return true;
	}
	return false;
}

static err_t elf_image(const struct load_input *in, const struct mb2_request *r,
		       struct mb2_image *img, struct load_plan *out)
{
	u64 link, len;

	TRY(elf_extent(in->kernel, out, &link, &len));
	img->base = link;
	if (r->is_relocatable)
		TRY(relocate(in, r, link, len, out, &img->base));
	TRY(elf_plan_at(in, in->kernel, img->base - link, out, &out->rip));
	if (r->has_entry) {
		out->rip = r->flat.entry_addr + (img->base - link);
		/* Cause (guest): a faulty multiboot header.
		 * Remedy: correct it as the message says: docs/guests.md. */
		if (!is_loaded(out, out->rip))
			return plan_fail(
				out, ERR_INVAL,
				"multiboot2 entry address 0x%llx is outside the image; do this: "
				"link it again",
				(u64)r->flat.entry_addr);
	}
	out->what = "multiboot2 ELF";
	return elf_symbols_find(in->kernel, out, &img->symbols);
}

static COLD err_t multiboot2_plan(const struct load_input *in, struct load_plan *out)
{
	const struct guest_image *k = in->kernel;
	struct mb2_image img = { .base = 0 };
	struct mb2_request r;

	TRY(mb2_request_read(in, multiboot2_find(k->data, k->len), out, &r));
	img.is_relocatable = r.is_relocatable;
	if (r.has_address)
		TRY(flat_image(in, &r, &img, out));
	else if (elf_probe(k->data, k->len))
		TRY(elf_image(in, &r, &img, out));
	else
		/* Cause (guest): a faulty multiboot header.
		 * Remedy: correct it as the message says: docs/guests.md. */
		return plan_fail(
			out, ERR_INVAL,
			"multiboot2 image is neither ELF nor has it an address tag; do this: "
			"link it as ELF");
	TRY(mb2info_build(in, &img, out));
	out->mode = ENTRY_PROTECTED32;
	out->rax = MB2H_BOOT_MAGIC;
	return ERR_NONE;
}

const struct guest_loader loader_multiboot2 = {
	.name = "multiboot2",
	.calls_bios = true,
	.probe = multiboot2_probe,
	.plan = multiboot2_plan,
};
