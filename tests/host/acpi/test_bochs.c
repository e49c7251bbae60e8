/* SPDX-License-Identifier: BSD-2-Clause */
/* boot/acpi/bochs.c: the emulator is recognised under any firmware, and nothing else is taken for
 * it. */
#include "tests/host/harness.h"

#include "boot/acpi/bochs.h"

static const u8 bochs[36] = "RSD PTR \0BOCHS ", grub[36] = "RSD PTR \0GRUB  ",
		dell[36] = "RSD PTR \0DELL  ";

static void test_what_is_taken_for_bochs(void)
{
	static const struct {
		struct bochs_facts f;
		bool is_it;
		const char *what;
	} machines[] = {
		{ { false, bochs, 0x12378086 }, true, "its BIOS" },
		{ { false, grub, 0x12378086 }, true, "OVMF, tables by GRUB" },
		{ { false, NULL, 0x12378086 }, true, "OVMF, no tables" },
		{ { false, NULL, 0x122d8086 }, true, "chipset=i430fx" },
		{ { false, NULL, 0x71908086 }, true, "chipset=i440bx" },
		{ { false, bochs, 0xffffffff }, true, "no PCI" },
		{ { true, bochs, 0x12378086 }, false, "QEMU" },
		{ { true, NULL, 0x71908086 }, false, "VMware" },
		{ { false, dell, 0x191f8086 }, false, "a Skylake desktop" },
		{ { false, NULL, 0xffffffff }, false, "no PCI, no tables" },
	};

	for (u32 i = 0; i < ARRAY_SIZE(machines); i++) {
		bool is_it = bochs_is_it(&machines[i].f);

		EXPECT_STREQ(machines[i].is_it ? machines[i].what : "",
			     is_it ? machines[i].what : "");
	}
}

TEST_MAIN(TEST(test_what_is_taken_for_bochs))
