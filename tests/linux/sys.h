/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the C programs of the guest's user space stand on: system calls, threads, output. No
 * library, so that the initrd needs none. Each program is one file with a test_main(), started by
 * sys_start.S.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define SYS_write             1
#define SYS_open              2
#define SYS_close             3
#define SYS_mmap              9
#define SYS_mprotect          10
#define SYS_munmap            11
#define SYS_rt_sigprocmask    14
#define SYS_ioctl             16
#define SYS_sched_yield       24
#define SYS_mremap            25
#define SYS_dup               32
#define SYS_dup2              33
#define SYS_nanosleep         35
#define SYS_fork              57
#define SYS_exit              60
#define SYS_wait4             61
#define SYS_ioperm            173
#define SYS_futex             202
#define SYS_sched_setaffinity 203
#define SYS_clock_gettime     228
#define SYS_exit_group        231
#define SYS_epoll_ctl         233
#define SYS_eventfd2          290
#define SYS_epoll_create1     291
#define SYS_prlimit64         302
#define SYS_getcpu            309
#define SYS_membarrier        324

#define PAGE_BYTES 4096ul

typedef uint64_t u64;
typedef uint32_t u32;

/* A program: arguments as the shell gave them; the result is the exit code. */
int test_main(int argc, char **argv);

/* sys_start.S: any system call; a thread that shares everything, 0 or more in the caller. */
long sys6(long nr, long a, long b, long c, long d, long e, long f);
long sys_thread(void (*fn)(long arg), long arg, void *stack_top);

#define SYS_ARGS(nr, a, b, c, d, e, f, ...) \
	sys6(nr, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))
#define sys(...) SYS_ARGS(__VA_ARGS__, 0, 0, 0, 0, 0, 0, 0)

static inline u64 load(volatile u64 *at)
{
	return __atomic_load_n(at, __ATOMIC_SEQ_CST);
}

static inline void store(volatile u64 *at, u64 val)
{
	__atomic_store_n(at, val, __ATOMIC_SEQ_CST);
}

static inline void say(const char *text)
{
	long n = 0;

	while (text[n] != '\0')
		n++;
	sys(SYS_write, 1, text, n);
}

/* One line, written at once: words and numbers in turn, the number after a word that ends in '='.
 */
static inline void say_numbers(const char *const words[], const long numbers[], int count)
{
	char line[200], digits[24];
	int n = 0;

	for (int i = 0; i < count; i++) {
		unsigned long left =
			numbers[i] < 0 ? -(unsigned long)numbers[i] : (unsigned long)numbers[i];
		int d = 0;

		for (const char *c = words[i]; *c != '\0' && n < 170; c++)
			line[n++] = *c;
		do {
			digits[d++] = (char)('0' + left % 10);
			left /= 10;
		} while (left != 0);
		if (numbers[i] < 0)
			line[n++] = '-';
		while (d > 0 && n < 198)
			line[n++] = digits[--d];
	}
	line[n++] = '\n';
	sys(SYS_write, 1, line, n);
}

/* REPORT("a ", 1, " b ", 2): the line "a 1 b 2". Up to three pairs. */
#define REPORT1(w, n)         say_numbers((const char *[]){ w }, (long[]){ n }, 1)
#define REPORT2(w, n, w2, n2) say_numbers((const char *[]){ w, w2 }, (long[]){ n, n2 }, 2)
#define REPORT3(w, n, w2, n2, w3, n3) \
	say_numbers((const char *[]){ w, w2, w3 }, (long[]){ n, n2, n3 }, 3)

static inline long number(const char *text)
{
	long n = 0;

	for (; *text >= '0' && *text <= '9'; text++)
		n = n * 10 + (*text - '0');
	return n;
}

static inline bool is_word(const char *a, const char *b)
{
	for (; *a != '\0' && *a == *b; a++)
		b++;
	return *a == *b;
}

static inline void pin(long cpu)
{
	u64 mask = 1ull << cpu;

	if (sys(SYS_sched_setaffinity, 0, sizeof(mask), &mask) < 0) {
		REPORT1("cannot run on CPU ", cpu);
		sys(SYS_exit_group, 2);
	}
}

#define CLOCK_REALTIME      0
#define CLOCK_MONOTONIC     1
#define CLOCK_MONOTONIC_RAW 4

static inline u64 now_ns(long clock)
{
	long t[2] = { 0, 0 };

	sys(SYS_clock_gettime, clock, t);
	return (u64)t[0] * 1000000000ull + (u64)t[1];
}

static inline void sleep_ms(long ms)
{
	long t[2] = { ms / 1000, ms % 1000 * 1000000 };

	sys(SYS_nanosleep, t, 0);
}

#define FUTEX_WAIT    0
#define FUTEX_WAKE    1
#define FUTEX_PRIVATE 128

/* The low half of a 64-bit word is the futex. */
static inline void futex_wait(volatile u64 *at, u64 seen)
{
	sys(SYS_futex, at, FUTEX_WAIT | FUTEX_PRIVATE, (u32)seen, 0);
}

static inline void futex_wake(volatile u64 *at, long count)
{
	sys(SYS_futex, at, FUTEX_WAKE | FUTEX_PRIVATE, count);
}

#define PROT_NONE       0
#define PROT_READ_WRITE 3
#define MAP_PRIVATE     2
#define MAP_FIXED       0x10
#define MAP_ANONYMOUS   0x20

static inline void *map(void *at, u64 bytes, long flags)
{
	return (void *)sys(SYS_mmap, at, bytes, PROT_READ_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
}

/* threads_run() - fn(0) to fn(count - 1), each in a thread of its own, until all are done. */
extern volatile u64 threads_done;
void threads_run(void (*fn)(long arg), long count);
