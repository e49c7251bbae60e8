/* SPDX-License-Identifier: BSD-2-Clause */
/* A Linux bzImage's setup header, read once and checked. */
#pragma once

#include "core/load/load.h"

struct bzimage {
	u32 setup_len;  /* real-mode part at the start of the file */
	u64 code_len;   /* protected-mode part behind it */
	u32 header_end; /* of the setup header, a file offset */
	u16 version;    /* boot protocol, 0x020f */
	u16 xloadflags;
	u32 initrd_addr_max;
	u32 cmdline_size;
	u64 alignment, pref_address;
	u64 init_size; /* RAM it needs from its load address on */
	bool is_relocatable;
	char release[64]; /* "6.1.0-56-cloud-amd64" */
};

bool bzimage_probe(const u8 *data, u64 len);

/* bzimage_parse() - header and integrity; out->why names what is wrong. */
MUST_CHECK err_t bzimage_parse(const u8 *data, u64 len, struct bzimage *bz, struct load_plan *out);
