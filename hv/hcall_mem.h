/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory calls: the one parser of their control word, and of their input and output in guest
 * memory. Linked only into an image with an ABI that uses it.
 *
 * Context: VP's own CPU.
 * Spec:    TLFS "Hypercall Interface": "Hypercall Inputs", "Hypercall Continuation", "Hypercall
 *          Status Values".
 */
#pragma once

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

/* What a handler gets: checked sizes, private copies. */
struct hcall {
	const void *in;  /* in_size bytes */
	const void *var; /* the variable header */
	u32 var_bytes;
	const void *list; /* of a rep call: the @count elements left to do */
	u32 count;
	u32 done;       /* set by a rep handler: how many of @count. If fewer, and success, the
			 * guest executes the call again for the rest */
	void *out;      /* out_size bytes, zeroed */
	void *out_list; /* @count elements, zeroed; the first @done are copied out */
};

/* Private copies, one per VP that can be in a call. */
struct hcall_buffer {
	u8 in[HCALL_AREA_BYTES], out[HCALL_AREA_BYTES];
};

/* A call as the ABI took it from the registers. */
struct hcall_request {
	u64 control;      /* with @again set, the value to retry with */
	u64 in_gpa;       /* not for a fast call */
	u64 out_gpa;      /* not for a fast call */
	const void *fast; /* input of a fast call */
	u32 fast_bytes;   /* 16; 112 where XMM registers count */
	bool again;       /* set: RIP stays, @control goes back to its register */
	struct hcall_buffer *buffer;
};

/* hcall_memory() - run the call. Returns the result value; none when @rq->again. */
u64 hcall_memory(struct vp *vp, const struct hcall_table *t, struct hcall_request *rq);
