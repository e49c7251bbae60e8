/* SPDX-License-Identifier: BSD-2-Clause */
/* Hands the enabled modules' rows and hooks to core. Pure. Context: boot CPU; hooks: VP's CPU. */
#include "hv/hv.h"

#include "core/log.h"
#include "core/partition.h"
#include "core/vp.h"

static bool is_live(const struct hv_module *m, const struct partition *p)
{
	return m->is_enabled == NULL || m->is_enabled(p);
}

void hv_vp_reset(struct vp *vp, bool init)
{
	for (const struct hv_module *const *m = hv_modules; *m != NULL; m++) {
		if ((*m)->vp_reset != NULL && is_live(*m, vp->partition))
			(*m)->vp_reset(vp, init);
	}
}

void hv_clock_changed(struct partition *p)
{
	for (const struct hv_module *const *m = hv_modules; *m != NULL; m++) {
		if ((*m)->clock_changed != NULL && is_live(*m, p))
			(*m)->clock_changed(p);
	}
}

err_t hv_register(struct partition *p)
{
	for (const struct hv_module *const *m = hv_modules; *m != NULL; m++) {
		if (!is_live(*m, p)) {
			log_info("%s paravirtual interface: off", (*m)->name);
			continue;
		}
		TRY(cpuid_add_rows(p, (*m)->cpuid_base, (*m)->cpuid, (*m)->cpuid_count));
		TRY(msr_add_rows(p, (*m)->msrs, (*m)->msr_count));
		log_info("%s paravirtual interface: CPUID leaf 0x%x", (*m)->name, (*m)->cpuid_base);
	}
	p->vp_reset_hook = hv_vp_reset;
	p->clock_changed_hook = hv_clock_changed;
	return ERR_NONE;
}
