/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * EPT tables: map, unmap, split, walk. Pure; the caller holds the lock and invalidates.
 *
 * Spec: SDM Vol. 3C, "The Extended Page Table Mechanism (EPT)".
 */
#include "core/mem/ept.h"

#include "arch/x86/defs/paging.h"
#include "core/diag/panic.h"
#include "core/hw.h"
#include "core/mem/page_alloc.h"

#define EPT_LEVELS 4u

static u32 level_shift(u32 level)
{
	return PAGE_SHIFT + PT_INDEX_BITS * (level - 1);
}

static bool is_present(u64 entry)
{
	return (entry & EPT_RWX) != 0;
}

static bool is_leaf(u64 entry, u32 level)
{
	return level == 1 || (entry & EPT_PS) != 0;
}

static u64 *entry_table(u64 entry)
{
	return hw_phys_to_virt(hpa(entry & EPT_ADDR));
}

static u64 *table_alloc(struct ept *e)
{
	u64 *table = page_alloc();

	if (table != NULL)
		e->pages++;
	return table;
}

/*
 * Until it executes INVEPT another CPU may still walk this table through its paging-structure
 * caches (SDM "Caching Translation Information"). So the page keeps its entries and is not reused
 * before that. Only entry 0 is replaced, by the list link: an aligned address, hence not present.
 */
static void table_free(struct ept *e, u64 entry, u32 level)
{
	u64 *table = entry_table(entry);

	for (u32 i = 0; level > 1 && i < PT_ENTRIES; i++) {
		if (is_present(table[i]) && !is_leaf(table[i], level))
			table_free(e, table[i], level - 1);
	}
	WRITE_ONCE(table[0], (u64)(uintptr_t)e->freed);
	e->freed = table;
	e->pages--;
}

u64 *ept_take_freed(struct ept *e)
{
	u64 *list;

	spin_lock(&e->lock);
	list = e->freed;
	e->freed = NULL;
	spin_unlock(&e->lock);
	return list;
}

void ept_release_freed(u64 *list)
{
	while (list != NULL) {
		u64 *next = (u64 *)(uintptr_t)list[0];

		page_free(list);
		list = next;
	}
}

err_t ept_init(struct ept *e, bool has_1g, bool has_2m, bool has_ad, u32 mem_type_wb)
{
	*e = (struct ept){ .has_1g = has_1g && has_2m, .has_2m = has_2m, .has_ad = has_ad };
	e->root = table_alloc(e);
	if (e->root == NULL)
		return ERR_NOMEM;
	e->eptp = (hw_virt_to_phys(e->root).v & EPTP_ADDR) |
		  FIELD_PREP(EPTP_MT, mem_type_wb != 0 ? MT_WB : MT_UC) |
		  FIELD_PREP(EPTP_WALK, EPTP_WALK_4) | (has_ad ? EPTP_AD : 0);
	return ERR_NONE;
}

/* Split *@slot, an entry of @level: it then points to a table that maps the same. */
static err_t slot_to_table(struct ept *e, u64 *slot, u32 level)
{
	u64 old = *slot;
	u64 *table;

	if (is_present(old) && !is_leaf(old, level))
		return ERR_NONE;
	table = table_alloc(e);
	if (table == NULL)
		return ERR_NOMEM;
	if (is_present(old)) {
		u64 step = BIT64(level_shift(level - 1));

		if (level == 2)
			old &= ~EPT_PS;
		for (u32 i = 0; i < PT_ENTRIES; i++)
			table[i] = old + i * step;
	}
	WRITE_ONCE(*slot, hw_virt_to_phys(table).v | EPT_RWX);
	return ERR_NONE;
}

/* Write the entry of @gpa at @level; 0 unmaps. Frees the tables it replaces. */
static err_t slot_set(struct ept *e, u64 gpa, u32 level, u64 entry)
{
	u64 *table = e->root;
	u64 *slot;
	u64 old;

	for (u32 l = EPT_LEVELS; l > level; l--) {
		slot = &table[pt_index(gpa, l)];
		if (entry == 0 && !is_present(*slot))
			return ERR_NONE;
		TRY(slot_to_table(e, slot, l));
		table = entry_table(*slot);
	}
	slot = &table[pt_index(gpa, level)];
	old = *slot;
	WRITE_ONCE(*slot, entry);
	if (is_present(old) && !is_leaf(old, level))
		table_free(e, old, level - 1);
	return ERR_NONE;
}

/* Level of the largest page that can start the mapping [gpa, gpa+len) -> hpa. */
static u32 largest_level(const struct ept *e, u64 gpa, u64 hpa, u64 len)
{
	if (e->has_1g && IS_ALIGNED(gpa | hpa, PAGE_SIZE_1G) && len >= PAGE_SIZE_1G)
		return 3;
	if (e->has_2m && IS_ALIGNED(gpa | hpa, PAGE_SIZE_2M) && len >= PAGE_SIZE_2M)
		return 2;
	return 1;
}

err_t ept_map(struct ept *e, gpa_t gpa, hpa_t hpa, u64 len, u64 perms, u8 type)
{
	ASSERT(IS_ALIGNED(gpa.v | hpa.v | len, PAGE_SIZE));
	ASSERT((perms & EPT_R) && !(perms & ~EPT_RWX)); /* write-only is a misconfiguration */

	while (len != 0) {
		u32 level = largest_level(e, gpa.v, hpa.v, len);
		u64 size = BIT64(level_shift(level));

		TRY(slot_set(e, gpa.v, level,
			     hpa.v | perms | FIELD_PREP(EPT_MT, type) | (level > 1 ? EPT_PS : 0)));
		gpa.v += size;
		hpa.v += size;
		len -= size;
	}
	return ERR_NONE;
}

err_t ept_unmap(struct ept *e, gpa_t gpa, u64 len)
{
	ASSERT(IS_ALIGNED(gpa.v | len, PAGE_SIZE));
	while (len != 0) {
		u32 level = largest_level(e, gpa.v, 0, len);
		u64 size = BIT64(level_shift(level));

		TRY(slot_set(e, gpa.v, level, 0));
		gpa.v += size;
		len -= size;
	}
	return ERR_NONE;
}

bool ept_is_built(const struct ept *e, gpa_t gpa)
{
	u64 entry = e->root[pt_index(gpa.v, EPT_LEVELS)];

	return is_present(entry) && is_present(entry_table(entry)[pt_index(gpa.v, 3)]);
}

u64 ept_next_gib(const struct ept *e, u64 at)
{
	u64 span = BIT64(level_shift(EPT_LEVELS));

	while (at < e->top && !ept_is_built(e, gpa(at)))
		at += is_present(e->root[pt_index(at, EPT_LEVELS)]) ? PAGE_SIZE_1G
								    : span - (at & (span - 1));
	return at;
}

/* A table per 512 GiB would add up, too: the last GiB takes its own with it. */
void ept_unmap_gib(struct ept *e, gpa_t gpa)
{
	const u64 *table = entry_table(e->root[pt_index(gpa.v, EPT_LEVELS)]);
	err_t err = slot_set(e, gpa.v, 3, 0);

	for (u32 i = 0; err == ERR_NONE && i < PT_ENTRIES; i++) {
		if (is_present(table[i]))
			return;
	}
	if (err == ERR_NONE)
		err = slot_set(e, gpa.v, EPT_LEVELS, 0);
	ASSERT(err == ERR_NONE); /* nothing is split */
}

struct ept_leaf ept_walk(const struct ept *e, gpa_t gpa)
{
	const u64 *table = e->root;

	if (gpa.v >> level_shift(EPT_LEVELS + 1) != 0)
		return (struct ept_leaf){ .size = 0 };
	for (u32 level = EPT_LEVELS; level >= 1; level--) {
		u64 entry = table[pt_index(gpa.v, level)];
		u64 size = BIT64(level_shift(level));

		if (!is_present(entry))
			break;
		if (is_leaf(entry, level)) {
			u64 page = entry & EPT_ADDR & ~(size - 1);

			return (struct ept_leaf){ .hpa = hpa(page | (gpa.v & (size - 1))),
						  .perms = entry & EPT_RWX,
						  .type = (u8)FIELD_GET(EPT_MT, entry),
						  .size = size };
		}
		table = entry_table(entry);
	}
	return (struct ept_leaf){ .size = 0 };
}
