// SPDX-License-Identifier: BSD-2-Clause
// The devices of testdev=on as a program written for QEMU sees them, the virtual I/O APIC above
// all. Named runs only: without the option these ports and addresses belong to the machine. Longer
// than usual: one property per function, most run in both APIC modes.

#include "arch/x86/defs/vector.h"
#include "core/lib/bits.h"
#include "tests/guest/groups.h"
#include "tests/guest/lib/apic.h"
#include "tests/guest/lib/boot.h"
#include "tests/guest/lib/cpu.h"
#include "tests/guest/lib/platform.h"
#include "tests/guest/smp/t_smp.h"

#define PORT_LATCH  0xe0
#define PORT_FLUSH  0xe4
#define PORT_BYTES  0xe8
#define PORT_EXIT   0xf4
#define PORT_SELECT 0x510
#define PORT_DATA   0x511
#define PORT_LINES  0x2000
#define RAM         0xff000000ull
#define RAM_BYTES   0x10000u

#define VEC  0x55
#define HIGH 0x75

/* Pins without a device that could interfere. */
#define PIN   20u
#define PIN_2 21u

#define REMOTE  0x4000u
#define LOW     0x2000u
#define LOGICAL 0x800u
#define LOWEST  0x100u
#define NMI     0x400u

static void line(u32 n, u32 level)
{
	outb((u16)(PORT_LINES + n), (u8)level);
}

static void pulse(u32 n)
{
	line(n, 1);
	line(n, 0);
}

static void lines_down(void)
{
	for (u32 n = 0; n < 24; n++)
		line(n, 0);
}

static u32 entry(u32 pin)
{
	return ioapic_read(0x10 + 2 * pin);
}

static bool remote_irr(u32 pin)
{
	return (entry(pin) & REMOTE) != 0;
}

/* --- simple devices --- */

static u64 fw_read(u16 item)
{
	u64 val = 0;

	outw(PORT_SELECT, item);
	for (u32 i = 0; i < 8; i++)
		val |= (u64)inb(PORT_DATA) << (8 * i);
	return val;
}

static void fw_cfg(void)
{
	EXPECT_EQ(0x554d4551, fw_read(0)); /* "QEMU" */
	EXPECT_EQ(smp_count(), fw_read(5));
	EXPECT_EQ(MIB(1) + ((u64)boot.mem_upper << 10), fw_read(3));
	EXPECT_EQ(0, fw_read(0x11));
	EXPECT_EQ(0, fw_read(0x1234));
}

/* Such programs write to COM1 without having programmed it. */
static void com1_works(void)
{
	EXPECT_EQ(3, boot.com1_lcr); /* 8N1 */
	EXPECT_EQ(1, boot.com1_divisor);
}

static void latch(void)
{
	outl(PORT_LATCH, 0x44332211);
	EXPECT_EQ(0x44332211, inl(PORT_LATCH));
	for (u32 i = 0; i < 4; i++)
		EXPECT_EQ(0x11 * (i + 1), inb((u16)(PORT_BYTES + i)));
	EXPECT_EQ(0x3322, inw(PORT_LATCH + 1));
	outw(PORT_LATCH + 2, 0xabcd);
	outb(PORT_LATCH + 1, 0x99);
	EXPECT_EQ(0xabcd9911, inl(PORT_LATCH));
	for (u32 i = 0; i < 4; i++)
		outb((u16)(PORT_BYTES + i), (u8)(0x81 + i));
	EXPECT_EQ(0x84838281, inl(PORT_LATCH));
	EXPECT_EQ(0x84838281, inl(PORT_BYTES));
}

static void latch_string(void)
{
	static const u8 out[4] = { 1, 2, 3, 4 };
	static u8 in[8];
	const void *si = out;
	void *di = in;
	u64 cx = 4;

	asm volatile("rep outsb" : "+S"(si), "+c"(cx) : "d"(PORT_LATCH) : "memory");
	EXPECT_EQ(4, inb(PORT_LATCH));
	outl(PORT_LATCH, 0x0d0c0b0a);
	cx = 2;
	asm volatile("rep insl" : "+D"(di), "+c"(cx) : "d"(PORT_LATCH) : "memory");
	EXPECT_EQ(0x0a, in[0]);
	EXPECT_EQ(0x0d, in[7]);
}

/* The emulator's TSC counts instructions: an access that exits costs more than a hundred. */
#define EXIT_COST 100u

/* The jump ends a trace: some builds of the emulator count whole traces. */
static u64 tsc_now(void)
{
	asm volatile("jmp 1f\n1:" : : : "memory");
	return rdtsc();
}

static u64 cost_of_read(const volatile u32 *at)
{
	u64 start = tsc_now();

	(void)*at;
	return tsc_now() - start;
}

static u32 flush_page[1024] ALIGNED(4096);

static void flush(void)
{
	for (u32 i = 0; i < 1024; i++)
		flush_page[i] = i * 3;
	for (u32 round = 0; round < 3; round++) {
		EXPECT_LE(cost_of_read(&flush_page[7]), EXIT_COST);
		outl(PORT_FLUSH, (u32)(uintptr_t)flush_page + 0x123);
		EXPECT_GE(cost_of_read(&flush_page[7]), EXIT_COST);
		EXPECT_LE(cost_of_read(&flush_page[8]), EXIT_COST);
	}
	for (u32 i = 0; i < 1024; i++)
		EXPECT_EQ(i * 3, flush_page[i]);
}

/* The page with the stack, the code and the page tables in turn: all come back by themselves. */
static void flush_anything(void)
{
	u32 here;

	outl(PORT_FLUSH, (u32)(uintptr_t)&here);
	outl(PORT_FLUSH, (u32)(uintptr_t)flush_anything);
	outl(PORT_FLUSH, (u32)read_cr3());
	apic_self_ipi(VEC);
	outl(PORT_FLUSH, (u32)(uintptr_t)&here);
	sti_nop_cli();
	EXPECT_EQ(1, irq_log_count);
	outl(PORT_FLUSH, 0xfffffffc);
	outl(PORT_FLUSH, (u32)RAM);
	outl(PORT_FLUSH, 0xfee00000);
	EXPECT_EQ(0x14, apic_read(APIC_VERSION) & 0xff);
}

static void memory(void)
{
	volatile u8 *at = (volatile u8 *)(uintptr_t)RAM;

	for (u32 i = 0; i < RAM_BYTES; i += 0xff8)
		*(volatile u64 *)(volatile void *)(at + i) = 0x0123456789abcdefull ^ i;
	for (u32 i = 0; i < RAM_BYTES; i += 0xff8)
		EXPECT_EQ(0x0123456789abcdefull ^ i, *(volatile u64 *)(volatile void *)(at + i));
	for (u32 i = 0; i < 3; i++)
		EXPECT_GE(cost_of_read((volatile u32 *)(volatile void *)at), EXIT_COST);
	*(volatile u32 *)(volatile void *)(at + 0xffe) = 0x44332211; /* over a page boundary */
	EXPECT_EQ(0x2211, *(volatile u16 *)(volatile void *)(at + 0xffe));
	EXPECT_EQ(0x44332211, *(volatile u32 *)(volatile void *)(at + 0xffe));
	at[0x1000] += 1;
	EXPECT_EQ(0x34, at[0x1000]);
	EXPECT_EQ(0x34, __atomic_exchange_n(at + 0x1000, 0x77, __ATOMIC_SEQ_CST));
	EXPECT_EQ(0x77, at[0x1000]);
}

static void memory_string(void)
{
	static u8 buf[64];
	const void *si = (const void *)(uintptr_t)(RAM + 0x1ff0);
	void *di = (void *)(uintptr_t)(RAM + 0x1ff0);
	u64 cx = 32;

	asm volatile("rep stosb" : "+D"(di), "+c"(cx) : "a"(0x5a) : "memory");
	cx = 8;
	di = buf;
	asm volatile("rep movsl" : "+S"(si), "+D"(di), "+c"(cx) : : "memory");
	EXPECT_EQ(0x5a, buf[0]);
	EXPECT_EQ(0x5a, buf[31]);
	EXPECT_EQ(0, buf[32]);
}

/* --- the virtual I/O APIC --- */

static void ioapic_registers(void)
{
	u32 id = ioapic_read(0);

	EXPECT_EQ(0x170020, ioapic_read(1));
	ioapic_write(0, 0x0b000000);
	EXPECT_EQ(0x0b000000, ioapic_read(0));
	ioapic_write(0, id);
	ioapic_write(1, 0);
	EXPECT_EQ(0x170020, ioapic_read(1));
	for (u32 pin = 0; pin < 24; pin++) {
		ioapic_write(0x11 + 2 * pin, 0x5a000000 + pin);
		ioapic_write(0x10 + 2 * pin, IOAPIC_RTE_MASKED | (0x30 + pin) | REMOTE | 0x1000);
	}
	for (u32 pin = 0; pin < 24; pin++) {
		EXPECT_EQ(0x5a000000 + pin, ioapic_read(0x11 + 2 * pin));
		EXPECT_EQ(IOAPIC_RTE_MASKED | (0x30 + pin), entry(pin));
	}
	EXPECT_EQ(0, ioapic_read(0x40));
	EXPECT_GE(cost_of_read((const volatile u32 *)(uintptr_t)IOAPIC_ADDR), EXIT_COST);
}

static void line_edge(void)
{
	lines_down();
	sti();
	for (u32 pin = 0; pin < 24; pin++) {
		u32 n = pin == 2 ? 0 : pin; /* line 0 is pin 2 */

		if (pin == 0)
			continue;
		irq_log_count = 0;
		ioapic_route(pin, VEC, apic_id());
		line(n, 1);
		EXPECT_EQ(1, irq_log_count); /* at once */
		line(n, 1);
		line(n, 0);
		EXPECT_EQ(1, irq_log_count);
		EXPECT_TRUE(!remote_irr(pin));
		line(n, 0xff);
		EXPECT_EQ(2, irq_log_count);
		line(n, 0);
		ioapic_route(pin, IOAPIC_RTE_MASKED, 0);
	}
	cli();
}

/* While IF is 0 edges of one vector become one interrupt; of two vectors the higher comes first. */
static void line_edge_pending(void)
{
	lines_down();
	ioapic_route(PIN, VEC, apic_id());
	ioapic_route(PIN_2, HIGH, apic_id());
	pulse(PIN);
	EXPECT_TRUE(apic_requested(VEC));
	EXPECT_TRUE(!apic_level(VEC));
	pulse(PIN);
	pulse(PIN_2);
	EXPECT_EQ(0, irq_log_count);
	sti_nop_cli();
	EXPECT_EQ(2, irq_log_count);
	EXPECT_EQ(HIGH, irq_log[0]);
	EXPECT_EQ(VEC, irq_log[1]);
	EXPECT_EQ(irq_log_rip[0], irq_log_rip[1]);
}

static void line_edge_masked(void)
{
	lines_down();
	ioapic_route(PIN, VEC | IOAPIC_RTE_MASKED, apic_id());
	pulse(PIN);
	line(PIN, 1);
	ioapic_write(0x10 + 2 * PIN, VEC);
	sti_nop_cli();
	EXPECT_EQ(0, irq_log_count);
	line(PIN, 0);
	line(PIN, 1);
	sti_nop_cli();
	EXPECT_EQ(1, irq_log_count);
	line(PIN, 0);
}

static volatile u32 level_count;
static u32 level_rounds, level_pin;
static bool level_tmr, level_remote;

/* The line stays up for level_rounds interrupts. */
static void level_handler(struct trap_regs *regs)
{
	level_tmr = apic_level((u8)regs->vector);
	level_remote = remote_irr(level_pin);
	if (++level_count >= level_rounds)
		line(level_pin, 0);
	apic_eoi();
}

static void level_begin(u32 rounds)
{
	lines_down();
	trap_handle(VEC, level_handler);
	level_count = 0;
	level_rounds = rounds;
	level_pin = PIN;
	level_tmr = level_remote = false;
}

static void line_level(void)
{
	for (u32 rounds = 1; rounds <= 5; rounds++) {
		level_begin(rounds);
		ioapic_route(PIN, VEC | IOAPIC_RTE_LEVEL | (rounds & 1 ? LOW : 0), apic_id());
		line(PIN, 1);
		EXPECT_TRUE(remote_irr(PIN));
		EXPECT_TRUE(apic_requested(VEC));
		EXPECT_TRUE(apic_level(VEC));
		sti();
		EXPECT_TRUE(WAIT_FOR(level_count == rounds, 1000));
		cli();
		EXPECT_EQ(rounds, level_count);
		EXPECT_TRUE(level_tmr);
		EXPECT_TRUE(level_remote);
		EXPECT_TRUE(!remote_irr(PIN));
		EXPECT_TRUE(!apic_in_service(VEC));
		EXPECT_TRUE(!apic_requested(VEC));
	}
}

/* A line that drops before the interrupt is taken: it still comes, once. */
static void line_level_drops(void)
{
	level_begin(1);
	ioapic_route(PIN, VEC | IOAPIC_RTE_LEVEL, apic_id());
	pulse(PIN);
	pulse(PIN);
	EXPECT_TRUE(remote_irr(PIN));
	sti_nop_cli();
	EXPECT_EQ(1, level_count);
	EXPECT_TRUE(!remote_irr(PIN));
}

static void line_level_masked(void)
{
	level_begin(1);
	ioapic_route(PIN, VEC | IOAPIC_RTE_LEVEL | IOAPIC_RTE_MASKED, apic_id());
	line(PIN, 1);
	sti_nop_cli();
	EXPECT_EQ(0, level_count);
	ioapic_write(0x10 + 2 * PIN, VEC | IOAPIC_RTE_LEVEL);
	sti_nop_cli();
	EXPECT_EQ(1, level_count);
	/* Masked in between: the EOI does not send it again, unmasking does. */
	level_rounds = 3;
	line(PIN, 1);
	ioapic_write(0x10 + 2 * PIN, VEC | IOAPIC_RTE_LEVEL | IOAPIC_RTE_MASKED);
	sti_nop_cli();
	EXPECT_EQ(2, level_count);
	ioapic_write(0x10 + 2 * PIN, VEC | IOAPIC_RTE_LEVEL);
	sti_nop_cli();
	EXPECT_EQ(3, level_count);
}

/* An entry switched to edge and back: the way out of a Remote IRR whose EOI got lost. */
static void line_level_to_edge(void)
{
	level_begin(1);
	ioapic_route(PIN, VEC | IOAPIC_RTE_LEVEL, apic_id());
	line(PIN, 1);
	EXPECT_TRUE(remote_irr(PIN));
	ioapic_write(0x10 + 2 * PIN, VEC | IOAPIC_RTE_MASKED);
	EXPECT_TRUE(!remote_irr(PIN));
	line(PIN, 0);
	sti_nop_cli();
	EXPECT_EQ(1, level_count);
}

/* A higher edge nests in the level handler and is EOIed first. */
static void nesting_handler(struct trap_regs *regs)
{
	level_count++;
	line(PIN, 0);
	pulse(PIN_2);
	sti_nop_cli();
	EXPECT_EQ(1, irq_log_count);
	EXPECT_TRUE(remote_irr(PIN));
	EXPECT_TRUE(apic_in_service(VEC));
	apic_eoi();
	EXPECT_TRUE(!remote_irr(PIN));
}

static void line_level_nests(void)
{
	level_begin(1);
	trap_handle(VEC, nesting_handler);
	ioapic_route(PIN, VEC | IOAPIC_RTE_LEVEL, apic_id());
	ioapic_route(PIN_2, HIGH, apic_id());
	line(PIN, 1);
	sti_nop_cli();
	EXPECT_EQ(1, level_count);
}

/* One line drops after five interrupts, the other after ten. */
static void shared_handler(struct trap_regs *regs)
{
	level_count++;
	if (level_count == 5)
		line(PIN, 0);
	if (level_count == 10)
		line(PIN_2, 0);
	apic_eoi();
}

/* Two pins share a vector: an EOI ends both messages, and both lines count. */
static void line_level_shared(void)
{
	level_begin(1);
	trap_handle(VEC, shared_handler);
	ioapic_route(PIN, VEC | IOAPIC_RTE_LEVEL, apic_id());
	ioapic_route(PIN_2, VEC | IOAPIC_RTE_LEVEL, apic_id());
	line(PIN, 1);
	line(PIN_2, 1);
	sti();
	EXPECT_TRUE(WAIT_FOR(level_count >= 10, 5000));
	cli();
	EXPECT_EQ(10, level_count);
	EXPECT_TRUE(!remote_irr(PIN) && !remote_irr(PIN_2));
}

static void directed_handler(struct trap_regs *regs)
{
	level_count++;
	apic_eoi();
	level_remote = remote_irr(PIN); /* no broadcast */
	if (level_count == 2)
		line(PIN, 0);
	mmio_write32(IOAPIC_ADDR + 0x40, VEC);
}

static void directed_eoi(void)
{
	level_begin(1);
	if ((apic_read(APIC_VERSION) & APIC_VERSION_EOI_SUPPRESS) == 0) {
		/* The EOI register works without the feature, too. */
		ioapic_route(PIN, VEC | IOAPIC_RTE_LEVEL, apic_id());
		pulse(PIN);
		EXPECT_TRUE(remote_irr(PIN));
		mmio_write32(IOAPIC_ADDR + 0x40, VEC + 1);
		EXPECT_TRUE(remote_irr(PIN));
		mmio_write32(IOAPIC_ADDR + 0x40, VEC);
		EXPECT_TRUE(!remote_irr(PIN));
		sti_nop_cli();
		EXPECT_EQ(1, level_count);
		return;
	}
	trap_handle(VEC, directed_handler);
	apic_write(APIC_SVR, APIC_SVR_ENABLE | APIC_SVR_EOI_SUPPRESS | SPURIOUS_VECTOR);
	ioapic_route(PIN, VEC | IOAPIC_RTE_LEVEL, apic_id());
	line(PIN, 1);
	sti();
	EXPECT_TRUE(WAIT_FOR(level_count == 2, 1000));
	cli();
	EXPECT_TRUE(level_remote);
	EXPECT_TRUE(!remote_irr(PIN));
	apic_write(APIC_SVR, APIC_SVR_ENABLE | SPURIOUS_VECTOR);
}

static u32 logical_id(u32 cpu)
{
	return apic_mode() == APIC_X2APIC ? x2apic_ldr(smp_ids[cpu]) & 0xff : 1u << cpu;
}

static void line_destinations(void)
{
	u32 own;

	(void)smp_count();
	own = logical_id(0);
	lines_down();
	sti();
	ioapic_route(PIN, VEC | LOGICAL, own);
	pulse(PIN);
	EXPECT_EQ(1, irq_log_count);
	ioapic_route(PIN, VEC | LOGICAL, ~own & 0x7f);
	pulse(PIN);
	EXPECT_EQ(1, irq_log_count);
	ioapic_route(PIN, VEC | LOGICAL | LOWEST, own);
	pulse(PIN);
	EXPECT_EQ(2, irq_log_count);
	ioapic_route(PIN, VEC, 0xff);
	pulse(PIN);
	EXPECT_EQ(3, irq_log_count);
	ioapic_route(PIN, VEC, 0x7e); /* nobody */
	pulse(PIN);
	EXPECT_EQ(3, irq_log_count);
	cli();
}

static volatile u32 nmi_count;

static void nmi_handler(struct trap_regs *regs)
{
	nmi_count++;
}

static void line_nmi(void)
{
	lines_down();
	nmi_count = 0;
	trap_handle(EXC_NMI, nmi_handler);
	ioapic_route(PIN, NMI, apic_id());
	pulse(PIN);
	EXPECT_EQ(1, nmi_count);
}

/* TPR and IF hold it back, HLT wakes for it. */
static void line_waits(void)
{
	lines_down();
	ioapic_route(PIN, VEC, apic_id());
	apic_write(APIC_TPR, VEC & 0xf0);
	sti();
	pulse(PIN);
	EXPECT_EQ(0, irq_log_count);
	apic_write(APIC_TPR, 0);
	asm volatile("nop; nop");
	EXPECT_EQ(1, irq_log_count);
	cli();
	pulse(PIN);
	sti_hlt_cli();
	EXPECT_EQ(2, irq_log_count);
}

/* A device of the machine and a software line on one pin: both come through one entry. */
static void line_and_device(void)
{
	lines_down();
	ioapic_route(IOAPIC_PIN_PIT, VEC, apic_id());
	pit_oneshot(500);
	sti();
	EXPECT_TRUE(WAIT_FOR(irq_log_count == 1, 20000));
	pulse(0);
	EXPECT_EQ(2, irq_log_count);
	cli();
	pit_oneshot(100);
	pulse(0);
	delay_us(500);
	sti_nop_cli();
	EXPECT_GE(irq_log_count, 3);
	EXPECT_LE(irq_log_count, 4);
}

/* Level: the UART's line and the software line of pin 4 in turn and together. */
static void both_handler(struct trap_regs *regs)
{
	level_count++;
	com1_irq_drop();
	line(IOAPIC_PIN_COM1, 0);
	apic_eoi();
}

static void line_and_device_level(void)
{
	lines_down();
	level_count = 0;
	trap_handle(VEC, both_handler);
	ioapic_route(IOAPIC_PIN_COM1, VEC | IOAPIC_RTE_LEVEL, apic_id());
	for (u32 i = 0; i < 6; i++) {
		u32 before = level_count;

		if (i != 1)
			com1_irq_raise();
		if (i != 0)
			line(IOAPIC_PIN_COM1, 1);
		sti();
		EXPECT_TRUE(WAIT_FOR(level_count != before, 5000));
		cli();
		sti_nop_cli();
		EXPECT_TRUE(!apic_in_service(VEC));
		EXPECT_TRUE(!remote_irr(IOAPIC_PIN_COM1));
	}
}

/* --- the 8259 --- */

static volatile u32 pic_seen;
static u8 pic_vectors[8];
static u8 pic_service;
static u32 pic_drop; /* line that the handler lowers before its EOI */

static void pic_handler(struct trap_regs *regs)
{
	pic_service = pic_isr();
	if (pic_seen < ARRAY_SIZE(pic_vectors))
		pic_vectors[pic_seen] = (u8)regs->vector;
	pic_seen++;
	EXPECT_TRUE(!apic_in_service((u8)regs->vector));
	line(pic_drop, 0);
	pic_eoi((u32)regs->vector - PIC_BASE_VECTOR);
}

static void pic_begin(void)
{
	lines_down();
	pic_seen = 0;
	pic_drop = 23;
	for (u32 i = 0; i < 16; i++)
		trap_handle(PIC_BASE_VECTOR + i, pic_handler);
	apic_write(APIC_LVT_LINT0, (u32)FIELD_PREP(APIC_LVT_MODE, APIC_MODE_EXTINT));
}

static void pic_lines(void)
{
	static const u8 lines[] = { 0, 3, 6, 7, 8, 13 }; /* edges, and quiet */

	pic_begin();
	pic_unmask(2);
	sti();
	for (u32 i = 0; i < ARRAY_SIZE(lines); i++) {
		u32 n = lines[i];

		pic_unmask(n);
		pic_seen = 0;
		line(n, 1);
		EXPECT_EQ(1, pic_seen);
		EXPECT_EQ(PIC_BASE_VECTOR + n, pic_vectors[0]);
		EXPECT_EQ(n < 8 ? 1u << n : 4, pic_service);
		line(n, 0);
		line(n, 1);
		EXPECT_EQ(2, pic_seen);
		line(n, 0);
		EXPECT_EQ(0, pic_isr());
	}
	cli();
}

/* An edge waits behind the mask, behind IF and behind LINT0, and is then taken once. */
static void pic_lines_wait(void)
{
	pic_begin();
	pulse(5);
	sti_nop_cli();
	EXPECT_EQ(0, pic_seen);
	apic_write(APIC_LVT_LINT0, APIC_LVT_MASKED);
	pic_unmask(5);
	sti_nop_cli();
	EXPECT_EQ(0, pic_seen);
	apic_write(APIC_LVT_LINT0, (u32)FIELD_PREP(APIC_LVT_MODE, APIC_MODE_EXTINT));
	EXPECT_EQ(0, pic_seen);
	sti_nop_cli();
	EXPECT_EQ(1, pic_seen);
	pulse(5);
	sti_hlt_cli();
	EXPECT_EQ(2, pic_seen);
}

/* Two requests: the higher first, the lower after its EOI; a device of the machine among them. */
static void pic_lines_order(void)
{
	pic_begin();
	pic_unmask(0);
	pic_unmask(5);
	pic_unmask(6);
	outb(0x21, 0xff);
	pulse(6);
	pulse(5);
	outb(0x21, 0x9e);
	sti();
	asm volatile("nop; nop");
	EXPECT_EQ(2, pic_seen);
	EXPECT_EQ(PIC_BASE_VECTOR + 5, pic_vectors[0]);
	EXPECT_EQ(PIC_BASE_VECTOR + 6, pic_vectors[1]);
	pit_oneshot(500);
	EXPECT_TRUE(WAIT_FOR(pic_seen == 3, 20000));
	EXPECT_EQ(PIC_BASE_VECTOR, pic_vectors[2]);
	pulse(5);
	EXPECT_EQ(4, pic_seen);
	cli();
	EXPECT_EQ(0, pic_isr());
}

/* Level-triggered by the ELCR: again after each EOI until the line drops. */
static void pic_lines_level(void)
{
	u8 elcr = inb(0x4d0);

	pic_begin();
	pic_unmask(5);
	outb(0x4d0, elcr | 0x20);
	line(5, 1);
	line(5, 0); /* nobody took it */
	line(5, 1);
	pic_drop = 5;
	sti();
	asm volatile("nop; nop");
	EXPECT_EQ(1, pic_seen);
	line(5, 1);
	cli();
	EXPECT_EQ(2, pic_seen);
	outb(0x4d0, elcr);
}

/* --- several CPUs --- */

static bool line_smp_begin(void)
{
	lines_down();
	return smp_begin();
}

static void smp_physical(void)
{
	if (!line_smp_begin())
		return;
	REQUIRE(smp_all(smp_spin, 1));
	for (u32 cpu = 1; cpu < smp_count(); cpu++) {
		ioapic_route(PIN, SMP_VEC, smp_ids[cpu]);
		for (u32 n = 1; n <= 5; n++) {
			pulse(PIN);
			EXPECT_TRUE(WAIT_FOR(smp_hits[cpu] == n, 20000));
		}
	}
	EXPECT_EQ(0, smp_hits[0]);
	EXPECT_TRUE(smp_end());
}

static volatile u32 smp_level_rounds;

static void smp_level_handler(struct trap_regs *regs)
{
	if (__atomic_add_fetch(&smp_hits[smp_self()], 1, __ATOMIC_RELAXED) >= smp_level_rounds)
		line(PIN, 0);
	apic_eoi();
}

static void smp_level(void)
{
	if (!line_smp_begin())
		return;
	trap_handle(SMP_VEC, smp_level_handler);
	smp_level_rounds = 5;
	REQUIRE(smp_all(smp_spin, 1));
	for (u32 cpu = 1; cpu < smp_count(); cpu++) {
		ioapic_route(PIN, SMP_VEC | IOAPIC_RTE_LEVEL, smp_ids[cpu]);
		line(PIN, 1);
		EXPECT_TRUE(WAIT_FOR(smp_hits[cpu] == 5, 20000));
		EXPECT_TRUE(WAIT_FOR(!remote_irr(PIN), 1000));
		delay_us(200);
		EXPECT_EQ(5, smp_hits[cpu]);
	}
	EXPECT_TRUE(smp_end());
}

/* One message to all: each gets it, the first EOI frees the pin. */
static void smp_logical(void)
{
	u32 all = 0;

	if (!line_smp_begin())
		return;
	for (u32 cpu = 0; cpu < smp_count(); cpu++)
		all |= logical_id(cpu);
	trap_handle(SMP_VEC, smp_level_handler);
	smp_level_rounds = 1;
	REQUIRE(smp_all(smp_spin, 1));
	ioapic_route(PIN, SMP_VEC | IOAPIC_RTE_LEVEL | LOGICAL, all);
	line(PIN, 1);
	sti();
	for (u32 cpu = 0; cpu < smp_count(); cpu++)
		EXPECT_TRUE(WAIT_FOR(smp_hits[cpu] != 0, 20000));
	cli();
	EXPECT_TRUE(WAIT_FOR(!remote_irr(PIN), 1000));
	EXPECT_TRUE(smp_end());
}

static void smp_lowest(void)
{
	u32 all = 0;

	if (!line_smp_begin())
		return;
	for (u32 cpu = 0; cpu < smp_count(); cpu++)
		all |= logical_id(cpu);
	REQUIRE(smp_all(smp_spin, 1));
	ioapic_route(PIN, SMP_VEC | LOGICAL | LOWEST, all);
	sti();
	for (u32 n = 1; n <= 10; n++) {
		pulse(PIN);
		EXPECT_TRUE(WAIT_FOR(smp_hits_total() == n, 20000));
	}
	delay_us(200);
	cli();
	EXPECT_EQ(10, smp_hits_total());
	EXPECT_TRUE(smp_end());
}

/* The handler gives the pin to the next CPU while the line is still up: that one goes on. */
static void moving_handler(struct trap_regs *regs)
{
	u32 self = smp_self();

	smp_hits[self]++;
	if (self + 1 < smp_count())
		ioapic_write(0x11 + 2 * PIN, smp_ids[self + 1] << 24);
	else
		line(PIN, 0);
	apic_eoi();
}

static void smp_moves(void)
{
	if (!line_smp_begin())
		return;
	trap_handle(SMP_VEC, moving_handler);
	REQUIRE(smp_all(smp_spin, 1));
	ioapic_route(PIN, SMP_VEC | IOAPIC_RTE_LEVEL, smp_ids[0]);
	line(PIN, 1);
	sti();
	EXPECT_TRUE(WAIT_FOR(smp_hits[smp_count() - 1] != 0, 20000));
	cli();
	for (u32 cpu = 0; cpu < smp_count(); cpu++)
		EXPECT_EQ(1, smp_hits[cpu]);
	EXPECT_TRUE(WAIT_FOR(!remote_irr(PIN), 1000));
	EXPECT_TRUE(smp_end());
}

static void pulse_later(u64 n)
{
	delay_us(100);
	pulse((u32)n);
}

/* Another CPU drives the line of a CPU that sleeps. */
static void smp_wakes(void)
{
	if (!line_smp_begin())
		return;
	ioapic_route(PIN, SMP_VEC, smp_ids[0]);
	for (u32 n = 1; n <= 5; n++) {
		smp_call(1, pulse_later, PIN);
		sti_hlt_cli();
		EXPECT_EQ(n, smp_hits[0]);
		EXPECT_TRUE(smp_wait(1));
	}
}

static volatile u32 flush_costs;

static void read_flushed(u64 unused)
{
	flush_costs = (u32)cost_of_read(&flush_page[9]);
}

/* The page is dropped on every CPU, however well the others have cached it. */
static void smp_flush(void)
{
	if (!line_smp_begin())
		return;
	flush_page[9] = 0x1234;
	for (u32 n = 0; n < 5; n++) {
		EXPECT_TRUE(smp_run(1, read_flushed, 0));
		EXPECT_TRUE(smp_run(1, read_flushed, 0));
		EXPECT_LE(flush_costs, EXIT_COST);
		outl(PORT_FLUSH, (u32)(uintptr_t)flush_page);
		EXPECT_TRUE(smp_run(1, read_flushed, 0));
		EXPECT_GE(flush_costs, EXIT_COST);
	}
	EXPECT_EQ(0x1234, flush_page[9]);
}

static void touch_forever(u64 unused)
{
	while (!smp_quit) {
		__atomic_add_fetch(&flush_page[10], 1, __ATOMIC_RELAXED);
		smp_beat[smp_self()]++;
	}
}

/* Both touch the page while it goes away and comes back; nothing is lost. */
static void smp_flush_storm(void)
{
	u32 mine = 0, others = 0;

	if (!line_smp_begin())
		return;
	flush_page[10] = 0;
	REQUIRE(smp_all(touch_forever, 0));
	for (u32 n = 0; n < 300; n++) {
		outl(PORT_FLUSH, (u32)(uintptr_t)flush_page);
		__atomic_add_fetch(&flush_page[10], 1, __ATOMIC_RELAXED);
		mine++;
	}
	EXPECT_TRUE(smp_end());
	for (u32 cpu = 1; cpu < smp_count(); cpu++)
		others += smp_beat[cpu];
	EXPECT_EQ(mine + others, flush_page[10]);
}

static void exit_code(void)
{
	outl(PORT_EXIT, 3);
	EXPECT_TRUE(false);
}

#define BOTH(prefix, more)                                                                         \
	{ .name = prefix "line_edge", .run = line_edge, .flags = more },                           \
		{ .name = prefix "line_edge_pending", .run = line_edge_pending, .flags = more },   \
		{ .name = prefix "line_edge_masked", .run = line_edge_masked, .flags = more },     \
		{ .name = prefix "line_level", .run = line_level, .flags = more },                 \
		{ .name = prefix "line_level_drops", .run = line_level_drops, .flags = more },     \
		{ .name = prefix "line_level_masked", .run = line_level_masked, .flags = more },   \
		{ .name = prefix "line_level_to_edge", .run = line_level_to_edge, .flags = more }, \
		{ .name = prefix "line_level_nests", .run = line_level_nests, .flags = more },     \
		{ .name = prefix "line_level_shared", .run = line_level_shared, .flags = more },   \
		{ .name = prefix "directed_eoi", .run = directed_eoi, .flags = more },             \
		{ .name = prefix "line_destinations", .run = line_destinations, .flags = more },   \
		{ .name = prefix "line_nmi", .run = line_nmi, .flags = more },                     \
		{ .name = prefix "line_waits", .run = line_waits, .flags = more },                 \
		{ .name = prefix "line_and_device", .run = line_and_device, .flags = more },       \
		{ .name = prefix "line_and_device_level",                                          \
		  .run = line_and_device_level,                                                    \
		  .flags = more },                                                                 \
		{ .name = prefix "smp_physical", .run = smp_physical, .flags = more },             \
		{ .name = prefix "smp_level", .run = smp_level, .flags = more },                   \
		{ .name = prefix "smp_logical", .run = smp_logical, .flags = more },               \
		{ .name = prefix "smp_lowest", .run = smp_lowest, .flags = more },                 \
		{ .name = prefix "smp_moves", .run = smp_moves, .flags = more },                   \
	{                                                                                          \
		.name = prefix "smp_wakes", .run = smp_wakes, .flags = more                        \
	}

static const struct test t_testdev_tests[] = {
	{ .name = "testdev_fw_cfg", .run = fw_cfg, .flags = T_NAMED },
	{ .name = "testdev_com1", .run = com1_works, .flags = T_NAMED },
	{ .name = "testdev_latch", .run = latch, .flags = T_NAMED },
	{ .name = "testdev_latch_string", .run = latch_string, .flags = T_NAMED },
	{ .name = "testdev_flush", .run = flush, .flags = T_NAMED },
	{ .name = "testdev_flush_anything", .run = flush_anything, .flags = T_NAMED },
	{ .name = "testdev_memory", .run = memory, .flags = T_NAMED },
	{ .name = "testdev_memory_string", .run = memory_string, .flags = T_NAMED },
	{ .name = "testdev_ioapic_registers", .run = ioapic_registers, .flags = T_NAMED },
	{ .name = "testdev_pic_lines", .run = pic_lines, .flags = T_NAMED },
	{ .name = "testdev_pic_lines_wait", .run = pic_lines_wait, .flags = T_NAMED },
	{ .name = "testdev_pic_lines_order", .run = pic_lines_order, .flags = T_NAMED },
	{ .name = "testdev_pic_lines_level", .run = pic_lines_level, .flags = T_NAMED },
	BOTH("testdev_", T_NAMED),
	{ .name = "testdev_smp_flush", .run = smp_flush, .flags = T_NAMED },
	{ .name = "testdev_smp_flush_storm", .run = smp_flush_storm, .flags = T_NAMED },
	BOTH("testdev_x2_", T_NAMED | T_X2APIC),
	{ .name = "testdev_exit_code", .run = exit_code, .flags = T_SOLO },
};
TEST_GROUP(t_testdev);
