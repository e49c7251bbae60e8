/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The information that a multiboot 2 boot loader hands to us, written tag by tag, and what
 * mb2_parse() makes of it.
 */
#pragma once

#include "tests/host/harness.h"

#include "boot/load/boot_info.h"

static u8 buf[65536];
static u32 used;
static struct boot_info bi;
static const char *why;

static inline void begin(void)
{
	memset(buf, 0, sizeof(buf));
	used = 8;
}

static inline void tag(u32 type, const void *data, u32 len)
{
	u32 head[2] = { type, len + 8 };

	memcpy(buf + used, head, 8);
	if (len != 0)
		memcpy(buf + used + 8, data, len);
	used += (len + 8 + 7) & ~7u;
}

static inline void mmap_tag(const u64 (*entries)[3], u32 count)
{
	static u8 data[8 + 400 * 24];
	u32 head[2] = { 24, 0 };

	memcpy(data, head, 8);
	for (u32 i = 0; i < count; i++) {
		memcpy(data + 8 + i * 24, entries[i], 16);
		memcpy(data + 8 + i * 24 + 16, &entries[i][2], 8);
	}
	tag(6, data, 8 + count * 24);
}

static inline void module_tag(u32 start, u32 end, const char *string)
{
	u8 data[64];
	u32 head[2] = { start, end };

	memcpy(data, head, 8);
	memcpy(data + 8, string, strlen(string) + 1);
	tag(3, data, 8 + (u32)strlen(string) + 1);
}

static const u64 two_ranges[][3] = { { 0, 0x9f000, E820_RAM }, { 0x100000, 0x1ff00000, E820_RAM } };

/* The bytes are parsed from an exact-size heap copy, so that ASan sees every overread. */
static inline err_t parse_raw(u32 len)
{
	u8 *copy = malloc(len == 0 ? 1 : len);
	err_t err;

	memcpy(copy, buf, len);
	why = NULL;
	err = mb2_parse(copy, len, &bi, &why);
	free(copy);
	EXPECT_TRUE((err == ERR_NONE) == (why == NULL));
	return err;
}

static inline err_t parse(void)
{
	tag(0, NULL, 0);
	memcpy(buf, &used, 4);
	return parse_raw(used);
}

static inline void expect_ok(void)
{
	err_t err = parse();

	EXPECT_EQ(ERR_NONE, err);
}

static inline void expect_why(const char *text)
{
	err_t err = parse();

	EXPECT_NE(ERR_NONE, err);
	EXPECT_CONTAINS(why, text);
}
