/* SPDX-License-Identifier: BSD-2-Clause */
/* EPT violations: rules M1, M1b and I8 as the guest and the counters see them. */
#include "tests/host/harness.h"

#include <pthread.h>

#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/paging.h"
#include "arch/x86/defs/vector.h"
#include "core/exit/exit.h"
#include "core/mem/ept.h"
#include "core/mem/overlay.h"
#include "core/mem/overlay_index.h"
#include "core/mem/page_class.h"
#include "core/mem/ranges.h"
#include "core/mem/shared_area.h"
#include "tests/host/fakes/far.h"
#include "tests/host/fakes/paged.h"

#define REGION_BASE 0x40000000ull
#define REGION_LEN  0x200000ull
#define DEVICE      0xfd000000ull
#define WINDOW      0xfee10080ull
#define WRITE       (EPT_QUAL_WRITE | EPT_QUAL_GLA_VALID | EPT_QUAL_GLA_IS_TRANSLATION)

static struct partition *const p = &the_partition;

static void setup(void)
{
	paged_reset(EMUL_64);
	p->region_base = hpa(REGION_BASE);
	p->region_len = REGION_LEN;
	p->memory.e[1] = (struct e820_entry){ REGION_BASE, REGION_LEN, E820_RESERVED };
	p->memory.count = 2;
	paged_vp.mtrr.def_type = 0x806;
	EXPECT_EQ(ERR_NONE, ept_init(&p->ept, true, true, false, MT_WB));
	EXPECT_EQ(ERR_NONE, ept_build_partition(p));
}

static u64 counter(enum counter c)
{
	return paged_vp.counters.c[c];
}

static enum exit_action violation(u64 at, u64 qual)
{
	struct exit_info x = { .gpa = at, .gla = at, .qual = qual };

	return exit_ept_violation(&paged_vp, &x);
}

static void code(const void *bytes, u32 len)
{
	paged_code(0x100, bytes, len);
}

#define CODE(...) code((const u8[]){ __VA_ARGS__ }, sizeof((const u8[]){ __VA_ARGS__ }))

static void test_region_write_is_dropped(void)
{
	setup();
	CODE(0x89, 0x03); /* mov [rbx], eax */
	EXPECT_EQ(EXIT_NEXT_DECODED, violation(REGION_BASE + 0x40, WRITE));
	EXPECT_EQ(2, paged_vp.insn_len);
	EXPECT_EQ(1, counter(COUNTER_REGION_WRITE_DROPPED));
	EXPECT_EQ(0, counter(COUNTER_REGION_WRITE_SCRATCH));
	EXPECT_EQ(p->ones_page.v, ept_walk(&p->ept, gpa(REGION_BASE)).hpa.v);
}

/* A read-modify-write reads all-ones: the flags say so. */
static void test_region_reads_ones_in_an_rmw(void)
{
	setup();
	CODE(0xff, 0x03); /* inc dword [rbx] */
	EXPECT_EQ(EXIT_NEXT_DECODED, violation(REGION_BASE + 0x40, WRITE | EPT_QUAL_READ));
	EXPECT_TRUE(fake.vmcs[VMCS_GUEST_RFLAGS] & RFLAGS_ZF);
}

static void expect_scratch(u64 at, u64 qual)
{
	struct ept_leaf leaf;
	u64 before = counter(COUNTER_REGION_WRITE_SCRATCH);

	fake.invepts = 0;
	EXPECT_EQ(EXIT_RESUME, violation(at, qual));
	leaf = ept_walk(&p->ept, gpa(at));
	EXPECT_EQ(EPT_R | EPT_W, leaf.perms);
	EXPECT_NE(p->ones_page.v, leaf.hpa.v & PAGE_MASK);
	EXPECT_EQ(before + 1, counter(COUNTER_REGION_WRITE_SCRATCH));
	EXPECT_EQ(1, fake.invepts);
	EXPECT_EQ(-1, paged_exception());
}

static void test_undecodable_write_gets_scratch(void)
{
	setup();
	CODE(0xd9, 0x3b); /* fnstcw [rbx] */
	expect_scratch(REGION_BASE + 0x40, WRITE);
	expect_scratch(WINDOW, WRITE);
}

/* What the instruction at RIP did not write must not be emulated by it. */
static void test_region_writes_of_the_cpu_itself_get_scratch(void)
{
	setup();
	CODE(0x89, 0x03);
	expect_scratch(REGION_BASE + 0x1000, EPT_QUAL_WRITE | EPT_QUAL_GLA_VALID); /* page walk */
	expect_scratch(REGION_BASE + 0x2000, WRITE | EPT_QUAL_ASYNC);
	fake.vmcs[VMCS_IDT_VECTORING_INFO] = INTR_INFO_VALID | EXC_PF;
	expect_scratch(REGION_BASE + 0x3000, WRITE);
	EXPECT_EQ(0, counter(COUNTER_EMULATED));
}

#define GVA 0x7f0000000000ull
#define RWU (PTE_P | PTE_W | PTE_U)

static void map_region(void)
{
	setup();
	paged_map(GVA, REGION_BASE, RWU);
	paged_map(GVA + PAGE_SIZE, REGION_BASE + PAGE_SIZE, RWU);
	paged_vp.regs.rbx = GVA + PAGE_SIZE - 2;
	paged_vp.regs.rsi = GVA + 8;
	paged_vp.regs.rdi = GVA + PAGE_SIZE;
	fake.vmcs[VMCS_GUEST_RSP] = GVA + 0x40;
}

/* A second page or a second operand in the region: still dropped, no page is used up. */
static void test_region_operands_may_be_several(void)
{
	static const u8 mov[] = { 0x89, 0x03 };        /* mov [rbx], eax: crosses */
	static const u8 movs[] = { 0xa4 };             /* movsb */
	static const u8 push[] = { 0xff, 0x76, 0x10 }; /* push [rsi + 16] */
	static const u8 pop[] = { 0x8f, 0x07 };        /* pop [rdi] */
	const struct {
		const u8 *bytes;
		u32 len;
		u64 at;
	} rows[] = {
		{ mov, sizeof(mov), REGION_BASE + PAGE_SIZE - 2 },
		{ mov, sizeof(mov), REGION_BASE + PAGE_SIZE },
		{ movs, sizeof(movs), REGION_BASE + PAGE_SIZE },
		{ push, sizeof(push), REGION_BASE + 0x38 },
		{ pop, sizeof(pop), REGION_BASE + PAGE_SIZE },
	};

	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		map_region();
		code(rows[i].bytes, rows[i].len);
		EXPECT_EQ(EXIT_NEXT_DECODED, violation(rows[i].at, WRITE));
		EXPECT_EQ(1, counter(COUNTER_REGION_WRITE_DROPPED));
		EXPECT_EQ(0, counter(COUNTER_REGION_WRITE_SCRATCH));
		EXPECT_EQ(-1, paged_exception());
	}
}

/* The other page is a scratch page by now: the CPU does it, with two scratch pages. */
static void test_region_write_into_a_scratch_page(void)
{
	map_region();
	CODE(0x89, 0x03);
	EXPECT_EQ(ERR_NONE, ept_map_scratch(p, gpa(REGION_BASE)));
	expect_scratch(REGION_BASE + PAGE_SIZE, WRITE);
}

static void test_nmi_blocking_comes_back_after_iret(void)
{
	setup();
	CODE(0xd9, 0x3b); /* fnstcw: not in the subset */
	EXPECT_EQ(EXIT_RESUME, violation(REGION_BASE, WRITE | EPT_QUAL_NMI_UNBLOCKING));
	EXPECT_TRUE(fake.vmcs[VMCS_GUEST_INTERRUPTIBILITY] & GUEST_INTR_BLOCKED_BY_NMI);
	setup();
	CODE(0xd9, 0x3b);
	fake.vmcs[VMCS_IDT_VECTORING_INFO] = INTR_INFO_VALID;
	EXPECT_EQ(EXIT_RESUME, violation(REGION_BASE, WRITE | EPT_QUAL_NMI_UNBLOCKING));
	EXPECT_EQ(0, fake.vmcs[VMCS_GUEST_INTERRUPTIBILITY]);
}

/* RF set, no single step that has not happened; what MOV SS holds back stays. */
static void test_restart_keeps_debug_state(void)
{
	for (u32 shadow = 0; shadow < 2; shadow++) {
		setup();
		CODE(0xd9, 0x3b);
		fake.vmcs[VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS] = PENDING_DBG_BS;
		fake.vmcs[VMCS_GUEST_INTERRUPTIBILITY] = shadow ? GUEST_INTR_BLOCKED_BY_MOV_SS : 0;
		EXPECT_EQ(EXIT_RESUME, violation(REGION_BASE, WRITE));
		EXPECT_TRUE(fake.vmcs[VMCS_GUEST_RFLAGS] & RFLAGS_RF);
		EXPECT_EQ(shadow ? PENDING_DBG_BS : 0,
			  fake.vmcs[VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS]);
	}
	setup(); /* during delivery RFLAGS is what the event saves */
	fake.vmcs[VMCS_IDT_VECTORING_INFO] = INTR_INFO_VALID;
	EXPECT_EQ(EXIT_RESUME, violation(REGION_BASE, WRITE));
	EXPECT_FALSE(fake.vmcs[VMCS_GUEST_RFLAGS] & RFLAGS_RF);
}

static void test_fetches_are_undefined_opcodes(void)
{
	setup();
	EXPECT_EQ(EXIT_RESUME, violation(REGION_BASE + 0x123, EPT_QUAL_FETCH | EPT_QUAL_GLA_VALID));
	EXPECT_EQ(EXC_UD, paged_exception());
	EXPECT_EQ(1, counter(COUNTER_REGION_FETCH));

	setup();
	EXPECT_EQ(EXIT_RESUME, violation(DEVICE, EPT_QUAL_FETCH | EPT_QUAL_GLA_VALID));
	EXPECT_EQ(EXC_UD, paged_exception());
	EXPECT_EQ(1, counter(COUNTER_MMIO_FETCH));
}

static void test_apic_window_drops_writes(void)
{
	setup();
	CODE(0xc7, 0x03, 0x01, 0x00, 0x00, 0x00); /* mov dword [rbx], 1 */
	EXPECT_EQ(EXIT_NEXT_DECODED, violation(WINDOW, WRITE));
	EXPECT_EQ(1, counter(COUNTER_APIC_WINDOW));
	EXPECT_EQ(0, counter(COUNTER_REGION_WRITE_DROPPED));
}

static void test_64_bit_bars_appear_on_first_use(void)
{
	setup();
	EXPECT_EQ(EXIT_RESUME, violation(GIB(600), EPT_QUAL_READ | EPT_QUAL_GLA_VALID));
	EXPECT_EQ(GIB(600), ept_walk(&p->ept, gpa(GIB(600))).hpa.v);
	EXPECT_EQ(-1, paged_exception());
}

/* The guest's own page tables named an address the machine does not have. */
static void test_beyond_the_machine_is_a_reserved_bit(void)
{
	setup();
	EXPECT_EQ(EXIT_RESUME, violation(1ull << 45, WRITE));
	EXPECT_EQ(EXC_PF, paged_exception());
	EXPECT_EQ(PFEC_P | PFEC_W | PFEC_RSVD, paged_error());
	EXPECT_EQ(1ull << 45, fake.cr2);
	setup();
	fake.vmcs[VMCS_GUEST_SS_AR] = 3u << 5; /* DPL: the CPL */
	EXPECT_EQ(EXIT_RESUME, violation(1ull << 45, EPT_QUAL_FETCH | EPT_QUAL_GLA_VALID));
	EXPECT_EQ(PFEC_P | PFEC_U | PFEC_RSVD | PFEC_I, paged_error());
	setup();
	EXPECT_EQ(EXIT_STOP, violation(1ull << 45, EPT_QUAL_READ));
}

static void test_everything_else_stops_with_a_report(void)
{
	struct exit_info x = { .gpa = 0x1234000 };

	setup();
	EXPECT_EQ(EXIT_STOP, violation(0x2000, EPT_QUAL_READ | EPT_QUAL_GLA_VALID));
	EXPECT_CONTAINS(fake.console, "unexpected EPT violation");
	EXPECT_CONTAINS(fake.console, "0x2000");
	EXPECT_EQ(EXIT_STOP, exit_ept_misconfig(&paged_vp, &x));
	EXPECT_CONTAINS(fake.console, "0x1234000");
}

#define AN_OVERLAY 0x90000ull
#define A_FIRMWARE 0x200000ull
#define SCRATCH    (REGION_BASE + 0x5000)
#define AN_EMUL    0xd0000000ull

static u64 no_device_read(struct vp *vp, u64 gpa, u32 size)
{
	return 0;
}

static void no_device_write(struct vp *vp, u64 gpa, u32 size, u64 val)
{
}

/* A page of every class; the CPU writes to it. */
static void every_class_setup(void)
{
	static const struct emul_mem mem = { no_device_read, no_device_write };
	static const struct page_range emulated = { AN_EMUL, AN_EMUL + PAGE_SIZE, PAGE_EMULATED,
						    .mem = &mem };
	static struct overlay o, apic;

	static _Alignas(4096) u8 apic_page[4096];

	setup();
	paged_vp.apic.page = apic_page;
	p->memory.e[p->memory.count++] = (struct e820_entry){ A_FIRMWARE, 0x1000, E820_ACPI };
	fake_far_add(p, 0x80000, 0x82000);
	fake_far.never = true;
	EXPECT_EQ(ERR_NONE, range_add(p, &emulated));
	EXPECT_EQ(ERR_NONE, ept_init(&p->ept, true, true, false, MT_WB));
	EXPECT_EQ(ERR_NONE, ept_build_partition(p));
	o = (struct overlay){ .page = p->ones_page, .perms = EPT_R, .kind = PAGE_OVERLAY };
	apic = (struct overlay){ .page = p->ones_page, .perms = EPT_R, .kind = PAGE_APIC };
	EXPECT_EQ(ERR_NONE, overlay_map(p, &o, AN_OVERLAY));
	EXPECT_EQ(ERR_NONE, overlay_map(p, &apic, 0xfee00000));
	EXPECT_EQ(ERR_NONE, ept_map_scratch(p, gpa(SCRATCH)));
	CODE(0x89, 0x03); /* mov [rbx], eax */
}

/* A class that says nothing about violations stops the guest: no hole in the table is called. */
static void test_every_class_answers_or_stops(void)
{
	static const struct {
		u64 at;
		enum exit_action want;
	} rows[PAGE_KINDS] = {
		[PAGE_RAM] = { 0x2000, EXIT_STOP },
		[PAGE_FIRMWARE] = { A_FIRMWARE, EXIT_STOP },
		[PAGE_FAR] = { 0x80000, EXIT_STOP },
		[PAGE_ROM] = { 0xff000000, EXIT_STOP },
		[PAGE_DEVICE] = { DEVICE, EXIT_STOP },
		[PAGE_REGION] = { REGION_BASE, EXIT_NEXT_DECODED },
		[PAGE_WINDOW] = { WINDOW, EXIT_NEXT_DECODED },
		[PAGE_EMULATED] = { AN_EMUL, EXIT_NEXT_DECODED },
		[PAGE_SCRATCH] = { SCRATCH, EXIT_STOP },
		[PAGE_APIC] = { 0xfee00000, EXIT_NEXT_DECODED },
		[PAGE_OVERLAY] = { AN_OVERLAY, EXIT_RESUME },
		[PAGE_ABSENT] = { BIT64(45), EXIT_RESUME },
	};

	for (u32 kind = 0; kind < PAGE_KINDS; kind++) {
		every_class_setup();
		EXPECT_TRUE(page_is(p, rows[kind].at, kind));
		EXPECT_EQ(rows[kind].want, violation(rows[kind].at + 0x40, WRITE));
		EXPECT_EQ(rows[kind].want == EXIT_STOP,
			  strstr(fake.console, "unexpected EPT violation") != NULL);
	}
}

/* Whoever it is: an instruction, its fetch, a page walk, the delivery of an event. */
static void test_overlays_are_protected(void)
{
	static const u64 quals[] = { WRITE, EPT_QUAL_FETCH | EPT_QUAL_GLA_VALID,
				     EPT_QUAL_WRITE | EPT_QUAL_READ | EPT_QUAL_GLA_VALID };

	for (u32 i = 0; i < ARRAY_SIZE(quals); i++) {
		every_class_setup();
		EXPECT_EQ(EXIT_RESUME, violation(AN_OVERLAY + 0x40, quals[i]));
		EXPECT_EQ(EXC_GP, paged_exception());
		EXPECT_EQ(0, paged_error());
	}
	every_class_setup();
	EXPECT_EQ(EXIT_STOP, violation(AN_OVERLAY, WRITE | EPT_QUAL_ASYNC));
}

static bool toggling;

/* What another CPU does that moves an overlay away and back, without its flush. */
static void *toggle(void *overlay)
{
	struct overlay *o = overlay;

	for (u32 i = 0; i < 20000; i++) {
		spin_lock(&p->ept.lock);
		overlay_index_remove(&p->overlays, AN_OVERLAY, o);
		ept_restore(p, gpa(AN_OVERLAY));
		spin_unlock(&p->ept.lock);
		spin_lock(&p->ept.lock);
		EXPECT_EQ(ERR_NONE, ept_place(p, gpa(AN_OVERLAY), o->page, o->perms));
		overlay_index_add(&p->overlays, AN_OVERLAY, o);
		spin_unlock(&p->ept.lock);
	}
	__atomic_store_n(&toggling, false, __ATOMIC_RELEASE);
	return NULL;
}

/* The guest gets #GP, or its access again: nobody stops it. */
static void test_an_overlay_goes_meanwhile(void)
{
	pthread_t other;

	every_class_setup();
	p->vp_count = 2;
	toggling = true;
	EXPECT_EQ(0, pthread_create(&other, NULL, toggle, overlay_next(p, AN_OVERLAY).overlay));
	while (__atomic_load_n(&toggling, __ATOMIC_ACQUIRE)) {
		EXPECT_EQ(EXIT_RESUME, violation(AN_OVERLAY + 0x40, WRITE));
		paged_vp.event = (struct event_state){ 0 };
	}
	EXPECT_EQ(0, pthread_join(other, NULL));
	p->vp_count = 1;
}

/* MOVS from an emulated page: its write goes by the class of the other page. */
static void test_a_write_of_another_page_goes_by_its_class(void)
{
	for (u32 drops = 0; drops < 2; drops++) {
		every_class_setup();
		paged_map(GVA, AN_EMUL, RWU);
		paged_map(GVA + PAGE_SIZE, REGION_BASE, RWU);
		paged_vp.regs.rsi = GVA + 0x40;
		paged_vp.regs.rdi = GVA + PAGE_SIZE;
		CODE(0xa4); /* movsb */
		paged_set_drops_writes(PAGE_REGION, drops);
		EXPECT_EQ(drops ? EXIT_NEXT_DECODED : EXIT_STOP,
			  violation(AN_EMUL + 0x40, EPT_QUAL_READ | EPT_QUAL_GLA_VALID |
							    EPT_QUAL_GLA_IS_TRANSLATION));
		EXPECT_EQ(GVA + 0x40 + drops, paged_vp.regs.rsi);
		/* Reading it is always fine. */
		paged_vp.regs.rsi = GVA + PAGE_SIZE;
		paged_vp.regs.rdi = GVA + 0x40;
		EXPECT_EQ(EXIT_NEXT_DECODED, violation(AN_EMUL + 0x40, WRITE));
	}
}

/* Not the instruction at RIP: the event. What cannot be delivered, and page tables, stop the guest.
 */
static void test_events_on_an_emulated_stack_are_delivered(void)
{
	static const struct {
		u64 qual, cr0;
		enum exit_action want;
	} rows[] = {
		{ WRITE, 0, EXIT_RESUME },
		{ EPT_QUAL_WRITE | EPT_QUAL_GLA_VALID, 0, EXIT_STOP }, /* a page table */
		{ WRITE | EPT_QUAL_ASYNC, 0, EXIT_STOP },
		{ WRITE, CR0_PE, EXIT_STOP }, /* real mode */
	};

	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		every_class_setup();
		fake.vmcs[VMCS_GUEST_CR0] &= ~rows[i].cr0;
		fake.vmcs[VMCS_IDT_VECTORING_INFO] = INTR_INFO_VALID | 0x55;
		event_vectoring(&paged_vp);
		fake.vmcs[VMCS_GUEST_IDTR_LIMIT] = 0; /* seen: delivery begins, and faults */
		EXPECT_EQ(rows[i].want, violation(AN_EMUL + 0x40, rows[i].qual));
		EXPECT_EQ(rows[i].want == EXIT_RESUME ? EXC_GP : 0x55, paged_exception());
		EXPECT_EQ(0, counter(COUNTER_EMULATED));
	}
}

static void far_setup(void)
{
	setup();
	fake_far_add(p, 0x80000, 0x82000);
	EXPECT_EQ(ERR_NONE, ept_unmap(&p->ept, gpa(0x80000), 0x2000)); /* EPT was built without */
}

static void test_far_page_is_mapped_when_it_comes(void)
{
	struct shared_area area = { 0 };

	far_setup();
	EXPECT_EQ(ERR_FAULT, shared_area_set(p, &area, 0x81040, 64)); /* nobody asked for it yet */
	for (u32 i = 0; i < 2; i++) {
		fake.vmcs[VMCS_GUEST_INTERRUPTIBILITY] = 0;
		EXPECT_EQ(EXIT_RETRY, violation(0x81234, WRITE | EPT_QUAL_NMI_UNBLOCKING));
		EXPECT_EQ(GUEST_INTR_BLOCKED_BY_NMI, fake.vmcs[VMCS_GUEST_INTERRUPTIBILITY]);
		EXPECT_EQ(0, ept_walk(&p->ept, gpa(0x81000)).size);
	}
	EXPECT_EQ(EXIT_RESUME, violation(0x81234, WRITE));
	EXPECT_EQ(0x81000, ept_walk(&p->ept, gpa(0x81000)).hpa.v);
	EXPECT_EQ(EPT_RWX, ept_walk(&p->ept, gpa(0x81000)).perms);
	EXPECT_EQ(0, ept_walk(&p->ept, gpa(0x80000)).size);
	EXPECT_EQ(1, fake_far.pinned); /* as long as EPT maps it */
	shared_area_check_all(p);
	EXPECT_TRUE(shared_area_is_live(&area));
	EXPECT_EQ(1, fake_far.pinned);
	EXPECT_EQ(ERR_BUSY, ept_map_lazy(p, gpa(0x81234))); /* another CPU was first */
	EXPECT_EQ(1, fake_far.pinned);
	EXPECT_EQ(ERR_NONE, ept_drop_page(p, gpa(0x81234)));
	EXPECT_EQ(0, fake_far.pinned);
	shared_area_check_all(p);
	EXPECT_FALSE(shared_area_is_live(&area));
	EXPECT_EQ(EXIT_RESUME, violation(0x81234, EPT_QUAL_FETCH));
	EXPECT_EQ(1, fake_far.pinned);
}

static void test_far_page_that_never_comes_stops(void)
{
	far_setup();
	fake_far.never = true;
	EXPECT_EQ(EXIT_STOP, violation(0x81234, WRITE));
	EXPECT_CONTAINS(fake.console, "unexpected EPT violation");
	EXPECT_EQ(0, fake_far.pinned);
}

TEST_MAIN(TEST(test_region_write_is_dropped), TEST(test_region_reads_ones_in_an_rmw),
	  TEST(test_undecodable_write_gets_scratch),
	  TEST(test_region_writes_of_the_cpu_itself_get_scratch),
	  TEST(test_region_operands_may_be_several), TEST(test_region_write_into_a_scratch_page),
	  TEST(test_nmi_blocking_comes_back_after_iret), TEST(test_restart_keeps_debug_state),
	  TEST(test_fetches_are_undefined_opcodes), TEST(test_apic_window_drops_writes),
	  TEST(test_64_bit_bars_appear_on_first_use),
	  TEST(test_beyond_the_machine_is_a_reserved_bit),
	  TEST(test_everything_else_stops_with_a_report), TEST(test_every_class_answers_or_stops),
	  TEST(test_overlays_are_protected), TEST(test_an_overlay_goes_meanwhile),
	  TEST(test_a_write_of_another_page_goes_by_its_class),
	  TEST(test_events_on_an_emulated_stack_are_delivered),
	  TEST(test_far_page_is_mapped_when_it_comes), TEST(test_far_page_that_never_comes_stops))
