/* SPDX-License-Identifier: BSD-2-Clause */
/* core/apic/vlapic_msr.c and vlapic_mode.c: which accesses fault in which mode; transitions. */
#include "arch/x86/defs/msr.h"
#include "arch/x86/defs/vmcs.h"
#include "tests/host/fakes/fake.h"
#include "tests/host/models/apic_model.h"
#include "tests/host/models/apic_vp.h"

#define VP (&at.vp[0])
#define EN APIC_BASE_EN
#define X2 (APIC_BASE_EN | APIC_BASE_EXTD)

/* SDM "Local APIC Register Address Map Supported by x2APIC": r, w, b(oth) per MSR. */
static const char *access_of(u32 msr)
{
	switch (msr) {
	case 0x802:
	case 0x803:
	case 0x80a:
	case 0x80d:
	case 0x839:
		return "r";
	case 0x80b:
	case 0x83f:
		return "w";
	case 0x808:
	case 0x80f:
	case 0x828:
	case 0x82f:
	case 0x830:
	case 0x832:
	case 0x833:
	case 0x834:
	case 0x835:
	case 0x836:
	case 0x837:
	case 0x838:
	case 0x83e:
		return "b";
	default:
		return msr >= 0x810 && msr <= 0x827 ? "r" : "";
	}
}

static void test_x2apic_access_map(void)
{
	for (u32 msr = 0x800; msr <= 0x8ff; msr++) {
		const char *access = access_of(msr);
		u64 val;

		apic_test_init(1, false);
		apic_test_mode(VP, '2');
		EXPECT_CALL(*access == 'r' || *access == 'b' ? MSR_OK : MSR_GP,
			    apic_test_rdmsr(VP, msr, &val));
		EXPECT_CALL(*access == 'w' || *access == 'b' ? MSR_OK : MSR_GP,
			    apic_test_wrmsr(VP, msr, 0));
	}
}

static void test_x2apic_msrs_fault_in_other_modes(void)
{
	static const char modes[] = { '0', 'x' };
	u64 val;

	for (u32 m = 0; m < 2; m++) {
		apic_test_init(1, false);
		apic_test_mode(VP, modes[m]);
		for (u32 msr = 0x800; msr <= 0x8ff; msr++) {
			EXPECT_CALL(MSR_GP, apic_test_rdmsr(VP, msr, &val));
			EXPECT_CALL(MSR_GP, apic_test_wrmsr(VP, msr, 0));
		}
	}
}

static void test_reserved_bits_fault(void)
{
	static const struct {
		u32 msr;
		u64 valid; /* bits that may be 1 */
	} rows[] = {
		{ 0x808, 0xff },       { 0x80b, 0 },       { 0x80f, 0x13ff },
		{ 0x828, 0 },          { 0x82f, 0x117ff }, { 0x830, 0xffffffff000cdfff },
		{ 0x832, 0x710ff },    { 0x833, 0x117ff }, { 0x834, 0x117ff },
		{ 0x835, 0x1f7ff },    { 0x836, 0x1f7ff }, { 0x837, 0x110ff },
		{ 0x838, 0xffffffff }, { 0x83e, 0xb },     { 0x83f, 0xff },
	};

	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		for (u32 bit = 0; bit < 64; bit++) {
			apic_test_init(1, false);
			apic_test_mode(VP, '2');
			vlapic_write(VP, APIC_SVR, 0x1ff);
			EXPECT_CALL((rows[i].valid >> bit) & 1 ? MSR_OK : MSR_GP,
				    apic_test_wrmsr(VP, rows[i].msr, 1ull << bit));
		}
	}
}

static void test_icr_is_64_bits_wide(void)
{
	u64 val;

	apic_test_init(1, false);
	apic_test_mode(VP, '2');
	EXPECT_CALL(MSR_OK, apic_test_wrmsr(VP, 0x830, 0x123456780000c0feull));
	EXPECT_CALL(MSR_OK, apic_test_rdmsr(VP, 0x830, &val));
	EXPECT_EQ(0x123456780000c0feull, val);
}

static void test_self_ipi(void)
{
	apic_test_init(1, false);
	apic_test_mode(VP, '2');
	vlapic_write(VP, APIC_SVR, 0x1ff);
	EXPECT_CALL(MSR_OK, apic_test_wrmsr(VP, 0x83f, 0x45));
	EXPECT_EQ(0x45, vlapic_pending_vector(VP));
	EXPECT_EQ(0, vlapic_reg(&VP->apic, APIC_ICR)); /* the ICR is not touched */
	EXPECT_CALL(MSR_OK, apic_test_wrmsr(VP, 0x83f, 0x05));
	EXPECT_CALL(MSR_OK, apic_test_wrmsr(VP, 0x828, 0));
	EXPECT_EQ(APIC_ESR_SEND_ILLEGAL | APIC_ESR_RECEIVE_ILLEGAL, vlapic_read(VP, APIC_ESR));
}

static void test_x2apic_id_and_ldr(void)
{
	u64 val;

	apic_test_init(1, false);
	VP->apic_id = 0x12345;
	apic_test_mode(VP, '2');
	EXPECT_CALL(MSR_OK, apic_test_rdmsr(VP, 0x802, &val));
	EXPECT_EQ(0x12345, val);
	EXPECT_CALL(MSR_OK, apic_test_rdmsr(VP, 0x80d, &val));
	EXPECT_EQ(0x12340020, val);
}

static u64 state_bits(u32 state)
{
	static const u64 bits[] = { 0, EN, X2, APIC_BASE_EXTD };

	return bits[state];
}

static void test_base_transitions(void)
{
	/* from disabled, xAPIC, x2APIC to disabled, xAPIC, x2APIC, invalid */
	static const bool legal[3][4] = { { true, true, false, false },
					  { true, true, true, false },
					  { true, false, true, false } };
	static const char modes[] = { '0', 'x', '2' };

	for (u32 from = 0; from < 3; from++) {
		for (u32 to = 0; to < 4; to++) {
			u64 old;

			apic_test_init(1, false);
			apic_test_mode(VP, modes[from]);
			old = VP->apic.base_msr;
			EXPECT_CALL(legal[from][to] ? MSR_OK : MSR_GP,
				    apic_test_wrmsr(VP, MSR_IA32_APIC_BASE,
						    APIC_BASE_DEFAULT | state_bits(to)));
			if (!legal[from][to])
				EXPECT_EQ(old, VP->apic.base_msr);
			else
				EXPECT_EQ(APIC_BASE_DEFAULT | state_bits(to) | APIC_BASE_BSP,
					  VP->apic.base_msr);
		}
	}
}

static void test_base_reserved_bits(void)
{
	for (u32 bit = 0; bit < 64; bit++) {
		bool valid = bit == 8 || bit == 11 || (bit >= 12 && bit < 40);

		apic_test_init(1, false);
		at.p.machine.x2apic = false;
		EXPECT_CALL(valid ? MSR_OK : MSR_GP,
			    apic_test_wrmsr(VP, MSR_IA32_APIC_BASE, EN | 1ull << bit));
	}
}

static void test_bsp_bit_is_not_software_s(void)
{
	apic_test_init(2, false);
	EXPECT_CALL(MSR_OK, apic_test_wrmsr(VP, MSR_IA32_APIC_BASE, APIC_BASE_DEFAULT | EN));
	EXPECT_TRUE(VP->apic.base_msr & APIC_BASE_BSP);
	EXPECT_CALL(MSR_OK, vlapic_write_base(&at.vp[1], APIC_BASE_DEFAULT | EN | APIC_BASE_BSP));
	EXPECT_FALSE(at.vp[1].apic.base_msr & APIC_BASE_BSP);
}

static void test_page_follows_base_and_mode(void)
{
	apic_test_init(1, false);
	EXPECT_EQ(APIC_BASE_DEFAULT | 1, VP->apic.overlay.place);
	EXPECT_CALL(MSR_OK, vlapic_write_base(VP, 0x12345000 | EN));
	EXPECT_EQ(0x12345001, VP->apic.overlay.place);
	EXPECT_CALL(MSR_OK, vlapic_write_base(VP, 0x12345000 | X2));
	EXPECT_EQ(0, VP->apic.overlay.place);
	EXPECT_TRUE(irqhw.x2apic);
	apic_test_mode(VP, '0');
	EXPECT_EQ(0, VP->apic.overlay.place);
	apic_test_mode(VP, 'x');
	EXPECT_EQ(APIC_BASE_DEFAULT | 1, VP->apic.overlay.place);
}

static void into_x2apic_and_back(void)
{
	apic_test_mode(VP, '2');
	EXPECT_TRUE(irqhw.x2apic);
	apic_test_mode(VP, '0');
	EXPECT_TRUE(irqhw.x2apic);
	apic_test_mode(VP, 'x');
	vlapic_write(VP, APIC_SVR, 0x1ff);
	vlapic_write(VP, APIC_LDR, 1u << 24);
	vlapic_write(VP, APIC_DFR, APIC_DFR_CLUSTER);
	vlapic_write(VP, APIC_LVT_LINT0, APIC_MODE_EXTINT << 8);
}

/* I7: a device's xAPIC logical destination must find the physical APIC. The model judges how. */
static void test_physical_apic_follows_back_to_xapic(void)
{
	apic_test_init(1, false);
	model_rte(0, 0x42, true, false);
	into_x2apic_and_back();
	EXPECT_FALSE(irqhw.x2apic);
	EXPECT_FALSE(VP->fwd.phys_x2apic);
	EXPECT_EQ(1u << 24, irqhw.reg[APIC_LDR >> 4]);
	EXPECT_EQ(APIC_DFR_CLUSTER, irqhw.reg[APIC_DFR >> 4]);
	EXPECT_EQ(0x1ff, irqhw.reg[APIC_SVR >> 4]);
	EXPECT_EQ(APIC_MODE_EXTINT << 8, irqhw.reg[APIC_LVT_LINT0 >> 4]);
	EXPECT_EQ(APIC_LVT_MASKED, irqhw.reg[APIC_LVT_TIMER >> 4]);
	EXPECT_EQ(0, VP->kicked);
}

/* A line that comes while the guest's APIC is off: held on, given back, and not lost after. */
static void test_back_to_xapic_gives_a_level_vector_back(void)
{
	apic_test_init(1, false);
	model_rte(0, 0x42, true, false);
	apic_test_mode(VP, '2');
	vlapic_write(VP, APIC_SVR, 0x1ff);
	apic_test_mode(VP, '0');
	model_line(0, true);
	EXPECT_TRUE(model_exit(false)); /* accepted by the virtual wire, held */
	apic_test_mode(VP, 'x');
	EXPECT_FALSE(irqhw.x2apic);
	EXPECT_FALSE(irqhw.pin[0].remote_irr);
	EXPECT_EQ(-1, vlapic_pending_vector(VP));
	vlapic_write(VP, APIC_SVR, 0x1ff); /* the line is still up */
	EXPECT_TRUE(model_exit(false));
	EXPECT_EQ(0x42, vlapic_pending_vector(VP));
}

/* xAPIC-only registers must not reach it then: the model checks. */
static void test_physical_apic_stays_in_x2apic(void)
{
	apic_test_init(1, false);
	at.p.machine.is_bochs = true;
	into_x2apic_and_back();
	EXPECT_TRUE(irqhw.x2apic);
	apic_test_init(1, false);
	irqhw.x2apic_locked = true;
	into_x2apic_and_back();
	EXPECT_TRUE(irqhw.x2apic);
	EXPECT_TRUE(VP->fwd.phys_x2apic);
	apic_test_init(2, false);
	at.vp[1].apic_id = 255; /* no kick could reach it from xAPIC mode */
	into_x2apic_and_back();
	EXPECT_TRUE(irqhw.x2apic);
}

static void expect_logical_id(u32 ldr, u32 dfr)
{
	EXPECT_EQ(ldr << 24, irqhw.reg[APIC_LDR >> 4]);
	EXPECT_EQ(dfr, irqhw.reg[APIC_DFR >> 4]);
}

/* No interrupt remapping: a device's 8-bit logical destination is extended with zeroes, so that it
 * names members of cluster 0. The physical APIC, in xAPIC mode, answers to the same ones. */
static void test_x2apic_over_physical_xapic(void)
{
	static const struct {
		u32 id, ldr;
	} cpus[] = { { 0, 0x01 }, { 5, 0x20 }, { 7, 0x80 }, { 8, 0 },
		     { 15, 0 },   { 16, 0 },   { 33, 0 } };

	for (size_t i = 0; i < ARRAY_SIZE(cpus); i++) {
		apic_test_init(1, false);
		at.p.machine.phys_x2apic = false;
		VP->apic_id = cpus[i].id;
		vlapic_write(VP, APIC_SVR, 0x1ff);
		vlapic_write(VP, APIC_LDR, 0x42u << 24);
		vlapic_write(VP, APIC_DFR, APIC_DFR_CLUSTER);
		apic_test_mode(VP, '2');
		EXPECT_TRUE(vlapic_is_x2apic(&VP->apic));
		EXPECT_FALSE(irqhw.x2apic || VP->fwd.phys_x2apic);
		EXPECT_EQ(x2apic_ldr(cpus[i].id), vlapic_read(VP, APIC_LDR));
		expect_logical_id(cpus[i].ldr, APIC_DFR_FLAT);
		EXPECT_EQ(0x1ff, irqhw.reg[APIC_SVR >> 4]);
		vlapic_reset(VP, true); /* INIT: the mode stays */
		EXPECT_TRUE(vlapic_is_x2apic(&VP->apic));
		expect_logical_id(cpus[i].ldr, APIC_DFR_FLAT);
		apic_test_mode(VP, '0');
		EXPECT_EQ(0, irqhw.reg[APIC_LDR >> 4]);
		apic_test_mode(VP, 'x');
		vlapic_write(VP, APIC_LDR, 0x42u << 24);
		vlapic_write(VP, APIC_DFR, APIC_DFR_CLUSTER);
		expect_logical_id(0x42, APIC_DFR_CLUSTER);
	}
}

/* Interrupts of devices reach it, edge and level, and their ends reach the device. */
static void test_devices_of_an_x2apic_over_physical_xapic(void)
{
	apic_test_init(1, false);
	at.p.machine.phys_x2apic = false;
	model_rte(0, 0x42, true, false);
	apic_test_mode(VP, '2');
	vlapic_write(VP, APIC_SVR, 0x1ff);
	model_line(0, true);
	EXPECT_TRUE(model_exit(false));
	EXPECT_EQ(0x42, vlapic_pending_vector(VP));
	EXPECT_TRUE(irqhw.pin[0].remote_irr);
	model_line(0, false);
	apic_test_mode(VP, '0');
	EXPECT_FALSE(irqhw.pin[0].remote_irr);
	EXPECT_EQ(0, VP->kicked);
}

/* A CPU that was given up while it came: its index is another VP's by now. */
static void test_page_of_a_dropped_vp_is_not_noted(void)
{
	apic_test_init(2, false);
	apic_page_remap(&at.vp[1]);
	EXPECT_EQ(APIC_BASE_DEFAULT | 1, at.vp[1].apic.overlay.place);
	partition_drop_last_vp(&at.p);
	EXPECT_EQ(0, at.vp[1].apic.overlay.place);
	apic_page_remap(&at.vp[1]);
	EXPECT_EQ(0, at.vp[1].apic.overlay.place);
}

static void test_x2apic_keeps_state_and_disable_loses_it(void)
{
	apic_test_init(1, false);
	vlapic_write(VP, APIC_TPR, 0x30);
	vlapic_set_irr(VP, 0x71, false);
	apic_test_mode(VP, '2');
	EXPECT_EQ(0x30, vlapic_read(VP, APIC_TPR));
	EXPECT_EQ(0x71, vlapic_pending_vector(VP));
	apic_test_mode(VP, '0');
	EXPECT_EQ(-1, vlapic_pending_vector(VP));
	EXPECT_FALSE(vlapic_is_hw_enabled(&VP->apic));
	apic_test_mode(VP, 'x');
	EXPECT_EQ(0, vlapic_read(VP, APIC_TPR));
	EXPECT_EQ(0xff, vlapic_read(VP, APIC_SVR));
	EXPECT_EQ(0, vlapic_read(VP, APIC_ID));
}

/* --- What the CPU does by itself --- */

static bool exits(u32 msr, bool write)
{
	return (at.msr_bitmap[(write ? 2048 : 0) + msr / 8] >> (msr % 8)) & 1;
}

static void all_virtual(char mode)
{
	apic_test_init(1, true);
	at.p.machine.virt_x2apic = true;
	memset(at.msr_bitmap, 0xff, sizeof(at.msr_bitmap));
	apic_test_mode(VP, mode);
	vlapic_write(VP, APIC_SVR, 0x1ff);
}

/* The CPU never faults an access that does not exit. */
static void test_accesses_that_fault_exit(void)
{
	for (u32 msr = 0x800; msr <= 0x8ff; msr++) {
		const char *access = access_of(msr);
		bool changes = msr == 0x80a || msr == 0x839 || (msr >= 0x820 && msr <= 0x827);
		bool reads = *access == 'r' || *access == 'b';

		all_virtual('2');
		EXPECT_EQ(!reads || changes, exits(msr, false));
		EXPECT_EQ(msr != 0x808 && msr != 0x80b && msr != 0x83f, exits(msr, true));
		apic_test_mode(VP, '0');
		EXPECT_TRUE(exits(msr, false) && exits(msr, true));
	}
}

static bool cpu_delivers(void)
{
	bool on = (VP->ctx->word[CTX_PROC2] & PROC2_VIRTUAL_INTR_DELIVERY) != 0;

	EXPECT_EQ(on, VP->apic.vid);
	EXPECT_EQ(VP->ctx->word[CTX_PROC2], hw_vmread(VMCS_PROC_BASED_CTLS2));
	return on;
}

/* Its self-IPIs and its EOIs do not look at the SVR: it must not do them while that says no. */
static void test_cpu_delivers_only_for_an_enabled_apic(void)
{
	static const char modes[] = { 'x', '2' };

	for (u32 i = 0; i < 2; i++) {
		all_virtual(modes[i]);
		EXPECT_TRUE(cpu_delivers());
		vlapic_set_irr(VP, 0x71, false);
		vlapic_set_irr(VP, 0x52, false);
		vlapic_write(VP, APIC_SVR, 0xff);
		EXPECT_FALSE(cpu_delivers());
		EXPECT_TRUE(exits(0x80b, true) && exits(0x83f, true));
		EXPECT_TRUE(apic_test_check_caches(&VP->apic));
		vlapic_set_irr(VP, 0x99, false);
		EXPECT_EQ(0x71, vlapic_pending_vector(VP)); /* the SDM keeps what was pending */
		vlapic_accept(VP, 0x71);
		vlapic_write(VP, APIC_SVR, 0x1ff);
		EXPECT_TRUE(cpu_delivers());
		EXPECT_EQ(0x7152, hw_vmread(VMCS_GUEST_INTERRUPT_STATUS));
		vlapic_reset(VP, true);
		vlapic_mode_changed(VP);
		EXPECT_FALSE(cpu_delivers());
	}
}

TEST_MAIN(TEST(test_x2apic_access_map), TEST(test_x2apic_msrs_fault_in_other_modes),
	  TEST(test_reserved_bits_fault), TEST(test_icr_is_64_bits_wide), TEST(test_self_ipi),
	  TEST(test_x2apic_id_and_ldr), TEST(test_base_transitions), TEST(test_base_reserved_bits),
	  TEST(test_bsp_bit_is_not_software_s), TEST(test_page_follows_base_and_mode),
	  TEST(test_physical_apic_follows_back_to_xapic),
	  TEST(test_back_to_xapic_gives_a_level_vector_back),
	  TEST(test_physical_apic_stays_in_x2apic), TEST(test_x2apic_over_physical_xapic),
	  TEST(test_devices_of_an_x2apic_over_physical_xapic),
	  TEST(test_x2apic_keeps_state_and_disable_loses_it),
	  TEST(test_page_of_a_dropped_vp_is_not_noted), TEST(test_accesses_that_fault_exit),
	  TEST(test_cpu_delivers_only_for_an_enabled_apic))
