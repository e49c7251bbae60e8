/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Demonstration guest: reads the boot information, by the specification alone.
 * Spec: Multiboot2 2.0, "Boot information format".
 */
#include "boot/load/mb2_abi.h"
#include "core/lib/bytes.h"
#include "guests/demo/demo.h"

extern u32 boot_magic, boot_info_pa;
struct demo_boot demo_boot;

static const void *map(void *ctx, u64 pa, u64 len)
{
	return pa != 0 && pa < GIB(4) && len <= GIB(4) - pa ? (const void *)pa : NULL;
}

static void loader_tag(const u8 *tag, u32 len)
{
	u64 n = umin64(len - 8, sizeof(demo_boot.loader) - 1);

	memcpy(demo_boot.loader, tag + 8, n);
}

static void memory_tag(const u8 *tag, u32 len)
{
	u32 size = get_u32(tag + 8);

	for (u32 at = 16; size != 0 && at + 24 <= len && demo_boot.memory.count < E820_MAX;
	     at += size)
		demo_boot.memory.e[demo_boot.memory.count++] =
			(struct e820_entry){ get_u64(tag + at), get_u64(tag + at + 8),
					     get_u32(tag + at + 16) };
}

static void framebuffer_tag(const u8 *tag, u32 len)
{
	static const enum framebuffer_kind kinds[] = { FRAMEBUFFER_INDEXED, FRAMEBUFFER_PIXEL,
						       FRAMEBUFFER_TEXT };
	struct boot_framebuffer *fb = &demo_boot.framebuffer;

	if (len < 32 || tag[29] >= ARRAY_SIZE(kinds) || (tag[29] == 1 && len < 38))
		return;
	*fb = (struct boot_framebuffer){ .kind = kinds[tag[29]],
					 .pa = get_u64(tag + 8),
					 .pitch = get_u32(tag + 16),
					 .width = get_u32(tag + 20),
					 .height = get_u32(tag + 24),
					 .bpp = tag[28] };
	if (fb->kind != FRAMEBUFFER_PIXEL)
		return;
	fb->red = (struct framebuffer_channel){ tag[32], tag[33] };
	fb->green = (struct framebuffer_channel){ tag[34], tag[35] };
	fb->blue = (struct framebuffer_channel){ tag[36], tag[37] };
}

static void rsdp_tag(const u8 *tag, u32 len)
{
	u32 n = (u32)umin64(len - 8, sizeof(demo_boot.rsdp));

	if (n <= demo_boot.rsdp_len)
		return;
	memcpy(demo_boot.rsdp, tag + 8, n);
	demo_boot.rsdp_len = n;
}

static void one_tag(const u8 *tag, u32 len)
{
	switch (get_u32(tag)) {
	case MB2I_LOADER:
		loader_tag(tag, len);
		break;
	case MB2I_MODULE:
		demo_boot.modules++;
		break;
	case MB2I_MMAP:
		memory_tag(tag, len);
		break;
	case MB2I_FRAMEBUFFER:
		framebuffer_tag(tag, len);
		break;
	case MB2I_EFI32:
	case MB2I_EFI64:
	case MB2I_EFI_MMAP:
		demo_boot.is_efi = true;
		break;
	case MB2I_ACPI_OLD:
	case MB2I_ACPI_NEW:
		rsdp_tag(tag, len);
		break;
	default:
		break;
	}
}

void boot_read(void)
{
	const u8 *info = (const u8 *)(u64)boot_info_pa;
	const char *why;
	u32 total;

	demo_boot.is_multiboot2 = boot_magic == MB2H_BOOT_MAGIC;
	if (!demo_boot.is_multiboot2)
		return;
	total = get_u32(info);
	for (u32 at = 8; at + 8 <= total && get_u32(info + at) != MB2I_END;) {
		u32 len = get_u32(info + at + 4);

		if (len < 8 || len > total - at)
			break;
		one_tag(info + at, len);
		at += ALIGN_UP(len, 8u);
	}
	demo_boot.has_acpi =
		demo_boot.rsdp_len != 0 && acpi_parse(demo_boot.rsdp, demo_boot.rsdp_len, map, NULL,
						      &demo_boot.acpi, &why) == ERR_NONE;
}
