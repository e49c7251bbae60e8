/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reference time: one function of the TSC, in units of 100 ns from the partition's start, that the
 * MSR computes here and the guest from the reference TSC page.
 *
 * The page can say it while all VPs read the same TSC. Else it is invalid, and the MSR goes on with
 * the function that was valid last.
 * Context: VP's own CPU; clock_changed() any CPU. LOCK: partition lock for changes of the function.
 *
 * Spec: TLFS "Partition Reference Time".
 */
#include "arch/x86/defs/ept.h"
#include "arch/x86/defs/paging.h"
#include "core/mem/overlay.h"
#include "core/time/ref_time.h"
#include "core/time/tsc_emul.h"
#include "core/vp/long_lock.h"
#include "hv/hyperv/hyperv_internal.h"

#define NS_PER_UNIT 100u

static union {
	struct ms_hyperv_tsc_page v;
	u8 all[PAGE_SIZE]; /* the guest can read all of it */
} page ALIGNED(PAGE_SIZE);
static struct overlay overlay = { .kind = PAGE_OVERLAY, .perms = EPT_R };
static u64 tsc_page_msr; /* as written */

static struct {
	u32 changes;         /* odd while @now changes */
	struct ref_time now; /* by the TSC of the VPs */
	/* Times that are ref_time_ticks(): so many from this on; 0 while @now changes. */
	u64 plain_from, plain_units;
	struct ref_time zero; /* by the machine's: fixes the start of time */
	u64 hz;               /* of the TSC that they are functions of */
	u32 sequence;         /* last one of the page */
	u64 latest;           /* where CPUs disagree about the TSC: the latest time that was told */
} ref;

/* Compiler barrier: x86 keeps stores in order. */
static void store_barrier(void)
{
	__atomic_signal_fence(__ATOMIC_RELEASE);
}

/* The TSCs of the CPUs are out of step: no VP may read less than another one has. */
static NOINLINE u64 latest_time(u64 time)
{
	u64 latest = READ_ONCE(ref.latest);

	while ((s64)(time - latest) > 0) { /* a TSC may be below the start's */
		if (__atomic_compare_exchange_n(&ref.latest, &latest, time, false, __ATOMIC_SEQ_CST,
						__ATOMIC_RELAXED))
			return time;
	}
	return latest;
}

static ALWAYS_INLINE u64 time_now(const struct partition *p)
{
	u32 changes;
	u64 time;

	do {
		changes = LOAD_ACQUIRE(ref.changes);
		time = ref_time_at(&ref.now, partition_tsc(p));
		__atomic_signal_fence(__ATOMIC_SEQ_CST);
	} while (unlikely(changes & 1) || unlikely(READ_ONCE(ref.changes) != changes));
	return likely(p->clock.in_step) ? time : latest_time(time);
}

u64 hv_time_now(const struct partition *p)
{
	return time_now(p);
}

u32 hv_time_changes(void)
{
	return READ_ONCE(ref.changes);
}

void hv_time_reached_slow(u64 time, u32 changes)
{
	if (changes == hv_time_changes())
		(void)latest_time(time);
}

/*
 * The TSCs are out of step, and this CPU's may be behind: VPs read the time of the one that leads.
 * What that reads at @time, this one reads by so much less.
 */
static NOINLINE u64 time_of_this_cpu(const struct partition *p, u64 time)
{
	u64 own = ref_time_at(&ref.now, partition_tsc(p)), latest = latest_time(own);

	return time > latest ? time - (latest - own) : 0;
}

u64 hv_time_tsc(const struct partition *p, u64 time, u32 *changes)
{
	u64 tsc, tsc_offset;

	if (unlikely(!p->clock.in_step))
		time = time_of_this_cpu(p, time);
	do {
		*changes = LOAD_ACQUIRE(ref.changes);
		tsc = ref_time_tsc(&ref.now, time);
		tsc_offset = ref.now.tsc_offset;
		__atomic_signal_fence(__ATOMIC_SEQ_CST);
	} while (unlikely(*changes & 1) || unlikely(READ_ONCE(ref.changes) != *changes));
	if ((tsc_offset == 0 && !p->tsc_emul.on) || tsc == ~0ull)
		return tsc;
	return tsc_emul_deadline(p, tsc_offset, tsc);
}

u64 hv_time_units(const struct partition *p, u64 ticks)
{
	if (p->tsc_emul.on)
		ticks = tsc_emul_ticks(&p->tsc_emul, ticks);
	return mul_u64_u64_shr(ticks, READ_ONCE(ref.now.scale), 64);
}

/* One comparison tells that the time can come, and that the TSC is the VPs' own. */
bool hv_time_plain_tsc(u64 time, u64 *tsc, u32 *changes)
{
	u32 before = LOAD_ACQUIRE(ref.changes);

	if (unlikely(time - READ_ONCE(ref.plain_from) >= READ_ONCE(ref.plain_units)))
		return false;
	*changes = before;
	*tsc = ref_time_ticks(&ref.now, time - READ_ONCE(ref.now.offset));
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	return likely(READ_ONCE(ref.changes) == before); /* not odd: no time was plain */
}

/*
 * The new function may round to one unit less. Wait until it has passed the latest time that a VP
 * can have read; the second unit is for a VP whose TSC was read after its check for changes.
 * @moved: the TSC was this much further with the old function. LOCK: partition lock
 */
static void set_function(const struct partition *p, const struct ref_time *next, u64 moved)
{
	u64 told;

	(void)__atomic_add_fetch(&ref.changes, 1, __ATOMIC_SEQ_CST);
	told = ref_time_at(&ref.now, partition_tsc(p) + moved) + 1;
	while (ref_time_at(next, partition_tsc(p)) < told)
		;
	ref.now = *next;
	STORE_RELEASE(ref.changes, ref.changes + 1);
}

/* The guest's TSC must not wrap while the function is in use: half of its range is enough. */
static bool all_read_one_tsc(const struct partition *p)
{
	return p->clock.synced && (s64)(partition_tsc(p) + READ_ONCE(p->vp[0]->tsc_offset)) >= 0;
}

static bool is_same(const struct ref_time *a, const struct ref_time *b)
{
	return a->scale == b->scale && a->tsc_offset == b->tsc_offset && a->offset == b->offset;
}

/* Sequences skip 0, "invalid", and what meant that in the first version of the TLFS. */
static void publish(void)
{
	page.v.tsc_scale = ref.now.scale;
	page.v.tsc_offset = (s64)ref.now.offset;
	store_barrier();
	if (++ref.sequence >= ~0u)
		ref.sequence = 1;
	WRITE_ONCE(page.v.tsc_sequence, ref.sequence);
}

static void start_function(const struct clock *c)
{
	ref_time_init(&ref.zero, c->tsc_hz, c->boot_tsc, c->boot_ns / NS_PER_UNIT);
}

/* The function for the TSC that all VPs read; while there is none it stays, but for another
 * frequency. */
static struct ref_time next_function(const struct partition *p, bool valid)
{
	if (valid)
		return ref_time_shift(&ref.zero, p->vp[0]->tsc_offset);
	return ref.hz != p->clock.tsc_hz ? ref.zero : ref.now;
}

/* None with a TSC offset, nor while the TSC is emulated, or out of step. */
static void set_plain(const struct partition *p)
{
	u64 first = (s64)ref.now.offset > 0 ? ref.now.offset : 0;
	u64 end = ref.now.offset + ref_time_units(&ref.now);

	if (ref.now.tsc_offset != 0 || p->tsc_emul.on || !p->clock.in_step ||
	    (s64)end <= (s64)first)
		return;
	WRITE_ONCE(ref.plain_from, first);
	store_barrier();
	WRITE_ONCE(ref.plain_units, end - first);
}

static void clock_changed(struct partition *p)
{
	struct ref_time next;
	u64 moved = 0;
	bool valid;

	spin_lock(&p->lock);
	valid = all_read_one_tsc(p);
	if (ref.hz != p->clock.tsc_hz) {
		moved = p->tsc_emul.moved;
		start_function(&p->clock);
	}
	WRITE_ONCE(ref.plain_units, 0);
	store_barrier();
	next = next_function(p, valid);
	ref.hz = p->clock.tsc_hz;
	if (!valid || !is_same(&next, &ref.now)) {
		WRITE_ONCE(page.v.tsc_sequence, 0);
		store_barrier();
	}
	if (!is_same(&next, &ref.now))
		set_function(p, &next, moved);
	if (valid && page.v.tsc_sequence == 0)
		publish();
	set_plain(p);
	spin_unlock(&p->lock);
}

static void time_reset(struct vp *vp, bool init)
{
	struct partition *p = vp->partition;

	if (init || vp->index != 0)
		return;
	overlay_unmap(p, &overlay);
	overlay.page = hw_virt_to_phys(&page);
	WRITE_ONCE(tsc_page_msr, 0);
	page.v.tsc_sequence = 0;
	start_function(&p->clock);
	ref.hz = p->clock.tsc_hz;
	ref.now = ref.zero;
	ref.latest = 0;
	clock_changed(p);
}

static u64 ref_count(struct vp *vp)
{
	return time_now(vp->partition);
}

static enum msr_result tsc_page_read(struct vp *vp, u32 msr, u64 *val)
{
	*val = READ_ONCE(tsc_page_msr);
	return MSR_OK;
}

/* Bad places are accepted, "the reference TSC page will not be accessible". */
static void place_page(struct partition *p, u64 val)
{
	if (!(val & HV_X64_MSR_TSC_REFERENCE_ENABLE) ||
	    overlay_map(p, &overlay, val & HV_MSR_PAGE_ADDRESS) != ERR_NONE)
		overlay_unmap(p, &overlay);
}

static enum msr_result tsc_page_write(struct vp *vp, u32 msr, u64 val)
{
	static struct long_lock lock; /* mapping the page waits for the other VPs */

	long_lock(&lock, vp);
	WRITE_ONCE(tsc_page_msr, val);
	place_page(vp->partition, val);
	long_unlock(&lock);
	return MSR_OK;
}

static const struct msr_row msrs[] = {
	/* Manual: written | - | kept | 0 */
	{ MSR_ONE(HV_X64_MSR_TIME_REF_COUNT, "HV_X64_MSR_TIME_REF_COUNT"), .get = ref_count },
	/* Manual: never | accepted, the page is nowhere | kept | 0 */
	{ MSR_ONE(HV_X64_MSR_REFERENCE_TSC, "HV_X64_MSR_REFERENCE_TSC"), .read = tsc_page_read,
	  .write = tsc_page_write },
};

/*
 * Manual: partition time in units of 100 ns by MSR, and by a page that the guest computes the same
 * value from without an exit. The page is invalid (sequence 0) while the VPs' TSCs differ or are
 * about to wrap
 */
const struct hv_feature hv_time_feature = {
	.name = "hv-time",
	.help = "reference time by MSR and by a page",
	.abi = &hyperv_abi,
	.bits = { HV_PRIVILEGES(.a = HV_MSR_TIME_REF_COUNT_AVAILABLE |
				     HV_MSR_REFERENCE_TSC_AVAILABLE) },
	.msrs = msrs,
	.msr_count = ARRAY_SIZE(msrs),
	.vp_reset = time_reset,
	.clock_changed = clock_changed,
};
