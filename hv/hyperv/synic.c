/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The synthetic interrupt controller: its registers and pages. Messages: synic_msg.c.
 * Context: VP's own CPU; synic_request() any CPU.
 *
 * Spec: TLFS "Inter-Partition Communication": "SynIC MSRs", "SIM and SIEF Pages".
 */
#include "arch/x86/defs/ept.h"
#include "arch/x86/defs/paging.h"
#include "core/diag/log.h"
#include "core/lib/string.h"
#include "core/mem/page_alloc.h"
#include "hv/hyperv/synic_internal.h"

static struct hv_vp_state state = { .size = sizeof(struct synic_vp) };

/* A SINT with one of these does not interrupt. */
#define SILENT (HV_SYNIC_SINT_MASKED | HV_SYNIC_SINT_POLLING)

struct synic_vp *synic_of(const struct vp *vp)
{
	return hv_state(vp, &state);
}

void synic_request(struct vp *vp, u32 sint)
{
	u64 val = READ_ONCE(synic_of(vp)->sint[sint]);
	u8 vector = (u8)FIELD_GET(HV_SYNIC_SINT_VECTOR_MASK, val);

	if (val & SILENT)
		return;
	if (vp == hw_cpu_vp())
		vlapic_set_irr(vp, vector, false);
	else
		vlapic_post_irq(vp, vector);
}

static enum msr_result control_read(struct vp *vp, u32 msr, u64 *val)
{
	*val = synic_of(vp)->control;
	return MSR_OK;
}

static enum msr_result control_write(struct vp *vp, u32 msr, u64 val)
{
	WRITE_ONCE(synic_of(vp)->control, val);
	synic_scan(vp);
	return MSR_OK;
}

static enum msr_result version_read(struct vp *vp, u32 msr, u64 *val)
{
	*val = HV_SYNIC_VERSION_1;
	return MSR_OK;
}

static struct synic_page *page_of(struct vp *vp, u32 msr)
{
	struct synic_vp *v = synic_of(vp);

	return msr == HV_X64_MSR_SIMP ? &v->messages : &v->events;
}

static enum msr_result page_read(struct vp *vp, u32 msr, u64 *val)
{
	*val = page_of(vp, msr)->msr;
	return MSR_OK;
}

static void page_off(struct vp *vp, struct synic_page *page)
{
	WRITE_ONCE(page->msr, page->msr & ~HV_SYNIC_SIMP_ENABLE);
	overlay_unmap(vp->partition, &page->overlay);
}

/* The SynIC of another CPU may be about to use the page, with the lock. */
static void page_clear(struct synic_vp *v, struct synic_page *page)
{
	spin_lock(&v->lock);
	memset(page->mem, 0, PAGE_SIZE);
	spin_unlock(&v->lock);
}

/*
 * A page that appears is empty, as on KVM. Where no overlay can be, "the page will not be
 * accessible to the guest": it is used all the same.
 */
static void page_on(struct vp *vp, struct synic_page *page, u64 at)
{
	bool stays = (page->msr & HV_SYNIC_SIMP_ENABLE) && (page->msr & HV_MSR_PAGE_ADDRESS) == at;
	err_t err;

	if (!stays) {
		page_off(vp, page);
		page_clear(synic_of(vp), page);
	}
	err = overlay_map(vp->partition, &page->overlay, at);
	if (err != ERR_NONE)
		log_guest("vp%u: no page of the SynIC at 0x%llx (%s)", vp->index, at,
			  err_name(err));
}

static enum msr_result page_write(struct vp *vp, u32 msr, u64 val)
{
	struct synic_page *page = page_of(vp, msr);

	if (val & HV_SYNIC_SIMP_ENABLE)
		page_on(vp, page, val & HV_MSR_PAGE_ADDRESS);
	else
		page_off(vp, page);
	WRITE_ONCE(page->msr, val);
	synic_scan(vp);
	return MSR_OK;
}

static enum msr_result eom_read(struct vp *vp, u32 msr, u64 *val)
{
	*val = 0;
	return MSR_OK;
}

static enum msr_result eom_write(struct vp *vp, u32 msr, u64 val)
{
	COUNT(vp, HV_EOM);
	synic_scan(vp);
	return MSR_OK;
}

static enum msr_result sint_read(struct vp *vp, u32 msr, u64 *val)
{
	*val = synic_of(vp)->sint[msr - HV_X64_MSR_SINT0];
	return MSR_OK;
}

/* Vectors of SINTs that interrupt and end the interrupt by themselves. */
static void auto_eoi_changed(struct vp *vp)
{
	const struct synic_vp *v = synic_of(vp);
	u32 vectors[8] = { 0 };

	for (u32 i = 0; i < HV_SYNIC_SINT_COUNT; i++) {
		u64 vector = FIELD_GET(HV_SYNIC_SINT_VECTOR_MASK, v->sint[i]);

		if ((v->sint[i] & HV_SYNIC_SINT_AUTO_EOI) && !(v->sint[i] & SILENT))
			vectors[vector / 32] |= BIT32(vector % 32);
	}
	vlapic_set_auto_eoi(vp, vectors);
}

/* SPEC-GAP: a masked one may have any vector, as on KVM: guests write 0. */
static enum msr_result sint_write(struct vp *vp, u32 msr, u64 val)
{
	if (!(val & HV_SYNIC_SINT_MASKED) &&
	    FIELD_GET(HV_SYNIC_SINT_VECTOR_MASK, val) < HV_SYNIC_FIRST_VALID_VECTOR)
		return MSR_GP;
	if (val & HV_SYNIC_SINT_AUTO_EOI)
		COUNT(vp, HV_SINT_AUTO_EOI);
	WRITE_ONCE(synic_of(vp)->sint[msr - HV_X64_MSR_SINT0], val);
	auto_eoi_changed(vp);
	synic_watch(vp, msr - HV_X64_MSR_SINT0);
	return MSR_OK;
}

static err_t page_create(struct vp *vp, struct synic_page *page)
{
	page->mem = page_alloc();
	if (page->mem == NULL)
		return ERR_NOMEM;
	page->overlay = (struct overlay){ .page = hw_virt_to_phys(page->mem),
					  .perms = EPT_R | EPT_W,
					  .kind = PAGE_OVERLAY,
					  .vp = vp };
	return ERR_NONE;
}

static err_t synic_vp_create(struct vp *vp)
{
	struct synic_vp *v = synic_of(vp);

	if (vp->index == 0) {
		synic_listen(NULL);
		TRY(synic_ports_create(vp->partition));
	}
	v->behind = &v->first;
	TRY(page_create(vp, &v->messages));
	return page_create(vp, &v->events);
}

static void page_reset(struct vp *vp, struct synic_page *page)
{
	page_off(vp, page);
	WRITE_ONCE(page->msr, 0);
	page_clear(synic_of(vp), page);
}

static void synic_reset(struct vp *vp, bool init)
{
	struct synic_vp *v = synic_of(vp);

	WRITE_ONCE(v->control, 0);
	for (u32 i = 0; i < HV_SYNIC_SINT_COUNT; i++)
		WRITE_ONCE(v->sint[i], HV_SYNIC_SINT_MASKED);
	auto_eoi_changed(vp);
	page_reset(vp, &v->messages);
	page_reset(vp, &v->events);
	synic_forget(vp);
}

static void synic_eoi(struct vp *vp, u8 vector)
{
	synic_scan(vp);
}

static const struct msr_row msrs[] = {
	/* Manual: never | - | 0 | 0 */
	{ MSR_ONE(HV_X64_MSR_SCONTROL, "HV_X64_MSR_SCONTROL"), .read = control_read,
	  .write = control_write },
	/* Manual: written | - | 1 | 1 */
	{ MSR_ONE(HV_X64_MSR_SVERSION, "HV_X64_MSR_SVERSION"), .read = version_read },
	/* Manual: never | accepted, the page is nowhere | 0 | 0 */
	{ MSR_ONE(HV_X64_MSR_SIEFP, "HV_X64_MSR_SIEFP"), .read = page_read, .write = page_write },
	/* Manual: never | accepted, the page is nowhere | 0 | 0 */
	{ MSR_ONE(HV_X64_MSR_SIMP, "HV_X64_MSR_SIMP"), .read = page_read, .write = page_write },
	/* Manual: never. Reads 0 | - | - | - */
	{ MSR_ONE(HV_X64_MSR_EOM, "HV_X64_MSR_EOM"), .read = eom_read, .write = eom_write },
	/* Manual: a vector below 16, not masked | - | 10000H | 10000H */
	{ MSR_RANGE(HV_X64_MSR_SINT0, HV_X64_MSR_SINT15, "HV_X64_MSR_SINT0"), .read = sint_read,
	  .write = sint_write },
};

/*
 * Manual: 16 interrupt sources for each VP, with a page of messages and one of event flags, which
 * are overlays: DMA reaches the memory beneath. Where the CPU delivers interrupts, 4.EAX.9 says
 * that auto-EOI is deprecated
 */
const struct hv_feature hv_synic_feature = {
	.name = "hv-synic",
	.help = "the synthetic interrupt controller: messages and event flags",
	.abi = &hyperv_abi,
	.profiles = IN_TEST_PROFILES,
	.needs = BIT64(FEATURE_HV_VPINDEX),
	.bits = { HV_PRIVILEGES(.a = HV_MSR_SYNIC_AVAILABLE,
				.b = HV_POST_MESSAGES | HV_SIGNAL_EVENTS,
				.d = HV_SINT_POLLING_MODE_AVAILABLE) },
	.msrs = msrs,
	.msr_count = ARRAY_SIZE(msrs),
	.hcalls = synic_hcalls,
	.hcall_count = SYNIC_HCALLS,
	.vp_state = &state,
	.vp_create = synic_vp_create,
	.vp_reset = synic_reset,
	.eoi = synic_eoi,
};
