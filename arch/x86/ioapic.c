/* SPDX-License-Identifier: BSD-2-Clause */
/* Physical I/O APIC access, part of the port core/hw.h. Context: any CPU, the caller's lock. */
#include "arch/x86/ioapic.h"

#include "arch/x86/defs/ioapic.h"
#include "arch/x86/insn.h"
#include "arch/x86/paging.h"
#include "core/hw.h"

#define IOAPIC_BYTES 0x1000

static u8 *ioapic_regs;

void ioapic_map(void)
{
	ioapic_regs = mmio_map(hpa(IOAPIC_ADDR), IOAPIC_BYTES);
}

u32 hw_ioapic_read(u32 offset)
{
	return mmio_read32(ioapic_regs + offset);
}

void hw_ioapic_write(u32 offset, u32 val)
{
	mmio_write32(ioapic_regs + offset, val);
}
