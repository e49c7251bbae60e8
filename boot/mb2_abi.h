/* SPDX-License-Identifier: BSD-2-Clause */
/* Multiboot2 constants that assembly needs. Spec: Multiboot2 Specification 2.0. */
#pragma once

/* clang-format off */

#define MB2_HEADER_MAGIC            0xe85250d6
#define MB2_LOADER_MAGIC            0x36d76289          /* in EAX at entry */
#define MB2_ARCH_I386               0

#define MB2_HEADER_TAG_END          0
#define MB2_HEADER_TAG_INFORMATION  1
#define MB2_HEADER_TAG_CONSOLE      4
#define MB2_HEADER_TAG_FRAMEBUFFER  5
#define MB2_HEADER_TAG_MODULE_ALIGN 6
#define MB2_HEADER_OPTIONAL         1

#define MB2_CONSOLE_EGA_TEXT        2

#define MB2_TAG_MMAP                6

/* clang-format on */
