/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The SynIC for test guests: pages of each CPU, and the calls. Connections are made by QEMU's
 * hyperv-testdev, as test programs for QEMU do.
 */
#pragma once

#include "tests/guest/lib/hyperv.h"
#include "tests/guest/lib/smp.h"

#define SYNIC_MSG_SINT 8u /* and the next one for events */
#define SYNIC_EVT_SINT 9u
#define SYNIC_MSG_VEC  0x61u
#define SYNIC_EVT_VEC  0x72u

/* Actions of port 3000H. */
enum synic_action {
	SYNIC_SINT_CREATE = 1,
	SYNIC_SINT_DESTROY,
	SYNIC_SINT_ASSERT,
	SYNIC_MSG_CREATE,
	SYNIC_MSG_DESTROY,
	SYNIC_EVT_CREATE,
	SYNIC_EVT_DESTROY,
};

void synic_ctl(enum synic_action action, u32 vp, u32 sint, u32 id);

/* synic_begin() - hyperv_begin(); false, and the test is skipped: hv-synic is off. */
bool synic_begin(void);

/* synic_begin_testdev() - synic_begin(); also false where no hyperv-testdev makes connections. */
bool synic_begin_testdev(void);

/* synic_on() - pages, SCONTROL, and the two SINTs of the calling CPU; @flags: of SINTs.
 * synic_off(): as after reset. */
void synic_on(u64 flags);
void synic_off(u64 unused);

/* What is in the pages of CPU @cpu. */
volatile struct hv_message *synic_slot(u32 cpu, u32 sint);
volatile u64 *synic_flags(u32 cpu, u32 sint);
u64 synic_page(u32 cpu, u32 events); /* their addresses */

/* synic_post() - 8 bytes, @payload; the status. From any CPU. */
u16 synic_post(u32 id, u32 type, u64 payload);
u16 synic_signal(u32 id, u32 flag);
