/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * core/vp/event.c against a model of the CPU's side of event delivery: random NMIs, interrupts and
 * exceptions, deliveries that an exit interrupts, faults that its handler raises. Every injection
 * must pass the checks of VM entry, repeat what was interrupted bit for bit, follow the SDM's table
 * of double faults; no NMI and no interrupt is lost or comes twice.
 *
 * Spec: SDM Vol. 3C "VM-Entry Control Fields" (event injection), "Information for VM Exits That
 * Occur During Event Delivery"; SDM Vol. 3A "Interrupt 8 - Double Fault Exception (#DF)".
 */
#include "tests/host/models/apic_vp.h"

#include "arch/x86/defs/apic.h"
#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/vector.h"
#include "tests/host/fakes/fake.h"

#define IRQ_FIRST 0x40u
#define IRQS      11u
#define IRQ(i)    (IRQ_FIRST + 16 * (i)) /* one in each priority class */

static struct vp *vp;

/* What the guest should have got, counted by the model. */
static struct model {
	u32 error; /* of the event in delivery */
	u32 len;   /* and its instruction length */
	u32 nmis;  /* pending */
	bool irq[IRQS];
	u32 nmis_wanted, nmis_seen, irqs_wanted, irqs_seen, irqs_lost;
} m;

static u32 event(enum intr_type type, u32 vector, bool code)
{
	return INTR_INFO_VALID | (u32)type << 8 | vector | (code ? INTR_INFO_ERROR_CODE_VALID : 0);
}

static u32 type_of(u32 info)
{
	return info >> 8 & 7;
}

static u32 injected(void)
{
	return (u32)fake.vmcs[VMCS_VM_ENTRY_INTR_INFO];
}

static u64 blocking(void)
{
	return fake.vmcs[VMCS_GUEST_INTERRUPTIBILITY];
}

static void init(void)
{
	apic_test_init(1, false);
	vp = &at.vp[0];
	fake.vmcs[VMCS_GUEST_RFLAGS] = RFLAGS_FIXED | RFLAGS_IF;
	fake.vmcs[VMCS_GUEST_CR0] = CR0_PE;
	vp->event = (struct event_state){ 0 };
	vlapic_write(vp, APIC_SVR, APIC_SVR_ENABLE | 0xff);
	m = (struct model){ 0 };
}

static const u8 codes[] = { EXC_DF, EXC_TS, EXC_NP, EXC_SS, EXC_GP, EXC_PF, EXC_AC };

static bool has_code(u32 vector)
{
	for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
		if (codes[i] == vector)
			return true;
	}
	return false;
}

/* The checks that VM entry makes of what is injected. */
static void expect_valid_injection(u32 info)
{
	u32 vector = info & 0xff, type = type_of(info);
	bool code = (info & INTR_INFO_ERROR_CODE_VALID) != 0;

	EXPECT_EQ(0, info & 0x7ffff000);
	EXPECT_NE(INTR_TYPE_RESERVED, type);
	EXPECT_NE(INTR_TYPE_OTHER, type);
	if (type == INTR_TYPE_NMI)
		EXPECT_EQ(2, vector);
	if (type == INTR_TYPE_HARD_EXCEPTION)
		EXPECT_LE(vector, 31);
	EXPECT_EQ(type == INTR_TYPE_HARD_EXCEPTION && has_code(vector), code);
	if (code)
		EXPECT_EQ(0, fake.vmcs[VMCS_VM_ENTRY_EXCEPTION_ERROR_CODE] >> 15);
	if (type >= INTR_TYPE_SOFT_INT) {
		EXPECT_GE(fake.vmcs[VMCS_VM_ENTRY_INSTRUCTION_LENGTH], 1);
		EXPECT_LE(fake.vmcs[VMCS_VM_ENTRY_INSTRUCTION_LENGTH], 15);
	}
	if (type == INTR_TYPE_EXTERNAL)
		EXPECT_TRUE(fake.vmcs[VMCS_GUEST_RFLAGS] & RFLAGS_IF);
	if (type == INTR_TYPE_EXTERNAL || type == INTR_TYPE_NMI)
		EXPECT_EQ(0, blocking() & INTERRUPT_SHADOW);
	if (type == INTR_TYPE_NMI)
		EXPECT_EQ(0, blocking() & GUEST_INTR_BLOCKED_BY_NMI);
}

/* 0 benign, 1 contributory, 2 page fault: the SDM's classes of the exceptions used here. */
static u32 class_of(u32 vector)
{
	switch (vector) {
	case EXC_DE:
	case EXC_TS:
	case EXC_NP:
	case EXC_SS:
	case EXC_GP:
		return 1;
	case EXC_PF:
		return 2;
	default:
		return 0;
	}
}

/* What the guest gets when @second comes while @first is on its way; 0: it shuts down. */
static u32 together(u32 first, u32 second)
{
	bool exception = type_of(first) == INTR_TYPE_HARD_EXCEPTION ||
			 type_of(first) >= INTR_TYPE_PRIV_SOFT_EXCEPTION;
	u32 a = class_of(first & 0xff), b = class_of(second);

	if (exception && (first & 0xff) == EXC_DF && b != 0)
		return 0;
	if (exception && ((a == 1 && b == 1) || (a == 2 && b != 0)))
		return event(INTR_TYPE_HARD_EXCEPTION, EXC_DF, true);
	return event(INTR_TYPE_HARD_EXCEPTION, second, has_code(second));
}

/* --- the model's steps --- */

/* One may be in service and one latched: @service, its handler runs or its delivery has begun. */
static void nmi_arrives(bool service)
{
	u32 limit = service || (blocking() & GUEST_INTR_BLOCKED_BY_NMI) ? 1 : 2;

	if (m.nmis < limit) {
		m.nmis++;
		m.nmis_wanted++;
	}
	event_nmi(vp);
}

static void something_arrives(void)
{
	u32 i = (u32)(test_rng() % IRQS);

	switch (test_rng() % 9) {
	case 8: /* STI */
		fake.vmcs[VMCS_GUEST_RFLAGS] |= RFLAGS_IF;
		fake.vmcs[VMCS_GUEST_INTERRUPTIBILITY] |= GUEST_INTR_BLOCKED_BY_STI;
		break;
	case 0:
		nmi_arrives(false);
		break;
	case 1:
		m.irqs_wanted += !m.irq[i];
		m.irq[i] = true;
		vlapic_set_irr(vp, (u8)(IRQ(i)), false);
		break;
	case 2:
		fake.vmcs[VMCS_GUEST_RFLAGS] ^= RFLAGS_IF;
		fake.vmcs[VMCS_GUEST_INTERRUPTIBILITY] &= ~(u64)GUEST_INTR_BLOCKED_BY_STI;
		break;
	case 3: /* IRET */
		fake.vmcs[VMCS_GUEST_INTERRUPTIBILITY] = 0;
		break;
	case 4:
		fake.vmcs[VMCS_GUEST_INTERRUPTIBILITY] |= GUEST_INTR_BLOCKED_BY_MOV_SS;
		break;
	default: /* the instruction after it */
		fake.vmcs[VMCS_GUEST_INTERRUPTIBILITY] &= ~INTERRUPT_SHADOW;
	}
}

static u32 random_exception(void)
{
	static const u8 v[] = { EXC_DE, EXC_UD, EXC_NM, EXC_TS, EXC_NP,
				EXC_SS, EXC_GP, EXC_PF, EXC_AC, EXC_DB };

	return v[test_rng() % ARRAY_SIZE(v)];
}

/* An event of the guest's own: its instruction raises it, the CPU starts to deliver it. */
static u32 guest_event(void)
{
	u32 vector = random_exception();

	m.error = has_code(vector) ? (u32)test_rng() & 0xfff8 & 0x7fff : 0;
	m.len = 1 + (u32)(test_rng() % 15);
	switch (test_rng() % 4) {
	case 0:
		return event(INTR_TYPE_SOFT_INT, (u32)test_rng() & 0xff, false);
	case 1:
		return event(INTR_TYPE_SOFT_EXCEPTION, test_rng() % 2 ? EXC_BP : EXC_OF, false);
	case 2:
		return event(INTR_TYPE_PRIV_SOFT_EXCEPTION, EXC_DB, false);
	default:
		return event(INTR_TYPE_HARD_EXCEPTION, vector, has_code(vector));
	}
}

static void delivered(u32 info)
{
	if (type_of(info) == INTR_TYPE_NMI) {
		m.nmis_seen++;
		fake.vmcs[VMCS_GUEST_INTERRUPTIBILITY] |= GUEST_INTR_BLOCKED_BY_NMI;
	} else if (type_of(info) == INTR_TYPE_EXTERNAL) {
		m.irqs_seen++;
		vlapic_write(vp, APIC_EOI, 0);
	}
}

/* The CPU takes over an injection: NMIs and interrupts are no longer pending. */
static void taken(u32 info)
{
	fake.vmcs[VMCS_VM_ENTRY_INTR_INFO] = 0;
	if (type_of(info) == INTR_TYPE_NMI)
		m.nmis--;
	for (u32 i = 0; i < IRQS; i++) {
		if (type_of(info) == INTR_TYPE_EXTERNAL && (info & 0xff) == IRQ(i))
			m.irq[i] = false;
	}
}

static u32 enter(void)
{
	event_prepare_entry(vp);
	if (!(injected() & INTR_INFO_VALID))
		return 0;
	expect_valid_injection(injected());
	return injected();
}

/* Windows are open exactly while something waits that this entry does not carry. That for NMIs may
 * open for ever in the shadow of STI, so the other one stands in for it. */
static void expect_windows(u32 info)
{
	bool irq = false, nmi = m.nmis > (info != 0 && type_of(info) == INTR_TYPE_NMI);

	for (u32 i = 0; i < IRQS; i++)
		irq |= m.irq[i] && (type_of(info) != INTR_TYPE_EXTERNAL || info == 0 ||
				    (info & 0xff) != IRQ(i));
	if (nmi && (blocking() & GUEST_INTR_BLOCKED_BY_STI) &&
	    !(blocking() & GUEST_INTR_BLOCKED_BY_NMI)) {
		EXPECT_TRUE(fake.vmcs[VMCS_GUEST_RFLAGS] & RFLAGS_IF);
		nmi = false;
		irq = true;
	}
	EXPECT_EQ(nmi, (vp->ctx->word[CTX_PROC] & PROC_NMI_WINDOW_EXITING) != 0);
	if (type_of(info) != INTR_TYPE_EXTERNAL || info == 0) /* nothing is in service */
		EXPECT_EQ(irq, (vp->ctx->word[CTX_PROC] & PROC_INTERRUPT_WINDOW_EXITING) != 0);
}

/*
 * The delivery of @info ends in an exit, again and again. Its handler restarts it, or raises a
 * fault of its own (a task gate, a stack in the region, ...). False: the guest shut down.
 */
static bool deliver_with_exits(u32 info)
{
	while (test_rng() % 3 == 0) {
		u32 want = info, fault = random_exception();
		bool raise = test_rng() % 4 == 0;

		fake.vmcs[VMCS_IDT_VECTORING_INFO] = info;
		fake.vmcs[VMCS_IDT_VECTORING_ERROR_CODE] = m.error;
		fake.vmcs[VMCS_VM_EXIT_INSTRUCTION_LENGTH] = m.len;
		if (type_of(info) == INTR_TYPE_NMI)
			fake.vmcs[VMCS_GUEST_INTERRUPTIBILITY] |= GUEST_INTR_BLOCKED_BY_NMI;
		event_vectoring(vp);
		if (raise) {
			want = together(info, fault);
			event_exception(vp, (u8)fault, has_code(fault), 0x28);
			m.error = (want & 0xff) == EXC_DF ? 0 : 0x28;
			m.nmis += type_of(info) == INTR_TYPE_NMI; /* it waits again */
			m.irqs_lost += type_of(info) == INTR_TYPE_EXTERNAL;
			if (type_of(info) == INTR_TYPE_EXTERNAL)
				vlapic_write(vp, APIC_EOI, 0);
		}
		if (test_rng() % 2) { /* it waits its turn */
			nmi_arrives(type_of(want) == INTR_TYPE_NMI);
		}
		if (want == 0) {
			EXPECT_TRUE(vp->event.triple_fault);
			return false;
		}
		EXPECT_EQ(want, enter());
		EXPECT_EQ(m.nmis != 0, (vp->ctx->word[CTX_PROC] & PROC_NMI_WINDOW_EXITING) != 0);
		if (want & INTR_INFO_ERROR_CODE_VALID)
			EXPECT_EQ(m.error, fake.vmcs[VMCS_VM_ENTRY_EXCEPTION_ERROR_CODE]);
		if (type_of(want) >= INTR_TYPE_SOFT_INT)
			EXPECT_EQ(m.len, fake.vmcs[VMCS_VM_ENTRY_INSTRUCTION_LENGTH]);
		fake.vmcs[VMCS_VM_ENTRY_INTR_INFO] = 0;
		info = want;
	}
	delivered(info);
	return true;
}

/* One guest event or one entry. */
static void step(void)
{
	u32 info;

	something_arrives();
	if (test_rng() % 4 == 0) {
		if (!deliver_with_exits(guest_event()))
			init();
		return;
	}
	info = enter();
	expect_windows(info);
	if (info == 0)
		return;
	taken(info);
	m.len = 0;
	m.error = 0;
	if (!deliver_with_exits(info))
		init();
}

/* Everything open: what still waits comes now. */
static void drain(void)
{
	for (u32 i = 0; i < 100; i++) {
		u32 info;

		fake.vmcs[VMCS_GUEST_INTERRUPTIBILITY] = 0;
		fake.vmcs[VMCS_GUEST_RFLAGS] |= RFLAGS_IF;
		info = enter();
		if (info == 0)
			break;
		taken(info);
		delivered(info);
	}
	EXPECT_EQ(m.nmis_wanted, m.nmis_seen);
	EXPECT_EQ(m.irqs_wanted, m.irqs_seen + m.irqs_lost);
	EXPECT_EQ(0, vp->ctx->word[CTX_PROC] &
			     (PROC_INTERRUPT_WINDOW_EXITING | PROC_NMI_WINDOW_EXITING));
}

static void test_random_deliveries_follow_the_model(void)
{
	u32 nmis = 0, irqs = 0;

	for (u32 run = 0; run < 300; run++) {
		init();
		for (u32 i = 0; i < 200; i++)
			step();
		drain();
		nmis += m.nmis_seen;
		irqs += m.irqs_seen;
	}
	EXPECT_GE(nmis, 1000);
	EXPECT_GE(irqs, 1000);
}

/* Each pair of exceptions once, whatever the random runs meet. */
static void test_every_pair_merges_as_the_table_says(void)
{
	for (u32 first = 0; first < EXC_COUNT; first++) {
		for (u32 second = 0; second < EXC_COUNT; second++) {
			u32 info = event(INTR_TYPE_HARD_EXCEPTION, first, has_code(first));
			u32 want = together(info, second);

			if (first == EXC_NMI || second == EXC_NMI || first >= EXC_MC ||
			    second >= EXC_MC || second == EXC_DF)
				continue;
			init();
			fake.vmcs[VMCS_IDT_VECTORING_INFO] = info;
			event_vectoring(vp);
			event_exception(vp, (u8)second, has_code(second), 0);
			EXPECT_EQ(want == 0, vp->event.triple_fault);
			if (want != 0)
				EXPECT_EQ(want, enter());
		}
	}
}

TEST_MAIN(TEST(test_random_deliveries_follow_the_model),
	  TEST(test_every_pair_merges_as_the_table_says))
