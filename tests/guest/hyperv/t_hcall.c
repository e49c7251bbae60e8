// SPDX-License-Identifier: BSD-2-Clause
// The Hyper-V hypercall interface: its two MSRs, the page, who may call from which mode, registers,
// and the status of every wrong control word. The same tests run with features on and off.

#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/vector.h"
#include "core/lib/bits.h"
#include "tests/guest/groups.h"
#include "tests/guest/lib/boot.h"
#include "tests/guest/lib/cpu.h"
#include "tests/guest/lib/hidden_insns.h"
#include "tests/guest/lib/hyperv.h"
#include "tests/guest/lib/modes.h"
#include "tests/guest/lib/str.h"
#include "tests/guest/lib/tap.h"

#define OS_ID   HV_X64_MSR_GUEST_OS_ID
#define HCALL   HV_X64_MSR_HYPERCALL
#define ENABLE  HV_X64_MSR_HYPERCALL_ENABLE
#define LOCKED  HV_X64_MSR_HYPERCALL_LOCKED
#define SPIN    HVCALL_NOTIFY_LONG_SPIN_WAIT
#define UNKNOWN 0xbeefu

static u8 pages[2][4096] ALIGNED(4096);
static u64 area[512] ALIGNED(4096);

static u64 at(const void *p)
{
	return (u64)(uintptr_t)p;
}

static bool has_d(u32 bit)
{
	return (hyperv_features_d() & bit) != 0;
}

/* The status that hv-spinlocks gives its call. */
static u64 spin_status(u64 if_on)
{
	return cpuid(0x40000004).b == HV_SPIN_NEVER_NOTIFY ? HV_STATUS_ACCESS_DENIED : if_on;
}

static u64 machine_end(void)
{
	return BIT64(cpuid(0x80000008).a & 0xff);
}

/* --- the MSRs and the page --- */

static void hcall_msrs(void)
{
	if (!hyperv_begin())
		return;
	hyperv_end();
	wrmsr(HCALL, at(pages[0]) | ENABLE); /* nobody is there yet */
	EXPECT_EQ(at(pages[0]), rdmsr(HCALL));
	wrmsr(OS_ID, 0x8100123456789abc);
	EXPECT_EQ(0x8100123456789abc, rdmsr(OS_ID));
	EXPECT_EQ(at(pages[0]), rdmsr(HCALL));
	wrmsr(HCALL, at(pages[0]) | ENABLE | 0xffc);
	EXPECT_EQ(at(pages[0]) | ENABLE, rdmsr(HCALL));
	EXPECT_EQ(EXC_GP, try_wrmsr(HCALL, machine_end() | ENABLE));
	EXPECT_EQ(EXC_GP, try_wrmsr(HCALL, BIT64(63) | at(pages[1]) | ENABLE));
	EXPECT_EQ(EXC_GP, try_wrmsr(HCALL, 0xfee00000 | ENABLE));
	EXPECT_EQ(at(pages[0]) | ENABLE, rdmsr(HCALL));
	wrmsr(OS_ID, 0); /* takes the page away */
	EXPECT_EQ(at(pages[0]), rdmsr(HCALL));
	wrmsr(HCALL, 0);
}

static void page_store(u64 page)
{
	*(volatile u8 *)page = 1;
}

static void expect_page(const u8 *page)
{
	static const u8 code[] = { 0x0f, 0x01, 0xc1, 0xc3 };

	EXPECT_EQ(0, memcmp(page, code, sizeof(code)));
	for (u32 i = sizeof(code); i < 4096; i++)
		EXPECT_AT(page[i] == 0xcc, "byte %u", i);
	EXPECT_EQ(EXC_GP, trap_of(page_store, at(page)));
	EXPECT_EQ(0, trap_last()->error);
	EXPECT_EQ(0x0f, page[0]);
}

static void fill(void)
{
	memset(pages[0], 0x11, 4096);
	memset(pages[1], 0x22, 4096);
}

static void hcall_page(void)
{
	if (!hyperv_begin())
		return;
	fill();
	wrmsr(HCALL, at(pages[0]) | ENABLE);
	expect_page(pages[0]);
	wrmsr(HCALL, at(pages[1]) | ENABLE); /* moved: what it covered is back */
	EXPECT_EQ(0x11, pages[0][0]);
	EXPECT_EQ(0x11, pages[0][4095]);
	expect_page(pages[1]);
	wrmsr(HCALL, at(pages[1]));
	EXPECT_EQ(0x22, pages[1][0]);
	pages[1][0] = 0x33;
	wrmsr(HCALL, at(pages[1]) | ENABLE);
	expect_page(pages[1]);
	wrmsr(OS_ID, 0);
	EXPECT_EQ(0x33, pages[1][0]);
	EXPECT_EQ(0x22, pages[1][4095]);
	hyperv_end();
}

/* Until the machine is reset: the last test of its boot. */
static void hcall_lock(void)
{
	u64 locked = at(pages[0]) | ENABLE | LOCKED;

	if (!hyperv_begin())
		return;
	wrmsr(HCALL, locked);
	if (!has_d(HV_FEATURE_HYPERCALL_MSR_LOCK_AVAILABLE)) {
		EXPECT_EQ(at(pages[0]) | ENABLE, rdmsr(HCALL));
		hyperv_end();
		return;
	}
	EXPECT_EQ(EXC_GP, try_wrmsr(HCALL, locked));
	EXPECT_EQ(EXC_GP, try_wrmsr(HCALL, at(pages[1]) | ENABLE));
	EXPECT_EQ(EXC_GP, try_wrmsr(HCALL, 0));
	wrmsr(OS_ID, 0);
	EXPECT_EQ(locked, rdmsr(HCALL));
	expect_page(pages[0]);
}

/* --- from where --- */

static u8 slot[32] ALIGNED(16);
typedef u32 (*place_fn)(u64 *result);

static u64 call_slot(u64 control)
{
	register u64 third asm("r8") = 0;
	u64 result = control, second = 0;

	trap_clear();
	asm volatile("mov %%rsp, %%rbx;" TRY_BEGIN "call *%[slot]" TRY_END "mov %%rbx, %%rsp"
		     : "+a"(result), "+c"(control), "+d"(second), "+r"(third)
		     : [slot] "S"(slot)
		     : "rbx", "memory", "cc");
	return result;
}

static u32 in_long0(u64 *result)
{
	*result = call_slot(UNKNOWN);
	return trap_vector();
}

static u32 in_long3(u64 *result)
{
	*result = user_call(call_slot, UNKNOWN);
	return trap_vector();
}

static u32 in_compat0(u64 *result)
{
	trap_clear();
	*result = compat_call(at(slot), G_CODE32, G_CODE64, UNKNOWN);
	return trap_vector();
}

static u64 user_compat(u64 unused)
{
	return compat_call(at(slot), G_USER32, G_UCODE64, UNKNOWN);
}

static u32 in_compat3(u64 *result)
{
	trap_clear();
	*result = user_call(user_compat, 0);
	return trap_vector();
}

static u32 in_real(u64 *result)
{
	struct mailbox *mail = mode_mail();

	memset(mail->in, 0, sizeof(mail->in));
	memcpy(mail->in, slot, 16);
	mail->in[4] = UNKNOWN;
	mode_run(MODE_REAL, rm_try);
	*result = mail->out[1];
	return mail->out[0] == 0 ? NO_FAULT : mail->out[0] - 1;
}

/* VMCALL; RET. 16-bit and 32-bit protected mode, virtual-8086 mode: task_vmcall_hyperv. */
static void hcall_environments(void)
{
	static const struct {
		const char *name;
		place_fn run;
		bool legal;
	} places[] = { { "64-bit CPL 0", in_long0, true },
		       { "64-bit CPL 3", in_long3, false },
		       { "compatibility CPL 0", in_compat0, true },
		       { "compatibility CPL 3", in_compat3, false },
		       { "real", in_real, false } };

	if (!hyperv_begin())
		return;
	memcpy(slot, vmcall_insn.code, vmcall_insn.len);
	slot[vmcall_insn.len] = 0xc3;
	for (u32 on = 0; on < 2; on++) {
		if (!on)
			wrmsr(HCALL, at(pages[0]));
		else
			wrmsr(HCALL, at(pages[0]) | ENABLE);
		for (u32 i = 0; i < ARRAY_SIZE(places); i++) {
			u32 want = on && places[i].legal ? NO_FAULT : EXC_UD;
			u64 result = 0;
			u32 got = places[i].run(&result);

			EXPECT_AT(got == want && (want == EXC_UD || result == 2),
				  "%s, page %u: vector 0x%x, result 0x%llx", places[i].name, on,
				  got, result);
		}
	}
	hyperv_end();
}

/* --- 32-bit callers --- */

/*
 * Calls the page with EAX and EDX, EBX:ECX and EDI:ESI from `in`, and stores EDX:EAX and ECX: code
 * for any address below 4 GiB.
 */
struct regs32 {
	u32 edx, ebx, ecx, edi, esi, page;
	u32 result_eax, result_edx, result_ecx;
};
static struct regs32 r32;

static u8 *put32(u8 *p, u8 op, u8 modrm, const void *addr)
{
	u32 val = (u32)at(addr);

	*p++ = op;
	if (modrm != 0)
		*p++ = modrm;
	memcpy(p, &val, 4);
	return p + 4;
}

static u64 make_code32(void)
{
	static u8 code[128] ALIGNED(16);
	u8 *p = code;

	memcpy(p, (const u8[]){ 0x53, 0x56, 0x57 }, 3); /* push ebx, esi, edi */
	p = put32(p + 3, 0x8b, 0x15, &r32.edx);
	p = put32(p, 0x8b, 0x1d, &r32.ebx);
	p = put32(p, 0x8b, 0x0d, &r32.ecx);
	p = put32(p, 0x8b, 0x3d, &r32.edi);
	p = put32(p, 0x8b, 0x35, &r32.esi);
	p = put32(p, 0xff, 0x15, &r32.page); /* call [page] */
	p = put32(p, 0xa3, 0, &r32.result_eax);
	p = put32(p, 0x89, 0x15, &r32.result_edx);
	p = put32(p, 0x89, 0x0d, &r32.result_ecx);
	memcpy(p, (const u8[]){ 0x5f, 0x5e, 0x5b, 0xc3 }, 4);
	return at(code);
}

static u64 call32(u64 control, u64 in, u64 out)
{
	u64 code = make_code32();

	r32 = (struct regs32){ .edx = (u32)(control >> 32),
			       .ebx = (u32)(in >> 32),
			       .ecx = (u32)in,
			       .edi = (u32)(out >> 32),
			       .esi = (u32)out,
			       .page = (u32)(hyperv_rip() - 3) };
	trap_clear();
	(void)compat_call(code, G_CODE32, G_CODE64, (u32)control);
	EXPECT_EQ(NO_FAULT, trap_vector());
	EXPECT_EQ((u32)in, r32.result_ecx);
	return (u64)r32.result_edx << 32 | r32.result_eax;
}

static void hcall_32bit(void)
{
	u64 end = machine_end();

	if (!hyperv_begin())
		return;
	EXPECT_EQ(spin_status(0), call32(SPIN | HYPERV_FAST, 5, 0));
	EXPECT_EQ(spin_status(0), call32(SPIN, at(area), ~0ull));
	EXPECT_EQ(spin_status(3), call32(SPIN | BIT64(63), at(area), 0)); /* EDX counts */
	EXPECT_EQ(spin_status(3), call32(SPIN, at(area) | end, 0));       /* so does EBX */
	EXPECT_EQ(spin_status(4), call32(SPIN, at(area) + 4, 0));
	EXPECT_EQ(2, call32(UNKNOWN, 0, 0));
	EXPECT_EQ(6, call32(HVCALL_POST_MESSAGE, 0, 0));
	hyperv_end();
}

/* --- statuses --- */

static void hcall_codes(void)
{
	static const u16 unknown[] = { 0,      1,      5,      7,      9,      0x16,  0x40,
				       0x69,   0x6a,   0x6b,   0xff,   0x100,  0x103, 0x107,
				       0x7fff, 0x8000, 0x800f, 0x8010, 0xbeef, 0xffff };
	static const u16 denied[] = { HVCALL_GET_PARTITION_ID, HVCALL_POST_MESSAGE,
				      HVCALL_SIGNAL_EVENT, HVCALL_ENABLE_VP_VTL };

	if (!hyperv_begin())
		return;
	for (u32 i = 0; i < ARRAY_SIZE(unknown); i++) {
		EXPECT_AT(hyperv_call(unknown[i], at(area), 0) == 2, "0x%x", unknown[i]);
		EXPECT_AT(hyperv_call(unknown[i] | HYPERV_FAST, 0, 0) == 2, "0x%x", unknown[i]);
	}
	for (u32 i = 0; i < ARRAY_SIZE(denied); i++) {
		EXPECT_AT(hyperv_call(denied[i], at(area), 0) == 6, "0x%x", denied[i]);
		EXPECT_AT(hyperv_call(denied[i] | BIT64(63), 1, 1) == 6, "0x%x", denied[i]);
	}
	hyperv_end();
}

static void hcall_spin_wait(void)
{
	static const u64 reserved = GENMASK64(31, 27) | GENMASK64(47, 44) | GENMASK64(63, 60);

	if (!hyperv_begin())
		return;
	EXPECT_EQ(spin_status(0), hyperv_call(SPIN | HYPERV_FAST, 0x1000, ~0ull));
	EXPECT_EQ(spin_status(0), hyperv_call(SPIN, at(area), ~0ull));
	EXPECT_EQ(spin_status(0), hyperv_call(SPIN, at(area) + 4088, 0));
	EXPECT_EQ(spin_status(3), hyperv_call(SPIN | HYPERV_FAST | HYPERV_REPS(1), 0, 0));
	EXPECT_EQ(spin_status(3), hyperv_call(SPIN | HYPERV_FAST | HYPERV_START(1), 0, 0));
	EXPECT_EQ(spin_status(3), hyperv_call(SPIN | HYPERV_FAST | HYPERV_VAR(1), 0, 0));
	EXPECT_EQ(spin_status(3), hyperv_call(SPIN | HYPERV_VAR(1023), at(area), 0));
	for (u32 bit = 0; bit < 64; bit++) {
		if (reserved >> bit & 1)
			EXPECT_AT(hyperv_call(SPIN | BIT64(bit), at(area), 0) == spin_status(3),
				  "bit %u", bit);
	}
	for (u64 off = 1; off < 8; off++)
		EXPECT_EQ(spin_status(4), hyperv_call(SPIN, at(area) + off, 0));
	hyperv_end();
}

/* Where input may not lie: devices, the hypervisor, beyond the machine, under the page. */
static void hcall_places(void)
{
	u64 region, len;

	if (!hyperv_begin())
		return;
	EXPECT_EQ(spin_status(3), hyperv_call(SPIN, 0xfee00000, 0));
	EXPECT_EQ(spin_status(3), hyperv_call(SPIN, machine_end(), 0));
	EXPECT_EQ(spin_status(3), hyperv_call(SPIN, ~0ull & ~7ull, 0));
	EXPECT_EQ(spin_status(3), hyperv_call(SPIN, hyperv_rip() - 3, 0));
	if (boot_hv_region(&region, &len))
		EXPECT_EQ(spin_status(3), hyperv_call(SPIN, region, 0));
	hyperv_end();
}

/* Lists, and header sizes that disagree: the flush of a list takes both. */
static void hcall_lists(void)
{
	u64 list = HVCALL_FLUSH_VIRTUAL_ADDRESS_LIST;

	if ((hyperv_hints() & HV_X64_REMOTE_TLB_FLUSH_RECOMMENDED) == 0)
		return test_skip("hv-tlbflush is off");
	if (!hyperv_begin())
		return;
	memset(area, 0, sizeof(area));
	area[1] = HV_FLUSH_ALL_PROCESSORS;
	EXPECT_EQ(HYPERV_REPS(9), hyperv_call(list | HYPERV_REPS(9), at(area), 0));
	EXPECT_EQ(HYPERV_REPS(9),
		  hyperv_call(list | HYPERV_REPS(9) | HYPERV_START(8), at(area), 0));
	EXPECT_EQ(HYPERV_REPS(509), hyperv_call(list | HYPERV_REPS(509), at(area), 0));
	EXPECT_EQ(4, hyperv_call(list | HYPERV_REPS(510), at(area), 0) & 0xffff);
	EXPECT_EQ(4, hyperv_call(list | HYPERV_REPS(4095), at(area), 0) & 0xffff);
	EXPECT_EQ(3, hyperv_call(list, at(area), 0));
	EXPECT_EQ(3, hyperv_call(list | HYPERV_REPS(9) | HYPERV_START(9), at(area), 0) & 0xffff);
	EXPECT_EQ(3, hyperv_call(list | HYPERV_REPS(9) | HYPERV_START(4095), at(area), 0) & 0xffff);
	EXPECT_EQ(3, hyperv_call(list | HYPERV_REPS(9) | HYPERV_VAR(1), at(area), 0) & 0xffff);
	hyperv_end();
}

static void xmm_flush(u64 reps)
{
	static const u64 words[HYPERV_FAST_WORDS] = { 0, HV_FLUSH_ALL_PROCESSORS };
	u64 control = reps != 0 ? HVCALL_FLUSH_VIRTUAL_ADDRESS_LIST | HYPERV_REPS(reps)
				: HVCALL_FLUSH_VIRTUAL_ADDRESS_SPACE;
	u64 want = reps > 11 ? 3 : HYPERV_REPS(reps);

	EXPECT_AT((hyperv_xmm_call(control, words) & (reps > 11 ? 0xffff : ~0ull)) == want,
		  "%llu elements", reps);
}

/* 112 bytes with hv-xmm-input; without it #UD as soon as the input needs XMM0. */
static void hcall_xmm_input(void)
{
	static const u64 words[HYPERV_FAST_WORDS] = { 0, HV_FLUSH_ALL_PROCESSORS };

	if ((hyperv_hints() & HV_X64_REMOTE_TLB_FLUSH_RECOMMENDED) == 0)
		return test_skip("hv-tlbflush is off");
	if (!hyperv_begin())
		return;
	if (has_d(HV_X64_HYPERCALL_XMM_INPUT_AVAILABLE)) {
		static const u64 reps[] = { 0, 1, 2, 11, 12, 4095 };

		for (u32 i = 0; i < ARRAY_SIZE(reps); i++)
			xmm_flush(reps[i]);
	} else {
		memcpy(slot, vmcall_insn.code, vmcall_insn.len);
		slot[vmcall_insn.len] = 0xc3;
		(void)words;
		(void)call_slot(HVCALL_FLUSH_VIRTUAL_ADDRESS_SPACE | HYPERV_FAST);
		EXPECT_EQ(EXC_UD, trap_vector());
		EXPECT_EQ(at(slot), trap_last()->rip);
	}
	hyperv_end();
}

/* --- random words --- */

static u64 seed = 0x9e3779b97f4a7c15;

static u64 random64(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

/* None that starts a VP, sends an interrupt or writes a register: those may end the test. */
static u64 random_control(void)
{
	static const u16 codes[] = { SPIN,
				     HVCALL_FLUSH_VIRTUAL_ADDRESS_SPACE,
				     HVCALL_FLUSH_VIRTUAL_ADDRESS_LIST,
				     HVCALL_FLUSH_VIRTUAL_ADDRESS_SPACE_EX,
				     HVCALL_FLUSH_VIRTUAL_ADDRESS_LIST_EX,
				     HVCALL_GET_VP_REGISTERS,
				     HVCALL_TRANSLATE_VIRTUAL_ADDRESS,
				     HVCALL_POST_MESSAGE,
				     UNKNOWN,
				     0x8001 };
	u64 r = random64(), control = codes[r % ARRAY_SIZE(codes)];

	control |= r & BIT64(16);
	if (r >> 8 & 1)
		control |= random64() & GENMASK64(26, 17);
	if (r >> 9 & 1)
		control |= random64() & GENMASK64(43, 32);
	if (r >> 10 & 1)
		control |= random64() & GENMASK64(59, 48);
	if (r >> 11 & 1)
		control |= BIT64(random64() % 48 + 16);
	return control;
}

static u64 random_place(void)
{
	u64 r = random64();

	switch (r & 7) {
	case 0:
		return r;
	case 1:
		return random64() % machine_end();
	case 2:
		return at(area) + (r >> 8) % 4096;
	default:
		return at(area) + ((r >> 8) % 4096 & ~7ull);
	}
}

static void hcall_random(void)
{
	u64 guard = 0x5a5a5a5a5a5a5a5a;

	if (!hyperv_begin())
		return;
	memcpy(slot, vmcall_insn.code, vmcall_insn.len);
	slot[vmcall_insn.len] = 0xc3;
	for (u32 i = 0; i < 3000; i++) {
		u64 control = random_control(), in = random_place(), out = at(area);
		register u64 third asm("r8") = out;
		u64 result = guard, left = control;

		trap_clear();
		asm volatile("mov %%rsp, %%rbx;" TRY_BEGIN "call *%[slot]" TRY_END
			     "mov %%rbx, %%rsp"
			     : "+a"(result), "+c"(left), "+d"(in), "+r"(third)
			     : [slot] "S"(slot)
			     : "rbx", "memory", "cc");
		if (trap_vector() == NO_FAULT)
			EXPECT_AT((result & ~(GENMASK64(43, 32) | 0xffull)) == 0,
				  "control 0x%llx: result 0x%llx", control, result);
		else
			EXPECT_AT(trap_vector() == EXC_UD && (control & HYPERV_FAST) &&
					  !has_d(HV_X64_HYPERCALL_XMM_INPUT_AVAILABLE),
				  "control 0x%llx: vector %u", control, trap_vector());
	}
	hyperv_end();
}

#define ROW(test)                                            \
	{                                                    \
		.name = #test, .run = test, .flags = T_NAMED \
	}

static const struct test t_hcall_tests[] = {
	ROW(hcall_msrs),
	ROW(hcall_page),
	ROW(hcall_environments),
	ROW(hcall_32bit),
	ROW(hcall_codes),
	ROW(hcall_spin_wait),
	ROW(hcall_places),
	ROW(hcall_lists),
	ROW(hcall_xmm_input),
	ROW(hcall_random),
	{ .name = "hcall_lock", .run = hcall_lock, .flags = T_SOLO },
};
TEST_GROUP(t_hcall);
