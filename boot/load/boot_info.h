/* SPDX-License-Identifier: BSD-2-Clause */
/* What the boot loader handed over: nothing after this depends on the boot protocol. */
#pragma once

#include "boot/load/efi.h"
#include "core/lib/err.h"
#include "core/lib/types.h"
#include "core/mem/e820.h"

#define BOOT_MODULES_MAX 16
#define BOOT_CMDLINE_MAX 2048

struct boot_module {
	hpa_t start;
	u64 len;
	char string[BOOT_CMDLINE_MAX]; /* as GRUB passes it: without the file name */
};

enum framebuffer_kind {
	FRAMEBUFFER_NONE,  /* the loader does not say: text mode is likely */
	FRAMEBUFFER_PIXEL, /* linear, direct colour */
	FRAMEBUFFER_INDEXED,
	FRAMEBUFFER_TEXT, /* EGA text: width and height count characters */
};

/* One colour channel of a pixel: @size bits from bit @pos on. */
struct framebuffer_channel {
	u8 pos, size;
};

/* The screen as the loader left it; only the tag's format has been checked. */
struct boot_framebuffer {
	enum framebuffer_kind kind;
	u64 pa;
	u32 pitch; /* bytes from one line to the next */
	u32 width, height;
	u8 bpp;
	struct framebuffer_channel red, green, blue; /* FRAMEBUFFER_PIXEL */
};

/* Tags that only multiboot guests use, unchanged; type 0: none. */
#define BOOT_TAG_BOOTDEV     5u
#define BOOT_TAG_APM         10u
#define BOOT_TAG_BOOTDEV_LEN 12u /* without the tag's header */
#define BOOT_TAG_APM_LEN     20u

struct boot_passed {
	struct {
		u32 type, len;
		u8 data[20];
	} tag[2];
};

struct boot_info {
	char cmdline[BOOT_CMDLINE_MAX];
	char loader[64];
	struct e820_map memory; /* normalised; from the EFI map where there is one */
	/* The same, with RAM that EFI boot services used as reserved, since some firmware still
	 * accesses it. The first choice for us and for the guest's images. */
	struct e820_map memory_idle;
	struct boot_efi efi;
	bool has_rsdp;
	u8 rsdp[36]; /* copy; length by revision, the rest 0 */
	u32 rsdp_len;
	struct boot_framebuffer framebuffer;
	struct boot_passed passed;
	hpa_t mb2_start; /* the information structure itself: keep until parsed */
	u64 mb2_len;
	u32 module_count;
	struct boot_module module[BOOT_MODULES_MAX];
};

/**
 * mb2_parse() - walk the multiboot2 tags at @data.
 * @len: bytes that may be read; the total_size field must not exceed it.
 * @why: on error a static sentence for the user that names what is malformed; the framebuffer is
 * filled in even then, if there is one.
 *
 * Unknown tags are skipped. Bounded by @len. Spec: Multiboot2 "Boot information format".
 */
MUST_CHECK err_t mb2_parse(const void *data, u64 len, struct boot_info *bi, const char **why);
