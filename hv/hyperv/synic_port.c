/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ports of the SynIC, and the hypercalls that reach them by connections. There is no parent
 * partition: the option synic_loopback and testdev=on create ports, each with one connection.
 *
 * Context: caller's CPU.
 * Spec:    TLFS "Ports and Connections", HvCallPostMessage, HvCallSignalEvent.
 */
#include "arch/x86/defs/paging.h"
#include "core/mem/page_alloc.h"
#include "core/partition.h"
#include "hv/hcall_mem.h"
#include "hv/hyperv/synic_internal.h"

/* Message ports: one for each VP, as test programs have them. */
#define BUFFERS 64u

struct port {
	struct spinlock lock; /* LOCK: the port; before synic_vp.lock */
	bool exists;
	struct synic_port_place at;
	struct synic_buffer *buffer; /* of a message port, from its creation on */
};

/* The partition's; allocated with VP 0. */
static struct ports {
	struct port port[SYNIC_PORT_KINDS][SYNIC_PORTS];
	struct synic_buffer buffer[BUFFERS];
	u32 buffers; /* remote; in use */
} * ports;

/* A port that was deleted keeps its buffer: the next one of its number has it. LOCK: port.lock */
static bool has_buffer(struct port *port)
{
	u32 n;

	if (port->buffer != NULL)
		return true;
	n = __atomic_fetch_add(&ports->buffers, 1, __ATOMIC_RELAXED);
	if (n < BUFFERS)
		port->buffer = &ports->buffer[n];
	else
		(void)__atomic_fetch_sub(&ports->buffers, 1, __ATOMIC_RELAXED);
	return port->buffer != NULL;
}

/* LOCK: port.lock */
static void withdraw(struct partition *p, const struct port *port)
{
	struct vp *vp = partition_vp(p, port->at.vp);

	if (port->exists && port->buffer != NULL && vp != NULL)
		synic_withdraw(vp, port->buffer);
}

err_t synic_port_create(struct partition *p, enum synic_port_kind kind, u32 id,
			const struct synic_port_place *place)
{
	struct port *port;
	err_t err = ERR_NOMEM;

	if (id >= SYNIC_PORTS || place->sint >= HV_SYNIC_SINT_COUNT ||
	    place->first_flag + place->flag_count > HV_EVENT_FLAGS_COUNT)
		return ERR_RANGE;
	port = &ports->port[kind][id];
	spin_lock(&port->lock);
	withdraw(p, port);
	if (kind == SYNIC_PORT_EVENT || has_buffer(port)) {
		port->at = *place;
		port->exists = true;
		err = ERR_NONE;
	}
	spin_unlock(&port->lock);
	return err;
}

void synic_port_delete(struct partition *p, enum synic_port_kind kind, u32 id)
{
	struct port *port = &ports->port[kind][id];

	spin_lock(&port->lock);
	withdraw(p, port);
	port->exists = false;
	spin_unlock(&port->lock);
}

/* A VP that does not exist shows when the guest calls. */
err_t synic_ports_create(struct partition *p)
{
	const struct config_ports *loops = &p->config.synic_loopback;

	ports = page_alloc_n(ALIGN_UP((u32)sizeof(*ports), (u32)PAGE_SIZE) / PAGE_SIZE, 1);
	if (ports == NULL)
		return ERR_NOMEM;
	for (u32 i = 0; i < loops->count; i++) {
		const struct config_port *l = &loops->port[i];

		TRY(synic_port_create(p, l->is_event ? SYNIC_PORT_EVENT : SYNIC_PORT_MESSAGE, l->id,
				      &(struct synic_port_place){
					      .vp = l->vp,
					      .sint = l->sint,
					      .flag_count = HV_EVENT_FLAGS_COUNT,
				      }));
	}
	return ERR_NONE;
}

/* The port behind a connection; *@status says why there is none. LOCK: returns with port.lock */
static struct port *find(enum synic_port_kind kind, u32 id, u16 *status)
{
	struct port *port;

	*status = HV_STATUS_INVALID_CONNECTION_ID;
	if (id >= SYNIC_PORTS)
		return NULL;
	port = &ports->port[kind][id];
	spin_lock(&port->lock);
	if (likely(port->exists))
		return port;
	spin_unlock(&port->lock);
	if (READ_ONCE(ports->port[SYNIC_PORT_KINDS - 1 - kind][id].exists))
		*status = HV_STATUS_INVALID_PORT_ID; /* it is of the other kind */
	return NULL;
}

static u16 status_of(enum synic_result result)
{
	switch (result) {
	case SYNIC_OK:
		return HV_STATUS_SUCCESS;
	case SYNIC_BUSY:
		return HV_STATUS_INSUFFICIENT_BUFFERS;
	case SYNIC_OFF:
		break;
	}
	return HV_STATUS_INVALID_SYNIC_STATE;
}

/* LOCK: port.lock */
static u16 post(struct vp *vp, struct port *port, const struct hv_input_post_message *in)
{
	struct vp *target = partition_vp(vp->partition, port->at.vp);
	struct hv_message_header h = {
		.message_type = in->message_type,
		.payload_size = (u8)in->payload_size,
		.sender = in->connectionid, /* the port's ID */
	};

	if (target == NULL)
		return HV_STATUS_INVALID_VP_INDEX;
	return status_of(synic_post(target, port->at.sint, port->buffer, &h, in->payload));
}

/* What is reserved is not looked at: test programs leave it as it was. */
static u16 post_message(struct vp *vp, struct hcall *hc)
{
	const struct hv_input_post_message *in = hc->in;
	struct port *port;
	u16 status;

	COUNT(vp, HV_POST_MESSAGE);
	if (in->message_type == 0 || (in->message_type & HV_MESSAGE_TYPE_HYPERVISOR) ||
	    in->payload_size > HV_MESSAGE_PAYLOAD_BYTE_COUNT)
		return HV_STATUS_INVALID_PARAMETER;
	port = find(SYNIC_PORT_MESSAGE, in->connectionid, &status);
	if (port == NULL)
		return status;
	status = post(vp, port, in);
	spin_unlock(&port->lock);
	return status;
}

/* "Setting the polling bit will have the effect of unmasking an interrupt source". */
static bool is_masked(u64 sint)
{
	return (sint & (HV_SYNIC_SINT_MASKED | HV_SYNIC_SINT_POLLING)) == HV_SYNIC_SINT_MASKED;
}

/* LOCK: port.lock */
static u16 signal(struct vp *vp, const struct port *port, u32 flag)
{
	struct vp *target = partition_vp(vp->partition, port->at.vp);
	u32 sint = port->at.sint, nr = port->at.first_flag + flag;
	const struct synic_vp *v;
	u64 *word, bit = BIT64(nr % 64);

	if (target == NULL)
		return HV_STATUS_INVALID_VP_INDEX;
	v = synic_of(target);
	if (!synic_is_on(v, &v->events) || is_masked(READ_ONCE(v->sint[sint])))
		return HV_STATUS_INVALID_SYNIC_STATE;
	word = (u64 *)(void *)v->events.mem + (sint * HV_EVENT_FLAGS_COUNT + nr) / 64;
	if (!(__atomic_fetch_or(word, bit, __ATOMIC_SEQ_CST) & bit))
		synic_request(target, sint);
	return HV_STATUS_SUCCESS;
}

#define SIGNAL_CONNECTION GENMASK64(23, 0)
#define SIGNAL_FLAG       GENMASK64(47, 32)

static u16 signal_event(struct vp *vp, u64 input, u64 unused, u64 unused_too)
{
	u32 flag = (u32)FIELD_GET(SIGNAL_FLAG, input);
	struct port *port;
	u16 status;

	COUNT(vp, HV_SIGNAL_EVENT);
	if (input & ~(SIGNAL_CONNECTION | SIGNAL_FLAG))
		return HV_STATUS_INVALID_HYPERCALL_INPUT;
	port = find(SYNIC_PORT_EVENT, (u32)FIELD_GET(SIGNAL_CONNECTION, input), &status);
	if (port == NULL)
		return status;
	status = flag < port->at.flag_count ? signal(vp, port, flag) : HV_STATUS_INVALID_PARAMETER;
	spin_unlock(&port->lock);
	return status;
}

const struct hcall_row synic_hcalls[SYNIC_HCALLS] = {
	/*
	 * Manual: a message to the port of a connection: into the slot of its SINT, or, if that is
	 * full, queued; each port queues one |
	 * 5: type 0 or with bit 31, more than 240 bytes; 14: the VP does not exist; 17: a port for
	 * events; 18: no such connection; 19: the port has a message queued; 24: the SynIC or the
	 * message page of the VP is off
	 */
	{ .nr = HVCALL_POST_MESSAGE,
	  .kind = HCALL_SIMPLE,
	  .name = "PostMessage",
	  .mem = post_message,
	  .in_size = sizeof(struct hv_input_post_message) },
	/*
	 * Manual: sets an event flag, and interrupts if it was clear |
	 * 3: a reserved bit; 5: a flag number that the port does not have; 14: the VP does not
	 * exist; 17: a port for messages; 18: no such connection; 24: the SynIC or the event page
	 * of the VP is off, or the SINT masked
	 */
	{ .nr = HVCALL_SIGNAL_EVENT,
	  .kind = HCALL_SIMPLE,
	  .name = "SignalEvent",
	  .words = signal_event,
	  .in_size = sizeof(u64),
	  .fast = true },
};
