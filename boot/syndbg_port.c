/* SPDX-License-Identifier: BSD-2-Clause */
/* The serial port of the guest's debugger. Context: boot CPU; the port's functions: see there. */
#include "boot/boot.h"
#include "drivers/uart16550.h"
#include "hv/hyperv/syndbg.h"

static struct uart uart;

static s32 receive(void)
{
	return uart_read(&uart);
}

static u32 send(const u8 *bytes, u32 count)
{
	return uart_send(&uart, bytes, count);
}

bool boot_open_syndbg(enum syndbg_option port)
{
	if (port == SYNDBG_NONE)
		return true;
	uart_init(&uart, port == SYNDBG_COM1 ? UART_COM1 : UART_COM2);
	return uart.live;
}

void boot_start_syndbg(void)
{
	static const struct syndbg_port port = { receive, send };

	if (uart.live)
		syndbg_open(&port);
}
