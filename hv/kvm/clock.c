/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kvmclock and the wall clock. Every VP's page holds the same master sample, boot time = 0 ns, seen
 * through that VP's TSC offset: it is exact for ever, so pages change only when the guest registers
 * one or moves a TSC.
 * Context: VP's own CPU; kvm_clock_changed() any CPU. LOCK: partition lock orders page writers.
 *
 * Spec: Linux Documentation/virt/kvm/x86/msr.rst; pvclock-abi.h.
 */
#include "core/mem/gpa.h"
#include "core/partition.h"
#include "hv/kvm/kvm_abi.h"
#include "hv/kvm/kvm_internal.h"

#define PAGE_BYTES    4096u
#define NS_PER_SECOND 1000000000ull

#define AT(type, member) ((u64)offsetof(struct type, member))

/* KVM accepts a bad address and stays inactive; so do we. It is the security check besides. */
static bool address_is_good(const struct partition *p, u64 addr, u64 len)
{
	return IS_ALIGNED(addr, 4u) && addr % PAGE_BYTES + len <= PAGE_BYTES &&
	       gpa_is_ram(p, gpa(addr), len);
}

/* 32-bit stores: the page need not be 8-byte aligned, and the odd version covers a torn 64. */
static bool put32(const struct partition *p, u64 addr, u32 val)
{
	return gpa_write32(p, gpa(addr), val) == ERR_NONE;
}

static bool put64(const struct partition *p, u64 addr, u64 val)
{
	return put32(p, addr, (u32)val) && put32(p, addr + 4, (u32)(val >> 32));
}

/* Compiler barrier: x86 keeps stores in order. */
static void store_barrier(void)
{
	__atomic_signal_fence(__ATOMIC_RELEASE);
}

/*
 * LOCK: partition lock. All 32 bytes, as KVM does: what lay in the pads before is gone. The flag
 * GUEST_STOPPED is the guest's to clear: kept.
 */
static bool write_body(const struct partition *p, const struct vp *vp, u64 addr)
{
	const struct clock *c = &p->clock;
	u32 old, word, flags;

	if (gpa_read32(p, gpa(addr + AT(pvclock_vcpu_time_info, tsc_shift)), &old) != ERR_NONE)
		return false;
	flags = (old >> 8) & PVCLOCK_GUEST_STOPPED;
	if (c->synced)
		flags |= PVCLOCK_TSC_STABLE_BIT;
	word = (u8)c->shift | flags << 8; /* and the second pad */
	return put32(p, addr + AT(pvclock_vcpu_time_info, pad0), 0) &&
	       put64(p, addr + AT(pvclock_vcpu_time_info, tsc_timestamp),
		     c->boot_tsc + vp->tsc_offset) &&
	       put64(p, addr + AT(pvclock_vcpu_time_info, system_time), 0) &&
	       put32(p, addr + AT(pvclock_vcpu_time_info, tsc_to_system_mul), c->mul) &&
	       put32(p, addr + AT(pvclock_vcpu_time_info, tsc_shift), word);
}

static void write_page(const struct partition *p, const struct vp *vp)
{
	struct kvm_vp *k = kvm_state(vp);
	u64 addr = k->system_time & ~KVM_MSR_ENABLED;

	k->clock_live = put32(p, addr, k->clock_version + 1);
	store_barrier();
	k->clock_live = k->clock_live && write_body(p, vp, addr);
	store_barrier();
	k->clock_version += 2;
	k->clock_live = k->clock_live && put32(p, addr, k->clock_version);
}

void kvm_clock_changed(struct partition *p)
{
	spin_lock(&p->lock);
	for (u32 i = 0; i < p->vp_count; i++) {
		const struct kvm_vp *k = kvm_state(p->vp[i]);

		if (k->clock_live)
			write_page(p, p->vp[i]);
	}
	spin_unlock(&p->lock);
}

void kvm_clock_reset(struct vp *vp)
{
	struct kvm_vp *k = kvm_state(vp);

	spin_lock(&vp->partition->lock);
	k->system_time = 0;
	k->clock_live = false;
	spin_unlock(&vp->partition->lock);
}

static enum msr_result system_time_read(struct vp *vp, u32 msr, u64 *val)
{
	*val = kvm_state(vp)->system_time;
	return MSR_OK;
}

static NOINLINE void register_page(struct vp *vp, u64 val)
{
	struct partition *p = vp->partition;
	struct kvm_vp *k = kvm_state(vp);
	u64 addr = val & ~KVM_MSR_ENABLED;
	u32 version;

	spin_lock(&p->lock);
	k->system_time = val;
	k->clock_live = address_is_good(p, addr, sizeof(struct pvclock_vcpu_time_info)) &&
			gpa_read32(p, gpa(addr), &version) == ERR_NONE;
	if (k->clock_live) {
		k->clock_version = ALIGN_UP(version, 2u); /* ours differ from what is there */
		write_page(p, vp);
	}
	spin_unlock(&p->lock);
}

static enum msr_result system_time_write(struct vp *vp, u32 msr, u64 val)
{
	struct kvm_vp *k = kvm_state(vp);

	if (val & KVM_MSR_ENABLED) {
		register_page(vp, val);
	} else {
		WRITE_ONCE(k->clock_live, false);
		k->system_time = val;
	}
	return MSR_OK;
}

static enum msr_result wall_clock_read(struct vp *vp, u32 msr, u64 *val)
{
	*val = vp->partition->wall_clock_msr;
	return MSR_OK;
}

/* One-shot: the wall time at which system_time was 0. Good to 1 s (rule T4). */
static NOINLINE void write_wall_clock(const struct partition *p, u64 addr)
{
	u64 wall_ns = p->clock.boot_wall_ns;
	u32 version;

	if (!address_is_good(p, addr, sizeof(struct pvclock_wall_clock)) ||
	    gpa_read32(p, gpa(addr), &version) != ERR_NONE)
		return;
	version = ALIGN_UP(version, 2u) + 1;
	if (!put32(p, addr, version))
		return;
	store_barrier();
	if (!put32(p, addr + AT(pvclock_wall_clock, sec), (u32)(wall_ns / NS_PER_SECOND)) ||
	    !put32(p, addr + AT(pvclock_wall_clock, nsec), (u32)(wall_ns % NS_PER_SECOND)))
		return;
	store_barrier();
	(void)put32(p, addr, version + 1);
}

static enum msr_result wall_clock_write(struct vp *vp, u32 msr, u64 val)
{
	struct partition *p = vp->partition;

	WRITE_ONCE(p->wall_clock_msr, val);
	if (val != 0) {
		spin_lock(&p->lock);
		write_wall_clock(p, val);
		spin_unlock(&p->lock);
	}
	return MSR_OK;
}

/* X(MSR, functions, feature bits that are this row) */
/* clang-format off */
#define CLOCK_ROWS(X)                                                                              \
	X(MSR_KVM_WALL_CLOCK,      wall_clock,  KVM_FEATURE_CLOCKSOURCE)                           \
	X(MSR_KVM_SYSTEM_TIME,     system_time, KVM_FEATURE_CLOCKSOURCE)                           \
	X(MSR_KVM_WALL_CLOCK_NEW,  wall_clock,  KVM_FEATURE_CLOCKSOURCE2)                          \
	X(MSR_KVM_SYSTEM_TIME_NEW, system_time, KVM_FEATURE_CLOCKSOURCE2 |                         \
						KVM_FEATURE_CLOCKSOURCE_STABLE)

#define CLOCK_MSR(nr, fn, features)                                                                \
	{ .first = (nr), .last = (nr), .name = #nr, .read = fn##_read, .write = fn##_write },
#define CLOCK_FEATURES(nr, fn, features) | (features)

const struct msr_row kvm_clock_msrs[KVM_CLOCK_MSR_COUNT] = { CLOCK_ROWS(CLOCK_MSR) };
/* clang-format on */

u32 kvm_clock_features(void)
{
	return 0 CLOCK_ROWS(CLOCK_FEATURES);
}
