/* SPDX-License-Identifier: BSD-2-Clause */
/* core/mem/mtrr.c, against a slow model that looks at one 4-KiB page at a time. */
#include "tests/host/harness.h"

#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/ept.h"
#include "arch/x86/defs/msr.h"
#include "arch/x86/defs/vmcs.h"
#include "core/mem/ept.h"
#include "tests/host/fakes/rig.h"

#define PAGE 4096ull

static const u8 types[] = { MT_UC, MT_WC, MT_WT, MT_WP, MT_WB };

/* --- The model: SDM 12.11.4.1 "MTRR Precedences", word by word, for one byte --- */

static u8 model_fixed(const struct mtrr_state *m, u64 pa)
{
	if (pa < 0x80000)
		return (u8)(m->fixed[0] >> (pa / 0x10000 * 8));
	if (pa < 0xc0000) {
		u64 n = (pa - 0x80000) / 0x4000;

		return (u8)(m->fixed[1 + n / 8] >> (n % 8 * 8));
	}
	return (u8)(m->fixed[3 + (pa - 0xc0000) / 0x8000] >> ((pa / 0x1000) % 8 * 8));
}

static u8 model_type(const struct mtrr_state *m, u64 pa)
{
	u32 seen = 0; /* bit per type */

	if (!(m->def_type & BIT64(11)))
		return MT_UC;
	if (pa < 0x100000 && (m->def_type & BIT64(10)))
		return model_fixed(m, pa);
	for (u32 i = 0; i < m->var_count; i++) {
		u64 mask = m->mask[i] & ~0xfffull;

		if ((m->mask[i] & BIT64(11)) && (pa & mask) == (m->base[i] & mask))
			seen |= 1u << (m->base[i] & 0xff);
	}
	if (seen == 0)
		return (u8)m->def_type;
	if (seen & 1u << MT_UC)
		return MT_UC;
	if ((seen & (seen - 1)) == 0)
		return (u8)__builtin_ctz(seen);
	if (seen == (1u << MT_WT | 1u << MT_WB))
		return MT_WT;
	return MT_UC;
}

/* Ranges inside the first 16 MiB, so that the model can visit every page. */
static void random_state(struct mtrr_state *m)
{
	*m = (struct mtrr_state){ .cap = MTRRCAP_FIX | MTRRCAP_WC | 8,
				  .var_count = 8,
				  .phys_bits = 40 };
	m->def_type = types[test_rng() % 5];
	m->def_type |= test_rng() % 8 ? BIT64(11) : 0;
	m->def_type |= test_rng() & BIT64(10);
	for (u32 i = 0; i < 11; i++) {
		for (u32 k = 0; k < 64; k += 8)
			m->fixed[i] |= (u64)types[test_rng() % 5] << k;
	}
	for (u32 i = 0; i < 8; i++) {
		u64 size = PAGE << test_rng() % 12;

		m->mask[i] = (GENMASK64(39, 12) & ~(size - 1)) | (test_rng() & BIT64(11));
		m->base[i] = ((test_rng() % MIB(16)) & ~(size - 1)) | types[test_rng() % 5];
	}
}

static void test_every_page_has_the_model_type(void)
{
	struct mtrr_state m;
	bool uniform;

	for (int round = 0; round < 100; round++) {
		random_state(&m);
		for (u64 pa = 0; pa < MIB(18); pa += PAGE) {
			EXPECT_EQ(model_type(&m, pa), mtrr_type(&m, pa, PAGE, &uniform));
			EXPECT_TRUE(uniform);
		}
	}
}

static void test_uniform_means_every_page_alike(void)
{
	struct mtrr_state m;
	u32 mixed = 0;

	for (int round = 0; round < 3000; round++) {
		u64 pa, len;
		bool uniform, model = true;

		if (round % 10 == 0)
			random_state(&m);
		len = PAGE << test_rng() % 11;
		pa = test_rng() % MIB(16) & ~(PAGE - 1);
		EXPECT_EQ(model_type(&m, pa), mtrr_type(&m, pa, len, &uniform));
		for (u64 p = pa; p < pa + len; p += PAGE)
			model &= model_type(&m, p) == model_type(&m, pa);
		EXPECT_EQ(model, uniform);
		mixed += !model;
	}
	EXPECT_GE(mixed, 100);
}

static void test_edges_of_the_address_space(void)
{
	struct mtrr_state m = { .cap = 8, .def_type = BIT64(11) | MT_WB, .var_count = 8 };
	bool uniform;

	m.base[0] = 0xc0000000 | MT_UC;
	m.mask[0] = (GENMASK64(45, 12) & ~(0x40000000ull - 1)) | BIT64(11);
	EXPECT_EQ(MT_WB, mtrr_type(&m, 0, GIB(3), &uniform));
	EXPECT_TRUE(uniform);
	EXPECT_EQ(MT_UC, mtrr_type(&m, GIB(3), GIB(1), &uniform));
	EXPECT_TRUE(uniform);
	EXPECT_EQ(MT_WB, mtrr_type(&m, GIB(2), GIB(2), &uniform));
	EXPECT_FALSE(uniform);
	EXPECT_EQ(MT_WB, mtrr_type(&m, GIB(4), ~0ull - GIB(4), &uniform));
	EXPECT_TRUE(uniform);
	EXPECT_EQ(MT_WB, mtrr_type(&m, GIB(4), ~0ull, &uniform)); /* wraps: cut at the top */
	EXPECT_TRUE(uniform);
	m.mask[1] = BIT64(11); /* a mask of no bits maps everything */
	m.base[1] = MT_WT;
	EXPECT_EQ(MT_WT, mtrr_type(&m, GIB(4), GIB(1), &uniform));
	EXPECT_EQ(MT_UC, mtrr_type(&m, GIB(3), PAGE, &uniform));
}

/* Firmware that forgets the high mask bits means one block at the base. */
static void test_short_mask_is_one_block(void)
{
	struct mtrr_state m = { .cap = 8, .def_type = BIT64(11) | MT_UC, .var_count = 1 };
	bool uniform;

	m.base[0] = MT_WB;
	m.mask[0] = 0xfc0000800ull; /* 36 bits on a larger machine: 1 GiB at 0 */
	EXPECT_EQ(MT_WB, mtrr_type(&m, 0, GIB(1), &uniform));
	EXPECT_TRUE(uniform);
	EXPECT_EQ(MT_UC, mtrr_type(&m, GIB(64), GIB(1), &uniform));
}

/* --- Registers --- */

static struct fake_guest g;

static u64 get(u32 msr)
{
	u64 val = 0;

	EXPECT_EQ(MSR_OK, msr_read(&g.vp[0], msr, &val));
	return val;
}

static enum msr_result set(u32 msr, u64 val)
{
	return msr_write(&g.vp[0], msr, val);
}

static void test_starts_as_the_machine(void)
{
	fake_guest_init(&g, 1, NULL);
	EXPECT_EQ(0x50a, get(MSR_IA32_MTRRCAP)); /* SMRR hidden */
	EXPECT_EQ(0xc06, get(MSR_IA32_MTRR_DEF_TYPE));
	EXPECT_EQ(0x0606060606060606ull, get(MSR_IA32_MTRR_FIX64K_00000));
	EXPECT_EQ(0x0505050505050505ull, get(MSR_IA32_MTRR_FIX4K_F8000));
	fake_msr_fault(MSR_IA32_MTRRCAP, true, true);
	mtrr_init_from_host(&g.vp[0].mtrr, 46);
	EXPECT_EQ(0, g.vp[0].mtrr.var_count);
}

static void test_writes_are_validated(void)
{
	u64 val;

	fake_guest_init(&g, 1, NULL);
	EXPECT_EQ(MSR_GP, set(MSR_IA32_MTRRCAP, 0));
	EXPECT_EQ(MSR_GP, set(MSR_IA32_MTRR_DEF_TYPE, 0xc02));
	EXPECT_EQ(MSR_GP, set(MSR_IA32_MTRR_DEF_TYPE, 0xc07));
	EXPECT_EQ(MSR_GP, set(MSR_IA32_MTRR_DEF_TYPE, BIT64(12)));
	EXPECT_EQ(MSR_GP, set(MSR_IA32_MTRR_DEF_TYPE, BIT64(8)));
	EXPECT_EQ(MSR_GP, set(MSR_IA32_MTRR_FIX16K_A0000, 0x0300000000000000ull));
	EXPECT_EQ(MSR_GP, set(MSR_IA32_MTRR_PHYSBASE0, 2));
	EXPECT_EQ(MSR_GP, set(MSR_IA32_MTRR_PHYSBASE0, BIT64(46) | 6));
	EXPECT_EQ(MSR_GP, set(MSR_IA32_MTRR_PHYSBASE0, BIT64(8)));
	EXPECT_EQ(MSR_GP, set(MSR_IA32_MTRR_PHYSMASK0, BIT64(10)));
	EXPECT_EQ(MSR_GP, set(MSR_IA32_MTRR_PHYSMASK0, BIT64(46)));
	EXPECT_EQ(MSR_OK, set(MSR_IA32_MTRR_PHYSBASE0 + 18, 0x80000006));
	EXPECT_EQ(MSR_GP, set(MSR_IA32_MTRR_PHYSBASE0 + 20, 6)); /* VCNT is 10 */
	EXPECT_EQ(MSR_GP, msr_read(&g.vp[0], MSR_IA32_MTRR_PHYSMASK0 + 20, &val));
}

static u64 rebuilds(void)
{
	return g.vp[0].counters.c[COUNTER_MTRR_REBUILD];
}

/* Rule M2: Linux's sequence on an AP start changes nothing and costs nothing. */
static void test_only_a_difference_rebuilds(void)
{
	fake_guest_init(&g, 1, NULL);
	fake.vmcs[VMCS_CR0_READ_SHADOW] |= CR0_CD;
	EXPECT_EQ(MSR_OK, set(MSR_IA32_MTRR_DEF_TYPE, 0));
	EXPECT_EQ(MSR_OK, set(MSR_IA32_MTRR_FIX64K_00000, get(MSR_IA32_MTRR_FIX64K_00000)));
	EXPECT_EQ(MSR_OK, set(MSR_IA32_MTRR_DEF_TYPE, 0xc06));
	fake.vmcs[VMCS_CR0_READ_SHADOW] &= ~CR0_CD;
	mtrr_cache_enabled(&g.vp[0]);
	EXPECT_EQ(0, rebuilds());
	EXPECT_EQ(MSR_OK, set(MSR_IA32_MTRR_PHYSBASE0, 0x40000000 | MT_UC)); /* content differs */
	EXPECT_EQ(1, rebuilds());
	EXPECT_EQ(MSR_OK, set(MSR_IA32_MTRR_PHYSBASE0, 0x40000000 | MT_UC));
	EXPECT_EQ(1, rebuilds());
	fake.vmcs[VMCS_CR0_READ_SHADOW] |= CR0_CD;
	EXPECT_EQ(MSR_OK, set(MSR_IA32_MTRR_PHYSBASE0, MT_WB)); /* caching is off: wait */
	EXPECT_EQ(1, rebuilds());
	fake.vmcs[VMCS_CR0_READ_SHADOW] &= ~CR0_CD;
	mtrr_cache_enabled(&g.vp[0]);
	EXPECT_EQ(2, rebuilds());
	EXPECT_EQ(MSR_OK, set(MSR_IA32_MTRR_DEF_TYPE, 0)); /* E = 0 */
	EXPECT_EQ(2, rebuilds());
}

static void flush_when_kicked(struct vp *vp)
{
	EXPECT_EQ(g.p.lock.next, g.p.lock.owner); /* it may need the lock before it gets here */
	EXPECT_EQ(g.p.ept.lock.next, g.p.ept.lock.owner);
	ept_flush_local(vp);
}

/* Every CPU forgets the old types, and nobody waits for them with a lock that they may want. */
static void test_a_difference_flushes_without_locks(void)
{
	fake_guest_init(&g, 4, NULL);
	for (u32 i = 0; i < 3; i++)
		g.vp[i].entered = true; /* the last one does not look for work yet */
	fake.kick = flush_when_kicked;
	fake.kick_count = fake.invepts = 0;
	EXPECT_EQ(MSR_OK, set(MSR_IA32_MTRR_PHYSBASE0, 0x50000000 | MT_UC));
	EXPECT_EQ(2, fake.kick_count);
	EXPECT_EQ(3, fake.invepts);
	for (u32 i = 0; i < 3; i++)
		EXPECT_EQ(g.p.flush_wanted, g.vp[i].flush_done);
	EXPECT_EQ(1, g.vp[1].counters.c[COUNTER_EPT_FLUSH]);
	EXPECT_EQ(MSR_OK, set(MSR_IA32_MTRR_PHYSBASE0, 0x50000000 | MT_UC)); /* the same */
	EXPECT_EQ(2, fake.kick_count);
}

/* MAXPHYADDR 52, of which the guest has 48: it can write back whatever it reads. */
static void test_what_is_read_can_be_written(void)
{
	u64 val;

	fake_guest_init(&g, 1, NULL);
	fake_msr_set(MSR_IA32_MTRRCAP, 2);
	fake_msr_set(MSR_IA32_MTRR_PHYSBASE0, 0x80000000 | MT_UC);
	fake_msr_set(MSR_IA32_MTRR_PHYSMASK0, 0xfffff80000000ull | MTRR_PHYSMASK_V);
	fake_msr_set(MSR_IA32_MTRR_PHYSBASE0 + 2, BIT64(50) | MT_UC); /* out of the guest's reach */
	fake_msr_set(MSR_IA32_MTRR_PHYSMASK0 + 2, 0xfffff80000000ull | MTRR_PHYSMASK_V);
	mtrr_init_from_host(&g.vp[0].mtrr, 48);
	for (u32 msr = MSR_IA32_MTRR_PHYSBASE0; msr < MSR_IA32_MTRR_PHYSBASE0 + 4; msr++) {
		EXPECT_EQ(MSR_OK, msr_read(&g.vp[0], msr, &val));
		EXPECT_EQ(MSR_OK, msr_write(&g.vp[0], msr, val));
	}
	EXPECT_EQ(MSR_OK, msr_read(&g.vp[0], MSR_IA32_MTRR_PHYSMASK0, &val));
	EXPECT_EQ(0xffff80000000ull | MTRR_PHYSMASK_V, val);
	EXPECT_EQ(MT_UC, mtrr_type(&g.vp[0].mtrr, 0x80000000, PAGE, NULL));
	EXPECT_EQ(0, g.vp[0].mtrr.mask[1]); /* not at 0, where a base without bit 50 would be */
}

TEST_MAIN(TEST(test_what_is_read_can_be_written), TEST(test_every_page_has_the_model_type),
	  TEST(test_uniform_means_every_page_alike), TEST(test_edges_of_the_address_space),
	  TEST(test_short_mask_is_one_block), TEST(test_starts_as_the_machine),
	  TEST(test_writes_are_validated), TEST(test_only_a_difference_rebuilds),
	  TEST(test_a_difference_flushes_without_locks))
