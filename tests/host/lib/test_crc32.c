/* SPDX-License-Identifier: BSD-2-Clause */
/* core/lib/crc32.c against the definition, a bit at a time. */
#include "tests/host/harness.h"

#include "core/lib/crc32.h"

static u32 slow(u32 crc, const u8 *p, u64 len)
{
	for (u64 i = 0; i < len; i++) {
		crc ^= p[i];
		for (u32 bit = 0; bit < 8; bit++)
			crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0xedb88320u : 0);
	}
	return crc;
}

static void test_check_value(void)
{
	EXPECT_EQ(0xcbf43926, ~crc32_update(~0u, (const u8 *)"123456789", 9));
	EXPECT_EQ(0x12345678, crc32_update(0x12345678, NULL, 0));
}

/* Lengths around those where the method changes, all alignments, any start value. */
static void test_agrees_with_the_definition(void)
{
	static const u64 edges[] = { 0, 8, 24048, 48096, 72144, 120240 };
	static u8 data[160000];

	for (u32 i = 0; i < sizeof(data); i++)
		data[i] = (u8)test_rng();
	for (u32 i = 0; i < 60; i++) {
		u64 len = edges[i % ARRAY_SIZE(edges)] + test_rng() % 64;
		u64 at = test_rng() % 64;
		u32 crc = (u32)test_rng();

		EXPECT_EQ(slow(crc, data + at, len), crc32_update(crc, data + at, len));
	}
}

static void test_pieces_are_the_whole(void)
{
	static u8 data[100000];
	u32 want, crc;

	for (u32 i = 0; i < sizeof(data); i++)
		data[i] = (u8)test_rng();
	want = crc32_update(~0u, data, sizeof(data));
	for (u32 i = 0; i < 20; i++) {
		u64 cut = test_rng() % sizeof(data);

		crc = crc32_update(~0u, data, cut);
		crc = crc32_update(crc, data + cut, sizeof(data) - cut);
		EXPECT_EQ(want, crc);
	}
}

TEST_MAIN(TEST(test_check_value), TEST(test_agrees_with_the_definition),
	  TEST(test_pieces_are_the_whole))
