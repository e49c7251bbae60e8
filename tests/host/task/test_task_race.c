/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * core/task: another CPU wants one of the two tasks of a switch, at every point of it. SDM Vol. 3A,
 * "Use Of the Busy Flag To Prevent Recursive Task Switching": the lock on the busy flag "keeps two
 * processors from invoking the same task at the same time".
 */
#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/exit.h"
#include "arch/x86/defs/seg.h"
#include "arch/x86/defs/vector.h"
#include "arch/x86/defs/vmcs.h"
#include "core/exit/exit.h"
#include "core/task/task.h"
#include "tests/host/fakes/paged.h"
#include "tests/host/harness.h"

#define GDT     0x10000u
#define OLD_TSS 0x12000u
#define NEW_TSS 0x13000u
#define S_CODE  0x08u
#define S_DATA  0x10u
#define S_OLD   0x28u
#define S_NEW   0x30u
#define OLD_EIP 0x4000u
#define NEW_EIP 0x5000u
#define LEN     7u

#define AVAILABLE 0x89u
#define BUSY      0x8bu

static struct vp *const vp = &paged_vp;

/* The other CPU: it tries once, by what the CPU does when it sets the busy flag. */
static struct {
	u32 selector;
	u64 when;
	bool tried, got;
	u8 tss[TSS32_BYTES]; /* what it finds in the task's TSS */
} other;

static u8 *type_byte(u32 selector)
{
	return paged_ram + GDT + selector + 5;
}

static u8 *tss_of(u32 selector)
{
	return paged_ram + (selector == S_OLD ? OLD_TSS : NEW_TSS);
}

static void other_cpu(u64 nr)
{
	if (other.tried || nr < other.when)
		return;
	other.tried = true;
	if (*type_byte(other.selector) != AVAILABLE)
		return;
	*type_byte(other.selector) = BUSY;
	other.got = true;
	memcpy(other.tss, tss_of(other.selector), sizeof(other.tss));
}

static void put(u32 tss, u32 offset, u32 val)
{
	memcpy(paged_ram + tss + offset, &val, sizeof(val));
}

static void put_slot(u32 selector, u64 desc)
{
	memcpy(paged_ram + GDT + selector, &desc, sizeof(desc));
}

static u64 tss_desc(u32 base, u32 type)
{
	return (u64)(base & 0xffffff) << 16 | (TSS32_BYTES - 1) | (u64)type << 40;
}

static void setup(u32 new_type)
{
	paged_reset(EMUL_32);
	ctx_init(vp, 1, &exit_table_guest);
	put_slot(S_CODE, DESC_FLAT_CODE32);
	put_slot(S_DATA, DESC_FLAT_DATA);
	put_slot(S_OLD, tss_desc(OLD_TSS, BUSY));
	put_slot(S_NEW, tss_desc(NEW_TSS, new_type));
	put(NEW_TSS, TSS32_EIP, NEW_EIP);
	put(NEW_TSS, TSS32_EFLAGS, RFLAGS_FIXED);
	for (u32 i = 0; i < 6; i++)
		put(NEW_TSS, TSS32_ES + 4 * i, i == 1 ? S_CODE : S_DATA);
	fake.vmcs[VMCS_GUEST_CR0] = CR0_PE | CR0_NE | CR0_ET;
	fake.vmcs[VMCS_GUEST_CR4] = CR4_VMXE;
	fake.vmcs[VMCS_GUEST_LDTR_AR] = AR_UNUSABLE;
	fake.vmcs[VMCS_GUEST_GDTR_BASE] = GDT;
	fake.vmcs[VMCS_GUEST_GDTR_LIMIT] = 0x7f;
	fake.vmcs[VMCS_GUEST_TR_SELECTOR] = S_OLD;
	fake.vmcs[VMCS_GUEST_TR_BASE] = OLD_TSS;
	fake.vmcs[VMCS_GUEST_TR_LIMIT] = TSS32_BYTES - 1;
	fake.vmcs[VMCS_GUEST_TR_AR] = AR_P | AR_TYPE_TSS_BUSY;
	for (u32 i = 0; i < 6; i++)
		fake.vmcs[VMCS_GUEST_ES_SELECTOR + 2 * i] = i == 1 ? S_CODE : S_DATA;
	fake.vmcs[VMCS_GUEST_RIP] = OLD_EIP;
	fake.vmcs[VMCS_GUEST_RFLAGS] = RFLAGS_FIXED;
	fake.vmcs[VMCS_VM_EXIT_INSTRUCTION_LENGTH] = LEN;
	for (u32 i = 0; i < 8; i++)
		gpr_write(vp, i, 0x22220000 + i);
}

/* @source to S_NEW while the other CPU tries for @selector at VMREAD @when. False: too late. */
static bool race(enum task_switch_source source, u32 selector, u64 when)
{
	struct exit_info x = { .qual = S_NEW | FIELD_PREP(TASK_SWITCH_QUAL_SOURCE, source) };

	setup(source == TASK_SWITCH_IRET ? BUSY : AVAILABLE);
	memset(&other, 0, sizeof(other));
	other.selector = selector;
	other.when = fake.vmreads + when;
	fake.on_vmread = other_cpu;
	EXPECT_EQ(EXIT_RESUME, exit_task_switch(vp, &x));
	fake.on_vmread = NULL;
	return other.tried;
}

static void expect_nothing_happened(const u8 *ram)
{
	EXPECT_EQ(S_OLD, fake.vmcs[VMCS_GUEST_TR_SELECTOR]);
	EXPECT_EQ(OLD_EIP, fake.vmcs[VMCS_GUEST_RIP]);
	EXPECT_EQ(BUSY, *type_byte(S_OLD));
	EXPECT_EQ(0, memcmp(ram + OLD_TSS, paged_ram + OLD_TSS, TSS32_BYTES));
	EXPECT_EQ(0, memcmp(ram + NEW_TSS, paged_ram + NEW_TSS, TSS32_BYTES));
}

/* Exactly one of the two CPUs gets the task. The loser's guest tries again, or has its #GP. */
static void test_one_cpu_gets_the_new_task(void)
{
	static const enum task_switch_source sources[] = { TASK_SWITCH_CALL, TASK_SWITCH_JMP };
	static u8 ram[PAGED_RAM_BYTES];
	u32 won = 0, lost = 0, again = 0;

	for (u32 s = 0; s < ARRAY_SIZE(sources); s++) {
		setup(AVAILABLE);
		memcpy(ram, paged_ram, sizeof(ram));
		for (u64 when = 1; race(sources[s], S_NEW, when); when++) {
			bool switched = fake.vmcs[VMCS_GUEST_TR_SELECTOR] == S_NEW;

			EXPECT_EQ(!other.got, switched);
			EXPECT_EQ(BUSY, *type_byte(S_NEW));
			won += switched;
			if (switched)
				continue;
			expect_nothing_happened(ram);
			lost++;
			again += paged_exception() < 0;
			if (paged_exception() >= 0) {
				EXPECT_EQ(EXC_GP, paged_exception());
				EXPECT_EQ(S_NEW, paged_error());
			}
		}
	}
	EXPECT_TRUE(won > 20 && lost > 20 && again > 10);
}

/* Who takes the task that is left finds all of its state. */
static void test_the_old_task_is_free_when_it_is_saved(void)
{
	static const enum task_switch_source sources[] = { TASK_SWITCH_IRET, TASK_SWITCH_JMP };
	u32 got = 0, early = 0;

	for (u32 s = 0; s < ARRAY_SIZE(sources); s++) {
		for (u64 when = 1; race(sources[s], S_OLD, when); when++) {
			u32 eip, ebx;

			EXPECT_EQ(S_NEW, fake.vmcs[VMCS_GUEST_TR_SELECTOR]);
			early += !other.got;
			if (!other.got)
				continue;
			got++;
			memcpy(&eip, other.tss + TSS32_EIP, sizeof(eip));
			memcpy(&ebx, other.tss + TSS32_EAX + 4 * 3, sizeof(ebx));
			EXPECT_EQ(OLD_EIP + LEN, eip);
			EXPECT_EQ(0x22220003, ebx);
			EXPECT_EQ(0, memcmp(other.tss, paged_ram + OLD_TSS, TSS32_BYTES));
			EXPECT_EQ(BUSY, *type_byte(S_OLD)); /* it is the other's now */
		}
	}
	EXPECT_TRUE(got > 20 && early > 20);
}

TEST_MAIN(TEST(test_one_cpu_gets_the_new_task), TEST(test_the_old_task_is_free_when_it_is_saved))
