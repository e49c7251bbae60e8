/* SPDX-License-Identifier: BSD-2-Clause */
/* All time conversions: TSC <-> ns <-> 100 ns (rule T2), and the frequency decision (T3). Pure. */
#pragma once

#include "core/lib/err.h"
#include "core/lib/types.h"

struct clock {
	u64 tsc_hz;
	u64 boot_tsc;     /* physical TSC at which partition time is boot_ns */
	u64 boot_ns;      /* 0, until the TSC changes its frequency */
	u64 boot_wall_ns; /* UNIX time when partition time is 0, ns; good to 1 s (rule T4) */
	/* ns = ((tsc << shift) * mul) >> 32; a negative shift is to the right. Guests compute it,
	 * too */
	u32 mul;
	s8 shift;
	bool in_step; /* the TSCs of all CPUs are */
	bool synced;  /* so what the VPs read is: with equal offsets. STABLE may be claimed */
};

/* clock_init() - derive all scales. ERR_RANGE unless 11 MHz <= tsc_hz <= 100 GHz. */
MUST_CHECK err_t clock_init(struct clock *c, u64 tsc_hz, u64 boot_tsc, u64 boot_wall_ns);

/* clock_set_hz() - time goes on from where it is at @from_tsc, with the TSC at @to_tsc, and counts
 * @tsc_hz, which is in range. */
void clock_set_hz(struct clock *c, u64 tsc_hz, u64 from_tsc, u64 to_tsc);

/* clock_out_of_step() - the TSCs of the CPUs differ, for ever. Before the guest runs. */
void clock_out_of_step(struct clock *c);

u64 clock_tsc_to_ns(const struct clock *c, u64 delta_tsc);
u64 clock_ns_to_tsc(const struct clock *c, u64 delta_ns); /* rounds up; saturates at ~0 */
u64 clock_now_ns(const struct clock *c, u64 now_tsc);     /* by mul and shift */

/* Rule T3. All in Hz; 0 = source absent. */
struct tsc_sources {
	u64 cpuid_hz;    /* CPUID 0x15 (0x16 as the fallback) */
	u64 measured_hz; /* PM timer, HPET or PIT */
	u32 error_ppm;   /* @measured_hz is off by at most this */
	const char *measured_by;
	u32 tolerance_ppm;
};
struct tsc_decision {
	u64 tsc_hz;
	bool cpuid_trusted; /* CPUID 0x15/0x16 may be shown to the guest */
	u64 deviation_ppm;
};
/* tsc_decide() - ERR_NODEV when no source gives a frequency. Within its own error a measurement
 * cannot contradict CPUID. */
MUST_CHECK err_t tsc_decide(const struct tsc_sources *s, struct tsc_decision *d);

/* rtc_to_unix() - UTC calendar to seconds since 1970; ERR_RANGE for impossible dates. */
struct rtc_time {
	u32 year, month, day, hour, minute, second;
};
MUST_CHECK err_t rtc_to_unix(const struct rtc_time *t, u64 *seconds);
/* rtc_decode() - raw CMOS registers (0,2,4,7,8,9, century, status B) to a calendar. */
MUST_CHECK err_t rtc_decode(const u8 raw[6], u8 century, u8 status_b, struct rtc_time *t);
