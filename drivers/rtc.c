/* SPDX-License-Identifier: BSD-2-Clause */
/* CMOS real-time clock. Source: MC146818A data sheet, "Update cycle". Context: boot, once (T4). */
#include "drivers/rtc.h"

#include "arch/x86/insn.h"
#include "core/lib/string.h"

#define CMOS_INDEX 0x70
#define CMOS_DATA  0x71

#define RTC_STATUS_A  0x0a
#define RTC_STATUS_B  0x0b
#define RTC_CENTURY   0x32 /* by convention of PC firmware */
#define RTC_A_UPDATES BIT32(7)

#define SETTLE_READS 1000000u /* an update takes 2 ms; a port read about 1 us */
#define TRIES        4u

static const u8 rtc_regs[6] = { 0, 2, 4, 7, 8, 9 };

/* Bit 7 of the index port masks NMIs: keep it clear. */
static u8 cmos_read(u8 reg)
{
	outb(CMOS_INDEX, reg);
	return inb(CMOS_DATA);
}

static void rtc_read_once(struct rtc_raw *raw)
{
	for (u32 i = 0; i < ARRAY_SIZE(rtc_regs); i++)
		raw->reg[i] = cmos_read(rtc_regs[i]);
	raw->century = cmos_read(RTC_CENTURY);
	raw->status_b = cmos_read(RTC_STATUS_B);
}

static err_t rtc_wait(void)
{
	for (u32 i = 0; i < SETTLE_READS; i++) {
		if ((cmos_read(RTC_STATUS_A) & RTC_A_UPDATES) == 0)
			return ERR_NONE;
	}
	return ERR_NODEV;
}

err_t rtc_read(struct rtc_raw *raw)
{
	struct rtc_raw first, second;

	for (u32 i = 0; i < TRIES; i++) {
		TRY(rtc_wait());
		rtc_read_once(&first);
		TRY(rtc_wait());
		rtc_read_once(&second);
		if (memcmp(&first, &second, sizeof(first)) == 0) {
			*raw = first;
			return ERR_NONE;
		}
	}
	return ERR_NODEV;
}
