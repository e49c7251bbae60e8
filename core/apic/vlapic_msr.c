/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * MSR rows of the virtual APIC: x2APIC registers, IA32_APIC_BASE, IA32_TSC_DEADLINE. The frequent
 * ones have rows of their own, with their reserved bits in the row.
 *
 * Context: exit handlers on the VP's own CPU.
 * Spec:    SDM Vol. 3A, "Extended XAPIC (x2APIC)", "x2APIC Register Address Space".
 */
#include "arch/x86/defs/msr.h"
#include "core/apic/vlapic_internal.h"
#include "core/lib/bits.h"

#define ICR_RSVDZ    (GENMASK64(31, 20) | GENMASK64(17, 16) | BIT64(13))
#define REG_OF(msr)  (((msr)&0xff) << 4)
#define REG_BIT(reg) BIT64((reg) >> 4)

/* Bit n: register n can be read. CMCI apart. */
#define READABLE                                                                             \
	(REG_BIT(APIC_ID) | REG_BIT(APIC_VERSION) | REG_BIT(APIC_TPR) | REG_BIT(APIC_PPR) |  \
	 REG_BIT(APIC_LDR) | REG_BIT(APIC_SVR) | GENMASK64(0x27, 0x10) | REG_BIT(APIC_ESR) | \
	 REG_BIT(APIC_ICR) | GENMASK64(0x39, 0x32) | REG_BIT(APIC_TDCR))

#define LVT_STATUS APIC_LVT_PENDING /* read-only bits: writing them is not an error */
#define LVT_COMMON ((u32)APIC_LVT_VECTOR | LVT_STATUS | APIC_LVT_MASKED)
#define LVT_MODE   (LVT_COMMON | (u32)APIC_LVT_MODE)
#define LVT_LINT   (LVT_MODE | APIC_LVT_ACTIVE_LOW | APIC_LVT_REMOTE_IRR | APIC_LVT_LEVEL)

/* Bits that may be 1 in a WRMSR; 0 with no entry: read-only or absent. ESR takes 0 only. */
static const struct {
	bool writable;
	u32 mask;
} x2apic_writes[64] = {
	[APIC_SVR >> 4] = { true, APIC_SVR_VECTOR | APIC_SVR_ENABLE | APIC_SVR_FOCUS_DISABLE },
	[APIC_ESR >> 4] = { true, 0 },
	[APIC_LVT_CMCI >> 4] = { true, LVT_MODE },
	[APIC_LVT_TIMER >> 4] = { true, LVT_COMMON | (u32)APIC_LVT_TIMER_MODE },
	[APIC_LVT_THERMAL >> 4] = { true, LVT_MODE },
	[APIC_LVT_PERF >> 4] = { true, LVT_MODE },
	[APIC_LVT_LINT0 >> 4] = { true, LVT_LINT },
	[APIC_LVT_LINT1 >> 4] = { true, LVT_LINT },
	[APIC_LVT_ERROR >> 4] = { true, LVT_COMMON },
	[APIC_TMICT >> 4] = { true, 0xffffffff },
	[APIC_TDCR >> 4] = { true, (u32)(APIC_TDCR_LOW | APIC_TDCR_HIGH) },
};

bool vlapic_x2apic_is_readable(const struct vlapic *a, u32 reg)
{
	if (reg > APIC_SELF_IPI)
		return false;
	return (READABLE & REG_BIT(reg)) != 0 || (reg == APIC_LVT_CMCI && vlapic_has_cmci(a));
}

static enum msr_result x2apic_read(struct vp *vp, u32 msr, u64 *val)
{
	struct vlapic *a = &vp->apic;
	u32 reg = REG_OF(msr);

	if (!vlapic_is_x2apic(a) || !vlapic_x2apic_is_readable(a, reg))
		return MSR_GP;
	*val = vlapic_read(vp, reg);
	return MSR_OK;
}

static enum msr_result x2apic_write(struct vp *vp, u32 msr, u64 val)
{
	struct vlapic *a = &vp->apic;
	u32 reg = REG_OF(msr);
	u32 mask;

	if (!vlapic_is_x2apic(a) || reg > APIC_SELF_IPI || !x2apic_writes[reg >> 4].writable)
		return MSR_GP;
	if (reg == APIC_LVT_CMCI && !vlapic_has_cmci(a))
		return MSR_GP;
	mask = x2apic_writes[reg >> 4].mask;
	if (reg == APIC_SVR && (vlapic_reg(a, APIC_VERSION) & APIC_VERSION_EOI_SUPPRESS) != 0)
		mask |= APIC_SVR_EOI_SUPPRESS;
	if ((val & ~(u64)mask) != 0)
		return MSR_GP;
	vlapic_write(vp, reg, (u32)val);
	return MSR_OK;
}

static enum msr_result x2apic_tpr_write(struct vp *vp, u32 msr, u64 val)
{
	if (!vlapic_is_x2apic(&vp->apic))
		return MSR_GP;
	vlapic_write_tpr(vp, (u32)val);
	return MSR_OK;
}

static enum msr_result x2apic_eoi_write(struct vp *vp, u32 msr, u64 val)
{
	if (!vlapic_is_x2apic(&vp->apic))
		return MSR_GP;
	vlapic_eoi(vp);
	return MSR_OK;
}

static enum msr_result x2apic_icr_read(struct vp *vp, u32 msr, u64 *val)
{
	const struct vlapic *a = &vp->apic;

	if (!vlapic_is_x2apic(a))
		return MSR_GP;
	*val = (u64)vlapic_reg(a, APIC_ICR + 4) << 32 | vlapic_reg(a, APIC_ICR);
	return MSR_OK;
}

/* SELF IPI is an ICR write with the self shorthand that does not touch the ICR. */
static enum msr_result x2apic_self_ipi_write(struct vp *vp, u32 msr, u64 val)
{
	if (!vlapic_is_x2apic(&vp->apic))
		return MSR_GP;
	if (val < VECTOR_MIN_APIC)
		vlapic_error(vp, APIC_ESR_SEND_ILLEGAL);
	vlapic_set_irr(vp, (u8)val, false); /* refuses such a vector as received */
	return MSR_OK;
}

static u64 apic_base(struct vp *vp)
{
	return vp->apic.base_msr;
}

static enum msr_result apic_base_write(struct vp *vp, u32 msr, u64 val)
{
	return vlapic_write_base(vp, val);
}

static enum msr_result tsc_deadline_read(struct vp *vp, u32 msr, u64 *val)
{
	*val = vlapic_timer_read_deadline(vp);
	return MSR_OK;
}

static enum msr_result tsc_deadline_write(struct vp *vp, u32 msr, u64 val)
{
	vlapic_timer_write_deadline(vp, val);
	return MSR_OK;
}

/* clang-format off */
const struct msr_row vlapic_msr_rows[] = {
	{ MSR_ONE(MSR_IA32_APIC_BASE, "APIC_BASE"),
	  .get = apic_base, .write = apic_base_write },
	{ MSR_ONE(MSR_IA32_TSC_DEADLINE, "TSC_DEADLINE"),
	  .read = tsc_deadline_read, .write = tsc_deadline_write },
	{ MSR_RANGE(0x800, X2APIC_MSR(APIC_TPR) - 1, "X2APIC_ID"),
	  .read = x2apic_read, .write = x2apic_write },
	{ MSR_ONE(X2APIC_MSR(APIC_TPR), "X2APIC_TPR"), .rsvdz = ~0xffull,
	  .read = x2apic_read, .write = x2apic_tpr_write },
	{ MSR_RANGE(X2APIC_MSR(APIC_TPR) + 1, X2APIC_MSR(APIC_EOI) - 1, "X2APIC_PPR"),
	  .read = x2apic_read, .write = x2apic_write },
	{ MSR_ONE(X2APIC_MSR(APIC_EOI), "X2APIC_EOI"), .rsvdz = ~0ull,
	  .write = x2apic_eoi_write },
	{ MSR_RANGE(X2APIC_MSR(APIC_EOI) + 1, X2APIC_MSR(APIC_ICR) - 1, "X2APIC_STATE"),
	  .read = x2apic_read, .write = x2apic_write },
	{ MSR_ONE(X2APIC_MSR(APIC_ICR), "X2APIC_ICR"), .rsvdz = ICR_RSVDZ,
	  .read = x2apic_icr_read, .write = vlapic_x2apic_icr_write },
	{ MSR_RANGE(X2APIC_MSR(APIC_ICR) + 1, X2APIC_MSR(APIC_SELF_IPI) - 1, "X2APIC_LVT"),
	  .read = x2apic_read, .write = x2apic_write },
	{ MSR_ONE(X2APIC_MSR(APIC_SELF_IPI), "X2APIC_SELF_IPI"), .rsvdz = ~0xffull,
	  .write = x2apic_self_ipi_write },
	{ MSR_RANGE(X2APIC_MSR(APIC_SELF_IPI) + 1, MSR_IA32_X2APIC_LAST, "X2APIC_RESERVED"),
	  .read = x2apic_read, .write = x2apic_write },
};
/* clang-format on */

const u32 vlapic_msr_row_count = ARRAY_SIZE(vlapic_msr_rows);
