/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * For tests/host/models/mtrr_model.py: reads sets of MTRRs, builds or retypes the EPT of a 4-GiB
 * machine with them and prints its leaves.
 *
 * In, one set per line, hexadecimal:  RETYPE HAS_1G CAP DEF_TYPE FIXED*11 COUNT (BASE MASK)*COUNT
 * Out, per set:  runs of equal leaves `BASE SIZE COUNT TYPE PERMISSIONS IDENTITY`, then `end`.
 */
#include <stdio.h>
#include <stdlib.h>

#include "arch/x86/defs/ept.h"
#include "arch/x86/defs/msr.h"
#include "arch/x86/defs/paging.h"
#include "core/lib/bits.h"
#include "core/mem/ept.h"
#include "core/mem/mtrr.h"
#include "tests/host/fakes/paged.h"

#define REGION_BASE 0x7f600000ull
#define REGION_LEN  0x800000ull
#define RAM_TOP     (REGION_BASE + REGION_LEN + MIB(2))

static struct partition *const p = &the_partition;

static void must(err_t err, const char *what)
{
	if (err == ERR_NONE)
		return;
	fprintf(stderr, "ept_types: %s: %s\n", what, err_name(err));
	exit(1);
}

static u64 number(void)
{
	unsigned long long val;

	if (scanf("%llx", &val) != 1) {
		fprintf(stderr, "ept_types: bad input\n");
		exit(1);
	}
	return val;
}

static void read_set(struct mtrr_state *m)
{
	*m = (struct mtrr_state){ .phys_bits = 40 };
	m->cap = number();
	m->def_type = number();
	for (u32 i = 0; i < ARRAY_SIZE(m->fixed); i++)
		m->fixed[i] = number();
	m->var_count = (u32)number();
	for (u32 i = 0; i < m->var_count && i < MTRR_VAR_MAX; i++) {
		m->base[i] = number();
		m->mask[i] = number();
	}
}

static void build(const struct mtrr_state *m, bool has_1g)
{
	static const struct e820_map map = {
		.count = 6,
		.e = { { 0, 0x9fc00, E820_RAM },
		       { 0xe8000, 0x18000, E820_RESERVED },
		       { 0x100000, REGION_BASE - 0x100000, E820_RAM },
		       { REGION_BASE, REGION_LEN, E820_RESERVED },
		       { REGION_BASE + REGION_LEN, RAM_TOP - REGION_BASE - REGION_LEN, E820_RAM },
		       { GIB(4), GIB(2), E820_RAM } },
	};

	paged_reset(EMUL_64);
	p->memory = map;
	p->region_base = hpa(REGION_BASE);
	p->region_len = REGION_LEN;
	paged_vp.mtrr = *m;
	must(ept_init(&p->ept, has_1g, true, false, MT_WB), "EPT");
	must(ept_build_partition(p), "map");
}

static struct ept_leaf leaf_at(u64 at)
{
	struct ept_leaf leaf = ept_walk(&p->ept, gpa(at));

	if (leaf.size == 0) {
		fprintf(stderr, "ept_types: nothing is mapped at 0x%llx\n", at);
		exit(1);
	}
	return leaf;
}

static void print_leaves(void)
{
	for (u64 at = 0; at < p->ept.top;) {
		struct ept_leaf first = leaf_at(at), next;
		bool identity = first.hpa.v == at;
		u64 start = at, count = 0;

		do {
			count++;
			at += first.size;
			if (at >= p->ept.top)
				break;
			next = leaf_at(at);
		} while (next.size == first.size && next.type == first.type &&
			 next.perms == first.perms && (next.hpa.v == at) == identity);
		printf("%llx %llx %llx %x %llx %d\n", start, first.size, count, first.type,
		       first.perms, identity);
	}
	printf("end\n");
}

int main(void)
{
	unsigned int retype;

	while (scanf("%x", &retype) == 1) {
		bool has_1g = number() != 0;
		struct mtrr_state m;

		read_set(&m);
		if (retype)
			must(ept_retype(p, &m), "retype");
		else
			build(&m, has_1g);
		print_leaves();
	}
	return 0;
}
