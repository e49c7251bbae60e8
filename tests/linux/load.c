/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Work that makes Linux use its paravirtual features, with results that are known:
 *
 * spin ROUNDS: one CPU forks, holding the lock of a large descriptor table for long; all others but
 * the last wait for that lock with IF = 1, and for that of a long wait queue with IF = 0 (PV
 * spinlocks: sleep, until the next in line is kicked); in between they look at a page and at a
 * protection that the last CPU changes all the time (TLB flushes; MEMBARRIER: IPIs, and KVM's
 * yields to those who wait for a lock).
 *
 * ring ROUNDS: a token goes round the CPUs by futex; who has it replaces the page that all read.
 *
 * bucket ROUNDS: sixteen threads and one futex: a lock and a count.
 *
 * Second argument: the number of CPUs. One line each, "spin: ..." with "errors 0" at its end.
 */
#include "tests/linux/sys.h"

#define TABLE_FDS 100000 /* a fork copies so many descriptors under the table's lock */

/* Only at first: who waits with IF = 0 keeps the last CPU waiting, which then yields to nobody. */
#define QUEUE_LENGTH 4000 /* a write walks so many waiters under the lock of the queue */
#define WRITE_EVERY  8    /* looks */
#define WRITE_PART   3    /* of the rounds */

#define EPOLL_CTL_ADD       1
#define RLIMIT_NOFILE       7
#define MREMAP_TO           3 /* MAYMOVE, FIXED */
#define MEMBARRIER_PRIVATE  8
#define MEMBARRIER_REGISTER 16
#define EFAULT              14

static volatile u64 *page;     /* two words: a generation and its complement */
static volatile u64 *guarded;  /* sometimes PROT_NONE */
static volatile u64 published; /* this generation of the page is there, or a newer one */
static volatile u64 guard;     /* GUARD_STATES in turn */
static volatile u64 round, stop, errors, looks, faults;
static long cpus, rounds, queue;

static void fail(const char *what, u64 got, u64 want)
{
	if (__atomic_add_fetch(&errors, 1, __ATOMIC_SEQ_CST) < 10)
		REPORT2(what, (long)got, " want ", (long)want);
}

/* What was in the page before is freed: who still reads that missed a TLB flush. */
static void replace_page(u64 generation)
{
	volatile u64 *fresh = map(0, PAGE_BYTES, 0);

	fresh[0] = generation;
	fresh[1] = ~generation;
	if (sys(SYS_mremap, fresh, PAGE_BYTES, PAGE_BYTES, MREMAP_TO, page) != (long)page)
		fail("mremap ", generation, generation);
}

static void look_at_page(void)
{
	u64 least = load(&published);
	u64 got = page[0], complement = page[1], most;

	most = load(&published) + 1; /* replaced, and not yet published */
	__atomic_add_fetch(&looks, 1, __ATOMIC_RELAXED);
	if (got < least || got > most)
		fail("stale page ", got, least);
	/* Between the two words the page may have been replaced, by newer ones only. */
	if (~complement < got || ~complement > most)
		fail("stale complement ", ~complement, got);
}

/* States of the guard: readable, on the way, not readable, on the way. */
#define GUARD_STATES 4
#define GUARD_NONE   2

/* The kernel reads the page for us: an error there, and no signal. */
static void look_at_guard(void)
{
	u64 before = load(&guard), state = before % GUARD_STATES;
	long result = sys(SYS_rt_sigprocmask, 0, guarded, 0, 8);

	if (load(&guard) != before || state % 2 != 0)
		return;
	if (state == GUARD_NONE)
		__atomic_add_fetch(&faults, 1, __ATOMIC_RELAXED);
	if (result != (state == GUARD_NONE ? -EFAULT : 0))
		fail("stale protection: ", (u64)result, before);
}

static void next_guard(void)
{
	store(&guard, load(&guard) + 1);
}

static void change_guard(void)
{
	next_guard();
	sys(SYS_mprotect, guarded, PAGE_BYTES, PROT_NONE);
	next_guard();
	sys(SYS_membarrier, MEMBARRIER_PRIVATE, 0, 0);
	next_guard();
	sys(SYS_mprotect, guarded, PAGE_BYTES, PROT_READ_WRITE);
	next_guard();
}

static void fork_once(long nr)
{
	static volatile u64 private_word;
	int status = -1;
	long pid;

	private_word = (u64)nr;
	pid = sys(SYS_fork);
	if (pid == 0) {
		bool same = private_word == (u64)nr;

		private_word = ~0ull;
		sys(SYS_exit_group, same ? nr & 127 : 255);
	}
	if (sys(SYS_wait4, pid, &status, 0, 0) != pid || status != (int)(nr & 127) << 8)
		fail("child ", (u64)status, (u64)(nr & 127) << 8);
	if (private_word != (u64)nr)
		fail("a child's write shows: ", private_word, (u64)nr);
}

static void fork_all(void)
{
	for (long i = 0; i < rounds; i++) {
		store(&round, (u64)i);
		look_at_page();
		look_at_guard();
		fork_once(i);
	}
	store(&stop, 1);
}

static void wait_for_table(void)
{
	long fd = sys(SYS_dup, 0);

	look_at_page();
	look_at_guard();
	sys(SYS_close, fd);
	look_at_page();
}

static void change_all(void)
{
	for (u64 generation = 1; !load(&stop); generation++) {
		replace_page(generation);
		store(&published, generation);
		change_guard();
		if (cpus == 2) /* nobody else does */
			wait_for_table();
	}
}

static void wait_for_locks(void)
{
	u64 one = 1;

	for (long i = 0; !load(&stop); i++) {
		if (i % WRITE_EVERY == 0 && load(&round) < (u64)rounds / WRITE_PART)
			sys(SYS_write, queue, &one, sizeof(one));
		wait_for_table();
	}
}

static void spin(long cpu)
{
	pin(cpu);
	if (cpu == 0)
		fork_all();
	else if (cpu == cpus - 1)
		change_all();
	else
		wait_for_locks();
}

/* The token is the generation that is published; it is at CPU token % cpus. */
static void ring(long cpu)
{
	u64 token;

	pin(cpu);
	for (;;) {
		token = load(&published);
		if (token >= (u64)rounds)
			break;
		if (token % (u64)cpus != (u64)cpu) {
			futex_wait(&published, token);
			continue;
		}
		if (page[0] != token || page[1] != ~token)
			fail("page ", page[0], token);
		__atomic_add_fetch(&looks, 1, __ATOMIC_RELAXED);
		replace_page(token + 1);
		store(&published, token + 1);
		futex_wake(&published, 64);
	}
}

static volatile u64 lock, count;

static void bucket(long thread)
{
	pin(thread % cpus);
	for (long i = 0; i < rounds; i++) {
		while (__atomic_exchange_n(&lock, 1, __ATOMIC_SEQ_CST) != 0)
			futex_wait(&lock, 1);
		count = count + 1; /* the lock is what makes this safe */
		store(&lock, 0);
		futex_wake(&lock, 1);
	}
}

/* One event, watched by one poller under many descriptors. */
static void prepare_queue(void)
{
	struct {
		u32 events;
		u32 data[2];
	} watch = { 1, { 0, 0 } };
	long poller = sys(SYS_epoll_create1, 0);

	queue = sys(SYS_eventfd2, 0, 0);
	for (long i = 0; i < QUEUE_LENGTH; i++) {
		if (sys(SYS_epoll_ctl, poller, EPOLL_CTL_ADD, sys(SYS_dup, queue), &watch) < 0)
			fail("no waiter ", (u64)i, QUEUE_LENGTH);
	}
}

static void prepare(void)
{
	u64 limit[2] = { TABLE_FDS + 1000, TABLE_FDS + 1000 };

	page = map(0, PAGE_BYTES, 0);
	guarded = map(0, PAGE_BYTES, 0);
	guarded[0] = 0;
	replace_page(0);
	sys(SYS_prlimit64, 0, RLIMIT_NOFILE, limit, 0);
	if (sys(SYS_dup2, 0, TABLE_FDS - 1) < 0)
		fail("no descriptor ", TABLE_FDS - 1, 0);
	if (sys(SYS_membarrier, MEMBARRIER_REGISTER, 0, 0) < 0)
		fail("no membarrier ", 0, 0);
}

int test_main(int argc, char **argv)
{
	if (argc != 4)
		return 2;
	rounds = number(argv[2]);
	cpus = number(argv[3]);
	prepare();
	if (is_word(argv[1], "spin")) {
		prepare_queue();
		threads_run(spin, cpus);
		REPORT3("spin: generations ", (long)published, " looks ", (long)looks, " faults ",
			(long)faults);
	} else if (is_word(argv[1], "ring")) {
		threads_run(ring, cpus);
		REPORT2("ring: rounds ", (long)published, " looks ", (long)looks);
	} else {
		threads_run(bucket, 16);
		REPORT1("bucket: count ", (long)count);
		if (count != (u64)rounds * 16)
			fail("count ", count, (u64)rounds * 16);
	}
	REPORT1("errors ", (long)errors);
	return errors != 0;
}
