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
 * Base of the first live ABI's leaves, and the distance to the next one's. Linux looks for
 * signatures at every multiple of it, and QEMU puts KVM's leaves after Hyper-V's like this.
 */
#define HV_CPUID_BASE   0x40000000u
#define HV_CPUID_STRIDE 0x100u

struct hv_abi {
	const char *name;
	u32 whole; /* enum hv_feature_id of the interface itself: if off, so is the ABI */
	bool whole_is_implied;  /* it is on with any of its features */
	const char *everything; /* word of cpu= for its features but ONLY_BY_NAME; NULL: none */
	/* Relative to the base that the ABI gets: the signature, and rows that take the features'
	 * bits. */
	const struct cpuid_row *cpuid;
	u32 cpuid_count;
	struct hcall_table *calls;
	/*
	 * Set the function of VMCALL as things are; false: this ABI does not claim it, and the next
	 * in hv_abis[] is asked. The TLFS's ABI claims the calls of a guest that has set an OS ID,
	 * KVM's all others. When the answer changes, hv_choose_vmcall() must hear of it.
	 */
	bool (*vmcall)(const struct partition *p, exit_fn *fn);
	err_t (*testdev)(struct partition *p); /* NULL: none; hv_testdev_add() */
};

/* NULL-terminated, in the order of the leaves. */
extern const struct hv_abi *const hv_abis[];

/**
 * hv_register() - register all that is on in @p's configuration: CPUID rows of each ABI, at the
 * next base; bits, MSR rows, hypercalls and hooks of its features; the row of the VMCALL exit. Logs
 * one line per ABI. After exit_table_init() and the core's rows, before cpuid_seal().
 */
MUST_CHECK err_t hv_register(struct partition *p);

/* hv_choose_vmcall() - ask the ABIs again whose a VMCALL is. Any CPU; one at a time, for the caller
 * to see to. A VMCALL of another VP at the same time goes to the old owner or to the new one. */
void hv_choose_vmcall(const struct partition *p);

/**
 * hv_build_surface() - register and seal all that a guest of @p can see: exit, CPUID and MSR rows
 * of core and of every live ABI. Once, before the first VP.
 *
 * Returns an error if rows overlap or contradict each other; *@what then says which.
 */
MUST_CHECK err_t hv_build_surface(struct partition *p, const char **what);

/* hv_testdev_add() - own the ports of the test devices of each live ABI: docs/testdev.md. Boot,
 * before the I/O bitmap is built. ERR_BUSY: a port is owned already. */
MUST_CHECK err_t hv_testdev_add(struct partition *p);

/* hv_cpuid_last() - the highest leaf of @abi that is on, relative to its base. */
u32 hv_cpuid_last(const struct partition *p, const struct hv_abi *abi);

/* Per-VP state of all features together: vp->abi_state, zeroed, 64-byte aligned. */
#define HV_VP_STATE_BYTES 1024u

/* hv_vp_create() - live features allocate what @vp needs. Boot, once; abi_state is there.
 * ERR_NOMEM: no pages. */
MUST_CHECK err_t hv_vp_create(struct vp *vp);

/* hv_tsc_frequency() - the machine's TSC counts @hz from now on; the guest hears of it as it has
 * asked for. A VP's CPU, root, no locks. */
void hv_tsc_frequency(struct partition *p, u64 hz);

/* hv_vp_reset() - all live features drop what @vp registered. */
void hv_vp_reset(struct vp *vp, bool init);

/* hv_start_periodic() - start the features' periodic work, on @vp. Its own CPU. */
void hv_start_periodic(struct vp *vp);
