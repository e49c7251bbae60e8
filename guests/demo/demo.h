/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Kensho's built-in demonstration guest: an ordinary guest that describes its partition on COM1 and
 * the screen. It also runs if GRUB starts it without Kensho.
 */
#pragma once

#include "boot/acpi/acpi.h"
#include "boot/load/boot_info.h"
#include "core/lib/bits.h"
#include "core/lib/compiler.h"

/* The boot loader's information, copied before anything overwrites it. */
struct demo_boot {
	bool is_multiboot2;
	char loader[64];
	u32 modules;
	bool is_efi;
	struct e820_map memory;
	struct boot_framebuffer framebuffer;
	u8 rsdp[36];
	u32 rsdp_len;
	bool has_acpi;
	struct acpi_info acpi;
};

extern struct demo_boot demo_boot;
void boot_read(void);

/* Who started us, and whether a hypervisor is visible. */
struct demo_host {
	bool is_kensho;      /* by the boot loader's name */
	bool has_hypervisor; /* CPUID.1:ECX bit 31 */
	bool has_kvm;        /* signature leaf */
	u32 kvm_features;
	u32 kvm_base;
};

extern struct demo_host demo_host;

/* --- console.c: text goes to COM1 and to a page of the screen ----------------------------------
 */

void console_open(void);
void print(const char *fmt, ...) PRINTF(1, 2);

/* page_begin() - the following lines start a new page of the screen, with this title. */
void page_begin(const char *title);

/* page_show() - page @n, counted from 0; the number of pages wraps. */
void page_show(u32 n);

/* status_line() - the last line of the screen; not on COM1. */
void status_line(const char *text);

/* key_read() - a character from COM1 or the keyboard; 0: none. */
char key_read(void);

/* --- screen.c ----------------------------------------------------------------------------------
 */

#define SCREEN_COLS 80u
#define SCREEN_ROWS 25u

void screen_open(void); /* reports an unusable screen on COM1 */
void screen_name(char *name, u32 len);

/* screen_cell() - draw one character. @attr: of VGA text; a framebuffer has one colour. */
void screen_cell(u32 row, u32 col, char c, u8 attr);

/* --- cpu.c -------------------------------------------------------------------------------------
 */

struct cpuid_out {
	u32 a, b, c, d;
};

struct cpuid_out cpuid(u32 leaf, u32 subleaf);
u64 rdtsc(void);
bool msr_read(u32 msr, u64 *val); /* start.S; false: #GP */
void msr_write(u32 msr, u64 val);
u8 port_in8(u16 port);
u32 port_in32(u16 port);
void port_out8(u16 port, u8 val);
void port_out16(u16 port, u16 val);
void halt_until_interrupt(void);
u64 vmcall(u64 number);

void cpu_init(void);
void traps_init(void);

/* --- apic.c ------------------------------------------------------------------------------------
 */

void apic_init(void);
u32 apic_id(void);
void apic_send(u32 dest, u32 low); /* ICR */
void apic_send_others(u32 low);
void apic_eoi(void);
void apic_timer_start(u32 hz, u64 tsc_hz);
bool apic_is_x2(void);

#define VECTOR_IPI   0x40
#define VECTOR_TIMER 0x41

extern volatile u32 ipis_received, ticks;

/* --- the parts of the tour ---------------------------------------------------------------------
 */

void show_summary(void);
void show_cpuid(void);
void show_msrs(void);
void show_memory(void);
void show_clocks(void);
void show_cpus(void);
void show_costs(void);
void show_counters(void);
void show_help(void);

/* clocks.c */
extern u64 demo_tsc_hz;    /* 0 before show_clocks() */
u64 kvmclock_ns(void);     /* 0: there is none */
u64 kvmclock_tsc_hz(void); /* as its page says, 0: none */
u32 pm_timer(void);
void delay_us(u64 us);

/* cpus.c */
extern u32 demo_cpus;
extern u32 demo_cpu_id[];
u64 ipi_round_trip(u32 cpu); /* TSC ticks; 0: no answer */

NORETURN void machine_reset(void);
void machine_power_off(void); /* returns if the machine does not say how */
