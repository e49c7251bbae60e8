/* SPDX-License-Identifier: BSD-2-Clause */
/* See tlb_flush.h. */
#include "core/vp/tlb_flush.h"

#include "core/hw.h"
#include "core/vp/remote_call.h"
#include "core/vp/vp.h"

void tlb_flush_local(struct vp *vp)
{
	COUNT(vp, TLB_FLUSH);
	hw_invvpid(vp->guest_ctx.vpid);
}

/*
 * True: @vp may be running the guest, and gets a kick. The order matters: work first, then the look
 * at @vp. vp_resume() does it the other way round, so one of us sees the other.
 */
static bool ask(struct vp *self, struct vp *vp)
{
	(void)__atomic_fetch_or(&vp->work, VP_WORK_TLB, __ATOMIC_SEQ_CST);
	if (!LOAD_ACQUIRE(vp->entered))
		return false;
	if (LOAD_ACQUIRE(vp->park.parked)) {
		COUNT(self, TLB_FLUSH_LATER);
		return false;
	}
	if (hw_kick(vp))
		COUNT(self, KICK_SENT);
	return true;
}

/*
 * @vp has left the guest since ask(): its CPU has taken the NMI, or the work. Root takes NMIs, too:
 * two VPs that flush each other do not need to serve each other.
 */
static bool has_stopped(const struct vp *vp)
{
	return LOAD_ACQUIRE(vp->kicked) == 0 || !(LOAD_ACQUIRE(vp->work) & VP_WORK_TLB);
}

/* Returns those that were kicked. The caller's own flush comes last: the others stop meanwhile. */
static u64 ask_word(struct vp *self, struct vp *const *table, u64 bits)
{
	bool own = false;
	u64 kicked = 0;

	for (; bits != 0; bits &= bits - 1) {
		struct vp *vp = table[__builtin_ctzll(bits)];

		if (vp == self)
			own = true;
		else if (ask(self, vp))
			kicked |= bits & -bits;
	}
	if (own)
		tlb_flush_local(self);
	return kicked;
}

static void wait_word(struct vp *self, struct vp *const *table, u64 kicked)
{
	for (; kicked != 0; kicked &= kicked - 1) {
		while (!has_stopped(table[__builtin_ctzll(kicked)]))
			remote_call_wait(self);
	}
}

void tlb_flush_first(struct vp *self, u64 targets)
{
	struct partition *p = self->partition;

	wait_word(self, p->vp, ask_word(self, p->vp, targets & vp_mask_existing(p, 0)));
}

void tlb_flush(struct vp *self, const struct vp_mask *targets)
{
	struct partition *p = self->partition;
	u32 words = vp_mask_words(p);
	struct vp_mask kicked;

	for (u32 i = 0; i < words; i++)
		kicked.word[i] = ask_word(self, p->vp + 64 * i, vp_mask_of(targets, p, i));
	for (u32 i = 0; i < words; i++)
		wait_word(self, p->vp + 64 * i, kicked.word[i]);
}
