/* SPDX-License-Identifier: BSD-2-Clause */
/* Owned port ranges: no overlap, bitmap and lookup agree, every byte of an access goes to its
 * owner. */
#include "tests/host/harness.h"

#include "core/surface/pio.h"
#include "tests/host/fakes/paged.h"

static u8 device[65536];
static u32 calls;

/* Reads and writes device[], and insists on staying inside its row. */
static void device_access(struct vp *vp, u16 port, u32 size, bool write, u32 *val)
{
	const struct pio_row *row = pio_lookup(&vp->partition->pio, port);

	calls++;
	EXPECT_TRUE(row != NULL && port >= row->first && port + size - 1 <= row->last);
	if (write)
		memcpy(device + port, val, size);
	else
		memcpy(val, device + port, size);
}

static struct pio_row row(u16 first, u16 last)
{
	return (struct pio_row){ first, last, device_access, "device" };
}

static void test_pio_add_refuses_overlaps(void)
{
	struct pio_table t = { 0 };
	struct pio_row r = row(0x60, 0x64);

	EXPECT_EQ(ERR_NONE, pio_add(&t, &r));
	for (u32 first = 0x58; first < 0x70; first++) {
		for (u32 last = first; last < 0x70; last++) {
			struct pio_table copy = t;
			struct pio_row other = row((u16)first, (u16)last);
			bool overlaps = first <= 0x64 && last >= 0x60;

			EXPECT_EQ(overlaps ? ERR_BUSY : ERR_NONE, pio_add(&copy, &other));
		}
	}
	r = row(5, 4);
	EXPECT_EQ(ERR_INVAL, pio_add(&t, &r));
	r = (struct pio_row){ 1, 1, NULL, "none" };
	EXPECT_EQ(ERR_INVAL, pio_add(&t, &r));
	for (u32 i = t.count; i < PIO_ROWS_MAX; i++) {
		r = row((u16)(0x1000 + i), (u16)(0x1000 + i));
		EXPECT_EQ(ERR_NONE, pio_add(&t, &r));
	}
	r = row(0x2000, 0x2000);
	EXPECT_EQ(ERR_NOMEM, pio_add(&t, &r));
}

static void test_pio_bitmap_agrees_with_lookup(void)
{
	static u8 bitmap[PIO_BITMAP_BYTES];
	struct pio_table t = { 0 };
	struct pio_row rows[] = { row(0, 0), row(0x60, 0x60), row(0x2f8, 0x2ff),
				  row(0x7fff, 0x8001), row(0xffff, 0xffff) };

	for (u32 i = 0; i < ARRAY_SIZE(rows); i++)
		EXPECT_EQ(ERR_NONE, pio_add(&t, &rows[i]));
	memset(bitmap, 0x5a, sizeof(bitmap));
	pio_bitmap_build(&t, bitmap);
	for (u32 port = 0; port < 65536; port++)
		EXPECT_EQ(pio_lookup(&t, (u16)port) != NULL, bitmap[port / 8] >> (port % 8) & 1);
	for (u32 port = 0; port < 32768; port++)
		EXPECT_EQ(pio_lookup(&t, (u16)port) != NULL,
			  bitmap[8192 + port / 8] >> (port % 8) & 1);
}

static void test_watched_rows_are_in_a_bitmap_of_their_own(void)
{
	static u8 bitmap[PIO_BITMAP_BYTES];
	struct pio_table t = { 0 };
	struct pio_row own = row(0x60, 0x60), watched = row(0x20, 0x20);

	EXPECT_EQ(ERR_NONE, pio_add(&t, &own));
	EXPECT_EQ(ERR_NONE, pio_add_watched(&t, &watched));
	pio_bitmap_build(&t, bitmap);
	EXPECT_EQ(0, bitmap[0x20 / 8]);
	EXPECT_EQ(1, bitmap[0x60 / 8]);
	EXPECT_EQ(1, bitmap[8192 + 0x20 / 8]);
	EXPECT_EQ(1, bitmap[8192 + 0x60 / 8]);
}

static u32 hw_in(u16 port, u32 size)
{
	u32 val = 0;

	for (u32 i = 0; i < size; i++)
		val |= (u32)(u8)(0x80 + port + i) << (8 * i);
	return val;
}

static u8 hw_bytes[65536];

static void hw_out(u16 port, u32 size, u32 val)
{
	for (u32 i = 0; i < size; i++)
		hw_bytes[(u16)(port + i)] = (u8)(val >> (8 * i));
}

/* Byte by byte: owned ports by the device, the others by hardware, never both. */
static void test_pio_access_splits_at_the_edges(void)
{
	static const u32 sizes[] = { 1, 2, 4 };
	struct pio_table *t = &the_partition.pio;
	struct pio_row rows[] = { row(0x92, 0x92), row(0x94, 0x95), row(0xffff, 0xffff),
				  row(0, 1) };

	paged_reset(EMUL_64);
	for (u32 i = 0; i < ARRAY_SIZE(rows); i++)
		EXPECT_EQ(ERR_NONE, pio_add(t, &rows[i]));
	fake.io_in = hw_in;
	fake.io_out = hw_out;
	for (u32 i = 0; i < 65536; i++)
		device[i] = (u8)i;
	for (u32 port = 0xfff8; port != 0x100a0; port = port == 0xffff ? 0x10080 : port + 1) {
		for (u32 s = 0; s < ARRAY_SIZE(sizes); s++) {
			u32 val = 0, out = 0xa1b2c3d4;

			pio_access(&paged_vp, (u16)port, sizes[s], false, &val);
			memset(hw_bytes, 0, sizeof(hw_bytes));
			pio_access(&paged_vp, (u16)port, sizes[s], true, &out);
			for (u32 i = 0; i < sizes[s]; i++) {
				u16 at = (u16)(port + i);
				bool owned = pio_lookup(t, at) != NULL;
				u8 want = owned ? (u8)at : (u8)(0x80 + at);
				u8 sent = (u8)(0xa1b2c3d4 >> (8 * i));

				EXPECT_EQ(want, (val >> (8 * i)) & 0xff);
				EXPECT_EQ(sent, owned ? device[at] : hw_bytes[at]);
				if (owned) {
					EXPECT_EQ(0, hw_bytes[at]);
					device[at] = (u8)at;
				}
			}
			if (sizes[s] < 4)
				EXPECT_EQ(0, val >> (8 * sizes[s]));
		}
	}
}

/* An access that lies in one owner stays whole. */
static void test_pio_access_keeps_whole_accesses(void)
{
	struct pio_row r = row(0x604, 0x607);
	u32 val = 0x12345678;

	paged_reset(EMUL_64);
	EXPECT_EQ(ERR_NONE, pio_add(&the_partition.pio, &r));
	calls = 0;
	pio_access(&paged_vp, 0x604, 4, true, &val);
	EXPECT_EQ(1, calls);
	EXPECT_EQ(0, fake.io_count);
	pio_access(&paged_vp, 0x700, 4, true, &val);
	EXPECT_EQ(1, fake.io_count);
	EXPECT_EQ(4, fake.io[0].size);
}

/* Behind the last port comes the first: no access of the machine goes over that edge. */
static void test_pio_access_wraps_between_pieces(void)
{
	u32 val = 0x44332211;

	paged_reset(EMUL_64);
	pio_access(&paged_vp, 0xfffe, 4, true, &val);
	EXPECT_EQ(2, fake.io_count);
	EXPECT_EQ(0xfffe, fake.io[0].port);
	EXPECT_EQ(2, fake.io[0].size);
	EXPECT_EQ(0x2211, fake.io[0].val);
	EXPECT_EQ(0, fake.io[1].port);
	EXPECT_EQ(0x4433, fake.io[1].val);
}

TEST_MAIN(TEST(test_pio_access_wraps_between_pieces), TEST(test_pio_add_refuses_overlaps),
	  TEST(test_pio_bitmap_agrees_with_lookup),
	  TEST(test_watched_rows_are_in_a_bitmap_of_their_own),
	  TEST(test_pio_access_splits_at_the_edges), TEST(test_pio_access_keeps_whole_accesses))
