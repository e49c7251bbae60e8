/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The whole user space of the boot benchmark, started as rdinit=: its first instruction is a Bochs
 * magic breakpoint (the debugger reads its counters there), the rest powers the machine off.
 */
#define SYS_REBOOT    169
#define MAGIC1        0xfee1dead
#define MAGIC2        672274793
#define CMD_POWER_OFF 0x4321fedc

	.globl _start
_start:
	xchg	%bx, %bx
	mov	$SYS_REBOOT, %eax
	mov	$MAGIC1, %edi
	mov	$MAGIC2, %esi
	mov	$CMD_POWER_OFF, %edx
	syscall
1:	pause
	jmp	1b
