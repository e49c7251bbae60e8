/* SPDX-License-Identifier: BSD-2-Clause */
/* The features by number. Context: data only. */
#include "hv/feature.h"
#include "hv/hv.h"

/* clang-format off */
#define X(name, feature) extern const struct hv_feature feature;
#include "hv/features.def"
#undef X

const struct hv_feature *const hv_features[FEATURE_COUNT] = {
#define X(name, feature) [FEATURE_##name] = &(feature),
#include "hv/features.def"
#undef X
};
/* clang-format on */

u64 hv_feature_needs(u32 id)
{
	const struct hv_feature *f = hv_features[id];
	u64 whole = f->abi != NULL ? BIT64(f->abi->whole) : 0;

	return f->needs | (whole & ~BIT64(id));
}
