/* SPDX-License-Identifier: BSD-2-Clause */
/* core/surface/cpuid.c, core/surface/exit_cpuid.c: which leaves there are, whose bits they have,
 * and the way from the exit to them. */
#include "tests/host/surface/cpuid_sim.h"

#include "core/diag/log_internal.h"

static void small_host(u32 leaf, u32 subleaf, struct cpuid_regs *r)
{
	*r = (struct cpuid_regs){ leaf, leaf, leaf, leaf };
	if (leaf == 0)
		r->a = 2;
	/* A CPU answers what it does not have with rubbish: nobody may ask. */
	if ((leaf > 2 && leaf < 0x80000000) || leaf > 0x80000004)
		fail_msg("host was asked for leaf 0x%x", leaf);
	if (leaf == 0x80000000)
		r->a = 0x80000004;
}

static void test_absent_host_leaves_are_not_asked(void)
{
	init();
	fake.cpuid_fn = small_host;
	g.p.cpuid = NULL;
	EXPECT_EQ(ERR_NONE, cpuid_add_rows(&g.p, 0, cpuid_host_rows, cpuid_host_row_count));
	EXPECT_EQ(ERR_NONE, cpuid_seal(&g.p));
	for (u32 leaf = 0; leaf < 0x40; leaf++)
		(void)ask(leaf, 0);
	for (u32 leaf = 0x80000000; leaf < 0x80000040; leaf++)
		(void)ask(leaf, 0);
	EXPECT_EQ(2, ask(0, 0).a);
	EXPECT_EQ(2, ask(7, 0).a);
	EXPECT_EQ(2, ask(0x80000008, 0).b);
	EXPECT_EQ(0, ask(1, 0).c & CPUID1_ECX_XSAVE);
}

/* SDM: out of range answers as the highest basic leaf; hypervisor leaves are ours. */
static void test_out_of_range_is_highest_basic_leaf(void)
{
	static const u32 leaves[] = { 0x20, 0x3fffffff, 0x80000009, 0x8000ffff, 0xc0000000, ~0u };
	struct cpuid_regs top;

	init();
	top = ask(0x1f, 1);
	EXPECT_EQ(0x1f, ask(0, 0).a);
	EXPECT_NE(0, top.b);
	for (size_t i = 0; i < ARRAY_SIZE(leaves); i++) {
		struct cpuid_regs r = ask(leaves[i], 1);

		EXPECT_MEMEQ(&top, &r, sizeof(r));
	}
	EXPECT_EQ(0, ask(0x40000200, 0).a | ask(0x7fffffff, 0).a);
}

static void expect_leaf(struct vp *vp, u32 leaf, u32 subleaf, const struct cpuid_regs *want)
{
	struct cpuid_regs r;

	cpuid_query(vp, leaf, subleaf, &r);
	EXPECT_MEMEQ(want, &r, sizeof(r));
	vp->regs.rax = leaf;
	vp->regs.rcx = subleaf;
	EXPECT_EQ(EXIT_NEXT, exit_cpuid(vp, NULL));
	r = (struct cpuid_regs){ (u32)vp->regs.rax, (u32)vp->regs.rbx, (u32)vp->regs.rcx,
				 (u32)vp->regs.rdx };
	EXPECT_MEMEQ(want, &r, sizeof(r));
}

/* Host leaves that differ from each other. */
static void numbered_host(u32 leaf, u32 subleaf, struct cpuid_regs *r)
{
	fake_host_cpuid(leaf, subleaf, r);
	if (leaf == 2 || leaf == 4)
		*r = (struct cpuid_regs){ leaf, leaf << 8, leaf << 16, subleaf };
}

static void numbered(struct partition *p)
{
	fake.cpuid_fn = numbered_host;
}

/*
 * IA32_MISC_ENABLE[22], SDM: "CPUID.00H returns a maximum value in EAX[7:0] of 2", "CPUID leaves
 * above 2 and below 80000000 are visible only when [it] has its default value of 0". On that VP.
 */
static void test_limit_cpuid_is_one_vps(void)
{
	static const u32 leaves[] = { 0, 1, 2, 3, 4, 7, 0xb, 0xd, 0x1f, 0x20, 0x8000ffff };
	struct cpuid_regs before[ARRAY_SIZE(leaves)], ext, two, zero;

	fake_guest_init(&g, 2, numbered);
	for (size_t i = 0; i < ARRAY_SIZE(leaves); i++)
		cpuid_query(&g.vp[1], leaves[i], 1, &before[i]);
	ext = ask(0x80000008, 0);
	zero = ask(0, 0);
	zero.a = 2;
	misc_enable(0, MISC_ENABLE_LIMIT_CPUID);
	two = ask(2, 0);
	EXPECT_EQ(0x200, two.b);
	expect_leaf(&g.vp[0], 0, 0, &zero);
	for (size_t i = 2; i < ARRAY_SIZE(leaves); i++)
		expect_leaf(&g.vp[0], leaves[i], 0, &two);
	expect_leaf(&g.vp[0], 0x80000008, 0, &ext);
	EXPECT_NE(0, ask(0x40000001, 0).a); /* hypervisor leaves are not the CPU's */
	EXPECT_EQ(0x1f, cpuid_base(&g.p, 0, 0).a);
	for (size_t i = 0; i < ARRAY_SIZE(leaves); i++)
		expect_leaf(&g.vp[1], leaves[i], 1, &before[i]);
	misc_enable(1, MISC_ENABLE_LIMIT_CPUID);
	misc_enable(0, 0);
	EXPECT_EQ(0x1f, ask(0, 0).a);
	expect_leaf(&g.vp[1], 4, 0, &two);
	misc_enable(1, 0);
	for (size_t i = 0; i < ARRAY_SIZE(leaves); i++)
		expect_leaf(&g.vp[1], leaves[i], 1, &before[i]);
}

static void test_overlap_is_refused_by_name(void)
{
	static const struct cpuid_row mine = { .leaf = 7,
					       .subleaf = CPUID_ANY,
					       .name = "intruder" };

	init();
	log_reset();
	g.p.cpuid = NULL;
	EXPECT_EQ(ERR_NONE, cpuid_add_rows(&g.p, 0, cpuid_host_rows, cpuid_host_row_count));
	EXPECT_EQ(ERR_BUSY, cpuid_add_rows(&g.p, 0, &mine, 1));
	EXPECT_CONTAINS(fake.console, "intruder");
	EXPECT_CONTAINS(fake.console, "extended features");
}

/* Bits come from whoever is live; a leaf must exist, and a bit is one feature's. */
static void test_bits_are_added_to_rows(void)
{
	static const struct cpuid_row mine = {
		.leaf = 0x40000003, .subleaf = CPUID_ANY, .name = "mine", .set = { .b = 1 }
	};
	static const struct cpuid_regs none = { 0 };
	static const struct cpuid_regs a = { .a = 2 }, ad = { .a = 2, .d = 4 }, b = { .b = 1 },
				       d = { .d = 4 };

	init();
	EXPECT_EQ(ERR_BUSY, cpuid_add_bits(&g.p, 1, &a, &none, "late"));
	g.p.cpuid = NULL;
	EXPECT_EQ(ERR_NONE, cpuid_add_rows(&g.p, 0, cpuid_host_rows, cpuid_host_row_count));
	EXPECT_EQ(ERR_NONE, cpuid_add_rows(&g.p, 0, &mine, 1));
	EXPECT_EQ(ERR_NOENT, cpuid_add_bits(&g.p, 0x40000004, &a, &none, "nowhere"));
	EXPECT_EQ(ERR_NONE, cpuid_add_bits(&g.p, 0x40000003, &a, &none, "first"));
	EXPECT_EQ(ERR_BUSY, cpuid_add_bits(&g.p, 0x40000003, &ad, &none, "second"));
	EXPECT_EQ(ERR_BUSY, cpuid_add_bits(&g.p, 0x40000003, &b, &none, "the row's own"));
	EXPECT_EQ(ERR_NONE, cpuid_add_bits(&g.p, 0x40000003, &d, &none, "third"));
	EXPECT_EQ(ERR_NONE, cpuid_seal(&g.p));
	EXPECT_EQ(2, ask(0x40000003, 0).a);
	EXPECT_EQ(1, ask(0x40000003, 0).b);
	EXPECT_EQ(4, ask(0x40000003, 0).d);
}

/* A bit that several features have is theirs only: each must say so, the first one too. */
static void test_shared_bits(void)
{
	static const struct cpuid_row mine = {
		.leaf = 0x40000003, .subleaf = CPUID_ANY, .name = "mine", .set = { .a = 8 }
	};
	static const struct cpuid_regs none = { 0 }, one = { .a = 1 }, two = { .a = 2 },
				       both = { .a = 3 }, own = { .a = 4 }, own_one = { .a = 5 },
				       row = { .a = 8 };
	const u32 leaf = 0x40000003;

	init();
	g.p.cpuid = NULL;
	EXPECT_EQ(ERR_NONE, cpuid_add_rows(&g.p, 0, cpuid_host_rows, cpuid_host_row_count));
	EXPECT_EQ(ERR_NONE, cpuid_add_rows(&g.p, 0, &mine, 1));
	EXPECT_EQ(ERR_NONE, cpuid_add_bits(&g.p, leaf, &both, &one, "first"));
	EXPECT_EQ(ERR_NONE, cpuid_add_bits(&g.p, leaf, &own_one, &one, "second"));
	EXPECT_EQ(ERR_NONE, cpuid_add_bits(&g.p, leaf, &one, &one, "third"));
	EXPECT_EQ(ERR_BUSY, cpuid_add_bits(&g.p, leaf, &one, &none, "shares nothing"));
	EXPECT_EQ(ERR_BUSY, cpuid_add_bits(&g.p, leaf, &two, &two, "wants the first's"));
	EXPECT_EQ(ERR_BUSY, cpuid_add_bits(&g.p, leaf, &own, &own, "wants the second's"));
	EXPECT_EQ(ERR_BUSY, cpuid_add_bits(&g.p, leaf, &row, &row, "wants the row's"));
	EXPECT_EQ(ERR_NONE, cpuid_seal(&g.p));
	EXPECT_EQ(15, ask(leaf, 0).a);
}

/* The exit handler's short path and the query agree, for every leaf and random subleaves. */
static void test_exit_equals_query(void)
{
	struct vp *vp = &g.vp[0];

	init();
	for (u32 i = 0; i < 20000; i++) {
		static const u32 bases[] = { 0, 0x40000000, 0x80000000, 0x40000100, 0xc0000000 };
		u32 leaf = bases[test_rng() % ARRAY_SIZE(bases)] + (u32)(test_rng() % 0x30);
		u32 subleaf = (u32)(test_rng() % 12);
		struct cpuid_regs r = ask(leaf, subleaf);

		vp->regs.rax = 0xdead000000000000ull | leaf;
		vp->regs.rcx = 0xbeef000000000000ull | subleaf;
		EXPECT_EQ(EXIT_NEXT, exit_cpuid(vp, NULL));
		EXPECT_EQ(r.a, vp->regs.rax);
		EXPECT_EQ(r.b, vp->regs.rbx);
		EXPECT_EQ(r.c, vp->regs.rcx);
		EXPECT_EQ(r.d, vp->regs.rdx);
	}
}

/* The bench's leaves may not touch the VMCS: a VMREAD costs a nested exit. */
static void test_static_leaves_cost_no_vmread(void)
{
	init();
	fake.vmreads = 0;
	fake.cpuid_calls = 0;
	g.vp[0].regs.rax = 0;
	(void)exit_cpuid(&g.vp[0], NULL);
	g.vp[0].regs.rax = 0x40000001;
	(void)exit_cpuid(&g.vp[0], NULL);
	EXPECT_EQ(0, fake.vmreads + fake.cpuid_calls);
}

TEST_MAIN(TEST(test_absent_host_leaves_are_not_asked),
	  TEST(test_out_of_range_is_highest_basic_leaf), TEST(test_limit_cpuid_is_one_vps),
	  TEST(test_overlap_is_refused_by_name), TEST(test_bits_are_added_to_rows),
	  TEST(test_shared_bits), TEST(test_exit_equals_query),
	  TEST(test_static_leaves_cost_no_vmread))
