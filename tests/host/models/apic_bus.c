/* SPDX-License-Identifier: BSD-2-Clause */
/* Message bus between devices, I/O APIC and the local APICs of several CPUs. */
#include "tests/host/models/apic_bus.h"

#include <string.h>

#include "arch/x86/defs/apic.h"
#include "arch/x86/defs/msr.h"
#include "core/hw.h"
#include "tests/host/fakes/fake.h"
#include "tests/host/models/apic_vp.h"

static struct {
	struct apic_model saved[BUS_CPUS];
	u32 current;
	u32 arbiter; /* lowest priority: who is asked first; the choice is the hardware's */
} bus;

u32 apic_bus_nmis[BUS_CPUS];

struct apic_model *apic_bus_cpu(u32 cpu)
{
	return cpu == bus.current ? &irqhw : &bus.saved[cpu];
}

/* The I/O APIC is one for all. */
void apic_bus_run(u32 cpu)
{
	struct model_pin pins[MODEL_PINS];

	memcpy(pins, irqhw.pin, sizeof(pins));
	bus.saved[bus.current] = irqhw;
	irqhw = bus.saved[cpu];
	memcpy(irqhw.pin, pins, sizeof(pins));
	bus.current = cpu;
	fake.cpu_vp = &at.vp[cpu];
}

/*
 * SDM "Logical Destination Mode in xAPIC Mode", "... in x2APIC Mode". Messages have 8 bits, which
 * x2APIC mode extends by zeros: cluster 0, IDs 0-7.
 */
static bool matches_logical(const struct apic_model *cpu, u32 id, u8 dest)
{
	u32 ldr = cpu->reg[APIC_LDR >> 4] >> 24;

	if (cpu->x2apic)
		return id / 16 == 0 && ((1u << id % 16) & dest) != 0;
	if (dest == 0xff)
		return true;
	if (cpu->reg[APIC_DFR >> 4] >> 28 == 0xf)
		return (ldr & dest) != 0;
	return ldr >> 4 == dest >> 4 && (ldr & dest & 0xf) != 0;
}

/* SPEC-GAP: 0xFF in a message to an APIC in x2APIC mode; broadcast here, as in KVM. */
u32 apic_bus_targets(const struct model_message *m)
{
	u32 mask = 0;

	for (u32 i = 0; i < BUS_CPUS; i++) {
		const struct apic_model *cpu = apic_bus_cpu(i);
		u32 id = at.vp[i].apic_id;
		bool all = m->dest == 0xff;

		if (all || (m->logical ? matches_logical(cpu, id, m->dest) : id == m->dest))
			mask |= 1u << i;
	}
	return mask;
}

u32 apic_bus_guest_targets(u8 dest, bool logical, bool enabled)
{
	u32 mask = 0;

	for (u32 i = 0; i < BUS_CPUS; i++) {
		struct vp *vp = &at.vp[i];
		bool x2apic = (vp->apic.base_msr & APIC_BASE_EXTD) != 0;
		u32 id, ldr;

		if (!(vp->apic.base_msr & APIC_BASE_EN))
			continue;
		id = vlapic_read(vp, APIC_ID) >> (x2apic ? 0 : 24);
		ldr = vlapic_read(vp, APIC_LDR) >> (x2apic ? 0 : 24);
		if (enabled && !(vlapic_read(vp, APIC_SVR) & APIC_SVR_ENABLE))
			continue;
		if (dest == 0xff)
			mask |= 1u << i;
		else if (!logical)
			mask |= (u32)(id == dest) << i;
		else if (x2apic)
			mask |= (u32)(ldr >> 16 == 0 && (ldr & dest) != 0) << i;
		else if (vlapic_read(vp, APIC_DFR) == 0xffffffff)
			mask |= (u32)((ldr & dest) != 0) << i;
		else
			mask |= (u32)(ldr >> 4 == dest >> 4 && (ldr & dest & 0xf) != 0) << i;
	}
	return mask;
}

static u32 deliver_lowest(const struct model_message *m, u32 targets)
{
	u32 first = bus.arbiter++;

	for (u32 i = 0; i < BUS_CPUS; i++) {
		u32 cpu = (first + i) % BUS_CPUS;

		if ((targets >> cpu & 1) && model_accept(apic_bus_cpu(cpu), m->vector, m->level))
			return 1u << cpu;
	}
	return 0;
}

static u32 deliver(const struct model_message *m)
{
	u32 targets = apic_bus_targets(m), taken = 0;

	if (m->mode == APIC_MODE_LOWEST)
		return deliver_lowest(m, targets);
	for (u32 i = 0; i < BUS_CPUS; i++) {
		if (!(targets >> i & 1))
			continue;
		if (m->mode == APIC_MODE_NMI)
			apic_bus_nmis[i]++;
		if (m->mode == APIC_MODE_NMI || model_accept(apic_bus_cpu(i), m->vector, m->level))
			taken |= 1u << i;
	}
	return taken;
}

static bool deliver_line(const struct model_message *m)
{
	return deliver(m) != 0;
}

/*
 * Decoded by the numbers of the SDM's figures, not by our definitions. A level de-assert message
 * has no meaning since the APIC bus is gone: nobody takes it.
 */
u32 apic_bus_msi(const struct msi *msi)
{
	struct model_message m = {
		.dest = (u8)(msi->address >> 12),
		.logical = (msi->address >> 2) & 1,
		.level = (msi->data >> 15) & 1,
		.mode = (u8)(msi->data >> 8 & 7),
		.vector = (u8)msi->data,
	};

	if (msi->address >> 20 != 0xfee || (m.level && !((msi->data >> 14) & 1)))
		return 0;
	return deliver(&m);
}

void apic_bus_init(void)
{
	static const u8 ids[BUS_CPUS] = { 0, 1, 5, 18 };

	memset(&bus, 0, sizeof(bus));
	memset(apic_bus_nmis, 0, sizeof(apic_bus_nmis));
	apic_test_init(BUS_CPUS, false);
	for (u32 i = 0; i < BUS_CPUS; i++) {
		struct vp *vp = &at.vp[i];

		at.p.vp_of_apic_id[vp->apic_id] = NULL;
		vp->apic_id = ids[i];
		at.p.vp_of_apic_id[ids[i]] = vp;
		apic_bus_run(i);
		fake_msr_set(MSR_IA32_APIC_BASE, APIC_BASE_DEFAULT | APIC_BASE_EN);
		memset(at.page[i], 0, sizeof(at.page[i]));
		apic_model_reset(vp);
		irqhw.bus = deliver_line;
		apic_model_enable();
		vlapic_init(vp, at.page[i]);
		vlapic_copy_physical(vp);
		vp->work = 0;
	}
	apic_bus_run(0);
}
