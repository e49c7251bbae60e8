/* SPDX-License-Identifier: BSD-2-Clause */
/* core/exit/exit_apic.c: accesses to the APIC page by real instructions, and the trap-like exits.
 */
#include "core/exit/exit.h"

#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/vector.h"
#include "arch/x86/defs/vmcs.h"
#include "tests/host/fakes/fake.h"
#include "tests/host/models/apic_model.h"
#include "tests/host/models/apic_vp.h"

#define VP  (&at.vp[0])
#define RIP 0x1000u

static _Alignas(4096) u8 ram[0x4000];

static void set_up(bool vid)
{
	apic_test_init(1, vid);
	memset(ram, 0, sizeof(ram));
	fake_ram(ram, 0, sizeof(ram));
	EXPECT_CALL(ERR_NONE, e820_add(&at.p.memory, 0, sizeof(ram), E820_RAM));
	hw_vmwrite(VMCS_GUEST_CR0, CR0_PE); /* flat 32-bit code, no paging */
	hw_vmwrite(VMCS_GUEST_CS_AR, AR_P | AR_S | AR_DB | AR_G | 0xb);
	hw_vmwrite(VMCS_GUEST_SS_AR, AR_P | AR_S | AR_DB | AR_G | 0x3);
	hw_vmwrite(VMCS_GUEST_CS_LIMIT, 0xffffffff);
	hw_vmwrite(VMCS_GUEST_DS_LIMIT, 0xffffffff);
	hw_vmwrite(VMCS_GUEST_DS_AR, AR_P | AR_S | AR_DB | AR_G | 0x3);
	hw_vmwrite(VMCS_GUEST_RIP, RIP);
	fake.vmcs[VMCS_VM_EXIT_INSTRUCTION_LENGTH] = 11; /* undefined for these exits */
}

/* An exit by "@opcode moffs32" (A0/A1 load AL/EAX, A2/A3 store) at APIC offset @offset. */
static enum exit_action moffs(u8 opcode, u32 offset, enum apic_access_type type)
{
	u32 address = 0xfee00000 + offset;
	struct exit_info x = { .qual = offset | (u64)type << 12 };

	ram[RIP] = opcode;
	memcpy(&ram[RIP + 1], &address, 4);
	return exit_apic_access(VP, &x);
}

static u32 load(u32 offset)
{
	VP->regs.rax = 0x5a5a5a5a5a5a5a5a;
	EXPECT_CALL(EXIT_NEXT_DECODED, moffs(0xa1, offset, APIC_ACCESS_LINEAR_READ));
	EXPECT_EQ(5, VP->insn_len);
	return (u32)VP->regs.rax;
}

static void store(u32 offset, u32 val)
{
	VP->regs.rax = val;
	EXPECT_CALL(EXIT_NEXT_DECODED, moffs(0xa3, offset, APIC_ACCESS_LINEAR_WRITE));
}

static void test_registers_are_where_the_guest_finds_them(void)
{
	set_up(false);
	EXPECT_CALL(0x01060014, load(APIC_VERSION));
	store(APIC_TPR, 0x40);
	EXPECT_CALL(0x40, load(APIC_TPR));
	store(APIC_ICR2, 0);
	store(APIC_ICR, 0x55);
	EXPECT_EQ(0x55, vlapic_pending_vector(VP));
}

/*
 * A CPU without an APIC-access page: the page is a hole that nobody fills, and each access to it
 * violates.
 */
static enum exit_action violate(u8 opcode, u32 offset, u64 qual)
{
	u32 address = 0xfee00000 + offset;
	struct exit_info x = { .gpa = address, .gla = address, .qual = qual };

	ram[RIP] = opcode;
	memcpy(&ram[RIP + 1], &address, 4);
	return exit_ept_violation(VP, &x);
}

static void test_apic_page_without_the_cpus_help(void)
{
	const u64 gla = EPT_QUAL_GLA_VALID | EPT_QUAL_GLA_IS_TRANSLATION;
	struct partition *p = &at.p;

	set_up(false);
	fake_heap(64);
	p->region_base = hpa(0x40000000);
	p->region_len = 0x200000;
	EXPECT_CALL(ERR_NONE, e820_add(&p->memory, p->region_base.v, p->region_len, E820_RESERVED));
	VP->mtrr.def_type = 0x806;
	p->machine.apic_accesses = false;
	overlay_unmap(p, &VP->apic.overlay);
	apic_page_remap(VP);
	EXPECT_CALL(ERR_NONE, ept_init(&p->ept, true, true, false, MT_WB));
	EXPECT_CALL(ERR_NONE, ept_build_partition(p));
	EXPECT_EQ(0, ept_walk(&p->ept, gpa(0xfee00000)).size);
	EXPECT_EQ(p->ones_page.v, ept_walk(&p->ept, gpa(0xfee01000)).hpa.v);
	EXPECT_CALL(ERR_BUSY, ept_map_lazy(p, gpa(0xfee00030)));
	vlapic_mode_changed(VP);
	EXPECT_EQ(0, VP->ctx->word[CTX_PROC2] & PROC2_VIRTUALIZE_APIC_ACCESSES);

	EXPECT_CALL(EXIT_NEXT_DECODED, violate(0xa1, APIC_VERSION, EPT_QUAL_READ | gla));
	EXPECT_EQ(0x01060014, VP->regs.rax);
	VP->regs.rax = 0x40;
	EXPECT_CALL(EXIT_NEXT_DECODED, violate(0xa3, APIC_TPR, EPT_QUAL_WRITE | gla));
	EXPECT_EQ(0x40, vlapic_read(VP, APIC_TPR));
	EXPECT_CALL(EXIT_RESUME, violate(0x90, 0, EPT_QUAL_FETCH | gla));
	EXPECT_EQ(EXC_UD, VP->event.info & 0xff);
	EXPECT_CALL(EXIT_STOP, violate(0x90, 0, EPT_QUAL_WRITE | EPT_QUAL_GLA_VALID));

	/* Another place: the old one is the window again. */
	EXPECT_CALL(MSR_OK, vlapic_write_base(VP, 0xfed40000 | APIC_BASE_EN | APIC_BASE_BSP));
	EXPECT_EQ(0, ept_walk(&p->ept, gpa(0xfed40000)).size);
	EXPECT_EQ(p->ones_page.v, ept_walk(&p->ept, gpa(0xfee00000)).hpa.v);
}

static void test_odd_accesses(void)
{
	set_up(false);
	store(APIC_TPR, 0x40);
	store(APIC_TPR + 4, 0x80); /* beside the register */
	store(APIC_TPR + 1, 0x80); /* unaligned */
	EXPECT_CALL(0x40, load(APIC_TPR));
	EXPECT_CALL(0, load(APIC_TPR + 4));
	EXPECT_CALL(0x010600, load(APIC_VERSION + 1)); /* the rest of the register */
	VP->regs.rax = 0x20;
	EXPECT_CALL(EXIT_NEXT_DECODED, moffs(0xa2, APIC_TPR, APIC_ACCESS_LINEAR_WRITE));
	EXPECT_CALL(0x40, load(APIC_TPR)); /* byte stores are dropped */
	VP->regs.rax = 0;
	EXPECT_CALL(EXIT_NEXT_DECODED, moffs(0xa0, APIC_VERSION + 2, APIC_ACCESS_LINEAR_READ));
	EXPECT_EQ(6, VP->regs.rax);
}

static void test_other_instructions_are_ud(void)
{
	set_up(false);
	/* FLD from the APIC page: outside the subset. */
	EXPECT_CALL(EXIT_RESUME, moffs(0xd9, APIC_ID, APIC_ACCESS_LINEAR_READ));
	EXPECT_EQ(INTR_INFO_VALID | INTR_TYPE_HARD_EXCEPTION << 8 | EXC_UD, VP->event.info);
}

static void test_accesses_that_are_no_loads_and_stores(void)
{
	set_up(false);
	EXPECT_CALL(EXIT_RESUME, moffs(0x90, 0, APIC_ACCESS_LINEAR_FETCH));
	EXPECT_EQ(EXC_UD, VP->event.info & 0xff);
	set_up(false);
	EXPECT_CALL(EXIT_STOP, moffs(0x90, 0, APIC_ACCESS_LINEAR_EVENT));
	EXPECT_CALL(EXIT_STOP, moffs(0x90, 0, APIC_ACCESS_PHYSICAL_EVENT));
	EXPECT_CALL(EXIT_STOP, moffs(0x90, 0, APIC_ACCESS_PHYSICAL_INSTRUCTION));
	EXPECT_CALL(EXIT_STOP, moffs(0x90, 0, (enum apic_access_type)7));
	EXPECT_EQ(0, VP->event.info);
}

static enum exit_action monitor(const u8 *code, enum apic_access_type type)
{
	struct exit_info x = { .qual = (u64)type << 12 };

	memcpy(&ram[RIP], code, 8);
	return exit_apic_access(VP, &x);
}

/* Newer CPUs have an access type for it, older ones call it a read. */
static void test_monitor_is_skipped_by_its_own_length(void)
{
	static const enum apic_access_type types[] = { APIC_ACCESS_LINEAR_MONITOR,
						       APIC_ACCESS_LINEAR_READ };
	static const u8 plain[8] = { 0x0f, 0x01, 0xc8, 0x90 };
	static const u8 prefixed[8] = { 0x3e, 0x67, 0x0f, 0x01, 0xc8 };
	static const u8 mwait[8] = { 0x0f, 0x01, 0xc9 };
	static const u8 rex[8] = { 0x48, 0x0f, 0x01, 0xc8 }; /* DEC EAX here */

	for (u32 i = 0; i < ARRAY_SIZE(types); i++) {
		set_up(false);
		EXPECT_CALL(EXIT_NEXT_DECODED, monitor(plain, types[i]));
		EXPECT_EQ(3, VP->insn_len);
		EXPECT_CALL(EXIT_NEXT_DECODED, monitor(prefixed, types[i]));
		EXPECT_EQ(5, VP->insn_len);
		EXPECT_EQ(0, VP->event.info);
		EXPECT_CALL(EXIT_RESUME, monitor(mwait, types[i]));
		EXPECT_EQ(EXC_UD, VP->event.info & 0xff);
		set_up(false);
		EXPECT_CALL(EXIT_RESUME, monitor(rex, types[i]));
		set_up(false);
		hw_vmwrite(VMCS_GUEST_EFER, EFER_LME | EFER_LMA);
		hw_vmwrite(VMCS_GUEST_CS_AR, AR_P | AR_S | AR_L | AR_G | 0xb);
		EXPECT_CALL(EXIT_NEXT_DECODED, monitor(rex, types[i]));
		EXPECT_EQ(4, VP->insn_len);
	}
}

/* Register virtualization: the CPU has put the value into the page already. */
static void page_write(u32 reg, u32 val)
{
	struct exit_info x = { .qual = reg };

	*(u32 *)(void *)(VP->apic.page + reg) = val;
	EXPECT_CALL(EXIT_RESUME, exit_apic_write(VP, &x));
}

/* A virtualized write has the effect of an intercepted one, although the old value is gone. */
static void test_write_after_the_fact_equals_a_direct_one(void)
{
	static const struct {
		u32 reg, val;
	} writes[] = {
		{ APIC_LVT_TIMER, 0x400ec },
		{ APIC_LVT_TIMER, 0x000ec },
		{ APIC_TMICT, 100000 },
		{ APIC_LVT_TIMER, 0x400ec },
		{ APIC_TMICT, 5000 },
		{ APIC_TDCR, 0xffffffff },
		{ APIC_SVR, 0xff },
		{ APIC_LVT_LINT0, 0x700 },
		{ APIC_SVR, 0xffff01ff },
		{ APIC_LDR, 0xffffffff },
		{ APIC_DFR, 0 },
		{ APIC_ESR, 0xffffffff },
		{ APIC_ICR, 0x00041055 },
		{ APIC_ID, 0x55000000 },
		{ APIC_LVT_ERROR, 0xffff },
		{ APIC_EOI, 0x1234 },
	};
	u32 direct[64];

	for (u32 n = 1; n <= ARRAY_SIZE(writes); n++) {
		u64 deadline;

		set_up(false);
		for (u32 i = 0; i < n; i++)
			vlapic_write(VP, writes[i].reg, writes[i].val);
		deadline = VP->deadline_tsc;
		for (u32 r = 0; r < 0x40; r++)
			direct[r] = vlapic_reg(&VP->apic, r * 16);
		set_up(false);
		for (u32 i = 0; i < n; i++)
			page_write(writes[i].reg, writes[i].val);
		for (u32 r = 0; r < 0x40; r++)
			if (r != APIC_EOI >> 4)
				EXPECT_EQ(direct[r], vlapic_reg(&VP->apic, r * 16));
		EXPECT_EQ(deadline, VP->deadline_tsc);
	}
}

static void test_tpr_threshold_asks_for_another_look(void)
{
	struct exit_info x = { 0 };

	set_up(false);
	EXPECT_CALL(EXIT_RESUME, exit_tpr_threshold(VP, &x));
	EXPECT_TRUE(VP->work & VP_WORK_EVENT);
}

static void test_virtualized_eoi_finishes_held_vectors(void)
{
	struct exit_info x = { .qual = 0x42 };

	set_up(true);
	model_rte(0, 0x42, true, false);
	model_line(0, true);
	EXPECT_TRUE(model_exit(false));
	EXPECT_EQ(BIT64(2), hw_vmread(VMCS_EOI_EXIT1)); /* 0x42 = 64 + 2 */
	model_line(0, false);
	irqhw.guest_done[0x42] = true;
	EXPECT_CALL(EXIT_RESUME, exit_virtualized_eoi(VP, &x));
	EXPECT_EQ(1, irqhw.eois);
	EXPECT_FALSE(irqhw.pin[0].remote_irr);
	/* Of a vector that is not held: nothing. */
	EXPECT_CALL(EXIT_RESUME, exit_virtualized_eoi(VP, &x));
	EXPECT_EQ(1, irqhw.eois);
}

TEST_MAIN(TEST(test_registers_are_where_the_guest_finds_them),
	  TEST(test_apic_page_without_the_cpus_help), TEST(test_odd_accesses),
	  TEST(test_other_instructions_are_ud), TEST(test_accesses_that_are_no_loads_and_stores),
	  TEST(test_monitor_is_skipped_by_its_own_length),
	  TEST(test_write_after_the_fact_equals_a_direct_one),
	  TEST(test_tpr_threshold_asks_for_another_look),
	  TEST(test_virtualized_eoi_finishes_held_vectors))
