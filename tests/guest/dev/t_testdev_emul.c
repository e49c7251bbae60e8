// SPDX-License-Identifier: BSD-2-Clause
// Instructions on the emulated RAM of testdev=on do what the CPU does on ordinary RAM.

#include "tests/guest/dev/both.h"
#include "tests/guest/groups.h"
#include "tests/guest/lib/cpu.h"

#define PORT_LATCH 0xe0

static void emul_compare_strings(void)
{
	BOTH_ALIKE("cmpsb", ARITH);
	BOTH_ALIKE("cmpsw", ARITH);
	BOTH_ALIKE("cmpsl", ARITH);
	BOTH_ALIKE("cmpsq", ARITH);
	BOTH_ALIKE("repe cmpsb", ARITH);
	BOTH_ALIKE("repe cmpsl", ARITH);
	BOTH_ALIKE("repne cmpsb", ARITH);
	BOTH_ALIKE("repne cmpsq", ARITH);
	BOTH("cmpsq", ARITH);
	BOTH_AT("cmpsl", ARITH, 0x1000 - 0xc2, false); /* DI over the edge of a page */
	BOTH_ALIKE("scasb", ARITH);
	BOTH_ALIKE("scasw", ARITH);
	BOTH_ALIKE("scasl", ARITH);
	BOTH_ALIKE("scasq", ARITH);
	BOTH_ALIKE("repe scasb", ARITH);
	BOTH_ALIKE("repe scasl", ARITH);
	BOTH_ALIKE("repne scasw", ARITH);
	BOTH_ALIKE("repne scasq", ARITH);
	BOTH("scasq", ARITH);
}

/* A port of the test devices: the I/O exit comes first, and its memory is emulated. */
static void emul_port_strings(void)
{
	outl(PORT_LATCH, 0xddccbbaa);
	BOTH_ALIKE("mov $0xe0, %%edx; rep insb", ARITH);
	BOTH_ALIKE("mov $0xe0, %%edx; rep insl", ARITH);
	BOTH_ALIKE("mov $0xe0, %%edx; insw", ARITH);
	BOTH_ALIKE("mov $0xe0, %%edx; rep outsb; in (%%dx), %%eax", ARITH);
	BOTH_ALIKE("mov $0xe0, %%edx; outsl; in (%%dx), %%eax", ARITH);
}

/* Ports of the machine, page registers of the DMA controller: only the memory exits. */
static void emul_machine_port_strings(void)
{
	BOTH_ALIKE("mov $0x81, %%edx; rep insb", 0);
	BOTH_ALIKE("mov $0x80, %%edx; rep outsb; in (%%dx), %%al", 0);
	BOTH_ALIKE("mov $0x80, %%edx; outsb; insb", 0);
}

static const struct test t_testdev_emul_tests[] = {
	{ .name = "testdev_emul_compare_strings", .run = emul_compare_strings, .flags = T_NAMED },
	{ .name = "testdev_emul_port_strings", .run = emul_port_strings, .flags = T_NAMED },
	{ .name = "testdev_emul_machine_port_strings",
	  .run = emul_machine_port_strings,
	  .flags = T_NAMED },
};
TEST_GROUP(t_testdev_emul);
