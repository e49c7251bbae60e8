/* SPDX-License-Identifier: BSD-2-Clause */
/* Registers the rows, bits and hooks of live features with core. Pure. Context: boot CPU; hooks:
 * see struct hv_feature. */
#include "core/diag/log.h"
#include "core/diag/panic.h"
#include "core/hw.h"
#include "core/lib/string.h"
#include "hv/hv_internal.h"

/* For each hook, the live features that have it. NULL-terminated. */
#define LISTENERS (FEATURE_COUNT + 1)
static struct {
	const struct hv_feature *vp_create[LISTENERS], *vp_reset[LISTENERS],
		*clock_changed[LISTENERS], *map_changed[LISTENERS], *eoi[LISTENERS],
		*stolen[LISTENERS], *paused[LISTENERS], *running[LISTENERS], *periodic[LISTENERS];
	u64 periodic_tsc[FEATURE_COUNT]; /* next due */
} live;

err_t hv_vp_create(struct vp *vp)
{
	for (const struct hv_feature **f = live.vp_create; *f != NULL; f++)
		TRY((*f)->vp_create(vp));
	return ERR_NONE;
}

void hv_vp_reset(struct vp *vp, bool init)
{
	for (const struct hv_feature **f = live.vp_reset; *f != NULL; f++)
		(*f)->vp_reset(vp, init);
}

#define HOOK(hook, type)                                                       \
	static void hook(type arg)                                             \
	{                                                                      \
		for (const struct hv_feature **f = live.hook; *f != NULL; f++) \
			(*f)->hook(arg);                                       \
	}

HOOK(clock_changed, struct partition *)
HOOK(map_changed, struct partition *)
HOOK(stolen, struct vp *)
HOOK(paused, struct vp *)
HOOK(running, struct vp *)

static void eoi(struct vp *vp, u8 vector)
{
	for (const struct hv_feature **f = live.eoi; *f != NULL; f++)
		(*f)->eoi(vp, vector);
}

/* Schedule @i one period from now, and @vp's periodic work for the earliest. */
static void plan_periodic(struct vp *vp, u32 i, u64 now_tsc)
{
	live.periodic_tsc[i] = now_tsc + live.periodic[i]->period_s * vp->partition->clock.tsc_hz;
	vp->periodic_tsc = live.periodic_tsc[0];
	for (i = 1; live.periodic[i] != NULL; i++)
		vp->periodic_tsc = umin64(vp->periodic_tsc, live.periodic_tsc[i]);
}

static void periodic(struct vp *vp)
{
	u64 now_tsc = hw_tsc();

	for (u32 i = 0; live.periodic[i] != NULL; i++) {
		if (live.periodic_tsc[i] <= now_tsc) {
			live.periodic[i]->periodic(vp);
			plan_periodic(vp, i, now_tsc);
		}
	}
}

void hv_start_periodic(struct vp *vp)
{
	u64 now_tsc = hw_tsc();

	for (u32 i = 0; live.periodic[i] != NULL; i++)
		plan_periodic(vp, i, now_tsc);
}

static const struct partition_hooks hooks = {
	.vp_reset = hv_vp_reset,
	.clock_changed = clock_changed,
	.map_changed = map_changed,
	.eoi = eoi,
	.stolen = stolen,
	.paused = paused,
	.running = running,
	.periodic = periodic,
};

static void listen(const struct hv_feature **list, const struct hv_feature *f, bool wants)
{
	if (!wants)
		return;
	while (*list != NULL)
		list++;
	*list = f;
}

static void listen_to_all(const struct hv_feature *f)
{
	listen(live.vp_create, f, f->vp_create != NULL);
	listen(live.vp_reset, f, f->vp_reset != NULL);
	listen(live.clock_changed, f, f->clock_changed != NULL);
	listen(live.map_changed, f, f->map_changed != NULL);
	listen(live.eoi, f, f->eoi != NULL);
	listen(live.stolen, f, f->stolen != NULL);
	listen(live.paused, f, f->paused != NULL);
	listen(live.running, f, f->running != NULL);
	listen(live.periodic, f, f->periodic != NULL);
}

/* Place every feature, live or not: then offsets do not depend on the configuration. */
static err_t place_states(void)
{
	u32 offset = 0;

	for (u32 i = 0; i < FEATURE_COUNT; i++) {
		struct hv_vp_state *s = hv_features[i]->vp_state;

		if (s == NULL)
			continue;
		s->offset = offset;
		offset += ALIGN_UP(s->size, 8u);
		if (offset > HV_VP_STATE_BYTES) {
			log_error("%s: no room for its state, raise HV_VP_STATE_BYTES",
				  hv_features[i]->name);
			return ERR_NOMEM;
		}
	}
	return ERR_NONE;
}

static u32 last_of(const struct cpuid_row *rows, u32 n, u32 last)
{
	for (u32 i = 0; i < n; i++)
		last = umax32(last, rows[i].leaf);
	return last;
}

u32 hv_cpuid_last(const struct partition *p, const struct hv_abi *abi)
{
	u32 last = last_of(abi->cpuid, abi->cpuid_count, 0);

	for (u32 i = 0; i < FEATURE_COUNT; i++) {
		if (hv_features[i]->abi == abi && hv_has(p, i))
			last = last_of(hv_features[i]->cpuid, hv_features[i]->cpuid_count, last);
	}
	return last;
}

static err_t add_feature(struct partition *p, const struct hv_feature *f, u32 base)
{
	TRY(msr_add_rows(p, f->msrs, f->msr_count));
	TRY(cpuid_add_rows(p, base, f->cpuid, f->cpuid_count));
	for (u32 i = 0; i < f->exit_count; i++)
		exit_table_add(&exit_table_guest, &f->exits[i]);
	for (u32 i = 0; i < ARRAY_SIZE(f->bits); i++) {
		const struct hv_cpuid_bits *b = &f->bits[i];

		if (b->leaf != 0 && (p->config.cpu_features & b->unless) == 0)
			TRY(cpuid_add_bits(p, base + b->leaf, &b->regs, &b->shared, f->name));
	}
	listen_to_all(f);
	return ERR_NONE;
}

/* What needs a feature that is switched off here stays on: no row with this hook is needed. */
static void drop_unavailable(struct partition *p)
{
	for (u32 i = 0; i < FEATURE_COUNT; i++) {
		const struct hv_feature *f = hv_features[i];

		if (!hv_has(p, i) || f->is_available == NULL || f->is_available(p))
			continue;
		log_info("%s: off, the machine does not have it", f->name);
		p->config.cpu_features &= ~BIT64(i);
	}
}

static bool has_live_hcalls(const struct partition *p, u32 id)
{
	const struct hv_feature *f = hv_features[id];

	return hv_has(p, id) && (f->offers_hcalls == NULL || f->offers_hcalls(p));
}

/* @abi NULL: the features of no ABI. */
static err_t add_features(struct partition *p, const struct hv_abi *abi, u32 base)
{
	for (u32 i = 0; i < FEATURE_COUNT; i++) {
		const struct hv_feature *f = hv_features[i];

		if (f->abi != abi)
			continue;
		if (f->hcall_count != 0) {
			if (abi == NULL)
				return ERR_INVAL; /* a call needs an ABI's calling convention */
			TRY(hcall_add(abi->calls, f->hcalls, f->hcall_count,
				      has_live_hcalls(p, i)));
		}
		if (hv_has(p, i))
			TRY(add_feature(p, f, base));
	}
	return ERR_NONE;
}

static err_t add_abi(struct partition *p, const struct hv_abi *abi, u32 base)
{
	if (abi->calls != NULL)
		memset(abi->calls, 0, sizeof(*abi->calls));
	TRY(cpuid_add_rows(p, base, abi->cpuid, abi->cpuid_count));
	return add_features(p, abi, base);
}

err_t hv_testdev_add(struct partition *p)
{
	for (const struct hv_abi *const *a = hv_abis; *a != NULL; a++) {
		if (hv_has(p, (*a)->whole) && (*a)->testdev != NULL)
			TRY((*a)->testdev(p));
	}
	return ERR_NONE;
}

err_t hv_register(struct partition *p)
{
	const struct hv_abi *on[HV_ABIS_MAX];
	u32 base = HV_CPUID_BASE, n = 0;

	memset(&live, 0, sizeof(live));
	TRY(place_states());
	drop_unavailable(p);
	TRY(add_features(p, NULL, 0));
	for (const struct hv_abi *const *a = hv_abis; *a != NULL; a++) {
		if (!hv_has(p, (*a)->whole)) {
			log_info("%s paravirtual interface: off", (*a)->name);
			continue;
		}
		ASSERT(n < HV_ABIS_MAX);
		TRY(add_abi(p, *a, base));
		log_info("%s paravirtual interface: CPUID leaf 0x%x", (*a)->name, base);
		base += HV_CPUID_STRIDE;
		on[n++] = *a;
	}
	vmcall_register(p, on, n);
	p->hooks = &hooks;
	return ERR_NONE;
}
