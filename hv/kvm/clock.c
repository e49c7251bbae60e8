/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kvmclock and the wall clock. Every VP's page holds the same master sample (boot, or the last
 * change of the TSC's frequency) through that VP's TSC offset. It never goes stale, so a page
 * changes only when the guest registers it or moves a TSC. Context: VP's own CPU; clock_changed()
 * any CPU. LOCK: partition lock orders page writers.
 *
 * Spec: Linux Documentation/virt/kvm/x86/msr.rst; pvclock-abi.h.
 */
#include "hv/kvm/kvm_internal.h"

#define NS_PER_SECOND 1000000000ull

/* Per VP. LOCK: partition lock for the page. */
struct clock_vp {
	u64 system_time;         /* MSR_KVM_SYSTEM_TIME(_NEW) as written */
	struct shared_area page; /* struct pvclock_vcpu_time_info */
	u32 version;             /* of that page; even */
	bool stopped;            /* set GUEST_STOPPED with the next write */
};

static struct hv_vp_state state = { .size = sizeof(struct clock_vp) };

/* One for the partition: MSR_KVM_WALL_CLOCK(_NEW) as written. */
static u64 wall_clock_msr;

static inline struct clock_vp *clock_of(const struct vp *vp)
{
	return hv_state(vp, &state);
}

#define AT(type, member) ((u32)offsetof(struct type, member))

/* Compiler barrier: x86 keeps stores in order. */
static void store_barrier(void)
{
	__atomic_signal_fence(__ATOMIC_RELEASE);
}

/*
 * LOCK: partition lock. Writes all 32 bytes, pads included, as KVM does. Keeps GUEST_STOPPED: only
 * the guest clears it.
 */
static void write_body(const struct partition *p, const struct vp *vp, struct clock_vp *k)
{
	const struct shared_area *page = &k->page;
	const struct clock *c = &p->clock;
	u32 flags;

	flags = shared_read32(page, AT(pvclock_vcpu_time_info, tsc_shift)) >> 8 &
		PVCLOCK_GUEST_STOPPED;
	if (k->stopped)
		flags |= PVCLOCK_GUEST_STOPPED;
	k->stopped = false;
	if (c->synced && hv_has(p, FEATURE_KVMCLOCK_STABLE_BIT))
		flags |= PVCLOCK_TSC_STABLE_BIT;
	shared_write32(page, AT(pvclock_vcpu_time_info, pad0), 0);
	shared_write64(page, AT(pvclock_vcpu_time_info, tsc_timestamp),
		       c->boot_tsc + vp->tsc_offset);
	shared_write64(page, AT(pvclock_vcpu_time_info, system_time), c->boot_ns);
	shared_write32(page, AT(pvclock_vcpu_time_info, tsc_to_system_mul), c->mul);
	shared_write32(page, AT(pvclock_vcpu_time_info, tsc_shift),
		       (u8)c->shift | flags << 8); /* and the second pad */
}

/* LOCK: partition lock */
static void write_page(const struct partition *p, const struct vp *vp)
{
	struct clock_vp *k = clock_of(vp);

	shared_write32(&k->page, AT(pvclock_vcpu_time_info, version), k->version + 1);
	store_barrier();
	write_body(p, vp, k);
	store_barrier();
	k->version += 2;
	shared_write32(&k->page, AT(pvclock_vcpu_time_info, version), k->version);
}

static void clock_changed(struct partition *p)
{
	spin_lock(&p->lock);
	for (u32 i = 0; i < p->vp_count; i++) {
		if (shared_area_is_live(&clock_of(p->vp[i])->page))
			write_page(p, p->vp[i]);
	}
	spin_unlock(&p->lock);
}

static void clock_paused(struct vp *vp)
{
	struct clock_vp *k = clock_of(vp);

	spin_lock(&vp->partition->lock);
	/* A page that is not live gets the flag when it is again; one registered later does not. */
	k->stopped = shared_area_is_registered(&k->page);
	if (shared_area_is_live(&k->page))
		write_page(vp->partition, vp);
	spin_unlock(&vp->partition->lock);
}

static void clock_reset(struct vp *vp, bool init)
{
	struct clock_vp *k = clock_of(vp);

	spin_lock(&vp->partition->lock);
	k->system_time = 0;
	k->stopped = false;
	shared_area_clear(vp->partition, &k->page);
	spin_unlock(&vp->partition->lock);
	if (!init && vp->index == 0)
		wall_clock_msr = 0;
}

static u64 system_time_get(struct vp *vp)
{
	return clock_of(vp)->system_time;
}

/* KVM accepts a bad address and stays inactive; so do we. */
static void register_page(struct vp *vp, u64 val)
{
	struct partition *p = vp->partition;
	struct clock_vp *k = clock_of(vp);

	spin_lock(&p->lock);
	k->system_time = val;
	if (shared_area_set(p, &k->page, val & ~KVM_MSR_ENABLED,
			    sizeof(struct pvclock_vcpu_time_info)) == ERR_NONE) {
		/* Our versions must differ from the one in the page. */
		k->version = ALIGN_UP(shared_read32(&k->page, 0), 2u);
		write_page(p, vp);
	}
	spin_unlock(&p->lock);
}

static NOINLINE enum msr_result system_time_slow(struct vp *vp, u64 val)
{
	struct clock_vp *k = clock_of(vp);

	if (val & KVM_MSR_ENABLED) {
		register_page(vp, val);
	} else {
		spin_lock(&vp->partition->lock);
		shared_area_clear(vp->partition, &k->page);
		k->system_time = val;
		spin_unlock(&vp->partition->lock);
	}
	return MSR_OK;
}

static enum msr_result system_time_write(struct vp *vp, u32 msr, u64 val)
{
	struct clock_vp *k = clock_of(vp);

	if ((val & KVM_MSR_ENABLED) || shared_area_is_registered(&k->page))
		return system_time_slow(vp, val);
	k->system_time = val;
	return MSR_OK;
}

static u64 wall_clock_get(struct vp *vp)
{
	return wall_clock_msr;
}

/* One-shot: the wall time at which system_time was 0. Good to 1 s (rule T4). Not live: no effect.
 */
static NOINLINE void write_wall_clock(struct partition *p, u64 addr)
{
	u64 wall_ns = p->clock.boot_wall_ns;
	struct shared_area area = { 0 };
	u32 version;

	(void)!shared_area_set(p, &area, addr, sizeof(struct pvclock_wall_clock));
	version = ALIGN_UP(shared_read32(&area, 0), 2u) + 1;
	shared_write32(&area, 0, version);
	store_barrier();
	shared_write32(&area, AT(pvclock_wall_clock, sec), (u32)(wall_ns / NS_PER_SECOND));
	shared_write32(&area, AT(pvclock_wall_clock, nsec), (u32)(wall_ns % NS_PER_SECOND));
	store_barrier();
	shared_write32(&area, 0, version + 1);
	shared_area_clear(p, &area);
}

static enum msr_result wall_clock_write(struct vp *vp, u32 msr, u64 val)
{
	struct partition *p = vp->partition;

	WRITE_ONCE(wall_clock_msr, val);
	if (val != 0) {
		spin_lock(&p->lock);
		write_wall_clock(p, val);
		spin_unlock(&p->lock);
	}
	return MSR_OK;
}

#define CLOCK_MSR(nr, fn)                                              \
	{                                                              \
		MSR_ONE(nr, #nr), .get = fn##_get, .write = fn##_write \
	}

static const struct msr_row msrs[] = {
	/* Manual: | accepted, nothing is written. One value for the partition, written once, at the
	 * WRMSR; 0 is ignored | kept | 0 */
	CLOCK_MSR(MSR_KVM_WALL_CLOCK, wall_clock),
	/* Manual: | accepted, inactive until the map makes it RAM; bit 1 set is a misaligned
	 * address. Bit 0 clear: nothing is registered, the value reads back | 0 | 0 */
	CLOCK_MSR(MSR_KVM_SYSTEM_TIME, system_time),
	/* Manual: | the same as 0x11 | kept | 0 */
	CLOCK_MSR(MSR_KVM_WALL_CLOCK_NEW, wall_clock),
	/* Manual: | the same as 0x12 | 0 | 0 */
	CLOCK_MSR(MSR_KVM_SYSTEM_TIME_NEW, system_time),
};

/* kvmclock_periodic_sync: publish the same sample again, as KVM's worker does. */
static void clock_sync(struct vp *vp)
{
	if (!vp->partition->config.kvmclock_periodic_sync)
		return;
	COUNT(vp, CLOCK_SYNC);
	clock_changed(vp->partition);
}

/*
 * Manual: per-VP clock pages and a wall clock, by both pairs of MSRs. One master sample (TSC at
 * boot, 0 ns) serves all VPs, for good with an invariant TSC; pages change only at registration,
 * when the guest writes a TSC, and after a pause. `kvmclock_periodic_sync=on` rewrites the same
 * pages every 300 s, with the next timer of VP 0
 */
const struct hv_feature kvmclock_feature = {
	.name = "kvmclock",
	.help = "clock pages",
	.abi = &kvm_abi,
	.bits = { KVM_BITS(.a = KVM_FEATURE_CLOCKSOURCE | KVM_FEATURE_CLOCKSOURCE2) },
	.msrs = msrs,
	.msr_count = ARRAY_SIZE(msrs),
	.vp_state = &state,
	.vp_reset = clock_reset,
	.clock_changed = clock_changed,
	.map_changed = clock_changed, /* a page that is live again has missed updates */
	.paused = clock_paused,
	.periodic = clock_sync,
	.period_s = 300,
};
