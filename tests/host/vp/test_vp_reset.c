/* SPDX-License-Identifier: BSD-2-Clause */
/* core/vp/vp_reset.c: what an INIT changes, and what it keeps. */
#include "arch/x86/defs/cr.h"
#include "core/vp/guest_cr.h"
#include "tests/host/fakes/rig.h"
#include "tests/host/harness.h"

static struct fake_guest g;

/* Paging is off behind it: no translation of the time before may be left. */
static void test_init_flushes_the_vp_s_translations(void)
{
	fake_guest_init(&g, 2, NULL);
	fake.cpu_vp = &g.vp[1];
	fake.invvpids = 0;
	vp_reset(&g.vp[1], true);
	EXPECT_EQ(1, fake.invvpids);
	EXPECT_EQ(g.vp[1].ctx->vpid, fake.invvpid_vpid);
}

/* SDM "Processor State After Reset": CD and NW are as they were. */
static void test_init_keeps_the_cache_bits(void)
{
	static const u64 bits[] = { 0, CR0_CD, CR0_CD | CR0_NW };

	for (u32 i = 0; i < ARRAY_SIZE(bits); i++) {
		fake_guest_init(&g, 1, NULL);
		fake.vmcs[VMCS_CR0_READ_SHADOW] = CR0_PE | CR0_ET | bits[i];
		vp_reset(&g.vp[0], true);
		EXPECT_EQ(CR0_ET | bits[i], guest_cr0(&g.vp[0]) & ~CR0_NE);
	}
	vp_reset(&g.vp[0], false);
	EXPECT_EQ(CR0_CD | CR0_NW, guest_cr0(&g.vp[0]) & (CR0_CD | CR0_NW));
}

TEST_MAIN(TEST(test_init_keeps_the_cache_bits), TEST(test_init_flushes_the_vp_s_translations))
