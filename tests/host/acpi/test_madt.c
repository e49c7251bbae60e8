/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * boot/acpi/madt.c, rule P3: tables of every shape against a plain list of what was put into them.
 */
#include "tests/host/harness.h"

#include "boot/acpi/tables.h"
#include "core/lib/bits.h"
#include "core/partition.h"

#define APIC    0u
#define IOAPIC  1u
#define X2APIC  9u
#define WAKEUP  0x10u
#define ENABLED 1u
#define ONLINE  2u
#define ROOM    0x10000u

static u8 madt[ROOM], before[ROOM];
static u32 len;
static struct acpi_info info;

/* The processor entries that were put into the table. */
static struct entry {
	u32 id, flags, flags_at;
} entry[4096];
static u32 entries;

static void put32(u32 at, u32 v)
{
	memcpy(madt + at, &v, 4);
}

static void table_begin(void)
{
	memset(madt, 0, sizeof(madt));
	memcpy(madt, "APIC", 4);
	put32(36, 0xfee00000);
	len = 44;
	entries = 0;
}

static void other(u8 type, u8 bytes)
{
	memset(madt + len, 0x5a, bytes);
	madt[len] = type;
	madt[len + 1] = bytes;
	len += bytes;
}

static void cpu(u8 type, u32 id, u32 flags)
{
	u32 flags_at = len + (type == APIC ? 4 : 8);

	other(type, type == APIC ? 8 : 16);
	if (type == APIC)
		madt[flags_at - 1] = (u8)id;
	else
		put32(flags_at - 4, id);
	put32(flags_at, flags);
	entry[entries++] = (struct entry){ id, flags, flags_at };
}

static void table_end(void)
{
	put32(4, len);
	madt[9] = 0;
	madt[9] = (u8)-acpi_checksum(madt, len);
	memcpy(before, madt, sizeof(madt));
}

static bool is_kept(const struct madt_keep *keep, u32 id)
{
	for (u32 i = 0; i < keep->count; i++) {
		if (keep->ids[i] == id)
			return true;
	}
	return false;
}

/* Disable all but @keep: the flags of the others lose two bits, nothing else changes. */
static void check(const struct madt_keep *keep)
{
	u32 enabled = 0;

	for (u32 i = 0; i < entries; i++) {
		if (!is_kept(keep, entry[i].id)) {
			enabled += (entry[i].flags & ENABLED) != 0;
			memcpy(before + entry[i].flags_at,
			       &(u32){ entry[i].flags & ~(ENABLED | ONLINE) }, 4);
		}
	}
	EXPECT_EQ(enabled, madt_count_others(madt, len, keep));
	madt_disable_others(madt, len, keep);
	EXPECT_EQ(0, madt_count_others(madt, len, keep));
	EXPECT_EQ(0, acpi_checksum(madt, len));
	before[9] = madt[9];
	EXPECT_EQ(0, memcmp(before, madt, sizeof(madt)));
}

/* The first @max of the CPUs that madt_parse() lists, as maxcpus= does. */
static struct madt_keep first(u32 max)
{
	static u32 ids[VP_MAX];
	struct madt_keep keep = { .ids = ids };

	memset(&info, 0, sizeof(info));
	madt_parse(madt, len, &info);
	while (keep.count < info.cpu_count && keep.count < max && keep.count < VP_MAX) {
		ids[keep.count] = info.cpu[keep.count].apic_id;
		keep.count++;
	}
	return keep;
}

static void test_three_hundred_cpus(void)
{
	static const u32 limits[] = { 1, 2, 64, 65, 255, 256, 300 };

	for (u32 i = 0; i < ARRAY_SIZE(limits); i++) {
		struct madt_keep keep;

		table_begin();
		other(IOAPIC, 12);
		for (u32 id = 0; id < 300; id++)
			cpu(id < 255 ? APIC : X2APIC, id, ENABLED);
		other(4, 6);
		table_end();
		keep = first(limits[i]);
		EXPECT_EQ(300, info.cpu_count);
		EXPECT_EQ(limits[i] < 256 ? limits[i] : 256, keep.count);
		EXPECT_EQ(300 - keep.count, madt_count_others(madt, len, &keep));
		check(&keep);
		keep = first(300);
		EXPECT_EQ(limits[i] < 256 ? limits[i] : 256, info.cpu_count);
	}
}

/* ACPI 6.4: "logical processors with local APIC ID values less than 255 ... must use the Processor
 * Local APIC structure": firmware lists them both ways, x2APIC first or last. */
static void test_each_cpu_in_both_kinds(void)
{
	for (u32 order = 0; order < 3; order++) {
		struct madt_keep keep;

		table_begin();
		for (u32 id = 0; id < 200; id++) {
			if (order != 0)
				cpu(X2APIC, id, ENABLED);
			cpu(APIC, id, ENABLED);
			if (order != 1)
				cpu(X2APIC, id, ENABLED);
		}
		table_end();
		keep = first(10);
		EXPECT_EQ(200, info.cpu_count);
		check(&keep);
		(void)first(256);
		EXPECT_EQ(10, info.cpu_count);
	}
}

/* More than are listed: those behind the list are not forgotten. */
static void test_more_cpus_than_the_list_holds(void)
{
	struct madt_keep keep;

	table_begin();
	for (u32 id = 0; id < 2000; id++)
		cpu(X2APIC, 3 * id, ENABLED | ONLINE);
	table_end();
	keep = first(256);
	EXPECT_EQ(ACPI_CPUS_MAX, info.cpu_count);
	EXPECT_EQ(2000 - 256, madt_count_others(madt, len, &keep));
	check(&keep);
}

/* IDs that are none, and CPUs that may come later, get no VP either. */
static void test_entries_that_are_no_cpu_now(void)
{
	struct madt_keep keep;

	table_begin();
	cpu(APIC, 0xff, ENABLED);
	cpu(APIC, 0, ENABLED);
	cpu(X2APIC, 0xffffffff, ENABLED);
	cpu(APIC, 1, ONLINE);
	cpu(X2APIC, 0xff, ENABLED); /* an ID like others here */
	cpu(X2APIC, 2, 0);
	table_end();
	keep = first(256);
	EXPECT_EQ(2, keep.count);
	EXPECT_EQ(0xff, keep.ids[1]);
	keep.count = 1;
	EXPECT_EQ(3, madt_count_others(madt, len, &keep));
	check(&keep);
}

/* Two entries of one kind are no second CPU; one of each kind is how firmware lists a CPU. */
static void test_duplicates_are_counted(void)
{
	table_begin();
	cpu(APIC, 1, ENABLED);
	cpu(X2APIC, 1, ENABLED);
	cpu(APIC, 2, ENABLED);
	cpu(APIC, 2, ENABLED);
	cpu(APIC, 2, 0);
	cpu(X2APIC, 300, ENABLED);
	cpu(X2APIC, 300, ENABLED);
	cpu(X2APIC, 300, ENABLED);
	table_end();
	info = (struct acpi_info){ 0 };
	madt_parse(madt, len, &info);
	EXPECT_EQ(3, info.cpu_count);
	EXPECT_EQ(3, info.duplicates);
}

/* Between CPUs and behind more of them than the list holds; one cut off is none. */
static void test_wakeup_mailbox(void)
{
	const u64 mailbox = 0x123456789000;

	for (u32 cpus = 1; cpus <= ACPI_CPUS_MAX + 1; cpus += ACPI_CPUS_MAX) {
		table_begin();
		for (u32 i = 0; i < cpus; i++)
			cpu(X2APIC, i, ENABLED);
		other(WAKEUP, 16);
		memcpy(madt + len - 8, &mailbox, 8);
		table_end();
		info = (struct acpi_info){ 0 };
		madt_parse(madt, len, &info);
		EXPECT_EQ(mailbox, info.wakeup_mailbox);
		EXPECT_EQ(umin32(cpus, ACPI_CPUS_MAX), info.cpu_count);
		info = (struct acpi_info){ 0 };
		madt_parse(madt, len - 1, &info);
		EXPECT_EQ(0, info.wakeup_mailbox);
	}
	table_begin();
	other(WAKEUP, 12);
	other(WAKEUP, 8);
	table_end();
	info = (struct acpi_info){ 0 };
	madt_parse(madt, len, &info);
	EXPECT_EQ(0, info.wakeup_mailbox);
}

/* What one guest rejects another takes. An entry is a processor if its fields are there. */
static void test_bad_entries(void)
{
	struct madt_keep keep;

	table_begin();
	cpu(APIC, 0, ENABLED);
	other(APIC, 7);
	cpu(APIC, 1, ENABLED);
	other(X2APIC, 8);
	other(APIC, 2);
	cpu(X2APIC, 0x12345, ENABLED);
	madt[len] = 3; /* length 1: Linux goes on at the next byte */
	madt[len + 1] = 1;
	len += 1;
	madt[len] = 1;
	madt[len + 1] = 2;
	len += 2;
	cpu(APIC, 2, ENABLED);
	cpu(APIC, 3, ENABLED);
	madt[len - 7] = 40; /* its end is not in the table, its flags are */
	table_end();
	keep = first(1);
	EXPECT_EQ(5, info.cpu_count);
	EXPECT_EQ(4, madt_count_others(madt, len, &keep));
	check(&keep);

	table_begin();
	cpu(APIC, 0, ENABLED);
	cpu(APIC, 1, ENABLED);
	madt[len] = APIC; /* length 0 leads nowhere */
	madt[len + 3] = 9;
	madt[len + 4] = 1;
	len += 8;
	table_end();
	keep = first(1);
	EXPECT_EQ(2, info.cpu_count);
	check(&keep);

	for (u32 cut = 1; cut < 16; cut++) { /* fields that are not all there */
		table_begin();
		cpu(APIC, 0, ENABLED);
		cpu(X2APIC, 1, ENABLED);
		entries--;
		len -= cut;
		table_end();
		keep = first(1);
		EXPECT_EQ(1, info.cpu_count);
		check(&keep);
	}
}

/* A sum that is wrong stays as wrong: disabling makes no table valid. */
static void test_damaged_table_stays_damaged(void)
{
	struct madt_keep keep = { .ids = (const u32[]){ 0 }, .count = 1 };

	table_begin();
	for (u32 id = 0; id < 80; id++)
		cpu(APIC, id, ENABLED);
	table_end();
	madt[9] += 17;
	madt_disable_others(madt, len, &keep);
	EXPECT_EQ(0, madt_count_others(madt, len, &keep));
	EXPECT_EQ(17, acpi_checksum(madt, len));
}

static u32 below(u32 n)
{
	return (u32)(test_rng() % n);
}

static void random_entry(void)
{
	switch (below(8)) {
	case 0:
		return other((u8)(1 + below(8)), (u8)(2 + below(40)));
	case 1:
		return cpu(X2APIC, (u32)test_rng(), below(8));
	case 2:
	case 3:
		return cpu(X2APIC, below(600), below(4));
	case 4:
		return cpu(X2APIC, below(600), ENABLED);
	default:
		return cpu(APIC, below(256), below(4) == 0 ? 0 : ENABLED);
	}
}

static void test_random_tables(void)
{
	for (u32 round = 0; round < 500; round++) {
		u32 n = below(600);
		struct madt_keep keep;

		table_begin();
		for (u32 i = 0; i < n; i++)
			random_entry();
		table_end();
		keep = first(1 + below(VP_MAX));
		check(&keep);
	}
}

TEST_MAIN(TEST(test_three_hundred_cpus), TEST(test_each_cpu_in_both_kinds),
	  TEST(test_more_cpus_than_the_list_holds), TEST(test_entries_that_are_no_cpu_now),
	  TEST(test_bad_entries), TEST(test_duplicates_are_counted), TEST(test_wakeup_mailbox),
	  TEST(test_damaged_table_stays_damaged), TEST(test_random_tables))
