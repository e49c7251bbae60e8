/* SPDX-License-Identifier: BSD-2-Clause */
/* Hands the enabled modules' rows and hooks to core. Pure. Context: boot CPU; hooks: VP's CPU. */
#include "hv/hv.h"

#include "core/diag/log.h"
#include "core/partition.h"
#include "core/vp/vp.h"

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

/* A function that hands a call to every enabled module that has one for it, in order. */
#define FOR_MODULES(name, type, partition)                                             \
	static void name(type arg)                                                     \
	{                                                                              \
		for (const struct hv_module *const *m = hv_modules; *m != NULL; m++) { \
			if ((*m)->name != NULL && is_live(*m, partition))              \
				(*m)->name(arg);                                       \
		}                                                                      \
	}

FOR_MODULES(clock_changed, struct partition *, arg)
FOR_MODULES(map_changed, struct partition *, arg)
FOR_MODULES(stolen, struct vp *, arg->partition)
FOR_MODULES(paused, struct vp *, arg->partition)

static const struct partition_hooks hooks = {
	.vp_reset = hv_vp_reset,
	.clock_changed = clock_changed,
	.map_changed = map_changed,
	.stolen = stolen,
	.paused = paused,
};

err_t hv_register(struct partition *p)
{
	u32 base = HV_CPUID_BASE;

	for (const struct hv_module *const *m = hv_modules; *m != NULL; m++) {
		if (!is_live(*m, p)) {
			log_info("%s paravirtual interface: off", (*m)->name);
			continue;
		}
		TRY(cpuid_add_rows(p, base, (*m)->cpuid, (*m)->cpuid_count));
		if ((*m)->add_rows != NULL)
			TRY((*m)->add_rows(p));
		log_info("%s paravirtual interface: CPUID leaf 0x%x", (*m)->name, base);
		base += HV_CPUID_STRIDE;
	}
	p->hooks = &hooks;
	return ERR_NONE;
}
