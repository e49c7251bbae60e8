/* SPDX-License-Identifier: BSD-2-Clause */
/* Global descriptor table: one per CPU, because a TSS descriptor becomes busy. */
#include "arch/x86/insn.h"
#include "arch/x86/percpu.h"

/* isr.S: reload CS, SS and null the data segments. Selector loads zero the GS base. */
void gdt_reload_segments(void);

void gdt_load(struct percpu *pc)
{
	struct desc_ptr ptr = { .limit = GDT_BYTES - 1, .base = (u64)pc->gdt };
	u64 tss = (u64)&pc->tss;

	pc->gdt[SEL_CODE64 >> 3] = DESC_FLAT_CODE64;
	pc->gdt[SEL_DATA >> 3] = DESC_FLAT_DATA;
	pc->gdt[SEL_CODE32 >> 3] = DESC_FLAT_CODE32;
	pc->gdt[SEL_TSS >> 3] = desc_system_low(tss, TSS64_LIMIT, DESC_TYPE_TSS_AVAIL);
	pc->gdt[(SEL_TSS >> 3) + 1] = tss >> 32;

	lgdt(&ptr);
	gdt_reload_segments();
	ltr(SEL_TSS);
}
