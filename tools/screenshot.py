#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A picture of Kensho's screen in QEMU, as a PNG file.

    tools/screenshot.py FILE.png [text|WIDTHxHEIGHTxBITS|efi] [OPTIONS OF KENSHO]

The guest is not started: QEMU's emulated CPU has no VMX.
"""

import os
import pathlib
import socket
import sys
import tempfile
import time

import emu
import mkiso
import picture

TIMEOUT_S, QUIET_S = 60, 3


def wait_for_silence(log):
    """Until COM1 has said something of ours and then nothing for a while."""
    end, size, since = time.monotonic() + TIMEOUT_S, 0, time.monotonic()
    while time.monotonic() < end:
        time.sleep(0.2)
        text = log.read_bytes() if log.exists() else b""
        if len(text) != size:
            size, since = len(text), time.monotonic()
        elif b"a type-1 hypervisor" in text and time.monotonic() > since + QUIET_S:
            return
    raise RuntimeError("no end of the boot log")


def screenshot(mode, hv):
    """(width, height, pixels)"""
    with tempfile.TemporaryDirectory(dir=mkiso.BUILD) as tmp:
        here = pathlib.Path(tmp)
        modules = [mkiso.Module(mkiso.LINUX, "kernel", mkiso.APPEND),
                   mkiso.Module(mkiso.mkinitrd(), "initrd")]
        boot = mkiso.Boot(hv=hv, modules=modules, gfxpayload="" if mode in ("text", "efi") else mode)
        machine = emu.Machine(dir=here, iso=mkiso.make_iso(here / "boot.iso", boot), cpus=2,
                              model="Skylake-Client-v1",
                              firmware="ovmf" if mode == "efi" else "bios")
        emulator = emu.Emulator(emu.qemu_command(machine), here)
        try:
            wait_for_silence(here / "com1.log")
            with socket.socket(socket.AF_UNIX) as monitor:
                monitor.connect(os.path.relpath(here / "monitor.sock"))
                monitor.sendall(b"screendump screen.ppm\n")
                time.sleep(1)
        finally:
            emulator.kill()
        return picture.read_ppm((here / "screen.ppm").read_bytes())


def main(argv):
    if not argv or len(argv) > 3:
        sys.exit(__doc__)
    path, mode, hv = (argv + ["text", ""])[:3] if len(argv) == 1 else (argv + [""])[:3]
    picture.write_png(pathlib.Path(path), *screenshot(mode, hv))


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except (RuntimeError, OSError, ValueError) as err:
        sys.exit(f"screenshot: {err}")
