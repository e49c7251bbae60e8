/* SPDX-License-Identifier: BSD-2-Clause */
/* The hypervisor region: chooses its place and moves into it. Context: boot CPU. */
#include "arch/x86/defs/cpuid.h"
#include "arch/x86/defs/paging.h"
#include "arch/x86/insn.h"
#include "arch/x86/layout.h"
#include "arch/x86/paging.h"
#include "boot/boot.h"
#include "core/diag/log.h"
#include "core/diag/panic.h"
#include "core/diag/trace.h"
#include "core/lib/bits.h"
#include "core/mem/page_alloc.h"
#include "drivers/console.h"
#include "drivers/vga_text.h"

/* Memory that the boot still needs must survive the move. */
static void find_busy(const struct boot_info *bi, struct e820_busy *busy)
{
	bool full = e820_busy_add(busy, LOAD_PA, (u64)(load_end - image_start)) != ERR_NONE;

	full |= e820_busy_add(busy, bi->mb2_start.v, bi->mb2_len) != ERR_NONE;
	for (u32 i = 0; i < bi->module_count; i++)
		full |= e820_busy_add(busy, bi->module[i].start.v, bi->module[i].len) != ERR_NONE;
	/* Cause (loader): too many `module2` lines.
	 * Remedy: load fewer. */
	if (full)
		fatal("too many modules; do this: load fewer");
}

/* Room for the heap's big users; a multiple of 2 MiB, 4 MiB on ordinary machines. */
static u64 region_size(const struct boot_state *b)
{
	u64 phys_bits = umin32(cpu_phys_bits(), 48);
	u64 ram_gib = (e820_ram_top(&b->info.memory, BIT64(phys_bits)) >> PAGE_SHIFT_1G) + 1;
	bool has_1g = (cpuid(0x80000001, 0).d & CPUID80000001_EDX_PAGE1GB) != 0;
	/* EPT: a table per 512 GiB of address space and, without 1-GiB pages, per GiB of RAM. */
	u64 ept = (phys_bits > 39 ? 1ull << (phys_bits - 39) : 1) + ram_gib + 64;
	u64 physmap = has_1g ? 16 : ram_gib + 16;
	u64 cpus = umax64(umin64(b->acpi.cpu_count, b->options.maxcpus + BOOT_CPUS_FAILED_MAX), 1);
	u64 trace = trace_ring_records(b->options.trace_size) * sizeof(struct trace_record);

	return ALIGN_UP(MIB(3) + (ept + physmap) * PAGE_SIZE + cpus * (KIB(196) + trace),
			PAGE_SIZE_2M);
}

/* Rounded to pages, neighbours of the sorted map may share a page: map it once. */
static void add_memory(const struct e820_map *m)
{
	u64 done = 0;

	for (u32 i = 0; i < m->count; i++) {
		struct e820_spans s = e820_physmap(&m->e[i]);

		for (u32 k = 0; k < ARRAY_SIZE(s.r); k++) {
			u64 start = umax64(ALIGN_DOWN(s.r[k].base, PAGE_SIZE), done);
			u64 end = ALIGN_UP(s.r[k].end, PAGE_SIZE);

			if (s.r[k].base >= s.r[k].end || start >= end)
				continue;
			paging_add_memory(start, end);
			done = end;
		}
	}
}

/* Avoid memory that EFI boot services used, if possible. */
static u64 find_region(struct boot_state *b, u64 bytes)
{
	const struct boot_info *bi = &b->info;
	u64 base = 0;

	find_busy(bi, &b->region_avoids);
	if (e820_find_high(&bi->memory_idle, &b->region_avoids, MIB(1), GIB(4), bytes, MIB(2),
			   &base) == ERR_NONE)
		return base;
	/* Cause (loader): too little free RAM below 4 GiB.
	 * Remedy: more memory; a smaller initrd or `trace_size=`. */
	if (e820_find_high(&bi->memory, &b->region_avoids, MIB(1), GIB(4), bytes, MIB(2), &base) !=
	    ERR_NONE)
		fatal("not enough memory: Kensho needs %llu MiB in one piece below 4 GiB, beside "
		      "its modules; do this: add memory, or lower trace_size=",
		      bytes >> 20);
	/* Cause (loader): little RAM below 4 GiB; the boot goes on.
	 * Remedy: more memory; please report odd failures. */
	log_warn("region: only memory that EFI boot services used has room for it: faulty firmware "
		 "may come back to it");
	return base;
}

void boot_relocate(struct boot_state *b)
{
	u64 bytes = region_size(b);
	u64 base = find_region(b, bytes), heap_bytes;
	struct paging_stats st;
	void *heap;

	b->region_base = hpa(base);
	b->region_bytes = bytes;

	paging_begin(base, bytes);
	add_memory(&b->info.memory);
	boot_map_screen(&b->info);
	console_move_screen(NULL); /* the early mapping ends here; a panic now uses COM1 */
	heap = paging_move(&heap_bytes);
	console_move_screen(mmio_map(hpa(VGA_TEXT_PA), VGA_TEXT_BYTES));
	page_alloc_init(heap, heap_bytes);

	st = paging_check();
	log_info("region: %llu MiB at %08llx, image %llu KiB, heap %llu KiB", bytes >> 20, base,
		 (u64)(image_end - image_start) >> 10, heap_bytes >> 10);
	log_info("paging: %u tables checked: %llu KiB executable, none of it writable", st.tables,
		 st.executable >> 10);
}
