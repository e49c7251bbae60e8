/* SPDX-License-Identifier: BSD-2-Clause */
/* The trace rings. Pure. */
#include "core/diag/trace.h"

#include "arch/x86/defs/vmcs.h"
#include "core/hw.h"
#include "core/partition.h"
#include "core/vp/vp.h"

static_assert(sizeof(struct trace_record) * TRACE_RECORDS == 4096, "a ring is one page");

/* clang-format off */
static const char *const names[TRACE_EVENT_COUNT] = {
#define X(name, c, a, b) #name,
#include "core/diag/trace_events.def"
#undef X
};
/* clang-format on */

void trace_write(struct vp *vp, enum trace_event event, u32 c, u64 a, u64 b)
{
	struct trace_ring *ring = &vp->trace;

	if (ring->record == NULL)
		return;
	ring->record[ring->written % TRACE_RECORDS] =
		(struct trace_record){ .tsc = hw_tsc(), .event = event, .c = c, .a = a, .b = b };
	/* Last: a panic elsewhere may stop this CPU here by NMI, and a dump must not mistake
	 * half a record for the newest. */
	STORE_RELEASE(ring->written, ring->written + 1);
}

void trace_exit(struct vp *vp)
{
	TRACE(vp, EXIT, hw_vmread(VMCS_EXIT_REASON), hw_vmread(VMCS_GUEST_RIP),
	      hw_vmread(VMCS_EXIT_QUALIFICATION));
}

void trace_entry(struct vp *vp)
{
	TRACE(vp, ENTRY, vp->work, hw_vmread(VMCS_VM_ENTRY_INTR_INFO), 0);
}

/* Per VP: how many of its newest records are in the dump, and how many of those are printed. */
struct trace_part {
	u8 taken, shown;
};
static_assert(TRACE_RECORDS <= 0xff, "a part counts a whole ring");

static u32 held(const struct vp *vp)
{
	return vp->trace.record == NULL ? 0 : (u32)umin64(vp->trace.written, TRACE_RECORDS);
}

/* The record that is @age places from the newest, 1 is the newest. */
static const struct trace_record *record_of_age(const struct vp *vp, u64 age)
{
	return &vp->trace.record[(vp->trace.written - age) % TRACE_RECORDS];
}

/* Add to the dump the newest record that is not in it. */
static bool take_newest(const struct partition *p, struct trace_part *part)
{
	u64 newest_tsc = 0;
	u32 newest = VP_MAX;

	for (u32 i = 0; i < p->vp_count; i++) {
		u64 tsc;

		if (part[i].taken == held(p->vp[i]))
			continue;
		tsc = record_of_age(p->vp[i], part[i].taken + 1u)->tsc;
		if (newest == VP_MAX || tsc > newest_tsc) {
			newest = i;
			newest_tsc = tsc;
		}
	}
	if (newest == VP_MAX)
		return false;
	part[newest].taken++;
	return true;
}

/* The oldest in the dump not printed yet; NULL: none left. */
static const struct trace_record *show_oldest(const struct partition *p, struct trace_part *part,
					      u32 *vp)
{
	const struct trace_record *best = NULL;

	for (u32 i = 0; i < p->vp_count; i++) {
		const struct trace_record *r;

		if (part[i].shown == part[i].taken)
			continue;
		r = record_of_age(p->vp[i], (u64)part[i].taken - part[i].shown);
		if (best == NULL || r->tsc < best->tsc) {
			best = r;
			*vp = i;
		}
	}
	if (best != NULL)
		part[*vp].shown++;
	return best;
}

void trace_dump(const struct partition *p, u32 max, void (*line)(const char *fmt, ...))
{
	struct trace_part part[VP_MAX] = { 0 };
	const struct trace_record *r;
	u32 vp = 0;

	while (max != 0 && take_newest(p, part))
		max--;
	while ((r = show_oldest(p, part, &vp)) != NULL) {
		u32 event = umin32(r->event, TRACE_EVENT_COUNT - 1); /* may be half written */

		line("trace vp%u %llu %s %x %llx %llx", vp, r->tsc, names[event], r->c, r->a, r->b);
	}
}
