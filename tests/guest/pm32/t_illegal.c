// SPDX-License-Identifier: BSD-2-Clause
// What a 32-bit or 16-bit program must not do: instructions that are hidden, at CPL 0 and 3 and in
// virtual-8086 mode, and control registers without IA-32e mode. Runs at PM_BASE.

#include "arch/x86/defs/cpuid.h"
#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/msr.h"
#include "arch/x86/defs/vector.h"
#include "tests/guest/lib/hidden_insns.h"
#include "tests/guest/lib/modes.h"
#include "tests/guest/pm32/env.h"

/* --- hidden instructions --- */

#define END_VECTOR 0x31

static u8 slot[16] ALIGNED(16);
static u32 slot_eax, slot_edx; /* when the code came to its end */

struct place {
	const char *name;
	u32 cs, eip, eflags, ss;
	bool exits;
};

static void cpuid_at(u32 leaf, struct cpuid_regs *r)
{
	asm volatile("cpuid" : "=a"(r->a), "=b"(r->b), "=c"(r->c), "=d"(r->d) : "a"(leaf), "c"(0));
}

static void slot_end(struct frame *f)
{
	slot_eax = f->eax;
	slot_edx = f->edx;
	task_leave();
}

/* What the code at the place finds. */
static struct place here;
static struct {
	u32 eax, edx, ebx, ecx, edi, esi;
} in;

#define LOAD_IN                                        \
	"mov %0, %%eax; mov %1, %%edx; mov %2, %%ebx;" \
	"mov %3, %%ecx; mov %4, %%edi; mov %5, %%esi; iret"
#define IN "m"(in.eax), "m"(in.edx), "m"(in.ebx), "m"(in.ecx), "m"(in.edi), "m"(in.esi)

/* IRET to the place; the frame of virtual-8086 mode serves CPL 3 as well, CPL 0 leaves SS alone. */
static void op_slot(void)
{
	static u32 esp;
	u32 cs_rpl = here.cs & 3;
	bool v86 = (here.eflags & RFLAGS_VM) != 0;

	if (!v86 && cs_rpl == 0)
		asm volatile("push %6; push %7; push %8;" LOAD_IN
			     :
			     : IN, "m"(here.eflags), "m"(here.cs), "m"(here.eip)
			     : "memory");
	esp = (u32)(uintptr_t)stack[1] + sizeof(stack[1]);
	if (v86)
		esp &= 0xffff;
	else
		asm volatile("mov %0, %%ds; mov %0, %%es" : : "r"(S_UDATA) : "memory");
	asm volatile("push %6; push %6; push %6; push %6; push %6; push %7; push %8; push %9;"
		     "push %10;" LOAD_IN
		     :
		     : IN, "m"(here.ss), "m"(esp), "m"(here.eflags), "m"(here.cs), "m"(here.eip)
		     : "memory");
}

static u32 run_at(const struct place *p, const struct hidden_insn *insn)
{
	for (u32 i = 0; i < insn->len; i++)
		slot[i] = insn->code[i];
	slot[insn->len] = 0xcd; /* INT */
	slot[insn->len + 1] = END_VECTOR;
	here = *p;
	return try_op(op_slot);
}

static void expect_at(const struct place *p, const struct hidden_insn *insn, u32 want)
{
	u32 got;

	in.eax = VMCALL_UNKNOWN_NR;
	in.edi = (u32)(uintptr_t)slot;
	got = run_at(p, insn);

	check(got == want && (got != EXC_UD || caught.eip == p->eip), insn->name, want, got,
	      p->name, got != want ? 1 : 2);
}

/* --- random words of the Hyper-V ABI --- */

#define HV_FAST 0x10000u

static u32 random32(void)
{
	static u32 seed = 0x9e3779b9;

	seed ^= seed << 13;
	seed ^= seed >> 17;
	seed ^= seed << 5;
	return seed;
}

/* Of calls that change no register and start nothing: their output goes to a page of ours. */
static void random_words(void)
{
	static const u32 codes[] = { 2, 3, 8, 0x13, 0x14, 0x50, 0x52, 0x5c, 0xbeef, 0x8001 };
	static u8 out[4096] ALIGNED(4096);
	u32 r = random32();

	in.eax = codes[r % ARRAY_SIZE(codes)] | (r & HV_FAST);
	in.edx = (r >> 17 & 1) ? random32() & 0x0fff0fff : 0; /* list: count and start */
	if (r >> 18 & 1)
		in.eax |= random32() & 0x07fe0000; /* variable header */
	if ((r >> 19 & 7) == 0)
		in.edx |= 1u << (r >> 27);
	in.ebx = (r >> 22 & 7) == 0 ? random32() : 0;
	in.ecx = (r >> 25 & 1) ? PM_BASE + (random32() & 0xff8) : random32();
	in.edi = 0;
	in.esi = (u32)(uintptr_t)out;
}

/* CPL 3 and virtual-8086 mode: #UD, always. CPL 0: a result, or #UD for want of XMM registers. */
static void random_at(const struct place *p, bool user)
{
	for (u32 i = 0; i < 100; i++) {
		u32 got, fast;

		random_words();
		fast = in.eax & HV_FAST;
		got = run_at(p, &vmcall_insn);
		EXPECT_EQ(1, got == EXC_UD ? user || fast != 0 : !user && got == NO_TRAP);
		if (got == NO_TRAP)
			EXPECT_EQ(0, (slot_eax & ~0xffu) | (slot_edx & ~0xfffu));
	}
}

void test_hidden_insns(void)
{
	struct mailbox *mail = (struct mailbox *)(LOW_BASE + LOW_MAIL);
	u32 at = (u32)(uintptr_t)slot;
	const struct place places[] = {
		{ "protected CPL 0", S_CODE, at, RFLAGS_FIXED, S_DATA, true },
		{ "protected CPL 3", S_UCODE, at, RFLAGS_FIXED, S_UDATA, true },
		{ "16-bit CPL 0", S_X, 0, RFLAGS_FIXED, S_DATA, true },
		{ "16-bit CPL 3", S_Y | 3, 0, RFLAGS_FIXED, S_UDATA, true },
		{ "virtual-8086", at >> 4, 0, RFLAGS_FIXED | RFLAGS_VM | RFLAGS_IOPL, PM_BASE >> 4,
		  false },
	};
	struct cpuid_regs kvm;

	cpuid_at(0x40000000, &kvm);
	gdt[S_X >> 3] = desc_make(at, 0xffff, 0x9b, 0);
	gdt[S_Y >> 3] = desc_make(at, 0xffff, 0xfb, 0);
	trap_on(END_VECTOR, slot_end);
	for (u32 i = 0; i < ARRAY_SIZE(places); i++) {
		const struct place *p = &places[i];
		bool user = (p->cs & 3) == 3 || !p->exits;

		for (u32 j = 0; j < ARRAY_SIZE(hidden_insns); j++)
			expect_at(p, &hidden_insns[j], EXC_UD);
		mail->out[PM_OUT_HIDDEN] += p->exits;
		if (mail->in[PM_IN_HYPERV] != 0) {
			expect_at(p, &vmcall_insn, user ? EXC_UD : NO_TRAP);
			if (!user)
				EXPECT_EQ(VMCALL_INVALID_CODE, slot_eax);
			random_at(p, user);
			continue;
		}
		if (kvm.b != 0x4b4d564b) { /* "KVMK" */
			expect_at(p, &vmcall_insn, EXC_UD);
			continue;
		}
		expect_at(p, &vmcall_insn, NO_TRAP);
		EXPECT_EQ(user ? VMCALL_EPERM : VMCALL_ENOSYS, slot_eax);
		mail->out[PM_OUT_VMCALLS]++;
	}
}

/* --- CR0 and CR4 outside IA-32e mode --- */

static u32 op_value;

static u32 rd_cr4(void)
{
	u32 v;

	asm volatile("mov %%cr4, %0" : "=r"(v));
	return v;
}

static void op_cr0(void)
{
	asm volatile("mov %0, %%cr0" : : "r"(op_value) : "memory");
}

static void op_cr3(void)
{
	asm volatile("mov %0, %%cr3" : : "r"(op_value) : "memory");
}

static void op_cr4(void)
{
	asm volatile("mov %0, %%cr4" : : "r"(op_value) : "memory");
}

static void op_efer(void)
{
	asm volatile("wrmsr" : : "a"(op_value), "d"(0), "c"(MSR_IA32_EFER) : "memory");
}

static u32 rd_efer(void)
{
	u32 low, high;

	asm volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(MSR_IA32_EFER));
	return low;
}

static bool bit(u32 val, u32 n)
{
	return ((val >> n) & 1) != 0;
}

/* True: the value is illegal. Changes of PE and PG that are legal are the tests' of modes. */
static bool cr0_illegal(u32 val)
{
	return (bit(val, 31) && !bit(val, 0)) || (bit(val, 29) && !bit(val, 30));
}

/* TS, CD, ... stay as they are after a fault; a legal value reads back without reserved bits. */
static void cr0_one(u32 old, u32 change)
{
	u32 val = old ^ change;
	bool illegal = cr0_illegal(val);

	if (!illegal && (change & 0x80000001u) != 0)
		return;
	op_value = val;
	EXPECT_EQ(illegal ? EXC_GP : NO_TRAP, try_op(op_cr0));
	if (!illegal)
		EXPECT_EQ((val & 0xe005003fu) | 0x10, rd_cr0());
	else
		EXPECT_EQ(old & ~8u, rd_cr0() & ~8u); /* the way back from a fault clears TS */
	op_value = old;
	EXPECT_EQ(NO_TRAP, try_op(op_cr0));
}

void test_cr0_illegal(void)
{
	u32 old = rd_cr0();

	for (u32 i = 0; i < 32; i++) {
		for (u32 j = i; j < 32; j++)
			cr0_one(old, BIT32(i) | BIT32(j));
	}
}

/*
 * PCIDE needs IA-32e mode; bits 13 (VMXE), 14 (SMXE), 15, 19 and 23 to 31 are features that the
 * guest does not have. PAE and, with user pages, SMEP and SMAP are not for this program to change.
 */
void test_cr4_illegal(void)
{
	u32 old = rd_cr4();
	const u32 never = BIT32(17) | BIT32(13) | BIT32(14) | BIT32(15) | BIT32(19) | 0xff000000u;
	struct cpuid_regs l1;

	cpuid_at(1, &l1);
	for (u32 i = 0; i < 32; i++) {
		if (!bit(never, i) || (i == 14 && bit(l1.c, 6)) || (i == 13 && bit(l1.c, 5)))
			continue;
		for (u32 j = 0; j < 12; j++) {
			op_value = old | BIT32(i) | BIT32(j);
			EXPECT_EQ(EXC_GP, try_op(op_cr4));
			EXPECT_EQ(0, caught.error);
			EXPECT_EQ(old, rd_cr4());
		}
	}
	for (u32 j = 0; j < 11; j++) { /* VME to OSXMMEXCPT are everywhere */
		if (j == 5)
			continue;
		op_value = old ^ BIT32(j);
		EXPECT_EQ(NO_TRAP, try_op(op_cr4));
		EXPECT_EQ(old ^ BIT32(j), rd_cr4());
		op_value = old;
		EXPECT_EQ(NO_TRAP, try_op(op_cr4));
	}
}

/* LME changes without paging only; then PG needs PAE, and a TSS that is not a 16-bit one. */
void test_efer_illegal(void)
{
	u32 efer = rd_efer(), cr0 = rd_cr0(), cr4 = rd_cr4();

	op_value = efer ^ BIT32(8);
	EXPECT_EQ(paging == PM_PAGING_OFF ? NO_TRAP : EXC_GP, try_op(op_efer));
	op_value = efer;
	EXPECT_EQ(NO_TRAP, try_op(op_efer));
	for (u32 i = 1; i < 32; i++) {
		if (i == 8 || i == 10 || i == 11)
			continue;
		op_value = efer | BIT32(i);
		EXPECT_EQ(EXC_GP, try_op(op_efer));
	}
	EXPECT_EQ(efer, rd_efer());
	if (paging != PM_PAGING_OFF)
		return;
	op_value = cr4 & ~(u32)CR4_PAE;
	EXPECT_EQ(NO_TRAP, try_op(op_cr4));
	op_value = efer | BIT32(8);
	EXPECT_EQ(NO_TRAP, try_op(op_efer));
	for (u32 more = 0; more <= (u32)CR0_CD; more += (u32)CR0_CD) { /* with CD the write exits */
		op_value = cr0 | (u32)CR0_PG | more;
		EXPECT_EQ(EXC_GP, try_op(op_cr0));
		EXPECT_EQ(cr0 & ~8u, rd_cr0() & ~8u);
	}
	op_value = cr4 | (u32)CR4_PAE;
	EXPECT_EQ(NO_TRAP, try_op(op_cr4));
	gdt[S_A16 >> 3] = desc_make((u32)(uintptr_t)&tss_a16, TSS16_BYTES - 1, 0x81, 0);
	for (u32 more = 0; more <= (u32)CR0_CD; more += (u32)CR0_CD) {
		desc_clear(S_A16, FIELD_PREP(DESC_TYPE, 2ull));
		asm volatile("ltr %w0" : : "r"(S_A16) : "memory");
		op_value = cr0 | (u32)CR0_PG | more;
		EXPECT_EQ(EXC_GP, try_op(op_cr0));
		EXPECT_EQ(cr0 & ~8u, rd_cr0() & ~8u);
	}
	op_value = cr4;
	EXPECT_EQ(NO_TRAP, try_op(op_cr4));
	op_value = efer;
	EXPECT_EQ(NO_TRAP, try_op(op_efer));
}

/* PAE paging loads four entries with CR3 and refuses reserved bits: the region's are all set. */
void test_pdpt_illegal(void)
{
	u32 old = rd_cr3(), cr0 = rd_cr0();
	u32 region = ((struct mailbox *)(LOW_BASE + LOW_MAIL))->in[PM_IN_REGION];
	u64 *pdpt = (u64 *)cr3_second();

	for (u32 i = 0; region != 0 && i < 4096; i += 32) {
		op_value = region + i;
		EXPECT_EQ(EXC_GP, try_op(op_cr3));
		EXPECT_EQ(old, rd_cr3());
	}
	for (u32 i = 0; i < 64; i++) {
		u64 good = pdpt[1];
		bool reserved = i == 1 || i == 2 || (i >= 5 && i <= 8) || i >= 52;

		pdpt[1] = BIT64(i) | 1; /* nothing uses it */
		op_value = cr3_second();
		if (reserved)
			EXPECT_EQ(EXC_GP, try_op(op_cr3));
		/* And by a write of CR0 that changes CD, which exits. */
		if (reserved) {
			pdpt[1] = 0;
			EXPECT_EQ(NO_TRAP, try_op(op_cr3));
			pdpt[1] = BIT64(i) | 1;
			op_value = cr0 ^ (u32)CR0_CD;
			EXPECT_EQ(EXC_GP, try_op(op_cr0));
			EXPECT_EQ(cr0 & ~8u, rd_cr0() & ~8u);
		}
		pdpt[1] = good;
		op_value = old;
		EXPECT_EQ(NO_TRAP, try_op(op_cr3));
	}
}
