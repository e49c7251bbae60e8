/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The machine report of dryrun and selftest: docs/report.md. Each step of the boot adds its
 * findings at once, so a boot that stops early has reported all it knew. Without these options
 * every function here does nothing, except boot_refuse(). Context: boot CPU.
 */
#pragma once

#include "boot/boot.h"
#include "core/diag/report.h"

extern struct report boot_report;

/* report_begin() - frame and options, once the consoles are open; even if an option is wrong. */
void report_begin(const struct boot_state *b);

/* In the order of the boot. */
void report_loader(const struct boot_state *b);
void report_firmware(const struct boot_state *b);
void report_region(const struct boot_state *b);
void report_platform(const struct boot_state *b);
void report_cpu(const struct boot_state *b, const struct boot_vmx *vmx);
void report_partition(const struct boot_state *b, struct partition *p, const struct boot_vmx *vmx);
/* report_decisions(), report_map() - parts of them. */
void report_decisions(const struct boot_vmx *vmx);
void report_map(const char *section, const struct e820_map *m);

/* report_plan() - @plan: NULL when there is none. */
void report_plan(const struct guest_image *images, u32 count, const struct load_plan *plan);

/* report_end_dry_run() - verdict, end line, what to do with it, the last sentence; halts. */
NORETURN void report_end_dry_run(void);

/* report_end_result() - after report_end(), when the boot ends there: the last sentence; halts. */
NORETURN void report_end_result(void);

/* report_end() - verdict and end line; the boot goes on. */
void report_end(void);
