/* SPDX-License-Identifier: BSD-2-Clause */
/* boot/acpi/aml.c: the sleep types, in every way that AML writes a small number. */
#include "tests/host/harness.h"

#include "boot/acpi/tables.h"
#include "core/lib/bits.h"

static void test_aml_constants(void)
{
	static const struct {
		u8 element[5];
		s32 want;
	} rows[] = {
		{ { 0 }, 0 },          { { 1 }, 1 },
		{ { 0x0a, 6 }, 6 },    { { 0x0b, 7, 0 }, 7 },
		{ { 0x0c, 3 }, 3 },    { { 0xff }, -1 },
		{ { 0x0a, 0x0d }, 5 }, { { '_', 'X', 'X', 'X' }, -1 },
	};

	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		u8 aml[16] = { 8, '_', 'S', '4', '_', 0x12, 8, 4 };

		memcpy(aml + 8, rows[i].element, 5);
		EXPECT_EQ(rows[i].want, aml_find_sleep_type(aml, sizeof(aml), '4'));
		EXPECT_EQ(-1, aml_find_sleep_type(aml, sizeof(aml), '5'));
		EXPECT_EQ(-1, aml_find_sleep_type(aml, 8, '4'));
		aml[7] = 0; /* an empty package */
		EXPECT_EQ(-1, aml_find_sleep_type(aml, sizeof(aml), '4'));
	}
	EXPECT_EQ(-1, aml_find_sleep_type((const u8 *)"_S5_", 4, '5'));
	EXPECT_EQ(-1, aml_find_sleep_type(NULL, 0, '5'));
}

TEST_MAIN(TEST(test_aml_constants))
