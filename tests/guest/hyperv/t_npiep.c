// SPDX-License-Identifier: BSD-2-Clause
// NPIEP: bits of an MSR forbid SGDT, SIDT, SLDT and STR above CPL 0. What it takes along, and
// emulates, does as the CPU does.

#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/seg.h"
#include "arch/x86/defs/vector.h"
#include "core/lib/bits.h"
#include "tests/guest/groups.h"
#include "tests/guest/hyperv/hv_abi.h"
#include "tests/guest/lib/cpu.h"
#include "tests/guest/lib/modes.h"
#include "tests/guest/lib/str.h"

#define ALL 0xfull

/* Instructions at RDI; results in RAX where they have a register. */
enum insn { I_SGDT, I_SIDT, I_SLDT, I_STR, I_SLDT_REG, I_STR_REG, I_SMSW, I_COUNT };

static const char *const names[] = { "sgdt", "sidt", "sldt", "str", "sldt reg", "str reg", "smsw" };
static const u64 forbids[] = { BIT64(0), BIT64(1), BIT64(2), BIT64(3), BIT64(2), BIT64(3), 0 };

struct result {
	u32 vector, error;
	u64 rax;
	u8 bytes[16];
};

static u8 area[64] ALIGNED(16);

static u64 run_at(enum insn which, u8 *at)
{
	u64 rax = ~0ull;

	trap_clear();
#define CASE(name, text)                                                               \
	case name:                                                                     \
		asm volatile(TRY_BEGIN text TRY_END : "+a"(rax) : "D"(at) : "memory"); \
		break;
	switch (which) {
		CASE(I_SGDT, "sgdt (%%rdi)")
		CASE(I_SIDT, "sidt (%%rdi)")
		CASE(I_SLDT, "sldt (%%rdi)")
		CASE(I_STR, "str (%%rdi)")
		CASE(I_SLDT_REG, "sldt %%eax")
		CASE(I_STR_REG, "data16 str %%eax")
		CASE(I_SMSW, "smsw (%%rdi)")
	case I_COUNT:
		break;
	}
	return rax;
}

static u64 user_run(u64 which)
{
	return run_at((enum insn)which, area);
}

static struct result result_of(enum insn which, bool user)
{
	struct result r = { 0 };

	memset(area, 0xcc, sizeof(area));
	r.rax = user ? user_call(user_run, which) : user_run(which);
	r.vector = trap_vector();
	r.error = r.vector == NO_FAULT ? 0 : trap_last()->error;
	memcpy(r.bytes, area, sizeof(r.bytes));
	return r;
}

static void same(const char *what, const struct result *got, const struct result *want)
{
	EXPECT_AT(got->vector == want->vector && got->error == want->error &&
			  got->rax == want->rax && memcmp(got->bytes, want->bytes, 16) == 0,
		  "%s: vector %x error %x rax 0x%llx bytes %08x", what, got->vector, got->error,
		  got->rax, *(const u32 *)(const void *)got->bytes);
}

static void hv_npiep_msr(void)
{
	u64 val = ~0ull;

	if (!hv_has(HV_BIT_NPIEP)) {
		EXPECT_EQ(EXC_GP, try_rdmsr(HV_NPIEP, &val));
		EXPECT_EQ(EXC_GP, try_wrmsr(HV_NPIEP, 0));
		return;
	}
	EXPECT_EQ(0, rdmsr(HV_NPIEP));
	for (u32 bit = 4; bit < 64; bit++)
		EXPECT_EQ(EXC_GP, try_wrmsr(HV_NPIEP, BIT64(bit)));
	for (u64 on = 16; on-- > 0;) {
		EXPECT_EQ(NO_FAULT, try_wrmsr(HV_NPIEP, on));
		EXPECT_EQ(on, rdmsr(HV_NPIEP));
	}
}

/* Each setting, each instruction, at CPL 0 and 3: as without NPIEP, or #GP(0). SMSW never. */
static void hv_npiep_stores(void)
{
	struct result plain[2][I_COUNT];
	u32 refused = 0;

	if (!hv_need(HV_BIT_NPIEP))
		return;
	for (u32 i = 0; i < 2 * I_COUNT; i++)
		plain[i & 1][i / 2] = result_of((enum insn)(i / 2), i & 1);
	for (u32 i = 0; i < 16 * 2 * I_COUNT; i++) {
		enum insn which = (enum insn)(i >> 5);
		bool user = i >> 4 & 1;
		struct result r;

		wrmsr(HV_NPIEP, i & 15);
		r = result_of(which, user);
		if (user && (forbids[which] & i)) {
			EXPECT_EQ(EXC_GP, r.vector);
			EXPECT_EQ(0, r.error);
			EXPECT_EQ(0xcc, r.bytes[0]);
			EXPECT_EQ(~0ull, r.rax);
			refused++;
		} else {
			same(names[which], &r, &plain[user][which]);
		}
	}
	wrmsr(HV_NPIEP, 0);
	EXPECT_EQ(6 * 8, refused);
}

/* Only SIDT is forbidden: SGDT is emulated, and faults as the CPU's would. */
static u64 user_misaligned(u64 which)
{
	u64 rax;

	asm volatile("pushfq; orl $0x40000, (%%rsp); popfq" : : : "cc", "memory");
	rax = run_at((enum insn)(which & 7), area + (which >> 3));
	asm volatile("pushfq; andl $~0x40000, (%%rsp); popfq" : : : "cc", "memory");
	return rax;
}

static void hv_npiep_store_faults(void)
{
	const u32 offsets[] = { 0, 1, 2, 4, 6, 7 };
	u64 cr0 = read_cr0();

	if (!hv_need(HV_BIT_NPIEP))
		return;
	write_cr0(cr0 | CR0_AM);
	for (u32 i = 0; i < ARRAY_SIZE(offsets) * 4; i++) {
		u64 how = (i & 1 ? I_SLDT : I_SGDT) | (u64)offsets[i / 4] << 3;
		u32 vector, cpu;

		wrmsr(HV_NPIEP, 0);
		(void)user_call(user_misaligned, how);
		cpu = trap_vector();
		wrmsr(HV_NPIEP, BIT64(1));
		(void)user_call(user_misaligned, how);
		vector = trap_vector();
		EXPECT_AT(vector == cpu, "offset %u: vector %x, CPU %x", offsets[i / 4], vector,
			  cpu);
	}
	wrmsr(HV_NPIEP, 0);
	write_cr0(cr0);
}

/* --- loads --- */

#define ENTRIES 32u
#define S_TSS   0xc0u
#define S_LDT   0xd0u
#define S_BAD   0xe0u

static u64 table[ENTRIES] ALIGNED(16);

struct loaded {
	u32 vector, error;
	u16 tr, ldt;
	struct desc_ptr gdt, idt;
	u64 tss;
};

/* The suite's own table, with a TSS, an LDT, and a TSS that is not there. */
static void fill_table(const struct desc_ptr *old, u16 tr)
{
	u64 tss;

	memset(table, 0, sizeof(table));
	memcpy(table, (const void *)(uintptr_t)old->base, umin32(old->limit + 1u, S_TSS));
	tss = table[tr >> 3] & ~FIELD_PREP(DESC_TYPE, 2);
	table[tr >> 3] = tss;
	table[S_TSS >> 3] = tss;
	table[(S_TSS >> 3) + 1] = table[(tr >> 3) + 1];
	table[S_LDT >> 3] = desc_system_low(0x1000, 0x1f, DESC_TYPE_LDT);
	table[S_BAD >> 3] = tss & ~DESC_P;
}

static struct loaded load(bool ltr, u16 selector, bool memory)
{
	struct loaded l = { 0 };

	trap_clear();
	if (ltr && memory)
		asm volatile(TRY_BEGIN "ltr %0" TRY_END : : "m"(selector) : "memory");
	else if (ltr)
		asm volatile(TRY_BEGIN "ltr %0" TRY_END : : "r"(selector) : "memory");
	else if (memory)
		asm volatile(TRY_BEGIN "lldt %0" TRY_END : : "m"(selector) : "memory");
	else
		asm volatile(TRY_BEGIN "lldt %0" TRY_END : : "r"(selector) : "memory");
	l.vector = trap_vector();
	l.error = l.vector == NO_FAULT ? 0 : trap_last()->error;
	asm volatile("str %0; sldt %1" : "=r"(l.tr), "=r"(l.ldt));
	l.tss = table[S_TSS >> 3];
	return l;
}

/* LTR, LLDT: every fault and what they leave. */
static void hv_npiep_selectors(void)
{
	static const u16 selectors[] = {
		0, 3, S_TSS, S_LDT, S_BAD, S_TSS | SEL_TI, G_DATA, 0xfff8
	};
	const struct desc_ptr mine = { sizeof(table) - 1, (u64)(uintptr_t)table };
	struct desc_ptr old;
	u16 tr;

	if (!hv_need(HV_BIT_NPIEP))
		return;
	asm volatile("sgdt %0; str %1" : "=m"(old), "=r"(tr));
	for (u32 i = 0; i < ARRAY_SIZE(selectors) * 4; i++) {
		struct loaded l[2];

		for (u32 on = 0; on < 2; on++) {
			fill_table(&old, tr);
			asm volatile("lgdt %0; ltr %1; lldt %w2" : : "m"(mine), "r"(tr), "r"(0));
			wrmsr(HV_NPIEP, on ? ALL : 0);
			l[on] = load(i & 1, selectors[i / 4], i & 2);
			wrmsr(HV_NPIEP, 0);
		}
		EXPECT_AT(memcmp(&l[0], &l[1], sizeof(l[0])) == 0,
			  "selector %x, LTR %u: vector %x error %x tr %x ldt %x, CPU %x %x %x %x",
			  selectors[i / 4], i & 1, l[1].vector, l[1].error, l[1].tr, l[1].ldt,
			  l[0].vector, l[0].error, l[0].tr, l[0].ldt);
	}
	asm volatile("lgdt %0; lldt %w1" : : "m"(old), "r"(0));
	cpu_reload_tr();
}

/* LGDT, LIDT: what they load is what counts, and comes back. A base that is not canonical: #GP. */
static void hv_npiep_tables(void)
{
	struct desc_ptr gdt, idt, got, bad = { 0xff, 0x8000000000000000 };

	if (!hv_need(HV_BIT_NPIEP))
		return;
	asm volatile("sgdt %0; sidt %1" : "=m"(gdt), "=m"(idt));
	wrmsr(HV_NPIEP, ALL);
	for (u32 i = 0; i < 8; i++) {
		struct desc_ptr gdt2 = gdt, idt2 = idt;

		gdt2.limit = (u16)(gdt.limit + i);
		idt2.limit = (u16)(idt.limit - i);
		asm volatile("lgdt %0; lidt %1" : : "m"(gdt2), "m"(idt2) : "memory");
		asm volatile("sgdt %0" : "=m"(got));
		EXPECT_EQ(gdt2.limit, got.limit);
		EXPECT_EQ(gdt.base, got.base);
		asm volatile("sidt %0" : "=m"(got));
		EXPECT_EQ(idt2.limit, got.limit);
		EXPECT_EQ(idt.base, got.base);
		EXPECT_EQ(EXC_UD, TRY_INSN("ud2"));
	}
	trap_clear();
	asm volatile(TRY_BEGIN "lgdt %0" TRY_END : : "m"(bad) : "memory");
	EXPECT_EQ(EXC_GP, trap_vector());
	trap_clear();
	asm volatile(TRY_BEGIN "lidt %0" TRY_END : : "m"(bad) : "memory");
	EXPECT_EQ(EXC_GP, trap_vector());
	asm volatile("lgdt %0; lidt %1" : : "m"(gdt), "m"(idt) : "memory");
	wrmsr(HV_NPIEP, 0);
}

/* --- other modes: the instruction, RET. EAX is the address of the operand --- */

static u8 slot[16] ALIGNED(16);

static u64 user_compat(u64 at)
{
	return compat_call((u64)(uintptr_t)slot, G_USER32, G_UCODE64, (u32)at);
}

static struct result in_compat(bool user)
{
	u64 at = (u64)(uintptr_t)area;
	struct result r = { 0 };

	memset(area, 0xcc, sizeof(area));
	trap_clear();
	r.rax = user ? user_call(user_compat, at)
		     : compat_call((u64)(uintptr_t)slot, G_CODE32, G_CODE64, (u32)at);
	r.vector = trap_vector();
	r.error = r.vector == NO_FAULT ? 0 : trap_last()->error;
	memcpy(r.bytes, area, sizeof(r.bytes));
	return r;
}

/* The code goes to the start of the mailbox's input, where BX points. */
static struct result in_real(bool unused)
{
	struct mailbox *mail = mode_mail();
	struct result r = { 0 };

	memset(mail->in, 0xcc, sizeof(mail->in));
	memcpy(mail->in, slot, sizeof(slot));
	mail->in[4] = 0;
	mode_run(MODE_REAL, rm_try);
	r.vector = mail->out[0] == 0 ? NO_FAULT : mail->out[0] - 1;
	r.rax = mail->out[1];
	memcpy(r.bytes, &mail->in[8], sizeof(r.bytes));
	return r;
}

/* 32-bit code at (%eax), real mode at 0x20(%bx). */
static const struct {
	u8 len, code[10];
	u64 forbidden; /* above CPL 0 */
} compat_code[] = {
	{ 3, { 0x0f, 0x01, 0x00 }, 1 },                                     /* sgdt */
	{ 4, { 0x66, 0x0f, 0x01, 0x08 }, 2 },                               /* sidtw */
	{ 3, { 0x0f, 0x00, 0x00 }, 4 },                                     /* sldt */
	{ 3, { 0x0f, 0x00, 0x08 }, 8 },                                     /* str */
	{ 3, { 0x0f, 0x00, 0xc8 }, 8 },                                     /* str %eax */
	{ 6, { 0x0f, 0x01, 0x08, 0x0f, 0x01, 0x18 }, ALL },                 /* sidt; lidt */
	{ 6, { 0x0f, 0x01, 0x00, 0x0f, 0x01, 0x10 }, ALL },                 /* sgdt; lgdt */
}, real_code[] = {
	{ 4, { 0x0f, 0x01, 0x47, 0x20 }, 0 },                               /* sgdt */
	{ 5, { 0x66, 0x0f, 0x01, 0x4f, 0x20 }, 0 },                         /* sidtl */
	{ 8, { 0x0f, 0x01, 0x47, 0x20, 0x0f, 0x01, 0x57, 0x20 }, 0 },       /* sgdt; lgdtw */
	{ 9, { 0x0f, 0x01, 0x4f, 0x20, 0x66, 0x0f, 0x01, 0x5f, 0x20 }, 0 }, /* sidt; lidtl */
	{ 3, { 0x0f, 0x00, 0xc0 }, 0 },                                     /* sldt %ax: #UD */
	{ 3, { 0x0f, 0x00, 0xd8 }, 0 },                                     /* ltr %ax: #UD */
};

static void put_code(const u8 *code, u32 len)
{
	memset(slot, 0x90, sizeof(slot));
	memcpy(slot, code, len);
	slot[len] = 0xc3;
}

static void compare(const char *what, struct result (*run)(bool), bool user, bool forbidden)
{
	struct result plain, r;

	wrmsr(HV_NPIEP, 0);
	plain = run(user);
	wrmsr(HV_NPIEP, ALL);
	r = run(user);
	wrmsr(HV_NPIEP, 0);
	if (forbidden)
		EXPECT_EQ(EXC_GP, r.vector);
	else
		same(what, &r, &plain);
}

static void hv_npiep_modes(void)
{
	if (!hv_need(HV_BIT_NPIEP))
		return;
	for (u32 i = 0; i < ARRAY_SIZE(compat_code); i++) {
		put_code(compat_code[i].code, compat_code[i].len);
		compare("32-bit", in_compat, false, false);
		compare("32-bit, CPL 3", in_compat, true, compat_code[i].forbidden != 0);
	}
	for (u32 i = 0; i < ARRAY_SIZE(real_code); i++) {
		put_code(real_code[i].code, real_code[i].len);
		compare("real mode", in_real, false, false);
	}
}

static const struct test t_npiep_tests[] = {
	{ "hv_npiep_msr", hv_npiep_msr, T_ABI, NULL },
	{ "hv_npiep_stores", hv_npiep_stores, T_ABI | T_NAMED, NULL },
	{ "hv_npiep_store_faults", hv_npiep_store_faults, T_ABI | T_NAMED, NULL },
	{ "hv_npiep_selectors", hv_npiep_selectors, T_ABI | T_NAMED, NULL },
	{ "hv_npiep_tables", hv_npiep_tables, T_ABI | T_NAMED, NULL },
	{ "hv_npiep_modes", hv_npiep_modes, T_ABI | T_NAMED, NULL },
};
TEST_GROUP(t_npiep);
