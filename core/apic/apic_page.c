/* SPDX-License-Identifier: BSD-2-Clause */
/* The APIC page: an overlay at the base of each APIC in xAPIC mode. VP's CPU. */
#include "arch/x86/defs/apic.h"
#include "arch/x86/defs/ept.h"
#include "arch/x86/defs/msr.h"
#include "core/apic/vlapic.h"
#include "core/diag/log.h"
#include "core/hw.h"
#include "core/mem/page_alloc.h"
#include "core/partition.h"
#include "core/vp/vp.h"

err_t apic_page_init(struct partition *p)
{
	void *page = page_alloc();

	if (page == NULL)
		return ERR_NOMEM;
	p->apic_access_page = hw_virt_to_phys(page);
	return ERR_NONE;
}

/* If the overlay is refused the APIC has no page, as if other registers hid it. The guest can
 * still move it elsewhere or use x2APIC mode. */
static void place(struct vp *vp, struct overlay *o, u64 at)
{
	struct partition *p = vp->partition;
	err_t err = overlay_map(p, o, at);

	if (err == ERR_NOMEM)
		partition_stop(vp, "no memory for EPT tables: the guest moved its APIC");
	if (err == ERR_NONE)
		return;
	log_guest("the guest moved its APIC to 0x%llx, where no page of it can be (%s)", at,
		  err_name(err));
	overlay_unmap(p, o);
}

void apic_page_remap(struct vp *vp)
{
	struct partition *p = vp->partition;
	struct overlay *o = &vp->apic.overlay;

	/* A CPU that came up after it was given up: its index belongs to another VP now. */
	if (partition_vp(p, vp->index) != vp)
		return;
	if (!vlapic_is_hw_enabled(&vp->apic) || vlapic_is_x2apic(&vp->apic)) {
		overlay_unmap(p, o);
		return;
	}
	if (!overlay_is_mapped(o))
		*o = (struct overlay){ .page = p->apic_access_page,
				       .perms = p->machine.apic_accesses ? EPT_R | EPT_W : 0,
				       .kind = PAGE_APIC,
				       .vp = vp };
	place(vp, o, vp->apic.base_msr & APIC_BASE_ADDR);
}
