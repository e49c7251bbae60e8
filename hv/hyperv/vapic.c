/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The local APIC's frequent registers as MSRs, in either mode of the APIC, and the VP assist page
 * with the word of lazy EOIs (core/apic/lazy_eoi.h). Context: VP's own CPU.
 *
 * Spec: TLFS "Virtual Interrupt Controller": "Local APIC MSR Accesses", "EOI Assist"; "Virtual
 * Processor Assist Page".
 */
#include "arch/x86/defs/ept.h"
#include "arch/x86/defs/paging.h"
#include "core/apic/lazy_eoi.h"
#include "core/diag/log.h"
#include "core/lib/string.h"
#include "core/mem/page_alloc.h"
#include "hv/hyperv/hyperv_internal.h"

struct vapic_vp {
	u64 msr;  /* HV_X64_MSR_VP_ASSIST_PAGE as written */
	u8 *page; /* struct hv_vp_assist_page */
	struct overlay overlay;
};

static struct hv_vp_state state = { .size = sizeof(struct vapic_vp) };

static struct vapic_vp *vapic_of(const struct vp *vp)
{
	return hv_state(vp, &state);
}

static enum msr_result eoi_write(struct vp *vp, u32 msr, u64 val)
{
	vlapic_eoi(vp);
	return MSR_OK;
}

/* The destination is where the APIC's mode has it. */
static u32 icr_high(const struct vlapic *a)
{
	return vlapic_is_x2apic(a) ? APIC_ICR + 4 : APIC_ICR2;
}

static enum msr_result icr_read(struct vp *vp, u32 msr, u64 *val)
{
	const struct vlapic *a = &vp->apic;

	*val = (u64)vlapic_reg(a, icr_high(a)) << 32 | vlapic_reg(a, APIC_ICR);
	return MSR_OK;
}

/* Reserved bits are as in the register itself: #GP in x2APIC mode, else ignored. */
static enum msr_result icr_write(struct vp *vp, u32 msr, u64 val)
{
	if (vlapic_is_x2apic(&vp->apic))
		return msr_write(vp, X2APIC_MSR(APIC_ICR), val);
	vlapic_write_icr(vp, val);
	return MSR_OK;
}

static enum msr_result tpr_read(struct vp *vp, u32 msr, u64 *val)
{
	*val = vlapic_reg(&vp->apic, APIC_TPR);
	return MSR_OK;
}

static enum msr_result tpr_write(struct vp *vp, u32 msr, u64 val)
{
	vlapic_write(vp, APIC_TPR, (u32)val);
	return MSR_OK;
}

static enum msr_result assist_read(struct vp *vp, u32 msr, u64 *val)
{
	*val = vapic_of(vp)->msr;
	return MSR_OK;
}

static void assist_disable(struct vp *vp)
{
	struct vapic_vp *v = vapic_of(vp);

	lazy_eoi_disable_own(vp);
	overlay_unmap(vp->partition, &v->overlay);
}

static err_t assist_place(struct vp *vp, u64 at)
{
	struct vapic_vp *v = vapic_of(vp);

	if (!overlay_is_mapped(&v->overlay))
		v->overlay = (struct overlay){ .page = hw_virt_to_phys(v->page),
					       .perms = EPT_R | EPT_W,
					       .kind = PAGE_OVERLAY,
					       .vp = vp };
	return overlay_map(vp->partition, &v->overlay, at);
}

/*
 * A page at a new address is zeroed; of one that stays only the EOI word. SPEC-GAP: what an address
 * does where no overlay can be: #GP as in KVM, and nothing changes.
 */
static enum msr_result assist_enable(struct vp *vp, u64 at)
{
	struct vapic_vp *v = vapic_of(vp);
	bool stays = overlay_is_mapped(&v->overlay) && overlay_gpa(&v->overlay) == at;
	err_t err = assist_place(vp, at);

	if (err != ERR_NONE) {
		log_guest("vp%u: no VP assist page at 0x%llx (%s)", vp->index, at, err_name(err));
		return MSR_GP;
	}
	lazy_eoi_disable_own(vp); /* before the word is cleared */
	if (!stays)
		memset(v->page, 0, PAGE_SIZE);
	lazy_eoi_enable_own(vp, v->page + offsetof(struct hv_vp_assist_page, apic_assist),
			    !hv_has(vp->partition, FEATURE_HV_AVIC));
	return MSR_OK;
}

static enum msr_result assist_write(struct vp *vp, u32 msr, u64 val)
{
	if (!(val & HV_X64_MSR_VP_ASSIST_PAGE_ENABLE))
		assist_disable(vp);
	else if (assist_enable(vp, val & HV_MSR_PAGE_ADDRESS) != MSR_OK)
		return MSR_GP;
	vapic_of(vp)->msr = val;
	return MSR_OK;
}

void hv_assist_timer_expired(struct vp *vp)
{
	struct vapic_vp *v = vapic_of(vp);

	if (overlay_is_mapped(&v->overlay))
		WRITE_ONCE(v->page[HV_ASSIST_UNHALTED_TIMER_EXPIRED], 1);
}

static void vapic_reset(struct vp *vp, bool init)
{
	assist_disable(vp);
	vapic_of(vp)->msr = 0;
}

static const struct msr_row msrs[] = {
	/* Manual: read | - | - | - */
	{ MSR_ONE(HV_X64_MSR_EOI, "HV_X64_MSR_EOI"), .rsvdz = ~0xffffffffull, .write = eoi_write },
	/* Manual: reserved bits in x2APIC mode | - | as the APIC's | as the APIC's */
	{ MSR_ONE(HV_X64_MSR_ICR, "HV_X64_MSR_ICR"), .read = icr_read, .write = icr_write },
	/* Manual: | - | as the APIC's | as the APIC's */
	{ MSR_ONE(HV_X64_MSR_TPR, "HV_X64_MSR_TPR"), .rsvdz = ~0xffull, .read = tpr_read,
	  .write = tpr_write },
	/* Manual: bit 0 with an address where no overlay can be | #GP | 0 | 0 */
	{ MSR_ONE(HV_X64_MSR_VP_ASSIST_PAGE, "HV_X64_MSR_VP_ASSIST_PAGE"), .read = assist_read,
	  .write = assist_write },
};

/* An overlay always has backing: a WRMSR does not fail for want of memory. */
static err_t vapic_vp_create(struct vp *vp)
{
	struct vapic_vp *v = vapic_of(vp);

	v->page = page_alloc();
	return v->page != NULL ? ERR_NONE : ERR_NOMEM;
}

/*
 * Manual: EOI, ICR and TPR without the APIC's page or its x2APIC mode; the VP assist page, by which
 * an edge interrupt with nothing pending after it ends without an exit. The page is an overlay: DMA
 * reaches the memory beneath
 */
const struct hv_feature hv_vapic_feature = {
	.name = "hv-vapic",
	.help = "MSRs for the local APIC's frequent registers, and the VP assist page",
	.abi = &hyperv_abi,
	.bits = { HV_PRIVILEGES(.a = HV_MSR_APIC_ACCESS_AVAILABLE),
		  { .leaf = HYPERV_CPUID_ENLIGHTMENT_INFO,
		    .regs = { .a = HV_X64_APIC_ACCESS_RECOMMENDED },
		    .unless = BIT64(FEATURE_HV_AVIC) } },
	.msrs = msrs,
	.msr_count = ARRAY_SIZE(msrs),
	.vp_state = &state,
	.vp_create = vapic_vp_create,
	.vp_reset = vapic_reset,
};
