/* SPDX-License-Identifier: BSD-2-Clause */
/* Registers by number: instructions, VMX exit information and VMCS fields count them alike. */
#pragma once

/* General registers; R8 to R15 follow as 8 to 15. */
enum gpr { GPR_AX, GPR_CX, GPR_DX, GPR_BX, GPR_SP, GPR_BP, GPR_SI, GPR_DI };

/* Segment registers. Instructions know the first six, VMCS fields have all in this order. */
enum segment_register { SEG_ES, SEG_CS, SEG_SS, SEG_DS, SEG_FS, SEG_GS, SEG_LDTR, SEG_TR };
