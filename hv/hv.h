/* SPDX-License-Identifier: BSD-2-Clause */
/* A paravirtual ABI: its leaves, its calls; its features name it (feature.h). */
#pragma once

#include "core/exit/exit.h"
#include "core/surface/cpuid.h"
#include "hv/feature.h"
#include "hv/hcall.h"

struct partition;
struct vp;

/*
 * Leaves of the first ABI that is on, and how far the next one's are from them. Linux looks for
 * signatures at every multiple of the distance, QEMU puts KVM's leaves behind Hyper-V's so.
 */
#define HV_CPUID_BASE   0x40000000u
#define HV_CPUID_STRIDE 0x100u

struct hv_abi {
	const char *name;
	u32 whole; /* enum hv_feature_id: the interface as a whole; without it nothing is there */
	/* Relative to the base that the ABI gets: the signature, and rows that take the features'
	 * bits. */
	const struct cpuid_row *cpuid;
	u32 cpuid_count;
	struct hcall_table *calls;
	/*
	 * A VMCALL is the first one's in hv_abis[] that claims it. NULL: whatever is left. The
	 * TLFS's ABI owns what a guest with an OS ID does, KVM's all others.
	 */
	bool (*claims)(const struct vp *vp);
	exit_fn vmcall;
};

/* NULL-terminated, in the order of the leaves. */
extern const struct hv_abi *const hv_abis[];

/**
 * hv_register() - what is on in @p's configuration: every ABI's CPUID rows, each at the next base,
 * their features' bits, MSR rows, hypercalls and hooks, and the row of the VMCALL exit. Logs one
 * line per ABI. After exit_table_init() and the core's rows, before cpuid_seal().
 */
MUST_CHECK err_t hv_register(struct partition *p);

/**
 * hv_build_surface() - all that a guest of @p can see: exit rows, CPUID and MSR rows of core and of
 * every ABI that is on, sealed. Once, before the first VP.
 *
 * Returns an error where rows overlap or contradict each other; *@what is then which ones.
 */
MUST_CHECK err_t hv_build_surface(struct partition *p, const char **what);

/* hv_add_vp() - give @vp what the features keep for it. After hv_register(), once per VP. */
void hv_add_vp(struct vp *vp);

/* hv_vp_reset() - every feature that is on drops what @vp registered. */
void hv_vp_reset(struct vp *vp, bool init);

/* hv_start_periodic() - the features' periodic work begins, on @vp. Its own CPU. */
void hv_start_periodic(struct vp *vp);
