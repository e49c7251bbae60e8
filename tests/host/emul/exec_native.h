/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The processor this test runs on, beside the emulated page of exec_sim.h: the same bytes run
 * natively on a buffer. Instructions are written as text: ROW() keeps it, EMIT() has the assembler
 * put the bytes, behind their number, into a section.
 */
#pragma once

#include <sys/mman.h>

#include "tests/host/emul/exec_sim.h"

struct row {
	const char *text;
	u64 flags; /* the defined ones; of a string: it compares; of a vector move: its alignment */
};

/* clang-format off */
#define ROW(text, flags) { text, flags },
#define EMIT(section, text) \
	__asm__(".pushsection " section ",\"a\"\n.byte 8f - 7f\n7: " text "\n8:\n.popsection");
/* clang-format on */

/* Memory that may run, with @bytes and a RET in it. */
static inline const void *native_code(const u8 *bytes, u32 len)
{
	static u8 *code;

	if (code == NULL) {
		code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		EXPECT_TRUE(code != MAP_FAILED);
	}
	memcpy(code, bytes, len);
	code[len] = 0xc3; /* ret */
	return code;
}

/* Three pages: RAM, the emulated one, RAM. */
static u8 buffer[3 * PAGE_SIZE] ALIGNED(4096);

/* The guest's memory is what the buffer is. */
static inline void copy_to_guest(void)
{
	memcpy(paged_ram + PREV_GPA, buffer, PAGE_SIZE);
	memcpy(page, buffer + PAGE_SIZE, PAGE_SIZE);
	memcpy(paged_ram + NEXT_GPA, buffer + 2 * PAGE_SIZE, PAGE_SIZE);
}

static inline void fill_random(void)
{
	for (size_t i = 0; i < sizeof(buffer); i++)
		buffer[i] = (u8)test_rng();
	copy_to_guest();
}

static inline void expect_same_memory(void)
{
	EXPECT_MEMEQ(paged_ram + PREV_GPA, buffer, PAGE_SIZE);
	EXPECT_MEMEQ(page, buffer + PAGE_SIZE, PAGE_SIZE);
	EXPECT_MEMEQ(paged_ram + NEXT_GPA, buffer + 2 * PAGE_SIZE, PAGE_SIZE);
}

/* GVA @linear as the buffer sees it. */
static inline u64 host_of(u64 linear)
{
	return (u64)(uintptr_t)buffer + (linear - PREV_GVA);
}

/* The address the CPU reports for an access at @linear: the first byte on the emulated page. */
static inline u64 reported_gpa(u64 linear)
{
	return linear < PAGE_GVA ? PAGE_GPA : PAGE_GPA + (linear - PAGE_GVA);
}
