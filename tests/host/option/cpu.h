/* SPDX-License-Identifier: BSD-2-Clause */
/* Shared by the tests of cpu= and profile=: a command line, and the features it leaves. */
#pragma once

#include "tests/host/harness.h"

#include "boot/option/option_internal.h"
#include "hv/hv.h"
#include "hv/kvm/kvm.h"

static struct options o;
static char msg[256];

static inline err_t parse(const char *cmdline)
{
	options_default(&o);
	msg[0] = '\0';
	return options_parse(&o, cmdline, msg, sizeof(msg));
}

static inline bool has(enum hv_feature_id f)
{
	return (o.config.cpu_features & BIT64(f)) != 0;
}

static inline const char *name_of(u32 feature)
{
	return hv_features[feature]->name;
}

static inline bool is_of_kvm(u32 feature)
{
	return hv_features[feature]->abi == NULL || hv_features[feature]->abi == &kvm_abi;
}

/* What cpu=host asks for. */
static inline u64 by_default(void)
{
	u64 set = 0;

	for (u32 f = 0; f < FEATURE_COUNT; f++)
		set |= is_of_kvm(f) && hv_features[f]->profiles != IN_NO_PROFILE ? BIT64(f) : 0;
	EXPECT_EQ(0, set & BIT64(FEATURE_KVM_HINT_DEDICATED));
	return set;
}
