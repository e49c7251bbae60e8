/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * core/task: a task switch under paging. CR3 and the PDPTEs that follow it, page faults before any
 * change, supervisor accesses to TSS and tables, and memory that is not there yet.
 */
#include "tests/host/fakes/far.h"
#include "tests/host/task/task_sim.h"

#define PDPT 0x30020u

static void put_u64(u8 *p, u64 v)
{
	put_u32(p, v);
	put_u32(p + 4, v >> 32);
}

static void pae(u64 entry)
{
	setup();
	fake.vmcs[VMCS_GUEST_CR0] |= CR0_PG | CR0_WP;
	fake.vmcs[VMCS_GUEST_CR4] |= CR4_PAE;
	fake.vmcs[VMCS_GUEST_CR3] = 0x31000;
	fake.vmcs[VMCS_GUEST_PDPTE0] = 0x32001;
	put_u64(paged_ram + 0x32000, PTE_P | PTE_W | PTE_PS); /* 2 MiB, identity */
	put_u32(tss(NEW_TSS) + TSS32_CR3, PDPT);
	put_u64(paged_ram + PDPT, 0x32001);
	put_u64(paged_ram + PDPT + 24, entry);
}

static void test_pae_pdptes_follow_cr3(void)
{
	pae(0x55001);
	switch_task(&by_call);
	EXPECT_EQ(-1, paged_exception());
	EXPECT_EQ(PDPT, fake.vmcs[VMCS_GUEST_CR3]);
	EXPECT_EQ(0x55001, fake.vmcs[VMCS_GUEST_PDPTE3]);
	EXPECT_EQ(1, fake.invvpids);
	pae(0x55001); /* the same CR3: the registers stay, whatever memory says */
	fake.vmcs[VMCS_GUEST_CR3] = PDPT;
	switch_task(&by_call);
	EXPECT_EQ(0, fake.vmcs[VMCS_GUEST_PDPTE3]);
	EXPECT_EQ(0, fake.invvpids);
	pae(0x55003); /* a reserved bit */
	expect_untouched(&by_call, EXC_GP, 0);
	pae(0x55002); /* not present: nothing is reserved */
	switch_task(&by_call);
	EXPECT_EQ(-1, paged_exception());
}

static void test_page_faults_come_before_any_change(void)
{
	static const struct {
		u32 base; /* of the TSS that is moved */
		const struct how *how;
		u32 cr2, code;
	} rows[] = {
		{ 0x200000, &by_call, 0x200000, 0 },
		{ 0x1fffa0, &by_call, 0x200000, 0 },
		{ 0x1fffa0, &by_jmp, 0x200000, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		pae(0);
		*slot(S_NEW) = desc(rows[i].base, TSS32_BYTES - 1, 0x89, 0);
		expect_untouched(rows[i].how, EXC_PF, rows[i].code);
		EXPECT_EQ(rows[i].cr2, fake.cr2);
	}
	pae(0);
	put_u64(paged_ram + 0x32000, PTE_P | PTE_PS); /* read-only */
	expect_untouched(&by_jmp, EXC_PF, PFEC_P | PFEC_W);
	EXPECT_EQ(OLD_TSS + TSS32_EIP, fake.cr2);
}

/* Supervisor accesses also at CPL 3, and implicit ones: SMAP denies user pages even with AC. */
static void test_tables_are_accessed_as_supervisor(void)
{
	pae(0);
	fake.vmcs[VMCS_GUEST_SS_AR] |= AR_DPL;
	switch_task(&by_call);
	EXPECT_EQ(-1, paged_exception());
	pae(0);
	fake.vmcs[VMCS_GUEST_CR4] |= CR4_SMAP;
	fake.vmcs[VMCS_GUEST_RFLAGS] |= RFLAGS_AC;
	put_u64(paged_ram + 0x32000, PTE_P | PTE_W | PTE_U | PTE_PS);
	expect_untouched(&by_call, EXC_PF, PFEC_P);
	pae(0); /* only the new TSS lies in a user page */
	fake.vmcs[VMCS_GUEST_CR4] |= CR4_SMAP;
	fake.vmcs[VMCS_GUEST_RFLAGS] |= RFLAGS_AC;
	put_u64(paged_ram + 0x32008, PTE_P | PTE_W | PTE_U | PTE_PS);
	*slot(S_NEW) = desc(0x200000 + NEW_TSS, TSS32_BYTES - 1, 0x89, 0);
	expect_untouched(&by_call, EXC_PF, PFEC_P);
	EXPECT_EQ(0x200000 + NEW_TSS, fake.cr2);
}

/* Behind the commit point nothing can start again: the switch waits wherever memory is missing. */
static void test_tasks_wait_for_their_memory(void)
{
	static const u64 pages[] = { OLD_TSS, NEW_TSS, GDT, STACK - 4 };

	for (size_t i = 0; i < ARRAY_SIZE(pages); i++) {
		u64 page = ALIGN_DOWN(pages[i], PAGE_SIZE);

		setup();
		fake_far_add(&the_partition, page, page + PAGE_SIZE);
		switch_task(&by_gp);
		EXPECT_EQ(-1, paged_exception());
		EXPECT_EQ(NEW_EIP, fake.vmcs[VMCS_GUEST_RIP]);
		EXPECT_EQ(OLD_EIP, get_u32(tss(OLD_TSS) + TSS32_EIP));
		EXPECT_EQ(0x4444, get_u32(paged_ram + STACK - 4));
		EXPECT_EQ(DESC_TYPE_TSS_BUSY, type_of(S_NEW));
		EXPECT_EQ(2, vp->counters.c[COUNTER_PAGE_WAIT]);
		EXPECT_EQ(0, fake_far.pinned);
	}
}

TEST_MAIN(TEST(test_pae_pdptes_follow_cr3), TEST(test_page_faults_come_before_any_change),
	  TEST(test_tables_are_accessed_as_supervisor), TEST(test_tasks_wait_for_their_memory))
