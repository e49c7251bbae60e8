/* SPDX-License-Identifier: BSD-2-Clause */
/* Shared by the loader fuzzers: a small machine, and what must hold for any plan that is accepted.
 */
#pragma once

#include <stdlib.h>
#include <string.h>

#include "boot/load/plan.h"

#define FUZZ_KERNEL_PA 0x300000ull
#define FUZZ_MODULE_PA 0x400000ull

static struct e820_map fuzz_map;
static struct load_plan fuzz_plan;

static inline void fuzz_check(bool ok)
{
	if (!ok)
		abort();
}

static inline void fuzz_machine(void)
{
	fuzz_map.count = 0;
	fuzz_check(e820_add(&fuzz_map, 0, 0x9fc00, E820_RAM) == ERR_NONE);
	fuzz_check(e820_add(&fuzz_map, MIB(1), MIB(63), E820_RAM) == ERR_NONE);
	fuzz_check(e820_reserve(&fuzz_map, MIB(60), MIB(2), E820_RESERVED) == ERR_NONE);
}

/* A copy that breaks a cycle: @later reads exactly what it put aside. */
static inline bool fuzz_is_staged(const struct load_copy *c, const struct load_copy *later)
{
	return c->blob == NULL && c->src != ~0ull && c->zero_len == 0 && later->src == c->dst &&
	       later->len == c->len;
}

/* Every step writes RAM only, and no step destroys what a later one reads. */
static inline void fuzz_check_plan(void)
{
	const struct load_plan *p = &fuzz_plan;

	for (u32 i = 0; i < p->count; i++) {
		const struct load_copy *c = &p->copy[i];
		u64 len = c->len + c->zero_len;

		fuzz_check(len == 0 || e820_is_type(&fuzz_map, c->dst, len, E820_RAM));
		for (u32 j = i + 1; j < p->count; j++) {
			const struct load_copy *later = &p->copy[j];

			if (later->blob != NULL || later->src == ~0ull || later->len == 0 ||
			    fuzz_is_staged(c, later))
				continue;
			fuzz_check(later->src >= c->dst + len || c->dst >= later->src + later->len);
		}
	}
	fuzz_check(e820_is_type(&fuzz_map, p->rip, 1, E820_RAM));
}

/* The first bytes of @data choose the command line and the module; the rest is the kernel image. */
static inline void fuzz_load(const u8 *data, size_t len)
{
	struct guest_image kernel = { .start = { FUZZ_KERNEL_PA }, .cmdline = "console=ttyS0" };
	struct guest_image module = { .start = { FUZZ_MODULE_PA }, .cmdline = "m" };
	struct load_input in = { .kernel = &kernel, .module = &module, .memory = &fuzz_map };

	if (len < 4)
		return;
	module.len = (u64)data[0] << (data[1] % 20);
	module.data = data; /* its content is never looked at */
	module.start.v += (u64)data[2] << 12;
	kernel.start.v += (u64)data[3] << 14;
	if ((data[1] & 0x80) != 0)
		in.initrd = &module;
	else
		in.module_count = 1;
	kernel.data = data + 4;
	kernel.len = len - 4;
	fuzz_machine();
	memset(fuzz_plan.why, 0, sizeof(fuzz_plan.why));
	if (load_plan_guest(&in, &fuzz_plan) != ERR_NONE)
		fuzz_check(fuzz_plan.why[0] != '\0');
	else
		fuzz_check_plan();
}
