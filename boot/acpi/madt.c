/* SPDX-License-Identifier: BSD-2-Clause */
/* MADT: the processors, and rule P3. ACPI 6.4, "Multiple APIC Description Table". Pure. */
#include "boot/acpi/tables.h"
#include "core/lib/bits.h"
#include "core/lib/bytes.h"

#define MADT_ENTRIES_OFF      44u
#define MADT_LOCAL_APIC       0u
#define MADT_LOCAL_X2APIC     9u
#define MADT_LOCAL_APIC_LEN   8u
#define MADT_LOCAL_X2APIC_LEN 16u
#define MADT_ENABLED          BIT32(0)
#define MADT_ONLINE_CAPABLE   BIT32(1)

/* The entry at @at, if it is a processor's. 0xff and ~0 are not APIC IDs. */
static bool entry_read(const u8 *madt, u32 at, struct acpi_cpu *cpu)
{
	const u8 *e = madt + at;

	if (e[0] == MADT_LOCAL_APIC && e[1] >= MADT_LOCAL_APIC_LEN) {
		*cpu = (struct acpi_cpu){ .apic_id = e[3], .madt_offset = at + 4 };
		cpu->enabled = (get_u32(e + 4) & MADT_ENABLED) != 0;
		return e[3] != 0xff;
	}
	if (e[0] == MADT_LOCAL_X2APIC && e[1] >= MADT_LOCAL_X2APIC_LEN) {
		*cpu = (struct acpi_cpu){ .apic_id = get_u32(e + 4), .madt_offset = at + 8 };
		cpu->enabled = (get_u32(e + 8) & MADT_ENABLED) != 0;
		cpu->x2apic = true;
		return cpu->apic_id != ~0u;
	}
	return false;
}

/* Offset of the entry after the one at @at; 0: malformed, or none. */
static u32 entry_next(const u8 *madt, u32 at, u32 len)
{
	u32 next = at + madt[at + 1];

	return madt[at + 1] < 2 || !range_fits(next, 2, len) ? 0 : next;
}

/* The whole entry at @at is inside the table. */
static bool entry_fits(const u8 *madt, u32 at, u32 len)
{
	return at != 0 && range_fits(at, 2, len) && range_fits(at, madt[at + 1], len);
}

/* Firmware may list a processor twice, once per entry type; keep the first. */
static bool is_known(const struct acpi_info *out, u32 apic_id)
{
	for (u32 i = 0; i < out->cpu_count; i++) {
		if (out->cpu[i].apic_id == apic_id)
			return true;
	}
	return false;
}

void madt_parse(const u8 *madt, u32 len, struct acpi_info *out)
{
	u32 at = MADT_ENTRIES_OFF;
	struct acpi_cpu cpu;

	for (; entry_fits(madt, at, len); at = entry_next(madt, at, len)) {
		/* Empty sockets are listed as disabled entries, often all with the same ID. */
		if (!entry_read(madt, at, &cpu) || !cpu.enabled || is_known(out, cpu.apic_id))
			continue;
		if (out->cpu_count < ACPI_CPUS_MAX)
			out->cpu[out->cpu_count++] = cpu;
	}
}

void madt_disable_cpu(u8 *madt, u32 madt_len, const struct acpi_cpu *cpu)
{
	u32 at = MADT_ENTRIES_OFF;
	struct acpi_cpu found;

	/* In all entries with that APIC ID, or a double listing would bring it back. */
	for (; entry_fits(madt, at, madt_len); at = entry_next(madt, at, madt_len)) {
		u8 *flags;

		if (!entry_read(madt, at, &found) || found.apic_id != cpu->apic_id)
			continue;
		flags = madt + found.madt_offset;
		put_u32(flags, get_u32(flags) & ~(MADT_ENABLED | MADT_ONLINE_CAPABLE));
	}
	if (madt_len >= ACPI_HEADER_LEN)
		madt[ACPI_CHECKSUM_OFF] -= acpi_checksum(madt, madt_len);
}
