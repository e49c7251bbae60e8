/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The SynIC's message slots: who fills them, and who waits for a free one. While somebody waits,
 * the EOI of the SINT's vector is watched; else EOIs cost nothing.
 *
 * Context: any CPU; synic_scan() and synic_forget() the VP's own.
 * Spec:    TLFS "SynIC Messages".
 */
#include "core/apic/irq_msg.h"
#include "core/lib/string.h"
#include "hv/hyperv/synic_internal.h"

static synic_free_fn listener;

void synic_listen(synic_free_fn fn)
{
	listener = fn;
}

/*
 * The guest empties the slot, and then looks whether a message is pending; we say so, and then look
 * again whether the slot is empty: one of the two sees the other. LOCK: lock
 */
static bool is_free(struct hv_message *slot)
{
	if (READ_ONCE(slot->header.message_type) == 0)
		return true;
	(void)__atomic_fetch_or(&slot->header.message_flags, HV_MESSAGE_PENDING, __ATOMIC_SEQ_CST);
	return __atomic_load_n(&slot->header.message_type, __ATOMIC_SEQ_CST) == 0;
}

/* The type comes last: with it the guest may read the rest. @flags: HV_MESSAGE_PENDING or 0. */
static void fill(struct hv_message *to, const struct hv_message_header *h, const u64 *payload,
		 u8 flags)
{
	u32 bytes = umin32(h->payload_size, HV_MESSAGE_PAYLOAD_BYTE_COUNT);

	to->header.payload_size = (u8)bytes;
	to->header.message_flags = flags;
	to->header.reserved[0] = to->header.reserved[1] = 0;
	to->header.sender = h->sender;
	memcpy(to->u.payload, payload, bytes);
	STORE_RELEASE(to->header.message_type, h->message_type);
}

/*
 * Who waited for the slot still waits when somebody else finds it free first: the guest, which has
 * not looked at the flag yet, must find it set. LOCK: lock
 */
static enum synic_result put(struct synic_vp *v, u32 sint, const struct hv_message_header *h,
			     const u64 *payload)
{
	struct hv_message_page *page = (void *)v->messages.mem;
	struct hv_message *slot = &page->sint_message[sint];

	if (!synic_is_on(v, &v->messages))
		return SYNIC_OFF;
	if (!is_free(slot))
		return SYNIC_BUSY;
	fill(slot, h, payload, v->waiting & BIT32(sint) ? HV_MESSAGE_PENDING : 0);
	return SYNIC_OK;
}

/*
 * Queued messages for @sints go to their slots, the oldest first; for those that are full still,
 * somebody waits. The SINTs to interrupt. LOCK: lock
 */
static u32 put_queued(struct synic_vp *v, u32 sints)
{
	struct synic_buffer **at = &v->first;
	u32 done = 0;

	while (*at != NULL) {
		struct synic_buffer *b = *at;

		if ((sints & BIT32(b->sint)) &&
		    put(v, b->sint, &b->message.header, b->message.u.payload) == SYNIC_OK) {
			done |= BIT32(b->sint);
			b->queued = false;
			*at = b->next;
			continue;
		}
		sints &= ~BIT32(b->sint); /* later ones must not overtake it */
		v->waiting |= BIT32(b->sint);
		at = &b->next;
	}
	v->behind = at;
	return done;
}

static void request(struct vp *vp, u32 sints)
{
	for (; sints != 0; sints &= sints - 1)
		synic_request(vp, (u32)__builtin_ctz(sints));
}

void synic_watch(struct vp *vp, u32 sint)
{
	const struct synic_vp *v = synic_of(vp);
	u64 vector = FIELD_GET(HV_SYNIC_SINT_VECTOR_MASK, READ_ONCE(v->sint[sint]));

	if ((READ_ONCE(v->waiting) & BIT32(sint)) && vector >= HV_SYNIC_FIRST_VALID_VECTOR)
		irq_msg_watch(vp, (u8)vector);
}

enum synic_result synic_send(struct vp *vp, u32 sint, const struct hv_message *m)
{
	struct synic_vp *v = synic_of(vp);
	enum synic_result result;

	spin_lock(&v->lock);
	result = put(v, sint, &m->header, m->u.payload);
	if (result != SYNIC_OK)
		WRITE_ONCE(v->waiting, v->waiting | BIT32(sint));
	spin_unlock(&v->lock);
	if (result == SYNIC_OK)
		synic_request(vp, sint);
	else
		synic_watch(vp, sint);
	return result;
}

/* @b is the last in the queue. It may be delivered at once. LOCK: lock */
static u32 enqueue(struct synic_vp *v, u32 sint, struct synic_buffer *b,
		   const struct hv_message_header *h, const u64 *payload)
{
	fill(&b->message, h, payload, 0);
	b->sint = sint;
	b->queued = true;
	b->next = NULL;
	*v->behind = b;
	return put_queued(v, BIT32(sint));
}

/* With nothing queued the message goes straight to its slot. */
enum synic_result synic_post(struct vp *vp, u32 sint, struct synic_buffer *b,
			     const struct hv_message_header *h, const u64 *payload)
{
	struct synic_vp *v = synic_of(vp);
	enum synic_result result = SYNIC_BUSY;
	u32 sints = BIT32(sint);
	bool queued = false;

	spin_lock(&v->lock);
	if (likely(v->first == NULL))
		result = put(v, sint, h, payload);
	else if (!synic_is_on(v, &v->messages))
		result = SYNIC_OFF;
	if (result == SYNIC_BUSY && !b->queued) {
		sints = enqueue(v, sint, b, h, payload);
		result = SYNIC_OK;
		queued = b->queued;
	}
	spin_unlock(&v->lock);
	if (result == SYNIC_OK)
		request(vp, sints);
	if (queued) /* once: a sender that tries again and again must not interrupt @vp each time */
		synic_watch(vp, sint);
	return result;
}

void synic_withdraw(struct vp *vp, struct synic_buffer *b)
{
	struct synic_vp *v = synic_of(vp);
	struct synic_buffer **at = &v->first;

	spin_lock(&v->lock);
	while (*at != NULL) {
		if (*at == b)
			*at = b->next;
		else
			at = &(*at)->next;
	}
	v->behind = at;
	b->queued = false;
	spin_unlock(&v->lock);
}

void synic_scan(struct vp *vp)
{
	struct synic_vp *v = synic_of(vp);
	u32 sints, done;

	if (READ_ONCE(v->waiting) == 0)
		return irq_msg_unwatch(vp); /* one that came late */
	if (!synic_is_on(v, &v->messages))
		return;
	spin_lock(&v->lock);
	sints = v->waiting;
	v->waiting = 0;
	done = put_queued(v, sints);
	spin_unlock(&v->lock);
	request(vp, done);
	if (listener != NULL)
		listener(vp, sints);
	if (READ_ONCE(v->waiting) == 0)
		irq_msg_unwatch(vp);
	for (sints = READ_ONCE(v->waiting); sints != 0; sints &= sints - 1)
		synic_watch(vp, (u32)__builtin_ctz(sints));
}

void synic_forget(struct vp *vp)
{
	struct synic_vp *v = synic_of(vp);

	spin_lock(&v->lock);
	for (struct synic_buffer *b = v->first; b != NULL; b = b->next)
		b->queued = false;
	v->first = NULL;
	v->behind = &v->first;
	WRITE_ONCE(v->waiting, 0);
	spin_unlock(&v->lock);
	irq_msg_unwatch(vp);
}
