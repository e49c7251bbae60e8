// SPDX-License-Identifier: BSD-2-Clause
// IPI hypercalls (hv/hyperv/ipi.c): their statuses, an interrupt to oneself, and who of the other
// CPUs gets one, in every form of the call.

#include "core/lib/bits.h"
#include "tests/guest/groups.h"
#include "tests/guest/lib/apic.h"
#include "tests/guest/lib/hyperv.h"
#include "tests/guest/lib/platform.h"
#include "tests/guest/lib/str.h"
#include "tests/guest/smp/t_smp.h"

#define OK    HV_STATUS_SUCCESS
#define INPUT HV_STATUS_INVALID_HYPERCALL_INPUT
#define PARAM HV_STATUS_INVALID_PARAMETER
#define IPI   HVCALL_SEND_IPI
#define EX    HVCALL_SEND_IPI_EX

static u64 in[512] ALIGNED(4096);

static bool is_on(void)
{
	return (hyperv_hints() & HV_X64_CLUSTER_IPI_RECOMMENDED) != 0;
}

static bool has_xmm(void)
{
	return (hyperv_features_d() & HV_X64_HYPERCALL_XMM_INPUT_AVAILABLE) != 0;
}

static bool ipi_begin(void)
{
	if (!is_on()) {
		test_skip("hv-ipi is off");
		return false;
	}
	return hyperv_begin();
}

static u64 memory_call(u64 control)
{
	return hyperv_call(control, (u64)(uintptr_t)in, 0);
}

static void follows(u64 want_if_on, u64 got)
{
	if (is_on())
		EXPECT_EQ(want_if_on, got);
	else
		EXPECT_REFUSED(got == HV_STATUS_ACCESS_DENIED);
}

static void hvipi_follows_cpuid(void)
{
	if (!hyperv_begin())
		return;
	memset(in, 0, sizeof(in));
	follows(OK, hyperv_call(IPI | HYPERV_FAST, SMP_VEC, 0));
	follows(INPUT, memory_call(IPI)); /* vector 0 */
	follows(OK, memory_call(EX));     /* nobody */
	hyperv_end();
}

/* --- to oneself --- */

static volatile u32 hits;
static volatile u64 hit_rip;

static void count_hit(struct trap_regs *regs)
{
	hits++;
	hit_rip = regs->rip;
	apic_eoi();
}

/* Every form and every vector that is not another test's: taken behind the VMCALL, no later. */
static void hvipi_self(void)
{
	if (!ipi_begin())
		return;
	for (u32 v = 0x30; v < SPURIOUS_VECTOR; v += 7) {
		trap_handle(v, count_hit);
		for (u32 form = 0; form < 4; form++) {
			u64 status;

			if (form == 3 && !has_xmm())
				continue;
			hits = 0;
			hit_rip = 0;
			memset(in, 0, 64);
			in[0] = v;
			in[1] = form < 2 ? BIT64(rdmsr(HV_X64_MSR_VP_INDEX))
					 : HV_GENERIC_SET_SPARSE_4K;
			in[2] = 1;
			in[3] = BIT64(rdmsr(HV_X64_MSR_VP_INDEX));
			sti();
			status = form == 0   ? memory_call(IPI)
				 : form == 1 ? hyperv_call(IPI | HYPERV_FAST, in[0], in[1])
				 : form == 2 ? memory_call(EX | HYPERV_VAR(1))
					     : hyperv_xmm_call(EX | HYPERV_VAR(1), in);
			cli();
			EXPECT_EQ(OK, status);
			if (!machine_is_kensho()) /* its page is its own */
				hit_rip = hyperv_rip();
			EXPECT_AT(hits == 1 && hit_rip == hyperv_rip(), "vector 0x%x, form %u", v,
				  form);
		}
		trap_handle(v, NULL);
	}
	hyperv_end();
}

/* With IF = 0 it waits; twice is once. */
static void hvipi_self_waits(void)
{
	if (!ipi_begin())
		return;
	trap_handle(SMP_VEC, count_hit);
	hits = 0;
	EXPECT_EQ(OK, hyperv_call(IPI | HYPERV_FAST, SMP_VEC, 1));
	EXPECT_EQ(OK, hyperv_call(IPI | HYPERV_FAST, SMP_VEC, 1));
	EXPECT_EQ(0, hits);
	sti_nop_cli();
	EXPECT_EQ(1, hits);
	hyperv_end();
}

/* --- statuses --- */

static u64 send(u64 first, u64 set)
{
	u64 fast = hyperv_call(IPI | HYPERV_FAST, first, set);

	memset(in, 0, 64);
	in[0] = first;
	in[1] = set;
	EXPECT_EQ(fast, memory_call(IPI));
	in[1] = HV_GENERIC_SET_SPARSE_4K;
	in[2] = 1;
	in[3] = set;
	EXPECT_EQ(fast, memory_call(EX | HYPERV_VAR(1)));
	if (has_xmm())
		EXPECT_EQ(fast, hyperv_xmm_call(EX | HYPERV_VAR(1), in));
	return fast;
}

static void hvipi_statuses(void)
{
	const u64 nobody = BIT64(63);

	if (!ipi_begin())
		return;
	EXPECT_EQ(INPUT, send(0, nobody));
	EXPECT_EQ(INPUT, send(0xf, nobody));
	EXPECT_EQ(OK, send(0x10, nobody));
	EXPECT_EQ(OK, send(0xff, nobody));
	EXPECT_EQ(INPUT, send(0x100, nobody));
	EXPECT_EQ(INPUT, send(BIT64(31) | SMP_VEC, nobody));
	for (u32 bit = 32; machine_is_kensho() && bit < 64; bit++)
		EXPECT_EQ(bit < 40 ? PARAM : INPUT, send(BIT64(bit) | SMP_VEC, nobody));
	EXPECT_EQ(OK, send(SMP_VEC, 0));
	hyperv_end();
}

static void hvipi_sets(void)
{
	if (!ipi_begin())
		return;
	memset(in, 0, sizeof(in));
	EXPECT_EQ(OK, memory_call(EX)); /* nobody: even vector 0 */
	EXPECT_EQ(INPUT, memory_call(EX | HYPERV_VAR(1)));
	EXPECT_EQ(INPUT, memory_call(IPI | HYPERV_VAR(1)));
	EXPECT_EQ(INPUT, memory_call(EX | HYPERV_REPS(1)));
	in[0] = SMP_VEC;
	for (u32 banks = 1; banks <= 63; banks++) { /* none has VP 0 to 63 */
		in[2] = ~0ull << (64 - banks);
		memset(in + 3, 0xff, 64 * 8);
		EXPECT_EQ(INPUT, memory_call(EX | HYPERV_VAR(banks - 1)));
		EXPECT_EQ(INPUT, memory_call(EX | HYPERV_VAR(banks + 1)));
		EXPECT_EQ(OK, memory_call(EX | HYPERV_VAR(banks)));
	}
	in[1] = 2;
	if (machine_is_kensho()) /* KVM: a set of banks */
		EXPECT_EQ(PARAM, memory_call(EX | HYPERV_VAR(63)));
	hyperv_end();
}

/* --- to others --- */

static volatile u32 vp_of[SMP_MAX];

static void read_index(u64 cpu)
{
	vp_of[cpu] = (u32)rdmsr(HV_X64_MSR_VP_INDEX);
}

static bool others_begin(void (*fn)(u64))
{
	if (!ipi_begin())
		return false;
	if (!smp_begin()) {
		hyperv_end();
		return false;
	}
	read_index(0);
	for (u32 cpu = 1; cpu < smp_count(); cpu++)
		EXPECT_TRUE(smp_run(cpu, read_index, cpu));
	for (u32 cpu = 1; cpu < smp_count(); cpu++)
		EXPECT_TRUE(smp_call_beats(cpu, fn, 1));
	return true;
}

enum form { MASK, MASK_FAST, BANK, BANK_FAST, BANKS, BANKS_FAST, ALL, ALL_FAST, FORMS };

static bool is_xmm(u32 form)
{
	return form == BANK_FAST || form == BANKS_FAST || form == ALL_FAST;
}

static u64 send_by(u32 form, u64 vps)
{
	u64 control = EX;

	memset(in, 0, sizeof(in));
	in[0] = SMP_VEC;
	switch (form) {
	case MASK:
	case MASK_FAST:
		in[1] = vps;
		return form == MASK ? memory_call(IPI)
				    : hyperv_call(IPI | HYPERV_FAST, in[0], in[1]);
	case BANK:
	case BANK_FAST:
		in[2] = 1;
		in[3] = vps;
		control |= HYPERV_VAR(1);
		break;
	case BANKS:
	case BANKS_FAST: /* those of VPs that do not exist, too */
		in[2] = 1 | BIT64(2) | BIT64(63);
		in[3] = vps;
		in[4] = in[5] = ~0ull;
		control |= HYPERV_VAR(3);
		break;
	default:
		in[1] = HV_GENERIC_SET_ALL;
		break;
	}
	return is_xmm(form) ? hyperv_xmm_call(control, in) : memory_call(control);
}

static u64 vps_of(u32 cpus)
{
	u64 vps = 0;

	for (u32 cpu = 0; cpu < smp_count(); cpu++)
		vps |= cpus >> cpu & 1 ? BIT64(vp_of[cpu]) : 0;
	return vps;
}

static bool have_all(u32 cpus)
{
	for (u32 cpu = 0; cpu < smp_count(); cpu++) {
		if ((cpus >> cpu & 1) && smp_hits[cpu] == 0)
			return false;
	}
	return true;
}

/* Each CPU of @cpus gets one, and nobody else. */
static void expect_by(u32 form, u32 cpus)
{
	u32 wrong = 0;

	if (form == ALL || form == ALL_FAST)
		cpus = (1u << smp_count()) - 1;
	for (u32 cpu = 0; cpu < smp_count(); cpu++)
		smp_hits[cpu] = 0;
	sti();
	EXPECT_EQ(OK, send_by(form, vps_of(cpus)));
	(void)WAIT_FOR(have_all(cpus), 20000);
	delay_us(20);
	cli();
	for (u32 cpu = 0; cpu < smp_count(); cpu++)
		wrong |= (u32)(smp_hits[cpu] != (cpus >> cpu & 1)) << cpu;
	EXPECT_AT(wrong == 0, "form %u to CPUs 0x%x: wrong on 0x%x", form, cpus, wrong);
}

static void every_form(u32 rounds)
{
	for (u32 round = 0; round < rounds; round++) {
		for (u32 form = 0; form < FORMS; form++) {
			if (is_xmm(form) && !has_xmm())
				continue;
			for (u32 cpus = 0; cpus < 1u << smp_count(); cpus++)
				expect_by(form, cpus);
		}
	}
}

static void others_end(void)
{
	smp_quit = true;
	(void)send_by(ALL, 0); /* wakes who sleeps */
	EXPECT_TRUE(smp_end());
	sti_nop_cli();
	smp_stop();
	hyperv_end();
}

static void smp_hvipi_running(void)
{
	if (!others_begin(smp_spin))
		return;
	every_form(3);
	others_end();
}

static void smp_hvipi_halted(void)
{
	if (!others_begin(smp_halts))
		return;
	every_form(2);
	others_end();
}

#define ROW(fn)                                                  \
	{                                                        \
		.name = #fn, .run = fn, .flags = T_ABI | T_NAMED \
	}

static const struct test t_ipi_tests[] = {
	ROW(hvipi_follows_cpuid), ROW(hvipi_self), ROW(hvipi_self_waits),
	ROW(hvipi_statuses),      ROW(hvipi_sets), ROW(smp_hvipi_running),
	ROW(smp_hvipi_halted),
};
TEST_GROUP(t_ipi);
