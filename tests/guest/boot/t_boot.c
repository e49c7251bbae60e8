// SPDX-License-Identifier: BSD-2-Clause
// What a multiboot 1 loader must hand over.

#include "core/lib/bits.h"
#include "tests/guest/groups.h"
#include "tests/guest/lib/boot.h"

extern u8 guest_end[];

static void boot_magic(void)
{
	EXPECT_EQ(MB1_BOOT_MAGIC, boot.magic);
	EXPECT_TRUE((boot.flags & 1) != 0);
	EXPECT_TRUE((boot.flags & BIT32(2)) != 0);
	EXPECT_TRUE((boot.flags & BIT32(6)) != 0);
}

static void boot_memory(void)
{
	EXPECT_GE(boot.mem_lower, 600);
	EXPECT_LE(boot.mem_lower, 640);
	EXPECT_GE(boot.mem_upper, 8 * 1024);
	EXPECT_TRUE(boot.mmap_count >= 2);
	EXPECT_TRUE(boot_is_ram(MIB(4), (u64)(uintptr_t)guest_end - MIB(4)));
	EXPECT_TRUE(boot_is_ram(MIB(1), (u64)boot.mem_upper << 10));
}

/* The map is sorted enough to be used: no RAM range overlaps another range. */
static void boot_map_disjoint(void)
{
	for (u32 i = 0; i < boot.mmap_count; i++) {
		const struct boot_range *a = &boot.mmap[i];

		EXPECT_TRUE(a->len != 0);
		for (u32 j = 0; j < boot.mmap_count; j++) {
			const struct boot_range *b = &boot.mmap[j];

			if (i != j && a->type == 1 && a->base < b->base + b->len &&
			    b->base < a->base + a->len)
				EXPECT_EQ(a->base, b->base);
		}
	}
}

static u8 zeros[MIB(3)]; /* far more than the file has */

static void boot_bss_is_zero(void)
{
	u32 n = 0;

	while (n < sizeof(zeros) && READ_ONCE(zeros[n]) == 0)
		n++;
	EXPECT_EQ(sizeof(zeros), n);
}

static const struct test t_boot_tests[] = {
	{ .name = "boot_multiboot_magic", .run = boot_magic },
	{ .name = "boot_memory", .run = boot_memory },
	{ .name = "boot_map_disjoint", .run = boot_map_disjoint },
	{ .name = "boot_bss_is_zero", .run = boot_bss_is_zero },
};
TEST_GROUP(t_boot);
