/* SPDX-License-Identifier: BSD-2-Clause */
/* The CMOS clock's registers as a calendar and as UNIX time (rule T4). Pure. */
#include "core/lib/bits.h"
#include "core/time/clock.h"

#define STATUS_B_24H    BIT32(1)
#define STATUS_B_BINARY BIT32(2)
#define HOUR_PM         0x80u

#define SECONDS_PER_DAY 86400ull
#define UNIX_EPOCH_YEAR 1970u

static bool is_leap(u32 year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static u32 days_in_month(u32 year, u32 month)
{
	static const u8 days[12] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	return days[month - 1] + (month == 2 && is_leap(year) ? 1 : 0);
}

err_t rtc_to_unix(const struct rtc_time *t, u64 *seconds)
{
	u64 days = 0;

	if (t->year < UNIX_EPOCH_YEAR || t->year > 9999 || t->month < 1 || t->month > 12 ||
	    t->day < 1 || t->day > days_in_month(t->year, t->month) || t->hour > 23 ||
	    t->minute > 59 || t->second > 59)
		return ERR_RANGE;
	for (u32 y = UNIX_EPOCH_YEAR; y < t->year; y++)
		days += is_leap(y) ? 366 : 365;
	for (u32 m = 1; m < t->month; m++)
		days += days_in_month(t->year, m);
	days += t->day - 1;
	*seconds = days * SECONDS_PER_DAY + t->hour * 3600ull + t->minute * 60ull + t->second;
	return ERR_NONE;
}

/* One register; ERR_RANGE when it is not BCD although it should be. */
static err_t decode_field(u8 raw, bool binary, u32 *val)
{
	if (binary) {
		*val = raw;
		return ERR_NONE;
	}
	if ((raw & 0xf) > 9 || (raw >> 4) > 9)
		return ERR_RANGE;
	*val = (u32)(raw >> 4) * 10 + (raw & 0xf);
	return ERR_NONE;
}

err_t rtc_decode(const u8 raw[6], u8 century, u8 status_b, struct rtc_time *t)
{
	bool binary = (status_b & STATUS_B_BINARY) != 0;
	bool pm = !(status_b & STATUS_B_24H) && (raw[2] & HOUR_PM);
	u8 hour = (u8)(status_b & STATUS_B_24H ? raw[2] : raw[2] & ~HOUR_PM);
	struct rtc_time r;
	u32 c;

	TRY(decode_field(raw[0], binary, &r.second));
	TRY(decode_field(raw[1], binary, &r.minute));
	TRY(decode_field(hour, binary, &r.hour));
	TRY(decode_field(raw[3], binary, &r.day));
	TRY(decode_field(raw[4], binary, &r.month));
	TRY(decode_field(raw[5], binary, &r.year));
	if (r.year > 99)
		return ERR_RANGE;
	if (!(status_b & STATUS_B_24H)) {
		if (r.hour < 1 || r.hour > 12)
			return ERR_RANGE;
		r.hour = r.hour % 12 + (pm ? 12 : 0);
	}
	/* No or a nonsensical century register: the PC's years are 1970 to 2069. */
	if (decode_field(century, binary, &c) != ERR_NONE || c < 19 || c > 29)
		c = r.year >= 70 ? 19 : 20;
	r.year += c * 100;
	*t = r;
	return ERR_NONE;
}
