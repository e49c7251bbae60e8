#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""What a multiboot guest is told: under Kensho the same as by GRUB on the bare emulator, but for
Kensho's own memory and name.

    tests/run/multiboot.py KIND     one of the images build/guest/mb*
"""

import re
import shutil
import struct
import sys
import time

import results

sys.path.insert(0, str(results.ROOT / "tools"))
import emu  # noqa: E402
import mkiso  # noqa: E402

RUNS = results.ROOT / "build/runs"
BOOT_S = 30
APPEND = "first second=2"
MODULES = {"one": b"module one\n" * 700, "two": bytes(range(256)) * 33}
LINKED_AT = 0x800000
RELOCATED = range(0x1000000, 0x4000000 + 1)      # start.S
ALIGN = 0x200000
# Tags by number, as the specification has them.
CMDLINE, LOADER, MODULE, MEMINFO, BOOTDEV, MMAP = range(1, 7)
FRAMEBUFFER, ELF, APM, ACPI_OLD, ACPI_NEW, LOAD_BASE = 8, 9, 10, 14, 15, 21
# Flags of multiboot 1 where we know more or less than GRUB gives: APM, which its multiboot 2 tells
# Kensho and its multiboot 1 nobody; VBE, which it tells only by multiboot 1.
UNEQUAL1 = {10, 11}


class Wrong(Exception):
    pass


def check(ok, what):
    if not ok:
        raise Wrong(what)


def read(path):
    return path.read_text(errors="replace") if path.exists() else ""


def boot(directory, kind, hv):
    """COM1 and COM2 of one boot."""
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    modules = [mkiso.Module(results.ROOT / f"build/guest/{kind}",
                            "guest" if kind.startswith("mb1") else "guest2", APPEND)]
    for name, data in MODULES.items():
        (directory / name).write_bytes(data)
        modules.append(mkiso.Module(directory / name, name, f"{name} of two"))
    iso = mkiso.make_iso(directory / "boot.iso", mkiso.Boot(hv=hv, modules=modules))
    machine = emu.Machine(dir=directory, iso=iso)
    emulator = emu.Emulator(emu.bochs_command(machine), directory)
    deadline = time.monotonic() + BOOT_S
    try:
        while emulator.poll() is None and time.monotonic() < deadline and \
                "guest stopped" not in read(directory / "com2.log"):
            time.sleep(0.1)
    finally:
        emulator.kill()
    logs = [read(directory / name) for name in ("com1.log", "com2.log")]
    check("mb: end" in logs[0], f"the guest did not come to its end:\n{logs[0][-1500:]}")
    return logs


class Guest:
    """What the guest printed."""

    def __init__(self, com1):
        text = com1[com1.index("mb: begin"):]
        self.number = {name: int(val, 16) for name, val in
                       re.findall(r"^(\w+) ([0-9a-f]{8})\r?$", text, re.M) if name != "module"}
        self.sums = [int(val, 16) for val in re.findall(r"^module ([0-9a-f]{8})", text, re.M)]
        self.memory = {int(at, 16): bytes.fromhex(data) for at, data in
                       re.findall(r"^mem ([0-9a-f]{8}) ((?:[0-9a-f]{2})*)", text, re.M)}

    def string(self, at):
        return self.memory[at].rstrip(b"\0").decode()


def ranges_of(raw, size, skip):
    """[(base, end, type)] of a memory map; an entry of `size` bytes begins with `skip` others."""
    out = []
    for at in range(0, len(raw), size):
        base, length, kind = struct.unpack_from("<QQI", raw, at + skip)
        out.append((base, base + length, kind))
    return out


def read2(guest):
    """{tag: [payloads]} of the information; its form is checked on the way."""
    raw, tags, at = guest.memory[guest.number["info"]], {}, 8
    check(guest.number["info"] % 8 == 0, "information is not aligned")
    check(struct.unpack_from("<I", raw)[0] == len(raw), "total size")
    while True:
        kind, size = struct.unpack_from("<II", raw, at)
        tags.setdefault(kind, []).append(raw[at + 8:at + size])
        if kind == 0:
            break
        at += (size + 7) & ~7
    check(size == 8 and at + 8 == len(raw), "end tag")
    return tags


def is_empty(tags):
    return not any(tags[ELF][0])


def facts2(guest):
    tags = read2(guest)
    mmap = tags[MMAP][0]
    size, version = struct.unpack_from("<II", mmap)
    check(version == 0 and size >= 24, "memory map entries")
    out = {"cmdline": tags[CMDLINE][0], "loader": tags[LOADER][0],
           "ranges": ranges_of(mmap[8:], size, 0),
           "memory": struct.unpack("<II", tags[MEMINFO][0]),
           "modules": [(*struct.unpack_from("<II", m), m[8:]) for m in tags[MODULE]],
           "base": tags.get(LOAD_BASE),
           # GRUB tells every image its base, and flat ones of no sections; the text says less.
           "types": {t for t in tags if t != LOAD_BASE and not (t == ELF and is_empty(tags))}}
    for tag in (BOOTDEV, FRAMEBUFFER, APM, ACPI_OLD, ACPI_NEW):
        out[f"tag {tag}"] = tags.get(tag)
    if ELF in out["types"]:
        out["symbols"] = (struct.unpack_from("<III", tags[ELF][0]), tags[ELF][0][12:])
    return out


def facts1(guest):
    info = guest.memory[guest.number["info"]]
    word = struct.unpack("<30I", info)
    flags = word[0]
    mods = [struct.unpack("<4I", guest.memory[word[6] + 16 * i]) for i in range(word[5])]
    out = {"cmdline": guest.memory[word[4]], "loader": guest.memory[word[16]],
           "ranges": ranges_of(guest.memory[word[12]], 24, 4), "memory": word[1:3],
           "modules": [(m[0], m[1], guest.memory[m[2]]) for m in mods],
           "types": {bit for bit in range(13) if flags >> bit & 1} - UNEQUAL1, "base": None,
           "bootdev": word[3] if flags & 2 else None,
           # address to type; what follows is the colours of a framebuffer
           "screen": info[88:110] if flags & 1 << 12 else None}
    if flags & 1 << 5:
        out["symbols"] = ((word[7], word[8], word[10]), guest.memory[word[9]])
    return out


def type_at(ranges, addr):
    return next((kind for base, end, kind in ranges if base <= addr < end), 0)


def compare_memory(bare, ours, region, hook):
    """The maps say the same of every address, but that Kensho's region and the hook of the BIOS are
    reserved."""
    edges = sorted({edge for base, end, _ in bare["ranges"] + ours["ranges"]
                    for edge in (base, end)} | set(region) | set(hook))
    for addr in edges:
        taken = region[0] <= addr < region[1] or hook[0] <= addr < hook[1]
        want = 2 if taken else type_at(bare["ranges"], addr)
        got = type_at(ours["ranges"], addr)
        check(got == want, f"memory map at 0x{addr:x}: type {got}, want {want}")
    lower, upper = bare["memory"]
    inside = region[0] < (upper << 10) + (1 << 20)
    check(hook[1] == lower << 10, "the hook is at the end of conventional memory")
    want = (hook[0] >> 10, (region[0] - (1 << 20)) >> 10 if inside else upper)
    check(ours["memory"] == want, f"mem_lower, mem_upper: {ours['memory']}, want {want}")


def compare_modules(guest, bare, ours):
    check(len(ours["modules"]) == len(MODULES), "number of modules")
    for (name, data), b, o, total in zip(MODULES.items(), bare["modules"], ours["modules"],
                                         guest.sums):
        check(o[1] - o[0] == b[1] - b[0] == len(data), f"length of module {name}")
        check(o[2] == b[2] == f"{name} of two\0".encode(), f"string of module {name}: {o[2]}")
        check(o[0] % 4096 == 0, f"module {name} is not page-aligned")
        want = 0
        for byte in data:
            want = (want * 31 + byte) & 0xFFFFFFFF
        check(total == want, f"content of module {name}")


def compare_symbols(bare, ours, file):
    """The same headers; the addresses of sections that nobody else loads are each loader's own."""
    check(("symbols" in bare) == ("symbols" in ours), "symbols: one has them, one has not")
    if "symbols" not in bare:
        return
    (num, size, names), theirs = bare["symbols"]
    check(ours["symbols"][0] == (num, size, names), f"symbols: {ours['symbols'][0]}")
    addr, width = (12, 4) if size == 40 else (16, 8)
    for at in range(0, num * size, size):
        b, o = theirs[at:at + size], ours["symbols"][1][at:at + size]
        check(b[:addr] + b[addr + width:] == o[:addr] + o[addr + width:], f"section at {at}")
        shoff, = struct.unpack_from("<I" if size == 40 else "<Q", file, 32 if size == 40 else 40)
        linked = file[shoff + at + addr:shoff + at + addr + width]
        moved = any(b[addr:addr + width]) and not any(linked)
        check(moved and any(o[addr:addr + width]) or b == o, f"address of the section at {at}")


def compare(kind, bare_guest, our_guest, region, hook):
    facts = facts1 if kind.startswith("mb1") else facts2
    bare, ours = facts(bare_guest), facts(our_guest)
    magic = 0x2BADB002 if kind.startswith("mb1") else 0x36D76289
    state = {"magic": magic, "cr0": 1, "eflags": 0, "a20": 1, "bss": 0}
    for guest in (bare_guest, our_guest):
        got = {name: guest.number[name] for name in state}
        check(got == state, f"entry state: {got}")
    check(bare["loader"].startswith(b"GRUB"), f"loader: {bare['loader']}")
    check(re.fullmatch(re.escape(bare["loader"].rstrip(b"\0")) + rb", Kensho 0\.1\S*\0",
                       ours["loader"]), f"loader: {ours['loader']}")
    check(ours["types"] == bare["types"], f"what is told: {ours['types']}, GRUB {bare['types']}")
    for name in set(bare) - {"loader", "ranges", "memory", "modules", "base", "types", "symbols"}:
        check(ours[name] == bare[name], f"{name}: {ours[name]}, GRUB {bare[name]}")
    check(ours["cmdline"] == APPEND.encode() + b"\0", f"command line: {ours['cmdline']}")
    compare_memory(bare, ours, region, hook)
    compare_modules(our_guest, bare, ours)
    compare_symbols(bare, ours, (results.ROOT / f"build/guest/{kind}").read_bytes())
    compare_base(kind, our_guest.number["base"], ours["base"])


def compare_base(kind, base, tag):
    if kind not in ("mb2-low", "mb2-high"):
        check(base == LINKED_AT, f"loaded at {base:x}")
        return
    check(base in RELOCATED and base % ALIGN == 0, f"relocated to {base:x}")
    check(tag == [struct.pack("<I", base)], f"load base tag: {tag}")
    check((base == RELOCATED[0]) == (kind == "mb2-low"), f"relocated to {base:x}: not preferred")


def main(argv):
    kind = argv[0]
    directory = RUNS / f"multiboot-{kind}"
    try:
        bare = boot(directory / "bare", kind, None)
        ours = boot(directory / "kensho", kind, "log=com2")
        found = re.search(r"region: (\d+) MiB at ([0-9a-f]+)", ours[1])
        check(found, "COM2 does not name the hypervisor's region")
        hooked = re.search(r"INT 15h and 12h are hooked at ([0-9a-f]+)", ours[1])
        check(hooked, "the BIOS is not hooked")
        start, hook = int(found[2], 16), int(hooked[1], 16)
        compare(kind, Guest(bare[0]), Guest(ours[0]), (start, start + (int(found[1]) << 20)),
                (hook, hook + 4096))
    except Wrong as err:
        print(f"multiboot.py {kind}: {err}")
        return 1
    return 0


if __name__ == "__main__":
    results.process(lambda: main(sys.argv[1:]))
