/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hv/hyperv/vp_registers.c, vp_reg_rows.c: every row both ways, what is refused, lists whose
 * elements depend on each other.
 */
#include "tests/host/hv/vp_reg_sim.h"

#include "arch/x86/defs/vector.h"

/* Registers that any value of their width fits, and the MSRs of those that have none here. */
static void test_values_come_back(void)
{
	static const struct {
		u32 name;
		u64 val;
	} rows[] = {
		{ HV_X64_REGISTER_RAX, 0x123456789abcdef0 },
		{ HV_X64_REGISTER_RAX + 4, 0xfedcba9876543210 }, /* RSP */
		{ HV_X64_REGISTER_RAX + 15, ~0ull },
		{ HV_X64_REGISTER_RFLAGS, RFLAGS_FIXED | RFLAGS_IF | RFLAGS_CF },
		{ HV_X64_REGISTER_CR2, ~0ull },
		{ HV_X64_REGISTER_CR3, 0x1234000 },
		{ HV_X64_REGISTER_CR4, CR4_PAE | CR4_PGE },
		{ HV_X64_REGISTER_CR0, CR0_PE | CR0_ET | CR0_NE | CR0_CD },
		{ HV_X64_REGISTER_CR8, 15 },
		{ HV_X64_REGISTER_XFEM, XCR0_X87 | XCR0_SSE },
		{ HV_X64_REGISTER_DR0, 0x1000 },
		{ HV_X64_REGISTER_DR0 + 3, 0x4000 },
		{ HV_X64_REGISTER_DR6, 0xffff0ff0 },
		{ HV_X64_REGISTER_DR6 + 1, 0x455 },
		{ HV_X64_REGISTER_EFER, EFER_SCE | EFER_NXE },
		{ HV_X64_REGISTER_KERNEL_GS_BASE, 0x7fffffffffff },
		{ HV_X64_REGISTER_PAT, 0x0007040600070401 },
		{ HV_X64_REGISTER_SYSENTER_CS, 0x10 },
		{ HV_X64_REGISTER_SYSENTER_EIP, 0x1234 },
		{ HV_X64_REGISTER_SYSENTER_ESP, 0x5678 },
		{ HV_X64_REGISTER_STAR, 0x23001000000000 },
		{ HV_X64_REGISTER_STAR + 1, 0x1111 },
		{ HV_X64_REGISTER_STAR + 3, 0x700 },
		{ HV_X64_REGISTER_TSC_AUX, 5 },
		{ HV_X64_REGISTER_MTRR_DEF_TYPE, 0xc00 },
		{ HV_X64_REGISTER_MTRR_PHYS_BASE0 + 2, 0x10000006 },
		{ HV_X64_REGISTER_MTRR_PHYS_MASK0 + 2, 0x3ffff0000800 },
		{ HV_X64_REGISTER_MTRR_FIX64K00000, 0 },
		{ HV_X64_REGISTER_MTRR_FIX16K80000 + 1, 0x0101010101010101 },
		{ HV_X64_REGISTER_MTRR_FIX4KC0000 + 7, 0x0404040404040404 },
	};

	init();
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		EXPECT_EQ(HV_STATUS_SUCCESS, set(rows[i].name, rows[i].val));
		EXPECT_EQ(1, c.hc.done);
		EXPECT_EQ(rows[i].val, value_of(rows[i].name));
		EXPECT_TRUE(entry_check_passes());
	}
	EXPECT_EQ(0x123456789abcdef0, vp->regs.rax);
	EXPECT_EQ(~0ull, vp->regs.r15);
	EXPECT_EQ(0xf0, vlapic_reg(&vp->apic, APIC_TPR));
	EXPECT_EQ(~0ull, fake.cr2);
	EXPECT_EQ(RESET_IP, value_of(HV_X64_REGISTER_RIP));
}

static void test_wide_values(void)
{
	struct hv_register_assoc wanted[3];

	init();
	put(0, HV_X64_REGISTER_XMM0 + 15, 0x1122, 0x3344);
	put_segment(1, HV_X64_REGISTER_FS, 0x28, 0x123456789a, 0xfff, 0x93);
	put(2, HV_X64_REGISTER_IDTR, 0xfffull << 48, 0x5000);
	memcpy(wanted, c.assoc, sizeof(wanted));
	EXPECT_EQ(HV_STATUS_SUCCESS, set_list(3));
	EXPECT_EQ(0x3344, fake.vector[15][1]);
	EXPECT_EQ(0x123456789a, fake.vmcs[VMCS_GUEST_FS_BASE]);
	EXPECT_EQ(0x93, fake.vmcs[VMCS_GUEST_FS_AR]);
	EXPECT_EQ(0xfff, fake.vmcs[VMCS_GUEST_IDTR_LIMIT]);
	EXPECT_EQ(0x5000, fake.vmcs[VMCS_GUEST_IDTR_BASE]);
	for (u32 i = 0; i < 3; i++)
		c.name[i] = c.assoc[i].name;
	EXPECT_EQ(HV_STATUS_SUCCESS, run(HVCALL_GET_VP_REGISTERS, c.name, 3));
	for (u32 i = 0; i < 3; i++)
		EXPECT_MEMEQ(&wanted[i].value, &c.value[i], sizeof(c.value[i]));
}

/* The TLFS has no "unusable": a segment that is not present. */
static void test_absent_segments_are_unusable(void)
{
	init();
	put_segment(0, HV_X64_REGISTER_DS, 0, 0, 0, 0);
	EXPECT_EQ(HV_STATUS_SUCCESS, set_list(1));
	EXPECT_EQ(AR_UNUSABLE, fake.vmcs[VMCS_GUEST_DS_AR]);
	fake.vmcs[VMCS_GUEST_DS_AR] = AR_UNUSABLE | 0xf3;
	EXPECT_EQ(HV_STATUS_SUCCESS, get(HV_X64_REGISTER_DS));
	EXPECT_EQ(0xf3 & ~AR_P, c.value[0].segment.attributes);
	for (u32 name = HV_X64_REGISTER_CS; name <= HV_X64_REGISTER_TR; name++) {
		if (name != HV_X64_REGISTER_CS && name != HV_X64_REGISTER_TR)
			continue;
		put_segment(0, name, 0, 0, 0, 0);
		EXPECT_EQ(HV_STATUS_INVALID_REGISTER_VALUE, set_list(1));
	}
	EXPECT_TRUE(entry_check_passes());
}

/* HW-ERRATUM: its entry compares RPL and DPL of CS. */
static void test_code_segments_on_bochs(void)
{
	static const struct {
		u16 selector, attributes;
		bool good;
	} rows[] = {
		{ 9, 0x9b, false }, { 8, 0x9b, true },    { 9, 0x93, true },
		{ 9, 0x9f, true },  { 8, 0xc0ff, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		init();
		put_segment(0, HV_X64_REGISTER_CS, rows[i].selector, 0, 0xffff, rows[i].attributes);
		if (i < 4) /* a CPU takes it */
			EXPECT_EQ(HV_STATUS_SUCCESS, set_list(1));
		g.p.machine.is_bochs = true;
		EXPECT_EQ(rows[i].good ? HV_STATUS_SUCCESS : HV_STATUS_INVALID_REGISTER_VALUE,
			  set_list(1));
	}
}

static void test_what_reads_only(void)
{
	struct cpuid_regs r;

	init();
	cpuid_query(vp, 0x40000003, 0, &r);
	EXPECT_EQ(HV_STATUS_SUCCESS, get(HV_REGISTER_PRIVILEGES_AND_FEATURES_INFO));
	EXPECT_EQ(r.a | (u64)r.b << 32, c.value[0].low);
	EXPECT_EQ(r.c | (u64)r.d << 32, c.value[0].high);
	EXPECT_TRUE(r.b & HV_ACCESS_VP_REGISTERS);
	EXPECT_EQ(0, value_of(HV_REGISTER_VP_INDEX));
	EXPECT_EQ(0, value_of(HV_REGISTER_PENDING_INTERRUPTION));
	EXPECT_EQ(0, value_of(HV_REGISTER_INTERRUPT_STATE));
	fake.vmcs[VMCS_GUEST_INTERRUPTIBILITY] =
		GUEST_INTR_BLOCKED_BY_MOV_SS | GUEST_INTR_BLOCKED_BY_NMI;
	EXPECT_EQ(HV_X64_INTERRUPT_SHADOW | HV_X64_NMI_MASKED,
		  value_of(HV_REGISTER_INTERRUPT_STATE));
	vp->event.info = INTR_INFO_VALID | INTR_INFO_ERROR_CODE_VALID | 3 << 8 | EXC_GP;
	vp->event.error = 0x1234;
	EXPECT_EQ(1 | 3 << 1 | 1 << 4 | EXC_GP << 16 | 0x1234ull << 32,
		  value_of(HV_REGISTER_PENDING_INTERRUPTION));
	vp->event.info = 0;
	EXPECT_EQ(HV_STATUS_INVALID_PARAMETER, set(HV_REGISTER_VP_INDEX, 1));
	EXPECT_EQ(HV_STATUS_INVALID_PARAMETER, set(HV_REGISTER_HYPERVISOR_VERSION, 1));
	EXPECT_EQ(HV_STATUS_INVALID_PARAMETER, set(HV_REGISTER_INTERRUPT_STATE, 0));
	EXPECT_EQ(HV_STATUS_INVALID_PARAMETER, set(HV_X64_REGISTER_MTRR_CAP, 0));
}

static void test_names_without_a_register(void)
{
	static const u32 names[] = { 0,       0x104,   0x250,   0x20012, 0x30010, 0x40006, 0x50006,
				     0x60008, 0x70002, 0x8000f, 0x80020, 0x90005, 0xa0015, ~0u };

	init();
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		EXPECT_EQ(HV_STATUS_INVALID_PARAMETER, get(names[i]));
		EXPECT_EQ(HV_STATUS_INVALID_PARAMETER, set(names[i], 0));
		EXPECT_EQ(0, c.hc.done);
	}
}

/* The index of the failing element is how many are done. */
static void test_bad_values(void)
{
	static const struct {
		u32 name;
		u64 low, high;
	} rows[] = {
		{ HV_X64_REGISTER_RAX, 0, 1 },
		{ HV_X64_REGISTER_RIP, BIT64(32), 0 },
		{ HV_X64_REGISTER_RFLAGS, 0, 0 },
		{ HV_X64_REGISTER_RFLAGS, RFLAGS_FIXED | BIT64(3), 0 },
		{ HV_X64_REGISTER_RFLAGS, RFLAGS_FIXED | RFLAGS_VM, 0 },
		{ HV_X64_REGISTER_CR0, CR0_PG, 0 },
		{ HV_X64_REGISTER_CR0, CR0_NW, 0 },
		{ HV_X64_REGISTER_CR0, BIT64(32), 0 },
		{ HV_X64_REGISTER_CR3, BIT64(46), 0 },
		{ HV_X64_REGISTER_CR4, CR4_VMXE, 0 },
		{ HV_X64_REGISTER_CR4, CR4_PCIDE, 0 },
		{ HV_X64_REGISTER_CR8, 16, 0 },
		{ HV_X64_REGISTER_XFEM, 0, 0 },
		{ HV_X64_REGISTER_DR6, BIT64(32), 0 },
		{ HV_X64_REGISTER_EFER, BIT64(1), 0 },
		{ HV_X64_REGISTER_PAT, 2, 0 },
		{ HV_X64_REGISTER_SYSENTER_EIP, 0x800000000000, 0 },
		{ HV_X64_REGISTER_IDTR, 0xffffull << 48, 0x800000000000 },
		{ HV_X64_REGISTER_MTRR_DEF_TYPE, 2, 0 },
	};

	init();
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		put(0, HV_X64_REGISTER_RAX + 1, i, 0);
		put(1, rows[i].name, rows[i].low, rows[i].high);
		put(2, HV_X64_REGISTER_RAX + 1, 99, 0);
		EXPECT_EQ(HV_STATUS_INVALID_REGISTER_VALUE, set_list(3));
		EXPECT_EQ(1, c.hc.done);
		EXPECT_TRUE(entry_check_passes());
	}
	EXPECT_EQ(RESET_IP, fake.vmcs[VMCS_GUEST_RIP]);
	EXPECT_EQ(0, guest_cr4(vp));
}

/* CS and SS change their privilege one after the other: only then is the state one. */
static void test_elements_that_belong_together(void)
{
	init();
	to_long_mode();
	put_segment(0, HV_X64_REGISTER_CS, 0x2b, 0, 0xffffffff, CODE64_3);
	put_segment(1, HV_X64_REGISTER_SS, 0x23, 0, 0xffffffff, DATA_3);
	EXPECT_EQ(HV_STATUS_SUCCESS, set_list(2));
	EXPECT_EQ(2, c.hc.done);
	EXPECT_EQ(3, vp_cpl(vp));

	put(0, HV_X64_REGISTER_RAX, 7, 0);
	put_segment(1, HV_X64_REGISTER_CS, 8, 0, 0xffffffff, CODE64); /* and SS does not follow */
	put(2, HV_X64_REGISTER_RFLAGS, RFLAGS_FIXED, 0);
	EXPECT_EQ(HV_STATUS_INVALID_REGISTER_VALUE, set_list(3));
	EXPECT_EQ(1, c.hc.done);
	EXPECT_EQ(CODE64_3, fake.vmcs[VMCS_GUEST_CS_AR]);
	EXPECT_EQ(0x2b, fake.vmcs[VMCS_GUEST_CS_SELECTOR]);
	EXPECT_TRUE(entry_check_passes());
}

/* Registers of every kind behind one that does not pass alone: all of it is taken back. */
static void test_what_is_refused_changes_nothing(void)
{
	static const struct {
		u32 name;
		u64 val;
	} rows[] = {
		{ HV_X64_REGISTER_RAX + 1, 1 },
		{ HV_X64_REGISTER_RAX + 1, 2 },
		{ HV_X64_REGISTER_RIP, 0x1234 },
		{ HV_X64_REGISTER_RFLAGS, RFLAGS_FIXED | RFLAGS_CF },
		{ HV_X64_REGISTER_XMM0 + 3, 0x55 },
		{ HV_X64_REGISTER_CR2, 0x66 },
		{ HV_X64_REGISTER_CR3, 0x77000 },
		{ HV_X64_REGISTER_CR8, 5 },
		{ HV_X64_REGISTER_XFEM, XCR0_X87 | XCR0_SSE },
		{ HV_X64_REGISTER_DR0 + 1, 0x88 },
		{ HV_X64_REGISTER_DR6, 0xffff0ff1 },
		{ HV_X64_REGISTER_DR6 + 1, 0x455 },
		{ HV_X64_REGISTER_PAT, 0 },
		{ HV_X64_REGISTER_EFER, EFER_LME | EFER_LMA | EFER_SCE },
		{ HV_X64_REGISTER_KERNEL_GS_BASE, 0x99 },
		{ HV_X64_REGISTER_SYSENTER_CS, 0x10 },
		{ HV_X64_REGISTER_SYSENTER_ESP, 0x11 },
		{ HV_X64_REGISTER_STAR + 3, 0x700 },
		{ HV_X64_REGISTER_TSC_AUX, 5 },
	};
	union hv_register_value before[ARRAY_SIZE(rows)];

	for (u32 last = 0; last < 2; last++) { /* a bad value at the end, or just the end */
		u32 n = ARRAY_SIZE(rows) + 1;

		init();
		to_long_mode();
		for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
			EXPECT_EQ(HV_STATUS_SUCCESS, get(rows[i].name));
			before[i] = c.value[0];
		}
		put_segment(0, HV_X64_REGISTER_CS, 0x2b, 0, 0xffffffff, CODE64_3);
		for (u32 i = 0; i < ARRAY_SIZE(rows); i++)
			put(i + 1, rows[i].name, rows[i].val, 0);
		put(n, HV_X64_REGISTER_CR8, 16, 0);
		EXPECT_EQ(HV_STATUS_INVALID_REGISTER_VALUE, set_list(n + last));
		EXPECT_EQ(0, c.hc.done);
		EXPECT_TRUE(entry_check_passes());
		for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
			EXPECT_EQ(HV_STATUS_SUCCESS, get(rows[i].name));
			EXPECT_MEMEQ(&before[i], &c.value[0], sizeof(before[i]));
		}
	}
}

/* What cannot be taken back waits until the state is one. */
static void test_registers_with_effects(void)
{
	static const struct {
		u32 name;
		u64 val;
	} rows[] = {
		{ HV_REGISTER_GUEST_OSID, 0x1234 },
		{ HV_X64_REGISTER_MTRR_DEF_TYPE, 0xc00 },
		{ HV_X64_REGISTER_CR0, CR0_PE | CR0_PG | CR0_ET | CR0_NE | CR0_CD },
	};

	init();
	to_long_mode();
	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		u64 before = value_of(rows[i].name);

		put_segment(0, HV_X64_REGISTER_CS, 0x2b, 0, 0xffffffff, CODE64_3);
		put(1, rows[i].name, rows[i].val, 0);
		put_segment(2, HV_X64_REGISTER_SS, 0x23, 0, 0xffffffff, DATA_3);
		EXPECT_EQ(HV_STATUS_INVALID_REGISTER_VALUE, set_list(3));
		EXPECT_EQ(0, c.hc.done);
		EXPECT_EQ(before, value_of(rows[i].name));
		EXPECT_EQ(0, vp_cpl(vp));
	}
	put_segment(1, HV_X64_REGISTER_SS, 0x23, 0, 0xffffffff, DATA_3);
	put(2, HV_REGISTER_GUEST_OSID, 0x1234, 0);
	EXPECT_EQ(HV_STATUS_SUCCESS, set_list(3));
	EXPECT_EQ(3, c.hc.done);
	EXPECT_EQ(0x1234, value_of(HV_REGISTER_GUEST_OSID));
	EXPECT_EQ(3, vp_cpl(vp));
}

/* The exit of the hypercall itself steps over VMCALL: RIP counts after that. */
static void test_own_rip(void)
{
	init();
	to_long_mode();
	put(0, HV_X64_REGISTER_RIP, 0xffff800000001000, 0);
	put(1, HV_X64_REGISTER_RAX, 1, 0);
	EXPECT_EQ(HV_STATUS_SUCCESS, set_list(2));
	EXPECT_EQ(0xffff800000001000 - 3, fake.vmcs[VMCS_GUEST_RIP]);
	fake.vmcs[VMCS_GUEST_RIP] = 0x1000;
	put(1, HV_X64_REGISTER_CR8, 16, 0); /* the first element is done all the same */
	EXPECT_EQ(HV_STATUS_INVALID_REGISTER_VALUE, set_list(2));
	EXPECT_EQ(1, c.hc.done);
	EXPECT_EQ(0xffff800000001000 - 3, fake.vmcs[VMCS_GUEST_RIP]);
	fake.vmcs[VMCS_GUEST_RIP] = 0x1000;
	put(0, HV_X64_REGISTER_RIP, 0x800000000000, 0);
	EXPECT_EQ(HV_STATUS_INVALID_REGISTER_VALUE, set_list(1));
	EXPECT_EQ(0x1000, fake.vmcs[VMCS_GUEST_RIP]);
}

/* A long list is done in pieces; not one that has set what the caller needs for the next piece. */
static void test_slices(void)
{
	init();
	for (u32 i = 0; i < LIST; i++) {
		c.name[i] = HV_X64_REGISTER_CR2;
		put(i, HV_X64_REGISTER_CR2, i, 0);
	}
	fake.tsc_step = GUEST_TSC_HZ / HCALL_SLICE_PER_S / 10;
	EXPECT_EQ(HV_STATUS_SUCCESS, run(HVCALL_GET_VP_REGISTERS, c.name, LIST));
	EXPECT_GE(c.hc.done, 5);
	EXPECT_LE(c.hc.done, 15);
	EXPECT_EQ(HV_STATUS_SUCCESS, set_list(LIST));
	EXPECT_GE(c.hc.done, 5);
	EXPECT_LE(c.hc.done, 15);
	EXPECT_EQ(c.hc.done - 1, fake.cr2);
	for (u32 name = HV_X64_REGISTER_RAX; name <= HV_X64_REGISTER_RIP; name++) {
		put(0, name, 0x1000, 0);
		EXPECT_EQ(HV_STATUS_SUCCESS, set_list(LIST));
		EXPECT_EQ(LIST, c.hc.done);
	}
	put(0, HV_X64_REGISTER_XMM0 + 5, 0x1000, 0); /* the list of a fast call */
	EXPECT_EQ(HV_STATUS_SUCCESS, set_list(LIST));
	EXPECT_EQ(LIST, c.hc.done);
}

static const u32 names[] = {
	HV_X64_REGISTER_RIP,          HV_X64_REGISTER_RFLAGS, HV_X64_REGISTER_CR0,
	HV_X64_REGISTER_CR3,          HV_X64_REGISTER_CR4,    HV_X64_REGISTER_EFER,
	HV_X64_REGISTER_ES,           HV_X64_REGISTER_CS,     HV_X64_REGISTER_SS,
	HV_X64_REGISTER_DS,           HV_X64_REGISTER_FS,     HV_X64_REGISTER_GS,
	HV_X64_REGISTER_LDTR,         HV_X64_REGISTER_TR,     HV_X64_REGISTER_IDTR,
	HV_X64_REGISTER_GDTR,         HV_X64_REGISTER_PAT,    HV_X64_REGISTER_DR6 + 1,
	HV_X64_REGISTER_SYSENTER_EIP,
};

static u64 random_bits(void)
{
	u64 bits = BIT64(test_rng() % 64);

	switch (test_rng() % 5) {
	case 0:
		return bits;
	case 1:
		return bits | BIT64(test_rng() % 64) | 1;
	case 2:
		return test_rng();
	case 3:
		return (CR0_PE | CR0_PG | CR0_ET | CR0_NE) & (test_rng() | CR0_PE);
	default:
		return RFLAGS_FIXED | (bits & RFLAGS_DEFINED);
	}
}

static void random_element(u32 i)
{
	static const u16 attributes[] = { CODE64, DATA, CODE64_3, DATA_3, 0xc09b, 0xc0fb, 0x9b,
					  0x93,   0x82, 0x8b,     0x83,   0xf3,   0,      0x60 };
	u32 name = names[test_rng() % ARRAY_SIZE(names)];
	u16 attr = attributes[test_rng() % ARRAY_SIZE(attributes)];

	if (name >= HV_X64_REGISTER_ES && name <= HV_X64_REGISTER_TR && test_rng() % 4 != 0)
		put_segment(i, name, (u16)(test_rng() % 64), test_rng() % 8 == 0 ? test_rng() : 0,
			    (attr & 0x8000) ? 0xffffffff : 0xffff, attr);
	else
		put(i, name, random_bits(), test_rng() % 8 == 0 ? test_rng() : 0);
}

/* Whatever a guest asks for, the next entry is one that the CPU accepts. */
static void test_random_lists_never_break_entry(void)
{
	u32 done = 0, refused = 0;

	init();
	to_long_mode();
	for (u32 i = 0; i < 30000; i++) {
		u32 n = 1 + (u32)(test_rng() % 6);
		u16 status;

		for (u32 k = 0; k < n; k++)
			random_element(k);
		status = set_list(n);
		fake.vmcs[VMCS_GUEST_RIP] &= 0xffff; /* as the next instruction would be */
		EXPECT_TRUE(entry_check_passes());
		EXPECT_EQ(status == HV_STATUS_SUCCESS, c.hc.done == n);
		done += c.hc.done;
		refused += status != HV_STATUS_SUCCESS;
	}
	EXPECT_GE(done, 3000);
	EXPECT_GE(refused, 3000);
}

TEST_MAIN(TEST(test_values_come_back), TEST(test_wide_values),
	  TEST(test_absent_segments_are_unusable), TEST(test_code_segments_on_bochs),
	  TEST(test_what_reads_only), TEST(test_names_without_a_register), TEST(test_bad_values),
	  TEST(test_elements_that_belong_together), TEST(test_what_is_refused_changes_nothing),
	  TEST(test_registers_with_effects), TEST(test_own_rip), TEST(test_slices),
	  TEST(test_random_lists_never_break_entry))
