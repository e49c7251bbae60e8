/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Segment registers as instructions and events load them: descriptors, their checks, the VMCS.
 * VP's CPU, with its VMCS current. A function that returns ERR_FAULT has queued the exception.
 *
 * Spec: SDM Vol. 3A, "Protection"; SDM Vol. 2, MOV, LTR, LLDT, JMP, CALL, RET, IRET, INT n.
 */
#pragma once

#include "arch/x86/defs/reg.h"
#include "arch/x86/defs/seg.h"
#include "arch/x86/defs/vmcs.h"
#include "core/lib/compiler.h"
#include "core/lib/err.h"
#include "core/lib/types.h"

struct vp;

/* A selector and the descriptor that it names; 0, which no check accepts, if it names none. */
struct segment {
	u16 selector;
	u64 desc;
	u64 at; /* linear address of the descriptor */
};

/* Where descriptors are: GDT or LDT. */
struct desc_table {
	u64 base, limit;
};

/* Where a fault of a check belongs to. */
struct segment_user {
	struct vp *vp;
	u32 ext; /* ERROR_CODE_EXT while an event is delivered, else 0 */
};

/* segment_fault() - @vector with @selector as its error code. Returns ERR_FAULT. */
err_t segment_fault(const struct segment_user *u, u8 vector, u32 selector);

/* segment_find() - @vector: the fault of a null selector (error code 0), and of one beyond its
 * table. */
MUST_CHECK err_t segment_find(const struct segment_user *u, u8 vector, u16 selector,
			      struct segment *out);

/* segment_fetch() - the descriptor of s->selector from @table; an LDT if the selector says so.
 * ERR_RANGE: beyond the table, nothing has changed. ERR_FAULT: a #PF is queued. */
MUST_CHECK err_t segment_fetch(struct vp *vp, const struct desc_table *table, struct segment *s);

/* segment_has_descriptors() - selectors name descriptors: not in real and virtual-8086 mode. */
bool segment_has_descriptors(void);

/* segment_in_long_mode() - IA-32e mode: system descriptors have 16 bytes. */
bool segment_in_long_mode(void);

/* segment_ar() - access rights of a descriptor. */
u32 segment_ar(u64 desc);

/* --- What selector and descriptor say --- */

static inline bool selector_is_null(u16 selector)
{
	return (selector & (SEL_INDEX | SEL_TI)) == 0;
}

static inline u32 segment_rpl(const struct segment *s)
{
	return s->selector & SEL_RPL;
}

static inline u32 segment_dpl(const struct segment *s)
{
	return (u32)FIELD_GET(DESC_DPL, s->desc);
}

static inline u32 segment_type(const struct segment *s)
{
	return (u32)FIELD_GET(DESC_TYPE, s->desc);
}

static inline bool segment_is_present(const struct segment *s)
{
	return (s->desc & DESC_P) != 0;
}

static inline bool segment_is_code(const struct segment *s)
{
	return (s->desc & DESC_S) && (segment_type(s) & AR_TYPE_CODE);
}

static inline bool segment_is_conforming(const struct segment *s)
{
	return segment_is_code(s) && (segment_type(s) & AR_TYPE_CONFORMING);
}

static inline bool segment_is_stack(const struct segment *s)
{
	return (s->desc & DESC_S) && !(segment_type(s) & AR_TYPE_CODE) &&
	       (segment_type(s) & AR_TYPE_WRITABLE);
}

static inline bool segment_is_readable(const struct segment *s)
{
	return (s->desc & DESC_S) &&
	       (!(segment_type(s) & AR_TYPE_CODE) || (segment_type(s) & AR_TYPE_READABLE));
}

/* segment_runs_at() - code in @s may run at @cpl. segment_opens_to() - code at @cpl may load @s for
 * data. Both go by privilege alone. */
static inline bool segment_runs_at(const struct segment *s, u32 cpl)
{
	return segment_is_conforming(s) ? segment_dpl(s) <= cpl : segment_dpl(s) == cpl;
}

static inline bool segment_opens_to(const struct segment *s, u32 cpl)
{
	return segment_is_conforming(s) ||
	       (segment_dpl(s) >= cpl && segment_dpl(s) >= segment_rpl(s));
}

/* --- Registers --- */

/* segment_write() - register @seg from selector and descriptor; @type replaces the one of @desc.
 * segment_write_hidden(): all but the selector. */
void segment_write(u32 seg, u16 selector, u64 desc, u32 type);
void segment_write_hidden(u32 seg, u64 base, u32 limit, u32 ar);

/* segment_write_null() - the register becomes unusable; @dpl counts for SS only. */
void segment_write_null(u32 seg, u16 selector, u32 dpl);

/*
 * segment_load() - MOV to ES, SS, DS, FS or GS, in every mode. segment_load_system() - LTR, or else
 * LLDT.
 */
MUST_CHECK err_t segment_load(struct vp *vp, u32 seg, u16 selector);
MUST_CHECK err_t segment_load_system(struct vp *vp, bool ltr, u16 selector);

/* segment_check_cs() - a code segment whose descriptor is present and may run in this mode.
 * Privilege is the caller's business. */
MUST_CHECK err_t segment_check_cs(const struct segment_user *u, const struct segment *s);

/* segment_check_ss() - a stack for code at @cpl; @vector: the fault of all but a missing segment.
 */
MUST_CHECK err_t segment_check_ss(const struct segment_user *u, u8 vector, const struct segment *s,
				  u32 cpl);

/* segment_check_rip() - @rip is inside the code segment @cs, or canonical in a 64-bit one. NULL:
 * the present one, in every mode. */
MUST_CHECK err_t segment_check_rip(const struct segment_user *u, const struct segment *cs, u64 rip);

/*
 * segment_touch(), segment_set() - load a segment that was checked: mark it accessed, which may
 * fault, then write the register, with @rpl in its selector. Touch all before the first is set.
 */
MUST_CHECK err_t segment_touch(struct vp *vp, const struct segment *s);
void segment_set(u32 seg, const struct segment *s, u32 rpl);
