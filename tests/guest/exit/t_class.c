// SPDX-License-Identifier: BSD-2-Clause
// Every class of instruction that the hypervisor emulates, four times: single-stepped, with
// breakpoints on it and on the next one, in the shadow of STI, and in that of MOV SS. Whatever
// emulates it, it must end like an instruction of the CPU.

#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/vector.h"
#include "core/lib/bits.h"
#include "tests/guest/groups.h"
#include "tests/guest/lib/apic.h"
#include "tests/guest/lib/boot.h"
#include "tests/guest/lib/cpu.h"
#include "tests/guest/lib/platform.h"

#define VEC             0x53
#define KVM_SYSTEM_TIME 0x4b564d01

struct operands {
	u64 a, c, d, s, di;
};

enum probe { STEP, BREAKPOINT, AFTER_STI, AFTER_MOV_SS };

static struct {
	u32 count;
	u64 rip[4], dr6[4];
} hit;

static void hit_handler(struct trap_regs *regs)
{
	if (hit.count < ARRAY_SIZE(hit.rip)) {
		hit.rip[hit.count] = regs->rip;
		hit.dr6[hit.count] = read_dr6();
	}
	write_dr6(0xffff0ff0);
	regs->rflags = (regs->rflags | RFLAGS_RF) & ~RFLAGS_TF;
	if (++hit.count >= ARRAY_SIZE(hit.rip))
		write_dr7(DR7_FIXED);
}

static void probe_begin(enum probe probe)
{
	hit.count = 0;
	irq_log_count = 0;
	trap_handle(EXC_DB, hit_handler);
	if (probe >= AFTER_STI)
		apic_self_ipi(VEC);
}

static void probe_end(enum probe probe, const char *text, u64 at, u64 next)
{
	bool ok = true;

	write_dr7(DR7_FIXED);
	switch (probe) {
	case STEP:
		ok = hit.count == 1 && hit.rip[0] == next &&
		     (hit.dr6[0] & (DR6_BS | DR6_B0_B3)) == DR6_BS;
		break;
	case BREAKPOINT:
		ok = hit.count == 2 && hit.rip[0] == at && hit.rip[1] == next &&
		     (hit.dr6[0] & (DR6_BS | DR6_B0_B3)) == DR6_B0 &&
		     (hit.dr6[1] & (DR6_BS | DR6_B0_B3)) == DR6_B1;
		break;
	default:
		ok = irq_log_count == 1 && irq_log[0] == VEC && irq_log_rip[0] == next;
		hit.count = irq_log_count;
		hit.rip[0] = irq_log_rip[0];
	}
	test_expect(ok, text,
		    probe == STEP         ? "TF"
		    : probe == BREAKPOINT ? "RF"
					  : "shadow",
		    (u64)hit.count << 48 | hit.rip[0], next, __FILE__, (int)probe);
}

#define PROBE(probe, before, text)                                                         \
	({                                                                                 \
		u64 a_ = o.a, c_ = o.c, d_ = o.d, s_ = o.s, di_ = o.di, at_, next_;        \
		probe_begin(probe);                                                        \
		asm volatile("lea 775f(%%rip), %[at]; lea 776f(%%rip), %[next]\n\t" before \
			     "775: " text "\n"                                             \
			     "776: nop; nop; cli"                                          \
			     : "+a"(a_), "+c"(c_), "+d"(d_), "+S"(s_),                     \
			       "+D"(di_), [at] "=&r"(at_), [next] "=&r"(next_)             \
			     : [dr7] "r"((u64)(DR7_FIXED | DR7_L0 | DR7_L1))               \
			     : "rbx", "r8", "memory", "cc");                               \
		probe_end(probe, text, at_, next_);                                        \
	})

/* CLASS() - @text with the operands RAX, RCX, RDX, RSI, RDI. */
#define CLASS(text, ...)                                                                       \
	do {                                                                                   \
		const struct operands o = { __VA_ARGS__ };                                     \
		PROBE(STEP, "pushf; orq $0x100, (%%rsp); popf\n", text);                       \
		PROBE(BREAKPOINT, "mov %[at], %%dr0; mov %[next], %%dr1; mov %[dr7], %%dr7\n", \
		      text);                                                                   \
		PROBE(AFTER_STI, "sti\n", text);                                               \
		PROBE(AFTER_MOV_SS, "mov %%ss, %%r8d; sti; mov %%r8d, %%ss\n", text);          \
	} while (0)

static u8 bytes[64] ALIGNED(64);

static void class_native(void)
{
	CLASS("nop", .a = 0);
	CLASS("mov %%rcx, %%rdx", .a = 0);
	CLASS("outb %%al, $0x80", .a = 0);
	CLASS("pause", .a = 0);
	CLASS("rdtsc", .a = 0);
	CLASS("invlpg (%%rdi)", .di = (u64)(uintptr_t)bytes);
}

static void class_registers(void)
{
	u64 cr0 = read_cr0(), cr4 = read_cr4() | CR4_OSXSAVE;

	write_cr4(cr4);
	CLASS("cpuid", .a = 0);
	CLASS("cpuid", .a = 0x40000001);
	CLASS("mov %%rax, %%cr0", .a = cr0 ^ CR0_CD); /* each probe twice: CD on and off */
	CLASS("mov %%rax, %%cr0", .a = cr0);
	CLASS("mov %%cr0, %%rax", .a = 0);
	CLASS("lmsw %%ax", .a = cr0 & 0xf);
	CLASS("smsw %%rax", .a = 0);
	CLASS("clts", .a = 0);
	CLASS("mov %%rax, %%cr3", .a = read_cr3());
	CLASS("mov %%rax, %%cr4", .a = cr4);
	CLASS("mov %%rax, %%cr4", .a = cr4 ^ CR4_PGE);
	CLASS("mov %%rax, %%cr4", .a = cr4);
	CLASS("mov %%rax, %%cr8", .a = 0);
	CLASS("mov %%cr8, %%rax", .a = 0);
	CLASS("mov %%dr6, %%rax", .a = 0);
	CLASS("mov %%rax, %%dr6", .a = 0xffff0ff0);
	CLASS("mov %%rax, %%dr3", .a = 0);
	CLASS("xgetbv", .c = 0);
	CLASS("xsetbv", .a = 1);
	CLASS("wbinvd", .a = 0);
	CLASS("invd", .a = 0);
}

static void class_msr(void)
{
	static const u32 same[] = { MSR_IA32_APIC_BASE,  MSR_IA32_MTRR_DEF_TYPE,
				    MSR_IA32_PAT,        MSR_IA32_TSC_DEADLINE,
				    MSR_IA32_TSC_ADJUST, MSR_IA32_MISC_ENABLE };

	for (u32 i = 0; i < ARRAY_SIZE(same); i++) {
		u64 val;

		if (try_rdmsr(same[i], &val) != NO_FAULT)
			continue; /* the bare emulator has no such register */
		CLASS("rdmsr", .c = same[i]);
		CLASS("wrmsr", .c = same[i], .a = (u32)val, .d = val >> 32);
	}
}

static void class_x2apic(void)
{
	CLASS("rdmsr", .c = X2APIC_MSR(APIC_TPR));
	CLASS("wrmsr", .c = X2APIC_MSR(APIC_TPR));
	CLASS("rdmsr", .c = X2APIC_MSR(APIC_VERSION));
	CLASS("rdmsr", .c = X2APIC_MSR(APIC_TMCCT));
	CLASS("wrmsr", .c = X2APIC_MSR(APIC_TMICT));
	CLASS("wrmsr", .c = X2APIC_MSR(APIC_ESR));
	CLASS("wrmsr", .c = X2APIC_MSR(APIC_EOI));
}

static void class_kvm(void)
{
	CLASS("vmcall", .a = 0x4b1d);
	CLASS("rdmsr", .c = KVM_SYSTEM_TIME);
	CLASS("wrmsr", .c = KVM_SYSTEM_TIME);
}

static void class_io(void)
{
	u64 buf = (u64)(uintptr_t)bytes;

	bytes[32] = (u8)((inb(0x92) | 2u) & ~1u);
	CLASS("inb %%dx, %%al", .d = 0x92);
	CLASS("outb %%al, %%dx", .a = bytes[32], .d = 0x92);
	CLASS("inb $0x64, %%al", .a = 0);
	CLASS("insb", .d = 0x92, .di = buf);
	CLASS("outsb", .d = 0x92, .s = buf + 32);
	CLASS("rep insb", .c = 1, .d = 0x92, .di = buf);
	CLASS("rep outsb", .c = 1, .d = 0x92, .s = buf + 32);
	CLASS("rep insb", .c = 0, .d = 0x92, .di = buf);
}

static void class_apic_page(void)
{
	u64 page = APIC_BASE_DEFAULT, buf = (u64)(uintptr_t)bytes;

	CLASS("movl (%%rcx), %%eax", .c = page + APIC_VERSION);
	CLASS("movl (%%rcx), %%eax", .c = page + APIC_TMCCT);
	CLASS("movl %%eax, (%%rcx)", .c = page + APIC_LDR);
	CLASS("movl $0, (%%rcx)", .c = page + APIC_TPR);
	CLASS("movl $0, (%%rcx)", .c = page + APIC_ESR);
	CLASS("movl $0, (%%rcx)", .c = page + APIC_EOI);
	CLASS("movzbl (%%rcx), %%eax", .c = page + APIC_VERSION);
	CLASS("addl (%%rcx), %%eax", .c = page + APIC_VERSION);
	CLASS("orl %%eax, (%%rcx)", .c = page + APIC_LDR);
	CLASS("testl %%eax, (%%rcx)", .c = page + APIC_VERSION);
	CLASS("xchg %%eax, (%%rcx)", .c = page + APIC_LDR);
	CLASS("stosl", .di = page + APIC_LDR);
	CLASS("movsl", .s = page + APIC_VERSION, .di = buf);
	CLASS("rep movsl", .c = 1, .s = page + APIC_VERSION, .di = buf);
	CLASS("rep stosl", .c = 1, .di = page + APIC_LDR);
}

/* Dropped writes, and those that give the page memory of its own and restart (rule M1). */
static void class_region(void)
{
	u64 at, len, buf = (u64)(uintptr_t)bytes;

	REQUIRE(boot_hv_region(&at, &len));
	write_cr4(read_cr4() | CR4_OSFXSR);
	CLASS("movb %%al, (%%rcx)", .c = at);
	CLASS("movq %%rax, (%%rcx)", .c = at);
	CLASS("incl (%%rcx)", .c = at);
	CLASS("lock xadd %%eax, (%%rcx)", .c = at);
	CLASS("lock cmpxchg %%edx, (%%rcx)", .c = at);
	CLASS("lock btsl $3, (%%rcx)", .c = at);
	CLASS("movsq", .s = buf, .di = at);
	CLASS("rep stosq", .c = 1, .di = at);
	CLASS("movups %%xmm0, (%%rcx)", .c = at);
	CLASS("fnstcw (%%rcx)", .c = at + len - 4096 * 21);
	CLASS("fnstcw (%%rcx)", .c = at + len - 4096 * 21);
}

static const struct test t_class_tests[] = {
	{ .name = "class_native", .run = class_native },
	{ .name = "class_registers", .run = class_registers },
	{ .name = "class_msr", .run = class_msr },
	{ .name = "class_io", .run = class_io, .flags = T_KENSHO },
	{ .name = "class_apic_page", .run = class_apic_page },
	{ .name = "class_region", .run = class_region, .flags = T_KENSHO },
	{ .name = "class_kvm", .run = class_kvm, .flags = T_KENSHO },
	{ .name = "class_x2apic_msr", .run = class_x2apic, .flags = T_X2APIC },
	{ .name = "class_x2apic_registers", .run = class_registers, .flags = T_X2APIC },
};
TEST_GROUP(t_class);
