/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * For `make docs`: the features of the paravirtual interfaces, from their array.
 *
 *   features table        rows of the table of docs/profiles.md
 *   features names ABI    one name of a feature of the ABI (kvm, hyperv) per line
 *   features hcalls ABI   "number name" of each hypercall, in the order of the numbers
 *   features msrs ABI     "number name HIGH:LOW..." of each MSR, with its reserved bits
 */
#include <stdio.h>
#include <string.h>

#include "hv/hcall.h"
#include "hv/hv.h"

/* ", " before all but the first of a cell. */
static const char *comma;

static void begin_cell(void)
{
	printf(" |");
	comma = " ";
}

#define ADD(...) (printf("%s", comma), comma = ", ", printf(__VA_ARGS__))

static void put_bits(u32 i)
{
	static const char *const names[] = { "EAX.", "EBX.", "ECX.", "EDX." };
	const struct hv_feature *f = hv_features[i];

	if (f->abi != NULL && f->abi->whole == i)
		ADD("the leaves");
	for (u32 n = 0; n < f->cpuid_count; n++)
		ADD("leaf %XH", f->cpuid[n].leaf);
	for (u32 n = 0; n < 128 * ARRAY_SIZE(f->bits); n++) {
		const struct hv_cpuid_bits *b = &f->bits[n / 128];
		const u32 regs[] = { b->regs.a, b->regs.b, b->regs.c, b->regs.d };
		char leaf[20] = "";

		if (b->leaf == 0 || !(regs[n / 32 % 4] & BIT32(n % 32)))
			continue;
		snprintf(leaf, sizeof(leaf), f->abi == NULL ? "CPUID.%u " : "%u.", b->leaf);
		ADD("%s%s%u", leaf, names[n / 32 % 4], n % 32);
	}
}

static void put_row(u32 i)
{
	static const char *const in[] = { "all", "tests", "none", "by name only" };
	const struct hv_feature *f = hv_features[i];

	printf("| `%s`", f->name);
	begin_cell();
	put_bits(i);
	begin_cell();
	ADD("%s", in[f->profiles]);
	begin_cell();
	for (u32 m = 0; m < f->msr_count; m++)
		ADD("0x%X", f->msrs[m].first);
	for (u32 h = 0; h < f->hcall_count; h++)
		ADD("%s (%u)", f->hcalls[h].name, f->hcalls[h].nr);
	begin_cell();
	for (u32 k = 0; k < FEATURE_COUNT; k++) {
		if (hv_feature_needs(i) & BIT64(k))
			ADD("`%s`", hv_features[k]->name);
	}
	if (f->needs_hlt_exit)
		ADD("`hlt=exit`");
	printf(" |\n");
}

static void put_hcalls(const struct hv_abi *abi, u32 nr)
{
	for (u32 i = 0; i < FEATURE_COUNT; i++) {
		if (hv_features[i]->abi != abi)
			continue;
		for (u32 h = 0; h < hv_features[i]->hcall_count; h++) {
			const struct hcall_row *row = &hv_features[i]->hcalls[h];

			if (row->nr == nr)
				printf("%u %s%s\n", nr, row->name,
				       row->kind == HCALL_NOT_OFFERED ? " -" : "");
		}
	}
}

static void put_msrs(const struct hv_feature *f)
{
	for (u32 m = 0; m < f->msr_count; m++) {
		const struct msr_row *row = &f->msrs[m];

		printf("0x%X %s", row->first, row->name);
		for (u64 left = row->rsvdz; left != 0;) {
			u32 low = (u32)__builtin_ctzll(left);
			u64 above = ~left & ~(BIT64(low) - 1);
			u32 high = above != 0 ? (u32)__builtin_ctzll(above) - 1 : 63;

			printf(" %u:%u", high, low);
			left &= ~GENMASK64(high, low);
		}
		printf("\n");
	}
}

static const struct hv_abi *abi_named(const char *name)
{
	const struct hv_abi *const *a = hv_abis;

	while (*a != NULL && strcmp(hv_features[(*a)->whole]->name, name) != 0)
		a++;
	return *a;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	const struct hv_abi *abi = abi_named(argc > 2 ? argv[2] : "");

	for (u32 i = 0; i < FEATURE_COUNT; i++) {
		if (strcmp(what, "table") == 0)
			put_row(i);
		if (abi == NULL || hv_features[i]->abi != abi)
			continue;
		if (strcmp(what, "names") == 0)
			puts(hv_features[i]->name);
		if (strcmp(what, "msrs") == 0)
			put_msrs(hv_features[i]);
	}
	for (u32 nr = 0; strcmp(what, "hcalls") == 0 && nr < HCALL_EXTENDED + HCALL_EXTENDEDS; nr++)
		put_hcalls(abi, nr);
	return 0;
}
