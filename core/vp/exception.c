/* SPDX-License-Identifier: BSD-2-Clause */
/* The owners of exceptions, and the bitmap that follows from them. Pure. */
#include "core/vp/exception.h"

#include "arch/x86/defs/vector.h"
#include "arch/x86/defs/vmcs.h"
#include "core/lib/bits.h"
#include "core/vp/ctx.h"
#include "core/vp/step.h"
#include "core/vp/vp.h"

/* take: NULL: the exit itself is the point, the guest gets the exception. */
static const struct {
	u32 always; /* vectors, whatever exc_want() says */
	bool (*take)(struct vp *vp, struct exit_info *x);
} owners[EXC_OWNER_COUNT] = {
	[EXC_OWNER_STEP] = { 0, step_exception },
	/* A guest can make the CPU deliver #AC (or #DB) to itself for ever without an exit
	 * (CVE-2015-5307): intercept both. */
	[EXC_OWNER_DELIVERY_LOOP] = { (u32)(BIT64(EXC_DB) | BIT64(EXC_AC)), NULL },
};

static u32 wanted(const struct vp *vp, enum exc_owner owner)
{
	return owners[owner].always | vp->exc_want[owner];
}

u32 exc_bitmap(const struct vp *vp)
{
	u32 bitmap = vp->ctx->exceptions;

	for (u32 i = 0; i < EXC_OWNER_COUNT; i++)
		bitmap |= wanted(vp, i);
	return bitmap;
}

void exc_want(struct vp *vp, enum exc_owner owner, u32 vectors)
{
	vp->exc_want[owner] = vectors;
	ctx_set(vp->ctx, CTX_EXCEPTIONS, exc_bitmap(vp));
}

bool exc_offer(struct vp *vp, struct exit_info *x)
{
	u32 vector = BIT32(x->intr_info & 0x1f);

	for (u32 i = 0; i < EXC_OWNER_COUNT; i++) {
		if ((wanted(vp, i) & vector) && owners[i].take != NULL && owners[i].take(vp, x))
			return true;
	}
	return false;
}
