/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * boot/load/bzimage.c: a file that is cut or changed is refused, and so is a kernel that cannot
 * start here, each with its remedy; signed and newer kernels are not.
 */
#include "tests/host/load/bz_sim.h"

static void test_every_truncation_is_refused(void)
{
	build();
	machine(96, 0x300000, 0, 0);
	for (u64 len = BP_VERSION + 2; len < sizeof(image); len += 1 + test_rng() % 97) {
		kernel.len = len;
		expect_refused(len > sizeof(image) - BP_PARAGRAPH ? "CRC" : "truncated");
	}
}

/* memtest86+ 6.10: syssize is in paragraphs, and the file ends in the middle of the last one. */
static void test_image_ends_inside_its_last_paragraph(void)
{
	for (u32 cut = 0; cut <= BP_PARAGRAPH; cut++) {
		build();
		memcpy(image + RELEASE + 0x200, "Memtest86+ v6.10", 17); /* no Linux: no CRC-32 */
		machine(96, 0x300000, 0, 0);
		kernel.len = sizeof(image) - cut;
		if (cut == BP_PARAGRAPH) {
			expect_refused("truncated");
			continue;
		}
		/* What lies behind the file is not the kernel's. */
		memset(sim + 0x300000 + kernel.len, 0xee, 64);
		expect_load();
		EXPECT_MEMEQ(image + SETUP_LEN, sim + PREF, CODE_LEN - cut);
	}
}

/* Fields that Secure Boot signing changes, and the release that says whether there is a CRC. */
static bool is_not_covered(u64 at)
{
	return (at >= PE + 24 + 64 && at < PE + 24 + 68) ||
	       (at >= PE + 24 + 112 + 32 && at < PE + 24 + 112 + 40) ||
	       (at >= RELEASE + 0x200 && at < RELEASE + 0x210) ||
	       (at >= BP_KERNEL_VERSION && at < BP_KERNEL_VERSION + 2);
}

static void test_every_flipped_bit_is_refused(void)
{
	for (u32 i = 0; i < 400; i++) {
		u64 at = test_rng() % (i % 2 != 0 ? SETUP_LEN : sizeof(image));
		err_t err;

		if (is_not_covered(at))
			continue;
		build();
		image[at] ^= (u8)(1u << test_rng() % 8);
		machine(96, 0x300000, 0, 0);
		err = load_plan_guest(&in, &sim_plan);
		EXPECT_NE(ERR_NONE, err);
	}
}

static void test_signed_and_newer_kernels_are_accepted(void)
{
	build();
	memset(image + PE + 24 + 64, 0x5a, 4);       /* PE checksum */
	memset(image + PE + 24 + 112 + 32, 0xa5, 8); /* certificate table */
	machine(96, 0x300000, 0, 0);
	expect_load();
	image[SETUP_LEN + 1000] ^= 1;
	machine(96, 0x300000, 0, 0);
	expect_refused("CRC-32 is wrong");
	/* Linux 6.15 has no CRC any more. */
	memcpy(image + RELEASE + 0x200, "6.15.3", 6);
	machine(96, 0x300000, 0, 0);
	expect_load();
	memcpy(image + RELEASE + 0x200, "7.0.0 ", 6);
	machine(96, 0x300000, 0, 0);
	expect_load();
	memcpy(image + RELEASE + 0x200, "6.14.9", 6);
	machine(96, 0x300000, 0, 0);
	expect_refused("CRC-32 is wrong");
}

static void test_refusals_name_the_remedy(void)
{
	static char text[3000];

	build();
	header()->xloadflags = 0;
	machine(96, 0x300000, 0, 0);
	expect_refused("no 64-bit entry");
	build();
	header()->version = 0x205;
	machine(96, 0x300000, 0, 0);
	expect_refused("boot protocol 2.05");
	build();
	header()->init_size = 100u << 20;
	seal();
	machine(96, 0x300000, 0, 0);
	expect_refused("need 100 + 0 MiB");
	expect_refused("has 94 MiB");
	build();
	machine(32, 0x300000, 0x400000, sizeof(initrd_bytes));
	initrd.len = 20u << 20; /* as if it were that large */
	expect_refused("need 8 + 20 MiB");
	build();
	machine(96, 0x300000, 0, 0);
	memset(text, 'x', sizeof(text) - 1);
	text[2048] = '\0';
	kernel.cmdline = text;
	expect_refused("2048 characters");
	text[2047] = '\0';
	expect_load();
	header()->cmdline_size = 255;
	seal();
	machine(96, 0x300000, 0, 0);
	kernel.cmdline = text;
	expect_refused("takes 255");
}

TEST_MAIN(TEST(test_every_truncation_is_refused), TEST(test_image_ends_inside_its_last_paragraph),
	  TEST(test_every_flipped_bit_is_refused), TEST(test_signed_and_newer_kernels_are_accepted),
	  TEST(test_refusals_name_the_remedy))
