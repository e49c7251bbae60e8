// SPDX-License-Identifier: BSD-2-Clause
// RDMSR and WRMSR of every MSR in four ranges, with all-ones, zeros and random values. What an MSR
// takes is compared with the SDM; what it refused is unchanged; what it took is taken back.
//
// Spec: SDM Vol. 4 "Architectural MSRs"; SDM Vol. 2 "WRMSR - Write to Model Specific Register". The
// rules are restated here, independent of Kensho's rows.

#include "arch/x86/defs/vector.h"
#include "core/lib/bits.h"
#include "tests/guest/groups.h"
#include "tests/guest/lib/apic.h"
#include "tests/guest/lib/boot.h"
#include "tests/guest/lib/cpu.h"

#define APIC_BASE 0x1bu
#define TSC       0x10u
#define ADJUST    0x3bu
#define DEADLINE  0x6e0u

enum verdict {
	GP,
	OK,     /* and reads back what was written */
	DROPS,  /* no fault, and reads as before */
	MOVES,  /* no fault; what it reads afterwards is a matter of its own */
	EITHER, /* the SDM leaves it to the model: a fault, or one of the above */
};

struct rule {
	u32 first, last;
	enum verdict (*write)(u64 old, u64 val);
	bool no_read; /* RDMSR is #GP */
};

static bool bit(u64 val, u32 n)
{
	return ((val >> n) & 1) != 0;
}

static struct cpuid_regs leaf1, leaf7;
static u64 phys_mask; /* addresses that exist */

static enum verdict read_only(u64 old, u64 val)
{
	return GP;
}

static enum verdict any(u64 old, u64 val)
{
	return OK;
}

static enum verdict drops(u64 old, u64 val)
{
	return DROPS;
}

static enum verdict moves(u64 old, u64 val)
{
	return MOVES;
}

static enum verdict canonical(u64 old, u64 val)
{
	return (u64)((s64)(val << 16) >> 16) == val ? OK : GP;
}

/* 32 bits; the upper half is reserved. */
static enum verdict low_half(u64 old, u64 val)
{
	return (val >> 32) == 0 ? OK : EITHER;
}

static enum verdict efer(u64 old, u64 val)
{
	if ((val & ~0xd01ull) != 0 || bit(val, 8) != bit(old, 8))
		return GP;
	return bit(val, 10) == bit(old, 10) ? OK : MOVES;
}

static bool is_type(u64 type)
{
	return type == 0 || type == 1 || type == 4 || type == 5 || type == 6;
}

static enum verdict pat(u64 old, u64 val)
{
	for (u32 i = 0; i < 64; i += 8) {
		u64 type = (val >> i) & 0xff;

		if (!is_type(type) && type != 7)
			return GP;
	}
	return OK;
}

static enum verdict mtrr_fixed(u64 old, u64 val)
{
	for (u32 i = 0; i < 64; i += 8) {
		if (!is_type((val >> i) & 0xff))
			return GP;
	}
	return OK;
}

static enum verdict mtrr_base(u64 old, u64 val)
{
	return (val & (~phys_mask | 0xf00)) == 0 && is_type(val & 0xff) ? OK : GP;
}

static enum verdict mtrr_mask(u64 old, u64 val)
{
	return (val & (~phys_mask | 0x7ff)) == 0 ? OK : GP;
}

static enum verdict mtrr_def_type(u64 old, u64 val)
{
	return (val & ~0xcffull) == 0 && is_type(val & 0xff) ? OK : GP;
}

/* In xAPIC mode. BSP is read-only here. */
static enum verdict apic_base(u64 old, u64 val)
{
	u64 valid = (phys_mask & ~0xfffull) | 0xd00; /* EN, EXTD, BSP */

	if (!bit(leaf1.c, 21))
		valid &= ~BIT64(10);
	if ((val & ~valid) != 0 || (bit(val, 10) && !bit(val, 11)))
		return GP;
	return MOVES;
}

/* Only BTF (1), and LBR (0), which may stay clear, are the guest's. */
static enum verdict debugctl(u64 old, u64 val)
{
	return (val & ~3ull) == 0 ? MOVES : GP;
}

/* Software may only clear it. */
static enum verdict clear_only(u64 old, u64 val)
{
	return val == 0 ? DROPS : GP;
}

static enum verdict misc_enable(u64 old, u64 val)
{
	return val == old ? OK : val == 0 ? MOVES : EITHER;
}

static const struct rule rules[] = {
	{ 0x0, 0x1, read_only, false }, /* P5_MC_ADDR, P5_MC_TYPE: no errors of ours to clear */
	{ TSC, TSC, moves, false },
	{ 0x17, 0x17, read_only, false },
	{ APIC_BASE, APIC_BASE, apic_base, false },
	{ 0x3a, 0x3a, read_only, false }, /* FEATURE_CONTROL: locked */
	{ ADJUST, ADJUST, any, false },
	{ 0x79, 0x79, drops, true }, /* BIOS_UPDT_TRIG: write-only */
	{ 0x8b, 0x8b, drops, false },
	{ 0xce, 0xce, read_only, false },     /* PLATFORM_INFO */
	{ 0xfe, 0xfe, read_only, false },     /* MTRRCAP */
	{ 0x174, 0x174, low_half, false },    /* SYSENTER_CS */
	{ 0x175, 0x176, canonical, false },   /* SYSENTER_ESP, EIP */
	{ 0x179, 0x179, read_only, false },   /* MCG_CAP */
	{ 0x17a, 0x17a, clear_only, false },  /* MCG_STATUS */
	{ 0x1a0, 0x1a0, misc_enable, false }, /* MISC_ENABLE */
	{ 0x1d9, 0x1d9, debugctl, false },    /* DEBUGCTL */
	{ 0x250, 0x250, mtrr_fixed, false },
	{ 0x258, 0x259, mtrr_fixed, false },
	{ 0x268, 0x26f, mtrr_fixed, false },
	{ 0x277, 0x277, pat, false },
	{ 0x2ff, 0x2ff, mtrr_def_type, false },
	{ DEADLINE, DEADLINE, moves, false },
	{ 0xc0000080, 0xc0000080, efer, false },
	{ 0xc0000081, 0xc0000081, any, false },       /* STAR */
	{ 0xc0000082, 0xc0000083, canonical, false }, /* LSTAR, CSTAR */
	{ 0xc0000084, 0xc0000084, low_half, false },  /* FMASK */
	{ 0xc0000100, 0xc0000102, canonical, false }, /* FS, GS, KERNEL_GS base */
	{ 0xc0000103, 0xc0000103, low_half, false },  /* TSC_AUX */
};

/* Each pair of variable MTRRs that MTRRCAP announces. */
static const struct rule mtrr_rules[] = { { 0x200, 0x2ff, mtrr_base, false },
					  { 0x200, 0x2ff, mtrr_mask, false } };

/* What CPUID announces beyond: NULL when it does not. SPEC_CTRL's bits depend on more bits. */
static enum verdict spec_ctrl(u64 old, u64 val)
{
	return val == 0 ? OK : EITHER;
}

static enum verdict command(u64 old, u64 val)
{
	return val <= 1 ? MOVES : GP;
}

static const struct rule cpuid_rules[] = { { 0x48, 0x48, spec_ctrl, false },
					   { 0x49, 0x49, command, true },
					   { 0x10a, 0x10a, read_only, false },
					   { 0x10b, 0x10b, command, true },
					   { 0xda0, 0xda0, clear_only, false } };

static const struct rule *announced_rule(u32 msr)
{
	const struct cpuid_regs l7 = leaf7;

	switch (msr) {
	case 0x48:
		return bit(l7.d, 26) || bit(l7.d, 27) || bit(l7.d, 31) ? &cpuid_rules[0] : NULL;
	case 0x49:
		return bit(l7.d, 26) ? &cpuid_rules[1] : NULL;
	case 0x10a:
		return bit(l7.d, 29) ? &cpuid_rules[2] : NULL;
	case 0x10b:
		return bit(l7.d, 28) ? &cpuid_rules[3] : NULL;
	case 0xda0:
		return bit(cpuid2(0xd, 1).a, 3) ? &cpuid_rules[4] : NULL;
	default:
		return NULL;
	}
}

/* --- KVM's, each with a feature bit of leaf 40000001h; Linux: Documentation/virt/kvm/x86/msr.rst
 * --- */

/* Bits 5:1 are reserved; a bad address is taken and does nothing, as with the clocks. */
static enum verdict steal_time(u64 old, u64 val)
{
	return (val & 0x3e) == 0 ? OK : GP;
}

/* Bit 1 is reserved; enabled, the address must be RAM, and harmless() sees to it that it is not. */
static enum verdict pv_eoi(u64 old, u64 val)
{
	return (val & 3) == 0 ? OK : GP;
}

static enum verdict one_bit(u64 old, u64 val)
{
	return val <= 1 ? OK : GP;
}

static const struct {
	struct rule rule;
	u32 feature;
} kvm_rules[] = {
	{ { 0x11, 0x12, any, false }, 0 },
	{ { 0x4b564d00, 0x4b564d01, any, false }, 3 },
	{ { 0x4b564d03, 0x4b564d03, steal_time, false }, 5 },
	{ { 0x4b564d04, 0x4b564d04, pv_eoi, false }, 6 },
	{ { 0x4b564d05, 0x4b564d05, one_bit, false }, 12 },
	{ { 0x4b564d08, 0x4b564d08, one_bit, false }, 17 },
};

static u32 kvm_features;

static const struct rule *kvm_rule(u32 msr)
{
	for (u32 i = 0; i < ARRAY_SIZE(kvm_rules); i++) {
		const struct rule *r = &kvm_rules[i].rule;

		if (msr >= r->first && msr <= r->last && bit(kvm_features, kvm_rules[i].feature))
			return r;
	}
	return NULL;
}

static u32 mtrr_count;

/* NULL: there is no such MSR, and both accesses are #GP. */
static const struct rule *rule_of(u32 msr)
{
	if (msr >= 0x200 && msr < 0x200 + 2 * mtrr_count)
		return &mtrr_rules[msr & 1];
	for (u32 i = 0; i < ARRAY_SIZE(rules); i++) {
		if (msr >= rules[i].first && msr <= rules[i].last)
			return &rules[i];
	}
	if (kvm_rule(msr) != NULL)
		return kvm_rule(msr);
	return announced_rule(msr);
}

/* --- what is done to each --- */

#define RANDOMS 16u

static u64 random_state;

static u64 random64(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

static u64 apic_home, adjust_home;

#define EXPECT_MSR(cond, msr, val) EXPECT_AT(cond, "MSR 0x%x, value 0x%llx", msr, val)

/* Time and the APIC's mode have their own ways back. */
static void put_back(u32 msr, u64 old)
{
	if (msr == TSC) {
		wrmsr(ADJUST, adjust_home);
	} else if (msr == APIC_BASE) {
		(void)apic_enter(APIC_OFF);
		wrmsr(APIC_BASE, apic_home);
		apic_quiesce();
	} else {
		EXPECT_MSR(try_wrmsr(msr, old) == NO_FAULT, msr, old);
	}
}

/* TSC and, disarmed, its deadline do not hold still. */
static void expect_unchanged(u32 msr, u64 old, u64 val)
{
	u64 now = 0;

	if (msr == TSC)
		return;
	(void)try_rdmsr(msr, &now);
	EXPECT_MSR(now == old, msr, val);
}

/* Those that the CPU checks alone: Kensho sees, and counts, nothing of them. */
static bool is_native(u32 msr)
{
	return (msr >= 0x174 && msr <= 0x176) || msr == 0x277 ||
	       (msr >= 0xc0000080 && msr <= 0xc0000084) ||
	       (msr >= 0xc0000100 && msr <= 0xc0000103) || announced_rule(msr) != NULL;
}

static void counted(u32 msr, u32 vector)
{
	if (vector == EXC_GP && !is_native(msr))
		counter_want("MSR_GP", 1);
}

/* An address in RAM would have Kensho write there, as it should: this program's memory. */
static u64 harmless(u32 msr, u64 val)
{
	bool clock = msr == 0x11 || msr == 0x12 || (msr >> 8) == 0x4b564d;

	return clock && boot_is_ram(val & ~3ull, 64) ? val | BIT64(50) : val;
}

static void write_one(u32 msr, const struct rule *r, u64 val)
{
	u64 old = 0, now = 0;
	enum verdict want = GP;
	u32 got;

	val = harmless(msr, val);
	if (r != NULL && !r->no_read)
		(void)try_rdmsr(msr, &old);
	if (r != NULL)
		want = r->write(old, val);
	got = try_wrmsr(msr, val);
	counted(msr, got);
	EXPECT_MSR(got == NO_FAULT || (got == EXC_GP && trap_last()->error == 0), msr, val);
	EXPECT_AT(want == EITHER || (got == NO_FAULT) == (want != GP),
		  "MSR 0x%x, value 0x%llx, by the SDM %s", msr, val, want == GP ? "#GP" : "legal");
	if (r == NULL || r->no_read)
		return;
	if (got != NO_FAULT || want == DROPS) {
		expect_unchanged(msr, old, val);
		return;
	}
	(void)try_rdmsr(msr, &now);
	EXPECT_MSR(want != OK || now == val, msr, val);
	put_back(msr, old);
	expect_unchanged(msr, old, val);
}

static void hammer(u32 msr)
{
	const struct rule *r = rule_of(msr);
	u64 val = 0;
	u32 got = try_rdmsr(msr, &val);

	counted(msr, got);
	EXPECT_MSR((got == NO_FAULT) == (r != NULL && !r->no_read), msr, val);
	write_one(msr, r, ~0ull);
	write_one(msr, r, 0);
	for (u32 i = 0; i < (r != NULL ? RANDOMS : 1); i++) {
		u64 random = random64();

		write_one(msr, r, random);
		if (r == NULL)
			continue;
		write_one(msr, r, random >> 32);
		write_one(msr, r, (u64)((s64)(random << 16) >> 16)); /* canonical */
		write_one(msr, r, val ^ BIT64(random & 63));         /* one bit */
		write_one(msr, r, random & 0x0707070707070707ull);
		write_one(msr, r, random & phys_mask & ~0xf8ull);
	}
}

static void sweep(u32 first, u32 last)
{
	leaf1 = cpuid(1);
	leaf7 = cpuid(7);
	kvm_features = cpuid(0x40000001).a;
	phys_mask = BIT64(cpuid(0x80000008).a & 0xff) - 1;
	random_state = 0x9e3779b97f4a7c15ull + first;
	apic_home = rdmsr(APIC_BASE);
	adjust_home = rdmsr(ADJUST);
	mtrr_count = (u32)rdmsr(0xfe) & 0xff;
	for (u32 msr = first; msr <= last && !test_failed(); msr++)
		hammer(msr);
}

static void hostile_msr_low(void)
{
	sweep(0, 0x1fff);
}

static void hostile_msr_high(void)
{
	sweep(0xc0000000, 0xc0001fff);
}

static void hostile_msr_hyperv(void)
{
	sweep(0x40000000, 0x400001ff);
}

static void hostile_msr_kvm(void)
{
	sweep(0x4b564d00, 0x4b564dff);
}

#define ROW(test)                                                       \
	{                                                               \
		.name = #test, .run = test, .flags = T_NAMED | T_KENSHO \
	}

static const struct test t_hostile_msr_tests[] = {
	ROW(hostile_msr_low),
	ROW(hostile_msr_high),
	ROW(hostile_msr_hyperv),
	ROW(hostile_msr_kvm),
};
TEST_GROUP(t_hostile_msr);
