/* SPDX-License-Identifier: BSD-2-Clause */
/* I/O instruction exits: register merging, string iterations, faults before side effects. */
#include "tests/host/harness.h"

#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/exit.h"
#include "arch/x86/defs/paging.h"
#include "arch/x86/defs/vector.h"
#include "core/exit/exit.h"
#include "core/surface/pio.h"
#include "tests/host/fakes/far.h"
#include "tests/host/fakes/paged.h"

#define PORT 0x600u
#define GVA  0x5000000ull
#define GPA  0x80000ull
#define RWU  (PTE_P | PTE_W | PTE_U)

static u8 sequence; /* what the next byte read from the port is */
static u8 sent[256];
static u32 sent_bytes;

static void port_access(struct vp *vp, u16 port, u32 size, bool write, u32 *val)
{
	u32 v = 0;

	for (u32 i = 0; i < size; i++) {
		if (write)
			sent[sent_bytes++ % sizeof(sent)] = (u8)(*val >> (8 * i));
		else
			v |= (u32)sequence++ << (8 * i);
	}
	if (!write)
		*val = v;
}

static void setup(void)
{
	const struct pio_row r = { PORT, PORT + 3, port_access, "port" };

	paged_reset(EMUL_64);
	EXPECT_EQ(ERR_NONE, pio_add(&the_partition.pio, &r));
	paged_map(GVA, GPA, RWU);
	sequence = 0x81;
	sent_bytes = 0;
}

static enum exit_action io(u32 size, u64 flags)
{
	struct exit_info x = { .qual = (size - 1) | flags | FIELD_PREP(IO_QUAL_PORT, PORT) };

	return exit_io(&paged_vp, &x);
}

static void test_in_merges_as_the_register_rules_say(void)
{
	setup();
	paged_vp.regs.rax = 0x1122334455667788;
	EXPECT_EQ(EXIT_NEXT, io(1, IO_QUAL_IN));
	EXPECT_EQ(0x1122334455667781, paged_vp.regs.rax);
	EXPECT_EQ(EXIT_NEXT, io(2, IO_QUAL_IN));
	EXPECT_EQ(0x1122334455668382, paged_vp.regs.rax);
	EXPECT_EQ(EXIT_NEXT, io(4, IO_QUAL_IN));
	EXPECT_EQ(0x87868584, paged_vp.regs.rax);
}

static void test_out_sends_its_size_only(void)
{
	static const u32 sizes[] = { 1, 2, 4 };

	for (u32 i = 0; i < ARRAY_SIZE(sizes); i++) {
		setup();
		paged_vp.regs.rax = 0x1122334455667788;
		EXPECT_EQ(EXIT_NEXT, io(sizes[i], 0));
		EXPECT_EQ(sizes[i], sent_bytes);
		EXPECT_EQ(0x88, sent[0]);
		EXPECT_EQ(0x1122334455667788, paged_vp.regs.rax);
	}
}

/* REP INS and REP OUTS of every size, both directions, across a page boundary. */
static void string_run(u32 size, bool in, bool down)
{
	u64 start = GVA + PAGE_SIZE - 3;
	u64 step = down ? -(u64)size : size;
	u8 mem[256];
	u32 n = 0;

	setup();
	paged_map(GVA + PAGE_SIZE, GPA + PAGE_SIZE, RWU);
	for (u32 i = 0; i < 2 * PAGE_SIZE; i++)
		paged_ram[GPA + i] = (u8)test_rng();
	memcpy(mem, paged_ram + GPA + PAGE_SIZE - 128, sizeof(mem));
	fake.vmcs[VMCS_GUEST_RFLAGS] = RFLAGS_FIXED | (down ? RFLAGS_DF : 0);
	fake.vmcs[VMCS_VMX_INSTRUCTION_INFO] =
		FIELD_PREP(INSTR_INFO_ADDRESS_SIZE, 2) | FIELD_PREP(INSTR_INFO_SEGMENT, 3);
	paged_vp.regs.rcx = 7;
	paged_vp.regs.rsi = start;
	paged_vp.regs.rdi = start;
	while (io(size, IO_QUAL_STRING | IO_QUAL_REP | (in ? IO_QUAL_IN : 0)) == EXIT_ITERATION)
		EXPECT_LE(++n, 7);
	EXPECT_EQ(6, n); /* the seventh ends the instruction */
	EXPECT_EQ(0, paged_vp.regs.rcx);
	EXPECT_EQ(start + 7 * step, in ? paged_vp.regs.rdi : paged_vp.regs.rsi);
	EXPECT_EQ(start, in ? paged_vp.regs.rsi : paged_vp.regs.rdi);
	for (u32 i = 0; i < 7 * size; i++) {
		u64 at = start + i / size * step + i % size - (GVA + PAGE_SIZE - 128);

		if (in)
			mem[at] = (u8)(0x81 + i);
		else
			EXPECT_EQ(mem[at], sent[i]);
	}
	EXPECT_MEMEQ(paged_ram + GPA + PAGE_SIZE - 128, mem, sizeof(mem));
}

static void test_string_io_moves_every_byte(void)
{
	static const u32 sizes[] = { 1, 2, 4 };

	for (u32 i = 0; i < ARRAY_SIZE(sizes); i++) {
		for (u32 k = 0; k < 4; k++)
			string_run(sizes[i], k & 1, k & 2);
	}
}

static void test_string_io_faults_before_the_port(void)
{
	setup();
	fake.vmcs[VMCS_VMX_INSTRUCTION_INFO] = FIELD_PREP(INSTR_INFO_ADDRESS_SIZE, 2);
	*paged_entry(GVA, 1) &= ~PTE_W;
	paged_vp.regs.rdi = GVA + 0x10;
	EXPECT_EQ(EXIT_RESUME, io(1, IO_QUAL_STRING | IO_QUAL_IN));
	EXPECT_EQ(EXC_PF, paged_exception());
	EXPECT_EQ(PFEC_P | PFEC_W, paged_error());
	EXPECT_EQ(GVA + 0x10, fake.cr2);
	EXPECT_EQ(0x81, sequence);
	EXPECT_EQ(GVA + 0x10, paged_vp.regs.rdi);

	setup();
	fake.vmcs[VMCS_VMX_INSTRUCTION_INFO] = FIELD_PREP(INSTR_INFO_ADDRESS_SIZE, 2);
	paged_vp.regs.rdi = 1ull << 47;
	EXPECT_EQ(EXIT_RESUME, io(1, IO_QUAL_STRING | IO_QUAL_IN));
	EXPECT_EQ(EXC_GP, paged_exception());
	EXPECT_EQ(0x81, sequence);
}

static void test_string_io_with_count_zero_does_nothing(void)
{
	setup();
	fake.vmcs[VMCS_VMX_INSTRUCTION_INFO] = FIELD_PREP(INSTR_INFO_ADDRESS_SIZE, 1);
	paged_vp.regs.rcx = 0x100000000; /* ECX is 0 */
	paged_vp.regs.rdi = GVA;
	EXPECT_EQ(EXIT_NEXT, io(1, IO_QUAL_STRING | IO_QUAL_REP | IO_QUAL_IN));
	EXPECT_EQ(0x81, sequence);
	EXPECT_EQ(0x100000000, paged_vp.regs.rcx);
}

static void test_string_io_16_bit_registers_wrap(void)
{
	setup();
	paged_reset(EMUL_16);
	EXPECT_EQ(ERR_NONE, pio_add(&the_partition.pio,
				    &(struct pio_row){ PORT, PORT, port_access, "port" }));
	fake.vmcs[VMCS_GUEST_ES_BASE] = GPA;
	paged_vp.regs.rdi = 0xabcdffff;
	paged_vp.regs.rcx = 0x12340002;
	EXPECT_EQ(EXIT_ITERATION, io(1, IO_QUAL_STRING | IO_QUAL_REP | IO_QUAL_IN));
	EXPECT_EQ(0x81, paged_ram[GPA + 0xffff]);
	EXPECT_EQ(0xabcd0000, paged_vp.regs.rdi);
	EXPECT_EQ(0x12340001, paged_vp.regs.rcx);
}

#define REGION 0x40000000ull
#define DEVICE 0xfd000000ull

static void outside_ram_setup(u64 gpa)
{
	struct partition *p = &the_partition;

	setup();
	fake.vmcs[VMCS_VMX_INSTRUCTION_INFO] =
		FIELD_PREP(INSTR_INFO_ADDRESS_SIZE, 2) | FIELD_PREP(INSTR_INFO_SEGMENT, 3);
	p->region_base = hpa(REGION);
	p->region_len = MIB(2);
	p->memory.e[1] = (struct e820_entry){ REGION, MIB(2), E820_RESERVED };
	p->memory.count = 2;
	paged_map(GVA + PAGE_SIZE, gpa, RWU); /* the first two bytes in RAM */
	paged_vp.regs.rdi = GVA + PAGE_SIZE - 2;
	paged_vp.regs.rsi = GVA + PAGE_SIZE - 2;
}

/* Rule M1: the guest goes on. What is no memory reads all-ones and swallows writes. */
static void outside_ram(u64 gpa, u64 dropped)
{
	outside_ram_setup(gpa);
	EXPECT_EQ(EXIT_NEXT, io(4, IO_QUAL_STRING | IO_QUAL_IN));
	EXPECT_EQ(0x85, sequence); /* the port was read */
	EXPECT_EQ(0x81, paged_ram[GPA + PAGE_SIZE - 2]);
	EXPECT_EQ(0x82, paged_ram[GPA + PAGE_SIZE - 1]);
	EXPECT_EQ(GVA + PAGE_SIZE + 2, paged_vp.regs.rdi);
	EXPECT_EQ(dropped, paged_vp.counters.c[COUNTER_REGION_WRITE_DROPPED]);
	EXPECT_EQ(EXIT_NEXT, io(4, IO_QUAL_STRING));
	EXPECT_MEMEQ("\x81\x82\xff\xff", sent, 4);
	EXPECT_EQ(dropped, paged_vp.counters.c[COUNTER_REGION_WRITE_DROPPED]);
	EXPECT_EQ(-1, paged_exception());
}

static void test_string_io_outside_ram_goes_on(void)
{
	outside_ram(REGION, 1);
	EXPECT_STREQ("", fake.console);
	outside_ram(DEVICE, 0);
	EXPECT_CONTAINS(fake.console, "device memory at 0xfd000000");
}

/* The class says whether a write may be lost: before the port is read, or a byte written. */
static void test_string_io_goes_by_the_page_class(void)
{
	outside_ram_setup(REGION);
	paged_set_drops_writes(PAGE_REGION, false);
	EXPECT_EQ(EXIT_NEXT, io(4, IO_QUAL_STRING)); /* reading is fine */
	EXPECT_EQ(FAKE_END_REBOOT, FAKE_CATCH(io(4, IO_QUAL_STRING | IO_QUAL_IN)));
	EXPECT_EQ(0x81, sequence);
	EXPECT_EQ(0, paged_ram[GPA + PAGE_SIZE - 2]);
	EXPECT_CONTAINS(fake.console, "writes to the hypervisor at 0x40000000");
	paged_set_drops_writes(PAGE_REGION, true);
}

static void test_string_io_through_tables_in_a_device(void)
{
	setup();
	fake.vmcs[VMCS_VMX_INSTRUCTION_INFO] = FIELD_PREP(INSTR_INFO_ADDRESS_SIZE, 2);
	*paged_entry(GVA, 2) = DEVICE | RWU;
	paged_vp.regs.rdi = GVA;
	EXPECT_EQ(EXIT_RESUME, io(1, IO_QUAL_STRING | IO_QUAL_IN));
	EXPECT_EQ(EXC_PF, paged_exception());
	EXPECT_EQ(PFEC_P | PFEC_W | PFEC_RSVD, paged_error());
	EXPECT_EQ(GVA, fake.cr2);
	EXPECT_EQ(0x81, sequence);
}

/* The port is not touched before the memory is there; then it is touched once. */
static void test_string_io_waits_for_its_memory(void)
{
	for (u32 in = 0; in < 2; in++) {
		u64 flags = IO_QUAL_STRING | (in ? IO_QUAL_IN : 0);

		setup();
		fake_far_add(&the_partition, GPA, GPA + PAGE_SIZE);
		fake.vmcs[VMCS_VMX_INSTRUCTION_INFO] =
			FIELD_PREP(INSTR_INFO_ADDRESS_SIZE, 2) | FIELD_PREP(INSTR_INFO_SEGMENT, 3);
		paged_vp.regs.rdi = paged_vp.regs.rsi = GVA + 0x10;
		for (u32 i = 0; i < 2; i++) {
			EXPECT_EQ(EXIT_RETRY, io(1, flags));
			EXPECT_EQ(0x81, sequence);
			EXPECT_EQ(0, sent_bytes);
			EXPECT_EQ(GVA + 0x10, paged_vp.regs.rdi);
			EXPECT_EQ(GVA + 0x10, paged_vp.regs.rsi);
		}
		EXPECT_EQ(EXIT_NEXT, io(1, flags));
		EXPECT_EQ(in ? 0x82 : 0x81, sequence);
		EXPECT_EQ(in ? 0 : 1, sent_bytes);
		EXPECT_EQ(in ? 0x81 : 0, paged_ram[GPA + 0x10]);
		EXPECT_EQ(-1, paged_exception());
		EXPECT_EQ(0, fake_far.pinned);
	}
}

#define MODEL 0xd0000000ull

static u8 model[PAGE_SIZE];

static u64 model_read(struct vp *vp, u64 gpa, u32 size)
{
	u64 val = 0;

	memcpy(&val, model + (gpa - MODEL), size);
	return val;
}

static void model_write(struct vp *vp, u64 gpa, u32 size, u64 val)
{
	memcpy(model + (gpa - MODEL), &val, size);
}

/* The operand is in RAM and, across the edge of its page, on one that a device model answers. */
static void test_string_io_reaches_emulated_pages(void)
{
	static const struct emul_mem mem = { model_read, model_write };
	static const struct page_range r = { MODEL, MODEL + PAGE_SIZE, PAGE_EMULATED, .mem = &mem };

	setup();
	memset(model, 0, sizeof(model));
	EXPECT_EQ(ERR_NONE, range_add(&the_partition, &r));
	paged_map(GVA + PAGE_SIZE, MODEL, RWU);
	fake.vmcs[VMCS_VMX_INSTRUCTION_INFO] =
		FIELD_PREP(INSTR_INFO_ADDRESS_SIZE, 2) | FIELD_PREP(INSTR_INFO_SEGMENT, 3);
	paged_vp.regs.rcx = 3;
	paged_vp.regs.rdi = GVA + PAGE_SIZE - 6;
	while (io(4, IO_QUAL_STRING | IO_QUAL_REP | IO_QUAL_IN) == EXIT_ITERATION)
		continue;
	EXPECT_EQ(0x82, paged_ram[GPA + PAGE_SIZE - 5]);
	EXPECT_MEMEQ("\x87\x88\x89\x8a\x8b\x8c\0", model, 7);
	paged_vp.regs.rcx = 3;
	paged_vp.regs.rsi = GVA + PAGE_SIZE - 6;
	while (io(4, IO_QUAL_STRING | IO_QUAL_REP) == EXIT_ITERATION)
		continue;
	EXPECT_MEMEQ("\x81\x82\x83\x84\x85\x86\x87\x88\x89\x8a\x8b\x8c", sent, 12);
	EXPECT_EQ(0, paged_vp.counters.c[COUNTER_REGION_WRITE_DROPPED]);
}

TEST_MAIN(TEST(test_string_io_reaches_emulated_pages),
	  TEST(test_in_merges_as_the_register_rules_say), TEST(test_out_sends_its_size_only),
	  TEST(test_string_io_moves_every_byte), TEST(test_string_io_faults_before_the_port),
	  TEST(test_string_io_with_count_zero_does_nothing),
	  TEST(test_string_io_16_bit_registers_wrap), TEST(test_string_io_outside_ram_goes_on),
	  TEST(test_string_io_goes_by_the_page_class),
	  TEST(test_string_io_through_tables_in_a_device),
	  TEST(test_string_io_waits_for_its_memory))
