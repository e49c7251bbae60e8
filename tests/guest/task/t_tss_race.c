// SPDX-License-Identifier: BSD-2-Clause
// Several CPUs call one task at the same time. Each switch is an exit and emulated: exactly one CPU
// may enter the task, the others get #GP by its busy flag, and who comes next finds all that the
// last one saved.

#include "arch/x86/defs/seg.h"
#include "arch/x86/defs/vector.h"
#include "core/lib/bits.h"
#include "tests/guest/groups.h"
#include "tests/guest/lib/modes.h"
#include "tests/guest/lib/platform.h"
#include "tests/guest/lib/str.h"
#include "tests/guest/smp/t_smp.h"
#include "tests/guest/task/tss_race.h"

#define RUNS 240u /* of all CPUs together */

struct race {
	volatile u32 next, ready, done, cpus, rounds, owner, together, runs, refused, bad, late;
	u32 pad;
	u8 saved_gdtr[8], gdtr[8], idtr[8];
	u64 gdt[4 + SMP_MAX], idt[32];
	u8 main_tss[SMP_MAX][TSS32_BYTES], task_tss[TSS32_BYTES];
};

static_assert(offsetof(struct race, late) == RACE_LATE, "layout");
static_assert(offsetof(struct race, saved_gdtr) == RACE_SAVED_GDTR, "layout");
static_assert(offsetof(struct race, gdtr) == RACE_GDTR, "layout");
static_assert(offsetof(struct race, idtr) == RACE_IDTR, "layout");
static_assert(sizeof(struct race) <= RACE_STACKS, "layout");

extern u8 race_start[], race_boot_cpu[], race_task[], race_refused[], race_end[];

static struct race *race(void)
{
	return (struct race *)(uintptr_t)RACE_DATA;
}

static u32 low(const u8 *label)
{
	return (u32)(label - race_start) + RACE_CODE;
}

static u64 tss_desc(const void *tss)
{
	u32 base = (u32)(uintptr_t)tss;

	return FIELD_PREP(DESC_LIMIT_LOW, (u64)TSS32_BYTES - 1) |
	       FIELD_PREP(DESC_BASE_LOW, (u64)base) | FIELD_PREP(DESC_BASE_HIGH, base >> 24) |
	       DESC_P | FIELD_PREP(DESC_TYPE, (u64)DESC_TYPE_TSS_AVAIL);
}

static void table(u8 *ptr, const u64 *base, u32 bytes)
{
	u32 low_base = (u32)(uintptr_t)base;
	u16 limit = (u16)(bytes - 1);

	memcpy(ptr, &limit, 2);
	memcpy(ptr + 2, &low_base, 4);
}

static void tss_put(u32 offset, u32 val)
{
	memcpy(race()->task_tss + offset, &val, 4);
}

static void prepare(u32 cpus)
{
	struct race *r = race();
	u32 handler = low(race_refused);

	memcpy((void *)(uintptr_t)RACE_CODE, race_start, (size_t)(race_end - race_start));
	memset(r, 0, sizeof(*r));
	r->cpus = cpus;
	r->rounds = RUNS / cpus;
	r->next = 1;
	r->gdt[RACE_S_CODE / 8] = DESC_FLAT_CODE32;
	r->gdt[RACE_S_DATA / 8] = DESC_FLAT_DATA;
	r->gdt[RACE_S_TASK / 8] = tss_desc(r->task_tss);
	for (u32 i = 0; i < cpus; i++)
		r->gdt[RACE_S_MAIN / 8 + i] = tss_desc(r->main_tss[i]);
	r->idt[EXC_GP] = (u64)(handler >> 16) << 48 | 0x8e00ull << 32 | RACE_S_CODE << 16 |
			 (handler & 0xffff);
	table(r->gdtr, r->gdt, sizeof(r->gdt));
	table(r->idtr, r->idt, sizeof(r->idt));
	tss_put(TSS32_EIP, low(race_task));
	tss_put(TSS32_EFLAGS, 2);
	tss_put(TSS32_EAX + 4 * 4, RACE_DATA + RACE_STACKS + RACE_STACK * (SMP_MAX + 1));
	for (u32 i = 0; i < 6; i++)
		tss_put(TSS32_ES + 4 * i, i == 1 ? RACE_S_CODE : RACE_S_DATA);
}

static void task_race(void)
{
	const struct race *r = race();
	u32 cpus = smp_count(), esi;

	if (!smp_begin())
		return;
	prepare(cpus);
	for (u32 i = 1; i < cpus; i++)
		smp_send_init(i);
	delay_us(200);
	for (u32 i = 1; i < cpus; i++)
		smp_send_sipi(i, RACE_CODE >> 12);
	mode_run_at(low(race_boot_cpu));
	cpu_reload_tr();
	memcpy(&esi, r->task_tss + TSS32_EAX + 4 * 6, 4);
	tap_printf("# %u runs, %u refused\n", r->runs, r->refused);
	EXPECT_EQ(0, r->late);
	EXPECT_EQ(0, r->bad);
	EXPECT_EQ(0, r->together);
	EXPECT_EQ(RUNS / cpus * cpus, r->runs);
	EXPECT_EQ(r->runs, esi);
	EXPECT_GE(r->refused, 1);
}

static const struct test t_tss_race_tests[] = {
	{ .name = "smp_task_race", .run = task_race },
};
TEST_GROUP(t_tss_race);
