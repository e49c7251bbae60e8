/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * As many VPs as there can be, with APIC IDs that need 32 bits: whatever is for all of them, or for
 * any of them, reaches each.
 */
#include "tests/host/harness.h"

#include "arch/x86/defs/vmcs.h"
#include "core/apic/vlapic_internal.h"
#include "core/diag/log.h"
#include "core/diag/stop_all.h"
#include "core/exit/exit.h"
#include "core/mem/ept.h"
#include "core/vp/hold.h"
#include "core/vp/tlb_flush.h"
#include "hv/hcall_mem.h"
#include "hv/hyperv/hyperv_abi.h"
#include "hv/kvm/kvm_abi.h"
#include "tests/host/fakes/rig.h"

#define VECTOR  0x67u
#define OTHERS  (3u << 18)
#define LOGICAL (1u << 11)
#define LAST    (VP_MAX - 1)

static struct fake_guest g;
static struct vp more[VP_MAX]; /* from GUEST_VPS on */
static struct fake_vp_pages pages[VP_MAX];
static struct trace_record rings[VP_MAX][TRACE_RECORDS_MIN];

/* VP i has APIC ID 2 * i, as on machines without hyper-threading; the last one is far away. */
static void start(void)
{
	static const u32 far_id = 0x12340;
	struct partition *p = &g.p;

	memset(more, 0, sizeof(more));
	memset(pages, 0, sizeof(pages));
	fake_guest_init(&g, GUEST_VPS, NULL);
	for (u32 i = GUEST_VPS; i < VP_MAX; i++)
		fake_vp_init(&more[i], &pages[i], p, i);
	p->vp[LAST]->apic_id = far_id;
	p->vp_count = 0;
	for (u32 i = 0; i < VP_MAX; i++) {
		struct vp *vp = p->vp[i];

		partition_add_vp(p, vp);
		fake.cpu_vp = vp;
		EXPECT_EQ(MSR_OK, vlapic_write_base(vp, vp->apic.base_msr | APIC_BASE_EN));
		EXPECT_EQ(MSR_OK, vlapic_write_base(vp, vp->apic.base_msr | APIC_BASE_EXTD));
		vlapic_write(vp, APIC_SVR, APIC_SVR_ENABLE | 0xff);
		vp->work = 0;
		vp->entered = true;
	}
	fake.cpu_vp = p->vp[0];
	fake.kick_count = 0;
}

static bool got_vector(u32 i)
{
	struct vp *vp = g.p.vp[i];
	bool got;

	vlapic_fold_posted(vp);
	got = vlapic_pending_vector(vp) == (s32)VECTOR;
	if (got) {
		vlapic_accept(vp, VECTOR);
		vlapic_eoi(vp);
	}
	return got;
}

/* All VPs from @first on got it, and no other. */
static void expect_from(u32 first, u32 end)
{
	for (u32 i = 0; i < VP_MAX; i++)
		EXPECT_EQ(i >= first && i < end, got_vector(i));
}

static void test_every_vp_has_its_id(void)
{
	start();
	EXPECT_EQ(VP_MAX, g.p.vp_count);
	for (u32 i = 0; i < VP_MAX; i++) {
		struct vp *vp = g.p.vp[i];

		EXPECT_EQ(i, vp->index);
		EXPECT_EQ(i + 1, vp->ctx->vpid);
		EXPECT_TRUE(partition_vp_by_apic_id(&g.p, vp->apic_id) == vp);
		EXPECT_EQ(vp->apic_id, vlapic_reg(&vp->apic, APIC_ID));
		EXPECT_EQ(x2apic_ldr(vp->apic_id), vlapic_reg(&vp->apic, APIC_LDR));
	}
	EXPECT_TRUE(partition_vp(&g.p, VP_MAX) == NULL);
	EXPECT_TRUE(partition_vp_by_apic_id(&g.p, 2 * LAST) == NULL);
}

static void test_ipis_reach_each(void)
{
	start();
	for (u32 i = 0; i < VP_MAX; i++) {
		u64 id = g.p.vp[i]->apic_id;

		vlapic_write_icr(g.p.vp[0], id << 32 | VECTOR);
		expect_from(i, i + 1);
		vlapic_write_icr(g.p.vp[0], (u64)x2apic_ldr((u32)id) << 32 | LOGICAL | VECTOR);
		expect_from(i, i + 1);
	}
	vlapic_write_icr(g.p.vp[0], OTHERS | VECTOR);
	expect_from(1, VP_MAX);
	vlapic_write_icr(g.p.vp[LAST], 0xffffffffull << 32 | VECTOR);
	expect_from(0, VP_MAX);
}

/* KVM_HC_SEND_IPI: 128 IDs from any ID on, 64 VPs here. */
static void test_pv_ipis_reach_each(void)
{
	struct gpr_regs *r;

	start();
	r = &g.p.vp[0]->regs;
	for (u32 first = 0; first < LAST; first += 64) {
		u32 end = umin32(first + 64, LAST);

		*r = (struct gpr_regs){ .rax = KVM_HC_SEND_IPI,
					.rbx = ~0ull,
					.rcx = ~0ull,
					.rdx = 2 * first,
					.rsi = VECTOR };
		EXPECT_EQ(
			EXIT_NEXT,
			exit_table_row(&exit_table_guest, EXIT_REASON_VMCALL)->fn(g.p.vp[0], NULL));
		EXPECT_EQ(end - first, r->rax);
		expect_from(first, end);
	}
	*r = (struct gpr_regs){ .rax = KVM_HC_SEND_IPI, .rcx = 1, .rdx = 0x12300, .rsi = VECTOR };
	EXPECT_EQ(EXIT_NEXT,
		  exit_table_row(&exit_table_guest, EXIT_REASON_VMCALL)->fn(g.p.vp[0], NULL));
	EXPECT_EQ(1, r->rax);
	expect_from(LAST, VP_MAX);
}

static void flush(struct vp *vp)
{
	EXPECT_TRUE(vp->work & VP_WORK_FLUSH);
	ept_flush_local(vp);
}

static void test_flush_and_pause_reach_each(void)
{
	start();
	fake.kick = flush;
	ept_flush(&g.p);
	EXPECT_EQ(LAST, fake.kick_count);
	for (u32 i = 0; i < VP_MAX; i++)
		EXPECT_EQ(g.p.flush_wanted, g.p.vp[i]->flush_done);
	fake.kick = NULL;
	partition_pause(&g.p, 1000);
	for (u32 i = 0; i < VP_MAX; i++)
		EXPECT_TRUE(g.p.vp[i]->work & VP_WORK_HOLD);
}

static void take_work(struct vp *vp)
{
	EXPECT_TRUE(vp->work & VP_WORK_TLB);
	fake.cpu_vp = vp;
	(void)vp_prepare_entry(vp);
	fake.cpu_vp = g.p.vp[0];
}

static void test_tlb_flushes_reach_each(void)
{
	for (u32 first = 0; first < VP_MAX; first += 63) {
		struct vp_mask m = { { 0 } };

		start();
		fake.kick = take_work;
		fake.invvpids = 0;
		for (u32 i = first; i < VP_MAX; i++)
			m.word[i / 64] |= BIT64(i % 64);
		tlb_flush(g.p.vp[0], &m);
		EXPECT_EQ(VP_MAX - umax32(first, 1), fake.kick_count);
		EXPECT_EQ(VP_MAX - first, fake.invvpids);
		for (u32 i = 0; i < VP_MAX; i++)
			EXPECT_EQ(i >= first, g.p.vp[i]->counters.c[COUNTER_TLB_FLUSH]);
	}
}

/* The handler alone: buffers of the ABI for so many VPs do not fit into the fake machine. */
static u16 hyperv_call(enum hv_feature_id f, u32 nr, const void *in, const u64 banks[2])
{
	struct hcall hc = { .in = in, .var = banks, .var_bytes = 16 };

	for (u32 i = 0; i < hv_features[f]->hcall_count; i++) {
		if (hv_features[f]->hcalls[i].nr == nr)
			return hv_features[f]->hcalls[i].mem(g.p.vp[0], &hc);
	}
	return HV_STATUS_INVALID_HYPERCALL_CODE;
}

/* VPs of two banks: those that KVM's selftests hyperv_ipi and hyperv_tlb_flush have. */
static void test_hyperv_calls_reach_vps_2_and_65(void)
{
	const struct hv_vpset set = { HV_GENERIC_SET_SPARSE_4K, 3 };
	const struct hv_send_ipi_ex ipi = { .vector = VECTOR, .vp_set = set };
	const struct hv_tlb_flush_ex flush = { .hv_vp_set = set };
	const u64 banks[2] = { BIT64(2), BIT64(65 - 64) };

	start();
	EXPECT_EQ(HV_STATUS_SUCCESS, hyperv_call(FEATURE_HV_IPI, HVCALL_SEND_IPI_EX, &ipi, banks));
	for (u32 i = 0; i < VP_MAX; i++)
		EXPECT_EQ(i == 2 || i == 65, got_vector(i));
	fake.kick = take_work;
	EXPECT_EQ(HV_STATUS_SUCCESS,
		  hyperv_call(FEATURE_HV_TLBFLUSH, HVCALL_FLUSH_VIRTUAL_ADDRESS_SPACE_EX, &flush,
			      banks));
	for (u32 i = 0; i < VP_MAX; i++)
		EXPECT_EQ(i == 2 || i == 65, g.p.vp[i]->counters.c[COUNTER_TLB_FLUSH]);
}

/* Where sending an NMI costs 20 us, CPU 255 gets its one 5 ms after the first. Each CPU takes half
 * a millisecond to stop; every hundredth never does. */
static u64 stops_tsc[VP_MAX];
static bool some_are_lost;

static void send_nmi(struct vp *vp)
{
	fake.tsc += GUEST_TSC_HZ / 50000;
	if (!some_are_lost || vp->index % 100 != 99)
		stops_tsc[vp->index] = fake.tsc + GUEST_TSC_HZ / 2000;
}

static void obey(struct vp *vp)
{
	fake.cpu_vp = vp;
	EXPECT_EQ(FAKE_END_HALT, FAKE_CATCH(stop_all_obey()));
	fake.cpu_vp = the_partition.vp[7];
}

static void stop_those_due(void)
{
	for (u32 i = 0; i < VP_MAX; i++) {
		if (stops_tsc[i] == 0 || fake.tsc < stops_tsc[i])
			continue;
		stops_tsc[i] = 0;
		obey(the_partition.vp[i]);
	}
}

static void stop_all(void)
{
	start();
	memset(stops_tsc, 0, sizeof(stops_tsc));
	the_partition.vp_count = VP_MAX;
	the_partition.clock.tsc_hz = GUEST_TSC_HZ;
	memcpy(the_partition.vp, g.p.vp, sizeof(g.p.vp));
	stop_all_reset();
	fake.kick = send_nmi;
	fake.on_tsc = stop_those_due;
	fake.tsc_step = 100;
	fake.cpu_vp = the_partition.vp[7];
	fake.console_len = 0;
	stop_all_others();
	stop_all_report(log_info);
	stop_all_reset();
	the_partition.vp_count = 0;
}

static void test_stop_all_gives_each_its_time(void)
{
	stop_all();
	EXPECT_CONTAINS(fake.console, "stopped 255 of 255 other CPUs");
	EXPECT_TRUE(strstr(fake.console, "lost") == NULL);
	some_are_lost = true;
	stop_all();
	EXPECT_CONTAINS(fake.console, "stopped 253 of 255 other CPUs");
	EXPECT_CONTAINS(fake.console, "cpu 198 (vp99) is lost");
	EXPECT_CONTAINS(fake.console, "cpu 398 (vp199) is lost");
}

static void test_trace_has_each(void)
{
	const char *s;
	u32 n = 0;

	start();
	for (u32 i = 0; i < VP_MAX; i++)
		trace_init(g.p.vp[i], rings[i], TRACE_RECORDS_MIN, 0, NULL);
	for (u32 i = 0; i < 2 * VP_MAX; i++) {
		fake.tsc = 1000 + i;
		TRACE(g.p.vp[(i * 37) % VP_MAX], SIPI, i, 0, 0);
	}
	fake.console_len = 0;
	fake.console[0] = '\0';
	trace_dump(&g.p, VP_MAX, log_info);
	for (s = fake.console; (s = strstr(s, "SIPI ")) != NULL; s += 5)
		EXPECT_EQ(VP_MAX + n++, strtoul(s + 5, NULL, 16));
	EXPECT_EQ(VP_MAX, n);
}

TEST_MAIN(TEST(test_every_vp_has_its_id), TEST(test_ipis_reach_each), TEST(test_pv_ipis_reach_each),
	  TEST(test_flush_and_pause_reach_each), TEST(test_tlb_flushes_reach_each),
	  TEST(test_hyperv_calls_reach_vps_2_and_65), TEST(test_stop_all_gives_each_its_time),
	  TEST(test_trace_has_each))
