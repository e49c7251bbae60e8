/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An emulated page between two pages of RAM, in the guest of paged.h, for the tests of the
 * executor.
 */
#pragma once

#include "tests/host/harness.h"

#include "core/emul/emul_internal.h"
#include "tests/host/fakes/paged.h"

#define PAGE_GPA 0xfee00000ull
#define PAGE_GVA 0x7000000000ull
#define NEXT_GVA (PAGE_GVA + PAGE_SIZE) /* RAM behind it */
#define NEXT_GPA 0x80000ull
#define PREV_GVA (PAGE_GVA - PAGE_SIZE) /* RAM before it */
#define PREV_GPA 0x81000ull
#define RW       (PTE_P | PTE_W | PTE_U)

static u8 page[PAGE_SIZE];
static u32 page_reads, page_writes;

static inline u64 page_read(struct vp *vp, u64 gpa, u32 size)
{
	u64 val = 0;

	page_reads++;
	EXPECT_EQ(PAGE_GPA, gpa & PAGE_MASK);
	EXPECT_LE((gpa & ~PAGE_MASK) + size, PAGE_SIZE);
	memcpy(&val, page + (gpa & ~PAGE_MASK), size);
	return val;
}

static inline void page_write(struct vp *vp, u64 gpa, u32 size, u64 val)
{
	page_writes++;
	EXPECT_EQ(PAGE_GPA, gpa & PAGE_MASK);
	EXPECT_LE((gpa & ~PAGE_MASK) + size, PAGE_SIZE);
	memcpy(page + (gpa & ~PAGE_MASK), &val, size);
}

static const struct emul_mem mem = { page_read, page_write };

static inline void setup(void)
{
	paged_reset(EMUL_64);
	paged_map(PAGE_GVA, PAGE_GPA, RW);
	paged_map(NEXT_GVA, NEXT_GPA, RW);
	paged_map(PREV_GVA, PREV_GPA, RW);
	page_reads = 0;
	page_writes = 0;
}

static inline enum exit_action emulate(u64 gpa)
{
	enum exit_action action = emul_execute(&paged_vp, gpa, &mem);

	EXPECT_NE(EXIT_UNHANDLED, action);
	return action;
}

/* Put the bytes of one instruction where RIP points. */
static inline void code(const void *bytes, u32 len)
{
	paged_code(0x100, bytes, len);
}

#define CODE(...) code((const u8[]){ __VA_ARGS__ }, sizeof((const u8[]){ __VA_ARGS__ }))
