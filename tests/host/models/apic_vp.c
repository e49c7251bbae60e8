/* SPDX-License-Identifier: BSD-2-Clause */
/* VPs with virtual APICs on the model hardware. Context: host tests, one thread. */
#include "tests/host/models/apic_vp.h"

#include <stdlib.h>
#include <string.h>

#include "arch/x86/defs/msr.h"
#include "core/exit/exit.h"
#include "tests/host/fakes/fake.h"
#include "tests/host/models/apic_model.h"

struct apic_test at;

static void set_up_machine(bool vid)
{
	struct machine *m = &at.p.machine;

	m->phys_bits = 40;
	m->x2apic = true;
	m->phys_x2apic = true;
	m->apic_accesses = true;
	m->tpr_shadow = true;
	m->virt_intr_delivery = vid;
	m->apic_register_virt = vid;
	at.p.config.min_timer_period_us = 200;
	if (clock_init(&at.p.clock, APIC_TEST_TSC_HZ, 0, 0) != ERR_NONE)
		abort();
}

void apic_test_init(u32 vps, bool vid)
{
	fake_reset();
	memset(&at, 0, sizeof(at));
	set_up_machine(vid);
	for (u32 i = 0; i < vps; i++) {
		struct vp *vp = &at.vp[i];

		vp->state = VP_RUNNING;
		vp->apic_id = i;
		partition_add_vp(&at.p, vp);
		timer_init(vp);
		ctx_init(vp, (u16)(i + 1), &exit_table_guest);
		vp->ctx->msr_bitmap = at.msr_bitmap;
	}
	fake.cpu_vp = &at.vp[0];
	fake_msr_set(MSR_IA32_APIC_BASE, APIC_BASE_DEFAULT | APIC_BASE_EN | APIC_BASE_BSP);
	apic_model_reset(&at.vp[0]);
	apic_model_enable();
	at.p.apic_access_page = hpa(0x123000);
	for (u32 i = 0; i < vps; i++) {
		vlapic_init(&at.vp[i], at.page[i]);
		if (i == 0)
			vlapic_copy_physical(&at.vp[0]);
		at.vp[i].work = 0;
	}
	memset(irqhw.writes, 0, sizeof(irqhw.writes));
}

void apic_test_use_timer(enum run_timer timer)
{
	at.p.machine.run_timer = timer;
	at.p.machine.apic_timer_hz = APIC_TEST_TSC_HZ / APIC_TEST_TSC_PER_TICK;
	irqhw.timer_tsc_per_tick = APIC_TEST_TSC_PER_TICK;
	fake_msr_set(MSR_IA32_TSC_DEADLINE, 0);
	for (u32 i = 0; i < at.p.vp_count; i++) {
		timer_init(&at.vp[i]);
		irq_fwd_init(&at.vp[i]);
	}
	apic_timer_open(&at.vp[0], irqhw.reg[APIC_SVR >> 4]);
}

static const struct msr_row *find_row(u32 msr)
{
	for (u32 i = 0; i < vlapic_msr_row_count; i++)
		if (msr >= vlapic_msr_rows[i].first && msr <= vlapic_msr_rows[i].last)
			return &vlapic_msr_rows[i];
	return NULL;
}

enum msr_result apic_test_wrmsr(struct vp *vp, u32 msr, u64 val)
{
	const struct msr_row *row = find_row(msr);

	if (row == NULL || row->write == NULL || (val & row->rsvdz) != 0)
		return MSR_GP;
	return row->write(vp, msr, val);
}

enum msr_result apic_test_rdmsr(struct vp *vp, u32 msr, u64 *val)
{
	const struct msr_row *row = find_row(msr);

	if (row == NULL || row->read == NULL)
		return MSR_GP;
	return row->read(vp, msr, val);
}

static void base_write(struct vp *vp, u64 flags)
{
	if (vlapic_write_base(vp, APIC_BASE_DEFAULT | flags) != MSR_OK)
		abort();
}

void apic_test_mode(struct vp *vp, char mode)
{
	if (mode == '0' || (mode == 'x' && vlapic_is_x2apic(&vp->apic)))
		base_write(vp, 0);
	if (mode != '0' && !vlapic_is_hw_enabled(&vp->apic))
		base_write(vp, APIC_BASE_EN);
	if (mode == '2')
		base_write(vp, APIC_BASE_EN | APIC_BASE_EXTD);
}

static s32 page_highest(const struct vlapic *a, u32 reg, u32 *count)
{
	s32 highest = -1;

	*count = 0;
	for (u32 w = 0; w < 8; w++) {
		u32 bits = vlapic_reg(a, reg + w * 16);

		if (bits == 0)
			continue;
		*count += (u32)__builtin_popcount(bits);
		highest = (s32)(w * 32 + 31 - (u32)__builtin_clz(bits));
	}
	return highest;
}

bool apic_test_check_caches(const struct vlapic *a)
{
	u32 isr_count, irr_count;
	s32 isr = page_highest(a, APIC_ISR, &isr_count);
	s32 irr = page_highest(a, APIC_IRR, &irr_count);

	if (a->vid)
		return a->highest_isr == -1 && a->highest_irr == -1;
	return a->highest_isr == isr && a->highest_irr == irr && (isr_count <= 1 || a->isr_many) &&
	       (irr_count <= 1 || a->irr_many);
}
