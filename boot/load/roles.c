/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The role of each module. GRUB passes no file names: the user's prefix decides, else the content.
 * Boot time, pure.
 */
#include "boot/load/bzimage.h"
#include "boot/load/elf.h"
#include "boot/load/multiboot.h"
#include "boot/load/multiboot2.h"
#include "core/lib/bits.h"
#include "core/lib/bytes.h"
#include "core/lib/fmt.h"

static const struct prefix {
	const char *text;
	enum module_role role;
} prefixes[] = {
	{ "kernel:", ROLE_KERNEL },
	{ "initrd:", ROLE_INITRD },
	{ "module:", ROLE_MODULE },
};

/* What Linux accepts as an initramfs: a cpio archive, plain or compressed. */
static const struct magic {
	const char *bytes;
	u32 len;
} initrd_magics[] = {
	{ "070701", 6 },
	{ "070702", 6 },
	{ "\x1f\x8b", 2 },            /* gzip */
	{ "\3757zXZ\0", 6 },          /* xz */
	{ "\x28\xb5\x2f\xfd", 4 },    /* zstd */
	{ "\x02\x21\x4c\x18", 4 },    /* lz4, legacy frame */
	{ "BZh", 3 },                 /* bzip2 */
	{ "\x89LZO\0\r\n\x1a\n", 9 }, /* lzop */
	{ "\x5d\0\0", 3 },            /* lzma */
};

struct roles {
	struct guest_image *img;
	u32 count;
	char *why;
	size_t why_len;
};

/* The content makes more than one a kernel, or an initrd. */
static err_t ambiguous(struct roles *r, const char *what, const char *prefix, u32 a, u32 b)
{
	/* Cause (guest): two kernels, or two initrds.
	 * Remedy: put `kernel:` or `initrd:` before the right one's command line, `module:`
	 * before the other's. */
	fmt_print(r->why, r->why_len,
		  "modules %u and %u both look like %s; do this: start the string of the right one "
		  "with %s",
		  a + 1, b + 1, what, prefix);
	return ERR_INVAL;
}

static bool prefix_take(struct guest_image *img)
{
	for (u32 i = 0; i < ARRAY_SIZE(prefixes); i++) {
		size_t len = strlen(prefixes[i].text);

		if (strncmp(img->cmdline, prefixes[i].text, len) != 0)
			continue;
		img->cmdline += len;
		while (*img->cmdline == ' ')
			img->cmdline++;
		img->role = prefixes[i].role;
		return true;
	}
	return false;
}

static bool is_initrd(const struct guest_image *img)
{
	for (u32 i = 0; i < ARRAY_SIZE(initrd_magics); i++) {
		const struct magic *m = &initrd_magics[i];

		if (img->len >= m->len && memcmp(img->data, m->bytes, m->len) == 0)
			return true;
	}
	return false;
}

static enum module_role role_by_content(const struct guest_image *img)
{
	if (bzimage_probe(img->data, img->len))
		return ROLE_KERNEL;
	/* Before looking for a multiboot header: an archive may begin with such an image. */
	if (is_initrd(img))
		return ROLE_INITRD;
	if (multiboot2_find(img->data, img->len) != ~0ull ||
	    multiboot_find(img->data, img->len) != ~0ull)
		return ROLE_KERNEL;
	return ROLE_UNKNOWN;
}

/* The only image with @role, or ~0. The user named those in @fixed: they take precedence. */
static err_t only(struct roles *r, enum module_role role, u64 fixed, const char *what, u32 *at)
{
	const char *prefix = role == ROLE_KERNEL ? "kernel:" : "initrd:";
	bool is_fixed = false;

	*at = ~0u;
	for (u32 i = 0; i < r->count; i++) {
		bool named = (fixed >> i & 1) != 0;

		if (r->img[i].role != role || (is_fixed && !named))
			continue;
		if (*at != ~0u && named == is_fixed)
			return ambiguous(r, what, prefix, *at, i);
		*at = i;
		is_fixed = named;
	}
	return ERR_NONE;
}

static err_t no_kernel(struct roles *r)
{
	const char *hint = "";

	for (u32 i = 0; i < r->count; i++) {
		if (elf_probe(r->img[i].data, r->img[i].len))
			hint = " (an ELF file needs a multiboot header in its first 8 KiB, or a "
			       "multiboot2 header in its first 32 KiB)";
	}
	/* Cause (guest): no module is a Linux bzImage or multiboot image.
	 * Remedy: `make iso KERNEL=FILE` says what it is; of Linux take `arch/x86/boot/bzImage`. */
	fmt_print(r->why, r->why_len,
		  "no kernel: none of %u modules is a Linux bzImage or a multiboot image%s; "
		  "do this: load one of these",
		  r->count, hint);
	return ERR_NOENT;
}

/* A Linux guest takes one kernel and one initrd: refuse a module that is neither. */
static err_t linux_roles(struct roles *r, u64 fixed)
{
	u32 initrd;

	TRY(only(r, ROLE_INITRD, fixed, "an initrd", &initrd));
	for (u32 i = 0; i < r->count; i++) {
		if (r->img[i].role == ROLE_INITRD && i != initrd)
			r->img[i].role = ROLE_MODULE;
		if (r->img[i].role != ROLE_UNKNOWN)
			continue;
		/* Cause (guest): unknown content.
		 * Remedy: put `initrd:` or `module:` before its command line; else copy it
		 * again. */
		fmt_print(
			r->why, r->why_len,
			"module %u is neither a kernel nor an initrd (cpio, gzip, xz, zstd...); do "
			"this: copy it again, or start its string with initrd: or module:",
			i + 1);
		return ERR_INVAL;
	}
	return ERR_NONE;
}

err_t load_assign_roles(struct guest_image *img, u32 count, char *why, size_t why_len)
{
	struct roles r = { .img = img, .count = count, .why = why, .why_len = why_len };
	u64 fixed = 0;
	u32 kernel;

	if (count == 0) {
		/* Cause (guest): no module is a Linux bzImage or multiboot image.
		 * Remedy: `make iso KERNEL=FILE` says what it is; of Linux take
		 * `arch/x86/boot/bzImage`. */
		fmt_print(why, why_len,
			  "no guest image; do this: add a line \"module2 /path/to/kernel\" "
			  "to the boot menu entry");
		return ERR_NOENT;
	}
	if (count > BOOT_MODULES_MAX) {
		/* Cause (loader): too many `module2` lines.
		 * Remedy: load fewer. */
		fmt_print(why, why_len, "more than %u modules; do this: load fewer",
			  BOOT_MODULES_MAX);
		return ERR_RANGE;
	}
	for (u32 i = 0; i < count; i++) {
		if (prefix_take(&img[i]))
			fixed |= BIT64(i);
		else
			img[i].role = role_by_content(&img[i]);
	}
	TRY(only(&r, ROLE_KERNEL, fixed, "a kernel", &kernel));
	if (kernel == ~0u)
		return no_kernel(&r);
	for (u32 i = 0; i < count; i++) {
		if (img[i].role == ROLE_KERNEL && i != kernel)
			img[i].role = ROLE_MODULE;
	}
	if (bzimage_probe(img[kernel].data, img[kernel].len))
		return linux_roles(&r, fixed);
	/* For a multiboot guest everything else is a module. */
	for (u32 i = 0; i < count; i++) {
		if (i != kernel && (fixed >> i & 1) == 0)
			img[i].role = ROLE_MODULE;
	}
	return ERR_NONE;
}
