/* SPDX-License-Identifier: BSD-2-Clause */
/* Exception vectors and their classification; vectors usable from .S files. */
#pragma once

#include "core/lib/bits.h"

/* clang-format off */

#define EXC_DE          0
#define EXC_DB          1
#define EXC_NMI         2
#define EXC_BP          3
#define EXC_OF          4
#define EXC_BR          5
#define EXC_UD          6
#define EXC_NM          7
#define EXC_DF          8
#define EXC_CSO         9                       /* coprocessor segment overrun; not generated */
#define EXC_TS          10
#define EXC_NP          11
#define EXC_SS          12
#define EXC_GP          13
#define EXC_PF          14
#define EXC_MF          16
#define EXC_AC          17
#define EXC_MC          18
#define EXC_XM          19
#define EXC_VE          20
#define EXC_CP          21

#define EXC_COUNT       32                      /* vectors reserved for exceptions */
#define VECTOR_COUNT    256
#define VECTOR_MIN_APIC 16                      /* below: illegal in the local APIC */

/* Error code of #TS, #NP, #SS, #GP: SDM Vol. 3A, "Error Code". */
#define ERROR_CODE_EXT   BIT32(0)
#define ERROR_CODE_IDT   BIT32(1)
#define ERROR_CODE_TI    BIT32(2)
#define ERROR_CODE_INDEX 0xfff8

/* clang-format on */

#ifndef __ASSEMBLER__

#define EXC_ERROR_CODE_MASK                                                              \
	(BIT32(EXC_DF) | BIT32(EXC_TS) | BIT32(EXC_NP) | BIT32(EXC_SS) | BIT32(EXC_GP) | \
	 BIT32(EXC_PF) | BIT32(EXC_AC) | BIT32(EXC_CP))

/* True when delivery in protected mode pushes an error code. Real mode never does. */
static inline bool exception_has_error_code(u8 vector)
{
	return vector < EXC_COUNT && (EXC_ERROR_CODE_MASK & BIT32(vector)) != 0;
}

/* SDM "Instruction-Breakpoint Exception Condition": faults other than #DB save RF set. */
static inline bool exception_sets_rf(u8 vector)
{
	return vector != EXC_DB && vector != EXC_BP && vector != EXC_OF && vector != EXC_DF &&
	       vector != EXC_MC;
}

/* SDM Vol. 3A, "Interrupt 8 - Double Fault Exception (#DF)": classes and their combination. */
enum exception_class { EXC_CLASS_BENIGN, EXC_CLASS_CONTRIBUTORY, EXC_CLASS_PAGE_FAULT };

static inline enum exception_class exception_class(u8 vector)
{
	switch (vector) {
	case EXC_DE:
	case EXC_TS:
	case EXC_NP:
	case EXC_SS:
	case EXC_GP:
	case EXC_CP:
		return EXC_CLASS_CONTRIBUTORY;
	case EXC_PF:
	case EXC_VE:
		return EXC_CLASS_PAGE_FAULT;
	default: /* a vector number, not an enum */
		return EXC_CLASS_BENIGN;
	}
}

enum exception_merge { EXC_MERGE_SERIAL, EXC_MERGE_DOUBLE_FAULT, EXC_MERGE_SHUTDOWN };

/* What 'second', raised while 'first' is being delivered, turns into. */
static inline enum exception_merge exception_merge(u8 first, u8 second)
{
	enum exception_class a = exception_class(first);
	enum exception_class b = exception_class(second);

	if (first == EXC_DF)
		return b == EXC_CLASS_BENIGN ? EXC_MERGE_SERIAL : EXC_MERGE_SHUTDOWN;
	if (a == EXC_CLASS_CONTRIBUTORY && b == EXC_CLASS_CONTRIBUTORY)
		return EXC_MERGE_DOUBLE_FAULT;
	if (a == EXC_CLASS_PAGE_FAULT && b != EXC_CLASS_BENIGN)
		return EXC_MERGE_DOUBLE_FAULT;
	return EXC_MERGE_SERIAL;
}

/* Short name such as "#GP"; "?" for reserved vectors. */
static inline const char *exception_name(u8 vector)
{
	static const char names[][5] = {
		"#DE", "#DB", "NMI", "#BP", "#OF", "#BR", "#UD", "#NM", "#DF", "CSO", "#TS",
		"#NP", "#SS", "#GP", "#PF", "?",   "#MF", "#AC", "#MC", "#XM", "#VE", "#CP",
	};

	return vector < ARRAY_SIZE(names) ? names[vector] : "?";
}

#endif /* __ASSEMBLER__ */
