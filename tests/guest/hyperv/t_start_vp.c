// SPDX-License-Identifier: BSD-2-Clause
// hv-start-vp: another CPU starts in 64-bit mode with the state we name; bad states leave it
// waiting for its SIPI; VPs by APIC ID.

#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/msr.h"
#include "tests/guest/groups.h"
#include "tests/guest/hyperv/reg_call.h"
#include "tests/guest/lib/cpu.h"
#include "tests/guest/lib/platform.h"
#include "tests/guest/lib/smp.h"
#include "tests/guest/lib/str.h"

static struct hv_start_virtual_processor in ALIGNED(4096);
static u8 out[4096] ALIGNED(4096);
static u8 stack[4096] ALIGNED(16);

static volatile u32 arrived;
static volatile u64 found_rsp, found_cr3, found_efer;

/* The first code of the CPU: it has a stack, so this may be C. */
static void landed(void)
{
	asm volatile("mov %%rsp, %0" : "=r"(found_rsp));
	found_cr3 = read_cr3();
	found_efer = rdmsr(MSR_IA32_EFER);
	arrived = 1;
	for (;;)
		asm volatile("cli; hlt");
}

static bool begin(void)
{
	return reg_begin(HV_START_VIRTUAL_PROCESSOR);
}

struct table {
	u16 limit;
	u64 base;
} PACKED;

/* Our own state, another place. */
static void fill(u32 vp)
{
	struct table gdtr, idtr;

	asm volatile("sgdt %0" : "=m"(gdtr));
	asm volatile("sidt %0" : "=m"(idtr));
	in = (struct hv_start_virtual_processor){
		.partition_id = HV_PARTITION_ID_SELF,
		.vp_index = vp,
		.context = {
			.rip = (u64)(uintptr_t)landed,
			.rsp = (u64)(uintptr_t)(stack + sizeof(stack) - 8),
			.rflags = RFLAGS_FIXED,
			.cs = { 0, ~0u, G_CODE64, 0xa09b },
			.ss = { 0, ~0u, G_DATA, 0xc093 },
			.ds = { 0, ~0u, G_DATA, 0xc093 },
			.es = { 0, ~0u, G_DATA, 0xc093 },
			.tr = { 0, 0xffff, 0, 0x8b },
			.gdtr = { .limit = gdtr.limit, .base = gdtr.base },
			.idtr = { .limit = idtr.limit, .base = idtr.base },
			.efer = rdmsr(MSR_IA32_EFER),
			.cr0 = read_cr0(),
			.cr3 = read_cr3(),
			.cr4 = read_cr4(),
			.msr_cr_pat = rdmsr(MSR_IA32_PAT),
		},
	};
}

static u16 start(void)
{
	return (u16)hyperv_call(HVCALL_START_VP, (u64)(uintptr_t)&in, 0);
}

static u64 index_of(u32 apic_id, u32 *index)
{
	struct hv_get_vp_index_from_apic_id *h = (void *)out;
	u64 result;

	*h = (struct hv_get_vp_index_from_apic_id){ .partition_id = HV_PARTITION_ID_SELF };
	memcpy(out + sizeof(*h), &apic_id, sizeof(apic_id));
	result = hyperv_call(HVCALL_GET_VP_INDEX_FROM_APIC_ID | HYPERV_REPS(1), (u64)(uintptr_t)out,
			     (u64)(uintptr_t)(out + 2048));
	memcpy(index, out + 2048, sizeof(*index));
	return result;
}

static void startvp_errors(void)
{
	if (!begin())
		return;
	fill(0);
	EXPECT_EQ(HV_STATUS_INVALID_VP_STATE, start()); /* we run */
	in.vp_index = HV_VP_INDEX_SELF;
	EXPECT_EQ(HV_STATUS_INVALID_VP_STATE, start());
	in.vp_index = 0x1000;
	EXPECT_EQ(HV_STATUS_INVALID_VP_INDEX, start());
	fill(0);
	in.partition_id = 5;
	EXPECT_EQ(HV_STATUS_INVALID_PARTITION_ID, start());
	fill(0);
	in.target_vtl = 1;
	EXPECT_EQ(HV_STATUS_ACCESS_DENIED, start());
	EXPECT_EQ(HV_STATUS_INVALID_HYPERCALL_INPUT,
		  (u16)hyperv_call(HVCALL_START_VP | HYPERV_FAST, 0, 0));
	hyperv_end();
}

/* Off: known calls that are denied. */
static void startvp_follows_cpuid(void)
{
	bool on = (reg_privileges() & HV_START_VIRTUAL_PROCESSOR) != 0;
	u32 index;

	if (!hyperv_begin())
		return;
	fill(0);
	EXPECT_EQ(on, !reg_refused(start()));
	EXPECT_EQ(on, !reg_refused(index_of(0, &index)));
	hyperv_end();
}

static void startvp_index(void)
{
	u32 index = 99;

	if (!begin())
		return;
	for (u32 i = 0; i < smp_count(); i++) {
		EXPECT_EQ(1ull << 32, index_of(smp_ids[i], &index));
		EXPECT_EQ(i, index);
	}
	EXPECT_EQ(HV_STATUS_INVALID_PARAMETER, index_of(0xfffe, &index));
	hyperv_end();
}

static bool begin_smp(void)
{
	if (!EXPECT_GE(smp_count(), 2) || !begin() || !EXPECT_TRUE(smp_start()))
		return false;
	smp_stop();
	delay_us(10000);
	return true;
}

static void smp_startvp_starts(void)
{
	if (!begin_smp())
		return;
	for (u32 i = 1; i < smp_count(); i++) {
		fill(i);
		arrived = 0;
		EXPECT_EQ(HV_STATUS_SUCCESS, start());
		REQUIRE(reg_wait_for(&arrived));
		EXPECT_EQ(HV_STATUS_INVALID_VP_STATE, start()); /* once */
		EXPECT_EQ(read_cr3(), found_cr3);
		EXPECT_EQ(rdmsr(MSR_IA32_EFER), found_efer);
		EXPECT_LE(found_rsp - (u64)(uintptr_t)stack, sizeof(stack));
	}
	EXPECT_TRUE(smp_start()); /* INIT and SIPI as ever */
	hyperv_end();
}

/* A state that VM entry would not load: refused, and the CPU waits for its SIPI as before. */
static void smp_startvp_bad_contexts(void)
{
	struct hv_init_vp_context good;
	static const struct {
		u32 at;
		u64 val;
	} bad[] = {
		{ offsetof(struct hv_init_vp_context, rip), 0x800000000000 },
		{ offsetof(struct hv_init_vp_context, rflags), 0 },
		{ offsetof(struct hv_init_vp_context, rflags), RFLAGS_FIXED | RFLAGS_VM },
		{ offsetof(struct hv_init_vp_context, cs.limit), ~0u | 0xe09bull << 48 },
		{ offsetof(struct hv_init_vp_context, ss.limit), ~0u | 0xc0f3ull << 48 },
		{ offsetof(struct hv_init_vp_context, tr.limit), 0 },
		{ offsetof(struct hv_init_vp_context, gdtr.base), 0x800000000000 },
		{ offsetof(struct hv_init_vp_context, efer), BIT64(2) },
		{ offsetof(struct hv_init_vp_context, cr0), CR0_PG },
		{ offsetof(struct hv_init_vp_context, cr3), BIT64(60) },
		{ offsetof(struct hv_init_vp_context, cr4), 0 },
		{ offsetof(struct hv_init_vp_context, msr_cr_pat), 2 },
	};

	if (!begin_smp())
		return;
	fill(1);
	good = in.context;
	for (u32 i = 0; i < ARRAY_SIZE(bad); i++) {
		in.context = good;
		memcpy((u8 *)&in.context + bad[i].at, &bad[i].val, sizeof(u64));
		EXPECT_AT(start() == HV_STATUS_INVALID_REGISTER_VALUE, "row %u", i);
	}
	in.context = good;
	arrived = 0;
	EXPECT_EQ(HV_STATUS_SUCCESS, start());
	EXPECT_TRUE(reg_wait_for(&arrived));
	EXPECT_TRUE(smp_start());
	hyperv_end();
}

#define ROW(fn)                                                  \
	{                                                        \
		.name = #fn, .run = fn, .flags = T_ABI | T_NAMED \
	}

static const struct test t_start_vp_tests[] = {
	ROW(startvp_errors),
	ROW(startvp_follows_cpuid),
	ROW(startvp_index),
	ROW(smp_startvp_starts),
	{ .name = "smp_startvp_bad_contexts", /* which are bad is Kensho's own */
	  .run = smp_startvp_bad_contexts,
	  .flags = T_KENSHO | T_NAMED },
};
TEST_GROUP(t_start_vp);
