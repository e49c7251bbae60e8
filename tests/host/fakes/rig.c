/* SPDX-License-Identifier: BSD-2-Clause */
/* The fixture of rig.h. Context: tests, one thread. */
#include "tests/host/fakes/rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/ept.h"
#include "arch/x86/defs/msr.h"
#include "arch/x86/defs/vmcs.h"
#include "core/exit/exit.h"
#include "hv/hv.h"
#include "hv/kvm/kvm.h"

#define HOST_MAX_BASIC 0x20u
#define HOST_MAX_EXT   0x80000008u

/* XSAVE components of real CPUs: size and standard offset. */
static void xsave_component(u32 n, struct cpuid_regs *r)
{
	static const u32 known[][3] = {
		{ 2, 256, 576 },  { 3, 64, 960 },    { 4, 64, 1024 }, { 5, 64, 1088 },
		{ 6, 512, 1152 }, { 7, 1024, 1664 }, { 9, 8, 2688 },  { 17, 64, 2752 },
	};

	*r = (struct cpuid_regs){ 0 };
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (known[i][0] == n)
			*r = (struct cpuid_regs){ known[i][1], known[i][2], n == 9 ? 0 : 2, 0 };
	}
}

void fake_host_cpuid(u32 leaf, u32 subleaf, struct cpuid_regs *r)
{
	*r = (struct cpuid_regs){ ~0u, ~0u, ~0u, ~0u };
	switch (leaf) {
	case 0:
		*r = (struct cpuid_regs){ HOST_MAX_BASIC, 0x756e6547, 0x6c65746e, 0x49656e69 };
		break;
	case 0x80000000:
		*r = (struct cpuid_regs){ HOST_MAX_EXT, 0, 0, 0 };
		break;
	case 0x80000008:
		*r = (struct cpuid_regs){ 0x3034, ~0u, 0, 0 };
		break;
	case 0xb:
	case 0x1f:
		*r = (struct cpuid_regs){ 1, subleaf < 2 ? 2 : 0, subleaf | 0x100, 7 };
		break;
	case 0xd:
		if (subleaf == 0)
			*r = (struct cpuid_regs){ ~0u, 576, 11008, 0 };
		else if (subleaf > 1)
			xsave_component(subleaf, r);
		break;
	default: /* all ones */
		break;
	}
}

static void must(err_t err, const char *what)
{
	if (err == ERR_NONE)
		return;
	fprintf(stderr, "fake guest: %s: %s\n", what, err_name(err));
	abort();
}

static void machine_msrs(void)
{
	fake_msr_set(MSR_IA32_VMX_PROCBASED_CTLS2, 0xffffffff00000000ull);
	fake_msr_set(MSR_IA32_MTRRCAP, 0xd0a);
	fake_msr_set(MSR_IA32_MTRR_DEF_TYPE, 0xc06);
	for (u32 i = 0; i < 20; i++)
		fake_msr_set(MSR_IA32_MTRR_PHYSBASE0 + i, 0);
	fake_msr_set(MSR_IA32_MTRR_FIX64K_00000, 0x0606060606060606ull);
	fake_msr_set(MSR_IA32_MTRR_FIX16K_80000, 0x0606060606060606ull);
	fake_msr_set(MSR_IA32_MTRR_FIX16K_A0000, 0);
	for (u32 i = 0; i < 8; i++)
		fake_msr_set(MSR_IA32_MTRR_FIX4K_C0000 + i, 0x0505050505050505ull);
}

void fake_vp_init(struct vp *vp, struct fake_vp_pages *pages, struct partition *p, u32 index)
{
	vp->partition = p;
	vp->index = index;
	vp->state = VP_RUNNING;
	vp->apic_id = index * 2;
	ctx_init(vp, (u16)(index + 1), &exit_table_guest);
	vp->ctx->msr_bitmap = pages->msr_bitmap;
	msr_bitmap_build(p, vp->ctx->msr_bitmap);
	timer_init(vp);
	vp->xcr0 = XCR0_X87;
	p->vp[index] = vp;
	vp->abi_state = pages->abi_state;
	must(hv_vp_create(vp), "state of the ABIs");
	vlapic_init(vp, pages->apic_page);
	mtrr_init_from_host(&vp->mtrr, p->machine.phys_bits);
	hv_vp_reset(vp, false);
}

void fake_guest_features(struct partition *p, const struct hv_abi *abi)
{
	for (u32 i = 0; i < FEATURE_COUNT; i++) {
		if (abi == NULL || hv_features[i]->abi == NULL || hv_features[i]->abi == abi)
			p->config.cpu_features |= BIT64(i);
	}
}

void fake_guest_everything(struct partition *p)
{
	fake_guest_features(p, NULL);
}

void fake_guest_init(struct fake_guest *g, u32 vps, void (*change)(struct partition *p))
{
	struct partition *p = &g->p;
	const char *what = "";

	memset(g, 0, sizeof(*g));
	fake_reset();
	fake.cpuid_fn = fake_host_cpuid;
	fake_ram(g->ram, GUEST_RAM_BASE, GUEST_RAM_BYTES);
	machine_msrs();
	fake.vmcs[VMCS_GUEST_CR0] = CR0_PE | CR0_PG | CR0_ET | CR0_NE;
	fake.vmcs[VMCS_CR0_READ_SHADOW] = CR0_PE | CR0_PG | CR0_ET | CR0_NE;
	fake.vmcs[VMCS_GUEST_CR4] = CR4_PAE;
	fake.vmcs[VMCS_GUEST_EFER] = EFER_LME | EFER_LMA | EFER_SCE;
	fake.vmcs[VMCS_GUEST_CS_AR] = 0xa09b;
	fake.vmcs[VMCS_GUEST_SS_AR] = 0xc093;
	p->machine.phys_bits = 46;
	p->machine.apic_accesses = true;
	p->machine.x2apic = true;
	p->machine.cpuid_tsc_trusted = true;
	p->config.hv_spinlocks = 0xfff;
	fake_guest_features(p, &kvm_abi);
	fake_heap(64);
	must(ept_init(&p->ept, true, true, false, MT_WB), "EPT");
	must(e820_add(&p->memory, GUEST_RAM_BASE, GUEST_RAM_BYTES, E820_RAM), "memory");
	must(ept_map(&p->ept, gpa(GUEST_RAM_BASE), hpa(GUEST_RAM_BASE), GUEST_RAM_BYTES, EPT_RWX,
		     MT_WB),
	     "memory map");
	must(clock_init(&p->clock, GUEST_TSC_HZ, 500000, 1700000000123456789ull), "clock");
	if (change != NULL)
		change(p);
	p->vp_count = vps;
	must(hv_build_surface(p, &what), what);
	for (u32 i = 0; i < vps; i++)
		fake_vp_init(&g->vp[i], &g->pages[i], p, i);
	fake.cpu_vp = &g->vp[0];
}
