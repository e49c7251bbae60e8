/* SPDX-License-Identifier: BSD-2-Clause */
/* EPT tables: random maps and unmaps against a flat array with one entry per 4-KiB page. */
#include "tests/host/harness.h"

#include "arch/x86/defs/paging.h"
#include "core/lib/bits.h"
#include "core/mem/ept.h"
#include "core/mem/page_alloc.h"
#include "tests/host/fakes/fake.h"

#define SPACE GIB(4)
#define PAGES (SPACE / PAGE_SIZE)
#define HEAP  1024u

struct model_page {
	u64 hpa;
	u8 perms; /* 0: not mapped */
	u8 type;
};

static struct model_page model[PAGES];
static struct ept ept;

static void setup(bool has_1g, bool has_2m)
{
	fake_reset();
	fake_heap(HEAP);
	memset(model, 0, sizeof(model));
	EXPECT_EQ(ERR_NONE, ept_init(&ept, has_1g, has_2m, false, MT_WB));
}

static void expect_page(u64 page)
{
	const struct model_page *m = &model[page];
	u64 at = page * PAGE_SIZE + 0x123;
	struct ept_leaf leaf = ept_walk(&ept, gpa(at));

	EXPECT_EQ(m->perms != 0, leaf.size != 0);
	if (m->perms == 0)
		return;
	EXPECT_EQ(m->hpa + 0x123, leaf.hpa.v);
	EXPECT_EQ(m->perms, leaf.perms);
	EXPECT_EQ(m->type, leaf.type);
	EXPECT_TRUE(leaf.size == PAGE_SIZE || (leaf.size == PAGE_SIZE_2M && ept.has_2m) ||
		    (leaf.size == PAGE_SIZE_1G && ept.has_1g));
}

/* The table pages counted and those missing from the heap are the same: no leak, no double free. */
static void expect_accounts(void)
{
	ept_release_freed(ept_take_freed(&ept));
	EXPECT_EQ(page_total_count() - page_free_count(), ept.pages);
}

struct op {
	u64 gpa, hpa, len;
	u8 perms, type;
};

/* Sizes and alignments of all three page sizes, and ranges that miss them by a page. */
static struct op random_op(void)
{
	static const u64 units[] = { PAGE_SIZE, PAGE_SIZE, PAGE_SIZE_2M, PAGE_SIZE_2M,
				     PAGE_SIZE_1G };
	static const u8 perms[] = { EPT_R, EPT_R | EPT_W, EPT_R | EPT_X, EPT_RWX, 0 };
	static const u8 types[] = { MT_UC, MT_WC, MT_WT, MT_WP, MT_WB };
	u64 unit = units[test_rng() % ARRAY_SIZE(units)];
	struct op op = { .gpa = test_rng() % (SPACE / unit) * unit,
			 .len = (test_rng() % 3 + 1) * unit,
			 .perms = perms[test_rng() % ARRAY_SIZE(perms)],
			 .type = types[test_rng() % ARRAY_SIZE(types)] };

	op.hpa = (test_rng() & 1) ? op.gpa : test_rng() % (SPACE / unit) * unit;
	if (test_rng() % 4 == 0)
		op.hpa += PAGE_SIZE;
	op.len = umin64(op.len, SPACE - op.gpa);
	if (test_rng() % 4 == 0)
		op.len = umin64(op.len, 64 * PAGE_SIZE);
	return op;
}

/* false: the heap is used up, the only error there may be; parts of the range are as they were. */
static bool apply(const struct op *op)
{
	err_t err;

	if (op->perms == 0)
		err = ept_unmap(&ept, gpa(op->gpa), op->len);
	else
		err = ept_map(&ept, gpa(op->gpa), hpa(op->hpa), op->len, op->perms, op->type);
	if (err == ERR_NONE)
		return true;
	EXPECT_EQ(ERR_NOMEM, err);
	EXPECT_EQ(0, page_free_count());
	return false;
}

static void model_apply(const struct op *op)
{
	for (u64 i = 0; i < op->len / PAGE_SIZE; i++)
		model[op->gpa / PAGE_SIZE + i] =
			(struct model_page){ op->perms != 0 ? op->hpa + i * PAGE_SIZE : 0,
					     op->perms, op->perms != 0 ? op->type : 0 };
}

/* Its pages and the two beside it. */
static void expect_edges(const struct op *op)
{
	expect_page(op->gpa / PAGE_SIZE);
	expect_page((op->gpa + op->len) / PAGE_SIZE - 1);
	if (op->gpa != 0)
		expect_page(op->gpa / PAGE_SIZE - 1);
	if (op->gpa + op->len != SPACE)
		expect_page((op->gpa + op->len) / PAGE_SIZE);
}

/* The heap was used up by @op: what is outside of it is as it was. Everything is unmapped then. */
static void start_again(const struct op *op)
{
	for (u32 k = 0; k < 40; k++) {
		u64 page = test_rng() % PAGES;

		if (page * PAGE_SIZE - op->gpa >= op->len)
			expect_page(page);
	}
	expect_accounts();
	EXPECT_EQ(ERR_NONE, ept_unmap(&ept, gpa(0), SPACE));
	memset(model, 0, sizeof(model));
}

static void run_random(bool has_1g, bool has_2m, u32 ops, u64 max_len)
{
	u32 done = 0;

	setup(has_1g, has_2m);
	for (u32 i = 0; i < ops; i++) {
		struct op op = random_op();

		op.len = umin64(op.len, max_len);
		if (!apply(&op)) {
			start_again(&op);
			continue;
		}
		done++;
		model_apply(&op);
		for (u32 k = 0; k < 40; k++)
			expect_page(test_rng() % PAGES);
		expect_edges(&op);
		expect_accounts();
	}
	EXPECT_GE(done, ops - ops / 10);
	EXPECT_EQ(ERR_NONE, ept_unmap(&ept, gpa(0), SPACE));
	if (has_2m) /* else nothing that is unmapped covers a table */
		EXPECT_LE(ept.pages, has_1g ? 2 : 2 + 4);
	expect_accounts();
}

static void test_ept_agrees_with_a_flat_model(void)
{
	run_random(true, true, 400, SPACE);
	run_random(false, true, 300, SPACE);
}

static void test_ept_small_pages_only(void)
{
	run_random(false, false, 100, 700 * PAGE_SIZE);
}

static void test_ept_uses_the_largest_pages(void)
{
	setup(true, true);
	EXPECT_EQ(ERR_NONE, ept_map(&ept, gpa(0), hpa(0), GIB(3), EPT_RWX, MT_WB));
	EXPECT_EQ(2, ept.pages);
	EXPECT_EQ(PAGE_SIZE_1G, ept_walk(&ept, gpa(GIB(2))).size);
	/* One page inside: split down to it, everything else stays. */
	EXPECT_EQ(ERR_NONE, ept_map(&ept, gpa(MIB(1)), hpa(MIB(7)), PAGE_SIZE, EPT_R, MT_UC));
	EXPECT_EQ(4, ept.pages);
	EXPECT_EQ(PAGE_SIZE, ept_walk(&ept, gpa(0)).size);
	EXPECT_EQ(PAGE_SIZE_2M, ept_walk(&ept, gpa(MIB(2))).size);
	/* Mapped over as a whole: the tables below come back. */
	EXPECT_EQ(ERR_NONE, ept_map(&ept, gpa(0), hpa(0), GIB(1), EPT_RWX, MT_WB));
	EXPECT_EQ(2, ept.pages);
	expect_accounts();
}

/* Whatever allocation fails, every page maps to its old or its new place. */
static void test_ept_out_of_memory_keeps_a_correct_map(void)
{
	for (u32 heap = 3; heap < 8; heap++) {
		fake_reset();
		fake_heap(heap);
		EXPECT_EQ(ERR_NONE, ept_init(&ept, true, true, false, MT_WB));
		EXPECT_EQ(ERR_NONE, ept_map(&ept, gpa(0), hpa(0), GIB(2), EPT_RWX, MT_WB));
		for (u64 at = MIB(1); at < GIB(2); at += MIB(300)) {
			if (ept_map(&ept, gpa(at), hpa(GIB(5)), PAGE_SIZE, EPT_R, MT_UC) ==
			    ERR_NONE)
				EXPECT_EQ(GIB(5), ept_walk(&ept, gpa(at)).hpa.v);
			else
				EXPECT_EQ(at, ept_walk(&ept, gpa(at)).hpa.v);
			EXPECT_EQ(at + PAGE_SIZE, ept_walk(&ept, gpa(at + PAGE_SIZE)).hpa.v);
		}
		expect_accounts();
	}
}

static void test_eptp_says_what_the_hardware_expects(void)
{
	fake_reset();
	fake_heap(8);
	EXPECT_EQ(ERR_NONE, ept_init(&ept, true, true, true, MT_WB));
	EXPECT_EQ((u64)(uintptr_t)ept.root | 0x40 | 3 << 3 | 6, ept.eptp);
	EXPECT_EQ(ERR_NONE, ept_init(&ept, true, true, false, 0));
	EXPECT_EQ((u64)(uintptr_t)ept.root | 3 << 3, ept.eptp);
	EXPECT_EQ(0, ept_walk(&ept, gpa(1ull << 48)).size);
	fake_heap(0);
	EXPECT_EQ(ERR_NOMEM, ept_init(&ept, true, true, false, MT_WB));
}

TEST_MAIN(TEST(test_ept_agrees_with_a_flat_model), TEST(test_ept_small_pages_only),
	  TEST(test_ept_uses_the_largest_pages), TEST(test_ept_out_of_memory_keeps_a_correct_map),
	  TEST(test_eptp_says_what_the_hardware_expects))
