/* SPDX-License-Identifier: BSD-2-Clause */
/* A paravirtual ABI as a module: rows and hooks that boot hands to core. */
#pragma once

#include "core/exit/exit.h"
#include "core/surface/cpuid.h"
#include "core/surface/msr.h"

struct partition;
struct vp;

/*
 * Leaves of the first enabled module, and how far the next one's are from them. Linux looks for
 * signatures at every multiple of the distance, QEMU puts KVM's leaves behind Hyper-V's so.
 */
#define HV_CPUID_BASE   0x40000000u
#define HV_CPUID_STRIDE 0x100u

/* Index into hv_modules[], which is in the order of the leaves. */
enum hv_module_id { HV_MODULE_KVM, HV_MODULE_COUNT };

struct hv_module {
	const char *name;
	const struct cpuid_row *cpuid; /* leaves relative to the base that the module gets */
	u32 cpuid_count;
	err_t (*add_rows)(struct partition *p); /* MSR rows; NULL: none. Before msr_seal() */
	/* NULL: always live. Decides from p->config whether the module takes part at all. */
	bool (*is_enabled)(const struct partition *p);
	void (*vp_reset)(struct vp *vp, bool init); /* drop per-VP registrations */
	/* As in struct partition_hooks. NULL: does not care. */
	void (*clock_changed)(struct partition *p);
	void (*map_changed)(struct partition *p);
	void (*stolen)(struct vp *vp);
	void (*paused)(struct vp *vp);
};

/* NULL-terminated. */
extern const struct hv_module *const hv_modules[];

/* hv_exit_rows - VMCALL: which ABI owns it is decided in vmcall.c; #UD when none is enabled. */
extern const struct exit_module_row hv_exit_rows[];
extern const u32 hv_exit_row_count;

/**
 * hv_register() - add every enabled module's CPUID rows, each at the next base, and MSR rows to @p
 * and set its hooks. Logs one line per module. Before cpuid_seal().
 */
MUST_CHECK err_t hv_register(struct partition *p);

/**
 * hv_build_surface() - all that a guest of @p can see: exit rows, CPUID and MSR rows of core and of
 * every enabled module, sealed. Once, before the first VP.
 *
 * Returns an error where rows overlap or contradict each other; *@what is then which ones.
 */
MUST_CHECK err_t hv_build_surface(struct partition *p, const char **what);

/* hv_vp_reset() - every enabled module drops what @vp registered. */
void hv_vp_reset(struct vp *vp, bool init);
