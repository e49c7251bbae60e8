#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A user at the demonstration guest's serial port: r starts the machine again, p switches it off."""

import os
import re
import sys
import time

import results
from request import Console

sys.path.insert(0, str(results.ROOT / "tools"))
import emu  # noqa: E402
import mkiso  # noqa: E402

RUN = results.ROOT / "build/runs/demo-keys"
TOUR_S, OFF_S = 45, 20


def dialogue(console, emulator):
    console.expect("demo: end of the tour", TOUR_S)
    tours = console.seen.count("demo: end of the tour")
    os.write(console.fd, b"n")          # leafs through the screen, says nothing here
    os.write(console.fd, b"r")
    console.expect(r"demo: r: resetting.*type-1 hypervisor.*demo: end of the tour", TOUR_S)
    assert tours == 1 and console.seen.count("demo: end of the tour") == 2, "not started again once"
    os.write(console.fd, b"p")
    console.expect("demo: p: power off", TOUR_S)
    deadline = time.monotonic() + OFF_S
    while emulator.poll() is None and time.monotonic() < deadline:
        time.sleep(0.2)
    assert emulator.powered_off(), f"the machine is not off: {emulator.end_reason()}"


def main():
    RUN.mkdir(parents=True, exist_ok=True)
    console = Console()
    iso = mkiso.make_iso(RUN / "boot.iso", mkiso.Boot(hv="log=com2", modules=[]))
    machine = emu.Machine(dir=RUN, iso=iso, com1=f"term:{console.name}")
    emulator = emu.Emulator(emu.bochs_command(machine), RUN)
    try:
        dialogue(console, emulator)
    except AssertionError as err:
        print(f"demo_keys.py: {re.sub('COM2', 'COM1', str(err))}\n{console.seen[-2000:]}")
        return 1
    finally:
        emulator.kill()
    return 0


if __name__ == "__main__":
    results.process(lambda: main())
