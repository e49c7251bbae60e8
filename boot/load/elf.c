/* SPDX-License-Identifier: BSD-2-Clause */
/* ELF program headers to copy steps. Boot time, pure. Spec: System V ABI, "Program Loading". */
#include "boot/load/elf_internal.h"
#include "boot/load/plan.h"
#include "core/lib/bytes.h"

/* Cause (guest): a fault of the link.
 * Remedy: check it, and the physical addresses (LMA), with `readelf -l`. */

#define ELF_MAGIC       0x464c457fu
#define ELF_CLASS_OFF   4u
#define ELF_DATA_OFF    5u
#define ELF_TYPE_OFF    16u
#define ELF_MACHINE_OFF 18u
#define ELF_ENTRY_OFF   24u
#define ELFDATA2LSB     1u
#define ET_EXEC         2u
#define EM_386          3u
#define EM_X86_64       62u
#define PT_LOAD         1u
#define PHNUM_MAX       64u

/* clang-format off */
const struct elf_layout elf_layouts[] = {
	[ELFCLASS32] = { 52, 28, 42, 44, 32, 46, 48, 50, 32, 4, 8, 12, 16, 20, 40, 12, 16, 20,
			 false },
	[ELFCLASS64] = { 64, 32, 54, 56, 40, 58, 60, 62, 56, 8, 16, 24, 32, 40, 64, 16, 24, 32,
			 true },
};
/* clang-format on */

struct segment {
	u64 offset, vaddr, paddr, filesz, memsz;
};

bool elf_probe(const u8 *data, u64 len)
{
	return len >= 52 && get_u32(data) == ELF_MAGIC;
}

u64 elf_word(const struct elf *e, const u8 *p)
{
	return e->layout->is_64 ? get_u64(p) : get_u32(p);
}

/* Program header @i, if it is loadable. */
static bool segment_read(const struct elf *e, u32 i, struct segment *s)
{
	const u8 *p = e->data + e->phoff + (u64)i * e->phentsize;
	const struct elf_layout *l = e->layout;

	if (get_u32(p) != PT_LOAD)
		return false;
	*s = (struct segment){
		.offset = elf_word(e, p + l->p_offset),
		.vaddr = elf_word(e, p + l->p_vaddr),
		.paddr = elf_word(e, p + l->p_paddr),
		.filesz = elf_word(e, p + l->p_filesz),
		.memsz = elf_word(e, p + l->p_memsz),
	};
	return s->memsz != 0 || s->filesz != 0;
}

err_t elf_open(struct elf *e, const struct guest_image *img, struct load_plan *out)
{
	const u8 *d = img->data;
	u32 class = d[ELF_CLASS_OFF];
	u32 machine = get_u16(d + ELF_MACHINE_OFF);

	/* Cause (guest): not a freestanding x86 program.
	 * Remedy: link it as the message says. */
	if ((class != ELFCLASS32 && class != ELFCLASS64) || d[ELF_DATA_OFF] != ELFDATA2LSB ||
	    (machine != EM_386 && machine != EM_X86_64))
		return plan_fail(out, ERR_NODEV,
				 "ELF image is not for x86; do this: build it for x86");
	*e = (struct elf){ .data = d, .len = img->len, .layout = &elf_layouts[class] };
	/* Cause (guest): a damaged copy or medium.
	 * Remedy: copy it again; write the stick again. */
	if (e->len < e->layout->header_len)
		return plan_fail(
			out, ERR_INVAL,
			"ELF image is truncated inside its header; do this: copy it again");
	/* Cause (guest): not a freestanding x86 program.
	 * Remedy: link it as the message says. */
	if (get_u16(d + ELF_TYPE_OFF) != ET_EXEC)
		return plan_fail(
			out, ERR_INVAL,
			"ELF image is not a static executable (ET_EXEC); do this: link it with "
			"-static -no-pie");
	e->phoff = elf_word(e, d + e->layout->phoff);
	e->phentsize = get_u16(d + e->layout->phentsize);
	e->phnum = get_u16(d + e->layout->phnum);
	/* Cause (guest): a fault of the link.
	 * Remedy: check it, and the physical addresses (LMA), with `readelf -l`. */
	if (e->phnum == 0 || e->phnum > PHNUM_MAX)
		return plan_fail(
			out, ERR_RANGE,
			"ELF image has %u program headers, 1 to %u are possible; do this: link "
			"it again",
			e->phnum, PHNUM_MAX);
	/* Cause (guest): a damaged copy or medium.
	 * Remedy: copy it again; write the stick again. */
	if (e->phentsize < e->layout->phdr_len ||
	    !range_fits(e->phoff, (u64)e->phnum * e->phentsize, e->len))
		return plan_fail(
			out, ERR_INVAL,
			"ELF image is truncated or corrupt: its program headers end behind "
			"the file (%llu bytes); do this: copy it again",
			e->len);
	return ERR_NONE;
}

/* @s has its final address; the other segments move along. */
static err_t segment_check(const struct elf *e, u32 i, const struct segment *s, u64 shift,
			   const struct e820_map *m, struct load_plan *out)
{
	/* Cause (guest): a damaged copy or medium.
	 * Remedy: copy it again; write the stick again. */
	if (s->filesz > s->memsz)
		return plan_fail(
			out, ERR_INVAL,
			"ELF segment %u is larger in the file than in memory; do this: copy it "
			"again",
			i);
	if (!range_fits(s->offset, s->filesz, e->len))
		return plan_fail(
			out, ERR_INVAL,
			"ELF image is truncated: segment %u ends behind the file (%llu bytes); "
			"do this: copy it again",
			i, e->len);
	/* Cause (guest): a fault of the link.
	 * Remedy: check it, and the physical addresses (LMA), with `readelf -l`. */
	if (!range_fits(s->paddr, s->memsz, LOAD_4G))
		return plan_fail(out, ERR_RANGE,
				 "ELF segment %u at 0x%llx (0x%llx bytes) passes 4 GiB; do this: "
				 "link it lower",
				 i, s->paddr, s->memsz);
	/* Cause (guest): linked where this machine has no RAM, or where Kensho is.
	 * Remedy: link it lower (from 1 MiB on), or more memory. */
	if (!e820_is_type(m, s->paddr, s->memsz, E820_RAM))
		return plan_fail(
			out, ERR_RANGE,
			"ELF segment %u at 0x%llx needs %llu MiB where there is no free RAM "
			"(%llu MiB in all); do this: link it elsewhere or add memory",
			i, s->paddr, plan_mib(s->memsz), plan_mib(e820_ram_bytes(m)));
	for (u32 j = 0; j < i; j++) {
		struct segment o;

		if (segment_read(e, j, &o) &&
		    ranges_overlap(s->paddr, s->memsz, o.paddr + shift, o.memsz))
			return plan_fail(
				out, ERR_INVAL,
				"ELF segments %u and %u overlap at 0x%llx; do this: link it again",
				j, i, umax64(s->paddr, o.paddr));
	}
	return ERR_NONE;
}

/* Some images have a virtual address as entry: translate it by its segment. */
static bool entry_in(const struct segment *s, u64 entry, u64 *phys)
{
	if (entry >= s->vaddr && entry - s->vaddr < s->memsz)
		*phys = entry - s->vaddr + s->paddr;
	else if (entry >= s->paddr && entry - s->paddr < s->memsz)
		*phys = entry;
	else
		return false;
	return true;
}

err_t elf_extent(const struct guest_image *img, struct load_plan *out, u64 *base, u64 *len)
{
	u64 lo = ~0ull, hi = 0;
	struct segment s;
	struct elf e = ELF_OF(img);

	TRY(elf_open(&e, img, out));
	for (u32 i = 0; i < e.phnum; i++) {
		if (!segment_read(&e, i, &s))
			continue;
		if (!range_fits(s.paddr, s.memsz, LOAD_4G))
			return plan_fail(
				out, ERR_RANGE,
				"ELF segment %u at 0x%llx (0x%llx bytes) passes 4 GiB; do this: "
				"link it lower",
				i, s.paddr, s.memsz);
		lo = umin64(lo, s.paddr);
		hi = umax64(hi, s.paddr + s.memsz);
	}
	/* Cause (guest): a fault of the link.
	 * Remedy: check it, and the physical addresses (LMA), with `readelf -l`. */
	if (hi == 0)
		return plan_fail(out, ERR_INVAL,
				 "ELF image has nothing to load; do this: link it again");
	*base = lo;
	*len = hi - lo;
	return ERR_NONE;
}

err_t elf_plan_at(const struct load_input *in, const struct guest_image *img, u64 shift,
		  struct load_plan *out, u64 *entry)
{
	bool has_entry = false;
	struct segment s;
	struct elf e = ELF_OF(img);
	u64 virt;

	TRY(elf_open(&e, img, out));
	virt = elf_word(&e, e.data + ELF_ENTRY_OFF);
	for (u32 i = 0; i < e.phnum; i++) {
		if (!segment_read(&e, i, &s))
			continue;
		if (!has_entry)
			has_entry = entry_in(&s, virt, entry);
		s.paddr += shift;
		TRY(segment_check(&e, i, &s, shift, in->memory, out));
		TRY(plan_copy(out, s.paddr, img->start.v + s.offset, s.filesz, s.memsz - s.filesz));
	}
	if (!has_entry)
		return plan_fail(
			out, ERR_INVAL,
			"ELF entry point 0x%llx is in none of its segments; do this: link it again",
			virt);
	*entry += shift;
	return ERR_NONE;
}

err_t elf_plan(const struct load_input *in, const struct guest_image *img, struct load_plan *out,
	       u64 *entry)
{
	return elf_plan_at(in, img, 0, out, entry);
}
