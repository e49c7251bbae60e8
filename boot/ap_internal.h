/* SPDX-License-Identifier: BSD-2-Clause */
/* A CPU coming up, as boot/cpus.c and boot/ap_tsc.c see it. */
#pragma once

#include "arch/x86/percpu.h"
#include "boot/boot.h"
#include "core/lib/bits.h"

/* Whoever is first leaves AP_COMING: the AP when it has joined, the boot CPU when it has waited
 * long enough. */
enum ap_state { AP_COMING, AP_SETTLED, AP_GIVEN_UP };

/* What the boot CPU asks an AP about its TSC. */
enum ap_question {
	AP_TSC_BEGIN, /* a comparison begins: IA32_TSC_ADJUST */
	AP_TSC_READ,  /* the TSC, now */
	AP_TSC_MOVE,  /* move it by @val */
	AP_TSC_END,   /* no more questions */
};

/* Each field is written by one side and read by the other, with release and acquire. */
struct ap {
	struct percpu pc; /* must be first: the AP gets its address */
	struct vp *vp;
	void *vmxon_page, *vmcs_page;
	u64 tsc_hz;           /* also the time limit of a step, in ticks */
	const char *left_out; /* why, NULL: it has joined */
	bool switched;        /* to x2APIC mode, to be like the boot CPU */
	u32 state;            /* enum ap_state */
	u32 asked, answered;  /* running numbers of the questions */
	enum ap_question question;
	u64 val; /* of question and answer */
	err_t err;
};

/* ap_end_late() - on the AP: the boot CPU has given it up. */
NORETURN void ap_end_late(const struct ap *ap);

/* ap_wait() - wait until *@at is @want. False: the AP took too long and was given up. */
bool ap_wait(struct ap *ap, const u32 *at, u32 want);

/* ap_answer_tsc() - on the AP: answer, until AP_TSC_END. */
void ap_answer_tsc(struct ap *ap);

/**
 * ap_sync_tsc() - compare the AP's TSC with ours, and move it where it is not in step. False: the
 * AP does not answer. The AP is in ap_answer_tsc(), and behind it afterwards.
 */
bool ap_sync_tsc(struct ap *ap, struct cpu_tsc *tsc);
