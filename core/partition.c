/* SPDX-License-Identifier: BSD-2-Clause */
/* The partition's VPs and its ends. Pure. */
#include "core/partition.h"

#include "arch/x86/defs/vmcs.h"
#include "core/diag/guest_crash.h"
#include "core/diag/log.h"
#include "core/diag/panic.h"
#include "core/diag/stop_all.h"
#include "core/diag/vp_dump.h"
#include "core/hw.h"
#include "core/mem/shared_area.h"
#include "core/vp/vp.h"

struct partition the_partition;

struct vp *partition_vp(struct partition *p, u32 index)
{
	return index < p->vp_count ? p->vp[index] : NULL;
}

struct vp *partition_vp_by_apic_id(struct partition *p, u32 apic_id)
{
	if (apic_id < APIC_IDS_DIRECT)
		return p->vp_of_apic_id[apic_id];
	for (u32 i = 0; i < p->vp_count; i++) {
		if (p->vp[i]->apic_id == apic_id)
			return p->vp[i];
	}
	return NULL;
}

void partition_add_vp(struct partition *p, struct vp *vp)
{
	ASSERT(p->vp_count < VP_MAX);
	vp->partition = p;
	vp->index = p->vp_count;
	p->vp[p->vp_count++] = vp;
	if (vp->apic_id < APIC_IDS_DIRECT)
		p->vp_of_apic_id[vp->apic_id] = vp;
}

void partition_drop_last_vp(struct partition *p)
{
	struct vp *vp = p->vp[--p->vp_count];

	overlay_reset(p, vp);
	p->vp[p->vp_count] = NULL;
	if (vp->apic_id < APIC_IDS_DIRECT)
		p->vp_of_apic_id[vp->apic_id] = NULL;
}

void partition_vp_reset(struct vp *vp, bool init)
{
	if (vp->partition->hooks != NULL)
		vp->partition->hooks->vp_reset(vp, init);
}

void partition_map_changed(struct partition *p)
{
	shared_area_check_all(p);
	if (p->hooks != NULL)
		p->hooks->map_changed(p);
}

void partition_stop(struct vp *vp, const char *why)
{
	struct partition *p = vp->partition;

	p->stopping = true;
	TRACE(vp, GUEST_END, 0, hw_vmread(VMCS_GUEST_RIP), 0);
	stop_all_others();
	log_take_consoles();
	log_error("guest stopped: %s", why);
	stop_all_report(log_info);
	vp_dump_state(vp, log_error);
	vp_dump_registers(vp, log_error);
	stop_all_report_guests(log_info);
	guest_crash_dump_alone(log_error);
	trace_dump(p, TRACE_AT_END, log_info);
	counters_dump(p, why);
	if (p->config.on_crash == ON_CRASH_REBOOT) {
		log_error("rebooting the machine (on_crash=reboot)");
		hw_reboot();
	}
	log_error(HALTED " (on_crash=halt)");
	hw_halt();
}

void partition_ending(struct vp *vp, const char *why)
{
	log_info("guest ends: %s", why);
	if (guest_crash_count() != 0)
		guest_crash_dump(log_info);
	counters_dump(vp->partition, why);
}
