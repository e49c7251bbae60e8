/* SPDX-License-Identifier: BSD-2-Clause */
/* EFI memory maps: copy, convert, edit. Boot time, pure. */
#include "boot/load/efi.h"
#include "core/lib/bits.h"
#include "core/lib/bytes.h"

#define EFI_PAGE_SHIFT 12u

static u64 desc_bytes(const struct efi_descriptor *d)
{
	return d->pages << EFI_PAGE_SHIFT;
}

static u64 desc_end(const struct efi_descriptor *d)
{
	return d->pa + desc_bytes(d);
}

/* Linux drops such descriptors, too: they have no meaning. */
static bool is_sane(const struct efi_descriptor *d)
{
	return d->pages != 0 && d->pages <= ~0ull >> EFI_PAGE_SHIFT &&
	       desc_bytes(d) <= ~0ull - d->pa;
}

static void sort(struct efi_map *m)
{
	/* Insertion: firmware's maps are sorted, or nearly. */
	for (u32 i = 1; i < m->count; i++) {
		struct efi_descriptor d = m->d[i];
		u32 at = i;

		for (; at > 0 && m->d[at - 1].pa > d.pa; at--)
			m->d[at] = m->d[at - 1];
		m->d[at] = d;
	}
}

/* Never join runtime ranges: each gets its own virtual address. */
static bool can_join(const struct efi_descriptor *a, const struct efi_descriptor *b)
{
	return a->type == b->type && a->attributes == b->attributes && desc_end(a) == b->pa &&
	       (a->attributes & EFI_MEMORY_RUNTIME) == 0;
}

static void join(struct efi_map *m)
{
	u32 last = 0;

	for (u32 i = 1; i < m->count; i++) {
		if (can_join(&m->d[last], &m->d[i]))
			m->d[last].pages += m->d[i].pages;
		else
			m->d[++last] = m->d[i];
	}
	m->count = last + 1;
}

err_t efi_map_parse(struct efi_map *m, const u8 *bytes, u64 len)
{
	m->count = 0;
	for (u64 at = 0; range_fits(at, m->desc_size, len); at += m->desc_size) {
		const u8 *b = bytes + at;
		struct efi_descriptor d = {
			.type = get_u32(b),
			.pa = get_u64(b + 8),
			.va = get_u64(b + 16),
			.pages = get_u64(b + 24),
			.attributes = get_u64(b + 32),
		};

		if (!is_sane(&d))
			continue;
		if (m->count == EFI_MAP_MAX) {
			sort(m);
			join(m);
		}
		if (m->count == EFI_MAP_MAX) {
			m->count = 0;
			return ERR_NOMEM;
		}
		m->d[m->count++] = d;
	}
	sort(m);
	return ERR_NONE;
}

/* General-purpose RAM, by its type. */
static bool is_ram_type(u32 type)
{
	return type == EFI_LOADER_CODE || type == EFI_LOADER_DATA ||
	       type == EFI_BOOT_SERVICES_CODE || type == EFI_BOOT_SERVICES_DATA ||
	       type == EFI_CONVENTIONAL;
}

u32 efi_e820_type(const struct efi_descriptor *d)
{
	if (is_ram_type(d->type)) {
		if (d->type == EFI_CONVENTIONAL && (d->attributes & EFI_MEMORY_SP) != 0)
			return E820_SOFT_RESERVED;
		return (d->attributes & EFI_MEMORY_WB) != 0 ? E820_RAM : E820_RESERVED;
	}
	switch (d->type) {
	case EFI_RUNTIME_SERVICES_CODE:
	case EFI_RUNTIME_SERVICES_DATA:
		return E820_EFI_RUNTIME;
	case EFI_UNUSABLE:
		return E820_UNUSABLE;
	case EFI_ACPI_RECLAIM:
		return E820_ACPI;
	case EFI_ACPI_NVS:
		return E820_NVS;
	case EFI_MMIO:
	case EFI_MMIO_PORTS:
		return E820_EFI_MMIO;
	case EFI_PERSISTENT:
		return E820_PMEM;
	default:
		/* Linux uses any range with the attribute, and firmware's own types may have it. */
		if ((d->attributes & (EFI_MEMORY_RUNTIME | EFI_MEMORY_WB)) ==
		    (EFI_MEMORY_RUNTIME | EFI_MEMORY_WB))
			return E820_EFI_RUNTIME;
		/* Unaccepted memory as well: nobody has accepted it. A range that cannot be
		 * cached is not memory; on real machines it is the PCI configuration window. */
		return (d->attributes & EFI_MEMORY_WB) != 0 ? E820_RESERVED : E820_EFI_MMIO;
	}
}

/* RAM that boot services used, and buggy firmware still uses. */
static bool is_boot_services(const struct efi_descriptor *d)
{
	return d->type == EFI_BOOT_SERVICES_CODE || d->type == EFI_BOOT_SERVICES_DATA;
}

err_t efi_map_to_e820(const struct efi_map *m, bool idle, struct e820_map *out)
{
	out->count = 0;
	for (u32 i = 0; i < m->count; i++) {
		const struct efi_descriptor *d = &m->d[i];
		u32 type = idle && is_boot_services(d) ? E820_RESERVED : efi_e820_type(d);

		if (out->count == E820_MAX)
			TRY(e820_normalise(out));
		TRY(e820_add(out, d->pa, desc_bytes(d), type));
	}
	return e820_normalise(out);
}

/* Split descriptor @i at @pa, inside it, into two with equal properties. */
static void cut(struct efi_map *m, u32 i, u64 pa)
{
	u64 low = (pa - m->d[i].pa) >> EFI_PAGE_SHIFT;

	memmove(&m->d[i + 1], &m->d[i], (m->count - i) * sizeof(m->d[0]));
	m->count++;
	m->d[i].pages = low;
	m->d[i + 1].pages -= low;
	m->d[i + 1].pa = pa;
}

/* Splits that efi_map_set() needs. */
static u32 cuts_needed(const struct efi_map *m, u64 base, u64 len)
{
	u32 n = 0;

	for (u32 i = 0; i < m->count; i++) {
		const struct efi_descriptor *d = &m->d[i];

		if (efi_e820_type(d) != E820_RAM ||
		    !ranges_overlap(d->pa, desc_bytes(d), base, len))
			continue;
		n += (d->pa < base) + (desc_end(d) > base + len);
	}
	return n;
}

err_t efi_map_set(struct efi_map *m, u64 base, u64 len, u32 type)
{
	if (cuts_needed(m, base, len) > EFI_MAP_MAX - m->count)
		return ERR_NOMEM;
	for (u32 i = 0; i < m->count; i++) {
		struct efi_descriptor *d = &m->d[i];

		if (efi_e820_type(d) != E820_RAM ||
		    !ranges_overlap(d->pa, desc_bytes(d), base, len))
			continue;
		if (d->pa < base) {
			cut(m, i, base); /* the upper half is next */
			continue;
		}
		if (desc_end(d) > base + len)
			cut(m, i, base + len);
		d->type = type;
	}
	sort(m);
	return ERR_NONE;
}

/* Parts of [base, end) that are not RAM in @guest become reserved. */
static err_t agree_range(struct efi_map *m, const struct e820_map *guest, u64 base, u64 end)
{
	u64 at = base;

	for (u32 i = 0; i < guest->count && at < end; i++) {
		const struct e820_entry *e = &guest->e[i];
		u64 ram_base = ALIGN_UP(e->base, BIT64(EFI_PAGE_SHIFT));
		u64 ram_end = ALIGN_DOWN(e->base + e->len, BIT64(EFI_PAGE_SHIFT));

		if (e->type != E820_RAM || ram_end <= at || ram_base >= ram_end)
			continue;
		if (ram_base > at)
			TRY(efi_map_set(m, at, umin64(ram_base, end) - at, EFI_RESERVED));
		at = umax64(at, ram_end);
	}
	return at < end ? efi_map_set(m, at, end - at, EFI_RESERVED) : ERR_NONE;
}

err_t efi_map_agree(struct efi_map *m, const struct e820_map *guest)
{
	/* Splits and the sort keep later entries after @i, and parts done already agree. */
	for (u32 i = 0; i < m->count; i++) {
		struct efi_descriptor d = m->d[i];

		if (efi_e820_type(&d) == E820_RAM)
			TRY(agree_range(m, guest, d.pa, desc_end(&d)));
	}
	return ERR_NONE;
}

u64 efi_map_bytes(const struct efi_map *m)
{
	return (u64)m->count * m->desc_size;
}

void efi_map_write(const struct efi_map *m, u8 *out)
{
	memset(out, 0, efi_map_bytes(m));
	for (u32 i = 0; i < m->count; i++, out += m->desc_size)
		memcpy(out, &m->d[i], sizeof(m->d[i]));
}
