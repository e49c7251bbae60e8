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

/* The enabled module behind @m, or the next one that is; NULL: none is left. */
static const struct hv_module *const *next_live(const struct hv_module *const *m,
						const struct partition *p)
{
	while (*m != NULL && !is_live(*m, p))
		m++;
	return *m != NULL ? m : NULL;
}

#define FOR_EACH_LIVE(m, p)                                                                \
	for (const struct hv_module *const *(m) = next_live(hv_modules, (p)); (m) != NULL; \
	     (m) = next_live((m) + 1, (p)))

void hv_vp_reset(struct vp *vp, bool init)
{
	FOR_EACH_LIVE(m, vp->partition)
	{
		if ((*m)->vp_reset != NULL)
			(*m)->vp_reset(vp, init);
	}
}

static void clock_changed(struct partition *p)
{
	FOR_EACH_LIVE(m, p)
	{
		if ((*m)->clock_changed != NULL)
			(*m)->clock_changed(p);
	}
}

static void map_changed(struct partition *p)
{
	FOR_EACH_LIVE(m, p)
	{
		if ((*m)->map_changed != NULL)
			(*m)->map_changed(p);
	}
}

static void stolen(struct vp *vp)
{
	FOR_EACH_LIVE(m, vp->partition)
	{
		if ((*m)->stolen != NULL)
			(*m)->stolen(vp);
	}
}

static void paused(struct vp *vp)
{
	FOR_EACH_LIVE(m, vp->partition)
	{
		if ((*m)->paused != NULL)
			(*m)->paused(vp);
	}
}

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
