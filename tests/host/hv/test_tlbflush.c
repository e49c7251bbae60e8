/* SPDX-License-Identifier: BSD-2-Clause */
/* hv/hyperv/tlbflush.c and tlbflush_ext.c: whom each form of the call names, and what it refuses.
 * test_tlb_flush.c has what a flush is. */
#include "tests/host/harness.h"

#include "hv/hcall_mem.h"
#include "hv/hyperv/hyperv.h"
#include "hv/hyperv/hyperv_abi.h"
#include "tests/host/fakes/rig.h"

static struct fake_guest g;
static struct vp *self;

#define SPACE    HVCALL_FLUSH_VIRTUAL_ADDRESS_SPACE
#define LIST     HVCALL_FLUSH_VIRTUAL_ADDRESS_LIST
#define SPACE_EX HVCALL_FLUSH_VIRTUAL_ADDRESS_SPACE_EX
#define LIST_EX  HVCALL_FLUSH_VIRTUAL_ADDRESS_LIST_EX

static bool with_ext = true;

static void features(struct partition *p)
{
	fake_guest_features(p, &hyperv_abi);
	if (!with_ext)
		p->config.cpu_features &= ~BIT64(FEATURE_HV_TLBFLUSH_EXT);
}

static void start(void)
{
	fake_guest_init(&g, 4, features);
	for (u32 i = 0; i < 4; i++) {
		g.vp[i].entered = true;
		g.vp[i].work = 0;
	}
	self = fake.cpu_vp = &g.vp[0];
	fake.invvpids = 0;
}

static u32 done;

/* @in, then @banks and @elements as the parser hands them over. */
static u16 call(u32 nr, const void *in, const u64 *banks, u32 bank_count, u32 elements)
{
	static u64 list[4096];
	bool live = false;
	const struct hcall_row *row = hcall_find(hyperv_abi.calls, nr, &live);
	struct hcall hc = {
		.in = in, .var = banks, .var_bytes = bank_count * 8, .list = list, .count = elements
	};
	u16 status;

	EXPECT_TRUE(row != NULL && live);
	if (row->words != NULL) {
		const u64 *word = in;

		return row->words(self, word[0], word[1], word[2]);
	}
	status = row->mem(self, &hc);
	done = hc.done;
	return status;
}

/* Who is to flush since the last time: bit 0 is the caller. */
static u32 flushed(void)
{
	u32 who = fake.invvpids;

	fake.invvpids = 0;
	for (u32 i = 1; i < 4; i++) {
		who |= (g.vp[i].work & VP_WORK_TLB) != 0 ? 1u << i : 0;
		g.vp[i].work = 0;
	}
	return who;
}

static void test_mask(void)
{
	struct hv_tlb_flush in = { .address_space = ~0ull };

	start();
	for (u64 mask = 1; mask < 16; mask++) {
		in.processor_mask = mask;
		EXPECT_EQ(HV_STATUS_SUCCESS, call(SPACE, &in, NULL, 0, 0));
		EXPECT_EQ(mask, flushed());
		EXPECT_EQ(HV_STATUS_SUCCESS, call(LIST, &in, NULL, 0, 5));
		EXPECT_EQ(mask, flushed());
		EXPECT_EQ(5, done);
	}
	in.processor_mask = ~0xfull; /* none of them exists: nobody, and not all */
	EXPECT_EQ(HV_STATUS_SUCCESS, call(SPACE, &in, NULL, 0, 0));
	EXPECT_EQ(0, flushed());
	in.processor_mask = 0;
	EXPECT_EQ(HV_STATUS_SUCCESS, call(SPACE, &in, NULL, 0, 0));
	EXPECT_EQ(0xf, flushed());
	EXPECT_EQ(32, self->counters.c[COUNTER_HV_FLUSH]);
}

static void test_set(void)
{
	struct hv_tlb_flush_ex in = { .hv_vp_set = { HV_GENERIC_SET_SPARSE_4K, BIT64(63) | 1 } };
	const u64 banks[] = { 0xa, ~0ull };

	start();
	EXPECT_EQ(HV_STATUS_SUCCESS, call(SPACE_EX, &in, banks, 2, 0));
	EXPECT_EQ(0xa, flushed());
	EXPECT_EQ(HV_STATUS_SUCCESS, call(LIST_EX, &in, banks, 2, 400));
	EXPECT_EQ(0xa, flushed());
	EXPECT_EQ(400, done);
	in.hv_vp_set.format = HV_GENERIC_SET_ALL;
	EXPECT_EQ(HV_STATUS_SUCCESS, call(SPACE_EX, &in, banks, 2, 0));
	EXPECT_EQ(0xf, flushed());
	/* Nobody: unlike a mask of 0. */
	in.hv_vp_set = (struct hv_vpset){ HV_GENERIC_SET_SPARSE_4K, 0 };
	EXPECT_EQ(HV_STATUS_SUCCESS, call(SPACE_EX, &in, banks, 0, 0));
	EXPECT_EQ(0, flushed());
	EXPECT_EQ(HV_STATUS_SUCCESS, call(LIST_EX, &in, banks, 0, 7));
	EXPECT_EQ(0, flushed());
	EXPECT_EQ(7, done);
}

static void test_bad_sets(void)
{
	struct hv_tlb_flush_ex in = { .hv_vp_set = { HV_GENERIC_SET_SPARSE_4K, 1 } };
	const u64 banks[] = { 0xf, 0xf };

	start();
	EXPECT_EQ(HV_STATUS_INVALID_HYPERCALL_INPUT, call(SPACE_EX, &in, banks, 0, 0));
	EXPECT_EQ(HV_STATUS_INVALID_HYPERCALL_INPUT, call(LIST_EX, &in, banks, 2, 3));
	EXPECT_EQ(0, done);
	in.hv_vp_set.format = 2;
	EXPECT_EQ(HV_STATUS_INVALID_PARAMETER, call(SPACE_EX, &in, banks, 1, 0));
	EXPECT_EQ(0, flushed());
}

/* Each flag of the 64, with and without the feature that one of them needs. */
static void test_flags(void)
{
	const u64 banks[] = { 2 };

	for (u32 ext = 0; ext < 2; ext++) {
		with_ext = ext != 0;
		start();
		for (u32 bit = 0; bit < 64; bit++) {
			bool known = bit < 3 + ext;
			u16 want = known ? HV_STATUS_SUCCESS : HV_STATUS_INVALID_PARAMETER;
			u32 who = !known ? 0 : bit == 0 ? 0xf : 2;
			const struct hv_tlb_flush in = { .flags = BIT64(bit), .processor_mask = 2 };
			const struct hv_tlb_flush_ex in_ex = { .flags = BIT64(bit),
							       .hv_vp_set = { 0, 1 } };

			EXPECT_EQ(want, call(SPACE, &in, NULL, 0, 0));
			EXPECT_EQ(who, flushed());
			EXPECT_EQ(want, call(LIST, &in, NULL, 0, 9));
			EXPECT_EQ(who, flushed());
			EXPECT_EQ(known ? 9 : 0, done);
			EXPECT_EQ(want, call(SPACE_EX, &in_ex, banks, 1, 0));
			EXPECT_EQ(who, flushed());
			EXPECT_EQ(want, call(LIST_EX, &in_ex, banks, 1, 9));
			EXPECT_EQ(who, flushed());
		}
	}
	with_ext = true;
}

static u32 hints(void)
{
	struct cpuid_regs r;

	cpuid_query(&g.vp[0], 0x40000004, 0, &r);
	return r.a;
}

static u64 without;

static void less(struct partition *p)
{
	fake_guest_features(p, &hyperv_abi);
	p->config.cpu_features &= ~without;
}

/* Flush and IPI share the bit that says there are sets: it goes with the last of them. */
static void test_both_features_offer_sets(void)
{
	const u32 flush = HV_X64_REMOTE_TLB_FLUSH_RECOMMENDED, ipi = HV_X64_CLUSTER_IPI_RECOMMENDED,
		  sets = HV_X64_EX_PROCESSOR_MASKS_RECOMMENDED;

	for (u32 i = 0; i < 4; i++) {
		without = (i & 1 ? 0 : BIT64(FEATURE_HV_TLBFLUSH)) |
			  (i & 2 ? 0 : BIT64(FEATURE_HV_IPI));
		fake_guest_init(&g, 1, less);
		EXPECT_EQ((i & 1 ? flush : 0) | (i & 2 ? ipi : 0) | (i != 0 ? sets : 0),
			  hints() & (flush | ipi | sets));
	}
}

TEST_MAIN(TEST(test_mask), TEST(test_set), TEST(test_bad_sets), TEST(test_flags),
	  TEST(test_both_features_offer_sets))
