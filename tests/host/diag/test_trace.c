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
static struct trace_record rings[VPS][TRACE_RECORDS];

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
		vp[i].trace.record = rings[i];
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
	static u32 c[4 * TRACE_RECORDS];

	init();
	for (u32 i = 0; i < 1000; i++)
		at(i + 1, &vp[i % 7 == 0], i);
	EXPECT_EQ(1000 / 7 + 1 < TRACE_RECORDS ? 0 : 2 * TRACE_RECORDS,
		  dumped(1000, c, ARRAY_SIZE(c)));
	EXPECT_EQ(999, c[2 * TRACE_RECORDS - 1]);
	for (u32 i = 1; i < 2 * TRACE_RECORDS; i++)
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

static void test_exits_carry_what_the_vmcs_says(void)
{
	init();
	fake.vmcs[VMCS_EXIT_REASON] = 30;
	fake.vmcs[VMCS_GUEST_RIP] = 0xffffffff81000000ull;
	fake.vmcs[VMCS_EXIT_QUALIFICATION] = 0x3f80000;
	trace_exit(&vp[0]);
	vp[0].work = 2;
	fake.vmcs[VMCS_VM_ENTRY_INTR_INFO] = 0x80000030;
	trace_entry(&vp[0]);
	trace_dump(&p, 64, log_info);
	EXPECT_CONTAINS(fake.console, " EXIT 1e ffffffff81000000 3f80000\n");
	EXPECT_CONTAINS(fake.console, " ENTRY 2 80000030 0\n");
}

TEST_MAIN(TEST(test_a_record_says_what_happened), TEST(test_vps_are_merged_by_time),
	  TEST(test_a_full_ring_keeps_the_newest), TEST(test_without_a_ring_nothing_is_recorded),
	  TEST(test_exits_carry_what_the_vmcs_says))
