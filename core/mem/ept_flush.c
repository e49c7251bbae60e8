/* SPDX-License-Identifier: BSD-2-Clause */
/* INVEPT on every CPU: a generation counter, work bits and kicks. Pure. Context: VP's CPU, no
 * locks. */
#include "core/hw.h"
#include "core/mem/ept.h"
#include "core/mem/ept_audit.h"
#include "core/partition.h"
#include "core/vp/vp.h"

void ept_flush_local(struct vp *vp)
{
	struct partition *p = vp->partition;
	u32 wanted = LOAD_ACQUIRE(p->flush_wanted);

	hw_invept(p->ept.eptp);
	COUNT(vp, EPT_FLUSH);
	TRACE(vp, EPT_FLUSH, wanted, 0, 0);
	STORE_RELEASE(vp->flush_done, wanted);
}

/* Skip a VP that has never entered: it has nothing cached, and its CPU would not answer. */
static bool is_behind(const struct vp *vp, u32 wanted)
{
	return LOAD_ACQUIRE(vp->entered) && (s32)(wanted - LOAD_ACQUIRE(vp->flush_done)) > 0;
}

void ept_flush(struct partition *p)
{
	struct vp *self = hw_cpu_vp();
	u64 *freed = ept_take_freed(&p->ept);
	u32 wanted = __atomic_add_fetch(&p->flush_wanted, 1, __ATOMIC_ACQ_REL);

	hw_invept(p->ept.eptp);
	if (self)
		STORE_RELEASE(self->flush_done, wanted);
	for (u32 i = 0; i < p->vp_count; i++) {
		if (p->vp[i] != self && is_behind(p->vp[i], wanted))
			vp_post_work(p->vp[i], VP_WORK_FLUSH);
	}
	for (u32 i = 0; i < p->vp_count; i++) {
		while (p->vp[i] != self && is_behind(p->vp[i], wanted)) {
			/* That CPU may be waiting for us in this same loop: serve it, or both
			 * hang. */
			if (self && (READ_ONCE(self->work) & VP_WORK_FLUSH))
				ept_flush_local(self);
			__builtin_ia32_pause();
		}
	}
	ept_release_freed(freed);
	ept_audit_or_panic(p);
}
