/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Contexts: what belongs to one VMCS. A VP runs in one context at a time, vp->ctx, and can own
 * several: one for the guest, and one for a guest of the guest, which has controls, bitmaps and
 * exit rows of its own.
 *
 * Control words are kept as last written, because a VMREAD costs more than a load, and much more
 * under another hypervisor.
 *
 * Context: VP's CPU, which no other CPU shares a context with.
 */
#pragma once

#include "core/hw.h"
#include "core/vp/event.h"
#include "core/vp/exit_info.h"

struct vp;

/* Control words that change after the VMCS was filled. */
enum ctx_word {
	CTX_PIN,
	CTX_PROC,
	CTX_PROC2,
	CTX_EXIT,
	CTX_EXCEPTIONS, /* exception bitmap */
	CTX_TPR_THRESHOLD,
	CTX_WORDS
};

struct vcpu_ctx {
	u32 word[CTX_WORDS]; /* as the VMCS has them: ctx_set() */
	u32 windows_keep;    /* primary controls that no window changes: ctx_init_windows() */
	u32 window_open;     /* those that an open interrupt window sets */
	u16 vpid;
	bool launched; /* VMRESUME enters; else VMLAUNCH */
	hpa_t vmcs;
	u64 eptp;
	u8 *io_bitmap;  /* 8 KiB: A, then B */
	u8 *msr_bitmap; /* 4 KiB, this context's own */
	const struct exit_table *exits;
	struct event_queued queued; /* while another context is current; else in vp->event */
};

/* Control words for the start of a context; arch/x86/vmx_ctls.c computes them. */
struct vp_ctls {
	u32 pin, proc, proc2, exit, entry;
};

/* ctx_init() - @vp has its guest's context, which is current, with @exits as its rows. */
void ctx_init(struct vp *vp, u16 vpid, const struct exit_table *exits);

/* ctx_init_windows() - an open interrupt window sets @with, too. */
void ctx_init_windows(struct vcpu_ctx *ctx, u32 with);

/* ctx_fill() - control fields of the current context, from its members and @ctls; the next entry
 * launches it. vp_reset() fills the guest area. */
void ctx_fill(struct vp *vp, const struct vp_ctls *ctls);

/* ctx_set_exits() - the rows that answer exits of the current context from now on. */
void ctx_set_exits(struct vp *vp, const struct exit_table *table);

/**
 * ctx_switch() - make @to the context that @vp runs next. Its VMCS must have been cleared once and
 * filled; it stays active on this CPU, as does the one that is left. What was on its way into the
 * guest stays with the context it was meant for. The windows are looked at again before the entry.
 *
 * Spec: SDM Vol. 3C "Software Use of Virtual-Machine Control Structures".
 */
void ctx_switch(struct vp *vp, struct vcpu_ctx *to);

/* ctx_release() - VMCLEAR of a context that is not current: its VMCS is plain memory then. The next
 * entry with it is a VMLAUNCH. */
void ctx_release(struct vp *vp, struct vcpu_ctx *ctx);

/*
 * ctx_set_long_mode() - the VM-entry control "IA-32e mode guest" of the current context. No word of
 * ours: the guest enters and leaves long mode without an exit, and the CPU stores EFER.LMA in the
 * control itself at each exit (SDM Vol. 3C "Saving Control Registers, Debug Registers, and MSRs").
 */
void ctx_set_long_mode(bool on);

/* ctx_set_slow() - the VMWRITE of ctx_set(). */
void ctx_set_slow(struct vcpu_ctx *ctx, enum ctx_word word, u32 val);

/* ctx_set() - @word of @ctx, which is current, becomes @val; no VMWRITE when it is already. */
static inline void ctx_set(struct vcpu_ctx *ctx, enum ctx_word word, u32 val)
{
	if (ctx->word[word] != val)
		ctx_set_slow(ctx, word, val);
}

/* ctx_set_bits() - the same for some bits of it. */
static inline void ctx_set_bits(struct vcpu_ctx *ctx, enum ctx_word word, u32 bits, bool on)
{
	ctx_set(ctx, word, on ? ctx->word[word] | bits : ctx->word[word] & ~bits);
}
