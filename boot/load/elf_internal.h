/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading ELF headers of both classes; for the files that load from them. */
#pragma once

#include "boot/load/elf.h"

#define ELFCLASS32 1u
#define ELFCLASS64 2u

/* Offsets of the fields we read, per class. */
struct elf_layout {
	u8 header_len, phoff, phentsize, phnum, shoff, shentsize, shnum, shstrndx;
	u8 phdr_len, p_offset, p_vaddr, p_paddr, p_filesz, p_memsz;
	u8 shdr_len, sh_addr, sh_offset, sh_size;
	bool is_64;
};

struct elf {
	const u8 *data;
	u64 len;
	const struct elf_layout *layout;
	u64 phoff;
	u32 phnum, phentsize;
};

extern const struct elf_layout elf_layouts[]; /* by ELFCLASS */

/* Before elf_open() has found the class. */
#define ELF_OF(img)                                                                        \
	{                                                                                  \
		.data = (img)->data, .len = (img)->len, .layout = &elf_layouts[ELFCLASS32] \
	}

/* elf_word() - read a field as wide as the class. */
u64 elf_word(const struct elf *e, const u8 *p);

/* elf_open() - check the header of @img and the place of its program headers. */
MUST_CHECK err_t elf_open(struct elf *e, const struct guest_image *img, struct load_plan *out);
