/* SPDX-License-Identifier: BSD-2-Clause */
/* MADT: the processors, and rule P3. ACPI 6.4, "Multiple APIC Description Table". Pure. */
#include "arch/x86/defs/apic.h"
#include "boot/acpi/tables.h"
#include "core/lib/bits.h"
#include "core/lib/bytes.h"

#define MADT_ENTRIES_OFF      44u
#define MADT_LOCAL_APIC       0u
#define MADT_LOCAL_X2APIC     9u
#define MADT_WAKEUP           0x10u /* "Multiprocessor Wakeup Structure" */
#define MADT_LOCAL_APIC_LEN   8u
#define MADT_LOCAL_X2APIC_LEN 16u
#define MADT_WAKEUP_LEN       16u
#define MADT_ENABLED          BIT32(0)
#define MADT_ONLINE_CAPABLE   BIT32(1)

/* The processor entry at @at. Guests differ in what else they check, so whatever one of them may
 * take for a processor is one here: its length may be too long, its end behind the table's. */
static bool entry_read(const u8 *madt, u32 at, u32 len, struct acpi_cpu *cpu)
{
	const u8 *e = madt + at;

	if (e[0] == MADT_LOCAL_APIC && e[1] >= MADT_LOCAL_APIC_LEN &&
	    range_fits(at, MADT_LOCAL_APIC_LEN, len))
		*cpu = (struct acpi_cpu){ .apic_id = e[3], .madt_offset = at + 4 };
	else if (e[0] == MADT_LOCAL_X2APIC && e[1] >= MADT_LOCAL_X2APIC_LEN &&
		 range_fits(at, MADT_LOCAL_X2APIC_LEN, len))
		*cpu = (struct acpi_cpu){ .apic_id = get_u32(e + 4),
					  .madt_offset = at + 8,
					  .x2apic = true };
	else
		return false;
	cpu->enabled = (get_u32(madt + cpu->madt_offset) & MADT_ENABLED) != 0;
	return true;
}

/* Offset of the next entry; 0: none. A length of 0 leads nowhere, a length of 1 for some guests
 * one byte on. */
static u32 entry_next(const u8 *madt, u32 at, u32 len)
{
	u32 next = at + madt[at + 1];

	return next == at || !range_fits(next, 2, len) ? 0 : next;
}

static u32 entry_first(u32 len)
{
	return range_fits(MADT_ENTRIES_OFF, 2, len) ? MADT_ENTRIES_OFF : 0;
}

static bool is_apic_id(const struct acpi_cpu *cpu)
{
	return cpu->apic_id != (cpu->x2apic ? APIC_BROADCAST_X2APIC : APIC_BROADCAST_XAPIC);
}

/* Firmware may list a processor twice, once per entry type; keep the first. Twice in one type is a
 * fault, two processors that answer to one ID at worst. */
static void cpu_add(struct acpi_info *out, const struct acpi_cpu *cpu)
{
	for (u32 i = 0; i < out->cpu_count; i++) {
		if (out->cpu[i].apic_id == cpu->apic_id) {
			out->duplicates += out->cpu[i].x2apic == cpu->x2apic;
			return;
		}
	}
	if (out->cpu_count < ACPI_CPUS_MAX)
		out->cpu[out->cpu_count++] = *cpu;
}

static void wakeup_note(const u8 *madt, u32 at, u32 len, struct acpi_info *out)
{
	const u8 *e = madt + at;

	if (e[0] == MADT_WAKEUP && e[1] >= MADT_WAKEUP_LEN && range_fits(at, MADT_WAKEUP_LEN, len))
		out->wakeup_mailbox = get_u64(e + 8);
}

void madt_parse(const u8 *madt, u32 len, struct acpi_info *out)
{
	struct acpi_cpu cpu;

	for (u32 at = entry_first(len); at != 0; at = entry_next(madt, at, len)) {
		wakeup_note(madt, at, len, out);
		/* Empty sockets are listed as disabled entries, often all with the same ID. */
		if (!entry_read(madt, at, len, &cpu) || !cpu.enabled || !is_apic_id(&cpu))
			continue;
		cpu_add(out, &cpu);
	}
}

static bool is_one_of(u32 apic_id, const u32 *ids, u32 count)
{
	for (u32 i = 0; i < count; i++) {
		if (ids[i] == apic_id)
			return true;
	}
	return false;
}

/* The next entry of another processor than @ids, from @at on; 0: none. */
static u32 other_find(const u8 *madt, u32 at, u32 len, const struct madt_keep *keep,
		      struct acpi_cpu *cpu)
{
	for (; at != 0; at = entry_next(madt, at, len)) {
		if (entry_read(madt, at, len, cpu) &&
		    !is_one_of(cpu->apic_id, keep->ids, keep->count))
			return at;
	}
	return 0;
}

u32 madt_count_others(const u8 *madt, u32 len, const struct madt_keep *keep)
{
	struct acpi_cpu cpu;
	u32 enabled = 0;
	u32 at = entry_first(len);

	while ((at = other_find(madt, at, len, keep, &cpu)) != 0) {
		enabled += cpu.enabled;
		at = entry_next(madt, at, len);
	}
	return enabled;
}

void madt_disable_others(u8 *madt, u32 len, const struct madt_keep *keep)
{
	struct acpi_cpu cpu;
	u32 at = entry_first(len);
	u8 sum;

	if (at == 0)
		return;
	sum = acpi_checksum(madt, len);
	while ((at = other_find(madt, at, len, keep, &cpu)) != 0) {
		u8 *flags = madt + cpu.madt_offset;

		put_u32(flags, get_u32(flags) & ~(MADT_ENABLED | MADT_ONLINE_CAPABLE));
		at = entry_next(madt, at, len);
	}
	/* A table that was wrong stays wrong by as much: some guests read it nevertheless. */
	madt[ACPI_CHECKSUM_OFF] += (u8)(sum - acpi_checksum(madt, len));
}
