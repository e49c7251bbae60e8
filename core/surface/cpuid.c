/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * CPUID registry: rows are merged, evaluated against the host once, and put into a direct index.
 * Context: registration on the boot CPU before the first VP; queries on the VP's own CPU.
 */
#include "core/surface/cpuid.h"

#include "core/diag/log.h"
#include "core/hw.h"
#include "core/lib/bits.h"
#include "core/lib/string.h"
#include "core/surface/cpuid_internal.h"
#include "core/surface/misc_enable.h"
#include "core/vp/vp.h"

/* There is one partition. A partition without a table (tests) starts afresh. */
static struct cpuid_table the_cpuid_table;

static struct cpuid_table *table_of(struct partition *p)
{
	if (p->cpuid == NULL) {
		memset(&the_cpuid_table, 0, sizeof(the_cpuid_table));
		p->cpuid = &the_cpuid_table;
	}
	return p->cpuid;
}

static const char *row_name(const struct cpuid_row *row)
{
	return row->name != NULL ? row->name : "?";
}

static bool slots_overlap(const struct cpuid_slot *s, u32 leaf, u32 subleaf)
{
	return s->leaf == leaf &&
	       (s->row->subleaf == subleaf || s->row->subleaf == CPUID_ANY || subleaf == CPUID_ANY);
}

static err_t add_row(struct cpuid_table *t, u32 leaf, const struct cpuid_row *row)
{
	for (u32 i = 0; i < t->count; i++) {
		if (slots_overlap(&t->slot[i], leaf, row->subleaf)) {
			log_error("CPUID leaf 0x%x is claimed by %s and by %s", leaf,
				  row_name(t->slot[i].row), row_name(row));
			return ERR_BUSY;
		}
	}
	if (t->count == CPUID_ROWS_MAX)
		return ERR_NOMEM;
	t->slot[t->count++] = (struct cpuid_slot){ .row = row, .leaf = leaf };
	return ERR_NONE;
}

err_t cpuid_add_rows(struct partition *p, u32 base, const struct cpuid_row *rows, u32 n)
{
	struct cpuid_table *t = table_of(p);

	if (t->sealed)
		return ERR_BUSY;
	for (u32 i = 0; i < n; i++)
		TRY(add_row(t, base + rows[i].leaf, &rows[i]));
	return ERR_NONE;
}

/* The row has a bit, or somebody who does not share it. */
static bool is_taken(const struct cpuid_slot *s, const struct cpuid_regs *bits,
		     const struct cpuid_regs *shared)
{
#define TAKEN(r) (bits->r & (s->row->set.r | (s->bits.r & ~(s->shared.r & shared->r))))
	return (TAKEN(a) | TAKEN(b) | TAKEN(c) | TAKEN(d)) != 0;
#undef TAKEN
}

static void add_regs(struct cpuid_regs *to, const struct cpuid_regs *r)
{
	to->a |= r->a;
	to->b |= r->b;
	to->c |= r->c;
	to->d |= r->d;
}

err_t cpuid_add_bits(struct partition *p, u32 leaf, const struct cpuid_regs *bits,
		     const struct cpuid_regs *shared, const char *name)
{
	struct cpuid_table *t = table_of(p);

	if (t->sealed)
		return ERR_BUSY;
	for (u32 i = 0; i < t->count; i++) {
		struct cpuid_slot *s = &t->slot[i];

		if (!slots_overlap(s, leaf, 0))
			continue;
		if (is_taken(s, bits, shared)) {
			log_error("CPUID leaf 0x%x: a bit of %s is taken", leaf, name);
			return ERR_BUSY;
		}
		add_regs(&s->bits, bits);
		add_regs(&s->shared, shared);
		return ERR_NONE;
	}
	log_error("CPUID leaf 0x%x of %s has no row", leaf, name);
	return ERR_NOENT;
}

/* Insertion sort: a hundred rows, mostly in order already. */
static void sort_slots(struct cpuid_table *t)
{
	for (u32 i = 1; i < t->count; i++) {
		struct cpuid_slot s = t->slot[i];
		u32 j = i;

		while (j > 0 && (t->slot[j - 1].leaf > s.leaf ||
				 (t->slot[j - 1].leaf == s.leaf &&
				  t->slot[j - 1].row->subleaf > s.row->subleaf))) {
			t->slot[j] = t->slot[j - 1];
			j--;
		}
		t->slot[j] = s;
	}
}

/* Never ask for a leaf that the CPU lacks: it would answer with another leaf's data. */
static bool host_has_leaf(const struct cpuid_table *t, u32 leaf)
{
	switch (leaf >> CPUID_CLASS_SHIFT) {
	case 0:
		return leaf <= t->host_max_basic;
	case 2:
		return leaf <= t->host_max_ext;
	default: /* hypervisor leaves are never the host's */
		return false;
	}
}

static void evaluate(const struct partition *p, const struct cpuid_table *t, struct cpuid_slot *s)
{
	const struct cpuid_row *row = s->row;
	struct cpuid_regs host = { 0 };
	u32 subleaf = row->subleaf == CPUID_ANY ? 0 : row->subleaf;

	if (host_has_leaf(t, s->leaf))
		hw_cpuid(s->leaf, subleaf, &host);
	s->regs.a = (host.a & row->keep.a) | row->set.a | s->bits.a;
	s->regs.b = (host.b & row->keep.b) | row->set.b | s->bits.b;
	s->regs.c = (host.c & row->keep.c) | row->set.c | s->bits.c;
	s->regs.d = (host.d & row->keep.d) | row->set.d | s->bits.d;
	if (row->init != NULL)
		row->init(p, s->leaf, subleaf, &s->regs);
}

static struct cpuid_entry *entry_for_write(struct cpuid_table *t, u32 leaf)
{
	u32 offset = CPUID_OFFSET(leaf);

	switch (leaf >> CPUID_CLASS_SHIFT) {
	case 0:
		return offset < CPUID_BASIC_LEAVES ? &t->basic[offset] : NULL;
	case 1:
		return offset < CPUID_HYP_LEAVES ? &t->hyp[offset] : NULL;
	case 2:
		return offset < CPUID_EXT_LEAVES ? &t->ext[offset] : NULL;
	default: /* 0xc0000000: another vendor's */
		return NULL;
	}
}

err_t cpuid_seal(struct partition *p)
{
	struct cpuid_table *t = table_of(p);
	struct cpuid_regs r;

	hw_cpuid(0, 0, &r);
	t->host_max_basic = r.a;
	hw_cpuid(CPUID_LEAF_EXT_MAX, 0, &r);
	t->host_max_ext = r.a >= CPUID_LEAF_EXT_MAX ? r.a : 0;
	sort_slots(t);
	for (u32 i = 0; i < t->count; i++) {
		struct cpuid_slot *s = &t->slot[i];
		struct cpuid_entry *e = entry_for_write(t, s->leaf);

		if (e == NULL) {
			log_error("CPUID leaf 0x%x of %s is outside the table", s->leaf,
				  row_name(s->row));
			return ERR_RANGE;
		}
		evaluate(p, t, s);
		e->regs = s->regs;
		if (s->row->subleaf == CPUID_ANY && s->row->fn == NULL)
			continue;
		if (e->rows == 0)
			e->first = (u16)i;
		e->rows++;
	}
	t->range[0].entry = t->basic;
	t->basic_count = umin32(t->basic[0].regs.a + 1, CPUID_BASIC_LEAVES);
	t->range[0].count = t->basic_count;
	t->range[1].entry = t->hyp;
	t->range[1].count = CPUID_HYP_LEAVES;
	t->range[2].entry = t->ext;
	if (t->ext[0].regs.a >= CPUID_LEAF_EXT_MAX)
		t->range[2].count = umin32(CPUID_OFFSET(t->ext[0].regs.a) + 1, CPUID_EXT_LEAVES);
	t->sealed = true;
	return ERR_NONE;
}

void cpuid_limit_changed(struct partition *p)
{
	struct cpuid_table *t = p->cpuid;
	bool limited = false;

	spin_lock(&p->lock);
	for (u32 i = 0; i < p->vp_count; i++)
		limited |= misc_enable_differs(p->vp[i], MISC_ENABLE_LIMIT_CPUID);
	/* Other VPs may miss the change: both paths have the same answer for them. */
	WRITE_ONCE(t->range[0].count, limited ? 0 : t->basic_count);
	spin_unlock(&p->lock);
}

static const struct cpuid_slot *slot_by_subleaf(const struct cpuid_table *t,
						const struct cpuid_entry *e, u32 subleaf)
{
	for (u32 i = e->first; i < (u32)e->first + e->rows; i++) {
		u32 s = t->slot[i].row->subleaf;

		if (s == subleaf || s == CPUID_ANY)
			return &t->slot[i];
	}
	return NULL;
}

/* SDM: with IA32_MISC_ENABLE[22] set, "CPUID.00H returns a maximum value in EAX[7:0] of 2". */
static bool is_limited(const struct vp *vp)
{
	return vp != NULL && misc_enable_differs(vp, MISC_ENABLE_LIMIT_CPUID);
}

/*
 * SDM "CPUID - CPU Identification": a basic or extended leaf above the maximum answers as the
 * highest basic leaf does. Hypervisor leaves are ours: 0.
 */
static u32 effective_leaf(const struct cpuid_table *t, const struct vp *vp, u32 leaf)
{
	u32 class = leaf >> CPUID_CLASS_SHIFT;
	u32 basic = is_limited(vp) ? CPUID_LIMIT_MAX + 1 : t->basic_count;

	if (class == 1)
		return leaf;
	if (CPUID_OFFSET(leaf) < (class == 0 ? basic : t->range[class].count))
		return leaf;
	return basic != 0 ? basic - 1 : 0;
}

/* cpuid_entry_of() with the basic leaves that it leaves out while a VP is limited. */
static const struct cpuid_entry *entry_of(const struct cpuid_table *t, u32 leaf)
{
	return leaf < t->basic_count ? &t->basic[leaf] : cpuid_entry_of(t, leaf);
}

static struct cpuid_regs query(const struct cpuid_table *t, const struct vp *vp, u32 leaf,
			       u32 subleaf)
{
	const struct cpuid_entry *e;
	const struct cpuid_slot *s;
	struct cpuid_regs r;

	leaf = effective_leaf(t, vp, leaf);
	e = entry_of(t, leaf);
	if (e == NULL)
		return (struct cpuid_regs){ 0 };
	if (e->rows == 0) {
		r = e->regs;
		if (leaf == CPUID_LEAF_VENDOR && is_limited(vp))
			r.a = CPUID_LIMIT_MAX;
		return r;
	}
	s = slot_by_subleaf(t, e, subleaf);
	if (s == NULL)
		return (struct cpuid_regs){ 0 };
	r = s->regs;
	if (vp != NULL && s->row->fn != NULL)
		s->row->fn(vp, leaf, subleaf, &r);
	return r;
}

void cpuid_query(const struct vp *vp, u32 leaf, u32 subleaf, struct cpuid_regs *out)
{
	*out = query(vp->partition->cpuid, vp, leaf, subleaf);
}

struct cpuid_regs cpuid_base(const struct partition *p, u32 leaf, u32 subleaf)
{
	if (p->cpuid == NULL || !p->cpuid->sealed)
		return (struct cpuid_regs){ 0 };
	return query(p->cpuid, NULL, leaf, subleaf);
}
