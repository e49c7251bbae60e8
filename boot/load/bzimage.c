/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Linux bzImage by the 64-bit boot protocol: the kernel goes to its preferred address or higher;
 * the initrd stays where the boot loader put it, if possible. Boot time, pure.
 * Spec: Linux "The Linux/x86 Boot Protocol", "64-bit Boot Protocol".
 */
#include "boot/load/bzimage.h"

#include "arch/x86/defs/paging.h"
#include "boot/load/bootparam.h"
#include "boot/load/plan.h"
#include "core/lib/bytes.h"
#include "core/lib/fmt.h"

/* All that the entry needs besides the kernel, in one block of guest RAM. */
#define AUX_ZERO_PAGE 0u
#define AUX_PML4      4096u
#define AUX_PDPT      8192u
#define AUX_PD        12288u /* four: 2 MiB pages up to 4 GiB, as 1 GiB pages may not exist */
#define AUX_GDT       28672u
#define AUX_CMDLINE   (AUX_GDT + 32u)
#define AUX_LEN       (AUX_CMDLINE + BOOT_CMDLINE_MAX)

#define WHAT_LEN 128u

#define GDT_CODE_64 0x00af9b000000ffffull
#define GDT_DATA    0x00cf93000000ffffull

static u64 initrd_limit(const struct bzimage *bz)
{
	if ((bz->xloadflags & BP_XLF_ABOVE_4G) != 0)
		return GIB(1) << 16;
	return umin64((u64)bz->initrd_addr_max + 1, LOAD_4G);
}

static err_t too_large(struct load_plan *out, const struct load_input *in, const struct bzimage *bz)
{
	u64 initrd = in->initrd != NULL ? in->initrd->len : 0;

	/* Cause (guest): too little memory, or too fragmented.
	 * Remedy: more memory; a smaller initrd. */
	return plan_fail(
		out, ERR_NOMEM,
		"kernel and initrd are too large: they need %llu + %llu MiB of RAM in one "
		"piece each from %llu MiB on, the machine has %llu MiB in all; do this: add memory",
		plan_mib(bz->init_size), plan_mib(initrd), plan_mib(bz->pref_address),
		plan_mib(e820_ram_bytes(in->memory)));
}

/* Never below its preferred address: the kernel would move itself there all the same. */
static err_t kernel_place(struct load_plan *out, const struct load_input *in,
			  const struct bzimage *bz, u64 *at)
{
	u64 pref = bz->pref_address;
	struct e820_fit fit = { .lo = pref,
				.hi = LOAD_4G,
				.len = bz->init_size,
				.align = umax64(bz->alignment, 4096) };

	if (!bz->is_relocatable) {
		*at = pref;
		return e820_is_type(in->memory, pref, bz->init_size, E820_RAM)
			       ? ERR_NONE
			       : too_large(out, in, bz);
	}
	if (plan_find_free(out, in->memory, &fit, at) == ERR_NONE)
		return ERR_NONE;
	/* Small machine: load over the images; those are moved first. */
	if (e820_fit_low(in->memory, NULL, &fit, at) == ERR_NONE)
		return ERR_NONE;
	return too_large(out, in, bz);
}

static err_t initrd_place(struct load_plan *out, const struct load_input *in,
			  const struct bzimage *bz, u64 *at)
{
	const struct guest_image *img = in->initrd;

	*at = 0;
	if (img == NULL || img->len == 0)
		return ERR_NONE;
	if (plan_place_image(out, in, img, initrd_limit(bz), at) != ERR_NONE)
		return too_large(out, in, bz);
	return ERR_NONE;
}

static void e820_table(u8 *zp, const struct e820_map *m)
{
	static_assert(E820_MAX <= BP_E820_MAX, "the map always fits the zero page");
	for (u64 i = 0; i < m->count; i++) {
		u8 *e = zp + BP_E820_TABLE + i * BP_E820_ENTRY_LEN;

		put_u64(e, m->e[i].base);
		put_u64(e + 8, m->e[i].len);
		put_u32(e + 16, m->e[i].type);
	}
	zp[BP_E820_ENTRIES] = (u8)m->count;
}

static void zero_page(u8 *aux, u64 aux_pa, const struct load_input *in, const struct bzimage *bz,
		      u64 kernel_pa, u64 initrd_pa)
{
	u64 initrd_len = in->initrd != NULL ? in->initrd->len : 0;
	u64 cmdline_pa = aux_pa + AUX_CMDLINE;
	u8 *zp = aux + AUX_ZERO_PAGE;

	memcpy(zp + BP_SETUP_SECTS, in->kernel->data + BP_SETUP_SECTS,
	       bz->header_end - BP_SETUP_SECTS);
	screen_info_fill(zp, in);
	e820_table(zp, in->memory);
	put_u64(zp + BP_ACPI_RSDP_ADDR, in->rsdp_pa);
	zp[BP_TYPE_OF_LOADER] = BP_LOADER_UNDEFINED;
	zp[BP_LOADFLAGS] |= LOADFLAG_LOADED_HIGH;
	put_u32(zp + BP_CODE32_START, (u32)kernel_pa);
	put_u64(zp + BP_SETUP_DATA, 0);
	put_u32(zp + BP_CMD_LINE_PTR, (u32)cmdline_pa);
	put_u32(zp + BP_EXT_CMD_LINE_PTR, (u32)(cmdline_pa >> 32));
	put_u32(zp + BP_RAMDISK_IMAGE, (u32)initrd_pa);
	put_u32(zp + BP_EXT_RAMDISK_IMAGE, (u32)(initrd_pa >> 32));
	put_u32(zp + BP_RAMDISK_SIZE, (u32)initrd_len);
	put_u32(zp + BP_EXT_RAMDISK_SIZE, (u32)(initrd_len >> 32));
}

/* Identity map of the first 4 GiB, and the two segments the protocol names. */
static void tables(u8 *aux, u64 aux_pa)
{
	put_u64(aux + AUX_PML4, (aux_pa + AUX_PDPT) | PTE_P | PTE_W);
	for (u64 i = 0; i < 4; i++)
		put_u64(aux + AUX_PDPT + i * 8, (aux_pa + AUX_PD + i * 4096) | PTE_P | PTE_W);
	for (u64 i = 0; i < 2048; i++)
		put_u64(aux + AUX_PD + i * 8, i * MIB(2) | PTE_P | PTE_W | PTE_PS);
	put_u64(aux + AUX_GDT + LINUX_BOOT_CS, GDT_CODE_64);
	put_u64(aux + AUX_GDT + LINUX_BOOT_DS, GDT_DATA);
}

static err_t cmdline_check(struct load_plan *out, const struct load_input *in,
			   const struct bzimage *bz)
{
	u64 len = strlen(in->kernel->cmdline);
	u64 max = umin64(bz->cmdline_size, BOOT_CMDLINE_MAX - 1);

	/* Cause (guest): too long for this kernel or the boot information.
	 * Remedy: shorten it. */
	if (len > max)
		return plan_fail(
			out, ERR_RANGE,
			"kernel command line is too long: %llu characters, this kernel takes "
			"%llu; do this: shorten it",
			len, max);
	return ERR_NONE;
}

static err_t aux_build(struct load_plan *out, const struct load_input *in, const struct bzimage *bz,
		       u64 kernel_pa, u64 *aux_pa)
{
	u32 efi_room = bzimage_efi_prepare(in, out), len = AUX_LEN + efi_room;
	struct e820_fit fit = { .lo = MIB(1), .hi = LOAD_4G, .len = len, .align = 4096 };
	u8 *aux = plan_scratch(out, len, 4096);
	u64 initrd_pa;

	/* Cause (loader): a bug in Kensho.
	 * Remedy: please report it. */
	if (aux == NULL)
		return plan_fail(
			out, ERR_NOMEM,
			"internal error: plan scratch is too small; do this: please report it");
	/* Not in low memory: the guest puts its own boot and AP start-up code there. */
	if (plan_find_free(out, in->memory, &fit, aux_pa) != ERR_NONE)
		return too_large(out, in, bz);
	TRY(plan_blob(out, *aux_pa, aux, len));
	TRY(initrd_place(out, in, bz, &initrd_pa));
	zero_page(aux, *aux_pa, in, bz, kernel_pa, initrd_pa);
	out->cursor = aux + AUX_ZERO_PAGE + BP_ORIG_X;
	tables(aux, *aux_pa);
	memcpy(aux + AUX_CMDLINE, in->kernel->cmdline, strlen(in->kernel->cmdline) + 1);
	return efi_room != 0 ? bzimage_efi_write(in, out, aux, *aux_pa, AUX_LEN) : ERR_NONE;
}

static COLD err_t bzimage_plan(const struct load_input *in, struct load_plan *out)
{
	const struct guest_image *k = in->kernel;
	struct bzimage bz = { 0 };
	u64 kernel_pa = 0, aux_pa = 0;
	char *what;

	TRY(bzimage_parse(k->data, k->len, &bz, out));
	TRY(cmdline_check(out, in, &bz));
	TRY(kernel_place(out, in, &bz, &kernel_pa));
	TRY(plan_copy_room(out, kernel_pa, k->start.v + bz.setup_len, bz.code_len,
			   bz.init_size - bz.code_len));
	TRY(aux_build(out, in, &bz, kernel_pa, &aux_pa));
	what = plan_scratch(out, WHAT_LEN, 1);
	if (what != NULL)
		fmt_print(what, WHAT_LEN, "Linux bzImage %s, 64-bit boot protocol %u.%02u",
			  bz.release, bz.version >> 8, bz.version & 0xff);
	out->what = what;
	out->mode = ENTRY_LONG64;
	out->rip = kernel_pa + BZIMAGE_ENTRY_64;
	out->rsi = aux_pa + AUX_ZERO_PAGE;
	out->cr3 = aux_pa + AUX_PML4;
	out->gdt_base = aux_pa + AUX_GDT;
	out->gdt_limit = 31;
	return ERR_NONE;
}

const struct guest_loader loader_bzimage = {
	.name = "bzImage",
	.probe = bzimage_probe,
	.plan = bzimage_plan,
};
