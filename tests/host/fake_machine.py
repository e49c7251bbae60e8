#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A machine for tools/run.py in place of Bochs: it says on COM1 what a scenario says and answers keys.

$SCENARIO: guest (a shell of a guest), refused, dry-run, panic (with a backtrace), silent
"""

import os
import pathlib
import re
import select
import sys
import tty

BOOT = b"Kensho 0.1, a type-1 hypervisor for Intel VMX\r\nboot: loader GRUB\r\n"
START = b"starting the guest: COM1 and the screen are its own from here on\r\n"
PANIC = (b"---- hypervisor panic: Kensho 0.1 ----\r\nbacktrace (addr2line -e kensho.elf; ?: may be "
         b"stale):\r\n  %016x\r\n? %016x\r\nvp0: x\r\n"
         b"---- the machine is halted: reset it; please report the text above ----\r\n")
TEXTS = {"guest": BOOT + START + b"\r\nguest# ",
         "refused": BOOT + b"the machine is halted: reset it\r\n\x1b[1;37;41m"
                    b"RESULT: Kensho cannot run here: no VMX; do this: x\x1b[0m\r\n",
         "dry-run": BOOT + b"the machine is halted: reset it\r\n\x1b[1m"
                    b"RESULT: Kensho can run here\x1b[0m\r\n",
         "panic": BOOT + START + b"hello\r\n" + PANIC % ((int(os.environ.get("PANIC_AT", "0"), 16),) * 2),
         "silent": BOOT}
POWER_OFF = ">>PANIC<< ACPI control: soft power off\n"


def main():
    if "--help" in sys.argv:
        print("Bochs x86 Emulator 2.7")
        return
    config = pathlib.Path("bochsrc").read_text()
    ports = [os.open(name, os.O_RDWR | os.O_NOCTTY)
             for name in re.findall(r"com\d: enabled=1, mode=term, dev=(\S+)", config)]
    for fd in ports:
        tty.setraw(fd)
    os.write(ports[0], TEXTS[os.environ["SCENARIO"]])
    os.write(ports[1], b"log: the guest has started\r\n")
    while True:
        for fd in select.select(ports, [], [])[0]:
            data = os.read(fd, 100)
            name = ports.index(fd) + 1
            if data == b"p":
                pathlib.Path("bochs.log").write_text(POWER_OFF)
                return
            os.write(fd, f"com{name} got {data.hex()}\r\n".encode())


if __name__ == "__main__":
    main()
