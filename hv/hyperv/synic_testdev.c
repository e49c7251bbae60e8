/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * QEMU's hyperv-testdev: a test program makes ports of the SynIC, and asserts SINTs, by an I/O
 * port. With testdev=on and hv-synic. Undefined accesses read 0, and are dropped. VP's CPU.
 */
#include "core/diag/log.h"
#include "core/partition.h"
#include "hv/hyperv/synic_internal.h"

#define PORT_CONTROL 0x3000

/* A command. */
#define SINT       GENMASK32(7, 0)
#define VP         GENMASK32(15, 8)
#define ACTION     GENMASK32(23, 16)
#define CONNECTION GENMASK32(31, 24)

enum action {
	SINT_ROUTE_CREATE = 1, /* nothing to do: every SINT can be asserted */
	SINT_ROUTE_DESTROY,
	SINT_ROUTE_SET_SINT,
	MSG_CONN_CREATE,
	MSG_CONN_DESTROY,
	EVT_CONN_CREATE,
	EVT_CONN_DESTROY,
};

static void set_sint(struct partition *p, u32 index, u32 sint)
{
	struct vp *vp = partition_vp(p, index);

	if (vp != NULL && sint < HV_SYNIC_SINT_COUNT)
		synic_request(vp, sint);
}

/* An event connection has one flag, that of its number. */
static void create(struct partition *p, enum synic_port_kind kind, u32 id, u32 vp, u32 sint)
{
	struct synic_port_place place = { .vp = vp, .sint = sint };

	if (kind == SYNIC_PORT_EVENT) {
		place.first_flag = id;
		place.flag_count = 1;
	}
	if (synic_port_create(p, kind, id, &place) != ERR_NONE)
		log_guest("testdev: no connection %u to SINT %u of VP %u", id, sint, vp);
}

static void run(struct partition *p, u32 command)
{
	u32 sint = (u32)FIELD_GET(SINT, command), vp = (u32)FIELD_GET(VP, command);
	u32 id = (u32)FIELD_GET(CONNECTION, command);

	switch (FIELD_GET(ACTION, command)) {
	case SINT_ROUTE_SET_SINT:
		set_sint(p, vp, sint);
		break;
	case MSG_CONN_CREATE:
		create(p, SYNIC_PORT_MESSAGE, id, vp, sint);
		break;
	case MSG_CONN_DESTROY:
		synic_port_delete(p, SYNIC_PORT_MESSAGE, id);
		break;
	case EVT_CONN_CREATE:
		create(p, SYNIC_PORT_EVENT, id, vp, sint);
		break;
	case EVT_CONN_DESTROY:
		synic_port_delete(p, SYNIC_PORT_EVENT, id);
		break;
	default: /* a number from the guest */
		break;
	}
}

static void control_access(struct vp *vp, u16 port, u32 size, bool write, u32 *val)
{
	if (write && port == PORT_CONTROL && size == 4)
		run(vp->partition, *val);
	if (!write)
		*val = 0;
}

static const struct pio_row control = { PORT_CONTROL, PORT_CONTROL + 3, control_access,
					"testdev-hyperv" };

err_t hyperv_testdev_add(struct partition *p)
{
	return hv_has(p, FEATURE_HV_SYNIC) ? pio_add(&p->pio, &control) : ERR_NONE;
}
