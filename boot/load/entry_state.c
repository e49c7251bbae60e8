/* SPDX-License-Identifier: BSD-2-Clause */
/* The guest state that a boot protocol requires at its entry point. Pure. Context: VP's CPU. */
#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/seg.h"
#include "arch/x86/defs/vmcs.h"
#include "boot/load/load.h"
#include "core/hw.h"
#include "core/vp/vp.h"

/* clang-format off */
#define FLAT_CODE32 (AR_G | AR_DB | AR_P | AR_S | 0xbu)
#define FLAT_CODE64 (AR_G | AR_L | AR_P | AR_S | 0xbu)
#define FLAT_DATA   (AR_G | AR_DB | AR_P | AR_S | 0x3u)

static const struct {
	enum vmcs_field selector, base, limit, ar;
} data_segments[] = {
	{ VMCS_GUEST_ES_SELECTOR, VMCS_GUEST_ES_BASE, VMCS_GUEST_ES_LIMIT, VMCS_GUEST_ES_AR },
	{ VMCS_GUEST_SS_SELECTOR, VMCS_GUEST_SS_BASE, VMCS_GUEST_SS_LIMIT, VMCS_GUEST_SS_AR },
	{ VMCS_GUEST_DS_SELECTOR, VMCS_GUEST_DS_BASE, VMCS_GUEST_DS_LIMIT, VMCS_GUEST_DS_AR },
	{ VMCS_GUEST_FS_SELECTOR, VMCS_GUEST_FS_BASE, VMCS_GUEST_FS_LIMIT, VMCS_GUEST_FS_AR },
	{ VMCS_GUEST_GS_SELECTOR, VMCS_GUEST_GS_BASE, VMCS_GUEST_GS_LIMIT, VMCS_GUEST_GS_AR },
};
/* clang-format on */

#define BOOT_CS 0x10u /* Linux boot protocol: __BOOT_CS, __BOOT_DS */
#define BOOT_DS 0x18u

/* vp_reset() has done the rest. As after firmware: caches are on. */
static void set_real_mode_entry(const struct load_plan *plan)
{
	hw_vmwrite(VMCS_CR0_READ_SHADOW, CR0_ET);
	hw_vmwrite(VMCS_GUEST_CS_SELECTOR, plan->rip >> 4);
	hw_vmwrite(VMCS_GUEST_CS_BASE, plan->rip);
	hw_vmwrite(VMCS_GUEST_RIP, 0);
}

void load_set_entry(struct vp *vp, const struct load_plan *plan)
{
	bool long64 = plan->mode == ENTRY_LONG64;

	if (plan->mode == ENTRY_REAL16)
		return set_real_mode_entry(plan);

	for (size_t i = 0; i < ARRAY_SIZE(data_segments); i++) {
		hw_vmwrite(data_segments[i].selector, BOOT_DS);
		hw_vmwrite(data_segments[i].base, 0);
		hw_vmwrite(data_segments[i].limit, 0xffffffff);
		hw_vmwrite(data_segments[i].ar, FLAT_DATA);
	}
	hw_vmwrite(VMCS_GUEST_CS_SELECTOR, BOOT_CS);
	hw_vmwrite(VMCS_GUEST_CS_BASE, 0);
	hw_vmwrite(VMCS_GUEST_CS_LIMIT, 0xffffffff);
	hw_vmwrite(VMCS_GUEST_CS_AR, long64 ? FLAT_CODE64 : FLAT_CODE32);
	hw_vmwrite(VMCS_GUEST_GDTR_BASE, plan->gdt_base);
	hw_vmwrite(VMCS_GUEST_GDTR_LIMIT, plan->gdt_limit);
	hw_vmwrite(VMCS_GUEST_IDTR_LIMIT, 0);
	hw_vmwrite(VMCS_GUEST_CR0, CR0_PE | CR0_ET | CR0_NE | (long64 ? CR0_PG : 0));
	hw_vmwrite(VMCS_CR0_READ_SHADOW, CR0_PE | CR0_ET | (long64 ? CR0_PG | CR0_NE : 0));
	hw_vmwrite(VMCS_GUEST_CR3, plan->cr3);
	if (long64) {
		hw_vmwrite(VMCS_GUEST_CR4, CR4_VMXE | CR4_PAE);
		hw_vmwrite(VMCS_CR4_READ_SHADOW, CR4_PAE);
		hw_vmwrite(VMCS_GUEST_EFER, EFER_LME | EFER_LMA);
		ctx_set_long_mode(true);
	}
	hw_vmwrite(VMCS_GUEST_RIP, plan->rip);
	hw_vmwrite(VMCS_GUEST_RSP, plan->rsp);
	vp->regs = (struct gpr_regs){ .rax = plan->rax, .rbx = plan->rbx, .rsi = plan->rsi };
}
