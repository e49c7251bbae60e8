/* SPDX-License-Identifier: BSD-2-Clause */
/* Fuzzer: the hypervisor's command line. */
#include <stdlib.h>
#include <string.h>

#include "core/option.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t len);

int LLVMFuzzerTestOneInput(const u8 *data, size_t len)
{
	char *line = malloc(len + 1);
	struct options o;
	char msg[160] = "";

	memcpy(line, data, len);
	line[len] = '\0';
	options_default(&o);
	if (options_parse(&o, line, msg, sizeof(msg)) != ERR_NONE) {
		if (msg[0] == '\0' || memchr(msg, 0, sizeof(msg)) == NULL)
			abort(); /* a refusal without a reason */
	} else if (o.stats > 86400 || o.apicv > APICV_OFF ||
		   o.cpu_features >> CPU_FEATURE_COUNT != 0) {
		abort();
	}
	free(line);
	return 0;
}
