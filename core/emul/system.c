/* SPDX-License-Identifier: BSD-2-Clause */
/* See system.h. */
#include "core/emul/system.h"

#include "arch/x86/defs/paging.h"
#include "arch/x86/defs/seg.h"
#include "core/mem/gpa.h"
#include "core/mem/walk.h"
#include "core/vp/page_wait.h"
#include "core/vp/vp.h"

/* Page tables outside memory read all-ones: that is a reserved-bit fault. */
err_t system_page_fault(struct vp *vp, u32 access, const struct walk_fault *f)
{
	u32 code = PFEC_P | PFEC_RSVD;

	if (f->protected) {
		(void)vp_fault_gp0(vp);
		return ERR_FAULT;
	}
	if (access & WALK_WRITE)
		code |= PFEC_W;
	if (access & WALK_USER)
		code |= PFEC_U;
	(void)vp_fault_page(vp, f->gva, f->page_fault ? f->code : code);
	return ERR_FAULT;
}

err_t system_check(struct vp *vp, u64 linear, u32 access, u32 len)
{
	struct walk_fault f;
	err_t err;

	access |= WALK_IMPLICIT_SUPERVISOR;
	do
		err = gva_check(vp, linear, access, len, &f);
	while (page_retry(vp, err));
	if (err != ERR_NONE)
		return system_page_fault(vp, access, &f);
	return ERR_NONE;
}

err_t system_read(struct vp *vp, u64 linear, void *buf, u32 len)
{
	struct walk_fault f;

	if (gva_read_waiting(vp, linear, WALK_IMPLICIT_SUPERVISOR, buf, len, &f) != ERR_NONE)
		return system_page_fault(vp, WALK_READ, &f);
	return ERR_NONE;
}

err_t system_write(struct vp *vp, u64 linear, const void *buf, u32 len)
{
	struct walk_fault f;

	if (gva_write_waiting(vp, linear, WALK_IMPLICIT_SUPERVISOR, buf, len, &f) != ERR_NONE)
		return system_page_fault(vp, WALK_WRITE, &f);
	return ERR_NONE;
}

err_t system_set_type(struct vp *vp, u64 linear, u64 desc, u32 type)
{
	u32 access = WALK_WRITE | WALK_IMPLICIT_SUPERVISOR;
	u8 old = (u8)(desc >> 8 * DESC_TYPE_BYTE);
	struct walk_fault f;
	err_t err;
	gpa_t at;

	do
		err = walk_gva(vp, linear + DESC_TYPE_BYTE, access, &at, &f);
	while (page_retry(vp, err));
	if (err != ERR_NONE)
		return system_page_fault(vp, access, &f);
	do
		err = gpa_swap8(vp->partition, at, old, (u8)((old & 0xf0u) | type));
	while (page_retry(vp, err));
	if (err != ERR_FAULT)
		return err;
	old = (u8)((old & 0xf0u) | type); /* not RAM: a device model's, or lost */
	return system_write(vp, linear + DESC_TYPE_BYTE, &old, 1);
}
