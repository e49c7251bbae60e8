/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guest's clocks against each other:
 *
 *   turns ROUNDS CPUS  each CPU in turn reads the raw clock; none may see less than the one before
 *   pm SECONDS         the raw clock against the ACPI PM timer of the machine
 *   awake SECONDS      the CPU does not sleep for so long by the PM timer
 *   ptp SECONDS        /dev/ptp0 against the system's clocks
 *   busy HOLDS CPUS    no CPU sleeps until each was held so often, and a second more; how long it
 *                      was held, by its TSC
 */
#include "tests/linux/sys.h"

#define PM_TIMER_PORT 0xb008 /* FADT of Bochs */
#define PM_TIMER_HZ   3579545ull
#define PM_TIMER_MASK 0xffffffu
#define NS            1000000000ull

#define LIMIT_PER_HOLD 10 /* seconds */

static volatile u64 turn_ns, turn, backwards;
static long cpus, amount;

static u64 rdtsc(void)
{
	u32 low, high;

	__asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high)::"memory");
	return (u64)high << 32 | low;
}

static void turns(long cpu)
{
	u64 now;

	pin(cpu);
	for (u64 mine = (u64)cpu; mine < (u64)(amount * cpus); mine += (u64)cpus) {
		while (load(&turn) != mine)
			__asm__ volatile("pause");
		now = now_ns(CLOCK_MONOTONIC_RAW);
		if (now < load(&turn_ns))
			__atomic_add_fetch(&backwards, 1, __ATOMIC_SEQ_CST);
		store(&turn_ns, now);
		store(&turn, mine + 1);
	}
}

static int run_turns(void)
{
	threads_run(turns, cpus);
	REPORT2("turns: ", (long)turn, " backwards ", (long)backwards);
	return backwards != 0 || turn != (u64)(amount * cpus);
}

static u32 pm_timer(void)
{
	u32 val;

	__asm__ volatile("inl %w1, %0" : "=a"(val) : "Nd"((uint16_t)PM_TIMER_PORT) : "memory");
	return val & PM_TIMER_MASK;
}

/* Both clocks at one moment: the narrowest of some tries. */
static void pm_pair(u64 *ns, u32 *ticks)
{
	u64 best = ~0ull;

	*ns = 0;
	*ticks = 0;
	for (int i = 0; i < 50; i++) {
		u64 before = now_ns(CLOCK_MONOTONIC_RAW);
		u32 now = pm_timer();
		u64 after = now_ns(CLOCK_MONOTONIC_RAW);

		if (after - before < best) {
			best = after - before;
			*ns = before + best / 2;
			*ticks = now;
		}
	}
}

static int run_pm(void)
{
	u64 first, ns, total = 0, by_timer;
	u32 before, now;
	long ppm;

	if (sys(SYS_ioperm, PM_TIMER_PORT, 4, 1) < 0)
		return 2;
	pm_pair(&first, &before);
	do {
		sleep_ms(500); /* the timer wraps after 4.7 s */
		pm_pair(&ns, &now);
		total += (now - before) & PM_TIMER_MASK;
		before = now;
	} while (ns - first < (u64)amount * NS);
	by_timer = total * 1000000 / PM_TIMER_HZ * 1000;
	ppm = (long)(ns - first - by_timer) * 1000 / (long)((ns - first) / 1000);
	REPORT3("pm: ns ", (long)(ns - first), " by the PM timer ", (long)by_timer, " ppm ", ppm);
	return ppm > 50 || ppm < -50;
}

/* Whoever counts what interrupts the CPU knows what to expect. */
static int run_awake(void)
{
	u64 total = 0;
	u32 before, now;

	if (sys(SYS_ioperm, PM_TIMER_PORT, 4, 1) < 0)
		return 2;
	before = pm_timer();
	do {
		now = pm_timer();
		total += (now - before) & PM_TIMER_MASK;
		before = now;
	} while (total < (u64)amount * PM_TIMER_HZ);
	return 0;
}

/* struct ptp_clock_time and struct ptp_sys_offset_precise of <linux/ptp_clock.h> */
struct ptp_time {
	int64_t sec;
	u32 nsec, reserved;
};

struct ptp_precise {
	struct ptp_time device, realtime, raw;
	u32 reserved[4];
};

#define PTP_SYS_OFFSET_PRECISE 0xc0403d08

static u64 ptp_ns(const struct ptp_time *t)
{
	return (u64)t->sec * NS + t->nsec;
}

static int run_ptp(void)
{
	long fd = sys(SYS_open, "/dev/ptp0", 2);
	struct ptp_precise first = { 0 }, last = { 0 };
	long offset_us, read_us, passed, ppm;

	if (fd < 0 || sys(SYS_ioctl, fd, PTP_SYS_OFFSET_PRECISE, &first) < 0)
		return 2;
	sleep_ms(amount * 1000);
	if (sys(SYS_ioctl, fd, PTP_SYS_OFFSET_PRECISE, &last) < 0)
		return 2;
	passed = (long)(ptp_ns(&last.raw) - ptp_ns(&first.raw));
	ppm = (long)(ptp_ns(&last.device) - ptp_ns(&first.device) - (u64)passed) * 1000 /
	      (passed / 1000);
	offset_us = (long)(ptp_ns(&last.device) - ptp_ns(&last.realtime)) / 1000;
	/* The clock as POSIX sees it: a clock ID made of the descriptor. */
	read_us = (long)(now_ns(~fd << 3 | 3) - now_ns(CLOCK_REALTIME)) / 1000;
	REPORT3("ptp: ppm ", ppm, " offset_us ", offset_us, " read_us ", read_us);
	if (passed < (amount - 1) * (long)NS || ppm > 100 || ppm < -100)
		return 1;
	return offset_us > 1500000 || offset_us < -1500000 || read_us > 1500000 ||
	       read_us < -1500000;
}

/* TSC ticks that a pause lasts at least; what the kernel does meanwhile is shorter. */
static u64 gap_ticks, second_ticks;

static void busy(long cpu)
{
	u64 begin, before, now, last, held = 0;
	long gaps = 0;

	pin(cpu);
	begin = before = last = rdtsc();
	do {
		now = rdtsc();
		if (now - before > gap_ticks) {
			held += now - before;
			last = now;
			gaps++;
		}
		before = now;
		if (gaps == amount && now - last > second_ticks)
			break;
	} while (now - begin < second_ticks * LIMIT_PER_HOLD * (u64)amount);
	REPORT3("busy cpu ", cpu, " gaps ", gaps, " held_ms ",
		(long)(held / (second_ticks / 1000)));
}

static int run_busy(void)
{
	u64 ns = now_ns(CLOCK_MONOTONIC_RAW), tsc = rdtsc();

	sleep_ms(200);
	second_ticks = (rdtsc() - tsc) * 1000 / ((now_ns(CLOCK_MONOTONIC_RAW) - ns) / 1000000);
	gap_ticks = second_ticks / 5;
	threads_run(busy, cpus);
	return 0;
}

int test_main(int argc, char **argv)
{
	amount = argc > 2 ? number(argv[2]) : 0;
	cpus = argc > 3 ? number(argv[3]) : 1;
	if (argc < 3 || amount == 0)
		return 2;
	if (is_word(argv[1], "turns"))
		return run_turns();
	if (is_word(argv[1], "pm"))
		return run_pm();
	if (is_word(argv[1], "awake"))
		return run_awake();
	if (is_word(argv[1], "ptp"))
		return run_ptp();
	return run_busy();
}
