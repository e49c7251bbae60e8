/* SPDX-License-Identifier: BSD-2-Clause */
/* The trace rings, and the times of exits. Pure. */
#include "core/diag/trace.h"

#include "arch/x86/defs/vmcs.h"
#include "core/hw.h"
#include "core/lib/bits.h"
#include "core/lib/string.h"
#include "core/partition.h"
#include "core/vp/vp.h"

static_assert(sizeof(struct trace_record) * TRACE_RECORDS_MIN == 4096, "a ring is whole pages");

/* clang-format off */
static const char *const names[TRACE_EVENT_COUNT] = {
#define X(name, c, a, b) #name,
#include "core/diag/trace_events.def"
#undef X
};

#define V(id, word) id,
enum trace_family { TRACE_FAMILIES(V) };
#undef V

static const u8 family[EXIT_REASON_COUNT] = {
#define X(name, group, what, source) [EXIT_REASON_##name] = TRACE_FAMILY_##group,
#include "core/diag/trace_exits.def"
};

/* Of the qualification: all, so many bits at its end, 16 bits from bit 16 on. */
enum number_source { ALL, LOW4, LOW8, LOW12, HIGH16, ECX, RAX, LEAF, VECTOR, GPA };

static const u8 number_source[EXIT_REASON_COUNT] = {
#define X(name, group, what, source) [EXIT_REASON_##name] = (source),
#include "core/diag/trace_exits.def"
};
/* clang-format on */

static bool frozen;   /* any CPU */
static u32 epoch = 1; /* of exit_time.min and max */

bool trace_traces_exits(u32 set)
{
	return (set & ~BIT32(TRACE_FAMILY_RARE)) != 0;
}

u32 trace_ring_records(u32 size)
{
	u32 n = TRACE_RECORDS_MIN;

	while (n < size)
		n *= 2;
	return n;
}

void trace_init(struct vp *vp, struct trace_record *record, u32 size, u32 set,
		struct exit_times *times)
{
	vp->trace = (struct trace_ring){
		.record = record,
		.mask = trace_ring_records(size) - 1,
		.families = set & BIT32(TRACE_FAMILY_ALL) ? ~0u : set,
		.times = times,
	};
}

static void put(struct trace_ring *ring, const struct trace_record *r)
{
	ring->record[ring->written & ring->mask] = *r;
	/* Last: a panic elsewhere may stop this CPU here by NMI, and a dump must not mistake
	 * half a record for the newest. */
	STORE_RELEASE(ring->written, ring->written + 1);
}

static void put_exit(struct trace_ring *ring)
{
	if (!ring->exit_pending)
		return;
	ring->exit_pending = false;
	put(ring, &ring->exit);
}

static void write_at(struct trace_ring *ring, const struct trace_record *r)
{
	if (ring->record == NULL || READ_ONCE(frozen))
		return;
	put_exit(ring);
	put(ring, r);
}

/* Inlined, its record would be on the stack of every function with a trace point. */
NOINLINE void trace_write(struct vp *vp, enum trace_event event, u32 c, u64 a, u64 b)
{
	write_at(&vp->trace, &(struct trace_record){ hw_tsc(), event, c, a, b });
}

/* --- Exits ------------------------------------------------------------------------------------ */

static u64 exit_number(const struct vp *vp, u32 reason, u64 qual)
{
	switch ((enum number_source)(reason < EXIT_REASON_COUNT ? number_source[reason] : ALL)) {
	case ALL:
		return qual;
	case LOW4:
		return qual & 0xf;
	case LOW8:
		return (u8)qual;
	case LOW12:
		return qual & 0xfff;
	case HIGH16:
		return (u16)(qual >> 16);
	case ECX:
		return (u32)vp->regs.rcx;
	case RAX:
		return vp->regs.rax;
	case LEAF: /* and subleaf */
		return (u32)vp->regs.rax | vp->regs.rcx << 32;
	case VECTOR:
		return (u8)hw_vmread(VMCS_VM_EXIT_INTR_INFO);
	case GPA:
		return hw_vmread(VMCS_GUEST_PHYSICAL_ADDRESS);
	}
	return qual;
}

static bool is_traced(const struct trace_ring *ring, u32 reason)
{
	u32 group = reason < EXIT_REASON_COUNT ? family[reason] : 0;

	/* No row: 0, which is RARE */
	return (ring->families & BIT32(group != 0 ? group : TRACE_FAMILY_OTHER)) != 0;
}

void trace_exit(struct vp *vp)
{
	struct trace_ring *ring = &vp->trace;
	u32 reason = (u32)hw_vmread(VMCS_EXIT_REASON) & EXIT_REASON_BASIC;
	u64 qual = hw_vmread(VMCS_EXIT_QUALIFICATION);

	ring->exit_tsc = hw_tsc();
	ring->exit_reason = (u16)reason;
	ring->exit_traced = is_traced(ring, reason);
	ring->exit_pending = false;
	__atomic_signal_fence(__ATOMIC_SEQ_CST); /* an NMI of this CPU looks */
	if (!ring->exit_traced)
		return;
	ring->exit =
		(struct trace_record){ ring->exit_tsc, TRACE_EXIT, reason | (u32)qual << 16,
				       hw_vmread(VMCS_GUEST_RIP), exit_number(vp, reason, qual) };
	/* Last: a panic elsewhere may stop this CPU here by NMI, and a dump must not take the
	 * record of the exit before for this one. */
	STORE_RELEASE(ring->exit_pending, true);
}

static void count_time(const struct trace_ring *ring, u64 now_tsc)
{
	struct exit_time *t = &ring->times->row[0][ring->exit_reason];
	u64 ticks = now_tsc - ring->exit_tsc;
	u32 short_ticks = (u32)umin64(ticks, ~0u);

	if (t->epoch != READ_ONCE(epoch)) {
		t->epoch = READ_ONCE(epoch);
		t->min = ~0u;
		t->max = 0;
	}
	t->count++;
	t->ticks += ticks;
	t->min = umin32(t->min, short_ticks);
	t->max = umax32(t->max, short_ticks);
}

void trace_entry(struct vp *vp)
{
	struct trace_ring *ring = &vp->trace;
	u32 work = READ_ONCE(vp->work);
	u64 now_tsc;

	/* "Launch" stays set: vmenter.S sees it again */
	if (work != 0)
		(void)vp_prepare_entry(vp);
	now_tsc = hw_tsc();
	if (ring->exit_reason < EXIT_REASON_COUNT)
		count_time(ring, now_tsc);
	if (ring->exit_traced)
		write_at(ring, &(struct trace_record){ now_tsc, TRACE_ENTRY, work,
						       hw_vmread(VMCS_VM_ENTRY_INTR_INFO), 0 });
}

void trace_stolen(struct vp *vp, u32 cause, u64 ticks)
{
	struct trace_ring *ring = &vp->trace;

	ring->exit_tsc += ticks;
	if (cause == STEAL_DUMP && (ring->exit_pending || !ring->exit_traced)) {
		ring->exit_traced = ring->exit_pending = false;
		ring->exit_reason = EXIT_REASON_COUNT;
	}
	if (ring->exit_traced)
		TRACE(vp, STOLEN, cause, ticks, 0);
}

void trace_take_times(const struct partition *p)
{
	for (u32 i = 0; i < p->vp_count; i++) {
		struct exit_times *t = p->vp[i]->trace.times;

		if (t != NULL)
			memcpy(t->row[1], t->row[0], sizeof(t->row[1]));
	}
	WRITE_ONCE(epoch, epoch + 1);
}

/* --- Dump ------------------------------------------------------------------------------------- */

void trace_freeze(bool on)
{
	WRITE_ONCE(frozen, on);
}

static u32 held(const struct trace_ring *ring)
{
	return ring->record == NULL ? 0 : (u32)umin64(ring->written, (u64)ring->mask + 1);
}

/* The record that is @age places from the newest, 1 is the newest. */
static const struct trace_record *record_of_age(const struct trace_ring *ring, u64 age)
{
	return &ring->record[(ring->written - age) & ring->mask];
}

/* Add to the dump the newest record that is not in it. */
static bool take_newest(const struct partition *p)
{
	struct trace_ring *newest = NULL;
	u64 newest_tsc = 0;

	for (u32 i = 0; i < p->vp_count; i++) {
		struct trace_ring *ring = &p->vp[i]->trace;
		u64 tsc;

		if (ring->left == held(ring))
			continue;
		tsc = record_of_age(ring, ring->left + 1u)->tsc;
		if (newest == NULL || tsc > newest_tsc) {
			newest = ring;
			newest_tsc = tsc;
		}
	}
	if (newest == NULL)
		return false;
	newest->left++;
	return true;
}

void trace_dump_begin(const struct partition *p, u32 max)
{
	bool all = max == TRACE_ALL;

	for (u32 i = 0; i < p->vp_count; i++) {
		struct trace_ring *ring = &p->vp[i]->trace;

		put_exit(ring);
		ring->left = all ? held(ring) : 0;
	}
	while (!all && max != 0 && take_newest(p))
		max--;
}

bool trace_dump_line(const struct partition *p, void (*line)(const char *fmt, ...))
{
	const struct trace_record *oldest = NULL;
	u32 vp = 0, event;

	for (u32 i = 0; i < p->vp_count; i++) {
		const struct trace_ring *ring = &p->vp[i]->trace;
		const struct trace_record *r;

		if (ring->left == 0)
			continue;
		r = record_of_age(ring, ring->left);
		if (oldest == NULL || r->tsc < oldest->tsc) {
			oldest = r;
			vp = i;
		}
	}
	if (oldest == NULL)
		return false;
	p->vp[vp]->trace.left--;
	event = umin32(oldest->event, TRACE_EVENT_COUNT - 1); /* may be half written */
	line("trace vp%u %llu %s %x %llx %llx", vp, oldest->tsc, names[event], oldest->c, oldest->a,
	     oldest->b);
	return true;
}

void trace_dump(const struct partition *p, u32 max, void (*line)(const char *fmt, ...))
{
	trace_dump_begin(p, max);
	while (trace_dump_line(p, line))
		;
}
