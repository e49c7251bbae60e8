/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Multiboot 1 guests: ELF32, ELF64 inside a multiboot image, or the address fields of the header.
 * Boot time, pure. Spec: Multiboot Specification 0.6.96, "Machine state", "Boot information
 * format".
 */
#include "boot/load/multiboot.h"

#include "boot/load/elf.h"
#include "boot/load/flat.h"
#include "boot/load/mbinfo.h"
#include "boot/load/plan.h"
#include "core/lib/bits.h"
#include "core/lib/bytes.h"

u64 multiboot_find(const u8 *data, u64 len)
{
	u64 end = umin64(len, MB1_SEARCH_LEN);

	for (u64 at = 0; range_fits(at, MB1_HEADER_LEN, end); at += 4) {
		const u8 *h = data + at;

		if (get_u32(h) == MB1_HEADER_MAGIC &&
		    get_u32(h) + get_u32(h + 4) + get_u32(h + 8) == 0)
			return at;
	}
	return ~0ull;
}

static bool multiboot_probe(const u8 *data, u64 len)
{
	return multiboot_find(data, len) != ~0ull;
}

/* The "a.out kludge": the header itself says where to load a flat image. */
static err_t addresses_plan(const struct load_input *in, u64 header_off, struct load_plan *out,
			    u64 *entry)
{
	const struct guest_image *img = in->kernel;
	const u8 *h = img->data + header_off;
	struct flat_extent x;
	struct flat f;

	/* Cause (guest): a damaged copy or medium.
	 * Remedy: copy it again; write the stick again. */
	if (!range_fits(header_off, MB1_HEADER_LEN_ADDR, img->len))
		return plan_fail(out, ERR_INVAL,
				 "multiboot header is truncated; do this: link it again");
	f = (struct flat){
		.header_off = header_off,
		.header_addr = get_u32(h + MB1_HEADER_ADDR),
		.load_addr = get_u32(h + MB1_LOAD_ADDR),
		.load_end_addr = get_u32(h + MB1_LOAD_END_ADDR),
		.bss_end_addr = get_u32(h + MB1_BSS_END_ADDR),
		.entry_addr = get_u32(h + MB1_ENTRY_ADDR),
	};
	TRY(flat_extent(&f, img, out, &x));
	return flat_plan(&f, &x, img, 0, out, entry);
}

static err_t no_room(struct load_plan *out)
{
	/* Cause (loader): a bug in Kensho.
	 * Remedy: please report it. */
	return plan_fail(out, ERR_NOMEM,
			 "internal error: plan scratch is too small; do this: please report it");
}

static err_t info_string(struct mbinfo *info, u32 field, const char *s, struct load_plan *out)
{
	u32 len = (u32)strlen(s) + 1;
	u64 pa = 0;
	u8 *p = mbinfo_take(info, len, 1, &pa);

	if (p == NULL)
		return no_room(out);
	memcpy(p, s, len);
	put_u32(info->data + field, (u32)pa);
	return ERR_NONE;
}

static err_t info_memory(struct mbinfo *info, const struct e820_map *m, struct load_plan *out)
{
	u64 pa = 0;
	u8 *p = mbinfo_take(info, m->count * MB1_MMAP_ENTRY_LEN, 8, &pa);

	if (p == NULL)
		return no_room(out);
	put_u32(info->data + MB1_MEM_LOWER_OFF, mbinfo_lower_kib(m));
	put_u32(info->data + MB1_MEM_UPPER_OFF, mbinfo_upper_kib(m));
	put_u32(info->data + MB1_MMAP_LENGTH_OFF, m->count * MB1_MMAP_ENTRY_LEN);
	put_u32(info->data + MB1_MMAP_ADDR_OFF, (u32)pa);
	for (u32 i = 0; i < m->count; i++, p += MB1_MMAP_ENTRY_LEN) {
		put_u32(p, MB1_MMAP_ENTRY_LEN - 4);
		put_u64(p + 4, m->e[i].base);
		put_u64(p + 12, m->e[i].len);
		put_u32(p + 20, m->e[i].type);
	}
	return ERR_NONE;
}

static err_t info_modules(struct mbinfo *info, const struct load_input *in, struct load_plan *out)
{
	u64 list_pa = 0, start = 0;
	u32 count, at;
	const struct guest_image *mod = mbinfo_modules(in, &count);
	u8 *list = mbinfo_take(info, count * MB1_MODULE_LEN, 4, &list_pa);

	if (list == NULL)
		return no_room(out);
	put_u32(info->data + MB1_MODS_COUNT_OFF, count);
	put_u32(info->data + MB1_MODS_ADDR_OFF, (u32)list_pa);
	at = (u32)(list - info->data);
	for (u32 i = 0; i < count; i++, at += MB1_MODULE_LEN) {
		TRY(plan_place_image(out, in, &mod[i], LOAD_4G, &start));
		put_u32(info->data + at, (u32)start);
		put_u32(info->data + at + 4, (u32)(start + mod[i].len));
		TRY(info_string(info, at + 8, mod[i].cmdline, out));
	}
	return ERR_NONE;
}

static err_t info_symbols(struct mbinfo *info, const struct load_input *in,
			  const struct elf_symbols *s, struct load_plan *out)
{
	u64 pa = 0;
	u8 *p;

	if (s->num == 0)
		return ERR_NONE;
	p = mbinfo_take(info, s->num * s->entsize, 8, &pa);
	if (p == NULL)
		return no_room(out);
	put_u32(info->data + MB1_ELF_OFF, s->num);
	put_u32(info->data + MB1_ELF_OFF + 4, s->entsize);
	put_u32(info->data + MB1_ELF_OFF + 8, (u32)pa);
	put_u32(info->data + MB1_ELF_OFF + 12, s->shndx);
	return elf_symbols_plan(in, in->kernel, s, p, out);
}

static void info_screen(struct mbinfo *info, const struct boot_framebuffer *fb)
{
	u8 *p = info->data + MB1_SCREEN_OFF;

	put_u64(p, fb->pa);
	put_u32(p + 8, fb->pitch);
	put_u32(p + 12, fb->width);
	put_u32(p + 16, fb->height);
	p[20] = fb->bpp;
	p[21] = fb->kind == FRAMEBUFFER_TEXT ? MBINFO_FB_TEXT : MBINFO_FB_RGB;
	if (fb->kind == FRAMEBUFFER_PIXEL)
		mbinfo_put_rgb(p + 22, fb);
}

/* The boot loader's facts about the firmware. Multiboot 1 packs drive and partitions into bytes. */
static err_t info_firmware(struct mbinfo *info, const struct load_input *in, u32 *flags,
			   struct load_plan *out)
{
	const u8 *boot = mbinfo_passed(in, BOOT_TAG_BOOTDEV, BOOT_TAG_BOOTDEV_LEN);
	const u8 *apm = mbinfo_passed(in, BOOT_TAG_APM, BOOT_TAG_APM_LEN);
	u64 pa = 0;

	if (boot != NULL) {
		u32 drive = get_u32(boot), part = get_u32(boot + 4), sub = get_u32(boot + 8);

		put_u32(info->data + MB1_BOOTDEV_OFF,
			drive << 24 | (part & 0xff) << 16 | (sub & 0xff) << 8 | 0xff);
		*flags |= MB1_INFO_BOOTDEV;
	}
	if (apm != NULL) {
		u8 *p = mbinfo_take(info, BOOT_TAG_APM_LEN, 4, &pa);

		if (p == NULL)
			return no_room(out);
		memcpy(p, apm, BOOT_TAG_APM_LEN);
		put_u32(info->data + MB1_APM_OFF, (u32)pa);
		*flags |= MB1_INFO_APM;
	}
	return ERR_NONE;
}

static u64 info_len(const struct load_input *in, const struct elf_symbols *s)
{
	u64 len = MB1_INFO_LEN + strlen(mbinfo_loader(in)) + strlen(in->kernel->cmdline) + 34;
	u32 count;
	const struct guest_image *mod = mbinfo_modules(in, &count);

	len += in->memory->count * MB1_MMAP_ENTRY_LEN + count * MB1_MODULE_LEN;
	len += (u64)s->num * s->entsize + BOOT_TAG_APM_LEN;
	for (u32 i = 0; i < count; i++)
		len += strlen(mod[i].cmdline) + 1;
	return len;
}

static err_t info_build(const struct load_input *in, const struct elf_symbols *s,
			struct load_plan *out)
{
	u32 flags = MB1_INFO_MEMORY | MB1_INFO_CMDLINE | MB1_INFO_MODULES | MB1_INFO_MMAP |
		    MB1_INFO_LOADER;
	struct mbinfo info;

	TRY(mbinfo_begin(&info, in, info_len(in, s), out));
	info.used = MB1_INFO_LEN;
	out->rbx = info.pa;
	TRY(info_memory(&info, in->memory, out));
	TRY(info_symbols(&info, in, s, out));
	TRY(info_firmware(&info, in, &flags, out));
	TRY(info_modules(&info, in, out));
	TRY(info_string(&info, MB1_CMDLINE_OFF, in->kernel->cmdline, out));
	TRY(info_string(&info, MB1_LOADER_NAME_OFF, mbinfo_loader(in), out));
	if (mbinfo_has_screen(in)) {
		info_screen(&info, in->screen);
		flags |= MB1_INFO_SCREEN;
	}
	put_u32(info.data + MB1_INFO_FLAGS_OFF, flags | (s->num != 0 ? MB1_INFO_ELF : 0));
	return ERR_NONE;
}

static COLD err_t multiboot_plan(const struct load_input *in, struct load_plan *out)
{
	const struct guest_image *k = in->kernel;
	u64 at = multiboot_find(k->data, k->len);
	u32 flags = get_u32(k->data + at + MB1_HEADER_FLAGS);
	u32 unknown =
		flags & 0xffff & ~(MB1_HEADER_PAGE_ALIGN | MB1_HEADER_MEMORY | MB1_HEADER_VIDEO);
	struct elf_symbols symbols = { 0 };

	/* Cause (guest): a demand that Kensho cannot meet.
	 * Remedy: drop it, or make it optional (bit 0 of the tag's flags). */
	if (unknown != 0)
		return plan_fail(out, ERR_NODEV,
				 "multiboot header demands features 0x%x that do not exist here; "
				 "do this: clear their flags",
				 unknown);
	if ((flags & MB1_HEADER_ADDRESSES) != 0) {
		TRY(addresses_plan(in, at, out, &out->rip));
		out->what = "multiboot image with address fields";
	} else if (elf_probe(k->data, k->len)) {
		TRY(elf_plan(in, k, out, &out->rip));
		TRY(elf_symbols_find(k, out, &symbols));
		out->what = "multiboot ELF";
	} else {
		/* Cause (guest): a faulty multiboot header.
		 * Remedy: correct it as the message says: docs/guests.md. */
		return plan_fail(out, ERR_INVAL,
				 "multiboot image is neither ELF nor has it address fields (flag "
				 "16); do this: link it as ELF");
	}
	TRY(info_build(in, &symbols, out));
	out->mode = ENTRY_PROTECTED32;
	out->rax = MB1_BOOT_MAGIC;
	return ERR_NONE;
}

const struct guest_loader loader_multiboot = {
	.name = "multiboot",
	.calls_bios = true,
	.probe = multiboot_probe,
	.plan = multiboot_plan,
};
