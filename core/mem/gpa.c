/* SPDX-License-Identifier: BSD-2-Clause */
/* Guest-physical memory access, checked against the guest's memory map. Any CPU. */
#include "core/mem/gpa.h"

#include "core/lib/bits.h"
#include "core/lib/string.h"
#include "core/mem/gpa_internal.h"
#include "core/mem/page_class.h"

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

/* The whole range is of one class, which lets the hypervisor do @access. */
static bool allows(const struct partition *p, u64 base, u64 len, enum page_access access)
{
	u64 end;

	return page_class[page_kind_at(p, base, &end)].access == access && len <= end - base;
}

/* Memory that the CPU may access, though a guest must not register it. All of it is mapped behind
 * hw_phys_to_virt(); ROM drops writes by itself. */
static void *cpu_ptr(const struct partition *p, u64 base, u64 len)
{
	void *ram = gpa_ram_ptr(p, base, len);

	if (ram == NULL && allows(p, base, len, ACCESS_CPU))
		return hw_phys_to_virt(hpa(base));
	return ram;
}

err_t gpa_read_any(const struct partition *p, gpa_t gpa, void *buf, u64 len)
{
	const void *src = cpu_ptr(p, gpa.v, len);

	if (src != NULL) {
		(void)memcpy(buf, src, len);
		return ERR_NONE;
	}
	if (!allows(p, gpa.v, len, ACCESS_ONES))
		return ERR_FAULT;
	(void)memset(buf, 0xff, len); /* rule M1: what EPT shows there */
	return ERR_NONE;
}

err_t gpa_write_any(const struct partition *p, gpa_t gpa, const void *buf, u64 len)
{
	void *dst = cpu_ptr(p, gpa.v, len);

	if (dst == NULL)
		return ERR_FAULT;
	(void)memcpy(dst, buf, len);
	return ERR_NONE;
}

err_t gpa_swap8(const struct partition *p, gpa_t gpa, u8 old, u8 val)
{
	u8 *byte = cpu_ptr(p, gpa.v, 1);

	if (byte == NULL)
		return ERR_FAULT;
	return __atomic_compare_exchange_n(byte, &old, val, false, __ATOMIC_SEQ_CST,
					   __ATOMIC_RELAXED)
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
