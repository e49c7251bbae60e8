/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Cache of decoded instructions, one page per VP. Drivers access the same registers from few
 * places: instead of walking and decoding again, a hit compares what those depend on, the
 * page-table entries and the bytes. Lines keep pointers to guest memory, so an EPT flush on this VP
 * must end them, before that memory is put to other use. VP's CPU.
 */
#include "core/emul/emul_internal.h"

#include "core/hw.h"
#include "core/mem/page_alloc.h"
#include "core/vp/vp.h"

#define CACHE_LINES 16u

#define NO_RIP BIT64(63) /* not canonical: never hits */

struct cache_line {
	u64 rip;
	struct walk_path path;
	const u8 *at;
	u64 raw[2];
	u64 mask[2]; /* the bytes of the instruction */
	struct insn in;
};

struct emul_cache {
	struct cache_line line[CACHE_LINES];
};

static_assert(sizeof(struct emul_cache) <= PAGE_SIZE, "page_alloc() makes one");

static struct cache_line *line_of(struct emul_cache *cache, u64 rip)
{
	return &cache->line[(rip ^ rip >> 4) % CACHE_LINES];
}

const struct insn *cache_find(const struct vp *vp)
{
	u64 rip = hw_vmread(VMCS_GUEST_RIP);
	const struct cache_line *l;
	u64 raw[2];

	if (vp->emul_cache == NULL)
		return NULL;
	l = line_of(vp->emul_cache, rip);
	if (l->rip != rip || l->path.map != vp->flush_done ||
	    l->path.cr3 != hw_vmread(VMCS_GUEST_CR3) || !walk_path_holds(&l->path))
		return NULL;
	/* SPEED(cache-bytes): of constant size, so two loads and no call */
	__builtin_memcpy(raw, l->at, sizeof(raw));
	if (((raw[0] ^ l->raw[0]) & l->mask[0]) | ((raw[1] ^ l->raw[1]) & l->mask[1]))
		return NULL;
	return &l->in;
}

static struct emul_cache *cache_make(void)
{
	struct emul_cache *cache = page_alloc();

	for (u32 i = 0; cache != NULL && i < CACHE_LINES; i++)
		cache->line[i].rip = NO_RIP;
	return cache;
}

void cache_add(struct vp *vp, const struct code *code, const struct insn *in)
{
	u64 rip = hw_vmread(VMCS_GUEST_RIP);

	if (code->at == NULL || code->path.count == 0)
		return;
	if (vp->emul_cache == NULL)
		vp->emul_cache = cache_make();
	if (vp->emul_cache == NULL)
		return;
	*line_of(vp->emul_cache, rip) = (struct cache_line){
		.rip = rip,
		.path = code->path,
		.at = code->at,
		.raw = { code->raw[0], code->raw[1] },
		.mask = { in->len >= 8 ? ~0ull : size_mask(in->len),
			  in->len > 8 ? size_mask(in->len - 8u) : 0 },
		.in = *in,
	};
}
