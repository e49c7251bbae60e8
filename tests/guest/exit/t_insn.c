// SPDX-License-Identifier: BSD-2-Clause
// Instructions that exit: VMX and SMX ones fault as on a CPU without them, the others work.

#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/msr.h"
#include "arch/x86/defs/vector.h"
#include "core/lib/bits.h"
#include "tests/guest/groups.h"
#include "tests/guest/lib/cpu.h"

static u64 operand[64] ALIGNED(4096);

/* Encodings as bytes where an assembler may not know them; RAX points at @operand. */
#define INSN_FN(name, text)                            \
	static u64 name(u64 unused)                    \
	{                                              \
		u64 mem = (u64)(uintptr_t)operand;     \
                                                       \
		trap_clear();                          \
		asm volatile(TRY_BEGIN text TRY_END    \
			     : "+a"(mem)               \
			     : "c"(0), "d"(0)          \
			     : "rbx", "memory", "cc"); \
		return trap_vector();                  \
	}

INSN_FN(i_vmxon, "vmxon (%%rax)")
INSN_FN(i_vmxoff, "vmxoff")
INSN_FN(i_vmclear, "vmclear (%%rax)")
INSN_FN(i_vmptrld, "vmptrld (%%rax)")
INSN_FN(i_vmptrst, "vmptrst (%%rax)")
INSN_FN(i_vmread, "vmread %%rcx, %%rdx")
INSN_FN(i_vmwrite, "vmwrite %%rcx, %%rdx")
INSN_FN(i_vmlaunch, "vmlaunch")
INSN_FN(i_vmresume, "vmresume")
INSN_FN(i_invept, "invept (%%rax), %%rcx")
INSN_FN(i_invvpid, "invvpid (%%rax), %%rcx")
INSN_FN(i_vmfunc, "vmfunc")
INSN_FN(i_getsec, ".byte 0x0f, 0x37")
INSN_FN(i_encls, ".byte 0x0f, 0x01, 0xcf")
INSN_FN(i_enclu, ".byte 0x0f, 0x01, 0xd7")
INSN_FN(i_rsm, "rsm")
INSN_FN(i_vmmcall, "vmmcall")
INSN_FN(i_monitor, "monitor")
INSN_FN(i_mwait, "mwait")
INSN_FN(i_pconfig, ".byte 0x0f, 0x01, 0xc5")
INSN_FN(i_tpause, ".byte 0x66, 0x0f, 0xae, 0xf1")
INSN_FN(i_rdpmc, "rdpmc")
INSN_FN(i_hlt_insn, "hlt")
INSN_FN(i_invd, "invd")
INSN_FN(i_wbinvd, "wbinvd")
INSN_FN(i_clts, "clts")
INSN_FN(i_sgdt, "sgdt (%%rax)")
INSN_FN(i_rdtsc, "rdtsc")

struct insn_row {
	const char *name;
	u64 (*fn)(u64);
};

static void expect_all(const struct insn_row *rows, u32 count, u32 vector, bool user)
{
	for (u32 i = 0; i < count; i++) {
		u32 got = (u32)(user ? user_call(rows[i].fn, 0) : rows[i].fn(0));

		test_expect(got == vector, user ? "want at CPL 3" : "want", rows[i].name, got,
			    vector, __FILE__, __LINE__);
	}
}

static const struct insn_row vmx_rows[] = {
	{ "vmxoff", i_vmxoff },     { "vmclear", i_vmclear },   { "vmptrld", i_vmptrld },
	{ "vmptrst", i_vmptrst },   { "vmread", i_vmread },     { "vmwrite", i_vmwrite },
	{ "vmlaunch", i_vmlaunch }, { "vmresume", i_vmresume }, { "vmxon", i_vmxon },
	{ "invept", i_invept },     { "invvpid", i_invvpid },
};

/* Outside VMX operation (or with CR4.VMXE clear) all of them are #UD at any CPL. */
static void insn_vmx_ud(void)
{
	expect_all(vmx_rows, ARRAY_SIZE(vmx_rows), EXC_UD, false);
	expect_all(vmx_rows, ARRAY_SIZE(vmx_rows), EXC_UD, true);
}

static void insn_other_ud(void)
{
	static const struct insn_row rows[] = {
		{ "vmfunc", i_vmfunc },   { "getsec", i_getsec }, { "encls", i_encls },
		{ "enclu", i_enclu },     { "rsm", i_rsm },       { "vmmcall", i_vmmcall },
		{ "pconfig", i_pconfig },
	};

	expect_all(rows, ARRAY_SIZE(rows), EXC_UD, false);
	expect_all(rows, ARRAY_SIZE(rows), EXC_UD, true);
}

static void insn_hidden_ud(void)
{
	static const struct insn_row mon[] = { { "monitor", i_monitor }, { "mwait", i_mwait } };
	static const struct insn_row tp[] = { { "tpause", i_tpause } };
	bool has_monitor = (cpuid(1).c & CPUID1_ECX_MONITOR) != 0;
	bool has_waitpkg = (cpuid(7).c & CPUID7_ECX_WAITPKG) != 0;

	if (has_monitor && has_waitpkg) {
		test_skip("none of them is hidden");
		return;
	}
	if (!has_monitor) {
		expect_all(mon, ARRAY_SIZE(mon), EXC_UD, false);
		expect_all(mon, ARRAY_SIZE(mon), EXC_UD, true);
	}
	if (!has_waitpkg)
		expect_all(tp, ARRAY_SIZE(tp), EXC_UD, false);
}

/* Offered MONITOR/MWAIT must work: a write before MWAIT lets it fall through. */
static void insn_monitor_works(void)
{
	static volatile u64 line[16] ALIGNED(128);

	if ((cpuid(1).c & CPUID1_ECX_MONITOR) == 0) {
		test_skip("MONITOR is hidden");
		return;
	}
	asm volatile("monitor\n\t"
		     "incq (%%rax)\n\t"
		     "xor %%eax, %%eax\n\t"
		     "mwait"
		     :
		     : "a"(line), "c"(0), "d"(0)
		     : "memory");
	EXPECT_EQ(1, line[0]);
	/* SDM "IA32_MISC_ENABLE": with ENABLE MONITOR FSM clear they are #UD. */
	if (machine_is_kensho()) {
		static const struct insn_row mon[] = { { "monitor", i_monitor },
						       { "mwait", i_mwait } };
		u64 old = rdmsr(MSR_IA32_MISC_ENABLE);

		wrmsr(MSR_IA32_MISC_ENABLE, old & ~MISC_ENABLE_MONITOR_FSM);
		expect_all(mon, ARRAY_SIZE(mon), EXC_UD, false);
		wrmsr(MSR_IA32_MISC_ENABLE, old);
	}
}

static void insn_privileged_at_cpl3(void)
{
	static const struct insn_row rows[] = {
		{ "hlt", i_hlt_insn }, { "invd", i_invd },   { "wbinvd", i_wbinvd },
		{ "clts", i_clts },    { "rdpmc", i_rdpmc },
	};

	expect_all(rows, ARRAY_SIZE(rows), EXC_GP, true);
}

static void insn_wbinvd_invd(void)
{
	operand[7] = 0x5555aaaa5555aaaaull;
	asm volatile("wbinvd" : : : "memory");
	EXPECT_EQ(0x5555aaaa5555aaaaull, operand[7]);
	asm volatile("wbinvd; invd" : : : "memory");
	EXPECT_EQ(0x5555aaaa5555aaaaull, operand[7]);
}

static void insn_pause_loop(void)
{
	u64 start = rdtsc();

	for (u32 i = 0; i < 100000; i++)
		cpu_relax();
	EXPECT_GE(rdtsc() - start, 100000);
}

/* No counters are offered (CPUID.0A): RDPMC is #GP for every index. */
static void insn_rdpmc(void)
{
	EXPECT_EQ(EXC_GP, i_rdpmc(0));
}

static void insn_invlpg_invpcid(void)
{
	u64 *va = map_page(1, (u64)(uintptr_t)operand, G_PTE_P | G_PTE_W);
	static u64 other[512] ALIGNED(4096);
	struct {
		u64 pcid, addr;
	} desc = { 0, (u64)(uintptr_t)va };

	operand[0] = 1;
	other[0] = 2;
	EXPECT_EQ(1, READ_ONCE(va[0]));
	*map_pte(1) = (u64)(uintptr_t)other | G_PTE_P | G_PTE_W;
	invlpg(va);
	EXPECT_EQ(2, READ_ONCE(va[0]));
	if ((cpuid(7).b & CPUID7_EBX_INVPCID) != 0) {
		*map_pte(1) = (u64)(uintptr_t)operand | G_PTE_P | G_PTE_W;
		trap_clear();
		asm volatile(TRY_BEGIN "invpcid %1, %0" TRY_END
			     :
			     : "r"(0ull), "m"(desc)
			     : "memory");
		EXPECT_EQ(NO_FAULT, trap_vector());
		EXPECT_EQ(1, READ_ONCE(va[0]));
	}
}

static void insn_descriptor_tables(void)
{
	struct {
		u16 limit;
		u64 base;
	} PACKED gdt = { 0 }, again = { 0 };
	u16 tr, ldt = 0xffff;

	asm volatile("sgdt %0" : "=m"(gdt));
	asm volatile("lgdt %0" : : "m"(gdt));
	asm volatile("sgdt %0" : "=m"(again));
	EXPECT_EQ(gdt.base, again.base);
	EXPECT_EQ(gdt.limit, again.limit);
	asm volatile("str %0" : "=r"(tr));
	EXPECT_EQ(0x48, tr);
	asm volatile("lldt %w0" : : "r"(0));
	asm volatile("sldt %0" : "=r"(ldt));
	EXPECT_EQ(0, ldt);
}

/* UMIP is enforced when it is offered. */
static void insn_umip(void)
{
	if ((cpuid(7).c & CPUID7_ECX_UMIP) == 0) {
		test_skip("no UMIP");
		return;
	}
	EXPECT_EQ(NO_FAULT, user_call(i_sgdt, 0));
	write_cr4(read_cr4() | CR4_UMIP);
	EXPECT_EQ(EXC_GP, user_call(i_sgdt, 0));
}

static void insn_rdtsc_tsd(void)
{
	EXPECT_EQ(NO_FAULT, user_call(i_rdtsc, 0));
	write_cr4(read_cr4() | CR4_TSD);
	EXPECT_EQ(EXC_GP, user_call(i_rdtsc, 0));
	EXPECT_EQ(NO_FAULT, i_rdtsc(0));
}

static void insn_rdrand(void)
{
	u64 val;
	bool ok = false;

	if ((cpuid(1).c & CPUID1_ECX_RDRAND) == 0) {
		test_skip("no RDRAND");
		return;
	}
	for (u32 i = 0; i < 100 && !ok; i++)
		asm volatile("rdrand %0" : "=r"(val), "=@ccc"(ok));
	EXPECT_TRUE(ok);
}

/* All general registers but RSP, and the arithmetic flags, over instructions that exit. */
u64 insn_regs[15];

#define REGS_OVER(text)                                                                        \
	({                                                                                     \
		asm volatile(                                                                  \
			"push %%rbp; mov $0x101, %%rbx; mov $0x102, %%rbp; mov $0x103, %%rsi;" \
			"mov $0x104, %%rdi; mov $0x105, %%r8; mov $0x106, %%r9;"               \
			"mov $0x107, %%r10; mov $0x108, %%r11; mov $0x109, %%r12;"             \
			"mov $0x10a, %%r13; mov $0x10b, %%r14; mov $0x10c, %%r15;"             \
			"push $0x8d7; popf\n\t" text "\n\t"                                    \
			"pushf; pop insn_regs+96(%%rip);"                                      \
			"mov %%rbx, insn_regs(%%rip); mov %%rbp, insn_regs+8(%%rip);"          \
			"mov %%rsi, insn_regs+16(%%rip); mov %%rdi, insn_regs+24(%%rip);"      \
			"mov %%r8, insn_regs+32(%%rip); mov %%r9, insn_regs+40(%%rip);"        \
			"mov %%r10, insn_regs+48(%%rip); mov %%r11, insn_regs+56(%%rip);"      \
			"mov %%r12, insn_regs+64(%%rip); mov %%r13, insn_regs+72(%%rip);"      \
			"mov %%r14, insn_regs+80(%%rip); mov %%r15, insn_regs+88(%%rip);"      \
			"pop %%rbp"                                                            \
			:                                                                      \
			:                                                                      \
			: "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11",  \
			  "r12", "r13", "r14", "r15", "memory", "cc");                         \
		regs_check(#text, __LINE__);                                                   \
	})

static void regs_check(const char *what, int line)
{
	for (u32 i = 0; i < 12; i++)
		test_expect(READ_ONCE(insn_regs[i]) == 0x101 + i, "register pattern", what,
			    insn_regs[i], 0x101 + i, __FILE__, line);
	test_expect(READ_ONCE(insn_regs[12]) == 0x8d7, "flags", what, insn_regs[12], 0x8d7,
		    __FILE__, line);
}

static NOINLINE void insn_registers_survive(void)
{
	REGS_OVER("nop");
	REGS_OVER("wbinvd");
	REGS_OVER("mov $0x1b, %%ecx; rdmsr");
	REGS_OVER("mov $0x1b, %%ecx; rdmsr; wrmsr");
	REGS_OVER("mov $0x92, %%edx; inb %%dx, %%al");
	REGS_OVER("mov %%cr0, %%rax; bts $30, %%rax; mov %%rax, %%cr0; push $0x8d7; popf");
	REGS_OVER("mov $0x80010033, %%eax; mov %%rax, %%cr0");
	REGS_OVER("mov $0xfee00030, %%eax; movl (%%rax), %%ecx");
	REGS_OVER("mov $0xfee00080, %%eax; movl $0, (%%rax)");
}

/* Bases of FS and GS, DR0 and the stack pointer survive exits too. */
static void insn_state_survives(void)
{
	u64 rsp0, rsp1;

	wrmsr(0xc0000100, 0x1111111111ull);
	wrmsr(0xc0000101, 0x2222222222ull);
	wrmsr(0xc0000102, 0x3333333333ull);
	write_dr0(0x4444444444ull);
	asm volatile("mov %%rsp, %0; wbinvd; mov $0x1b, %%ecx; rdmsr; mov %%rsp, %1"
		     : "=&r"(rsp0), "=&r"(rsp1)
		     :
		     : "rax", "rcx", "rdx", "memory");
	(void)inb(0x92);
	EXPECT_EQ(rsp0, rsp1);
	EXPECT_EQ(0x1111111111ull, rdmsr(0xc0000100));
	EXPECT_EQ(0x2222222222ull, rdmsr(0xc0000101));
	EXPECT_EQ(0x3333333333ull, rdmsr(0xc0000102));
	EXPECT_EQ(0x4444444444ull, read_dr0());
	wrmsr(0xc0000100, 0);
	wrmsr(0xc0000101, 0);
	wrmsr(0xc0000102, 0);
	write_dr0(0);
}

static const struct test t_insn_tests[] = {
	{ .name = "insn_vmx_ud", .run = insn_vmx_ud },
	{ .name = "insn_other_ud", .run = insn_other_ud },
	{ .name = "insn_hidden_ud", .run = insn_hidden_ud },
	{ .name = "insn_monitor_works", .run = insn_monitor_works },
	{ .name = "insn_privileged_at_cpl3", .run = insn_privileged_at_cpl3 },
	{ .name = "insn_wbinvd_invd", .run = insn_wbinvd_invd },
	{ .name = "insn_pause_loop", .run = insn_pause_loop },
	{ .name = "insn_rdpmc", .run = insn_rdpmc, .flags = T_KENSHO },
	{ .name = "insn_invlpg_invpcid", .run = insn_invlpg_invpcid },
	{ .name = "insn_descriptor_tables", .run = insn_descriptor_tables },
	{ .name = "insn_umip", .run = insn_umip },
	{ .name = "insn_rdtsc_tsd", .run = insn_rdtsc_tsd },
	{ .name = "insn_rdrand", .run = insn_rdrand },
	{ .name = "insn_registers_survive", .run = insn_registers_survive },
	{ .name = "insn_state_survives", .run = insn_state_survives },
};
TEST_GROUP(t_insn);
