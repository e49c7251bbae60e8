/* SPDX-License-Identifier: BSD-2-Clause */
/* INIT-SIPI-SIPI and the trampoline page. Context: boot CPU, one AP at a time. */
#include "arch/x86/smp.h"

#include "arch/x86/defs/apic.h"
#include "arch/x86/defs/paging.h"
#include "arch/x86/insn.h"
#include "arch/x86/lapic.h"
#include "arch/x86/paging.h"
#include "core/hw.h"
#include "core/lib/bits.h"
#include "core/lib/string.h"

extern const u8 ap_trampoline[], ap_trampoline_end[], ap_gdt_ptr[], ap_far[], ap_param[];

struct ap_param {
	u64 cr3, entry, stack, arg;
};

static struct {
	u64 page_pa;
	u8 *saved; /* content of the borrowed page */
	u64 *pml4; /* the hypervisor's, plus an identity map of the first 2 MiB */
} smp;

void smp_begin(u64 page_pa, u64 (*pages)[PAGE_SIZE / 8])
{
	u64 *pdpt = pages[0], *pd = pages[1];

	smp.saved = (u8 *)pages[2];
	smp.pml4 = pages[3];
	memcpy(smp.pml4, hw_phys_to_virt(hpa(read_cr3() & PTE_ADDR)), PAGE_SIZE);
	smp.pml4[0] = hw_virt_to_phys(pdpt).v | PTE_P | PTE_W;
	pdpt[0] = hw_virt_to_phys(pd).v | PTE_P | PTE_W;
	pd[0] = PTE_P | PTE_W | PTE_PS;
	smp.page_pa = page_pa;
	memcpy(smp.saved, hw_phys_to_virt(hpa(page_pa)), PAGE_SIZE);
}

void smp_end(void)
{
	memcpy(hw_phys_to_virt(hpa(smp.page_pa)), smp.saved, PAGE_SIZE);
}

static void add32(u8 *page, const u8 *label, u32 offset, u32 val)
{
	u32 old;
	u8 *at = page + (label - ap_trampoline) + offset;

	memcpy(&old, at, sizeof(old));
	old += val;
	memcpy(at, &old, sizeof(old));
}

static void write_trampoline(const struct percpu *pc, smp_entry entry)
{
	struct ap_param param = {
		.cr3 = hw_virt_to_phys(smp.pml4).v,
		.entry = (u64)entry,
		.stack = (u64)percpu_main_stack_top(pc),
		.arg = (u64)pc,
	};
	u8 *page = hw_phys_to_virt(hpa(smp.page_pa));

	memcpy(page, ap_trampoline, (size_t)(ap_trampoline_end - ap_trampoline));
	add32(page, ap_gdt_ptr, 2, (u32)smp.page_pa);
	add32(page, ap_far, 0, (u32)smp.page_pa);
	memcpy(page + (ap_param - ap_trampoline), &param, sizeof(param));
}

static bool wait_alive(const struct percpu *pc, u64 ticks)
{
	u64 start = rdtsc();

	while (!LOAD_ACQUIRE(pc->alive)) {
		if (rdtsc() - start > ticks)
			return false;
		cpu_pause();
	}
	return true;
}

static void wait(u64 ticks)
{
	u64 start = rdtsc();

	while (rdtsc() - start < ticks)
		cpu_pause();
}

/* SDM Vol. 3A "MP Initialization Protocol Algorithm for MP Systems": INIT, 10 ms, SIPI, 200 us,
 * SIPI. */
err_t smp_start_cpu(struct percpu *pc, smp_entry entry, u64 tsc_hz)
{
	u32 sipi = (u32)FIELD_PREP(APIC_ICR_MODE, APIC_MODE_STARTUP) | APIC_ICR_ASSERT |
		   (u32)(smp.page_pa >> 12);

	write_trampoline(pc, entry);
	lapic_send(pc->apic_id, (u32)FIELD_PREP(APIC_ICR_MODE, APIC_MODE_INIT) | APIC_ICR_ASSERT);
	wait(tsc_hz / 100);
	lapic_send(pc->apic_id, sipi);
	if (wait_alive(pc, tsc_hz / 5000))
		return ERR_NONE;
	lapic_send(pc->apic_id, sipi);
	if (wait_alive(pc, tsc_hz))
		return ERR_NONE;
	/* Park it, waiting for a SIPI: if it started late it would run on a trampoline page
	 * given back. */
	lapic_send(pc->apic_id, (u32)FIELD_PREP(APIC_ICR_MODE, APIC_MODE_INIT) | APIC_ICR_ASSERT);
	wait(tsc_hz / 100);
	return ERR_NODEV;
}

void smp_arrived(struct percpu *pc)
{
	paging_enter();
	STORE_RELEASE(pc->alive, true);
}
