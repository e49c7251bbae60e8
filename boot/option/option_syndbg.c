/* SPDX-License-Identifier: BSD-2-Clause */
/* hv-syndbg and its serial port. Boot time, pure. */
#include "boot/option/option_internal.h"
#include "core/lib/fmt.h"
#include "hv/feature.h"

/* Cause (options): a value or combination that is not allowed.
 * Remedy: docs/options.md. */

static err_t refuse(struct parse *p, const char *why)
{
	fmt_print(p->msg, p->msg_len, "option %s", why);
	return ERR_NODEV;
}

err_t option_syndbg_check(struct parse *p)
{
	const struct config *c = &p->o->config;
	bool is_on = (c->cpu_features & BIT64(FEATURE_HV_SYNDBG)) != 0;

	if (is_on && c->syndbg == SYNDBG_NONE)
		return refuse(p, "cpu: hv-syndbg needs a serial port: add syndbg=com1 or "
				 "syndbg=com2");
	if (!is_on && c->syndbg != SYNDBG_NONE)
		return refuse(p, "syndbg: it needs hv-syndbg: add that to cpu= or remove it");
	if (c->syndbg == SYNDBG_COM2 && c->log == LOG_COM2)
		return refuse(p, "syndbg=com2: the log has that port: write syndbg=com1 or remove "
				 "log=com2");
	return ERR_NONE;
}
