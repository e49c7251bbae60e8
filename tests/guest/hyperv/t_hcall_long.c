// SPDX-License-Identifier: BSD-2-Clause
// Rep calls that take long are done in pieces: between two of them RIP is at the VMCALL again, the
// input register has the next element's index, and the guest takes its interrupts.

#include "tests/guest/hyperv/hcall.h"
#include "tests/guest/hyperv/reg_call.h"
#include "tests/guest/lib/apic.h"
#include "tests/guest/lib/platform.h"
#include "tests/guest/lib/smp.h"

#define VEC       0x62
#define REGISTERS 254u /* their names and their values fit into one page each */
#define APIC_IDS  1020u
#define ASSOCS    127u
#define INTERVAL  (tsc_hz() / 20000)

/*
 * How long the CPU may be away: a piece of 25 us, its last element, and what each piece costs
 * again, the copies of input and output. The emulator's TSC counts instructions, and too few in 50
 * us for these: it is less than 50 us from 240 MHz on.
 */
#define MAX_HELD (tsc_hz() / 40000 + 6000)

static u8 out[4096] ALIGNED(4096);

/* What the handler sees; RCX and RIP are those of the interrupted hypercall. */
static volatile u64 deadline, control_of_call;
static volatile u32 taken, between, last_start, wrong;
static volatile u64 longest;

static void on_timer(struct trap_regs *regs)
{
	u64 late = rdtsc() - deadline;
	u32 start = (u32)(regs->rcx >> 48 & 0xfff);

	taken++;
	if (regs->rip == hyperv_rip() - 3 && start != 0) {
		between++;
		if ((regs->rcx & ~HYPERV_START(0xfff)) != control_of_call || start < last_start ||
		    start >= (control_of_call >> 32 & 0xfff))
			wrong++;
		last_start = start;
		longest = late > longest ? late : longest;
	}
	deadline = rdtsc() + INTERVAL;
	apic_deadline(deadline);
	apic_eoi();
}

/* The result is that of one call, and at least one interrupt came in the middle of it. */
static void run_long(u64 code, u32 count)
{
	u64 result;

	control_of_call = code | HYPERV_REPS(count);
	taken = between = last_start = wrong = 0;
	longest = 0;
	trap_handle(VEC, on_timer);
	apic_timer(APIC_TIMER_TSC_DEADLINE, VEC, APIC_TDCR_BY_1);
	deadline = rdtsc() + INTERVAL;
	apic_deadline(deadline);
	sti();
	result = hyperv_call(control_of_call, at(area), at(out));
	cli();
	apic_deadline(0);
	apic_quiesce();
	EXPECT_EQ(HYPERV_REPS(count), result);
	EXPECT_GE(between, 2);
	EXPECT_EQ(0, wrong);
	tap_printf("# call 0x%llx: %u interrupts, %u of them between pieces, at most %llu ticks "
		   "late of %llu\n",
		   code, taken, between, longest, MAX_HELD);
	EXPECT_LE(longest, MAX_HELD);
}

static void put_header(void)
{
	struct hv_vp_registers header = { .partition_id = HV_PARTITION_ID_SELF,
					  .vp_index = HV_VP_INDEX_SELF };

	memset(area, 0, sizeof(area));
	memset(out, 0xee, sizeof(out));
	memcpy(area, &header, sizeof(header));
}

/* Every element has its value, the last one, too, and what lies behind is as it was. */
static void hcall_long_get(void)
{
	const union hv_register_value *vals = (const void *)out;
	u32 *names = (u32 *)(void *)((u8 *)area + sizeof(struct hv_vp_registers)), bad = 0;

	if (!reg_begin(HV_ACCESS_VP_REGISTERS))
		return;
	put_header();
	write_cr2(0x123456789000);
	for (u32 i = 0; i < REGISTERS; i++)
		names[i] = i % 2 ? HV_X64_REGISTER_CR2 : HV_X64_REGISTER_EFER;
	run_long(HVCALL_GET_VP_REGISTERS, REGISTERS);
	for (u32 i = 0; i < REGISTERS; i++)
		bad += vals[i].low != (i % 2 ? 0x123456789000 : rdmsr(MSR_IA32_EFER)) ||
		       vals[i].high != 0;
	EXPECT_EQ(0, bad);
	EXPECT_EQ(0xee, out[REGISTERS * sizeof(vals[0])]);
	hyperv_end();
}

static void hcall_long_set(void)
{
	struct hv_register_assoc *list = (void *)((u8 *)area + sizeof(struct hv_vp_registers));

	if (!reg_begin(HV_ACCESS_VP_REGISTERS))
		return;
	put_header();
	for (u32 i = 0; i < ASSOCS; i++)
		list[i] = (struct hv_register_assoc){ .name = HV_X64_REGISTER_CR2,
						      .value.low = 0x1000 + i };
	run_long(HVCALL_SET_VP_REGISTERS, ASSOCS);
	EXPECT_EQ(0x1000 + ASSOCS - 1, read_cr2());
	hyperv_end();
}

/* The largest list there is. */
static void hcall_long_index(void)
{
	const u32 *index = (const void *)out;
	u32 *ids = (u32 *)(void *)((u8 *)area + sizeof(struct hv_get_vp_index_from_apic_id));
	u32 bad = 0, last = smp_count() - 1;

	if (!reg_begin(HV_START_VIRTUAL_PROCESSOR))
		return;
	put_header();
	memset(area, 0, sizeof(struct hv_get_vp_index_from_apic_id));
	area[0] = HV_PARTITION_ID_SELF;
	for (u32 i = 0; i < APIC_IDS; i++)
		ids[i] = smp_ids[last];
	run_long(HVCALL_GET_VP_INDEX_FROM_APIC_ID, APIC_IDS);
	for (u32 i = 0; i < APIC_IDS; i++)
		bad += index[i] != last;
	EXPECT_EQ(0, bad);
	hyperv_end();
}

static const struct test t_hcall_long_tests[] = {
	OURS(hcall_long_get),
	OURS(hcall_long_set),
	OURS(hcall_long_index),
};
TEST_GROUP(t_hcall_long);
