/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a boot loader does with the BIOS, as a boot sector on the first disk, under Kensho
 * (guest=disk0) and on the bare machine. TAP on COM1; lines `# e820`, `# e801`, `# 88` and `#
 * int12` are compared between the two by tests/run/disk.py.
 */
#include "tests/guest/disk/disk.h"

#define PATTERN_LBA 2048u /* the first sector of the pattern; as in tests/run/disk.py */
#define SMAP        0x534d4150u
#define FLAG_CF     0x001u
#define FLAG_IF     0x200u
#define FLAGS_CALL  0xad6u /* SF, ZF, AF, PF, OF and IF; bit 1 is always set */
#define FLAGS_DF    0x400u

#define MAP_MAX 128u

static struct e820 {
	u32 base_lo, base_hi, len_lo, len_hi, type, attributes;
} map[MAP_MAX];
static u32 map_count;
static bool is_kensho;

static u8 sector[512], other[512];

#define BDA_TICKS      (*(volatile u32 *)0x46c)
#define BDA_MEMORY     (*(volatile u16 *)0x413)
#define BDA_SHIFT      (*(volatile u8 *)0x417)
#define BDA_MODE       (*(volatile u8 *)0x449)
#define STRANGE(n)     (0x11110000u * (n) | 0x5a5au)
#define KIB_OF(lo, hi) ((lo) >> 10 | (hi) << 22)

/* Registers that no memory call takes or returns, with values that show a change. */
static struct bios_regs regs_for(u32 eax)
{
	return (struct bios_regs){
		.eax = eax,
		.ebx = STRANGE(2),
		.ecx = STRANGE(3),
		.edx = STRANGE(4),
		.esi = STRANGE(5),
		.edi = STRANGE(6),
		.ebp = STRANGE(7),
		.flags = FLAGS_CALL,
	};
}

/* @answer: EAX 1, EBX 2, ECX 4, EDX 8. */
static void expect_kept(const struct bios_regs *want, const struct bios_regs *r, u32 answer)
{
	if (!(answer & 1))
		EXPECT(r->eax == want->eax);
	if (!(answer & 2))
		EXPECT(r->ebx == want->ebx);
	if (!(answer & 4))
		EXPECT(r->ecx == want->ecx);
	if (!(answer & 8))
		EXPECT(r->edx == want->edx);
	EXPECT(r->esi == want->esi);
	EXPECT(r->edi == want->edi);
	EXPECT(r->ebp == want->ebp);
	EXPECT(r->ds == want->ds);
	EXPECT(r->es == want->es);
	EXPECT((r->flags & (FLAG_IF | FLAGS_DF)) == (want->flags & (FLAG_IF | FLAGS_DF)));
}

typedef void (*call_fn)(u32 number, struct bios_regs *r);

/* One entry into @e; the index of the next, 0: it was the last, ~0: an error. */
static u32 query(call_fn call, u32 index, u32 size, struct e820 *e)
{
	struct bios_regs r = regs_for(0xe820), before;

	r.ebx = index;
	r.ecx = size;
	r.edx = SMAP;
	r.edi = (u32)e;
	r.flags = FLAGS_CALL | FLAG_CF | (is_kensho ? FLAGS_DF : 0);
	if (call == v86_call)
		r.flags &= ~FLAG_IF;
	before = r;
	call(0x15, &r);
	if (r.flags & FLAG_CF)
		return ~0u;
	EXPECT(r.eax == SMAP);
	if (is_kensho) {
		expect_kept(&before, &r, 1 | 2 | 4);
		EXPECT((r.flags & ~FLAG_CF & 0xfff) == (before.flags & ~FLAG_CF & 0xfff));
		EXPECT(r.ecx == (size >= 24 ? 24u : 20u));
	}
	return r.ebx;
}

/* The map again, entry by entry equal to the first time. */
static void same_map(call_fn call, u32 size)
{
	struct e820 e;
	u32 index = 0;

	for (u32 i = 0; i < map_count; i++) {
		e.attributes = 0xcccccccc;
		index = query(call, index, size, &e);
		EXPECT(e.base_lo == map[i].base_lo && e.base_hi == map[i].base_hi);
		EXPECT(e.len_lo == map[i].len_lo && e.len_hi == map[i].len_hi);
		EXPECT(e.type == map[i].type);
		if (is_kensho)
			EXPECT(e.attributes == (size >= 24 ? 1 : 0xcccccccc));
		EXPECT((index == 0) == (i + 1 == map_count));
	}
}

static void e820_20(void)
{
	u32 index = 0;

	do {
		struct e820 *e = &map[map_count];

		index = query(bios_call, index, 20, e);
		if (index == ~0u)
			break;
		map_count++;
		print("# e820 ");
		print_hex64(e->base_hi, e->base_lo);
		print(" ");
		print_hex64(e->len_hi, e->len_lo);
		print(" ");
		print_number(e->type);
		print("\n");
	} while (index != 0 && map_count < MAP_MAX);
	EXPECT(index == 0);
	EXPECT(map_count > 2);
}

static void e820_24(void)
{
	same_map(bios_call, 24);
	same_map(bios_call, 64);
}

static void e820_refused(void)
{
	struct e820 e;

	if (!is_kensho)
		return test_skip("each BIOS answers in its own way");
	EXPECT(query(bios_call, 0, 19, &e) == ~0u);
	EXPECT(query(bios_call, map_count, 20, &e) == ~0u);
	EXPECT(query(bios_call, 0x10000, 20, &e) == ~0u);
}

static void e820_v86(void)
{
	same_map(v86_call, 20);
	same_map(v86_call, 24);
}

/* Every KiB of [from, from + kib) is RAM in the map. */
static bool is_ram(u32 from_kib, u32 kib)
{
	u32 end = from_kib + kib;

	for (u32 i = 0; i < map_count && from_kib < end; i++) {
		const struct e820 *e = &map[i];
		u32 base = KIB_OF(e->base_lo, e->base_hi);
		u32 len = KIB_OF(e->len_lo, e->len_hi);

		if (e->type == 1 && base <= from_kib && from_kib < base + len)
			from_kib = base + len;
	}
	return from_kib >= end;
}

static void e801(void)
{
	struct bios_regs r = regs_for(0xe801), before = r;

	bios_call(0x15, &r);
	EXPECT(!(r.flags & FLAG_CF));
	expect_kept(&before, &r, 1 | 2 | 4 | 8);
	EXPECT((u16)r.eax == (u16)r.ecx && (u16)r.ebx == (u16)r.edx);
	print_answer("e801", (u16)r.eax, (u16)r.ebx);
	if (is_kensho) {
		EXPECT(is_ram(1024, (u16)r.eax));
		EXPECT(is_ram(16384, (u16)r.ebx * 64u));
	}
	r = regs_for(0xe801);
	r.flags &= ~FLAG_IF;
	v86_call(0x15, &r);
	print_answer("e801", (u16)r.ecx, (u16)r.edx);
}

static void extended_memory(void)
{
	struct bios_regs r = regs_for(0x8800), before = r;

	bios_call(0x15, &r);
	EXPECT(!(r.flags & FLAG_CF));
	expect_kept(&before, &r, 1);
	print_answer("88", (u16)r.eax, 0);
	if (is_kensho)
		EXPECT(is_ram(1024, (u16)r.eax));
}

static void other_maps(void)
{
	static const u16 functions[] = { 0xe881, 0xda88, 0x8a00, 0xc700 };

	for (u32 i = 0; i < 4; i++) {
		struct bios_regs r = regs_for(functions[i]);

		bios_call(0x15, &r);
		EXPECT(r.flags & FLAG_CF);
		EXPECT((r.eax >> 8 & 0xff) == 0x86);
	}
}

/* Programs find the end of conventional memory in three ways, and nothing above it is RAM. */
static void conventional_memory(void)
{
	struct bios_regs r = regs_for(0), before = r;

	bios_call(0x12, &r);
	expect_kept(&before, &r, 1);
	print_answer("int12", (u16)r.eax, 0);
	EXPECT((u16)r.eax == BDA_MEMORY);
	if (!is_kensho)
		return; /* Bochs' BIOS reserves 3 KiB of it */
	EXPECT(is_ram(0, (u16)r.eax));
	EXPECT(!is_ram((u16)r.eax, 4));
}

/* SeaBIOS finds none in Bochs: then INT 10h does nothing. */
static bool has_video_bios(void)
{
	struct bios_regs r = regs_for(0x0f5a);

	bios_call(0x10, &r);
	return (u16)r.eax != 0x0f5a;
}

/* Bochs' BIOS starts a disk with interrupts off, and without the PnP structure that it has. */
static void entry(void)
{
	u32 pnp = at_entry.es * 16u + at_entry.di;

	EXPECT((at_entry.edx & 0xff) == 0x80);
	EXPECT(at_entry.cs == 0);
	EXPECT(!(at_entry.flags & FLAGS_DF));
	EXPECT((at_entry.eax & 0xffff) == 0xaa55);
	EXPECT(BDA_MODE == 3 || !has_video_bios());
	if (!is_kensho)
		return;
	EXPECT(at_entry.flags & FLAG_IF);
	EXPECT(high_memory(0x200000, 0) == 0); /* FS reaches everything */
	EXPECT(read_high(pnp) == 0x506e5024);  /* "$PnP" */
}

/* By the packet of INT 13h function 42h. */
static bool read_lba(u32 lba, u8 *to)
{
	struct PACKED {
		u8 len, zero;
		u16 count, offset, segment;
		u32 lba_lo, lba_hi;
	} packet = { 16, 0, 1, (u16)(u32)to, 0, lba, 0 };
	struct bios_regs r = regs_for(0x4200);

	r.edx = 0x80;
	r.esi = (u32)&packet;
	bios_call(0x13, &r);
	return !(r.flags & FLAG_CF);
}

static bool read_chs(u32 lba, u8 *to)
{
	struct bios_regs g = regs_for(0x0800), r = regs_for(0x0201);
	u32 heads, sectors;

	g.edx = 0x80;
	g.edi = 0;
	bios_call(0x13, &g);
	if (g.flags & FLAG_CF)
		return false;
	heads = (g.edx >> 8 & 0xff) + 1;
	sectors = g.ecx & 0x3f;
	r.ebx = (u32)to;
	r.ecx = (lba / sectors / heads & 0xff) << 8 | (lba / sectors / heads >> 8 & 3) << 6 |
		(lba % sectors + 1);
	r.edx = (lba / sectors % heads) << 8 | 0x80;
	bios_call(0x13, &r);
	return !(r.flags & FLAG_CF);
}

static bool is_pattern(const u8 *s, u32 lba)
{
	for (u32 i = 0; i < 512; i += 4) {
		u32 want = lba * 0x01000193u + i;

		if (*(const u32 *)(const void *)&s[i] != want)
			return false;
	}
	return true;
}

static void disk_reads(void)
{
	for (u32 i = 0; i < 64; i++) {
		u32 lba = PATTERN_LBA + i * 37;

		EXPECT(read_lba(lba, sector));
		EXPECT(is_pattern(sector, lba));
		EXPECT(read_chs(lba, other));
		EXPECT(is_pattern(other, lba));
	}
}

/* IRQ 0 through the BIOS' handler wakes HLT, 18.2 times a second. */
static void ticks(void)
{
	u32 start = BDA_TICKS, wakes = 0;

	while (BDA_TICKS - start < 5 && wakes < 1000) {
		halt();
		wakes++;
	}
	EXPECT(BDA_TICKS - start >= 5);
	EXPECT(wakes < 50);
}

static void keyboard(void)
{
	struct bios_regs r = regs_for(0x0100);

	bios_call(0x16, &r);
	EXPECT(r.flags & 0x40); /* ZF: no key waits */
}

static void protected_mode(void)
{
	u32 before = BDA_TICKS;

	EXPECT(high_memory(0x200000, 0x12345678) == 0x12345678);
	EXPECT(high_memory(0x300004, ~0u) == ~0u);
	while (BDA_TICKS - before < 2) /* interrupts as before */
		halt();
}

/* The byte at 1 MiB + 0x500 is not the one at 0x500. */
static bool a20_is_on(void)
{
	high_memory(0x100500, 0x55aa1234);
	*(volatile u32 *)0x500 = 0xaa554321;
	return high_memory(0x100504, 0) == 0 && read_high(0x100500) == 0x55aa1234;
}

static void a20(void)
{
	struct bios_regs r = regs_for(0x2401);

	bios_call(0x15, &r);
	EXPECT(!(r.flags & FLAG_CF));
	EXPECT(a20_is_on());
	r = regs_for(0x2402);
	bios_call(0x15, &r);
	EXPECT(!(r.flags & FLAG_CF) && (u8)r.eax == 1);
	r = regs_for(0x2403);
	bios_call(0x15, &r);
	EXPECT(!(r.flags & FLAG_CF));
	if (!is_kensho)
		return;
	r = regs_for(0x2400); /* Kensho keeps it on */
	bios_call(0x15, &r);
	EXPECT(a20_is_on());
}

/* Block move by the BIOS, in its own protected mode. */
static void block_move(void)
{
	static u8 gdt[48] = {
		[16] = 0xff, 0xff, 0, 0, 0x20, 0x93, 0, 0, /* source 2 MiB */
		0xff,        0xff, 0, 0, 0,    0x93, 0, 0, /* destination: other[] */
	};
	struct bios_regs r = regs_for(0x8700);

	high_memory(0x200000, 0x600df00d);
	*(u32 *)(void *)other = 0;
	*(u16 *)(void *)&gdt[26] = (u16)(u32)other;
	r.ecx = 2;
	r.esi = (u32)gdt;
	bios_call(0x15, &r);
	EXPECT(!(r.flags & FLAG_CF) && (r.eax >> 8 & 0xff) == 0);
	EXPECT(*(u32 *)(void *)other == 0x600df00d);
}

static const struct test {
	const char *name;
	void (*run)(void);
} tests[] = {
	{ "disk_entry", entry },
	{ "disk_e820_20", e820_20 },
	{ "disk_e820_24", e820_24 },
	{ "disk_e820_refused", e820_refused },
	{ "disk_e820_v86", e820_v86 },
	{ "disk_e801", e801 },
	{ "disk_88", extended_memory },
	{ "disk_other_maps", other_maps },
	{ "disk_conventional_memory", conventional_memory },
	{ "disk_reads", disk_reads },
	{ "disk_ticks", ticks },
	{ "disk_keyboard", keyboard },
	{ "disk_protected_mode", protected_mode },
	{ "disk_a20", a20 },
	{ "disk_block_move", block_move },
	{ "disk_e820_again", e820_24 },
};

/* What the BIOS does with a key before it looks at it: Del, with Ctrl and Alt held. */
static void ctrl_alt_del(void)
{
	struct bios_regs r = regs_for(0x4f53);

	print("# Ctrl-Alt-Del\n");
	BDA_SHIFT = 0x0c;
	r.flags = FLAGS_CALL & ~FLAG_IF;
	bios_call(0x15, &r);
	print("not reset\n");
	halt();
}

void disk_main(void)
{
	const u32 count = sizeof(tests) / sizeof(tests[0]);

	com1_init();
	is_kensho = has_hypervisor();
	if (ends_by_reset)
		ctrl_alt_del();
	print("1..");
	print_number(count);
	print("\n");
	for (u32 i = 0; i < count; i++) {
		print("# run ");
		print(tests[i].name);
		print("\n");
		tests[i].run();
		test_end(i + 1, tests[i].name);
	}
	power_off();
}
