/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The checks of VM entry that concern one segment register alone. Pure.
 *
 * Spec: SDM Vol. 3C "Checks on Guest Segment Registers", for an unrestricted guest.
 */
#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/reg.h"
#include "arch/x86/defs/seg.h"
#include "arch/x86/defs/vmcs.h"
#include "core/exit/entry_internal.h"
#include "core/hw.h"

#define AR_V86    (AR_P | AR_S | AR_DPL | 0x3u)
#define LIMIT_V86 0xffffu

struct seg {
	u64 base;
	u32 selector, limit, ar;
};

static struct seg read_seg(u32 nr)
{
	return (struct seg){
		.base = hw_vmread(vmcs_segment_field(VMCS_GUEST_ES_BASE, nr)),
		.selector = (u32)hw_vmread(vmcs_segment_field(VMCS_GUEST_ES_SELECTOR, nr)),
		.limit = (u32)hw_vmread(vmcs_segment_field(VMCS_GUEST_ES_LIMIT, nr)),
		.ar = (u32)hw_vmread(vmcs_segment_field(VMCS_GUEST_ES_AR, nr)),
	};
}

static bool is_v86_segment(const struct seg *s)
{
	return s->base == (u64)s->selector << 4 && s->limit == LIMIT_V86 && s->ar == AR_V86;
}

/* Present, of the kind @system or not, reserved bits clear; the limit matches the granularity. */
static bool is_well_formed(const struct seg *s, bool system)
{
	if (!(s->ar & AR_P) || ((s->ar & AR_S) == 0) != system || (s->ar & AR_RESERVED))
		return false;
	return (s->ar & AR_G) ? (s->limit & 0xfff) == 0xfff : (s->limit & 0xfff00000) == 0;
}

/* Protected mode; in real mode every DPL is 0. */
static bool is_cs(const struct seg *s)
{
	bool privileged = (s->ar & AR_TYPE) == 3 || !(hw_vmread(VMCS_GUEST_CR0) & CR0_PE);

	return is_well_formed(s, false) && (s->base >> 32) == 0 &&
	       !(privileged && (s->ar & AR_DPL));
}

static bool is_ss(const struct seg *s)
{
	u32 cs = (u32)hw_vmread(VMCS_GUEST_CS_AR), type = s->ar & AR_TYPE;

	if ((s->ar & AR_DPL) && ((cs & AR_TYPE) == 3 || !(hw_vmread(VMCS_GUEST_CR0) & CR0_PE)))
		return false;
	if (s->ar & AR_UNUSABLE)
		return true;
	return is_well_formed(s, false) && (s->base >> 32) == 0 && (type == 3 || type == 7);
}

/* ES, DS, FS, GS. The bases of FS and GS have 64 bits. */
static bool is_data(const struct seg *s, u32 nr)
{
	if (s->ar & AR_UNUSABLE)
		return true;
	if (!is_well_formed(s, false) || !(s->ar & AR_TYPE_ACCESSED))
		return false;
	if ((s->ar & AR_TYPE_CODE) && !(s->ar & AR_TYPE_READABLE))
		return false;
	return nr == SEG_FS || nr == SEG_GS || (s->base >> 32) == 0;
}

static bool is_system(const struct seg *s)
{
	if (s->ar & AR_UNUSABLE)
		return true;
	return !(s->selector & SEL_TI) && is_well_formed(s, true);
}

static bool passes(u32 nr, bool v86)
{
	struct seg s = read_seg(nr);

	if (nr == SEG_LDTR || nr == SEG_TR)
		return is_system(&s);
	if (v86)
		return is_v86_segment(&s);
	return nr == SEG_CS ? is_cs(&s) : nr == SEG_SS ? is_ss(&s) : is_data(&s, nr);
}

const char *entry_check_segments(bool v86)
{
	static const char *const text[] = {
		[SEG_ES] = "ES is not a segment that VM entry loads",
		[SEG_CS] = "CS is not a segment that VM entry loads",
		[SEG_SS] = "SS is not a segment that VM entry loads",
		[SEG_DS] = "DS is not a segment that VM entry loads",
		[SEG_FS] = "FS is not a segment that VM entry loads",
		[SEG_GS] = "GS is not a segment that VM entry loads",
		[SEG_LDTR] = "LDTR is not a segment that VM entry loads",
		[SEG_TR] = "TR is not a segment that VM entry loads",
	};

	for (u32 nr = SEG_ES; nr <= SEG_TR; nr++) {
		if (!passes(nr, v86))
			return text[nr];
	}
	return NULL;
}
