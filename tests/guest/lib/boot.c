// SPDX-License-Identifier: BSD-2-Clause
// Multiboot 1 information, the command line, and finding the hypervisor's region in the memory map.

#include "tests/guest/lib/boot.h"

#include "core/lib/bits.h"
#include "tests/guest/lib/insn.h"
#include "tests/guest/lib/str.h"
#include "tests/guest/lib/tap.h"

struct mb1_info {
	u32 flags, mem_lower, mem_upper, boot_device, cmdline;
	u32 mods_count, mods_addr;
	u32 syms[4];
	u32 mmap_length, mmap_addr;
	u32 drives_length, drives_addr, config_table;
	u32 loader_name;
};

struct mb1_mmap {
	u32 size; /* of the rest */
	u64 base, len;
	u32 type;
} PACKED;

extern u32 mb_magic, mb_info_pa;
struct boot_data boot;

static void mmap_copy(const struct mb1_info *info)
{
	u64 at = info->mmap_addr, end = at + info->mmap_length;

	while (at < end && boot.mmap_count < BOOT_MMAP_MAX) {
		const struct mb1_mmap *e = (const struct mb1_mmap *)(uintptr_t)at;

		boot.mmap[boot.mmap_count++] =
			(struct boot_range){ .base = e->base, .len = e->len, .type = e->type };
		at += e->size + sizeof(e->size);
	}
}

#define COM1     0x3f8
#define LCR_DLAB 0x80

static void com1_copy(void)
{
	boot.com1_lcr = inb(COM1 + 3);
	outb(COM1 + 3, boot.com1_lcr | LCR_DLAB);
	boot.com1_divisor = (u16)(inb(COM1) | inb(COM1 + 1) << 8);
	outb(COM1 + 3, boot.com1_lcr);
}

static void string_copy(char *to, u32 size, u32 from)
{
	const char *text = (const char *)(uintptr_t)from;

	for (u32 i = 0; i + 1 < size && text[i] != '\0'; i++)
		to[i] = text[i];
}

void boot_copy(void)
{
	const struct mb1_info *info = (const struct mb1_info *)(uintptr_t)mb_info_pa;

	com1_copy();
	boot.magic = mb_magic;
	if (boot.magic != MB1_BOOT_MAGIC)
		return;
	boot.flags = info->flags;
	if ((info->flags & MB1_INFO_MEMORY) != 0) {
		boot.mem_lower = info->mem_lower;
		boot.mem_upper = info->mem_upper;
	}
	if ((info->flags & MB1_INFO_CMDLINE) != 0)
		string_copy(boot.cmdline, sizeof(boot.cmdline), info->cmdline);
	if ((info->flags & MB1_INFO_LOADER) != 0)
		string_copy(boot.loader, sizeof(boot.loader), info->loader_name);
	if ((info->flags & MB1_INFO_SCREEN) != 0)
		memcpy(&boot.screen, (const u8 *)info + MB1_SCREEN_OFF, sizeof(boot.screen));
	if ((info->flags & MB1_INFO_MMAP) != 0)
		mmap_copy(info);
}

const char *cmdline_option(const char *key)
{
	u32 len = 0;

	while (key[len] != '\0')
		len++;
	for (const char *p = boot.cmdline; *p != '\0'; p++) {
		bool start = p == boot.cmdline || p[-1] == ' ';

		if (start && str_prefix(p, key, len) && p[len] == '=')
			return p + len + 1;
	}
	return NULL;
}

u64 cmdline_number(const char *key, u64 absent)
{
	const char *p = cmdline_option(key);
	u64 val = 0, base = 10;

	if (p == NULL)
		return absent;
	if (p[0] == '0' && p[1] == 'x') {
		base = 16;
		p += 2;
	}
	for (; *p != '\0' && *p != ' '; p++) {
		u32 digit = (u32)(*p <= '9' ? *p - '0' : (*p | 0x20) - 'a' + 10);

		val = val * base + digit;
	}
	return val;
}

bool machine_has_hypervisor(void)
{
	return (cpuid(1).c & CPUID1_ECX_HYPERVISOR) != 0;
}

bool machine_is_kensho(void)
{
	for (const char *p = boot.loader; *p != '\0'; p++) {
		if (str_prefix(p, "Kensho", 6))
			return true;
	}
	return false;
}

bool boot_hv_region(u64 *base, u64 *len)
{
	*base = cmdline_number("region", 0);
	*len = cmdline_number("region_len", MIB(2));
	if (*base != 0)
		return true;
	if (!machine_is_kensho())
		return false;
	for (u32 i = 0; i < boot.mmap_count; i++) {
		const struct boot_range *r = &boot.mmap[i];
		bool ram_above_or_below = false;

		for (u32 j = 0; j < boot.mmap_count; j++) {
			if (boot.mmap[j].type == 1 &&
			    (boot.mmap[j].base == r->base + r->len ||
			     boot.mmap[j].base + boot.mmap[j].len == r->base))
				ram_above_or_below = true;
		}
		if (r->type != 1 && r->base >= MIB(2) && r->base + r->len <= 0xe0000000 &&
		    IS_ALIGNED(r->base, MIB(2)) && r->len >= MIB(2) && ram_above_or_below) {
			*base = r->base;
			*len = r->len;
			return true;
		}
	}
	return false;
}

bool boot_is_ram(u64 base, u64 len)
{
	for (u32 i = 0; i < boot.mmap_count; i++) {
		const struct boot_range *r = &boot.mmap[i];

		if (r->type == 1 && base >= r->base && base + len <= r->base + r->len)
			return true;
	}
	return false;
}
