/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * boot/load/disk.c's program, boot/disk_stub.S, from VP 0's first instruction to the boot sector,
 * or to the line that says why not.
 */
#include "tests/host/load/disk_bios.h"

#if HAVE_UNICORN

/* From VP 0's first instruction until the boot sector's, or a line that says why not. */
static void boot(void)
{
	for (u32 i = 0; i < GPRS; i++)
		set_reg(reg_ids[i], 0xdead0000 | i);
	set_reg(UC_X86_REG_EFLAGS, 2);
	set_reg(UC_X86_REG_CS, STUB >> 4);
	EXPECT_EQ(UC_ERR_OK, uc_emu_start(uc, STUB, 0x7c00, 0, STEPS_MAX));
}

static void test_boot(void)
{
	static const u32 zero[] = { BX, CX, SI, BP };

	for (u32 errors = 0; errors < 3; errors++) {
		start_usual();
		read_errors = errors;
		boot();
		EXPECT_EQ(0x7c00, (reg(UC_X86_REG_CS) << 4) + (reg(UC_X86_REG_EIP) & 0xffff));
		EXPECT_EQ(0, reg(UC_X86_REG_CS));
		EXPECT_EQ(0, reg(UC_X86_REG_DS));
		EXPECT_EQ(0, reg(UC_X86_REG_SS));
		EXPECT_EQ(0x7c00, reg(UC_X86_REG_ESP) & 0xffff);
		EXPECT_EQ(0xaa55, reg(UC_X86_REG_EAX) & 0xffff);
		EXPECT_EQ(0x80, reg(UC_X86_REG_EDX) & 0xffff);
		EXPECT_EQ(0xf000, reg(UC_X86_REG_ES));
		EXPECT_EQ(0xbc40, reg(UC_X86_REG_EDI) & 0xffff);
		EXPECT_EQ(0x200, reg(UC_X86_REG_EFLAGS) & 0x600);
		for (u32 i = 0; i < ARRAY_SIZE(zero); i++)
			EXPECT_EQ(0, reg(reg_ids[zero[i]]) & 0xffff);
		EXPECT_EQ(errors * 2 + 1, calls[0x13]);
		EXPECT_EQ(1, calls[0x10]);
		EXPECT_EQ(0, com1_len);
	}
}

static void expect_message(const char *text)
{
	EXPECT_CONTAINS(screen, text);
	EXPECT_STREQ(screen, com1);
	EXPECT_EQ('\n', screen[screen_len - 1]);
	EXPECT_NE(0x7c00, (reg(UC_X86_REG_CS) << 4) + (reg(UC_X86_REG_EIP) & 0xffff));
}

static void test_boot_fails(void)
{
	start_usual();
	read_errors = 3;
	boot();
	expect_message("cannot read the first sector of disk 80h (INT 13h status 20h); check");
	EXPECT_EQ(6, calls[0x13]);

	start_usual();
	poke(0x475, 0);
	boot();
	expect_message("knows no hard disk; attach one");
	EXPECT_EQ(0, calls[0x13]);

	start_usual();
	fw_signature = 0x55aa;
	boot();
	expect_message("does not end with 55 AA");
	EXPECT_EQ(1, calls[0x13]);
}

static void test_boot_fails_without_com1(void)
{
	start_usual();
	start(&map, 0);
	poke(0x475, 0);
	boot();
	EXPECT_CONTAINS(screen, "knows no hard disk");
	EXPECT_EQ(0, com1_len);
}

TEST_MAIN(TEST(test_boot), TEST(test_boot_fails), TEST(test_boot_fails_without_com1))

#else

TEST_MAIN(TEST(test_unicorn_is_installed))

#endif
