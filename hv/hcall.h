/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Hypercalls as descriptors: input, output, function. There are two kinds. A register call has four
 * arguments and a result (KVM). A memory call has its input and output in guest memory or, "fast",
 * its input in registers, and may repeat over a list (the TLFS).
 *
 * A handler gets values or private copies, and room for its output. It never sees the caller's
 * registers, mode or memory, and runs only if the feature that offers the call is on.
 *
 * Context: hv_register() fills the tables before the guest runs; calls: VP's own CPU.
 */
#pragma once

#include "core/lib/bits.h"
#include "core/lib/err.h"
#include "core/lib/types.h"

struct hcall;
struct vp;

/* Input and output of a memory call lie inside one page each. */
#define HCALL_AREA_BYTES 4096u

/* Most that a register call may write to guest memory. */
#define HCALL_REG_OUT_MAX 64u

enum hcall_kind {
	HCALL_REGISTERS,
	HCALL_SIMPLE,
	HCALL_REP,
	HCALL_NOT_OFFERED, /* a memory call that exists elsewhere: always denied */
};

/* A result below 0 is an error of the ABI. */
typedef s64 (*hcall_reg_fn)(struct vp *vp, u64 a0, u64 a1, u64 a2, u64 a3);
/* The same, with output: @out is written to guest memory when the result is 0. */
typedef s64 (*hcall_reg_out_fn)(struct vp *vp, const u64 args[4], void *out);
/* Returns the status: hcall_mem.h. */
typedef u16 (*hcall_mem_fn)(struct vp *vp, struct hcall *hc);
/* The same for a simple call without output whose input is up to HCALL_WORDS words. */
#define HCALL_WORDS 3u
typedef u16 (*hcall_words_fn)(struct vp *vp, u64 first, u64 second, u64 third);

struct hcall_row {
	u32 nr;
	enum hcall_kind kind;
	const char *name;

	/* HCALL_REGISTERS: one of the two */
	hcall_reg_fn reg;
	hcall_reg_out_fn reg_out;
	/* HCALL_SIMPLE, HCALL_REP: one of the two. @words: simple and @fast; a call whose words are
	 * all in general registers comes straight here */
	hcall_mem_fn mem;
	hcall_words_fn words;

	u32 out_arg;                /* of @reg_out: the argument with the output's address */
	u32 out_size, rep_out_size; /* bytes: fixed output, for each element of the list */
	u32 in_size, rep_in_size;   /* the same of the input; not HCALL_REGISTERS */
	u16 no_fast_status;         /* of a fast call without @fast; 0: HCALL_INVALID_INPUT */
	bool fast;                  /* input and output may be in registers */
	bool variable_header;       /* 8-byte words between the fixed input and the list */
	bool unknown_if_off; /* without its feature: HCALL_INVALID_CODE, not _ACCESS_DENIED */
};

/* Supported numbers: low ones, and the TLFS's extended calls. */
#define HCALL_LOW       0x100u
#define HCALL_EXTENDED  0x8000u
#define HCALL_EXTENDEDS 0x10u
#define HCALL_SLOTS     (HCALL_LOW + HCALL_EXTENDEDS)

/* The calls of one ABI by number. */
struct hcall_table {
	/* Of live rows, the fast paths: register calls without output, and calls of at most two
	 * words. */
	hcall_reg_fn reg[HCALL_LOW];
	hcall_words_fn words[HCALL_LOW];
	const struct hcall_row *row[HCALL_SLOTS];
	bool live[HCALL_SLOTS];
};

/**
 * hcall_add() - add the calls of one feature; @live: it is on. ERR_BUSY: a number is taken;
 * ERR_RANGE: it is outside the table; ERR_INVAL: the sizes do not fit the kind.
 */
MUST_CHECK err_t hcall_add(struct hcall_table *t, const struct hcall_row *rows, u32 n, bool live);

/* hcall_slot() - the place of a number; HCALL_SLOTS: none. */
static inline u32 hcall_slot(u64 nr)
{
	if (likely(nr < HCALL_LOW))
		return (u32)nr;
	if (nr - HCALL_EXTENDED < HCALL_EXTENDEDS)
		return HCALL_LOW + (u32)(nr - HCALL_EXTENDED);
	return HCALL_SLOTS;
}

/* hcall_find() - NULL: there is no such call. *@live: its feature is on. */
const struct hcall_row *hcall_find(const struct hcall_table *t, u64 nr, bool *live);

/**
 * hcall_reg_out() - a register call with output. ERR_FAULT: the output is not guest RAM, nothing is
 * written. *@result: the handler's. It cannot be run twice, so this waits in place for memory that
 * is not there yet.
 */
MUST_CHECK err_t hcall_reg_out(struct vp *vp, const struct hcall_row *row, const u64 args[4],
			       s64 *result);
