// SPDX-License-Identifier: BSD-2-Clause
// What the hostile tests of the region share.

#include "tests/guest/hostile/region.h"
#include "arch/x86/defs/cr.h"
#include "tests/guest/lib/boot.h"
#include "tests/guest/lib/insn.h"
#include "tests/guest/lib/tap.h"

/* Scratch pages, counted from the end; other tests of a whole run use the last 32. */
#define SCRATCH_FIRST 40u

u64 region, region_end;
static u32 scratch_used;

bool region_ready(void)
{
	u64 len = 0;

	write_cr4(read_cr4() | CR4_OSFXSR);
	if (!EXPECT_TRUE(boot_hv_region(&region, &len)))
		return false;
	region_end = region + len;
	return EXPECT_TRUE(boot_is_ram(region - 4096, 4096) && boot_is_ram(region_end, 4096));
}

void region_dropped(u64 n)
{
	counter_want("REGION_WRITE_DROPPED", n);
}

u64 region_scratch_page(void)
{
	counter_want("REGION_WRITE_SCRATCH", 1);
	return region_end - 4096ull * (SCRATCH_FIRST + scratch_used++);
}

u64 region_peek(u64 at)
{
	return *(volatile u64 *)(uintptr_t)at;
}

void region_poke(u64 at, u64 val)
{
	*(volatile u64 *)(uintptr_t)at = val;
}

bool region_all_ones(u64 at, u64 len)
{
	for (u64 i = 0; i < len; i++) {
		if (*(volatile u8 *)(uintptr_t)(at + i) != 0xff)
			return false;
	}
	return true;
}

static u64 saved[2];

void region_edges_begin(void)
{
	saved[0] = region_peek(region - 8);
	saved[1] = region_peek(region_end);
	region_poke(region - 8, RAM_PATTERN);
	region_poke(region_end, RAM_PATTERN);
}

void region_edges_end(void)
{
	region_poke(region - 8, saved[0]);
	region_poke(region_end, saved[1]);
}
