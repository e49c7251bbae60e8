/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hv/hyperv/hypercall_page.c and hv/hyperv/vmcall.c through the exit row and the MSRs: who may call
 * from where, registers by convention, the page. By the TLFS's "Hypercall Interface".
 */
#include "tests/host/harness.h"

#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/ept.h"
#include "arch/x86/defs/vector.h"
#include "core/exit/exit.h"
#include "hv/hcall_mem.h"
#include "hv/hv.h"
#include "hv/hyperv/hyperv_internal.h"
#include "hv/kvm/kvm.h"
#include "tests/host/fakes/rig.h"

static struct fake_guest g;

#define OS_ID   0x40000000u
#define HCALL   0x40000001u
#define ENABLE  1ull
#define LOCKED  2ull
#define PAGE    (GUEST_RAM_BASE + 0x5000)
#define IN      (GUEST_RAM_BASE + 0x1000)
#define OUT     (GUEST_RAM_BASE + 0x3000)
#define FAST    0x10000ull
/* Calls that only this test has. */
#define SUM     0xf0ull
#define DOUBLES 0xf1ull

static u32 budget;

static u16 sum(struct vp *vp, struct hcall *hc)
{
	const u64 *in = hc->in;

	hc->again = budget == 0;
	*(u64 *)hc->out = in[0] + in[1] + in[2];
	return HV_STATUS_SUCCESS;
}

static u16 doubles(struct vp *vp, struct hcall *hc)
{
	const u64 *list = hc->list;

	for (; hc->done < hc->count && hc->done < budget; hc->done++)
		((u64 *)hc->out_list)[hc->done] = 2 * list[hc->done];
	return HV_STATUS_SUCCESS;
}

static const struct hcall_row rows[] = {
	{ .nr = SUM, .kind = HCALL_SIMPLE, .mem = sum, .in_size = 24, .out_size = 8, .fast = true },
	{ .nr = DOUBLES,
	  .kind = HCALL_REP,
	  .mem = doubles,
	  .rep_in_size = 8,
	  .rep_out_size = 8,
	  .fast = true },
};

static u64 dropped;

static void hyperv_and_kvm(struct partition *p)
{
	fake_guest_everything(p);
	p->config.cpu_features &= ~dropped;
}

static void hyperv_alone(struct partition *p)
{
	hyperv_and_kvm(p);
	for (u32 i = 0; i < FEATURE_COUNT; i++) {
		if (hv_features[i]->abi == &kvm_abi)
			p->config.cpu_features &= ~BIT64(i);
	}
}

static void start_with(u32 vps, void (*change)(struct partition *p), u64 without)
{
	dropped = without;
	fake_guest_init(&g, vps, change);
	EXPECT_EQ(ERR_NONE, hcall_add(&hyperv_calls, rows, ARRAY_SIZE(rows), true));
	memset(g.ram, 0xa5, sizeof(g.ram));
	budget = ~0u;
}

static u64 rd(u32 msr)
{
	u64 val = ~0ull;

	EXPECT_EQ(MSR_OK, msr_read(&g.vp[0], msr, &val));
	return val;
}

static void wr(u32 msr, u64 val)
{
	EXPECT_EQ(MSR_OK, msr_write(&g.vp[0], msr, val));
}

static void wr_gp(u32 msr, u64 val)
{
	u64 before = rd(msr);

	EXPECT_EQ(MSR_GP, msr_write(&g.vp[0], msr, val));
	EXPECT_EQ(before, rd(msr));
}

static void start(void)
{
	start_with(2, hyperv_alone, 0);
	wr(OS_ID, 0x8100000000000000);
	wr(HCALL, PAGE | ENABLE);
}

static enum exit_action take(void)
{
	g.vp[0].event.info = 0;
	return exit_table_row(&exit_table_guest, EXIT_REASON_VMCALL)->fn(&g.vp[0], NULL);
}

static u64 *ram(u64 at)
{
	return (u64 *)(void *)(g.ram + (at - GUEST_RAM_BASE));
}

/* Result in RAX; no other register changes. */
static u64 call64(u64 control, u64 rdx, u64 r8)
{
	struct gpr_regs *r = &g.vp[0].regs;
	struct gpr_regs before = { .rax = 99,
				   .rcx = control,
				   .rdx = rdx,
				   .rbx = 4,
				   .rsi = 5,
				   .rdi = 6,
				   .r8 = r8,
				   .r9 = 7 };
	u64 result;

	*r = before;
	EXPECT_EQ(EXIT_NEXT, take());
	result = r->rax;
	r->rax = before.rax;
	EXPECT_MEMEQ(&before, r, sizeof(before));
	return result;
}

static struct gpr_regs regs32(u64 control, u64 in, u64 out)
{
	/* What 32-bit code cannot see does not count. */
	return (struct gpr_regs){ .rax = (u32)control | 0xdead00000000,
				  .rdx = control >> 32,
				  .rcx = (u32)in | 0xbad00000000,
				  .rbx = in >> 32,
				  .rsi = (u32)out | 0xf00000000,
				  .rdi = out >> 32,
				  .r8 = 8 };
}

static u64 call32(u64 control, u64 in, u64 out)
{
	struct gpr_regs *r = &g.vp[0].regs;
	struct gpr_regs before = regs32(control, in, out);
	u64 result;

	*r = before;
	EXPECT_EQ(EXIT_NEXT, take());
	result = r->rdx << 32 | r->rax;
	EXPECT_EQ(0, r->rax >> 32 | r->rdx >> 32);
	r->rax = before.rax;
	r->rdx = before.rdx;
	EXPECT_MEMEQ(&before, r, sizeof(before));
	return result;
}

static void expect_ud(void)
{
	u64 before = g.vp[0].counters.c[COUNTER_HV_HCALL_UD];
	struct gpr_regs regs = { .rax = 99, .rcx = 8 | FAST, .rdx = 3, .r8 = 4 };

	g.vp[0].regs = regs;
	EXPECT_EQ(EXIT_RESUME, take());
	EXPECT_EQ(EXC_UD, g.vp[0].event.info & 0xff);
	EXPECT_MEMEQ(&regs, &g.vp[0].regs, sizeof(regs));
	EXPECT_EQ(before + 1, g.vp[0].counters.c[COUNTER_HV_HCALL_UD]);
}

static void test_environments(void)
{
	start();
	EXPECT_EQ(0, call64(8 | FAST, 0, 0));
	for (u64 cpl = 1; cpl < 4; cpl++) { /* 3: virtual-8086 mode, too */
		fake.vmcs[VMCS_GUEST_SS_AR] = (0xc093 & ~0x60u) | cpl << 5;
		expect_ud();
	}
	start();
	wr(HCALL, PAGE);
	expect_ud();
	wr(HCALL, PAGE | ENABLE);
	EXPECT_EQ(0, call64(8 | FAST, 0, 0));
	wr(OS_ID, 0);
	EXPECT_EQ(EXIT_RESUME, take());
	EXPECT_EQ(EXC_UD, g.vp[0].event.info & 0xff);
}

/* CS.L counts in IA-32e mode only. */
static void test_real_mode(void)
{
	for (u32 stale_l = 0; stale_l < 2; stale_l++) {
		start();
		fake.vmcs[VMCS_GUEST_CR0] = CR0_ET | CR0_NE;
		fake.vmcs[VMCS_GUEST_EFER] = 0;
		fake.vmcs[VMCS_GUEST_CS_AR] = stale_l ? 0xa09b : 0x9b;
		expect_ud();
	}
}

static void test_64_bit_calls(void)
{
	start();
	ram(IN)[0] = 30;
	ram(IN)[1] = 7;
	ram(IN)[2] = 5;
	EXPECT_EQ(0, call64(SUM, IN, OUT));
	EXPECT_EQ(42, *ram(OUT));
	EXPECT_EQ(2, call64(0xbeef, IN, OUT));
	EXPECT_EQ(2, call64(0xbeef | FAST, IN, OUT));
	EXPECT_EQ(2, call64(1, IN, OUT));
	EXPECT_EQ(2, call64(0x8000, IN, OUT));
	EXPECT_EQ(4, g.vp[0].counters.c[COUNTER_VMCALL_UNKNOWN]);
}

/* Protected mode, and compatibility mode: EDX:EAX, EBX:ECX, EDI:ESI. */
static void test_32_bit_calls(void)
{
	for (u32 compat = 0; compat < 2; compat++) {
		start();
		fake.vmcs[VMCS_GUEST_CS_AR] = 0xc09b;
		if (!compat)
			fake.vmcs[VMCS_GUEST_EFER] = 0;
		ram(IN)[0] = 30;
		ram(IN)[1] = 7;
		ram(IN)[2] = 5;
		EXPECT_EQ(0, call32(SUM, IN, OUT));
		EXPECT_EQ(42, *ram(OUT));
		EXPECT_EQ(2, call32(0xbeef, IN, OUT));
		EXPECT_EQ(3, call32(8ull | BIT64(63), IN, OUT)); /* EDX counts */
		EXPECT_EQ(3, call32(SUM, IN | BIT64(45), OUT));  /* EBX, EDI, too */
		EXPECT_EQ(3, call32(SUM, IN, OUT | BIT64(45)));
		EXPECT_EQ(3ull << 32, call32(DOUBLES | 3ull << 32, IN, OUT));
		EXPECT_EQ(60, *ram(OUT));
		EXPECT_EQ(3, call32(DOUBLES | FAST | 1ull << 32, 7, 7)); /* no output here */
	}
}

/* The instruction is executed again with another start; what is done is out. */
static void test_continuation(void)
{
	struct gpr_regs *r = &g.vp[0].regs;

	start();
	budget = 2;
	for (u64 i = 0; i < 5; i++)
		ram(IN)[i] = i;
	*r = (struct gpr_regs){ .rax = 99, .rcx = DOUBLES | 5ull << 32, .rdx = IN, .r8 = OUT };
	for (u64 start_at = 2; start_at < 5; start_at += 2) {
		EXPECT_EQ(EXIT_ITERATION, take());
		EXPECT_EQ(DOUBLES | 5ull << 32 | start_at << 48, r->rcx);
		EXPECT_EQ(99, r->rax);
		EXPECT_EQ(2 * (start_at - 1), ram(OUT)[start_at - 1]);
		EXPECT_EQ(0xa5a5a5a5a5a5a5a5ull, ram(OUT)[start_at]);
	}
	EXPECT_EQ(EXIT_NEXT, take());
	EXPECT_EQ(5ull << 32, r->rax);
	EXPECT_EQ(8, ram(OUT)[4]);
	EXPECT_EQ(2, g.vp[0].counters.c[COUNTER_HV_HCALL_CONTINUED]);
	fake.vmcs[VMCS_GUEST_CS_AR] = 0xc09b;
	*r = regs32(DOUBLES | 3ull << 32, IN, OUT);
	EXPECT_EQ(EXIT_ITERATION, take());
	EXPECT_EQ((u32)DOUBLES, r->rax);
	EXPECT_EQ(3 | 2 << 16, r->rdx);
	EXPECT_EQ((u32)IN | 0xbad00000000, r->rcx);
}

/* A simple call that cannot be done now: as if it had not been made. */
static void test_simple_call_again(void)
{
	struct gpr_regs *r = &g.vp[0].regs, before;

	start();
	budget = 0;
	*r = before = (struct gpr_regs){ .rax = 99, .rcx = SUM, .rdx = IN, .r8 = OUT };
	EXPECT_EQ(EXIT_ITERATION, take());
	EXPECT_MEMEQ(&before, r, sizeof(before));
	EXPECT_EQ(0xa5a5a5a5a5a5a5a5ull, ram(OUT)[0]);
	budget = 1;
	EXPECT_EQ(EXIT_NEXT, take());
	EXPECT_EQ(0, r->rax);
}

static void test_xmm(void)
{
	u64 input[2] = { 40, 1 };

	start();
	memcpy(fake.vector[0], input, 16);
	g.vp[0].regs = (struct gpr_regs){ .rcx = SUM | FAST, .rdx = 1, .r8 = 1 };
	EXPECT_EQ(EXIT_NEXT, take());
	EXPECT_EQ(0, g.vp[0].regs.rax);
	EXPECT_EQ(42, fake.vector[1][0]);
	EXPECT_EQ(1, g.vp[0].regs.rdx);
	EXPECT_EQ(3, call64(SUM | FAST | 1ull << 32, 0, 0));
	/* One element: no more than two general registers. */
	g.vp[0].regs = (struct gpr_regs){ .rcx = DOUBLES | FAST | 1ull << 32, .rdx = 21, .r8 = 9 };
	EXPECT_EQ(EXIT_NEXT, take());
	EXPECT_EQ(42, fake.vector[0][0]);
	EXPECT_EQ(21, g.vp[0].regs.rdx);
	start_with(1, hyperv_alone, BIT64(FEATURE_HV_XMM_OUTPUT));
	wr(OS_ID, 1);
	wr(HCALL, PAGE | ENABLE);
	EXPECT_EQ(3, call64(SUM | FAST, 0, 0));
	start_with(1, hyperv_alone, BIT64(FEATURE_HV_XMM_INPUT));
	wr(OS_ID, 1);
	wr(HCALL, PAGE | ENABLE);
	g.vp[0].regs = (struct gpr_regs){ .rcx = SUM | FAST };
	EXPECT_EQ(EXIT_RESUME, take());
	EXPECT_EQ(EXC_UD, g.vp[0].event.info & 0xff);
}

static void test_calls_of_other_issues(void)
{
	static const u16 denied[] = { 0x04, 0x0a, 0x0c, 0x0d, 0x0e, 0x0f, 0x10, 0x11, 0x12, 0x46 };

	start();
	for (u32 i = 0; i < ARRAY_SIZE(denied); i++) {
		EXPECT_EQ(6, call64(denied[i], IN, OUT));
		EXPECT_EQ(6, call64(denied[i] | FAST | BIT64(63), IN, OUT));
	}
}

static void no_tries(struct partition *p)
{
	hyperv_alone(p);
	p->config.hv_spinlocks = 0;
}

/* Always 0; the kind of call is a simple one. */
static void test_spin_wait(void)
{
	start();
	EXPECT_EQ(0, call64(8 | FAST, 0x1234, ~0ull));
	EXPECT_EQ(0, call64(8, IN, ~0ull));
	EXPECT_EQ(3, call64(8 | FAST | 1ull << 32, 0, 0));
	EXPECT_EQ(3, call64(8 | FAST | 1ull << 48, 0, 0));
	EXPECT_EQ(3, call64(8 | FAST | 1ull << 17, 0, 0));
	EXPECT_EQ(3, call64(8 | 1ull << 17, IN, 0));
	EXPECT_EQ(4, call64(8, IN + 4, 0));
	EXPECT_EQ(3, call64(8, 0xfee00000, 0));
	EXPECT_EQ(2, g.vp[0].counters.c[COUNTER_HV_SPIN_WAIT]);
	start_with(1, hyperv_alone, BIT64(FEATURE_HV_SPINLOCKS));
	wr(OS_ID, 1);
	wr(HCALL, PAGE | ENABLE);
	EXPECT_EQ(6, call64(8 | FAST, 0, 0));
	/* hv-spinlocks=0: nobody is asked to call */
	start_with(1, no_tries, 0);
	wr(OS_ID, 1);
	wr(HCALL, PAGE | ENABLE);
	EXPECT_EQ(6, call64(8 | FAST, 0, 0));
	EXPECT_EQ(6, call64(8 | BIT64(63), IN + 4, 0));
	EXPECT_EQ(0, g.vp[0].counters.c[COUNTER_HV_SPIN_WAIT]);
}

/* VMCALL is Hyper-V's as long as the guest has an OS ID. */
static void test_both_interfaces(void)
{
	start_with(1, hyperv_and_kvm, 0);
	EXPECT_EQ((u64)-1000, call64(8 | FAST, 0, 0));
	wr(OS_ID, 1);
	expect_ud(); /* no page */
	wr(HCALL, PAGE | ENABLE);
	EXPECT_EQ(0, call64(8 | FAST, 0, 0));
	wr(OS_ID, 0);
	EXPECT_EQ((u64)-1000, call64(8 | FAST, 0, 0));
}

static const u8 *page(void)
{
	struct ept_leaf leaf = ept_walk(&g.p.ept, gpa(PAGE));

	EXPECT_EQ(EPT_R | EPT_X, leaf.perms);
	return hw_phys_to_virt(leaf.hpa);
}

static void expect_no_page_at(u64 at)
{
	EXPECT_EQ(at, ept_walk(&g.p.ept, gpa(at)).hpa.v);
}

static void test_page(void)
{
	const u8 *p;

	start();
	p = page();
	EXPECT_MEMEQ(((const u8[]){ 0x0f, 0x01, 0xc1, 0xc3 }), p, 4);
	for (u32 i = 4; i < 4096; i++)
		EXPECT_EQ(0xcc, p[i]);
	EXPECT_EQ(0xa5, *(u8 *)ram(PAGE)); /* it only covers the guest's own */
	/* Moved, disabled, the guest without a name. */
	wr(HCALL, OUT | ENABLE);
	expect_no_page_at(PAGE);
	wr(HCALL, PAGE | ENABLE);
	expect_no_page_at(OUT);
	(void)page();
	wr(HCALL, PAGE);
	expect_no_page_at(PAGE);
	EXPECT_EQ(PAGE, rd(HCALL));
	wr(HCALL, PAGE | ENABLE);
	wr(OS_ID, 0);
	expect_no_page_at(PAGE);
	EXPECT_EQ(PAGE, rd(HCALL));
	/* Neither calls nor their areas may lie under it. */
	wr(OS_ID, 1);
	wr(HCALL, IN | ENABLE);
	EXPECT_EQ(3, call64(SUM, IN, OUT));
	EXPECT_EQ(3, call64(SUM, OUT, IN));
}

static void test_page_msr(void)
{
	start_with(2, hyperv_alone, 0);
	EXPECT_EQ(0, rd(OS_ID));
	EXPECT_EQ(0, rd(HCALL));
	wr(HCALL, PAGE | ENABLE); /* nobody is there yet */
	EXPECT_EQ(PAGE, rd(HCALL));
	expect_no_page_at(PAGE);
	wr(OS_ID, 0x1234567890abcdef);
	EXPECT_EQ(0x1234567890abcdef, rd(OS_ID));
	EXPECT_EQ(PAGE, rd(HCALL));
	wr(HCALL, PAGE | ENABLE | 0xffc);
	EXPECT_EQ(PAGE | ENABLE, rd(HCALL));
	wr_gp(HCALL, BIT64(46) | ENABLE);
	wr_gp(HCALL, BIT64(46));
	wr_gp(HCALL, BIT64(63) | PAGE | ENABLE);
	wr_gp(HCALL, 0xfee00000 | ENABLE); /* not over the APICs */
	(void)page();
	/* INIT leaves it, of any VP; reset does not. */
	hv_vp_reset(&g.vp[1], true);
	hv_vp_reset(&g.vp[0], true);
	(void)page();
	EXPECT_EQ(0, call64(8 | FAST, 0, 0));
	hv_vp_reset(&g.vp[0], false);
	EXPECT_EQ(0, rd(OS_ID));
	EXPECT_EQ(0, rd(HCALL));
	expect_no_page_at(PAGE);
}

static void test_lock(void)
{
	start();
	wr(HCALL, PAGE | ENABLE | LOCKED);
	EXPECT_EQ(PAGE | ENABLE | LOCKED, rd(HCALL));
	wr_gp(HCALL, PAGE | ENABLE | LOCKED);
	wr_gp(HCALL, OUT | ENABLE);
	wr_gp(HCALL, 0);
	wr(OS_ID, 0); /* the page cannot go */
	(void)page();
	EXPECT_EQ(PAGE | ENABLE | LOCKED, rd(HCALL));
	wr(OS_ID, 1);
	EXPECT_EQ(0, call64(8 | FAST, 0, 0));
	hv_vp_reset(&g.vp[0], false);
	wr(HCALL, OUT | ENABLE | LOCKED); /* nobody has an OS ID */
	EXPECT_EQ(OUT, rd(HCALL));
	wr(HCALL, PAGE);
	EXPECT_EQ(PAGE, rd(HCALL));
	/* Not offered: the bit is none. */
	start_with(1, hyperv_alone, BIT64(FEATURE_HV_HYPERCALL_LOCK));
	wr(OS_ID, 1);
	wr(HCALL, PAGE | ENABLE | LOCKED);
	EXPECT_EQ(PAGE | ENABLE, rd(HCALL));
	wr(HCALL, 0);
}

TEST_MAIN(TEST(test_environments), TEST(test_real_mode), TEST(test_64_bit_calls),
	  TEST(test_32_bit_calls), TEST(test_continuation), TEST(test_simple_call_again),
	  TEST(test_xmm), TEST(test_calls_of_other_issues), TEST(test_spin_wait),
	  TEST(test_both_interfaces), TEST(test_page), TEST(test_page_msr), TEST(test_lock))
