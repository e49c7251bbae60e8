/* SPDX-License-Identifier: BSD-2-Clause */
/* CMOS real-time clock, raw registers; rtc_decode() in core/time makes sense of them. */
#pragma once

#include "core/lib/err.h"
#include "core/lib/types.h"

struct rtc_raw {
	u8 reg[6]; /* seconds, minutes, hours, day, month, year */
	u8 century;
	u8 status_b;
};

/* rtc_read() - one consistent reading. ERR_NODEV: no clock, or one that never settles. */
MUST_CHECK err_t rtc_read(struct rtc_raw *raw);
