/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fuzzer: the KVM MSRs and hypercalls of three VPs under everything that happens to a partition
 * between two exits. The input is a list of operations. A model restated from KVM's msr.rst and
 * hypercalls.rst says which accesses are refused, what an MSR reads afterwards and which bytes of
 * the guest's RAM may have changed. Whatever is outside the RAM is a host pointer here: a store
 * there is a crash.
 */
#include <stdlib.h>
#include <string.h>

#include "arch/x86/defs/apic.h"
#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/ept.h"
#include "arch/x86/defs/vmcs.h"
#include "core/apic/vlapic_internal.h"
#include "core/vp/hold.h"
#include "hv/hv.h"
#include "hv/kvm/kvm.h"
#include "hv/kvm/kvm_abi.h"
#include "tests/host/fakes/rig.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

#define VPS         3u
#define PAGES       (GUEST_RAM_BYTES / 4096)
#define OPS_MAX     200
#define PAUSE_TICKS 100000

enum area_kind { CLOCK, STEAL, EOI, WALL, PAIR, KINDS };

static const u32 area_len[KINDS] = { 32, 64, 4, 12, 64 };

/* What the model knows of one VP. */
struct model_vp {
	u64 msr[KINDS];
	bool poll;
	bool is_eoi_on; /* a later bad address leaves the earlier word */
};

static struct {
	const u8 *data;
	size_t left;
	struct fake_guest g;
	struct model_vp vp[VPS];
	u64 wall;
	u64 once[KINDS]; /* areas written by this operation alone */
	bool page_moved[PAGES];
	u8 before[GUEST_RAM_BYTES];
	u64 inits[VPS];
	u8 msr_bitmap[VPS][4096];
} f;

static void must(bool ok)
{
	if (!ok)
		abort();
}

static u64 take(u32 bytes)
{
	u64 val = 0;

	for (u32 i = 0; i < bytes && f.left > 0; i++, f.left--)
		val |= (u64)*f.data++ << i * 8;
	return val;
}

/* Mostly addresses in RAM and near its pages' ends, else anything. */
static u64 take_address(void)
{
	u32 how = (u32)take(1);

	if (how < 160)
		return GUEST_RAM_BASE + take(2);
	if (how < 200)
		return GUEST_RAM_BASE + (take(1) % PAGES + 1) * 4096 - take(1) % 128;
	if (how < 210)
		return 0xfee00000 + take(1);
	return take(8);
}

/* --- the model --- */

static bool is_good(u64 addr, enum area_kind kind)
{
	u64 at = addr - GUEST_RAM_BASE;

	return addr % 4 == 0 && at < GUEST_RAM_BYTES && area_len[kind] <= GUEST_RAM_BYTES - at &&
	       at % 4096 + area_len[kind] <= 4096 && !f.page_moved[at / 4096];
}

static u64 address_of(u64 msr, enum area_kind kind)
{
	return kind == STEAL ? msr & ~63ull : kind == EOI ? msr & ~3ull : msr & ~1ull;
}

static bool covers(u64 base, enum area_kind kind, u64 addr)
{
	return addr - base < area_len[kind];
}

static bool may_change(u64 addr)
{
	for (u32 kind = 0; kind < KINDS; kind++) {
		if (f.once[kind] != 0 && covers(f.once[kind], kind, addr))
			return true;
	}
	for (u32 i = 0; i < VPS; i++) {
		for (u32 kind = CLOCK; kind <= EOI; kind++) {
			u64 msr = f.vp[i].msr[kind];

			if ((msr & 1) && covers(address_of(msr, kind), kind, addr) &&
			    is_good(address_of(msr, kind), kind))
				return true;
		}
	}
	return false;
}

#define CHUNK 64u

static void check_chunk(u32 at)
{
	for (u32 i = at; i < at + CHUNK; i++)
		must(f.before[i] == f.g.ram[i] || may_change(GUEST_RAM_BASE + i));
	memcpy(f.before + at, f.g.ram + at, CHUNK);
}

static void check_ram(void)
{
	/* Few chunks differ: every compare that libFuzzer sees costs it. */
	if (memcmp(f.before, f.g.ram, GUEST_RAM_BYTES) != 0) {
		for (u32 at = 0; at < GUEST_RAM_BYTES; at += CHUNK) {
			if (memcmp(f.before + at, f.g.ram + at, CHUNK) != 0)
				check_chunk(at);
		}
	}
	memset(f.once, 0, sizeof(f.once));
}

/* INIT and RESET drop what a VP registered; RESET of VP 0 the partition's, too. */
static void model_reset(u32 i, bool init)
{
	memset(f.vp[i].msr, 0, sizeof(f.vp[i].msr));
	if (!init)
		f.vp[i].poll = true;
	if (!init && i == 0)
		f.wall = 0;
}

/* --- operations --- */

static const u32 msrs[] = {
	0x11,       0x12,       0x4b564d00, 0x4b564d01, 0x4b564d02, 0x4b564d03, 0x4b564d04,
	0x4b564d05, 0x4b564d06, 0x4b564d07, 0x4b564d08, 0x4b564d09, 0x4b564dff,
};

/* False: #GP. */
static bool model_write(u32 i, u32 msr, u64 val)
{
	struct model_vp *m = &f.vp[i];

	switch (msr) {
	case 0x11:
	case 0x4b564d00:
		f.wall = val;
		if (is_good(val, WALL))
			f.once[WALL] = val;
		return true;
	case 0x12:
	case 0x4b564d01:
		m->msr[CLOCK] = val;
		return true;
	case 0x4b564d03:
		if (val & 0x3e)
			return false;
		m->msr[STEAL] = val;
		return true;
	case 0x4b564d04:
		if ((val & 2) || ((val & 1) && !is_good(val & ~3ull, EOI)))
			return false;
		m->msr[EOI] = val;
		return true;
	case 0x4b564d05:
		if (val & ~1ull)
			return false;
		m->poll = val & 1;
		return true;
	default:
		return false;
	}
}

static bool model_read(u32 i, u32 msr, u64 *val)
{
	const struct model_vp *m = &f.vp[i];

	switch (msr) {
	case 0x11:
	case 0x4b564d00:
		*val = f.wall;
		return true;
	case 0x12:
	case 0x4b564d01:
		*val = m->msr[CLOCK];
		return true;
	case 0x4b564d03:
		*val = m->msr[STEAL];
		return true;
	case 0x4b564d04:
		*val = m->msr[EOI];
		return true;
	case 0x4b564d05:
		*val = m->poll;
		return true;
	default:
		return false;
	}
}

static void check_reads(u32 i)
{
	for (u32 n = 0; n < ARRAY_SIZE(msrs); n++) {
		u64 got = 0, want = 0;
		bool ok = model_read(i, msrs[n], &want);

		must(msr_read(&f.g.vp[i], msrs[n], &got) == (ok ? MSR_OK : MSR_GP));
		must(got == want);
	}
}

/* A clock page that was just registered can be read: the version is even, the pads are 0. */
static void check_clock_page(u32 i)
{
	u64 addr = address_of(f.vp[i].msr[CLOCK], CLOCK);
	struct pvclock_vcpu_time_info page;

	if (!(f.vp[i].msr[CLOCK] & 1) || !is_good(addr, CLOCK))
		return;
	memcpy(&page, f.g.ram + (addr - GUEST_RAM_BASE), sizeof(page));
	must(page.version % 2 == 0 && page.pad0 == 0 && page.pad[0] == 0 && page.pad[1] == 0);
	must(page.system_time == 0 && page.tsc_to_system_mul == f.g.p.clock.mul &&
	     page.tsc_shift == f.g.p.clock.shift);
}

static void op_wrmsr(struct vp *vp)
{
	u32 msr = msrs[take(1) % ARRAY_SIZE(msrs)];
	u64 val = take_address() | (take(1) % 4 != 0), old = f.vp[vp->index].msr[EOI];
	enum msr_result result;

	/* The word that is given up is cleared. */
	if (msr == 0x4b564d04 && (old & 1) && is_good(old & ~3ull, EOI))
		f.once[EOI] = old & ~3ull;
	if (msr == 0x4b564d03 && (f.vp[vp->index].msr[STEAL] & 1) &&
	    is_good(f.vp[vp->index].msr[STEAL] & ~63ull, STEAL))
		f.once[STEAL] = f.vp[vp->index].msr[STEAL] & ~63ull;
	if (msr == 0x4b564d05)
		val &= take(1);
	else if (msr == 0x4b564d03 && take(1) % 8 != 0)
		val &= ~0x3eull;
	result = msr_write(vp, msr, val);
	must(result == (model_write(vp->index, msr, val) ? MSR_OK : MSR_GP));
	if (msr == 0x12 || msr == 0x4b564d01)
		check_clock_page(vp->index);
}

static void take_registers(struct gpr_regs *r)
{
	for (u32 i = 0; i < ARRAY_SIZE(r->r); i++)
		r->r[i] = (u64)i << 32 | i;
	r->rax = take(1) % 4 != 0 ? take(1) % 14 : take(8);
	r->rbx = r->rax == KVM_HC_CLOCK_PAIRING ? take_address() : take(2);
	r->rcx = take(1) % 4 != 0 ? take(1) % 8 : take(8);
	r->rdx = take(1) % 4 != 0 ? take(1) % 8 : take(8);
	r->rsi = take(1) % 4 != 0 ? take(2) % 0x800 : take(8);
}

/* What a call may answer: @nr, @args as the caller's mode has them. A call without a case may
 * answer anything but that it does not exist. */
static bool result_is_legal(s64 result, u64 nr, const u64 args[4])
{
	bool live;

	switch (nr) {
	case KVM_HC_VAPIC_POLL_IRQ:
	case KVM_HC_KICK_CPU:
	case KVM_HC_SCHED_YIELD:
		return result == 0;
	case KVM_HC_CLOCK_PAIRING:
		if (args[1] != 0)
			return result == -95;
		return result == 0 || result == -14;
	case KVM_HC_SEND_IPI:
		if (args[3] & (APIC_ICR_LOGICAL | APIC_ICR_SHORTHAND))
			return result == -22;
		return result >= 0 && result <= (s64)VPS;
	default:
		(void)hcall_find(kvm_abi.calls, nr, &live);
		return (result == -1000) == !live;
	}
}

static void op_hypercall(struct vp *vp)
{
	u32 mode = (u32)take(1);
	bool is_long = mode & 1, is_user = (mode & 6) == 6;
	u64 mask = is_long ? ~0ull : ~0u;
	struct gpr_regs before;
	u64 nr, args[4];
	s64 result;

	fake.vmcs[VMCS_GUEST_CS_AR] = is_long ? 0xa09b : 0xc09b;
	fake.vmcs[VMCS_GUEST_SS_AR] = is_user ? 0xc0f3 : 0xc093;
	fake.vmcs[VMCS_GUEST_EFER] = is_long || (mode & 8) ? EFER_LME | EFER_LMA | EFER_SCE : 0;
	take_registers(&vp->regs);
	before = vp->regs;
	nr = before.rax & mask;
	args[0] = before.rbx & mask;
	args[1] = before.rcx & mask;
	args[2] = before.rdx & mask;
	args[3] = before.rsi & mask;
	if (nr == KVM_HC_CLOCK_PAIRING)
		f.once[PAIR] = args[0];
	must(exit_table_row(&exit_table_guest, EXIT_REASON_VMCALL)->fn(vp, NULL) == EXIT_NEXT);
	result = is_long ? (s64)vp->regs.rax : (s32)vp->regs.rax;
	must(is_long || vp->regs.rax <= mask);
	must(is_user ? result == -1 : result_is_legal(result, nr, args));
	if (result != 0 || is_user)
		f.once[PAIR] = 0;
	vp->regs.rax = before.rax;
	must(memcmp(&before, &vp->regs, sizeof(before)) == 0);
}

static void op_enter(struct vp *vp)
{
	fake.vmcs[VMCS_GUEST_RFLAGS] = take(1) % 4 != 0 ? 0x202 : 2;
	fake.vmcs[VMCS_VM_ENTRY_INTR_INFO] = 0;
	vp_set_work(vp, VP_WORK_EVENT);
	/* INIT clears the words while they are still known. */
	if (f.vp[vp->index].msr[STEAL] & 1)
		f.once[STEAL] = f.vp[vp->index].msr[STEAL] & ~63ull;
	if (f.vp[vp->index].msr[EOI] & 1)
		f.once[EOI] = f.vp[vp->index].msr[EOI] & ~3ull;
	(void)vp_prepare_entry(vp);
	if (vp->counters.c[COUNTER_INIT] != f.inits[vp->index]) {
		f.inits[vp->index] = vp->counters.c[COUNTER_INIT];
		model_reset(vp->index, true);
	}
	if (vp->state == VP_WAIT_SIPI)
		vp_startup(vp, 1);
}

static void op_interrupt(struct vp *vp)
{
	vlapic_write(vp, APIC_SVR, APIC_SVR_ENABLE | 0xff);
	vlapic_set_irr(vp, (u8)(16 + take(1) % 240), take(1) % 8 == 0);
	op_enter(vp);
}

/* As Linux does: test and clear the bit, else the register. */
static void op_eoi(struct vp *vp)
{
	u64 msr = f.vp[vp->index].msr[EOI];
	u8 *word = is_good(msr & ~3ull, EOI) ? &f.g.ram[(msr & ~3ull) - GUEST_RAM_BASE] : NULL;

	if ((msr & 1) && word != NULL && (*word & 1)) {
		*word &= 0xfe;
		f.before[word - f.g.ram] = *word;
		return;
	}
	vlapic_write(vp, APIC_EOI, 0);
}

static void op_reset(struct vp *vp)
{
	bool init = take(1) % 4 != 0;

	f.once[STEAL] = f.vp[vp->index].msr[STEAL] & 1 ? f.vp[vp->index].msr[STEAL] & ~63ull : 0;
	f.once[EOI] = f.vp[vp->index].msr[EOI] & 1 ? f.vp[vp->index].msr[EOI] & ~3ull : 0;
	if (!is_good(f.once[STEAL], STEAL))
		f.once[STEAL] = 0;
	if (!is_good(f.once[EOI], EOI))
		f.once[EOI] = 0;
	hv_vp_reset(vp, init);
	model_reset(vp->index, init);
}

/* Unmapped, another page in its place, read-only, or itself again. */
static void op_map(struct vp *vp)
{
	u32 page = (u32)take(1) % PAGES, other = (page + 1) % PAGES, how = (u32)take(1) % 4;
	u64 at = GUEST_RAM_BASE + page * 4096ull, from = at;
	u64 perms = how == 2 ? EPT_R | EPT_X : EPT_RWX;

	if (how == 1)
		from = GUEST_RAM_BASE + other * 4096ull;
	must(ept_unmap(&f.g.p.ept, gpa(at), 4096) == ERR_NONE);
	if (how != 0)
		must(ept_map(&f.g.p.ept, gpa(at), hpa(from), 4096, perms, MT_WB) == ERR_NONE);
	f.page_moved[page] = how != 3;
	partition_map_changed(&f.g.p);
}

static void op_pause(struct vp *vp)
{
	partition_pause(&f.g.p, take(2) % PAUSE_TICKS);
	for (u32 i = 0; i < VPS; i++) {
		fake.cpu_vp = &f.g.vp[i];
		op_enter(&f.g.vp[i]);
	}
	fake.cpu_vp = vp;
}

/* Sleep; meanwhile others may ask for a flush. */
static void op_park(struct vp *vp)
{
	u64 msr = f.vp[vp->index].msr[STEAL], at = (msr & ~63ull) - GUEST_RAM_BASE + 16;
	u64 flushes = fake.invvpids;
	bool live = (msr & 1) && is_good(msr & ~63ull, STEAL);

	vp_park(vp);
	must(!live || f.g.ram[at] == PARK_PREEMPTED || vp->park.parked);
	if (live && take(1) % 2 != 0) {
		f.g.ram[at] |= PARK_FLUSH_TLB;
		vp_resume(vp);
		must(fake.invvpids == flushes + 1);
	} else {
		vp_resume(vp);
	}
	must(!live || f.g.ram[at] == 0);
}

static void op_guest_store(struct vp *vp)
{
	u32 at = (u32)take(2) % GUEST_RAM_BYTES;

	f.g.ram[at] = f.before[at] = (u8)take(1);
}

static void op_tsc(struct vp *vp)
{
	vp->tsc_offset = take(8);
	f.g.p.hooks->clock_changed(&f.g.p);
}

static void (*const ops[])(struct vp *vp) = {
	op_wrmsr, op_hypercall, op_enter,     op_interrupt,   op_eoi, op_reset,
	op_map,   op_pause,     op_park,      op_guest_store, op_tsc, op_wrmsr,
	op_wrmsr, op_hypercall, op_hypercall, op_interrupt,
};

static void start(void)
{
	fake_guest_init(&f.g, VPS, NULL);
	memset(f.vp, 0, sizeof(f.vp));
	memset(f.page_moved, 0, sizeof(f.page_moved));
	memset(f.once, 0, sizeof(f.once));
	memset(f.inits, 0, sizeof(f.inits));
	memset(f.before, 0, sizeof(f.before));
	f.wall = 0;
	fake.tsc_step = 500;
	for (u32 i = 0; i < VPS; i++) {
		f.vp[i].poll = true;
		f.g.vp[i].ctx->msr_bitmap = f.msr_bitmap[i];
		f.g.p.vp_of_apic_id[f.g.vp[i].apic_id] = &f.g.vp[i];
	}
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	f.data = data;
	f.left = size;
	start();
	for (u32 n = 0; n < OPS_MAX && f.left > 0; n++) {
		u32 op = (u32)take(1);
		struct vp *vp = &f.g.vp[(op >> 4) % VPS];

		fake.cpu_vp = vp;
		ops[op % ARRAY_SIZE(ops)](vp);
		check_ram();
		check_reads(vp->index);
	}
	return 0;
}
