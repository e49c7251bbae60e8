/* SPDX-License-Identifier: BSD-2-Clause */
/* core/time/rtc.c */
#include "tests/host/harness.h"

#include <time.h>

#include "core/time/clock.h"

#define MODE_24H    2
#define MODE_BINARY 4

static u8 encode(u32 v, u8 status_b)
{
	return (u8)(status_b & MODE_BINARY ? v : v / 10 << 4 | v % 10);
}

/* Every mode of the chip, random moments of 1970..2999: the C library agrees. */
static void test_every_mode_round_trips(void)
{
	for (int i = 0; i < 100000; i++) {
		u8 b = (u8)(test_rng() & (MODE_24H | MODE_BINARY));
		time_t when = (time_t)(test_rng() % 32503680000ull);
		struct rtc_time t;
		struct tm tm;
		u8 raw[6], hour;
		u64 seconds;

		gmtime_r(&when, &tm);
		hour = (u8)tm.tm_hour;
		if (!(b & MODE_24H))
			hour = (u8)(tm.tm_hour % 12 == 0 ? 12 : tm.tm_hour % 12);
		raw[0] = encode((u32)tm.tm_sec, b);
		raw[1] = encode((u32)tm.tm_min, b);
		raw[2] = encode(hour, b);
		if (!(b & MODE_24H) && tm.tm_hour >= 12)
			raw[2] |= 0x80;
		raw[3] = encode((u32)tm.tm_mday, b);
		raw[4] = encode((u32)tm.tm_mon + 1, b);
		raw[5] = encode((u32)tm.tm_year % 100, b);
		EXPECT_EQ(ERR_NONE,
			  rtc_decode(raw, encode((u32)(tm.tm_year + 1900) / 100, b), b, &t));
		EXPECT_EQ(ERR_NONE, rtc_to_unix(&t, &seconds));
		EXPECT_EQ(when, seconds);
	}
}

static void test_missing_century_is_guessed(void)
{
	static const u8 raw[6] = { 0, 0, 0, 1, 1, 0x26 }, old[6] = { 0, 0, 0, 1, 1, 0x99 };
	struct rtc_time t;

	EXPECT_EQ(ERR_NONE, rtc_decode(raw, 0, MODE_24H, &t));
	EXPECT_EQ(2026, t.year);
	EXPECT_EQ(ERR_NONE, rtc_decode(raw, 0xff, MODE_24H, &t));
	EXPECT_EQ(2026, t.year);
	EXPECT_EQ(ERR_NONE, rtc_decode(old, 0, MODE_24H, &t));
	EXPECT_EQ(1999, t.year);
}

static void test_rubbish_is_refused(void)
{
	static const u8 dead[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	static const u8 hour13[6] = { 0, 0, 0x13, 1, 1, 0x20 };
	struct rtc_time t;
	u64 s;

	for (u32 b = 0; b < 8; b++) {
		if (rtc_decode(dead, 0x20, (u8)b, &t) == ERR_NONE)
			EXPECT_EQ(ERR_RANGE, rtc_to_unix(&t, &s));
	}
	EXPECT_EQ(ERR_RANGE, rtc_decode(hour13, 0x20, 0, &t));
	EXPECT_EQ(ERR_RANGE, rtc_to_unix(&(struct rtc_time){ 2023, 2, 29, 0, 0, 0 }, &s));
	EXPECT_EQ(ERR_NONE, rtc_to_unix(&(struct rtc_time){ 2024, 2, 29, 0, 0, 0 }, &s));
	EXPECT_EQ(ERR_RANGE, rtc_to_unix(&(struct rtc_time){ 2100, 2, 29, 0, 0, 0 }, &s));
	EXPECT_EQ(ERR_RANGE, rtc_to_unix(&(struct rtc_time){ 2024, 13, 1, 0, 0, 0 }, &s));
	EXPECT_EQ(ERR_RANGE, rtc_to_unix(&(struct rtc_time){ 2024, 0, 1, 0, 0, 0 }, &s));
	EXPECT_EQ(ERR_RANGE, rtc_to_unix(&(struct rtc_time){ 2024, 1, 0, 0, 0, 0 }, &s));
	EXPECT_EQ(ERR_RANGE, rtc_to_unix(&(struct rtc_time){ 2024, 1, 1, 24, 0, 0 }, &s));
	EXPECT_EQ(ERR_RANGE, rtc_to_unix(&(struct rtc_time){ 1969, 1, 1, 0, 0, 0 }, &s));
}

TEST_MAIN(TEST(test_every_mode_round_trips), TEST(test_missing_century_is_guessed),
	  TEST(test_rubbish_is_refused))
