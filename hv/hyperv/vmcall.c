/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * VMCALL by the Hyper-V ABI: takes the call out of the caller's registers and puts the result back.
 * Context: VP's own CPU, root mode.
 *
 * Spec: TLFS "Hypercall Interface": "Legal Hypercall Environments", "Hypercall Inputs", "Hypercall
 * Continuation".
 */
#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/vector.h"
#include "core/hw.h"
#include "core/mem/gpa.h"
#include "hv/hcall_mem.h"
#include "hv/hv.h"
#include "hv/hyperv/hyperv_internal.h"

struct hcall_table hyperv_calls;

/* Not at CPL 0, in real mode, no hypercall page, or XMM registers that are not offered. */
static NOINLINE enum exit_action undefined(struct vp *vp)
{
	COUNT(vp, HV_HCALL_UD);
	return vp_fault(vp, EXC_UD);
}

/* RIP stays; what is pending is served before the guest executes the call again. */
static enum exit_action again(struct vp *vp)
{
	COUNT(vp, HV_HCALL_CONTINUED);
	return EXIT_ITERATION;
}

static NOINLINE enum exit_action call64(struct vp *vp)
{
	struct gpr_regs *r = &vp->regs;
	struct hcall_request rq = {
		.control = r->rcx,
		.in_gpa = r->rdx,
		.out_gpa = r->r8,
		.xmm_input = hv_has(vp->partition, FEATURE_HV_XMM_INPUT),
		.xmm_output = hv_has(vp->partition, FEATURE_HV_XMM_OUTPUT),
		.buffer = hyperv_buffer(vp),
	};
	enum hcall_end end = hcall_memory(vp, &hyperv_calls, &rq);

	if (end == HCALL_UNDEFINED)
		return undefined(vp);
	r->rdx = rq.fast[0]; /* output, or what it was */
	r->r8 = rq.fast[1];
	if (end == HCALL_AGAIN) {
		r->rcx = rq.control;
		return again(vp);
	}
	r->rax = rq.result;
	return EXIT_NEXT;
}

static u64 pair(u64 high, u64 low)
{
	return high << 32 | (u32)low;
}

/* Outside 64-bit mode a value is a pair of registers, and there is no output in XMM registers. */
static NOINLINE enum exit_action call32(struct vp *vp)
{
	struct gpr_regs *r = &vp->regs;
	struct hcall_request rq = {
		.control = pair(r->rdx, r->rax),
		.in_gpa = pair(r->rbx, r->rcx),
		.out_gpa = pair(r->rdi, r->rsi),
		.xmm_input = hv_has(vp->partition, FEATURE_HV_XMM_INPUT),
		.buffer = hyperv_buffer(vp),
	};
	enum hcall_end end;

	if (!(hw_vmread(VMCS_GUEST_CR0) & CR0_PE))
		return undefined(vp);
	COUNT(vp, HV_HCALL_32);
	end = hcall_memory(vp, &hyperv_calls, &rq);
	if (end == HCALL_UNDEFINED)
		return undefined(vp);
	set_edx_eax(r, end == HCALL_AGAIN ? rq.control : rq.result);
	return end == HCALL_AGAIN ? again(vp) : EXIT_NEXT;
}

static inline enum exit_action unknown(struct vp *vp)
{
	COUNT(vp, VMCALL_UNKNOWN);
	vp->regs.rax = HV_STATUS_INVALID_HYPERCALL_CODE;
	return EXIT_NEXT;
}

/* A call of three words: the third is in XMM0. */
static NOINLINE enum exit_action fast_words_call64(struct vp *vp, const struct hcall_row *row)
{
	u64 xmm[4];

	if (unlikely(!hv_has(vp->partition, FEATURE_HV_XMM_INPUT)) ||
	    unlikely(hw_vector_read(HW_XMM, 0, xmm) != ERR_NONE))
		return call64(vp); /* says what is wrong */
	vp->regs.rax = row->words(vp, vp->regs.rdx, vp->regs.r8, xmm[0]);
	return EXIT_NEXT;
}

static NOINLINE enum exit_action memory_words_call64(struct vp *vp, const struct hcall_row *row)
{
	u64 at = vp->regs.rdx, word[HCALL_WORDS] = { 0 };

	if (unlikely(!IS_ALIGNED(at, 8ull)) ||
	    unlikely(at % HCALL_AREA_BYTES > HCALL_AREA_BYTES - row->in_size) ||
	    unlikely(gpa_read(vp->partition, gpa(at), word, row->in_size) != ERR_NONE))
		return call64(vp); /* says what is wrong, or waits for the page */
	vp->regs.rax = row->words(vp, word[0], word[1], word[2]);
	return EXIT_NEXT;
}

static bool is_plain(const struct hcall_row *row)
{
	return row->mem != NULL && row->kind == HCALL_SIMPLE && row->out_size == 0 &&
	       !row->variable_header;
}

/* A message, for example: input in memory, of a fixed size, and nothing else. */
static NOINLINE enum exit_action plain_call64(struct vp *vp, const struct hcall_row *row)
{
	u64 at = vp->regs.rdx;
	u8 *in = hyperv_buffer(vp)->in;
	struct hcall hc = { .in = in };
	u16 status;

	if (unlikely(!IS_ALIGNED(at, 8ull)) ||
	    unlikely(at % HCALL_AREA_BYTES > HCALL_AREA_BYTES - row->in_size) ||
	    unlikely(gpa_read(vp->partition, gpa(at), in, row->in_size) != ERR_NONE))
		return call64(vp); /* says what is wrong, or waits for the page */
	status = row->mem(vp, &hc);
	if (unlikely(hc.again))
		return again(vp);
	vp->regs.rax = status;
	return EXIT_NEXT;
}

static NOINLINE enum exit_action other_call64(struct vp *vp)
{
	u64 control = vp->regs.rcx;
	u32 slot = hcall_slot(FIELD_GET(HCALL_CODE, control));
	const struct hcall_row *row = slot < HCALL_SLOTS ? hyperv_calls.row[slot] : NULL;

	if (unlikely(row == NULL))
		return unknown(vp);
	if ((control & ~(HCALL_CODE | HCALL_FAST)) != 0 || !hyperv_calls.live[slot])
		return call64(vp);
	if (row->words == NULL)
		return (control & HCALL_FAST) == 0 && is_plain(row) ? plain_call64(vp, row)
								    : call64(vp);
	/* A flush: its words are in memory, or the third is in XMM0. */
	return (control & HCALL_FAST) != 0 ? fast_words_call64(vp, row)
					   : memory_words_call64(vp, row);
}

static NOINLINE enum exit_action words_call64(struct vp *vp, hcall_words_fn fn)
{
	vp->regs.rax = fn(vp, vp->regs.rdx, vp->regs.r8, 0);
	return EXIT_NEXT;
}

/* No number with one of these is known: those below HCALL_LOW, and the first extended ones. */
#define UNKNOWN_CODES GENMASK32(14, 8)
static_assert(((HCALL_LOW - 1) & UNKNOWN_CODES) == 0, "low numbers");
static_assert(((HCALL_EXTENDED + HCALL_EXTENDEDS - 1) & UNKNOWN_CODES) == 0, "extended ones");

enum exit_action hyperv_vmcall(struct vp *vp, const struct exit_info *x)
{
	u64 control = vp->regs.rcx;
	hcall_words_fn fn;

	if (unlikely((hw_vmread_hot(VMCS_GUEST_SS_AR) & AR_DPL) != 0))
		return undefined(vp);
	if (unlikely(!(hw_vmread_hot(VMCS_GUEST_CS_AR) & AR_L)) ||
	    unlikely(!(hw_vmread_hot(VMCS_GUEST_EFER) & EFER_LMA)))
		return call32(vp);
	if (unlikely((control & UNKNOWN_CODES) != 0))
		return unknown(vp);
	fn = hcall_words(&hyperv_calls, control);
	return likely(fn != NULL) ? words_call64(vp, fn) : other_call64(vp);
}

enum exit_action hyperv_vmcall_off(struct vp *vp, const struct exit_info *x)
{
	return undefined(vp);
}
