/* SPDX-License-Identifier: BSD-2-Clause */
/* The hypervisor's region as the hostile tests use it. */
#pragma once

#include "core/lib/types.h"

#define ONES64      ~0ull
#define MIDDLE      0x40000ull /* of the region: pages that never become scratch pages */
#define RAM_PATTERN 0x1122334455667788ull

extern u64 region, region_end;

bool region_ready(void);       /* finds it; false: the test has failed */
void region_dropped(u64 n);    /* @n writes that nothing keeps are to be counted */
u64 region_scratch_page(void); /* a page for one undecodable write */
bool region_all_ones(u64 at, u64 len);
u64 region_peek(u64 at);
void region_poke(u64 at, u64 val);

/* RAM on both sides holds RAM_PATTERN; what a test leaves there is checked and put back. */
void region_edges_begin(void);
void region_edges_end(void);
