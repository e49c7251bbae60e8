/* SPDX-License-Identifier: BSD-2-Clause */
/* Test devices behind memory addresses: pages that are in no EPT. VP's CPU. */
#include "arch/x86/defs/paging.h"
#include "core/dev/testdev.h"
#include "core/lib/bits.h"
#include "core/partition.h"
#include "core/vp/vp.h"

static bool is_ioapic(u64 at)
{
	return (at & PAGE_MASK) == IOAPIC_ADDR;
}

bool testdev_owns(const struct partition *p, u64 at, u64 len)
{
	return p->testdev != NULL && (at - TESTDEV_RAM < TESTDEV_RAM_BYTES || is_ioapic(at)) &&
	       (at & (PAGE_SIZE - 1)) + len <= PAGE_SIZE;
}

static u64 ioapic_read(struct testdev *d, u64 at, u32 size)
{
	u64 val;

	spin_lock(&d->lock);
	val = lines_page_read(&d->lines, (u32)(at - IOAPIC_ADDR), size);
	spin_unlock(&d->lock);
	return val;
}

/* The RAM has no lock: concurrent accesses may tear, which is the guest's own race. */
static u64 mem_read(struct vp *vp, u64 at, u32 size)
{
	struct testdev *d = vp->partition->testdev;
	const u8 *ram;
	u64 val = 0;

	if (is_ioapic(at))
		return ioapic_read(d, at, size);
	ram = d->ram + (at - TESTDEV_RAM);
	for (u32 i = 0; i < size; i++)
		val |= (u64)ram[i] << (8 * i);
	return val;
}

static void mem_write(struct vp *vp, u64 at, u32 size, u64 val)
{
	struct testdev *d = vp->partition->testdev;
	u8 *ram;

	if (is_ioapic(at)) {
		spin_lock(&d->lock);
		lines_page_write(vp, &d->lines, (u32)(at - IOAPIC_ADDR), size, (u32)val);
		spin_unlock(&d->lock);
		return;
	}
	ram = d->ram + (at - TESTDEV_RAM);
	for (u32 i = 0; i < size; i++)
		ram[i] = (u8)(val >> (8 * i));
}

const struct emul_mem testdev_mem = { .read = mem_read, .write = mem_write };
