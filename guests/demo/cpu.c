/* SPDX-License-Identifier: BSD-2-Clause */
/* Demonstration guest: instructions and interrupt gates. */
#include "arch/x86/defs/cpuid.h"
#include "core/lib/string.h"
#include "guests/demo/demo.h"
#include "guests/demo/layout.h"
#include "hv/kvm/kvm_abi.h"

#ifdef __clang__ /* nothing here is compiled to use a vector register */
#pragma clang diagnostic ignored "-Winterrupt-service-routine"
#endif

struct frame {
	u64 ip, cs, flags, sp, ss;
};

struct gate {
	u16 offset_low, selector;
	u8 ist, type;
	u16 offset_mid;
	u32 offset_high, zero;
};

#define GATE_INTERRUPT 0x8e
#define VECTOR_GP      13
#define VECTOR_COUNT   256
#define SPURIOUS       0xff

#define ERROR_CODE_VECTORS 0x00227c00u /* 10 to 14, 17, 21 */
#define LEGACY_VECTORS     0x00008300u /* by firmware's set-up: timer, keyboard, spurious */

static struct gate idt[VECTOR_COUNT] ALIGNED(16);
struct demo_host demo_host;
volatile u32 ipis_received, ticks;
extern u8 msr_insn[], msr_fault[];

struct cpuid_out cpuid(u32 leaf, u32 subleaf)
{
	struct cpuid_out r;

	asm volatile("cpuid"
		     : "=a"(r.a), "=b"(r.b), "=c"(r.c), "=d"(r.d)
		     : "a"(leaf), "c"(subleaf));
	return r;
}

u64 rdtsc(void)
{
	u32 low, high;

	asm volatile("lfence; rdtsc" : "=a"(low), "=d"(high)::"memory");
	return (u64)high << 32 | low;
}

void msr_write(u32 msr, u64 val)
{
	asm volatile("wrmsr" ::"c"(msr), "a"((u32)val), "d"((u32)(val >> 32)) : "memory");
}

u8 port_in8(u16 port)
{
	u8 val;

	asm volatile("inb %1, %0" : "=a"(val) : "Nd"(port));
	return val;
}

u32 port_in32(u16 port)
{
	u32 val;

	asm volatile("inl %1, %0" : "=a"(val) : "Nd"(port));
	return val;
}

void port_out8(u16 port, u8 val)
{
	asm volatile("outb %0, %1" ::"a"(val), "Nd"(port));
}

void port_out16(u16 port, u16 val)
{
	asm volatile("outw %0, %1" ::"a"(val), "Nd"(port));
}

void halt_until_interrupt(void)
{
	asm volatile("sti; hlt; cli" ::: "memory");
}

u64 vmcall(u64 number)
{
	u64 result;

	asm volatile("vmcall"
		     : "=a"(result)
		     : "a"(number), "b"(0ull), "c"(0ull), "d"(0ull), "S"(0ull)
		     : "memory");
	return result;
}

/* The only expected fault: an MSR that the partition does not have. */
static __attribute__((interrupt)) void on_gp(struct frame *f, u64 error)
{
	if (f->ip == (u64)msr_insn) {
		f->ip = (u64)msr_fault;
		return;
	}
	print("demo: #GP(%llx) at %llx\n", error, f->ip);
	for (;;)
		asm volatile("cli; hlt");
}

static __attribute__((interrupt)) void on_fault(struct frame *f)
{
	print("demo: exception at %llx\n", f->ip);
	for (;;)
		asm volatile("cli; hlt");
}

static __attribute__((interrupt)) void on_fault_error(struct frame *f, u64 error)
{
	print("demo: exception with error code %llx at %llx\n", error, f->ip);
	for (;;)
		asm volatile("cli; hlt");
}

/* An interrupt acknowledged before we masked the 8259 may still arrive. */
static __attribute__((interrupt)) void on_legacy(struct frame *f)
{
	port_out8(0x20, 0x20);
}

static __attribute__((interrupt)) void on_ipi(struct frame *f)
{
	ipis_received++;
	apic_eoi();
}

static __attribute__((interrupt)) void on_timer(struct frame *f)
{
	ticks++;
	apic_eoi();
}

static __attribute__((interrupt)) void on_spurious(struct frame *f)
{
}

static void gate_set(u32 vector, const void *handler)
{
	u64 at = (u64)handler;

	idt[vector] = (struct gate){
		.offset_low = (u16)at,
		.selector = DEMO_CS,
		.type = GATE_INTERRUPT,
		.offset_mid = (u16)(at >> 16),
		.offset_high = (u32)(at >> 32),
	};
}

void traps_init(void)
{
	struct {
		u16 limit;
		u64 base;
	} PACKED ptr = { sizeof(idt) - 1, (u64)idt };

	asm volatile("lidt %0" ::"m"(ptr));
}

/* Kensho appends its name to that of its own boot loader. */
static bool is_loaded_by_kensho(void)
{
	const char *at = demo_boot.loader;

	while (*at != '\0' && strncmp(at, "Kensho", 6) != 0)
		at++;
	return *at != '\0';
}

static void host_find(void)
{
	struct demo_host *h = &demo_host;

	h->is_kensho = is_loaded_by_kensho();
	h->has_hypervisor = (cpuid(1, 0).c & CPUID1_ECX_HYPERVISOR) != 0;
	for (u32 leaf = 0x40000000; h->has_hypervisor && leaf < 0x40010000; leaf += 0x100) {
		struct cpuid_out r = cpuid(leaf, 0);

		if (r.b != KVM_SIGNATURE_EBX || r.c != KVM_SIGNATURE_ECX ||
		    r.d != KVM_SIGNATURE_EDX)
			continue;
		h->has_kvm = true;
		h->kvm_base = leaf;
		h->kvm_features = cpuid(leaf + KVM_CPUID_FEATURES, 0).a;
		break;
	}
}

void cpu_init(void)
{
	for (u32 i = 0; i < 32; i++) {
		if ((LEGACY_VECTORS >> i & 1) != 0)
			gate_set(i, (const void *)on_legacy);
		else if ((ERROR_CODE_VECTORS >> i & 1) != 0)
			gate_set(i, (const void *)on_fault_error);
		else
			gate_set(i, (const void *)on_fault);
	}
	gate_set(VECTOR_GP, (const void *)on_gp);
	gate_set(VECTOR_IPI, (const void *)on_ipi);
	gate_set(VECTOR_TIMER, (const void *)on_timer);
	gate_set(SPURIOUS, (const void *)on_spurious);
	traps_init();
	/* The 8259s are not used: everything masked. */
	port_out8(0x21, 0xff);
	port_out8(0xa1, 0xff);
	host_find();
}
