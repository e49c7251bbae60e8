/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Guest-linear to guest-physical translation in software. VP's CPU, with its VMCS current.
 *
 * Spec: SDM Vol. 3A, "Paging".
 *
 * SPEC-GAP: accessed and dirty flags are not set. The CPU has set them for the access that exited.
 * Missed is what else the instruction or event accesses: further operands, the memory of string I/O
 * to an owned port, descriptors, TSSs, frames. No guest pages those out.
 * SPEC-GAP: protection keys are not checked: PKRU is guest state that root mode does not read.
 * The CPU checks them on the access that exited.
 */
#include "core/mem/walk.h"

#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/paging.h"
#include "core/diag/log.h"
#include "core/diag/panic.h"
#include "core/hw.h"
#include "core/lib/string.h"
#include "core/mem/gpa.h"
#include "core/mem/gpa_internal.h"
#include "core/mem/overlay.h"
#include "core/mem/page_class.h"
#include "core/partition.h"
#include "core/vp/vp.h"

/* One translation. */
struct walk {
	const struct partition *p;
	u64 gva;
	u32 access;
	u64 cr0, cr4, efer;
	u64 rsvd;   /* bits that are reserved in every entry */
	u64 rights; /* AND of PTE_W and PTE_U over the levels */
	u64 nx;     /* OR of PTE_NX */
	struct walk_fault *fault;
	struct walk_path *path; /* NULL: not recorded */
};

static err_t fault_page(const struct walk *w, u32 code)
{
	if (w->access & WALK_WRITE)
		code |= PFEC_W;
	if (w->access & WALK_USER)
		code |= PFEC_U;
	/* I/D is reported only where the page tables can forbid a fetch. */
	if ((w->access & WALK_FETCH) &&
	    ((w->cr4 & CR4_SMEP) || ((w->cr4 & CR4_PAE) && (w->efer & EFER_NXE))))
		code |= PFEC_I;
	*w->fault = (struct walk_fault){ .page_fault = true, .code = code, .gva = w->gva };
	return ERR_FAULT;
}

/* A paging-structure entry cannot be read: @err says why. */
static err_t fault_outside(const struct walk *w, err_t err)
{
	if (err == ERR_AGAIN)
		return err;
	*w->fault = (struct walk_fault){ .page_fault = false, .gva = w->gva };
	return ERR_FAULT;
}

/* SDM "Determination of Access Rights": supervisor-mode data access to a user page. */
static bool smap_denies(const struct walk *w)
{
	if (!(w->cr4 & CR4_SMAP))
		return false;
	return (w->access & WALK_IMPLICIT_SUPERVISOR) ||
	       !(hw_vmread(VMCS_GUEST_RFLAGS) & RFLAGS_AC);
}

static bool rights_deny(const struct walk *w)
{
	if ((w->access & WALK_FETCH) && (w->nx & PTE_NX))
		return true;
	if (w->access & WALK_USER)
		return !(w->rights & PTE_U) || ((w->access & WALK_WRITE) && !(w->rights & PTE_W));
	if ((w->access & WALK_WRITE) && !(w->rights & PTE_W) && (w->cr0 & CR0_WP))
		return true;
	if (!(w->rights & PTE_U) || (w->access & WALK_EXEMPT))
		return false;
	return (w->access & WALK_FETCH) ? (w->cr4 & CR4_SMEP) != 0 : smap_denies(w);
}

/* @page: address of the page, @shift: its size. */
static err_t walk_leaf(const struct walk *w, u64 page, u32 shift, gpa_t *out)
{
	if (unlikely(rights_deny(w)))
		return fault_page(w, PFEC_P);
	*out = gpa(page | (w->gva & (BIT64(shift) - 1)));
	return ERR_NONE;
}

static inline err_t read_entry64(struct walk *w, u64 pa, u64 *entry)
{
	const u64 *slot = pin_ram(w->p, pa, sizeof(*slot));

	if (unlikely(slot == NULL)) {
		w->path = NULL;
		return gpa_read_any(w->p, gpa(pa), entry, sizeof(*entry));
	}
	*entry = READ_ONCE(*slot);
	if (w->path != NULL) {
		w->path->slot[w->path->count] = slot;
		w->path->entry[w->path->count++] = *entry;
	}
	return ERR_NONE;
}

/* 8-byte entries: 4- and 5-level paging, and the two lower levels of PAE. */
static err_t walk_tables(struct walk *w, u64 table, u32 level, gpa_t *out)
{
	u32 shift = PAGE_SHIFT + PT_INDEX_BITS * (level - 1);
	u64 entry;
	err_t err;

	for (;;) {
		u64 pa = table + ((w->gva >> shift) & (PT_ENTRIES - 1)) * sizeof(entry);

		err = read_entry64(w, pa, &entry);
		if (unlikely(err != ERR_NONE))
			return fault_outside(w, err);
		if (unlikely(!(entry & PTE_P)))
			return fault_page(w, 0);
		if (unlikely(entry & w->rsvd))
			return fault_page(w, PFEC_P | PFEC_RSVD);
		w->rights &= entry;
		w->nx |= entry;
		table = entry & PTE_ADDR;
		if (shift == PAGE_SHIFT)
			return walk_leaf(w, table, PAGE_SHIFT, out);
		if (entry & PTE_PS)
			break;
		shift -= PT_INDEX_BITS;
	}
	/* A large page: bit 12 is PAT, the other bits below its size are reserved. */
	if (shift > PAGE_SHIFT_1G || (table & (BIT64(shift) - 1) & ~PTE_PAT_LARGE))
		return fault_page(w, PFEC_P | PFEC_RSVD);
	return walk_leaf(w, table & ~(BIT64(shift) - 1), shift, out);
}

/* SDM "PAE Paging": the CPU walks its PDPTE registers, which the VMCS saves. */
static err_t walk_pae(struct walk *w, gpa_t *out)
{
	static const enum vmcs_field pdpte[4] = { VMCS_GUEST_PDPTE0, VMCS_GUEST_PDPTE1,
						  VMCS_GUEST_PDPTE2, VMCS_GUEST_PDPTE3 };
	u64 entry = hw_vmread(pdpte[w->gva >> PAGE_SHIFT_1G & 3]);

	if (!(entry & PTE_P))
		return fault_page(w, 0);
	w->rsvd |= GENMASK64(62, 52);
	return walk_tables(w, entry & PTE_ADDR, 2, out);
}

static err_t read_entry32(const struct walk *w, u64 pa, u32 *entry)
{
	err_t err = gpa_read_any(w->p, gpa(pa), entry, sizeof(*entry));

	return err != ERR_NONE ? fault_outside(w, err) : ERR_NONE;
}

/* SDM "32-Bit Paging", with PSE-36. */
static err_t walk_32(struct walk *w, u64 cr3, gpa_t *out)
{
	u64 pa = (cr3 & PDE32_ADDR) + (w->gva >> 22) * sizeof(u32);
	u32 entry;

	TRY(read_entry32(w, pa, &entry));
	if (!(entry & PTE_P))
		return fault_page(w, 0);
	w->rights &= entry;
	if ((entry & PTE_PS) && (w->cr4 & CR4_PSE)) {
		u64 page = (entry & PDE32_ADDR_4M) | (u64)(entry & PDE32_PSE36) << 19;

		if ((entry & BIT32(21)) || (page & w->rsvd))
			return fault_page(w, PFEC_P | PFEC_RSVD);
		return walk_leaf(w, page, 22, out);
	}

	pa = (entry & PDE32_ADDR) + (w->gva >> PAGE_SHIFT & 0x3ff) * sizeof(u32);
	TRY(read_entry32(w, pa, &entry));
	if (!(entry & PTE_P))
		return fault_page(w, 0);
	w->rights &= entry;
	return walk_leaf(w, entry & PDE32_ADDR, PAGE_SHIFT, out);
}

static err_t walk(struct walk *w, gpa_t *out)
{
	u64 cr3;

	w->cr0 = hw_vmread(VMCS_GUEST_CR0);
	if (!(w->cr0 & CR0_PG)) {
		*out = gpa((u32)w->gva);
		return ERR_NONE;
	}
	cr3 = hw_vmread(VMCS_GUEST_CR3);
	w->cr4 = hw_vmread(VMCS_GUEST_CR4);
	w->efer = hw_vmread(VMCS_GUEST_EFER);
	w->rights = PTE_W | PTE_U;
	w->rsvd = PTE_ADDR & (~0ull << w->p->machine.phys_bits);
	if (!(w->efer & EFER_NXE))
		w->rsvd |= PTE_NX;

	if (likely(w->efer & EFER_LMA)) {
		if (w->path != NULL)
			w->path->cr3 = cr3;
		return walk_tables(w, cr3 & CR3_ADDR, (w->cr4 & CR4_LA57) ? 5 : 4, out);
	}
	w->path = NULL;
	w->gva = (u32)w->gva;
	return (w->cr4 & CR4_PAE) ? walk_pae(w, out) : walk_32(w, cr3, out);
}

u32 walk_user(const struct vp *vp)
{
	return vp_cpl(vp) == 3 ? WALK_USER : 0;
}

err_t walk_gva(struct vp *vp, u64 gva, u32 access, gpa_t *out, struct walk_fault *fault)
{
	struct walk w = { .p = vp->partition, .gva = gva, .access = access, .fault = fault };

	return walk(&w, out);
}

static const u64 no_entry;

err_t walk_gva_path(struct vp *vp, u64 gva, u32 access, gpa_t *out, struct walk_fault *fault,
		    struct walk_path *path)
{
	struct walk w = {
		.p = vp->partition,
		.gva = gva,
		.access = access,
		.fault = fault,
		.path = path,
	};
	err_t err;

	path->count = 0;
	path->map = vp->flush_done;
	err = walk(&w, out);
	if (w.path == NULL)
		path->count = 0; /* the path is incomplete */
	for (u32 i = path->count; i < WALK_PATH_SLOTS; i++) {
		path->slot[i] = &no_entry;
		path->entry[i] = path->count == 0; /* nothing recorded: never matches */
	}
	return err;
}

/* The one or two pieces of [gva, gva+len) in guest-physical space. */
struct pieces {
	gpa_t gpa[2];
	u32 len[2];
};

static err_t translate_pieces(struct vp *vp, u64 gva, u32 access, u32 len, struct pieces *out,
			      struct walk_fault *fault)
{
	u32 first = umin32(len, (u32)(PAGE_SIZE - (gva & (PAGE_SIZE - 1))));

	ASSERT(len != 0 && len <= PAGE_SIZE);
	*out = (struct pieces){ .len = { first, len - first } };
	TRY(walk_gva(vp, gva, access, &out->gpa[0], fault));
	return len == first ? ERR_NONE : walk_gva(vp, gva + first, access, &out->gpa[1], fault);
}

static const struct page_class *class_at(const struct vp *vp, gpa_t at)
{
	u64 end;

	return &page_class[page_kind_at(vp->partition, at.v, &end)];
}

/* Not memory, and no device model that answers: drop the access, only count or report it. */
static void drop_piece(struct vp *vp, gpa_t at, bool write)
{
	const struct page_class *class = class_at(vp, at);

	if (class->backing != BACKING_ONES)
		log_guest("the operand of an emulated instruction lies in %s at 0x%llx: it reads "
			  "all-ones and ignores writes",
			  class->name, at.v);
	else if (write)
		COUNT(vp, REGION_WRITE_DROPPED);
}

static void read_foreign(struct vp *vp, gpa_t at, u8 *to, u32 len)
{
	const struct emul_mem *mem = emulated_at(vp->partition, at.v);

	if (mem != NULL)
		return emul_mem_read(vp, mem, at.v, to, len);
	drop_piece(vp, at, false);
	(void)memset(to, 0xff, len);
}

static void write_foreign(struct vp *vp, gpa_t at, const u8 *from, u32 len)
{
	const struct emul_mem *mem = emulated_at(vp->partition, at.v);

	if (mem != NULL)
		return emul_mem_write(vp, mem, at.v, from, len);
	drop_piece(vp, at, true);
}

err_t gva_read(struct vp *vp, u64 gva, u32 access, void *buf, u32 len, struct walk_fault *fault)
{
	struct pieces pc;
	u8 *to = buf;

	TRY(translate_pieces(vp, gva, access, len, &pc, fault));
	for (u32 i = 0; i < 2 && pc.len[i] != 0; to += pc.len[i++]) {
		err_t err = gpa_read_any(vp->partition, pc.gpa[i], to, pc.len[i]);

		if (err == ERR_AGAIN)
			return err;
		if (err != ERR_NONE)
			read_foreign(vp, pc.gpa[i], to, pc.len[i]);
	}
	return ERR_NONE;
}

static void unpin_pieces(struct vp *vp, const struct gpa_pin pin[2])
{
	for (u32 i = 0; i < 2; i++) {
		if (pin[i].mem != NULL)
			gpa_unpin(vp->partition, &pin[i]);
	}
}

/* A write to what is not memory: ERR_FAULT: the guest hears of it; success: it may be lost. */
static err_t check_class(struct vp *vp, gpa_t at, struct walk_fault *fault)
{
	const struct page_class *class = class_at(vp, at);

	if (overlay_forbids_write(vp->partition, at.v)) {
		*fault = (struct walk_fault){ .protected = true };
		return ERR_FAULT;
	}
	if (!page_write_stops(class))
		return ERR_NONE;
	log_error("an instruction writes to %s at 0x%llx, which no guest may write", class->name,
		  at.v);
	partition_stop(vp, "write to what no guest may write");
}

/* Pin both pages before the first byte is stored: a store that stops half-way cannot be
 * repeated. A piece that is not memory gets no pin. */
static err_t pin_pieces(struct vp *vp, const struct pieces *pc, enum gpa_use use,
			struct gpa_pin pin[2], struct walk_fault *fault)
{
	pin[0] = pin[1] = (struct gpa_pin){ 0 };
	for (u32 i = 0; i < 2 && pc->len[i] != 0; i++) {
		err_t err = gpa_pin(vp->partition, pc->gpa[i], pc->len[i], use, &pin[i]);

		if (err == ERR_FAULT &&
		    (use != GPA_WRITE || check_class(vp, pc->gpa[i], fault) == ERR_NONE))
			err = ERR_NONE;
		if (err != ERR_NONE) {
			unpin_pieces(vp, pin);
			return err;
		}
	}
	return ERR_NONE;
}

err_t gva_write(struct vp *vp, u64 gva, u32 access, const void *buf, u32 len,
		struct walk_fault *fault)
{
	struct gpa_pin pin[2];
	const u8 *from = buf;
	struct pieces pc;

	TRY(translate_pieces(vp, gva, access | WALK_WRITE, len, &pc, fault));
	TRY(pin_pieces(vp, &pc, GPA_WRITE, pin, fault));
	for (u32 i = 0; i < 2 && pc.len[i] != 0; from += pc.len[i++]) {
		if (pin[i].mem != NULL)
			(void)memcpy(pin[i].mem, from, pc.len[i]);
		else
			write_foreign(vp, pc.gpa[i], from, pc.len[i]);
	}
	unpin_pieces(vp, pin);
	return ERR_NONE;
}

err_t gva_check(struct vp *vp, u64 gva, u32 access, u32 len, struct walk_fault *fault)
{
	struct gpa_pin pin[2];
	struct pieces pc;

	TRY(translate_pieces(vp, gva, access, len, &pc, fault));
	TRY(pin_pieces(vp, &pc, (access & WALK_WRITE) ? GPA_WRITE : GPA_READ, pin, fault));
	unpin_pieces(vp, pin);
	return ERR_NONE;
}
