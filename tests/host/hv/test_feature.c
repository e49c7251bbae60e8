/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rules of the array of features, and the profiles' bits in docs/profiles.md. The tables of
 * features there and in docs/kvm.md are made by `make docs`.
 */
#include "tests/host/harness.h"

#include <ctype.h>

#include "boot/option/option_internal.h"
#include "hv/hv.h"
#include "tests/host/fakes/rig.h"

static struct fake_guest g;

static void test_names(void)
{
	for (u32 i = 0; i < FEATURE_COUNT; i++) {
		const struct hv_feature *f = hv_features[i];

		EXPECT_NOT_NULL(f);
		EXPECT_TRUE(f->name[0] != '\0' && f->help[0] != '\0');
		for (const char *c = f->name; *c != '\0'; c++)
			EXPECT_TRUE(islower((u8)*c) || isdigit((u8)*c) || *c == '-');
		for (u32 k = 0; k < i; k++)
			EXPECT_TRUE(strcmp(f->name, hv_features[k]->name) != 0);
	}
}

static void test_needs(void)
{
	for (u32 i = 0; i < FEATURE_COUNT; i++) {
		const struct hv_feature *f = hv_features[i];

		EXPECT_EQ(0, hv_feature_needs(i) >> i);
		if (f->abi == NULL)
			continue;
		EXPECT_TRUE(hv_features[f->abi->whole]->abi == f->abi);
		EXPECT_EQ(i != f->abi->whole, (hv_feature_needs(i) >> f->abi->whole) & 1);
	}
}

static bool is_part_of(const struct cpuid_regs *part, const struct cpuid_regs *of)
{
	return ((part->a & ~of->a) | (part->b & ~of->b) | (part->c & ~of->c) |
		(part->d & ~of->d)) == 0;
}

static bool collide(const struct hv_cpuid_bits *a, const struct hv_cpuid_bits *b)
{
	return ((a->regs.a & b->regs.a & ~(a->shared.a & b->shared.a)) |
		(a->regs.b & b->regs.b & ~(a->shared.b & b->shared.b)) |
		(a->regs.c & b->regs.c & ~(a->shared.c & b->shared.c)) |
		(a->regs.d & b->regs.d & ~(a->shared.d & b->shared.d))) != 0;
}

/* A bit says one thing, and who shares it says so. A feature says that it is there by a bit, a
 * value, or leaves. */
static void test_bits_are_of_one_feature(void)
{
	for (u32 i = 0; i < FEATURE_COUNT; i++) {
		const struct hv_feature *f = hv_features[i];

		struct word name = { f->name, strlen(f->name) };

		EXPECT_TRUE((f->abi != NULL && f->abi->whole == i) || f->bits[0].leaf != 0 ||
			    f->cpuid_count != 0 || option_setting_find(name) != NULL);
		for (u32 n = 0; n < ARRAY_SIZE(f->bits); n++)
			EXPECT_TRUE(is_part_of(&f->bits[n].shared, &f->bits[n].regs));
		for (u32 k = 0; k < i * ARRAY_SIZE(f->bits) * ARRAY_SIZE(f->bits); k++) {
			const struct hv_feature *other = hv_features[k / 4];
			const struct hv_cpuid_bits *a = &f->bits[k % 2];
			const struct hv_cpuid_bits *b = &other->bits[k / 2 % 2];

			if (f->abi == other->abi && a->leaf == b->leaf && a->leaf != 0)
				EXPECT_FALSE(collide(a, b));
		}
	}
}

/* An MSR that no feature has is found by nobody, one that two have stops the boot. */
static void test_msrs_are_of_one_feature(void)
{
	for (u32 i = 0; i < FEATURE_COUNT; i++) {
		const struct hv_feature *f = hv_features[i];

		EXPECT_EQ(f->msrs != NULL, f->msr_count != 0);
		for (u32 m = 0; m < f->msr_count; m++) {
			const struct msr_row *row = &f->msrs[m];

			EXPECT_TRUE(row->get != NULL || row->read != NULL || row->write != NULL);
			EXPECT_TRUE(row->first <= row->last && row->name[0] != '\0');
		}
	}
	fake_guest_init(&g, 1, fake_guest_everything); /* overlaps are refused */
	for (u32 i = 0; i < FEATURE_COUNT; i++) {
		for (u32 m = 0; m < hv_features[i]->msr_count; m++)
			EXPECT_TRUE(msr_lookup(&g.p, hv_features[i]->msrs[m].first) ==
				    &hv_features[i]->msrs[m]);
	}
}

static void test_hypercalls_are_of_an_abi(void)
{
	fake_guest_init(&g, 1, fake_guest_everything);
	for (u32 i = 0; i < FEATURE_COUNT; i++) {
		const struct hv_feature *f = hv_features[i];

		EXPECT_EQ(f->hcalls != NULL, f->hcall_count != 0);
		for (u32 h = 0; h < f->hcall_count; h++) {
			bool live = false;

			EXPECT_TRUE(f->abi != NULL && f->abi->calls != NULL);
			EXPECT_TRUE(hcall_find(f->abi->calls, f->hcalls[h].nr, &live) ==
				    &f->hcalls[h]);
			EXPECT_TRUE(live && f->hcalls[h].name[0] != '\0');
		}
	}
}

static void test_state_of_features_and_vps_is_apart(void)
{
	fake_guest_init(&g, 3, fake_guest_everything);
	for (u32 i = 0; i < FEATURE_COUNT; i++) {
		const struct hv_vp_state *s = hv_features[i]->vp_state;

		if (s == NULL)
			continue;
		EXPECT_NE(0, s->size);
		for (u32 vp = 0; vp < 3; vp++) {
			const u8 *at = hv_state(&g.vp[vp], s);

			for (u32 n = 0; n < s->size && hv_features[i]->vp_create == NULL; n++)
				EXPECT_EQ(0, at[n]);
			memset(hv_state(&g.vp[vp], s), 0xff, s->size);
		}
	}
}

static void all_options(struct partition *p)
{
	p->config.kvmclock_periodic_sync = true;
}

/* Periodic work has a period; an earlier one does not wait for a later one. */
static void test_periodic_work(void)
{
	u64 start_tsc;

	fake_guest_init(&g, 1, all_options);
	for (u32 i = 0; i < FEATURE_COUNT; i++)
		EXPECT_EQ(hv_features[i]->periodic != NULL, hv_features[i]->period_s != 0);
	EXPECT_EQ(0, g.vp[0].periodic_tsc);
	start_tsc = fake.tsc;
	hv_start_periodic(&g.vp[0]);
	EXPECT_GE(g.vp[0].periodic_tsc, start_tsc + 300 * g.p.clock.tsc_hz);
	EXPECT_EQ(0, g.vp[0].counters.c[COUNTER_CLOCK_SYNC]);
	g.p.hooks->periodic(&g.vp[0]); /* early: nothing */
	EXPECT_EQ(0, g.vp[0].counters.c[COUNTER_CLOCK_SYNC]);
	fake.tsc = g.vp[0].periodic_tsc;
	g.p.hooks->periodic(&g.vp[0]);
	EXPECT_EQ(1, g.vp[0].counters.c[COUNTER_CLOCK_SYNC]);
	EXPECT_GE(g.vp[0].periodic_tsc, fake.tsc + 299 * g.p.clock.tsc_hz);
}

/* The profiles' bits as the manual has them; its tables of features are made of the array. */
static void test_profiles_page(void)
{
	static char text[65536];
	char line[80];
	u32 eax = 0;
	FILE *f = fopen("docs/profiles.md", "r");

	EXPECT_NOT_NULL(f);
	text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
	fclose(f);
	for (u32 i = 0; i < FEATURE_COUNT; i++) {
		if (hv_features[i]->abi != NULL && (option_cpu_profile(PROFILE_KVM) & BIT64(i)))
			eax |= hv_features[i]->bits[0].regs.a;
	}
	snprintf(line, sizeof(line), "\n| `kvm` (default) | 1 | yes | 0x%08X | 0 |", eax);
	EXPECT_CONTAINS(text, line);
	snprintf(line, sizeof(line), "\n| `kvm-test` | 1 | yes | 0x%08X | 0 |", eax);
	EXPECT_CONTAINS(text, line);
}

TEST_MAIN(TEST(test_names), TEST(test_needs), TEST(test_bits_are_of_one_feature),
	  TEST(test_msrs_are_of_one_feature), TEST(test_hypercalls_are_of_an_abi),
	  TEST(test_state_of_features_and_vps_is_apart), TEST(test_periodic_work),
	  TEST(test_profiles_page))
