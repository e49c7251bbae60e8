/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The only way for handlers to touch guest memory. They read it once, into a private buffer, and
 * never through a pointer: the guest can change it between two reads. The page's class
 * (core/mem/page_class.h) decides what may be touched, and how.
 *
 * An access succeeds, or answers ERR_FAULT: no such memory, or ERR_AGAIN: the page is not there yet
 * (core/mem/ranges.h), nothing has happened, try again later (core/vp/page_wait.h). Any CPU.
 */
#pragma once

#include "core/lib/err.h"
#include "core/lib/types.h"

struct far_owner;
struct partition;

/* What a pin is for. */
enum gpa_use {
	GPA_NAMED, /* an address that the guest registers: its own RAM only, no device, no
		    * overlay, not the hypervisor */
	GPA_READ,  /* in place of the CPU (operands, fetches, page tables): firmware memory, too */
	GPA_WRITE, /* the same, to store */
};

/* Guest memory as hypervisor memory. */
struct gpa_pin {
	void *mem;
	const struct far_owner *far; /* owner that keeps the page present; NULL: not needed */
	u64 gpa;
};

/**
 * gpa_pin() - pin [@at, @at + @len) for @use, until gpa_unpin(). The range must be of one class
 * and, in an overlay or far memory, within a page. On failure @pin has no memory.
 *
 * Hazard: a pin of RAM costs nothing, as RAM does not move, but an EPT flush on this VP ends it:
 * never keep one across ept_flush(), a wait or a VM entry. A cache that does must compare
 * vp->flush_done before use.
 */
MUST_CHECK err_t gpa_pin(const struct partition *p, gpa_t at, u64 len, enum gpa_use use,
			 struct gpa_pin *pin);
void gpa_unpin(const struct partition *p, const struct gpa_pin *pin);

/* gpa_forget_hint() - call it when a hole appears in RAM (p->ram_holes), and again after the
 * flush: until then a CPU may still set the hint from the old map. */
void gpa_forget_hint(const struct partition *p);

/* gpa_read()/gpa_write() - ERR_FAULT: not all of it is guest RAM. Any failure copies nothing. */
MUST_CHECK err_t gpa_read(const struct partition *p, gpa_t gpa, void *buf, u64 len);
MUST_CHECK err_t gpa_write(const struct partition *p, gpa_t gpa, const void *buf, u64 len);

/**
 * gpa_read_any() - read in place of the CPU (instruction fetch, page walk): besides RAM also ACPI
 * memory and the BIOS below 1 MiB, and all-ones from the hypervisor region (rule M1). Never for
 * addresses that a guest registers. ERR_FAULT: device memory or nothing.
 */
MUST_CHECK err_t gpa_read_any(const struct partition *p, gpa_t gpa, void *buf, u64 len);

/*
 * gpa_fetch16() - gpa_read_any() of 16 bytes without a call to memcpy, for the instruction fetch.
 * *@ram: where they lie in plain RAM, to detect later changes, with the hazard of gpa_pin(); NULL:
 * not in RAM.
 */
MUST_CHECK err_t gpa_fetch16(const struct partition *p, gpa_t gpa, u64 out[2], const u8 **ram);

/* gpa_swap8() - locked compare-and-exchange of one byte, in place of the CPU. ERR_BUSY: it was
 * not @old. */
MUST_CHECK err_t gpa_swap8(const struct partition *p, gpa_t gpa, u8 old, u8 val);
