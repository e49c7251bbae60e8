/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The interface itself: who the guest says it is, the page that it calls us through, and the calls
 * that other features do not offer yet. Context: VP's own CPU.
 *
 * Spec: TLFS "Establishing the Hypercall Interface", "Reporting the Guest OS Identity".
 */
#include "arch/x86/defs/ept.h"
#include "arch/x86/defs/paging.h"
#include "core/hw.h"
#include "core/lib/string.h"
#include "core/mem/overlay.h"
#include "core/mem/page_alloc.h"
#include "core/mem/page_class.h"
#include "core/partition.h"
#include "core/vp/long_lock.h"
#include "hv/hcall_mem.h"
#include "hv/hv.h"
#include "hv/hyperv/hyperv_internal.h"

/* Callable from 32-bit and 64-bit code: VMCALL; RET. Behind it, INT3. */
static const u8 page_code[] = { 0x0f, 0x01, 0xc1, 0xc3 };
#define PAGE_FILL 0xcc

/* The partition's. LOCK: lock to write; GUEST_OS_ID and HYPERCALL depend on each other. */
static struct {
	struct long_lock lock; /* mapping the page waits for the other VPs */
	u64 os_id;
	u64 control; /* HYPERCALL as it reads */
	struct overlay page;
} interface;

/* The VP's private copies of a call's areas. */
static struct hv_vp_state buffer = { .size = sizeof(struct hcall_buffer *) };

struct hcall_buffer *hyperv_buffer(const struct vp *vp)
{
	struct hcall_buffer **b = hv_state(vp, &buffer);

	return *b;
}

bool hyperv_vmcall_now(const struct partition *p, exit_fn *fn)
{
	if (interface.os_id == 0)
		return false;
	*fn = interface.control & HV_X64_MSR_HYPERCALL_ENABLE ? hyperv_vmcall : hyperv_vmcall_off;
	return true;
}

static bool is_locked(void)
{
	return (interface.control & HV_X64_MSR_HYPERCALL_LOCKED) != 0;
}

static void set(struct partition *p, u64 os_id, u64 control)
{
	WRITE_ONCE(interface.os_id, os_id);
	WRITE_ONCE(interface.control, control);
	hv_choose_vmcall(p);
}

static enum msr_result os_id_read(struct vp *vp, u32 msr, u64 *val)
{
	*val = READ_ONCE(interface.os_id);
	return MSR_OK;
}

/* SPEC-GAP: a locked HYPERCALL stays as it is, and its page with it, though nobody is there to
 * call. */
static enum msr_result os_id_write(struct vp *vp, u32 msr, u64 val)
{
	long_lock(&interface.lock, vp);
	if (val == 0 && !is_locked()) {
		set(vp->partition, 0, interface.control & ~HV_X64_MSR_HYPERCALL_ENABLE);
		overlay_unmap(vp->partition, &interface.page);
	} else {
		set(vp->partition, val, interface.control);
	}
	long_unlock(&interface.lock);
	return MSR_OK;
}

static enum msr_result hypercall_read(struct vp *vp, u32 msr, u64 *val)
{
	*val = READ_ONCE(interface.control);
	return MSR_OK;
}

static enum msr_result change(struct partition *p, u64 val)
{
	u64 kept = HV_MSR_PAGE_ADDRESS | HV_X64_MSR_HYPERCALL_ENABLE;

	if (is_locked() || (val & HV_MSR_PAGE_ADDRESS) >= page_address_limit(p))
		return MSR_GP;
	if (hv_has(p, FEATURE_HV_HYPERCALL_LOCK))
		kept |= HV_X64_MSR_HYPERCALL_LOCKED;
	val &= kept;
	if (interface.os_id == 0)
		val &= HV_MSR_PAGE_ADDRESS;
	if (!(val & HV_X64_MSR_HYPERCALL_ENABLE))
		overlay_unmap(p, &interface.page);
	else if (overlay_map(p, &interface.page, val & HV_MSR_PAGE_ADDRESS) != ERR_NONE)
		return MSR_GP;
	set(p, interface.os_id, val);
	return MSR_OK;
}

static enum msr_result hypercall_write(struct vp *vp, u32 msr, u64 val)
{
	enum msr_result result;

	long_lock(&interface.lock, vp);
	result = change(vp->partition, val);
	long_unlock(&interface.lock);
	return result;
}

static err_t interface_vp_create(struct vp *vp)
{
	struct hcall_buffer **b = hv_state(vp, &buffer);
	u8 *page;

	*b = page_alloc_n(sizeof(**b) / PAGE_SIZE, 1);
	if (*b == NULL)
		return ERR_NOMEM;
	if (vp->index != 0)
		return ERR_NONE;
	page = page_alloc();
	if (page == NULL)
		return ERR_NOMEM;
	memset(page, PAGE_FILL, PAGE_SIZE);
	memcpy(page, page_code, sizeof(page_code));
	memset(&interface, 0, sizeof(interface));
	interface.page = (struct overlay){ .page = hw_virt_to_phys(page),
					   .perms = EPT_R | EPT_X,
					   .kind = PAGE_OVERLAY };
	return ERR_NONE;
}

/* The interface is the partition's: an INIT leaves it alone. */
static void interface_reset(struct vp *vp, bool init)
{
	if (init || vp->index != 0)
		return;
	overlay_unmap(vp->partition, &interface.page);
	set(vp->partition, 0, 0);
}

static const struct msr_row msrs[] = {
	/* Manual: never. 0 disables the hypercall page, unless that is locked | - | kept | 0 */
	{ MSR_ONE(HV_X64_MSR_GUEST_OS_ID, "HV_X64_MSR_GUEST_OS_ID"), .read = os_id_read,
	  .write = os_id_write },
	/* Manual: locked; an address beyond the machine. Bits 11:2 read 0; bits 1:0 are ignored
	 * while GUEST_OS_ID is 0, bit 1 without hv-hypercall-lock, too | #GP, also over far memory,
	 * the hypervisor and a page that KVM's ABI has | kept | 0 */
	{ MSR_ONE(HV_X64_MSR_HYPERCALL, "HV_X64_MSR_HYPERCALL"), .read = hypercall_read,
	  .write = hypercall_write },
};

/*
 * Calls whose privilege, named behind, this partition does not have.
 */
#define NOT_OFFERED(number, text)                                         \
	{                                                                 \
		.nr = (number), .kind = HCALL_NOT_OFFERED, .name = (text) \
	}

/* clang-format off */
static const struct hcall_row hcalls[] = {
	NOT_OFFERED(HVCALL_GET_LOGICAL_PROCESSOR_RUN_TIME, "GetLogicalProcessorRunTime"), /* CpuManagement */
	NOT_OFFERED(HVCALL_INVOKE_HYPERVISOR_DEBUGGER, "InvokeHypervisorDebugger"),       /* Debugging */
	NOT_OFFERED(HVCALL_MODIFY_VTL_PROTECTION_MASK, "ModifyVtlProtectionMask"),        /* AccessVsm */
	NOT_OFFERED(HVCALL_ENABLE_PARTITION_VTL, "EnablePartitionVtl"),                   /* AccessVsm */
	NOT_OFFERED(HVCALL_DISABLE_PARTITION_VTL, "DisablePartitionVtl"),                 /* AccessVsm */
	NOT_OFFERED(HVCALL_ENABLE_VP_VTL, "EnableVpVtl"),                                 /* AccessVsm */
	NOT_OFFERED(HVCALL_DISABLE_VP_VTL, "DisableVpVtl"),                               /* AccessVsm */
	NOT_OFFERED(HVCALL_VTL_CALL, "VtlCall"),                                          /* AccessVsm */
	NOT_OFFERED(HVCALL_VTL_RETURN, "VtlReturn"),                                      /* AccessVsm */
	NOT_OFFERED(HVCALL_GET_PARTITION_ID, "GetPartitionId"),                           /* AccessPartitionId */
};
/* clang-format on */

/*
 * Manual: the leaves, the hypercall page and its MSRs. On with any other feature of this list
 */
const struct hv_feature hyperv_feature = {
	.name = "hyperv",
	.help = "Hyper-V's interface: CPUID leaves, MSRs and hypercalls",
	.abi = &hyperv_abi,
	.bits = { HV_PRIVILEGES(.a = HV_MSR_HYPERCALL_AVAILABLE,
				.d = HV_X64_CPU_DYNAMIC_PARTITIONING_AVAILABLE) },
	.msrs = msrs,
	.msr_count = ARRAY_SIZE(msrs),
	.hcalls = hcalls,
	.hcall_count = ARRAY_SIZE(hcalls),
	.vp_state = &buffer,
	.vp_create = interface_vp_create,
	.vp_reset = interface_reset,
};
