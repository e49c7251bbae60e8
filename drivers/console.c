/* SPDX-License-Identifier: BSD-2-Clause */
/* Who gets our text. */
#include "drivers/console.h"

#include "drivers/uart16550.h"
#include "drivers/vga_text.h"

static struct {
	struct uart com1, com2;
	bool use_com1, use_vga, use_com2;
	bool panic;
} con;

void console_init(bool com1, bool vga, void *screen)
{
	con.use_com1 = com1;
	con.use_vga = vga;
	if (com1)
		uart_init(&con.com1, UART_COM1);
	vga_init(screen);
}

bool console_open_log(void)
{
	uart_init(&con.com2, UART_COM2);
	con.use_com2 = con.com2.live;
	return con.use_com2;
}

s32 console_read_log(void)
{
	return con.use_com2 ? uart_read(&con.com2) : -1;
}

void console_move_screen(void *screen)
{
	vga_move(screen);
}

void console_set_up_com1(void)
{
	if (!con.use_com1)
		uart_init(&con.com1, UART_COM1);
}

void console_handover(void)
{
	if (con.use_com1)
		uart_flush(&con.com1);
	con.use_com1 = false;
	con.use_vga = false;
}

static void console_panic(void)
{
	con.panic = true;
	uart_flush(&con.com1); /* programming the port drops what it still holds */
	uart_flush(&con.com2);
	uart_init(&con.com1, UART_COM1);
	uart_init(&con.com2, UART_COM2);
	con.use_com1 = true;
	con.use_com2 = true;
	con.use_vga = true;
	vga_panic();
	uart_write(&con.com1, "\n", 1); /* the guest may have been in the middle of a line */
}

void console_write(const char *s, size_t len, bool panic)
{
	if (panic && !con.panic)
		console_panic();
	if (con.use_com1)
		uart_write(&con.com1, s, len);
	if (con.use_com2)
		uart_write(&con.com2, s, len);
	if (con.use_vga)
		vga_write(s, len);
}
