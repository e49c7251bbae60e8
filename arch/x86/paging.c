/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The hypervisor's own page tables. Context: boot.
 *
 * Tables are reached through hw_phys_to_virt() before and after the move: entry.S maps the first
 * 4 GiB at PHYSMAP_BASE too.
 */
#include "arch/x86/paging.h"

#include "arch/x86/defs/cpuid.h"
#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/msr.h"
#include "arch/x86/defs/paging.h"
#include "arch/x86/insn.h"
#include "arch/x86/layout.h"
#include "arch/x86/percpu.h"
#include "core/diag/panic.h"
#include "core/hw.h"

#define LEVEL_TOP 4u

#define MAP_RX   0ull
#define MAP_R    PTE_NX
#define MAP_RW   (PTE_NX | PTE_W)
#define MAP_MMIO (PTE_NX | PTE_W | PTE_PCD | PTE_PWT)
#define MAP_WC   (PTE_NX | PTE_W | PTE_PWT) /* entry 1 of PAT_HOST */

/* Physical address of the contiguous piece at image_start: of the loaded image, later of the
 * region. */
static u64 region_pa = LOAD_PA;
static u64 region_bytes = 0x300000; /* linker.ld asserts that the image is not larger */

static struct {
	u64 region_pa; /* of the region to come */
	u64 root_pa;
	u64 next_pa, end_pa; /* next table page, after the image; end of the region */
	u64 next_mmio;
	bool has_1g;
} tables = { .next_mmio = MMIO_BASE };

static_assert(MMIO_BYTES == PAGE_SIZE_2M, "one page table covers the MMIO window");

void *hw_phys_to_virt(hpa_t pa)
{
	if (pa.v - region_pa < region_bytes)
		return image_start + (pa.v - region_pa);
	return (void *)(PHYSMAP_BASE + pa.v);
}

hpa_t hw_virt_to_phys(const void *va)
{
	u64 v = (u64)va;

	if (v >= KENSHO_BASE)
		return hpa(v - (u64)image_start + region_pa);
	return hpa(v - PHYSMAP_BASE);
}

static u64 *table_at(u64 entry)
{
	return hw_phys_to_virt(hpa(entry & PTE_ADDR));
}

static u64 table_new(void)
{
	u64 pa = tables.next_pa;
	u64 *t = hw_phys_to_virt(hpa(pa));

	if (pa == tables.end_pa)
		panic("hypervisor region too small for its page tables");
	tables.next_pa += PAGE_SIZE;
	for (u32 i = 0; i < PT_ENTRIES; i++)
		t[i] = 0;
	return pa;
}

/* Entry for @va in the table of @level; creates the tables above. */
static u64 *entry_for(u64 va, u32 level)
{
	u64 *t = table_at(tables.root_pa);

	for (u32 l = LEVEL_TOP; l > level; l--) {
		u64 *e = &t[pt_index(va, l)];

		if ((*e & PTE_P) == 0)
			*e = table_new() | PTE_P | PTE_W;
		t = table_at(*e);
	}
	return &t[pt_index(va, level)];
}

static u32 level_for(u64 va, u64 pa, u64 bytes)
{
	if (tables.has_1g && IS_ALIGNED(va | pa, PAGE_SIZE_1G) && bytes >= PAGE_SIZE_1G)
		return 3;
	return IS_ALIGNED(va | pa, PAGE_SIZE_2M) && bytes >= PAGE_SIZE_2M ? 2 : 1;
}

/* Map with the largest pages possible. Ranges must not overlap; only physmap pages may repeat. */
static void map(u64 va, u64 pa, u64 bytes, u64 flags, bool large)
{
	while (bytes != 0) {
		u32 level = large ? level_for(va, pa, bytes) : 1;
		u64 size = PAGE_SIZE << (PT_INDEX_BITS * (level - 1));

		*entry_for(va, level) =
			pa | flags | PTE_P | PTE_A | PTE_D | PTE_G | (level > 1 ? PTE_PS : 0);
		va += size;
		pa += size;
		bytes -= size;
	}
}

static void map_image(const u8 *start, const u8 *end, u64 base, u64 flags)
{
	map((u64)start, base + (u64)(start - image_start), (u64)(end - start), flags, false);
}

static void unmap_page(const void *va)
{
	*entry_for((u64)va, 1) = 0;
}

static void unmap_guards(const struct cpu_stacks *s)
{
	unmap_page(s->guard_main);
	for (u32 i = 0; i < ARRAY_SIZE(s->ist); i++)
		unmap_page(s->ist[i].guard);
}

void paging_add_memory(u64 start, u64 end)
{
	u64 base = tables.region_pa, region_end = tables.end_pa;

	end = umin64(end, PHYSMAP_BYTES);
	if (start < base && end > base) {
		paging_add_memory(start, base);
		start = base;
	}
	if (start >= base && start < region_end)
		start = region_end;
	if (start < end)
		map(PHYSMAP_BASE + start, start, end - start, MAP_RW, true);
}

static u64 framebuffer_va(u64 pa)
{
	return FRAMEBUFFER_BASE + (pa & (PAGE_SIZE_2M - 1));
}

/* In the tables of entry.S, at @va in the last GiB. */
static void early_map(u64 va, u64 pa, u64 bytes, u64 flags)
{
	static u64 last_gib[PT_ENTRIES] ALIGNED(4096);
	u64 *top = table_at(read_cr3());
	u64 *upper = table_at(top[pt_index(va, 4)]);
	u32 at = pt_index(va, 2);

	for (u64 page = ALIGN_DOWN(pa, PAGE_SIZE_2M); page < pa + bytes; page += PAGE_SIZE_2M)
		last_gib[at++] = page | flags | PTE_P | PTE_A | PTE_D | PTE_PS;
	upper[pt_index(va, 3)] = hw_virt_to_phys(last_gib).v | PTE_P | PTE_W;
}

/*
 * Large pages map neighbours of the screen as WC, too, for a while; nothing touches those. SDM Vol.
 * 3A, "Programming the PAT": safe, as no mapping uses the changed entry yet. WC in the PAT
 * overrides UC in the MTRRs.
 */
void *paging_early_framebuffer(u64 pa, u64 bytes)
{
	wrmsr(MSR_IA32_PAT, PAT_HOST);
	early_map(FRAMEBUFFER_BASE, pa, bytes, MAP_WC);
	return (void *)framebuffer_va(pa);
}

const void *paging_early_table(u64 pa, u64 bytes)
{
	if (bytes > EARLY_TABLE_BYTES)
		return NULL;
	early_map(MMIO_BASE, pa, bytes, MAP_R);
	write_cr3(read_cr3()); /* the last table was at the same address */
	return (const void *)(MMIO_BASE + (pa & (PAGE_SIZE_2M - 1)));
}

void *paging_add_framebuffer(u64 pa, u64 bytes)
{
	u64 start = ALIGN_DOWN(pa, PAGE_SIZE);

	map(framebuffer_va(start), start, ALIGN_UP(pa + bytes, PAGE_SIZE) - start, MAP_WC, true);
	return (void *)framebuffer_va(pa);
}

static void enable_features(void)
{
	struct cpuid_regs id = cpuid(1, 0);
	u64 cr4 = read_cr4() | CR4_PGE;

	/* Only for hw_vector_*(), which move the guest's registers. */
	write_cr0(read_cr0() & ~(CR0_EM | CR0_TS));
	if ((id.d & CPUID1_EDX_FXSR) != 0)
		cr4 |= CR4_OSFXSR;

	if ((id.d & CPUID1_EDX_MCE) != 0)
		cr4 |= CR4_MCE;
	if ((id.c & CPUID1_ECX_XSAVE) != 0)
		cr4 |= CR4_OSXSAVE;
	write_cr4(cr4);
	wrmsr(MSR_IA32_PAT, PAT_HOST); /* the framebuffer's mapping needs it */
}

void paging_begin(u64 base, u64 bytes)
{
	tables.has_1g = (cpuid(0x80000001, 0).d & CPUID80000001_EDX_PAGE1GB) != 0;
	tables.region_pa = base;
	tables.next_pa = base + (u64)(image_end - image_start);
	tables.end_pa = base + bytes;
	tables.root_pa = table_new();

	map_image(text_start, text_end, base, MAP_RX);
	map_image(rodata_start, rodata_end, base, MAP_R);
	map_image(data_start, data_end, base, MAP_RW);
	map_image(image_end, image_start + bytes, base, MAP_RW);
	unmap_guards(&boot_stacks);
	(void)entry_for(MMIO_BASE, 1); /* the only table that mmio_map() fills */
}

void *paging_move(u64 *heap_bytes)
{
	u64 base = tables.region_pa;
	u8 *heap = image_start + (tables.next_pa - base);

	*heap_bytes = tables.end_pa - tables.next_pa;
	tables.next_pa = tables.end_pa;

	paging_switch((void *)(PHYSMAP_BASE + base), image_start, (u64)(image_end - image_start),
		      tables.root_pa);
	region_pa = base;
	region_bytes = tables.end_pa - base;
	enable_features();
	return heap;
}

void paging_enter(void)
{
	write_cr3(tables.root_pa);
	enable_features();
}

void paging_guard(const struct cpu_stacks *s)
{
	unmap_guards(s);
	write_cr4(read_cr4() & ~CR4_PGE); /* flush global pages, too: the guards may be cached */
	write_cr4(read_cr4() | CR4_PGE);
}

static void *window_map(hpa_t pa, u64 bytes, u64 flags)
{
	u64 offset = pa.v & ~PAGE_MASK;
	u64 va = tables.next_mmio;

	bytes = ALIGN_UP(bytes + offset, PAGE_SIZE);
	if (bytes > MMIO_BASE + MMIO_BYTES - va)
		panic("MMIO window is full");
	map(va, pa.v - offset, bytes, flags, false);
	tables.next_mmio = va + bytes;
	return (void *)(va + offset);
}

void *mmio_map(hpa_t pa, u64 bytes)
{
	return window_map(pa, bytes, MAP_MMIO);
}

void *table_map(hpa_t pa, u64 bytes)
{
	return window_map(pa, bytes, MAP_RW);
}

bool paging_is_mapped(u64 va)
{
	u64 *t = table_at(read_cr3());

	if (!addr_is_canonical(va, 48) || !IS_ALIGNED(va, 8))
		return false;
	for (u32 level = LEVEL_TOP; level > 0; level--) {
		u64 e = t[pt_index(va, level)];

		if ((e & PTE_P) == 0)
			return false;
		if (level == 1 || (e & PTE_PS) != 0)
			return true;
		t = table_at(e);
	}
	return false;
}

static void check_table(u64 table, u32 level, u64 va, struct paging_stats *st)
{
	const u64 *t = table_at(table);

	st->tables++;
	for (u32 i = 0; i < PT_ENTRIES; i++) {
		u64 e = t[i];
		u64 page = va | (u64)i << (PAGE_SHIFT + PT_INDEX_BITS * (level - 1));
		u64 size = PAGE_SIZE << (PT_INDEX_BITS * (level - 1));

		if ((e & PTE_P) == 0)
			continue;
		if (level > 1 && (e & PTE_PS) == 0) {
			check_table(e, level - 1, page, st);
			continue;
		}
		if ((e & (PTE_W | PTE_NX)) == PTE_W || (e & PTE_U) != 0)
			panic("page %llx is writable and executable", page | 0xffffull << 48);
		if ((e & PTE_NX) == 0)
			st->executable += size;
		else if ((e & PTE_W) != 0)
			st->writable += size;
		else
			st->read_only += size;
	}
}

struct paging_stats paging_check(void)
{
	struct paging_stats st = { 0 };

	check_table(read_cr3(), LEVEL_TOP, 0, &st);
	if (st.executable != (u64)(text_end - text_start))
		panic("%llu bytes are executable, the text has %llu", st.executable,
		      (u64)(text_end - text_start));
	return st;
}
