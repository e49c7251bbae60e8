/* SPDX-License-Identifier: BSD-2-Clause */
/* Demonstration guest: the clocks of the partition, against each other over one second of the RTC.
 */
#include "guests/demo/demo.h"
#include "hv/kvm/kvm_abi.h"

#define PM_TIMER_HZ 3579545u
#define PM_MASK     0xffffffu
#define CMOS_INDEX  0x70
#define CMOS_DATA   0x71
#define RTC_WAIT_S  3 /* by the guessed TSC frequency: longer means the RTC stands still */
#define HZ_GUESS    4000000000ull

u64 demo_tsc_hz;
static volatile struct pvclock_vcpu_time_info clock_page ALIGNED(64);
static volatile struct pvclock_wall_clock wall_page ALIGNED(64);
static bool has_kvmclock;

u32 pm_timer(void)
{
	u16 port = demo_boot.acpi.pm_tmr_port;

	return port != 0 ? port_in32(port) & PM_MASK : 0;
}

u64 kvmclock_ns(void)
{
	u32 version;
	u64 ns;

	if (!has_kvmclock)
		return 0;
	do {
		u64 delta;

		version = clock_page.version;
		delta = rdtsc() - clock_page.tsc_timestamp;
		delta = clock_page.tsc_shift < 0 ? delta >> -clock_page.tsc_shift
						 : delta << clock_page.tsc_shift;
		ns = clock_page.system_time +
		     (u64)((unsigned __int128)delta * clock_page.tsc_to_system_mul >> 32);
	} while ((version & 1) != 0 || version != clock_page.version);
	return ns;
}

/* ns = (tsc << shift) * mul / 2^32, so one second has this many ticks. */
u64 kvmclock_tsc_hz(void)
{
	u64 hz;

	if (!has_kvmclock || clock_page.tsc_to_system_mul == 0)
		return 0;
	hz = (1000000000ull << 32) / clock_page.tsc_to_system_mul;
	return clock_page.tsc_shift < 0 ? hz << -clock_page.tsc_shift : hz >> clock_page.tsc_shift;
}

void delay_us(u64 us)
{
	u64 hz = demo_tsc_hz != 0 ? demo_tsc_hz : HZ_GUESS;
	u64 end = rdtsc() + us * (hz / 1000000);

	while (rdtsc() < end)
		asm volatile("pause");
}

static u8 cmos(u8 index)
{
	port_out8(CMOS_INDEX, index);
	return port_in8(CMOS_DATA);
}

/* Wait until the second changes; false: it never does. */
static bool rtc_tick(void)
{
	u64 end = rdtsc() + RTC_WAIT_S * HZ_GUESS;
	u8 second = cmos(0);

	while (cmos(0) == second) {
		if (rdtsc() > end)
			return false;
	}
	return true;
}

static void kvmclock_open(void)
{
	if (!demo_host.has_kvm || (demo_host.kvm_features & KVM_FEATURE_CLOCKSOURCE2) == 0)
		return;
	msr_write(MSR_KVM_SYSTEM_TIME_NEW, (u64)&clock_page | KVM_MSR_ENABLED);
	msr_write(MSR_KVM_WALL_CLOCK_NEW, (u64)&wall_page);
	has_kvmclock = clock_page.tsc_to_system_mul != 0;
}

static void show_kvmclock(void)
{
	if (!has_kvmclock) {
		print("kvmclock         not in this partition\n");
		return;
	}
	print("kvmclock         %llu ns now, flags %x (%s), one page per CPU\n", kvmclock_ns(),
	      clock_page.flags,
	      clock_page.flags & PVCLOCK_TSC_STABLE_BIT ? "TSC stable" : "TSC not stable");
	print("                 its page says: the TSC runs at %llu kHz\n",
	      kvmclock_tsc_hz() / 1000);
	print("wall clock       it was %u s after 1970 when kvmclock was 0\n", wall_page.sec);
}

static void compare(u64 tsc, u64 kvm_ns, u32 pm)
{
	print("\nbetween two ticks of the RTC's second:\n");
	print("  TSC            %llu ticks\n", tsc);
	if (has_kvmclock)
		print("  kvmclock       %llu ns\n", kvm_ns);
	if (demo_boot.acpi.pm_tmr_port != 0)
		print("  ACPI PM timer  %u ticks of 1/3579545 s: %llu ns\n", pm,
		      (u64)pm * 1000000000ull / PM_TIMER_HZ);
	if (demo_boot.acpi.pm_tmr_port != 0 && pm != 0) {
		demo_tsc_hz = tsc * PM_TIMER_HZ / pm;
		print("  so the TSC runs at %llu kHz by the PM timer\n", demo_tsc_hz / 1000);
	}
}

void show_clocks(void)
{
	u64 tsc, kvm_ns;
	u32 pm;

	page_begin("clocks");
	kvmclock_open();
	show_kvmclock();
	if (!rtc_tick()) {
		print("the RTC stands still: nothing to compare with\n");
		demo_tsc_hz = kvmclock_tsc_hz();
	} else {
		tsc = rdtsc();
		kvm_ns = kvmclock_ns();
		pm = pm_timer();
		(void)rtc_tick();
		pm = (pm_timer() - pm) & PM_MASK;
		kvm_ns = kvmclock_ns() - kvm_ns;
		tsc = rdtsc() - tsc;
		demo_tsc_hz = tsc;
		compare(tsc, kvm_ns, pm);
	}
	if (demo_tsc_hz == 0)
		demo_tsc_hz = HZ_GUESS;
}
