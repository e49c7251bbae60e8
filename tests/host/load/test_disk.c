/* SPDX-License-Identifier: BSD-2-Clause */
/* boot/load/disk.c: what low memory says, where the real-mode code goes, and what is written. */
#include "tests/host/load/load_sim.h"

#include "boot/load/disk.h"
#include "boot/load/disk_stub.h"
#include "tests/host/load/fields.h"

extern const u8 disk_stub[], disk_stub_end[]; /* boot/disk_stub.S, for the host */

#define OLD_INT12 0xf000f841u
#define OLD_INT15 0xf000f859u

static struct e820_map told;
static struct bios_info bios;

/* The first MiB of a PC with an EBDA of @ebda_kib at the end of conventional memory. */
static void firmware(u32 ebda_kib)
{
	sim_machine(64);
	memset(sim, 0, 1u << 20);
	put_u32(sim + 0x10 * 4, 0xc0000152);
	put_u32(sim + 0x12 * 4, OLD_INT12);
	put_u32(sim + 0x13 * 4, 0xf000e3fe);
	put_u32(sim + 0x15 * 4, OLD_INT15);
	put_u16(sim + 0x40e, (u16)(0xa000 - ebda_kib * 64));
	put_u16(sim + 0x413, (u16)(640 - ebda_kib));
}

static void pnp_header(u32 at, u8 len, bool good)
{
	u8 sum = 0;

	memcpy(sim + at, "$PnP", 4);
	sim[at + 4] = 0x10;
	sim[at + 5] = len;
	for (u32 i = 0; i < len; i++)
		sum = (u8)(sum + sim[at + i]);
	sim[at + 8] = (u8)((good ? 0 : 1) - sum);
}

static err_t plan(const struct e820_map *m)
{
	struct disk_input in = {
		.memory = m,
		.hook.what = "guest=disk0",
		.hook.bios = &bios,
		.hook.stub = disk_stub,
		.hook.stub_len = (u32)(disk_stub_end - disk_stub),
		.hook.com1 = 0x3f8,
	};

	bios_read(sim, &bios);
	return disk_plan(&in, &told, &sim_plan);
}

/* A map whose conventional memory is [0, @low_end) and, from 1 MiB on, [1 MiB, @high_end). */
static struct e820_map map_of(u64 low_end, u64 high_end)
{
	struct e820_map m = { .count = 2,
			      .e = { { 0, low_end, E820_RAM },
				     { 1u << 20, high_end - (1u << 20), E820_RAM } } };

	return m;
}

static void test_bios_fields(void)
{
	firmware(1);
	bios_read(sim, &bios);
	EXPECT_TRUE(bios.is_present);
	EXPECT_EQ(639, bios.conventional_kib);
	EXPECT_EQ(0x9fc00, bios.ebda);
	EXPECT_EQ(OLD_INT12, bios.int12);
	EXPECT_EQ(OLD_INT15, bios.int15);
	EXPECT_EQ(0, bios.pnp);
}

static void test_bios_without_ebda(void)
{
	firmware(0);
	put_u16(sim + 0x40e, 0);
	bios_read(sim, &bios);
	EXPECT_TRUE(bios.is_present);
	EXPECT_EQ(0, bios.ebda);
}

/* What UEFI leaves in low memory is anything but a BIOS. */
static void test_no_bios(void)
{
	static const u32 vectors[] = { 0x10, 0x12, 0x13, 0x15 };

	sim_machine(64);
	memset(sim, 0, 1u << 20);
	EXPECT_EQ(ERR_NODEV, plan(&sim_map));
	EXPECT_CONTAINS(sim_plan.why, "BIOS (CSM, legacy) mode");
	memset(sim, 0xff, 1u << 20);
	EXPECT_EQ(ERR_NODEV, plan(&sim_map));
	memset(sim, 0xaf, 1u << 20);
	EXPECT_EQ(ERR_NODEV, plan(&sim_map));
	for (u32 i = 0; i < ARRAY_SIZE(vectors); i++) {
		firmware(1);
		put_u32(sim + vectors[i] * 4, 0);
		EXPECT_EQ(ERR_NODEV, plan(&sim_map));
		put_u32(sim + vectors[i] * 4, 0x003f000f); /* into the vector table */
		EXPECT_EQ(ERR_NODEV, plan(&sim_map));
		put_u32(sim + vectors[i] * 4, 0x9d80000a); /* a hook of a network card's ROM */
		EXPECT_EQ(ERR_NONE, plan(&sim_map));
	}
}

static void test_pnp(void)
{
	firmware(1);
	pnp_header(0xfbc40, 0x21, true);
	bios_read(sim, &bios);
	EXPECT_EQ(0xf000bc40, bios.pnp);
	pnp_header(0xf5550, 0x21, false); /* a stray signature before it */
	pnp_header(0xf6668, 0x21, true);  /* not on a paragraph */
	pnp_header(0xf7770, 0x10, true);  /* too short */
	bios_read(sim, &bios);
	EXPECT_EQ(0xf000bc40, bios.pnp);
	firmware(1);
	pnp_header(0xfffd0, 0x21, true); /* the last place where it fits */
	bios_read(sim, &bios);
	EXPECT_EQ(0xf000ffd0, bios.pnp);
	firmware(1);
	memcpy(sim + 0xfffe0, "$PnP", 4);
	sim[0xfffe5] = 0x21;
	bios_read(sim, &bios);
	EXPECT_EQ(0, bios.pnp);
}

static u64 place(const struct e820_map *m)
{
	EXPECT_EQ(ERR_NONE, plan(m));
	EXPECT_TRUE(e820_is_type(m, sim_plan.rip, 4096, E820_RAM));
	EXPECT_TRUE(e820_is_type(&told, sim_plan.rip, 4096, E820_RESERVED));
	EXPECT_EQ(e820_ram_bytes(m) - 4096, e820_ram_bytes(&told));
	return sim_plan.rip;
}

static void test_place(void)
{
	struct e820_map m = map_of(0x9fc00, 64u << 20);

	firmware(1);
	EXPECT_EQ(0x9ec00, place(&m)); /* directly below the EBDA */
	put_u16(sim + 0x413, 620);
	EXPECT_EQ((620u - 4) << 10, place(&m)); /* below what a ROM took */
	firmware(1);
	put_u16(sim + 0x413, 640); /* firmware that forgot its own EBDA */
	EXPECT_EQ(0x9ec00, place(&m));
	m = map_of(0x9f000, 64u << 20);
	EXPECT_EQ(0x9e000, place(&m)); /* below what the map has as RAM */
	m = map_of(0x9ea30, 64u << 20);
	EXPECT_EQ(0x9d800, place(&m)); /* whole KiB: the data area counts in them */
	m = map_of(0xa0000, 64u << 20);
	EXPECT_EQ(ERR_NONE, e820_reserve(&m, 0x9c000, 0x1000, E820_NVS));
	firmware(12);
	EXPECT_EQ(0x9b000, place(&m));
	/* Exactly the last place, and nothing below it. */
	firmware(1);
	m = map_of(516u << 10, 64u << 20);
	EXPECT_EQ(512u << 10, place(&m));
}

static void test_no_place(void)
{
	struct e820_map m = map_of((516u << 10) - 1, 64u << 20);

	firmware(1);
	EXPECT_EQ(ERR_NOMEM, plan(&m));
	EXPECT_CONTAINS(sim_plan.why,
			"no 4 KiB are free between 512 and 639 KiB; do this: switch off");
	m = map_of(0x9fc00, 64u << 20);
	put_u16(sim + 0x413, 515);
	EXPECT_EQ(ERR_NOMEM, plan(&m));
	m = map_of(0x1000, 64u << 20);
	EXPECT_EQ(ERR_NOMEM, plan(&m));
}

/* As many entries as a plan has room for, and one more. */
static void test_full_map(void)
{
	struct e820_map m = map_of(0xa0000, 2u << 20);
	const u8 *entry;

	firmware(1);
	while (m.count < E820_MAX - 2) {
		u64 base = m.count * 0x200000ull;

		EXPECT_EQ(ERR_NONE, e820_add(&m, base, 0x100000, m.count % 5 + 1));
	}
	EXPECT_EQ(0x9ec00, place(&m));
	EXPECT_EQ(E820_MAX, told.count);
	load_execute(&sim_plan);
	entry = sim + 0x9ec00;
	entry += get_u16(entry + DISK_STUB_MAP) + (E820_MAX - 1) * DISK_MAP_ENTRY_BYTES;
	EXPECT_LE(entry + DISK_MAP_ENTRY_BYTES - (sim + 0x9ec00), 4096);
	EXPECT_EQ(told.e[E820_MAX - 1].base, get_u64(entry));
	EXPECT_EQ(told.e[E820_MAX - 1].type, get_u32(entry + 16));

	EXPECT_EQ(ERR_NONE, e820_add(&m, 1ull << 40, 0x1000, E820_RAM));
	EXPECT_EQ(ERR_NOMEM, plan(&m));
	EXPECT_CONTAINS(sim_plan.why, "127 ranges, more than 126");
}

static void test_writes(void)
{
	const u8 *block = sim + 0x9ec00;
	u8 *other;

	firmware(1);
	pnp_header(0xfbc40, 0x21, true);
	EXPECT_EQ(0x9ec00, place(&sim_map));
	EXPECT_EQ(ENTRY_REAL16, sim_plan.mode);
	other = malloc(SIM_LEN);
	memcpy(other, sim, SIM_LEN);
	load_execute(&sim_plan);
	EXPECT_EQ(0x9ec00000 | get_u16(disk_stub + DISK_STUB_INT15), get_u32(sim + 0x54));
	EXPECT_EQ(0x9ec00000 | get_u16(disk_stub + DISK_STUB_INT12), get_u32(sim + 0x48));
	EXPECT_EQ(635, get_u16(sim + 0x413));
	EXPECT_EQ(OLD_INT15, get_u32(block + DISK_STUB_OLD_INT15));
	EXPECT_EQ(OLD_INT12, get_u32(block + DISK_STUB_OLD_INT12));
	EXPECT_EQ(0xf000bc40, get_u32(block + DISK_STUB_PNP));
	EXPECT_EQ(0x3f8, get_u16(block + DISK_STUB_COM1));
	EXPECT_EQ(told.count, get_u32(block + DISK_STUB_MAP_COUNT));
	/* Nothing else changed. */
	memcpy(other + 0x48, sim + 0x48, 4);
	memcpy(other + 0x54, sim + 0x54, 4);
	memcpy(other + 0x413, sim + 0x413, 2);
	memcpy(other + 0x9ec00, block, 4096);
	EXPECT_MEMEQ(other, sim, SIM_LEN);
	free(other);
}

static void limits(const struct e820_map *m, u32 kib, u32 blocks)
{
	firmware(1);
	EXPECT_EQ(0x9ec00, place(m));
	load_execute(&sim_plan);
	EXPECT_EQ(kib, get_u16(sim + 0x9ec00 + DISK_STUB_KIB_FROM_1M));
	EXPECT_EQ(blocks, get_u16(sim + 0x9ec00 + DISK_STUB_64K_FROM_16M));
}

static void test_extended_memory(void)
{
	struct e820_map m = map_of(0x9fc00, 8u << 20);

	limits(&m, 7 << 10, 0);
	m = map_of(0x9fc00, (16u << 20) - 1);
	limits(&m, (15 << 10) - 1, 0);
	m = map_of(0x9fc00, 16u << 20);
	limits(&m, 15 << 10, 0);
	m = map_of(0x9fc00, (512u << 20) + 0x1ffff);
	limits(&m, 0xffff, 496 * 16 + 1);
	/* The first hole ends it, above and below 16 MiB. */
	EXPECT_EQ(ERR_NONE, e820_reserve(&m, 100u << 20, 2u << 20, E820_RESERVED));
	limits(&m, 0xffff, 84 * 16);
	EXPECT_EQ(ERR_NONE, e820_reserve(&m, 12u << 20, 1u << 20, E820_RESERVED));
	limits(&m, 11 << 10, 0);
	/* Entries that touch are one piece. */
	m = map_of(0x9fc00, 16u << 20);
	EXPECT_EQ(ERR_NONE, e820_add(&m, 16u << 20, 16u << 20, E820_RAM));
	limits(&m, 31 << 10, 256);
	m = map_of(0x9fc00, 8ull << 30);
	limits(&m, 0xffff, 0xffff);
}

TEST_MAIN(TEST(test_bios_fields), TEST(test_bios_without_ebda), TEST(test_no_bios), TEST(test_pnp),
	  TEST(test_place), TEST(test_no_place), TEST(test_full_map), TEST(test_writes),
	  TEST(test_extended_memory))
