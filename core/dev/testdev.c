/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The test devices: exit, fw_cfg, latch, flush, interrupt lines behind I/O ports, and emulated
 * memory. VP's CPU.
 *
 * Undefined accesses (other sizes, write-only ports) read 0, and are dropped.
 */
#include "core/dev/testdev.h"

#include "arch/x86/defs/paging.h"
#include "core/dev/lines.h"
#include "core/diag/log.h"
#include "core/diag/stop_all.h"
#include "core/hw.h"
#include "core/lib/bits.h"
#include "core/lib/lock.h"
#include "core/lib/string.h"
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

/* Memory every access to which exits. */
#define TESTDEV_RAM       0xff000000ull
#define TESTDEV_RAM_BYTES 0x10000ull

/* fw_cfg items; every other one is empty. An item reads 0 past its end. */
#define FW_SIGNATURE 0x00
#define FW_RAM_BYTES 0x03
#define FW_CPU_COUNT 0x05

/* There is one partition; testdev_add() starts afresh. */
static struct {
	struct spinlock lock; /* LOCK: latch and fw_*; a leaf */
	u32 latch;
	u16 fw_select; /* fw_cfg: item and the next byte of it */
	u32 fw_offset;
	u8 *ram; /* TESTDEV_RAM_BYTES */
	bool exit_powers_off;
} dev;

/* The program has ended: print its code, then what happens next. */
static NORETURN void guest_exit(struct vp *vp, u32 code)
{
	struct partition *p = vp->partition;

	p->stopping = true;
	stop_all_others();
	counters_dump(p, "guest exit");
	log_take_consoles();
	log_info("guest exit code %u", code);
	if (dev.exit_powers_off) {
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

/* RAM size to report: up to the first hole above 1 MiB, at the latest the hypervisor's region. */
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
	u32 byte = 0;

	spin_lock(&dev.lock);
	if (write && port == PORT_FW_SELECT && size == 2) {
		dev.fw_select = (u16)*val;
		dev.fw_offset = 0;
	} else if (!write && port == PORT_FW_DATA && size == 1 && dev.fw_offset < 8) {
		byte = (u8)(fw_item(vp->partition, dev.fw_select) >> (8 * dev.fw_offset++));
	}
	spin_unlock(&dev.lock);
	if (!write)
		*val = byte;
}

/* Both windows. A wider access to the second one transfers several bytes of it. */
static void latch_access(struct vp *vp, u16 port, u32 size, bool write, u32 *val)
{
	u32 shift = 8 * (port & 3);
	u32 mask = (u32)(BIT64(8 * size) - 1) << shift;

	spin_lock(&dev.lock);
	if (write)
		dev.latch = (dev.latch & ~mask) | (*val << shift & mask);
	else
		*val = (dev.latch & mask) >> shift;
	spin_unlock(&dev.lock);
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

/* A wider access sets each line it covers. */
static void lines_access(struct vp *vp, u16 port, u32 size, bool write, u32 *val)
{
	for (u32 i = 0; write && i < size; i++)
		lines_set(vp, port - PORT_LINES + i, (u8)(*val >> (8 * i)) != 0);
	if (!write)
		*val = 0;
}

/* The RAM has no lock: concurrent accesses may tear, which is the guest's own race. */
static u64 ram_read(struct vp *vp, u64 at, u32 size)
{
	const u8 *ram = dev.ram + (at - TESTDEV_RAM);
	u64 val = 0;

	for (u32 i = 0; i < size; i++)
		val |= (u64)ram[i] << (8 * i);
	return val;
}

static void ram_write(struct vp *vp, u64 at, u32 size, u64 val)
{
	u8 *ram = dev.ram + (at - TESTDEV_RAM);

	for (u32 i = 0; i < size; i++)
		ram[i] = (u8)(val >> (8 * i));
}

/* Ports and pages of the devices. */
/* clang-format off */
static const struct pio_row ports[] = {
	{ PORT_LATCH,      PORT_LATCH + 3,      latch_access, "testdev-latch" },
	{ PORT_FLUSH,      PORT_FLUSH + 3,      flush_access, "testdev-flush" },
	{ PORT_LATCH_BYTE, PORT_LATCH_BYTE + 3, latch_access, "testdev-latch-bytes" },
	{ PORT_EXIT,       PORT_EXIT + 3,       exit_access,  "testdev-exit" },
	{ PORT_FW_SELECT,  PORT_FW_DATA,        fw_access,    "testdev-fw-cfg" },
	{ PORT_LINES,      PORT_LINES + VIOAPIC_LINES - 1, lines_access, "testdev-lines" },
};
/* clang-format on */

static const struct emul_mem ram_mem = { ram_read, ram_write };
static const struct page_range ram_range = {
	.base = TESTDEV_RAM,
	.end = TESTDEV_RAM + TESTDEV_RAM_BYTES,
	.kind = PAGE_EMULATED,
	.mem = &ram_mem,
};

err_t testdev_add(struct partition *p, bool exit_powers_off)
{
	(void)memset(&dev, 0, sizeof(dev));
	dev.exit_powers_off = exit_powers_off;
	dev.ram = page_alloc_n(TESTDEV_RAM_BYTES / PAGE_SIZE, 1);
	if (dev.ram == NULL)
		return ERR_NOMEM;
	TRY(lines_add(p));
	for (u32 i = 0; i < ARRAY_SIZE(ports); i++)
		TRY(pio_add(&p->pio, &ports[i]));
	TRY(range_add(p, &ram_range));
	log_info("testdev=on: QEMU's test devices take ports E0-EB, F4-F7, 510-511, 2000-2017 and "
		 "memory at %llx from the machine, watch the 8259s, and make the I/O APIC virtual "
		 "(%u pins)",
		 TESTDEV_RAM, lines_of(p)->ioapic.pins);
	return ERR_NONE;
}
