/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * core/vp/guest_cr.c: CR3, CR4 and XCR0 as the instructions write them. CR0 and the debug
 * registers: test_exit_cr.c.
 */
#include "tests/host/harness.h"

#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/vmcs.h"
#include "core/vp/guest_cr.h"
#include "tests/host/fakes/rig.h"

static struct fake_guest g;
static struct vp *const vp = &g.vp[0];

#define LONG_MODE (EFER_LME | EFER_LMA)
#define PDPTES    (GUEST_RAM_BASE + 0x40)

static void init(u64 efer, u64 cr4)
{
	fake_guest_init(&g, 1, NULL);
	fake_ram(g.ram, GUEST_RAM_BASE, sizeof(g.ram));
	g.p.machine.phys_bits = 40;
	g.p.machine.cr4_allowed = CR4_PAE | CR4_PGE | CR4_PSE | CR4_PCIDE | CR4_LA57 | CR4_SMEP;
	g.p.machine.xcr0_supported = XCR0_X87 | XCR0_SSE | XCR0_AVX;
	fake.vmcs[VMCS_GUEST_CR0] = CR0_PE | CR0_PG | CR0_NE;
	fake.vmcs[VMCS_GUEST_EFER] = efer;
	fake.vmcs[VMCS_GUEST_CR3] = PDPTES;
	fake.vmcs[VMCS_GUEST_CR4] = cr4 | CR4_VMXE;
}

static void put_pdpte(u64 val)
{
	memcpy(g.ram + 0x40, &val, sizeof(val));
}

static void test_cr3(void)
{
	init(LONG_MODE, CR4_PAE);
	EXPECT_EQ(ERR_NONE, guest_set_cr3(vp, 0x5000));
	EXPECT_EQ(0x5000, fake.vmcs[VMCS_GUEST_CR3]);
	EXPECT_EQ(1, fake.invvpids);
	EXPECT_EQ(ERR_INVAL, guest_set_cr3(vp, BIT64(40)));
	EXPECT_EQ(ERR_INVAL, guest_set_cr3(vp, CR3_NO_FLUSH | 0x6000));
	EXPECT_EQ(0x5000, fake.vmcs[VMCS_GUEST_CR3]);
	init(LONG_MODE, CR4_PAE | CR4_PCIDE);
	EXPECT_EQ(ERR_NONE, guest_set_cr3(vp, CR3_NO_FLUSH | 0x6001));
	EXPECT_EQ(0x6001, fake.vmcs[VMCS_GUEST_CR3]);
}

static void test_cr3_of_pae_paging_loads_pdptes(void)
{
	init(0, CR4_PAE);
	put_pdpte(0x7001);
	EXPECT_EQ(ERR_NONE, guest_set_cr3(vp, PDPTES));
	EXPECT_EQ(0x7001, fake.vmcs[VMCS_GUEST_PDPTE0]);
	put_pdpte(0x8003); /* reserved */
	EXPECT_EQ(ERR_INVAL, guest_set_cr3(vp, PDPTES));
	EXPECT_EQ(0x7001, fake.vmcs[VMCS_GUEST_PDPTE0]);
}

static void test_cr4(void)
{
	static const struct {
		u64 efer, from, to;
		err_t err;
	} rows[] = {
		{ 0, 0, CR4_PGE | CR4_PSE, ERR_NONE },
		{ 0, 0, CR4_VMXE, ERR_INVAL },        /* the guest has none */
		{ 0, 0, CR4_SMAP, ERR_INVAL },        /* nor this one here */
		{ LONG_MODE, CR4_PAE, 0, ERR_INVAL }, /* PAE stays in IA-32e mode */
		{ LONG_MODE, CR4_PAE, CR4_PAE | CR4_LA57, ERR_INVAL },
		{ 0, 0, CR4_PCIDE, ERR_INVAL }, /* IA-32e mode only */
		{ LONG_MODE, CR4_PAE | CR4_PCIDE, CR4_PAE, ERR_NONE },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		init(rows[i].efer, rows[i].from);
		EXPECT_EQ(rows[i].err, guest_set_cr4(vp, rows[i].to));
		EXPECT_EQ(rows[i].err == ERR_NONE ? rows[i].to : rows[i].from, guest_cr4(vp));
		EXPECT_TRUE(fake.vmcs[VMCS_GUEST_CR4] & CR4_VMXE);
		EXPECT_EQ(rows[i].err == ERR_NONE, fake.invvpids);
	}
}

/* A PCID in CR3 would be one for which nothing was cached yet. */
static void test_pcids_begin_with_pcid_0(void)
{
	init(LONG_MODE, CR4_PAE);
	fake.vmcs[VMCS_GUEST_CR3] = 0x5001;
	EXPECT_EQ(ERR_INVAL, guest_set_cr4(vp, CR4_PAE | CR4_PCIDE));
	fake.vmcs[VMCS_GUEST_CR3] = 0x5000;
	EXPECT_EQ(ERR_NONE, guest_set_cr4(vp, CR4_PAE | CR4_PCIDE));
}

static void test_cr4_loads_pdptes_of_pae_paging(void)
{
	static const u64 bits[] = { CR4_PAE, CR4_PAE | CR4_PGE, CR4_PAE | CR4_SMEP };

	for (size_t i = 0; i < ARRAY_SIZE(bits); i++) {
		init(0, i == 0 ? 0 : CR4_PAE);
		put_pdpte(0x7001);
		EXPECT_EQ(ERR_NONE, guest_set_cr4(vp, bits[i]));
		EXPECT_EQ(0x7001, fake.vmcs[VMCS_GUEST_PDPTE0]);
		init(0, i == 0 ? 0 : CR4_PAE);
		put_pdpte(0x7003);
		EXPECT_EQ(ERR_INVAL, guest_set_cr4(vp, bits[i]));
		EXPECT_NE(bits[i], guest_cr4(vp));
	}
}

static void test_xcr0(void)
{
	init(0, 0);
	EXPECT_EQ(ERR_NONE, guest_set_xcr0(vp, XCR0_X87 | XCR0_SSE | XCR0_AVX));
	EXPECT_EQ(XCR0_X87 | XCR0_SSE | XCR0_AVX, fake.xcr0);
	EXPECT_EQ(ERR_INVAL, guest_set_xcr0(vp, XCR0_SSE));
	EXPECT_EQ(ERR_INVAL, guest_set_xcr0(vp, XCR0_X87 | XCR0_AVX));
	EXPECT_EQ(ERR_INVAL, guest_set_xcr0(vp, XCR0_X87 | XCR0_PKRU));
	EXPECT_EQ(XCR0_X87 | XCR0_SSE | XCR0_AVX, vp->xcr0);
}

TEST_MAIN(TEST(test_cr3), TEST(test_cr3_of_pae_paging_loads_pdptes), TEST(test_cr4),
	  TEST(test_pcids_begin_with_pcid_0), TEST(test_cr4_loads_pdptes_of_pae_paging),
	  TEST(test_xcr0))
