/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a guest could do to other hypervisors with this interface, as it is known in public. What
 * has a test elsewhere:
 *
 *   CVE-2023-46842 (XSA-454)  Xen: a call that goes on, by 32-bit code whose registers have upper
 *                             halves: test_hyperv_hcall.c, test_continuation; on the machine
 *                             hcall_32bit_long
 *   CVE-2025-58143 (XSA-472)  Xen: two VPs race on REFERENCE_TSC: test_hyperv_time.c, test_race; on
 *                             the machine hvtimes_race
 *
 * The others are below. Advisories that need the synthetic interrupt controller (CVE-2021-30178,
 * CVE-2022-2153 of KVM; CVE-2025-58142, XSA-472, of Xen) have no way in here: its MSRs are #GP.
 */
#include "tests/host/harness.h"

#include "arch/x86/defs/apic.h"
#include "arch/x86/defs/msr.h"
#include "core/apic/vlapic.h"
#include "hv/hcall_mem.h"
#include "hv/hyperv/hyperv.h"
#include "hv/hyperv/hyperv_abi.h"
#include "tests/host/fakes/rig.h"

#define VECTOR 0x67u
#define BANKS  64u
#define IN     (GUEST_RAM_BASE + 0x1000)

static struct fake_guest g;

static void features(struct partition *p)
{
	fake_guest_features(p, &hyperv_abi);
}

/* Behind the last VP there is nothing: what reads or writes there is a crash of this program. */
static void start(u32 vps)
{
	fake_guest_init(&g, vps, features);
	for (u32 i = 0; i < vps; i++) {
		vlapic_write(&g.vp[i], APIC_SVR, 0x1ff);
		g.vp[i].entered = true;
		g.vp[i].work = 0;
	}
	memset(g.ram, 0, sizeof(g.ram));
	fake.cpu_vp = &g.vp[0];
	fake.tsc_step = 1000;
}

static u64 *input(void)
{
	return (u64 *)(void *)(g.ram + (IN - GUEST_RAM_BASE));
}

/* By the parser, as a guest makes the call. */
static u64 call(u64 control)
{
	static struct hcall_buffer buffer;
	struct hcall_request rq = { .control = control, .in_gpa = IN, .buffer = &buffer };

	EXPECT_EQ(HCALL_DONE, hcall_memory(&g.vp[0], hyperv_abi.calls, &rq));
	return rq.result;
}

static u32 got_vector(u32 vps)
{
	u32 who = 0;

	for (u32 i = 0; i < vps; i++) {
		vlapic_fold_posted(&g.vp[i]);
		who |= vlapic_pending_vector(&g.vp[i]) == VECTOR ? 1u << i : 0;
	}
	return who;
}

/*
 * CVE-2025-58147, XSA-475: the banks of a sparse set went past the array of VPs. All 64 banks, all
 * their bits; more VPs are named than can exist.
 */
static void test_cve_2025_58147_sparse_banks(void)
{
	static const u64 codes[] = { HVCALL_SEND_IPI_EX, HVCALL_FLUSH_VIRTUAL_ADDRESS_SPACE_EX,
				     HVCALL_FLUSH_VIRTUAL_ADDRESS_LIST_EX };

	for (u32 i = 0; i < ARRAY_SIZE(codes); i++) {
		bool ipi = codes[i] == HVCALL_SEND_IPI_EX, list = i == 2;
		u64 *set = input() + (ipi ? 1 : 2);

		for (u32 banks = 1; banks <= BANKS; banks++) {
			u64 control = codes[i] | (u64)banks << 17 | (list ? 1ull << 32 : 0);

			start(2);
			input()[0] = ipi ? VECTOR : 0;
			set[0] = HV_GENERIC_SET_SPARSE_4K;
			set[1] = ~0ull << (BANKS - banks);
			memset(set + 2, 0xff, banks * 8);
			EXPECT_EQ(list ? 1ull << 32 : 0, call(control));
			EXPECT_EQ(ipi && banks == BANKS ? 3 : 0, got_vector(2));
		}
	}
}

/* CVE-2025-58148, XSA-475: an IPI for a VP that does not exist used a pointer behind the last. */
static void test_cve_2025_58148_ipi_behind_the_last_vp(void)
{
	for (u32 bit = 0; bit < 64; bit++) {
		start(1);
		input()[0] = VECTOR;
		input()[1] = BIT64(bit);
		EXPECT_EQ(HV_STATUS_SUCCESS, call(HVCALL_SEND_IPI));
		EXPECT_EQ(bit == 0, got_vector(1));
		start(1);
		input()[0] = VECTOR;
		input()[2] = BIT64(bit);
		input()[3] = ~1ull;
		EXPECT_EQ(HV_STATUS_SUCCESS, call(HVCALL_SEND_IPI_EX | 1ull << 17));
		EXPECT_EQ(0, got_vector(1));
	}
	start(1);
	input()[0] = VECTOR;
	input()[1] = HV_GENERIC_SET_ALL;
	EXPECT_EQ(HV_STATUS_SUCCESS, call(HVCALL_SEND_IPI_EX));
	EXPECT_EQ(1, got_vector(1));
}

/* CVE-2025-27466, XSA-472: REFERENCE_TSC was updated where no page had been mapped. */
static void test_cve_2025_27466_tsc_page_never_mapped(void)
{
	static const u64 nowhere[] = { 0xfee00000, BIT64(45), 0xfffffffffffff000, 0x1000 };
	u64 val;

	for (u32 i = 0; i < ARRAY_SIZE(nowhere); i++) {
		start(2);
		g.vp[0].entered = g.vp[1].entered = false; /* nobody to wait for */
		EXPECT_EQ(MSR_OK, msr_write(&g.vp[0], HV_X64_MSR_REFERENCE_TSC, nowhere[i] | 1));
		EXPECT_EQ(MSR_OK, msr_write(&g.vp[0], MSR_IA32_TSC, 0x1234));
		EXPECT_EQ(MSR_OK, msr_write(&g.vp[1], MSR_IA32_TSC_ADJUST, 5));
		EXPECT_EQ(MSR_OK, msr_read(&g.vp[1], HV_X64_MSR_TIME_REF_COUNT, &val));
		EXPECT_EQ(MSR_OK, msr_read(&g.vp[1], HV_X64_MSR_REFERENCE_TSC, &val));
		EXPECT_EQ(nowhere[i] | 1, val);
		EXPECT_EQ(MSR_OK, msr_write(&g.vp[1], HV_X64_MSR_REFERENCE_TSC, 0));
	}
}

/* CVE-2025-21779 of KVM: an IPI by hypercall in a machine whose local APIC is not there. */
static void test_cve_2025_21779_ipi_without_an_apic(void)
{
	start(2);
	for (u32 i = 0; i < 2; i++)
		EXPECT_EQ(MSR_OK, vlapic_write_base(&g.vp[i], 0xfee00000));
	input()[0] = VECTOR;
	input()[1] = 3;
	EXPECT_EQ(HV_STATUS_SUCCESS, call(HVCALL_SEND_IPI));
	input()[1] = HV_GENERIC_SET_ALL;
	EXPECT_EQ(HV_STATUS_SUCCESS, call(HVCALL_SEND_IPI_EX));
	EXPECT_EQ(0, got_vector(2));
}

/* CVE-2025-38351 of KVM: INVVPID of an address from the list that is not canonical failed. */
static void test_cve_2025_38351_addresses_that_are_not_canonical(void)
{
	static const u64 addresses[] = { 0x800000000000, 0x8000000000000fff, 0xffff7fffffffffff,
					 0x7fffffffffffffff, ~0ull };
	const u64 count = ARRAY_SIZE(addresses);

	start(2);
	input()[1] = HV_FLUSH_ALL_PROCESSORS;
	memcpy(input() + 3, addresses, sizeof(addresses));
	EXPECT_EQ(count << 32, call(HVCALL_FLUSH_VIRTUAL_ADDRESS_LIST | count << 32));
	EXPECT_EQ(1, fake.invvpids); /* the caller's, of all it has; never one address */
	EXPECT_TRUE(g.vp[1].work & VP_WORK_TLB);
}

/* Pages of the SynIC where none can be, and a timer that sends there; a period of 0. */
static void test_synic_pages_never_mapped(void)
{
	struct vp *vp = &g.vp[0];

	start(1);
	EXPECT_EQ(MSR_OK, msr_write(vp, HV_X64_MSR_SCONTROL, 1));
	EXPECT_EQ(MSR_OK, msr_write(vp, HV_X64_MSR_SINT0 + 2, 0x51));
	EXPECT_EQ(MSR_OK, msr_write(vp, HV_X64_MSR_SIMP, BIT64(51) | 1));
	EXPECT_EQ(MSR_OK, msr_write(vp, HV_X64_MSR_SIEFP, BIT64(51) | 1));
	EXPECT_EQ(MSR_OK, msr_write(vp, HV_X64_MSR_STIMER0_CONFIG, 8 | 2 << 16));
	EXPECT_EQ(MSR_OK, msr_write(vp, HV_X64_MSR_STIMER0_CONFIG + 1, 1));
	timer_run(vp, fake.tsc + 1);
	EXPECT_EQ(0x51, vlapic_pending_vector(vp));
	EXPECT_EQ(MSR_OK, msr_write(vp, HV_X64_MSR_EOM, 0));
	EXPECT_EQ(MSR_OK, msr_write(vp, HV_X64_MSR_STIMER0_CONFIG, 3 | 2 << 16));
	EXPECT_EQ(MSR_OK, msr_write(vp, HV_X64_MSR_STIMER0_CONFIG + 1, 0));
	timer_run(vp, fake.tsc + 1);
}

TEST_MAIN(TEST(test_cve_2025_58147_sparse_banks), TEST(test_cve_2025_58148_ipi_behind_the_last_vp),
	  TEST(test_cve_2025_27466_tsc_page_never_mapped),
	  TEST(test_cve_2025_21779_ipi_without_an_apic),
	  TEST(test_cve_2025_38351_addresses_that_are_not_canonical),
	  TEST(test_synic_pages_never_mapped))
