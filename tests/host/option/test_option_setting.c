/* SPDX-License-Identifier: BSD-2-Clause */
/* Words of cpu= with a value: boot/option/option_setting.c and hv/settings.def. */
#include "tests/host/option/cpu.h"

static void test_spinlocks(void)
{
	static const struct {
		const char *word;
		bool on;
		u32 tries;
	} rows[] = {
		{ "hv-spinlocks", true, 0xfff },
		{ "hv_spinlocks=on", true, 0xfff },
		{ "hv_spinlocks=0x1fff", true, 0x1fff },
		{ "hv_spinlocks=0", true, 0 },
		{ "hv_spinlocks=1", true, 1 },
		{ "hv_spinlocks=8191,hv-spinlocks=off", false, 8191 },
		{ "hv_spinlocks=0xffffffff", false, 0xffffffff },
		{ "hv_spinlocks=4294967294", true, 0xfffffffe },
	};

	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		char line[100];

		snprintf(line, sizeof(line), "cpu=host,%s", rows[i].word);
		EXPECT_EQ(ERR_NONE, parse(line));
		EXPECT_EQ(rows[i].on, has(FEATURE_HV_SPINLOCKS));
		EXPECT_EQ(rows[i].tries, o.config.hv_spinlocks);
	}
	EXPECT_EQ(ERR_RANGE, parse("cpu=host,hv_spinlocks=0x100000000"));
	EXPECT_CONTAINS(msg, "hv-spinlocks=0x100000000: give a number from 0 to 4294967295");
	EXPECT_EQ(ERR_INVAL, parse("cpu=host,+hv_spinlocks=5"));
}

static void test_identity(void)
{
	char text[256];

	EXPECT_EQ(ERR_NONE, parse("cpu=host"));
	EXPECT_STREQ("Microsoft Hv", o.config.hv_vendor_id);
	EXPECT_EQ(0x3839, o.config.hv_version_id_build);
	EXPECT_EQ(10, o.config.hv_version_id_major);
	EXPECT_EQ(ERR_NONE, parse("cpu=host,hv_vendor_id=123456789012,hv-version-id-sbranch=255"));
	EXPECT_STREQ("123456789012", o.config.hv_vendor_id);
	EXPECT_EQ(255, o.config.hv_version_id_sbranch);
	EXPECT_EQ(by_default(), o.config.cpu_features); /* no feature of its own */
	option_cpu_value(&o, text, sizeof(text));
	EXPECT_STREQ("host,hv-vendor-id=123456789012,hv-version-id-sbranch=255", text);
	EXPECT_EQ(ERR_NONE, parse("cpu=host,hv-vendor-id=abc cpu=host"));
	EXPECT_STREQ("Microsoft Hv", o.config.hv_vendor_id);
	EXPECT_EQ(ERR_RANGE, parse("cpu=host,hv_vendor_id=1234567890123"));
	EXPECT_CONTAINS(msg, "hv-vendor-id=1234567890123: give 1 to 12 characters");
	EXPECT_EQ(ERR_RANGE, parse("cpu=host,hv_vendor_id="));
	EXPECT_EQ(ERR_INVAL, parse("cpu=host,hv_vendor_id"));
	EXPECT_CONTAINS(msg, "write hv-vendor-id=VALUE");
	EXPECT_EQ(ERR_INVAL, parse("cpu=host,-hv_vendor_id"));
	for (u32 i = 0; i < cpu_setting_count; i++) {
		char line[100];

		if (cpu_settings[i].text != NULL)
			continue;
		snprintf(line, sizeof(line), "cpu=host,%s=%u", cpu_settings[i].name,
			 cpu_settings[i].max);
		EXPECT_EQ(ERR_NONE, parse(line));
		snprintf(line, sizeof(line), "cpu=host,%s=%llu", cpu_settings[i].name,
			 cpu_settings[i].max + 1ull);
		EXPECT_EQ(ERR_RANGE, parse(line));
		EXPECT_CONTAINS(msg, "give a number from 0 to");
		snprintf(line, sizeof(line), "cpu=host,%s=-1", cpu_settings[i].name);
		EXPECT_EQ(ERR_RANGE, parse(line));
	}
}

TEST_MAIN(TEST(test_spinlocks), TEST(test_identity))
