/* SPDX-License-Identifier: BSD-2-Clause */
/* boot/load/roles.c: what is recognised, what the prefixes do, and which mixtures are refused. */
#include "tests/host/harness.h"

#include "boot/load/load.h"
#include "boot/load/multiboot.h"

static u8 linux_image[0x300], mb_image[64], elf_image[64], junk[64];
static const u8 gzip[] = { 0x1f, 0x8b, 8, 0 };
static const u8 cpio[] = "070701cpio";
static char why[256];

static void images(void)
{
	u32 header[3] = { MB1_HEADER_MAGIC, 3, 0 - MB1_HEADER_MAGIC - 3 };

	memcpy(linux_image + 0x1fe, "\x55\xaa", 2);
	memcpy(linux_image + 0x202, "HdrS", 4);
	memcpy(mb_image + 32, header, sizeof(header));
	memcpy(elf_image, "\177ELF", 4);
	memset(junk, 0x77, sizeof(junk));
}

#define IMAGE(bytes, text)                                                           \
	{                                                                            \
		.data = (const u8 *)(bytes), .len = sizeof(bytes), .cmdline = (text) \
	}

static err_t assign(struct guest_image *img, u32 count)
{
	images();
	why[0] = '\0';
	return load_assign_roles(img, count, why, sizeof(why));
}

static void expect(err_t want, struct guest_image *img, u32 count)
{
	err_t err = assign(img, count);

	EXPECT_EQ(want, err);
}

static void test_by_content(void)
{
	struct guest_image img[] = { IMAGE(gzip, ""), IMAGE(linux_image, "quiet") };

	expect(ERR_NONE, img, 2);
	EXPECT_EQ(ROLE_INITRD, img[0].role);
	EXPECT_EQ(ROLE_KERNEL, img[1].role);
	EXPECT_STREQ("quiet", img[1].cmdline);
}

static void test_every_initramfs_format(void)
{
	static const u8 magics[][10] = { "070701",
					 "070702",
					 { 0x1f, 0x8b },
					 "\xfd"
					 "7zXZ",
					 { 0x28, 0xb5, 0x2f, 0xfd },
					 { 2, 0x21, 0x4c, 0x18 },
					 "BZh9",
					 { 0x89, 'L', 'Z', 'O', 0, 13, 10, 26, 10 },
					 { 0x5d, 0, 0 } };

	for (u32 i = 0; i < ARRAY_SIZE(magics); i++) {
		struct guest_image img[] = { IMAGE(linux_image, ""), IMAGE(magics[i], "") };

		expect(ERR_NONE, img, 2);
		EXPECT_EQ(ROLE_INITRD, img[1].role);
	}
}

static void test_prefixes_are_stripped_and_win(void)
{
	struct guest_image img[] = { IMAGE(linux_image, "module:  a b"),
				     IMAGE(linux_image, "kernel: root=/dev/sr0"),
				     IMAGE(junk, "initrd:") };

	expect(ERR_NONE, img, 3);
	EXPECT_EQ(ROLE_MODULE, img[0].role);
	EXPECT_STREQ("a b", img[0].cmdline);
	EXPECT_EQ(ROLE_KERNEL, img[1].role);
	EXPECT_STREQ("root=/dev/sr0", img[1].cmdline);
	EXPECT_EQ(ROLE_INITRD, img[2].role);
	EXPECT_STREQ("", img[2].cmdline);
}

static void test_a_named_one_beats_a_look_alike(void)
{
	struct guest_image img[] = { IMAGE(mb_image, "kernel: x"), IMAGE(mb_image, "kernels: y") };
	struct guest_image two[] = { IMAGE(linux_image, ""), IMAGE(gzip, ""),
				     IMAGE(cpio, "initrd:") };

	expect(ERR_NONE, img, 2);
	EXPECT_EQ(ROLE_KERNEL, img[0].role);
	EXPECT_EQ(ROLE_MODULE, img[1].role);
	EXPECT_STREQ("kernels: y", img[1].cmdline);
	expect(ERR_NONE, two, 3);
	EXPECT_EQ(ROLE_MODULE, two[1].role);
	EXPECT_EQ(ROLE_INITRD, two[2].role);
}

static void test_ambiguities_are_refused(void)
{
	struct guest_image kernels[] = { IMAGE(gzip, ""), IMAGE(linux_image, ""),
					 IMAGE(mb_image, "") };
	struct guest_image named[] = { IMAGE(linux_image, "kernel:"), IMAGE(junk, "kernel:") };
	struct guest_image initrds[] = { IMAGE(linux_image, ""), IMAGE(gzip, ""), IMAGE(cpio, "") };
	struct guest_image unknown[] = { IMAGE(linux_image, ""), IMAGE(junk, "") };

	expect(ERR_INVAL, kernels, 3);
	EXPECT_CONTAINS(why, "modules 2 and 3 both look like a kernel");
	EXPECT_CONTAINS(why, "kernel:");
	expect(ERR_INVAL, named, 2);
	expect(ERR_INVAL, initrds, 3);
	EXPECT_CONTAINS(why, "modules 2 and 3");
	EXPECT_CONTAINS(why, "initrd:");
	expect(ERR_INVAL, unknown, 2);
	EXPECT_CONTAINS(why, "module 2");
}

static void test_multiboot_guests_take_anything_as_modules(void)
{
	struct guest_image img[] = { IMAGE(gzip, ""), IMAGE(mb_image, "x"), IMAGE(junk, ""),
				     IMAGE(cpio, "") };

	expect(ERR_NONE, img, 4);
	EXPECT_EQ(ROLE_KERNEL, img[1].role);
	EXPECT_EQ(ROLE_MODULE, img[0].role);
	EXPECT_EQ(ROLE_MODULE, img[2].role);
	EXPECT_EQ(ROLE_MODULE, img[3].role);
}

static void test_an_archive_that_begins_with_an_image_is_an_archive(void)
{
	u8 archive[128] = "070701";
	struct guest_image img[] = { IMAGE(linux_image, ""), IMAGE(archive, "") };

	images();
	memcpy(archive + 64, mb_image, 64);
	expect(ERR_NONE, img, 2);
	EXPECT_EQ(ROLE_INITRD, img[1].role);
}

static void test_nothing_to_start(void)
{
	struct guest_image only_initrd[] = { IMAGE(gzip, "") };
	struct guest_image elf[] = { IMAGE(elf_image, "") };
	struct guest_image empty[] = { { .data = NULL, .len = 0, .cmdline = "" } };

	expect(ERR_NOENT, NULL, 0);
	EXPECT_CONTAINS(why, "module2");
	expect(ERR_NOENT, only_initrd, 1);
	EXPECT_CONTAINS(why, "no kernel");
	expect(ERR_NOENT, elf, 1);
	EXPECT_CONTAINS(why, "multiboot header");
	expect(ERR_NOENT, empty, 1);
}

TEST_MAIN(TEST(test_by_content), TEST(test_every_initramfs_format),
	  TEST(test_prefixes_are_stripped_and_win), TEST(test_a_named_one_beats_a_look_alike),
	  TEST(test_ambiguities_are_refused), TEST(test_multiboot_guests_take_anything_as_modules),
	  TEST(test_an_archive_that_begins_with_an_image_is_an_archive),
	  TEST(test_nothing_to_start))
