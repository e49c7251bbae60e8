/* SPDX-License-Identifier: BSD-2-Clause */
/* Demonstration guest: CPUID, as names and as numbers. */
#include "core/lib/string.h"
#include "guests/demo/demo.h"
#include "hv/kvm/kvm_abi.h"

#define LINE_MAX 79u

/* Names as /proc/cpuinfo has them; "": not shown. */
static const char *const leaf1_ecx[32] = {
	"pni",    "pclmulqdq",  "dtes64",  "monitor", "ds_cpl",
	"vmx",    "smx",        "est",     "tm2",     "ssse3",
	"cid",    "sdbg",       "fma",     "cx16",    "xtpr",
	"pdcm",   "",           "pcid",    "dca",     "sse4_1",
	"sse4_2", "x2apic",     "movbe",   "popcnt",  "tsc_deadline_timer",
	"aes",    "xsave",      "osxsave", "avx",     "f16c",
	"rdrand", "hypervisor",
};
static const char *const leaf1_edx[32] = {
	"fpu",  "vme",  "de",   "pse", "tsc",  "msr", "pae",   "mce", "cx8",     "apic", "",
	"sep",  "mtrr", "pge",  "mca", "cmov", "pat", "pse36", "pn",  "clflush", "",     "dts",
	"acpi", "mmx",  "fxsr", "sse", "sse2", "ss",  "ht",    "tm",  "ia64",    "pbe",
};
static const char *const leaf7_ebx[32] = {
	"fsgsbase",   "tsc_adjust", "sgx",        "bmi1",     "hle",      "avx2",     "",
	"smep",       "bmi2",       "erms",       "invpcid",  "rtm",      "cqm",      "",
	"mpx",        "rdt_a",      "avx512f",    "avx512dq", "rdseed",   "adx",      "smap",
	"avx512ifma", "",           "clflushopt", "clwb",     "intel_pt", "avx512pf", "avx512er",
	"avx512cd",   "sha_ni",     "avx512bw",   "avx512vl",
};
/* Linux Documentation/virt/kvm/x86/cpuid.rst */
static const char *const kvm_eax[32] = {
	"clocksource",
	"nop-io-delay",
	"mmu-op",
	"clocksource2",
	"async-pf",
	"steal-time",
	"pv-eoi",
	"pv-unhalt",
	"",
	"pv-tlb-flush",
	"async-pf-vmexit",
	"pv-send-ipi",
	"poll-control",
	"pv-sched-yield",
	"async-pf-int",
	"msi-ext-dest-id",
	"hc-map-gpa-range",
	"migration-control",
	"",
	"",
	"",
	"",
	"",
	"",
	"clocksource-stable",
};

static u32 column;

static void word(const char *s)
{
	u32 len = (u32)strlen(s) + 1;

	if (column + len > LINE_MAX) {
		print("\n   ");
		column = 3;
	}
	print(" %s", s);
	column += len;
}

static void names(const char *what, u32 bits, const char *const *table)
{
	print("%s", what);
	column = (u32)strlen(what);
	for (u32 i = 0; i < 32; i++) {
		if ((bits >> i & 1) != 0 && table[i] != NULL && table[i][0] != '\0')
			word(table[i]);
	}
	print("\n");
}

static void text_of(const struct cpuid_out *r, char *text)
{
	memcpy(text, &r->b, 4);
	memcpy(text + 4, &r->c, 4);
	memcpy(text + 8, &r->d, 4);
	for (u32 i = 0; i < 12; i++) {
		if (text[i] != 0 && (text[i] < 0x20 || text[i] > 0x7e))
			text[i] = '?';
	}
	text[12] = '\0';
}

static void show_hypervisor(void)
{
	struct cpuid_out r = cpuid(0x40000000, 0);
	char text[13];

	if (!demo_host.has_hypervisor) {
		print("hypervisor leaves: none, CPUID.1:ECX bit 31 is clear\n");
		return;
	}
	text_of(&r, text);
	print("hypervisor leaf 40000000: \"%s\", up to %08x\n", text, r.a);
	if (demo_host.has_kvm)
		names("KVM features:", demo_host.kvm_features, kvm_eax);
}

static void raw(u32 leaf, u32 subleaf)
{
	struct cpuid_out r = cpuid(leaf, subleaf);

	print("cpuid %08x %02x: %08x %08x %08x %08x\n", leaf, subleaf, r.a, r.b, r.c, r.d);
}

static void show_raw(u32 max)
{
	page_begin("CPUID in numbers: EAX EBX ECX EDX");
	for (u32 leaf = 0; leaf <= umin32(max, 0x20); leaf++)
		raw(leaf, 0);
	if (demo_host.has_hypervisor) {
		raw(0x40000000, 0);
		raw(0x40000001, 0);
	}
	for (u32 leaf = 0x80000000; leaf <= umin32(cpuid(0x80000000, 0).a, 0x80000008); leaf++)
		raw(leaf, 0);
}

void show_cpuid(void)
{
	struct cpuid_out r = cpuid(0, 0);
	u32 max = r.a, swap = r.c;
	char text[13];

	page_begin("CPUID");
	/* The vendor's order is EBX, EDX, ECX. */
	r.c = r.d;
	r.d = swap;
	text_of(&r, text);
	print("vendor %s, leaves up to %x\n", text, max);
	r = cpuid(1, 0);
	print("family %u, model %u, stepping %u\n", (r.a >> 8 & 15) + (r.a >> 20 & 255),
	      (r.a >> 4 & 15) | (r.a >> 12 & 0xf0), r.a & 15);
	show_hypervisor();
	names("features:", r.d, leaf1_edx);
	names("features:", r.c, leaf1_ecx);
	if (max >= 7)
		names("features:", cpuid(7, 0).b, leaf7_ebx);
	show_raw(max);
}
