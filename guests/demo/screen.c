/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Demonstration guest: the screen. VGA text is written in place; a linear framebuffer, wherever it
 * is, is mapped above the identity map of 4 GiB and drawn on with Kensho's code.
 */
#include "arch/x86/defs/cpuid.h"
#include "arch/x86/defs/paging.h"
#include "boot/load/framebuffer.h"
#include "core/lib/fmt.h"
#include "drivers/fb_text.h"
#include "guests/demo/demo.h"

#define VGA_TEXT  0xb8000
#define WINDOW    GIB(4) /* virtual: the page directory after the four of the identity map */
#define PAGE_LEN  MIB(2)
#define PAGE_KEEP (PAGE_LEN - 1)

static_assert(FRAMEBUFFER_BYTES_MAX <= GIB(1) - PAGE_LEN, "one page directory maps it");

extern u64 page_pdpt[], page_screen[]; /* start.S */

static volatile u16 *cells;
static struct fb_text pixels;

static struct fb_channel channel(struct framebuffer_channel c)
{
	return (struct fb_channel){ .pos = c.pos, .size = c.size };
}

/* PCD alone is UC-: uncached, but WC in the MTRRs still applies. SDM, "Page Attribute Table". */
static u8 *map(u64 pa, u64 len)
{
	u64 first = ALIGN_DOWN(pa, PAGE_LEN), end = pa + len;

	for (u64 i = 0; first + i * PAGE_LEN < end; i++)
		page_screen[i] = (first + i * PAGE_LEN) | PTE_P | PTE_W | PTE_PCD | PTE_PS;
	page_pdpt[WINDOW / GIB(1)] = (u64)page_screen | PTE_P | PTE_W;
	return (u8 *)(WINDOW + (pa & PAGE_KEEP));
}

static void open_pixels(const struct boot_framebuffer *fb)
{
	struct fb_mode mode = {
		.base = map(fb->pa, framebuffer_bytes(fb)),
		.pitch = fb->pitch,
		.width = fb->width,
		.height = fb->height,
		.pixel_bytes = (fb->bpp + 7u) / 8,
		.red = channel(fb->red),
		.green = channel(fb->green),
		.blue = channel(fb->blue),
	};

	fb_text_open(&pixels, &mode);
}

void screen_open(void)
{
	const struct boot_framebuffer *fb = &demo_boot.framebuffer;
	u32 phys_bits = FIELD_GET(CPUID80000008_EAX_PHYS_BITS, cpuid(0x80000008, 0).a);
	const char *why;

	if (screen_is_text(fb, demo_boot.is_efi)) {
		cells = (volatile u16 *)VGA_TEXT;
		return;
	}
	why = fb->kind == FRAMEBUFFER_NONE ? "the boot loader gave none"
					   : framebuffer_refusal(fb, &demo_boot.memory, phys_bits);
	if (why != NULL)
		print("demo: nothing is drawn on the screen: %s\n", why);
	else
		open_pixels(fb);
}

void screen_name(char *name, u32 len)
{
	const struct boot_framebuffer *fb = &demo_boot.framebuffer;

	if (cells != NULL)
		fmt_print(name, len, "text, 80x25");
	else if (pixels.cols != 0)
		fmt_print(name, len, "framebuffer, %ux%ux%u at %llx", fb->width, fb->height,
			  fb->bpp, fb->pa);
	else
		fmt_print(name, len, "none: everything is on COM1");
}

void screen_cell(u32 row, u32 col, char c, u8 attr)
{
	if (cells != NULL)
		cells[row * SCREEN_COLS + col] = (u16)(attr << 8 | (u8)c);
	if (row >= pixels.rows || col >= pixels.cols)
		return;
	pixels.row = row;
	pixels.col = col;
	fb_text_write(&pixels, &c, 1);
}
