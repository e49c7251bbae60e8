/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Multiboot 2 images: header tags, and the tags of the information that their guests get.
 * Spec: Multiboot2 Specification 2.0, "OS image format", "Boot information format".
 */
#pragma once

#include "boot/load/elf.h"
#include "boot/load/flat.h"

#define MB2H_SEARCH_LEN 32768u
#define MB2H_MAGIC      0xe85250d6u
#define MB2H_ARCH_I386  0u
#define MB2H_LEN        16u /* magic, architecture, header_length, checksum */
#define MB2H_OPTIONAL   1u  /* flag of a tag: may be ignored */
#define MB2H_BOOT_MAGIC 0x36d76289u

enum mb2h_tag {
	MB2H_END,
	MB2H_REQUEST,
	MB2H_ADDRESS,
	MB2H_ENTRY,
	MB2H_CONSOLE,
	MB2H_FRAMEBUFFER,
	MB2H_MODULE_ALIGN,
	MB2H_EFI_BS,
	MB2H_EFI32_ENTRY,
	MB2H_EFI64_ENTRY,
	MB2H_RELOCATABLE,
	MB2H_TAGS
};

#define MB2H_CONSOLE_REQUIRED BIT32(0)
#define MB2H_CONSOLE_TEXT     BIT32(1)

enum mb2h_preference { MB2H_PREFER_NONE, MB2H_PREFER_LOW, MB2H_PREFER_HIGH };

/* Tags of the boot information. */
enum mb2i_tag {
	MB2I_END,
	MB2I_CMDLINE,
	MB2I_LOADER,
	MB2I_MODULE,
	MB2I_MEMINFO,
	MB2I_BOOTDEV,
	MB2I_MMAP,
	MB2I_VBE,
	MB2I_FRAMEBUFFER,
	MB2I_ELF,
	MB2I_APM,
	MB2I_EFI32,
	MB2I_EFI64,
	MB2I_SMBIOS,
	MB2I_ACPI_OLD,
	MB2I_ACPI_NEW,
	MB2I_NETWORK,
	MB2I_EFI_MMAP,
	MB2I_EFI_BS,
	MB2I_EFI32_IH,
	MB2I_EFI64_IH,
	MB2I_LOAD_BASE,
	MB2I_TAGS
};

/* A header, understood. */
struct mb2_request {
	bool has_address, has_entry, is_relocatable;
	bool needs_console, text_console, accepts_pixels;
	struct flat flat;    /* entry_addr: with has_entry, for ELF images, too */
	u64 min, max, align; /* is_relocatable */
	u32 preference;
};

/* multiboot2_find() - offset of the header in the first 32 KiB; ~0: none. */
u64 multiboot2_find(const u8 *data, u64 len);

/* mb2_request_read() - the tags of the header at @at. A demand that nothing here can meet is an
 * error that names it. */
MUST_CHECK err_t mb2_request_read(const struct load_input *in, u64 at, struct load_plan *out,
				  struct mb2_request *r);

/* What the boot information needs to know of the image. */
struct mb2_image {
	struct elf_symbols symbols;
	bool is_relocatable;
	u64 base; /* where its first byte is loaded */
};

/* mb2info_build() - the boot information, its place in out->rbx. */
MUST_CHECK err_t mb2info_build(const struct load_input *in, const struct mb2_image *img,
			       struct load_plan *out);
