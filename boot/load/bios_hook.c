/* SPDX-License-Identifier: BSD-2-Clause */
/* See bios_hook.h. Boot time, pure. */
#include "boot/load/bios_hook.h"

#include "boot/acpi/tables.h"
#include "boot/load/disk_stub.h"
#include "boot/load/plan.h"
#include "core/lib/bits.h"
#include "core/lib/bytes.h"

#define VECTOR(n) (4u * (n))
#define INT10     VECTOR(0x10)
#define INT12     VECTOR(0x12)
#define INT13     VECTOR(0x13)
#define INT15     VECTOR(0x15)
#define VECTORS   1024u

#define BDA_EBDA_SEGMENT 0x40eu
#define BDA_CONVENTIONAL 0x413u /* KiB */

#define CONVENTIONAL_MAX KIB(640)
#define CONVENTIONAL_MIN KIB(512) /* boot loaders are not tested with less */
#define EBDA_MIN         KIB(128)

#define PNP_FIRST 0xf0000u
#define PNP_END   0x100000u
#define PNP_ALIGN 16u
#define PNP_BYTES 0x21u
#define PNP_LEN   5u /* offset of the length */

#define STUB_BYTES KIB(4)
#define ATTRIBUTES 1u /* ACPI 3.0: the entry is not to be ignored */

static_assert(E820_MAX * DISK_MAP_ENTRY_BYTES < STUB_BYTES, "room for the code");

/* A handler lies above the vector table, and not where a vector of all zeros or ones points. */
static bool is_handler(u32 vector)
{
	u32 at = (vector >> 16 << 4) + (vector & 0xffff);

	return vector != 0 && vector != ~0u && at >= VECTORS;
}

static u32 find_pnp(const u8 *low)
{
	for (u32 at = PNP_FIRST; at + PNP_BYTES <= PNP_END; at += PNP_ALIGN) {
		u32 len = low[at + PNP_LEN];

		if (memcmp(&low[at], "$PnP", 4) == 0 && len >= PNP_BYTES && at + len <= PNP_END &&
		    acpi_checksum(&low[at], len) == 0)
			return PNP_FIRST << 12 | (at - PNP_FIRST);
	}
	return 0;
}

u64 bios_ebda(const u8 *low)
{
	u64 ebda = (u64)get_u16(&low[BDA_EBDA_SEGMENT]) << 4;

	return ebda >= EBDA_MIN && ebda < CONVENTIONAL_MAX ? ebda : 0;
}

void bios_read(const u8 *low, struct bios_info *out)
{
	*out = (struct bios_info){
		.conventional_kib = get_u16(&low[BDA_CONVENTIONAL]),
		.ebda = bios_ebda(low),
		.int12 = get_u32(&low[INT12]),
		.int15 = get_u32(&low[INT15]),
		.pnp = find_pnp(low),
	};
	out->is_present = is_handler(get_u32(&low[INT10])) && is_handler(get_u32(&low[INT13])) &&
			  is_handler(out->int12) && is_handler(out->int15) &&
			  out->conventional_kib != 0 &&
			  out->conventional_kib <= CONVENTIONAL_MAX / KIB(1);
}

/* The highest KiB-aligned block that is RAM in the map and left to programs by the BIOS. */
static err_t find_place(const struct bios_hook *h, const struct e820_map *m, struct load_plan *out,
			u64 *base)
{
	struct e820_fit fit = { .lo = CONVENTIONAL_MIN, .len = STUB_BYTES, .align = KIB(1) };
	u64 top = KIB((u64)h->bios->conventional_kib);

	if (h->bios->ebda != 0)
		top = umin64(top, h->bios->ebda);
	fit.hi = top;
	/* Cause (disk): option ROMs use the low memory of the INT 15h hook.
	 * Remedy: switch some off in the firmware set-up (network boot, RAID). */
	if (e820_fit_high(m, NULL, &fit, base) != ERR_NONE)
		return plan_fail(
			out, ERR_NOMEM,
			"%s: no %llu KiB are free between %llu and %llu KiB; do this: switch "
			"off option ROMs (network boot, RAID) in the firmware set-up, or give "
			"a kernel as module",
			h->what, STUB_BYTES / KIB(1), CONVENTIONAL_MIN / KIB(1), top / KIB(1));
	return ERR_NONE;
}

/* RAM in one piece from @base on. */
static u64 ram_from(const struct e820_map *m, u64 base)
{
	u64 end = base;

	for (u32 i = 0; i < m->count; i++) { /* sorted: one pass */
		const struct e820_entry *e = &m->e[i];

		if (e->type == E820_RAM && e->base <= end && e->base + e->len > end)
			end = e->base + e->len;
	}
	return end - base;
}

static void write_map(u8 *to, const struct e820_map *m)
{
	for (u32 i = 0; i < m->count; i++, to += DISK_MAP_ENTRY_BYTES) {
		put_u64(to, m->e[i].base);
		put_u64(to + 8, m->e[i].len);
		put_u32(to + 16, m->e[i].type);
		put_u32(to + 20, ATTRIBUTES);
	}
}

static void write_header(u8 *block, const struct bios_hook *h, const struct e820_map *m, u64 base)
{
	u64 from_1m = ram_from(m, MIB(1));
	u64 from_16m = from_1m >= MIB(15) ? ram_from(m, MIB(16)) : 0;

	put_u32(block + DISK_STUB_OLD_INT15, h->bios->int15);
	put_u32(block + DISK_STUB_OLD_INT12, h->bios->int12);
	put_u32(block + DISK_STUB_PNP, h->bios->pnp);
	put_u32(block + DISK_STUB_MAP_COUNT, m->count);
	put_u16(block + DISK_STUB_MAP, (u16)h->stub_len);
	put_u16(block + DISK_STUB_KIB_FROM_1M, (u16)umin64(from_1m / KIB(1), 0xffff));
	put_u16(block + DISK_STUB_64K_FROM_16M, (u16)umin64(from_16m / KIB(64), 0xffff));
	put_u16(block + DISK_STUB_CONVENTIONAL, (u16)(base / KIB(1)));
	put_u16(block + DISK_STUB_COM1, h->com1);
}

/* A vector or a field of the BIOS data area. */
static err_t poke(struct load_plan *out, u64 at, u32 val, u32 len)
{
	u8 *blob = plan_scratch(out, sizeof(val), 4);

	/* Cause (disk): a bug in Kensho.
	 * Remedy: please report it. */
	if (blob == NULL)
		return plan_fail(
			out, ERR_NOMEM,
			"no room for the BIOS hook in the plan; do this: give a kernel as module");
	put_u32(blob, val);
	return plan_blob(out, at, blob, len);
}

static u32 handler(const struct bios_hook *h, u64 base, u32 at)
{
	return (u32)base >> 4 << 16 | get_u16(h->stub + at);
}

err_t bios_hook_place(const struct bios_hook *h, struct e820_map *guest, u64 *base,
		      struct load_plan *out)
{
	TRY(find_place(h, guest, out, base));
	/* Cause (disk): a very long memory map.
	 * Remedy: load the system's kernel with `module2`. */
	if (e820_reserve(guest, *base, STUB_BYTES, E820_RESERVED) != ERR_NONE)
		return plan_fail(out, ERR_NOMEM,
				 "%s: the firmware's memory map has %u ranges, more than %u; do "
				 "this: give a kernel as module",
				 h->what, guest->count, E820_MAX - 2);
	return ERR_NONE;
}

err_t bios_hook_add(const struct bios_hook *h, const struct e820_map *guest, u64 base,
		    struct load_plan *out)
{
	u8 *block = plan_scratch(out, STUB_BYTES, 16);

	/* Cause (disk): a bug in Kensho.
	 * Remedy: please report it. */
	if (block == NULL)
		return plan_fail(
			out, ERR_NOMEM,
			"no room for the BIOS hook in the plan; do this: give a kernel as module");
	/* Cause (disk): a bug in Kensho.
	 * Remedy: please report it. */
	if (h->stub_len < DISK_STUB_HEADER_BYTES ||
	    h->stub_len + E820_MAX * DISK_MAP_ENTRY_BYTES > STUB_BYTES)
		return plan_fail(out, ERR_RANGE, "%s: hypervisor bug; do this: please report it",
				 h->what);
	memcpy(block, h->stub, h->stub_len);
	write_header(block, h, guest, base);
	write_map(block + h->stub_len, guest);
	TRY(plan_blob(out, base, block, STUB_BYTES));
	TRY(poke(out, INT15, handler(h, base, DISK_STUB_INT15), 4));
	TRY(poke(out, INT12, handler(h, base, DISK_STUB_INT12), 4));
	return poke(out, BDA_CONVENTIONAL, (u32)(base / KIB(1)), 2);
}
