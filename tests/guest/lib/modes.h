/* SPDX-License-Identifier: BSD-2-Clause */
/* Leaving long mode: run a piece of 16- or 32-bit code from modes.S and come back. */
#pragma once

#include "core/lib/types.h"
#include "tests/guest/lib/layout.h"

struct mailbox {
	u64 rsp, cr3, cr0_or;
	u32 target, pad;
	u32 kind, pad2;
	u8 pad3[0x40 - 0x28];
	u32 in[16];
	u32 out[32];
};

static_assert(offsetof(struct mailbox, cr0_or) == MAIL_CR0_OR, "mailbox layout");
static_assert(offsetof(struct mailbox, target) == MAIL_TARGET, "mailbox layout");
static_assert(offsetof(struct mailbox, kind) == MAIL_KIND, "mailbox layout");
static_assert(offsetof(struct mailbox, in) == MAIL_IN, "mailbox layout");
static_assert(offsetof(struct mailbox, out) == MAIL_OUT, "mailbox layout");

/* What modes.S offers; the order of results is described there. */
extern u8 rm_regs[], rm_int[], rm_irq[], rm_hlt[], rm_step[], rm_bios[], rm_int15[], rm_unreal[],
	rm_io[], rm_pic[], rm_try[];
extern u8 pm_regs[], pm_int[], pm_pae[], pm_pse[], pm_nop[], cm_regs[];
extern u8 rm_triple[], pm_triple[], pm16_triple[], pae_triple[], pse_triple[], cm_triple[];

/*
 * compat_call() - execute the 32-bit code at @code, which ends with RET, in compatibility mode at
 * the caller's CPL. @cs32, @cs64: code segments for the way there and back. Returns EAX. An
 * exception in it is caught, trap_vector() then has it.
 */
u32 compat_call(u64 code, u64 cs32, u64 cs64, u32 eax);

struct mailbox *mode_mail(void);
void modes_init(void);

/* mode_run() - execute @label in mode @kind with mail()->in as input; results in mail()->out. */
void mode_run(u32 kind, const u8 *label);

/* mode_run_at() - execute 32-bit code at @entry, without paging, with what mail()->in holds. */
void mode_run_at(u32 entry);

/* mode_low() - address of a blob label where it runs. */
u32 mode_low(const u8 *label);
