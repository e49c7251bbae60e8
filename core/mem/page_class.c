/* SPDX-License-Identifier: BSD-2-Clause */
/* See page_class.h. */
#include "core/mem/page_class.h"

#include "arch/x86/defs/paging.h"
#include "core/lib/bits.h"
#include "core/mem/ept.h"
#include "core/mem/overlay.h"
#include "core/partition.h"

#define EPT_ADDRESS_BITS 48u
#define EPT_RW           (EPT_R | EPT_W)

/* clang-format off */
const struct page_class page_class[PAGE_KINDS] = {
	[PAGE_RAM]      = { "RAM",              EPT_RWX, BACKING_SAME, ACCESS_REGISTER },
	[PAGE_FIRMWARE] = { "firmware memory",  EPT_RWX, BACKING_SAME, ACCESS_CPU },
	[PAGE_FAR]      = { "far memory",       EPT_RWX, BACKING_LATE, ACCESS_REGISTER },
	[PAGE_ROM]      = { "ROM",              EPT_RWX, BACKING_SAME, ACCESS_NEVER },
	[PAGE_DEVICE]   = { "device memory",    EPT_RW,  BACKING_SAME, ACCESS_NEVER }, /* rule M1b */
	[PAGE_REGION]   = { "the hypervisor",   EPT_R,   BACKING_ONES, ACCESS_ONES, true },
	[PAGE_WINDOW]   = { "the APIC window",  EPT_R,   BACKING_ONES, ACCESS_NEVER, true },
	[PAGE_EMULATED] = { "an emulated page", 0,       BACKING_NONE, ACCESS_NEVER },
	[PAGE_SCRATCH]  = { "a scratch page",   EPT_RW,  BACKING_OWN,  ACCESS_ONES },
	[PAGE_APIC]     = { "the APIC page",    EPT_RW,  BACKING_OWN,  ACCESS_NEVER },
	[PAGE_OVERLAY]  = { "an overlay",       EPT_RWX, BACKING_OWN,  ACCESS_CPU },
	[PAGE_ABSENT]   = { "nothing",          0,       BACKING_NONE, ACCESS_NEVER },
};
/* clang-format on */

/* Fixed by the architecture, whatever the memory map says. */
static const struct fixed {
	u64 base, end;
	enum page_kind kind;
} fixed[] = {
	{ 0x000a0000, 0x000c0000, PAGE_DEVICE }, /* VGA */
	{ 0xfec00000, 0xfee00000, PAGE_DEVICE }, /* I/O APIC, HPET, TPM */
	{ 0xfee00000, 0xfef00000, PAGE_WINDOW },
	{ 0xff000000, 0x100000000, PAGE_ROM },
};

struct search {
	u64 at, unit; /* extents are widened to multiples of @unit */
	u64 limit;    /* nothing changes below */
};

static bool holds(struct search *s, u64 base, u64 end)
{
	base = ALIGN_DOWN(base, s->unit);
	end = ALIGN_UP(end, s->unit);
	if (s->at >= base && s->at < end) {
		s->limit = umin64(s->limit, end);
		return true;
	}
	if (base > s->at)
		s->limit = umin64(s->limit, base);
	return false;
}

static const struct e820_entry *find_entry(const struct partition *p, struct search *s)
{
	for (u32 i = 0; i < p->memory.count; i++) {
		const struct e820_entry *e = &p->memory.e[i];

		if (holds(s, e->base, e->base + e->len))
			return e;
	}
	return NULL;
}

/* @e: NULL: the memory map lists nothing there. */
static enum page_kind listed_kind(const struct partition *p, const struct e820_entry *e, bool low)
{
	if (e == NULL)
		return low ? PAGE_ROM : PAGE_DEVICE; /* BIOS code there may be in no map */
	if (e->type == E820_RAM)
		return PAGE_RAM;
	if (e->type == E820_ACPI || e->type == E820_NVS || e->type == E820_EFI_RUNTIME)
		return PAGE_FIRMWARE;
	if (low)
		return e->type == E820_RESERVED ? PAGE_FIRMWARE : PAGE_ROM;
	return e820_is_memory(&p->memory, e) ? PAGE_ROM : PAGE_DEVICE;
}

u64 page_address_limit(const struct partition *p)
{
	return BIT64(umin32(p->machine.phys_bits, EPT_ADDRESS_BITS));
}

static enum page_kind ground_at(const struct partition *p, struct search *s)
{
	const struct e820_entry *e;

	if (s->at >= s->limit) {
		s->limit = ~0ull;
		return PAGE_ABSENT;
	}
	if (holds(s, p->region_base.v, p->region_base.v + p->region_len))
		return PAGE_REGION;
	for (u32 i = 0; i < p->range_count; i++) {
		if (holds(s, p->ranges[i].base, p->ranges[i].end))
			return p->ranges[i].kind;
	}
	for (u32 i = 0; i < ARRAY_SIZE(fixed); i++) {
		if (holds(s, fixed[i].base, fixed[i].end))
			return fixed[i].kind;
	}
	(void)holds(s, MIB(1), MIB(1));
	e = find_entry(p, s);
	return listed_kind(p, e, s->at < MIB(1));
}

enum page_kind page_ground_at(const struct partition *p, u64 at, u64 *end)
{
	struct search s = { .at = at, .unit = PAGE_SIZE, .limit = page_address_limit(p) };
	enum page_kind kind = ground_at(p, &s);

	*end = s.limit;
	return kind;
}

enum page_kind page_kind_at(const struct partition *p, u64 at, u64 *end)
{
	struct search s = { .at = at, .unit = 1, .limit = page_address_limit(p) };
	struct overlay_at o = overlay_next(p, at);
	enum page_kind kind = ground_at(p, &s);

	if (o.overlay != NULL && at >= o.gpa) {
		*end = o.gpa + PAGE_SIZE;
		return o.overlay->kind;
	}
	*end = umin64(s.limit, o.gpa);
	if (page_class[kind].backing != BACKING_ONES)
		return kind;
	*end = umin64(*end, ALIGN_DOWN(at, PAGE_SIZE) + PAGE_SIZE);
	if (p->ept.root != NULL && (ept_walk(&p->ept, gpa(at)).perms & EPT_W) != 0)
		return PAGE_SCRATCH;
	return kind;
}

bool page_is(const struct partition *p, u64 at, enum page_kind kind)
{
	u64 end;

	return page_kind_at(p, at, &end) == kind;
}
