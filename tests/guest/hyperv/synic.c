// SPDX-License-Identifier: BSD-2-Clause
// The SynIC for test guests.

#include "tests/guest/hyperv/synic.h"

#include "tests/guest/lib/cpu.h"
#include "tests/guest/lib/insn.h"
#include "tests/guest/lib/str.h"
#include "tests/guest/lib/tap.h"

static u8 pages[2][SMP_MAX][4096] ALIGNED(4096); /* messages, events */
static struct hv_input_post_message input[SMP_MAX] ALIGNED(4096);

void synic_ctl(enum synic_action action, u32 vp, u32 sint, u32 id)
{
	outl(0x3000, id << 24 | (u32)action << 16 | vp << 8 | sint);
}

bool synic_begin(void)
{
	if (!(hyperv_features_a() & HV_MSR_SYNIC_AVAILABLE)) {
		test_skip("hv-synic is off here");
		return false;
	}
	return hyperv_begin();
}

#define PROBE_ID 0xf0u

/* A connection that it made exists, whatever else is wrong with it. */
bool synic_begin_testdev(void)
{
	bool is_there;

	if (!synic_begin())
		return false;
	synic_ctl(SYNIC_EVT_CREATE, 0, HV_SYNIC_SINT_COUNT - 1, PROBE_ID);
	is_there = synic_signal(PROBE_ID, 0) != HV_STATUS_INVALID_CONNECTION_ID;
	synic_ctl(SYNIC_EVT_DESTROY, 0, HV_SYNIC_SINT_COUNT - 1, PROBE_ID);
	if (is_there)
		return true;
	hyperv_end();
	test_skip("no hyperv-testdev here");
	return false;
}

u64 synic_page(u32 cpu, u32 events)
{
	return (u64)(uintptr_t)pages[events][cpu];
}

volatile struct hv_message *synic_slot(u32 cpu, u32 sint)
{
	return (volatile struct hv_message *)(void *)pages[0][cpu] + sint;
}

volatile u64 *synic_flags(u32 cpu, u32 sint)
{
	return (volatile u64 *)(void *)(pages[1][cpu] + 256 * sint);
}

void synic_on(u64 flags)
{
	u32 cpu = smp_self();

	wrmsr(HV_X64_MSR_SIMP, synic_page(cpu, 0) | 1);
	wrmsr(HV_X64_MSR_SIEFP, synic_page(cpu, 1) | 1);
	wrmsr(HV_X64_MSR_SCONTROL, 1);
	wrmsr(HV_X64_MSR_SINT0 + SYNIC_MSG_SINT, SYNIC_MSG_VEC | flags);
	wrmsr(HV_X64_MSR_SINT0 + SYNIC_EVT_SINT, SYNIC_EVT_VEC | flags);
}

void synic_off(u64 unused)
{
	for (u32 i = 0; i < HV_SYNIC_SINT_COUNT; i++)
		wrmsr(HV_X64_MSR_SINT0 + i, HV_SYNIC_SINT_MASKED);
	wrmsr(HV_X64_MSR_SCONTROL, 0);
	wrmsr(HV_X64_MSR_SIMP, 0);
	wrmsr(HV_X64_MSR_SIEFP, 0);
}

u16 synic_post(u32 id, u32 type, u64 payload)
{
	struct hv_input_post_message *in = &input[smp_self()];

	in->connectionid = id;
	in->message_type = type;
	in->payload_size = 8;
	in->payload[0] = payload;
	/* There is no output: its address may be anything. */
	return (u16)hyperv_call(HVCALL_POST_MESSAGE, (u64)(uintptr_t)in, ~0ull);
}

u16 synic_signal(u32 id, u32 flag)
{
	return (u16)hyperv_call(HVCALL_SIGNAL_EVENT | HYPERV_FAST, id | (u64)flag << 32, 0);
}
