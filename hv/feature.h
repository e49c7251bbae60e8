/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A feature of a paravirtual ABI: everything about it in one place. Derived from it: the word of
 * cpu=, the profiles, the check of dependencies, the CPUID bits, the MSRs, the hypercalls, the
 * exits, which hooks are called, the tables of docs/profiles.md.
 *
 * Only what is live is advertised: a feature that is off has no bit, no MSR (#GP), no hypercall.
 *
 * Context: data; hooks: see each.
 */
#pragma once

#include "core/partition.h"
#include "core/surface/cpuid.h"
#include "core/surface/msr.h"
#include "core/vp/exit_info.h"
#include "core/vp/vp.h"

struct hcall_row;
struct hv_abi;

/* The number of a feature is its place in hv/features.def. */
enum hv_feature_id {
#define X(name, feature) FEATURE_##name,
#include "hv/features.def"
#undef X
	FEATURE_COUNT
};
static_assert(FEATURE_COUNT <= 64, "sets of them are u64");

/* Which profiles have a feature, of those that have its ABI. ONLY_BY_NAME: none, and it is not in
 * struct hv_abi.everything. */
enum hv_profiles { IN_ALL_PROFILES, IN_TEST_PROFILES, IN_NO_PROFILE, ONLY_BY_NAME };

/* A feature's state per VP: hv_register() places it. */
struct hv_vp_state {
	u32 size;   /* bytes */
	u32 offset; /* set by hv_register() */
};

/* CPUID bits that advertise the feature. */
struct hv_cpuid_bits {
	u32 leaf; /* relative to the ABI's block; absolute if of no ABI; 0: none */
	struct cpuid_regs regs;
	struct cpuid_regs shared; /* those of regs that each of several features has */
	u64 unless;               /* set of features: not with one of them */
};

struct hv_feature {
	const char *name;  /* QEMU's, written with '-' */
	const char *alias; /* another of QEMU's; NULL: none */
	const char *help;
	const struct hv_abi *abi; /* owner of its leaves and hypercalls; NULL: none */
	u64 needs;                /* earlier features. Each also needs its ABI's interface */
	bool needs_hlt_exit;      /* the option hlt=exit */
	enum hv_profiles profiles;
	bool has_auto; /* its word may have the value auto, which is on here */
	bool (*is_available)(const struct partition *p); /* on this machine; NULL: on all */
	struct hv_cpuid_bits bits[2];
	const struct cpuid_row *cpuid; /* leaves of its own, relative to the ABI's block */
	u32 cpuid_count;
	const struct msr_row *msrs;
	u32 msr_count;
	const struct hcall_row *hcalls;
	u32 hcall_count;
	bool (*offers_hcalls)(const struct partition *p); /* as it is set; NULL: always */
	const struct exit_module_row *exits;
	u32 exit_count;
	struct hv_vp_state *vp_state; /* NULL: none */

	/* Hooks, called if the feature is live; or NULL. But for the first as in struct
	 * partition_hooks. */
	err_t (*vp_create)(struct vp *vp);          /* allocate what @vp needs. Boot; ERR_NOMEM */
	void (*vp_reset)(struct vp *vp, bool init); /* drop what @vp registered. VP's CPU */
	void (*clock_changed)(struct partition *p); /* any CPU */
	void (*map_changed)(struct partition *p);   /* any CPU */
	void (*eoi)(struct vp *vp, u8 vector);      /* irq_msg_watch(). VP's CPU */
	void (*stolen)(struct vp *vp);              /* VP's CPU */
	void (*paused)(struct vp *vp);              /* VP's CPU */
	void (*running)(struct vp *vp);             /* VP's CPU */
	void (*periodic)(struct vp *vp);            /* every @period_s seconds, on one VP */
	u32 period_s;
};

extern const struct hv_feature *const hv_features[FEATURE_COUNT];

/* hv_has() - the feature is live. */
static inline bool hv_has(const struct partition *p, enum hv_feature_id id)
{
	return (p->config.cpu_features & BIT64(id)) != 0;
}

/* hv_feature_needs() - the set of features that @id needs, its ABI's interface included. */
u64 hv_feature_needs(u32 id);

/* hv_state() - a feature's state of @vp; zeroed when the VP is created. */
static inline void *hv_state(const struct vp *vp, const struct hv_vp_state *state)
{
	return vp->abi_state + state->offset;
}
