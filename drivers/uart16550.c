/* SPDX-License-Identifier: BSD-2-Clause */
/* Serial port, polled. Source: PC16550D data sheet, "Registers". */
#include "drivers/uart16550.h"

#include "arch/x86/insn.h"
#include "core/lib/bits.h"

/* Register offsets; with LCR.DLAB the first two are the divisor. */
#define UART_RBR 0 /* read */
#define UART_THR 0 /* write */
#define UART_IER 1
#define UART_IIR 2 /* read */
#define UART_FCR 2 /* write */
#define UART_LCR 3
#define UART_MCR 4
#define UART_LSR 5
#define UART_SCR 7

#define IIR_FIFO_ON   0xc0
#define FCR_ENABLE    0x01
#define FCR_CLEAR     0x06
#define LCR_8N1       0x03
#define LCR_DLAB      0x80
#define MCR_DTR_RTS   0x03
#define LSR_DATA      BIT32(0)
#define LSR_THR_EMPTY BIT32(5)
#define LSR_IDLE      BIT32(6)

#define DIVISOR_115200 1
#define FIFO_BYTES     16
#define WAIT_POLLS     1000000u /* far more than 16 characters take on any machine */

static bool uart_wait(struct uart *u, u32 bit)
{
	for (u32 i = 0; i < WAIT_POLLS; i++) {
		if ((inb((u16)(u->port + UART_LSR)) & bit) != 0)
			return true;
	}
	u->live = false;
	return false;
}

void uart_init(struct uart *u, u16 port)
{
	u->port = port;
	outb((u16)(port + UART_SCR), 0x5a);
	u->present = inb((u16)(port + UART_SCR)) == 0x5a;
	u->live = u->present;
	if (!u->live)
		return;
	outb((u16)(port + UART_IER), 0);
	outb((u16)(port + UART_LCR), LCR_DLAB);
	outb((u16)(port + UART_THR), DIVISOR_115200);
	outb((u16)(port + UART_IER), 0);
	outb((u16)(port + UART_LCR), LCR_8N1);
	outb((u16)(port + UART_FCR), FCR_ENABLE | FCR_CLEAR);
	outb((u16)(port + UART_MCR), MCR_DTR_RTS);
	u->room = (inb((u16)(port + UART_IIR)) & IIR_FIFO_ON) == IIR_FIFO_ON ? FIFO_BYTES : 1;
}

const char *uart_state(const struct uart *u)
{
	if (u->port == 0)
		return "unused";
	if (!u->present)
		return "absent";
	return u->live ? "live" : "silent";
}

void uart_write(struct uart *u, const char *s, size_t len)
{
	u32 room = 0;
	bool cr_done = false;

	for (size_t i = 0; i < len && u->live;) {
		char c = s[i] == '\n' && !cr_done ? '\r' : s[i];

		if (room == 0) {
			if (!uart_wait(u, LSR_THR_EMPTY))
				return;
			room = u->room;
		}
		outb((u16)(u->port + UART_THR), (u8)c);
		room--;
		cr_done = c == '\r' && s[i] == '\n';
		if (!cr_done)
			i++;
	}
}

/* All ones: the port has gone, like a USB adapter that firmware emulated. */
static bool lsr_has(const struct uart *u, u32 bit)
{
	u8 lsr = u->live ? inb((u16)(u->port + UART_LSR)) : 0;

	return lsr != 0xff && (lsr & bit) != 0;
}

u32 uart_send(const struct uart *u, const u8 *bytes, u32 count)
{
	u32 n = 0;

	if (lsr_has(u, LSR_THR_EMPTY)) {
		for (; n < count && n < u->room; n++)
			outb((u16)(u->port + UART_THR), bytes[n]);
	}
	return n;
}

s32 uart_read(const struct uart *u)
{
	return lsr_has(u, LSR_DATA) ? inb((u16)(u->port + UART_RBR)) : -1;
}

void uart_flush(struct uart *u)
{
	if (u->live)
		(void)uart_wait(u, LSR_IDLE);
}
