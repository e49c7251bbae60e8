/* SPDX-License-Identifier: BSD-2-Clause */
/* Demonstration guest: what leaving the guest costs, in TSC ticks. */
#include "guests/demo/demo.h"
#include "hv/kvm/kvm_abi.h"

#define SAMPLES 65u /* odd: one is in the middle */

#define HC_UNKNOWN 0x7fffffffull /* no such hypercall: measures the bare round trip */

static u64 sample[SAMPLES];

static void do_nothing(void)
{
}

static void do_cpuid(void)
{
	(void)cpuid(0x40000000, 0);
}

static void do_rdmsr(void)
{
	u64 val;

	(void)msr_read(MSR_KVM_SYSTEM_TIME_NEW, &val);
}

static void do_vmcall(void)
{
	(void)vmcall(HC_UNKNOWN);
}

static void sort(void)
{
	for (u32 i = 1; i < SAMPLES; i++) {
		u64 val = sample[i];
		u32 at = i;

		for (; at > 0 && sample[at - 1] > val; at--)
			sample[at] = sample[at - 1];
		sample[at] = val;
	}
}

static u64 show(const char *what, u64 floor)
{
	sort();
	print("%-34s min %8llu  median %8llu\n", what, sample[0] - umin64(sample[0], floor),
	      sample[SAMPLES / 2] - umin64(sample[SAMPLES / 2], floor));
	return sample[0];
}

static u64 measure(const char *what, void (*fn)(void), u64 floor)
{
	for (u32 i = 0; i < SAMPLES; i++) {
		u64 begin = rdtsc();

		fn();
		sample[i] = rdtsc() - begin;
	}
	return show(what, floor);
}

static void measure_ipi(const char *what, u32 cpu, u64 floor)
{
	for (u32 i = 0; i < SAMPLES; i++) {
		sample[i] = ipi_round_trip(cpu);
		if (sample[i] == 0) {
			print("%-34s no answer\n", what);
			return;
		}
	}
	(void)show(what, floor);
}

void show_costs(void)
{
	u64 floor;

	page_begin("costs of leaving the guest");
	print("in TSC ticks, %u times each, less the cost of reading the TSC\n\n", SAMPLES);
	floor = measure("reading the TSC", do_nothing, 0);
	measure("CPUID", do_cpuid, floor);
	if (demo_host.has_kvm && (demo_host.kvm_features & KVM_FEATURE_CLOCKSOURCE2) != 0)
		measure("RDMSR of kvmclock's address", do_rdmsr, floor);
	if (demo_host.has_kvm)
		measure("VMCALL, unknown hypercall", do_vmcall, floor);
	measure_ipi("IPI to itself, until handled", 0, floor);
	if (demo_cpus > 1)
		measure_ipi("IPI to CPU 1, which sleeps", 1, floor);
}

/* KVM's steal time: once registered, the hypervisor updates it at its entries. */
static void show_steal_time(void)
{
	static volatile struct kvm_steal_time st ALIGNED(64);

	if (!demo_host.has_kvm || (demo_host.kvm_features & KVM_FEATURE_STEAL_TIME) == 0)
		return;
	msr_write(MSR_KVM_STEAL_TIME, (u64)(uintptr_t)&st | 1);
	do_cpuid();
	print("steal time, CPU 0              %8llu ns, version %u\n", st.steal, st.version);
	msr_write(MSR_KVM_STEAL_TIME, 0);
}

void show_counters(void)
{
	page_begin("counters");
	print("IPIs handled so far, all CPUs  %8u\n", ipis_received);
	show_steal_time();
	if (demo_host.is_kensho)
		print("\nKensho's own counters of exits are not for guests to see. Boot it with\n"
		      "log=com2 and press c on the second serial port.\n");
}
