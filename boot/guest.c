/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guest's image: roles of the modules, the plan and its execution; CPUs hidden from the guest.
 *
 * Context: boot CPU. Planning changes nothing; boot_load_guest() writes guest memory.
 */
#include "arch/x86/defs/paging.h"
#include "arch/x86/layout.h"
#include "arch/x86/paging.h"
#include "boot/load/bios_hook.h"
#include "boot/load/load.h"
#include "boot/report.h"
#include "boot/version.h"
#include "core/diag/log.h"
#include "core/diag/panic.h"
#include "core/hw.h"
#include "core/lib/bits.h"
#include "core/lib/fmt.h"
#include "core/lib/string.h"
#include "core/partition.h"
#include "core/vp/vp.h"
#include "drivers/console.h"
#include "drivers/uart16550.h"

extern const u8 disk_stub[], disk_stub_end[]; /* disk_stub.S */

extern const u8 demo_image[], demo_image_end[]; /* demo_blob.S */

static struct guest_image images[BOOT_MODULES_MAX];
static struct guest_image modules[BOOT_MODULES_MAX];
static struct load_plan plan;
static struct e820_busy busy;
static char loader[128];       /* the boot loader's name that the guest is told */
static struct e820_map memory; /* as the guest sees it */
static struct e820_map idle;   /* the same without what EFI boot services used */

static const struct guest_image *find_role(u32 count, enum module_role role)
{
	for (u32 i = 0; i < count; i++) {
		if (images[i].role == role)
			return &images[i];
	}
	return NULL;
}

/* Reserve what the guest's map reserves, too. False: too many ranges, so no preference. */
static bool find_idle(const struct boot_info *bi)
{
	idle = bi->memory_idle;
	for (u32 i = 0; i < memory.count; i++) {
		const struct e820_entry *e = &memory.e[i];

		if (e->type != E820_RAM &&
		    e820_reserve(&idle, e->base, e->len, e->type) != ERR_NONE)
			return false;
	}
	return true;
}

static struct bios_hook hook_of(const struct boot_state *b, const char *what)
{
	return (struct bios_hook){
		.what = what,
		.bios = &b->bios,
		.stub = disk_stub,
		.stub_len = (u32)(disk_stub_end - disk_stub),
	};
}

/* The machine's firmware boots the guest from the machine's disk. */
static void plan_disk(const struct boot_state *b)
{
	static struct e820_map told;
	struct disk_input in = { .memory = &memory, .hook = hook_of(b, "guest=disk0") };

	if (b->info.module_count != 0) {
		/* Cause (disk): two guests are named.
		 * Remedy: remove one of them. */
		boot_refuse("guest=disk0: the guest comes from the disk, but GRUB loaded %u "
			    "modules; do this: remove the module2 lines or the option",
			    b->info.module_count);
		return;
	}
	if (b->options.console == CONSOLE_ALL || b->options.console == CONSOLE_COM1)
		in.hook.com1 = UART_COM1;
	if (disk_plan(&in, &told, &plan) != ERR_NONE) {
		boot_refuse("%s", plan.why);
		return;
	}
	report_plan(NULL, 0, &plan);
	log_info("guest: %s; INT 15h and 12h are hooked at %llx, %u entries of the memory map",
		 plan.what, plan.rip, told.count);
}

static void find_images(const struct boot_info *bi)
{
	for (u32 i = 0; i < bi->module_count; i++) {
		images[i] = (struct guest_image){
			.data = hw_phys_to_virt(bi->module[i].start),
			.start = bi->module[i].start,
			.len = bi->module[i].len,
			.cmdline = bi->module[i].string,
		};
		/* Cause (loader): too many `module2` lines.
		 * Remedy: load fewer. */
		if (e820_busy_add(&busy, bi->module[i].start.v, bi->module[i].len) != ERR_NONE)
			fatal("too many modules; do this: load fewer");
	}
}

static bool use_modules(const struct boot_info *bi, struct load_input *in)
{
	char why[256];

	if (load_assign_roles(images, bi->module_count, why, sizeof(why)) != ERR_NONE) {
		report_plan(images, bi->module_count, NULL);
		boot_refuse("%s", why);
		return false;
	}
	in->kernel = find_role(bi->module_count, ROLE_KERNEL);
	in->initrd = find_role(bi->module_count, ROLE_INITRD);
	return true;
}

/* The built-in image, through the same loaders; GRUB's modules are its modules. */
static void use_demo(const struct boot_state *b, struct load_input *in)
{
	static struct guest_image demo = { .cmdline = "" };

	demo.data = demo_image;
	demo.start = hw_virt_to_phys(demo_image);
	demo.len = (u64)(demo_image_end - demo_image);
	in->kernel = &demo;
	if (b->options.guest != GUEST_DEMO)
		log_info("no guest: GRUB loaded no module, so the built-in demonstration guest "
			 "starts; for one of your own add a line \"module2 /path/vmlinuz <its "
			 "command line>\" after multiboot2 (and one for an initrd)");
}

/* Not inside the report: users send that around, and a command line may hold passwords and keys. */
static void log_cmdline(const struct guest_image *kernel)
{
	const char *text = kernel->cmdline[0] ? kernel->cmdline : "(empty)";

	if (report_is_open(&boot_report))
		text = "(not shown in a report)";
	log_info("guest command line: %s", text);
}

static void log_hook(void)
{
	if (plan.bios_hook != 0)
		log_info("guest: INT 15h and 12h are hooked at %llx: the BIOS hides the region",
			 plan.bios_hook);
	/* Cause (guest): the guest or option ROMs use the BIOS hook's memory; the boot goes on.
	 * Remedy: none if the guest does not call INT 15h; else link it at 1 MiB or above. */
	else if (plan.why[0] != '\0')
		log_warn("guest: INT 15h is not hooked, it shows the region as free RAM: %s",
			 plan.why);
}

void boot_plan_guest(const struct boot_state *b, const struct partition *p)
{
	const struct boot_info *bi = &b->info;
	const struct bios_hook hook = hook_of(b, "the BIOS");
	struct load_input in = {
		.hook = b->bios.is_present ? &hook : NULL,
		.memory = &memory,
		.busy = &busy,
		.rsdp_pa = b->rsdp_pa,
		.efi = &bi->efi,
		.loader = loader,
		.rsdp = bi->has_rsdp ? bi->rsdp : NULL,
		.rsdp_len = bi->rsdp_len,
		.screen = boot_guest_screen(bi),
		.passed = &bi->passed,
	};

	/*
	 * Keep GRUB's name in front: guests act on it. Xen drops the first word of its command line
	 * unless GRUB 2 loaded it, and GRUB did write that line.
	 */
	fmt_print(loader, sizeof(loader), "%s%sKensho %s", bi->loader,
		  bi->loader[0] != 0 ? ", " : "", kensho_version);
	e820_public(&p->memory, &memory);
	if (b->options.guest == GUEST_DISK0)
		return plan_disk(b);
	if (find_idle(bi))
		in.idle = &idle;
	find_images(bi);
	if (b->options.guest == GUEST_DEMO || bi->module_count == 0)
		use_demo(b, &in);
	else if (!use_modules(bi, &in))
		return;
	for (u32 i = 0; i < bi->module_count; i++) {
		if (&images[i] != in.kernel)
			modules[in.module_count++] = images[i];
	}
	in.module = modules;
	if (load_plan_guest(&in, &plan) != ERR_NONE) {
		report_plan(images, bi->module_count, NULL);
		boot_refuse("%s", plan.why);
		return;
	}
	report_plan(images, bi->module_count, &plan);
	log_info("guest: %s, %llu KiB, entry %llx", plan.what, in.kernel->len >> 10, plan.rip);
	log_hook();
	log_cmdline(in.kernel);
}

const struct load_plan *boot_load_guest(void)
{
	if (plan.cursor != NULL)
		console_cursor(&plan.cursor[0], &plan.cursor[1]);
	load_execute(&plan);
	return &plan;
}

static bool is_in_physmap(u64 pa, u64 len)
{
	if (pa + len > PHYSMAP_BYTES)
		return false; /* hw_phys_to_virt() would name something else of ours */
	for (u64 at = ALIGN_DOWN(pa, PAGE_SIZE); at < pa + len; at += PAGE_SIZE) {
		if (!paging_is_mapped((u64)(uintptr_t)hw_phys_to_virt(hpa(at))))
			return false;
	}
	return true;
}

u8 *boot_map_madt(const struct acpi_madt *madt)
{
	/* Some firmware keeps its tables in reserved memory, or outside its memory map. */
	if (!is_in_physmap(madt->pa, madt->len))
		return table_map(hpa(madt->pa), madt->len);
	return hw_phys_to_virt(hpa(madt->pa));
}

void boot_hide_cpus(const struct boot_state *b, const struct partition *p)
{
	static u32 ids[VP_MAX];
	const struct madt_keep keep = { .ids = ids, .count = p->vp_count };
	u32 hidden = 0;

	for (u32 i = 0; i < p->vp_count; i++)
		ids[i] = p->vp[i]->apic_id;
	for (u32 i = 0; i < b->acpi.madt_count; i++) {
		const struct acpi_madt *m = &b->acpi.madt[i];
		u8 *madt = boot_map_madt(m);

		/* Several are copies of each other: for the RSDT, and for the XSDT. */
		hidden = umax32(hidden, madt_count_others(madt, m->len, &keep));
		madt_disable_others(madt, m->len, &keep);
	}
	log_info("cpus: the guest gets %u; disabled in the MADT: %u", p->vp_count, hidden);
}
