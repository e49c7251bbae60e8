/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_fault=wide_window: detours of the entry paths, never reached without that option.
 *
 * The window between the work check and VMRESUME is shorter than the way of an IPI's sender from
 * posting the work to the NMI, so on an emulator no kick ever hits it, and a broken rule K1 would
 * pass every test. This makes it long enough. The linker script puts the detours between the bounds
 * of the window: an NMI in it must restart the entry just as one before VMRESUME does.
 */
	.section .text.vmenter.detour, "ax"

	.globl	test_wide_window
test_wide_window:
	.rept	120
	nop
	.endr
	jmp	vmenter_resume

	.globl	test_wide_rdmsr
test_wide_rdmsr:
	.rept	120
	nop
	.endr
	jmp	rdmsr_resume

	.section .note.GNU-stack, "", @progbits
