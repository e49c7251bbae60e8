#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A program at the other end of the guest's debugger: it answers what the guest's tests send on COM2.

Bytes both ways, no text: a length of 16 bits and as many bytes; the answer is the length, the bytes
backwards and inverted, and a sum of what came.
"""

import os
import pty
import re
import select
import sys
import time
import tty

import results

sys.path.insert(0, str(results.ROOT / "tools"))
import emu  # noqa: E402
import mkiso  # noqa: E402

RUN_S = 90
HV = "profile=hv-test cpu=host,hv-syndbg syndbg=com2"
APPEND = "test=hvsyndbg,hvfeat_msrs"
BYTES = 10000           # the guest sends more than that


def answer(block):
    total = 0
    for byte in block:
        total = (total * 31 + byte) & 0xffffffff
    return (len(block).to_bytes(2, "little") + bytes(b ^ 0xff for b in reversed(block)) +
            total.to_bytes(4, "little"))


class FarEnd:
    def __init__(self):
        self.fd, self.slave = pty.openpty()
        self.name, self.heard, self.count = os.ttyname(self.slave), b"", 0

    def begin(self):
        """Bochs has opened the line, and translates line ends: no more."""
        tty.setraw(self.slave)

    def serve(self, seconds):
        if not select.select([self.fd], [], [], seconds)[0]:
            return
        data = os.read(self.fd, 65536)
        self.heard, self.count = self.heard + data, self.count + len(data)
        while len(self.heard) >= 2:
            end = 2 + int.from_bytes(self.heard[:2], "little")
            if len(self.heard) < end:
                break
            self.send(answer(self.heard[2:end]))
            self.heard = self.heard[end:]

    def send(self, data):
        while data:
            data = data[os.write(self.fd, data):]


def talk(far, emulator, com1):
    deadline = time.monotonic() + RUN_S
    begun = False
    while time.monotonic() < deadline and emulator.poll() is None:
        text = com1.read_text(errors="replace") if com1.exists() else ""
        if text and not begun:
            far.begin()
            begun = True
        if re.search(r"^# done: ", text, re.M):
            return text
        far.serve(0.05)
    raise AssertionError("the guest's tests do not end")


def check(text, far):
    bad = re.findall(r"^(?:not ok .*|ok .* # SKIP.*|# .*want.*)$", text, re.M)
    done = re.findall(r"^ok \d+ (?:- )?(hvsyndbg_\w+|hvfeat_msrs)", text, re.M)
    assert not bad and len(done) == 6, f"{len(done)} tests passed; {bad}"
    assert far.count > BYTES, f"{far.count} bytes arrived"
    assert far.heard == b"", f"left over: {far.heard!r}"


def main():
    directory = results.ROOT / "build/runs/syndbg"
    directory.mkdir(parents=True, exist_ok=True)
    far, com1 = FarEnd(), directory / "com1.log"
    com1.unlink(missing_ok=True)
    guest = mkiso.Module(results.ROOT / "build/guest/suite.elf", "guest", APPEND)
    iso = mkiso.make_iso(directory / "boot.iso", mkiso.Boot(hv=HV, modules=[guest]))
    machine = emu.Machine(dir=directory, iso=iso, com2=f"term:{far.name}")
    emulator = emu.Emulator(emu.bochs_command(machine), directory)
    try:
        check(talk(far, emulator, com1), far)
    except AssertionError as err:
        print(f"syndbg.py: {err}\n{com1.read_text(errors='replace')[-3000:]}")
        return 1
    finally:
        emulator.kill()
    return 0


if __name__ == "__main__":
    results.process(main)
