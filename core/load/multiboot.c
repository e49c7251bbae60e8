/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Multiboot 1 guests: ELF32, ELF64 inside a multiboot image, or the address fields of the header.
 * Boot time, pure. Spec: Multiboot Specification 0.6.96, "Machine state", "Boot information
 * format".
 */
#include "core/load/multiboot.h"

#include "core/lib/bytes.h"
#include "core/load/elf.h"
#include "core/load/plan.h"

static const char loader_name[] = "kensho";

/* The information structure and all that it points to: one block of guest RAM, one blob. */
struct info {
	u8 *data;
	u32 len, used;
	u64 pa;
};

u64 multiboot_find(const u8 *data, u64 len)
{
	u64 end = umin64(len, MB1_SEARCH_LEN);

	for (u64 at = 0; range_fits(at, MB1_HEADER_LEN, end); at += 4) {
		const u8 *h = data + at;

		if (get_u32(h) == MB1_HEADER_MAGIC &&
		    get_u32(h) + get_u32(h + 4) + get_u32(h + 8) == 0)
			return at;
	}
	return ~0ull;
}

static bool multiboot_probe(const u8 *data, u64 len)
{
	return multiboot_find(data, len) != ~0ull;
}

/* The "a.out kludge": where to load a flat image, told by the header itself. */
static err_t addresses_plan(const struct load_input *in, u64 header_off, struct load_plan *out,
			    u64 *entry)
{
	const struct guest_image *img = in->kernel;
	const u8 *h = img->data + header_off;
	u64 header, load, load_end, bss_end, file_off, len, mem;

	if (!range_fits(header_off, MB1_HEADER_LEN_ADDR, img->len))
		return plan_fail(out, ERR_INVAL, "multiboot header is truncated");
	header = get_u32(h + MB1_HEADER_ADDR);
	load = get_u32(h + MB1_LOAD_ADDR);
	load_end = get_u32(h + MB1_LOAD_END_ADDR);
	bss_end = get_u32(h + MB1_BSS_END_ADDR);
	*entry = get_u32(h + MB1_ENTRY_ADDR);
	if (load > header || header - load > header_off)
		return plan_fail(out, ERR_INVAL,
				 "multiboot header: load_addr 0x%llx and header_addr 0x%llx do not "
				 "fit its place in the file: link it again",
				 load, header);
	file_off = header_off - (header - load);
	len = load_end == 0 ? img->len - file_off : load_end - load;
	if ((load_end != 0 && load_end < load) || !range_fits(file_off, len, img->len))
		return plan_fail(out, ERR_INVAL,
				 "multiboot image is truncated: load_end_addr 0x%llx is behind the "
				 "file (%llu bytes)",
				 load_end, img->len);
	mem = bss_end == 0 ? len : bss_end - load;
	if ((bss_end != 0 && bss_end < load) || mem < len || !range_fits(load, mem, LOAD_4G))
		return plan_fail(
			out, ERR_INVAL,
			"multiboot header: bss_end_addr 0x%llx is not valid: link it again",
			bss_end);
	if (*entry < load || *entry - load >= mem)
		return plan_fail(out, ERR_INVAL,
				 "multiboot entry point 0x%llx is outside the image: link it again",
				 *entry);
	return plan_copy(out, load, img->start.v + file_off, len, mem - len);
}

/* @len bytes of the block; NULL when it is full. */
static u8 *info_take(struct info *info, u32 len, u32 align, u64 *pa)
{
	u32 at = ALIGN_UP(info->used, align);

	if (!range_fits(at, len, info->len))
		return NULL;
	info->used = at + len;
	*pa = info->pa + at;
	return info->data + at;
}

static err_t info_string(struct info *info, const char *s, u64 *pa, struct load_plan *out)
{
	u32 len = (u32)strlen(s) + 1;
	u8 *p = info_take(info, len, 1, pa);

	if (p == NULL)
		return plan_fail(
			out, ERR_NOMEM,
			"command lines of the modules are too long together: shorten them");
	memcpy(p, s, len);
	return ERR_NONE;
}

/* KiB of RAM from @from on without a hole. */
static u32 contiguous_kib(const struct e820_map *m, u64 from)
{
	for (u32 i = 0; i < m->count; i++) {
		const struct e820_entry *e = &m->e[i];

		if (e->type == E820_RAM && e->base <= from && from - e->base < e->len)
			return (u32)umin64((e->base + e->len - from) >> 10, 0xffffffff);
	}
	return 0;
}

static err_t info_memory(struct info *info, const struct e820_map *m, struct load_plan *out)
{
	u64 pa = 0;
	u8 *p = info_take(info, m->count * MB1_MMAP_ENTRY_LEN, 8, &pa);

	if (p == NULL)
		return plan_fail(out, ERR_NOMEM, "internal error: plan scratch is too small");
	put_u32(info->data + MB1_MEM_LOWER_OFF, umin32(contiguous_kib(m, 0), 640));
	put_u32(info->data + MB1_MEM_UPPER_OFF, contiguous_kib(m, MIB(1)));
	put_u32(info->data + MB1_MMAP_LENGTH_OFF, m->count * MB1_MMAP_ENTRY_LEN);
	put_u32(info->data + MB1_MMAP_ADDR_OFF, (u32)pa);
	for (u32 i = 0; i < m->count; i++, p += MB1_MMAP_ENTRY_LEN) {
		put_u32(p, MB1_MMAP_ENTRY_LEN - 4);
		put_u64(p + 4, m->e[i].base);
		put_u64(p + 12, m->e[i].len);
		put_u32(p + 20, m->e[i].type);
	}
	return ERR_NONE;
}

static err_t info_modules(struct info *info, const struct load_input *in,
			  const struct guest_image *mod, u32 count, struct load_plan *out)
{
	u64 list_pa = 0, start = 0, string_pa = 0;
	u8 *list = info_take(info, count * MB1_MODULE_LEN, 4, &list_pa);

	if (list == NULL)
		return plan_fail(out, ERR_NOMEM, "internal error: plan scratch is too small");
	put_u32(info->data + MB1_MODS_COUNT_OFF, count);
	put_u32(info->data + MB1_MODS_ADDR_OFF, (u32)list_pa);
	for (u32 i = 0; i < count; i++, list += MB1_MODULE_LEN) {
		TRY(plan_place_image(out, in, &mod[i], LOAD_4G, &start));
		TRY(info_string(info, mod[i].cmdline, &string_pa, out));
		put_u32(list, (u32)start);
		put_u32(list + 4, (u32)(start + mod[i].len));
		put_u32(list + 8, (u32)string_pa);
	}
	return ERR_NONE;
}

static u32 info_len(const struct load_input *in, const struct guest_image *mod, u32 count)
{
	u64 len = MB1_INFO_LEN + sizeof(loader_name) + strlen(in->kernel->cmdline) + 1 + 32;

	len += in->memory->count * MB1_MMAP_ENTRY_LEN + count * MB1_MODULE_LEN;
	for (u32 i = 0; i < count; i++)
		len += strlen(mod[i].cmdline) + 1;
	return (u32)umin64(len, ~0u);
}

/* Low memory is where such guests expect it; above 1 MiB they have their heap. */
static err_t info_place(const struct load_input *in, struct info *info, struct load_plan *out)
{
	struct e820_fit low = { .lo = 0x9000, .hi = KIB(640), .len = info->len, .align = 4096 };
	struct e820_fit high = { .lo = MIB(1), .hi = LOAD_4G, .len = info->len, .align = 4096 };

	if (plan_find_free(out, in->memory, &low, &info->pa) == ERR_NONE ||
	    plan_find_free(out, in->memory, &high, &info->pa) == ERR_NONE)
		return ERR_NONE;
	return plan_fail(
		out, ERR_NOMEM,
		"no RAM is left beside the image for %u bytes of boot information: add memory",
		info->len);
}

static err_t info_build(const struct load_input *in, struct load_plan *out)
{
	const struct guest_image *mod = in->module_count != 0 ? in->module : in->initrd;
	u32 count = in->module_count != 0 ? in->module_count : in->initrd != NULL;
	struct info info = { .len = info_len(in, mod, count), .used = MB1_INFO_LEN };
	u64 pa = 0;

	info.data = plan_scratch(out, info.len, 16);
	if (info.data == NULL)
		return plan_fail(
			out, ERR_NOMEM,
			"command lines of the modules are too long together: shorten them");
	TRY(info_place(in, &info, out));
	out->rbx = info.pa;
	TRY(plan_blob(out, info.pa, info.data, info.len));
	put_u32(info.data + MB1_INFO_FLAGS_OFF, MB1_INFO_MEMORY | MB1_INFO_CMDLINE |
							MB1_INFO_MODULES | MB1_INFO_MMAP |
							MB1_INFO_LOADER);
	TRY(info_memory(&info, in->memory, out));
	TRY(info_modules(&info, in, mod, count, out));
	TRY(info_string(&info, in->kernel->cmdline, &pa, out));
	put_u32(info.data + MB1_CMDLINE_OFF, (u32)pa);
	TRY(info_string(&info, loader_name, &pa, out));
	put_u32(info.data + MB1_LOADER_NAME_OFF, (u32)pa);
	return ERR_NONE;
}

static err_t multiboot_plan(const struct load_input *in, struct load_plan *out)
{
	const struct guest_image *k = in->kernel;
	u64 at = multiboot_find(k->data, k->len);
	u32 flags = get_u32(k->data + at + MB1_HEADER_FLAGS);
	u32 unknown =
		flags & 0xffff & ~(MB1_HEADER_PAGE_ALIGN | MB1_HEADER_MEMORY | MB1_HEADER_VIDEO);

	if (unknown != 0)
		return plan_fail(out, ERR_NODEV,
				 "multiboot header demands features 0x%x that do not exist here",
				 unknown);
	if ((flags & MB1_HEADER_ADDRESSES) != 0) {
		TRY(addresses_plan(in, at, out, &out->rip));
		out->what = "multiboot image with address fields";
	} else if (elf_probe(k->data, k->len)) {
		TRY(elf_plan(in, k, out, &out->rip));
		out->what = "multiboot ELF";
	} else {
		return plan_fail(
			out, ERR_INVAL,
			"multiboot image is neither ELF nor has it address fields (flag 16)");
	}
	TRY(info_build(in, out));
	out->mode = ENTRY_PROTECTED32;
	out->rax = MB1_BOOT_MAGIC;
	return ERR_NONE;
}

const struct guest_loader loader_multiboot = {
	.name = "multiboot",
	.probe = multiboot_probe,
	.plan = multiboot_plan,
};
