/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * CPUID leaf 0xD. Sizes follow from XCR0, so they are computed from the host's component rows and
 * the guest's XCR0. IA32_XSS has a row that takes 0 only: no supervisor components exist, and
 * XSAVES is offered because with XSS = 0 it is complete. Context: VP's own CPU.
 *
 * Spec: SDM Vol. 1, "Enumeration of CPU Support for XSAVE Instructions and XSAVE-Supported
 * Features".
 */
#include "core/surface/cpuid_xsave.h"

#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/vmcs.h"
#include "core/hw.h"
#include "core/lib/bits.h"
#include "core/partition.h"
#include "core/vp/vp.h"

/* Hidden: BNDREGS, BNDCSR (MPX), TILECFG, TILEDATA (AMX), APX and every component not known yet. */
#define XSAVE_KNOWN \
	(XCR0_X87 | XCR0_SSE | XCR0_AVX | XCR0_OPMASK | XCR0_ZMM_HI256 | XCR0_HI16_ZMM | XCR0_PKRU)

#define LEGACY_BYTES   512u
#define HEADER_BYTES   64u
#define FIRST_EXTENDED 2u
#define COMPONENTS     63u

u64 xsave_supported(void)
{
	const u64 avx512 = XCR0_OPMASK | XCR0_ZMM_HI256 | XCR0_HI16_ZMM;
	struct cpuid_regs r;
	u64 xcr0;

	hw_cpuid(CPUID_LEAF_VENDOR, 0, &r);
	if (r.a < CPUID_LEAF_XSAVE)
		return 0;
	hw_cpuid(CPUID_LEAF_FEATURES, 0, &r);
	if (!(r.c & CPUID1_ECX_XSAVE))
		return 0;
	hw_cpuid(CPUID_LEAF_XSAVE, 0, &r);
	xcr0 = (r.a | (u64)r.d << 32) & XSAVE_KNOWN;
	/*
	 * HW-ERRATUM: Bochs 2.7 (corei3_cnl, corei7_icelake_u) enumerates PKRU but describes it
	 * with zeros. A guest would allocate too small an area, and XSAVE write past its end.
	 */
	for (u32 i = FIRST_EXTENDED; i < COMPONENTS; i++) {
		if (!(xcr0 & BIT64(i)))
			continue;
		hw_cpuid(CPUID_LEAF_XSAVE, i, &r);
		if (r.a == 0)
			xcr0 &= ~BIT64(i);
	}
	/* XSETBV takes AVX-512 only as a whole and with AVX. */
	if ((xcr0 & avx512) != avx512 || !(xcr0 & XCR0_AVX))
		xcr0 &= ~avx512;
	return xcr0;
}

/* Bytes of an area that holds the components of @mask, in standard or compacted format. */
static u32 area_bytes(u64 mask, bool compacted)
{
	u32 end = LEGACY_BYTES + HEADER_BYTES;

	for (u32 i = FIRST_EXTENDED; i < COMPONENTS; i++) {
		struct cpuid_regs c;

		if (!(mask & BIT64(i)))
			continue;
		hw_cpuid(CPUID_LEAF_XSAVE, i, &c);
		if (!compacted) {
			end = umax32(end, c.b + c.a);
			continue;
		}
		if (c.c & CPUIDD_N_ECX_ALIGN64)
			end = ALIGN_UP(end, 64u);
		end += c.a;
	}
	return end;
}

void xsave_init(const struct partition *p, u32 leaf, u32 subleaf, struct cpuid_regs *r)
{
	u64 supported = xsave_supported();

	if (subleaf == 0) {
		*r = (struct cpuid_regs){ .a = (u32)supported, .d = (u32)(supported >> 32) };
		if (supported != 0)
			r->c = area_bytes(supported, false);
	} else if (supported == 0 || (subleaf != 1 && !(supported & BIT64(subleaf)))) {
		*r = (struct cpuid_regs){ 0 };
	} else if (subleaf == 1) {
		if (!ctx_proc2_allows(PROC2_ENABLE_XSAVES))
			r->a &= ~CPUIDD_1_EAX_XSAVES;
		/*
		 * HW-ERRATUM: Bochs 2.7 writes the compacted format at other offsets than XRSTOR
		 * reads (AVX at 416, over the header). On the bare emulator this does not show: its
		 * leaf contradicts itself, and Linux gives XSAVE up.
		 */
		if (p->machine.is_bochs)
			r->a &= ~(CPUIDD_1_EAX_XSAVEC | CPUIDD_1_EAX_XSAVES);
	}
}

void xsave_fn(const struct vp *vp, u32 leaf, u32 subleaf, struct cpuid_regs *r)
{
	if (subleaf == 0 && r->a != 0)
		r->b = area_bytes(vp->xcr0, false);
	if (subleaf == 1 && (r->a & (CPUIDD_1_EAX_XSAVEC | CPUIDD_1_EAX_XSAVES)))
		r->b = area_bytes(vp->xcr0, true);
}
