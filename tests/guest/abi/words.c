// SPDX-License-Identifier: BSD-2-Clause
// Enlightenments by QEMU's names, from words.def.

#include "tests/guest/abi/words.h"

#include "core/lib/bits.h"
#include "tests/guest/lib/insn.h"
#include "tests/guest/lib/kvm.h"
#include "tests/guest/lib/str.h"

#define HV_BASE      0x40000000u
#define HV_SIGNATURE 0x31237648u /* "Hv#1", EAX of leaf 1 */
#define HV_FEATURES  3
#define HV_HINTS     4

enum place {
	KVM_LEAVES, /* the interface itself */
	KVM_A,      /* leaf 1 */
	KVM_D,
	KVM_LEAF, /* the leaf whose number is in the bits */
	HV_LEAVES,
	HV_A, /* the features leaf */
	HV_B,
	HV_D,
	HINT_A, /* the leaf of recommendations */
	HINT_SPIN,
};

static struct word {
	const char *name;
	enum place place;
	u32 bits;
	const char *tests;
	bool offered;
	u32 results[3];
} words[] = {
#define X(name, place, bits, tests) { name, place, bits, tests, false, { 0 } },
#include "tests/guest/abi/words.def"
#undef X
};

static u32 passed_all;

static bool has_hyperv(void)
{
	return machine_has_hypervisor() && cpuid(HV_BASE + 1).a == HV_SIGNATURE;
}

static struct cpuid_regs kvm_leaf(u32 n)
{
	return kvm_base() != 0 ? cpuid(kvm_base() + n) : (struct cpuid_regs){ 0 };
}

static struct cpuid_regs hv_leaf(u32 n)
{
	return has_hyperv() ? cpuid(HV_BASE + n) : (struct cpuid_regs){ 0 };
}

static bool is_offered(const struct word *w)
{
	switch (w->place) {
	case KVM_LEAVES:
		return kvm_base() != 0;
	case KVM_A:
		return (kvm_leaf(1).a & w->bits) != 0;
	case KVM_D:
		return (kvm_leaf(1).d & w->bits) != 0;
	case KVM_LEAF: /* a maximum of 0 is an old KVM's */
		return kvm_base() != 0 && kvm_leaf(0).a >= kvm_base() + w->bits;
	case HV_LEAVES:
		return has_hyperv();
	case HV_A:
		return (hv_leaf(HV_FEATURES).a & w->bits) != 0;
	case HV_B:
		return (hv_leaf(HV_FEATURES).b & w->bits) != 0;
	case HV_D:
		return (hv_leaf(HV_FEATURES).d & w->bits) != 0;
	case HINT_A:
		return (hv_leaf(HV_HINTS).a & w->bits) != 0;
	case HINT_SPIN:
		return has_hyperv() && hv_leaf(HV_HINTS).b != ~0u;
	}
	return false;
}

static bool has_interface(void)
{
	return kvm_base() != 0 || has_hyperv();
}

void words_init(void)
{
	for (u32 i = 0; i < ARRAY_SIZE(words); i++)
		words[i].offered = is_offered(&words[i]);
}

static bool ends(char c)
{
	return c == '\0' || c == ' ';
}

/* One pattern, which ends with a blank or the string. */
static bool fits(const char *pattern, const char *name)
{
	if (ends(*pattern))
		return *name == '\0';
	if (*pattern != '*')
		return *pattern == *name && fits(pattern + 1, name + 1);
	for (;; name++) {
		if (fits(pattern + 1, name))
			return true;
		if (*name == '\0')
			return false;
	}
}

static bool is_of(const struct word *w, const struct test *t)
{
	for (const char *p = w->tests; *p != '\0';) {
		if (fits(p, t->name))
			return true;
		while (!ends(*p))
			p++;
		while (*p == ' ')
			p++;
	}
	return false;
}

const char *word_not_here(const struct test *t)
{
	static char why[64];
	const char *name = NULL;

	if (!has_interface())
		return "neither KVM's interface nor Hyper-V's";
	for (u32 i = 0; i < ARRAY_SIZE(words); i++) {
		if (!is_of(&words[i], t))
			continue;
		if (words[i].offered)
			return NULL;
		name = words[i].name;
	}
	if (name == NULL)
		return NULL;
	str_format(why, sizeof(why), "%s is not offered", name);
	return why;
}

void word_ended(const struct test *t, enum tap_result result)
{
	passed_all += result == TAP_PASS;
	for (u32 i = 0; i < ARRAY_SIZE(words); i++)
		words[i].results[result] += is_of(&words[i], t);
}

u32 words_passed(void)
{
	return passed_all;
}

static bool has_line(const struct word *w)
{
	return w->offered || w->results[TAP_FAIL] != 0;
}

static void line_print(const struct word *w)
{
	tap_printf("# %26s%8s%8u%8u%8u\n", w->name, w->offered ? "offered" : "off",
		   w->results[TAP_PASS], w->results[TAP_FAIL], w->results[TAP_SKIP]);
}

void words_print(void)
{
	u32 shown = 0;

	if (!has_interface())
		return;
	tap_printf("# %26s%8s  passed  failed skipped\n", "enlightenment", "");
	for (u32 i = 0; i < ARRAY_SIZE(words); i++) {
		if (has_line(&words[i]))
			line_print(&words[i]);
	}
	for (u32 i = 0; i < ARRAY_SIZE(words); i++) {
		if (has_line(&words[i]))
			continue;
		tap_printf(shown == 0 ? "# not offered: " : shown % 4 == 0 ? ",\n#   " : ", ");
		tap_printf("%s", words[i].name);
		shown++;
	}
	if (shown != 0)
		tap_printf("\n");
}
