/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The TSC of a CPU coming up: compare it with the boot CPU's, and bring it into step.
 *
 * Context: boot CPU; ap_answer_tsc(): the AP meanwhile.
 */
#include "arch/x86/insn.h"
#include "arch/x86/tsc.h"
#include "boot/ap_internal.h"
#include "boot/test_fault.h"

#define ROUNDS 32u
#define MOVES  3u /* writing IA32_TSC leaves a small rest, which the next one takes away */
#define SPINS  1000u

static void answer(struct ap *ap)
{
	u32 nth = ap->answered;

	switch (ap->question) {
	case AP_TSC_BEGIN:
		test_point(TEST_AP_TSC, &nth);
		ap->err = tsc_adjust_read(&ap->val);
		break;
	case AP_TSC_READ:
		ap->val = rdtsc_ordered();
		break;
	case AP_TSC_MOVE:
		ap->err = tsc_move(ap->val);
		break;
	case AP_TSC_END:
		break;
	}
}

/* No PAUSE: an exchange must take as little time as a message between CPUs can. */
void ap_answer_tsc(struct ap *ap)
{
	enum ap_question last;

	do {
		while (LOAD_ACQUIRE(ap->asked) == ap->answered) {
			if (LOAD_ACQUIRE(ap->state) == AP_GIVEN_UP)
				ap_end_late(ap);
		}
		last = ap->question;
		answer(ap);
		STORE_RELEASE(ap->answered, ap->answered + 1);
	} while (last != AP_TSC_END);
}

/* False: the AP does not answer. */
static bool await_answer(struct ap *ap, u32 number)
{
	for (u32 i = 0; i < SPINS; i++) {
		if (LOAD_ACQUIRE(ap->answered) == number)
			return true;
	}
	return ap_wait(ap, &ap->answered, number);
}

static bool ask(struct ap *ap, enum ap_question question, u64 val)
{
	u32 number = ap->asked + 1;

	ap->question = question;
	ap->val = val;
	STORE_RELEASE(ap->asked, number);
	return await_answer(ap, number);
}

static bool exchange(struct ap *ap, struct tsc_exchange *e)
{
	u32 number = ap->asked + 1;

	ap->question = AP_TSC_READ;
	e->start_tsc = rdtsc_ordered();
	STORE_RELEASE(ap->asked, number);
	if (!await_answer(ap, number))
		return false;
	e->end_tsc = rdtsc_ordered();
	e->remote_tsc = ap->val;
	return true;
}

static bool compare(struct ap *ap, struct cpu_tsc *tsc)
{
	if (!ask(ap, AP_TSC_BEGIN, 0))
		return false;
	tsc->has_adjust = ap->err == ERR_NONE;
	tsc->adjust = tsc->has_adjust ? (s64)ap->val : 0;
	tsc->skew = TSC_SKEW_UNKNOWN;
	for (u32 i = 0; i < ROUNDS; i++) {
		struct tsc_exchange e;

		if (!exchange(ap, &e))
			return false;
		tsc_skew_add(&tsc->skew, &e);
	}
	return true;
}

/* Every move is verified by another comparison. False: the AP does not answer. */
static bool bring_into_step(struct ap *ap, struct cpu_tsc *tsc)
{
	for (u32 i = 0; i < MOVES && !tsc_skew_is_in_step(&tsc->skew); i++) {
		if (!ask(ap, AP_TSC_MOVE, (u64)-tsc_skew_offset(&tsc->skew)))
			return false;
		if (ap->err != ERR_NONE)
			return true;
		tsc->moved = true;
		if (!compare(ap, tsc))
			return false;
	}
	return true;
}

bool ap_sync_tsc(struct ap *ap, struct cpu_tsc *tsc)
{
	if (!compare(ap, tsc))
		return false;
	tsc->found = tsc_skew_offset(&tsc->skew);
	return bring_into_step(ap, tsc) && ask(ap, AP_TSC_END, 0);
}
