/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libxenctrl.so.4.17 as far as Debian's kexec needs it where there is no Xen: it exists, it has the
 * version, and this one variable. The functions are bound when called, which they never are.
 */
	.bss
	.globl xc__hypercall_buffer_HYPERCALL_BUFFER_NULL
	.type xc__hypercall_buffer_HYPERCALL_BUFFER_NULL, @object
	.size xc__hypercall_buffer_HYPERCALL_BUFFER_NULL, 40
xc__hypercall_buffer_HYPERCALL_BUFFER_NULL:
	.zero	40
