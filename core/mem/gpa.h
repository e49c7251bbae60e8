/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Guest memory: the only way for handlers to touch it. Memory is read once into a private buffer;
 * it is never a C pointer in a handler. What may be touched, and how, says the page's class
 * (core/mem/page_class.h).
 *
 * Every access has three answers: done; ERR_FAULT, it is no such memory; ERR_AGAIN, the page is not
 * there yet (core/mem/far.h), nothing has happened, and the caller tries again later
 * (core/vp/page_wait.h). Any CPU.
 */
#pragma once

#include "core/lib/err.h"
#include "core/lib/types.h"

struct far_range;
struct partition;

/* What a pin is for. */
enum gpa_use {
	GPA_NAMED, /* an address that the guest hands us: RAM that it owns, nothing else is trusted:
		    * no device, not the hypervisor, not what lies under an overlay */
	GPA_READ,  /* in place of the CPU: operands, fetches, page tables; also firmware memory */
	GPA_WRITE, /* the same, to store */
};

/* Guest memory as hypervisor memory. */
struct gpa_pin {
	void *mem;
	const struct far_range *far; /* who keeps the page for us; NULL: nobody has to */
	u64 gpa;
};

/**
 * gpa_pin() - [@at, @at + @len) for @use, until gpa_unpin(). All of it is one class; an overlay or
 * far memory, one page. A failure leaves @pin without memory.
 *
 * Hazard: a pin of RAM is free because RAM does not move. It still ends with this VP's share of an
 * EPT flush: nobody keeps one across ept_flush(), a wait, or a VM entry. Caches that do compare
 * vp->flush_done first.
 */
MUST_CHECK err_t gpa_pin(const struct partition *p, gpa_t at, u64 len, enum gpa_use use,
			 struct gpa_pin *pin);
void gpa_unpin(const struct partition *p, const struct gpa_pin *pin);

/* gpa_forget_hint() - for who makes holes in RAM (p->ram_holes): once when there is one, and once
 * more behind the flush, when no CPU is any more where it may set the hint for the old map. */
void gpa_forget_hint(const struct partition *p);

/* gpa_read()/gpa_write() - ERR_FAULT when not all of it is guest RAM; nothing is copied then, and
 * nothing while a page of it is not there. */
MUST_CHECK err_t gpa_read(const struct partition *p, gpa_t gpa, void *buf, u64 len);
MUST_CHECK err_t gpa_write(const struct partition *p, gpa_t gpa, const void *buf, u64 len);

/**
 * gpa_read_any() - what the CPU itself may read besides RAM: instruction fetches and page tables in
 * ACPI memory or the BIOS below 1 MiB; all-ones in the hypervisor region (rule M1). Never for
 * addresses that a guest registers. ERR_FAULT: device memory or nothing.
 */
MUST_CHECK err_t gpa_read_any(const struct partition *p, gpa_t gpa, void *buf, u64 len);

/* gpa_fetch16() - the same as gpa_read_any() for 16 bytes, without a call to memcpy: the
 * instruction fetch. *@ram: where they are in plain RAM, to see later whether they changed, with
 * the hazard of gpa_pin(); NULL: not in RAM. */
MUST_CHECK err_t gpa_fetch16(const struct partition *p, gpa_t gpa, u64 out[2], const u8 **ram);

/* gpa_swap8() - one locked compare-and-exchange of a byte that the CPU may write. ERR_BUSY: it was
 * not @old. */
MUST_CHECK err_t gpa_swap8(const struct partition *p, gpa_t gpa, u8 old, u8 val);
