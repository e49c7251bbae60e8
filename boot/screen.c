/* SPDX-License-Identifier: BSD-2-Clause */
/* Finds out which screen the boot loader left, and maps it. Context: boot CPU. */
#include "arch/x86/defs/cpuid.h"
#include "arch/x86/insn.h"
#include "arch/x86/layout.h"
#include "arch/x86/paging.h"
#include "boot/boot.h"
#include "boot/load/framebuffer.h"
#include "core/lib/bits.h"
#include "drivers/console.h"
#include "drivers/fb_text.h"
#include "drivers/vga_text.h"

static bool is_text, is_framebuffer; /* the consoles'; the latter is mapped */

static struct fb_channel channel(struct framebuffer_channel c)
{
	return (struct fb_channel){ .pos = c.pos, .size = c.size };
}

static void open_framebuffer(const struct boot_framebuffer *b)
{
	struct fb_mode mode = {
		.base = paging_early_framebuffer(b->pa, framebuffer_bytes(b)),
		.pitch = b->pitch,
		.width = b->width,
		.height = b->height,
		.pixel_bytes = (b->bpp + 7u) / 8,
		.red = channel(b->red),
		.green = channel(b->green),
		.blue = channel(b->blue),
	};

	is_framebuffer = true;
	console_set_framebuffer(&mode);
}

const char *boot_open_screen(const struct boot_info *bi)
{
	const struct boot_framebuffer *b = &bi->framebuffer;
	const char *why;

	if (screen_is_text(b, bi->efi.present)) {
		is_text = true;
		console_set_text_screen((void *)(KENSHO_BASE + VGA_TEXT_PA));
		return NULL;
	}
	console_set_framebuffer(NULL);
	/* Cause (screen): UEFI without a graphics card that GRUB can use.
	 * Remedy: none; or `insmod all_video` in GRUB before `multiboot2`. */
	if (b->kind == FRAMEBUFFER_NONE)
		return "the boot loader gave none";
	why = framebuffer_refusal(b, &bi->memory, cpu_phys_bits());
	if (why == NULL)
		open_framebuffer(b);
	return why;
}

void boot_map_screen(const struct boot_info *bi)
{
	const struct boot_framebuffer *b = &bi->framebuffer;

	if (is_framebuffer)
		(void)paging_add_framebuffer(b->pa, framebuffer_bytes(b));
}

const struct boot_framebuffer *boot_guest_screen(const struct boot_info *bi)
{
	return is_text || is_framebuffer ? &bi->framebuffer : NULL;
}
