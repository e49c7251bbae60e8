/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * boot/load/bzefi.c: what Linux hears of EFI, and where a kernel goes in a UEFI machine.
 */
#include "tests/host/load/bz_sim.h"

static struct boot_efi efi;
static struct e820_map idle;

/* A UEFI machine of 96 MiB whose low half was boot services'; our region is not in the firmware's
 * map, only in the guest's. */
static void efi_machine(void)
{
	static const struct efi_descriptor d[] = {
		{ EFI_CONVENTIONAL, 0, 0, 0, 0xa0, 0xf },
		{ EFI_BOOT_SERVICES_DATA, 0, 0x100000, 0, 0x2f00, 0xf },
		{ EFI_CONVENTIONAL, 0, 0x3000000, 0, 0x2e00, 0xf },
		{ EFI_RUNTIME_SERVICES_CODE, 0, 0x5e00000, 0, 0x100, 0x800000000000000f },
		{ EFI_ACPI_RECLAIM, 0, 0x5f00000, 0, 0x100, 0xf },
	};

	build();
	machine(96, 0x300000, 0x400000, sizeof(initrd_bytes));
	efi = (struct boot_efi){ .present = true,
				 .is_64bit = true,
				 .systab_pa = 0x1234567890,
				 .map = { .desc_size = 48, .desc_version = 1, .count = 5 } };
	memcpy(efi.map.d, d, sizeof(d));
	EXPECT_EQ(ERR_NONE, efi_map_to_e820(&efi.map, false, &sim_map));
	EXPECT_EQ(ERR_NONE, efi_map_to_e820(&efi.map, true, &idle));
	EXPECT_EQ(ERR_NONE, e820_reserve(&sim_map, 0x5000000, 0x400000, E820_RESERVED));
	EXPECT_EQ(ERR_NONE, e820_reserve(&idle, 0x5000000, 0x400000, E820_RESERVED));
	in.efi = &efi;
	in.idle = &idle;
}

/* The type of the page at @pa by what the kernel reads; ~0: no descriptor. */
static u32 type_seen_at(const struct efi_info *ei, u64 pa)
{
	u32 found = ~0u;

	for (u32 at = 0; at < ei->efi_memmap_size; at += ei->efi_memdesc_size) {
		struct efi_descriptor d;

		memcpy(&d, sim + ei->efi_memmap + at, sizeof(d));
		if (pa >= d.pa && pa - d.pa < d.pages << 12) {
			EXPECT_EQ(~0u, found); /* descriptors do not overlap */
			found = d.type;
		}
	}
	return found;
}

static void test_linux_is_told_of_efi(void)
{
	const struct boot_params *bp;
	struct efi_info info, *ei = &info;
	u64 zero_page;

	efi_machine();
	expect_load();
	check_entry_state();
	bp = (const void *)(sim + sim_plan.rsi);
	zero_page = sim_plan.rsi;
	info = bp->efi_info;
	EXPECT_MEMEQ("EL64", &ei->efi_loader_signature, 4);
	EXPECT_EQ(0x34567890, ei->efi_systab);
	EXPECT_EQ(0x12, ei->efi_systab_hi);
	EXPECT_EQ(48, ei->efi_memdesc_size);
	EXPECT_EQ(1, ei->efi_memdesc_version);
	EXPECT_EQ(0, ei->efi_memmap_hi);
	EXPECT_EQ(0, ei->efi_memmap_size % 48);
	EXPECT_EQ(EFI_BOOT_SERVICES_DATA, type_seen_at(ei, 0x100000));
	EXPECT_EQ(EFI_CONVENTIONAL, type_seen_at(ei, 0x4fff000));
	for (u64 pa = 0x5000000; pa < 0x5400000; pa += 4096)
		EXPECT_EQ(EFI_RESERVED, type_seen_at(ei, pa));
	EXPECT_EQ(EFI_CONVENTIONAL, type_seen_at(ei, 0x5400000));
	EXPECT_EQ(EFI_RUNTIME_SERVICES_CODE, type_seen_at(ei, 0x5e00000));
	/* KASLR takes conventional memory: not under what it needs later. */
	EXPECT_EQ(EFI_LOADER_DATA, type_seen_at(ei, zero_page));
	EXPECT_EQ(EFI_LOADER_DATA, type_seen_at(ei, bp->hdr.cmd_line_ptr));
	EXPECT_EQ(EFI_LOADER_DATA, type_seen_at(ei, ei->efi_memmap));
	EXPECT_EQ(EFI_LOADER_DATA, type_seen_at(ei, ei->efi_memmap + ei->efi_memmap_size - 1));
	/* Both maps call the same pages RAM. */
	for (u64 pa = 0; pa < 96u << 20; pa += 4096) {
		u32 type = type_seen_at(ei, pa);
		bool ram = type >= EFI_LOADER_CODE && type <= EFI_BOOT_SERVICES_DATA;

		EXPECT_EQ(e820_is_type(&sim_map, pa, 4096, E820_RAM),
			  ram || type == EFI_CONVENTIONAL);
	}
}

/* Faulty firmware comes back to its boot services: nothing of ours goes there. */
static void test_boot_services_memory_is_the_last_choice(void)
{
	efi_machine();
	expect_load();
	EXPECT_GE(sim_plan.rip, 0x3000000);
	EXPECT_GE(sim_plan.rsi, 0x3000000);
	in.idle = NULL;
	expect_load();
	EXPECT_EQ(PREF + 0x200, sim_plan.rip);
	/* No other place: better there than not at all. */
	efi_machine();
	EXPECT_EQ(ERR_NONE, e820_reserve(&idle, 0x3000000, 0x2e00000, E820_RESERVED));
	expect_load();
	EXPECT_EQ(PREF + 0x200, sim_plan.rip);
}

static void test_no_efi_information_without_a_map(void)
{
	const struct boot_params *bp;
	static const u8 none[32];
	struct efi_info info;

	efi_machine();
	efi.map.count = 0;
	expect_load();
	bp = (const void *)(sim + sim_plan.rsi);
	EXPECT_MEMEQ(none, &bp->efi_info, 32);
	efi_machine();
	efi.is_64bit = false;
	expect_load();
	bp = (const void *)(sim + sim_plan.rsi);
	EXPECT_MEMEQ("EL32", &bp->efi_info.efi_loader_signature, 4);
	/* As many descriptors as there can be: all of them arrive, or none. */
	for (u32 count = EFI_MAP_MAX - 8; count <= EFI_MAP_MAX; count++) {
		efi_machine();
		efi.map.desc_size = EFI_DESC_SIZE_MAX;
		for (u32 i = 5; i < count; i++)
			efi.map.d[i] = (struct efi_descriptor){
				EFI_RUNTIME_SERVICES_DATA, 0, 0x100000000 + i * 0x2000ull, 0, 1, 0xf
			};
		efi.map.count = count;
		expect_load();
		bp = (const void *)(sim + sim_plan.rsi);
		info = bp->efi_info;
		if (info.efi_memmap_size != 0)
			EXPECT_EQ(EFI_RUNTIME_SERVICES_DATA,
				  type_seen_at(&info, 0x100000000 + (count - 1) * 0x2000ull));
		EXPECT_EQ(count <= EFI_MAP_MAX - 4, info.efi_memmap_size != 0);
	}
}

TEST_MAIN(TEST(test_linux_is_told_of_efi), TEST(test_boot_services_memory_is_the_last_choice),
	  TEST(test_no_efi_information_without_a_map))
