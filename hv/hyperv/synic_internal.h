/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of the SynIC share. */
#pragma once

#include "core/lib/lock.h"
#include "core/mem/overlay.h"
#include "hv/hyperv/hyperv_internal.h"
#include "hv/hyperv/synic.h"

/* A page that SIMP or SIEFP places. It is there for good; the MSR says where the guest sees it. */
struct synic_page {
	u64 msr; /* remote reads */
	u8 *mem;
	struct overlay overlay;
};

/* A message that waits for its slot. It belongs to a port. LOCK: the target's synic_vp.lock */
struct synic_buffer {
	struct synic_buffer *next;
	bool queued;
	u32 sint;
	struct hv_message message;
};

struct synic_vp {
	u64 control;                   /* remote reads */
	u64 sint[HV_SYNIC_SINT_COUNT]; /* remote reads */
	struct synic_page messages, events;
	struct spinlock lock;         /* LOCK: the slots, and what follows; a leaf */
	u32 waiting;                  /* bit i: somebody has a message for SINT i. Remote reads */
	struct synic_buffer *first;   /* queued, in the order in which they were posted */
	struct synic_buffer **behind; /* the last one's next */
};

/* synic.c */
struct synic_vp *synic_of(const struct vp *vp);

/* synic_is_on() - messages, or events, can be sent to this VP. @page: one of @v's. Any CPU. */
static inline bool synic_is_on(const struct synic_vp *v, const struct synic_page *page)
{
	return (READ_ONCE(v->control) & HV_SYNIC_CONTROL_ENABLE) &&
	       (READ_ONCE(page->msr) & HV_SYNIC_SIMP_ENABLE);
}

/* synic_msg.c */

/**
 * synic_post() - synic_send() of a guest's message, which is copied into @b and queued if the slot
 * is full: SYNIC_OK, too. SYNIC_BUSY: @b holds another one. Any CPU. LOCK: as synic_send()
 */
enum synic_result synic_post(struct vp *vp, u32 sint, struct synic_buffer *b,
			     const struct hv_message_header *h, const u64 *payload);

/* synic_withdraw() - what is queued in @b, for @vp, is lost. Any CPU. LOCK: as above */
void synic_withdraw(struct vp *vp, struct synic_buffer *b);

/* synic_scan() - slots may be free: who waits tries again. VP's CPU, no locks. */
void synic_scan(struct vp *vp);

/* synic_watch() - @sint has another vector: its EOI makes a scan, if anybody waits. Any CPU. */
void synic_watch(struct vp *vp, u32 sint);

/* synic_forget() - nobody waits any more. VP's CPU. */
void synic_forget(struct vp *vp);

/* synic_port.c */

enum synic_port_kind { SYNIC_PORT_MESSAGE, SYNIC_PORT_EVENT, SYNIC_PORT_KINDS };

/* A port, and the one connection to it, which has its number. */
struct synic_port_place {
	u32 vp, sint;
	u32 first_flag, flag_count; /* SYNIC_PORT_EVENT: it sets flag first_flag + n, n < count */
};

#define SYNIC_PORTS 256u /* of each kind */

/* synic_ports_create() - those of synic_loopback=. Boot. ERR_NOMEM */
MUST_CHECK err_t synic_ports_create(struct partition *p);

/**
 * synic_port_create() - connection @id leads to @place, and nowhere else. ERR_RANGE: an ID or SINT
 * that cannot be; ERR_NOMEM: no message buffer is left. Any CPU.
 */
MUST_CHECK err_t synic_port_create(struct partition *p, enum synic_port_kind kind, u32 id,
				   const struct synic_port_place *place);

/* synic_port_delete() - with the message that is queued, if any. Any CPU. */
void synic_port_delete(struct partition *p, enum synic_port_kind kind, u32 id);

#define SYNIC_HCALLS 2u
extern const struct hcall_row synic_hcalls[SYNIC_HCALLS];
