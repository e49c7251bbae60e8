/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Virtual MTRRs (rule M2): guest writes end here, never in hardware; the effective types go into
 * EPT. Context: boot CPU for the start; then the VP's own CPU.
 *
 * Spec: SDM Vol. 3A "Memory Type Range Registers (MTRRs)".
 */
#include "core/mem/mtrr.h"

#include "arch/x86/defs/ept.h"
#include "arch/x86/defs/msr.h"
#include "core/hw.h"
#include "core/lib/bits.h"
#include "core/lib/string.h"
#include "core/mem/ept.h"
#include "core/partition.h"
#include "core/vp/guest_cr.h"
#include "core/vp/vp.h"

#define FIXED_TOP   MIB(1)
#define NO_BOUNDARY (~0ull)

/* What EPT's types were computed from. LOCK: partition lock, after the first VM entry. */
static struct mtrr_state applied;

/* clang-format off */
/* The fixed-range registers in the order of mtrr_state.fixed: 8 ranges of @step bytes each. */
static const struct {
	u32 msr;
	u32 base;
	u32 step;
} fixed_ranges[11] = {
	{ MSR_IA32_MTRR_FIX64K_00000, 0x00000, 0x10000 },
	{ MSR_IA32_MTRR_FIX16K_80000, 0x80000, 0x4000 },
	{ MSR_IA32_MTRR_FIX16K_A0000, 0xa0000, 0x4000 },
	{ MSR_IA32_MTRR_FIX4K_C0000,  0xc0000, 0x1000 },
	{ MSR_IA32_MTRR_FIX4K_C8000,  0xc8000, 0x1000 },
	{ MSR_IA32_MTRR_FIX4K_D0000,  0xd0000, 0x1000 },
	{ MSR_IA32_MTRR_FIX4K_D8000,  0xd8000, 0x1000 },
	{ MSR_IA32_MTRR_FIX4K_E0000,  0xe0000, 0x1000 },
	{ MSR_IA32_MTRR_FIX4K_E8000,  0xe8000, 0x1000 },
	{ MSR_IA32_MTRR_FIX4K_F0000,  0xf0000, 0x1000 },
	{ MSR_IA32_MTRR_FIX4K_F8000,  0xf8000, 0x1000 },
};
/* clang-format on */

static u64 host_msr(u32 msr)
{
	u64 val;

	return hw_rdmsr_safe(msr, &val) == ERR_NONE ? val : 0;
}

/*
 * The guest's physical addresses may be narrower than the machine's (CPUID 0x80000008 and the EPT
 * end at 48 bits). Cut the registers to what the guest is told, or it gets #GP for writing back
 * what it has read. Disable a range out of its reach: cut, its base would name another address.
 */
static void variable_fit(struct mtrr_state *m, u32 i)
{
	u64 reachable = GENMASK64(m->phys_bits - 1, 0);

	if (m->base[i] & ~reachable)
		m->base[i] = m->mask[i] = 0;
	m->mask[i] &= reachable;
}

void mtrr_init_from_host(struct mtrr_state *m, u32 phys_bits)
{
	memset(m, 0, sizeof(*m));
	m->phys_bits = phys_bits;
	m->cap = host_msr(MSR_IA32_MTRRCAP) & (MTRRCAP_VCNT | MTRRCAP_FIX | MTRRCAP_WC);
	m->var_count = umin32((u32)FIELD_GET(MTRRCAP_VCNT, m->cap), MTRR_VAR_MAX);
	m->cap = (m->cap & ~MTRRCAP_VCNT) | m->var_count;
	m->def_type = host_msr(MSR_IA32_MTRR_DEF_TYPE);
	for (u32 i = 0; i < m->var_count; i++) {
		m->base[i] = host_msr(MSR_IA32_MTRR_PHYSBASE0 + 2 * i);
		m->mask[i] = host_msr(MSR_IA32_MTRR_PHYSMASK0 + 2 * i);
		variable_fit(m, i);
	}
	if (m->cap & MTRRCAP_FIX) {
		for (u32 i = 0; i < ARRAY_SIZE(fixed_ranges); i++)
			m->fixed[i] = host_msr(fixed_ranges[i].msr);
	}
	applied = *m;
}

const struct mtrr_state *mtrr_applied(void)
{
	return &applied;
}

/* --- Types --- */

/* Type of @pa below 1 MiB; *next: first address after its range. */
static u8 fixed_type(const struct mtrr_state *m, u64 pa, u64 *next)
{
	u32 i = ARRAY_SIZE(fixed_ranges) - 1;
	u64 slot;

	while (fixed_ranges[i].base > pa)
		i--;
	slot = (pa - fixed_ranges[i].base) / fixed_ranges[i].step;
	*next = fixed_ranges[i].base + (slot + 1) * fixed_ranges[i].step;
	return (u8)(m->fixed[i] >> (8 * slot));
}

/*
 * SDM "MTRR Precedences": UC wins, WT wins over WB. SPEC-GAP: other overlaps are undefined; UC is
 * the type that cannot lose data.
 */
static u8 combine(u8 a, u8 b)
{
	if (a == b)
		return a;
	if ((a == MT_WT && b == MT_WB) || (a == MT_WB && b == MT_WT))
		return MT_WT;
	return MT_UC;
}

/*
 * Type of @pa by the variable ranges; *next: first address where a range begins or ends.
 *
 * SPEC-GAP: a mask with holes maps a discontinuous range, which "Intel does not encourage";
 * firmware makes such masks by leaving out the high address bits. Count only the first block: that
 * is what such firmware means, and what KVM does.
 */
static u8 variable_type(const struct mtrr_state *m, u64 pa, u64 *next)
{
	bool found = false;
	u8 type = 0;

	*next = NO_BOUNDARY;
	for (u32 i = 0; i < m->var_count; i++) {
		u64 mask = m->mask[i] & MTRR_PHYSMASK_MASK;
		u64 start = m->base[i] & mask;
		u64 end = mask != 0 ? start + BIT64(__builtin_ctzll(mask)) : NO_BOUNDARY;
		u8 t = (u8)FIELD_GET(MTRR_PHYSBASE_TYPE, m->base[i]);

		if (!(m->mask[i] & MTRR_PHYSMASK_V))
			continue;
		if (pa < start) {
			*next = umin64(*next, start);
		} else if (pa < end) {
			*next = umin64(*next, end);
			type = found ? combine(type, t) : t;
			found = true;
		}
	}
	return found ? type : (u8)FIELD_GET(MTRR_DEF_TYPE_TYPE, m->def_type);
}

static u8 type_at(const struct mtrr_state *m, u64 pa, u64 *next)
{
	*next = NO_BOUNDARY;
	if (!(m->def_type & MTRR_DEF_TYPE_E))
		return MT_UC;
	if (pa < FIXED_TOP && (m->def_type & MTRR_DEF_TYPE_FE) && (m->cap & MTRRCAP_FIX))
		return fixed_type(m, pa, next);
	return variable_type(m, pa, next);
}

u8 mtrr_type(const struct mtrr_state *m, u64 pa, u64 len, bool *uniform)
{
	u64 end = pa + len < pa ? NO_BOUNDARY : pa + len;
	u64 next;
	u8 type = type_at(m, pa, &next);
	bool same = true;

	while (same && next < end)
		same = type_at(m, next, &next) == type;
	if (uniform)
		*uniform = same;
	return type;
}

/* --- Registers --- */

static bool type_is_valid(const struct mtrr_state *m, u64 type)
{
	switch (type) {
	case MT_UC:
	case MT_WT:
	case MT_WP:
	case MT_WB:
		return true;
	case MT_WC:
		return (m->cap & MTRRCAP_WC) != 0;
	default: /* a byte from the guest */
		return false;
	}
}

static bool states_equal(const struct mtrr_state *a, const struct mtrr_state *b)
{
	return a->def_type == b->def_type && memcmp(a->fixed, b->fixed, sizeof(a->fixed)) == 0 &&
	       memcmp(a->base, b->base, sizeof(a->base)) == 0 &&
	       memcmp(a->mask, b->mask, sizeof(a->mask)) == 0;
}

/* Rule M2: every AP start rewrites all registers with the same values; only a difference may
 * cost. */
static void apply(struct vp *vp)
{
	struct partition *p = vp->partition;
	err_t err = ERR_NONE;
	bool differs;

	ept_make_room(p);
	spin_lock(&p->lock);
	differs = !states_equal(&applied, &vp->mtrr);
	if (differs) {
		COUNT(vp, MTRR_REBUILD);
		TRACE(vp, MTRR_REBUILD, 0, 0, 0);
		err = ept_retype(p, &vp->mtrr);
		applied = vp->mtrr;
	}
	spin_unlock(&p->lock);
	/* Wrong types would corrupt memory that a device shares with the CPUs. */
	if (err != ERR_NONE)
		partition_stop(vp,
			       "no memory for EPT tables: too many ranges in the guest's MTRRs");
	if (differs) /* after the unlock: it waits for CPUs that may spin on it */
		ept_flush(p);
}

void mtrr_cache_enabled(struct vp *vp)
{
	if (vp->mtrr.def_type & MTRR_DEF_TYPE_E)
		apply(vp);
}

static void changed(struct vp *vp)
{
	if (!(guest_cr0(vp) & CR0_CD))
		mtrr_cache_enabled(vp);
}

static enum msr_result store(struct vp *vp, u64 *reg, u64 val)
{
	if (*reg != val) {
		*reg = val;
		changed(vp);
	}
	return MSR_OK;
}

static enum msr_result cap_read(struct vp *vp, u32 msr, u64 *val)
{
	*val = vp->mtrr.cap;
	return MSR_OK;
}

static enum msr_result def_type_read(struct vp *vp, u32 msr, u64 *val)
{
	*val = vp->mtrr.def_type;
	return MSR_OK;
}

static enum msr_result def_type_write(struct vp *vp, u32 msr, u64 val)
{
	if (!type_is_valid(&vp->mtrr, FIELD_GET(MTRR_DEF_TYPE_TYPE, val)))
		return MSR_GP;
	return store(vp, &vp->mtrr.def_type, val);
}

/* The register of PHYSBASEn or PHYSMASKn; NULL beyond VCNT. */
static u64 *variable_reg(struct mtrr_state *m, u32 msr)
{
	u32 n = (msr - MSR_IA32_MTRR_PHYSBASE0) / 2;

	if (n >= m->var_count)
		return NULL;
	return (msr & 1) ? &m->mask[n] : &m->base[n];
}

static enum msr_result variable_read(struct vp *vp, u32 msr, u64 *val)
{
	const u64 *reg = variable_reg(&vp->mtrr, msr);

	if (reg == NULL)
		return MSR_GP;
	*val = *reg;
	return MSR_OK;
}

static enum msr_result variable_write(struct vp *vp, u32 msr, u64 val)
{
	struct mtrr_state *m = &vp->mtrr;
	u64 *reg = variable_reg(m, msr);
	u64 allowed = GENMASK64(m->phys_bits - 1, 12);

	if (reg == NULL)
		return MSR_GP;
	if (msr & 1) {
		allowed |= MTRR_PHYSMASK_V;
	} else {
		allowed |= MTRR_PHYSBASE_TYPE;
		if (!type_is_valid(m, FIELD_GET(MTRR_PHYSBASE_TYPE, val)))
			return MSR_GP;
	}
	if (val & ~allowed)
		return MSR_GP;
	return store(vp, reg, val);
}

static u64 *fixed_reg(struct mtrr_state *m, u32 msr)
{
	for (u32 i = 0; i < ARRAY_SIZE(fixed_ranges); i++) {
		if (fixed_ranges[i].msr == msr)
			return &m->fixed[i];
	}
	return NULL;
}

static enum msr_result fixed_read(struct vp *vp, u32 msr, u64 *val)
{
	const u64 *reg = fixed_reg(&vp->mtrr, msr);

	if (reg == NULL || !(vp->mtrr.cap & MTRRCAP_FIX))
		return MSR_GP;
	*val = *reg;
	return MSR_OK;
}

static enum msr_result fixed_write(struct vp *vp, u32 msr, u64 val)
{
	u64 *reg = fixed_reg(&vp->mtrr, msr);

	if (reg == NULL || !(vp->mtrr.cap & MTRRCAP_FIX))
		return MSR_GP;
	for (u32 i = 0; i < 64; i += 8) {
		if (!type_is_valid(&vp->mtrr, (val >> i) & 0xff))
			return MSR_GP;
	}
	return store(vp, reg, val);
}

static bool mtrr_present(const struct partition *p)
{
	return (cpuid_base(p, CPUID_LEAF_FEATURES, 0).d & CPUID1_EDX_MTRR) != 0;
}

#define MTRR_VAR_LAST  (MSR_IA32_MTRR_PHYSBASE0 + 2 * MTRR_VAR_MAX - 1)
#define DEF_TYPE_RSVDZ ~(MTRR_DEF_TYPE_TYPE | MTRR_DEF_TYPE_FE | MTRR_DEF_TYPE_E)

/* clang-format off */
#define FIXED_ROWS(from, to, text)                                                                 \
	{ .first = (from), .last = (to), .name = (text), .read = fixed_read, .write = fixed_write, \
	  .present = mtrr_present }

const struct msr_row mtrr_msr_rows[] = {
	{ MSR_ONE(MSR_IA32_MTRRCAP, "MTRRCAP"),
	  .read = cap_read, .present = mtrr_present },
	{ MSR_RANGE(MSR_IA32_MTRR_PHYSBASE0, MTRR_VAR_LAST, "MTRR_PHYSn"),
	  .read = variable_read, .write = variable_write, .present = mtrr_present },
	FIXED_ROWS(MSR_IA32_MTRR_FIX64K_00000, MSR_IA32_MTRR_FIX64K_00000, "MTRR_FIX64K"),
	FIXED_ROWS(MSR_IA32_MTRR_FIX16K_80000, MSR_IA32_MTRR_FIX16K_A0000, "MTRR_FIX16K"),
	FIXED_ROWS(MSR_IA32_MTRR_FIX4K_C0000, MSR_IA32_MTRR_FIX4K_F8000, "MTRR_FIX4K"),
	{ MSR_ONE(MSR_IA32_MTRR_DEF_TYPE, "MTRR_DEF_TYPE"),
	  .rsvdz = DEF_TYPE_RSVDZ, .read = def_type_read, .write = def_type_write,
	  .present = mtrr_present },
};
/* clang-format on */

const u32 mtrr_msr_row_count = ARRAY_SIZE(mtrr_msr_rows);
