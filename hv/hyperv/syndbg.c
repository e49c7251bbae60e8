/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The synthetic debugger: bytes between a guest's debugger stub and a serial port, by MSRs here and
 * by hypercalls in syndbg_calls.c. They go through unchanged, as a stream.
 *
 * A timer of VP 0 looks at the port 1000 times a second: at 115200 baud 12 bytes arrive between two
 * looks, and a FIFO holds 16. Every send and receive looks, too.
 *
 * Context: VP's own CPU.
 * Spec:    none: the TLFS has no such MSRs. Linux (arch/x86/kvm/hyperv.h) names them, KVM and QEMU
 *          (hw/hyperv/syndbg.c) say what they do.
 */
#include "hv/hyperv/syndbg.h"

#include "arch/x86/defs/paging.h"
#include "core/hw.h"
#include "core/lib/string.h"
#include "core/mem/gpa.h"
#include "core/mem/page_alloc.h"
#include "core/vp/page_wait.h"
#include "hv/hcall_mem.h"
#include "hv/hv.h"
#include "hv/hyperv/syndbg_internal.h"

#define POLLS_PER_S 1000u
#define BURST       16u /* bytes: what the FIFO of a serial port holds */

static const struct syndbg_port *port;
struct syndbg *syndbg;

void syndbg_open(const struct syndbg_port *to)
{
	port = to;
}

/* What finds no room stays in the port. */
static void receive(void)
{
	for (u32 i = 0; i < 2 * BURST && ring_room(&syndbg->in) != 0; i++) {
		s32 val = port->receive();
		u8 byte = (u8)val;

		if (val < 0)
			return;
		ring_put(&syndbg->in, &byte, 1);
	}
}

static void transmit(void)
{
	u8 bytes[BURST];
	u32 count = ring_peek(&syndbg->out, bytes, BURST);

	if (count != 0)
		ring_drop(&syndbg->out, port->send(bytes, count));
}

/* A page that is not there yet hears of it at the next look; one that is no RAM, never. */
void syndbg_tell(const struct partition *p)
{
	u8 waiting = ring_count(&syndbg->in) != 0;

	if (syndbg->pending_gpa == 0 || syndbg->told == waiting)
		return;
	if (gpa_write(p, gpa(syndbg->pending_gpa), &waiting, 1) != ERR_AGAIN)
		syndbg->told = waiting;
}

void syndbg_serve(const struct partition *p)
{
	if (port != NULL) {
		receive();
		transmit();
	}
	syndbg_tell(p);
}

static void poll_later(struct vp *vp)
{
	timer_set(vp, &syndbg->poll, hw_tsc() + vp->partition->clock.tsc_hz / POLLS_PER_S);
}

static void poll_due(struct vp *vp, struct timer *t)
{
	spin_lock(&syndbg->lock);
	syndbg_serve(vp->partition);
	spin_unlock(&syndbg->lock);
	poll_later(vp);
}

bool syndbg_post(struct vp *vp, const u8 *bytes, u32 count)
{
	bool fits;

	spin_lock(&syndbg->lock);
	fits = count <= ring_room(&syndbg->out);
	if (fits)
		ring_put(&syndbg->out, bytes, count);
	syndbg_serve(vp->partition);
	spin_unlock(&syndbg->lock);
	return fits;
}

/* --- by MSRs --- */

static u64 send_page(struct vp *vp, u64 from, u32 count)
{
	u8 *bytes = hyperv_buffer(vp)->in;

	if (count > PAGE_SIZE || page_wait_read(vp, gpa(from), bytes, count) != ERR_NONE ||
	    !syndbg_post(vp, bytes, count))
		return HV_SYNDBG_STATUS_INVALID;
	return HV_SYNDBG_STATUS_SEND_SUCCESS;
}

/* Bytes that find no memory stay. */
static err_t receive_some(struct vp *vp, u32 *count)
{
	u8 *bytes = hyperv_buffer(vp)->out;
	err_t err;

	spin_lock(&syndbg->lock);
	syndbg_serve(vp->partition);
	*count = ring_peek(&syndbg->in, bytes, PAGE_SIZE);
	err = gpa_write(vp->partition, gpa(syndbg->receive_gpa), bytes, *count);
	if (err == ERR_NONE) {
		ring_drop(&syndbg->in, *count);
		syndbg_tell(vp->partition);
	}
	spin_unlock(&syndbg->lock);
	return err;
}

static u64 receive_page(struct vp *vp)
{
	u32 count;
	err_t err;

	do
		err = receive_some(vp, &count);
	while (page_retry(vp, err));
	if (err != ERR_NONE || count == 0)
		return HV_SYNDBG_STATUS_INVALID;
	return HV_SYNDBG_STATUS_RECV_SUCCESS | FIELD_PREP(HV_SYNDBG_SIZE, count);
}

static enum msr_result control_write(struct vp *vp, u32 msr, u64 val)
{
	u64 status = 0;

	WRITE_ONCE(syndbg->control, val);
	if (val & HV_SYNDBG_CONTROL_SEND)
		status = send_page(vp, READ_ONCE(syndbg->send_gpa),
				   (u32)FIELD_GET(HV_SYNDBG_SIZE, val));
	else if (val & HV_SYNDBG_CONTROL_RECV)
		status = receive_page(vp);
	WRITE_ONCE(syndbg->status, status);
	return MSR_OK;
}

static enum msr_result pending_write(struct vp *vp, u32 msr, u64 val)
{
	spin_lock(&syndbg->lock);
	syndbg->pending_gpa = val;
	syndbg->told = ring_count(&syndbg->in) == 0; /* whatever is there, write it */
	syndbg_tell(vp->partition);
	spin_unlock(&syndbg->lock);
	return MSR_OK;
}

static u64 *register_of(u32 msr)
{
	switch (msr) {
	case HV_X64_MSR_SYNDBG_CONTROL:
		return &syndbg->control;
	case HV_X64_MSR_SYNDBG_STATUS:
		return &syndbg->status;
	case HV_X64_MSR_SYNDBG_SEND_BUFFER:
		return &syndbg->send_gpa;
	case HV_X64_MSR_SYNDBG_RECV_BUFFER:
		return &syndbg->receive_gpa;
	case HV_X64_MSR_SYNDBG_PENDING_BUFFER:
		return &syndbg->pending_gpa;
	default:
		return &syndbg->options;
	}
}

static enum msr_result register_read(struct vp *vp, u32 msr, u64 *val)
{
	*val = READ_ONCE(*register_of(msr));
	return MSR_OK;
}

static enum msr_result register_write(struct vp *vp, u32 msr, u64 val)
{
	WRITE_ONCE(*register_of(msr), val);
	return MSR_OK;
}

/* --- */

static err_t syndbg_vp_create(struct vp *vp)
{
	if (vp->index != 0)
		return ERR_NONE;
	syndbg = page_alloc_n(ALIGN_UP((u32)sizeof(*syndbg), (u32)PAGE_SIZE) / PAGE_SIZE, 1);
	if (syndbg == NULL)
		return ERR_NOMEM;
	syndbg->poll.fn = poll_due;
	return ERR_NONE;
}

/* VP 0 begins anew, and so the guest does: nothing may write into a page of the old one. */
static void syndbg_reset(struct vp *vp, bool init)
{
	if (vp->index != 0)
		return;
	spin_lock(&syndbg->lock);
	ring_clear(&syndbg->in);
	ring_clear(&syndbg->out);
	for (u32 msr = HV_X64_MSR_SYNDBG_CONTROL; msr <= HV_X64_MSR_SYNDBG_PENDING_BUFFER; msr++)
		*register_of(msr) = 0;
	syndbg->options = 0;
	spin_unlock(&syndbg->lock);
	if (port != NULL)
		poll_later(vp);
}

/* SPEC-GAP: the first leaf names the highest one, as the first of all does. QEMU has 0 there. */
/* clang-format off */
static const struct cpuid_row leaves[] = {
	{ .leaf = HYPERV_CPUID_SYNDBG_VENDOR_AND_MAX_FUNCTIONS, .subleaf = CPUID_ANY,
	  .name = "syndbg signature",
	  .set = { HV_CPUID_BASE + HYPERV_CPUID_SYNDBG_PLATFORM_CAPABILITIES,
		   HV_SYNDBG_VENDOR_B, HV_SYNDBG_VENDOR_C, HV_SYNDBG_VENDOR_D } },
	{ .leaf = HYPERV_CPUID_SYNDBG_INTERFACE, .subleaf = CPUID_ANY, .name = "syndbg interface",
	  .set = { .a = HV_SYNDBG_INTERFACE_SIGNATURE } },
	{ .leaf = HYPERV_CPUID_SYNDBG_PLATFORM_CAPABILITIES, .subleaf = CPUID_ANY,
	  .name = "syndbg capabilities",
	  .set = { .a = HV_X64_SYNDBG_CAP_ALLOW_KERNEL_DEBUGGING } },
};

static const struct msr_row msrs[] = {
	/* Manual: never. A write with bit 0 sends as many bytes as bits 31:16 say, with bit 1
	 * receives | STATUS is 0 | VP 0: 0 | 0 */
	{ MSR_ONE(HV_X64_MSR_SYNDBG_CONTROL, "HV_X64_MSR_SYNDBG_CONTROL"), .read = register_read,
	  .write = control_write },
	/* Manual: never. 1: sent; 4, and the number of bytes in bits 31:16: received; 0: neither |
	 * - | VP 0: 0 | 0 */
	{ MSR_RANGE(HV_X64_MSR_SYNDBG_STATUS, HV_X64_MSR_SYNDBG_RECV_BUFFER,
		    "HV_X64_MSR_SYNDBG_STATUS"),
	  .read = register_read, .write = register_write },
	/* Manual: never. The byte there is 1 while bytes wait for the guest, 0 otherwise | accepted,
	 * nothing is written | VP 0: 0 | 0 */
	{ MSR_ONE(HV_X64_MSR_SYNDBG_PENDING_BUFFER, "HV_X64_MSR_SYNDBG_PENDING_BUFFER"),
	  .read = register_read, .write = pending_write },
	/* Manual: never. Bit 2 allows the hypercalls; it is 0 until the guest sets it | - | VP 0: 0
	 * | 0 */
	{ MSR_ONE(HV_X64_MSR_SYNDBG_OPTIONS, "HV_X64_MSR_SYNDBG_OPTIONS"), .read = register_read,
	  .write = register_write },
};
/* clang-format on */

/*
 * Manual: bytes of the guest's debugger go to the serial port of `syndbg=` and come from there,
 * unchanged and as a stream. The port is then not the guest's
 */
const struct hv_feature hv_syndbg_feature = {
	.name = "hv-syndbg",
	.help = "the guest's kernel debugger, on the serial port of syndbg=",
	.abi = &hyperv_abi,
	.profiles = ONLY_BY_NAME,
	.needs = BIT64(FEATURE_HV_SYNIC) | BIT64(FEATURE_HV_RELAXED),
	.bits = { HV_PRIVILEGES(.a = HV_ACCESS_DEBUG_MSRS, .b = HV_DEBUGGING,
				.d = HV_X64_GUEST_DEBUGGING_AVAILABLE |
				     HV_FEATURE_DEBUG_MSRS_AVAILABLE) },
	.cpuid = leaves,
	.cpuid_count = ARRAY_SIZE(leaves),
	.msrs = msrs,
	.msr_count = ARRAY_SIZE(msrs),
	.hcalls = syndbg_hcalls,
	.hcall_count = SYNDBG_HCALLS,
	.vp_create = syndbg_vp_create,
	.vp_reset = syndbg_reset,
};
