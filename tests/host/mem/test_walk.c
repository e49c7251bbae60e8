/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Guest page walk: every combination of entry rights, access and control bits against the SDM's
 * rules written down a second time, and the layouts of the other paging modes.
 */
#include "tests/host/harness.h"

#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/paging.h"
#include "core/mem/walk.h"
#include "tests/host/fakes/far.h"
#include "tests/host/fakes/paged.h"

#define GVA 0x7f1234567000ull
#define PA  0x80000ull
#define RWU (PTE_P | PTE_W | PTE_U)

static struct walk_fault fault;
static gpa_t result;

static err_t walk(u64 gva, u32 access)
{
	fault = (struct walk_fault){ .gva = ~0ull };
	result = gpa(~0ull);
	return walk_gva(&paged_vp, gva, access, &result, &fault);
}

static void expect_page_fault(u64 gva, u32 access, u32 code)
{
	EXPECT_EQ(ERR_FAULT, walk(gva, access));
	EXPECT_TRUE(fault.page_fault);
	EXPECT_EQ(code, fault.code);
	EXPECT_EQ(gva, fault.gva);
	EXPECT_EQ(~0ull, result.v); /* outputs are written on success only */
}

/* SDM Vol. 3A "Determination of Access Rights", as prose turned into code. */
struct rules {
	bool w, u, nx; /* effective: AND, AND, OR over the levels */
	bool wp, smep, smap, ac, nxe;
};

static bool rules_allow(const struct rules *r, u32 access)
{
	bool user = (access & WALK_USER) != 0;
	bool fetch = (access & WALK_FETCH) != 0;
	bool write = (access & WALK_WRITE) != 0;

	if (fetch && r->nx)
		return false;
	if (user)
		return r->u && (!write || r->w);
	if (fetch)
		return !(r->u && r->smep);
	if (r->u && r->smap && (!r->ac || (access & WALK_IMPLICIT_SUPERVISOR)))
		return false;
	return !write || r->w || !r->wp;
}

static void apply_rules(const struct rules *r, u32 weak_level)
{
	u64 flags = PTE_P | (r->w ? PTE_W : 0) | (r->u ? PTE_U : 0) | (r->nx ? PTE_NX : 0);
	u64 *e;

	paged_reset(EMUL_64);
	paged_map(GVA, PA, RWU);
	e = paged_entry(GVA, weak_level); /* one level decides, the others allow all */
	*e = (*e & PTE_ADDR) | flags;
	fake.vmcs[VMCS_GUEST_CR0] = CR0_PE | CR0_PG | (r->wp ? CR0_WP : 0);
	fake.vmcs[VMCS_GUEST_CR4] = CR4_PAE | (r->smep ? CR4_SMEP : 0) | (r->smap ? CR4_SMAP : 0);
	fake.vmcs[VMCS_GUEST_EFER] = EFER_LMA | EFER_LME | (r->nxe ? EFER_NXE : 0);
	fake.vmcs[VMCS_GUEST_RFLAGS] = RFLAGS_FIXED | (r->ac ? RFLAGS_AC : 0);
}

static void check_access(const struct rules *r, u32 access)
{
	u32 code = ((access & WALK_WRITE) ? PFEC_W : 0) | ((access & WALK_USER) ? PFEC_U : 0);

	if ((access & WALK_FETCH) && (r->nxe || r->smep))
		code |= PFEC_I;
	if (r->nx && !r->nxe) {
		expect_page_fault(GVA | 0x123, access, code | PFEC_P | PFEC_RSVD);
	} else if (rules_allow(r, access)) {
		EXPECT_EQ(ERR_NONE, walk(GVA | 0x123, access));
		EXPECT_EQ(PA | 0x123, result.v);
	} else {
		expect_page_fault(GVA | 0x123, access, code | PFEC_P);
	}
}

static void test_walk_rights_by_the_rules(void)
{
	static const u32 accesses[] = { WALK_READ, WALK_WRITE, WALK_FETCH,
					WALK_READ | WALK_IMPLICIT_SUPERVISOR };

	for (u32 bits = 0; bits < 256; bits++) {
		struct rules r = { bits & 1,  bits & 2,  bits & 4,  bits & 8,
				   bits & 16, bits & 32, bits & 64, bits & 128 };

		apply_rules(&r, 1 + bits % 4);
		for (u32 i = 0; i < ARRAY_SIZE(accesses); i++) {
			check_access(&r, accesses[i]);
			if (!(accesses[i] & WALK_IMPLICIT_SUPERVISOR))
				check_access(&r, accesses[i] | WALK_USER);
		}
	}
}

static void test_walk_not_present_at_any_level(void)
{
	for (u32 level = 1; level <= 4; level++) {
		paged_reset(EMUL_64);
		paged_map(GVA, PA, RWU);
		*paged_entry(GVA, level) &= ~PTE_P;
		expect_page_fault(GVA, WALK_READ, 0);
		expect_page_fault(GVA, WALK_WRITE | WALK_USER, PFEC_W | PFEC_U);
		expect_page_fault(GVA, WALK_FETCH, PFEC_I);
	}
}

static void test_walk_reserved_bits(void)
{
	for (u32 level = 1; level <= 4; level++) {
		for (u32 bit = 12; bit < 52; bit++) {
			u64 old;

			paged_reset(EMUL_64);
			paged_map(GVA, PA, RWU);
			old = *paged_entry(GVA, level);
			*paged_entry(GVA, level) = old | BIT64(bit);
			if (bit >= 40)
				expect_page_fault(GVA, WALK_READ, PFEC_P | PFEC_RSVD);
		}
	}
	paged_reset(EMUL_64); /* PS in a PML4E */
	paged_map(GVA, PA, RWU);
	*paged_entry(GVA, 4) |= PTE_PS;
	expect_page_fault(GVA, WALK_READ, PFEC_P | PFEC_RSVD);
	*paged_entry(GVA, 4) = RWU | PTE_PS; /* aligned as a page of 512 GiB would be */
	expect_page_fault(GVA, WALK_READ, PFEC_P | PFEC_RSVD);
}

static void test_walk_large_pages(void)
{
	paged_reset(EMUL_64);
	paged_map(GVA, PA, RWU);
	*paged_entry(GVA, 2) = 0x3fe00000 | RWU | PTE_PS | PTE_PAT_LARGE;
	EXPECT_EQ(ERR_NONE, walk(GVA + 0x5678, WALK_READ));
	EXPECT_EQ(0x3fe00000 | ((GVA + 0x5678) & (PAGE_SIZE_2M - 1)), result.v);
	*paged_entry(GVA, 2) |= BIT64(20);
	expect_page_fault(GVA, WALK_READ, PFEC_P | PFEC_RSVD);

	*paged_entry(GVA, 3) = 0xffc0000000 | RWU | PTE_PS;
	EXPECT_EQ(ERR_NONE, walk(GVA, WALK_WRITE));
	EXPECT_EQ(0xffc0000000 | (GVA & (PAGE_SIZE_1G - 1)), result.v);
	*paged_entry(GVA, 3) |= BIT64(13);
	expect_page_fault(GVA, WALK_READ, PFEC_P | PFEC_RSVD);
}

static void put32(u64 at, u32 val)
{
	memcpy(paged_ram + at, &val, sizeof(val));
}

static void put64(u64 at, u64 val)
{
	memcpy(paged_ram + at, &val, sizeof(val));
}

static void test_walk_32_bit_paging(void)
{
	paged_reset(EMUL_32);
	fake.vmcs[VMCS_GUEST_CR0] = CR0_PE | CR0_PG | CR0_WP;
	fake.vmcs[VMCS_GUEST_CR3] = 0x2000;
	put32(0x2000 + 4 * 0x300, 0x3000 | RWU);
	put32(0x3000 + 4 * 0x12, 0x45000 | PTE_P | PTE_W);
	EXPECT_EQ(ERR_NONE, walk(0xc0012abc, WALK_WRITE));
	EXPECT_EQ(0x45abc, result.v);
	expect_page_fault(0xc0012abc, WALK_READ | WALK_USER, PFEC_P | PFEC_U);
	expect_page_fault(0xc0013000, WALK_FETCH, 0); /* no I/D without SMEP or NX */
	/* A linear address is 32 bits wide. */
	EXPECT_EQ(ERR_NONE, walk(0x1c0012abcull, WALK_READ));
	EXPECT_EQ(0x45abc, result.v);

	fake.vmcs[VMCS_GUEST_CR4] = CR4_PSE; /* PSE-36: bits 39:32 in 20:13 */
	put32(0x2000 + 4 * 0x301, 0x00800000 | 0x12u << 13 | RWU | PTE_PS);
	EXPECT_EQ(ERR_NONE, walk(0xc0712345, WALK_READ));
	EXPECT_EQ(0x1200000000 + 0x00800000 + 0x312345, result.v);
	put32(0x2000 + 4 * 0x301, BIT32(21) | RWU | PTE_PS);
	expect_page_fault(0xc0400000, WALK_READ, PFEC_P | PFEC_RSVD);
	fake.vmcs[VMCS_GUEST_CR4] = 0; /* without PSE the bit means nothing */
	put32(0x2000 + 4 * 0x301, 0x3000 | RWU | PTE_PS);
	EXPECT_EQ(ERR_NONE, walk(0xc0412000, WALK_READ));
	EXPECT_EQ(0x45000, result.v);
}

static void test_walk_pae(void)
{
	paged_reset(EMUL_32);
	fake.vmcs[VMCS_GUEST_CR0] = CR0_PE | CR0_PG | CR0_WP;
	fake.vmcs[VMCS_GUEST_CR4] = CR4_PAE;
	fake.vmcs[VMCS_GUEST_CR3] = 0x2000;
	fake.vmcs[VMCS_GUEST_PDPTE3] = 0x3000 | PTE_P;
	put64(0x3000, 0x4000 | RWU);
	put64(0x4000 + 8 * 5, 0x45000 | RWU);
	EXPECT_EQ(ERR_NONE, walk(0xc0005123, WALK_WRITE | WALK_USER));
	EXPECT_EQ(0x45123, result.v);
	expect_page_fault(0x40000000, WALK_READ, 0);
	put64(0x4000 + 8 * 5, 0x45000 | RWU | BIT64(52)); /* ignored in 4-level paging only */
	expect_page_fault(0xc0005123, WALK_READ, PFEC_P | PFEC_RSVD);
	put64(0x3000, 0x600000 | RWU | PTE_PS);
	EXPECT_EQ(ERR_NONE, walk(0xc0005123, WALK_WRITE));
	EXPECT_EQ(0x605123, result.v);
}

static void test_walk_without_paging_and_5_level(void)
{
	paged_reset(EMUL_32);
	EXPECT_EQ(ERR_NONE, walk(0x1fee00390, WALK_WRITE));
	EXPECT_EQ(0xfee00390, result.v);

	paged_reset(EMUL_64);
	paged_map(GVA, PA, RWU);
	fake.vmcs[VMCS_GUEST_CR4] = CR4_PAE | CR4_LA57;
	fake.vmcs[VMCS_GUEST_CR3] = 0xff000;
	put64(0xff000 + 8 * 0x21, PAGED_TABLES | RWU);
	EXPECT_EQ(ERR_NONE, walk(0x21ull << 48 | GVA, WALK_READ));
	EXPECT_EQ(PA, result.v);
	expect_page_fault(GVA, WALK_READ, 0);
}

/* Tables in device memory: not a page fault; in our region: all-ones, that is reserved bits. */
static void test_walk_tables_outside_ram(void)
{
	paged_reset(EMUL_64);
	paged_map(GVA, PA, RWU);
	*paged_entry(GVA, 3) = 0xfd000000 | RWU;
	EXPECT_EQ(ERR_FAULT, walk(GVA, WALK_READ));
	EXPECT_FALSE(fault.page_fault);
	the_partition.region_base = hpa(0xfd000000);
	the_partition.region_len = 0x200000;
	expect_page_fault(GVA, WALK_READ, PFEC_P | PFEC_RSVD);
}

/* Random pairs of pages: across the boundary as if it were contiguous, all or nothing. */
static void test_gva_accesses_cross_pages(void)
{
	for (u32 i = 0; i < 2000; i++) {
		u32 off = (u32)(test_rng() % PAGE_SIZE);
		u32 len = (u32)(test_rng() % 64 + 1);
		bool crosses = off + len > PAGE_SIZE;
		bool second = test_rng() & 1;
		u8 buf[64], back[64] = { 0 };

		paged_reset(EMUL_64);
		paged_map(GVA, PA, RWU);
		if (second)
			paged_map(GVA + PAGE_SIZE, PA - 5 * PAGE_SIZE, RWU);
		for (u32 k = 0; k < sizeof(buf); k++)
			buf[k] = (u8)(test_rng() | 1);
		if (crosses && !second) {
			EXPECT_EQ(ERR_FAULT, gva_write(&paged_vp, GVA + off, 0, buf, len, &fault));
			EXPECT_EQ(GVA + PAGE_SIZE, fault.gva);
			EXPECT_EQ(PFEC_W, fault.code);
			EXPECT_EQ(0, paged_ram[PA + off]); /* nothing was written */
			continue;
		}
		EXPECT_EQ(ERR_NONE, gva_check(&paged_vp, GVA + off, WALK_WRITE, len, &fault));
		EXPECT_EQ(ERR_NONE, gva_write(&paged_vp, GVA + off, 0, buf, len, &fault));
		EXPECT_EQ(buf[0], paged_ram[PA + off]);
		if (crosses)
			EXPECT_EQ(buf[PAGE_SIZE - off], paged_ram[PA - 5 * PAGE_SIZE]);
		EXPECT_EQ(ERR_NONE, gva_read(&paged_vp, GVA + off, 0, back, len, &fault));
		EXPECT_MEMEQ(buf, back, len);
	}
}

/* A recorded path holds exactly as long as walking again gives the same answer from the same CR3.
 */
static void test_walk_path_notices_every_change(void)
{
	struct walk_path path;

	for (u32 level = 1; level <= 4; level++) {
		for (u32 bit = 0; bit < 64; bit++) {
			paged_reset(EMUL_64);
			paged_map(GVA, PA, RWU);
			EXPECT_EQ(ERR_NONE,
				  walk_gva_path(&paged_vp, GVA, 0, &result, &fault, &path));
			EXPECT_EQ(4, path.count);
			EXPECT_TRUE(walk_path_holds(&path));
			*paged_entry(GVA, level) ^= BIT64(bit);
			EXPECT_FALSE(walk_path_holds(&path));
		}
	}
	paged_reset(EMUL_32);
	EXPECT_EQ(ERR_NONE, walk_gva_path(&paged_vp, 0x1000, 0, &result, &fault, &path));
	EXPECT_FALSE(walk_path_holds(&path)); /* nothing to compare: never cached */
}

/* A paging structure that is not there yet: no fault, no path, the same answer when it is. */
static void test_walk_waits_for_its_tables(void)
{
	for (u32 level = 1; level <= 4; level++) {
		struct walk_path path;
		u64 table;

		paged_reset(EMUL_64);
		paged_map(GVA, PA, RWU);
		table = ALIGN_DOWN((u64)((u8 *)paged_entry(GVA, level) - paged_ram), PAGE_SIZE);
		fake_far_add(&the_partition, table, table + PAGE_SIZE);
		result = gpa(0);
		for (u32 i = 0; i < 2; i++) {
			EXPECT_EQ(ERR_AGAIN,
				  walk_gva_path(&paged_vp, GVA, 0, &result, &fault, &path));
			EXPECT_EQ(0, result.v);
			EXPECT_FALSE(walk_path_holds(&path));
		}
		EXPECT_EQ(ERR_NONE, walk_gva_path(&paged_vp, GVA, 0, &result, &fault, &path));
		EXPECT_EQ(PA, result.v);
		EXPECT_EQ(3, fake_far.asked);
		EXPECT_EQ(0, fake_far.pinned);
		EXPECT_FALSE(walk_path_holds(&path)); /* its page may go */
		fake_far.never = true;
		EXPECT_EQ(ERR_FAULT, walk_gva(&paged_vp, GVA, 0, &result, &fault));
		EXPECT_FALSE(fault.page_fault);
	}
}

static void test_gva_write_is_all_or_nothing(void)
{
	u8 buf[16] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 }, back[16];

	for (u32 far = 0; far < 2; far++) {
		u64 base = far == 0 ? PA : PA + 0x5000;

		paged_reset(EMUL_64);
		paged_map(GVA, PA, RWU);
		paged_map(GVA + PAGE_SIZE, PA + 0x5000, RWU);
		fake_far_add(&the_partition, base, base + PAGE_SIZE);
		EXPECT_EQ(ERR_AGAIN,
			  gva_check(&paged_vp, GVA + PAGE_SIZE - 8, WALK_WRITE, 16, &fault));
		EXPECT_EQ(ERR_AGAIN, gva_write(&paged_vp, GVA + PAGE_SIZE - 8, 0, buf, 16, &fault));
		EXPECT_EQ(0, paged_ram[PA + PAGE_SIZE - 8] | paged_ram[PA + 0x5000]);
		EXPECT_EQ(0, fake_far.pinned);
		EXPECT_EQ(ERR_NONE, gva_write(&paged_vp, GVA + PAGE_SIZE - 8, 0, buf, 16, &fault));
		EXPECT_MEMEQ(buf, paged_ram + PA + PAGE_SIZE - 8, 8);
		EXPECT_MEMEQ(buf + 8, paged_ram + PA + 0x5000, 8);
		fake_far_again();
		EXPECT_EQ(ERR_AGAIN, gva_read(&paged_vp, GVA + PAGE_SIZE - 8, 0, back, 16, &fault));
		EXPECT_EQ(ERR_AGAIN, gva_read(&paged_vp, GVA + PAGE_SIZE - 8, 0, back, 16, &fault));
		EXPECT_EQ(ERR_NONE, gva_read(&paged_vp, GVA + PAGE_SIZE - 8, 0, back, 16, &fault));
		EXPECT_MEMEQ(buf, back, 16);
		EXPECT_EQ(0, fake_far.pinned);
	}
}

TEST_MAIN(TEST(test_walk_rights_by_the_rules), TEST(test_walk_not_present_at_any_level),
	  TEST(test_walk_reserved_bits), TEST(test_walk_large_pages), TEST(test_walk_32_bit_paging),
	  TEST(test_walk_pae), TEST(test_walk_without_paging_and_5_level),
	  TEST(test_walk_tables_outside_ram), TEST(test_gva_accesses_cross_pages),
	  TEST(test_walk_path_notices_every_change), TEST(test_walk_waits_for_its_tables),
	  TEST(test_gva_write_is_all_or_nothing))
