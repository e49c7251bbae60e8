// SPDX-License-Identifier: BSD-2-Clause
// Flush hypercalls on one CPU (hv/hyperv/tlbflush.c): their statuses, and the caller's own TLB.
// What they do to other CPUs is in t_smp_flush.c.

#include "core/lib/bits.h"
#include "tests/guest/groups.h"
#include "tests/guest/hyperv/flush.h"
#include "tests/guest/lib/cpu.h"
#include "tests/guest/lib/str.h"

#define OK    HV_STATUS_SUCCESS
#define INPUT HV_STATUS_INVALID_HYPERCALL_INPUT
#define PARAM HV_STATUS_INVALID_PARAMETER

/* Every call has its status from its own feature, in memory and fast. */
static void hvflush_follows_cpuid(void)
{
	static const u32 codes[] = { SPACE, LIST, SPACE_EX, LIST_EX };

	if (!hyperv_begin())
		return;
	for (u32 i = 0; i < ARRAY_SIZE(codes); i++) {
		u64 reps = is_list(codes[i]) ? HYPERV_REPS(1) : 0;
		u64 memory, fast;

		memset(flush_in(0), 0, 4096);
		memory = hyperv_call(codes[i] | reps, flush_gpa(0), 0);
		fast = has_xmm() ? hyperv_xmm_call(codes[i] | reps, flush_in(0)) : memory;
		EXPECT_EQ(memory, fast);
		if (flush_is_on())
			EXPECT_EQ(OK | reps, memory);
		else
			EXPECT_REFUSED(memory == HV_STATUS_ACCESS_DENIED);
	}
	EXPECT_EQ(flush_is_on() || (hyperv_hints() & HV_X64_CLUSTER_IPI_RECOMMENDED) != 0,
		  (hyperv_hints() & HV_X64_EX_PROCESSOR_MASKS_RECOMMENDED) != 0);
	hyperv_end();
}

static u64 with_flags(u32 code, u64 flags)
{
	u64 *in = flush_in(0), reps = is_list(code) ? HYPERV_REPS(1) : 0;

	memset(in, 0, 4096);
	in[1] = flags;
	in[2] = is_ex(code) ? 0 : 1;
	return hyperv_call(code | reps, flush_gpa(0), 0);
}

/* Flags 0 to 2, 3 with the feature of large ranges, no other. */
static void hvflush_flags(void)
{
	static const u32 codes[] = { SPACE, LIST, SPACE_EX, LIST_EX };
	bool ext = (hyperv_features_d() & HV_FEATURE_EXT_GVA_RANGES_FLUSH) != 0;

	if (!flush_begin())
		return;
	for (u32 i = 0; i < ARRAY_SIZE(codes); i++) {
		for (u32 bit = 0; bit < 64; bit++) {
			u64 status = with_flags(codes[i], BIT64(bit)) & 0xffff;

			if (status == OK && !machine_is_kensho())
				continue; /* KVM ignores those it does not know */
			EXPECT_AT(status == (bit < 3 || (bit == 3 && ext) ? OK : PARAM),
				  "call 0x%x, flag %u: status 0x%x", codes[i], bit, (u32)status);
		}
	}
	hyperv_end();
}

static u64 reps(u64 start, u64 count)
{
	return HYPERV_START(start) | HYPERV_REPS(count);
}

/* The form of the call: header sizes, list counts. Input lies in one page. */
static void hvflush_forms(void)
{
	u64 *in = flush_in(0);

	if (!flush_begin())
		return;
	memset(in, 0, 4096);
	EXPECT_EQ(INPUT, hyperv_call(SPACE | HYPERV_REPS(1), flush_gpa(0), 0));
	EXPECT_EQ(INPUT, hyperv_call(SPACE | HYPERV_VAR(1), flush_gpa(0), 0));
	EXPECT_EQ(INPUT, hyperv_call(LIST, flush_gpa(0), 0));
	EXPECT_EQ(INPUT, hyperv_call(LIST | reps(2, 2), flush_gpa(0), 0) & 0xffff);
	EXPECT_EQ(INPUT, hyperv_call(SPACE_EX | HYPERV_REPS(1), flush_gpa(0), 0));
	EXPECT_EQ(INPUT, hyperv_call(LIST_EX, flush_gpa(0), 0));
	/* All of the list is done, whatever its length and its elements. */
	memset(in + 3, 0xff, 4096 - 24);
	EXPECT_EQ(OK | HYPERV_REPS(509), hyperv_call(LIST | reps(0, 509), flush_gpa(0), 0));
	if (machine_is_kensho()) {
		EXPECT_EQ(OK | HYPERV_REPS(5), hyperv_call(LIST | reps(3, 5), flush_gpa(0), 0));
		EXPECT_EQ(HV_STATUS_INVALID_ALIGNMENT,
			  hyperv_call(LIST | reps(0, 510), flush_gpa(0), 0) & 0xffff);
	}
	hyperv_end();
}

/* One word of header per bank; bits of VPs that do not exist; formats. */
static void hvflush_sets(void)
{
	u64 *in = flush_in(0);

	if (!flush_begin())
		return;
	memset(in, 0, 4096);
	EXPECT_EQ(OK, hyperv_call(SPACE_EX, flush_gpa(0), 0));
	EXPECT_EQ(INPUT, hyperv_call(SPACE_EX | HYPERV_VAR(1), flush_gpa(0), 0));
	for (u32 banks = 1; banks <= 64; banks++) {
		in[3] = ~0ull << (64 - banks);
		memset(in + 4, 0xff, 64 * 8);
		EXPECT_EQ(INPUT, hyperv_call(SPACE_EX | HYPERV_VAR(banks - 1), flush_gpa(0), 0));
		EXPECT_EQ(INPUT, hyperv_call(SPACE_EX | HYPERV_VAR(banks + 1), flush_gpa(0), 0));
		EXPECT_EQ(OK, hyperv_call(SPACE_EX | HYPERV_VAR(banks), flush_gpa(0), 0));
	}
	in[2] = HV_GENERIC_SET_ALL;
	EXPECT_EQ(INPUT, hyperv_call(SPACE_EX, flush_gpa(0), 0));
	EXPECT_EQ(OK, hyperv_call(SPACE_EX | HYPERV_VAR(64), flush_gpa(0), 0));
	in[3] = 0;
	EXPECT_EQ(OK, hyperv_call(SPACE_EX, flush_gpa(0), 0));
	in[2] = 2;
	if (machine_is_kensho()) /* KVM: everybody */
		EXPECT_EQ(PARAM, hyperv_call(SPACE_EX, flush_gpa(0), 0));
	hyperv_end();
}

/* The caller's own entries, of global pages, too. */
static void hvflush_self(void)
{
	volatile u32 *window = flush_window();

	if (!flush_begin())
		return;
	for (u32 i = 0; i < FLUSH_VARIANTS; i++) {
		if (!flush_applies(i))
			continue;
		flush_map(1);
		invlpg((const void *)(uintptr_t)window);
		EXPECT_EQ(1, *window);
		flush_map(2);
		EXPECT_TRUE(flush_do(i, 1));
		EXPECT_AT(*window == 2, "variant %u", i);
	}
	hyperv_end();
}

#define ROW(fn)                                                  \
	{                                                        \
		.name = #fn, .run = fn, .flags = T_ABI | T_NAMED \
	}

static const struct test t_flush_tests[] = {
	ROW(hvflush_follows_cpuid), ROW(hvflush_flags), ROW(hvflush_forms),
	ROW(hvflush_sets),          ROW(hvflush_self),
};
TEST_GROUP(t_flush);
