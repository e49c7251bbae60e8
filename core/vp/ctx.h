/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A context is what belongs to one VMCS. A VP runs in one at a time, vp->ctx, but can own several:
 * one for the guest and one for the guest's own guest, with separate controls, bitmaps and exit
 * rows.
 *
 * Control words are cached as last written: a VMREAD costs more than a load, and far more when
 * nested.
 *
 * Context: VP's CPU; no other CPU touches its contexts.
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
	u32 word[CTX_WORDS]; /* what the VMCS holds; ctx_set() */
	u32 exceptions;      /* vectors its exit rows want, besides those of core/vp/exception.h */
	u32 windows_keep;    /* primary controls that windows never change */
	u32 window_open;     /* those that an open interrupt window sets */
	u64 eoi_exit[4];     /* EOI-exit bitmap, as last written; ctx_set_eoi_exit() */
	u64 tsc_offset;      /* as last written; ctx_set_tsc_offset() */
	u16 vpid;
	bool launched; /* VMRESUME enters; else VMLAUNCH */
	hpa_t vmcs;
	u64 eptp;
	u8 *io_bitmap;  /* pio_bitmap_build() */
	u8 *msr_bitmap; /* 4 KiB, this context's own */
	const struct exit_table *exits;
	struct event_queued queued; /* saved here while not current; else in vp->event */
};

/* Control words for the start of a context; arch/x86/vmx_ctls.c computes them. */
struct vp_ctls {
	u32 pin, proc, proc2, exit, entry;
};

/* ctx_init() - give @vp its guest's context, now current, with @exits as its rows. */
void ctx_init(struct vp *vp, u16 vpid, const struct exit_table *exits);

/* ctx_init_windows() - controls that an open interrupt window sets besides its own: @with. */
void ctx_init_windows(struct vcpu_ctx *ctx, u32 with);

/* ctx_fill() - write the control fields of the current context from its members and @ctls; the next
 * entry is a VMLAUNCH. vp_reset() fills the guest area. */
void ctx_fill(struct vp *vp, const struct vp_ctls *ctls);

/* ctx_set_exits() - exits of the current context go to @table from now on. */
void ctx_set_exits(struct vp *vp, const struct exit_table *table);

/**
 * ctx_switch() - make @to the context that @vp runs next. Its VMCS must have been cleared once and
 * filled; both VMCSs stay active on this CPU. A queued event stays with the context it was meant
 * for. What is the VP's and not the context's, but is kept in the VMCS, is written: wanted
 * exceptions, TSC offset, EOI exits and RVI of the virtual APIC. The next entry evaluates the
 * windows anew.
 *
 * Spec: SDM Vol. 3C "Software Use of Virtual-Machine Control Structures".
 */
void ctx_switch(struct vp *vp, struct vcpu_ctx *to);

/* ctx_release() - VMCLEAR of a context that is not current: its VMCS is plain memory then. The next
 * entry with it is a VMLAUNCH. */
void ctx_release(struct vp *vp, struct vcpu_ctx *ctx);

/*
 * ctx_set_long_mode() - the VM-entry control "IA-32e mode guest" of the current context. Never
 * cache it: the guest can change mode without an exit, and the CPU then rewrites the control from
 * EFER.LMA at the next exit (SDM Vol. 3C "Saving Control Registers, Debug Registers, and MSRs").
 */
void ctx_set_long_mode(bool on);

/* ctx_watch_ports() - ports of watched rows exit, or go through again, in the current context. */
void ctx_watch_ports(const struct vcpu_ctx *ctx, bool on);

/* ctx_set_tsc_offset() - the guest's TSC is the CPU's plus @offset, in the current context. */
void ctx_set_tsc_offset(struct vcpu_ctx *ctx, u64 offset);

/* ctx_set_eoi_exit() - bits 64 * @word to 64 * @word + 63 of the EOI-exit bitmap of the current
 * context. The machine has virtual-interrupt delivery. */
void ctx_set_eoi_exit(struct vcpu_ctx *ctx, u32 word, u64 bits);

/* ctx_proc2_allows() - the CPU can set all these secondary controls. */
bool ctx_proc2_allows(u32 ctls);

/* ctx_set_slow() - ctx_set() without the comparison. */
void ctx_set_slow(struct vcpu_ctx *ctx, enum ctx_word word, u32 val);

/* ctx_set() - set @word of @ctx, which must be current; skips a VMWRITE that changes nothing. */
static inline void ctx_set(struct vcpu_ctx *ctx, enum ctx_word word, u32 val)
{
	if (ctx->word[word] != val)
		ctx_set_slow(ctx, word, val);
}

/* ctx_set_bits() - set or clear only @bits of it. */
static inline void ctx_set_bits(struct vcpu_ctx *ctx, enum ctx_word word, u32 bits, bool on)
{
	ctx_set(ctx, word, on ? ctx->word[word] | bits : ctx->word[word] & ~bits);
}
