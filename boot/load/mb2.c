/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Multiboot2 boot information: bytes to struct boot_info. Boot time, pure; checks every offset
 * against its tag, every tag against the whole.
 */
#include "boot/load/boot_info.h"
#include "boot/load/mb2_abi.h"
#include "core/lib/bits.h"
#include "core/lib/bytes.h"

/* Cause (loader): the boot loader's tables are damaged.
 * Remedy: GRUB 2.06 or later; if it is that, please report its version. */

/* Multiboot2 specification, "Boot information format". */
#define MB2_TAG_HEADER_LEN 8u
#define MB2_MMAP_ENTRY_MIN 24u
/* SPEC-GAP: the text has one reserved byte before the colours, GRUB and its header two. */
#define MB2_FB_LEN         31u
#define MB2_FB_RGB_LEN     38u
#define MB2_FB_INDEXED     0u
#define MB2_FB_RGB         1u
#define MB2_FB_TEXT        2u
#define MB2_RANGES_SPARE   2u    /* reserving our region may split one */
#define MB2_MMAP_MAX       4096u /* entries before they are joined: bounds the sorting */

#define DO_UPDATE_GRUB     "; do this: use GRUB 2.06 or later"
#define DO_UPDATE_FIRMWARE "; do this: update the firmware; else report it"

struct mb2_walk {
	struct boot_info *bi;
	const char *why;
	bool has_mmap;
	bool has_meminfo;
	bool mmap_overflow; /* an error only when there is no EFI map */
	u64 mmap_entries;
	u32 mem_lower_kib, mem_upper_kib;
};

static err_t fail(struct mb2_walk *w, err_t err, const char *why)
{
	w->why = why;
	return err;
}

/* Copy a string that must end within @len bytes and fit @dst. */
static err_t string_tag(char *dst, u64 dst_len, const u8 *s, u64 len)
{
	u64 n = 0;

	while (n < len && s[n] != '\0')
		n++;
	if (n == len)
		return ERR_INVAL;
	if (n >= dst_len)
		return ERR_RANGE;
	memcpy(dst, s, n + 1);
	return ERR_NONE;
}

static err_t cmdline_tag(struct mb2_walk *w, const u8 *tag, u64 len)
{
	err_t err = string_tag(w->bi->cmdline, sizeof(w->bi->cmdline), tag + 8, len - 8);

	/* Cause (loader): too many words after `multiboot2` or `module2`.
	 * Remedy: shorten it. */
	if (err == ERR_RANGE)
		return fail(w, err,
			    "hypervisor command line is longer than 2047 characters; do this: "
			    "shorten it");
	/* Cause (loader): the boot loader's tables are damaged.
	 * Remedy: GRUB 2.06 or later; if it is that, please report its version. */
	if (err != ERR_NONE)
		return fail(w, err,
			    "multiboot2: command line tag is not terminated" DO_UPDATE_GRUB);
	return ERR_NONE;
}

/* Only for the log: truncate it. */
static err_t loader_tag(struct mb2_walk *w, const u8 *tag, u64 len)
{
	u64 n = umin64(len - 8, sizeof(w->bi->loader) - 1);

	for (u64 i = 0; i < n; i++) {
		u8 c = tag[8 + i];

		w->bi->loader[i] = (char)(c != 0 && (c < 0x20 || c > 0x7e) ? '?' : c);
	}
	w->bi->loader[n] = '\0';
	return ERR_NONE;
}

static err_t module_tag(struct mb2_walk *w, const u8 *tag, u64 len)
{
	struct boot_info *bi = w->bi;
	struct boot_module *mod;
	u64 start, end;
	err_t err;

	if (len < 17)
		return fail(w, ERR_INVAL, "multiboot2: module tag is too short" DO_UPDATE_GRUB);
	/* Cause (loader): too many `module2` lines.
	 * Remedy: load fewer. */
	if (bi->module_count >= BOOT_MODULES_MAX)
		return fail(w, ERR_NOMEM,
			    "more than 16 modules; do this: give fewer module2 lines");
	start = get_u32(tag + 8);
	end = get_u32(tag + 12);
	/* Cause (loader): the boot loader's tables are damaged.
	 * Remedy: GRUB 2.06 or later; if it is that, please report its version. */
	if (end < start)
		return fail(w, ERR_INVAL,
			    "multiboot2: a module ends before it starts" DO_UPDATE_GRUB);
	mod = &bi->module[bi->module_count];
	err = string_tag(mod->string, sizeof(mod->string), tag + 16, len - 16);
	/* Cause (loader): too many words after `multiboot2` or `module2`.
	 * Remedy: shorten it. */
	if (err == ERR_RANGE)
		return fail(w, err,
			    "a module's command line is longer than 2047 characters; do this: "
			    "shorten it");
	/* Cause (loader): the boot loader's tables are damaged.
	 * Remedy: GRUB 2.06 or later; if it is that, please report its version. */
	if (err != ERR_NONE)
		return fail(w, err, "multiboot2: module string is not terminated" DO_UPDATE_GRUB);
	mod->start = hpa(start);
	mod->len = end - start;
	bi->module_count++;
	return ERR_NONE;
}

static err_t meminfo_tag(struct mb2_walk *w, const u8 *tag, u64 len)
{
	if (len < 16)
		return fail(w, ERR_INVAL,
			    "multiboot2: basic memory tag is too short" DO_UPDATE_GRUB);
	w->mem_lower_kib = get_u32(tag + 8);
	w->mem_upper_kib = get_u32(tag + 12);
	w->has_meminfo = true;
	return ERR_NONE;
}

static err_t mmap_tag(struct mb2_walk *w, const u8 *tag, u64 len)
{
	struct e820_map *m = &w->bi->memory;
	u32 size;

	if (len < 16)
		return fail(w, ERR_INVAL, "multiboot2: memory map tag is too short" DO_UPDATE_GRUB);
	size = get_u32(tag + 8);
	if (size < MB2_MMAP_ENTRY_MIN || size % 8 != 0)
		return fail(w, ERR_INVAL,
			    "multiboot2: memory map entry size is not valid" DO_UPDATE_GRUB);
	if ((len - 16) % size != 0)
		return fail(w, ERR_INVAL,
			    "multiboot2: memory map ends inside an entry" DO_UPDATE_GRUB);
	w->mmap_entries += (len - 16) / size;
	/* Cause (loader): firmware with a very long memory map.
	 * Remedy: update the firmware; please report GRUB's `lsmmap` and `lsefimmap`. */
	if (w->mmap_entries > MB2_MMAP_MAX)
		return fail(w, ERR_NOMEM,
			    "memory map has more than 4096 entries" DO_UPDATE_FIRMWARE);
	for (u64 at = 16; at < len; at += size) {
		const u8 *e = tag + at;

		u32 type = e820_foreign_type(get_u32(e + 16));

		/* Firmware may list many neighbours of one type: join them before giving up. */
		if ((m->count == E820_MAX && e820_normalise(m) != ERR_NONE) ||
		    e820_add(m, get_u64(e), get_u64(e + 8), type) != ERR_NONE) {
			w->mmap_overflow = true;
			break;
		}
	}
	w->has_mmap = true;
	return ERR_NONE;
}

static err_t acpi_tag(struct mb2_walk *w, const u8 *tag, u64 len, bool is_new)
{
	struct boot_info *bi = w->bi;
	u64 n = umin64(len - 8, is_new ? 36 : 20);

	if (n < 20)
		return fail(w, ERR_INVAL,
			    "multiboot2: ACPI tag is shorter than an RSDP" DO_UPDATE_GRUB);
	if (bi->has_rsdp && bi->rsdp_len > n)
		return ERR_NONE; /* keep the newer one */
	memset(bi->rsdp, 0, sizeof(bi->rsdp));
	memcpy(bi->rsdp, tag + 8, n);
	bi->rsdp_len = (u32)n;
	bi->has_rsdp = true;
	return ERR_NONE;
}

static err_t efi_table_tag(struct mb2_walk *w, const u8 *tag, u64 len, bool is_64bit)
{
	struct boot_efi *efi = &w->bi->efi;

	if (len < (is_64bit ? 16 : 12))
		return fail(w, ERR_INVAL,
			    "multiboot2: EFI system table tag is too short" DO_UPDATE_GRUB);
	efi->present = true;
	if (efi->is_64bit && !is_64bit)
		return ERR_NONE; /* keep the wider one */
	efi->is_64bit = is_64bit;
	efi->systab_pa = is_64bit ? get_u64(tag + 8) : get_u32(tag + 8);
	return ERR_NONE;
}

static err_t efi_mmap_tag(struct mb2_walk *w, const u8 *tag, u64 len)
{
	struct efi_map *m = &w->bi->efi.map;

	if (len < 16)
		return fail(w, ERR_INVAL,
			    "multiboot2: EFI memory map tag is too short" DO_UPDATE_GRUB);
	m->desc_size = get_u32(tag + 8);
	m->desc_version = get_u32(tag + 12);
	if (m->desc_size < sizeof(struct efi_descriptor) || m->desc_size > EFI_DESC_SIZE_MAX ||
	    m->desc_size % 8 != 0)
		return fail(w, ERR_INVAL,
			    "multiboot2: EFI memory descriptor size is not valid" DO_UPDATE_GRUB);
	if ((len - 16) % m->desc_size != 0)
		return fail(w, ERR_INVAL,
			    "multiboot2: EFI memory map ends inside a descriptor" DO_UPDATE_GRUB);
	/* Cause (loader): firmware with a very long memory map.
	 * Remedy: update the firmware; please report GRUB's `lsmmap` and `lsefimmap`. */
	if (efi_map_parse(m, tag + 16, len - 16) != ERR_NONE)
		return fail(w, ERR_NOMEM,
			    "EFI memory map has more than 1024 descriptors" DO_UPDATE_FIRMWARE);
	w->bi->efi.present = true;
	return ERR_NONE;
}

static err_t efi_tag(struct mb2_walk *w, const u8 *tag, u64 len)
{
	w->bi->efi.present = true;
	switch (get_u32(tag)) {
	case MB2I_EFI32:
		return efi_table_tag(w, tag, len, false);
	case MB2I_EFI64:
		return efi_table_tag(w, tag, len, true);
	case MB2I_EFI_MMAP:
		return efi_mmap_tag(w, tag, len);
	case MB2I_EFI_BS:
		w->bi->efi.boot_services = true;
		return ERR_NONE;
	default: /* image handles: for callers of boot services */
		return ERR_NONE;
	}
}

/* Keep it for a multiboot guest, if it has the length of the specification. */
static err_t passed_tag(struct mb2_walk *w, u32 slot, const u8 *tag, u64 len)
{
	u32 want = slot == 0 ? BOOT_TAG_BOOTDEV_LEN : BOOT_TAG_APM_LEN;

	if (len - 8 != want)
		return ERR_NONE;
	w->bi->passed.tag[slot].type = get_u32(tag);
	w->bi->passed.tag[slot].len = want;
	memcpy(w->bi->passed.tag[slot].data, tag + 8, want);
	return ERR_NONE;
}

static struct framebuffer_channel channel(const u8 *at)
{
	return (struct framebuffer_channel){ .pos = at[0], .size = at[1] };
}

/* An unusable framebuffer is no reason to stop: boot/screen.c decides. */
static err_t framebuffer_tag(struct mb2_walk *w, const u8 *tag, u64 len)
{
	struct boot_framebuffer *fb = &w->bi->framebuffer;

	if (len < MB2_FB_LEN || (tag[29] == MB2_FB_RGB && len < MB2_FB_RGB_LEN))
		return fail(w, ERR_INVAL,
			    "multiboot2: framebuffer tag is too short" DO_UPDATE_GRUB);
	*fb = (struct boot_framebuffer){
		.pa = get_u64(tag + 8),
		.pitch = get_u32(tag + 16),
		.width = get_u32(tag + 20),
		.height = get_u32(tag + 24),
		.bpp = tag[28],
	};
	switch (tag[29]) {
	case MB2_FB_INDEXED:
		fb->kind = FRAMEBUFFER_INDEXED;
		break;
	case MB2_FB_RGB:
		fb->kind = FRAMEBUFFER_PIXEL;
		fb->red = channel(tag + 32);
		fb->green = channel(tag + 34);
		fb->blue = channel(tag + 36);
		break;
	case MB2_FB_TEXT:
		fb->kind = FRAMEBUFFER_TEXT;
		break;
	default: /* from a later specification */
		fb->kind = FRAMEBUFFER_NONE;
	}
	return ERR_NONE;
}

static err_t one_tag(struct mb2_walk *w, const u8 *tag, u64 len)
{
	switch (get_u32(tag)) {
	case MB2I_CMDLINE:
		return cmdline_tag(w, tag, len);
	case MB2I_LOADER:
		return loader_tag(w, tag, len);
	case MB2I_MODULE:
		return module_tag(w, tag, len);
	case MB2I_MEMINFO:
		return meminfo_tag(w, tag, len);
	case MB2I_MMAP:
		return mmap_tag(w, tag, len);
	case MB2I_FRAMEBUFFER:
		return framebuffer_tag(w, tag, len);
	case MB2I_EFI32:
	case MB2I_EFI64:
	case MB2I_EFI_MMAP:
	case MB2I_EFI_BS:
	case MB2I_EFI32_IH:
	case MB2I_EFI64_IH:
		return efi_tag(w, tag, len);
	case BOOT_TAG_BOOTDEV:
		return passed_tag(w, 0, tag, len);
	case BOOT_TAG_APM:
		return passed_tag(w, 1, tag, len);
	case MB2I_ACPI_OLD:
		return acpi_tag(w, tag, len, false);
	case MB2I_ACPI_NEW:
		return acpi_tag(w, tag, len, true);
	default:
		return ERR_NONE; /* the specification allows any number of others */
	}
}

/* The boot loader's map: on a BIOS machine, or if there is no EFI map. */
static err_t loader_memory(struct mb2_walk *w)
{
	struct e820_map *m = &w->bi->memory;

	/* Cause (loader): not GRUB, or firmware that reports no memory.
	 * Remedy: GRUB 2.06 or later; update the firmware. */
	if (!w->has_mmap && !w->has_meminfo)
		return fail(w, ERR_NOENT,
			    "multiboot2: the boot loader gave no memory map" DO_UPDATE_GRUB);
	if (!w->has_mmap) {
		TRY(e820_add(m, 0, KIB(w->mem_lower_kib), E820_RAM));
		TRY(e820_add(m, MIB(1), KIB(w->mem_upper_kib), E820_RAM));
	}
	/* Cause (loader): firmware with a very long memory map.
	 * Remedy: update the firmware; please report GRUB's `lsmmap` and `lsefimmap`. */
	if (w->mmap_overflow || e820_normalise(m) != ERR_NONE)
		return fail(w, ERR_NOMEM,
			    "memory map has more than 128 entries" DO_UPDATE_FIRMWARE);
	w->bi->memory_idle = *m;
	return ERR_NONE;
}

/* The firmware's map has more detail than the loader's. */
static err_t efi_memory(struct mb2_walk *w)
{
	struct boot_info *bi = w->bi;

	/* Cause (loader): firmware with a very long memory map.
	 * Remedy: update the firmware; please report GRUB's `lsmmap` and `lsefimmap`. */
	if (efi_map_to_e820(&bi->efi.map, false, &bi->memory) != ERR_NONE)
		return fail(w, ERR_NOMEM,
			    "EFI memory map has more than 128 ranges" DO_UPDATE_FIRMWARE);
	/* It has more ranges, and is only a preference. */
	if (efi_map_to_e820(&bi->efi.map, true, &bi->memory_idle) != ERR_NONE)
		bi->memory_idle = bi->memory;
	return ERR_NONE;
}

static err_t memory_finish(struct mb2_walk *w)
{
	const struct boot_info *bi = w->bi;

	/* Cause (loader): not started by GRUB's `multiboot2`.
	 * Remedy: GRUB 2.06 or later: docs/boot-grub.md. */
	if (bi->efi.boot_services)
		return fail(
			w, ERR_BUSY,
			"EFI boot services still run; do this: start Kensho with GRUB's multiboot2 "
			"command, which ends them");
	TRY(bi->efi.map.count != 0 ? efi_memory(w) : loader_memory(w));
	/* Cause (loader): firmware with a very long memory map.
	 * Remedy: update the firmware; please report GRUB's `lsmmap` and `lsefimmap`. */
	if (bi->memory.count > E820_MAX - MB2_RANGES_SPARE)
		return fail(w, ERR_NOMEM, "memory map has more than 126 ranges" DO_UPDATE_FIRMWARE);
	/* Cause (loader): not GRUB, or firmware that reports no memory.
	 * Remedy: GRUB 2.06 or later; update the firmware. */
	if (e820_ram_bytes(&bi->memory) == 0)
		return fail(w, ERR_NOENT,
			    "multiboot2: the memory map has no usable RAM" DO_UPDATE_GRUB);
	/* Cause (loader): `badram` or `cutmem` in GRUB, or the firmware, hides RAM.
	 * Remedy: remove those commands; load the firmware's defaults. */
	if (e820_ram_top(&bi->memory, GIB(4)) == 0)
		return fail(w, ERR_NOENT,
			    "the memory map has no usable RAM below 4 GiB, where Kensho and its "
			    "guest start; do this: look for badram or cutmem in grub.cfg and for "
			    "memory settings of the firmware");
	return ERR_NONE;
}

static err_t walk(struct mb2_walk *w, const u8 *data, u64 total)
{
	u64 at = 8;

	for (;;) {
		u32 len;

		if (!range_fits(at, MB2_TAG_HEADER_LEN, total))
			return fail(w, ERR_INVAL, "multiboot2: there is no end tag" DO_UPDATE_GRUB);
		len = get_u32(data + at + 4);
		if (len < MB2_TAG_HEADER_LEN)
			return fail(w, ERR_INVAL,
				    "multiboot2: a tag is shorter than its header" DO_UPDATE_GRUB);
		if (!range_fits(at, len, total))
			return fail(w, ERR_INVAL,
				    "multiboot2: a tag passes the end" DO_UPDATE_GRUB);
		if (get_u32(data + at) == MB2I_END)
			return memory_finish(w);
		TRY(one_tag(w, data + at, len));
		at += ALIGN_UP((u64)len, 8);
	}
}

/* After an error, for showing it: the walk may have ended before this tag. */
static void find_framebuffer(struct mb2_walk *w, const u8 *data, u64 total)
{
	u64 at = 8;

	while (range_fits(at, MB2_TAG_HEADER_LEN, total)) {
		u32 len = get_u32(data + at + 4);

		if (len < MB2_TAG_HEADER_LEN || !range_fits(at, len, total))
			return;
		if (get_u32(data + at) == MB2I_FRAMEBUFFER &&
		    framebuffer_tag(w, data + at, len) == ERR_NONE)
			return;
		at += ALIGN_UP((u64)len, 8);
	}
}

err_t mb2_parse(const void *data, u64 len, struct boot_info *bi, const char **why)
{
	struct mb2_walk w = { .bi = bi,
			      .why = "multiboot2: internal error; do this: please report it" };
	u32 total;
	err_t err;

	memset(bi, 0, sizeof(*bi));
	if (len < 8) {
		*why = "multiboot2: boot information is too short" DO_UPDATE_GRUB;
		return ERR_INVAL;
	}
	total = get_u32(data);
	if (total < 16 || total > len) {
		*why = "multiboot2: total size is not valid" DO_UPDATE_GRUB;
		return ERR_INVAL;
	}
	bi->mb2_len = total;
	err = walk(&w, data, total);
	if (err != ERR_NONE) {
		*why = w.why;
		find_framebuffer(&w, data, total);
	}
	return err;
}
