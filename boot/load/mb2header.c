/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The header of a multiboot 2 guest: bytes to struct mb2_request. Boot time, pure.
 * Spec: Multiboot2 2.0, "OS image format".
 */
#include "boot/load/mbinfo.h"
#include "boot/load/multiboot2.h"
#include "boot/load/plan.h"
#include "core/lib/bits.h"
#include "core/lib/bytes.h"

/* Cause (guest): a faulty multiboot header.
 * Remedy: correct it as the message says: docs/guests.md. */

/* Information that a guest may ask for but we never give; "": passed on if there is any. */
static const char *const not_given[MB2I_TAGS] = {
	[MB2I_VBE] = "VBE mode information",
	[MB2I_SMBIOS] = "SMBIOS tables",
	[MB2I_NETWORK] = "network information",
};

static const u8 tag_len[MB2H_TAGS] = {
	[MB2H_END] = 8,          [MB2H_REQUEST] = 8,      [MB2H_ADDRESS] = 24,
	[MB2H_ENTRY] = 12,       [MB2H_CONSOLE] = 12,     [MB2H_FRAMEBUFFER] = 20,
	[MB2H_MODULE_ALIGN] = 8, [MB2H_EFI_BS] = 8,       [MB2H_EFI32_ENTRY] = 12,
	[MB2H_EFI64_ENTRY] = 12, [MB2H_RELOCATABLE] = 24,
};

u64 multiboot2_find(const u8 *data, u64 len)
{
	u64 end = umin64(len, MB2H_SEARCH_LEN);

	for (u64 at = 0; range_fits(at, MB2H_LEN, end); at += 8) {
		const u8 *h = data + at;

		if (get_u32(h) == MB2H_MAGIC &&
		    get_u32(h) + get_u32(h + 4) + get_u32(h + 8) + get_u32(h + 12) == 0)
			return at;
	}
	return ~0ull;
}

static err_t request_tag(const u8 *tag, u64 len, struct load_plan *out)
{
	for (u64 i = 8; i + 4 <= len; i += 4) {
		u32 type = get_u32(tag + i);

		/* Cause (guest): a demand that Kensho cannot meet.
		 * Remedy: drop it, or make it optional (bit 0 of the tag's flags). */
		if (type >= MB2I_TAGS)
			return plan_fail(out, ERR_NODEV,
					 "multiboot2 header demands information %u, which nobody "
					 "here knows; do this: make that tag optional",
					 type);
		if (not_given[type] != NULL)
			return plan_fail(out, ERR_NODEV,
					 "multiboot2 header demands %s, which Kensho does not pass "
					 "on; do this: make that tag optional",
					 not_given[type]);
	}
	return ERR_NONE;
}

static err_t relocatable_tag(struct mb2_request *r, const u8 *tag, struct load_plan *out)
{
	r->is_relocatable = true;
	r->min = get_u32(tag + 8);
	r->max = get_u32(tag + 12);
	r->align = umax32(get_u32(tag + 16), 1);
	r->preference = get_u32(tag + 20);
	if ((r->align & (r->align - 1)) != 0)
		return plan_fail(out, ERR_INVAL,
				 "multiboot2 header: alignment 0x%llx of the relocatable tag is no "
				 "power of two; do this: link it again",
				 r->align);
	return ERR_NONE;
}

/*
 * Entry with boot services, which have ended. Ignored on a BIOS machine: by the specification these
 * tags count on EFI platforms only.
 */
static err_t efi_tag(const struct load_input *in, bool optional, struct load_plan *out)
{
	if (in->efi == NULL || !in->efi->present || optional)
		return ERR_NONE;
	/* Cause (guest): a demand that Kensho cannot meet.
	 * Remedy: drop it, or make it optional (bit 0 of the tag's flags). */
	return plan_fail(
		out, ERR_NODEV,
		"multiboot2 header demands EFI boot services, which have ended; do this: make its "
		"EFI tags optional");
}

static err_t one_tag(const struct load_input *in, const u8 *tag, u32 len, struct load_plan *out,
		     struct mb2_request *r)
{
	bool optional = (get_u16(tag + 2) & MB2H_OPTIONAL) != 0;

	switch (get_u16(tag)) {
	case MB2H_REQUEST:
		return optional ? ERR_NONE : request_tag(tag, len, out);
	case MB2H_ADDRESS:
		r->has_address = true;
		r->flat.header_addr = get_u32(tag + 8);
		r->flat.load_addr = get_u32(tag + 12);
		r->flat.load_end_addr = get_u32(tag + 16);
		r->flat.bss_end_addr = get_u32(tag + 20);
		return ERR_NONE;
	case MB2H_ENTRY:
		r->has_entry = true;
		r->flat.entry_addr = get_u32(tag + 8);
		return ERR_NONE;
	case MB2H_CONSOLE:
		r->needs_console = (get_u32(tag + 8) & MB2H_CONSOLE_REQUIRED) != 0;
		r->text_console = (get_u32(tag + 8) & MB2H_CONSOLE_TEXT) != 0;
		return ERR_NONE;
	case MB2H_FRAMEBUFFER:
		r->accepts_pixels = true; /* the mode itself is only a preference */
		return ERR_NONE;
	case MB2H_EFI_BS:
	case MB2H_EFI32_ENTRY:
	case MB2H_EFI64_ENTRY:
		return efi_tag(in, optional, out);
	case MB2H_RELOCATABLE:
		return relocatable_tag(r, tag, out);
	default: /* MB2H_MODULE_ALIGN: they always are */
		return ERR_NONE;
	}
}

/* Known, long enough, and inside the header. */
static err_t tag_check(const u8 *tag, u64 room, struct load_plan *out)
{
	u32 type, len;

	if (room < 8)
		return plan_fail(out, ERR_INVAL,
				 "multiboot2 header has no end tag; do this: link it again");
	type = get_u16(tag);
	len = get_u32(tag + 4);
	if (len < 8 || len > room || (type < MB2H_TAGS && len < tag_len[type]))
		return plan_fail(
			out, ERR_INVAL,
			"multiboot2 header: tag %u has the wrong size %u; do this: link it again",
			type, len);
	/* Cause (guest): a demand that Kensho cannot meet.
	 * Remedy: drop it, or make it optional (bit 0 of the tag's flags). */
	if (type >= MB2H_TAGS && (get_u16(tag + 2) & MB2H_OPTIONAL) == 0)
		return plan_fail(
			out, ERR_NODEV,
			"multiboot2 header demands tag %u, which nobody here knows; do this: make "
			"it optional",
			type);
	return ERR_NONE;
}

/* "At least one of supported consoles must be present": we need its description, too. */
static err_t console_check(const struct load_input *in, const struct mb2_request *r,
			   struct load_plan *out)
{
	enum framebuffer_kind kind = mbinfo_has_screen(in) ? in->screen->kind : FRAMEBUFFER_NONE;

	if (!r->needs_console || (kind == FRAMEBUFFER_TEXT && r->text_console) ||
	    (kind == FRAMEBUFFER_PIXEL && r->accepts_pixels))
		return ERR_NONE;
	/* Cause (guest): text mode demanded under UEFI, or a framebuffer in text mode.
	 * Remedy: `set gfxpayload=…` after the `multiboot2` line. */
	return plan_fail(
		out, ERR_NODEV,
		"multiboot2 header demands a screen it can use (%s%s), and there is %s; do this: "
		"change gfxpayload in GRUB or clear bit 0 of its console flags",
		r->text_console ? "text " : "", r->accepts_pixels ? "framebuffer" : "",
		kind == FRAMEBUFFER_TEXT    ? "text"
		: kind == FRAMEBUFFER_PIXEL ? "a framebuffer"
					    : "none");
}

err_t mb2_request_read(const struct load_input *in, u64 at, struct load_plan *out,
		       struct mb2_request *r)
{
	const struct guest_image *img = in->kernel;
	const u8 *h = img->data + at;
	u64 len = get_u32(h + 8);

	*r = (struct mb2_request){ .flat.header_off = at, .text_console = true };
	/* Cause (guest): a faulty multiboot header.
	 * Remedy: correct it as the message says: docs/guests.md. */
	if (get_u32(h + 4) != MB2H_ARCH_I386)
		return plan_fail(
			out, ERR_NODEV,
			"multiboot2 image is for architecture %u, not for x86; do this: build "
			"it for i386",
			get_u32(h + 4));
	/* Cause (guest): a faulty multiboot header.
	 * Remedy: correct it as the message says: docs/guests.md. */
	if (!range_fits(at, len, umin64(img->len, MB2H_SEARCH_LEN)))
		return plan_fail(out, ERR_INVAL,
				 "multiboot2 header (%llu bytes) passes the file or its first 32 "
				 "KiB; do this: link it again",
				 len);
	for (u64 pos = MB2H_LEN;;) {
		const u8 *tag = h + pos;

		TRY(tag_check(tag, len > pos ? len - pos : 0, out));
		if (get_u16(tag) == MB2H_END)
			return console_check(in, r, out);
		TRY(one_tag(in, tag, get_u32(tag + 4), out, r));
		pos += ALIGN_UP((u64)get_u32(tag + 4), 8);
	}
}
