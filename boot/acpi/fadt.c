/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * FADT: power management ports and the reset register. ACPI 6.4, "Fixed ACPI Description Table".
 * The table's length tells which fields exist; its revision is often wrong. Pure.
 */
#include "boot/acpi/tables.h"
#include "core/lib/bits.h"
#include "core/lib/bytes.h"

#define FADT_DSDT        40u
#define FADT_PM1A_CNT    64u
#define FADT_PM1B_CNT    68u
#define FADT_PM_TMR      76u
#define FADT_PM_TMR_LEN  91u
#define FADT_FLAGS       112u
#define FADT_RESET_REG   116u
#define FADT_RESET_VALUE 128u
#define FADT_X_DSDT      140u
#define FADT_X_PM1A_CNT  172u
#define FADT_X_PM1B_CNT  184u
#define FADT_X_PM_TMR    208u
#define FADT_TMR_VAL_EXT BIT32(8)
#define FADT_RESET_SUP   BIT32(10)
#define FADT_HW_REDUCED  BIT32(20)

/* Generic Address Structure: space, width, offset, access size, address. */
#define GAS_LEN     12u
#define GAS_ADDRESS 4u
#define GAS_IO      1u
#define GAS_NONE    0xffu

static u32 field_u32(const u8 *fadt, u32 len, u32 off)
{
	return range_fits(off, 4, len) ? get_u32(fadt + off) : 0;
}

/* The extended address, if present and not zero; else the 32-bit field. */
static u16 port(const u8 *fadt, u32 len, u32 legacy, u32 extended)
{
	u32 old = field_u32(fadt, len, legacy);

	if (range_fits(extended, GAS_LEN, len) && fadt[extended] == GAS_IO) {
		u64 addr = get_u64(fadt + extended + GAS_ADDRESS);

		if (addr != 0 && addr <= 0xffff)
			return (u16)addr;
	}
	return old <= 0xffff ? (u16)old : 0;
}

void fadt_parse(const u8 *fadt, u32 len, struct acpi_info *out, struct fadt_links *links)
{
	u32 flags = field_u32(fadt, len, FADT_FLAGS);

	links->dsdt_pa = field_u32(fadt, len, FADT_DSDT);
	if (range_fits(FADT_X_DSDT, 8, len) && get_u64(fadt + FADT_X_DSDT) != 0)
		links->dsdt_pa = get_u64(fadt + FADT_X_DSDT);
	if ((flags & FADT_RESET_SUP) != 0 && range_fits(FADT_RESET_REG, GAS_LEN + 1, len)) {
		out->reset_space = fadt[FADT_RESET_REG];
		out->reset_addr = get_u64(fadt + FADT_RESET_REG + GAS_ADDRESS);
		out->reset_value = fadt[FADT_RESET_VALUE];
		if (out->reset_addr == 0)
			out->reset_space = GAS_NONE;
	}
	if ((flags & FADT_HW_REDUCED) != 0)
		return; /* no fixed hardware: the fields below are meaningless */
	out->pm1a_cnt = port(fadt, len, FADT_PM1A_CNT, FADT_X_PM1A_CNT);
	out->pm1b_cnt = port(fadt, len, FADT_PM1B_CNT, FADT_X_PM1B_CNT);
	if (range_fits(FADT_PM_TMR_LEN, 1, len) && fadt[FADT_PM_TMR_LEN] == 4)
		out->pm_tmr_port = port(fadt, len, FADT_PM_TMR, FADT_X_PM_TMR);
	out->pm_tmr_32bit = (flags & FADT_TMR_VAL_EXT) != 0;
}
