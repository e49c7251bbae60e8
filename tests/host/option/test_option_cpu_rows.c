/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names of cpu= with one right value: boot/option/option_cpu_rows.c. QEMU's own list of names, and
 * the CPUID bits that they stand for, are in tests/golden/qemu-7.2-cpu-flags.tsv.
 */
#include "tests/host/option/cpu.h"

#include "core/surface/cpuid.h"
#include "tests/host/fakes/rig.h"

#define FLAGS_FILE "tests/golden/qemu-7.2-cpu-flags.tsv"

static void test_fixed_names(void)
{
	static const struct {
		const char *right, *wrong, *why;
	} rows[] = {
		{ "+kvm-pv-enforce-cpuid", "kvm_pv_enforce_cpuid=off", "always refused" },
		{ "enforce", "-check", "always stops" },
		{ "-kvm-asyncpf", "kvm-asyncpf=on", "asynchronous page faults" },
		{ "kvm_asyncpf_int=off", "+kvm-asyncpf-int", "asynchronous page faults" },
		{ "-kvm-asyncpf-vmexit", "kvm-asyncpf-vmexit", "asynchronous page faults" },
		{ "-kvm-msi-ext-dest-id", "kvm-msi-ext-dest-id", "interrupt remapping" },
		{ "-kvm-mmu", "kvm-mmu", "given it up" },
		{ "-kvm-migration-control", "kvm-migration-control", "nothing would act" },
		{ "-kvm-hc-map-gpa-range", "kvm-hc-map-gpa-range", "nothing would act" },
		{ "+hv-enforce-cpuid", "hv_enforce_cpuid=off", "always refused" },
		{ "hv-evmcs=off", "hv_evmcs", "not in this version yet" },
		{ "-vmx", "+vmx", "VMX inside the guest" },
		{ "-vmx-ept", "vmx-ept=on", "VMX inside the guest" },
		{ "pmu=off", "pmu=on", "no virtual PMU" },
		{ "-sgx", "sgx", "hidden" },
		{ "-rtm", "rtm", "nothing here backs" },
		{ "-svm", "svm", "Intel" },
		{ "migratable=no", "migratable=yes", "do not move" },
		{ "tsc-deadline", "-tsc-deadline", "always have it" },
		{ "host-phys-bits=on", "host-phys-bits=off", "the machine's" },
		{ "", "+monitor", "mwait=c1" },
		{ "", "-monitor", "mwait=hide" },
		{ "", "avx512f=on", "the processor's own" },
		{ "", "-avx512f", "the processor's own" },
		{ "", "x2apic=off", "the processor's own" },
		{ "", "-sse4_1", "the processor's own" },
		{ "", "vendor=GenuineIntel", "the machine's own" },
		{ "", "x-vendor-cpuid-only", "the machine's own" },
	};

	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		char line[100];

		snprintf(line, sizeof(line), "cpu=host,%s", rows[i].right);
		EXPECT_EQ(ERR_NONE, parse(line));
		EXPECT_EQ(by_default(), o.config.cpu_features);
		snprintf(line, sizeof(line), "cpu=host,%s", rows[i].wrong);
		EXPECT_EQ(ERR_NODEV, parse(line));
		EXPECT_CONTAINS(msg, rows[i].wrong);
		EXPECT_CONTAINS(msg, rows[i].why);
		EXPECT_CONTAINS(msg, "; remove it");
	}
	EXPECT_EQ(ERR_NOENT, parse("cpu=host,hv")); /* not the beginning of a name */
}

struct flag {
	char name[40];
	u32 leaf, subleaf, reg, bit;
	bool has_bit;
};

/* Next row of FLAGS_FILE; false: no more. */
static bool next_flag(FILE *f, struct flag *flag)
{
	char line[200], reg[8];

	while (fgets(line, sizeof(line), f) != NULL) {
		if (line[0] == '#')
			continue;
		flag->has_bit = sscanf(line, "%39s %x %u %7s %u", flag->name, &flag->leaf,
				       &flag->subleaf, reg, &flag->bit) == 5;
		if (flag->has_bit)
			flag->reg = (u32)(reg[1] - 'a'); /* eax, ebx, ecx, edx */
		return true;
	}
	return false;
}

/* FEATURE_COUNT: it is none of ours. */
static u32 own_feature(const char *name)
{
	u32 f = 0;

	while (f < FEATURE_COUNT && strcmp(name, name_of(f)) != 0)
		f++;
	return f;
}

static bool is_own(const char *name)
{
	return own_feature(name) < FEATURE_COUNT;
}

static u32 shown(const struct fake_guest *g, const struct flag *flag)
{
	struct cpuid_regs r;

	cpuid_query(&g->vp[0], flag->leaf, flag->subleaf, &r);
	return ((const u32[]){ r.a, r.b, r.c, r.d }[flag->reg] >> flag->bit) & 1;
}

/* A feature of ours has the bit that QEMU has for its name. */
static bool has_flag(const struct flag *flag)
{
	for (u32 i = 0; i < FEATURE_COUNT * 2; i++) {
		const struct hv_feature *f = hv_features[i / 2];
		const struct hv_cpuid_bits *b = &f->bits[i % 2];
		const u32 regs[] = { b->regs.a, b->regs.b, b->regs.c, b->regs.d };

		if (strcmp(f->name, flag->name) == 0 && b->leaf != 0 &&
		    (f->abi != NULL ? 0x40000000 : 0) + b->leaf == flag->leaf &&
		    (regs[flag->reg] & BIT32(flag->bit)))
			return true;
	}
	return false;
}

/* How many bits the features have that QEMU knows by these names. */
static u32 bits_of_features(u64 known)
{
	u32 n = 0;

	for (u32 i = 0; i < FEATURE_COUNT * 2; i++) {
		const struct cpuid_regs *r = &hv_features[i / 2]->bits[i % 2].regs;

		if (!(known & BIT64(i / 2)))
			continue;
		n += (u32)(__builtin_popcount(r->a) + __builtin_popcount(r->b) +
			   __builtin_popcount(r->c) + __builtin_popcount(r->d));
	}
	return n;
}

/*
 * What is said of a name is true of CPUID: "always off" is 0 on a machine that has everything,
 * "the machine's own" is 1 there, "always on" too.
 */
static void test_names_of_qemu(void)
{
	static struct fake_guest g;
	FILE *f = fopen(FLAGS_FILE, "r");
	struct flag flag;
	u32 count = 0, own = 0;
	u64 known = 0;

	EXPECT_NOT_NULL(f);
	fake_guest_init(&g, 1, NULL);
	while (next_flag(f, &flag)) {
		bool on_ok, off_ok;
		char line[80];

		count++;
		snprintf(line, sizeof(line), "cpu=host,+%s", flag.name);
		on_ok = parse(line) == ERR_NONE;
		EXPECT_NULL(strstr(msg, "unknown"));
		snprintf(line, sizeof(line), "cpu=host,-%s", flag.name);
		off_ok = parse(line) == ERR_NONE;
		EXPECT_NULL(strstr(msg, "unknown"));
		EXPECT_EQ(is_own(flag.name), on_ok && off_ok);
		if (flag.has_bit && is_own(flag.name)) {
			EXPECT_TRUE(has_flag(&flag));
			known |= BIT64(own_feature(flag.name));
			own++;
		}
		if (!flag.has_bit || is_own(flag.name) || flag.leaf > 0x80000008 ||
		    strcmp(flag.name, "monitor") == 0)
			continue;
		if (off_ok != !shown(&g, &flag))
			print_error("%s\n", flag.name);
		EXPECT_EQ(!off_ok, shown(&g, &flag));
	}
	fclose(f);
	EXPECT_GE(count, 300);
	EXPECT_EQ(bits_of_features(known), own);
}

TEST_MAIN(TEST(test_fixed_names), TEST(test_names_of_qemu))
