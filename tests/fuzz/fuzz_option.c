/* SPDX-License-Identifier: BSD-2-Clause */
/* Fuzzer: the hypervisor's command line. */
#include <stdlib.h>
#include <string.h>

#include "boot/option/option.h"
#include "hv/hv.h"
#include "hv/hyperv/hyperv.h"
#include "hv/kvm/kvm.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t len);

static u64 of_abi(const struct hv_abi *abi)
{
	u64 features = 0;

	for (u32 i = 0; i < FEATURE_COUNT; i++)
		features |= hv_features[i]->abi == abi && abi->whole != i ? BIT64(i) : 0;
	return features;
}

/* Whatever was written: what was named is so, and nothing is on without what it needs. */
static bool features_are_sound(const struct options *o)
{
	u64 f = o->config.cpu_features, all = BIT64(FEATURE_COUNT) - 1;
	u64 steal = BIT64(FEATURE_KVM_PV_TLB_FLUSH) | BIT64(FEATURE_KVM_PV_SCHED_YIELD);
	u64 hlt = BIT64(FEATURE_KVM_PV_UNHALT) | BIT64(FEATURE_KVM_POLL_CONTROL);
	u64 calls = BIT64(FEATURE_HV_TLBFLUSH) | BIT64(FEATURE_HV_IPI);
	char text[64];

	if ((f & ~all) || (o->cpu_on & ~f) || (o->cpu_off & f) || (o->cpu_dropped & f))
		return false;
	if ((f & of_abi(&kvm_abi)) && !(f & BIT64(FEATURE_KVM)))
		return false;
	if ((f & of_abi(&hyperv_abi)) && !(f & BIT64(FEATURE_HYPERV)))
		return false;
	if ((f & steal) && !(f & BIT64(FEATURE_KVM_STEAL_TIME)))
		return false;
	if ((f & calls) && !(f & BIT64(FEATURE_HV_VPINDEX)))
		return false;
	if ((f & hlt) && o->config.hlt != HLT_EXIT)
		return false;
	if (memchr(o->config.hv_vendor_id, 0, sizeof(o->config.hv_vendor_id)) == NULL ||
	    o->config.hv_version_id_major > 0xffff || o->config.hv_version_id_snumber > 0xffffff)
		return false;
	return options_dropped(o, text, sizeof(text)) == (o->cpu_dropped != 0) &&
	       memchr(text, 0, sizeof(text)) != NULL;
}

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
	} else if (o.config.stats_s > 86400 || o.config.apicv > APICV_OFF ||
		   o.profile >= PROFILE_NESTED || !features_are_sound(&o)) {
		abort();
	}
	free(line);
	return 0;
}
