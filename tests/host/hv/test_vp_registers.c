/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hv/hyperv/vp_registers.c, vp_reg_rows.c: every row both ways, what is refused, lists whose
 * elements depend on each other, other VPs, translation.
 */
#include "tests/host/harness.h"

#include "arch/x86/defs/apic.h"
#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/ept.h"
#include "arch/x86/defs/msr.h"
#include "arch/x86/defs/paging.h"
#include "arch/x86/defs/vector.h"
#include "arch/x86/defs/vmcs.h"
#include "core/exit/entry_check.h"
#include "core/vp/guest_cr.h"
#include "hv/hcall_mem.h"
#include "hv/hyperv/hyperv_reg_abi.h"
#include "hv/hyperv/vp_reg.h"
#include "tests/host/fakes/rig.h"

#define LIST     100u
#define CODE64   0xa09b
#define DATA     0xc093
#define CODE64_3 0xa0fb
#define DATA_3   0xc0f3
#define RESET_IP 0xfff0ull

static struct fake_guest g;
static struct vp *const vp = &g.vp[0];

static struct {
	struct hv_vp_registers header;
	u32 name[LIST];
	struct hv_register_assoc assoc[LIST];
	union hv_register_value value[LIST];
	struct hcall hc;
} c;

static void change(struct partition *p)
{
	fake_guest_everything(p);
	p->machine.cr4_allowed = CR4_PAE | CR4_PGE | CR4_PCIDE | CR4_OSFXSR | CR4_SMEP;
	p->machine.xcr0_supported = XCR0_X87 | XCR0_SSE;
	p->machine.virt_intr_delivery = true;
	p->machine.tpr_shadow = true;
}

/* As after power-on: real mode. */
static void init(void)
{
	static const struct vp_ctls ctls;

	fake_guest_init(&g, 3, change);
	fake_msr_set(MSR_IA32_KERNEL_GS_BASE, 0);
	fake_msr_set(MSR_IA32_TSC_AUX, 0);
	for (u32 i = MSR_IA32_STAR; i <= MSR_IA32_FMASK; i++)
		fake_msr_set(i, 0);
	for (u32 i = 0; i < 3; i++)
		g.vp[i].entered = true;
	g.p.io_bitmap = g.pages[2].apic_page; /* any page */
	ctx_fill(vp, &ctls);
	fake.vmcs[VMCS_GUEST_CR4] = CR4_VMXE;
	vp_reset(vp, false);
	vp->work = 0;
	fake.vmcs[VMCS_VM_EXIT_INSTRUCTION_LENGTH] = 3;
	EXPECT_TRUE(entry_check_passes());
	memset(&c, 0, sizeof(c));
	c.header = (struct hv_vp_registers){ .partition_id = HV_PARTITION_ID_SELF,
					     .vp_index = HV_VP_INDEX_SELF };
}

static const struct hcall_row *row(u32 nr)
{
	const struct hv_feature *f = hv_features[FEATURE_HV_VP_REGISTERS];

	for (u32 i = 0; i < f->hcall_count; i++) {
		if (f->hcalls[i].nr == nr)
			return &f->hcalls[i];
	}
	return NULL;
}

static u16 run(u32 nr, const void *list, u32 count)
{
	c.hc = (struct hcall){
		.in = &c.header,
		.list = list,
		.count = count,
		.out_list = c.value,
	};
	return row(nr)->mem(fake.cpu_vp, &c.hc);
}

static void put(u32 i, u32 name, u64 low, u64 high)
{
	c.assoc[i] =
		(struct hv_register_assoc){ .name = name, .value.low = low, .value.high = high };
}

static void put_segment(u32 i, u32 name, u16 selector, u64 base, u32 limit, u16 attributes)
{
	c.assoc[i] = (struct hv_register_assoc){
		.name = name,
		.value.segment = { .base = base,
				   .limit = limit,
				   .selector = selector,
				   .attributes = attributes },
	};
}

static u16 set_list(u32 count)
{
	return run(HVCALL_SET_VP_REGISTERS, c.assoc, count);
}

static u16 set(u32 name, u64 low)
{
	put(0, name, low, 0);
	return set_list(1);
}

static u16 get(u32 name)
{
	c.name[0] = name;
	return run(HVCALL_GET_VP_REGISTERS, c.name, 1);
}

static u64 value_of(u32 name)
{
	EXPECT_EQ(HV_STATUS_SUCCESS, get(name));
	EXPECT_EQ(1, c.hc.done);
	return c.value[0].low;
}

/* 64-bit mode, by the same steps as a processor takes them. */
static void to_long_mode(void)
{
	put(0, HV_X64_REGISTER_CR4, CR4_PAE, 0);
	put(1, HV_X64_REGISTER_CR3, GUEST_RAM_BASE, 0);
	put(2, HV_X64_REGISTER_EFER, EFER_LME, 0);
	put(3, HV_X64_REGISTER_CR0, CR0_PE | CR0_PG | CR0_ET | CR0_NE, 0);
	put_segment(4, HV_X64_REGISTER_CS, 8, 0, 0xffffffff, CODE64);
	put_segment(5, HV_X64_REGISTER_SS, 16, 0, 0xffffffff, DATA);
	EXPECT_EQ(HV_STATUS_SUCCESS, set_list(6));
	EXPECT_EQ(6, c.hc.done);
	EXPECT_EQ(EFER_LME | EFER_LMA, value_of(HV_X64_REGISTER_EFER));
}

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
	init();
	put(0, HV_X64_REGISTER_XMM0 + 15, 0x1122, 0x3344);
	put_segment(1, HV_X64_REGISTER_FS, 0x28, 0x123456789a, 0xfff, 0x93);
	put(2, HV_X64_REGISTER_IDTR, 0xfffull << 48, 0x5000);
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
		EXPECT_MEMEQ(&c.assoc[i].value, &c.value[i], sizeof(c.value[i]));
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
				     0x60008, 0x70002, 0x8000f, 0x80020, 0x90005, 0xa0000, ~0u };

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
}

static void test_targets(void)
{
	static const struct {
		struct hv_vp_registers header;
		u16 status;
	} rows[] = {
		{ { HV_PARTITION_ID_SELF, 0, 0, { 0 } }, HV_STATUS_SUCCESS },
		{ { HV_PARTITION_ID_SELF, HV_VP_INDEX_SELF, 0x10, { 0 } }, HV_STATUS_SUCCESS },
		{ { 1, 0, 0, { 0 } }, HV_STATUS_ACCESS_DENIED },
		{ { 0, 99, 0, { 0 } }, HV_STATUS_ACCESS_DENIED },
		{ { HV_PARTITION_ID_SELF, 3, 0, { 0 } }, HV_STATUS_INVALID_VP_INDEX },
		{ { HV_PARTITION_ID_SELF, ~0u, 0, { 0 } }, HV_STATUS_INVALID_VP_INDEX },
		{ { HV_PARTITION_ID_SELF, 0, 0x11, { 0 } }, HV_STATUS_ACCESS_DENIED },
		{ { HV_PARTITION_ID_SELF, 0, 0x20, { 0 } }, HV_STATUS_INVALID_PARAMETER },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		init();
		c.header = rows[i].header;
		EXPECT_EQ(rows[i].status, get(HV_X64_REGISTER_RIP));
		EXPECT_EQ(rows[i].status, set(HV_X64_REGISTER_RAX, 1));
		EXPECT_EQ(rows[i].status == HV_STATUS_SUCCESS, c.hc.done);
	}
}

/* The other CPU comes out of its guest and looks at its work. */
static void run_kicked(struct vp *other)
{
	struct vp *self = fake.cpu_vp;

	fake.cpu_vp = other;
	(void)vp_prepare_entry(other);
	fake.cpu_vp = self;
}

static void test_another_vp(void)
{
	init();
	fake.cpu_vp = &g.vp[1];
	fake.tsc_step = 1000;
	fake.kick = run_kicked;
	c.header.vp_index = 0;
	fake.vmcs[VMCS_GUEST_RIP] = 0x4444;
	EXPECT_EQ(0x4444, value_of(HV_X64_REGISTER_RIP));
	EXPECT_EQ(HV_STATUS_SUCCESS, set(HV_X64_REGISTER_RIP, 0x5555));
	EXPECT_EQ(0x5555, fake.vmcs[VMCS_GUEST_RIP]); /* it is in no hypercall */
	EXPECT_EQ(HV_STATUS_SUCCESS, set(HV_X64_REGISTER_RAX, 0x6666));
	EXPECT_EQ(0x6666, g.vp[0].regs.rax);
	EXPECT_EQ(0, g.vp[1].regs.rax);
	g.vp[0].entered = false;
	EXPECT_EQ(HV_STATUS_INVALID_VP_STATE, get(HV_X64_REGISTER_RIP));
	g.vp[0].entered = true;
	fake.kick = NULL; /* no answer: nothing is done, and the guest tries again */
	EXPECT_EQ(HV_STATUS_SUCCESS, get(HV_X64_REGISTER_RIP));
	EXPECT_EQ(0, c.hc.done);
}

/* Rule K3: a sleeping VP has our IF in its VMCS, and RFLAGS can wake it. */
static void test_a_sleeping_vp(void)
{
	init();
	fake.cpu_vp = &g.vp[1];
	fake.tsc_step = 1000;
	fake.kick = run_kicked;
	c.header.vp_index = 0;
	vp->state = VP_HALTED;
	event_prepare_entry(vp);
	EXPECT_TRUE(vp->event.if_aside);
	EXPECT_EQ(RFLAGS_FIXED, value_of(HV_X64_REGISTER_RFLAGS));
	EXPECT_TRUE(vp->event.if_aside);
	EXPECT_EQ(HV_STATUS_SUCCESS, set(HV_X64_REGISTER_RAX, 1));
	EXPECT_TRUE(vp->event.if_aside); /* sleeps on */
	EXPECT_EQ(HV_STATUS_SUCCESS, set(HV_X64_REGISTER_RFLAGS, RFLAGS_FIXED | RFLAGS_IF));
	EXPECT_FALSE(vp->event.if_aside);
	put_segment(0, HV_X64_REGISTER_SS, 0x23, 0, 0xffffffff, DATA_3);
	EXPECT_EQ(HV_STATUS_INVALID_REGISTER_VALUE, set_list(1)); /* HLT is for CPL 0 */
	EXPECT_EQ(ACTIVITY_HLT, fake.vmcs[VMCS_GUEST_ACTIVITY_STATE]);
}

/* Halted, or reset by INIT, and not asleep yet: what HLT would not allow must wait for that. */
static void test_a_vp_that_falls_asleep(void)
{
	static const enum vp_run_state states[] = { VP_HALTED, VP_WAIT_SIPI, VP_IDLE };

	for (u32 i = 0; i < ARRAY_SIZE(states); i++) {
		init();
		fake.cpu_vp = &g.vp[1];
		fake.tsc_step = 1000;
		c.header.vp_index = 0;
		vp->state = states[i];
		put_segment(0, HV_X64_REGISTER_SS, 0x23, 0, 0xffffffff, DATA_3);
		put_segment(1, HV_X64_REGISTER_CS, 0x1b, 0, 0xffffffff, CODE64_3);
		fake.kick = run_kicked;
		EXPECT_EQ(HV_STATUS_SUCCESS, set_list(2));
		EXPECT_EQ(0, c.hc.done); /* the guest comes again */
		EXPECT_TRUE(vp->asleep);
		EXPECT_EQ(HV_STATUS_INVALID_REGISTER_VALUE, set_list(2));
		EXPECT_EQ(ACTIVITY_HLT, fake.vmcs[VMCS_GUEST_ACTIVITY_STATE]);
	}
}

/* An event goes first: its delivery depends on the registers. */
static void test_events_go_first(void)
{
	init();
	vp->event.info = INTR_INFO_VALID | EXC_GP;
	EXPECT_EQ(HV_STATUS_SUCCESS, set(HV_X64_REGISTER_RAX, 1));
	EXPECT_EQ(0, c.hc.done);
	vp->event.info = 0;
	fake.vmcs[VMCS_VM_ENTRY_INTR_INFO] = INTR_INFO_VALID | 0x31;
	EXPECT_EQ(HV_STATUS_SUCCESS, set(HV_X64_REGISTER_RAX, 1));
	EXPECT_EQ(0, c.hc.done);
	fake.vmcs[VMCS_VM_ENTRY_INTR_INFO] = 0;
	vp->step.active = true;
	EXPECT_EQ(HV_STATUS_INVALID_VP_STATE, set(HV_X64_REGISTER_RAX, 1));
	EXPECT_EQ(0, vp->regs.rax);
}

/* --- Random lists --- */

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

/* --- Translation --- */

#define AT(offset) (GUEST_RAM_BASE + (offset))
#define GVA        0x40000000ull
#define USER       (PTE_P | PTE_W | PTE_U)

static void put_entry(u64 table, u32 index, u64 val)
{
	memcpy(g.ram + (table - GUEST_RAM_BASE) + 8 * index, &val, sizeof(val));
}

static struct hv_translate_virtual_address_out out;

static u16 translate(u64 flags, u64 gva)
{
	struct hv_translate_virtual_address in = {
		.partition_id = HV_PARTITION_ID_SELF,
		.vp_index = HV_VP_INDEX_SELF,
		.control_flags = flags,
		.gva_page = gva >> 12,
	};
	struct hcall hc = { .in = &in, .out = &out };

	memset(&out, 0, sizeof(out));
	return row(HVCALL_TRANSLATE_VIRTUAL_ADDRESS)->mem(fake.cpu_vp, &hc);
}

static void init_paging(u64 leaf)
{
	init();
	to_long_mode();
	put_entry(AT(0), 0, AT(0x1000) | USER);
	put_entry(AT(0x1000), 1, AT(0x2000) | USER);
	put_entry(AT(0x2000), 0, AT(0x3000) | USER);
	put_entry(AT(0x3000), 0, leaf);
}

static void test_translation(void)
{
	static const struct {
		u64 leaf, flags;
		u32 result, type;
	} rows[] = {
		{ AT(0x5000) | USER, 7, HV_TRANSLATE_GVA_SUCCESS, MT_WB },
		{ AT(0x5000) | USER | PTE_PCD | PTE_PWT, 0, HV_TRANSLATE_GVA_SUCCESS, MT_UC },
		{ AT(0x5000) | USER | PTE_PAT, 1, HV_TRANSLATE_GVA_SUCCESS, MT_WB },
		{ AT(0x5000) | USER | PTE_PWT, 1, HV_TRANSLATE_GVA_SUCCESS, 4 },
		{ 0, 0, HV_TRANSLATE_GVA_PAGE_NOT_PRESENT, 0 },
		{ AT(0x5000) | USER | BIT64(50), 0, HV_TRANSLATE_GVA_INVALID_PAGE_TABLE_FLAGS, 0 },
		{ AT(0x5000) | USER | PTE_NX, 4, HV_TRANSLATE_GVA_INVALID_PAGE_TABLE_FLAGS, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		init_paging(rows[i].leaf);
		EXPECT_EQ(HV_STATUS_SUCCESS, translate(rows[i].flags, GVA));
		EXPECT_EQ(rows[i].result, out.result);
		if (out.result == HV_TRANSLATE_GVA_SUCCESS) {
			EXPECT_EQ(rows[i].type, out.flags);
			EXPECT_EQ(AT(0x5000) >> 12, out.gpa_page);
		}
	}
}

static void test_translation_by_tables_outside_ram(void)
{
	init_paging(AT(0x5000) | USER);
	put_entry(AT(0x2000), 0, BIT64(40) | USER);
	EXPECT_EQ(HV_STATUS_SUCCESS, translate(0, GVA));
	EXPECT_EQ(HV_TRANSLATE_GVA_GPA_UNMAPPED, out.result);
}

static void test_translation_rights(void)
{
	init_paging(AT(0x5000) | PTE_P | PTE_U);
	fake.vmcs[VMCS_GUEST_CR0] |= CR0_WP;
	EXPECT_EQ(HV_STATUS_SUCCESS, translate(HV_TRANSLATE_GVA_VALIDATE_WRITE, GVA));
	EXPECT_EQ(HV_TRANSLATE_GVA_PRIVILEGE_VIOLATION, out.result);
	EXPECT_EQ(HV_STATUS_SUCCESS, translate(HV_TRANSLATE_GVA_VALIDATE_READ, GVA));
	EXPECT_EQ(HV_TRANSLATE_GVA_SUCCESS, out.result);
	fake.vmcs[VMCS_GUEST_CR4] |= CR4_SMEP;
	EXPECT_EQ(HV_STATUS_SUCCESS, translate(HV_TRANSLATE_GVA_VALIDATE_EXECUTE, GVA));
	EXPECT_EQ(HV_TRANSLATE_GVA_PRIVILEGE_VIOLATION, out.result);
	EXPECT_EQ(HV_STATUS_SUCCESS,
		  translate(HV_TRANSLATE_GVA_VALIDATE_EXECUTE | HV_TRANSLATE_GVA_PRIVILEGE_EXEMPT,
			    GVA));
	EXPECT_EQ(HV_TRANSLATE_GVA_SUCCESS, out.result);
	init_paging(AT(0x5000) | PTE_P);
	fake.vmcs[VMCS_GUEST_SS_AR] = DATA_3; /* CPL 3 */
	EXPECT_EQ(HV_STATUS_SUCCESS, translate(HV_TRANSLATE_GVA_VALIDATE_READ, GVA));
	EXPECT_EQ(HV_TRANSLATE_GVA_PRIVILEGE_VIOLATION, out.result);
	EXPECT_EQ(HV_STATUS_SUCCESS, translate(0, GVA));
	EXPECT_EQ(HV_TRANSLATE_GVA_SUCCESS, out.result);
}

static void test_translation_without_paging_and_refusals(void)
{
	init();
	EXPECT_EQ(HV_STATUS_SUCCESS, translate(7, AT(0x7000)));
	EXPECT_EQ(HV_TRANSLATE_GVA_SUCCESS, out.result);
	EXPECT_EQ(AT(0x7000) >> 12, out.gpa_page);
	EXPECT_EQ(MT_WB, out.flags);
	EXPECT_EQ(HV_STATUS_INVALID_PARAMETER, translate(0x10, GVA));
	EXPECT_EQ(HV_STATUS_INVALID_PARAMETER, translate(0x20, GVA));
	EXPECT_EQ(HV_STATUS_ACCESS_DENIED, translate(0x11ull << 56, GVA));
	EXPECT_EQ(HV_STATUS_SUCCESS, translate(0x10ull << 56, AT(0)));
}

TEST_MAIN(TEST(test_values_come_back), TEST(test_wide_values),
	  TEST(test_absent_segments_are_unusable), TEST(test_code_segments_on_bochs),
	  TEST(test_what_reads_only), TEST(test_names_without_a_register), TEST(test_bad_values),
	  TEST(test_elements_that_belong_together), TEST(test_own_rip), TEST(test_slices),
	  TEST(test_targets), TEST(test_another_vp), TEST(test_a_sleeping_vp),
	  TEST(test_a_vp_that_falls_asleep), TEST(test_events_go_first),
	  TEST(test_random_lists_never_break_entry), TEST(test_translation),
	  TEST(test_translation_by_tables_outside_ram), TEST(test_translation_rights),
	  TEST(test_translation_without_paging_and_refusals))
