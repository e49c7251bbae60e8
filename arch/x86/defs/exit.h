/* SPDX-License-Identifier: BSD-2-Clause */
/* Exit reasons, and decoders from exit qualifications to small structs. */
#pragma once

#include "core/lib/bits.h"

/* EXIT_REASON field: SDM Vol. 3C, "Basic VM-Exit Information". */
#define EXIT_REASON_BASIC         GENMASK32(15, 0)
#define EXIT_REASON_SSP_BUSY      BIT32(25) /* shadow stack left prematurely busy */
#define EXIT_REASON_BUS_LOCK_ALSO BIT32(26) /* bus lock asserted, another reason reported */
#define EXIT_REASON_ENCLAVE       BIT32(27)
#define EXIT_REASON_PENDING_MTF   BIT32(28)
#define EXIT_REASON_FROM_ROOT     BIT32(29)
#define EXIT_REASON_ENTRY_FAILURE BIT32(31)

enum exit_reason {
#define X(name, number, text) EXIT_REASON_##name = (number),
#include "arch/x86/defs/exit_reasons.def"
	EXIT_REASON_COUNT
};

/* Short name for traces; "?" for a number the SDM does not define. */
static inline const char *exit_reason_name(u32 basic)
{
	switch (basic) {
#define X(name, number, text) \
	case number:          \
		return text;
#include "arch/x86/defs/exit_reasons.def"
	default: /* a number from hardware, not an enum: gaps exist */
		return "?";
	}
}

/* Control-register accesses: SDM "Exit Qualification for Control-Register Accesses". */
#define CR_QUAL_NUM         GENMASK64(3, 0)
#define CR_QUAL_TYPE        GENMASK64(5, 4)
#define CR_QUAL_LMSW_MEMORY BIT64(6)
#define CR_QUAL_GPR         GENMASK64(11, 8)
#define CR_QUAL_LMSW_SOURCE GENMASK64(31, 16)

enum cr_access_type { CR_ACCESS_TO_CR, CR_ACCESS_FROM_CR, CR_ACCESS_CLTS, CR_ACCESS_LMSW };

struct cr_access {
	u8 cr;
	u8 gpr; /* 0 = RAX ... 15 = R15; MOV only */
	enum cr_access_type type;
	bool lmsw_memory; /* GUEST_LINEAR_ADDRESS is valid */
	u16 lmsw_source;
};

static inline struct cr_access cr_access_decode(u64 qual)
{
	return (struct cr_access){
		.cr = (u8)FIELD_GET(CR_QUAL_NUM, qual),
		.gpr = (u8)FIELD_GET(CR_QUAL_GPR, qual),
		.type = (enum cr_access_type)FIELD_GET(CR_QUAL_TYPE, qual),
		.lmsw_memory = (qual & CR_QUAL_LMSW_MEMORY) != 0,
		.lmsw_source = (u16)FIELD_GET(CR_QUAL_LMSW_SOURCE, qual),
	};
}

/* MOV DR: SDM "Exit Qualification for MOV DR". */
#define DR_QUAL_NUM     GENMASK64(2, 0)
#define DR_QUAL_FROM_DR BIT64(4)
#define DR_QUAL_GPR     GENMASK64(11, 8)

struct dr_access {
	u8 dr;
	u8 gpr;
	bool from_dr; /* read of DR; false: write to DR */
};

static inline struct dr_access dr_access_decode(u64 qual)
{
	return (struct dr_access){
		.dr = (u8)FIELD_GET(DR_QUAL_NUM, qual),
		.gpr = (u8)FIELD_GET(DR_QUAL_GPR, qual),
		.from_dr = (qual & DR_QUAL_FROM_DR) != 0,
	};
}

/* I/O instructions: SDM "Exit Qualification for I/O Instructions". */
#define IO_QUAL_SIZE   GENMASK64(2, 0) /* bytes - 1: 0, 1 or 3 */
#define IO_QUAL_IN     BIT64(3)
#define IO_QUAL_STRING BIT64(4)
#define IO_QUAL_REP    BIT64(5)
#define IO_QUAL_IMM    BIT64(6) /* port in the instruction, not in DX */
#define IO_QUAL_PORT   GENMASK64(31, 16)

struct io_access {
	u16 port;
	u8 size_bytes;
	bool in;
	bool string;
	bool rep;
	bool imm;
};

static inline struct io_access io_access_decode(u64 qual)
{
	return (struct io_access){
		.port = (u16)FIELD_GET(IO_QUAL_PORT, qual),
		.size_bytes = (u8)(FIELD_GET(IO_QUAL_SIZE, qual) + 1),
		.in = (qual & IO_QUAL_IN) != 0,
		.string = (qual & IO_QUAL_STRING) != 0,
		.rep = (qual & IO_QUAL_REP) != 0,
		.imm = (qual & IO_QUAL_IMM) != 0,
	};
}

/* EPT violations: SDM "Exit Qualification for EPT Violations". */
#define EPT_QUAL_READ               BIT64(0)
#define EPT_QUAL_WRITE              BIT64(1)
#define EPT_QUAL_FETCH              BIT64(2)
#define EPT_QUAL_READABLE           BIT64(3) /* what the EPT entries permitted */
#define EPT_QUAL_WRITABLE           BIT64(4)
#define EPT_QUAL_EXECUTABLE         BIT64(5)
#define EPT_QUAL_USER_EXECUTABLE    BIT64(6) /* with mode-based execute control */
#define EPT_QUAL_GLA_VALID          BIT64(7)
#define EPT_QUAL_GLA_IS_TRANSLATION BIT64(8) /* final access; 0: guest paging-structure access */
#define EPT_QUAL_GLA_USER           BIT64(9) /* 9..11 with advanced exit information */
#define EPT_QUAL_GLA_WRITABLE       BIT64(10)
#define EPT_QUAL_GLA_NX             BIT64(11)
#define EPT_QUAL_NMI_UNBLOCKING     BIT64(12) /* NMI unblocking due to IRET */
#define EPT_QUAL_SHADOW_STACK       BIT64(13)
#define EPT_QUAL_SUPERVISOR_SSTK    BIT64(14)
#define EPT_QUAL_GUEST_PAGING_VERIF BIT64(15)
#define EPT_QUAL_ASYNC              BIT64(16) /* not caused by instruction execution */

/* APIC accesses: SDM "Exit Qualification for APIC-Access VM Exits". */
#define APIC_ACCESS_QUAL_OFFSET GENMASK64(11, 0)
#define APIC_ACCESS_QUAL_TYPE   GENMASK64(15, 12)
#define APIC_ACCESS_QUAL_ASYNC  BIT64(16)

enum apic_access_type {
	APIC_ACCESS_LINEAR_READ = 0,
	APIC_ACCESS_LINEAR_WRITE = 1,
	APIC_ACCESS_LINEAR_FETCH = 2,
	APIC_ACCESS_LINEAR_EVENT = 3, /* read or write during event delivery */
	APIC_ACCESS_LINEAR_MONITOR = 4,
	APIC_ACCESS_PHYSICAL_EVENT = 10,
	APIC_ACCESS_PHYSICAL_MONITOR_PT = 11, /* monitoring or trace output */
	APIC_ACCESS_PHYSICAL_INSTRUCTION = 15,
};

struct apic_access {
	u16 offset; /* undefined for physical accesses */
	enum apic_access_type type;
};

static inline struct apic_access apic_access_decode(u64 qual)
{
	return (struct apic_access){
		.offset = (u16)FIELD_GET(APIC_ACCESS_QUAL_OFFSET, qual),
		.type = (enum apic_access_type)FIELD_GET(APIC_ACCESS_QUAL_TYPE, qual),
	};
}

/* APIC-write and virtualized-EOI exits. */
#define APIC_WRITE_QUAL_OFFSET GENMASK64(11, 0)
#define EOI_QUAL_VECTOR        GENMASK64(7, 0)

/* Task switches: SDM "Exit Qualification for Task Switches". */
#define TASK_SWITCH_QUAL_SELECTOR GENMASK64(15, 0)
#define TASK_SWITCH_QUAL_SOURCE   GENMASK64(31, 30)

enum task_switch_source {
	TASK_SWITCH_CALL,
	TASK_SWITCH_IRET,
	TASK_SWITCH_JMP,
	TASK_SWITCH_IDT_GATE,
};

struct task_switch {
	u16 selector;
	enum task_switch_source source;
};

static inline struct task_switch task_switch_decode(u64 qual)
{
	return (struct task_switch){
		.selector = (u16)FIELD_GET(TASK_SWITCH_QUAL_SELECTOR, qual),
		.source = (enum task_switch_source)FIELD_GET(TASK_SWITCH_QUAL_SOURCE, qual),
	};
}

/* Debug exceptions: SDM "Exit Qualification for Debug Exceptions". */
#define DEBUG_QUAL_B0_B3 GENMASK64(3, 0)
#define DEBUG_QUAL_BLD   BIT64(11) /* inverse polarity of DR6.BLD */
#define DEBUG_QUAL_BD    BIT64(13)
#define DEBUG_QUAL_BS    BIT64(14)
#define DEBUG_QUAL_RTM   BIT64(16) /* inverse polarity of DR6.RTM */

/* SIPI, NOTIFY and MWAIT exits. */
#define SIPI_QUAL_VECTOR            GENMASK64(7, 0)
#define NOTIFY_QUAL_NMI_UNBLOCKING  BIT64(12)
#define NOTIFY_QUAL_CONTEXT_INVALID BIT64(0)
#define MWAIT_QUAL_MONITOR_ARMED    BIT64(0)

/*
 * VMX_INSTRUCTION_INFO of instructions with a memory operand or two registers (VMX instructions,
 * INVEPT, INVPCID, XSAVES, descriptor-table accesses). Not every field is defined for every one.
 * SDM "Information for VM Exits Due to Instruction Execution".
 */
#define INSTR_INFO_SCALE             GENMASK32(1, 0)
#define INSTR_INFO_REG1              GENMASK32(6, 3)
#define INSTR_INFO_ADDRESS_SIZE      GENMASK32(9, 7) /* 0: 16, 1: 32, 2: 64 bits */
#define INSTR_INFO_IS_REGISTER       BIT32(10)
#define INSTR_INFO_OPERAND_SIZE      BIT32(11)         /* LIDT, LGDT, SIDT, SGDT: 1 = 32 bits */
#define INSTR_INFO_RAND_OPERAND_SIZE GENMASK32(12, 11) /* RDRAND, RDSEED: 0: 16, 1: 32, 2: 64 */
#define INSTR_INFO_SEGMENT           GENMASK32(17, 15) /* enum segment_register */
#define INSTR_INFO_INDEX             GENMASK32(21, 18)
#define INSTR_INFO_INDEX_INVALID     BIT32(22)
#define INSTR_INFO_BASE              GENMASK32(26, 23)
#define INSTR_INFO_BASE_INVALID      BIT32(27)
#define INSTR_INFO_REG2              GENMASK32(31, 28)
#define INSTR_INFO_IDENTITY          GENMASK32(29, 28)

/* INSTR_INFO_IDENTITY: bit 0 picks IDTR or TR, bit 1 the load. */
enum gdtr_idtr_identity { IDENTITY_SGDT, IDENTITY_SIDT, IDENTITY_LGDT, IDENTITY_LIDT };
enum ldtr_tr_identity { IDENTITY_SLDT, IDENTITY_STR, IDENTITY_LLDT, IDENTITY_LTR };

/* INS and OUTS store the operand-independent part in the same field. */
#define IO_INFO_ADDRESS_SIZE GENMASK32(9, 7)
#define IO_INFO_SEGMENT      GENMASK32(17, 15)
