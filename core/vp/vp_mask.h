/* SPDX-License-Identifier: BSD-2-Clause */
/* A set of VPs, by index. Pure. */
#pragma once

#include "core/lib/bits.h"
#include "core/partition.h"

#define VP_MASK_WORDS (VP_MAX / 64)
static_assert(VP_MAX % 64 == 0, "whole words");

/* Bit i % 64 of word i / 64: the VP with index i. Bits of VPs that do not exist are ignored. */
struct vp_mask {
	u64 word[VP_MASK_WORDS];
};

static inline void vp_mask_set_all(struct vp_mask *m)
{
	for (u32 i = 0; i < VP_MASK_WORDS; i++)
		m->word[i] = ~0ull;
}

/* vp_mask_words() - how many words have bits of VPs that exist. */
static inline u32 vp_mask_words(const struct partition *p)
{
	return (p->vp_count + 63) / 64;
}

/* vp_mask_existing() - the bits of word @word whose VPs exist. */
static inline u64 vp_mask_existing(const struct partition *p, u32 word)
{
	u32 first = word * 64;

	return p->vp_count <= first ? 0 : ~0ull >> (64 - umin32(p->vp_count - first, 64));
}

/* vp_mask_of() - the members of word @word whose VPs exist. */
static inline u64 vp_mask_of(const struct vp_mask *m, const struct partition *p, u32 word)
{
	return m->word[word] & vp_mask_existing(p, word);
}
