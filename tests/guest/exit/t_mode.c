// SPDX-License-Identifier: BSD-2-Clause
// Real mode, 32-bit protected mode, PAE paging and compatibility mode under the hypervisor.

#include "arch/x86/defs/cr.h"
#include "core/lib/bits.h"
#include "tests/guest/groups.h"
#include "tests/guest/lib/apic.h"
#include "tests/guest/lib/boot.h"
#include "tests/guest/lib/cpu.h"
#include "tests/guest/lib/modes.h"
#include "tests/guest/lib/platform.h"
#include "tests/guest/lib/str.h"

extern u64 page_pd[2048];

static struct mailbox *mail_clear(void)
{
	struct mailbox *mail = mode_mail();

	memset(mail, 0, sizeof(*mail));
	return mail;
}

static void expect_regs(const struct mailbox *mail, u64 cr0)
{
	struct cpuid_regs r = cpuid(0);

	EXPECT_EQ(r.a, mail->out[0]);
	EXPECT_EQ(r.b, mail->out[1]);
	EXPECT_EQ(r.c, mail->out[2]);
	EXPECT_EQ(r.d, mail->out[3]);
	EXPECT_EQ(cpuid(1).c, mail->out[4]);
	EXPECT_EQ(rdmsr(MSR_IA32_APIC_BASE), (u64)mail->out[6] << 32 | mail->out[5]);
	EXPECT_EQ(cr0, mail->out[7]);
}

static void mode_compat(void)
{
	struct mailbox *mail = mail_clear();

	mode_run(MODE_COMPAT, cm_regs);
	expect_regs(mail, 0x80010033);
	EXPECT_EQ(EFER_LMA | EFER_LME, mail->out[9] & (EFER_LMA | EFER_LME));
}

static void mode_pm32(void)
{
	struct mailbox *mail = mail_clear();

	mode_run(MODE_PM32, pm_regs);
	expect_regs(mail, 0x00010033);
	EXPECT_EQ(0, mail->out[9] & (EFER_LMA | EFER_LME));
	EXPECT_EQ(EFER_LMA | EFER_LME, rdmsr(MSR_IA32_EFER) & (EFER_LMA | EFER_LME));
}

static void mode_real(void)
{
	struct mailbox *mail = mail_clear();

	for (u32 i = 0; i < 5; i++) {
		mode_run(MODE_REAL, rm_regs);
		expect_regs(mail, 0x00010032);
		EXPECT_EQ(0, mail->out[9] & (EFER_LMA | EFER_LME));
	}
}

/* Back to long mode with CR0.CD changing in the very write that sets PG: that write exits. */
static void mode_long_with_cd(void)
{
	struct mailbox *mail = mail_clear();

	mail->cr0_or = CR0_CD;
	mode_run(MODE_PM32, pm_nop);
	EXPECT_EQ(0x80010033 | CR0_CD, read_cr0());
	EXPECT_EQ(EFER_LMA | EFER_LME, rdmsr(MSR_IA32_EFER) & (EFER_LMA | EFER_LME));
	write_cr0(0x80010033);
	mail->cr0_or = 0;
	write_cr0(0x80010033 | CR0_CD);
	mode_run(MODE_PM32, pm_nop); /* leaves with CD set, comes back with it clear */
	EXPECT_EQ(0x80010033, read_cr0());
}

static void mode_real_interrupts(void)
{
	struct mailbox *mail = mail_clear();

	mode_run(MODE_REAL, rm_int);
	EXPECT_EQ(1, mail->out[0]);
	EXPECT_EQ(1, mail->out[1]);
	EXPECT_EQ(1, mail->out[2]);
	EXPECT_EQ(1, mail->out[3]);
	EXPECT_EQ(1, mail->out[4]);
}

static void mode_real_irq(void)
{
	struct mailbox *mail = mail_clear();

	apic_self_ipi(0x62);
	mode_run(MODE_REAL, rm_irq);
	EXPECT_EQ(1, mail->out[0]);
	EXPECT_EQ(1, mail->out[1]);
	EXPECT_TRUE(apic_in_service(0x62));
	apic_eoi();
}

static void mode_real_hlt(void)
{
	struct mailbox *mail = mail_clear();

	apic_self_ipi(0x62);
	mode_run(MODE_REAL, rm_hlt);
	EXPECT_EQ(1, mail->out[0]);
	EXPECT_EQ(1, mail->out[1]);
	apic_eoi();
	apic_timer(APIC_TIMER_TSC_DEADLINE, 0x62, APIC_TDCR_BY_1);
	apic_deadline(rdtsc() + us_to_tsc(500));
	mode_run(MODE_REAL, rm_hlt);
	EXPECT_EQ(1, mail->out[0]);
	apic_eoi();
}

static void mode_real_pic(void)
{
	struct mailbox *mail = mail_clear();

	apic_write(APIC_LVT_LINT0, (u32)FIELD_PREP(APIC_LVT_MODE, APIC_MODE_EXTINT));
	pic_unmask(0);
	pit_oneshot(2000);
	mode_run(MODE_REAL, rm_pic);
	EXPECT_EQ(1, mail->out[0]);
}

static void mode_real_step(void)
{
	struct mailbox *mail = mail_clear();

	mode_run(MODE_REAL, rm_step);
	EXPECT_EQ(3, mail->out[0]);
	EXPECT_EQ(2, mail->out[1]);
	EXPECT_EQ(4, mail->out[2]);
	EXPECT_EQ(5, mail->out[3]);
}

static void mode_real_bios(void)
{
	struct mailbox *mail = mail_clear();

	mode_run(MODE_REAL, rm_bios);
	EXPECT_GE(mail->out[0] & 0xffff, 600);
	EXPECT_LE(mail->out[0] & 0xffff, 640);
	EXPECT_EQ(80, (mail->out[1] >> 8) & 0xff);
	EXPECT_EQ(3, mail->out[1] & 0x7f);
}

static bool int15(struct mailbox *mail, u32 ax, u32 bx, u32 cx)
{
	mail_clear();
	mail->in[0] = ax;
	mail->in[1] = bx;
	mail->in[2] = cx;
	mode_run(MODE_REAL, rm_int15);
	return (mail->out[4] & RFLAGS_CF) == 0;
}

/* What the BIOS says of memory is what the loader said: the region is in neither. */
static void mode_real_int15(void)
{
	struct mailbox *mail = mode_mail();
	u64 region, len;
	u32 next = 0, n = 0;

	REQUIRE(boot_hv_region(&region, &len));
	do {
		const u32 *e = &mail->out[8];

		EXPECT_TRUE(int15(mail, 0xe820, next, 20));
		EXPECT_EQ(SMAP, mail->out[0]);
		EXPECT_EQ(20, mail->out[2]);
		EXPECT_EQ(boot.mmap[n].base, e[0] | (u64)e[1] << 32);
		EXPECT_EQ(boot.mmap[n].len, e[2] | (u64)e[3] << 32);
		EXPECT_EQ(boot.mmap[n].type, e[4]);
		next = mail->out[1];
		n++;
	} while (next != 0 && n < boot.mmap_count);
	EXPECT_EQ(0, next);
	EXPECT_EQ(boot.mmap_count, n);
	EXPECT_TRUE(int15(mail, 0xe801, 0, 0));
	EXPECT_LE(MIB(16) + ((u64)mail->out[1] & 0xffff) * KIB(64), region);
	EXPECT_TRUE(int15(mail, 0x8800, 0, 0));
	EXPECT_LE(MIB(1) + ((u64)mail->out[0] & 0xffff) * KIB(1), region);
	mail_clear();
	mode_run(MODE_REAL, rm_bios);
	EXPECT_EQ(boot.mem_lower, mail->out[0] & 0xffff);
}

/* "Unreal" mode: the hidden limit of DS survives the switch and exits. */
static void mode_real_unreal(void)
{
	struct mailbox *mail = mail_clear();
	static volatile u32 word = 0x600dda7a;

	mail->in[0] = (u32)(uintptr_t)&word;
	mode_run(MODE_REAL, rm_unreal);
	EXPECT_EQ(word, mail->out[0]);
	EXPECT_EQ(word, mail->out[1]);
}

static void mode_real_string_io(void)
{
	struct mailbox *mail = mail_clear();
	u8 val = inb(0x92);

	mail->in[0] = 0x92;
	mode_run(MODE_REAL, rm_io);
	EXPECT_EQ(val * 0x01010101u, mail->out[0]);
	EXPECT_EQ(0, mail->out[1]);
	EXPECT_EQ(4, mail->out[2]);
}

static void mode_pm32_interrupts(void)
{
	struct mailbox *mail = mail_clear();

	apic_self_ipi(0x62);
	mode_run(MODE_PM32, pm_int);
	EXPECT_EQ(1, mail->out[0]);
	EXPECT_EQ(1, mail->out[1]);
	EXPECT_EQ(1, mail->out[2]);
	apic_eoi();
}

#define MAGIC_WORD 0x9ae9a11eu
static volatile u32 magic_word = MAGIC_WORD;

static void pae_run(u32 cr0_xor)
{
	struct mailbox *mail = mail_clear();
	u64 *pdpt = (u64 *)(uintptr_t)(LOW_BASE + LOW_TABLES);
	u32 pd = (u32)(uintptr_t)page_pd | 1; /* PAE PDPTEs: no W, U bits */

	memset(pdpt, 0, 4096);
	pdpt[0] = pd;
	pdpt[1] = pd;
	mail->in[0] = LOW_BASE + LOW_TABLES;
	mail->in[1] = cr0_xor;
	mail->in[2] = pd;
	mail->in[4] = (u32)(uintptr_t)&magic_word;
	mode_run(MODE_PM32, pm_pae);
	EXPECT_EQ(MAGIC_WORD, mail->out[0]);
	EXPECT_EQ(MAGIC_WORD, mail->out[1]); /* entries are registers, not memory */
	EXPECT_EQ(MAGIC_WORD, mail->out[2]); /* MOV to CR0 that changes CD reloads them */
	EXPECT_EQ(0xfa171717, mail->out[3]);
	EXPECT_EQ(GIB(1) + mail->in[4], mail->out[17]);
	EXPECT_EQ(1, mail->out[16]);
}

static void mode_pae(void)
{
	pae_run(0);
}

static void mode_pae_with_cd(void)
{
	pae_run((u32)CR0_CD);
}

static void mode_32bit_paging(void)
{
	struct mailbox *mail = mail_clear();
	u32 *pd = (u32 *)(uintptr_t)(LOW_BASE + LOW_TABLES + 0x1000);

	for (u32 i = 0; i < 1024; i++)
		pd[i] = i << 22 | 0x83;
	pd[512] = ((u32)(uintptr_t)&magic_word & 0xffc00000) | 0x83;
	mail->in[0] = (u32)(uintptr_t)pd;
	mail->in[1] = 512u << 22 | ((u32)(uintptr_t)&magic_word & 0x3fffff);
	mode_run(MODE_PM32, pm_pse);
	EXPECT_EQ(MAGIC_WORD, mail->out[0]);
	EXPECT_EQ(cpuid(0).b, mail->out[1]);
}

static const struct test t_mode_tests[] = {
	{ .name = "mode_compat", .run = mode_compat },
	{ .name = "mode_pm32", .run = mode_pm32 },
	{ .name = "mode_pm32_interrupts", .run = mode_pm32_interrupts },
	{ .name = "mode_32bit_paging", .run = mode_32bit_paging },
	{ .name = "mode_pae", .run = mode_pae },
	{ .name = "mode_pae_with_cd", .run = mode_pae_with_cd },
	{ .name = "mode_long_with_cd", .run = mode_long_with_cd },
	{ .name = "mode_real", .run = mode_real },
	{ .name = "mode_real_interrupts", .run = mode_real_interrupts },
	{ .name = "mode_real_irq", .run = mode_real_irq },
	{ .name = "mode_real_hlt", .run = mode_real_hlt },
	{ .name = "mode_real_pic", .run = mode_real_pic },
	{ .name = "mode_real_step", .run = mode_real_step },
	{ .name = "mode_real_bios", .run = mode_real_bios },
	{ .name = "mode_real_int15", .run = mode_real_int15, .flags = T_KENSHO },
	{ .name = "mode_real_unreal", .run = mode_real_unreal },
	{ .name = "mode_real_string_io", .run = mode_real_string_io },
};
TEST_GROUP(t_mode);
