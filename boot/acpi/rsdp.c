/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From the RSDP to the tables. Boot time, pure. Bounded: we follow at most ACPI_TABLES_MAX entries,
 * tables do not nest, and all bytes read count against one budget, or many entries naming one large
 * table could make us read it again and again.
 */
#include "boot/acpi/tables.h"
#include "core/lib/bits.h"
#include "core/lib/bytes.h"

/* Cause (loader): the firmware's ACPI tables are missing or damaged.
 * Remedy: update the firmware; GRUB 2.06 or later. */

#define RSDP_V1_LEN      20u
#define RSDP_V2_LEN      36u
#define RSDP_REVISION    15u
#define RSDP_RSDT        16u
#define RSDP_XSDT        24u
#define ACPI_TABLES_MAX  512u
#define ACPI_TABLE_BYTES MIB(16)  /* a longer one is corrupt, or not one we need */
#define ACPI_TOTAL_BYTES MIB(32)  /* of all tables; real machines have a tenth */
#define MADT_BYTES       KIB(128) /* more are corrupt: 8192 x2APIC entries */
#define HPET_BASE        44u      /* address in the Generic Address Structure at 40 */
#define HPET_TABLE_LEN   56u
#define MCFG_BASE        44u /* of the first entry. PCI Firmware Specification, "MCFG Table" */
#define MCFG_TABLE_LEN   60u

struct acpi_walk {
	acpi_map_fn map;
	void *ctx;
	struct acpi_info *out;
	struct fadt_links links;
	u64 budget; /* bytes of tables that may still be read */
};

/* A whole table, its checksum verified. NULL: unreadable, implausible, damaged, or over budget. */
static const u8 *table_map(struct acpi_walk *w, u64 pa, u32 *len)
{
	const u8 *t = pa != 0 ? w->map(w->ctx, pa, ACPI_HEADER_LEN) : NULL;
	u32 n;

	if (t == NULL) {
		w->out->unreadable += pa != 0;
		return NULL;
	}
	n = get_u32(t + ACPI_LENGTH_OFF);
	if (n < ACPI_HEADER_LEN || n > ACPI_TABLE_BYTES || n > w->budget)
		return NULL;
	w->budget -= n;
	t = w->map(w->ctx, pa, n);
	if (t == NULL) {
		w->out->unreadable++;
		return NULL;
	}
	if (acpi_checksum(t, n) != 0) {
		w->out->bad_checksums++;
		return NULL;
	}
	*len = n;
	return t;
}

static void table_note(struct acpi_info *out, u64 pa, const u8 *t, u32 len)
{
	struct acpi_table *seen = &out->table[out->table_count];

	if (out->table_count == ACPI_TABLES_SEEN)
		return;
	out->table_count++;
	*seen = (struct acpi_table){ .pa = pa, .len = len };
	memcpy(seen->signature, t, 4);
}

static bool has_signature(const u8 *t, const char *sig)
{
	return memcmp(t, sig, 4) == 0;
}

static void sleep_types(struct acpi_info *out, const u8 *aml, u32 len)
{
	if (out->s3_slp_typ < 0)
		out->s3_slp_typ = aml_find_sleep_type(aml, len, '3');
	if (out->s5_slp_typ < 0)
		out->s5_slp_typ = aml_find_sleep_type(aml, len, '5');
}

static void table_use(struct acpi_walk *w, u64 pa, const u8 *t, u32 len)
{
	struct acpi_info *out = w->out;

	table_note(out, pa, t, len);
	if (has_signature(t, "APIC") && out->madt_pa == 0) {
		out->madt_pa = pa;
		out->madt_len = len;
		madt_parse(t, len, out);
	} else if (has_signature(t, "FACP") && w->links.dsdt_pa == 0) {
		fadt_parse(t, len, out, &w->links);
	} else if (has_signature(t, "HPET") && len >= HPET_TABLE_LEN && out->hpet_pa == 0) {
		out->hpet_pa = get_u64(t + HPET_BASE);
	} else if (has_signature(t, "DMAR") && !out->has_dmar) {
		dmar_parse(t, len, out);
	} else if (has_signature(t, "MCFG") && len >= MCFG_TABLE_LEN && out->ecam_pa == 0) {
		out->ecam_pa = get_u64(t + MCFG_BASE);
	} else if (has_signature(t, "SSDT")) {
		sleep_types(out, t + ACPI_HEADER_LEN, len - ACPI_HEADER_LEN);
	}
}

/* The root table's entries are @width bytes each: 4 in an RSDT, 8 in an XSDT. */
static void root_walk(struct acpi_walk *w, u64 root_pa, const u8 *root, u32 root_len, u32 width)
{
	u32 count = umin32((root_len - ACPI_HEADER_LEN) / width, ACPI_TABLES_MAX);

	for (u32 i = 0; i < count; i++) {
		const u8 *t;
		u64 pa;
		u32 len;

		/* Map it again each time: the map function may have only one window. */
		root = w->map(w->ctx, root_pa, root_len);
		if (root == NULL)
			return;
		root += ACPI_HEADER_LEN + i * width;
		pa = width == 8 ? get_u64(root) : get_u32(root);
		t = table_map(w, pa, &len);
		if (t != NULL)
			table_use(w, pa, t, len);
	}
}

static void madt_note(struct acpi_walk *w, u64 pa)
{
	struct acpi_info *out = w->out;
	const u8 *t = pa != 0 ? w->map(w->ctx, pa, ACPI_HEADER_LEN) : NULL;
	u32 len;

	if (t == NULL || !has_signature(t, "APIC") || out->madt_count == ACPI_MADTS_MAX)
		return;
	len = get_u32(t + ACPI_LENGTH_OFF);
	if (len < ACPI_HEADER_LEN || len > MADT_BYTES || w->map(w->ctx, pa, len) == NULL)
		return;
	for (u32 i = 0; i < out->madt_count; i++) {
		if (out->madt[i].pa == pa)
			return;
	}
	out->madt[out->madt_count++] = (struct acpi_madt){ .pa = pa, .len = len };
}

/*
 * Every MADT that a guest may come to, whatever is wrong with it or with other tables: many guests
 * go by the RSDT, and check no sums.
 */
static void madts_find(struct acpi_walk *w, u64 root_pa, const char *sig, u32 width)
{
	const u8 *root = root_pa != 0 ? w->map(w->ctx, root_pa, ACPI_HEADER_LEN) : NULL;
	u32 len;

	if (root == NULL || !has_signature(root, sig))
		return;
	len = get_u32(root + ACPI_LENGTH_OFF);
	for (u32 i = 0; i < ACPI_TABLES_MAX; i++) {
		u32 at = ACPI_HEADER_LEN + i * width;
		const u8 *e = at + width <= len ? w->map(w->ctx, root_pa + at, width) : NULL;

		if (e == NULL)
			return;
		madt_note(w, width == 8 ? get_u64(e) : get_u32(e));
	}
}

static err_t root_find(struct acpi_walk *w, const u8 *rsdp, u32 rsdp_len, const char **why)
{
	const u8 *root;
	u32 len;

	if (rsdp[RSDP_REVISION] >= 2 && rsdp_len >= RSDP_V2_LEN &&
	    acpi_checksum(rsdp, RSDP_V2_LEN) == 0) {
		u64 pa = get_u64(rsdp + RSDP_XSDT);

		root = table_map(w, pa, &len);
		if (root != NULL && has_signature(root, "XSDT")) {
			root_walk(w, pa, root, len, 8);
			return ERR_NONE;
		}
	}
	root = table_map(w, get_u32(rsdp + RSDP_RSDT), &len);
	if (root == NULL || !has_signature(root, "RSDT")) {
		*why = "ACPI: neither XSDT nor RSDT is readable with a valid checksum";
		return ERR_FAULT;
	}
	root_walk(w, get_u32(rsdp + RSDP_RSDT), root, len, 4);
	return ERR_NONE;
}

err_t acpi_parse(const u8 *rsdp, u32 rsdp_len, acpi_map_fn map, void *ctx, struct acpi_info *out,
		 const char **why)
{
	struct acpi_walk w = { .map = map, .ctx = ctx, .out = out, .budget = ACPI_TOTAL_BYTES };
	const u8 *dsdt;
	u32 len;

	memset(out, 0, sizeof(*out));
	out->reset_space = 0xff;
	out->s3_slp_typ = -1;
	out->s5_slp_typ = -1;
	if (rsdp_len < RSDP_V1_LEN || memcmp(rsdp, "RSD PTR ", 8) != 0) {
		*why = "ACPI: the RSDP has no signature";
		return ERR_INVAL;
	}
	if (acpi_checksum(rsdp, RSDP_V1_LEN) != 0) {
		*why = "ACPI: the RSDP's checksum is wrong";
		return ERR_INVAL;
	}
	if (rsdp[RSDP_REVISION] >= 2 && rsdp_len >= RSDP_V2_LEN)
		madts_find(&w, get_u64(rsdp + RSDP_XSDT), "XSDT", 8);
	madts_find(&w, get_u32(rsdp + RSDP_RSDT), "RSDT", 4);
	TRY(root_find(&w, rsdp, rsdp_len, why));
	/* The DSDT is the first definition block: it takes precedence over an SSDT. */
	dsdt = table_map(&w, w.links.dsdt_pa, &len);
	if (dsdt != NULL && has_signature(dsdt, "DSDT")) {
		s32 s3 = out->s3_slp_typ;
		s32 s5 = out->s5_slp_typ;

		table_note(out, w.links.dsdt_pa, dsdt, len);
		out->s3_slp_typ = -1;
		out->s5_slp_typ = -1;
		sleep_types(out, dsdt + ACPI_HEADER_LEN, len - ACPI_HEADER_LEN);
		out->s3_slp_typ = out->s3_slp_typ < 0 ? s3 : out->s3_slp_typ;
		out->s5_slp_typ = out->s5_slp_typ < 0 ? s5 : out->s5_slp_typ;
	}
	if (out->madt_pa == 0) {
		*why = "ACPI: there is no usable MADT";
		return ERR_NOENT;
	}
	return ERR_NONE;
}
