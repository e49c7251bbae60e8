/* SPDX-License-Identifier: BSD-2-Clause */
/* Dump of the counters (invariant 11). Pure. Tests read these lines: their format is an interface.
 */
#include "core/diag/counters.h"

#include "core/diag/log.h"
#include "core/partition.h"
#include "core/vp/vp.h"

/* clang-format off */
static const char *const names[COUNTER_COUNT] = {
#define X(name, help) #name,
#include "core/diag/counters.def"
#undef X
};
/* clang-format on */

void counters_dump_vp(const struct vp *vp, counters_line_fn line)
{
	for (u32 i = 0; i < EXIT_REASON_COUNT; i++) {
		if (vp->counters.exits[i] != 0)
			line("exit vp%u %s %llu", vp->index, exit_reason_name(i),
			     vp->counters.exits[i]);
	}
	for (u32 i = 0; i < COUNTER_COUNT; i++) {
		if (vp->counters.c[i] != 0)
			line("counter vp%u %s %llu", vp->index, names[i], vp->counters.c[i]);
	}
	steal_dump(vp, line);
	if (vp->halt_poll.value_ns != 0)
		line("gauge vp%u halt_poll_ns %u", vp->index, vp->halt_poll.value_ns);
}

void counters_dump(const struct partition *p, const char *why)
{
	log_info("counters: %s", why);
	for (u32 i = 0; i < p->vp_count; i++) {
		if (p->vp[i] != NULL)
			counters_dump_vp(p->vp[i], log_info);
	}
	log_info("counters: end");
}
