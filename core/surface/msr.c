/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * MSR registry, RDMSR and WRMSR exits, and the MSR bitmap derived from the rows.
 * Context: registration on the boot CPU; accesses on the VP's own CPU, root mode.
 */
#include "core/surface/msr.h"

#include "arch/x86/defs/msr.h"
#include "arch/x86/defs/vmcs.h"
#include "core/diag/log.h"
#include "core/hw.h"
#include "core/lib/bits.h"
#include "core/lib/string.h"
#include "core/surface/msr_internal.h"
#include "core/vp/vp.h"

/* There is one partition. A partition without a table (tests) starts afresh. */
static struct msr_table the_msr_table;
struct msr_values msr_values;

static enum msr_result unknown_read(struct vp *vp, u32 msr, u64 *val);
static enum msr_result unknown_write(struct vp *vp, u32 msr, u64 val);
static enum msr_result value_read(struct vp *vp, u32 msr, u64 *val);
static enum msr_result flags_read(struct vp *vp, u32 msr, u64 *val);
static enum msr_result flags_write(struct vp *vp, u32 msr, u64 val);

static struct msr_table *table_of(struct partition *p)
{
	if (p->msr == NULL) {
		memset(&the_msr_table, 0, sizeof(the_msr_table));
		for (u32 i = 0; i < MSR_INDEX_SLOTS; i++) {
			the_msr_table.msr[i] = MSR_NONE;
			the_msr_table.read[i] = unknown_read;
			the_msr_table.write[i] = unknown_write;
			msr_values.msr[i] = msr_hash(0) == i ? 1 : 0;
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

static msr_read_fn read_of(const struct msr_row *row)
{
	if (row->get != NULL)
		return value_read;
	return row->read != NULL ? row->read : flags_read;
}

static err_t index_add(struct msr_table *t, u32 msr, u32 nr)
{
	const struct msr_row *row = t->row[nr];
	size_t i = msr_hash(msr);

	if (t->used == MSR_INDEX_MAX)
		return ERR_NOMEM;
	while (t->row_of[i] != 0) {
		if (t->msr[i] == msr) {
			log_error("MSR 0x%x is claimed by %s and by %s", msr,
				  t->row[t->row_of[i] - 1]->name, row->name);
			return ERR_BUSY;
		}
		i = (i + 1) % MSR_INDEX_SLOTS;
	}
	t->msr[i] = msr;
	t->row_of[i] = (u16)(nr + 1);
	t->read[i] = read_of(row);
	t->write[i] = row->write != NULL ? row->write : flags_write;
	t->rsvdz[i] = row->rsvdz;
	if (row->get != NULL && i == msr_hash(msr)) {
		msr_values.msr[i] = msr;
		msr_values.value[i] = row->get;
	}
	t->used++;
	return ERR_NONE;
}

/* The rows with .get, or the others. */
static err_t index_rows(const struct partition *p, struct msr_table *t, bool with_get)
{
	for (u32 i = 0; i < t->count; i++) {
		const struct msr_row *row = t->row[i];

		if ((row->get != NULL) != with_get || (row->present != NULL && !row->present(p)))
			continue;
		for (u32 msr = row->first; msr <= row->last; msr++)
			TRY(index_add(t, msr, i));
	}
	return ERR_NONE;
}

err_t msr_seal(struct partition *p)
{
	struct msr_table *t = table_of(p);

	if (t->sealed)
		return ERR_BUSY;
	TRY(index_rows(p, t, true)); /* first, so that their slots are free */
	TRY(index_rows(p, t, false));
	t->sealed = true;
	return ERR_NONE;
}

const struct msr_row *msr_lookup(const struct partition *p, u32 msr)
{
	u32 row;

	if (p->msr == NULL)
		return NULL;
	row = p->msr->row_of[msr_slot_of(p->msr, msr)];
	return row != 0 ? p->msr->row[row - 1] : NULL;
}

/* --- Rows with .get, and rows without a function: there the flags decide. --- */

/* Called through the index, so @msr has a row. */
static const struct msr_row *indexed_row(const struct vp *vp, u32 msr)
{
	const struct msr_table *t = vp->partition->msr;

	return t->row[t->row_of[msr_slot_of(t, msr)] - 1];
}

static enum msr_result value_read(struct vp *vp, u32 msr, u64 *val)
{
	*val = indexed_row(vp, msr)->get(vp);
	return MSR_OK;
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

/* ignore_msrs=on: an MSR without a row reads 0 and drops writes. Else #GP, as on a CPU. */
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

/*
 * SPEED(msr-table): not through vp->partition->msr, which is &the_msr_table.
 * SPEED(msr-columns): every slot of the index has functions, see msr_internal.h.
 */
enum msr_result msr_read(struct vp *vp, u32 msr, u64 *val)
{
	return the_msr_table.read[msr_slot_of(&the_msr_table, msr)](vp, msr, val);
}

static inline enum msr_result do_write(struct vp *vp, u32 msr, u64 val)
{
	size_t s = msr_slot_of(&the_msr_table, msr);

	if (unlikely((val & the_msr_table.rsvdz[s]) != 0))
		return MSR_GP;
	return the_msr_table.write[s](vp, msr, val);
}

enum msr_result msr_write(struct vp *vp, u32 msr, u64 val)
{
	return do_write(vp, msr, val);
}

/* The one conversion of msr_result to exit_action. */
static inline enum exit_action msr_action(enum msr_result r)
{
	return unlikely(r != MSR_OK) ? EXIT_MSR_FAULT : EXIT_NEXT;
}

/*
 * SPEED(rdmsr-in-place): read straight into the register image, for a local's address costs a check
 * of the stack protector. Safe, as row functions write *val on success only.
 */
enum exit_action exit_rdmsr(struct vp *vp, const struct exit_info *x)
{
	enum msr_result r = msr_read(vp, vp->regs.half[2], &vp->regs.rax);

	if (likely(r == MSR_OK))
		split_rax(&vp->regs);
	return msr_action(r);
}

enum exit_action exit_wrmsr(struct vp *vp, const struct exit_info *x)
{
	return msr_action(do_write(vp, vp->regs.half[2], edx_eax(&vp->regs)));
}

void msr_log_refused_write(struct vp *vp)
{
	u32 msr = vp->regs.half[2];
	const struct msr_row *row = msr_lookup(vp->partition, msr);

	if (row != NULL)
		log_guest("vp%u: write of 0x%llx to %s (MSR 0x%x) at RIP 0x%llx: #GP", vp->index,
			  edx_eax(&vp->regs), row->name, msr, hw_vmread(VMCS_GUEST_RIP));
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
		u32 flags;

		if (t->row_of[i] == 0)
			continue;
		flags = t->row[t->row_of[i] - 1]->flags;
		msr_bitmap_intercept(bitmap, t->msr[i], !(flags & MSR_PASS_READ),
				     !(flags & MSR_PASS_WRITE));
	}
}
