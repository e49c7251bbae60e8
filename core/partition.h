/* SPDX-License-Identifier: BSD-2-Clause */
/* The guest partition: its VPs, memory, tables and modules. There is exactly one. */
#pragma once

#include "core/config.h"
#include "core/lib/lock.h"
#include "core/mem/e820.h"
#include "core/mem/ept.h"
#include "core/mem/overlay.h"
#include "core/mem/ranges.h"
#include "core/surface/cpuid.h"
#include "core/surface/msr.h"
#include "core/surface/pio.h"
#include "core/time/clock.h"
#include "core/time/run_timer.h"
#include "core/vp/long_lock.h"

#define VP_MAX          256
#define APIC_IDS_DIRECT 1024u
#define CPUID_ROWS_MAX  128
#define MSR_ROWS_MAX    256

/* Private scratch pages; a guest that wants more shares one. Bounds what it takes from the heap. */
#define SCRATCH_PAGES_MAX 16u

struct cpuid_table;
struct irq_lines;
struct msr_table;
struct shared_area;

/* What boot decided about the machine; read-only for everyone after the first entry. */
struct machine {
	u32 phys_bits;           /* CPUID 0x80000008, cut to 48 for the EPT map */
	bool is_bochs;           /* emulator with the bugs of docs/emulators.md */
	bool x2apic;             /* CPU has x2APIC */
	bool phys_x2apic;        /* the physical APICs may use it: core/apic/phys_mode.h */
	bool apic_accesses;      /* in use: the CPU names the register; else the page violates */
	bool apic_register_virt; /* in use */
	bool tpr_shadow;         /* in use */
	bool virt_intr_delivery; /* in use */
	bool virt_x2apic;        /* virtualize x2APIC mode in use */
	bool cpuid_tsc_trusted;
	enum run_timer run_timer;
	u64 apic_timer_hz;      /* for RUN_TIMER_APIC_ONE_SHOT: what it counts, divided by 1 */
	bool has_nmi_status;    /* port 61h exists */
	u64 xcr0_supported;     /* host XCR0 bits that the guest may set */
	u64 cr4_allowed;        /* CR4 bits the guest may set */
	u16 pm1a_cnt, pm1b_cnt; /* ports, 0 = absent */
	s32 s3_slp_typ;         /* SLP_TYPa of \_S3, -1 = no such object */
	s32 s5_slp_typ;
};

/* What the modules want to hear of, wired by boot: core does not know hv. */
struct partition_hooks {
	void (*vp_reset)(struct vp *vp, bool init);
	void (*clock_changed)(struct partition *p); /* a TSC offset: clock pages are rewritten */
	void (*map_changed)(struct partition *p);   /* partition_map_changed() */
	void (*eoi)(struct vp *vp, u8 vector);      /* irq_msg_watch() */
	void (*stolen)(struct vp *vp);              /* root took time from @vp: core/vp/park.h */
	void (*paused)(struct vp *vp);              /* @vp was held, and goes on: core/vp/hold.h */
	void (*running)(struct vp *vp);             /* event_state.tell_running */
	void (*periodic)(struct vp *vp);            /* vp->periodic_tsc has passed; sets the next */
};

/* core/time/tsc_emul.h: VPs read a TSC of the old frequency. Changes only while they are held. */
struct tsc_emul {
	struct long_lock lock; /* LOCK: held over a change */
	bool on;
	u64 at_tsc; /* when the machine's changed */
	u64 old_hz, new_hz;
	u64 moved; /* at the end of the last emulation all TSC offsets grew by it */
};

struct partition {
	struct clock clock;
	struct tsc_emul tsc_emul;
	struct vp *vp[VP_MAX];
	u32 vp_count;
	struct vp *vp_of_apic_id[APIC_IDS_DIRECT]; /* for IPIs; larger IDs are searched:
						    * machines of eight sockets have some */

	struct machine machine;
	struct config config;

	hpa_t region_base; /* hypervisor region */
	u64 region_len;
	struct e820_map memory; /* as the guest gets it: the region is reserved */
	struct ept ept;
	u32 flush_wanted;       /* generation of EPT changes, see ept_flush() */
	hpa_t apic_access_page; /* one for all VPs; never accessed, the CPU only compares it */
	struct overlay_index overlays;    /* LOCK: ept.lock to write */
	struct shared_area *shared_areas; /* all registered. LOCK: ept.lock */
	hpa_t ones_page;                  /* rule M1: 4 KiB of 0xFF */
	hpa_t scratch_page;               /* shared by scratch requests beyond the private ones */
	hpa_t scratch_pages[SCRATCH_PAGES_MAX];
	u32 scratch_count;
	struct page_range ranges[PAGE_RANGES_MAX]; /* read-only once the EPT is built */
	u32 range_count;
	u32 ram_holes; /* overlays and ranges on RAM; 0: all RAM that memory lists is plain. LOCK:
			* ept.lock to write */

	struct cpuid_table *cpuid;
	struct msr_table *msr;
	struct pio_table pio;
	struct irq_lines *lines; /* software lines, NULL: none; core/dev/lines.h */
	u8 *io_bitmap;           /* pio_bitmap_build() */
	u8 *msr_bitmap;          /* template; each VP has its own copy for x2APIC modes */

	bool tsc_invariance_hidden; /* CPUID says nothing of it */

	struct spinlock lock; /* LOCK: partition-wide MSR state, EPT changes */
	bool stopping;
	u64 paused_until_tsc; /* remote; core/vp/hold.h */

	const struct partition_hooks *hooks; /* NULL: no module listens */
};

static_assert(OVERLAYS_MAX > 4 * VP_MAX, "each VP has an APIC page, and three of an ABI");

/* The one partition. Static storage; filled by boot. */
extern struct partition the_partition;

/* partition_vp() - NULL when @index is out of range: the only way to index VPs by guest numbers. */
struct vp *partition_vp(struct partition *p, u32 index);
struct vp *partition_vp_by_apic_id(struct partition *p, u32 apic_id);

/* partition_add_vp() - @vp gets the next index. Boot CPU, before the guest runs; room is checked.
 */
void partition_add_vp(struct partition *p, struct vp *vp);

/* partition_drop_last_vp() - its CPU turned out to be unusable; its overlays go. */
void partition_drop_last_vp(struct partition *p);

/* partition_vp_reset() - tell the modules that @vp was reset: registrations are dropped. */
void partition_vp_reset(struct vp *vp, bool init);

/* partition_map_changed() - the EPT shows other pages: shared areas are checked again, then the
 * modules hear of it. Any CPU, no lock. */
void partition_map_changed(struct partition *p);

/* partition_stop() - the guest ended or crashed: report, dump counters, then on_crash. */
NORETURN void partition_stop(struct vp *vp, const char *why);

/* partition_ending() - a guest request that will end the machine is about to be passed through:
 * dump counters and flush the log first. */
void partition_ending(struct vp *vp, const char *why);
