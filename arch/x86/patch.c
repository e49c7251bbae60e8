/* SPDX-License-Identifier: BSD-2-Clause */
/* Boot-time patching of the hypervisor's own text for the chosen speculation sequences. */
#include "arch/x86/mitigation.h"

#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/reg.h"
#include "arch/x86/insn.h"
#include "core/lib/bits.h"
#include "core/lib/string.h"

#define THUNK_BYTES 32
#define THUNK_COUNT 16

extern u8 thunk_table[], vmenter_verw_resume[], vmenter_verw_launch[], rdmsr_verw[];
extern const u8 vmenter_verw_selector[], vmx_exit_entry[], vmx_exit_entry_mitigated[];
extern const u8 vmx_exit_entry_traced[];

/* Clears CR0.WP for one copy: the only time the text is writable. Boot, one CPU, before the
 * first entry. */
static void poke(u8 *text, const u8 *bytes, size_t n)
{
	u64 cr0 = read_cr0();

	write_cr0(cr0 & ~CR0_WP);
	memcpy(text, bytes, n);
	write_cr0(cr0);
}

/* JMP *%reg; INT3. */
static void make_plain_thunk(u32 reg)
{
	u8 code[4];
	u32 n = 0;

	if (reg >= 8)
		code[n++] = 0x41;
	code[n++] = 0xff;
	code[n++] = (u8)(0xe0 | (reg & 7));
	code[n++] = 0xcc;
	poke(thunk_table + reg * THUNK_BYTES, code, n);
}

/* VERW disp32(%rip) over the 7-byte NOP. */
static void make_verw(u8 *site)
{
	s32 disp = (s32)(vmenter_verw_selector - (site + 7));
	u8 code[7] = { 0x0f, 0x00, 0x2d };

	memcpy(code + 3, &disp, sizeof(disp));
	poke(site, code, sizeof(code));
}

void mitigation_apply(u32 sequences)
{
	if (!(sequences & MITIGATION_RETPOLINE)) {
		for (u32 reg = 0; reg < THUNK_COUNT; reg++) {
			if (reg != GPR_SP)
				make_plain_thunk(reg);
		}
	}
	if (sequences & MITIGATION_VERW) {
		make_verw(vmenter_verw_resume);
		make_verw(vmenter_verw_launch);
		make_verw(rdmsr_verw);
	}
}

/* JMP rel32 over the first bytes of the 7-byte NOP. */
static void make_jump(u8 *site, const u8 *to)
{
	s32 disp = (s32)(to - (site + 5));
	u8 code[5] = { 0xe9 };

	memcpy(code + 1, &disp, sizeof(disp));
	poke(site, code, sizeof(code));
}

void vmenter_detour(const u8 *by, const u8 *rdmsr_by)
{
	make_jump(vmenter_verw_resume, by);
	make_jump(rdmsr_verw, rdmsr_by);
}

u64 mitigation_host_rip(u32 sequences, bool traced)
{
	if (traced)
		return (u64)vmx_exit_entry_traced;
	return (u64)(sequences & MITIGATION_RSB_FILL ? vmx_exit_entry_mitigated : vmx_exit_entry);
}
