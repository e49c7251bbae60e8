/* SPDX-License-Identifier: BSD-2-Clause */
/* See page_wait.h. Pure. */
#include "core/vp/page_wait.h"

#include "core/hw.h"
#include "core/lib/bits.h"
#include "core/mem/gpa.h"
#include "core/mem/walk.h"
#include "core/partition.h"
#include "core/vp/remote_call.h"
#include "core/vp/vp.h"

#define WAITS_PER_SECOND 20000u /* 50 us: long beside an exit and an entry */

void vp_wait_page(struct vp *vp)
{
	u64 begin_tsc = steal_begin();
	u64 end_tsc = begin_tsc + vp->partition->clock.tsc_hz / WAITS_PER_SECOND;

	COUNT(vp, PAGE_WAIT);
	vp_park(vp);
	do
		remote_call_wait(vp); /* the CPU that fetches the page may wait for us */
	while ((READ_ONCE(vp->work) & ~(u32)VP_WORK_LAUNCH) == 0 &&
	       hw_tsc() < umin64(end_tsc, vp->deadline_tsc));
	if (vp->state == VP_RUNNING)
		vp_resume(vp);
	steal_end(vp, STEAL_PAGE, begin_tsc);
}

err_t page_wait_read(struct vp *vp, gpa_t at, void *buf, u64 len)
{
	err_t err;

	do
		err = gpa_read(vp->partition, at, buf, len);
	while (page_retry(vp, err));
	return err;
}

err_t page_wait_write(struct vp *vp, gpa_t at, const void *buf, u64 len)
{
	err_t err;

	do
		err = gpa_write(vp->partition, at, buf, len);
	while (page_retry(vp, err));
	return err;
}

err_t gva_read_waiting(struct vp *vp, u64 gva, u32 access, void *buf, u32 len,
		       struct walk_fault *fault)
{
	err_t err;

	do
		err = gva_read(vp, gva, access, buf, len, fault);
	while (page_retry(vp, err));
	return err;
}

err_t gva_write_waiting(struct vp *vp, u64 gva, u32 access, const void *buf, u32 len,
			struct walk_fault *fault)
{
	err_t err;

	do
		err = gva_write(vp, gva, access, buf, len, fault);
	while (page_retry(vp, err));
	return err;
}
