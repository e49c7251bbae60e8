/* SPDX-License-Identifier: BSD-2-Clause */
/* core/diag/trace.c */
#include "tests/host/harness.h"

#include "arch/x86/defs/vmcs.h"
#include "core/diag/log_internal.h"
#include "core/partition.h"
#include "core/vp/vp.h"
#include "tests/host/fakes/fake.h"

#define VPS 3

static struct partition p;
static struct vp vp[VPS];
static struct trace_record rings[VPS][TRACE_RECORDS_MIN];

static void init(void)
{
	fake_reset();
	log_reset();
	memset(&p, 0, sizeof(p));
	memset(vp, 0, sizeof(vp));
	memset(rings, 0xee, sizeof(rings));
	fake.tsc_step = 0;
	for (u32 i = 0; i < VPS; i++) {
		vp[i].apic_id = i;
		partition_add_vp(&p, &vp[i]);
		trace_init(&vp[i], rings[i], TRACE_RECORDS_MIN, 0, NULL);
	}
}

static void at(u64 tsc, struct vp *v, u32 c)
{
	fake.tsc = tsc;
	TRACE(v, SIPI, c, 0, 0);
}

/* The values of c of a dump, in its order. */
static u32 dumped(u32 max, u32 *c, u32 room)
{
	u32 n = 0;
	const char *s = fake.console;

	fake.console_len = 0;
	fake.console[0] = '\0';
	trace_dump(&p, max, log_info);
	while ((s = strstr(s, "SIPI ")) != NULL && n < room) {
		s += 5;
		c[n++] = (u32)strtoul(s, NULL, 16);
	}
	return n;
}

static void test_a_record_says_what_happened(void)
{
	init();
	fake.tsc = 1234;
	TRACE(&vp[1], EPT_VIOLATION, 0, 0xfee00300, 0x181);
	trace_dump(&p, 64, log_info);
	EXPECT_STREQ("trace vp1 1234 EPT_VIOLATION 0 fee00300 181\n", fake.console);
}

static void test_vps_are_merged_by_time(void)
{
	u32 c[8], want[] = { 1, 2, 3, 4, 5 };

	init();
	at(10, &vp[2], 1);
	at(20, &vp[0], 2);
	at(30, &vp[2], 3);
	at(40, &vp[1], 4);
	at(50, &vp[0], 5);
	EXPECT_EQ(5, dumped(64, c, 8));
	EXPECT_EQ(0, memcmp(want, c, sizeof(want)));
	EXPECT_EQ(2, dumped(2, c, 8)); /* the newest, oldest first */
	EXPECT_EQ(4, c[0]);
	EXPECT_EQ(5, c[1]);
}

static void test_a_full_ring_keeps_the_newest(void)
{
	static u32 c[4 * TRACE_RECORDS_MIN];

	init();
	for (u32 i = 0; i < 1000; i++)
		at(i + 1, &vp[i % 7 == 0], i);
	EXPECT_EQ(1000 / 7 + 1 < TRACE_RECORDS_MIN ? 0 : 2 * TRACE_RECORDS_MIN,
		  dumped(1000, c, ARRAY_SIZE(c)));
	EXPECT_EQ(999, c[2 * TRACE_RECORDS_MIN - 1]);
	for (u32 i = 1; i < 2 * TRACE_RECORDS_MIN; i++)
		EXPECT_LE(c[i - 1] + 1, c[i]);
	EXPECT_EQ(64, dumped(64, c, ARRAY_SIZE(c)));
	EXPECT_EQ(1000 - 64, c[0]); /* the last 64 of all VPs are consecutive */
}

static void test_without_a_ring_nothing_is_recorded(void)
{
	init();
	vp[0].trace.record = NULL;
	at(10, &vp[0], 1);
	trace_dump(&p, 64, log_info);
	EXPECT_STREQ("", fake.console);
}

/* --- Exits --- */

#define RARE 0
#define ALL  1

enum { FAMILY_CPUID = 6, FAMILY_MSR = 7, FAMILY_VMCALL = 12, FAMILY_OTHER = 13 };

static struct exit_times times[VPS];

static void trace_set(u32 set)
{
	init();
	memset(times, 0, sizeof(times));
	for (u32 i = 0; i < VPS; i++)
		trace_init(&vp[i], rings[i], TRACE_RECORDS_MIN, set, &times[i]);
}

static const char *dump(void)
{
	fake.console_len = 0;
	fake.console[0] = '\0';
	trace_dump(&p, TRACE_ALL, log_info);
	return fake.console;
}

/* An exit of VP 0 that takes @ticks. */
static void exits(u32 reason, u64 qual, u64 ticks)
{
	fake.vmcs[VMCS_EXIT_REASON] = reason;
	fake.vmcs[VMCS_EXIT_QUALIFICATION] = qual;
	trace_exit(&vp[0]);
	fake.tsc += ticks;
	trace_entry(&vp[0]);
}

static void test_exits_carry_what_the_vmcs_says(void)
{
	trace_set(BIT32(ALL));
	fake.tsc = 500;
	fake.vmcs[VMCS_GUEST_RIP] = 0xffffffff81000000ull;
	fake.vmcs[VMCS_VM_ENTRY_INTR_INFO] = 0x80000030;
	exits(EXIT_REASON_TASK_SWITCH, 0x40000028, 7);
	EXPECT_STREQ("trace vp0 500 EXIT 280009 ffffffff81000000 40000028\n"
		     "trace vp0 507 ENTRY 0 80000030 0\n",
		     dump());
}

/* The number that says most about the exit. */
static void test_exits_carry_their_number(void)
{
	static const struct {
		u32 reason;
		u64 qual, number;
	} rows[] = {
		{ EXIT_REASON_RDMSR, 0, 0xc0000080 },
		{ EXIT_REASON_WRMSR, 0, 0xc0000080 },
		{ EXIT_REASON_XSETBV, 0, 0xc0000080 },
		{ EXIT_REASON_CPUID, 0, 0xc000008000000007ull },
		{ EXIT_REASON_VMCALL, 0, 0xa5a5a5a500000007ull },
		{ EXIT_REASON_IO_INSTRUCTION, 0x03f80008, 0x3f8 },
		{ EXIT_REASON_CR_ACCESS, 0x304, 4 },
		{ EXIT_REASON_DR_ACCESS, 0x317, 7 },
		{ EXIT_REASON_EPT_VIOLATION, 0x181, 0xfed00040 },
		{ EXIT_REASON_EPT_MISCONFIGURATION, 0, 0xfed00040 },
		{ EXIT_REASON_APIC_ACCESS, 0x10b0, 0xb0 },
		{ EXIT_REASON_APIC_WRITE, 0x300, 0x300 },
		{ EXIT_REASON_VIRTUALIZED_EOI, 0x61, 0x61 },
		{ EXIT_REASON_EXTERNAL_INTERRUPT, 0, 0xec },
		{ EXIT_REASON_EXCEPTION_NMI, 0, 0xec },
		{ EXIT_REASON_HLT, 0, 0 },
	};

	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		char want[80];

		trace_set(BIT32(ALL));
		vp[0].regs.rax = 0xa5a5a5a500000007ull;
		vp[0].regs.rcx = 0x1234c0000080ull;
		fake.vmcs[VMCS_GUEST_PHYSICAL_ADDRESS] = 0xfed00040;
		fake.vmcs[VMCS_VM_EXIT_INTR_INFO] = 0x800000ec;
		exits(rows[i].reason, rows[i].qual, 1);
		snprintf(want, sizeof(want), " EXIT %x 0 %llx\n",
			 rows[i].reason | (u32)rows[i].qual << 16,
			 (unsigned long long)rows[i].number);
		EXPECT_CONTAINS(dump(), want);
	}
}

static void test_only_the_named_families_are_recorded(void)
{
	trace_set(BIT32(FAMILY_MSR) | BIT32(FAMILY_VMCALL) | BIT32(RARE));
	exits(EXIT_REASON_CPUID, 0, 10);
	EXPECT_STREQ("", dump());
	exits(EXIT_REASON_RDMSR, 0, 10);
	exits(EXIT_REASON_VMCALL, 0, 10);
	exits(EXIT_REASON_INVD, 0, 10);
	EXPECT_CONTAINS(dump(), " EXIT 1f ");
	EXPECT_CONTAINS(fake.console, " EXIT 12 ");
	EXPECT_EQ(4, vp[0].trace.written); /* two exits with their entries */
	trace_set(BIT32(FAMILY_OTHER));    /* what no row names */
	exits(EXIT_REASON_INVD, 0, 10);
	exits(EXIT_REASON_RDMSR, 0, 10);
	EXPECT_EQ(2, vp[0].trace.written);
	EXPECT_FALSE(trace_traces_exits(BIT32(RARE)));
	EXPECT_TRUE(trace_traces_exits(BIT32(RARE) | BIT32(FAMILY_CPUID)));
}

/* Whatever is recorded, all exits are timed. */
static void test_times_by_reason(void)
{
	const struct exit_time *t = &times[0].row[0][EXIT_REASON_CPUID];
	const struct exit_time *taken = &times[0].row[1][EXIT_REASON_CPUID];

	trace_set(BIT32(FAMILY_MSR));
	exits(EXIT_REASON_CPUID, 0, 300);
	exits(EXIT_REASON_CPUID, 0, 100);
	exits(EXIT_REASON_CPUID, 0, 200);
	EXPECT_EQ(3, t->count);
	EXPECT_EQ(600, t->ticks);
	EXPECT_EQ(100, t->min);
	EXPECT_EQ(300, t->max);
	EXPECT_EQ(0, times[0].row[0][EXIT_REASON_HLT].count);
	trace_take_times(&p);
	EXPECT_EQ(600, taken->ticks);
	exits(EXIT_REASON_CPUID, 0, 1ull << 40); /* longer than max can say */
	EXPECT_EQ(600 + (1ull << 40), t->ticks);
	EXPECT_EQ(~0u, t->min); /* since the dump */
	EXPECT_EQ(~0u, t->max);
	EXPECT_EQ(3, taken->count);
	exits(EXIT_REASON_COUNT + 5, 0, 10); /* no row of any table */
}

/* Pending work belongs to the exit that it follows; the ENTRY says what it was. */
static void test_work_before_the_entry_is_the_exits(void)
{
	trace_set(BIT32(ALL));
	fake.tsc_step = 10;
	vp[0].work = VP_WORK_LINES;
	vp[0].rearm_tsc = ~0ull;
	exits(EXIT_REASON_HLT, 0, 0);
	EXPECT_EQ(0, vp[0].work);
	EXPECT_CONTAINS(dump(), " ENTRY 200 ");
	EXPECT_GE(times[0].row[0][EXIT_REASON_HLT].ticks, 20); /* 10 without the work */
}

/* What root took for itself is recorded, and not the exit's time. */
static void test_stolen_time_is_apart(void)
{
	const struct exit_time *t = &times[0].row[0][EXIT_REASON_PREEMPTION_TIMER];

	trace_set(BIT32(ALL));
	vp[0].state = VP_RUNNING;
	fake.vmcs[VMCS_EXIT_REASON] = EXIT_REASON_PREEMPTION_TIMER;
	trace_exit(&vp[0]);
	fake.tsc += 30;
	steal_end(&vp[0], STEAL_FLUSH, fake.tsc - 20);
	trace_entry(&vp[0]);
	EXPECT_EQ(10, t->ticks);
	EXPECT_CONTAINS(dump(), " STOLEN 3 14 0\n");
	EXPECT_EQ(3, vp[0].trace.written);
}

/* An exit that only served a dump leaves nothing, neither a record nor a time. */
static void test_dumps_leave_no_trace(void)
{
	trace_set(BIT32(ALL));
	vp[0].state = VP_RUNNING;
	fake.vmcs[VMCS_EXIT_REASON] = EXIT_REASON_PREEMPTION_TIMER;
	trace_exit(&vp[0]);
	fake.tsc += 1000;
	steal_end(&vp[0], STEAL_DUMP, fake.tsc - 900);
	trace_entry(&vp[0]);
	EXPECT_STREQ("", dump());
	EXPECT_EQ(0, times[0].row[0][EXIT_REASON_PREEMPTION_TIMER].count);
	/* But an event of the same exit does, with the exit before it. */
	trace_exit(&vp[0]);
	TRACE(&vp[0], NMI, 0, 0, 0);
	steal_end(&vp[0], STEAL_DUMP, fake.tsc);
	trace_entry(&vp[0]);
	EXPECT_CONTAINS(dump(), " EXIT 34 ");
	EXPECT_CONTAINS(fake.console, " NMI ");
	EXPECT_CONTAINS(fake.console, " STOLEN 4 0 0\n");
	EXPECT_CONTAINS(fake.console, " ENTRY ");
}

/* A dump sees the exit whose handling it interrupts: a panic. */
static void test_a_dump_has_the_exit_now_handled(void)
{
	trace_set(BIT32(ALL));
	fake.vmcs[VMCS_EXIT_REASON] = EXIT_REASON_HLT;
	trace_exit(&vp[0]);
	EXPECT_CONTAINS(dump(), " EXIT c ");
	trace_entry(&vp[0]);
	EXPECT_EQ(2, vp[0].trace.written);
}

static void test_a_frozen_trace_keeps_what_it_has(void)
{
	init();
	at(1, &vp[0], 1);
	trace_freeze(true);
	at(2, &vp[0], 2);
	EXPECT_STREQ("trace vp0 1 SIPI 1 0 0\n", dump());
	trace_freeze(false);
	at(3, &vp[0], 3);
	EXPECT_CONTAINS(dump(), " SIPI 3 ");
}

static void test_rings_of_any_size(void)
{
	static struct trace_record large[1024];
	u32 n = 0;

	EXPECT_EQ(128, trace_ring_records(128));
	EXPECT_EQ(256, trace_ring_records(129));
	EXPECT_EQ(65536, trace_ring_records(TRACE_RECORDS_MAX));
	init();
	trace_init(&vp[0], large, 1000, 0, NULL);
	for (u32 i = 0; i < 5000; i++)
		at(i + 1, &vp[0], i);
	trace_dump_begin(&p, TRACE_ALL);
	for (; trace_dump_line(&p, log_info); n++)
		fake.console_len = 0;
	EXPECT_EQ(1024, n);
	EXPECT_STREQ("trace vp0 5000 SIPI 1387 0 0\n", fake.console);
}

TEST_MAIN(TEST(test_a_record_says_what_happened), TEST(test_vps_are_merged_by_time),
	  TEST(test_a_full_ring_keeps_the_newest), TEST(test_without_a_ring_nothing_is_recorded),
	  TEST(test_exits_carry_what_the_vmcs_says), TEST(test_exits_carry_their_number),
	  TEST(test_only_the_named_families_are_recorded), TEST(test_times_by_reason),
	  TEST(test_work_before_the_entry_is_the_exits), TEST(test_stolen_time_is_apart),
	  TEST(test_dumps_leave_no_trace), TEST(test_a_dump_has_the_exit_now_handled),
	  TEST(test_a_frozen_trace_keeps_what_it_has), TEST(test_rings_of_any_size))
