/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * First steps: the boot loader's information, options, consoles.
 *
 * Context: boot CPU, early page tables (first 4 GiB mapped).
 */
#include "arch/x86/layout.h"
#include "boot/report.h"
#include "boot/version.h"
#include "core/diag/log.h"
#include "core/diag/panic.h"
#include "core/hw.h"
#include "core/lib/bits.h"
#include "core/lib/fmt.h"
#include "drivers/console.h"
#include "drivers/vga_text.h"

void hw_console_write(const char *s, size_t len, bool panic)
{
	console_write(s, len, panic);
}

void hw_console_tone(enum tone tone)
{
	console_tone(tone);
}

static void open_consoles(u32 mode)
{
	console_init(mode == CONSOLE_ALL || mode == CONSOLE_COM1,
		     mode == CONSOLE_ALL || mode == CONSOLE_SCREEN || mode == CONSOLE_VGA);
}

static void log_screen(const struct boot_framebuffer *fb, const char *why)
{
	/* Cause (screen): UEFI without a graphics card that GRUB can use.
	 * Remedy: none; or `insmod all_video` in GRUB before `multiboot2`. */
	if (why != NULL && fb->kind == FRAMEBUFFER_NONE)
		log_warn("screen: not used: %s", why);
	else if (why != NULL)
		/* Cause (screen): a mode that cannot be drawn on (a palette, overlapping lines), or
		 * an invalid address.
		 * Remedy: `set gfxpayload=1024x768x32` after `multiboot2`, or `text` on a BIOS:
		 * docs/screen.md. */
		log_warn("screen: %ux%ux%u at %llx is not used: %s", fb->width, fb->height, fb->bpp,
			 fb->pa, why);
	else if (fb->kind == FRAMEBUFFER_PIXEL)
		log_info("screen: %ux%ux%u at %llx, %u bytes a line", fb->width, fb->height,
			 fb->bpp, fb->pa, fb->pitch);
}

static void print_line(const char *text)
{
	log_info("%s", text);
}

static void banner(const struct boot_state *b)
{
	log_info("Kensho %s, a type-1 hypervisor for Intel VMX", kensho_version);
	log_info("boot: loader %s, %u module%s, options: %s", b->info.loader, b->info.module_count,
		 plural(b->info.module_count),
		 b->info.cmdline[0] != '\0' ? b->info.cmdline : "none");
	log_info("memory: %llu MiB in %u range%s of the map", e820_ram_bytes(&b->info.memory) >> 20,
		 b->info.memory.count, plural(b->info.memory.count));
}

/* The output was asked for: show it everywhere. */
static bool wants_all_consoles(const struct options *o)
{
	return o->help != HELP_OFF || o->dryrun != 0;
}

static void report_efi(const struct boot_efi *efi)
{
	if (!efi->present)
		return;
	log_info("efi: %u-bit firmware, system table at %llx, %u memory descriptors of %u bytes",
		 efi->is_64bit ? 64 : 32, efi->systab_pa, efi->map.count, efi->map.desc_size);
	/* Cause (loader): the boot goes on, without the firmware's boot entries; device memory is
	 * told from RAM only roughly.
	 * Remedy: GRUB 2.06 or later. */
	if (efi->map.count == 0)
		log_warn("efi: the boot loader passed no EFI memory map: the guest gets no EFI "
			 "runtime services (boot entries, variables); use GRUB's multiboot2");
}

void boot_early(struct boot_state *b, u32 mb2_pa)
{
	static char msg[256];
	const char *why = NULL, *no_screen;
	err_t err;

	/* In case of a panic before the loader's information is read. */
	console_set_text_screen((void *)(KENSHO_BASE + VGA_TEXT_PA));
	options_default(&b->options);

	err = mb2_parse(hw_phys_to_virt(hpa(mb2_pa)), GIB(4) - mb2_pa, &b->info, &why);
	b->info.mb2_start = hpa(mb2_pa);
	if (err != ERR_NONE) {
		(void)boot_open_screen(&b->info);
		open_consoles(CONSOLE_ALL);
		/* Cause (loader): another row gives the reason.
		 * Remedy: see that row. */
		fatal("boot loader information is unusable: %s", why);
	}
	no_screen = boot_open_screen(&b->info);
	err = options_parse(&b->options, b->info.cmdline, msg, sizeof(msg));
	open_consoles(err == ERR_NONE && !wants_all_consoles(&b->options) ? b->options.console
									  : CONSOLE_ALL);
	/* Cause (options): no UART at port 2F8h.
	 * Remedy: remove `log=com2`, or enable the port in the firmware set-up; a USB adapter is
	 * not COM2. */
	if (b->options.config.log == LOG_COM2 && !console_open_log())
		fatal("log=com2: there is no second serial port; do this: remove the option");
	/* Cause (options): no UART at port 3F8h or 2F8h.
	 * Remedy: choose the other port, or enable it in the firmware set-up. */
	if (!boot_open_syndbg(b->options.config.syndbg))
		fatal("syndbg=: there is no such serial port; do this: choose the other one");
	panic_init(kensho_version, b->options.on_panic == ON_PANIC_REBOOT);
	banner(b);
	log_screen(&b->info.framebuffer, no_screen);
	report_efi(&b->info.efi);
	report_begin(b);
	/* Cause (options): a misspelt option, or the guest's words after `multiboot2`.
	 * Remedy: `help` lists all; the guest's words belong after `module2`. */
	if (err != ERR_NONE)
		fatal("%s; do this: correct Kensho's command line in the boot menu", msg);
	if (b->options.help != HELP_OFF) {
		options_print(b->options.help, print_line);
		log_info(HALTED);
		console_flush();
		hw_halt();
	}
}
