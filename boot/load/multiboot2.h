/* SPDX-License-Identifier: BSD-2-Clause */
/* Multiboot 2 images: requests in the header, and the boot information for the guest. */
#pragma once

#include "boot/load/elf.h"
#include "boot/load/flat.h"
#include "boot/load/mb2_abi.h"

/* A parsed header. */
struct mb2_request {
	bool has_address, has_entry, is_relocatable;
	bool needs_console, text_console, accepts_pixels;
	struct flat flat;    /* entry_addr: with has_entry, for ELF images, too */
	u64 min, max, align; /* is_relocatable */
	u32 preference;
};

/* multiboot2_find() - offset of the header in the first 32 KiB; ~0: none. */
u64 multiboot2_find(const u8 *data, u64 len);

/* mb2_request_read() - parse the tags of the header at @at. A demand that we cannot meet is an
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
