/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The host's CPUID leaves that the guest sees: an allow-list of known bits. Any other bit is 0, or
 * a future CPU could show a feature that nothing backs. Beside each mask: what it hides on purpose,
 * and why. The CR4 and XCR0 bits that the guest may set follow from it.
 * Context: init functions on the boot CPU; fn functions on the VP's own CPU.
 *
 * Spec: SDM Vol. 2A, "CPUID - CPU Identification".
 */
#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/vmcs.h"
#include "core/hw.h"
#include "core/lib/bits.h"
#include "core/partition.h"
#include "core/surface/cpuid.h"
#include "core/surface/cpuid_xsave.h"
#include "core/surface/misc_enable.h"
#include "core/vp/vp.h"

#define ALL (~0u)

/* The highest basic leaf with a row. */
#define MAX_BASIC 0x1fu

/* clang-format off */

/*
 * Hidden: DTES64, DS_CPL, PDCM (no debug store, no PMU), VMX, SMX, EIST, TM2, CNXT_ID, XTPR, DCA,
 * SDBG (their MSRs have no rows). MONITOR, X2APIC, TSC_DEADLINE and HYPERVISOR: see leaf1_init().
 */
#define LEAF1_ECX                                                                                  \
	(CPUID1_ECX_SSE3 | CPUID1_ECX_PCLMULQDQ | CPUID1_ECX_MONITOR | CPUID1_ECX_SSSE3 |          \
	 CPUID1_ECX_FMA |                                                                          \
	 CPUID1_ECX_CMPXCHG16B | CPUID1_ECX_PCID | CPUID1_ECX_SSE4_1 | CPUID1_ECX_SSE4_2 |         \
	 CPUID1_ECX_MOVBE | CPUID1_ECX_POPCNT | CPUID1_ECX_AES | CPUID1_ECX_XSAVE |                \
	 CPUID1_ECX_AVX | CPUID1_ECX_F16C | CPUID1_ECX_RDRAND)

/* Hidden: PSN, DS, ACPI and TM (thermal MSRs), PBE. MCE and MCA: shown with no banks. */
#define LEAF1_EDX                                                                                  \
	(CPUID1_EDX_FPU | CPUID1_EDX_VME | CPUID1_EDX_DE | CPUID1_EDX_PSE | CPUID1_EDX_TSC |       \
	 CPUID1_EDX_MSR | CPUID1_EDX_PAE | CPUID1_EDX_MCE | CPUID1_EDX_CX8 | CPUID1_EDX_APIC |     \
	 CPUID1_EDX_SEP | CPUID1_EDX_MTRR | CPUID1_EDX_PGE | CPUID1_EDX_MCA | CPUID1_EDX_CMOV |    \
	 CPUID1_EDX_PAT | CPUID1_EDX_PSE36 | CPUID1_EDX_CLFSH | CPUID1_EDX_MMX |                   \
	 CPUID1_EDX_FXSR | CPUID1_EDX_SSE | CPUID1_EDX_SSE2 | CPUID1_EDX_SS | CPUID1_EDX_HTT)

/* Hidden: SGX, HLE and RTM (TSX_CTRL has no row), RDT_M, RDT_A, MPX (BNDCFGS), PT. */
#define LEAF7_EBX                                                                                  \
	(CPUID7_EBX_FSGSBASE | CPUID7_EBX_BMI1 | CPUID7_EBX_AVX2 | CPUID7_EBX_FDP_EXCPTN_ONLY |    \
	 CPUID7_EBX_SMEP | CPUID7_EBX_BMI2 | CPUID7_EBX_ERMS | CPUID7_EBX_INVPCID |                \
	 CPUID7_EBX_FCS_FDS_DEPRECATED | CPUID7_EBX_AVX512F | CPUID7_EBX_AVX512DQ |                \
	 CPUID7_EBX_RDSEED | CPUID7_EBX_ADX | CPUID7_EBX_SMAP | CPUID7_EBX_AVX512_IFMA |           \
	 CPUID7_EBX_CLFLUSHOPT | CPUID7_EBX_CLWB | CPUID7_EBX_AVX512PF | CPUID7_EBX_AVX512ER |     \
	 CPUID7_EBX_AVX512CD | CPUID7_EBX_SHA | CPUID7_EBX_AVX512BW | CPUID7_EBX_AVX512VL)

/* Hidden: WAITPKG, CET_SS, TME, MAWAU, KEY_LOCKER, BUS_LOCK_DETECT, ENQCMD, SGX_LC, PKS. */
#define LEAF7_ECX                                                                                  \
	(CPUID7_ECX_PREFETCHWT1 | CPUID7_ECX_AVX512_VBMI | CPUID7_ECX_UMIP | CPUID7_ECX_PKU |      \
	 CPUID7_ECX_AVX512_VBMI2 | CPUID7_ECX_GFNI | CPUID7_ECX_VAES | CPUID7_ECX_VPCLMULQDQ |     \
	 CPUID7_ECX_AVX512_VNNI | CPUID7_ECX_AVX512_BITALG | CPUID7_ECX_AVX512_VPOPCNTDQ |         \
	 CPUID7_ECX_LA57 | CPUID7_ECX_RDPID | CPUID7_ECX_CLDEMOTE | CPUID7_ECX_MOVDIRI |           \
	 CPUID7_ECX_MOVDIR64B)

/*
 * Hidden: SGX_KEYS, UINTR, SRBDS_CTRL, RTM_ALWAYS_ABORT, RTM_FORCE_ABORT, TSXLDTRK, HYBRID, PCONFIG,
 * ARCH_LBR, CET_IBT, AMX, CORE_CAPABILITIES.
 */
#define LEAF7_EDX                                                                                  \
	(CPUID7_EDX_AVX512_4VNNIW | CPUID7_EDX_AVX512_4FMAPS | CPUID7_EDX_FSRM |                   \
	 CPUID7_EDX_AVX512_VP2INTERSECT | CPUID7_EDX_MD_CLEAR | CPUID7_EDX_SERIALIZE |             \
	 CPUID7_EDX_AVX512_FP16 | CPUID7_EDX_SPEC_CTRL | CPUID7_EDX_STIBP | CPUID7_EDX_L1D_FLUSH | \
	 CPUID7_EDX_ARCH_CAPABILITIES | CPUID7_EDX_SSBD)

/* Hidden: LASS, LAM (CR4 and CR3 bits), FRED, LKGS, WRMSRNS, MSRLIST, NMI_SRC, HRESET, AMX. */
#define LEAF7_1_EAX                                                                                \
	(CPUID7_1_EAX_SHA512 | CPUID7_1_EAX_SM3 | CPUID7_1_EAX_SM4 | CPUID7_1_EAX_RAO_INT |        \
	 CPUID7_1_EAX_AVX_VNNI | CPUID7_1_EAX_AVX512_BF16 | CPUID7_1_EAX_CMPCCXADD |               \
	 CPUID7_1_EAX_FZLRM | CPUID7_1_EAX_FSRS | CPUID7_1_EAX_FSRC | CPUID7_1_EAX_AVX_IFMA)
#define LEAF7_1_EDX                                                                                \
	(CPUID7_1_EDX_AVX_VNNI_INT8 | CPUID7_1_EDX_AVX_NE_CONVERT | CPUID7_1_EDX_AVX_VNNI_INT16 |  \
	 CPUID7_1_EDX_PREFETCHI)

/* Bits of IA32_SPEC_CTRL, which is passed through. Hidden: UC_LOCK_DISABLE, MONITOR_MITG_NO. */
#define LEAF7_2_EDX                                                                                \
	(CPUID7_2_EDX_PSFD | CPUID7_2_EDX_IPRED_CTRL | CPUID7_2_EDX_RRSBA_CTRL |                   \
	 CPUID7_2_EDX_DDPD_U | CPUID7_2_EDX_BHI_CTRL | CPUID7_2_EDX_MCDT_NO)

#define LEAF80000001_ECX                                                                           \
	(CPUID80000001_ECX_LAHF64 | CPUID80000001_ECX_LZCNT | CPUID80000001_ECX_PREFETCHW)
#define LEAF80000001_EDX                                                                           \
	(CPUID80000001_EDX_SYSCALL | CPUID80000001_EDX_NX | CPUID80000001_EDX_PAGE1GB |            \
	 CPUID80000001_EDX_RDTSCP | CPUID80000001_EDX_LM)

/* clang-format on */

static void keep_if(u32 *reg, u32 bits, bool backed)
{
	if (!backed)
		*reg &= ~bits;
}

static void leaf0_init(const struct partition *p, u32 leaf, u32 subleaf, struct cpuid_regs *r)
{
	r->a = umin32(r->a, MAX_BASIC);
}

static void leaf1_init(const struct partition *p, u32 leaf, u32 subleaf, struct cpuid_regs *r)
{
	u64 xcr0 = xsave_supported();

	keep_if(&r->c, CPUID1_ECX_MONITOR, p->config.mwait == MWAIT_C1);
	keep_if(&r->c, CPUID1_ECX_XSAVE, xcr0 != 0);
	keep_if(&r->c, CPUID1_ECX_AVX | CPUID1_ECX_FMA | CPUID1_ECX_F16C, xcr0 & XCR0_AVX);
	r->c |= CPUID1_ECX_TSC_DEADLINE; /* the virtual APIC's */
	if (p->machine.x2apic) /* virtual, but the physical APIC may have to follow (rule I7) */
		r->c |= CPUID1_ECX_X2APIC;
}

static void leaf1_fn(const struct vp *vp, u32 leaf, u32 subleaf, struct cpuid_regs *r)
{
	r->b |= (u32)FIELD_PREP(CPUID1_EBX_APIC_ID, vp->apic_id);
	if ((r->c & CPUID1_ECX_XSAVE) && (hw_vmread(VMCS_GUEST_CR4) & CR4_OSXSAVE))
		r->c |= CPUID1_ECX_OSXSAVE;
	if (!vlapic_is_hw_enabled(&vp->apic))
		r->d &= ~CPUID1_EDX_APIC;
	if (misc_enable_differs(vp, MISC_ENABLE_MONITOR_FSM)) /* shown, it is set at reset */
		r->c &= ~CPUID1_ECX_MONITOR;
}

/* mwait=c1: deeper C-states would stop the preemption timer (rule T1). */
static void mwait_init(const struct partition *p, u32 leaf, u32 subleaf, struct cpuid_regs *r)
{
	if (p->config.mwait != MWAIT_C1)
		*r = (struct cpuid_regs){ 0 };
}

/* Topology and cache leaves: the host's are right, as the VP is pinned to its CPU. */
static void host_fn(const struct vp *vp, u32 leaf, u32 subleaf, struct cpuid_regs *r)
{
	hw_cpuid(leaf, subleaf, r);
}

static void topology_fn(const struct vp *vp, u32 leaf, u32 subleaf, struct cpuid_regs *r)
{
	struct cpuid_regs levels;

	hw_cpuid(leaf, 0, &levels);
	if (levels.b == 0) { /* the leaf exists but enumerates nothing */
		*r = (struct cpuid_regs){ 0 };
		return;
	}
	hw_cpuid(leaf, subleaf, r);
	r->d = vp->apic_id;
}

static void leaf7_init(const struct partition *p, u32 leaf, u32 subleaf, struct cpuid_regs *r)
{
	u64 xcr0 = xsave_supported();

	r->a = umin32(r->a, 2);
	keep_if(&r->b, CPUID7_EBX_INVPCID, ctx_proc2_allows(PROC2_ENABLE_INVPCID));
	keep_if(&r->b, CPUID7_EBX_AVX2, xcr0 & XCR0_AVX);
	keep_if(&r->c, CPUID7_ECX_PKU, xcr0 & XCR0_PKRU);
	keep_if(&r->c, CPUID7_ECX_RDPID, ctx_proc2_allows(PROC2_ENABLE_RDTSCP));
	keep_if(&r->c, CPUID7_ECX_VAES | CPUID7_ECX_VPCLMULQDQ, xcr0 & XCR0_AVX);
	if (!(xcr0 & XCR0_OPMASK)) { /* xsave_supported(): all of AVX-512 or nothing */
		r->b &= ~(CPUID7_EBX_AVX512F | CPUID7_EBX_AVX512DQ | CPUID7_EBX_AVX512_IFMA |
			  CPUID7_EBX_AVX512PF | CPUID7_EBX_AVX512ER | CPUID7_EBX_AVX512CD |
			  CPUID7_EBX_AVX512BW | CPUID7_EBX_AVX512VL);
		r->c &= ~(CPUID7_ECX_AVX512_VBMI | CPUID7_ECX_AVX512_VBMI2 |
			  CPUID7_ECX_AVX512_VNNI | CPUID7_ECX_AVX512_BITALG |
			  CPUID7_ECX_AVX512_VPOPCNTDQ);
		r->d &= ~(CPUID7_EDX_AVX512_4VNNIW | CPUID7_EDX_AVX512_4FMAPS |
			  CPUID7_EDX_AVX512_VP2INTERSECT | CPUID7_EDX_AVX512_FP16);
	}
}

static void leaf7_fn(const struct vp *vp, u32 leaf, u32 subleaf, struct cpuid_regs *r)
{
	if ((r->c & CPUID7_ECX_PKU) && (hw_vmread(VMCS_GUEST_CR4) & CR4_PKE))
		r->c |= CPUID7_ECX_OSPKE;
}

static void leaf7_1_init(const struct partition *p, u32 leaf, u32 subleaf, struct cpuid_regs *r)
{
	u64 xcr0 = xsave_supported();

	keep_if(&r->a, CPUID7_1_EAX_AVX512_BF16, xcr0 & XCR0_ZMM_HI256);
	if (xcr0 & XCR0_AVX)
		return;
	r->a &= ~(CPUID7_1_EAX_SHA512 | CPUID7_1_EAX_SM3 | CPUID7_1_EAX_SM4 |
		  CPUID7_1_EAX_AVX_VNNI | CPUID7_1_EAX_AVX_IFMA);
	r->d &= ~(CPUID7_1_EDX_AVX_VNNI_INT8 | CPUID7_1_EDX_AVX_NE_CONVERT |
		  CPUID7_1_EDX_AVX_VNNI_INT16);
}

/* Rule T3: hide a frequency that our measurement contradicts. */
static void frequency_init(const struct partition *p, u32 leaf, u32 subleaf, struct cpuid_regs *r)
{
	if (!p->machine.cpuid_tsc_trusted)
		*r = (struct cpuid_regs){ 0 };
}

static void ext0_init(const struct partition *p, u32 leaf, u32 subleaf, struct cpuid_regs *r)
{
	if (r->a != 0)
		r->a = umin32(r->a, CPUID_LEAF_EXT_ADDRESS);
}

static void ext1_init(const struct partition *p, u32 leaf, u32 subleaf, struct cpuid_regs *r)
{
	keep_if(&r->d, CPUID80000001_EDX_RDTSCP, ctx_proc2_allows(PROC2_ENABLE_RDTSCP));
}

/* SDM: SYSCALL/SYSRET is reported in 64-bit mode only. */
static void ext1_fn(const struct vp *vp, u32 leaf, u32 subleaf, struct cpuid_regs *r)
{
	if (!vp_is_long64(vp))
		r->d &= ~CPUID80000001_EDX_SYSCALL;
	if (misc_enable_differs(vp, MISC_ENABLE_XD_DISABLE))
		r->d &= ~CPUID80000001_EDX_NX;
}

static void invariant_fn(const struct vp *vp, u32 leaf, u32 subleaf, struct cpuid_regs *r)
{
	if (READ_ONCE(vp->partition->tsc_invariance_hidden))
		r->d &= ~CPUID80000007_EDX_INVARIANT_TSC;
}

static void address_init(const struct partition *p, u32 leaf, u32 subleaf, struct cpuid_regs *r)
{
	u32 bits = (u32)FIELD_GET(CPUID80000008_EAX_PHYS_BITS, r->a);

	if (p->machine.phys_bits != 0)
		bits = umin32(bits, p->machine.phys_bits);
	r->a = (r->a & ~(u32)CPUID80000008_EAX_PHYS_BITS) | bits;
}

/*
 * Leaves without a row read 0: 3 (serial number), 9 (DCA), 0xa (PMU), 0xf and 0x10
 * (RDT), 0x12 (SGX), 0x14 (PT), 0x17 (SoC), 0x19 (key locker), 0x1a (hybrid), 0x1b (PCONFIG), 0x1c
 * (LBR), 0x1d and 0x1e (AMX).
 */
/* clang-format off */
#define XSAVE_COMPONENT(n, text)                                                                   \
	{ .leaf = CPUID_LEAF_XSAVE, .subleaf = (n), .name = (text),                                \
	  .keep = { ALL, ALL, CPUIDD_N_ECX_ALIGN64, 0 }, .init = xsave_init }

const struct cpuid_row cpuid_host_rows[] = {
	{ .leaf = CPUID_LEAF_VENDOR, .subleaf = CPUID_ANY, .name = "vendor",
	  .keep = { ALL, ALL, ALL, ALL }, .init = leaf0_init },
	{ .leaf = CPUID_LEAF_FEATURES, .subleaf = CPUID_ANY, .name = "features",
	  .keep = { ALL, CPUID1_EBX_BRAND | CPUID1_EBX_CLFLUSH | CPUID1_EBX_MAX_IDS,
		    LEAF1_ECX, LEAF1_EDX },
	  .init = leaf1_init, .fn = leaf1_fn },
	{ .leaf = CPUID_LEAF_CACHE_TLB, .subleaf = CPUID_ANY, .name = "cache descriptors",
	  .keep = { ALL, ALL, ALL, ALL } },
	{ .leaf = CPUID_LEAF_CACHE, .subleaf = CPUID_ANY, .name = "caches",
	  .keep = { ALL, ALL, ALL, ALL }, .fn = host_fn },
	/* Sub-states of C0 and C1 only. */
	{ .leaf = CPUID_LEAF_MWAIT, .subleaf = CPUID_ANY, .name = "mwait",
	  .keep = { 0xffff, 0xffff, 3, 0xff }, .init = mwait_init },
	/* The virtual APIC timer never stops. Hidden: DTS, turbo, HWP, HDC, feedback, APERFMPERF, EPB. */
	{ .leaf = CPUID_LEAF_THERMAL_POWER, .subleaf = CPUID_ANY, .name = "power",
	  .set = { .a = CPUID6_EAX_ARAT } },
	{ .leaf = CPUID_LEAF_EXT_FEATURES, .subleaf = 0, .name = "extended features",
	  .keep = { ALL, LEAF7_EBX, LEAF7_ECX, LEAF7_EDX },
	  .set = { .b = CPUID7_EBX_TSC_ADJUST }, /* our MSR row backs it on every CPU */
	  .init = leaf7_init, .fn = leaf7_fn },
	{ .leaf = CPUID_LEAF_EXT_FEATURES, .subleaf = 1, .name = "extended features 1",
	  .keep = { LEAF7_1_EAX, 0, 0, LEAF7_1_EDX }, .init = leaf7_1_init },
	{ .leaf = CPUID_LEAF_EXT_FEATURES, .subleaf = 2, .name = "extended features 2",
	  .keep = { 0, 0, 0, LEAF7_2_EDX } },
	{ .leaf = CPUID_LEAF_TOPOLOGY, .subleaf = CPUID_ANY, .name = "topology",
	  .keep = { ALL, ALL, ALL, 0 }, .fn = topology_fn },
	{ .leaf = CPUID_LEAF_XSAVE, .subleaf = 0, .name = "xsave",
	  .init = xsave_init, .fn = xsave_fn },
	/* Hidden: XFD (its MSRs). XSAVES is complete because IA32_XSS takes 0 only. */
	{ .leaf = CPUID_LEAF_XSAVE, .subleaf = 1, .name = "xsave extensions",
	  .keep = { .a = CPUIDD_1_EAX_XSAVEOPT | CPUIDD_1_EAX_XSAVEC | CPUIDD_1_EAX_XGETBV_ECX1 |
			 CPUIDD_1_EAX_XSAVES },
	  .init = xsave_init, .fn = xsave_fn },
	XSAVE_COMPONENT(2, "avx state"),
	XSAVE_COMPONENT(5, "opmask state"),
	XSAVE_COMPONENT(6, "zmm_hi256 state"),
	XSAVE_COMPONENT(7, "hi16_zmm state"),
	XSAVE_COMPONENT(9, "pkru state"),
	{ .leaf = CPUID_LEAF_TSC, .subleaf = CPUID_ANY, .name = "tsc frequency",
	  .keep = { ALL, ALL, ALL, 0 }, .init = frequency_init },
	{ .leaf = CPUID_LEAF_FREQUENCY, .subleaf = CPUID_ANY, .name = "cpu frequency",
	  .keep = { 0xffff, 0xffff, 0xffff, 0 }, .init = frequency_init },
	{ .leaf = CPUID_LEAF_TLB, .subleaf = CPUID_ANY, .name = "address translation",
	  .keep = { ALL, ALL, ALL, ALL }, .fn = host_fn },
	{ .leaf = CPUID_LEAF_TOPOLOGY_V2, .subleaf = CPUID_ANY, .name = "topology v2",
	  .keep = { ALL, ALL, ALL, 0 }, .fn = topology_fn },

	{ .leaf = CPUID_LEAF_EXT_MAX, .subleaf = CPUID_ANY, .name = "extended maximum",
	  .keep = { .a = ALL }, .init = ext0_init },
	{ .leaf = CPUID_LEAF_EXT_SIGNATURE, .subleaf = CPUID_ANY, .name = "amd features",
	  .keep = { 0, 0, LEAF80000001_ECX, LEAF80000001_EDX },
	  .init = ext1_init, .fn = ext1_fn },
	{ .leaf = CPUID_LEAF_BRAND_FIRST, .subleaf = CPUID_ANY, .name = "brand 0",
	  .keep = { ALL, ALL, ALL, ALL } },
	{ .leaf = CPUID_LEAF_BRAND_FIRST + 1, .subleaf = CPUID_ANY, .name = "brand 1",
	  .keep = { ALL, ALL, ALL, ALL } },
	{ .leaf = CPUID_LEAF_BRAND_LAST, .subleaf = CPUID_ANY, .name = "brand 2",
	  .keep = { ALL, ALL, ALL, ALL } },
	{ .leaf = CPUID_LEAF_EXT_CACHE, .subleaf = CPUID_ANY, .name = "l2 cache",
	  .keep = { .c = ALL } },
	{ .leaf = CPUID_LEAF_EXT_POWER, .subleaf = CPUID_ANY, .name = "invariant tsc",
	  .keep = { .d = CPUID80000007_EDX_INVARIANT_TSC }, .fn = invariant_fn },
	{ .leaf = CPUID_LEAF_EXT_ADDRESS, .subleaf = CPUID_ANY, .name = "address sizes",
	  .keep = { .a = CPUID80000008_EAX_PHYS_BITS | CPUID80000008_EAX_LINEAR_BITS,
		    .b = CPUID80000008_EBX_WBNOINVD },
	  .init = address_init },
};
/* clang-format on */

const u32 cpuid_host_row_count = ARRAY_SIZE(cpuid_host_rows);
