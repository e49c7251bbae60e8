/* SPDX-License-Identifier: BSD-2-Clause */
/* The machine report, guest's part: memory map, EPT, CPUs, places of its images. Boot CPU, after
 * the partition was built. */
#include "arch/x86/defs/ept.h"
#include "arch/x86/defs/paging.h"
#include "arch/x86/percpu.h"
#include "boot/load/load.h"
#include "boot/report.h"
#include "core/lib/string.h"
#include "core/mem/ept.h"
#include "core/mem/ept_audit.h"
#include "core/partition.h"

/* Neighbouring EPT entries of one kind. */
struct ept_run {
	u64 base, end, perms;
	u8 type;
	bool identity, mapped;
	u32 pages[3]; /* 4 KiB, 2 MiB, 1 GiB */
};

static const char *type_name(u8 type)
{
	switch (type) {
	case MT_UC:
		return "UC";
	case MT_WC:
		return "WC";
	case MT_WT:
		return "WT";
	case MT_WP:
		return "WP";
	case MT_WB:
		return "WB";
	default: /* a byte of an entry */
		return "?";
	}
}

static void report_run(const struct ept_run *r)
{
	report_line(&boot_report, "ept");
	report_field(&boot_report, "base", "0x%llx", r->base);
	report_field(&boot_report, "end", "0x%llx", r->end);
	if (!r->mapped) {
		report_field(&boot_report, "maps", "nothing");
		return;
	}
	report_field(&boot_report, "type", "%s", type_name(r->type));
	report_field(&boot_report, "perms", "%s%s%s", (r->perms & EPT_R) ? "r" : "-",
		     (r->perms & EPT_W) ? "w" : "-", (r->perms & EPT_X) ? "x" : "-");
	report_field(&boot_report, "maps", "%s", r->identity ? "itself" : "ones");
	report_field(&boot_report, "4k", "%u", r->pages[0]);
	report_field(&boot_report, "2m", "%u", r->pages[1]);
	report_field(&boot_report, "1g", "%u", r->pages[2]);
}

static bool same_kind(const struct ept_run *a, const struct ept_run *b)
{
	return a->mapped == b->mapped && a->perms == b->perms && a->type == b->type &&
	       a->identity == b->identity;
}

static struct ept_run run_at(const struct partition *p, u64 at)
{
	struct ept_leaf leaf = ept_walk(&p->ept, gpa(at));
	struct ept_run r = { .base = at, .mapped = leaf.size != 0 };

	if (!r.mapped) {
		r.end = at + PAGE_SIZE;
		return r;
	}
	r.end = ALIGN_DOWN(at, leaf.size) + leaf.size;
	r.perms = leaf.perms;
	r.type = leaf.type;
	r.identity = leaf.hpa.v == at && leaf.hpa.v != p->ones_page.v;
	r.pages[leaf.size == PAGE_SIZE ? 0 : leaf.size == PAGE_SIZE_2M ? 1 : 2] = 1;
	return r;
}

static void report_ept(struct partition *p)
{
	struct ept_run run = run_at(p, 0);
	struct ept_audit audit;

	while (run.end < p->ept.top) {
		struct ept_run next = run_at(p, run.end);

		if (!same_kind(&run, &next)) {
			report_run(&run);
			run = next;
			continue;
		}
		run.end = next.end;
		for (u32 i = 0; i < ARRAY_SIZE(run.pages); i++)
			run.pages[i] += next.pages[i];
	}
	report_run(&run);
	report_line(&boot_report, "ept-limits");
	report_field(&boot_report, "mapped_to", "0x%llx", p->ept.top);
	report_field(&boot_report, "on_access_to", "0x%llx", BIT64(p->machine.phys_bits));
	report_field(&boot_report, "phys_bits", "%u", p->machine.phys_bits);
	report_field(&boot_report, "tables", "%u", p->ept.pages);
	audit = ept_audit(p);
	report_line(&boot_report, "ept-audit");
	report_field(&boot_report, "result", "%s", audit.wrong != NULL ? "wrong" : "ok");
	if (audit.wrong != NULL) {
		report_field(&boot_report, "rule", "%s", audit.wrong);
		report_field(&boot_report, "at", "0x%llx", audit.gpa);
	}
	report_field(&boot_report, "tables", "%u", audit.tables);
	report_field(&boot_report, "leaves", "%llu",
		     audit.leaves[0] + audit.leaves[1] + audit.leaves[2]);
}

static void report_madt_cpu(const struct acpi_cpu *cpu, const char *why)
{
	report_line(&boot_report, "madt-cpu");
	report_field(&boot_report, "apic_id", "%u", cpu->apic_id);
	report_field(&boot_report, "entry", "%s", cpu->x2apic ? "x2apic" : "apic");
	report_field(&boot_report, "guest", "%s", why != NULL ? "no" : "yes");
	if (why != NULL)
		report_field(&boot_report, "why", "%s", why);
}

static void report_madt(u64 pa, u32 disabled, const struct madt_keep *keep)
{
	report_line(&boot_report, "madt");
	report_field(&boot_report, "base", "0x%llx", pa);
	report_field(&boot_report, "guest_cpus", "%u", keep->count);
	report_field(&boot_report, "disabled", "%u", disabled);
}

/* What boot_start_cpus() and boot_hide_cpus() would do, if every CPU answers. */
static void report_cpus(const struct boot_state *b, const struct partition *p)
{
	const struct acpi_info *a = &b->acpi;
	u32 own = this_cpu()->apic_id;
	static u32 ids[VP_MAX];
	struct madt_keep keep = { .ids = ids, .count = 1 };

	ids[0] = own;
	for (u32 i = 0; i < a->cpu_count; i++) {
		const struct acpi_cpu *cpu = &a->cpu[i];
		const char *why = NULL;

		if (cpu->apic_id != own) {
			why = boot_cpu_refusal(b, p, cpu, keep.count);
			if (why == NULL)
				ids[keep.count++] = cpu->apic_id;
		}
		report_madt_cpu(cpu, why);
	}
	for (u32 i = 0; i < a->madt_count; i++) {
		const struct acpi_madt *m = &a->madt[i];

		report_madt(m->pa, madt_count_others(boot_map_madt(m), m->len, &keep), &keep);
	}
	if (a->madt_count == 0)
		report_madt(0, 0, &keep);
}

void report_partition(const struct boot_state *b, struct partition *p, const struct boot_vmx *vmx)
{
	static struct e820_map memory;

	if (!report_is_open(&boot_report))
		return;
	report_decisions(vmx);
	report_line(&boot_report, "apic-mode");
	report_field(&boot_report, "physical_x2apic", "%s", p->machine.phys_x2apic ? "yes" : "no");
	report_field(&boot_report, "because", "%s", vmx->x2apic_why);
	e820_public(&p->memory, &memory);
	report_map("guest-map", &memory);
	report_ept(p);
	report_cpus(b, p);
	report_break(&boot_report);
}

static const char *mode_name(enum entry_mode mode)
{
	switch (mode) {
	case ENTRY_PROTECTED32:
		return "protected";
	case ENTRY_LONG64:
		return "long";
	case ENTRY_REAL16:
		return "real";
	}
	return "?";
}

static const char *role_name(enum module_role role)
{
	switch (role) {
	case ROLE_UNKNOWN:
		return "unknown";
	case ROLE_KERNEL:
		return "kernel";
	case ROLE_INITRD:
		return "initrd";
	case ROLE_MODULE:
		return "module";
	}
	return "?";
}

/* Source of a step of the plan: a module, a blob of the loader, or zeroes. */
static void report_source(const struct load_copy *c, const struct guest_image *images, u32 count)
{
	if (c->blob != NULL || c->len == 0) {
		report_field(&boot_report, "from", "%s", c->blob != NULL ? "loader" : "zeroes");
		return;
	}
	report_field(&boot_report, "from", "0x%llx", c->src);
	for (u32 i = 0; i < count; i++) {
		if (c->src >= images[i].start.v && c->src < images[i].start.v + images[i].len)
			report_field(&boot_report, "module", "%u", i);
	}
}

void report_plan(const struct guest_image *images, u32 count, const struct load_plan *plan)
{
	if (!report_is_open(&boot_report))
		return;
	for (u32 i = 0; i < count; i++) {
		report_line(&boot_report, "image");
		report_field(&boot_report, "index", "%u", i);
		report_field(&boot_report, "role", "%s", role_name(images[i].role));
		report_field(&boot_report, "bytes", "%llu", images[i].len);
		report_field(&boot_report, "cmdline_bytes", "%zu",
			     images[i].cmdline != NULL ? strlen(images[i].cmdline) : 0);
	}
	report_break(&boot_report);
	if (plan == NULL)
		return;
	for (u32 i = 0; i < plan->count; i++) {
		const struct load_copy *c = &plan->copy[i];

		report_line(&boot_report, "place");
		report_field(&boot_report, "base", "0x%llx", c->dst);
		report_field(&boot_report, "end", "0x%llx",
			     c->dst + c->len + c->zero_len + c->room);
		report_field(&boot_report, "copied", "%llu", c->len);
		report_field(&boot_report, "zeroed", "%llu", c->zero_len);
		report_field(&boot_report, "kept_free", "%llu", c->room);
		report_source(c, images, count);
	}
	report_line(&boot_report, "plan");
	report_field(&boot_report, "what", "%s", plan->what);
	report_field(&boot_report, "entry", "0x%llx", plan->rip);
	report_field(&boot_report, "mode", "%s", mode_name(plan->mode));
	report_field(&boot_report, "bios_hook", "0x%llx", plan->bios_hook);
	report_break(&boot_report);
}
