/* SPDX-License-Identifier: BSD-2-Clause */
/* drivers/uart16550.c on ports that are no serial port, or one that somebody else owns. */
#include "tests/host/harness.h"

#include "arch/x86/insn.h"

#define inb  port_in
#define outb port_out

static u8 port_in(u16 port);
static void port_out(u16 port, u8 val);

#include "drivers/uart16550.c"

#define BASE 0x3f8u

static struct {
	bool present;
	u8 lsr, scratch;
	u32 reads, sent;
} com;

static u8 port_in(u16 port)
{
	com.reads++;
	if (!com.present)
		return 0xff;
	return port == BASE + UART_SCR ? com.scratch : port == BASE + UART_LSR ? com.lsr : 0xc1;
}

static void port_out(u16 port, u8 val)
{
	if (port == BASE + UART_SCR)
		com.scratch = val;
	com.sent += port == BASE + UART_THR;
}

static struct uart set_up(bool present, u8 lsr)
{
	struct uart u;

	memset(&com, 0, sizeof(com));
	com.present = present;
	com.lsr = lsr;
	uart_init(&u, BASE);
	com.reads = com.sent = 0;
	return u;
}

static void expect_silent(struct uart *u)
{
	com.reads = 0;
	uart_write(u, "more", 4);
	uart_flush(u);
	EXPECT_EQ(-1, uart_read(u));
	EXPECT_EQ(0, com.reads);
}

static void test_text_goes_out(void)
{
	struct uart u = set_up(true, LSR_THR_EMPTY | LSR_IDLE);

	uart_write(&u, "a\n", 2);
	EXPECT_EQ(3, com.sent);
	EXPECT_STREQ("live", uart_state(&u));
}

static void test_no_port(void)
{
	struct uart u = set_up(false, 0);

	EXPECT_STREQ("absent", uart_state(&u));
	EXPECT_STREQ("unused", uart_state(&(struct uart){ 0 }));
	expect_silent(&u);
}

/* SMM emulates the port, or a BMC holds it: the transmitter never gets empty. */
static void test_a_port_that_never_sends_is_given_up(void)
{
	struct uart u = set_up(true, 0);

	EXPECT_STREQ("live", uart_state(&u));
	uart_write(&u, "text", 4);
	EXPECT_STREQ("silent", uart_state(&u));
	EXPECT_EQ(0, com.sent);
	EXPECT_LE(com.reads, WAIT_POLLS);
	expect_silent(&u);
}

/* Firmware emulated it for its own time only. */
static void test_a_port_that_goes_does_not_hang(void)
{
	struct uart u = set_up(true, LSR_THR_EMPTY | LSR_IDLE);

	com.present = false;
	uart_write(&u, "text", 4);
	uart_flush(&u);
	EXPECT_EQ(-1, uart_read(&u));
	EXPECT_LE(com.reads, 8);
}

TEST_MAIN(TEST(test_text_goes_out), TEST(test_no_port),
	  TEST(test_a_port_that_never_sends_is_given_up), TEST(test_a_port_that_goes_does_not_hang))
