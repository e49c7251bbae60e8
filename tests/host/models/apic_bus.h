/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Several CPUs, each with its physical local APIC (apic_model.h is the one of the CPU that runs),
 * one I/O APIC and devices that send MSIs. Destinations are decided by the physical registers, as
 * the hardware does. Context: host tests, one thread.
 */
#pragma once

#include "tests/host/models/apic_model.h"

#define BUS_CPUS 4u

/* What a device writes: SDM "Message Address Register Format", "Message Data Register Format". */
struct msi {
	u32 address, data;
};

/**
 * apic_bus_init() - VPs 0-3 on CPUs with APIC IDs 0, 1, 5 and 18 (that one is in another x2APIC
 * cluster, where no 8-bit logical destination reaches it), APICs as the firmware leaves them and
 * the VPs have copied them. CPU 0 runs.
 */
void apic_bus_init(void);
void apic_bus_run(u32 cpu); /* go on as that CPU: irqhw and hw_*() are its own now */

struct apic_model *apic_bus_cpu(u32 cpu);

/* apic_bus_targets() - CPUs whose physical local APIC such a message is for: bit mask. */
u32 apic_bus_targets(const struct model_message *m);

/**
 * apic_bus_guest_targets() - the same as the guest expects it: by the registers of the virtual
 * local APICs as it reads them. @enabled: only those that take interrupts (SVR).
 */
u32 apic_bus_guest_targets(u8 dest, bool logical, bool enabled);

/* apic_bus_msi() - a device writes. The CPUs that took it: bit mask. */
u32 apic_bus_msi(const struct msi *msi);
extern u32 apic_bus_nmis[BUS_CPUS]; /* NMI messages that came */
