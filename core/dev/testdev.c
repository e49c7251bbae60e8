/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Test devices behind I/O ports: exit, fw_cfg, latch, flush, interrupt lines. VP's CPU.
 *
 * What a device does not define (other sizes, reads of write-only ports) reads 0 and is dropped.
 */
#include "core/dev/testdev.h"

#include "arch/x86/defs/paging.h"
#include "core/dev/pic.h"
#include "core/diag/log.h"
#include "core/diag/stop_all.h"
#include "core/hw.h"
#include "core/lib/bits.h"
#include "core/mem/ept.h"
#include "core/mem/page_alloc.h"
#include "core/partition.h"
#include "core/vp/vp.h"

#define PORT_LATCH      0xe0
#define PORT_FLUSH      0xe4
#define PORT_LATCH_BYTE 0xe8
#define PORT_EXIT       0xf4
#define PORT_FW_SELECT  0x510
#define PORT_FW_DATA    0x511
#define PORT_LINES      0x2000

/* fw_cfg items; every other one is empty. An item reads 0 behind its end. */
#define FW_SIGNATURE 0x00
#define FW_RAM_BYTES 0x03
#define FW_CPU_COUNT 0x05

static struct testdev *dev_of(const struct vp *vp)
{
	return vp->partition->testdev;
}

/* The program's own end: its code is the last line but the one about what happens now. */
static NORETURN void guest_exit(struct vp *vp, u32 code)
{
	struct partition *p = vp->partition;

	p->stopping = true;
	stop_all_others();
	counters_dump(p, "guest exit");
	log_take_consoles();
	log_info("guest exit code %u", code);
	if (p->config.testdev_poweroff) {
		log_info("powering off the machine (testdev_exit=poweroff)");
		platform_power_off(&p->machine);
		log_warn("it has no ACPI soft-off that works: halted, power it off by hand");
	}
	hw_halt();
}

static void exit_access(struct vp *vp, u16 port, u32 size, bool write, u32 *val)
{
	if (write && port == PORT_EXIT)
		guest_exit(vp, *val);
	if (!write)
		*val = 0;
}

/*
 * The end of what a program may take as memory from 0 on: up to the first hole above 1 MiB, which
 * is the hypervisor's region at the latest.
 */
static u64 ram_bytes(const struct partition *p)
{
	for (u32 i = 0; i < p->memory.count; i++) {
		const struct e820_entry *e = &p->memory.e[i];

		if (e->type == E820_RAM && e->base <= MIB(1) && e->base + e->len > MIB(1))
			return e->base + e->len;
	}
	return 0;
}

/* Little endian. Eight bytes are enough for every item. */
static u64 fw_item(const struct partition *p, u16 select)
{
	switch (select) {
	case FW_SIGNATURE:
		return 'Q' | 'E' << 8 | 'M' << 16 | (u64)'U' << 24;
	case FW_RAM_BYTES:
		return ram_bytes(p);
	case FW_CPU_COUNT:
		return p->vp_count;
	default: /* a number from the guest */
		return 0;
	}
}

static void fw_access(struct vp *vp, u16 port, u32 size, bool write, u32 *val)
{
	struct testdev *d = dev_of(vp);
	u32 byte = 0;

	spin_lock(&d->lock);
	if (write && port == PORT_FW_SELECT && size == 2) {
		d->fw_select = (u16)*val;
		d->fw_offset = 0;
	} else if (!write && port == PORT_FW_DATA && size == 1 && d->fw_offset < 8) {
		byte = (u8)(fw_item(vp->partition, d->fw_select) >> (8 * d->fw_offset++));
	}
	spin_unlock(&d->lock);
	if (!write)
		*val = byte;
}

/* Both windows: the bytes of a wider access to the second one are its bytes, too. */
static void latch_access(struct vp *vp, u16 port, u32 size, bool write, u32 *val)
{
	struct testdev *d = dev_of(vp);
	u32 shift = 8 * (port & 3);
	u32 mask = (u32)(BIT64(8 * size) - 1) << shift;

	spin_lock(&d->lock);
	if (write)
		d->latch = (d->latch & ~mask) | (*val << shift & mask);
	else
		*val = (d->latch & mask) >> shift;
	spin_unlock(&d->lock);
}

static void flush_access(struct vp *vp, u16 port, u32 size, bool write, u32 *val)
{
	if (!write) {
		*val = 0;
		return;
	}
	if (port != PORT_FLUSH || size != 4)
		return;
	if (ept_drop_page(vp->partition, gpa(*val)) != ERR_NONE)
		log_guest("testdev: no memory for EPT tables, page 0x%x stays mapped", *val);
}

/* A wider access is one of each port it covers. */
static void lines_access(struct vp *vp, u16 port, u32 size, bool write, u32 *val)
{
	struct testdev *d = dev_of(vp);

	if (!write) {
		*val = 0;
		return;
	}
	spin_lock(&d->lock);
	for (u32 i = 0; i < size; i++) {
		u32 line = port - PORT_LINES + i;
		bool asserted = (u8)(*val >> (8 * i)) != 0;

		lines_set(vp, &d->lines, line, asserted);
		pic_set_line(vp, &d->pic, line, asserted);
	}
	spin_unlock(&d->lock);
}

void testdev_eoi(struct vp *vp, u8 vector)
{
	struct testdev *d = dev_of(vp);

	spin_lock(&d->lock);
	lines_eoi(vp, &d->lines, vector);
	spin_unlock(&d->lock);
}

err_t testdev_add(struct partition *p)
{
	/* clang-format off */
	static const struct pio_row rows[] = {
		{ PORT_LATCH,      PORT_LATCH + 3,      latch_access, "testdev-latch" },
		{ PORT_FLUSH,      PORT_FLUSH + 3,      flush_access, "testdev-flush" },
		{ PORT_LATCH_BYTE, PORT_LATCH_BYTE + 3, latch_access, "testdev-latch-bytes" },
		{ PORT_EXIT,       PORT_EXIT + 3,       exit_access,  "testdev-exit" },
		{ PORT_FW_SELECT,  PORT_FW_DATA,        fw_access,    "testdev-fw-cfg" },
		{ PORT_LINES,      PORT_LINES + VIOAPIC_LINES - 1, lines_access, "testdev-lines" },
	};
	/* clang-format on */
	struct testdev *d = page_alloc();

	static_assert(sizeof(*d) <= PAGE_SIZE, "page_alloc() makes one");
	if (d == NULL)
		return ERR_NOMEM;
	d->ram = page_alloc_n(TESTDEV_RAM_BYTES / PAGE_SIZE, 1);
	if (d->ram == NULL)
		return ERR_NOMEM;
	lines_init(&d->lines);
	pic_init(&d->pic);
	TRY(pic_add(&p->pio));
	for (u32 i = 0; i < ARRAY_SIZE(rows); i++)
		TRY(pio_add(&p->pio, &rows[i]));
	p->testdev = d;
	return ERR_NONE;
}
