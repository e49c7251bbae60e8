// SPDX-License-Identifier: BSD-2-Clause
// Copies the 16/32-bit code to conventional memory and calls it.

#include "tests/guest/lib/modes.h"

#include "arch/x86/defs/seg.h"
#include "tests/guest/lib/cpu.h"
#include "tests/guest/lib/str.h"

extern u8 low_start[], low_end[];
void mode_switch(void);

struct mailbox *mode_mail(void)
{
	return (struct mailbox *)(uintptr_t)(LOW_BASE + LOW_MAIL);
}

u32 mode_low(const u8 *label)
{
	return (u32)(label - low_start) + LOW_BASE;
}

void modes_init(void)
{
	memcpy((void *)(uintptr_t)LOW_BASE, low_start, (size_t)(low_end - low_start));
}

static void run(u32 kind, u32 target)
{
	struct mailbox *mail = mode_mail();
	struct desc_ptr idt;

	memset(mail->out, 0, sizeof(mail->out));
	mail->kind = kind;
	mail->target = target;
	asm volatile("sidt %0" : "=m"(idt));
	mode_switch();
	asm volatile("lidt %0" : : "m"(idt));
}

void mode_run(u32 kind, const u8 *label)
{
	run(kind, mode_low(label) - (kind == MODE_REAL ? LOW_BASE : 0));
}

void mode_run_at(u32 entry)
{
	run(MODE_PM32, entry);
}
