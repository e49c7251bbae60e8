/* SPDX-License-Identifier: BSD-2-Clause */
/* Demonstration guest: the tour, then a clock until a key ends it. */
#include "core/lib/fmt.h"
#include "guests/demo/demo.h"

#define TICK_HZ 10

#define PM1_SLP_EN      BIT32(13)
#define PM1_SLP_TYP_SH  10
#define ACPI_SPACE_IO   1
#define KBC_COMMAND     0x64
#define KBC_RESET       0xfe
#define STATUS_INTERVAL TICK_HZ

void demo_main(void);

NORETURN void machine_reset(void)
{
	struct {
		u16 limit;
		u64 base;
	} PACKED none = { 0, 0 };

	if (demo_boot.has_acpi && demo_boot.acpi.reset_space == ACPI_SPACE_IO)
		port_out8((u16)demo_boot.acpi.reset_addr, demo_boot.acpi.reset_value);
	delay_us(50000);
	port_out8(KBC_COMMAND, KBC_RESET);
	delay_us(50000);
	asm volatile("lidt %0; ud2" ::"m"(none)); /* a triple fault is a reset, too */
	__builtin_unreachable();
}

void machine_power_off(void)
{
	const struct acpi_info *a = &demo_boot.acpi;

	if (!demo_boot.has_acpi || a->pm1a_cnt == 0 || a->s5_slp_typ < 0)
		return;
	port_out16(a->pm1a_cnt, (u16)((u32)a->s5_slp_typ << PM1_SLP_TYP_SH | PM1_SLP_EN));
	if (a->pm1b_cnt != 0)
		port_out16(a->pm1b_cnt, (u16)((u32)a->s5_slp_typ << PM1_SLP_TYP_SH | PM1_SLP_EN));
}

static void key(char c, u32 *page)
{
	switch (c) {
	case 0:
		return;
	case 'r':
	case 'R':
		print("demo: r: resetting the machine\n");
		machine_reset();
	case 'p':
	case 'P':
		print("demo: p: power off\n");
		machine_power_off();
		print("demo: ACPI knows no way to power off here; press r to reset\n");
		return;
	case 'b':
		page_show(*page == 0 ? 0 : --*page);
		return;
	default:
		page_show(++*page);
		return;
	}
}

static void show_uptime(u64 begin)
{
	u64 ns = kvmclock_ns();
	char line[81];

	fmt_print(line, sizeof(line),
		  " up %llu s%s | space, b: next, last page | r: reboot | p: power off",
		  ns != 0 ? ns / 1000000000 : (rdtsc() - begin) / demo_tsc_hz,
		  ns != 0 ? " by kvmclock" : "");
	status_line(line);
}

static void idle(u64 begin)
{
	u32 page = 0, shown = 0;

	for (;;) {
		if (ticks - shown >= STATUS_INTERVAL) {
			shown = ticks;
			show_uptime(begin);
		}
		key(key_read(), &page);
		halt_until_interrupt();
	}
}

void demo_main(void)
{
	u64 begin;

	boot_read();
	console_open();
	screen_open();
	cpu_init();
	show_summary();
	show_help();
	page_show(0);
	show_cpuid();
	show_msrs();
	show_memory();
	show_clocks();
	show_cpus();
	show_costs();
	show_counters();
	begin = rdtsc();
	page_show(0);
	show_uptime(begin);
	/* Print this last: tests wait for it and expect a complete screen. */
	print("\ndemo: end of the tour; idling. Keys here or on the keyboard: r reboots, p powers "
	      "off\n");
	apic_timer_start(TICK_HZ, demo_tsc_hz);
	idle(begin);
}
