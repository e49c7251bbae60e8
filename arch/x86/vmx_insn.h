/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * VMX instructions. VMfail (CF or ZF) is a return value, except that VMREAD and VMWRITE panic:
 * their fields are known to exist.
 */
#pragma once

#include "arch/x86/defs/vmcs.h"
#include "arch/x86/defs/vmx_msr.h"
#include "arch/x86/insn.h"
#include "core/lib/compiler.h"
#include "core/lib/err.h"
#include "core/lib/types.h"

/* vmx_access_failed() - VMREAD or VMWRITE of @field failed: panics with the instruction error. */
NORETURN void vmx_access_failed(u32 field, bool write);

static inline u64 vmread(enum vmcs_field field)
{
	u64 val;

	asm goto volatile("vmread %[field], %[val]\n\tjbe %l[fail]"
			  : [val] "=r"(val)
			  : [field] "r"((u64)field)
			  : "cc"
			  : fail);
	return val;
fail:
	vmx_access_failed(field, false);
}

static inline void vmwrite(enum vmcs_field field, u64 val)
{
	asm goto volatile("vmwrite %[val], %[field]\n\tjbe %l[fail]"
			  :
			  : [val] "rm"(val), [field] "r"((u64)field)
			  : "cc", "memory"
			  : fail);
	return;
fail:
	vmx_access_failed(field, true);
}

/* Without the check: for the fields that prove_hot_fields() of vmcs.c has accessed at boot. */
static inline u64 vmread_unchecked(enum vmcs_field field)
{
	u64 val;

	asm volatile("vmread %[field], %[val]" : [val] "=r"(val) : [field] "r"((u64)field) : "cc");
	return val;
}

static inline void vmwrite_unchecked(enum vmcs_field field, u64 val)
{
	asm volatile("vmwrite %[val], %[field]"
		     :
		     : [val] "r"(val), [field] "r"((u64)field)
		     : "cc", "memory");
}

/* The three below take the physical address of a VMCS or VMXON region. False: VMfail, or #GP. */
static inline bool vmxon_safe(u64 pa)
{
	asm goto volatile("1: vmxon %[pa]" EXTABLE(fail) "\n\tjna %l[fail]"
			  :
			  : [pa] "m"(pa)
			  : "memory", "cc"
			  : fail);
	return true;
fail:
	return false;
}

static inline bool vmclear(u64 pa)
{
	bool ok;

	asm volatile("vmclear %[pa]" : "=@cca"(ok) : [pa] "m"(pa) : "memory");
	return ok;
}

static inline bool vmptrld(u64 pa)
{
	bool ok;

	asm volatile("vmptrld %[pa]" : "=@cca"(ok) : [pa] "m"(pa) : "memory");
	return ok;
}

static inline bool invept(enum invept_type type, const struct invept_desc *desc)
{
	bool ok;

	asm volatile("invept %[desc], %[type]"
		     : "=@cca"(ok)
		     : [desc] "m"(*desc), [type] "r"((u64)type)
		     : "memory");
	return ok;
}

static inline bool invvpid(enum invvpid_type type, const struct invvpid_desc *desc)
{
	bool ok;

	asm volatile("invvpid %[desc], %[type]"
		     : "=@cca"(ok)
		     : [desc] "m"(*desc), [type] "r"((u64)type)
		     : "memory");
	return ok;
}
