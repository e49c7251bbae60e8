/* SPDX-License-Identifier: BSD-2-Clause */
/* core/apic/vlapic_icr.c: who receives what, against the SDM's destination rules written anew. */
#include "tests/host/fakes/fake.h"
#include "tests/host/models/apic_model.h"
#include "tests/host/models/apic_vp.h"

#define VPS         4u
#define VP          (&at.vp[0])
#define VECTOR      0x67u
#define FIXED(dest) ((u64)(dest) << 32 | VECTOR)

#define SELF   (1u << 18)
#define ALL    (2u << 18)
#define OTHERS (3u << 18)

static void set_up(char mode)
{
	apic_test_init(VPS, false);
	for (u32 i = 0; i < VPS; i++) {
		fake.cpu_vp = &at.vp[i];
		apic_test_mode(&at.vp[i], mode);
		vlapic_write(&at.vp[i], APIC_SVR, 0x1ff);
		at.vp[i].work = 0;
	}
	fake.cpu_vp = VP;
	fake.kick_count = 0;
}

static bool has_vector(struct vp *vp)
{
	struct vp *cpu = fake.cpu_vp;
	bool got;

	fake.cpu_vp = vp;
	vlapic_fold_posted(vp);
	fake.cpu_vp = cpu;
	got = vlapic_pending_vector(vp) == (s32)VECTOR;
	if (got) {
		vlapic_accept(vp, VECTOR);
		vlapic_eoi(vp);
	}
	return got;
}

/* Bit i: VP i got the vector. */
static u32 receivers(u64 icr)
{
	u32 got = 0;

	vlapic_write_icr(VP, icr);
	for (u32 i = 0; i < VPS; i++)
		got |= (u32)has_vector(&at.vp[i]) << i;
	return got;
}

static void test_physical_destination(void)
{
	set_up('x');
	for (u32 i = 0; i < VPS; i++)
		EXPECT_CALL(1u << i, receivers(FIXED(i << 24)));
	EXPECT_CALL(0, receivers(FIXED(7u << 24)));
	EXPECT_CALL(0xf, receivers(FIXED(0xffu << 24)));
	set_up('2');
	for (u32 i = 0; i < VPS; i++)
		EXPECT_CALL(1u << i, receivers(FIXED(i)));
	EXPECT_CALL(0, receivers(FIXED(0xff))); /* 8-bit broadcast is an ID here */
	EXPECT_CALL(0, receivers(FIXED(1u << 24)));
	EXPECT_CALL(0xf, receivers(FIXED(0xffffffff)));
}

static void test_shorthands(void)
{
	static const char modes[] = { 'x', '2' };

	for (u32 m = 0; m < 2; m++) {
		set_up(modes[m]);
		EXPECT_CALL(1, receivers(VECTOR | SELF));
		EXPECT_CALL(1, receivers(FIXED(2) | SELF)); /* the destination does not matter */
		EXPECT_CALL(0xf, receivers(VECTOR | ALL));
		EXPECT_CALL(0xe, receivers(VECTOR | OTHERS));
		for (u32 i = 0; i < fake.kick_count; i++)
			EXPECT_TRUE(fake.kicked[i] != VP);
	}
}

static void test_flat_logical_destination(void)
{
	set_up('x');
	for (u32 i = 0; i < VPS; i++)
		vlapic_write(&at.vp[i], APIC_LDR, 1u << (24 + i));
	for (u32 dest = 0; dest < 16; dest++)
		EXPECT_CALL(dest, receivers(FIXED(dest << 24) | APIC_ICR_LOGICAL));
	EXPECT_CALL(0xf, receivers(FIXED(0xffu << 24) | APIC_ICR_LOGICAL));
	EXPECT_CALL(0, receivers(FIXED(0xf0u << 24) | APIC_ICR_LOGICAL));
}

static void test_cluster_logical_destination(void)
{
	static const u8 ldr[VPS] = { 0x11, 0x12, 0x21, 0x28 };

	set_up('x');
	for (u32 i = 0; i < VPS; i++) {
		vlapic_write(&at.vp[i], APIC_DFR, APIC_DFR_CLUSTER);
		vlapic_write(&at.vp[i], APIC_LDR, (u32)ldr[i] << 24);
	}
	for (u32 dest = 0; dest < 255; dest++) {
		u32 want = 0;

		for (u32 i = 0; i < VPS; i++)
			if (ldr[i] >> 4 == dest >> 4 && (ldr[i] & dest & 0xf) != 0)
				want |= 1u << i;
		EXPECT_CALL(want, receivers(FIXED(dest << 24) | APIC_ICR_LOGICAL));
	}
}

static void test_x2apic_logical_destination(void)
{
	set_up('2');
	at.vp[3].apic_id = 0x23; /* another cluster */
	vlapic_reg(&at.vp[3].apic, APIC_LDR);
	apic_test_mode(&at.vp[3], '0');
	apic_test_mode(&at.vp[3], '2');
	vlapic_write(&at.vp[3], APIC_SVR, 0x1ff);
	EXPECT_EQ(0x00020008, vlapic_read(&at.vp[3], APIC_LDR));
	EXPECT_CALL(0x5, receivers(FIXED(0x00000005) | APIC_ICR_LOGICAL));
	EXPECT_CALL(0x8, receivers(FIXED(0x0002000f) | APIC_ICR_LOGICAL));
	EXPECT_CALL(0x0, receivers(FIXED(0x0001ffff) | APIC_ICR_LOGICAL));
	EXPECT_CALL(0xf, receivers(FIXED(0xffffffff) | APIC_ICR_LOGICAL));
}

static void test_lowest_priority_picks_one(void)
{
	const u64 lowest = (u64)APIC_MODE_LOWEST << 8;

	set_up('x');
	for (u32 i = 0; i < VPS; i++)
		vlapic_write(&at.vp[i], APIC_TPR, 0x40 - 0x10 * (i == 2));
	EXPECT_CALL(1u << 2, receivers(FIXED(0xffu << 24) | lowest));
	EXPECT_CALL(1u << 1, receivers(FIXED(1u << 24) | lowest));
	EXPECT_CALL(1u << 2, receivers(VECTOR | lowest | OTHERS));
	vlapic_write(&at.vp[2], APIC_SVR, 0xff); /* disabled: not a candidate */
	EXPECT_CALL(1, receivers(FIXED(0xffu << 24) | lowest));
}

/* vector_hashing=on: number (vector mod candidates) of the candidates, whatever their TPR. */
static void test_vector_hashing_picks_by_vector(void)
{
	const u64 lowest = (u64)APIC_MODE_LOWEST << 8;

	set_up('x');
	at.p.config.vector_hashing = true;
	for (u32 i = 0; i < VPS; i++) {
		vlapic_write(&at.vp[i], APIC_LDR, 1u << (24 + i));
		vlapic_write(&at.vp[i], APIC_TPR, i == 2 ? 0 : 0x40);
	}
	for (u32 dest = 0; dest < 1u << VPS; dest++) {
		u32 count = (u32)__builtin_popcount(dest), want = dest;

		for (u32 i = 0; count != 0 && i < VECTOR % count; i++)
			want &= want - 1;
		want &= -want;
		EXPECT_CALL(want, receivers(FIXED(dest << 24) | APIC_ICR_LOGICAL | lowest));
	}
	EXPECT_CALL(2u << VECTOR % 3, receivers(VECTOR | lowest | OTHERS));
	vlapic_write(&at.vp[1], APIC_SVR, 0xff); /* disabled: does not count */
	EXPECT_CALL(4u << VECTOR % 2, receivers(VECTOR | lowest | OTHERS));
	EXPECT_CALL(0xd, receivers(FIXED(0xfu << 24) | APIC_ICR_LOGICAL)); /* fixed: all */
}

static void test_disabled_target_gets_nothing(void)
{
	set_up('x');
	apic_test_mode(&at.vp[1], '0');
	EXPECT_CALL(0xd, receivers(VECTOR | ALL));
	EXPECT_CALL(0, receivers(FIXED(1u << 24)));
}

static void test_nmi_init_and_sipi(void)
{
	set_up('x');
	vlapic_write_icr(VP, 1ull << 56 | APIC_MODE_NMI << 8);
	EXPECT_TRUE(at.vp[1].work & VP_WORK_SIGNAL);
	EXPECT_EQ(SIGNAL_NMI, vlapic_take_signals(&at.vp[1]));
	vlapic_write_icr(VP, 0ull << 56 | APIC_MODE_NMI << 8); /* to itself */
	EXPECT_TRUE(VP->event.nmis_pending);

	vlapic_write_icr(VP, 2ull << 56 | APIC_MODE_INIT << 8 | APIC_ICR_ASSERT | APIC_ICR_LEVEL);
	EXPECT_TRUE(at.vp[2].work & VP_WORK_SIGNAL);
	EXPECT_TRUE(fake.kicked[fake.kick_count - 1] == &at.vp[2]);
	EXPECT_CALL(SIGNAL_INIT, vlapic_take_signals(&at.vp[2]));
	vlapic_write_icr(VP, 2ull << 56 | APIC_MODE_STARTUP << 8 | 0x9a);
	EXPECT_CALL(SIGNAL_SIPI | 0x9a, vlapic_take_signals(&at.vp[2]));
	EXPECT_CALL(0, vlapic_take_signals(&at.vp[2]));
	/* Of two the first one counts. */
	vlapic_write_icr(VP, 2ull << 56 | APIC_MODE_STARTUP << 8 | 0x11);
	vlapic_write_icr(VP, 2ull << 56 | APIC_MODE_STARTUP << 8 | 0x22);
	EXPECT_CALL(SIGNAL_SIPI | 0x11, vlapic_take_signals(&at.vp[2]));
	/* A SIPI or an NMI that came before the INIT must not act after it; what follows must. */
	vlapic_write_icr(VP, 2ull << 56 | APIC_MODE_STARTUP << 8 | 0x9a);
	vlapic_write_icr(VP, 2ull << 56 | APIC_MODE_NMI << 8);
	vlapic_write_icr(VP, 2ull << 56 | APIC_MODE_INIT << 8 | APIC_ICR_ASSERT);
	EXPECT_EQ(SIGNAL_INIT, READ_ONCE(at.vp[2].apic.signals));
	vlapic_write_icr(VP, 2ull << 56 | APIC_MODE_STARTUP << 8 | 0x33);
	vlapic_write_icr(VP, 2ull << 56 | APIC_MODE_NMI << 8);
	EXPECT_CALL(SIGNAL_INIT | SIGNAL_SIPI | SIGNAL_NMI | 0x33, vlapic_take_signals(&at.vp[2]));
}

/* SDM "Interrupt Command Register": bit 12 is read-only, and reserved in x2APIC mode. */
static void test_delivery_status_is_not_kept(void)
{
	u64 val;

	set_up('2');
	EXPECT_EQ(MSR_OK, apic_test_wrmsr(VP, X2APIC_MSR(APIC_ICR), 1ull << 32 | 0x1051));
	EXPECT_EQ(MSR_OK, apic_test_rdmsr(VP, X2APIC_MSR(APIC_ICR), &val));
	EXPECT_EQ(1ull << 32 | 0x51, val);
	EXPECT_TRUE(at.vp[1].work & VP_WORK_POSTED);
}

/* Vectors 0 to 15 are illegal; 16 is the first of a device. */
static void test_self_ipi_takes_vector_16(void)
{
	set_up('2');
	for (u32 vector = 15; vector <= 16; vector++) {
		EXPECT_EQ(MSR_OK, apic_test_wrmsr(VP, X2APIC_MSR(APIC_SELF_IPI), vector));
		vlapic_write(VP, APIC_ESR, 0);
		EXPECT_EQ(vector < 16 ? APIC_ESR_SEND_ILLEGAL | APIC_ESR_RECEIVE_ILLEGAL : 0,
			  vlapic_read(VP, APIC_ESR));
	}
}

static void test_init_deassert_is_ignored(void)
{
	set_up('x');
	vlapic_write_icr(VP, 2ull << 56 | APIC_MODE_INIT << 8); /* an edge is none */
	EXPECT_CALL(SIGNAL_INIT, vlapic_take_signals(&at.vp[2]));
	set_up('x');
	vlapic_write_icr(VP, (u64)ALL | APIC_MODE_INIT << 8 | APIC_ICR_LEVEL);
	vlapic_write_icr(VP, 3ull << 56 | APIC_MODE_INIT << 8 | APIC_ICR_LEVEL);
	for (u32 i = 0; i < VPS; i++)
		EXPECT_EQ(0, at.vp[i].work & VP_WORK_SIGNAL);
}

static void test_invalid_combinations_send_nothing(void)
{
	static const u32 modes[] = { APIC_MODE_SMI,     APIC_MODE_NMI,    APIC_MODE_INIT,
				     APIC_MODE_STARTUP, APIC_MODE_LOWEST, 3 };

	set_up('x');
	for (u32 i = 0; i < ARRAY_SIZE(modes); i++) {
		vlapic_write_icr(VP, VECTOR | SELF | modes[i] << 8);
		if (modes[i] != 3)
			vlapic_write_icr(VP, VECTOR | ALL | modes[i] << 8);
	}
	for (u32 i = 0; i < VPS; i++) {
		EXPECT_EQ(0, at.vp[i].work & ~(u32)VP_WORK_EVENT);
		EXPECT_FALSE(has_vector(&at.vp[i]));
		EXPECT_FALSE(at.vp[i].event.nmis_pending);
	}
}

static void test_illegal_vector_is_a_send_error(void)
{
	set_up('x');
	vlapic_write_icr(VP, 1ull << 56 | 15);
	vlapic_write(VP, APIC_ESR, 0);
	EXPECT_EQ(APIC_ESR_SEND_ILLEGAL, vlapic_read(VP, APIC_ESR));
	EXPECT_EQ(0, at.vp[1].work);
	vlapic_write_icr(VP, SELF | 3);
	vlapic_write(VP, APIC_ESR, 0);
	EXPECT_EQ(APIC_ESR_SEND_ILLEGAL | APIC_ESR_RECEIVE_ILLEGAL, vlapic_read(VP, APIC_ESR));
	/* NMI, INIT and SIPI have no such rule. */
	vlapic_write_icr(VP, 1ull << 56 | APIC_MODE_STARTUP << 8 | 1);
	vlapic_write(VP, APIC_ESR, 0);
	EXPECT_EQ(0, vlapic_read(VP, APIC_ESR));
}

static void test_icr_reads_back_idle(void)
{
	set_up('x');
	vlapic_write(VP, APIC_ICR2, 3u << 24);
	vlapic_write(VP, APIC_ICR, VECTOR | APIC_ICR_PENDING);
	EXPECT_EQ(VECTOR, vlapic_read(VP, APIC_ICR));
	EXPECT_EQ(3u << 24, vlapic_read(VP, APIC_ICR2));
	EXPECT_TRUE(has_vector(&at.vp[3]));
}

TEST_MAIN(TEST(test_physical_destination), TEST(test_shorthands),
	  TEST(test_flat_logical_destination), TEST(test_cluster_logical_destination),
	  TEST(test_x2apic_logical_destination), TEST(test_lowest_priority_picks_one),
	  TEST(test_vector_hashing_picks_by_vector), TEST(test_disabled_target_gets_nothing),
	  TEST(test_nmi_init_and_sipi), TEST(test_init_deassert_is_ignored),
	  TEST(test_delivery_status_is_not_kept), TEST(test_self_ipi_takes_vector_16),
	  TEST(test_invalid_combinations_send_nothing), TEST(test_illegal_vector_is_a_send_error),
	  TEST(test_icr_reads_back_idle))
