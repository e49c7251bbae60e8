/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The rules that every EPT entry must obey. Pure.
 *
 * Spec: SDM Vol. 3C, "EPT Misconfigurations"; design.md rules M1, M1b, M2, I8.
 */
#include "core/mem/ept_audit.h"

#include "arch/x86/defs/paging.h"
#include "core/diag/log.h"
#include "core/diag/panic.h"
#include "core/hw.h"
#include "core/lib/bits.h"
#include "core/mem/e820.h"
#include "core/mem/ept.h"
#include "core/mem/mtrr.h"
#include "core/partition.h"
#include "core/vp/vp.h"

#define EPT_LEVELS   4u
#define TABLE_LOW    GENMASK64(11, 3) /* of an entry that points to a table; A/D are for leaves */
#define APIC_WINDOW  0xfee00000ull
#define WINDOW_BYTES MIB(1)

struct audit {
	struct partition *p;
	struct ept_audit *out;
};

static bool overlaps(u64 a, u64 a_len, u64 b, u64 b_len)
{
	return a < b + b_len && b < a + a_len;
}

static void wrong(struct audit *a, const char *rule, u64 at, u64 entry)
{
	if (a->out->wrong != NULL)
		return;
	a->out->wrong = rule;
	a->out->gpa = at;
	a->out->entry = entry;
}

static const struct overlay *find_overlay(const struct partition *p, u64 at)
{
	struct overlay_at next = overlay_next(p, at);

	return next.gpa == at ? next.overlay : NULL;
}

/* The page holds memory that the guest may execute: RAM, ACPI tables, ROM below 1 MiB or flash. */
static bool is_executable(const struct partition *p, u64 at, u64 size)
{
	if (at >= 0xff000000 && at + size <= GIB(4))
		return true;
	if (overlaps(at, size, 0xa0000, 0x20000))
		return false;
	if (at < MIB(1) && at + size <= MIB(1))
		return true;
	for (u32 i = 0; i < p->memory.count; i++) {
		const struct e820_entry *e = &p->memory.e[i];

		if (overlaps(at, size, e->base, e->len) && e820_is_memory(&p->memory, e))
			return true;
	}
	return false;
}

static bool is_scratch(const struct partition *p, u64 page)
{
	for (u32 i = 0; i < p->scratch_count; i++) {
		if (p->scratch_pages[i].v == page)
			return true;
	}
	return page == p->scratch_page.v && page != 0;
}

/* The rules for a page that is not identity-mapped. */
static const char *overlay_rule(const struct partition *p, u64 at, u64 size, u64 entry)
{
	u64 page = entry & EPT_ADDR, perms = entry & EPT_RWX;
	bool shows_ones = at - p->region_base.v < p->region_len || at - APIC_WINDOW < WINDOW_BYTES;
	const struct overlay *o = find_overlay(p, at);

	if (size != PAGE_SIZE)
		return "a large page that is not identity-mapped";
	if (o != NULL && page != o->page.v)
		return "not the page of the overlay (invariant 6)";
	if (o != NULL)
		return perms == o->perms ? NULL : "not the permissions of the overlay";
	if ((perms & EPT_X) != 0)
		return "an overlay that the guest may execute";
	if (page == p->ones_page.v)
		return perms != EPT_R ? "the page of all-ones is writable"
		       : shows_ones   ? NULL
				      : "all-ones outside the region and the APIC window";
	if (!shows_ones)
		return "another page than the machine's";
	return is_scratch(p, page) ? NULL : "neither all-ones nor scratch memory (rules M1, I8)";
}

static const char *identity_rule(const struct partition *p, u64 at, u64 size, u64 entry)
{
	bool uniform = true;
	u8 type;

	if (overlaps(at, size, p->region_base.v, p->region_len))
		return "the hypervisor's region is mapped (rule M1)";
	if (overlaps(at, size, APIC_WINDOW, WINDOW_BYTES))
		return "the physical APIC is mapped (rule I8)";
	if ((entry & EPT_X) != 0 && !is_executable(p, at, size))
		return "device memory is executable (rule M1b)";
	type = mtrr_type(mtrr_applied(), at, size, &uniform);
	if (!uniform)
		return "a page has several memory types (rule M2)";
	return FIELD_GET(EPT_MT, entry) == type ? NULL
						: "not the memory type of the MTRRs (rule M2)";
}

static const char *leaf_rule(const struct partition *p, u64 at, u32 level, u64 entry)
{
	u64 size = BIT64(PAGE_SHIFT + PT_INDEX_BITS * (level - 1));
	u64 page = entry & EPT_ADDR & ~(size - 1);
	u64 type = FIELD_GET(EPT_MT, entry);

	if ((entry & EPT_R) == 0)
		return "misconfigured: not readable";
	if (type == 2 || type == 3 || type > MT_WB)
		return "misconfigured: reserved memory type";
	if ((entry & EPT_ADDR & (size - 1)) != 0)
		return "misconfigured: reserved address bits";
	if ((entry & EPT_IPAT) != 0)
		return "the guest's PAT is ignored";
	if (at >> p->machine.phys_bits != 0)
		return "beyond the machine's addresses";
	if (page != at || page == p->ones_page.v || is_scratch(p, page))
		return overlay_rule(p, at, size, entry);
	return identity_rule(p, at, size, entry);
}

static void walk(struct audit *a, const u64 *table, u32 level, u64 base)
{
	u64 span = BIT64(PAGE_SHIFT + PT_INDEX_BITS * (level - 1));

	a->out->tables++;
	for (u32 i = 0; i < PT_ENTRIES; i++) {
		u64 entry = table[i], at = base + i * span;
		const char *rule = NULL;

		if ((entry & EPT_RWX) == 0)
			continue;
		if (level == 1 || ((entry & EPT_PS) != 0 && level < EPT_LEVELS))
			rule = leaf_rule(a->p, at, level, entry);
		else if ((entry & TABLE_LOW & ~EPT_A) != 0 || (entry & EPT_RWX) != EPT_RWX)
			rule = "misconfigured: reserved bits of an entry that names a table";
		else
			walk(a, hw_phys_to_virt(hpa(entry & EPT_ADDR)), level - 1, at);
		if (level == 1 || (entry & EPT_PS) != 0)
			a->out->leaves[(level - 1) % ARRAY_SIZE(a->out->leaves)]++;
		if (rule != NULL)
			wrong(a, rule, at, entry);
	}
}

struct ept_audit ept_audit(struct partition *p)
{
	struct ept_audit out = { 0 };
	struct audit a = { .p = p, .out = &out };
	struct overlay_at o;

	spin_lock(&p->ept.lock);
	walk(&a, p->ept.root, EPT_LEVELS, 0);
	for (u64 at = 0; (o = overlay_next(p, at)).overlay != NULL; at = o.gpa + PAGE_SIZE) {
		struct ept_leaf leaf = ept_walk(&p->ept, gpa(o.gpa));

		if (o.overlay->perms != 0 && leaf.hpa.v != o.overlay->page.v)
			wrong(&a, "an overlay is not mapped", o.gpa, 0);
		if (o.overlay->perms == 0 && leaf.size != 0)
			wrong(&a, "an emulated page is mapped", o.gpa, 0);
	}
	if (out.tables != p->ept.pages)
		wrong(&a, "tables are lost or counted twice", 0, p->ept.pages);
	spin_unlock(&p->ept.lock);
	return out;
}

bool ept_audit_log(struct partition *p)
{
	struct ept_audit a = ept_audit(p);

	if (a.wrong != NULL)
		log_error("EPT audit: %s: guest-physical 0x%llx, entry 0x%llx", a.wrong, a.gpa,
			  a.entry);
	else
		log_info("EPT audit: %u tables, pages of 1 GiB %llu, 2 MiB %llu, 4 KiB %llu: all "
			 "as they should be",
			 a.tables, a.leaves[2], a.leaves[1], a.leaves[0]);
	return a.wrong == NULL;
}

void ept_audit_or_panic(struct partition *p)
{
	struct ept_audit a;

	if (likely(!p->config.ept_audit))
		return;
	a = ept_audit(p);
	if (a.wrong != NULL)
		panic("EPT audit: %s: guest-physical 0x%llx, entry 0x%llx", a.wrong, a.gpa,
		      a.entry);
}
