/* SPDX-License-Identifier: BSD-2-Clause */
/* A task's registers in the two formats of TSS. Pure; VP's CPU, with its VMCS current. */
#include "core/task/task_internal.h"

#include "arch/x86/defs/seg.h"
#include "arch/x86/defs/vmcs.h"
#include "core/hw.h"
#include "core/lib/bytes.h"
#include "core/vp/vp.h"

const struct tss_layout tss16 = {
	.width = 2,
	.ip = TSS16_IP,
	.flags = TSS16_FLAGS,
	.gpr = TSS16_AX,
	.es = TSS16_ES,
	.segs = 4,
	.ldt = TSS16_LDT,
	.saved_end = TSS16_ES + 4 * 2,
	.bytes = TSS16_BYTES,
};

const struct tss_layout tss32 = {
	.width = 4,
	.ip = TSS32_EIP,
	.flags = TSS32_EFLAGS,
	.gpr = TSS32_EAX,
	.es = TSS32_ES,
	.segs = 6,
	.ldt = TSS32_LDT,
	.saved_end = TSS32_ES + 5 * 4 + 2,
	.bytes = TSS32_BYTES,
};

static_assert(TSS32_BYTES == TSS_BYTES_MAX, "buffers for either TSS");

static void put(const struct tss_layout *l, u8 *at, u32 val)
{
	if (l->width == 4)
		put_u32(at, val);
	else
		put_u16(at, (u16)val);
}

static u32 get(const struct tss_layout *l, const u8 *at)
{
	return l->width == 4 ? get_u32(at) : get_u16(at);
}

void task_image_put(const struct vp *vp, const struct tss_layout *l, u8 *tss, u32 eip, u32 eflags)
{
	put(l, tss + l->ip, eip);
	put(l, tss + l->flags, eflags);
	for (u32 i = 0; i < 8; i++)
		put(l, tss + l->gpr + i * l->width, (u32)gpr_read(vp, i));
	for (u32 i = 0; i < l->segs; i++)
		put_u16(tss + l->es + i * l->width,
			(u16)hw_vmread(vmcs_segment_field(VMCS_GUEST_ES_SELECTOR, i)));
}

/*
 * SPEC-GAP: the upper halves of the general registers are undefined after a switch to a 16-bit
 * task; we set them to ones, as the first processors with 32-bit registers did. FS and GS become
 * null: a 16-bit TSS has no selectors for them.
 */
void task_image_get(const struct tss_layout *l, const u8 *tss, struct task_image *out)
{
	bool is32 = l->width == 4;

	*out = (struct task_image){
		.cr3 = is32 ? get_u32(tss + TSS32_CR3) : 0,
		.eip = get(l, tss + l->ip),
		.eflags = get(l, tss + l->flags),
		.trap = is32 && (tss[TSS32_TRAP] & 1),
	};
	for (u32 i = 0; i < 8; i++)
		out->gpr[i] = get(l, tss + l->gpr + i * l->width) | (is32 ? 0 : 0xffff0000);
	for (u32 i = 0; i < l->segs; i++)
		out->selector[i] = get_u16(tss + l->es + i * l->width);
	out->selector[SEG_LDTR] = get_u16(tss + l->ldt);
}
