/* SPDX-License-Identifier: BSD-2-Clause */
/* boot/load/plan.c and load_execute(): any set of moves ends as if all had happened at once. */
#include "tests/host/load/load_sim.h"

#define AREA_PA  (2u << 20)
#define AREA_LEN 4096u

static struct load_copy steps[LOAD_COPIES_MAX];

static void refill(void)
{
	for (u32 i = 0; i < AREA_LEN; i++)
		sim[AREA_PA + i] = (u8)test_rng();
}

static bool dst_is_free(u32 count, u64 dst, u64 len)
{
	for (u32 i = 0; i < count; i++) {
		u64 other = steps[i].len + steps[i].zero_len + steps[i].room;

		if (dst < steps[i].dst + other && steps[i].dst < dst + len)
			return false;
	}
	return true;
}

/* Random sources, random disjoint destinations, all in one small area so that most collide. */
static u32 random_steps(u32 want)
{
	u32 count = 0;

	for (u32 tries = 0; tries < 200 && count < want; tries++) {
		u64 len = test_rng() % 300;
		u64 zero = test_rng() % 3 == 0 ? test_rng() % 100 : 0;
		u64 room = test_rng() % 5 == 0 ? test_rng() % 50 : 0;
		u64 src = AREA_PA + test_rng() % (AREA_LEN - len);
		u64 dst = AREA_PA + test_rng() % (AREA_LEN - len - zero - room);

		if (test_rng() % 8 == 0)
			dst = src; /* stays in place */
		if (dst + len + zero + room > AREA_PA + AREA_LEN ||
		    !dst_is_free(count, dst, len + zero + room))
			continue;
		if (test_rng() % 10 == 0) {
			src = ~0ull;
			zero += len;
			len = 0;
		}
		steps[count++] = (struct load_copy){
			.dst = dst, .src = src, .len = len, .zero_len = zero, .room = room
		};
	}
	return count;
}

static void test_random_overlaps_end_as_if_simultaneous(void)
{
	u32 staged = 0;

	sim_machine(8);
	for (u32 i = 0; i < 1500; i++) {
		u32 count = random_steps((u32)(test_rng() % 24) + 1);
		err_t err;

		refill();
		memset(&sim_plan, 0, sizeof(sim_plan));
		memcpy(sim_plan.copy, steps, count * sizeof(steps[0]));
		sim_plan.count = count;
		err = plan_order(&sim_plan, &sim_map);
		EXPECT_EQ(ERR_NONE, err);
		staged += sim_plan.count > count;
		memcpy(sim_before + AREA_PA, sim + AREA_PA, AREA_LEN);
		load_execute(&sim_plan);
		sim_check_steps(steps, count);
	}
	EXPECT_GE(staged, 100); /* the interesting case was there */
}

static void test_swap_needs_and_gets_a_third_place(void)
{
	struct load_input in = { .memory = &sim_map };
	err_t err;

	sim_machine(8);
	err = plan_begin(&sim_plan, &in);
	err |= plan_copy(&sim_plan, 0x200000, 0x300000, 0x1000, 0);
	err |= plan_copy(&sim_plan, 0x300000, 0x200000, 0x1000, 0);
	err |= plan_order(&sim_plan, &sim_map);
	EXPECT_EQ(0u, (u32)err);
	EXPECT_EQ(3, sim_plan.count);
	memset(sim + 0x200000, 2, 0x1000);
	memset(sim + 0x300000, 3, 0x1000);
	load_execute(&sim_plan);
	EXPECT_EQ(3, sim[0x200fff]);
	EXPECT_EQ(2, sim[0x300fff]);
}

static void test_swap_without_a_third_place_is_refused(void)
{
	struct load_input in = { .memory = &sim_map };
	err_t err;

	sim_machine(4);
	err = plan_begin(&sim_plan, &in);
	err |= plan_copy(&sim_plan, 0x100000, 0x270000, 0x170000, 0);
	err |= plan_copy(&sim_plan, 0x270000, 0x100000, 0x170000, 0);
	EXPECT_EQ(0u, (u32)err);
	err = plan_order(&sim_plan, &sim_map);
	EXPECT_EQ(ERR_NOMEM, err);
	EXPECT_CONTAINS(sim_plan.why, "2 MiB");
	EXPECT_CONTAINS(sim_plan.why, "add memory");
}

static void expect_refused(u64 dst, u64 len, const char *text)
{
	err_t err = plan_copy(&sim_plan, dst, 0x200000, len, 0);

	if (err == ERR_NONE)
		err = plan_order(&sim_plan, &sim_map);
	EXPECT_NE(ERR_NONE, err);
	EXPECT_CONTAINS(sim_plan.why, text);
	memset(&sim_plan, 0, sizeof(sim_plan));
}

static void test_destinations_must_be_free_ram(void)
{
	err_t err;

	sim_machine(8);
	memset(&sim_plan, 0, sizeof(sim_plan));
	expect_refused(0x9f000, 0x1000, "not free RAM");
	expect_refused(0xa0000, 1, "not free RAM");
	expect_refused(4u << 20, 1, "not free RAM"); /* our region */
	expect_refused(8u << 20, 1, "not free RAM");
	expect_refused(~0ull - 10, 20, "wraps");
	err = plan_copy(&sim_plan, 0x200800, 0, 16, 0);
	EXPECT_EQ(ERR_NONE, err);
	expect_refused(0x200000, 0x801, "overlap");
	for (u32 i = 0; i < LOAD_COPIES_MAX; i++) {
		err = plan_copy(&sim_plan, 0x200000 + i, 0x300000, 1, 0);
		EXPECT_EQ(ERR_NONE, err);
	}
	expect_refused(0x280000, 1, "fewer segments");
}

static void test_images_stay_where_they_can(void)
{
	struct guest_image img = { .start = { 0x300000 }, .len = 0x2001 };
	struct load_input in = { .memory = &sim_map, .initrd = &img };
	u64 at;
	err_t err;

	sim_machine(8);
	err = plan_begin(&sim_plan, &in);
	err |= plan_place_image(&sim_plan, &in, &img, LOAD_4G, &at);
	EXPECT_EQ(0u, (u32)err);
	EXPECT_EQ(0x300000, at);
	for (u32 variant = 0; variant < 3; variant++) {
		img.start.v = variant == 0 ? 0x300010 : 0x300000;
		err = plan_begin(&sim_plan, &in);
		if (variant == 1) /* something will be written over it */
			err |= plan_copy(&sim_plan, 0x302000, 0, 1, 0);
		err |= plan_place_image(&sim_plan, &in, &img, variant == 2 ? 0x302000 : LOAD_4G,
					&at);
		EXPECT_EQ(0u, (u32)err);
		EXPECT_EQ(0, at % 4096);
		EXPECT_TRUE(at + img.len <= 0x300000 || at >= 0x303000);
		err = plan_order(&sim_plan, &sim_map);
		EXPECT_EQ(ERR_NONE, err);
	}
}

static void test_unknown_kernel_is_refused(void)
{
	static u8 junk[100];
	struct guest_image k = { .data = junk, .len = sizeof(junk), .cmdline = "" };
	struct load_input in = { .memory = &sim_map, .kernel = &k };

	sim_machine(8);
	EXPECT_EQ(ERR_NOENT, load_plan_guest(&in, &sim_plan));
	EXPECT_CONTAINS(sim_plan.why, "neither");
}

TEST_MAIN(TEST(test_random_overlaps_end_as_if_simultaneous),
	  TEST(test_swap_needs_and_gets_a_third_place),
	  TEST(test_swap_without_a_third_place_is_refused),
	  TEST(test_destinations_must_be_free_ram), TEST(test_images_stay_where_they_can),
	  TEST(test_unknown_kernel_is_refused))
