/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * LDTR and the segment registers of a new task: a table of checks in the SDM's order. VP's CPU,
 * with its VMCS current.
 *
 * Spec: SDM Vol. 3A, "Task Switching", table "Exception Conditions Checked During a Task Switch".
 *
 * SPEC-GAP: step 5 wants the descriptors to be paged in before the commit point. We read them after
 * it, through the new task's page tables, so a #PF comes in the new task's context: it must be able
 * to handle that anyway if CR3 changed.
 */
#include "core/task/task_internal.h"

#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/seg.h"
#include "arch/x86/defs/vector.h"
#include "arch/x86/defs/vmcs.h"
#include "core/hw.h"
#include "core/vp/vp.h"

#define AR_FLAT_CODE (AR_G | AR_DB | AR_P | AR_S | 0xbu)
#define AR_V86       (AR_P | AR_S | AR_DPL | 0x3u)
#define CPL_USER     3u

struct loading {
	const struct task_switching *t;
	struct segment seg[SEG_LDTR + 1];
	u32 cpl;
};

/* --- The checks. Each returns true when the segment passes. --- */

static bool ldt_is_valid(const struct segment *s, u32 cpl)
{
	return selector_is_null(s->selector) ||
	       FIELD_GET(DESC_S | DESC_TYPE, s->desc) == DESC_TYPE_LDT;
}

static bool ldt_is_present(const struct segment *s, u32 cpl)
{
	return selector_is_null(s->selector) || segment_is_present(s);
}

/* Anything but a code segment fails later, at cs_is_valid(). */
static bool cs_privilege_fits(const struct segment *s, u32 cpl)
{
	return !segment_is_code(s) || segment_runs_at(s, segment_rpl(s));
}

static bool cs_is_valid(const struct segment *s, u32 cpl)
{
	return segment_is_code(s);
}

static bool ss_is_valid(const struct segment *s, u32 cpl)
{
	return segment_is_stack(s);
}

static bool dpl_is_cpl(const struct segment *s, u32 cpl)
{
	return segment_dpl(s) == cpl;
}

static bool dpl_is_rpl(const struct segment *s, u32 cpl)
{
	return segment_dpl(s) == segment_rpl(s);
}

static bool is_present(const struct segment *s, u32 cpl)
{
	return segment_is_present(s);
}

static bool data_is_readable(const struct segment *s, u32 cpl)
{
	return segment_is_readable(s);
}

struct check {
	bool (*passes)(const struct segment *s, u32 cpl);
	u8 seg;
	u8 vector;
};

/* clang-format off */
static const struct check checks[] = {
	{ ldt_is_valid,      SEG_LDTR, EXC_TS },
	{ cs_privilege_fits, SEG_CS,   EXC_TS },
	{ ss_is_valid,       SEG_SS,   EXC_TS },
	{ is_present,        SEG_SS,   EXC_SS },
	{ dpl_is_cpl,        SEG_SS,   EXC_TS },
	{ ldt_is_present,    SEG_LDTR, EXC_TS },
	{ cs_is_valid,       SEG_CS,   EXC_TS },
	{ is_present,        SEG_CS,   EXC_NP },
	{ dpl_is_rpl,        SEG_SS,   EXC_TS },
};

/* For each of DS, ES, FS and GS that is not null. */
static const struct check data_checks[] = {
	{ data_is_readable,  0, EXC_TS },
	{ is_present,        0, EXC_NP },
	{ segment_opens_to,  0, EXC_TS },
};
/* clang-format on */

/* The first check of @seg that fails; NULL: none does. */
static const struct check *first_failure(const struct loading *l, u32 seg)
{
	for (size_t i = 0; i < ARRAY_SIZE(checks); i++) {
		if (checks[i].seg == seg && !checks[i].passes(&l->seg[seg], l->cpl))
			return &checks[i];
	}
	return NULL;
}

/* --- Registers --- */

/* A placeholder until CS is checked: CS cannot be unusable, and its RPL is the CPL. */
static void write_cs_place(const struct loading *l, u32 cpl)
{
	u32 selector = (l->seg[SEG_CS].selector & ~(u32)SEL_RPL) | cpl;

	hw_vmwrite(VMCS_GUEST_CS_SELECTOR, selector);
	segment_write_hidden(SEG_CS, 0, ~0u, AR_FLAT_CODE | (u32)FIELD_PREP(AR_DPL, cpl));
}

/*
 * Selectors only: what a fault sees that comes before the registers are loaded.
 *
 * SPEC-GAP: the CPL before SS is loaded is undefined. We choose 3: then the fault handler's stack
 * comes from the new TSS; at the CPL of the handler it would use SS, which is not loaded yet.
 */
static void write_selectors(const struct loading *l)
{
	for (u32 i = 0; i <= SEG_LDTR; i++) {
		hw_vmwrite(vmcs_segment_field(VMCS_GUEST_ES_SELECTOR, i), l->seg[i].selector);
		segment_write_hidden(i, 0, 0, AR_UNUSABLE);
	}
	segment_write_hidden(SEG_SS, 0, 0, AR_UNUSABLE | (u32)FIELD_PREP(AR_DPL, CPL_USER));
	write_cs_place(l, CPL_USER);
}

/* A virtual-8086 task has selectors only. */
static void write_v86(const struct loading *l)
{
	hw_vmwrite(VMCS_GUEST_CS_SELECTOR, l->seg[SEG_CS].selector);
	for (u32 i = SEG_ES; i <= SEG_GS; i++)
		segment_write_hidden(i, (u64)l->seg[i].selector << 4, 0xffff, AR_V86);
}

/* After the checks: mark the descriptor accessed, load the register. */
static err_t load(const struct loading *l, u32 seg)
{
	const struct segment *s = &l->seg[seg];

	TRY(segment_touch(l->t->user.vp, s));
	segment_set(seg, s, segment_rpl(s));
	return ERR_NONE;
}

static err_t load_ldt(const struct loading *l)
{
	const struct segment *s = &l->seg[SEG_LDTR];

	if (!selector_is_null(s->selector) && first_failure(l, SEG_LDTR) == NULL)
		segment_write(SEG_LDTR, s->selector, s->desc, DESC_TYPE_LDT);
	return ERR_NONE;
}

/* SS gives the task's CPL; the placeholder in CS must agree. */
static err_t load_ss(const struct loading *l)
{
	if (first_failure(l, SEG_SS) != NULL)
		return ERR_NONE;
	TRY(load(l, SEG_SS));
	write_cs_place(l, l->cpl);
	return ERR_NONE;
}

/* --- Descriptors --- */

/* A selector that names no descriptor leaves desc 0: the checks find out. */
static err_t fetch(struct loading *l, u32 seg)
{
	struct segment *s = &l->seg[seg];
	const struct segment *ldt = &l->seg[SEG_LDTR];
	struct desc_table table = { .base = hw_vmread(VMCS_GUEST_GDTR_BASE),
				    .limit = hw_vmread(VMCS_GUEST_GDTR_LIMIT) };

	if (selector_is_null(s->selector))
		return ERR_NONE;
	if (s->selector & SEL_TI) {
		if (seg == SEG_LDTR || selector_is_null(ldt->selector) || !ldt_is_valid(ldt, 0))
			return ERR_NONE;
		table = (struct desc_table){ .base = desc_base(ldt->desc),
					     .limit = desc_limit(ldt->desc) };
	}
	return segment_fetch(l->t->user.vp, &table, s) == ERR_FAULT ? ERR_FAULT : ERR_NONE;
}

static err_t load_data(struct loading *l, u32 seg)
{
	const struct segment *s = &l->seg[seg];

	TRY(fetch(l, seg));
	if (selector_is_null(s->selector))
		return ERR_NONE;
	for (size_t i = 0; i < ARRAY_SIZE(data_checks); i++) {
		if (!data_checks[i].passes(s, l->cpl))
			return segment_fault(&l->t->user, data_checks[i].vector, s->selector);
	}
	return load(l, seg);
}

/* LDTR, SS and CS in the table's order. After a failure, still load the others if possible. */
static err_t load_execution(struct loading *l)
{
	const struct segment *s;

	TRY(fetch(l, SEG_CS));
	TRY(fetch(l, SEG_SS));
	TRY(load_ldt(l));
	TRY(load_ss(l));
	for (size_t i = 0; i < ARRAY_SIZE(checks); i++) {
		s = &l->seg[checks[i].seg];
		if (!checks[i].passes(s, l->cpl))
			return segment_fault(&l->t->user, checks[i].vector, s->selector);
	}
	return load(l, SEG_CS);
}

err_t task_load_segments(const struct task_switching *t)
{
	static const u8 data[] = { SEG_DS, SEG_ES, SEG_FS, SEG_GS };
	struct loading l = { .t = t };
	const struct segment *ldt = &l.seg[SEG_LDTR];

	for (u32 i = 0; i <= SEG_LDTR; i++)
		l.seg[i].selector = t->image.selector[i];
	l.cpl = segment_rpl(&l.seg[SEG_CS]);
	write_selectors(&l);
	if (t->image.eflags & RFLAGS_VM)
		write_v86(&l);
	TRY(fetch(&l, SEG_LDTR));
	if (t->image.eflags & RFLAGS_VM) {
		TRY(load_ldt(&l));
		return first_failure(&l, SEG_LDTR) == NULL
			       ? ERR_NONE
			       : segment_fault(&t->user, EXC_TS, ldt->selector);
	}
	TRY(load_execution(&l));
	for (size_t i = 0; i < ARRAY_SIZE(data); i++)
		TRY(load_data(&l, data[i]));
	return ERR_NONE;
}
