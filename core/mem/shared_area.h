/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Shared areas: guest RAM registered for the hypervisor to write, such as a clock page. The one
 * place that validates such an address, at registration and after every change of the map. With a
 * bad address the area stays registered but is not live: accesses do nothing. Where one is live no
 * overlay is placed.
 *
 * Context: any CPU, no lock of the partition's EPT held. Accesses: see each function.
 */
#pragma once

#include "core/lib/bits.h"
#include "core/lib/err.h"
#include "core/lib/types.h"

struct partition;

struct shared_area {
	u8 *mem;                          /* remote; NULL: not live */
	u64 gpa;                          /* as registered */
	u32 len;                          /* 0: not registered. At most a page */
	struct shared_area *next, **link; /* of partition.shared_areas. LOCK: ept.lock */
};

/**
 * shared_area_set() - register [@gpa, @gpa + @len) as @a, replacing what it was. ERR_FAULT: not
 * aligned to 4 bytes, across pages, or not RAM as the guest sees it: device memory, the hypervisor
 * region, a page under an overlay, far memory not touched yet. It may still become live later.
 * LOCK: takes ept.lock.
 */
MUST_CHECK err_t shared_area_set(struct partition *p, struct shared_area *a, u64 gpa, u32 len);

/* shared_area_clear() - unregister: no new write begins. Writes in progress are for the caller
 * to wait for. LOCK: takes ept.lock. */
void shared_area_clear(struct partition *p, struct shared_area *a);

/* shared_area_would_be_live() - could [@gpa, @gpa + @len) be registered and live? LOCK: takes
 * ept.lock. */
bool shared_area_would_be_live(struct partition *p, u64 gpa, u32 len);

/* shared_area_check_all() - the map has changed: every area becomes live or not. LOCK: takes
 * ept.lock. */
void shared_area_check_all(struct partition *p);

/* shared_area_is_on_page() - a live area lies in the page at @gpa. LOCK: ept.lock. */
bool shared_area_is_on_page(const struct partition *p, u64 gpa);

/* shared_area_set_own() - memory of ours in place of the guest's, such as an overlay's page: @a is
 * live whatever the map says. Not while it is registered. */
static inline void shared_area_set_own(struct shared_area *a, u8 *mem)
{
	WRITE_ONCE(a->mem, mem);
}

static inline bool shared_area_is_registered(const struct shared_area *a)
{
	return a->len != 0;
}

static inline bool shared_area_is_live(const struct shared_area *a)
{
	return READ_ONCE(a->mem) != NULL;
}

/*
 * Loads and stores by offset, aligned and inside the area; each one is single-copy atomic. Not
 * live: no effect, reads are 0.
 */
static inline u32 shared_read32(const struct shared_area *a, u32 off)
{
	const u8 *mem = READ_ONCE(a->mem);

	return mem != NULL ? READ_ONCE(*(const u32 *)(const void *)(mem + off)) : 0;
}

static inline void shared_write32(const struct shared_area *a, u32 off, u32 val)
{
	u8 *mem = READ_ONCE(a->mem);

	if (mem != NULL)
		WRITE_ONCE(*(u32 *)(void *)(mem + off), val);
}

static inline void shared_write64(const struct shared_area *a, u32 off, u64 val)
{
	shared_write32(a, off, (u32)val);
	shared_write32(a, off + 4, (u32)(val >> 32));
}

static inline u8 shared_read8(const struct shared_area *a, u32 off)
{
	const u8 *mem = READ_ONCE(a->mem);

	return mem != NULL ? READ_ONCE(mem[off]) : 0;
}

static inline void shared_write8(const struct shared_area *a, u32 off, u8 val)
{
	u8 *mem = READ_ONCE(a->mem);

	if (mem != NULL)
		WRITE_ONCE(mem[off], val);
}

/* shared_xchg8() - one locked exchange: a byte that other VPs change meanwhile. */
static inline u8 shared_xchg8(const struct shared_area *a, u32 off, u8 val)
{
	u8 *mem = READ_ONCE(a->mem);

	return mem != NULL ? __atomic_exchange_n(&mem[off], val, __ATOMIC_SEQ_CST) : 0;
}
