/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * MSR registry, RDMSR and WRMSR exits, and the MSR bitmap derived from the rows.
 * Context: registration on the boot CPU; accesses on the VP's own CPU, root mode.
 */
#include "core/surface/msr.h"

#include "arch/x86/defs/msr.h"
#include "core/diag/log.h"
#include "core/hw.h"
#include "core/lib/bits.h"
#include "core/lib/string.h"
#include "core/surface/msr_internal.h"
#include "core/vp/vp.h"

/* There is one partition; a partition without a table starts it afresh. */
static struct msr_table the_msr_table;

static enum msr_result unknown_read(struct vp *vp, u32 msr, u64 *val);
static enum msr_result unknown_write(struct vp *vp, u32 msr, u64 val);
static enum msr_result flags_read(struct vp *vp, u32 msr, u64 *val);
static enum msr_result flags_write(struct vp *vp, u32 msr, u64 val);

static struct msr_table *table_of(struct partition *p)
{
	if (p->msr == NULL) {
		memset(&the_msr_table, 0, sizeof(the_msr_table));
		for (u32 i = 0; i < MSR_INDEX_SLOTS; i++) {
			the_msr_table.slot[i].msr = MSR_NONE;
			the_msr_table.slot[i].read = unknown_read;
			the_msr_table.slot[i].write = unknown_write;
		}
		p->msr = &the_msr_table;
	}
	return p->msr;
}

err_t msr_add_rows(struct partition *p, const struct msr_row *rows, u32 n)
{
	struct msr_table *t = table_of(p);

	if (t->sealed)
		return ERR_BUSY;
	for (u32 i = 0; i < n; i++) {
		if (rows[i].last < rows[i].first || rows[i].last == MSR_NONE)
			return ERR_INVAL;
		if (t->count == MSR_ROWS_MAX)
			return ERR_NOMEM;
		t->row[t->count++] = &rows[i];
	}
	return ERR_NONE;
}

static err_t index_add(struct msr_table *t, u32 msr, u32 nr)
{
	const struct msr_row *row = t->row[nr];
	u32 i = msr_hash(msr);

	if (t->used == MSR_INDEX_MAX)
		return ERR_NOMEM;
	while (t->slot[i].row != 0) {
		if (t->slot[i].msr == msr) {
			log_error("MSR 0x%x is claimed by %s and by %s", msr,
				  t->row[t->slot[i].row - 1]->name, row->name);
			return ERR_BUSY;
		}
		i = (i + 1) % MSR_INDEX_SLOTS;
	}
	t->slot[i] = (struct msr_slot){
		.msr = msr,
		.row = nr + 1,
		.read = row->read != NULL ? row->read : flags_read,
		.write = row->write != NULL ? row->write : flags_write,
		.rsvdz = row->rsvdz,
	};
	t->used++;
	return ERR_NONE;
}

err_t msr_seal(struct partition *p)
{
	struct msr_table *t = table_of(p);

	if (t->sealed)
		return ERR_BUSY;
	for (u32 i = 0; i < t->count; i++) {
		const struct msr_row *row = t->row[i];

		if (row->present != NULL && !row->present(p))
			continue;
		for (u32 msr = row->first; msr <= row->last; msr++)
			TRY(index_add(t, msr, i));
	}
	t->sealed = true;
	return ERR_NONE;
}

const struct msr_row *msr_lookup(const struct partition *p, u32 msr)
{
	const struct msr_slot *s;

	if (p->msr == NULL)
		return NULL;
	s = msr_slot_of(p->msr, msr);
	return s->row != 0 ? p->msr->row[s->row - 1] : NULL;
}

/* --- Rows without a function: the flags decide. --- */

/* The index sent @msr here, so it has a row. */
static const struct msr_row *indexed_row(const struct vp *vp, u32 msr)
{
	const struct msr_table *t = vp->partition->msr;

	return t->row[msr_slot_of(t, msr)->row - 1];
}

static enum msr_result flags_read(struct vp *vp, u32 msr, u64 *val)
{
	const struct msr_row *row = indexed_row(vp, msr);
	u64 host;

	if (row->flags & MSR_CONST) {
		*val = row->value;
		return MSR_OK;
	}
	if (!(row->flags & (MSR_HOST_READ | MSR_PASS_READ)) ||
	    hw_rdmsr_safe(msr, &host) != ERR_NONE)
		return MSR_GP;
	*val = (row->flags & MSR_HOST_READ) ? (host & row->keep) | row->value : host;
	return MSR_OK;
}

static enum msr_result flags_write(struct vp *vp, u32 msr, u64 val)
{
	const struct msr_row *row = indexed_row(vp, msr);

	if (row->flags & MSR_WRITE_IGNORED)
		return MSR_OK;
	if (!(row->flags & MSR_PASS_WRITE) || hw_wrmsr_safe(msr, val) != ERR_NONE)
		return MSR_GP;
	return MSR_OK;
}

/* option ignore_msrs: what has no row reads 0 and swallows writes. Else it is #GP, as on a CPU. */
static enum msr_result unknown_msr(struct vp *vp, u32 msr, const char *what)
{
	const struct config *c = &vp->partition->config;

	TRACE(vp, MSR_UNKNOWN, msr, what[0] == 'w', 0);
	if (!c->ignore_msrs) {
		log_guest("vp%u: %s of unknown MSR 0x%x: #GP", vp->index, what, msr);
		return MSR_GP;
	}
	COUNT(vp, MSR_IGNORED);
	if (c->report_ignored_msrs)
		log_guest("vp%u: %s of unknown MSR 0x%x ignored", vp->index, what, msr);
	return MSR_OK;
}

static enum msr_result unknown_read(struct vp *vp, u32 msr, u64 *val)
{
	if (unknown_msr(vp, msr, "read") != MSR_OK)
		return MSR_GP;
	*val = 0;
	return MSR_OK;
}

static enum msr_result unknown_write(struct vp *vp, u32 msr, u64 val)
{
	return unknown_msr(vp, msr, "write");
}

/* --- Accesses --- */

/* Not through vp->partition->msr: it is &the_msr_table, and the exit path counts its loads. */
enum msr_result msr_read(struct vp *vp, u32 msr, u64 *val)
{
	return msr_slot_of(&the_msr_table, msr)->read(vp, msr, val);
}

static inline enum msr_result do_write(struct vp *vp, u32 msr, u64 val)
{
	const struct msr_slot *s = msr_slot_of(&the_msr_table, msr);

	if (unlikely((val & s->rsvdz) != 0))
		return MSR_GP;
	return s->write(vp, msr, val);
}

enum msr_result msr_write(struct vp *vp, u32 msr, u64 val)
{
	return do_write(vp, msr, val);
}

/*
 * The one conversion from an MSR's answer to the dispatcher's: no instruction, so that exit_wrmsr()
 * is a jump to the row's function.
 */
static inline enum exit_action msr_action(enum msr_result r)
{
	static_assert((u32)MSR_OK == (u32)EXIT_NEXT, "the instruction retires");
	static_assert((u32)MSR_GP == (u32)EXIT_MSR_FAULT, "the dispatcher queues #GP(0)");
	return (enum exit_action)r;
}

/*
 * The result goes straight to the register image: a local whose address is passed would cost the
 * exit path a stack-protector check. Functions write it only on success.
 */
enum exit_action exit_rdmsr(struct vp *vp, const struct exit_info *x)
{
	enum msr_result r = msr_read(vp, (u32)vp->regs.rcx, &vp->regs.rax);

	if (likely(r == MSR_OK))
		split_rax(&vp->regs);
	return msr_action(r);
}

enum exit_action exit_wrmsr(struct vp *vp, const struct exit_info *x)
{
	return msr_action(do_write(vp, (u32)vp->regs.rcx, edx_eax(&vp->regs)));
}

/*
 * SDM "MSR-Bitmap Address": four 1-KiB parts: read low, read high, write low, write high.
 */
#define BITMAP_HIGH  1024u
#define BITMAP_WRITE 2048u

/* Byte of the read part, -1 when the bitmap does not cover @msr. */
static s32 bitmap_byte(u32 msr)
{
	if (msr <= MSR_BITMAP_LOW_LAST)
		return (s32)(msr / 8);
	if (msr >= MSR_BITMAP_HIGH_FIRST && msr <= MSR_BITMAP_HIGH_LAST)
		return (s32)(BITMAP_HIGH + (msr - MSR_BITMAP_HIGH_FIRST) / 8);
	return -1;
}

static void bitmap_set(u8 *byte, u32 bit, bool on)
{
	*byte = (u8)(on ? *byte | BIT32(bit) : *byte & ~BIT32(bit));
}

void msr_bitmap_intercept(u8 bitmap[4096], u32 msr, bool read, bool write)
{
	s32 at = bitmap_byte(msr);

	if (at < 0)
		return;
	bitmap_set(&bitmap[at], msr % 8, read);
	bitmap_set(&bitmap[BITMAP_WRITE + (u32)at], msr % 8, write);
}

void msr_bitmap_build(const struct partition *p, u8 bitmap[4096])
{
	const struct msr_table *t = p->msr;

	memset(bitmap, 0xff, 4096);
	for (u32 i = 0; i < MSR_INDEX_SLOTS; i++) {
		const struct msr_slot *s = &t->slot[i];
		u32 flags;

		if (s->row == 0)
			continue;
		flags = t->row[s->row - 1]->flags;
		msr_bitmap_intercept(bitmap, s->msr, !(flags & MSR_PASS_READ),
				     !(flags & MSR_PASS_WRITE));
	}
}
