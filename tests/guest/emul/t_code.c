// SPDX-License-Identifier: BSD-2-Clause
// Code that changes around instructions that exit: behind them, they themselves, and between what
// the CPU executed and what the emulator reads again. Every outcome but one of the SDM's is a
// failure; where the CPU's TLB decides, both are allowed.
//
// Spec: SDM Vol. 3A "Handling Self- and Cross-Modifying Code", "Caching Translation Information".

#include "arch/x86/defs/apic.h"
#include "arch/x86/defs/vector.h"
#include "core/lib/bits.h"
#include "tests/guest/groups.h"
#include "tests/guest/lib/apic.h"
#include "tests/guest/lib/boot.h"
#include "tests/guest/lib/cpu.h"
#include "tests/guest/lib/str.h"
#include "tests/guest/smp/t_smp.h"

static u8 code[2][4096] ALIGNED(4096);

struct regs {
	u64 rax, rbx, rcx, rdx, rsi, rdi, r8;
};

static void run_code(const u8 *at, struct regs *r)
{
	trap_clear();
	asm volatile(
		"mov %7, %%r8; mov %%rsp, %%r12;" TRY_BEGIN "call *%6" TRY_END "mov %%r12, %%rsp"
		: "+a"(r->rax), "+b"(r->rbx), "+c"(r->rcx), "+d"(r->rdx), "+S"(r->rsi), "+D"(r->rdi)
		: "r"(at), "m"(r->r8)
		: "r8", "r12", "memory", "cc");
}

static u8 *emit(u8 *at, const void *bytes, u32 n)
{
	memcpy(at, bytes, n);
	return at + n;
}

#define EMIT(at, ...)                                   \
	({                                              \
		static const u8 b_[] = { __VA_ARGS__ }; \
		emit(at, b_, sizeof(b_));               \
	})

/* --- the instruction behind --- */

struct exiting {
	const char *name;
	u8 len, bytes[8];
	struct regs r;
};

static u64 region_base;

static u32 exiting_all(struct exiting *out)
{
	u64 base = rdmsr(MSR_IA32_APIC_BASE), cr0 = read_cr0();
	const struct exiting all[] = {
		{ "cpuid", 2, { 0x0f, 0xa2 }, { 0 } },
		{ "rdmsr", 2, { 0x0f, 0x32 }, { .rcx = MSR_IA32_APIC_BASE } },
		{ "wrmsr",
		  2,
		  { 0x0f, 0x30 },
		  { .rcx = MSR_IA32_APIC_BASE, .rax = (u32)base, .rdx = base >> 32 } },
		{ "in", 2, { 0xe4, 0x92 }, { 0 } },
		{ "out", 1, { 0xee }, { .rdx = 0x92, .rax = inb(0x92) } },
		{ "vmcall", 3, { 0x0f, 0x01, 0xc1 }, { .rax = 0x4b1d } },
		{ "wbinvd", 2, { 0x0f, 0x09 }, { 0 } },
		{ "invd", 2, { 0x0f, 0x08 }, { 0 } },
		{ "mov cr0 (CD)", 3, { 0x0f, 0x22, 0xc0 }, { .rax = cr0 ^ BIT64(30) } },
		{ "mov cr0", 3, { 0x0f, 0x22, 0xc0 }, { .rax = cr0 } },
		{ "APIC load", 2, { 0x8b, 0x07 }, { .rdi = APIC_BASE_DEFAULT + APIC_VERSION } },
		{ "APIC store", 2, { 0x89, 0x07 }, { .rdi = APIC_BASE_DEFAULT + APIC_TPR } },
		{ "region store", 2, { 0x89, 0x07 }, { .rdi = region_base + 64 } },
		{ "region movs",
		  2,
		  { 0xf3, 0xa4 },
		  { .rdi = region_base + 64, .rsi = (uintptr_t)code[1], .rcx = 4 } },
	};

	memcpy(out, all, sizeof(all));
	return ARRAY_SIZE(all);
}

/* mov byte [imm], 2; <exiting>; mov ebx, 1 whose immediate the first one changes. */
static void code_behind(void)
{
	static const u32 offsets[] = { 0, 0x7ff, 4096 - 6, 4096 - 3 }; /* two over a page's edge */
	static struct exiting row[16];
	u64 len;
	u32 n;

	REQUIRE(boot_hv_region(&region_base, &len));
	n = exiting_all(row);
	for (u32 i = 0; i < ARRAY_SIZE(offsets) * n; i++) {
		struct exiting *e = &row[i % n];
		struct regs r = e->r;
		u8 *start = &code[0][offsets[i / n]];
		u8 *p = EMIT(start, 0x41, 0xc6, 0x00, 0x02); /* movb $2, (%r8) */

		p = emit(p, e->bytes, e->len);
		r.r8 = (u64)(uintptr_t)(p + 1);
		(void)EMIT(p, 0xbb, 0x01, 0, 0, 0, 0xc3);
		run_code(start, &r);
		EXPECT_AT(trap_vector() == NO_FAULT && r.rbx == 2,
			  "behind %s: vector %x, rbx 0x%llx", e->name, trap_vector(), r.rbx);
	}
	counter_want("exit:invd", ARRAY_SIZE(offsets));
	counter_want("exit:vmcall", ARRAY_SIZE(offsets));
}

/* --- nothing behind --- */

extern u64 page_pml4[512];

#define EDGE BIT64(47) /* the first address that is not canonical */

/* The last page in front of it is entry 511 at all four levels; the test window lends its tables.
 */
static u8 *edge_map(bool on)
{
	u64 *pdpt = (u64 *)(uintptr_t)(page_pml4[1] & ~0xfffull), *pd;

	pd = (u64 *)(uintptr_t)(pdpt[0] & ~0xfffull);
	pdpt[511] = on ? pdpt[0] : 0;
	pd[511] = on ? pd[0] : 0;
	page_pml4[255] = on ? page_pml4[1] : 0;
	(void)map_page(511, on ? (u64)(uintptr_t)code[0] : 0, on ? G_PTE_P | G_PTE_W : 0);
	write_cr3(read_cr3());
	return (u8 *)(uintptr_t)(EDGE - 4096);
}

/* An instruction that ends where canonical addresses end is executed; #GP is the next one's. */
static void code_canonical_edge(void)
{
	static struct exiting row[16];
	u64 len;
	u8 *va;
	u32 n;

	REQUIRE(boot_hv_region(&region_base, &len));
	n = exiting_all(row);
	va = edge_map(true);
	for (u32 i = 0; i < n && !test_failed(); i++) {
		struct exiting *e = &row[i];
		struct regs r = e->r;

		(void)emit(&code[0][4096 - e->len], e->bytes, e->len);
		run_code(va + 4096 - e->len, &r);
		EXPECT_AT(trap_vector() == EXC_GP && trap_last()->rip == EDGE,
			  "%s: vector %x, rip 0x%llx", e->name, trap_vector(), trap_last()->rip);
		EXPECT_EQ(0, trap_last()->error);
	}
	(void)edge_map(false);
	counter_want("exit:invd", 1);
	counter_want("exit:vmcall", 1);
}

/* --- the instruction itself --- */

/* Two bytes that exit or do not, rewritten just in front of them: the count says which ran. */
static void code_itself(void)
{
	static const u16 invd = 0x080f, nop = 0x9066;
	u32 exits = 0;

	for (u32 i = 0; i < 64; i++) {
		bool to_exit = (i * 7 % 3) != 0;
		u8 *p = code[0] + i;
		struct regs r = { .rdi = (u64)(uintptr_t)(p + 3), .rax = to_exit ? invd : nop };

		p = EMIT(p, 0x66, 0x89, 0x07); /* mov [rdi], ax */
		p = emit(p, to_exit ? &nop : &invd, 2);
		p = EMIT(p, 0xc3);
		run_code(code[0] + i, &r);
		EXPECT_EQ(NO_FAULT, trap_vector());
		run_code(code[0] + i + 3, &r); /* and once more, unchanged */
		EXPECT_EQ(NO_FAULT, trap_vector());
		exits += 2 * to_exit;
	}
	counter_want("exit:invd", exits);
}

/* INS from a port of Kensho's, onto the bytes behind it, and onto itself. */
static void code_ins(void)
{
	u32 port = inb(0x92) * 0x01010101u;
	struct regs r = { .rdx = 0x92, .rcx = 4, .rdi = (u64)(uintptr_t)(code[0] + 3) };

	/* rep insb; mov $0, %ebx; ret */
	(void)EMIT(code[0], 0xf3, 0x6c, 0xbb, 0, 0, 0, 0, 0xc3);
	run_code(code[0], &r);
	EXPECT_EQ(NO_FAULT, trap_vector());
	EXPECT_EQ(port, r.rbx);
	EXPECT_EQ(0, r.rcx);
	(void)EMIT(code[0], 0xf3, 0x6c, 0xbb, 5, 0, 0, 0, 0xc3);
	r = (struct regs){ .rdx = 0x92, .rcx = 1, .rdi = (u64)(uintptr_t)code[0] };
	run_code(code[0], &r);
	EXPECT_EQ(NO_FAULT, trap_vector());
	EXPECT_EQ(5, r.rbx);
	EXPECT_EQ(port & 0xff, READ_ONCE(code[0][0]));
	/* Over its own bytes with iterations to go: whatever runs then, the guest is in control. */
	for (u32 n = 2; n < 16; n++) {
		memset(code[0], 0xc3, 64);
		(void)EMIT(code[0], 0xf3, 0x6c);
		r = (struct regs){ .rdx = 0x92,
				   .rcx = n,
				   .rax = (u64)(uintptr_t)code[1],
				   .rdi = (u64)(uintptr_t)code[0] };
		run_code(code[0], &r);
	}
}

/* An emulated MOVS whose destination is the next instruction: from the APIC page to code. */
static void code_movs(void)
{
	u32 version = apic_read(APIC_VERSION);
	struct regs r = { .rcx = 4,
			  .rsi = APIC_BASE_DEFAULT + APIC_VERSION,
			  .rdi = (u64)(uintptr_t)(code[0] + 3) };

	(void)EMIT(code[0], 0xf3, 0xa4, 0xbb, 0, 0, 0, 0, 0xc3);
	run_code(code[0], &r);
	EXPECT_EQ(NO_FAULT, trap_vector());
	EXPECT_EQ(version, r.rbx);
}

/* --- the emulator's second look --- */

/* The same address, another instruction each time: nothing decoded before may be used. */
static void code_decoded(void)
{
	static const u8 modrm[] = { 0x07, 0x0f, 0x17, 0x1f, 0x37 }; /* eax ecx edx ebx esi */
	u8 *alias = map_page(40, (u64)(uintptr_t)code[0], G_PTE_P | G_PTE_W);
	struct regs r;

	for (u32 i = 0; i < 100; i++) {
		u32 n = i * 3 % ARRAY_SIZE(modrm);
		u8 *where = i % 2 != 0 ? alias : code[0];

		r = (struct regs){ .rax = 0x10,
				   .rcx = 0x20,
				   .rdx = 0x30,
				   .rbx = 0x40,
				   .rsi = 0x50,
				   .rdi = APIC_BASE_DEFAULT + APIC_TPR };
		*(volatile u8 *)where = 0x89;
		*(volatile u8 *)(where + 1) = modrm[n];
		*(volatile u8 *)(where + 2) = 0xc3;
		run_code(i % 3 != 0 ? alias : code[0], &r);
		EXPECT_EQ(NO_FAULT, trap_vector());
		EXPECT_EQ(0x10 * (n + 1), apic_read(APIC_TPR));
	}
	apic_write(APIC_TPR, 0);
	(void)map_page(40, 0, 0);
}

/* The page of the code is another one at its next call. */
static void code_remapped(void)
{
	u8 *va = map_page(41, (u64)(uintptr_t)code[0], G_PTE_P | G_PTE_W);

	(void)EMIT(code[0], 0x89, 0x07, 0xc3); /* mov %eax, (%rdi) */
	(void)EMIT(code[1], 0x89, 0x0f, 0xc3); /* mov %ecx, (%rdi) */
	for (u32 i = 0; i < 50; i++) {
		struct regs r = { .rax = 0x10, .rcx = 0x20, .rdi = APIC_BASE_DEFAULT + APIC_TPR };

		(void)map_page(41, (u64)(uintptr_t)code[i % 2], G_PTE_P | G_PTE_W);
		run_code(va, &r);
		EXPECT_EQ(NO_FAULT, trap_vector());
		EXPECT_EQ(i % 2 != 0 ? 0x20 : 0x10, apic_read(APIC_TPR));
	}
	apic_write(APIC_TPR, 0);
	(void)map_page(41, 0, 0);
}

/*
 * The code changes its own mapping without INVLPG and goes on in the page that the TLB still has,
 * while the emulator finds the new one. The first store is "mov %rsi, (%rdx)" on the PTE.
 */
static void stale(u64 target, u64 new_pte)
{
	u8 *va = map_page(42, (u64)(uintptr_t)code[0], G_PTE_P | G_PTE_W);
	struct regs r = { .rdx = (u64)(uintptr_t)map_pte(42), .rsi = new_pte, .rdi = target };
	u32 vector;

	run_code(va, &r);
	vector = trap_vector();
	EXPECT_TRUE(vector == NO_FAULT || vector == EXC_PF || vector == EXC_UD || vector == EXC_GP);
	if (vector == EXC_PF)
		EXPECT_EQ(TEST_VA >> 39, trap_last()->cr2 >> 39);
	(void)map_page(42, 0, 0);
}

static void stale_all(u64 target)
{
	u64 other = (u64)(uintptr_t)code[1];
	const u64 ptes[] = {
		other | G_PTE_P | G_PTE_W,
		0,
		other | G_PTE_P | G_PTE_W | G_PTE_NX,
		other | G_PTE_P | BIT64(51), /* reserved */
		region_base | G_PTE_P,
		APIC_BASE_DEFAULT | G_PTE_P,
		0xfed40000ull | G_PTE_P, /* nothing */
		(BIT64(cpuid(0x80000008).a & 0xff) - 4096) | G_PTE_P,
	};
	static const u8 second[][6] = {
		{ 0x89, 0x07, 0xc3 },                   /* the same */
		{ 0x8b, 0x07, 0xc3 },                   /* a load */
		{ 0xd9, 0x3f, 0xc3 },                   /* fnstcw: undecodable */
		{ 0x0f, 0x0b },                         /* ud2 */
		{ 0xc3 },                               /* no access at all */
		{ 0xf3, 0xa4, 0xc3 },                   /* rep movsb with what RCX and RSI hold */
		{ 0xff, 0x37, 0x58, 0xc3 },             /* push (%rdi); pop %rax */
		{ 0x0f, 0x11, 0x07, 0xc3 },             /* movups %xmm0, (%rdi): SSE is off */
		{ 0x66, 0x66, 0x66, 0x66, 0x66, 0x66 }, /* prefixes without end */
	};

	(void)EMIT(code[0], 0x48, 0x89, 0x32, 0x89, 0x07, 0xc3);
	for (u32 i = 0; i < ARRAY_SIZE(second); i++) {
		memset(code[1], second[i][0] == 0x66 ? 0x66 : 0xc3, sizeof(code[1]));
		memcpy(code[1] + 3, second[i], sizeof(second[i]));
		stale(target, ptes[0]);
	}
	for (u32 i = 1; i < ARRAY_SIZE(ptes); i++)
		stale(target, ptes[i]);
}

static void code_stale_apic(void)
{
	u64 len;

	REQUIRE(boot_hv_region(&region_base, &len));
	stale_all(APIC_BASE_DEFAULT + APIC_TPR);
	apic_write(APIC_TPR, 0);
}

static void code_stale_region(void)
{
	u64 len;

	REQUIRE(boot_hv_region(&region_base, &len));
	stale_all(region_base + len - 4096 * 100 + 64);
	EXPECT_EQ(~0ull, *(volatile u64 *)(uintptr_t)region_base);
}

/* --- another CPU --- */

static volatile u32 flips;

/* Operand and operation change as fast as a CPU can; two bytes each, so that none is cut. */
static void flip(u64 limit)
{
	static const u16 forms[] = {
		0x0789, /* mov %eax, (%rdi) */
		0x0f89, /* mov %ecx, (%rdi) */
		0x078b, /* mov (%rdi), %eax */
		0x0701, /* add %eax, (%rdi) */
		0x0787, /* xchg */
		0x3fd9, /* fnstcw: undecodable */
		0x9066, /* nop */
		0x0b0f, /* ud2 */
	};

	for (u64 i = 0; i < limit && !smp_quit; i++) {
		*(volatile u16 *)code[0] = forms[i % ARRAY_SIZE(forms)];
		flips = (u32)i + 1;
	}
}

#define FLIP_RUNS 300u

static void race(u64 target)
{
	u32 start;

	memset(code[0], 0xc3, sizeof(code[0]));
	(void)EMIT(code[0], 0x66, 0x90);
	smp_quit = false;
	flips = 0;
	smp_call(1, flip, ~0ull);
	while (flips == 0)
		cpu_relax();
	start = flips;
	for (u32 i = 0; i < FLIP_RUNS; i++) {
		struct regs r = { .rax = 0x10, .rcx = 0x20, .rdi = target };
		u32 vector;

		run_code(code[0], &r);
		vector = trap_vector();
		EXPECT_TRUE(vector == NO_FAULT || vector == EXC_UD || vector == EXC_PF);
		EXPECT_EQ(target, r.rdi);
	}
	EXPECT_GE(flips - start, FLIP_RUNS / 10);
	smp_quit = true;
	EXPECT_TRUE(smp_wait(1));
}

static void smp_code_rewritten(void)
{
	u64 len;

	if (!smp_begin())
		return;
	REQUIRE(boot_hv_region(&region_base, &len));
	race(APIC_BASE_DEFAULT + APIC_LDR);
	race(region_base + len - 4096 * 101 + 64);
	race(APIC_BASE_DEFAULT + APIC_TPR);
	apic_write(APIC_TPR, 0);
	EXPECT_EQ(~0ull, *(volatile u64 *)(uintptr_t)region_base);
}

#define ROW(test)                                                       \
	{                                                               \
		.name = #test, .run = test, .flags = T_NAMED | T_KENSHO \
	}

static const struct test t_code_tests[] = {
	ROW(code_behind),
	ROW(code_canonical_edge),
	ROW(code_itself),
	ROW(code_ins),
	ROW(code_movs),
	ROW(code_decoded),
	ROW(code_remapped),
	ROW(code_stale_apic),
	ROW(code_stale_region),
	{ .name = "smp_code_rewritten", .run = smp_code_rewritten, .flags = T_KENSHO },
};
TEST_GROUP(t_code);
