/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Parameters of the resident real-mode code: boot/load/bios_hook.h. Shared with boot/disk_stub.S.
 *
 * The block in the guest's conventional memory is the code as assembled, then the memory map in the
 * form that INT 15h E820h returns it. Offsets are from the block's start, which is also its
 * segment.
 */
#pragma once

#define DISK_STUB_ENTRY        0  /* code: VP 0 starts here */
#define DISK_STUB_INT15        4  /* u16: offset of our INT 15h handler */
#define DISK_STUB_INT12        6  /* u16: of our INT 12h handler */
#define DISK_STUB_OLD_INT15    8  /* u32: the firmware's handler, offset and segment */
#define DISK_STUB_OLD_INT12    12 /* u32: */
#define DISK_STUB_PNP          16 /* u32: DI and ES for the boot sector */
#define DISK_STUB_MAP_COUNT    20 /* u32: entries of the map, at least 1 */
#define DISK_STUB_MAP          24 /* u16: offset of the map */
#define DISK_STUB_KIB_FROM_1M  26 /* u16: RAM from 1 MiB on in one piece; at most 65535 KiB */
#define DISK_STUB_64K_FROM_16M 28 /* u16: from 16 MiB on, in 64 KiB; 0 with less below */
#define DISK_STUB_CONVENTIONAL 30 /* u16: KiB below this block */
#define DISK_STUB_COM1         32 /* u16: port for messages, 0: the screen only */
#define DISK_STUB_HEADER_BYTES 34

#define DISK_MAP_ENTRY_BYTES 24 /* ACPI "INT 15H, E820H": base, length, type, attributes */
