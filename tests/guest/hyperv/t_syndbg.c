// SPDX-License-Identifier: BSD-2-Clause
// The synthetic debugger, in both ways that a guest has. With tests/run/syndbg.py at the other end
// of the serial port: it answers a length and as many bytes with the length, the bytes backwards
// and inverted, and a sum of what it got.

#include "arch/x86/defs/vector.h"
#include "core/lib/bits.h"
#include "hv/hyperv/syndbg_abi.h"
#include "tests/guest/groups.h"
#include "tests/guest/lib/cpu.h"
#include "tests/guest/lib/hyperv.h"
#include "tests/guest/lib/platform.h"
#include "tests/guest/lib/str.h"
#include "tests/guest/lib/tap.h"

#define WAIT_MS   5000u
#define BLOCK_MAX 4000u

static u8 out_page[4096] ALIGNED(4096), in_page[4096] ALIGNED(4096);
static struct hv_post_debug_data post ALIGNED(4096);
static struct hv_retrieve_debug_data retrieve ALIGNED(64);
static struct hv_retrieve_debug_data_out got ALIGNED(4096);
static volatile u8 pending[64] ALIGNED(64);

static u64 at(const volatile void *p)
{
	return (u64)(uintptr_t)p;
}

static bool begin(void)
{
	if (!(hyperv_features_d() & HV_FEATURE_DEBUG_MSRS_AVAILABLE)) {
		test_skip("hv-syndbg is off");
		return false;
	}
	return hyperv_begin();
}

static void end(void)
{
	for (u32 msr = HV_X64_MSR_SYNDBG_STATUS; msr <= HV_X64_MSR_SYNDBG_PENDING_BUFFER; msr++)
		wrmsr(msr, 0);
	wrmsr(HV_X64_MSR_SYNDBG_OPTIONS, 0);
	hyperv_end();
}

/* STATUS after CONTROL. */
static u64 act(u64 control)
{
	wrmsr(HV_X64_MSR_SYNDBG_CONTROL, control);
	return rdmsr(HV_X64_MSR_SYNDBG_STATUS);
}

static u64 send_bytes(u64 from, u32 count)
{
	wrmsr(HV_X64_MSR_SYNDBG_SEND_BUFFER, from);
	return act(HV_SYNDBG_CONTROL_SEND | (u64)count << 16);
}

static void hvsyndbg_registers(void)
{
	if (!begin())
		return;
	EXPECT_EQ(0x40000082, cpuid(0x40000000).a);
	EXPECT_EQ(0x7263694d, cpuid(0x40000080).b);
	EXPECT_EQ(0x31235356, cpuid(0x40000081).a);
	EXPECT_EQ(2, cpuid(0x40000082).a);
	EXPECT_EQ(BIT32(11), cpuid(0x40000003).b & BIT32(11));
	EXPECT_EQ(0, rdmsr(HV_X64_MSR_SYNDBG_STATUS));
	EXPECT_EQ(0, rdmsr(HV_X64_MSR_SYNDBG_OPTIONS));
	EXPECT_EQ(NO_FAULT, try_wrmsr(HV_X64_MSR_SYNDBG_STATUS, 0));
	EXPECT_EQ(EXC_GP, try_wrmsr(0x400000f6, 0));
	EXPECT_EQ(1, send_bytes(at(out_page), 0));
	EXPECT_EQ(0, send_bytes(at(out_page), 4097));
	EXPECT_EQ(0, send_bytes(0xfee00000, 1));
	EXPECT_EQ(0, send_bytes(~0ull, 1));
	EXPECT_EQ(0, send_bytes(rdmsr(HV_X64_MSR_HYPERCALL) & ~0xfffull, 1)); /* an overlay */
	EXPECT_EQ(0, act(HV_SYNDBG_CONTROL_RECV)); /* nothing is there: nobody was asked */
	wrmsr(HV_X64_MSR_SYNDBG_PENDING_BUFFER, 0xfee00000);
	pending[0] = 0xa5;
	wrmsr(HV_X64_MSR_SYNDBG_PENDING_BUFFER, at(pending));
	EXPECT_EQ(0, pending[0]);
	end();
}

/* A port of ours looks like none. */
static void hvsyndbg_port_is_hidden(void)
{
	if (!begin())
		return;
	for (u16 port = 0x2f8; port <= 0x2ff; port++) {
		EXPECT_EQ(0xff, inb(port));
		outb(port, 'X');
	}
	end();
}

static u64 call(u64 control, const volatile void *in, const volatile void *out)
{
	return hyperv_call(control, at(in), at(out));
}

static void hvsyndbg_calls(void)
{
	if (!begin())
		return;
	post = (struct hv_post_debug_data){ 0 };
	retrieve = (struct hv_retrieve_debug_data){ .count = 100 };
	EXPECT_EQ(HV_STATUS_OPERATION_DENIED, call(HVCALL_POST_DEBUG_DATA, &post, &got));
	EXPECT_EQ(HV_STATUS_OPERATION_DENIED, call(HVCALL_RETRIEVE_DEBUG_DATA, &retrieve, &got));
	EXPECT_EQ(HV_STATUS_OPERATION_DENIED, call(HVCALL_RESET_DEBUG_SESSION, &post, &got));
	wrmsr(HV_X64_MSR_SYNDBG_OPTIONS, HV_X64_SYNDBG_OPTION_USE_HCALLS);
	for (u32 nr = HVCALL_POST_DEBUG_DATA; nr <= HVCALL_RESET_DEBUG_SESSION; nr++)
		EXPECT_EQ(HV_STATUS_INVALID_PARAMETER, hyperv_call(nr | HYPERV_FAST, 0, 0));
	got.data[0] = 0xa5;
	EXPECT_EQ(HV_STATUS_NO_DATA, call(HVCALL_RETRIEVE_DEBUG_DATA, &retrieve, &got));
	EXPECT_EQ(0, got.retrieved_count);
	EXPECT_EQ(100, got.remaining_count);
	EXPECT_EQ(0xa5, got.data[0]); /* not written */
	EXPECT_EQ(0, call(HVCALL_POST_DEBUG_DATA, &post, &got));
	EXPECT_EQ(0, got.retrieved_count); /* its pending count is at the same place */
	got.data[23 - 8] = 0xa5;
	EXPECT_EQ(0, call(HVCALL_RESET_DEBUG_SESSION, &post, &got));
	EXPECT_EQ(0, got.data[23 - 8]);
	EXPECT_EQ(HV_STATUS_INVALID_HYPERCALL_INPUT,
		  hyperv_call(HVCALL_RETRIEVE_DEBUG_DATA, at(&retrieve), 0xfee00000));
	EXPECT_EQ(HV_STATUS_INVALID_HYPERCALL_INPUT,
		  hyperv_call(HVCALL_POST_DEBUG_DATA, 0xfee00000, at(&got)));
	end();
}

/* --- with the program at the other end --- */

struct way {
	bool (*send)(const u8 *bytes, u32 count);
	u32 (*receive)(u8 *bytes, u32 room); /* 0: nothing has arrived yet */
};

static bool msr_send(const u8 *bytes, u32 count)
{
	memcpy(out_page, bytes, count);
	return send_bytes(at(out_page), count) == HV_SYNDBG_STATUS_SEND_SUCCESS;
}

/* Looks at the page and asks only if there is something. */
static u32 msr_receive(u8 *bytes, u32 room)
{
	u64 status;
	u32 count;

	if (pending[0] == 0)
		return 0;
	status = act(HV_SYNDBG_CONTROL_RECV);
	count = (u32)(status >> 16);
	if (!EXPECT_AT((status & 0xffff) == HV_SYNDBG_STATUS_RECV_SUCCESS && count <= room,
		       "status 0x%llx", status))
		return 0;
	memcpy(bytes, in_page, count);
	return count;
}

static bool call_send(const u8 *bytes, u32 count)
{
	post.count = count;
	memcpy(post.data, bytes, count);
	return call(HVCALL_POST_DEBUG_DATA, &post, &got) == 0;
}

static u32 call_receive(u8 *bytes, u32 room)
{
	retrieve = (struct hv_retrieve_debug_data){ .count = room };
	if (call(HVCALL_RETRIEVE_DEBUG_DATA, &retrieve, &got) != 0)
		return 0;
	memcpy(bytes, got.data, got.retrieved_count);
	return got.retrieved_count;
}

static u8 asked[BLOCK_MAX + 2], answer[BLOCK_MAX + 6];

static u32 receive_all(const struct way *way, u32 want)
{
	u32 have = 0;

	for (u32 ms = 0; ms < WAIT_MS && have < want; ms++) {
		have += way->receive(answer + have, want - have);
		delay_us(1000);
	}
	return have;
}

/* One block there and back. */
static bool exchange(const struct way *way, u32 count, u32 seed)
{
	u32 sum = 0, said;

	asked[0] = (u8)count;
	asked[1] = (u8)(count >> 8);
	for (u32 i = 0; i < count; i++) {
		asked[2 + i] = (u8)((i + seed) ^ (i >> 8) * 37);
		sum = sum * 31 + asked[2 + i];
	}
	if (!EXPECT_AT(way->send(asked, count + 2), "block of %u", count) ||
	    !EXPECT_AT(receive_all(way, count + 6) == count + 6, "block of %u", count))
		return false;
	for (u32 i = 0; i < count; i++) {
		if ((answer[2 + i] ^ asked[2 + count - 1 - i]) != 0xff)
			return EXPECT_AT(false, "block of %u: byte %u", count, i);
	}
	memcpy(&said, answer + 2 + count, 4);
	return EXPECT_AT(answer[0] == asked[0] && answer[1] == asked[1] && said == sum,
			 "block of %u", count);
}

/* Every value of a byte, and sizes around those of FIFOs, pages and rings. */
static void talk(const struct way *way)
{
	static const u32 sizes[] = { 1, 16, 17, 256, 1000, BLOCK_MAX };

	for (u32 i = 0; i < ARRAY_SIZE(sizes); i++) {
		if (!exchange(way, sizes[i], i * 91))
			return;
	}
}

static void hvsyndbg_talk_msrs(void)
{
	static const struct way way = { msr_send, msr_receive };

	if (!begin())
		return;
	wrmsr(HV_X64_MSR_SYNDBG_RECV_BUFFER, at(in_page));
	wrmsr(HV_X64_MSR_SYNDBG_PENDING_BUFFER, at(pending));
	talk(&way);
	EXPECT_EQ(0, pending[0]);
	end();
}

static void hvsyndbg_talk_calls(void)
{
	static const struct way way = { call_send, call_receive };

	if (!begin())
		return;
	wrmsr(HV_X64_MSR_SYNDBG_OPTIONS, HV_X64_SYNDBG_OPTION_USE_HCALLS);
	talk(&way);
	end();
}

static const struct test t_syndbg_tests[] = {
	{ "hvsyndbg_registers", hvsyndbg_registers, T_KENSHO | T_NAMED, NULL },
	{ "hvsyndbg_port_is_hidden", hvsyndbg_port_is_hidden, T_KENSHO | T_NAMED, NULL },
	{ "hvsyndbg_calls", hvsyndbg_calls, T_KENSHO | T_NAMED, NULL },
	{ "hvsyndbg_talk_msrs", hvsyndbg_talk_msrs, T_KENSHO | T_NAMED, NULL },
	{ "hvsyndbg_talk_calls", hvsyndbg_talk_calls, T_KENSHO | T_NAMED, NULL },
};
TEST_GROUP(t_syndbg);
