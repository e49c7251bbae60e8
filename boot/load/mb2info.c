/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The boot information of a multiboot 2 guest. Boot time, pure.
 * Spec: Multiboot2 2.0, "Boot information format".
 */
#include "boot/load/mbinfo.h"
#include "boot/load/multiboot2.h"
#include "boot/load/plan.h"
#include "core/lib/bits.h"
#include "core/lib/bytes.h"

#define TAG_LEN        8u
#define MMAP_ENTRY_LEN 24u
#define RSDP_V1_LEN    20u
#define EFI_PAGE_LEN   4096u
#define EFI_CUTS       (2 * LOAD_COPIES_MAX) /* extra descriptors: each step may split one */
#define FB_LEN         32u /* SPEC-GAP: two reserved bytes before the colours, as GRUB has them */

struct writer {
	struct mbinfo info;
	struct load_plan *out;
	bool has_efi_map; /* out->efi is to be passed on */
	err_t err;        /* of the first tag that did not fit */
};

static u64 tag_room(u64 payload)
{
	return TAG_LEN + ALIGN_UP(payload, 8);
}

/* A tag with @payload bytes; returns them, zeroed. NULL: no room, and w->err says so. */
static u8 *tag_add(struct writer *w, u32 type, u64 payload)
{
	u64 pa = 0;
	u8 *p = NULL;

	if (payload <= w->info.len)
		p = mbinfo_take(&w->info, (u32)tag_room(payload), 8, &pa);
	if (p == NULL) {
		/* Cause (guest): a bug in Kensho.
		 * Remedy: please report it. */
		w->err =
			plan_fail(w->out, ERR_NOMEM,
				  "internal error: the boot information is larger than planned; do "
				  "this: please report it");
		return NULL;
	}
	put_u32(p, type);
	put_u32(p + 4, (u32)(TAG_LEN + payload));
	return p + TAG_LEN;
}

static void bytes_tag(struct writer *w, u32 type, const void *data, u64 len)
{
	u8 *p = tag_add(w, type, len);

	if (p != NULL)
		memcpy(p, data, len);
}

static void string_tag(struct writer *w, u32 type, const char *s)
{
	bytes_tag(w, type, s, strlen(s) + 1);
}

static void memory_tags(struct writer *w, const struct e820_map *m)
{
	u8 *p = tag_add(w, MB2I_MEMINFO, 8);

	if (p == NULL)
		return;
	put_u32(p, mbinfo_lower_kib(m));
	put_u32(p + 4, mbinfo_upper_kib(m));
	p = tag_add(w, MB2I_MMAP, 8 + (u64)m->count * MMAP_ENTRY_LEN);
	if (p == NULL)
		return;
	put_u32(p, MMAP_ENTRY_LEN);
	p += 8;
	for (u32 i = 0; i < m->count; i++, p += MMAP_ENTRY_LEN) {
		put_u64(p, m->e[i].base);
		put_u64(p + 8, m->e[i].len);
		put_u32(p + 16, m->e[i].type);
	}
}

static err_t module_tags(struct writer *w, const struct load_input *in)
{
	u32 count;
	const struct guest_image *mod = mbinfo_modules(in, &count);
	u64 start = 0;

	for (u32 i = 0; i < count; i++) {
		u64 len = strlen(mod[i].cmdline) + 1;
		u8 *p = tag_add(w, MB2I_MODULE, 8 + len);

		if (p == NULL)
			return w->err;
		TRY(plan_place_image(w->out, in, &mod[i], LOAD_4G, &start));
		put_u32(p, (u32)start);
		put_u32(p + 4, (u32)(start + mod[i].len));
		memcpy(p + 8, mod[i].cmdline, len);
	}
	return ERR_NONE;
}

static void screen_tag(struct writer *w, const struct load_input *in)
{
	const struct boot_framebuffer *fb = in->screen;
	bool rgb;
	u8 *p;

	if (!mbinfo_has_screen(in))
		return;
	rgb = fb->kind == FRAMEBUFFER_PIXEL;
	p = tag_add(w, MB2I_FRAMEBUFFER, FB_LEN - TAG_LEN + (rgb ? MBINFO_RGB_LEN : 0));
	if (p == NULL)
		return;
	put_u64(p, fb->pa);
	put_u32(p + 8, fb->pitch);
	put_u32(p + 12, fb->width);
	put_u32(p + 16, fb->height);
	p[20] = fb->bpp;
	p[21] = rgb ? MBINFO_FB_RGB : MBINFO_FB_TEXT;
	if (rgb)
		mbinfo_put_rgb(p + FB_LEN - TAG_LEN, fb);
}

static err_t symbols_tag(struct writer *w, const struct load_input *in, const struct elf_symbols *s)
{
	u8 *p;

	if (s->num == 0)
		return ERR_NONE;
	/*
	 * SPEC-GAP: the text has 16-bit fields. GRUB and its multiboot2.h write 32 bits each, and
	 * that is what images read.
	 */
	p = tag_add(w, MB2I_ELF, 12 + (u64)s->num * s->entsize);
	if (p == NULL)
		return w->err;
	put_u32(p, s->num);
	put_u32(p + 4, s->entsize);
	put_u32(p + 8, s->shndx);
	return elf_symbols_plan(in, in->kernel, s, p + 12, w->out);
}

/*
 * Mark what is loaded as loader data in the EFI map, as GRUB does: a guest may take all memory that
 * the map calls conventional.
 */
static err_t efi_mark_loaded(struct load_plan *out)
{
	for (u32 i = 0; i < out->count; i++) {
		const struct load_copy *c = &out->copy[i];
		u64 len = c->len + c->zero_len + c->room;
		u64 first = ALIGN_DOWN(c->dst, EFI_PAGE_LEN);

		/* Skip a step to where no RAM can be: the complete plan will be refused. */
		if (len != 0 && range_fits(c->dst, len, BIT64(52)))
			TRY(efi_map_set(&out->efi, first,
					ALIGN_UP(c->dst + len, EFI_PAGE_LEN) - first,
					EFI_LOADER_DATA));
	}
	return ERR_NONE;
}

static err_t efi_map_tag(struct writer *w)
{
	struct efi_map *m = &w->out->efi;
	u8 *p;

	TRY(efi_mark_loaded(w->out));
	p = tag_add(w, MB2I_EFI_MMAP, 8 + efi_map_bytes(m));
	if (p == NULL)
		return w->err;
	put_u32(p, m->desc_size);
	put_u32(p + 4, m->desc_version);
	efi_map_write(m, p + 8);
	return ERR_NONE;
}

/* Boot services have ended: no tag for them, nor image handles. */
static err_t efi_tags(struct writer *w, const struct load_input *in)
{
	const struct boot_efi *efi = in->efi;
	u8 *p;

	if (efi == NULL)
		return ERR_NONE;
	if (efi->systab_pa != 0) {
		p = efi->is_64bit ? tag_add(w, MB2I_EFI64, 8) : tag_add(w, MB2I_EFI32, 4);
		if (p != NULL && efi->is_64bit)
			put_u64(p, efi->systab_pa);
		else if (p != NULL)
			put_u32(p, (u32)efi->systab_pa);
	}
	return w->has_efi_map ? efi_map_tag(w) : ERR_NONE;
}

/* Pass on tags from the firmware and the boot loader. */
static void firmware_tags(struct writer *w, const struct load_input *in)
{
	const u8 *boot = mbinfo_passed(in, BOOT_TAG_BOOTDEV, BOOT_TAG_BOOTDEV_LEN);
	const u8 *apm = mbinfo_passed(in, BOOT_TAG_APM, BOOT_TAG_APM_LEN);

	if (boot != NULL)
		bytes_tag(w, MB2I_BOOTDEV, boot, BOOT_TAG_BOOTDEV_LEN);
	if (apm != NULL)
		bytes_tag(w, MB2I_APM, apm, BOOT_TAG_APM_LEN);
	if (in->rsdp != NULL && in->rsdp_len >= RSDP_V1_LEN)
		bytes_tag(w, in->rsdp_len > RSDP_V1_LEN ? MB2I_ACPI_NEW : MB2I_ACPI_OLD, in->rsdp,
			  in->rsdp_len);
}

/* Room for every tag there could be. */
static u64 info_len(const struct load_input *in, const struct mb2_image *img, u64 efi_bytes)
{
	const struct elf_symbols *s = &img->symbols;
	u32 count;
	const struct guest_image *mod = mbinfo_modules(in, &count);
	u64 len = 8 + tag_room(strlen(in->kernel->cmdline) + 1) +
		  tag_room(strlen(mbinfo_loader(in)) + 1);

	for (u32 i = 0; i < count; i++)
		len += tag_room(8 + strlen(mod[i].cmdline) + 1);
	len += tag_room(8) + tag_room(8 + (u64)in->memory->count * MMAP_ENTRY_LEN);
	len += tag_room(FB_LEN + MBINFO_RGB_LEN) + tag_room(12 + (u64)s->num * s->entsize);
	len += tag_room(BOOT_TAG_BOOTDEV_LEN) + tag_room(BOOT_TAG_APM_LEN);
	len += tag_room(in->rsdp_len) + tag_room(4);
	len += tag_room(8) + tag_room(8 + efi_bytes);
	return len + tag_room(0);
}

err_t mb2info_build(const struct load_input *in, const struct mb2_image *img, struct load_plan *out)
{
	struct writer w = { .out = out };
	u64 pa = 0, efi_bytes = 0;
	u8 *base;

	w.has_efi_map = plan_efi_map(in, out, EFI_CUTS);
	if (w.has_efi_map)
		efi_bytes = (u64)(out->efi.count + EFI_CUTS) * out->efi.desc_size;
	TRY(mbinfo_begin(&w.info, in, info_len(in, img, efi_bytes), out));
	out->rbx = w.info.pa;
	(void)mbinfo_take(&w.info, 8, 8, &pa); /* total_size, reserved */
	string_tag(&w, MB2I_CMDLINE, in->kernel->cmdline);
	string_tag(&w, MB2I_LOADER, mbinfo_loader(in));
	TRY(module_tags(&w, in));
	memory_tags(&w, in->memory);
	screen_tag(&w, in);
	TRY(symbols_tag(&w, in, &img->symbols));
	firmware_tags(&w, in);
	TRY(efi_tags(&w, in));
	base = img->is_relocatable ? tag_add(&w, MB2I_LOAD_BASE, 4) : NULL;
	if (base != NULL)
		put_u32(base, (u32)img->base);
	(void)tag_add(&w, MB2I_END, 0);
	put_u32(w.info.data, w.info.used);
	return w.err;
}
