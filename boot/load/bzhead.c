/* SPDX-License-Identifier: BSD-2-Clause */
/* bzImage: reads the setup header and detects damaged files. Pure. */
#include "boot/load/bootparam.h"
#include "boot/load/bzimage.h"
#include "boot/load/plan.h"
#include "core/lib/bytes.h"
#include "core/lib/crc32.h"

#define PROTOCOL(major, minor) ((u16)((major) << 8 | (minor)))

/* PE/COFF header that CONFIG_EFI_STUB puts into the real-mode part. */
#define PE_OFFSET_OFF   0x3cu
#define PE_OPTIONAL     24u /* optional header, after signature and COFF header */
#define PE_CHECKSUM_OFF (PE_OPTIONAL + 64)
#define PE_CERT_OFF     (PE_OPTIONAL + 112 + 4 * 8) /* PE32+ data directory 4 */

bool bzimage_probe(const u8 *data, u64 len)
{
	return len >= BP_VERSION + 2 && get_u16(data + BP_BOOT_FLAG) == BP_MAGIC_BOOT_FLAG &&
	       get_u32(data + BP_HEADER) == BP_MAGIC_HDRS;
}

static void release_read(const u8 *data, u64 len, struct bzimage *bz)
{
	u32 at = get_u16(data + BP_KERNEL_VERSION) + 0x200u;
	u32 n = 0;

	if (at == 0x200 || at >= bz->setup_len)
		at = bz->setup_len;
	for (; at < bz->setup_len && n < sizeof(bz->release) - 1; at++, n++) {
		u8 c = data[at];

		if (c <= ' ' || c > '~')
			break;
		bz->release[n] = (char)c;
	}
	bz->release[n] = '\0';
}

/* CRC with the bytes in [hole, hole + hole_len) taken as 0. */
static u32 crc_with_hole(u32 crc, const u8 *data, u64 len, u64 hole, u64 hole_len)
{
	static const u8 zeros[8];

	crc = crc32_update(crc, data, hole);
	crc = crc32_update(crc, zeros, hole_len);
	return crc32_update(crc, data + hole + hole_len, len - hole - hole_len);
}

/*
 * The kernel build appends a CRC-32 that makes the remainder of the whole file 0. A Secure Boot
 * signature later fills in two PE fields that were 0 then.
 */
static bool crc_is_good(const u8 *data, const struct bzimage *bz)
{
	u64 len = bz->setup_len + bz->code_len;
	u32 pe = get_u32(data + PE_OFFSET_OFF);
	u32 crc = ~0u;
	u64 done = 0;

	if (data[0] == 'M' && data[1] == 'Z' && range_fits(pe, PE_CERT_OFF + 8, bz->setup_len) &&
	    get_u32(data + pe) == 0x4550) {
		done = pe + PE_CERT_OFF + 8;
		crc = crc_with_hole(crc, data, pe + PE_CERT_OFF, pe + PE_CHECKSUM_OFF, 4);
		crc = crc_with_hole(crc, data + pe + PE_CERT_OFF, 8, 0, 8);
	}
	return crc32_update(crc, data + done, len - done) == 0;
}

/* "6.15.0-..." → 6, 15 */
static bool release_has_crc(const char *s)
{
	u32 n[2] = { 0, 0 };

	if (*s < '0' || *s > '9')
		return false; /* not Linux: memtest86+ uses the protocol, too, without a CRC */
	for (u32 i = 0; i < 2; i++, s++) {
		for (; *s >= '0' && *s <= '9' && n[i] < 10000; s++)
			n[i] = n[i] * 10 + (u32)(*s - '0');
		if (i == 0 && *s != '.')
			return true;
	}
	/* Linux 6.15 stopped appending it: "x86/boot: Drop CRC-32 checksum". */
	return n[0] < 6 || (n[0] == 6 && n[1] < 15);
}

static void fields_read(const u8 *data, struct bzimage *bz)
{
	bz->version = get_u16(data + BP_VERSION);
	bz->header_end = BP_HEADER + data[BP_JUMP + 1];
	bz->xloadflags = get_u16(data + BP_XLOADFLAGS);
	bz->initrd_addr_max = get_u32(data + BP_INITRD_ADDR_MAX);
	bz->cmdline_size = get_u32(data + BP_CMDLINE_SIZE);
	bz->alignment = get_u32(data + BP_KERNEL_ALIGNMENT);
	bz->pref_address = get_u64(data + BP_PREF_ADDRESS);
	bz->is_relocatable = data[BP_RELOCATABLE] != 0;
	bz->setup_len = ((data[BP_SETUP_SECTS] != 0 ? data[BP_SETUP_SECTS] : 4) + 1u) * 512;
	bz->code_len = (u64)get_u32(data + BP_SYSSIZE) * BP_PARAGRAPH;
	bz->init_size = umax64(get_u32(data + BP_INIT_SIZE), bz->code_len);
}

static err_t corrupt(struct load_plan *out, const char *what)
{
	/* Cause (guest): a damaged copy or medium.
	 * Remedy: copy it again; write the stick again. */
	return plan_fail(
		out, ERR_INVAL,
		"kernel image is corrupt (%s); do this: copy it again and compare its sha256sum",
		what);
}

static err_t fields_check(const struct bzimage *bz, struct load_plan *out)
{
	/* Cause (guest): a 32-bit or very old Linux.
	 * Remedy: a 64-bit one. */
	if (bz->version < PROTOCOL(2, 12) || (bz->xloadflags & BP_XLF_KERNEL_64) == 0)
		return plan_fail(out, ERR_NODEV,
				 "kernel has no 64-bit entry (boot protocol %u.%02u); do this: use "
				 "an x86-64 bzImage of Linux 3.8 or later",
				 bz->version >> 8, bz->version & 0xff);
	if (bz->header_end < BP_INIT_SIZE + 4 || bz->header_end > BP_HEADER_END_MAX)
		return corrupt(out, "length of the setup header");
	if (bz->alignment == 0 || (bz->alignment & (bz->alignment - 1)) != 0 ||
	    bz->alignment > GIB(1))
		return corrupt(out, "kernel_alignment");
	if (bz->code_len < BZIMAGE_ENTRY_64 + 16)
		return corrupt(out, "syssize");
	if (bz->pref_address >= LOAD_4G || !IS_ALIGNED(bz->pref_address, 4096))
		return corrupt(out, "pref_address");
	return ERR_NONE;
}

err_t bzimage_parse(const u8 *data, u64 len, struct bzimage *bz, struct load_plan *out)
{
	/* Cause (guest): a damaged copy or medium.
	 * Remedy: copy it again; write the stick again. */
	if (len < BP_HEADER_END_MAX)
		return plan_fail(out, ERR_INVAL,
				 "kernel image is truncated: %llu bytes are not even its header; "
				 "do this: copy it again",
				 len);
	fields_read(data, bz);
	TRY(fields_check(bz, out));
	/* syssize counts paragraphs: the file may end within the last one. */
	if (bz->setup_len + bz->code_len > len + BP_PARAGRAPH - 1)
		return plan_fail(out, ERR_INVAL,
				 "kernel image is truncated: it has %llu bytes of %llu; do this: "
				 "copy it again",
				 len, bz->setup_len + bz->code_len);
	bz->code_len = umin64(bz->code_len, len - bz->setup_len);
	release_read(data, len, bz);
	if (release_has_crc(bz->release) && !crc_is_good(data, bz))
		return corrupt(out, "its CRC-32 is wrong");
	return ERR_NONE;
}
