/* SPDX-License-Identifier: BSD-2-Clause */
/* A Linux bzImage's setup header, read once and checked. */
#pragma once

#include "boot/load/load.h"

struct bzimage {
	u32 setup_len;  /* real-mode part at the start of the file */
	u64 code_len;   /* protected-mode part after it */
	u32 header_end; /* of the setup header, a file offset */
	u16 version;    /* boot protocol, 0x020f */
	u16 xloadflags;
	u32 initrd_addr_max;
	u32 cmdline_size;
	u64 alignment, pref_address;
	u64 init_size; /* RAM needed from the load address on */
	bool is_relocatable;
	char release[64]; /* "6.1.0-56-cloud-amd64" */
};

bool bzimage_probe(const u8 *data, u64 len);

/* screen_info_fill() - fill struct screen_info at the start of the zero page @zp, except the
 * cursor. */
void screen_info_fill(u8 *zp, const struct load_input *in);

/**
 * bzimage_efi_prepare() - set out->efi to the guest's EFI map, as far as in->memory determines it.
 *
 * Returns the bytes that bzimage_efi_write() may need; 0: the guest gets no EFI information.
 */
u32 bzimage_efi_prepare(const struct load_input *in, struct load_plan *out);

/**
 * bzimage_efi_write() - write struct efi_info of the zero page, and the map after everything else.
 * @aux:     the block that starts with the zero page
 * @aux_pa:  where it will be; the kernel must not unpack itself over it
 * @used:    its bytes before the map
 */
MUST_CHECK err_t bzimage_efi_write(const struct load_input *in, struct load_plan *out, u8 *aux,
				   u64 aux_pa, u32 used);

/* bzimage_parse() - header and integrity; out->why names what is wrong. */
MUST_CHECK err_t bzimage_parse(const u8 *data, u64 len, struct bzimage *bz, struct load_plan *out);
