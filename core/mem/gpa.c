/* SPDX-License-Identifier: BSD-2-Clause */
/* Guest-physical memory access, checked against the guest's memory map. Any CPU. */
#include "core/mem/gpa.h"

#include "core/lib/bits.h"
#include "core/lib/string.h"
#include "core/mem/gpa_internal.h"

u32 gpa_last_hit;

const struct e820_entry *gpa_search(const struct partition *p, u64 base, u64 len)
{
	const struct e820_map *m = &p->memory;

	for (u32 i = 0; i < m->count; i++) {
		if (e820_covers(&m->e[i], base, len)) {
			if (m->e[i].type == E820_RAM)
				WRITE_ONCE(gpa_last_hit, i);
			return &m->e[i];
		}
	}
	return NULL;
}

bool gpa_is_ram(const struct partition *p, gpa_t gpa, u64 len)
{
	return gpa_ram_ptr(p, gpa.v, len) != NULL;
}

err_t gpa_read(const struct partition *p, gpa_t gpa, void *buf, u64 len)
{
	const void *src = gpa_ram_ptr(p, gpa.v, len);

	if (src == NULL)
		return ERR_FAULT;
	(void)memcpy(buf, src, len);
	return ERR_NONE;
}

err_t gpa_write(const struct partition *p, gpa_t gpa, const void *buf, u64 len)
{
	void *dst = gpa_ram_ptr(p, gpa.v, len);

	if (dst == NULL)
		return ERR_FAULT;
	(void)memcpy(dst, buf, len);
	return ERR_NONE;
}

err_t gpa_write32(const struct partition *p, gpa_t gpa, u32 val)
{
	u32 *dst = gpa_ram_ptr(p, gpa.v, sizeof(*dst));

	if (dst == NULL || !IS_ALIGNED(gpa.v, sizeof(*dst)))
		return ERR_FAULT;
	WRITE_ONCE(*dst, val);
	return ERR_NONE;
}

err_t gpa_write64(const struct partition *p, gpa_t gpa, u64 val)
{
	u64 *dst = gpa_ram_ptr(p, gpa.v, sizeof(*dst));

	if (dst == NULL || !IS_ALIGNED(gpa.v, sizeof(*dst)))
		return ERR_FAULT;
	WRITE_ONCE(*dst, val);
	return ERR_NONE;
}

err_t gpa_read32(const struct partition *p, gpa_t gpa, u32 *val)
{
	const u32 *src = gpa_ram_ptr(p, gpa.v, sizeof(*src));

	if (src == NULL || !IS_ALIGNED(gpa.v, sizeof(*src)))
		return ERR_FAULT;
	*val = READ_ONCE(*src);
	return ERR_NONE;
}

/*
 * Memory that the CPU may access, though a guest must not register it: ACPI memory, EFI runtime
 * services, the EBDA and the BIOS (ROM drops writes by itself). All of it is mapped behind
 * hw_phys_to_virt(); reserved entries above 1 MiB need not be.
 */
static bool is_firmware_or_ram(const struct partition *p, u64 base, u64 len)
{
	const struct e820_entry *e = gpa_search(p, base, len);

	if (e == NULL)
		return false;
	return e->type == E820_RAM || e->type == E820_ACPI || e->type == E820_NVS ||
	       e->type == E820_EFI_RUNTIME || (e->type == E820_RESERVED && base + len <= MIB(1));
}

err_t gpa_read_any(const struct partition *p, gpa_t gpa, void *buf, u64 len)
{
	const struct e820_entry region = { .base = p->region_base.v, .len = p->region_len };

	if (e820_covers(&region, gpa.v, len)) {
		(void)memset(buf, 0xff, len); /* rule M1: what EPT shows there */
		return ERR_NONE;
	}
	if (!is_firmware_or_ram(p, gpa.v, len))
		return ERR_FAULT;
	(void)memcpy(buf, hw_phys_to_virt(hpa(gpa.v)), len);
	return ERR_NONE;
}

err_t gpa_write_any(const struct partition *p, gpa_t gpa, const void *buf, u64 len)
{
	if (!is_firmware_or_ram(p, gpa.v, len))
		return ERR_FAULT;
	(void)memcpy(hw_phys_to_virt(hpa(gpa.v)), buf, len);
	return ERR_NONE;
}

err_t gpa_swap8(const struct partition *p, gpa_t gpa, u8 old, u8 val)
{
	if (!is_firmware_or_ram(p, gpa.v, 1))
		return ERR_FAULT;
	return __atomic_compare_exchange_n((u8 *)hw_phys_to_virt(hpa(gpa.v)), &old, val, false,
					   __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)
		       ? ERR_NONE
		       : ERR_BUSY;
}

err_t gpa_fetch16(const struct partition *p, gpa_t gpa, u64 out[2], const u8 **ram)
{
	*ram = gpa_ram_ptr(p, gpa.v, 16);
	if (unlikely(*ram == NULL))
		return gpa_read_any(p, gpa, out, 16);
	__builtin_memcpy(out, *ram, 16); /* constant size: two loads, no call */
	return ERR_NONE;
}
