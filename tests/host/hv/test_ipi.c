/* SPDX-License-Identifier: BSD-2-Clause */
/* hv/hyperv/ipi.c: who gets the interrupt, and what is refused. */
#include "tests/host/harness.h"

#include "hv/hcall_mem.h"
#include "hv/hyperv/hyperv.h"
#include "hv/hyperv/hyperv_abi.h"
#include "tests/host/fakes/rig.h"

#define VECTOR 0x67u

static struct fake_guest g;

static void features(struct partition *p)
{
	fake_guest_features(p, &hyperv_abi);
}

static void start(void)
{
	fake_guest_init(&g, 4, features);
	for (u32 i = 0; i < 4; i++) {
		vlapic_write(&g.vp[i], APIC_SVR, 0x1ff);
		g.vp[i].work = 0;
	}
	fake.cpu_vp = &g.vp[0];
	fake.kick_count = 0;
}

static u16 call(u32 nr, const void *in, const u64 *banks, u32 bank_count)
{
	bool live = false;
	const struct hcall_row *row = hcall_find(hyperv_abi.calls, nr, &live);
	struct hcall hc = { .in = in, .var = banks, .var_bytes = bank_count * 8 };
	u64 words[2];

	EXPECT_TRUE(row != NULL && live);
	memcpy(words, in, sizeof(words));
	return row->words != NULL ? row->words(&g.vp[0], words[0], words[1], 0)
				  : row->mem(&g.vp[0], &hc);
}

static u16 send(u32 vector, u32 reserved, u64 mask)
{
	const struct hv_send_ipi in = { vector, reserved, mask };
	u64 words[2];
	bool live = false;
	const struct hcall_row *row = hcall_find(hyperv_abi.calls, HVCALL_SEND_IPI, &live);

	memcpy(words, &in, sizeof(in));
	EXPECT_TRUE(row != NULL && live);
	return row->words(&g.vp[0], words[0], words[1], 0);
}

/* Who has @vector pending since the last time. */
static u32 got(u8 vector)
{
	u32 who = 0;

	for (u32 i = 0; i < 4; i++) {
		struct vp *vp = &g.vp[i];

		vlapic_fold_posted(vp);
		if (vlapic_pending_vector(vp) != vector)
			continue;
		who |= 1u << i;
		vlapic_accept(vp, vector);
		vlapic_eoi(vp);
	}
	return who;
}

static void test_mask(void)
{
	start();
	for (u64 mask = 0; mask < 16; mask++) {
		EXPECT_EQ(HV_STATUS_SUCCESS, send(VECTOR, 0, mask));
		EXPECT_EQ(mask, got(VECTOR));
	}
	EXPECT_EQ(32 - 8, fake.kick_count); /* none for the caller itself */
	EXPECT_EQ(16, g.vp[0].counters.c[COUNTER_HV_IPI]);
	EXPECT_EQ(32, g.vp[0].counters.c[COUNTER_HV_IPI_TARGETS]);
	EXPECT_EQ(HV_STATUS_SUCCESS, send(VECTOR, 0, ~0xfull)); /* nobody */
	EXPECT_EQ(0, got(VECTOR));
}

/* To itself: the next entry delivers it. */
static void test_self(void)
{
	start();
	EXPECT_EQ(HV_STATUS_SUCCESS, send(VECTOR, 0, 1));
	EXPECT_TRUE(g.vp[0].work & VP_WORK_EVENT);
	EXPECT_EQ(VECTOR, vlapic_pending_vector(&g.vp[0]));
}

/* The APIC of VP 1 is off, that of VP 2 disabled by software: they take none. */
static void test_apics_that_are_off(void)
{
	start();
	EXPECT_EQ(MSR_OK, vlapic_write_base(&g.vp[1], g.vp[1].apic.base_msr & ~(u64)APIC_BASE_EN));
	vlapic_write(&g.vp[2], APIC_SVR, 0xff);
	EXPECT_EQ(HV_STATUS_SUCCESS, send(VECTOR, 0, 0xe));
	EXPECT_EQ(8, got(VECTOR));
	EXPECT_EQ(1, g.vp[0].counters.c[COUNTER_HV_IPI_TARGETS]);
}

static void test_set(void)
{
	struct hv_send_ipi_ex in = { .vector = VECTOR,
				     .vp_set = { HV_GENERIC_SET_SPARSE_4K, BIT64(63) | 1 } };
	const u64 banks[] = { 0xb, ~0ull };

	start();
	EXPECT_EQ(HV_STATUS_SUCCESS, call(HVCALL_SEND_IPI_EX, &in, banks, 2));
	EXPECT_EQ(0xb, got(VECTOR));
	in.vp_set = (struct hv_vpset){ HV_GENERIC_SET_ALL, 0 };
	EXPECT_EQ(HV_STATUS_SUCCESS, call(HVCALL_SEND_IPI_EX, &in, banks, 0));
	EXPECT_EQ(0xf, got(VECTOR));
	in.vp_set.valid_bank_mask = 1;
	EXPECT_EQ(HV_STATUS_INVALID_HYPERCALL_INPUT, call(HVCALL_SEND_IPI_EX, &in, banks, 0));
	in.vp_set.format = 2;
	EXPECT_EQ(HV_STATUS_INVALID_PARAMETER, call(HVCALL_SEND_IPI_EX, &in, banks, 1));
	EXPECT_EQ(0, got(VECTOR));
}

/* Linux' selftest calls with a page of zeros: an empty set comes before the vector. */
static void test_an_empty_set_is_nobody(void)
{
	struct hv_send_ipi_ex in = { 0 };
	const u64 bank = 0;

	start();
	EXPECT_EQ(HV_STATUS_SUCCESS, call(HVCALL_SEND_IPI_EX, &in, NULL, 0));
	in.vp_set.valid_bank_mask = 1; /* a bank without a VP is no empty set */
	EXPECT_EQ(HV_STATUS_INVALID_HYPERCALL_INPUT, call(HVCALL_SEND_IPI_EX, &in, &bank, 1));
	in.vector = VECTOR;
	EXPECT_EQ(HV_STATUS_SUCCESS, call(HVCALL_SEND_IPI_EX, &in, &bank, 1));
	EXPECT_EQ(0, got(VECTOR));
	EXPECT_EQ(HV_STATUS_INVALID_HYPERCALL_INPUT, send(0, 0, 0));
}

static u16 send_ex(u32 vector, u32 reserved, u64 mask)
{
	const struct hv_send_ipi_ex in = { vector, reserved, { HV_GENERIC_SET_SPARSE_4K, 1 } };

	return call(HVCALL_SEND_IPI_EX, &in, &mask, 1);
}

static void expect_both(u16 status, u32 vector, u32 reserved)
{
	EXPECT_EQ(status, send(vector, reserved, 0xf));
	EXPECT_EQ(status, send_ex(vector, reserved, 0xf));
}

static void test_every_vector(void)
{
	start();
	for (u32 v = 0; v < 0x120; v++) {
		bool ok = v >= 0x10 && v <= 0xff;

		EXPECT_EQ(ok ? HV_STATUS_SUCCESS : HV_STATUS_INVALID_HYPERCALL_INPUT,
			  send(v, 0, 2));
		EXPECT_EQ(ok ? 2 : 0, got((u8)v));
		EXPECT_EQ(ok ? HV_STATUS_SUCCESS : HV_STATUS_INVALID_HYPERCALL_INPUT,
			  send_ex(v, 0, 2));
		EXPECT_EQ(ok ? 2 : 0, got((u8)v));
	}
	for (u32 bit = 8; bit < 32; bit++)
		expect_both(HV_STATUS_INVALID_HYPERCALL_INPUT, VECTOR | BIT32(bit), 0);
	EXPECT_EQ(0, got(VECTOR));
}

static void test_the_other_word(void)
{
	start();
	for (u32 bit = 0; bit < 32; bit++)
		expect_both(bit < 8 ? HV_STATUS_INVALID_PARAMETER
				    : HV_STATUS_INVALID_HYPERCALL_INPUT,
			    VECTOR, BIT32(bit));
	EXPECT_EQ(0, got(VECTOR));
	EXPECT_EQ(0, g.vp[0].counters.c[COUNTER_HV_IPI]);
}

TEST_MAIN(TEST(test_mask), TEST(test_self), TEST(test_apics_that_are_off), TEST(test_set),
	  TEST(test_an_empty_set_is_nobody), TEST(test_every_vector), TEST(test_the_other_word))
