/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Instructions of VMX, SMX, SGX, SVM and TDX, which the guest is not offered: #UD at every
 * privilege level in every mode. Memory operands are [BX], [EDI] or [RDI]. For the 64- and the
 * 32-bit tests.
 *
 * Those that exit do so where the SDM's pseudocode has its VM exit behind the check of the mode: in
 * protected mode and 64-bit mode, at any CPL. In real, virtual-8086 and compatibility mode the CPU
 * raises #UD by itself. SDM Vol. 3C "VMX Instruction Reference".
 */
#pragma once

#include "core/lib/types.h"

struct hidden_insn {
	const char *name;
	const char *exit; /* counter of Kensho; NULL: #UD without an exit */
	u8 len, code[6];
};

/* clang-format off */
static const struct hidden_insn hidden_insns[] = {
	{ "vmxon",       "exit:vmxon",    4, { 0xf3, 0x0f, 0xc7, 0x37 } },
	{ "vmclear",     "exit:vmclear",  4, { 0x66, 0x0f, 0xc7, 0x37 } },
	{ "vmptrld",     "exit:vmptrld",  3, { 0x0f, 0xc7, 0x37 } },
	{ "vmptrst",     "exit:vmptrst",  3, { 0x0f, 0xc7, 0x3f } },
	{ "vmread reg",  "exit:vmread",   3, { 0x0f, 0x78, 0xc8 } },
	{ "vmread mem",  "exit:vmread",   3, { 0x0f, 0x78, 0x0f } },
	{ "vmwrite reg", "exit:vmwrite",  3, { 0x0f, 0x79, 0xc8 } },
	{ "vmwrite mem", "exit:vmwrite",  3, { 0x0f, 0x79, 0x0f } },
	{ "vmlaunch",    "exit:vmlaunch", 3, { 0x0f, 0x01, 0xc2 } },
	{ "vmresume",    "exit:vmresume", 3, { 0x0f, 0x01, 0xc3 } },
	{ "vmxoff",      "exit:vmxoff",   3, { 0x0f, 0x01, 0xc4 } },
	{ "invept",      "exit:invept",   5, { 0x66, 0x0f, 0x38, 0x80, 0x0f } },
	{ "invvpid",     "exit:invvpid",  5, { 0x66, 0x0f, 0x38, 0x81, 0x0f } },
	{ "vmfunc",      NULL,            3, { 0x0f, 0x01, 0xd4 } },
	{ "getsec",      NULL,            2, { 0x0f, 0x37 } }, /* CR4.SMXE is clear */
	{ "encls",       NULL,            3, { 0x0f, 0x01, 0xcf } },
	{ "enclu",       NULL,            3, { 0x0f, 0x01, 0xd7 } },
	{ "enclv",       NULL,            3, { 0x0f, 0x01, 0xc0 } },
	{ "pconfig",     NULL,            3, { 0x0f, 0x01, 0xc5 } },
	{ "seamcall",    NULL,            4, { 0x66, 0x0f, 0x01, 0xcf } },
	{ "tdcall",      NULL,            4, { 0x66, 0x0f, 0x01, 0xcc } },
	{ "vmrun",       NULL,            3, { 0x0f, 0x01, 0xd8 } },
	{ "vmmcall",     NULL,            3, { 0x0f, 0x01, 0xd9 } },
	{ "vmload",      NULL,            3, { 0x0f, 0x01, 0xda } },
	{ "vmsave",      NULL,            3, { 0x0f, 0x01, 0xdb } },
	{ "stgi",        NULL,            3, { 0x0f, 0x01, 0xdc } },
	{ "clgi",        NULL,            3, { 0x0f, 0x01, 0xdd } },
	{ "skinit",      NULL,            3, { 0x0f, 0x01, 0xde } },
	{ "invlpga",     NULL,            3, { 0x0f, 0x01, 0xdf } },
};
/* clang-format on */

/* VMCALL exits in every mode and is the hypervisor's where it speaks KVM's language, or Hyper-V's
 * and the guest, too; else #UD. */
static const struct hidden_insn vmcall_insn = { "vmcall", "exit:vmcall", 3, { 0x0f, 0x01, 0xc1 } };

#define VMCALL_UNKNOWN_NR   0x4b1du
#define VMCALL_ENOSYS       ((u32)-1000) /* Linux: Documentation/virt/kvm/x86/hypercalls.rst */
#define VMCALL_EPERM        ((u32)-1)    /* CPL above 0 */
#define VMCALL_INVALID_CODE 2u           /* Hyper-V's answer; #UD above CPL 0 */
