/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hv/hyperv/syndbg.c and syndbg_calls.c against a serial port with a pattern at its other end.
 * Numbers are restated from QEMU's hyperv-proto.h.
 */
#include "tests/host/harness.h"

#include "core/lib/ring.h"
#include "core/time/timer.h"
#include "hv/hcall_mem.h"
#include "hv/hyperv/hyperv.h"
#include "hv/hyperv/syndbg.h"
#include "tests/host/fakes/rig.h"

#define CONTROL  0x400000f1u
#define STATUS   0x400000f2u
#define SEND     0x400000f3u
#define RECEIVE  0x400000f4u
#define PENDING  0x400000f5u
#define OPTIONS  0x400000ffu
#define POST     0x69u
#define RETRIEVE 0x6au
#define RESET    0x6bu
#define FAST     0x10000ull
#define A        0x1000u /* offsets in RAM */
#define B        0x3000u
#define FLAG     0x5000u
#define FILL     0xa5u
#define AT(x)    (GUEST_RAM_BASE + (x))
#define VP       (&g.vp[0])

static struct fake_guest g;
static struct hcall_buffer buffer;

/* The other end: it says 0, 1, 2... and keeps what it hears. */
static struct {
	u32 said, may_say;
	u32 heard, room;
	u8 byte[65536];
} far_end;

static s32 receive(void)
{
	return far_end.said < far_end.may_say ? (u8)far_end.said++ : -1;
}

static u32 send(const u8 *bytes, u32 count)
{
	u32 n = count < far_end.room ? count : far_end.room;

	memcpy(far_end.byte + far_end.heard, bytes, n);
	far_end.heard += n;
	far_end.room -= n;
	return n;
}

static void everything(struct partition *p)
{
	fake_guest_features(p, &hyperv_abi);
}

static void without(struct partition *p)
{
	everything(p);
	p->config.cpu_features &= ~BIT64(FEATURE_HV_SYNDBG);
}

static void start(void)
{
	static const struct syndbg_port port = { receive, send };

	memset(&far_end, 0, sizeof(far_end));
	syndbg_open(&port);
	fake_guest_init(&g, 2, everything);
	memset(g.ram, FILL, sizeof(g.ram));
	hv_vp_reset(VP, false);
}

static u64 rd(u32 msr)
{
	u64 val = ~0ull;

	EXPECT_EQ(MSR_OK, msr_read(VP, msr, &val));
	return val;
}

static void wr(u32 msr, u64 val)
{
	EXPECT_EQ(MSR_OK, msr_write(&g.vp[1], msr, val));
}

/* STATUS after an action. */
static u64 act(u64 control)
{
	wr(CONTROL, control);
	return rd(STATUS);
}

static void polls(u32 n)
{
	while (n-- != 0) {
		fake.tsc += GUEST_TSC_HZ / 1000 + 1;
		timer_run(VP, fake.tsc);
	}
}

static u64 call(u64 control, u64 in, u64 out)
{
	struct hcall_request rq = {
		.control = control, .in_gpa = in, .out_gpa = out, .buffer = &buffer
	};

	EXPECT_EQ(HCALL_DONE, hcall_memory(&g.vp[1], hyperv_abi.calls, &rq));
	return rq.result;
}

static u32 word_at(u32 offset)
{
	u32 val;

	memcpy(&val, g.ram + offset, 4);
	return val;
}

static u64 call_with(u64 control, u32 count, u32 options)
{
	memcpy(g.ram + A, &count, 4);
	memcpy(g.ram + A + 4, &options, 4);
	return call(control, AT(A), AT(B));
}

static u64 reset_with(u32 options)
{
	memcpy(g.ram + A, &options, 4);
	return call(RESET, AT(A), AT(B));
}

static void test_off(void)
{
	u64 val;

	fake_guest_init(&g, 2, without);
	for (u32 msr = CONTROL; msr <= PENDING; msr++) {
		EXPECT_EQ(MSR_GP, msr_read(VP, msr, &val));
		EXPECT_EQ(MSR_GP, msr_write(VP, msr, 0));
	}
	EXPECT_EQ(MSR_GP, msr_write(VP, OPTIONS, 0));
	for (u32 nr = POST; nr <= RESET; nr++) {
		EXPECT_EQ(2, call(nr, AT(A), AT(B)));
		EXPECT_EQ(2, call(nr | FAST, 0, 0));
	}
}

static void test_leaves(void)
{
	static const u32 want[3][4] = {
		{ 0x40000082, 0x7263694d, 0x666f736f, 0x53562074 },
		{ 0x31235356, 0, 0, 0 },
		{ 2, 0, 0, 0 },
	};
	struct cpuid_regs r;

	start();
	cpuid_query(VP, 0x40000000, 0, &r);
	EXPECT_EQ(0x40000082, r.a);
	for (u32 i = 0; i < 3; i++) {
		cpuid_query(VP, 0x40000080 + i, 0, &r);
		EXPECT_EQ(want[i][0], r.a);
		EXPECT_EQ(want[i][1], r.b);
		EXPECT_EQ(want[i][2], r.c);
		EXPECT_EQ(want[i][3], r.d);
	}
	cpuid_query(VP, 0x40000003, 0, &r);
	EXPECT_EQ(BIT32(12), r.a & BIT32(12));
	EXPECT_EQ(BIT32(11), r.b & BIT32(11));
	EXPECT_EQ(BIT32(11) | BIT32(1), r.d & (BIT32(11) | BIT32(1)));
}

static void test_registers(void)
{
	static const u32 plain[] = { STATUS, SEND, RECEIVE, PENDING, OPTIONS };

	start();
	for (u32 i = 0; i < ARRAY_SIZE(plain); i++) {
		EXPECT_EQ(0, rd(plain[i]));
		wr(plain[i], AT(FLAG) + i);
		EXPECT_EQ(AT(FLAG) + i, rd(plain[i]));
	}
	EXPECT_EQ(0, act(~3ull)); /* neither sends nor receives */
	EXPECT_EQ(~3ull, rd(CONTROL));
	far_end.may_say = 1;
	polls(1);
	hv_vp_reset(&g.vp[1], true); /* another CPU: nothing happens */
	EXPECT_EQ(~3ull, rd(CONTROL));
	EXPECT_EQ(1, g.ram[FLAG + 3]);
	g.ram[FLAG + 3] = FILL;
	hv_vp_reset(VP, true);
	for (u32 i = 0; i < ARRAY_SIZE(plain); i++)
		EXPECT_EQ(0, rd(plain[i]));
	EXPECT_EQ(0, rd(CONTROL));
	wr(RECEIVE, AT(A));
	EXPECT_EQ(0, act(2)); /* what had arrived is forgotten */
	far_end.may_say = 2;
	polls(1); /* still alive */
	EXPECT_EQ(FILL, g.ram[FLAG + 3]);
	EXPECT_EQ(4 | 1 << 16, act(2));
}

static void test_send(void)
{
	start();
	for (u32 i = 0; i < 0x2000; i++)
		g.ram[A + i] = (u8)(i * 7);
	wr(SEND, AT(A));
	EXPECT_EQ(1, act(1));
	EXPECT_EQ(1, act(1 | 4096ull << 16));
	EXPECT_EQ(1, act(3 | 4096ull << 16)); /* both: it sends */
	EXPECT_EQ(0, act(1 | 1ull << 16));    /* no room */
	far_end.room = 16;
	EXPECT_EQ(0, act(1 | 17ull << 16)); /* now there is some for 16 */
	EXPECT_EQ(1, act(1 | 16ull << 16));
	far_end.room = ~0u;
	polls(8192 / 16);
	EXPECT_EQ(8208, far_end.heard);
	for (u32 i = 0; i < 8208; i++)
		EXPECT_EQ((u8)(i % 4096 * 7), far_end.byte[i]);
	EXPECT_EQ(0, act(1 | 4097ull << 16));
	wr(SEND, 0xfee00000);
	EXPECT_EQ(0, act(1 | 4ull << 16));
	wr(SEND, AT(GUEST_RAM_BYTES) - 2);
	EXPECT_EQ(0, act(1 | 4ull << 16));
	wr(SEND, ~0ull);
	EXPECT_EQ(0, act(1 | 4ull << 16));
	polls(4);
	EXPECT_EQ(8208, far_end.heard);
}

static void test_receive(void)
{
	start();
	wr(RECEIVE, AT(A));
	EXPECT_EQ(0, act(2));
	EXPECT_EQ(FILL, g.ram[A]);
	far_end.may_say = 5;
	EXPECT_EQ(4 | 5 << 16, act(2)); /* an action looks at the port itself */
	for (u32 i = 0; i < 6; i++)
		EXPECT_EQ(i < 5 ? i : FILL, g.ram[A + i]);
	EXPECT_EQ(0, act(2));
	far_end.may_say = 20000;
	polls(1000);
	EXPECT_EQ(5 + 8192, far_end.said); /* the rest stays in the port */
	wr(RECEIVE, 0xfee00000);
	EXPECT_EQ(0, act(2));
	wr(RECEIVE, AT(GUEST_RAM_BYTES) - 4);
	EXPECT_EQ(0, act(2));
	wr(RECEIVE, AT(A));
	for (u32 page = 0; page < 2; page++) {
		EXPECT_EQ(4 | 4096u << 16, act(2));
		for (u32 i = 0; i < 4096; i++)
			EXPECT_EQ((u8)(5 + 4096 * page + i), g.ram[A + i]);
	}
	EXPECT_EQ(FILL, g.ram[A + 4096]);
}

/* The guest looks at a byte and need not ask. */
static void test_pending_page(void)
{
	start();
	wr(PENDING, AT(FLAG));
	EXPECT_EQ(0, g.ram[FLAG]);
	far_end.may_say = 5000;
	polls(200);
	EXPECT_EQ(1, g.ram[FLAG]);
	g.ram[FLAG] = FILL;
	polls(10); /* it has been told */
	EXPECT_EQ(FILL, g.ram[FLAG]);
	EXPECT_EQ(FILL, g.ram[FLAG + 1]);
	wr(PENDING, AT(FLAG + 8));
	EXPECT_EQ(1, g.ram[FLAG + 8]);
	wr(RECEIVE, AT(A));
	EXPECT_EQ(4 | 4096u << 16, act(2));
	EXPECT_EQ(1, g.ram[FLAG + 8]);
	EXPECT_EQ(4 | 904 << 16, act(2));
	EXPECT_EQ(0, g.ram[FLAG + 8]);
	wr(PENDING, 0xfee00000); /* nowhere */
	far_end.may_say++;
	polls(2);
	EXPECT_EQ(0, g.ram[FLAG + 8]);
	wr(PENDING, 0);
	EXPECT_EQ(4 | 1 << 16, act(2));
}

static void test_call_statuses(void)
{
	start();
	for (u32 nr = POST; nr <= RESET; nr++)
		EXPECT_EQ(5, call(nr | FAST, 0, 0));
	EXPECT_EQ(8, call_with(POST, 1, 0));
	EXPECT_EQ(8, call_with(RETRIEVE, 1, 0));
	EXPECT_EQ(8, reset_with(0));
	wr(OPTIONS, 4);
	EXPECT_EQ(5, call_with(POST, 1, 2));
	EXPECT_EQ(5, call_with(RETRIEVE, 1, 4));
	EXPECT_EQ(5, reset_with(4));
	EXPECT_EQ(5, call_with(POST, 4089, 0));
	EXPECT_EQ(4, call(POST, AT(A + 8), AT(B)));
	EXPECT_EQ(4, call(RETRIEVE, AT(A), AT(B + 8)));
	EXPECT_EQ(3, call(POST, 0xfee00000, AT(B)));
	EXPECT_EQ(3, call(RETRIEVE, AT(A), 0xfee00000));
	EXPECT_EQ(FILL, g.ram[B]); /* no failure has an output */
}

static void test_post(void)
{
	start();
	wr(OPTIONS, 4);
	for (u32 i = 0; i < 4088; i++)
		g.ram[A + 8 + i] = (u8)(i * 3);
	EXPECT_EQ(0, call_with(POST, 0, 0));
	EXPECT_EQ(0, call_with(POST, 4088, 0));
	EXPECT_EQ(0, word_at(B));
	EXPECT_EQ(0, call_with(POST, 4088, 1));
	EXPECT_EQ(0x13, call_with(POST, 17, 1)); /* 16 are free */
	EXPECT_EQ(17, word_at(B));
	EXPECT_EQ(FILL, g.ram[B + 4]);
	EXPECT_EQ(0, call_with(POST, 16, 0));
	far_end.room = ~0u;
	polls(8192 / 16);
	EXPECT_EQ(8192, far_end.heard);
	for (u32 i = 0; i < 8192; i++)
		EXPECT_EQ((u8)(i % 4088 * 3), far_end.byte[i]);
}

static void test_retrieve(void)
{
	start();
	wr(OPTIONS, 4);
	EXPECT_EQ(0x1b, call_with(RETRIEVE, 100, 0));
	EXPECT_EQ(0, word_at(B));
	EXPECT_EQ(100, word_at(B + 4));
	EXPECT_EQ(FILL, g.ram[B + 8]);
	EXPECT_EQ(0x1b, call_with(RETRIEVE, 100, 2));
	wr(PENDING, AT(FLAG));
	far_end.may_say = 5000;
	polls(200);
	EXPECT_EQ(1, g.ram[FLAG]);
	EXPECT_EQ(0, call_with(RETRIEVE, 100, 2)); /* it stays */
	EXPECT_EQ(0, word_at(B));
	EXPECT_EQ(FILL, g.ram[B + 8]);
	EXPECT_EQ(0, call_with(RETRIEVE, 100, 1));
	EXPECT_EQ(100, word_at(B));
	EXPECT_EQ(0, word_at(B + 4));
	EXPECT_EQ(99, g.ram[B + 8 + 99]);
	EXPECT_EQ(FILL, g.ram[B + 8 + 100]);
	EXPECT_EQ(0, call_with(RETRIEVE, 10000, 0));
	EXPECT_EQ(4088, word_at(B));
	EXPECT_EQ(10000 - 4088, word_at(B + 4));
	for (u32 i = 0; i < 4088; i++)
		EXPECT_EQ((u8)(100 + i), g.ram[B + 8 + i]);
	EXPECT_EQ(FILL, g.ram[B + 4096]);
	EXPECT_EQ(1, g.ram[FLAG]);
	EXPECT_EQ(0, call_with(RETRIEVE, 4088, 0));
	EXPECT_EQ(812, word_at(B));
	EXPECT_EQ(0, g.ram[FLAG]);
}

static void test_reset_session(void)
{
	start();
	wr(OPTIONS, 4);
	wr(PENDING, AT(FLAG));
	far_end.may_say = 10;
	EXPECT_EQ(0, call_with(POST, 100, 0));
	polls(1);
	EXPECT_EQ(0, reset_with(0));
	for (u32 i = 0; i < 25; i++)
		EXPECT_EQ(i < 24 ? 0 : FILL, g.ram[B + i]);
	EXPECT_EQ(1, g.ram[FLAG]);
	EXPECT_EQ(0, reset_with(1));
	EXPECT_EQ(0, g.ram[FLAG]);
	EXPECT_EQ(0x1b, call_with(RETRIEVE, 1, 0));
	far_end.room = 20;
	polls(2); /* 20 have left */
	EXPECT_EQ(0, reset_with(2));
	far_end.room = 1000;
	polls(10);
	EXPECT_EQ(20, far_end.heard);
}

/* Both directions at once, at any speeds: nothing is lost, doubled or out of order. */
static u32 seed;

static u32 any(u32 limit)
{
	seed = seed * 1103515245 + 12345;
	return (seed >> 8) % limit;
}

static u32 sent, received;

static void some_send(void)
{
	u32 count = any(3) != 0 ? any(40) : any(4089);
	bool by_call = any(2) != 0;

	for (u32 i = 0; i < count; i++)
		g.ram[A + 8 + i] = (u8)((sent + i) * 5);
	wr(SEND, AT(A + 8));
	if (by_call ? call_with(POST, count, 0) == 0 : act(1 | (u64)count << 16) == 1)
		sent += count;
}

static void some_receive(void)
{
	u32 count;

	wr(RECEIVE, AT(B + 8));
	if (any(2) != 0) {
		call_with(RETRIEVE, any(5000), 0);
		count = word_at(B);
	} else {
		count = (u32)(act(2) >> 16);
	}
	for (u32 i = 0; i < count; i++)
		EXPECT_EQ((u8)(received + i), g.ram[B + 8 + i]);
	received += count;
}

static void test_stream(void)
{
	start();
	wr(OPTIONS, 4);
	wr(PENDING, AT(FLAG));
	seed = 1;
	sent = received = 0;
	for (u32 i = 0; i < 3000 && sent < 60000; i++) {
		far_end.room += any(100);
		far_end.may_say += any(100);
		if (any(2) != 0)
			some_send();
		if (any(8) == 0)
			some_receive();
		polls(any(3));
		EXPECT_EQ(far_end.said != received, g.ram[FLAG]);
	}
	far_end.room = ~0u;
	polls(8192 / 16);
	EXPECT_EQ(sent, far_end.heard);
	EXPECT_GE(sent, 20000);
	EXPECT_GE(received, 20000);
	for (u32 i = 0; i < sent; i++)
		EXPECT_EQ((u8)(i * 5), far_end.byte[i]);
}

/* No port: bytes wait, none come. */
static void test_no_port(void)
{
	start();
	syndbg_open(NULL);
	wr(SEND, AT(A));
	EXPECT_EQ(1, act(1 | 4096ull << 16));
	EXPECT_EQ(0, act(2));
	polls(3);
}

/* Its counts go on when they wrap. */
static void test_ring(void)
{
	static struct ring r;
	u8 out[8];

	r.put = r.taken = ~0u - 2;
	EXPECT_EQ(RING_BYTES, ring_room(&r));
	EXPECT_EQ(0, ring_peek(&r, out, 8));
	ring_put(&r, (const u8 *)"abcdef", 6);
	EXPECT_EQ(6, ring_count(&r));
	EXPECT_EQ(4, ring_peek(&r, out, 4));
	ring_drop(&r, 4);
	EXPECT_EQ(2, ring_peek(&r, out, 8));
	EXPECT_EQ('e', out[0]);
	EXPECT_EQ('f', out[1]);
	ring_clear(&r);
	EXPECT_EQ(0, ring_count(&r));
}

TEST_MAIN(TEST(test_off), TEST(test_leaves), TEST(test_registers), TEST(test_send),
	  TEST(test_receive), TEST(test_pending_page), TEST(test_call_statuses), TEST(test_post),
	  TEST(test_retrieve), TEST(test_reset_session), TEST(test_stream), TEST(test_no_port),
	  TEST(test_ring))
