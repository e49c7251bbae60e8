// SPDX-License-Identifier: BSD-2-Clause
// hv-vp-registers: registers by hypercall against those that instructions see, the caller's own and
// those of other VPs; what is refused; random sets, after which the CPU still enters.

#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/msr.h"
#include "tests/guest/groups.h"
#include "tests/guest/hyperv/reg_call.h"
#include "tests/guest/lib/cpu.h"
#include "tests/guest/lib/platform.h"
#include "tests/guest/lib/smp.h"
#include "tests/guest/lib/str.h"

#define SELF HV_VP_INDEX_SELF

static bool begin(void)
{
	return reg_begin(HV_ACCESS_VP_REGISTERS);
}

static u16 selector_of_cs(void)
{
	u16 cs;

	asm volatile("mov %%cs, %0" : "=r"(cs));
	return cs;
}

/* Each against the instruction that reads it. */
static void vpregs_read(void)
{
	union hv_register_value val;
	struct cpuid_regs leaf = cpuid(0x40000003);
	struct {
		u16 limit;
		u64 base;
	} PACKED gdtr;
	u64 tsc;

	if (!begin())
		return;
	EXPECT_EQ(read_cr0(), reg_of(SELF, HV_X64_REGISTER_CR0));
	write_cr2(0x123456789000);
	EXPECT_EQ(0x123456789000, reg_of(SELF, HV_X64_REGISTER_CR2));
	EXPECT_EQ(read_cr3(), reg_of(SELF, HV_X64_REGISTER_CR3));
	EXPECT_EQ(read_cr4(), reg_of(SELF, HV_X64_REGISTER_CR4));
	EXPECT_EQ(read_cr8(), reg_of(SELF, HV_X64_REGISTER_CR8));
	EXPECT_EQ(read_dr7(), reg_of(SELF, HV_X64_REGISTER_DR6 + 1));
	EXPECT_EQ(rdmsr(MSR_IA32_EFER), reg_of(SELF, HV_X64_REGISTER_EFER));
	EXPECT_EQ(rdmsr(MSR_IA32_PAT), reg_of(SELF, HV_X64_REGISTER_PAT));
	EXPECT_EQ(rdmsr(MSR_IA32_APIC_BASE), reg_of(SELF, HV_X64_REGISTER_APIC_BASE));
	EXPECT_EQ(rdmsr(MSR_IA32_MTRR_DEF_TYPE), reg_of(SELF, HV_X64_REGISTER_MTRR_DEF_TYPE));
	EXPECT_EQ(rdmsr(HV_X64_MSR_HYPERCALL), reg_of(SELF, HV_X64_REGISTER_HYPERCALL));
	EXPECT_EQ(rdmsr(HV_X64_MSR_GUEST_OS_ID), reg_of(SELF, HV_REGISTER_GUEST_OSID));
	tsc = rdtsc();
	EXPECT_GE(reg_of(SELF, HV_X64_REGISTER_TSC), tsc);
	EXPECT_LE(reg_of(SELF, HV_X64_REGISTER_TSC), rdtsc());
	EXPECT_EQ(1ull << 32, reg_get(SELF, HV_REGISTER_PRIVILEGES_AND_FEATURES_INFO, &val));
	EXPECT_EQ(leaf.a | (u64)leaf.b << 32, val.low);
	EXPECT_EQ(leaf.c | (u64)leaf.d << 32, val.high);
	EXPECT_EQ(1ull << 32, reg_get(SELF, HV_X64_REGISTER_CS, &val));
	EXPECT_EQ(selector_of_cs(), val.segment.selector);
	EXPECT_EQ(0xa09b, val.segment.attributes | 1);
	asm volatile("sgdt %0" : "=m"(gdtr));
	EXPECT_EQ(1ull << 32, reg_get(SELF, HV_X64_REGISTER_GDTR, &val));
	EXPECT_EQ(gdtr.base, val.table.base);
	EXPECT_EQ(gdtr.limit, val.table.limit);
	EXPECT_EQ(hyperv_rip() - 3, reg_of(SELF, HV_X64_REGISTER_RIP));
	hyperv_end();
}

static void vpregs_write(void)
{
	union hv_register_value xmm = { .low = 0x1122334455667788, .high = 0x99aabbccddeeff00 };
	u64 low, gs = rdmsr(MSR_IA32_KERNEL_GS_BASE);

	if (!begin())
		return;
	EXPECT_EQ(HV_STATUS_SUCCESS, reg_put(SELF, HV_X64_REGISTER_DR0, 0x12345000));
	EXPECT_EQ(0x12345000, read_dr0());
	EXPECT_EQ(HV_STATUS_SUCCESS, reg_put(SELF, HV_X64_REGISTER_CR2, 0x777000));
	EXPECT_EQ(0x777000, read_cr2());
	EXPECT_EQ(HV_STATUS_SUCCESS, reg_put(SELF, HV_X64_REGISTER_CR8, 5));
	EXPECT_EQ(5, read_cr8());
	write_cr8(0);
	EXPECT_EQ(HV_STATUS_SUCCESS, reg_put(SELF, HV_X64_REGISTER_KERNEL_GS_BASE, 0x555000));
	EXPECT_EQ(0x555000, rdmsr(MSR_IA32_KERNEL_GS_BASE));
	wrmsr(MSR_IA32_KERNEL_GS_BASE, gs);
	EXPECT_EQ(1ull << 32, reg_set(SELF, HV_X64_REGISTER_XMM0 + 7, &xmm));
	asm volatile("movq %%xmm7, (%0)" : : "r"(&low) : "memory");
	EXPECT_EQ(xmm.low, low);
	EXPECT_EQ(1ull << 32, reg_get(SELF, HV_X64_REGISTER_XMM0 + 7, &xmm));
	EXPECT_EQ(0x99aabbccddeeff00, xmm.high);
	EXPECT_EQ(HV_STATUS_SUCCESS, reg_put(SELF, HV_X64_REGISTER_CR4, read_cr4() ^ CR4_PGE));
	EXPECT_EQ(read_cr4(), reg_of(SELF, HV_X64_REGISTER_CR4));
	EXPECT_EQ(HV_STATUS_SUCCESS, reg_put(SELF, HV_X64_REGISTER_CR4, read_cr4() ^ CR4_PGE));
	EXPECT_EQ(HV_STATUS_SUCCESS, reg_put(SELF, HV_X64_REGISTER_CR3, read_cr3()));
	hyperv_end();
}

#define LANDED 0x5a5a5a5aull

/* Where the hypercall goes instead of back into its page: RAX changes, then the page's RET. */
void vpregs_land(void);
asm(".pushsection .text\n"
    "vpregs_land:\n"
    "	mov $0x5a5a5a5a, %eax\n"
    "	ret\n"
    ".popsection");

static void vpregs_own_rip(void)
{
	const union hv_register_value val = { .low = (u64)(uintptr_t)vpregs_land };

	if (!begin())
		return;
	EXPECT_EQ(LANDED, reg_set(SELF, HV_X64_REGISTER_RIP, &val));
	EXPECT_EQ(LANDED, reg_set(SELF, HV_X64_REGISTER_RIP, &val));
	hyperv_end();
}

/* Nothing changes, and the guest goes on. */
static void vpregs_bad_values(void)
{
	static const struct {
		u32 name;
		u64 low, high;
	} rows[] = {
		{ HV_X64_REGISTER_RIP, 0x800000000000, 0 },
		{ HV_X64_REGISTER_RFLAGS, 0, 0 },
		{ HV_X64_REGISTER_RFLAGS, RFLAGS_FIXED | RFLAGS_VM, 0 },
		{ HV_X64_REGISTER_CR0, CR0_PG, 0 },
		{ HV_X64_REGISTER_CR0, CR0_PE, 0 }, /* out of long mode from 64-bit code */
		{ HV_X64_REGISTER_CR3, BIT64(62), 0 },
		{ HV_X64_REGISTER_CR4, 0, 0 },
		{ HV_X64_REGISTER_CR4, CR4_PAE | CR4_VMXE, 0 },
		{ HV_X64_REGISTER_CR8, 0x10, 0 },
		{ HV_X64_REGISTER_XFEM, 0, 0 },
		{ HV_X64_REGISTER_DR6, BIT64(32), 0 },
		{ HV_X64_REGISTER_EFER, 0, 0 }, /* LME with paging on */
		{ HV_X64_REGISTER_PAT, 0x0202, 0 },
		{ HV_X64_REGISTER_SYSENTER_ESP, 0x800000000000, 0 },
		{ HV_X64_REGISTER_STAR + 1, 0x800000000000, 0 },
		{ HV_X64_REGISTER_GDTR, 0x7full << 48, 0x800000000000 },
		{ HV_X64_REGISTER_MTRR_DEF_TYPE, 2, 0 },
		{ HV_X64_REGISTER_CR2, 0, 1 },
	};
	u64 cr0 = read_cr0(), cr4 = read_cr4(), efer = rdmsr(MSR_IA32_EFER);
	struct hv_register_assoc list[2];

	if (!begin())
		return;
	cr4 = read_cr4();
	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		const union hv_register_value val = { .low = rows[i].low, .high = rows[i].high };

		EXPECT_AT(reg_set(SELF, rows[i].name, &val) == HV_STATUS_INVALID_REGISTER_VALUE,
			  "register 0x%x", rows[i].name);
	}
	list[0] = (struct hv_register_assoc){ .name = HV_X64_REGISTER_CR2, .value.low = 0x5000 };
	list[1] = reg_segment(HV_X64_REGISTER_SS, 0x2b, 0, ~0u, 0xc0f3); /* not CS's DPL */
	EXPECT_EQ(HV_STATUS_INVALID_REGISTER_VALUE | 1ull << 32, reg_put_list(SELF, list, 2));
	EXPECT_EQ(0x5000, read_cr2());
	EXPECT_EQ(cr0, read_cr0());
	EXPECT_EQ(cr4, read_cr4());
	EXPECT_EQ(efer, rdmsr(MSR_IA32_EFER));
	hyperv_end();
}

static u8 area[2][4096] ALIGNED(4096);

static u64 raw(u32 code, u64 reps, u64 partition, u32 vp, u32 vtl, u32 name)
{
	struct hv_vp_registers h = { .partition_id = partition,
				     .vp_index = vp,
				     .input_vtl = (u8)vtl };

	memcpy(area[0], &h, sizeof(h));
	memcpy(area[0] + sizeof(h), &name, sizeof(name));
	return hyperv_call(code | reps, (u64)(uintptr_t)area[0], (u64)(uintptr_t)area[1]);
}

#define GET HVCALL_GET_VP_REGISTERS
#define SET HVCALL_SET_VP_REGISTERS
#define ONE HYPERV_REPS(1)

static void vpregs_errors(void)
{
	const u64 me = HV_PARTITION_ID_SELF;
	const u32 rip = HV_X64_REGISTER_RIP;

	if (!begin())
		return;
	EXPECT_EQ(ONE, raw(GET, ONE, me, SELF, 0, rip));
	EXPECT_EQ(ONE, raw(GET, ONE, me, SELF, 0x10, rip));
	EXPECT_EQ(HV_STATUS_ACCESS_DENIED, raw(GET, ONE, 1, SELF, 0, rip));
	EXPECT_EQ(HV_STATUS_ACCESS_DENIED, raw(SET, ONE, 0, SELF, 0, rip));
	EXPECT_EQ(HV_STATUS_INVALID_VP_INDEX, raw(GET, ONE, me, 0xffff, 0, rip));
	EXPECT_EQ(HV_STATUS_INVALID_VP_INDEX, raw(SET, ONE, me, ~0u, 0, rip));
	EXPECT_EQ(HV_STATUS_ACCESS_DENIED, raw(GET, ONE, me, SELF, 0x11, rip));
	EXPECT_EQ(HV_STATUS_INVALID_PARAMETER, raw(GET, ONE, me, SELF, 0x20, rip));
	EXPECT_EQ(HV_STATUS_INVALID_PARAMETER, raw(GET, ONE, me, SELF, 0, 0x12345));
	EXPECT_EQ(HV_STATUS_INVALID_PARAMETER, raw(SET, ONE, me, SELF, 0, 0x12345));
	EXPECT_EQ(HV_STATUS_INVALID_PARAMETER, raw(SET, ONE, me, SELF, 0, HV_REGISTER_VP_INDEX));
	EXPECT_EQ(HV_STATUS_INVALID_HYPERCALL_INPUT, raw(GET, 0, me, SELF, 0, rip));
	EXPECT_EQ(HV_STATUS_INVALID_HYPERCALL_INPUT,
		  raw(GET, ONE | HYPERV_START(1), me, SELF, 0, rip));
	hyperv_end();
}

/* Off: known calls that are denied. */
static void vpregs_follow_cpuid(void)
{
	bool on = (reg_privileges() & HV_ACCESS_VP_REGISTERS) != 0;

	if (!hyperv_begin())
		return;
	for (u32 code = GET; code <= HVCALL_TRANSLATE_VIRTUAL_ADDRESS; code++)
		EXPECT_EQ(on, !reg_refused(raw(code, ONE, HV_PARTITION_ID_SELF, SELF, 0, 0x12345)));
	hyperv_end();
}

static struct hv_translate_virtual_address_out translate(u64 flags, u64 gva)
{
	struct hv_translate_virtual_address_out out;
	struct hv_translate_virtual_address *in = (void *)area[0];

	*in = (struct hv_translate_virtual_address){ .partition_id = HV_PARTITION_ID_SELF,
						     .vp_index = SELF,
						     .control_flags = flags,
						     .gva_page = gva >> 12 };
	EXPECT_EQ(0, hyperv_call(HVCALL_TRANSLATE_VIRTUAL_ADDRESS, (u64)(uintptr_t)area[0],
				 (u64)(uintptr_t)area[1]));
	memcpy(&out, area[1], sizeof(out));
	return out;
}

#define MT_UC 0
#define MT_WB 6

static void vpregs_translate(void)
{
	struct hv_translate_virtual_address_out out;
	u64 cr0 = read_cr0();

	if (!begin())
		return;
	(void)map_page(70, 0x234000, G_PTE_P);
	out = translate(HV_TRANSLATE_GVA_VALIDATE_READ, TEST_VA + 70 * 4096);
	EXPECT_EQ(HV_TRANSLATE_GVA_SUCCESS, out.result);
	EXPECT_EQ(0x234, out.gpa_page);
	EXPECT_EQ(MT_WB, out.flags);
	write_cr0(cr0 | CR0_WP);
	out = translate(HV_TRANSLATE_GVA_VALIDATE_WRITE, TEST_VA + 70 * 4096);
	EXPECT_EQ(HV_TRANSLATE_GVA_PRIVILEGE_VIOLATION, out.result);
	write_cr0(cr0);
	(void)map_page(70, 0x235000, G_PTE_P | G_PTE_W | 0x18); /* PCD, PWT */
	out = translate(HV_TRANSLATE_GVA_VALIDATE_WRITE, TEST_VA + 70 * 4096);
	EXPECT_EQ(0x235, out.gpa_page);
	EXPECT_EQ(MT_UC, out.flags);
	(void)map_page(70, 0, 0);
	out = translate(0, TEST_VA + 70 * 4096);
	EXPECT_EQ(HV_TRANSLATE_GVA_PAGE_NOT_PRESENT, out.result);
	/* The hypercall page itself: an overlay that nobody may write. */
	out = translate(HV_TRANSLATE_GVA_VALIDATE_EXECUTE, hyperv_rip());
	EXPECT_EQ(HV_TRANSLATE_GVA_SUCCESS, out.result);
	EXPECT_EQ(HV_TRANSLATE_GVA_OVERLAY_PAGE, out.flags & HV_TRANSLATE_GVA_OVERLAY_PAGE);
	out = translate(HV_TRANSLATE_GVA_VALIDATE_WRITE, hyperv_rip());
	EXPECT_EQ(HV_TRANSLATE_GVA_ILLEGAL_OVERLAY_ACCESS, out.result);
	hyperv_end();
}

/* --- Other VPs --- */

static bool begin_smp(void)
{
	return EXPECT_GE(smp_count(), 2) && begin() && EXPECT_TRUE(smp_start());
}

static volatile u32 spinning, freed;

/* Spins with IF = 0 until RAX is set from outside. */
static void spin(u64 arg)
{
	u64 rax = 0;

	spinning = 1;
	asm volatile("1: pause; test %0, %0; jz 1b" : "+a"(rax) : : "cc");
	freed = (u32)rax;
	spinning = 0;
}

static void smp_vpregs_running(void)
{
	u64 rip;

	if (!begin_smp())
		return;
	spinning = freed = 0;
	smp_call(1, spin, 0);
	REQUIRE(reg_wait_for(&spinning));
	EXPECT_EQ(0, reg_of(1, HV_X64_REGISTER_RAX));
	rip = reg_of(1, HV_X64_REGISTER_RIP);
	EXPECT_TRUE(rip - (u64)(uintptr_t)spin < 64);
	EXPECT_EQ(0, reg_of(1, HV_X64_REGISTER_RFLAGS) & RFLAGS_IF);
	EXPECT_EQ(HV_STATUS_SUCCESS, reg_put(1, HV_X64_REGISTER_RAX, 0x77));
	EXPECT_TRUE(smp_wait(1));
	EXPECT_EQ(0x77, freed);
	hyperv_end();
}

#define MEETINGS 200u

/* Both look at, and write, a register of the other: nobody waits for ever. */
static void meet(u64 other)
{
	hyperv_cpu_begin();
	for (u32 i = 0; i < MEETINGS; i++) {
		(void)reg_of((u32)other, HV_X64_REGISTER_RIP);
		(void)reg_put((u32)other, HV_X64_REGISTER_DR0, i);
	}
}

static void smp_vpregs_each_other(void)
{
	u32 n;

	if (!begin_smp())
		return;
	n = smp_count();
	for (u32 i = 1; i < n; i++)
		smp_call(i, meet, (i + 1) % n);
	meet(1);
	for (u32 i = 1; i < n; i++)
		EXPECT_TRUE(smp_wait(i));
	EXPECT_EQ(MEETINGS - 1, read_dr0());
	hyperv_end();
}

/* --- Random sets: of a VP that waits for a SIPI, whose CPU enters after each, asleep --- */

#define RANDOM_SETS 1500u

static u64 seed = 0x2545f4914f6cdd1d;

static u64 random64(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static struct hv_register_assoc random_element(void)
{
	static const u32 names[] = {
		HV_X64_REGISTER_RIP,     HV_X64_REGISTER_RFLAGS, HV_X64_REGISTER_CR0,
		HV_X64_REGISTER_CR3,     HV_X64_REGISTER_CR4,    HV_X64_REGISTER_EFER,
		HV_X64_REGISTER_PAT,     HV_X64_REGISTER_IDTR,   HV_X64_REGISTER_GDTR,
		HV_X64_REGISTER_DR6 + 1,
	};
	static const u16 attributes[] = { 0xa09b, 0xc093, 0xa0fb, 0xc0f3, 0xc09b, 0x9b,
					  0x93,   0x82,   0x8b,   0x83,   0xf3,   0 };
	u64 r = random64(), bits = BIT64(random64() % 64) | BIT64(random64() % 64);
	u16 attr = attributes[r / 16 % ARRAY_SIZE(attributes)];
	struct hv_register_assoc e;

	if (r % 2 != 0)
		return reg_segment(HV_X64_REGISTER_ES + (u32)(r / 2 % 8), (u16)(r >> 32 & 0x3f),
				   r % 16 == 1 ? random64() : 0, (attr & 0x8000) ? ~0u : 0xffff,
				   attr);
	e = (struct hv_register_assoc){ .name = names[r / 2 % ARRAY_SIZE(names)] };
	e.value.low = r % 16 == 0 ? random64() : bits | (r >> 60 & 3);
	if (e.name == HV_X64_REGISTER_CR0 && r % 4 == 0)
		e.value.low = (CR0_PE | CR0_PG | CR0_ET | CR0_NE) & (random64() | CR0_PE);
	if (e.name >= HV_X64_REGISTER_IDTR)
		e.value.high = r % 16 == 2 ? random64() : 0;
	return e;
}

static void smp_vpregs_random(void)
{
	struct hv_register_assoc list[4];
	u32 done = 0, refused = 0;

	if (!begin_smp())
		return;
	smp_stop();
	delay_us(10000);
	for (u32 i = 0; i < RANDOM_SETS; i++) {
		u32 n = 1 + (u32)(random64() % 4);
		u64 result;

		for (u32 k = 0; k < n; k++)
			list[k] = random_element();
		result = reg_put_list(1, list, n);
		done += REG_DONE(result);
		refused += REG_STATUS(result) == HV_STATUS_INVALID_REGISTER_VALUE;
		(void)reg_of(1, HV_X64_REGISTER_RIP);
	}
	EXPECT_GE(done, RANDOM_SETS / 10);
	EXPECT_GE(refused, RANDOM_SETS / 10);
	EXPECT_TRUE(smp_start()); /* INIT makes all of it good */
	hyperv_end();
}

#define ROW(fn)                                                  \
	{                                                        \
		.name = #fn, .run = fn, .flags = T_ABI | T_NAMED \
	}

/* What is refused, and with which status, is Kensho's own. */
#define OURS(fn)                                                    \
	{                                                           \
		.name = #fn, .run = fn, .flags = T_KENSHO | T_NAMED \
	}

static const struct test t_vp_registers_tests[] = {
	ROW(vpregs_read),        ROW(vpregs_write),       OURS(vpregs_own_rip),
	OURS(vpregs_bad_values), OURS(vpregs_errors),     ROW(vpregs_follow_cpuid),
	OURS(vpregs_translate),  ROW(smp_vpregs_running), ROW(smp_vpregs_each_other),
	OURS(smp_vpregs_random),
};
TEST_GROUP(t_vp_registers);
