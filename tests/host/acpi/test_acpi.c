/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * boot/acpi: tables in a small fake memory, which shows above 4 GiB, too. The map function refuses
 * what is outside of it; like the early window, it can map one table at a time.
 */
#include "tests/host/harness.h"

#include "boot/acpi/tables.h"
#include "core/lib/bits.h"

#define MEM  0x10000u
#define RSDT 0x1000u
#define XSDT 0x2000u
#define MADT 0x3000u
#define FADT 0x4000u
#define DSDT 0x5000u
#define SSDT 0x6000u
#define HPET 0x7000u
#define HIGH 0x3f00000000ull /* where the memory shows again */

static u8 mem[MEM];
static u8 rsdp[36];
static struct acpi_info info;
static const char *why;
static u32 maps;

static const void *map(void *ctx, u64 pa, u64 len)
{
	static u8 *window;

	maps++;
	pa -= pa >= HIGH ? HIGH : 0;
	if (pa >= MEM || len > MEM - pa)
		return NULL;
	free(window); /* the sanitizer knows if anything still reads the last table */
	window = malloc(len);
	return memcpy(window, mem + pa, len);
}

static void put(u8 *p, u64 v, u32 size)
{
	memcpy(p, &v, size);
}

static void fix(u8 *p, u32 len, u32 at)
{
	p[at] = 0;
	p[at] = (u8)-acpi_checksum(p, len);
}

static void table(u32 pa, const char *sig, u32 len)
{
	memcpy(mem + pa, sig, 4);
	put(mem + pa + 4, len, 4);
	fix(mem + pa, len, 9);
}

static void roots(void)
{
	static const u32 tables[] = { MADT, FADT, SSDT, HPET };

	for (u32 i = 0; i < 4; i++) {
		put(mem + RSDT + 36 + i * 4, tables[i], 4);
		put(mem + XSDT + 36 + i * 8, tables[i], 8);
	}
	table(RSDT, "RSDT", 36 + 16);
	table(XSDT, "XSDT", 36 + 32);
	memset(rsdp, 0, sizeof(rsdp));
	memcpy(rsdp, "RSD PTR ", 8);
	rsdp[15] = 2;
	put(rsdp + 16, RSDT, 4);
	put(rsdp + 20, 36, 4);
	put(rsdp + 24, XSDT, 8);
	fix(rsdp, 20, 8);
	fix(rsdp, 36, 32);
}

static void fadt(u32 len)
{
	u8 *f = mem + FADT;

	memset(f, 0, 0x200);
	put(f + 40, DSDT, 4);
	put(f + 64, 0x604, 4);
	put(f + 76, 0x608, 4);
	f[91] = 4;
	put(f + 112, 1u << 8 | 1u << 10, 4);
	f[116] = 1;
	put(f + 120, 0xcf9, 8);
	f[128] = 0x0f;
	if (len >= 244) {
		put(f + 140, DSDT, 8);
		f[172] = 1;
		put(f + 176, 0x1804, 8);
		f[208] = 1;
		put(f + 212, 0x1808, 8);
	}
	table(FADT, "FACP", len);
}

static void machine(void)
{
	/* Local APICs 0, 1 (enabled), 2 (disabled), an IOAPIC, x2APIC 0x100, 0 listed twice. */
	static const u8 entries[] = {
		0, 8, 0,  0, 1, 0, 0, 0,    0,    8, 1, 1, 1, 0, 0,  0, 0, 8, 2, 2, 2, 0, 0,
		0, 1, 12, 0, 0, 0, 0, 0xc0, 0xfe, 0, 0, 0, 0, 9, 16, 0, 0, 0, 1, 0, 0, 1, 0,
		0, 0, 3,  0, 0, 0, 9, 16,   0,    0, 0, 0, 0, 0, 1,  0, 0, 0, 3, 0, 0, 0,
	};
	static const u8 aml[] = { 0x14, 8,   '_', 'S',  '5',  'X', 8, '_', 'S', '5',  '_',
				  0x12, 6,   4,   0x0a, 5,    0,   0, 0,   8,   '\\', '_',
				  'S',  '3', '_', 0x12, 0x46, 0,   4, 1,   1,   0,    0 };
	static const u8 other[] = { 8, '_', 'S', '5', '_', 0x12, 6, 4, 0x0a, 7, 0, 0, 0 };

	memset(mem, 0, sizeof(mem));
	roots();
	memcpy(mem + MADT + 44, entries, sizeof(entries));
	table(MADT, "APIC", 44 + sizeof(entries));
	fadt(244);
	memcpy(mem + DSDT + 36, aml, sizeof(aml));
	table(DSDT, "DSDT", 36 + sizeof(aml));
	memcpy(mem + SSDT + 36, other, sizeof(other));
	table(SSDT, "SSDT", 36 + sizeof(other));
	put(mem + HPET + 44, 0xfed00000, 8);
	table(HPET, "HPET", 56);
}

static err_t parse(void)
{
	why = NULL;
	maps = 0;
	return acpi_parse(rsdp, sizeof(rsdp), map, NULL, &info, &why);
}

static void expect_machine(void)
{
	EXPECT_EQ(ERR_NONE, parse());
	EXPECT_EQ(3, info.cpu_count);
	EXPECT_EQ(0, info.cpu[0].apic_id);
	EXPECT_EQ(1, info.cpu[1].apic_id);
	EXPECT_EQ(0x100, info.cpu[2].apic_id);
	EXPECT_TRUE(info.cpu[2].x2apic && !info.cpu[1].x2apic);
	EXPECT_EQ(MADT, info.madt_pa);
	EXPECT_EQ(5, info.s5_slp_typ);
	EXPECT_EQ(1, info.s3_slp_typ);
	EXPECT_EQ(0xfed00000, info.hpet_pa);
	EXPECT_EQ(0xcf9, info.reset_addr);
	EXPECT_EQ(1, info.reset_space);
	EXPECT_EQ(0x0f, info.reset_value);
	EXPECT_TRUE(info.pm_tmr_32bit);
}

/* DMAR: the flags byte decides on x2APIC mode; one too short to have it is none. */
static void test_dmar(void)
{
	machine();
	EXPECT_EQ(ERR_NONE, parse());
	EXPECT_FALSE(info.has_dmar);
	for (u32 flags = 0; flags < 8; flags++) {
		machine();
		mem[HPET + 36] = 38; /* host address width */
		mem[HPET + 37] = (u8)flags;
		table(HPET, "DMAR", 48);
		EXPECT_EQ(ERR_NONE, parse());
		EXPECT_TRUE(info.has_dmar);
		EXPECT_EQ(flags, info.dmar_flags);
	}
	table(HPET, "DMAR", 37);
	EXPECT_EQ(ERR_NONE, parse());
	EXPECT_FALSE(info.has_dmar);
}

/* Its remapping units, of any address; other structures between them, and ends that are none. */
static void test_dmar_units(void)
{
	static const u8 entries[] = {
		0, 0,    16, 0, 0, 0, 0, 0, 0,    0,    0xd9, 0xfe, 0, 0, 0,  0, /* DRHD */
		1, 0,    24, 0, 0, 0, 0, 0, 0x11, 0x11, 0x11, 0,    0, 0, 0,  0, /* RMRR */
		0, 0,    0,  0, 0, 0, 0, 0, 0,    0,    20,   0,    1, 0, 0,  0, /* DRHD, longer */
		0, 0,    0,  0, 0, 1, 0, 0, 0,    0,    0,    0,    0, 0, 12, 0, /* too short */
		0, 0,    0,  0, 0, 0, 0, 0, 0,    0,    16,   0,    0, 0, 0,  0, /* cut off */
		0, 0xd8,
	};
	const u32 len = 48 + sizeof(entries);

	machine();
	memcpy(mem + HPET + 48, entries, sizeof(entries));
	table(HPET, "DMAR", len);
	EXPECT_EQ(ERR_NONE, parse());
	EXPECT_EQ(2, info.dmar_units);
	EXPECT_EQ(0xfed90000, info.dmar_unit_pa[0]);
	EXPECT_EQ(0x10000000000, info.dmar_unit_pa[1]);
	mem[HPET + 48 + 2] = 0; /* leads nowhere */
	table(HPET, "DMAR", len);
	EXPECT_EQ(ERR_NONE, parse());
	EXPECT_EQ(0, info.dmar_units);
	for (u32 i = 0; i < ACPI_DMAR_UNITS + 1; i++)
		memcpy(mem + HPET + 48 + i * 16, entries, 16);
	table(HPET, "DMAR", 48 + 16 * (ACPI_DMAR_UNITS + 1));
	EXPECT_EQ(ERR_NONE, parse());
	EXPECT_EQ(ACPI_DMAR_UNITS, info.dmar_units);
}

/* PCI configuration space wherever firmware puts it. */
static void test_ecam_above_4g(void)
{
	machine();
	EXPECT_EQ(ERR_NONE, parse());
	EXPECT_EQ(0, info.ecam_pa);
	put(mem + HPET + 44, 0x3ff0000000, 8);
	table(HPET, "MCFG", 60);
	EXPECT_EQ(ERR_NONE, parse());
	EXPECT_EQ(0x3ff0000000, info.ecam_pa);
	table(HPET, "MCFG", 59); /* no whole entry */
	EXPECT_EQ(ERR_NONE, parse());
	EXPECT_EQ(0, info.ecam_pa);
}

/* UEFI firmware may keep any of them there. */
static void test_tables_above_4g(void)
{
	static const u32 low[] = { MADT, FADT, SSDT, HPET };

	machine();
	for (u32 i = 0; i < ARRAY_SIZE(low); i++)
		put(mem + XSDT + 36 + i * 8, HIGH + low[i], 8);
	table(XSDT, "XSDT", 36 + 32);
	put(mem + FADT + 140, HIGH + DSDT, 8);
	table(FADT, "FACP", 244);
	put(rsdp + 24, HIGH + XSDT, 8);
	fix(rsdp, 36, 32);
	memset(mem + RSDT, 0, 4); /* there is no other way to them */
	EXPECT_EQ(ERR_NONE, parse());
	EXPECT_EQ(HIGH + MADT, info.madt_pa);
	EXPECT_EQ(1, info.madt_count);
	EXPECT_EQ(HIGH + MADT, info.madt[0].pa);
	EXPECT_EQ(3, info.cpu_count);
	EXPECT_EQ(0xfed00000, info.hpet_pa);
	EXPECT_EQ(0x1804, info.pm1a_cnt);
	EXPECT_EQ(5, info.s5_slp_typ);
	EXPECT_EQ(0, info.unreadable);
}

/* The others count. */
static void test_a_table_out_of_reach(void)
{
	machine();
	EXPECT_EQ(ERR_NONE, parse());
	EXPECT_EQ(0, info.unreadable);
	put(mem + XSDT + 36 + 24, GIB(4) + HPET, 8);
	table(XSDT, "XSDT", 36 + 32);
	EXPECT_EQ(ERR_NONE, parse());
	EXPECT_EQ(1, info.unreadable);
	EXPECT_EQ(0, info.hpet_pa);
	EXPECT_EQ(3, info.cpu_count);
	put(mem + HPET + 4, MEM, 4); /* its end is out of reach */
	put(mem + XSDT + 36 + 24, HPET, 8);
	table(XSDT, "XSDT", 36 + 32);
	EXPECT_EQ(ERR_NONE, parse());
	EXPECT_EQ(1, info.unreadable);
}

static void test_xsdt_and_rsdt_lead_to_the_same(void)
{
	machine();
	expect_machine();
	EXPECT_EQ(0x1804, info.pm1a_cnt);
	EXPECT_EQ(0x1808, info.pm_tmr_port);
	EXPECT_EQ(0, info.pm1b_cnt);
	mem[XSDT + 9]++; /* a damaged XSDT: the RSDT is still there */
	expect_machine();
	EXPECT_EQ(1, info.bad_checksums);
	machine();
	rsdp[15] = 0; /* ACPI 1.0 */
	fix(rsdp, 20, 8);
	EXPECT_EQ(ERR_NONE, acpi_parse(rsdp, 20, map, NULL, &info, &why));
	EXPECT_EQ(3, info.cpu_count);
}

static void test_fadt_fields_end_with_the_table(void)
{
	for (u32 len = 36; len < 244; len++) {
		machine();
		fadt(len);
		EXPECT_EQ(ERR_NONE, parse());
		EXPECT_EQ(len >= 68 ? 0x604 : 0, info.pm1a_cnt);
		EXPECT_EQ(len >= 92 ? 0x608 : 0, info.pm_tmr_port);
		EXPECT_EQ(len >= 129 ? 1 : 0xff, info.reset_space);
		EXPECT_EQ(len >= 44 ? 5 : 7, info.s5_slp_typ);
	}
}

static void test_flags_of_the_fadt(void)
{
	machine();
	put(mem + FADT + 112, 1u << 20, 4);
	table(FADT, "FACP", 244);
	EXPECT_EQ(ERR_NONE, parse());
	EXPECT_EQ(0, info.pm_tmr_port);
	EXPECT_EQ(0, info.pm1a_cnt);
	EXPECT_EQ(0xff, info.reset_space);
	machine();
	mem[FADT + 172] = 0; /* extended block in memory space: the port field stands */
	table(FADT, "FACP", 244);
	EXPECT_EQ(ERR_NONE, parse());
	EXPECT_EQ(0x604, info.pm1a_cnt);
	machine();
	put(mem + FADT + 120, 0, 8); /* a reset register that is nowhere */
	table(FADT, "FACP", 244);
	EXPECT_EQ(ERR_NONE, parse());
	EXPECT_EQ(0xff, info.reset_space);
}

static void test_errors_are_named(void)
{
	machine();
	rsdp[0] = 'X';
	EXPECT_NE(ERR_NONE, parse());
	EXPECT_CONTAINS(why, "signature");
	machine();
	rsdp[9]++;
	EXPECT_NE(ERR_NONE, parse());
	EXPECT_CONTAINS(why, "checksum");
	EXPECT_NE(ERR_NONE, acpi_parse(rsdp, 19, map, NULL, &info, &why));
	machine();
	mem[MADT + 9]++;
	EXPECT_EQ(ERR_NOENT, parse());
	EXPECT_CONTAINS(why, "MADT");
	machine();
	put(mem + RSDT + 4, 0xffffffff, 4);
	put(mem + XSDT + 4, 10, 4);
	EXPECT_NE(ERR_NONE, parse());
	EXPECT_CONTAINS(why, "XSDT");
}

static void test_loops_end(void)
{
	machine();
	for (u32 i = 0; i < 4000; i++)
		put(mem + XSDT + 36 + i * 8, XSDT, 8);
	table(XSDT, "XSDT", 36 + 4000 * 8);
	EXPECT_EQ(ERR_NOENT, parse());
	EXPECT_LE(maps, 4000);
}

/* What holds for @info after any damage: enabled CPUs only, each once, of tables that are there. */
static void check_info(void)
{
	EXPECT_TRUE(info.cpu_count <= ACPI_CPUS_MAX && info.madt_count <= ACPI_MADTS_MAX);
	for (u32 i = 0; i < info.cpu_count; i++) {
		EXPECT_TRUE(info.cpu[i].enabled);
		EXPECT_LE(info.cpu[i].madt_offset + 4, info.madt_len);
		for (u32 j = 0; j < i; j++)
			EXPECT_NE(info.cpu[j].apic_id, info.cpu[i].apic_id);
	}
	for (u32 i = 0; i < info.madt_count; i++)
		EXPECT_LE(info.madt[i].pa + info.madt[i].len, MEM);
	EXPECT_TRUE(info.table_count <= ACPI_TABLES_SEEN && info.dmar_units <= ACPI_DMAR_UNITS);
	EXPECT_TRUE(info.s5_slp_typ >= -1 && info.s5_slp_typ <= 7);
}

/* Sums are right again, so that the damage is looked at. map() sees to it that nothing else is. */
static void test_random_damage_is_survived(void)
{
	u32 runs = 3000, parsed = 0;

	for (u32 i = 0; i < runs; i++) {
		err_t err;

		machine();
		for (u32 k = 0; k < 20; k++)
			mem[(test_rng() % 7 + 1) * 0x1000 + test_rng() % 300] = (u8)test_rng();
		fix(mem + XSDT, 36 + 32, 9);
		for (u32 pa = MADT; pa <= HPET; pa += 0x1000) {
			u32 len;

			memcpy(&len, mem + pa + 4, 4);
			if (len >= 36 && len < 0x1000)
				fix(mem + pa, len, 9);
		}
		err = parse();
		EXPECT_EQ(err != ERR_NONE, why != NULL);
		check_info();
		parsed += err == ERR_NONE;
	}
	EXPECT_GE(parsed, runs / 10);
	EXPECT_GE(runs - parsed, runs / 10);
}

static void test_madt_disable_removes_exactly_one(void)
{
	static const u32 ids[] = { 0, 1, 0x100 };

	for (u32 victim = 0; victim < 3; victim++) {
		u32 kept[2] = { ids[victim == 0], ids[victim == 2 ? 1 : 2] };
		const struct madt_keep keep = { kept, 2 };
		u32 len;

		machine();
		EXPECT_EQ(ERR_NONE, parse());
		len = info.madt_len;
		EXPECT_EQ(victim == 0 ? 2 : 1, madt_count_others(mem + MADT, len, &keep));
		madt_disable_others(mem + MADT, len, &keep);
		EXPECT_EQ(0, madt_count_others(mem + MADT, len, &keep));
		EXPECT_EQ(0, acpi_checksum(mem + MADT, len));
		EXPECT_EQ(ERR_NONE, parse());
		EXPECT_EQ(2, info.cpu_count);
		for (u32 i = 0; i < info.cpu_count; i++)
			EXPECT_NE(ids[victim], info.cpu[i].apic_id);
	}
	mem[9] = 0x55;
	madt_disable_others(mem, 40, &(struct madt_keep){ ids, 0 }); /* too short: not touched */
	EXPECT_EQ(0x55, mem[9]);
}

/* What a guest may come to, whatever is wrong: it may check no sums, and go by the other root. */
static void test_every_madt_is_found(void)
{
	machine();
	EXPECT_EQ(ERR_NONE, parse());
	EXPECT_EQ(1, info.madt_count); /* both roots have the same */
	EXPECT_EQ(MADT, info.madt[0].pa);
	EXPECT_EQ(info.madt_len, info.madt[0].len);

	memcpy(mem + 0x8000, mem + MADT, info.madt_len); /* a copy for the RSDT */
	put(mem + RSDT + 36, 0x8000, 4);
	table(RSDT, "RSDT", 36 + 16);
	EXPECT_EQ(ERR_NONE, parse());
	EXPECT_EQ(MADT, info.madt_pa);
	EXPECT_EQ(2, info.madt_count);
	EXPECT_EQ(0x8000, info.madt[1].pa);

	mem[XSDT + 9]++;
	mem[RSDT + 9]++;
	EXPECT_EQ(ERR_FAULT, parse());
	EXPECT_EQ(0, info.cpu_count);
	EXPECT_EQ(2, info.madt_count);
	rsdp[15] = 0; /* ACPI 1.0 */
	fix(rsdp, 20, 8);
	EXPECT_EQ(ERR_FAULT, parse());
	EXPECT_EQ(1, info.madt_count);
	EXPECT_EQ(0x8000, info.madt[0].pa);

	machine();
	mem[MADT + 9]++;
	EXPECT_EQ(ERR_NOENT, parse());
	EXPECT_EQ(1, info.madt_count);
	EXPECT_EQ(0x1808, info.pm_tmr_port); /* all else is valid */
	put(mem + MADT + 4, 0xffffff, 4);    /* not all there */
	EXPECT_EQ(ERR_NOENT, parse());
	EXPECT_EQ(0, info.madt_count);
}

/* Tables that are damaged, or so large that the MADT behind them is not read any more. */
static void test_other_tables_do_not_hide_the_madt(void)
{
	static const u32 others[] = { FADT, DSDT, SSDT, HPET };

	for (u32 i = 0; i < ARRAY_SIZE(others); i++) {
		machine();
		mem[others[i] + 9]++;
		EXPECT_EQ(ERR_NONE, parse());
		EXPECT_EQ(3, info.cpu_count);
		EXPECT_EQ(1, info.madt_count);
		machine();
		put(mem + others[i] + 4, 0xffffffff, 4);
		memset(mem + others[i] + 8, 0xff, 0x200);
		EXPECT_EQ(ERR_NONE, parse());
		EXPECT_EQ(3, info.cpu_count);
		EXPECT_EQ(1, info.madt_count);
	}
}

TEST_MAIN(TEST(test_dmar), TEST(test_dmar_units), TEST(test_ecam_above_4g),
	  TEST(test_tables_above_4g), TEST(test_a_table_out_of_reach),
	  TEST(test_xsdt_and_rsdt_lead_to_the_same), TEST(test_fadt_fields_end_with_the_table),
	  TEST(test_flags_of_the_fadt), TEST(test_errors_are_named), TEST(test_loops_end),
	  TEST(test_random_damage_is_survived), TEST(test_madt_disable_removes_exactly_one),
	  TEST(test_every_madt_is_found), TEST(test_other_tables_do_not_hide_the_madt))
