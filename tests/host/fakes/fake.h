/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The machine as host tests see it: core/hw.h implemented over plain memory. A test sets fields
 * before, reads them after. Physical addresses outside fake.ram are host pointers: what
 * hw_virt_to_phys() returns for a heap page comes back through hw_phys_to_virt().
 */
#pragma once

#include <setjmp.h>

#include "core/hw.h"

#define FAKE_MSRS      512
#define FAKE_CPUIDS    128
#define FAKE_IO_LOG    1024
#define FAKE_KICKS     256
#define FAKE_VMCS_SIZE 0x8000 /* field encodings are 15 bits */
#define FAKE_VMCSS     4
#define FAKE_CONSOLE   65536

enum fake_end { FAKE_END_NONE, FAKE_END_REBOOT, FAKE_END_HALT };

struct fake_io {
	u16 port;
	u8 size;
	bool write;
	u32 val;
};

struct fake_msr {
	u32 msr;
	u64 val;
	bool fault_read, fault_write;
};

struct fake_cpuid {
	u32 leaf, subleaf;
	struct cpuid_regs regs;
};

struct fake_hw {
	u64 vmcs[FAKE_VMCS_SIZE]; /* the current one */
	struct {
		u64 pa;
		u64 field[FAKE_VMCS_SIZE];
	} parked[FAKE_VMCSS]; /* the others, by hw_vmcs_load() */
	u64 vmcs_pa;          /* of the current one; 0: nobody loaded any */
	u32 vmcs_loads, vmcs_clears;
	u64 vmreads, vmwrites;
	bool vmcs_absent;          /* for hw_vmread_safe() */
	void (*on_vmread)(u64 nr); /* before each VMREAD: what happens elsewhere meanwhile */

	u64 tsc, tsc_step;    /* every hw_tsc() adds tsc_step */
	void (*on_tsc)(void); /* before each hw_tsc(): what happens elsewhere meanwhile */
	u64 timer_delta;      /* of the last hw_timer_arm() */
	u32 timer_arms;

	u8 *ram; /* guest physical [ram_base, ram_base + ram_size) */
	u64 ram_base, ram_size;

	struct fake_io io[FAKE_IO_LOG]; /* all accesses in order, the first FAKE_IO_LOG of them */
	u32 io_count;
	u32 io_val[65536];                         /* what IN returns; OUT stores here */
	u32 (*io_in)(u16 port, u32 size);          /* replaces io_val when set */
	void (*io_out)(u16 port, u32 size, u32 v); /* called after OUT was recorded */

	struct fake_msr msr[FAKE_MSRS]; /* an MSR without entry faults */
	u32 msr_count;
	u32 msr_reads, msr_writes;

	struct fake_cpuid cpuid[FAKE_CPUIDS]; /* a leaf without entry reads 0 */
	u32 cpuid_count;
	u32 cpuid_calls;
	/* Answers the leaves without entry when set. */
	void (*cpuid_fn)(u32 leaf, u32 subleaf, struct cpuid_regs *out);

	u32 ioapic_select, ioapic[256]; /* registers behind the window: a plain memory */
	u32 ioapic_eois, ioapic_eoi;    /* writes of the EOI register, the last of them */

	struct vp *cpu_vp;
	struct vp *kicked[FAKE_KICKS];
	u32 kick_count;
	void (*kick)(struct vp *vp); /* called with each target */
	u32 irq_windows;
	u32 nmi_unblocks;
	void (*irq_window)(void);

	u64 invept_eptp;
	u32 invepts;
	u16 invvpid_vpid;
	u32 invvpids;
	u64 xcr0, cr2, dr[8];
	u64 vector[16][4]; /* hw_vector_*() */
	u64 mmx[8];
	bool x87_pending; /* an x87 exception */
	u32 xsetbvs, wbinvds, crash_dumps;

	char console[FAKE_CONSOLE]; /* NUL-terminated; stops when full */
	size_t console_len;
	size_t console_panic_len; /* how much of it came with panic set */
	u32 tone[TONES];          /* hw_console_tone() */
	size_t tone_from;         /* console_len at the last one that was not plain */
	size_t tone_to;           /* and at the last one that was */
	bool console_stops;       /* the CPU is stopped when it writes, like hw_halt() */

	enum fake_end end;
	bool end_caught; /* a FAKE_CATCH() is active */
	jmp_buf end_jmp;
};

extern struct fake_hw fake;

/* fake_reset() - power-on: everything zero, TSC at 1000000. Call first in every test. */
void fake_reset(void);

void fake_ram(u8 *mem, u64 base, u64 size);
void fake_msr_set(u32 msr, u64 val);
void fake_msr_fault(u32 msr, bool on_read, bool on_write);
struct fake_msr *fake_msr_find(u32 msr); /* NULL: faults */
void fake_cpuid_set(u32 leaf, u32 subleaf, u32 a, u32 b, u32 c, u32 d);

/* fake_heap() - give page_alloc() @pages fresh pages (at most 1024). */
void fake_heap(u32 pages);

/*
 * FAKE_CATCH(statement) - run it; yields how it ended: FAKE_END_NONE when it returned. Without one
 * hw_reboot() and hw_halt() abort the test program.
 */
#define FAKE_CATCH(...)                          \
	__extension__({                          \
		fake.end = FAKE_END_NONE;        \
		fake.end_caught = true;          \
		if (setjmp(fake.end_jmp) == 0) { \
			__VA_ARGS__;             \
		}                                \
		fake.end_caught = false;         \
		fake.end;                        \
	})
