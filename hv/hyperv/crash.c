/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest that crashes says so, with five numbers or the end of its log. Context: VP's own CPU.
 *
 * Spec: TLFS "Guest Crash Enlightenment" (crash MSRs and control).
 */
#include "core/diag/guest_crash.h"
#include "core/lib/string.h"
#include "core/mem/gpa.h"
#include "core/vp/page_wait.h"
#include "hv/hyperv/hyperv_internal.h"

#define TEXT_AT  3u /* parameters with the address and the length of the text */
#define TEXT_LEN 4u

static_assert(HV_X64_MSR_CRASH_P4 - HV_X64_MSR_CRASH_P0 + 1 == GUEST_CRASH_PARAMS, "TLFS");

static u64 param[GUEST_CRASH_PARAMS]; /* of the partition */
static struct {
	u32 busy; /* a VP uses the text */
	char text[GUEST_CRASH_TEXT];
} message;

static enum msr_result param_read(struct vp *vp, u32 msr, u64 *val)
{
	*val = READ_ONCE(param[msr - HV_X64_MSR_CRASH_P0]);
	return MSR_OK;
}

static enum msr_result param_write(struct vp *vp, u32 msr, u64 val)
{
	WRITE_ONCE(param[msr - HV_X64_MSR_CRASH_P0], val);
	return MSR_OK;
}

/* What can be reported. */
static enum msr_result control_read(struct vp *vp, u32 msr, u64 *val)
{
	*val = HV_CRASH_CTL_CRASH_NOTIFY | HV_CRASH_CTL_CRASH_NOTIFY_MSG;
	return MSR_OK;
}

/* Only of the guest's RAM: else it is 0 bytes long. */
static size_t read_text(struct vp *vp, const u64 *p)
{
	u64 len = umin64(p[TEXT_LEN], sizeof(message.text));

	return page_wait_read(vp, gpa(p[TEXT_AT]), message.text, len) == ERR_NONE ? len : 0;
}

/* The guest goes on: it may still want to write a dump. If two VPs crash at once only one brings
 * its text. */
static enum msr_result control_write(struct vp *vp, u32 msr, u64 val)
{
	u64 p[GUEST_CRASH_PARAMS];

	if (!(val & HV_CRASH_CTL_CRASH_NOTIFY))
		return MSR_OK;
	for (u32 i = 0; i < GUEST_CRASH_PARAMS; i++)
		p[i] = READ_ONCE(param[i]);
	COUNT(vp, HV_CRASH);
	if ((val & HV_CRASH_CTL_CRASH_NOTIFY_MSG) &&
	    __atomic_exchange_n(&message.busy, 1, __ATOMIC_ACQUIRE) == 0) {
		guest_crash_note(vp->index, p, message.text, read_text(vp, p));
		STORE_RELEASE(message.busy, 0);
	} else {
		guest_crash_note(vp->index, p, "", 0);
	}
	return MSR_OK;
}

/* A reset of the machine clears the parameters, an INIT does not. */
static void crash_reset(struct vp *vp, bool init)
{
	if (!init && vp->index == 0)
		memset(param, 0, sizeof(param));
}

static const struct msr_row msrs[] = {
	/* Manual: | - | kept | 0 */
	{ MSR_RANGE(HV_X64_MSR_CRASH_P0, HV_X64_MSR_CRASH_P4, "HV_X64_MSR_CRASH_P0"),
	  .read = param_read, .write = param_write },
	/* Manual: | the text is left out | - | bits 63:62 */
	{ MSR_ONE(HV_X64_MSR_CRASH_CTL, "HV_X64_MSR_CRASH_CTL"), .read = control_read,
	  .write = control_write },
};

/*
 * Manual: five numbers, or a text of up to 4 KiB, that go to the log and can be read again with the
 * monitor's `crash`; the guest goes on
 */
const struct hv_feature hv_crash_feature = {
	.name = "hv-crash",
	.help = "a guest that crashes says why in our log",
	.abi = &hyperv_abi,
	.bits = { HV_PRIVILEGES(.d = HV_FEATURE_GUEST_CRASH_MSR_AVAILABLE) },
	.msrs = msrs,
	.msr_count = ARRAY_SIZE(msrs),
	.vp_reset = crash_reset,
};
