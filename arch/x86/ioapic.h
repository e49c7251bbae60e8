/* SPDX-License-Identifier: BSD-2-Clause */
/* The machine's I/O APIC at its usual address. We touch it only if the guest's is virtual. */
#pragma once

/* ioapic_map() - call before hw_ioapic_read() and hw_ioapic_write(). Boot CPU. */
void ioapic_map(void);
