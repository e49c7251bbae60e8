/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * INS and OUTS with their memory on an emulated page, at a port that is the machine's: what moves,
 * and that the permission bitmap is asked before the port.
 */
#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/seg.h"
#include "arch/x86/defs/vector.h"
#include "tests/host/emul/exec_sim.h"

#define PORT    0x1f0u
#define TSS_GVA (NEXT_GVA + 0x100)
#define TSS     (paged_ram + NEXT_GPA + 0x100)

static void begin(void)
{
	setup();
	memset(page, 0, sizeof(page));
	paged_vp.regs.rdx = 0x10000 | PORT;
	paged_vp.regs.rsi = PAGE_GVA + 0x80;
	paged_vp.regs.rdi = PAGE_GVA + 0x80;
	fake.io_val[PORT] = 0x44332211;
}

static void test_ins_and_outs(void)
{
	begin();
	paged_vp.regs.rcx = 3;
	CODE(0xf3, 0x6c); /* rep insb */
	EXPECT_EQ(EXIT_ITERATION, emulate(PAGE_GPA + 0x80));
	EXPECT_EQ(EXIT_ITERATION, emulate(PAGE_GPA + 0x81));
	EXPECT_EQ(EXIT_NEXT_DECODED, emulate(PAGE_GPA + 0x82));
	EXPECT_MEMEQ("\x11\x11\x11\0", page + 0x80, 4);
	EXPECT_EQ(PAGE_GVA + 0x83, paged_vp.regs.rdi);
	EXPECT_EQ(PAGE_GVA + 0x80, paged_vp.regs.rsi);
	EXPECT_EQ(3, fake.io_count);

	begin();
	CODE(0x48, 0x6d); /* insd: REX.W does not widen it */
	EXPECT_EQ(EXIT_NEXT_DECODED, emulate(PAGE_GPA + 0x80));
	EXPECT_MEMEQ("\x11\x22\x33\x44\0", page + 0x80, 5);

	begin();
	memcpy(page + 0x80, "\x77\x88\x99\xaa", 4);
	CODE(0x66, 0x6f); /* outsw */
	EXPECT_EQ(EXIT_NEXT_DECODED, emulate(PAGE_GPA + 0x80));
	EXPECT_EQ(0x8877, fake.io_val[PORT]);
	EXPECT_EQ(PAGE_GVA + 0x82, paged_vp.regs.rsi);
	EXPECT_EQ(1, fake.io_count);
	EXPECT_EQ(2, fake.io[0].size);
}

static void expect_port(bool allowed)
{
	paged_vp.event.info = 0;
	fake.io_count = 0;
	EXPECT_EQ(allowed ? EXIT_NEXT_DECODED : EXIT_RESUME, emulate(PAGE_GPA + 0x80));
	EXPECT_EQ(allowed ? -1 : EXC_GP, paged_exception());
	EXPECT_EQ(allowed, fake.io_count);
	EXPECT_EQ(allowed ? 1 : 0, page_reads);
	page_reads = 0;
}

static void test_port_permission(void)
{
	begin();
	CODE(0x66, 0x6f); /* outsw: ports 1F0 and 1F1 */
	fake.vmcs[VMCS_GUEST_SS_AR] |= FIELD_PREP(AR_DPL, 3);
	fake.vmcs[VMCS_GUEST_TR_BASE] = TSS_GVA;
	fake.vmcs[VMCS_GUEST_TR_LIMIT] = 0x68 + 0x40;
	TSS[TSS32_IOMAP_BASE] = 0x68;
	expect_port(true);
	TSS[0x68 + PORT / 8] = 0x02;
	expect_port(false);
	TSS[0x68 + PORT / 8] = 0x04;
	expect_port(true);
	fake.vmcs[VMCS_GUEST_TR_LIMIT] = 0x68 + PORT / 8 + 1; /* two bytes are read */
	expect_port(true);
	fake.vmcs[VMCS_GUEST_TR_LIMIT]--;
	expect_port(false);
	fake.vmcs[VMCS_GUEST_RFLAGS] |= RFLAGS_IOPL;
	expect_port(true);
	fake.vmcs[VMCS_GUEST_RFLAGS] |= RFLAGS_VM; /* there the bitmap alone decides */
	expect_port(false);
}

/* The code has become a REP instruction with nothing to do. */
static void test_count_zero_does_nothing(void)
{
	static const u8 ops[] = { 0x6c, 0x6e, 0xa4, 0xa6, 0xaa, 0xac, 0xae };

	for (u32 i = 0; i < ARRAY_SIZE(ops); i++) {
		begin();
		code((const u8[]){ 0xf3, ops[i] }, 2);
		EXPECT_EQ(EXIT_NEXT_DECODED, emulate(PAGE_GPA + 0x80));
		EXPECT_EQ(PAGE_GVA + 0x80, paged_vp.regs.rsi);
		EXPECT_EQ(PAGE_GVA + 0x80, paged_vp.regs.rdi);
		EXPECT_EQ(0, paged_vp.regs.rcx);
		EXPECT_EQ(0, page_reads + page_writes + fake.io_count);
	}
}

TEST_MAIN(TEST(test_ins_and_outs), TEST(test_port_permission), TEST(test_count_zero_does_nothing))
