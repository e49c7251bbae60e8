// SPDX-License-Identifier: BSD-2-Clause
// What the tests of flush hypercalls share.

#include "tests/guest/hyperv/flush.h"

#include "arch/x86/defs/cr.h"
#include "tests/guest/lib/cpu.h"
#include "tests/guest/lib/layout.h"
#include "tests/guest/lib/str.h"

#define PAGE_INDEX   60
#define WINDOW       (TEST_VA + PAGE_INDEX * 4096ull)
#define G_PTE_GLOBAL 0x100ull

static u64 in[SMP_MAX][512] ALIGNED(4096);
static u32 pages[2][1024] ALIGNED(4096);

bool flush_begin(void)
{
	if (!flush_is_on()) {
		test_skip("hv-tlbflush is off");
		return false;
	}
	return hyperv_begin();
}

u64 *flush_in(u32 cpu)
{
	return in[cpu];
}

u64 flush_gpa(u32 cpu)
{
	return (u64)(uintptr_t)in[cpu];
}

volatile u32 *flush_window(void)
{
	pages[0][0] = 1;
	pages[1][0] = 2;
	write_cr4(read_cr4() | CR4_PGE);
	return map_page(PAGE_INDEX, (u64)(uintptr_t)pages[0], G_PTE_P | G_PTE_W | G_PTE_GLOBAL);
}

void flush_map(u32 number)
{
	*(volatile u64 *)map_pte(PAGE_INDEX) =
		(u64)(uintptr_t)pages[number - 1] | G_PTE_P | G_PTE_W | G_PTE_GLOBAL;
}

/* Whom to name, and how. */
enum who { MASK, FLAG, BANK, BANKS, ALL };

static const struct {
	u32 code;
	enum who who;
} forms[FLUSH_VARIANTS / 2] = {
	{ SPACE, MASK },    { SPACE, FLAG },     { LIST, MASK },    { LIST, FLAG },
	{ SPACE_EX, BANK }, { SPACE_EX, BANKS }, { SPACE_EX, ALL }, { SPACE_EX, FLAG },
	{ LIST_EX, BANK },  { LIST_EX, BANKS },  { LIST_EX, ALL },  { LIST_EX, FLAG },
};

bool flush_applies(u32 variant)
{
	return variant % 2 == 0 || has_xmm();
}

bool flush_names_all(u32 variant)
{
	enum who who = forms[variant / 2].who;

	return who == FLAG || who == ALL;
}

/* Returns how many words of header there are. */
static u32 put_set(u64 *set, enum who who, u64 vps)
{
	u32 n = 0;

	set[0] = who == ALL ? HV_GENERIC_SET_ALL : HV_GENERIC_SET_SPARSE_4K;
	set[1] = who == BANK ? 1 : who == BANKS ? BIT64(63) | BIT64(5) | 1 : 0;
	if (set[1] & 1)
		set[2 + n++] = vps;
	for (u64 others = set[1] & ~1ull; others != 0; others &= others - 1)
		set[2 + n++] = ~0ull;
	return n;
}

bool flush_do(u32 variant, u64 vps)
{
	u32 code = forms[variant / 2].code, var = 0, list = is_list(code) ? 2 : 0;
	enum who who = forms[variant / 2].who;
	u64 *words = in[0], control = code | HYPERV_REPS(list), result;

	memset(words, 0, 16 * 8);
	words[0] = read_cr3();
	words[1] =
		HV_FLUSH_ALL_VIRTUAL_ADDRESS_SPACES | (who == FLAG ? HV_FLUSH_ALL_PROCESSORS : 0);
	if (is_ex(code))
		var = put_set(words + 2, who, vps);
	else
		words[2] = who == MASK ? vps : 0;
	for (u32 i = 0; i < list; i++)
		words[(is_ex(code) ? 4 + var : 3) + i] = WINDOW + i * 4096;
	control |= HYPERV_VAR(var);
	result = variant % 2 != 0 ? hyperv_xmm_call(control, words)
				  : hyperv_call(control, flush_gpa(0), 0);
	return result == (HV_STATUS_SUCCESS | HYPERV_REPS(list));
}
