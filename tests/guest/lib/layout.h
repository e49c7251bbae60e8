/* SPDX-License-Identifier: BSD-2-Clause */
/* Selectors, low-memory addresses and the mailbox of the mode switch; usable from .S files. */
#pragma once

/* GDT of the guests; lib/cpu.c fills it in. User selectors carry RPL 3. */
#define G_CODE64  0x08
#define G_DATA    0x10
#define G_CODE32  0x18
#define G_USER32  0x23
#define G_UDATA   0x2b
#define G_UCODE64 0x33
#define G_CODE16  0x38 /* base LOW_BASE */
#define G_DATA16  0x40 /* base LOW_BASE */
#define G_TSS     0x48 /* 16 bytes */
#define G_ENTRIES 25   /* one TSS per CPU: STR tells which CPU it is */

#define SMP_MAX         8
#define SMP_STACK_SHIFT 14

/* Conventional memory used while in real or 32-bit mode; the code blob is copied here. */
#define LOW_BASE      0x60000
#define LOW_SEG       0x6000
#define LOW_BLOB_MAX  0x3000
#define LOW_TABLES    0x3000  /* three pages: 32-bit paging structures of the tests */
#define AP_BASE       0x67000 /* ap.S; its state area and stack are in the same page */
#define AP_STATE      0x400   /* offsets from AP_BASE */
#define AP_STACK      0x600
#define LOW_MAIL      0x8000 /* struct mailbox */
#define LOW_STACK_TOP 0xfff0

/* struct mailbox offsets */
#define MAIL_RSP    0x00
#define MAIL_CR3    0x08
#define MAIL_CR0_OR 0x10 /* ORed into CR0 together with PG on the way back to long mode */
#define MAIL_TARGET 0x18
#define MAIL_KIND   0x20
#define MAIL_IN     0x40 /* 16 dwords in, 32 dwords out */
#define MAIL_OUT    0x80

#define SMAP 0x534d4150 /* ACPI, "INT 15H, E820H": the signature */

#define MODE_REAL   0
#define MODE_PM32   1
#define MODE_COMPAT 2
