# SPDX-License-Identifier: BSD-2-Clause
"""Hard disks for guest=disk0: their images, and what the program on one of them must have said.

image(NAME, path, append) writes a disk image for the row keys `disk` and `disk2`:

    program          tests/guest/disk: sector 0, its program, and the pattern it reads
    linux            GRUB in the MBR, Debian's kernel and our initrd: `append` is its command line
    ipxe             GRUB in the MBR, Debian's iPXE as a kernel: `append` is its command line
    no-signature     the program without 55 AA
    reset            the program, which only presses Ctrl-Alt-Del
"""

import re
import struct
import sys
import time

import results

sys.path.insert(0, str(results.ROOT / "tools"))
import emu  # noqa: E402
import images  # noqa: E402
import mkiso  # noqa: E402

PROGRAM = results.ROOT / "build/guest/disk.bin"
PATTERN_LBA, PATTERN_SECTORS = 2048, 64 * 37    # as in tests/guest/disk/main.c
BARE_TIMEOUT_S = 60
SAY_ROOT = """serial --unit=0 --speed=115200
terminal_output console serial
echo "GRUB on $root loads Linux"
"""


def pad(path):
    """To whole cylinders."""
    size = path.stat().st_size
    with open(path, "r+b") as file:
        file.truncate(-(-size // emu.DISK_CYLINDER) * emu.DISK_CYLINDER)
    return path


def pattern(lba):
    return struct.pack("<128I", *((lba * 0x01000193 + i * 4) & 0xFFFFFFFF for i in range(128)))


def program(path):
    data = bytearray(PROGRAM.read_bytes().ljust(PATTERN_LBA * 512, b"\0"))
    data += b"".join(pattern(PATTERN_LBA + i) for i in range(PATTERN_SECTORS))
    path.write_bytes(data)
    return pad(path)


def patched(path, offset, data):
    program(path)
    with open(path, "r+b") as file:
        file.seek(offset)
        file.write(data)
    return path


def linux(path, append):
    """A hybrid image of GRUB: as a disk its MBR loads GRUB by INT 13h."""
    boot_line = f"{append} {images.LINUX_APPEND}"
    mods = [mkiso.Module(mkiso.LINUX, "kernel", boot_line), mkiso.Module(mkiso.INITRD, "initrd")]
    boot = mkiso.Boot(hv=None, modules=mods, before=SAY_ROOT)
    return pad(mkiso.make_iso(path, boot))


def ipxe(path, append):
    files = {"boot/ipxe.lkrn": mkiso.cached("ipxe/boot/ipxe.lkrn")}
    return pad(mkiso.make_iso(path, mkiso.Boot(hv=None, files=files),
                              cfg=f"linux16 /boot/ipxe.lkrn {append}\nboot\n"))


def image(name, path, append):
    if name == "program":
        return program(path)
    if name == "no-signature":
        return patched(path, 510, b"\xaa\x55")
    if name == "reset":
        return patched(path, 508, b"\x01")
    if name == "linux":
        return linux(path, append)
    if name == "ipxe":
        return ipxe(path, append)
    raise ValueError(f"unknown disk {name}")


# --- what the program said --------------------------------------------------------------------------

def answers(text, name):
    return [tuple(int(word, 16) for word in line.split())
            for line in re.findall(rf"^# {name} ([0-9a-f ]+)\r?$", text, re.M)]


def by_bytes(entries):
    """[(base, length, type)] with neighbours of one type joined."""
    out = []
    for base, length, kind in sorted(entries):
        if out and out[-1][2] == kind and out[-1][0] + out[-1][1] == base:
            out[-1][1] += length
        else:
            out.append([base, length, kind])
    return out


def reserve(entries, base, length):
    """The map with a range of RAM reserved."""
    out = []
    for first, size, kind in entries:
        end, cut, stop = first + size, base, base + length
        if kind != 1 or stop <= first or end <= cut:
            out.append((first, size, kind))
            continue
        out += [(first, cut - first, 1)] if first < cut else []
        out += [(stop, end - stop, 1)] if stop < end else []
    return by_bytes(out + [(base, length, 2)])


def disk_map(run):
    """Linux, from the disk by GRUB: both kept the block and the region out of usable memory."""
    bad = []
    ranges = [(int(a, 16), int(b, 16), kind) for a, b, kind in re.findall(
        r"BIOS-e820: \[mem 0x(\w+)-0x(\w+)\] (\w+)", run.text("com1"))]
    for what in (r"hooked at (\w+)", r"region: \d+ MiB at (\w+)"):
        found = re.search(what, run.text("com2"))
        first = int(found[1], 16) if found else 0
        kinds = {kind for a, b, kind in ranges if a <= first <= b}
        if kinds != {"reserved"}:
            bad.append(f"{first:x} ({what}) is {kinds} in Linux' map")
    return bad


def bare_run(run):
    """COM1 of the same disk on the same machine without Kensho."""
    directory = run.dir / "bare"
    directory.mkdir()
    machine = emu.Machine(dir=directory, iso=run.dir / "boot.iso", cpus=int(run.row["cpus"]),
                          memory=int(run.row["memory"]), model=run.row["model"],
                          disk=run.dir / "disk.img", disk_first=True,
                          extra=run.row.get("extra", ""))
    emulator = emu.Emulator(emu.bochs_command(machine), directory)
    end = time.monotonic() + BARE_TIMEOUT_S
    try:
        while emulator.poll() is None and time.monotonic() < end:
            time.sleep(0.2)
    finally:
        emulator.kill()
    return (directory / "com1.log").read_text(errors="replace")


def same_as_bare(run):
    """The firmware's answers but for the region and the block at the end of conventional memory."""
    mine, bare = run.text("com1"), bare_run(run)
    bad = [] if not re.search(r"^not ok", bare, re.M) and "ok 1 " in bare else \
        ["the program fails on the bare machine:", *re.findall(r"^not ok.*", bare, re.M)]
    region = re.search(r"region: (\d+) MiB at (\w+)", run.text("com2"))
    block = re.search(r"hooked at (\w+)", run.text("com2"))
    if not region or not block:
        return bad + ["COM2 names no region or no block"]
    base, length, stub = int(region[2], 16), int(region[1]) << 20, int(block[1], 16)
    want = reserve(by_bytes(answers(bare, "e820")), base, length)
    want = reserve(want, stub, 4096)
    got = by_bytes(answers(mine, "e820"))
    if got != want:
        bad.append(f"E820: got {got}, want {want}")
    top = min(base, *(a for a, _, kind in want if kind != 1 and a >= 16 << 20))
    for (low, high), (bare_low, bare_high) in zip(answers(mine, "e801"), answers(bare, "e801")):
        if low != bare_low or high != min(bare_high, (top - (16 << 20)) >> 16):
            bad.append(f"E801: got {low:x} {high:x}, bare {bare_low:x} {bare_high:x}")
    for name, expected in (("88", answers(bare, "88")), ("int12", [(stub >> 10, 0)])):
        if answers(mine, name) != expected or not expected:
            bad.append(f"{name}: got {answers(mine, name)}, want {expected}")
    return bad
