/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fuzzer: access to the registers of VPs. The input is a sequence of steps: GetVpRegisters,
 * SetVpRegisters and TranslateVirtualAddress for the caller or for another VP, with names and
 * values that are often good ones, and what happens to the target between them: it halts, is reset,
 * has an event, its page tables change. After each step VM entry must accept the target's state;
 * status and count must agree, and of a list that is refused as a whole nothing may be left.
 */
#include <stdlib.h>
#include <string.h>

#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/paging.h"
#include "arch/x86/defs/vector.h"
#include "arch/x86/defs/vmcs.h"
#include "core/exit/entry_check.h"
#include "hv/hcall_mem.h"
#include "hv/hyperv/hyperv_abi.h"
#include "hv/hyperv/hyperv_reg_abi.h"
#include "tests/host/fakes/entered.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

#define LIST      8u
#define STEPS_MAX 64u

static struct fake_guest g;
static struct vp *const target = &g.vp[0];
static struct vp *caller;

static void must(bool ok)
{
	if (!ok)
		abort();
}

/* --- The input; behind its end everything is 0 --- */

static const u8 *next, *end;

static u64 take(u32 bytes)
{
	u64 val = 0;

	for (u32 i = 0; i < bytes && next < end; i++)
		val |= (u64)*next++ << 8 * i;
	return val;
}

/* Some names of the table, and those behind them. */
static u32 take_name(void)
{
	static const u32 names[] = {
		HV_X64_REGISTER_RAX,
		HV_X64_REGISTER_RIP,
		HV_X64_REGISTER_RFLAGS,
		HV_X64_REGISTER_CR0,
		HV_X64_REGISTER_CR3,
		HV_X64_REGISTER_CR4,
		HV_X64_REGISTER_EFER,
		HV_X64_REGISTER_XFEM,
		HV_X64_REGISTER_ES,
		HV_X64_REGISTER_CS,
		HV_X64_REGISTER_SS,
		HV_X64_REGISTER_LDTR,
		HV_X64_REGISTER_TR,
		HV_X64_REGISTER_IDTR,
		HV_X64_REGISTER_GDTR,
		HV_X64_REGISTER_XMM0,
		HV_X64_REGISTER_DR0,
		HV_X64_REGISTER_DR6,
		HV_X64_REGISTER_TSC,
		HV_X64_REGISTER_APIC_BASE,
		HV_X64_REGISTER_PAT,
		HV_X64_REGISTER_SYSENTER_CS,
		HV_X64_REGISTER_STAR,
		HV_X64_REGISTER_MTRR_CAP,
		HV_REGISTER_VP_RUNTIME,
		HV_X64_REGISTER_HYPERCALL,
		HV_X64_REGISTER_EOI,
		HV_REGISTER_VP_ASSIST_PAGE,
		HV_REGISTER_REFERENCE_TSC,
		HV_REGISTER_CRASH_P0,
		HV_REGISTER_INTERRUPT_STATE,
		HV_REGISTER_HYPERVISOR_VERSION,
		HV_X64_REGISTER_MTRR_DEF_TYPE,
	};
	u32 at = (u32)take(1), more = (u32)take(1);

	if (at >= ARRAY_SIZE(names) * 4)
		return (u32)take(4);
	return names[at / 4] + (at % 4 == 3 ? more : 0);
}

static union hv_register_value take_value(void)
{
	static const u64 words[] = {
		CR0_PE | CR0_PG | CR0_ET | CR0_NE,
		CR0_PE | CR0_ET | CR0_NE,
		CR4_PAE,
		EFER_LME,
		EFER_LME | EFER_LMA,
		RFLAGS_FIXED,
		RFLAGS_FIXED | RFLAGS_IF,
		RFLAGS_FIXED | RFLAGS_VM,
		GUEST_RAM_BASE,
		GUEST_RAM_BASE | 1,
		0xffff800000000000,
		0x800000000000,
	};
	static const u16 attributes[] = { 0xa09b, 0xc093, 0xa0fb, 0xc0f3, 0xc09b, 0xc0fb, 0x9b,
					  0x93,   0x82,   0x8b,   0x83,   0xf3,   0 };
	union hv_register_value val = { 0 };
	u32 form = (u32)take(1), i = (u32)take(1);

	switch (form % 5) {
	case 0:
		val.low = words[i % ARRAY_SIZE(words)];
		break;
	case 1:
		val.segment.selector = (u16)take(1);
		val.segment.attributes = attributes[i % ARRAY_SIZE(attributes)];
		val.segment.limit = val.segment.attributes & 0x8000 ? ~0u : 0xffff;
		break;
	case 2:
		val.low = BIT64(i % 64) | take(2);
		break;
	case 3:
		val.low = take(8);
		break;
	default:
		val.low = take(8);
		val.high = take(8);
		break;
	}
	return val;
}

/* --- The calls --- */

static struct hv_vp_registers header;

static u16 run(u32 nr, struct hcall *hc)
{
	const struct hv_feature *f = hv_features[FEATURE_HV_VP_REGISTERS];
	u16 status = 0;

	for (u32 i = 0; i < f->hcall_count; i++) {
		if (f->hcalls[i].nr == nr)
			status = f->hcalls[i].mem(caller, hc);
	}
	return status;
}

/* Who asks, and for whom: usually one that exists. */
static void take_header(void)
{
	u32 who = (u32)take(1);

	caller = &g.vp[who & 1];
	fake.cpu_vp = caller;
	header = (struct hv_vp_registers){
		.partition_id = HV_PARTITION_ID_SELF,
		.vp_index = caller == target && (who & 2) ? HV_VP_INDEX_SELF : 0,
	};
	if (who >= 0xf0)
		header.vp_index = 2 + ((u32)take(4) & 0x7fffffff); /* VP 1 has no registers here */
	if (who >= 0xf8)
		header.input_vtl = (u8)take(1);
	if (who >= 0xfc)
		header.partition_id = take(8);
}

/* What VM entry checks and a list can change. */
struct entered {
	u64 cr0, cr3, cr4, efer, rflags;
	u64 selector[8], attributes[8], base[8];
};

static struct entered look(void)
{
	struct entered e = { .cr0 = hw_vmread(VMCS_GUEST_CR0),
			     .cr3 = hw_vmread(VMCS_GUEST_CR3),
			     .cr4 = hw_vmread(VMCS_GUEST_CR4),
			     .efer = hw_vmread(VMCS_GUEST_EFER),
			     .rflags = hw_vmread(VMCS_GUEST_RFLAGS) & ~RFLAGS_IF };

	for (u32 i = 0; i < 8; i++) {
		e.selector[i] = hw_vmread(vmcs_segment_field(VMCS_GUEST_ES_SELECTOR, i));
		e.attributes[i] = hw_vmread(vmcs_segment_field(VMCS_GUEST_ES_AR, i));
		e.base[i] = hw_vmread(vmcs_segment_field(VMCS_GUEST_ES_BASE, i));
	}
	return e;
}

/* The caller's own exit ends as the dispatcher ends it; its guest goes on at a low address. */
static void end_exit(void)
{
	u64 rip = hw_vmread(VMCS_GUEST_RIP);

	if (caller == target) {
		rip += hw_vmread(VMCS_VM_EXIT_INSTRUCTION_LENGTH);
		rip &= hw_vmread(VMCS_GUEST_CS_AR) & AR_L ? ~0ull : 0xffffffff;
		hw_vmwrite(VMCS_GUEST_RIP, rip);
		must(entry_check_passes());
		(void)vp_prepare_entry(target);
	}
	rip = hw_vmread(VMCS_GUEST_RIP);
	must(entry_check_passes());
	hw_vmwrite(VMCS_GUEST_RIP, rip & 0xffff);
}

static void get_registers(void)
{
	static union hv_register_value values[LIST];
	u32 names[LIST];
	struct hcall hc = { .in = &header, .list = names, .out_list = values };
	struct entered before = look(), after;
	u16 status;

	take_header();
	hc.count = 1 + (u32)take(1) % LIST;
	for (u32 i = 0; i < hc.count; i++)
		names[i] = take_name();
	status = run(HVCALL_GET_VP_REGISTERS, &hc);
	must(hc.done <= hc.count && (status == HV_STATUS_SUCCESS || hc.done < hc.count));
	after = look();
	must(memcmp(&before, &after, sizeof(before)) == 0);
	end_exit();
}

static void set_registers(void)
{
	struct hv_register_assoc list[LIST] = { 0 };
	struct hcall hc = { .in = &header, .list = list };
	bool has_event = (target->event.info & INTR_INFO_VALID) != 0;
	struct entered before = look(), after;
	u16 status;

	take_header();
	hc.count = 1 + (u32)take(1) % LIST;
	for (u32 i = 0; i < hc.count; i++) {
		list[i].name = take_name();
		list[i].value = take_value();
	}
	status = run(HVCALL_SET_VP_REGISTERS, &hc);
	must(hc.done <= hc.count && (status == HV_STATUS_SUCCESS || hc.done < hc.count));
	must(!has_event || hc.done == 0 || caller != target);
	after = look();
	must(hc.done != 0 || memcmp(&before, &after, sizeof(before)) == 0);
	end_exit();
}

static void translate(void)
{
	struct hv_translate_virtual_address in = { 0 };
	struct hv_translate_virtual_address_out out = { 0 };
	struct hcall hc = { .in = &in, .out = &out };
	u16 status;

	take_header();
	in.partition_id = header.partition_id;
	in.vp_index = header.vp_index;
	in.control_flags = take(1) | take(1) << 56;
	in.gva_page = take(1) & 1 ? take(8) : take(2) & 0x1ff;
	status = run(HVCALL_TRANSLATE_VIRTUAL_ADDRESS, &hc);
	must(status == HV_STATUS_SUCCESS || (out.result == 0 && out.gpa_page == 0));
	must(out.result <= HV_TRANSLATE_GVA_ILLEGAL_OVERLAY_ACCESS);
	end_exit();
}

/* --- What happens to the target --- */

static void put_entry(void)
{
	u32 at = ((u32)take(1) % 4) << 12 | ((u32)take(1) % 4) << 3;
	u64 val = (take(1) & 0xff) | (GUEST_RAM_BASE + ((take(1) % 16) << 12));

	memcpy(g.ram + at, &val, sizeof(val));
}

static void fall_asleep(enum vp_run_state state)
{
	u64 cpl = FIELD_GET(AR_DPL, hw_vmread(VMCS_GUEST_SS_AR));

	if (cpl != 0 || target->state != VP_RUNNING || (target->event.info & INTR_INFO_VALID))
		return; /* HLT would be #GP there */
	if (hw_vmread(VMCS_GUEST_RFLAGS) & RFLAGS_TF)
		return; /* its trap would wake the VP at once */
	target->state = state;
	event_prepare_entry(target);
}

static void wake_up(void)
{
	target->state = VP_RUNNING;
	event_prepare_entry(target);
}

static void happen(void)
{
	switch (take(1) % 6) {
	case 0:
		fall_asleep(VP_HALTED);
		break;
	case 1:
		fall_asleep(VP_IDLE);
		break;
	case 2:
		wake_up();
		break;
	case 3:
		target->event.info = INTR_INFO_VALID | 3 << 8 | EXC_UD;
		break;
	case 4:
		target->event.info = 0;
		fake.vmcs[VMCS_VM_ENTRY_INTR_INFO] = 0;
		break;
	default:
		put_entry();
		break;
	}
}

/* The other CPU comes out of its guest and looks at its work. */
static void run_kicked(struct vp *other)
{
	struct vp *self = fake.cpu_vp;

	fake.cpu_vp = other;
	(void)vp_prepare_entry(other);
	fake.cpu_vp = self;
}

/* The assist page is allocated when it is first enabled, for good: before the state is saved. */
static void make_assist_pages(void)
{
	for (u32 i = 0; i < 2; i++) {
		must(msr_write(&g.vp[i], HV_X64_MSR_VP_ASSIST_PAGE, GUEST_RAM_BASE | 1) == MSR_OK);
		must(msr_write(&g.vp[i], HV_X64_MSR_VP_ASSIST_PAGE, 0) == MSR_OK);
	}
}

/* Making a guest takes long: each input but the first gets a copy. */
static void begin(void)
{
	static const u64 tables[] = { 0x1000, 0x2000, 0x3000, 0x5000 };
	static struct fake_guest guest;
	static struct fake_hw hw;

	if (g.p.vp_count == 0) {
		fake_guest_entered(&g, 2);
		fake.tsc_step = 1000;
		fake.kick = run_kicked;
		fake.cpu_vp = &g.vp[0];
		make_assist_pages();
		memset(g.ram, 0, sizeof(g.ram));
		for (u32 i = 0; i < ARRAY_SIZE(tables); i++) {
			u64 entry = (GUEST_RAM_BASE + tables[i]) | PTE_P | PTE_W | PTE_U;

			memcpy(g.ram + (i << 12), &entry, sizeof(entry));
		}
		guest = g;
		hw = fake;
	} else {
		g = guest;
		fake = hw;
	}
}

/* What the ABI has of a partition lies outside of it. */
static void end_all(void)
{
	hv_vp_reset(&g.vp[1], false);
	hv_vp_reset(&g.vp[0], false);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	next = data;
	end = data + size;
	begin();
	must(entry_check_passes());
	for (u32 i = 0; i < STEPS_MAX && next < end; i++) {
		switch (take(1) % 8) {
		case 0:
			happen();
			break;
		case 1:
			get_registers();
			break;
		case 2:
			translate();
			break;
		default:
			set_registers();
			break;
		}
	}
	end_all();
	return 0;
}
