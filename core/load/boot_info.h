/* SPDX-License-Identifier: BSD-2-Clause */
/* What the boot loader handed over: the only structure that goes forward from the boot protocol. */
#pragma once

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

struct boot_info {
	char cmdline[BOOT_CMDLINE_MAX];
	char loader[64];
	struct e820_map memory; /* normalised */
	bool has_rsdp;
	u8 rsdp[36]; /* copy; length by revision, the rest 0 */
	u32 rsdp_len;
	hpa_t mb2_start; /* the information structure itself: live until it is parsed */
	u64 mb2_len;
	u32 module_count;
	struct boot_module module[BOOT_MODULES_MAX];
};

/**
 * mb2_parse() - walk the multiboot2 tags at @data.
 * @len: bytes that may be read; the total_size field must not exceed it.
 * @why: on error set to a static sentence that names what is malformed, for the user.
 *
 * Unknown tags are skipped. Bounded by @len. Spec: Multiboot2 "Boot information format".
 */
MUST_CHECK err_t mb2_parse(const void *data, u64 len, struct boot_info *bi, const char **why);
