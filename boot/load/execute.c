/* SPDX-License-Identifier: BSD-2-Clause */
/* The only code that writes a guest image into memory. Boot time, on the BSP. */
#include "boot/load/load.h"
#include "core/hw.h"
#include "core/lib/string.h"

void load_execute(const struct load_plan *plan)
{
	for (u32 i = 0; i < plan->count; i++) {
		const struct load_copy *c = &plan->copy[i];
		u64 zero = c->zero_len;
		u64 len = c->len;

		if (len + zero == 0)
			continue;
		if (c->blob != NULL)
			memcpy(hw_phys_to_virt(hpa(c->dst)), c->blob, len);
		else if (c->src == ~0ull)
			memset(hw_phys_to_virt(hpa(c->dst)), 0, len);
		else if (len != 0 && c->src != c->dst)
			memmove(hw_phys_to_virt(hpa(c->dst)), hw_phys_to_virt(hpa(c->src)), len);
		if (zero != 0)
			memset(hw_phys_to_virt(hpa(c->dst + len)), 0, zero);
	}
}
