/* SPDX-License-Identifier: BSD-2-Clause */
/* core/mem/e820.c against a model that keeps one type per unit of address space. */
#include "tests/host/harness.h"

#include "core/mem/e820.h"

/* Evaluates the call once. */
#define OK(call)                           \
	do {                               \
		err_t err_ = (call);       \
                                           \
		EXPECT_EQ(ERR_NONE, err_); \
	} while (0)

#define UNITS 96
#define UNIT  0x1000ull

static u8 model[UNITS]; /* 0: hole */
static struct e820_map map;

static const u32 types[] = { E820_RAM,  E820_RAM, E820_RAM,      E820_RESERVED,
			     E820_ACPI, E820_NVS, E820_UNUSABLE, 12 };

/* Who wins, from weakest to strongest; written down apart from the code on purpose. */
static u32 strength(u32 type)
{
	static const u32 order[] = { 0,  E820_RAM,     E820_ACPI, E820_NVS, E820_RESERVED,
				     12, E820_UNUSABLE };

	for (u32 i = 0; i < ARRAY_SIZE(order); i++) {
		if (order[i] == type)
			return i;
	}
	return ~0u;
}

static void random_map(u32 entries)
{
	memset(model, 0, sizeof(model));
	map.count = 0;
	for (u32 i = 0; i < entries; i++) {
		u32 first = (u32)(test_rng() % UNITS);
		u32 count = (u32)(test_rng() % (UNITS - first + 1)) % 24;
		u32 type = types[test_rng() % ARRAY_SIZE(types)];

		OK(e820_add(&map, first * UNIT, count * UNIT, type));
		for (u32 k = first; k < first + count; k++) {
			if (strength(type) > strength(model[k]))
				model[k] = (u8)type;
		}
	}
	OK(e820_normalise(&map));
}

/* The map says what the model says, sorted, disjoint, and with as few entries as possible. */
static void expect_model(void)
{
	u8 seen[UNITS] = { 0 };

	for (u32 i = 0; i < map.count; i++) {
		const struct e820_entry *e = &map.e[i];

		EXPECT_NE(0, e->len);
		if (i > 0) {
			const struct e820_entry *left = &map.e[i - 1];

			EXPECT_LE(left->base + left->len, e->base);
			EXPECT_TRUE(left->base + left->len < e->base || left->type != e->type);
		}
		for (u64 k = e->base / UNIT; k < (e->base + e->len) / UNIT; k++)
			seen[k] = (u8)e->type;
	}
	EXPECT_MEMEQ(model, seen, UNITS);
}

static void test_normalise_lets_the_stricter_type_win(void)
{
	for (u32 i = 0; i < 3000; i++) {
		random_map((u32)(test_rng() % 40));
		expect_model();
	}
}

static void test_reserve_overrides_everything(void)
{
	for (u32 i = 0; i < 3000; i++) {
		u32 first = (u32)(test_rng() % UNITS);
		u32 count = (u32)(test_rng() % (UNITS - first + 1));
		u32 type = types[test_rng() % ARRAY_SIZE(types)];

		random_map((u32)(test_rng() % 20));
		OK(e820_reserve(&map, first * UNIT, count * UNIT, type));
		memset(model + first, (int)type, count);
		expect_model();
	}
}

static void test_is_type_matches_model(void)
{
	for (u32 i = 0; i < 3000; i++) {
		u32 first = (u32)(test_rng() % UNITS);
		u32 count = (u32)(test_rng() % (UNITS - first + 1));
		bool want = true;

		random_map(6);
		for (u32 k = first; k < first + count; k++)
			want = want && model[k] == E820_RAM;
		EXPECT_EQ(want, e820_is_type(&map, first * UNIT, count * UNIT, E820_RAM));
	}
}

static void random_busy(struct e820_busy *b, u8 *taken)
{
	b->count = 0;
	memset(taken, 0, UNITS);
	for (u32 i = 0; i < 5; i++) {
		u32 first = (u32)(test_rng() % UNITS);
		u32 count = (u32)(test_rng() % 8);

		if (first + count > UNITS)
			continue;
		OK(e820_busy_add(b, first * UNIT, count * UNIT));
		memset(taken + first, 1, count);
	}
}

static void test_find_agrees_with_brute_force(void)
{
	static struct e820_busy busy;
	u8 taken[UNITS];

	for (u32 i = 0; i < 5000; i++) {
		u32 lo = (u32)(test_rng() % UNITS), hi = (u32)(test_rng() % (UNITS + 8));
		u32 len = (u32)(test_rng() % 10) + 1, align = 1u << test_rng() % 4;
		u64 low_want = ~0ull, high_want = ~0ull, at;
		struct e820_fit fit = { lo * UNIT, hi * UNIT, len * UNIT, align * UNIT };

		random_map(5);
		random_busy(&busy, taken);
		for (u32 p = 0; p + len <= UNITS; p += align) {
			bool ok = p >= lo && p + len <= hi;

			for (u32 k = p; k < p + len; k++)
				ok = ok && model[k] == E820_RAM && !taken[k];
			if (ok && low_want == ~0ull)
				low_want = p * UNIT;
			if (ok)
				high_want = p * UNIT;
		}
		at = ~0ull;
		EXPECT_EQ(low_want == ~0ull ? ERR_NOENT : ERR_NONE,
			  e820_fit_low(&map, &busy, &fit, &at));
		EXPECT_EQ(low_want, at);
		at = ~0ull;
		EXPECT_EQ(high_want == ~0ull ? ERR_NOENT : ERR_NONE,
			  e820_fit_high(&map, &busy, &fit, &at));
		EXPECT_EQ(high_want, at);
	}
}

static void test_sums(void)
{
	for (u32 i = 0; i < 1000; i++) {
		u32 below = (u32)(test_rng() % (UNITS + 1));
		u64 bytes = 0, top = 0;

		random_map(10);
		for (u32 k = 0; k < UNITS; k++) {
			bytes += model[k] == E820_RAM ? UNIT : 0;
			if (model[k] == E820_RAM && k < below)
				top = (k + 1) * UNIT;
		}
		EXPECT_EQ(bytes, e820_ram_bytes(&map));
		EXPECT_EQ(top, e820_ram_top(&map, below * UNIT));
	}
}

static void test_wrap_is_cut(void)
{
	map.count = 0;
	OK(e820_add(&map, ~0ull - 0xfff, ~0ull, E820_RAM));
	OK(e820_add(&map, 0, ~0ull, E820_RESERVED));
	OK(e820_normalise(&map));
	EXPECT_EQ(1, map.count);
	EXPECT_EQ(E820_RESERVED, map.e[0].type);
	EXPECT_EQ(~0ull, map.e[0].len);
	EXPECT_FALSE(e820_is_type(&map, ~0ull - 1, 4, E820_RESERVED));
}

static void test_full_map_is_told(void)
{
	map.count = 0;
	for (u32 i = 0; i < E820_MAX; i++)
		OK(e820_add(&map, i * 4 * UNIT, UNIT, E820_RAM));
	OK(e820_add(&map, 0, 0, E820_RAM));
	EXPECT_EQ(ERR_NOMEM, e820_add(&map, 1, 1, E820_RAM));
	OK(e820_normalise(&map));
	EXPECT_EQ(E820_MAX, map.count);
	EXPECT_EQ(ERR_NOMEM, e820_reserve(&map, UNIT / 2, 1, E820_RESERVED));
	EXPECT_EQ(E820_MAX, map.count);
}

static void test_guests_do_not_see_our_own_types(void)
{
	struct e820_map seen;

	map.count = 0;
	OK(e820_add(&map, 0, 0x1000, E820_RAM));
	OK(e820_add(&map, 0x1000, 0x1000, E820_EFI_RUNTIME));
	OK(e820_add(&map, 0x2000, 0x1000, E820_RESERVED));
	OK(e820_add(&map, 0x3000, 0x1000, E820_EFI_MMIO));
	OK(e820_add(&map, 0x5000, 0x1000, E820_EFI_MMIO));
	OK(e820_add(&map, 0x6000, 0x1000, E820_SOFT_RESERVED));
	e820_public(&map, &seen);
	EXPECT_EQ(4, seen.count);
	EXPECT_EQ(2, seen.e[1].type);
	EXPECT_EQ(0x1000, seen.e[1].base);
	EXPECT_EQ(0x3000, seen.e[1].len);
	EXPECT_EQ(2, seen.e[2].type);
	EXPECT_EQ(0xefffffff, seen.e[3].type);
}

/* A PC of 6 GiB: stolen memory behind RAM is memory, the windows above it are not. */
static void test_memory_and_windows_are_told_apart(void)
{
	static const struct {
		u64 base, len;
		u32 type;
		bool memory;
	} row[] = {
		{ 0, 0x9fc00, E820_RAM, true },
		{ 0xf0000, 0x10000, E820_RESERVED, true },
		{ 0x100000, 0x7fee0000, E820_RAM, true },
		{ 0x7ffe0000, 0x20000, E820_RESERVED, true }, /* begins where RAM ends */
		{ 0x80100000, 0x1000, E820_NVS, true },
		{ 0x80200000, 0x1000, E820_EFI_RUNTIME, true },
		{ 0xb0000000, 0x10000000, E820_RESERVED, false },
		{ 0xfec00000, 0x1000, E820_EFI_MMIO, false },
		{ 0x100000000, 0x80000000, E820_RAM, true },
		{ 0xfd00000000, 0x300000000, E820_RESERVED, false },
	};

	map.count = 0;
	for (u32 i = 0; i < ARRAY_SIZE(row); i++)
		OK(e820_add(&map, row[i].base, row[i].len, row[i].type));
	OK(e820_normalise(&map));
	EXPECT_EQ(ARRAY_SIZE(row), map.count);
	for (u32 i = 0; i < ARRAY_SIZE(row); i++)
		EXPECT_EQ(row[i].memory, e820_is_memory(&map, &map.e[i]));
}

/* Cached device registers could be read ahead of time. */
static void test_only_memory_is_in_the_physmap(void)
{
	static const struct {
		struct e820_entry e;
		u64 want[4]; /* two spans; 0: empty */
	} row[] = {
		{ { 0, 0x9fc00, E820_RAM }, { 0, 0x9fc00 } },
		{ { 0x9fc00, 0x400, E820_RESERVED }, { 0x9fc00, 0xa0000 } }, /* EBDA */
		{ { 0xe8000, 0x18000, E820_RESERVED }, { 0, 0, 0xe8000, 0x100000 } },
		{ { 0x9f000, 0x71000, E820_RESERVED }, /* the VGA window is in it */
		  { 0x9f000, 0xa0000, 0xc0000, 0x100000 } },
		{ { 0x9f000, 0x8f1000, E820_RESERVED }, /* and 1 MiB */
		  { 0x9f000, 0xa0000, 0xc0000, 0x100000 } },
		{ { 0xe0000, 0x40000, E820_RESERVED }, { 0, 0, 0xe0000, 0x100000 } },
		{ { 0xa0000, 0x20000, E820_RESERVED }, { 0 } },
		{ { 0x7f800000, 0x800000, E820_RESERVED }, { 0 } }, /* SMRAM, stolen memory */
		{ { 0x7ffe0000, 0x10000, E820_ACPI }, { 0x7ffe0000, 0x7fff0000 } },
		{ { 0x7fff0000, 0x10000, E820_NVS }, { 0x7fff0000, 0x80000000 } },
		{ { 0x80000000, 0x1000, E820_EFI_RUNTIME }, { 0x80000000, 0x80001000 } },
		{ { 0x80001000, 0x1000, E820_EFI_MMIO }, { 0 } },
		{ { 0xe0000000, 0x10000000, E820_RESERVED }, { 0 } }, /* ECAM */
		{ { 0x100000000, 0x1000, E820_PMEM }, { 0 } },
		{ { 0x200000000, 0x1000, E820_SOFT_RESERVED }, { 0 } },
		{ { 0x200000000, 0x1000, 77 }, { 0 } },
		{ { 0x300000000, 0x1000, E820_RAM }, { 0x300000000, 0x300001000 } },
	};

	for (u32 i = 0; i < ARRAY_SIZE(row); i++) {
		struct e820_spans got = e820_physmap(&row[i].e);

		for (u32 k = 0; k < 2; k++) {
			bool empty = got.r[k].base >= got.r[k].end;

			EXPECT_EQ(row[i].want[2 * k + 1] == 0, empty);
			if (empty)
				continue;
			EXPECT_EQ(row[i].want[2 * k], got.r[k].base);
			EXPECT_EQ(row[i].want[2 * k + 1], got.r[k].end);
		}
	}
}

TEST_MAIN(TEST(test_only_memory_is_in_the_physmap), TEST(test_guests_do_not_see_our_own_types),
	  TEST(test_memory_and_windows_are_told_apart),
	  TEST(test_normalise_lets_the_stricter_type_win), TEST(test_reserve_overrides_everything),
	  TEST(test_is_type_matches_model), TEST(test_find_agrees_with_brute_force),
	  TEST(test_sums), TEST(test_wrap_is_cut), TEST(test_full_map_is_told))
