/* SPDX-License-Identifier: BSD-2-Clause */
/* See paged.h. Context: tests and fuzzers, one thread. */
#include "tests/host/fakes/paged.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/paging.h"
#include "arch/x86/defs/vmcs.h"

#define RIGHTS (PTE_P | PTE_W | PTE_U)

u8 paged_ram[PAGED_RAM_BYTES] ALIGNED(4096);
struct vp paged_vp;
static u64 next_table;

static void segments(enum emul_mode mode)
{
	u32 ar = AR_P | AR_S | AR_TYPE_ACCESSED | AR_TYPE_WRITABLE | AR_G;

	for (u32 i = 0; i < 6; i++) {
		fake.vmcs[VMCS_GUEST_ES_AR + 2 * i] = ar | (mode == EMUL_16 ? 0 : AR_DB);
		fake.vmcs[VMCS_GUEST_ES_LIMIT + 2 * i] = mode == EMUL_16 ? 0xffff : 0xffffffff;
	}
	fake.vmcs[VMCS_GUEST_CS_AR] =
		ar | AR_TYPE_CODE | (mode == EMUL_64 ? AR_L : 0) | (mode == EMUL_32 ? AR_DB : 0);
}

void paged_reset(enum emul_mode mode)
{
	struct partition *p = &the_partition;

	fake_reset();
	fake_heap(1024);
	memset(paged_ram, 0, sizeof(paged_ram));
	fake_ram(paged_ram, 0, sizeof(paged_ram));
	memset(p, 0, sizeof(*p));
	memset(&paged_vp, 0, sizeof(paged_vp));
	paged_vp.partition = p;
	p->vp[0] = &paged_vp;
	p->vp_count = 1;
	p->machine.phys_bits = 40;
	p->memory.count = 1;
	p->memory.e[0] = (struct e820_entry){ 0, PAGED_RAM_BYTES, E820_RAM };
	fake.cpu_vp = &paged_vp;

	segments(mode);
	fake.vmcs[VMCS_GUEST_RFLAGS] = RFLAGS_FIXED;
	next_table = PAGED_TABLES + PAGE_SIZE;
	if (mode == EMUL_16)
		return;
	fake.vmcs[VMCS_GUEST_CR0] = CR0_PE;
	if (mode == EMUL_32)
		return;
	fake.vmcs[VMCS_GUEST_CR0] = CR0_PE | CR0_PG | CR0_WP;
	fake.vmcs[VMCS_GUEST_CR4] = CR4_PAE;
	fake.vmcs[VMCS_GUEST_CR3] = PAGED_TABLES;
	fake.vmcs[VMCS_GUEST_EFER] = EFER_LME | EFER_LMA | EFER_NXE;
}

static u64 *entry_at(u64 table, u64 gva, u32 level)
{
	return (u64 *)(void *)(paged_ram + table) + pt_index(gva, level);
}

void paged_map(u64 gva, u64 gpa, u64 flags)
{
	u64 table = PAGED_TABLES;

	for (u32 level = 4; level > 1; level--) {
		u64 *e = entry_at(table, gva, level);

		if (*e == 0) {
			if (next_table >= PAGED_CODE_GPA)
				abort();
			*e = next_table | RIGHTS;
			next_table += PAGE_SIZE;
		}
		table = *e & PTE_ADDR;
	}
	*entry_at(table, gva, 1) = gpa | flags;
}

u64 *paged_entry(u64 gva, u32 level)
{
	u64 table = PAGED_TABLES;

	for (u32 l = 4; l > level; l--) {
		table = *entry_at(table, gva, l) & PTE_ADDR;
		if (table == 0)
			return NULL;
	}
	return entry_at(table, gva, level);
}

void paged_code(u32 offset, const void *bytes, u32 len)
{
	u64 at = PAGED_CODE_GPA + offset;

	memcpy(paged_ram + at, bytes, len);
	fake.vmcs[VMCS_GUEST_RIP] = at;
	if (fake.vmcs[VMCS_GUEST_EFER] & EFER_LMA) {
		paged_map(ALIGN_DOWN(at, PAGE_SIZE), ALIGN_DOWN(at, PAGE_SIZE), RIGHTS);
	} else if (!(fake.vmcs[VMCS_GUEST_CR0] & CR0_PE)) {
		fake.vmcs[VMCS_GUEST_CS_BASE] = PAGED_CODE_GPA;
		fake.vmcs[VMCS_GUEST_RIP] = offset;
	}
}

/* Rows are constants: make them writable. */
void paged_set_drops_writes(enum page_kind kind, bool drops)
{
	u8 *row = (u8 *)(uintptr_t)&page_class[kind].drops_writes;
	u8 *start = (u8 *)ALIGN_DOWN((uintptr_t)row, PAGE_SIZE);

	if (mprotect(start, PAGE_SIZE, PROT_READ | PROT_WRITE) != 0)
		abort();
	*row = drops;
	if (mprotect(start, PAGE_SIZE, PROT_READ) != 0)
		abort();
}

int paged_exception(void)
{
	u32 info = paged_vp.event.info;

	return (info & INTR_INFO_VALID) ? (int)(info & INTR_INFO_VECTOR) : -1;
}

u32 paged_error(void)
{
	return paged_vp.event.error;
}
