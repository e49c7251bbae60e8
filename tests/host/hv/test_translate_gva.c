/* SPDX-License-Identifier: BSD-2-Clause */
/* hv/hyperv/vp_registers.c: TranslateVirtualAddress. */
#include "tests/host/hv/vp_reg_sim.h"

#include "arch/x86/defs/ept.h"
#include "arch/x86/defs/paging.h"

#define AT(offset) (GUEST_RAM_BASE + (offset))
#define GVA        0x40000000ull
#define USER       (PTE_P | PTE_W | PTE_U)

static void put_entry(u64 table, u32 index, u64 val)
{
	memcpy(g.ram + (table - GUEST_RAM_BASE) + 8 * index, &val, sizeof(val));
}

static struct hv_translate_virtual_address_out out;

static bool again; /* of the last call */

static u16 translate_of(u32 index, u64 flags, u64 gva)
{
	struct hv_translate_virtual_address in = {
		.partition_id = HV_PARTITION_ID_SELF,
		.vp_index = index,
		.control_flags = flags,
		.gva_page = gva >> 12,
	};
	struct hcall hc = { .in = &in, .out = &out };
	u16 status;

	memset(&out, 0, sizeof(out));
	status = row(HVCALL_TRANSLATE_VIRTUAL_ADDRESS)->mem(fake.cpu_vp, &hc);
	again = hc.again;
	return status;
}

static u16 translate(u64 flags, u64 gva)
{
	return translate_of(HV_VP_INDEX_SELF, flags, gva);
}

static void init_paging(u64 leaf)
{
	init();
	to_long_mode();
	put_entry(AT(0), 0, AT(0x1000) | USER);
	put_entry(AT(0x1000), 1, AT(0x2000) | USER);
	put_entry(AT(0x2000), 0, AT(0x3000) | USER);
	put_entry(AT(0x3000), 0, leaf);
}

static void test_translation(void)
{
	static const struct {
		u64 leaf, flags;
		u32 result, type;
	} rows[] = {
		{ AT(0x5000) | USER, 7, HV_TRANSLATE_GVA_SUCCESS, MT_WB },
		{ AT(0x5000) | USER | PTE_PCD | PTE_PWT, 0, HV_TRANSLATE_GVA_SUCCESS, MT_UC },
		{ AT(0x5000) | USER | PTE_PAT, 1, HV_TRANSLATE_GVA_SUCCESS, MT_WB },
		{ AT(0x5000) | USER | PTE_PWT, 1, HV_TRANSLATE_GVA_SUCCESS, 4 },
		{ 0, 0, HV_TRANSLATE_GVA_PAGE_NOT_PRESENT, 0 },
		{ AT(0x5000) | USER | BIT64(50), 0, HV_TRANSLATE_GVA_INVALID_PAGE_TABLE_FLAGS, 0 },
		{ AT(0x5000) | USER | PTE_NX, 4, HV_TRANSLATE_GVA_INVALID_PAGE_TABLE_FLAGS, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		init_paging(rows[i].leaf);
		EXPECT_EQ(HV_STATUS_SUCCESS, translate(rows[i].flags, GVA));
		EXPECT_EQ(rows[i].result, out.result);
		if (out.result == HV_TRANSLATE_GVA_SUCCESS) {
			EXPECT_EQ(rows[i].type, out.flags);
			EXPECT_EQ(AT(0x5000) >> 12, out.gpa_page);
		}
	}
}

static void test_translation_by_tables_outside_ram(void)
{
	init_paging(AT(0x5000) | USER);
	put_entry(AT(0x2000), 0, BIT64(40) | USER);
	EXPECT_EQ(HV_STATUS_SUCCESS, translate(0, GVA));
	EXPECT_EQ(HV_TRANSLATE_GVA_GPA_UNMAPPED, out.result);
}

static void test_translation_rights(void)
{
	init_paging(AT(0x5000) | PTE_P | PTE_U);
	fake.vmcs[VMCS_GUEST_CR0] |= CR0_WP;
	EXPECT_EQ(HV_STATUS_SUCCESS, translate(HV_TRANSLATE_GVA_VALIDATE_WRITE, GVA));
	EXPECT_EQ(HV_TRANSLATE_GVA_PRIVILEGE_VIOLATION, out.result);
	EXPECT_EQ(HV_STATUS_SUCCESS, translate(HV_TRANSLATE_GVA_VALIDATE_READ, GVA));
	EXPECT_EQ(HV_TRANSLATE_GVA_SUCCESS, out.result);
	fake.vmcs[VMCS_GUEST_CR4] |= CR4_SMEP;
	EXPECT_EQ(HV_STATUS_SUCCESS, translate(HV_TRANSLATE_GVA_VALIDATE_EXECUTE, GVA));
	EXPECT_EQ(HV_TRANSLATE_GVA_PRIVILEGE_VIOLATION, out.result);
	EXPECT_EQ(HV_STATUS_SUCCESS,
		  translate(HV_TRANSLATE_GVA_VALIDATE_EXECUTE | HV_TRANSLATE_GVA_PRIVILEGE_EXEMPT,
			    GVA));
	EXPECT_EQ(HV_TRANSLATE_GVA_SUCCESS, out.result);
	init_paging(AT(0x5000) | PTE_P);
	fake.vmcs[VMCS_GUEST_SS_AR] = DATA_3; /* CPL 3 */
	EXPECT_EQ(HV_STATUS_SUCCESS, translate(HV_TRANSLATE_GVA_VALIDATE_READ, GVA));
	EXPECT_EQ(HV_TRANSLATE_GVA_PRIVILEGE_VIOLATION, out.result);
	EXPECT_EQ(HV_STATUS_SUCCESS, translate(0, GVA));
	EXPECT_EQ(HV_TRANSLATE_GVA_SUCCESS, out.result);
}

static void test_translation_without_paging_and_refusals(void)
{
	init();
	EXPECT_EQ(HV_STATUS_SUCCESS, translate(7, AT(0x7000)));
	EXPECT_EQ(HV_TRANSLATE_GVA_SUCCESS, out.result);
	EXPECT_EQ(AT(0x7000) >> 12, out.gpa_page);
	EXPECT_EQ(MT_WB, out.flags);
	EXPECT_EQ(HV_STATUS_INVALID_PARAMETER, translate(0x10, GVA));
	EXPECT_EQ(HV_STATUS_INVALID_PARAMETER, translate(0x20, GVA));
	EXPECT_EQ(HV_STATUS_ACCESS_DENIED, translate(0x11ull << 56, GVA));
	EXPECT_EQ(HV_STATUS_SUCCESS, translate(0x10ull << 56, AT(0)));
}

/* Addresses that no instruction could use. */
static void test_translation_of_no_address(void)
{
	init_paging(AT(0x5000) | USER);
	EXPECT_EQ(HV_STATUS_SUCCESS, translate(0, GVA));
	EXPECT_EQ(HV_TRANSLATE_GVA_SUCCESS, out.result);
	for (u32 bit = 48; bit < 64; bit++) {
		EXPECT_EQ(HV_STATUS_SUCCESS, translate(0, GVA | BIT64(bit)));
		EXPECT_EQ(HV_TRANSLATE_GVA_PAGE_NOT_PRESENT, out.result);
		EXPECT_EQ(0, out.gpa_page);
	}
	init();
	EXPECT_EQ(HV_STATUS_SUCCESS, translate(0, AT(0x7000) | BIT64(32)));
	EXPECT_EQ(HV_TRANSLATE_GVA_PAGE_NOT_PRESENT, out.result);
}

static void run_kicked(struct vp *other)
{
	fake.cpu_vp = other;
	(void)vp_prepare_entry(other);
	fake.cpu_vp = &g.vp[1];
}

/* Of another VP, by its own CPU; one that does not answer now is asked again. */
static void test_translation_of_another_vp(void)
{
	init();
	fake.cpu_vp = &g.vp[1];
	fake.tsc_step = 1000;
	EXPECT_EQ(HV_STATUS_SUCCESS, translate_of(0, 7, AT(0x7000)));
	EXPECT_TRUE(again);
	fake.kick = run_kicked;
	EXPECT_EQ(HV_STATUS_SUCCESS, translate_of(0, 7, AT(0x7000)));
	EXPECT_FALSE(again);
	EXPECT_EQ(AT(0x7000) >> 12, out.gpa_page);
	g.vp[0].entered = false;
	EXPECT_EQ(HV_STATUS_INVALID_VP_STATE, translate_of(0, 7, AT(0x7000)));
	EXPECT_FALSE(again);
}

TEST_MAIN(TEST(test_translation), TEST(test_translation_by_tables_outside_ram),
	  TEST(test_translation_rights), TEST(test_translation_of_no_address),
	  TEST(test_translation_of_another_vp), TEST(test_translation_without_paging_and_refusals))
