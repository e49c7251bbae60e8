/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Platform ports that Kensho must intercept (rule P1): A20 stays on, S3 is refused, and a request
 * that ends the machine is logged before it is passed on. VP's CPU.
 *
 * Spec: ACPI, "PM1 Control Registers"; IBM PC/AT and PS/2 technical references for ports 60h, 64h,
 * 92h.
 */
#include "core/diag/counters.h"
#include "core/diag/log.h"
#include "core/hw.h"
#include "core/lib/bits.h"
#include "core/lib/lock.h"
#include "core/partition.h"
#include "core/surface/pio.h"
#include "core/vp/vp.h"

#define PORT92       0x92
#define PORT92_RESET BIT32(0)
#define PORT92_A20   BIT32(1)

#define KBC_DATA         0x60
#define KBC_COMMAND      0x64
#define KBC_WRITE_OUTPUT 0xd1 /* the next data byte is the output port */
#define KBC_A20_OFF      0xdd
#define KBC_A20_ON       0xdf
#define KBC_PULSE        0xf0     /* F0-FF: pulse low the output bits that are 0 */
#define KBC_OUT_RESET    BIT32(0) /* output port; active low */
#define KBC_OUT_A20      BIT32(1)

#define PM1_SLP_TYP GENMASK32(12, 10)
#define PM1_SLP_EN  BIT32(13)

#define COM1      0x3f8
#define COM2      0x2f8
#define COM_PORTS 8u

static void a20_blocked(struct vp *vp, u16 port, u32 val)
{
	COUNT(vp, A20_BLOCKED);
	TRACE(vp, A20_BLOCKED, port, val, 0);
}

static void port92_access(struct vp *vp, u16 port, u32 size, bool write, u32 *val)
{
	if (!write) {
		*val = hw_io_in(port, size);
		return;
	}
	if (!(*val & PORT92_A20))
		a20_blocked(vp, port, *val);
	if (*val & PORT92_RESET)
		partition_ending(vp, "the guest resets the machine by port 92h");
	hw_io_out(port, size, *val | PORT92_A20);
}

/* Output-port bits, written (command D1) or pulsed (F0-FF). */
static u32 kbc_output(struct vp *vp, u32 val)
{
	if (!(val & KBC_OUT_A20))
		a20_blocked(vp, KBC_DATA, val);
	if (!(val & KBC_OUT_RESET))
		partition_ending(vp, "the guest resets the machine by the keyboard controller");
	return val | KBC_OUT_A20;
}

static void kbc_data_access(struct vp *vp, u16 port, u32 size, bool write, u32 *val)
{
	struct platform_ports *pp = &vp->partition->pio.platform;

	if (!write) {
		*val = hw_io_in(port, size);
		return;
	}
	spin_lock(&pp->kbc_lock);
	if (pp->kbc_output_port_next) {
		pp->kbc_output_port_next = false;
		*val = kbc_output(vp, *val);
	}
	hw_io_out(port, size, *val);
	spin_unlock(&pp->kbc_lock);
}

static void kbc_command_access(struct vp *vp, u16 port, u32 size, bool write, u32 *val)
{
	struct platform_ports *pp = &vp->partition->pio.platform;

	if (!write) {
		*val = hw_io_in(port, size);
		return;
	}
	spin_lock(&pp->kbc_lock);
	pp->kbc_output_port_next = *val == KBC_WRITE_OUTPUT;
	if (*val == KBC_A20_OFF) {
		/* Replace it, do not drop it: the command also cancels a D1 that waits for its
		 * byte. */
		a20_blocked(vp, port, *val);
		*val = KBC_A20_ON;
	} else if (*val >= KBC_PULSE) {
		*val = kbc_output(vp, *val);
	}
	hw_io_out(port, size, *val);
	spin_unlock(&pp->kbc_lock);
}

/* Byte and word accesses; SLP_EN and SLP_TYP share the upper byte. */
static void pm1_cnt_access(struct vp *vp, u16 port, u32 size, bool write, u32 *val)
{
	const struct partition *p = vp->partition;
	u32 reg;

	if (!write) {
		*val = hw_io_in(port, size);
		return;
	}
	reg = *val;
	if (port != p->pio.platform.pm1_cnt[0] && port != p->pio.platform.pm1_cnt[1])
		reg <<= 8;
	if (reg & PM1_SLP_EN) {
		if ((s32)FIELD_GET(PM1_SLP_TYP, reg) == p->machine.s3_slp_typ) {
			COUNT(vp, S3_REFUSED);
			TRACE(vp, S3_REFUSED, port, *val, 0);
			log_guest(
				"S3 (suspend to RAM) refused: the hypervisor would not survive it");
			return;
		}
		partition_ending(vp, "the guest enters a sleep or power-off state");
	}
	hw_io_out(port, size, *val);
}

static void enter_s5(u16 port, s32 slp_typ)
{
	u32 keep;

	if (port == 0)
		return;
	keep = hw_io_in(port, 2) & ~(u32)(PM1_SLP_TYP | PM1_SLP_EN);
	hw_io_out(port, 2, keep | (u32)FIELD_PREP(PM1_SLP_TYP, (u32)slp_typ) | PM1_SLP_EN);
}

void platform_power_off(const struct machine *m)
{
	if (m->s5_slp_typ < 0)
		return;
	enter_s5(m->pm1a_cnt, m->s5_slp_typ);
	if (m->pm1b_cnt != m->pm1a_cnt)
		enter_s5(m->pm1b_cnt, m->s5_slp_typ);
}

/* A UART of ours looks absent: nothing answers. */
static void com_access(struct vp *vp, u16 port, u32 size, bool write, u32 *val)
{
	if (!write)
		*val = ~0u;
}

static MUST_CHECK err_t pm1_add(struct pio_table *t, u16 port, u16 *slot)
{
	const struct pio_row row = { port, (u16)(port + 1), pm1_cnt_access, "pm1-cnt" };

	if (port == 0)
		return ERR_NONE;
	*slot = port;
	return pio_add(t, &row);
}

static MUST_CHECK err_t com_add(struct pio_table *t, u16 port, const char *name)
{
	const struct pio_row row = { port, (u16)(port + COM_PORTS - 1), com_access, name };

	return pio_add(t, &row);
}

err_t platform_ports_add(struct pio_table *t, u16 pm1a_cnt, u16 pm1b_cnt, bool own_com1,
			 bool own_com2)
{
	/* clang-format off */
	static const struct pio_row rows[] = {
		{ PORT92,      PORT92,      port92_access,      "port92"      },
		{ KBC_DATA,    KBC_DATA,    kbc_data_access,    "kbc-data"    },
		{ KBC_COMMAND, KBC_COMMAND, kbc_command_access, "kbc-command" },
	};
	/* clang-format on */

	for (u32 i = 0; i < ARRAY_SIZE(rows); i++)
		TRY(pio_add(t, &rows[i]));
	TRY(pm1_add(t, pm1a_cnt, &t->platform.pm1_cnt[0]));
	if (pm1b_cnt != pm1a_cnt)
		TRY(pm1_add(t, pm1b_cnt, &t->platform.pm1_cnt[1]));
	if (own_com1)
		TRY(com_add(t, COM1, "com1"));
	return own_com2 ? com_add(t, COM2, "com2") : ERR_NONE;
}
