/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fuzzer: the registers of the SynIC and of its timers, on two VPs. The input is a list of
 * operations: any value into any of these MSRs, messages and events, interrupts taken and ended,
 * slots freed, time that passes, INIT. Restated from the TLFS: what each register reads, and which
 * values are #GP. A message slot is freed by the guest only and holds what somebody may send; the
 * RAM beneath the pages never changes.
 */
#include <stdlib.h>
#include <string.h>

#include "arch/x86/defs/vmcs.h"
#include "core/apic/irq_msg.h"
#include "core/apic/vlapic_internal.h"
#include "core/time/timer.h"
#include "hv/hcall_mem.h"
#include "hv/hyperv/hyperv.h"
#include "hv/hyperv/synic_internal.h"
#include "tests/host/fakes/rig.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

#define VPS     2u
#define OPS_MAX 200u
#define SINTS   16u
#define TIMERS  4u
#define PORTS   4u

#define SCONTROL        0x40000080u
#define SVERSION        0x40000081u
#define SIEFP           0x40000082u
#define SIMP            0x40000083u
#define EOM             0x40000084u
#define SINT0           0x40000090u
#define STIMER0_CONFIG  0x400000b0u
#define UNHALTED_CONFIG 0x40000114u
#define UNHALTED_COUNT  0x40000115u
#define SINT_MASKED     0x10000u
#define TIMER_EXPIRED   0x80000010u
#define MESSAGE_TYPE    7u

struct model_vp {
	u64 control, siefp, simp, sint[SINTS], count[TIMERS];
};

static struct fake_guest g;
static struct model_vp model[VPS];
static u8 zeros[GUEST_RAM_BYTES];
static const u8 *next, *end;

static void must(bool ok)
{
	if (!ok)
		abort();
}

static u64 take(u32 bytes)
{
	u64 val = 0;

	for (u32 i = 0; i < bytes && next < end; i++)
		val |= (u64)*next++ << 8 * i;
	return val;
}

static void features(struct partition *p)
{
	fake_guest_features(p, &hyperv_abi);
	p->config.synic_loopback.count = PORTS;
	for (u32 i = 0; i < PORTS; i++)
		p->config.synic_loopback.port[i] =
			(struct config_port){ i, i % VPS, i / VPS, i == PORTS - 1 };
}

static struct vp *use(u32 i)
{
	fake.cpu_vp = &g.vp[i];
	return &g.vp[i];
}

/* A place in RAM that is switched on or off, a vector, flags, a time soon, or anything. */
static u64 take_value(u32 i)
{
	u64 now;

	switch (take(1) % 6) {
	case 0:
		return GUEST_RAM_BASE + (take(1) % 16 << 12) + take(1) % 4;
	case 1:
		return take(1);
	case 2:
		return take(1) | take(1) << 16;
	case 3:
		must(msr_read(use(i), HV_X64_MSR_TIME_REF_COUNT, &now) == MSR_OK);
		return now + take(2) * 10;
	case 4:
		return take(3) & 0xf1fff;
	default:
		return take(8);
	}
}

/* --- Registers --- */

static u32 take_msr(void)
{
	u32 n = (u32)take(1) % 32;

	if (n < 5)
		return SCONTROL + n;
	if (n < 5 + SINTS)
		return SINT0 + n - 5;
	if (n < 5 + SINTS + 2 * TIMERS)
		return STIMER0_CONFIG + n - 5 - SINTS;
	return UNHALTED_CONFIG + n % 2;
}

/* False: #GP, and nothing changes. */
static bool model_write(struct model_vp *m, u32 msr, u64 val)
{
	if (msr == SVERSION)
		return false;
	if (msr == SCONTROL)
		m->control = val;
	if (msr == SIEFP)
		m->siefp = val;
	if (msr == SIMP)
		m->simp = val;
	if (msr - SINT0 < SINTS) {
		if (!(val & SINT_MASKED) && (val & 0xff) < 16)
			return false;
		m->sint[msr - SINT0] = val;
	}
	if (msr - STIMER0_CONFIG < 2 * TIMERS && (msr & 1))
		m->count[(msr - STIMER0_CONFIG) / 2] = val;
	return true;
}

static u64 read(struct vp *vp, u32 msr)
{
	u64 val;

	must(msr_read(vp, msr, &val) == MSR_OK);
	return val;
}

static void check(u32 i)
{
	const struct model_vp *m = &model[i];
	struct vp *vp = use(i);

	must(read(vp, SCONTROL) == m->control && read(vp, SVERSION) == 1 && read(vp, EOM) == 0);
	must(read(vp, SIEFP) == m->siefp && read(vp, SIMP) == m->simp);
	for (u32 n = 0; n < SINTS; n++)
		must(read(vp, SINT0 + n) == m->sint[n]);
	for (u32 n = 0; n < TIMERS; n++)
		must(read(vp, STIMER0_CONFIG + 2 * n + 1) == m->count[n]);
}

static void write_msr(u32 i)
{
	u32 msr = take_msr();
	u64 val = take_value(i);
	enum msr_result result = msr_write(use(i), msr, val);

	if (msr != UNHALTED_CONFIG && msr != UNHALTED_COUNT)
		must((result == MSR_OK) == model_write(&model[i], msr, val));
	check(i);
}

/* --- Messages and events --- */

static volatile struct hv_message *slot(u32 i, u32 sint)
{
	return &((struct hv_message_page *)(void *)synic_of(&g.vp[i])->messages.mem)
			->sint_message[sint];
}

static void check_slots(void)
{
	for (u32 n = 0; n < VPS * SINTS; n++) {
		const volatile struct hv_message *s = slot(n % VPS, n / VPS);
		u32 type = s->header.message_type;

		must(type == 0 || type == MESSAGE_TYPE || type == TIMER_EXPIRED);
		must(type != MESSAGE_TYPE || (n % VPS + n / VPS * VPS < PORTS - 1));
		must(type != TIMER_EXPIRED || (u32)s->u.payload[0] < TIMERS);
		must(type != TIMER_EXPIRED || s->u.payload[1] <= s->u.payload[2]);
	}
}

static const struct hcall_row *call_row(u32 nr)
{
	bool live;

	return hcall_find(hyperv_abi.calls, nr, &live);
}

static void post(u32 i)
{
	struct hv_input_post_message in = { .connectionid = (u32)take(1) % (PORTS + 1),
					    .message_type = MESSAGE_TYPE,
					    .payload_size = (u32)take(1) };
	struct hcall hc = { .in = &in };

	(void)call_row(HVCALL_POST_MESSAGE)->mem(use(i), &hc);
}

static void signal(u32 i)
{
	(void)call_row(HVCALL_SIGNAL_EVENT)
		->words(use(i), take(1) % (PORTS + 1) | take(2) << 32, 0, 0);
}

static void free_slot(u32 i)
{
	volatile struct hv_message *s = slot(i, (u32)take(1) % SINTS);

	s->header.message_type = 0;
	if (s->header.message_flags & HV_MESSAGE_PENDING)
		must(msr_write(use(i), EOM, 0) == MSR_OK);
}

/* --- What else happens --- */

static void enter(u32 i)
{
	struct vp *vp = use(i);

	vp_set_work(vp, VP_WORK_TIMER);
	(void)vp_prepare_entry(vp);
	fake.vmcs[VMCS_VM_ENTRY_INTR_INFO] = 0;
}

static void init_vp(u32 i)
{
	partition_vp_reset(use(i), true);
	model[i] = (struct model_vp){ 0 };
	for (u32 n = 0; n < SINTS; n++)
		model[i].sint[n] = SINT_MASKED;
	check(i);
}

static void operate(void)
{
	u32 op = (u32)take(1), i = op / 16 % VPS;

	switch (op % 16) {
	case 0:
		post(i);
		break;
	case 1:
		signal(i);
		break;
	case 2:
		free_slot(i);
		break;
	case 3:
		enter(i);
		break;
	case 4:
		vlapic_eoi(use(i));
		break;
	case 5:
		fake.tsc += take(3) << take(1) % 16;
		break;
	case 6:
		if (take(1) == 0)
			init_vp(i);
		break;
	default:
		write_msr(i);
		break;
	}
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	next = data;
	end = data + size;
	for (u32 i = 0; i < VPS && g.p.vp_count != 0; i++)
		hv_vp_reset(use(i), false); /* what the ABI has lies outside of the guest */
	fake_guest_init(&g, VPS, features);
	fake.tsc += GUEST_TSC_HZ;
	memset(g.ram, 0, sizeof(g.ram));
	for (u32 i = 0; i < VPS; i++) {
		partition_vp_reset(use(i), false);
		vlapic_write(use(i), APIC_SVR, 0x1ff);
		init_vp(i);
	}
	for (u32 i = 0; i < OPS_MAX && next < end; i++) {
		operate();
		check_slots();
		must(memcmp(g.ram, zeros, sizeof(g.ram)) == 0);
	}
	return 0;
}
