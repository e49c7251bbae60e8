/* SPDX-License-Identifier: BSD-2-Clause */
/* Boot information: common parts of both multiboot protocols. Boot time, pure. */
#include "boot/load/mbinfo.h"

#include "boot/load/plan.h"
#include "core/lib/bytes.h"

/* Prefer low memory: such guests expect it there, and use RAM above 1 MiB as their heap. */
err_t mbinfo_begin(struct mbinfo *info, const struct load_input *in, u64 len, struct load_plan *out)
{
	struct e820_fit low = { .lo = 0x9000, .hi = KIB(640), .len = len, .align = 4096 };
	struct e820_fit high = { .lo = MIB(1), .hi = LOAD_4G, .len = len, .align = 4096 };

	*info = (struct mbinfo){ .len = (u32)len };
	info->data = len > sizeof(out->scratch) ? NULL : plan_scratch(out, (u32)len, 16);
	/* Cause (guest): too long for this kernel or the boot information.
	 * Remedy: shorten it. */
	if (info->data == NULL)
		return plan_fail(out, ERR_NOMEM,
				 "command lines of the modules are too long together; do this: "
				 "shorten them");
	/* Cause (guest): too little memory, or too fragmented.
	 * Remedy: more memory; a smaller initrd. */
	if (plan_find_free(out, in->memory, &low, &info->pa) != ERR_NONE &&
	    plan_find_free(out, in->memory, &high, &info->pa) != ERR_NONE)
		return plan_fail(out, ERR_NOMEM,
				 "no RAM is left beside the image for %u bytes of boot "
				 "information; do this: add memory",
				 info->len);
	return plan_blob(out, info->pa, info->data, info->len);
}

u8 *mbinfo_take(struct mbinfo *info, u32 len, u32 align, u64 *pa)
{
	u32 at = ALIGN_UP(info->used, align);

	if (!range_fits(at, len, info->len))
		return NULL;
	info->used = at + len;
	*pa = info->pa + at;
	return info->data + at;
}

const struct guest_image *mbinfo_modules(const struct load_input *in, u32 *count)
{
	*count = in->module_count != 0 ? in->module_count : in->initrd != NULL;
	return in->module_count != 0 ? in->module : in->initrd;
}

/* KiB of RAM from @from on without a hole. */
static u32 contiguous_kib(const struct e820_map *m, u64 from)
{
	for (u32 i = 0; i < m->count; i++) {
		const struct e820_entry *e = &m->e[i];

		if (e->type == E820_RAM && e->base <= from && from - e->base < e->len)
			return (u32)umin64((e->base + e->len - from) >> 10, 0xffffffff);
	}
	return 0;
}

u32 mbinfo_lower_kib(const struct e820_map *m)
{
	return umin32(contiguous_kib(m, 0), 640);
}

u32 mbinfo_upper_kib(const struct e820_map *m)
{
	return contiguous_kib(m, MIB(1));
}

void mbinfo_put_rgb(u8 *p, const struct boot_framebuffer *fb)
{
	const struct framebuffer_channel c[] = { fb->red, fb->green, fb->blue };

	for (u32 i = 0; i < ARRAY_SIZE(c); i++) {
		p[i * 2] = c[i].pos;
		p[i * 2 + 1] = c[i].size;
	}
}

const char *mbinfo_loader(const struct load_input *in)
{
	return in->loader != NULL ? in->loader : "Kensho";
}

/* Not one with a palette: we do not keep the palette. */
bool mbinfo_has_screen(const struct load_input *in)
{
	return in->screen != NULL &&
	       (in->screen->kind == FRAMEBUFFER_PIXEL || in->screen->kind == FRAMEBUFFER_TEXT);
}

const u8 *mbinfo_passed(const struct load_input *in, u32 type, u32 len)
{
	const struct boot_passed *p = in->passed;

	for (u32 i = 0; p != NULL && i < ARRAY_SIZE(p->tag); i++) {
		if (p->tag[i].type == type && p->tag[i].len == len)
			return p->tag[i].data;
	}
	return NULL;
}
