/* SPDX-License-Identifier: BSD-2-Clause */
/* ELF executables, 32 and 64 bit, as multiboot images carry them. */
#pragma once

#include "core/load/load.h"

bool elf_probe(const u8 *data, u64 len);

/**
 * elf_plan() - plan the loadable segments of @img at their physical addresses.
 * @entry: physical address of the entry point.
 * @top:   end of the highest segment.
 *
 * Every segment lies below 4 GiB, in RAM, inside the file and clear of the others; the entry lies
 * in one of them. out->why names the segment that breaks this.
 */
MUST_CHECK err_t elf_plan(const struct load_input *in, const struct guest_image *img,
			  struct load_plan *out, u64 *entry);
