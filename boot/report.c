/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The machine report: its frame, and what is known before there is a partition.
 *
 * Context: boot CPU. A fatal() or panic() meanwhile closes the report.
 */
#include "boot/report.h"

#include "arch/x86/insn.h"
#include "arch/x86/lapic.h"
#include "arch/x86/percpu.h"
#include "arch/x86/tsc.h"
#include "boot/version.h"
#include "core/diag/log.h"
#include "core/diag/panic.h"
#include "core/hw.h"
#include "core/lib/fmt.h"
#include "core/lib/wrap.h"
#include "drivers/console.h"

#define HOW_TO_SEND                                                                              \
	"copy the lines from \"report: begin\" to \"report: end\" (COM1: 115200 baud, 8N1) and " \
	"send them with your bug; they hold no serial numbers and no guest command line"

struct report boot_report;

static bool survives; /* a dry run: boot_refuse() goes on */

static void print(const char *line)
{
	log_info("%s", line);
}

static void print_panic(const char *line)
{
	log_panic("%s", line);
}

/* The boot ends here: close the report as it is. */
static void cut_short(const char *why, bool panicking)
{
	if (panicking)
		boot_report.print = print_panic;
	report_refuse(&boot_report, why);
	report_close(&boot_report, false);
	report_result(&boot_report);
}

void boot_refuse(const char *fmt, ...)
{
	static char why[REFUSAL_MAX];
	va_list ap;

	va_start(ap, fmt);
	fmt_vprint(why, sizeof(why), fmt, ap);
	va_end(ap);
	if (!report_is_open(&boot_report) || !survives)
		fatal("%s", why);
	report_refuse(&boot_report, why);
	report_line(&boot_report, "refusal");
	report_field(&boot_report, "text", "%s", why);
	report_break(&boot_report);
}

static void report_options(const struct options *o)
{
	static char text[1024];

	report_line(&boot_report, "options");
	for (u32 i = 0; i < option_row_count; i++) {
		option_value(o, i, text, sizeof(text));
		report_field(&boot_report, option_rows[i].name, "%s", text);
	}
	report_line(&boot_report, "options-given");
	for (u32 i = 0; i < option_row_count; i++) {
		if (o->given & BIT64(i))
			report_field(&boot_report, option_rows[i].name, "yes");
	}
	options_features(o, text, sizeof(text));
	report_line(&boot_report, "features");
	report_field(&boot_report, "guest", "%s", text);
	report_break(&boot_report);
}

void report_begin(const struct boot_state *b)
{
	const struct options *o = &b->options;

	if (o->dryrun == 0 && o->selftest == SELFTEST_OFF)
		return;
	report_open(&boot_report, print, o->dryrun != 0 ? "dryrun" : "selftest", kensho_version);
	survives = o->dryrun != 0;
	at_fatal(cut_short);
	report_line(&boot_report, "cmdline");
	report_field(&boot_report, "text", "%s", b->info.cmdline);
	report_options(o);
}

static const char *framebuffer_kind(enum framebuffer_kind kind)
{
	switch (kind) {
	case FRAMEBUFFER_NONE:
		return "none";
	case FRAMEBUFFER_PIXEL:
		return "pixel";
	case FRAMEBUFFER_INDEXED:
		return "indexed";
	case FRAMEBUFFER_TEXT:
		return "text";
	}
	return "?";
}

static void report_framebuffer(const struct boot_framebuffer *fb)
{
	report_line(&boot_report, "framebuffer");
	report_field(&boot_report, "kind", "%s", framebuffer_kind(fb->kind));
	if (fb->kind == FRAMEBUFFER_NONE)
		return;
	report_field(&boot_report, "base", "0x%llx", fb->pa);
	report_field(&boot_report, "width", "%u", fb->width);
	report_field(&boot_report, "height", "%u", fb->height);
	report_field(&boot_report, "bpp", "%u", fb->bpp);
	report_field(&boot_report, "pitch", "%u", fb->pitch);
	if (fb->kind != FRAMEBUFFER_PIXEL)
		return;
	report_field(&boot_report, "red", "%u:%u", fb->red.pos, fb->red.size);
	report_field(&boot_report, "green", "%u:%u", fb->green.pos, fb->green.size);
	report_field(&boot_report, "blue", "%u:%u", fb->blue.pos, fb->blue.size);
}

/* NULL: a firmware's own number. */
static const char *range_type(u32 type)
{
	static const char *const name[] = { "?",   "ram",      "reserved", "acpi",
					    "nvs", "unusable", NULL,       "persistent" };

	if (type == E820_EFI_RUNTIME)
		return "efi-runtime";
	if (type == E820_EFI_MMIO)
		return "efi-mmio";
	if (type == E820_SOFT_RESERVED)
		return "specific-purpose";
	return type < ARRAY_SIZE(name) ? name[type] : NULL;
}

void report_map(const char *section, const struct e820_map *m)
{
	for (u32 i = 0; i < m->count; i++) {
		const struct e820_entry *e = &m->e[i];

		report_line(&boot_report, section);
		report_field(&boot_report, "base", "0x%llx", e->base);
		report_field(&boot_report, "end", "0x%llx", e->base + e->len);
		if (range_type(e->type) != NULL)
			report_field(&boot_report, "type", "%s", range_type(e->type));
		else
			report_field(&boot_report, "type", "%u", e->type);
	}
}

void report_loader(const struct boot_state *b)
{
	if (!report_is_open(&boot_report))
		return;
	report_line(&boot_report, "loader");
	report_field(&boot_report, "name", "%s", b->info.loader);
	report_field(&boot_report, "modules", "%u", b->info.module_count);
	report_framebuffer(&b->info.framebuffer);
	for (u32 i = 0; i < b->info.module_count; i++) {
		const struct boot_module *m = &b->info.module[i];

		report_line(&boot_report, "module");
		report_field(&boot_report, "index", "%u", i);
		report_field(&boot_report, "base", "0x%llx", m->start.v);
		report_field(&boot_report, "end", "0x%llx", m->start.v + m->len);
	}
	report_map("loader-map", &b->info.memory);
	report_break(&boot_report);
}

void report_firmware(const struct boot_state *b)
{
	const struct acpi_info *a = &b->acpi;

	if (!report_is_open(&boot_report))
		return;
	report_line(&boot_report, "firmware");
	report_field(&boot_report, "kind", "%s", b->info.efi.present ? "efi" : "bios");
	if (b->info.efi.present) {
		report_field(&boot_report, "bits", "%u", b->info.efi.is_64bit ? 64 : 32);
		report_field(&boot_report, "efi_descriptors", "%u", b->info.efi.map.count);
	}
	report_field(&boot_report, "rsdp", "%s", b->info.has_rsdp ? "yes" : "no");
	report_field(&boot_report, "rsdp_at", "0x%llx", b->rsdp_pa);
	for (u32 i = 0; i < a->table_count; i++) {
		report_line(&boot_report, "acpi-table");
		report_field(&boot_report, "signature", "%s", a->table[i].signature);
		report_field(&boot_report, "base", "0x%llx", a->table[i].pa);
		report_field(&boot_report, "bytes", "%u", a->table[i].len);
	}
	report_line(&boot_report, "acpi");
	report_field(&boot_report, "cpus", "%u", a->cpu_count);
	report_field(&boot_report, "bad_checksums", "%u", a->bad_checksums);
	report_field(&boot_report, "pm_timer_port", "0x%x", a->pm_tmr_port);
	report_field(&boot_report, "pm_timer_bits", "%u", a->pm_tmr_32bit ? 32 : 24);
	report_field(&boot_report, "hpet", "0x%llx", a->hpet_pa);
	report_field(&boot_report, "dmar", "%s", a->has_dmar ? "yes" : "no");
	report_field(&boot_report, "dmar_flags", "0x%x", a->dmar_flags);
	report_field(&boot_report, "pm1a_cnt", "0x%x", a->pm1a_cnt);
	report_field(&boot_report, "pm1b_cnt", "0x%x", a->pm1b_cnt);
	report_field(&boot_report, "reset_space", "0x%x", a->reset_space);
	report_field(&boot_report, "reset_addr", "0x%llx", a->reset_addr);
	report_field(&boot_report, "reset_value", "0x%x", a->reset_value);
	report_field(&boot_report, "s3", "%d", a->s3_slp_typ);
	report_field(&boot_report, "s5", "%d", a->s5_slp_typ);
	report_line(&boot_report, "acpi-notes");
	report_field(&boot_report, "unreadable", "%u", a->unreadable);
	report_field(&boot_report, "duplicate_cpus", "%u", a->duplicates);
	report_field(&boot_report, "wakeup_mailbox", "0x%llx", a->wakeup_mailbox);
	report_field(&boot_report, "ecam", "0x%llx", a->ecam_pa);
	report_break(&boot_report);
}

static bool find_place(const struct e820_map *m, const struct boot_state *b,
		       const struct e820_entry *e, u64 *at)
{
	return e820_find_high(m, &b->region_avoids, umax64(e->base, MIB(1)),
			      umin64(e->base + e->len, GIB(4)), b->region_bytes, MIB(2),
			      at) == ERR_NONE;
}

/* Every piece of RAM that could hold the region, with the highest place in each; memory that EFI
 * boot services used is the second choice. */
static void report_candidates(const struct boot_state *b)
{
	for (u32 i = 0; i < b->info.memory.count; i++) {
		const struct e820_entry *e = &b->info.memory.e[i];
		u64 end = umin64(e->base + e->len, GIB(4)), at;

		if (e->type != E820_RAM || end <= MIB(1) || e->base >= end)
			continue;
		report_line(&boot_report, "region-candidate");
		report_field(&boot_report, "base", "0x%llx", e->base);
		report_field(&boot_report, "end", "0x%llx", end);
		if (find_place(&b->info.memory_idle, b, e, &at)) {
			report_field(&boot_report, "fits_at", "0x%llx", at);
		} else if (find_place(&b->info.memory, b, e, &at)) {
			report_field(&boot_report, "fits_at", "0x%llx", at);
			report_field(&boot_report, "boot_services", "yes");
		} else {
			report_field(&boot_report, "fits_at", "nowhere");
		}
	}
}

void report_region(const struct boot_state *b)
{
	if (!report_is_open(&boot_report))
		return;
	report_candidates(b);
	for (u32 i = 0; i < b->region_avoids.count; i++) {
		report_line(&boot_report, "region-avoids");
		report_field(&boot_report, "base", "0x%llx", b->region_avoids.r[i].base);
		report_field(&boot_report, "end", "0x%llx",
			     b->region_avoids.r[i].base + b->region_avoids.r[i].len);
	}
	report_line(&boot_report, "region");
	report_field(&boot_report, "base", "0x%llx", b->region_base.v);
	report_field(&boot_report, "end", "0x%llx", b->region_base.v + b->region_bytes);
	report_field(&boot_report, "rule", "highest RAM below 4 GiB clear of what is in use");
	report_break(&boot_report);
}

void report_platform(const struct boot_state *b)
{
	const struct tsc_sources *s = &b->tsc_sources;
	u64 adjust;

	if (!report_is_open(&boot_report))
		return;
	report_line(&boot_report, "serial");
	report_field(&boot_report, "com1", "%s", console_com1());
	report_field(&boot_report, "com2", "%s", console_com2());
	report_line(&boot_report, "iommu");
	report_field(&boot_report, "units", "%u", b->acpi.dmar_units);
	report_field(&boot_report, "translating", "%u", b->iommu.translating);
	report_field(&boot_report, "remapping_interrupts", "%u", b->iommu.remapping_interrupts);
	report_line(&boot_report, "lapic");
	report_field(&boot_report, "id", "%u", this_cpu()->apic_id);
	report_field(&boot_report, "mode", "%s", this_cpu()->x2apic ? "x2apic" : "xapic");
	report_field(&boot_report, "locked", "%s", lapic_is_locked() ? "yes" : "no");
	report_line(&boot_report, "tsc");
	report_field(&boot_report, "cpuid_hz", "%llu", s->cpuid_hz);
	report_field(&boot_report, "measured_hz", "%llu", s->measured_hz);
	report_field(&boot_report, "measured_by", "%s", s->measured_by);
	report_field(&boot_report, "error_ppm", "%u", s->error_ppm);
	report_field(&boot_report, "used_hz", "%llu", b->tsc.tsc_hz);
	report_field(&boot_report, "deviation_ppm", "%llu", b->tsc.deviation_ppm);
	report_field(&boot_report, "tolerance_ppm", "%u", s->tolerance_ppm);
	report_field(&boot_report, "cpuid_trusted", "%s", b->tsc.cpuid_trusted ? "yes" : "no");
	report_field(&boot_report, "invariant", "%s",
		     (cpuid_if(CPUID_LEAF_EXT_POWER, 0).d & CPUID80000007_EDX_INVARIANT_TSC) != 0
			     ? "yes"
			     : "no");
	if (tsc_adjust_read(&adjust) == ERR_NONE)
		report_field(&boot_report, "adjust", "%lld", (s64)adjust);
	else
		report_field(&boot_report, "adjust", "absent");
	report_line(&boot_report, "clock");
	report_field(&boot_report, "unix", "%llu", b->wall_s);
	report_break(&boot_report);
}

void report_end(void)
{
	report_close(&boot_report, true);
	at_fatal(NULL);
}

void report_end_dry_run(void)
{
	report_end();
	wrap_text("dry run: nothing was started; " HOW_TO_SEND ". Then reset the machine", print);
	report_end_result();
}

void report_end_result(void)
{
	report_result(&boot_report);
	console_flush();
	hw_halt();
}
