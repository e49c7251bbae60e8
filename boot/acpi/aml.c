/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * All that we need from AML are the sleep type packages, and they need no interpreter: their names
 * occur literally and their elements are constants. ACPI 6.4, "\_Sx (System States)", "AML
 * Grammar". Pure.
 */
#include "boot/acpi/acpi.h"
#include "core/lib/bytes.h"

#define AML_ZERO    0x00u
#define AML_ONE     0x01u
#define AML_NAME    0x08u
#define AML_BYTE    0x0au
#define AML_WORD    0x0bu
#define AML_DWORD   0x0cu
#define AML_PACKAGE 0x12u

/* The constant at @p as SLP_TYPa: a 3-bit field, so the low byte of a wider one will do. */
static s32 constant(const u8 *p, u64 len)
{
	u64 bytes;

	if (len == 0)
		return -1;
	switch (p[0]) {
	case AML_ZERO:
		return 0;
	case AML_ONE:
		return 1;
	case AML_BYTE:
		bytes = 1;
		break;
	case AML_WORD:
		bytes = 2;
		break;
	case AML_DWORD:
		bytes = 4;
		break;
	default:
		return -1;
	}
	return len > bytes ? p[1] & 7 : -1;
}

/* @p points past the name: PackageOp PkgLength NumElements Element... */
static s32 package_first(const u8 *p, u64 len)
{
	u64 pkg_len_bytes;

	if (len < 2 || p[0] != AML_PACKAGE)
		return -1;
	pkg_len_bytes = 1 + (p[1] >> 6);
	if (len < 1 + pkg_len_bytes + 1 || p[1 + pkg_len_bytes] == 0)
		return -1;
	return constant(p + 2 + pkg_len_bytes, len - 2 - pkg_len_bytes);
}

s32 aml_find_sleep_type(const u8 *aml, u64 len, char digit)
{
	const u8 name[4] = { '_', 'S', (u8)digit, '_' };

	for (u64 i = 1; range_fits(i, sizeof(name), len); i++) {
		bool is_named;
		s32 type;

		if (aml[i] != '_' || memcmp(aml + i, name, sizeof(name)) != 0)
			continue;
		is_named = aml[i - 1] == AML_NAME ||
			   (i >= 2 && aml[i - 1] == '\\' && aml[i - 2] == AML_NAME);
		type = is_named ? package_first(aml + i + 4, len - i - 4) : -1;
		if (type >= 0)
			return type;
	}
	return -1;
}
