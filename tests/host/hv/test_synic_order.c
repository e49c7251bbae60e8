/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guest empties a slot between two looks at it by the hypervisor. Its page cannot be accessed:
 * each access traps, is let through alone by single-stepping, and counted; the one that the test
 * chooses finds the slot full, and behind it the slot is empty.
 */
#define _GNU_SOURCE
#include "tests/host/harness.h"

#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "hv/hcall_mem.h"
#include "hv/hyperv/hyperv.h"
#include "hv/hyperv/synic_internal.h"
#include "tests/host/fakes/rig.h"

#define SINT     2u
#define PORTS    2u /* both lead there */
#define EFL_TRAP 0x100

static struct fake_guest g;
static struct hv_message_page *page;
static volatile u32 accesses, empty_behind;

static void features(struct partition *p)
{
	fake_guest_features(p, &hyperv_abi);
	p->config.synic_loopback.count = PORTS;
	for (u32 i = 0; i < PORTS; i++)
		p->config.synic_loopback.port[i] = (struct config_port){ i, 0, SINT, false };
}

static void open_page(void)
{
	if (mprotect(page, 4096, PROT_READ | PROT_WRITE) != 0)
		abort();
}

static void close_page(void)
{
	if (mprotect(page, 4096, PROT_NONE) != 0)
		abort();
}

static void on_access(int sig, siginfo_t *info, void *context)
{
	ucontext_t *u = context;

	if ((u64)info->si_addr - (u64)page >= 4096)
		abort();
	accesses++;
	open_page();
	u->uc_mcontext.gregs[REG_EFL] |= EFL_TRAP;
}

static void on_step(int sig, siginfo_t *info, void *context)
{
	ucontext_t *u = context;

	if (accesses == empty_behind)
		page->sint_message[SINT].header.message_type = 0;
	close_page();
	u->uc_mcontext.gregs[REG_EFL] &= ~EFL_TRAP;
}

static void catch (int sig, void (*fn)(int, siginfo_t *, void *))
{
	struct sigaction sa = { .sa_sigaction = fn, .sa_flags = SA_SIGINFO };

	EXPECT_EQ(0, sigaction(sig, &sa, NULL));
}

static void set(u32 msr, u64 val)
{
	EXPECT_EQ(MSR_OK, msr_write(&g.vp[0], msr, val));
}

static void post(u32 id)
{
	struct hv_input_post_message in = { .connectionid = id,
					    .message_type = 10 + id,
					    .payload_size = 8 };
	struct hcall hc = { .in = &in };
	bool live;

	EXPECT_EQ(HV_STATUS_SUCCESS,
		  hcall_find(hyperv_abi.calls, HVCALL_POST_MESSAGE, &live)->mem(&g.vp[0], &hc));
}

/* Two are queued: in the slot comes the first of them, or none; never the second before it. */
static void test_the_first_in_the_queue_is_first(void)
{
	fake_guest_init(&g, 1, features);
	page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	EXPECT_TRUE(page != MAP_FAILED);
	catch (SIGSEGV, on_access);
	catch (SIGTRAP, on_step);
	for (empty_behind = 1; empty_behind <= 6; empty_behind++) {
		partition_vp_reset(&g.vp[0], false);
		set(HV_X64_MSR_SCONTROL, 1);
		set(HV_X64_MSR_SIMP, GUEST_RAM_BASE | 1);
		synic_of(&g.vp[0])->messages.mem = (u8 *)page;
		memset(page, 0, sizeof(*page));
		page->sint_message[SINT].header.message_type = 1;
		post(0);
		post(1);
		accesses = 0;
		close_page();
		set(HV_X64_MSR_EOM, 0);
		open_page();
		EXPECT_TRUE(accesses >= 2); /* it looked */
		EXPECT_TRUE(page->sint_message[SINT].header.message_type != 11);
	}
}

TEST_MAIN(TEST(test_the_first_in_the_queue_is_first))
