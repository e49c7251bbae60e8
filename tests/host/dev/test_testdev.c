/* SPDX-License-Identifier: BSD-2-Clause */
/* core/dev/testdev.c: ports, emulated memory, dropped pages; and that none of it exists with
 * testdev=off. */
#include "tests/host/harness.h"

#include "arch/x86/defs/paging.h"
#include "arch/x86/defs/vector.h"
#include "core/dev/testdev.h"
#include "core/exit/exit.h"
#include "core/mem/ept.h"
#include "core/surface/pio.h"
#include "tests/host/fakes/paged.h"

#define RAM    0xff000000ull
#define IOAPIC 0xfec00000ull
#define RWU    (PTE_P | PTE_W | PTE_U)
#define READ   (EPT_QUAL_READ | EPT_QUAL_GLA_VALID | EPT_QUAL_GLA_IS_TRANSLATION)
#define WRITE  (EPT_QUAL_WRITE | EPT_QUAL_GLA_VALID | EPT_QUAL_GLA_IS_TRANSLATION)

static struct partition *const p = &the_partition;

static void setup_exit(bool on, bool exit_powers_off)
{
	paged_reset(EMUL_64);
	p->region_base = hpa(0x40000000);
	p->region_len = 0x200000;
	p->memory.e[0].len = 0x9f000;
	p->memory.e[1] = (struct e820_entry){ 0x100000, 0x1f00000, E820_RAM };
	p->memory.e[2] = (struct e820_entry){ 0x40000000, 0x200000, E820_RESERVED };
	p->memory.e[3] = (struct e820_entry){ 0x40200000, 0x100000, E820_RAM };
	p->memory.count = 4;
	p->machine.s5_slp_typ = 5;
	p->machine.pm1a_cnt = 0x604;
	paged_vp.mtrr.def_type = 0x806;
	fake.ioapic[1] = 0x170011;
	if (on)
		EXPECT_EQ(ERR_NONE, testdev_add(p, exit_powers_off));
	EXPECT_EQ(ERR_NONE, ept_init(&p->ept, true, true, false, MT_WB));
	EXPECT_EQ(ERR_NONE, ept_build_partition(p));
	fake.io_count = 0;
}

static void setup(bool on)
{
	setup_exit(on, false);
}

static void out(u16 port, u32 size, u32 val)
{
	pio_access(&paged_vp, port, size, true, &val);
}

static u32 in(u16 port, u32 size)
{
	u32 val = 0;

	pio_access(&paged_vp, port, size, false, &val);
	return val;
}

static void test_off_nothing_is_ours(void)
{
	static const u16 ports[] = { 0xe0, 0xe4, 0xeb, 0xf4, 0x510, 0x511, 0x2000, 0x2017 };

	setup(false);
	EXPECT_EQ(0, p->pio.count);
	for (u32 i = 0; i < ARRAY_SIZE(ports); i++) {
		out(ports[i], 1, i);
		EXPECT_EQ(i + 1, fake.io_count);
	}
	EXPECT_EQ(RAM, ept_walk(&p->ept, gpa(RAM)).hpa.v);
	EXPECT_EQ(IOAPIC, ept_walk(&p->ept, gpa(IOAPIC)).hpa.v);
	EXPECT_FALSE(emulated_at(p, RAM) != NULL);
}

static void test_exit_code_is_the_last_word(void)
{
	static const u32 sizes[] = { 1, 2, 4 };
	static const char *const want[] = { "guest exit code 137\n", "guest exit code 26505\n",
					    "guest exit code 19097481\n" };

	for (u32 i = 0; i < 3; i++) {
		setup(true);
		EXPECT_EQ(FAKE_END_HALT, FAKE_CATCH(out(0xf4, sizes[i], 0x1236789)));
		EXPECT_CONTAINS(fake.console, want[i]);
		EXPECT_STREQ(want[i], strstr(fake.console, "guest exit code"));
		EXPECT_CONTAINS(fake.console, "counters: guest exit");
		EXPECT_EQ(0, fake.io_count);
		EXPECT_TRUE(p->stopping);
	}
}

static void test_exit_with_poweroff(void)
{
	setup_exit(true, true);
	fake.io_val[0x604] = 0xdc01;
	EXPECT_EQ(FAKE_END_HALT, FAKE_CATCH(out(0xf4, 1, 0)));
	EXPECT_CONTAINS(fake.console, "guest exit code 0");
	EXPECT_EQ(0xf401, fake.io_val[0x604]); /* SLP_TYP 5, SLP_EN, the rest stays */
	setup_exit(true, true);
	p->machine.s5_slp_typ = -1;
	EXPECT_EQ(FAKE_END_HALT, FAKE_CATCH(out(0xf4, 1, 0)));
	EXPECT_CONTAINS(fake.console, "power it off by hand");
	EXPECT_EQ(0, fake.io_count);
}

static void test_exit_port_only(void)
{
	setup(true);
	EXPECT_EQ(0, in(0xf4, 1));
	EXPECT_EQ(FAKE_END_NONE, FAKE_CATCH(out(0xf5, 1, 3)));
	EXPECT_EQ(FAKE_END_HALT, FAKE_CATCH(out(0xf2, 4, 0x56781234)));
	EXPECT_CONTAINS(fake.console, "guest exit code 22136"); /* 0x5678 */
}

static u64 fw_read(u16 select, u32 bytes)
{
	u64 val = 0;

	out(0x510, 2, select);
	for (u32 i = 0; i < bytes; i++)
		val |= (u64)in(0x511, 1) << (8 * i);
	return val;
}

static void test_fw_cfg(void)
{
	char name[5] = { 0 };

	setup(true);
	p->vp_count = 3;
	out(0x510, 2, 0);
	for (u32 i = 0; i < 4; i++)
		name[i] = (char)in(0x511, 1);
	EXPECT_STREQ("QEMU", name);
	EXPECT_EQ(0, in(0x511, 1)); /* behind the end */
	EXPECT_EQ(3, fw_read(5, 8));
	EXPECT_EQ(0x2000000, fw_read(3, 8)); /* up to the hole, not what is above it */
	for (u32 i = 0; i < 20; i++)
		EXPECT_EQ(0, in(0x511, 1));
	EXPECT_EQ(0, fw_read(0x11, 8));
	EXPECT_EQ(0, fw_read(0x8000, 8));
	EXPECT_EQ(0, fw_read(1, 8));
	out(0x510, 2, 5);
	EXPECT_EQ(3, in(0x511, 1));
	out(0x510, 2, 5); /* selecting starts anew */
	EXPECT_EQ(3, in(0x511, 1));
	out(0x510, 1, 3); /* no such access */
	EXPECT_EQ(0, in(0x511, 1));
	EXPECT_EQ(0, in(0x510, 2));
	EXPECT_EQ(0, fake.io_count);
	p->memory.e[1].base = 0x200000;
	EXPECT_EQ(0, fw_read(3, 8));
}

static void test_latch_at_every_size(void)
{
	static const u32 sizes[] = { 1, 2, 4 };
	u8 model[4] = { 0 };

	setup(true);
	for (u32 n = 0; n < 20000; n++) {
		u32 size = sizes[test_rng() % 3];
		u32 at = (u32)(test_rng() % (5 - size));
		u16 port = (u16)((test_rng() % 2 ? 0xe0 : 0xe8) + at);
		u32 val = (u32)test_rng();
		u32 want = 0;

		if (test_rng() % 2) {
			out(port, size, val);
			memcpy(model + at, &val, size);
		}
		memcpy(&want, model + at, size);
		EXPECT_EQ(want, in(port, size));
	}
	EXPECT_EQ(0, fake.io_count);
}

static enum exit_action violation(u64 at, u64 qual)
{
	struct exit_info x = { .gpa = at, .gla = at, .qual = qual };

	return exit_ept_violation(&paged_vp, &x);
}

static u64 mapped(u64 at)
{
	return ept_walk(&p->ept, gpa(at)).size;
}

static void test_flush_drops_one_page(void)
{
	u32 invepts;

	setup(true);
	EXPECT_EQ(PAGE_SIZE_2M, mapped(0x800000));
	invepts = fake.invepts;
	out(0xe4, 4, 0x812345);
	EXPECT_EQ(invepts + 1, fake.invepts);
	EXPECT_EQ(0, mapped(0x812000));
	EXPECT_EQ(PAGE_SIZE, mapped(0x811fff));
	EXPECT_EQ(PAGE_SIZE, mapped(0x813000));
	out(0xe4, 4, 0x812345); /* twice is harmless */
	EXPECT_EQ(EXIT_RESUME, violation(0x812678, READ));
	EXPECT_EQ(0x812678, ept_walk(&p->ept, gpa(0x812678)).hpa.v);
	EXPECT_EQ(EPT_RWX, ept_walk(&p->ept, gpa(0x812678)).perms);
	EXPECT_EQ(PAGE_SIZE, mapped(0x812678));
	out(0xe4, 2, 0x3000); /* no such access */
	EXPECT_EQ(0, in(0xe4, 4));
	EXPECT_NE(0, mapped(0x3000));
}

/* A page that is not the machine's own keeps what it shows. */
static void test_flush_leaves_overlays(void)
{
	setup(true);
	EXPECT_EQ(ERR_NONE, ept_map_scratch(p, gpa(0x40001000)));
	out(0xe4, 4, 0x40001000);
	out(0xe4, 4, 0x40002000);
	out(0xe4, 4, 0xfee00000);
	EXPECT_EQ(EPT_R | EPT_W, ept_walk(&p->ept, gpa(0x40001000)).perms);
	EXPECT_EQ(p->ones_page.v, ept_walk(&p->ept, gpa(0x40002000)).hpa.v);
}

/* New memory types pass over what is dropped and what is emulated. */
static void test_retype_around_holes(void)
{
	setup(true);
	out(0xe4, 4, 0x812000);
	paged_vp.mtrr.def_type = 0x800 | MT_UC;
	EXPECT_EQ(ERR_NONE, ept_retype(p, &paged_vp.mtrr));
	EXPECT_EQ(0, mapped(0x812000));
	EXPECT_EQ(MT_UC, ept_walk(&p->ept, gpa(0x813000)).type);
	EXPECT_EQ(MT_UC, ept_walk(&p->ept, gpa(0x1000000)).type);
	EXPECT_EQ(MT_UC, ept_walk(&p->ept, gpa(0xff010000)).type);
	EXPECT_EQ(0, mapped(RAM));
	EXPECT_EQ(0, mapped(IOAPIC));
	EXPECT_EQ(EXIT_RESUME, violation(0x812000, READ));
	EXPECT_EQ(MT_UC, ept_walk(&p->ept, gpa(0x812000)).type);
}

/* Two CPUs fault on one page: the second finds it mapped. Alone, that would be a bug of ours. */
static void test_a_faster_cpu_is_no_bug(void)
{
	static struct vp other;

	setup(true);
	EXPECT_EQ(EXIT_STOP, violation(0x812000, READ));
	p->vp[1] = &other;
	p->vp_count = 2;
	EXPECT_EQ(EXIT_RESUME, violation(0x812000, READ));
}

static void code(const void *bytes, u32 len)
{
	paged_code(0x100, bytes, len);
}
#define CODE(...) code((const u8[]){ __VA_ARGS__ }, sizeof((const u8[]){ __VA_ARGS__ }))

static void test_memory_exits_and_remembers(void)
{
	setup(true);
	for (u64 at = RAM; at < RAM + 0x10000; at += PAGE_SIZE)
		EXPECT_EQ(0, mapped(at));
	EXPECT_NE(0, mapped(RAM - 1));
	EXPECT_NE(0, mapped(RAM + 0x10000));
	for (u32 i = 0; i < 2; i++) {
		paged_vp.regs.rax = 0x1122334455667788ull + i;
		CODE(0x48, 0x89, 0x03); /* mov [rbx], rax */
		EXPECT_EQ(EXIT_NEXT_DECODED, violation(RAM + 0xfff8 - 8 * i, WRITE));
	}
	CODE(0x8b, 0x03); /* mov eax, [rbx] */
	EXPECT_EQ(EXIT_NEXT_DECODED, violation(RAM + 0xfff4, READ));
	EXPECT_EQ(0x11223344, paged_vp.regs.rax);
	CODE(0x80, 0x03, 0x01); /* add byte [rbx], 1 */
	EXPECT_EQ(EXIT_NEXT_DECODED, violation(RAM + 0xfff7, READ | EPT_QUAL_WRITE));
	CODE(0x0f, 0xb6, 0x03); /* movzx eax, byte [rbx] */
	EXPECT_EQ(EXIT_NEXT_DECODED, violation(RAM + 0xfff7, READ));
	EXPECT_EQ(0x12, paged_vp.regs.rax);
	EXPECT_EQ(0, mapped(RAM + 0xf000));
}

static void test_operands_across_emulated_pages(void)
{
	const u64 gva = 0x7f0000000000ull;

	setup(true);
	paged_map(gva, RAM, RWU);
	paged_map(gva + PAGE_SIZE, RAM + PAGE_SIZE, RWU);
	paged_map(gva + 2 * PAGE_SIZE, 0x5000, RWU);
	paged_vp.regs.rbx = gva + PAGE_SIZE - 3;
	paged_vp.regs.rax = 0x8877665544332211ull;
	CODE(0x48, 0x89, 0x03);
	EXPECT_EQ(EXIT_NEXT_DECODED, violation(RAM + PAGE_SIZE - 3, WRITE));
	EXPECT_EQ(0x2211, emulated_at(p, RAM)->read(&paged_vp, RAM + PAGE_SIZE - 3, 2));
	EXPECT_EQ(0x8877665544, emulated_at(p, RAM)->read(&paged_vp, RAM + PAGE_SIZE, 8));
	paged_vp.regs.rax = 0;
	CODE(0x48, 0x8b, 0x03);
	EXPECT_EQ(EXIT_NEXT_DECODED, violation(RAM + PAGE_SIZE, READ)); /* reported at the second */
	EXPECT_EQ(0x8877665544332211ull, paged_vp.regs.rax);
	/* movsq from one emulated page to another */
	paged_vp.regs.rsi = gva + PAGE_SIZE - 3;
	paged_vp.regs.rdi = gva + 0x100;
	CODE(0x48, 0xa5);
	EXPECT_EQ(EXIT_NEXT_DECODED, violation(RAM + PAGE_SIZE - 3, READ));
	EXPECT_EQ(0x8877665544332211ull, emulated_at(p, RAM)->read(&paged_vp, RAM + 0x100, 8));
}

static void test_what_cannot_be_emulated(void)
{
	setup(true);
	CODE(0x0f, 0x58, 0x03); /* addps xmm0, [rbx] */
	EXPECT_EQ(EXIT_RESUME, violation(RAM, READ));
	EXPECT_EQ(EXC_UD, paged_exception());
	EXPECT_CONTAINS(fake.console, "0xff000000 is not emulated");
	setup(true);
	EXPECT_EQ(EXIT_RESUME, violation(RAM, EPT_QUAL_FETCH | EPT_QUAL_GLA_VALID));
	EXPECT_EQ(EXC_UD, paged_exception());
	setup(true);
	CODE(0x89, 0x03);
	EXPECT_EQ(EXIT_STOP, violation(RAM, EPT_QUAL_READ | EPT_QUAL_GLA_VALID)); /* page walk */
	EXPECT_EQ(EXIT_STOP, violation(RAM, WRITE | EPT_QUAL_ASYNC));
}

static void test_ioapic_page_is_emulated(void)
{
	setup(true);
	EXPECT_EQ(0, mapped(IOAPIC));
	EXPECT_NE(0, mapped(IOAPIC + PAGE_SIZE));
	paged_map(0x7f0000000000ull, IOAPIC, RWU);
	paged_vp.regs.rbx = 0x7f0000000000ull;
	CODE(0xc7, 0x03, 0x01, 0x00, 0x00, 0x00); /* mov dword [rbx], 1 */
	EXPECT_EQ(EXIT_NEXT_DECODED, violation(IOAPIC, WRITE));
	CODE(0x8b, 0x03);
	EXPECT_EQ(EXIT_NEXT_DECODED, violation(IOAPIC + 0x10, READ));
	EXPECT_EQ(0x170020, paged_vp.regs.rax);
}

TEST_MAIN(TEST(test_off_nothing_is_ours), TEST(test_exit_code_is_the_last_word),
	  TEST(test_exit_with_poweroff), TEST(test_exit_port_only), TEST(test_fw_cfg),
	  TEST(test_latch_at_every_size), TEST(test_flush_drops_one_page),
	  TEST(test_flush_leaves_overlays), TEST(test_retype_around_holes),
	  TEST(test_a_faster_cpu_is_no_bug), TEST(test_memory_exits_and_remembers),
	  TEST(test_operands_across_emulated_pages), TEST(test_what_cannot_be_emulated),
	  TEST(test_ioapic_page_is_emulated))
