# SPDX-License-Identifier: BSD-2-Clause
"""ACPI tables of Bochs' i440FX machine, for OVMF on it.

OVMF takes ACPI tables from QEMU; on Bochs it has none. GRUB's command `acpi` adds these, and the
firmware's configuration table names them. Source: ACPI 6.4, "ACPI Software Programming Model" and
"ACPI Machine Language Specification"; the ports are where OVMF puts the PIIX4's.
"""

import struct

PM_BASE = 0xB000
SCI = 9


def table(signature, revision, body):
    head = struct.pack("<4sIBB6s8sI4sI", signature, 36 + len(body), revision, 0, b"BOCHS ",
                       b"KENSHO  ", 1, b"KNSH", 1)
    data = bytearray(head + body)
    data[9] = -sum(data) & 0xFF
    return bytes(data)


def package(op, body):
    """An AML term with a package length."""
    for extra in range(4):
        length = len(body) + 1 + extra
        if extra == 0 and length < 64:
            return op + bytes([length]) + body
        if extra and length < 1 << (4 + 8 * extra):
            rest = (length >> 4).to_bytes(extra, "little")
            return op + bytes([extra << 6 | length & 15]) + rest + body
    raise ValueError("term too long")


def name(what, value):
    return b"\x08" + what + value


def buffer(data):
    return package(b"\x11", b"\x0b" + struct.pack("<H", len(data)) + data)


def word_range(kind, flags, low, high):
    return struct.pack("<BHBBB5H", 0x88, 13, kind, 0x0C, flags, 0, low, high, 0,
                       (high - low + 1) & 0xFFFF)


def dword_range(low, high):
    return struct.pack("<BHBBB5I", 0x87, 23, 0, 0x0C, 1, 0, low, high, 0, high - low + 1)


def dsdt():
    resources = (word_range(2, 0, 0, 0xFF) + b"\x47\x01\xf8\x0c\xf8\x0c\x01\x08" +
                 word_range(1, 3, 0, 0xCF7) + word_range(1, 3, 0xD00, 0xFFFF) +
                 dword_range(0xA0000, 0xBFFFF) + dword_range(0x80000000, 0xFEBFFFFF) + b"\x79\x00")
    bridge = package(b"\x5b\x82", b"PCI0" + name(b"_HID", b"\x0c\x41\xd0\x0a\x03") +
                     name(b"_ADR", b"\x00") + name(b"_CRS", buffer(resources)))
    soft_off = name(b"_S5_", package(b"\x12", b"\x04\x00\x00\x00\x00"))
    return table(b"DSDT", 1, package(b"\x10", b"\\_SB_" + bridge) + soft_off)


def fadt():
    body = bytearray(116 - 36)

    def put(offset, fmt, value):
        struct.pack_into(fmt, body, offset - 36, value)
    put(46, "<H", SCI)
    put(56, "<I", PM_BASE)          # PM1a event block
    put(64, "<I", PM_BASE + 4)      # PM1a control
    put(76, "<I", PM_BASE + 8)      # PM timer
    struct.pack_into("<4B", body, 88 - 36, 4, 2, 0, 4)      # lengths of these blocks
    put(108, "<B", 0x32)            # century
    put(112, "<I", 1 | 1 << 2 | 1 << 4 | 1 << 5)    # WBINVD, C1, no fixed buttons
    return table(b"FACP", 1, bytes(body))


def madt(cpus, twice=False):
    """APIC IDs from 255 on need x2APIC entries. twice: all have one, those below two."""
    body = struct.pack("<II", 0xFEE00000, 1)
    for cpu in range(cpus):
        if twice or cpu >= 255:
            body += struct.pack("<BBHIII", 9, 16, 0, cpu, 1, cpu)
        if cpu < 255:
            body += struct.pack("<BBBBI", 0, 8, cpu, cpu, 1)
    body += struct.pack("<BBBBII", 1, 12, cpus & 0xFF, 0, 0xFEC00000, 0)
    body += struct.pack("<BBBBIH", 2, 10, 0, 0, 2, 0)               # the PIT is on pin 2
    body += struct.pack("<BBBBIH", 2, 10, 0, SCI, SCI, 0xD)         # level, active high
    return table(b"APIC", 1, body)


def tables(cpus):
    """{name: bytes} of what GRUB's `acpi` gets."""
    return {"dsdt.aml": dsdt(), "facp.aml": fadt(), "apic.aml": madt(cpus)}
