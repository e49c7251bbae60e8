/* SPDX-License-Identifier: BSD-2-Clause */
/* Demonstration guest: what this is, how to give Kensho a real guest, MSRs, the memory map. */
#include "arch/x86/defs/msr.h"
#include "core/lib/string.h"
#include "guests/demo/demo.h"
#include "hv/kvm/kvm_abi.h"

static void brand(char *text)
{
	for (u32 i = 0; i < 3; i++) {
		struct cpuid_out r = cpuid(0x80000002 + i, 0);

		memcpy(text + i * 16, &r, 16);
	}
	text[48] = '\0';
}

static const char *host_text(void)
{
	const struct demo_host *h = &demo_host;

	if (h->has_kvm)
		return "KVM's paravirtual interface";
	if (h->has_hypervisor)
		return "a hypervisor without KVM's interface (kvm=off or profile=bare)";
	return h->is_kensho ? "nothing: CPUID hides the hypervisor (-hypervisor)"
			    : "no hypervisor: this is the bare machine";
}

static u64 ram_bytes(void)
{
	u64 sum = 0;

	for (u32 i = 0; i < demo_boot.memory.count; i++)
		sum += demo_boot.memory.e[i].type == E820_RAM ? demo_boot.memory.e[i].len : 0;
	return sum;
}

static void show_why(void)
{
	if (!demo_host.is_kensho)
		print("Kensho's built-in demonstration guest, started without Kensho\n");
	else if (demo_boot.modules == 0)
		print("no guest module was given: this is Kensho's built-in demonstration guest\n");
	else
		print("guest=demo: this is Kensho's built-in demonstration guest, not your %u "
		      "modules\n",
		      demo_boot.modules);
}

void show_summary(void)
{
	char name[49], screen[64];
	const char *cpu = name;

	brand(name);
	while (*cpu == ' ')
		cpu++;
	screen_name(screen, sizeof(screen));
	page_begin("summary");
	show_why();
	print("started by       %s\n",
	      demo_boot.is_multiboot2 ? demo_boot.loader : "an unknown boot loader");
	print("processor        %s\n", cpu);
	print("processors       %u by the firmware's tables\n",
	      demo_boot.has_acpi ? demo_boot.acpi.cpu_count : 1);
	print("memory           %llu MiB for this guest\n", ram_bytes() >> 20);
	print("CPUID shows      %s\n", host_text());
	print("screen           %s\n", screen);
}

void show_help(void)
{
	print("\nFor a guest of your own put module2 lines behind multiboot2 in grub.cfg:\n");
	print("    multiboot2 /boot/kensho.elf log=com2\n");
	print("    module2    /boot/vmlinuz kernel: console=ttyS0 root=/dev/sda1\n");
	print("    module2    /boot/initrd  initrd:\n");
	print("or build an image with it: make iso KERNEL=vmlinuz INITRD=initrd APPEND='...'\n");
	print("Other guests: multiboot and multiboot 2 images, see docs/guests.md.\n");
}

static const struct {
	const char *name;
	u32 msr;
} msrs[] = {
	{ "IA32_APIC_BASE", MSR_IA32_APIC_BASE },
	{ "IA32_FEATURE_CONTROL", MSR_IA32_FEATURE_CONTROL },
	{ "IA32_TSC_ADJUST", MSR_IA32_TSC_ADJUST },
	{ "IA32_MISC_ENABLE", MSR_IA32_MISC_ENABLE },
	{ "IA32_ARCH_CAPABILITIES", MSR_IA32_ARCH_CAPABILITIES },
	{ "PLATFORM_INFO", MSR_PLATFORM_INFO },
	{ "IA32_MTRRCAP", MSR_IA32_MTRRCAP },
	{ "IA32_MTRR_DEF_TYPE", MSR_IA32_MTRR_DEF_TYPE },
	{ "IA32_PAT", MSR_IA32_PAT },
	{ "IA32_EFER", MSR_IA32_EFER },
	{ "KVM_WALL_CLOCK_NEW", MSR_KVM_WALL_CLOCK_NEW },
	{ "KVM_SYSTEM_TIME_NEW", MSR_KVM_SYSTEM_TIME_NEW },
	{ "KVM_STEAL_TIME", MSR_KVM_STEAL_TIME },
	{ "KVM_PV_EOI_EN", MSR_KVM_PV_EOI_EN },
	{ "KVM_POLL_CONTROL", MSR_KVM_POLL_CONTROL },
};

void show_msrs(void)
{
	page_begin("MSRs");
	for (u32 i = 0; i < ARRAY_SIZE(msrs); i++) {
		u64 val;

		if (msr_read(msrs[i].msr, &val))
			print("%08x %-23s %016llx\n", msrs[i].msr, msrs[i].name, val);
		else
			print("%08x %-23s #GP: not in this partition\n", msrs[i].msr, msrs[i].name);
	}
}

static const char *type_name(u32 type)
{
	static const char *const names[] = { "type 0", "RAM",      "reserved",
					     "ACPI",   "ACPI NVS", "defective" };

	return type < ARRAY_SIZE(names) ? names[type] : "reserved (other)";
}

static bool touches_ram(const struct e820_entry *r)
{
	for (u32 i = 0; i < demo_boot.memory.count; i++) {
		const struct e820_entry *o = &demo_boot.memory.e[i];

		if (o->type == E820_RAM &&
		    (o->base == r->base + r->len || o->base + o->len == r->base))
			return true;
	}
	return false;
}

/* The loader does not say which range is Kensho's: guess a reserved piece of 2-MiB pages next to
 * RAM. */
static bool looks_like_kensho(const struct e820_entry *r)
{
	return demo_host.is_kensho && r->type != E820_RAM && r->len != 0 &&
	       IS_ALIGNED(r->base | r->len, MIB(2)) && r->base < GIB(4) && touches_ram(r);
}

void show_memory(void)
{
	page_begin("memory map");
	for (u32 i = 0; i < demo_boot.memory.count; i++) {
		const struct e820_entry *r = &demo_boot.memory.e[i];

		print("%016llx-%016llx %-16s%s\n", r->base, r->base + r->len - 1,
		      type_name(r->type), looks_like_kensho(r) ? " <- Kensho itself" : "");
	}
	if (demo_host.is_kensho)
		print("\nReading Kensho's own memory gives all ones, writing it does nothing.\n");
}
