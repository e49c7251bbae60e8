/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory calls: the one parser of their control word, and of their input and output in guest
 * memory or in registers. Linked only into an image with an ABI that uses it.
 *
 * Context: VP's own CPU.
 * Spec:    TLFS "Hypercall Interface": "Hypercall Inputs", "XMM Fast Hypercall Input", "XMM Fast
 *          Hypercall Output", "Hypercall Continuation", "Hypercall Status Values".
 */
#pragma once

#include "core/hw.h"
#include "hv/hcall.h"

/* The control word as the caller has it. */
#define HCALL_CODE      GENMASK64(15, 0)
#define HCALL_FAST      BIT64(16)
#define HCALL_VAR_WORDS GENMASK64(26, 17) /* variable header, 8-byte words */
#define HCALL_REP_COUNT GENMASK64(43, 32)
#define HCALL_REP_START GENMASK64(59, 48)
#define HCALL_RSVDZ     (GENMASK64(31, 27) | GENMASK64(47, 44) | GENMASK64(63, 60))
/* The result. */
#define HCALL_STATUS    GENMASK64(15, 0)
#define HCALL_REPS_DONE GENMASK64(43, 32)

/* Statuses that the parser returns. Handlers have others of the TLFS. */
#define HCALL_SUCCESS           0u
#define HCALL_INVALID_CODE      2u
#define HCALL_INVALID_INPUT     3u
#define HCALL_INVALID_ALIGNMENT 4u
#define HCALL_ACCESS_DENIED     6u

/* A fast call: two general registers, then XMM0-5. */
#define HCALL_FAST_GPR_BYTES 16u
#define HCALL_FAST_XMMS      6u
#define HCALL_FAST_BYTES     (HCALL_FAST_GPR_BYTES + HCALL_FAST_XMMS * 16u)

/* Half of the 50 us that the TLFS lets a call take; the rest is for its last element. */
#define HCALL_SLICE_PER_S 40000u

/* What a handler gets: checked sizes, private copies. */
struct hcall {
	const void *in;  /* in_size bytes */
	const void *var; /* the variable header */
	u32 var_bytes;
	void *list; /* of a rep call: the @count elements left to do; scratch when they are done */
	u32 count;
	u32 done;         /* set by a rep handler: how many of @count, at least one. If fewer, and
			   * success, the guest executes the call again for the rest */
	bool again;       /* set by a handler of a simple call that has done nothing: not now */
	u64 deadline_tsc; /* of a rep call: see hcall_is_late() */
	void *out;        /* out_size bytes, zeroed */
	u32 out_bytes;    /* set by a handler: copy out so many of @out, also with another status
			   * than success; 0: all of it, with success only */
	void *out_list;   /* @count elements, zeroed; the first @done are copied out */
};

/* hcall_is_late() - a rep handler whose elements take long asks behind each: true: stop here. */
static inline bool hcall_is_late(const struct hcall *hc)
{
	return hw_tsc() >= hc->deadline_tsc;
}

/* Private copies, one per VP that can be in a call. */
struct hcall_buffer {
	u8 in[HCALL_AREA_BYTES], out[HCALL_AREA_BYTES];
};

/* A call as the ABI took it from the registers. */
struct hcall_request {
	u64 control; /* with HCALL_AGAIN, the value to retry with */
	union {
		struct {
			u64 in_gpa, out_gpa;
		};
		/* A fast call: the general registers, which may come back with output; the rest is
		 * the parser's. */
		u64 fast[HCALL_FAST_BYTES / 8];
	};
	bool xmm_input, xmm_output; /* the caller has them */
	u64 result;                 /* with HCALL_DONE */
	struct hcall_buffer *buffer;
};

enum hcall_end {
	HCALL_DONE,
	HCALL_AGAIN,     /* RIP stays, @control goes back to its register */
	HCALL_UNDEFINED, /* #UD: a fast call that needs XMM registers, and they are not offered */
};

/* hcall_memory() - run the call. */
enum hcall_end hcall_memory(struct vp *vp, const struct hcall_table *t, struct hcall_request *rq);

/* hcall_words() - the function of a fast call with nothing to check but its number; NULL: take
 * hcall_memory(). Inline: on the exit path. */
static inline hcall_words_fn hcall_words(const struct hcall_table *t, u64 control)
{
	u64 nr = control ^ HCALL_FAST;

	return likely(nr < HCALL_LOW) ? t->words[nr] : NULL;
}
