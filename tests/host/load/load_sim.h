/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A machine's RAM for the loader tests. load_execute() works on it through hw_phys_to_virt(); what
 * it must have produced is computed from a snapshot, all steps at once: order cannot matter there.
 */
#pragma once

#include "tests/host/harness.h"

#include "boot/load/plan.h"
#include "core/hw.h"

#define SIM_MIB 96u
#define SIM_LEN (SIM_MIB << 20)

static u8 *sim, *sim_before;
static struct e820_map sim_map;
static struct load_plan sim_plan;

void *hw_phys_to_virt(hpa_t pa)
{
	return sim + pa.v;
}

/* A PC with @mib of RAM: a hole under 1 MiB, ACPI tables at the end, and our region below them. */
static inline void sim_machine(u32 mib)
{
	u64 top = (u64)mib << 20;
	err_t err = ERR_NONE;

	if (sim == NULL) {
		sim = calloc(1, SIM_LEN);
		sim_before = calloc(1, SIM_LEN);
	}
	sim_map.count = 0;
	err |= e820_add(&sim_map, 0, 0x9fc00, E820_RAM);
	err |= e820_add(&sim_map, 0x9fc00, 0x400, E820_RESERVED);
	err |= e820_add(&sim_map, 0xf0000, 0x10000, E820_RESERVED);
	err |= e820_add(&sim_map, 0x100000, top - 0x110000, E820_RAM);
	err |= e820_add(&sim_map, top - 0x10000, 0x10000, E820_ACPI);
	err |= e820_normalise(&sim_map);
	if (mib >= 8)
		err |= e820_reserve(&sim_map, top - (4u << 20), 2u << 20, E820_RESERVED);
	EXPECT_EQ(0u, (u32)err);
}

/* @data becomes a module at @pa. */
static inline struct guest_image sim_image(u64 pa, const void *data, u64 len, const char *cmdline)
{
	EXPECT_LE(pa + len, SIM_LEN);
	memcpy(sim + pa, data, len);
	return (struct guest_image){
		.data = sim + pa, .start = hpa(pa), .len = len, .cmdline = cmdline
	};
}

/* After the execution every one of @steps holds, judged by the memory before it. */
static inline void sim_check_steps(const struct load_copy *steps, u32 count)
{
	for (u32 i = 0; i < count; i++) {
		const struct load_copy *c = &steps[i];
		u64 bad = 0;

		if (c->blob != NULL)
			EXPECT_MEMEQ(c->blob, sim + c->dst, c->len);
		else if (c->src != ~0ull && c->len != 0)
			EXPECT_MEMEQ(sim_before + c->src, sim + c->dst, c->len);
		for (u64 k = 0; k < c->zero_len; k++)
			bad += sim[c->dst + c->len + k] != 0;
		EXPECT_EQ(0, bad);
	}
}

/* Plan for @in, then execute; ERR_NONE, or why is in sim_plan. */
static inline err_t sim_load(const struct load_input *in)
{
	err_t err = load_plan_guest(in, &sim_plan);

	memcpy(sim_before, sim, SIM_LEN);
	if (err == ERR_NONE)
		load_execute(&sim_plan);
	return err;
}

/* Nothing but RAM was written. */
static inline void sim_expect_only_ram_written(void)
{
	for (u32 i = 0; i < sim_map.count; i++) {
		const struct e820_entry *e = &sim_map.e[i];

		if (e->type != E820_RAM)
			EXPECT_MEMEQ(sim_before + e->base, sim + e->base, e->len);
	}
}

/* @in loads: everything ends up where it belongs, and nowhere else. */
static inline void sim_expect_load(const struct load_input *in)
{
	err_t err = sim_load(in);

	if (err != ERR_NONE)
		print_error("%s\n", sim_plan.why);
	EXPECT_EQ(ERR_NONE, err);
	sim_expect_only_ram_written();
}

/* @in is refused, with @text in the reason, which is a whole sentence. */
static inline void sim_expect_refused(const struct load_input *in, const char *text)
{
	EXPECT_NE(ERR_NONE, sim_load(in));
	EXPECT_CONTAINS(sim_plan.why, text);
	EXPECT_LE(strlen(sim_plan.why), sizeof(sim_plan.why) - 2);
}

/* Every step of the plan writes RAM, and the guest starts in RAM. */
static inline void sim_check_plan(void)
{
	for (u32 i = 0; i < sim_plan.count; i++) {
		const struct load_copy *c = &sim_plan.copy[i];
		u64 len = c->len + c->zero_len;

		EXPECT_TRUE(len == 0 || e820_is_type(&sim_map, c->dst, len, E820_RAM));
	}
	EXPECT_TRUE(e820_is_type(&sim_map, sim_plan.rip, 1, E820_RAM));
}

/**
 * sim_survives() - @in, of any damage, is refused in words, or loads into RAM.
 *
 * The kernel is read from a heap copy of exactly its size, so that ASan sees every overread. True:
 * it was loaded.
 */
static inline bool sim_survives(const struct load_input *in)
{
	struct guest_image exact = *in->kernel;
	struct load_input exact_in = *in;
	u8 *copy = malloc(exact.len);
	err_t err;

	memcpy(copy, exact.data, exact.len);
	exact.data = copy;
	exact_in.kernel = &exact;
	sim_plan.why[0] = '\0';
	err = load_plan_guest(&exact_in, &sim_plan);
	free(copy);
	EXPECT_EQ(err != ERR_NONE, sim_plan.why[0] != '\0');
	if (err != ERR_NONE)
		return false;
	sim_check_plan();
	load_execute(&sim_plan);
	return true;
}
