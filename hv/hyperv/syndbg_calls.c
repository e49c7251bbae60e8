/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The synthetic debugger by hypercalls, once the guest has set bit 2 of SYNDBG_OPTIONS.
 *
 * Context: VP's own CPU.
 * Spec:    none: see syndbg.c. Layouts and statuses are those of QEMU's hyperv-proto.h and
 *          hw/hyperv/hyperv.c.
 */
#include "core/partition.h"
#include "hv/hcall_mem.h"
#include "hv/hyperv/syndbg_internal.h"

/* What is wrong with a call, whatever it is; HV_STATUS_SUCCESS: nothing. */
static u16 check(u32 options, u32 known)
{
	if (!(READ_ONCE(syndbg->options) & HV_X64_SYNDBG_OPTION_USE_HCALLS))
		return HV_STATUS_OPERATION_DENIED;
	return options & ~known ? HV_STATUS_INVALID_PARAMETER : HV_STATUS_SUCCESS;
}

/*
 * SPEC-GAP: LOOP and timeouts are not waited for, as in QEMU: the guest calls again. A packet for
 * which there is no room is not cut: then whoever sends it again as a whole is right, too.
 */
static u16 post_debug_data(struct vp *vp, struct hcall *hc)
{
	const struct hv_post_debug_data *in = hc->in;
	u32 *pending_count = hc->out;
	u16 status = check(in->options, HV_DEBUG_POST_LOOP);

	if (status != HV_STATUS_SUCCESS)
		return status;
	if (in->count > sizeof(in->data))
		return HV_STATUS_INVALID_PARAMETER;
	if (syndbg_post(vp, in->data, in->count))
		return HV_STATUS_SUCCESS;
	*pending_count = in->count;
	hc->out_bytes = sizeof(*pending_count);
	return HV_STATUS_INSUFFICIENT_BUFFERS;
}

/* LOCK: syndbg.lock */
static u16 retrieve(const struct hv_retrieve_debug_data *in, struct hv_retrieve_debug_data_out *out)
{
	if (ring_count(&syndbg->in) == 0)
		return HV_STATUS_NO_DATA;
	if (in->options & HV_DEBUG_RETRIEVE_TEST_ACTIVITY)
		return HV_STATUS_SUCCESS;
	out->retrieved_count =
		ring_peek(&syndbg->in, out->data, umin32(in->count, (u32)sizeof(out->data)));
	ring_drop(&syndbg->in, out->retrieved_count);
	return HV_STATUS_SUCCESS;
}

/* Only what has arrived is written to the guest's page. */
static u16 retrieve_debug_data(struct vp *vp, struct hcall *hc)
{
	const struct hv_retrieve_debug_data *in = hc->in;
	struct hv_retrieve_debug_data_out *out = hc->out;
	u16 status = check(in->options, HV_DEBUG_RETRIEVE_LOOP | HV_DEBUG_RETRIEVE_TEST_ACTIVITY);

	if (status != HV_STATUS_SUCCESS)
		return status;
	spin_lock(&syndbg->lock);
	syndbg_serve(vp->partition);
	status = retrieve(in, out);
	syndbg_tell(vp->partition);
	spin_unlock(&syndbg->lock);
	out->remaining_count = in->count - out->retrieved_count;
	hc->out_bytes =
		(u32)offsetof(struct hv_retrieve_debug_data_out, data) + out->retrieved_count;
	return status;
}

/* A serial port has no addresses: the output is zero. */
static u16 reset_debug_session(struct vp *vp, struct hcall *hc)
{
	u32 options = *(const u32 *)hc->in;
	u16 status = check(options, HV_DEBUG_PURGE_INCOMING_DATA | HV_DEBUG_PURGE_OUTGOING_DATA);

	if (status != HV_STATUS_SUCCESS)
		return status;
	spin_lock(&syndbg->lock);
	syndbg_serve(vp->partition); /* what has arrived is purged, too */
	if (options & HV_DEBUG_PURGE_INCOMING_DATA)
		ring_clear(&syndbg->in);
	if (options & HV_DEBUG_PURGE_OUTGOING_DATA)
		ring_clear(&syndbg->out);
	syndbg_tell(vp->partition);
	spin_unlock(&syndbg->lock);
	return HV_STATUS_SUCCESS;
}

/* SPEC-GAP: without the feature these are no calls at all, as on KVM; a fast one is a bad parameter
 * there. */
const struct hcall_row syndbg_hcalls[SYNDBG_HCALLS] = {
	/*
	 * Manual: up to 4088 bytes to the debugger: all, or none and their number in the output |
	 * 5: more, an unknown option, a fast call; 8: SYNDBG_OPTIONS bit 2 is 0; 19: no room now
	 */
	{ .nr = HVCALL_POST_DEBUG_DATA,
	  .kind = HCALL_SIMPLE,
	  .name = "PostDebugData",
	  .mem = post_debug_data,
	  .in_size = sizeof(struct hv_post_debug_data),
	  .out_size = sizeof(u32),
	  .no_fast_status = HV_STATUS_INVALID_PARAMETER,
	  .unknown_if_off = true },
	/*
	 * Manual: what has arrived from the debugger, up to 4088 bytes; with option bit 1 only
	 * whether something has. The timeout is not waited for |
	 * 5: an unknown option, a fast call; 8: as above; 27: nothing has arrived
	 */
	{ .nr = HVCALL_RETRIEVE_DEBUG_DATA,
	  .kind = HCALL_SIMPLE,
	  .name = "RetrieveDebugData",
	  .mem = retrieve_debug_data,
	  .in_size = sizeof(struct hv_retrieve_debug_data),
	  .out_size = sizeof(struct hv_retrieve_debug_data_out),
	  .no_fast_status = HV_STATUS_INVALID_PARAMETER,
	  .unknown_if_off = true },
	/*
	 * Manual: drops what has arrived (option bit 0), what has not left yet (bit 1); the
	 * output, addresses of a network, is 0 |
	 * 5: an unknown option, a fast call; 8: as above
	 */
	{ .nr = HVCALL_RESET_DEBUG_SESSION,
	  .kind = HCALL_SIMPLE,
	  .name = "ResetDebugSession",
	  .mem = reset_debug_session,
	  .in_size = sizeof(u32),
	  .out_size = sizeof(struct hv_reset_debug_session_out),
	  .no_fast_status = HV_STATUS_INVALID_PARAMETER,
	  .unknown_if_off = true },
};
