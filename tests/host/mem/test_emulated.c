/* SPDX-License-Identifier: BSD-2-Clause */
/* core/mem/emulated.c: who answers an address that no EPT maps. */
#include "tests/host/harness.h"

#include "core/mem/emulated.h"
#include "core/partition.h"

static const struct emul_mem one, two;

static void test_refused_ranges(void)
{
	static struct partition p;
	const struct emulated_range bad[] = {
		{ 0x1000, 0x1000, &one },
		{ 0x2000, 0x1000, &one },
		{ 0x1001, 0x3000, &one },
		{ 0x1000, 0x2fff, &one },
	};
	const struct emulated_range good = { 0x10000, 0x12000, &one };
	const struct emulated_range over[] = {
		{ 0xf000, 0x11000, &two },
		{ 0x11000, 0x12000, &two },
		{ 0, 0x100000, &two },
	};

	for (u32 i = 0; i < ARRAY_SIZE(bad); i++)
		EXPECT_EQ(ERR_INVAL, emulated_add(&p, &bad[i]));
	EXPECT_EQ(ERR_NONE, emulated_add(&p, &good));
	for (u32 i = 0; i < ARRAY_SIZE(over); i++)
		EXPECT_EQ(ERR_BUSY, emulated_add(&p, &over[i]));
	for (u32 i = 1; i < EMULATED_RANGES_MAX; i++) {
		struct emulated_range more = { i << 20, (i << 20) + 0x1000, &two };

		EXPECT_EQ(ERR_NONE, emulated_add(&p, &more));
	}
	EXPECT_EQ(ERR_NOMEM,
		  emulated_add(&p, &(struct emulated_range){ 0xff000000, 0xff001000, &two }));
}

static void test_who_answers(void)
{
	static struct partition p;
	const struct emulated_range first = { 0x10000, 0x12000, &one };
	const struct emulated_range next = { 0x12000, 0x13000, &two };

	EXPECT_NULL(emulated_at(&p, 0x10000, 1));
	EXPECT_EQ(ERR_NONE, emulated_add(&p, &first));
	EXPECT_EQ(ERR_NONE, emulated_add(&p, &next));
	EXPECT_NULL(emulated_at(&p, 0xffff, 1));
	EXPECT_TRUE(emulated_at(&p, 0x10000, 8) == &one);
	EXPECT_TRUE(emulated_at(&p, 0x11fff, 1) == &one);
	EXPECT_TRUE(emulated_at(&p, 0x12ff8, 8) == &two);
	EXPECT_NULL(emulated_at(&p, 0x12ff9, 8)); /* leaves the page */
	EXPECT_NULL(emulated_at(&p, 0x10ffe, 4)); /* though the next is emulated, too */
	EXPECT_NULL(emulated_at(&p, 0x13000, 1));
}

TEST_MAIN(TEST(test_refused_ranges), TEST(test_who_answers))
