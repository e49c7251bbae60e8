/* SPDX-License-Identifier: BSD-2-Clause */
/* Serial port, polled, 115200 8n1. Context: any CPU, callers serialise. */
#pragma once

#include "core/lib/types.h"

#define UART_COM1 0x3f8
#define UART_COM2 0x2f8

struct uart {
	u16 port;
	u8 room;      /* bytes that may be written when the transmitter is empty */
	bool present; /* it answered uart_init() */
	bool live;    /* and still takes bytes */
};

/* uart_init() - program the port. u->live says whether there is one. */
void uart_init(struct uart *u, u16 port);

/* uart_state() - live; silent: it answers, but takes no bytes; absent; unused: never programmed. */
const char *uart_state(const struct uart *u);

/* uart_write() - text; "\n" becomes "\r\n". Never waits for ever: gives up on a stuck port. */
void uart_write(struct uart *u, const char *s, size_t len);

/* uart_send() - raw bytes: as many as the transmitter takes without a wait; how many. */
u32 uart_send(const struct uart *u, const u8 *bytes, u32 count);

/* uart_read() - a byte that has arrived, -1: none. */
s32 uart_read(const struct uart *u);

/* uart_flush() - wait until the last bit has left. */
void uart_flush(struct uart *u);
