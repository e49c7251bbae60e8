/* SPDX-License-Identifier: BSD-2-Clause */
/* hv/hyperv/vp_set.c: sparse sets of up to 4096 VPs, by the TLFS's "Virtual Processor Sets". */
#include "tests/host/harness.h"

#include "hv/hcall_mem.h"
#include "hv/hyperv/vp_set.h"

#define BANKS 64u

static u64 bank[BANKS];
static struct vp_mask got;

static u16 read_set(u64 format, u64 valid, u32 words)
{
	const struct hv_vpset set = { .format = format, .valid_bank_mask = valid };
	const struct hcall hc = { .var = bank, .var_bytes = words * 8 };

	memset(&got, 0xa5, sizeof(got));
	return hyperv_vp_set_read(&set, &hc, &got);
}

static void expect_words(u64 w0, u64 w1, u64 w2, u64 w3)
{
	const u64 want[] = { w0, w1, w2, w3 };

	EXPECT_EQ(sizeof(want), sizeof(got));
	EXPECT_MEMEQ(want, &got, sizeof(want));
}

static void fill(void)
{
	for (u32 i = 0; i < BANKS; i++)
		bank[i] = 0x1000 + i;
}

/* The banks follow each other without gaps. */
static void test_banks_are_packed(void)
{
	fill();
	EXPECT_EQ(HV_STATUS_SUCCESS, read_set(HV_GENERIC_SET_SPARSE_4K, 1, 1));
	expect_words(0x1000, 0, 0, 0);
	EXPECT_EQ(HV_STATUS_SUCCESS, read_set(HV_GENERIC_SET_SPARSE_4K, 2, 1));
	expect_words(0, 0x1000, 0, 0);
	EXPECT_EQ(HV_STATUS_SUCCESS, read_set(HV_GENERIC_SET_SPARSE_4K, 0xd, 3));
	expect_words(0x1000, 0, 0x1001, 0x1002);
	EXPECT_EQ(HV_STATUS_SUCCESS, read_set(HV_GENERIC_SET_SPARSE_4K, 0, 0));
	expect_words(0, 0, 0, 0);
}

/* VPs 256 to 4095 do not exist; their banks count for the size alone. */
static void test_vps_that_cannot_exist_are_left_out(void)
{
	fill();
	EXPECT_EQ(HV_STATUS_SUCCESS, read_set(HV_GENERIC_SET_SPARSE_4K, BIT64(63), 1));
	expect_words(0, 0, 0, 0);
	EXPECT_EQ(HV_STATUS_SUCCESS, read_set(HV_GENERIC_SET_SPARSE_4K, BIT64(4) | BIT64(3), 2));
	expect_words(0, 0, 0, 0x1000);
	EXPECT_EQ(HV_STATUS_SUCCESS, read_set(HV_GENERIC_SET_SPARSE_4K, ~0ull, 64));
	expect_words(0x1000, 0x1001, 0x1002, 0x1003);
	EXPECT_EQ(HV_STATUS_SUCCESS, read_set(HV_GENERIC_SET_SPARSE_4K, ~1ull, 63));
	expect_words(0, 0x1000, 0x1001, 0x1002);
}

static void test_all(void)
{
	EXPECT_EQ(HV_STATUS_SUCCESS, read_set(HV_GENERIC_SET_ALL, 0, 0));
	expect_words(~0ull, ~0ull, ~0ull, ~0ull);
	bank[0] = 0;
	EXPECT_EQ(HV_STATUS_SUCCESS, read_set(HV_GENERIC_SET_ALL, 4, 1));
	expect_words(~0ull, ~0ull, ~0ull, ~0ull);
}

static void expect_untouched(void)
{
	expect_words(0xa5a5a5a5a5a5a5a5, 0xa5a5a5a5a5a5a5a5, 0xa5a5a5a5a5a5a5a5,
		     0xa5a5a5a5a5a5a5a5);
}

/* For each number of banks every other size of the header, in every format. */
static void test_the_header_is_one_word_per_bank(void)
{
	for (u32 n = 0; n <= BANKS; n++) {
		u64 valid = n == 0 ? 0 : ~0ull << (64 - n);

		for (u32 words = 0; words <= BANKS; words++) {
			bool fits = words == n;

			for (u64 format = 0; format < 2; format++)
				EXPECT_EQ(fits ? HV_STATUS_SUCCESS
					       : HV_STATUS_INVALID_HYPERCALL_INPUT,
					  read_set(format, valid, words));
			if (!fits)
				expect_untouched();
		}
	}
}

static void test_other_formats_are_refused(void)
{
	static const u64 formats[] = { 2, 3, 0x100000000, 0x100000001, ~0ull };

	for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
		EXPECT_EQ(HV_STATUS_INVALID_PARAMETER, read_set(formats[i], 1, 1));
		expect_untouched();
	}
}

static void test_empty(void)
{
	EXPECT_TRUE(hyperv_vp_set_is_empty(&(struct hv_vpset){ HV_GENERIC_SET_SPARSE_4K, 0 }));
	EXPECT_FALSE(hyperv_vp_set_is_empty(&(struct hv_vpset){ HV_GENERIC_SET_SPARSE_4K, 1 }));
	EXPECT_FALSE(hyperv_vp_set_is_empty(&(struct hv_vpset){ HV_GENERIC_SET_ALL, 0 }));
}

TEST_MAIN(TEST(test_banks_are_packed), TEST(test_vps_that_cannot_exist_are_left_out),
	  TEST(test_all), TEST(test_the_header_is_one_word_per_bank),
	  TEST(test_other_formats_are_refused), TEST(test_empty))
