#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A framebuffer above 4 GiB, at an odd address and with an odd pitch: no emulated card has one.

The same sources, with one line added: the screen is not where GRUB says but in RAM above 4 GiB,
where QEMU's monitor reads it back. Once in the early page tables, once, as a panic, in Kensho's own;
once by the demonstration guest, which GRUB starts.
"""

import os
import pathlib
import re
import socket
import sys
import time

import bench_machine
import results

sys.path.insert(0, str(results.ROOT / "tools"))
import emu  # noqa: E402
import mkiso  # noqa: E402
import screen_text  # noqa: E402

ADDRESS, PITCH, WIDTH, HEIGHT = 0x140001003, 4099, 1024, 768
CHECK = "why = framebuffer_refusal(b, &bi->memory, cpu_phys_bits());"
OPEN_DEMO = "open_pixels(fb);"
RUNS = (    # Kensho's options, the last words on COM1, background, a line of the screen
    ("help", "the machine is halted", 0, "ignore_msrs=off "),
    ("test_fault=page_fault test_fault_at=boot", "please report the text above", 0xA00000,
     "#PF page fault: write of 0000000000000010"),
    (None, "demo: end of the tour", 0, "Kensho's built-in demonstration guest, started without"))


def wait_for(log, banner, words):
    for _ in range(300):
        time.sleep(0.2)
        if log.exists() and words in log.read_text(errors="replace").rpartition(banner)[2]:
            time.sleep(2)
            return
    raise RuntimeError(f"COM1 never said {words!r}")


def picture(directory, elf, hv, words):
    """The bytes at ADDRESS."""
    modules = [mkiso.Module(elf, "guest2", "")] if hv is None else []
    iso = mkiso.make_iso(directory / "boot.iso", mkiso.Boot(
        hv=hv, elf=elf, modules=modules, gfxpayload=f"{WIDTH}x{HEIGHT}x32"))
    machine = emu.Machine(dir=directory, iso=iso, memory=6144, model="Nehalem")
    emulator = emu.Emulator(emu.qemu_command(machine), directory)
    try:
        wait_for(directory / "com1.log", "== summary" if hv is None else "Kensho 0.", words)
        with socket.socket(socket.AF_UNIX) as monitor:
            monitor.connect(os.path.relpath(directory / "monitor.sock"))
            monitor.sendall(f"pmemsave {ADDRESS:#x} {PITCH * HEIGHT} fb.bin\n".encode())
            time.sleep(2)
    finally:
        emulator.kill()
    return (directory / "fb.bin").read_bytes()


def move(variable):
    return f"""
	((struct boot_framebuffer *)(u64){variable})->pa = {ADDRESS:#x};
	((struct boot_framebuffer *)(u64){variable})->pitch = {PITCH};
"""


def main():
    elf = bench_machine.changed("high-screen", "boot/screen.c", re.escape(CHECK),
                                CHECK + move("b"))
    demo = bench_machine.changed("high-demo", "guests/demo/screen.c",
                                 r"^\t\t" + re.escape(OPEN_DEMO),
                                 "{" + move("fb") + OPEN_DEMO + "}").parent / "demo.elf"
    for number, (hv, words, want_back, want) in enumerate(RUNS):
        directory = pathlib.Path(os.environ["RUN_DIR"]) / str(number)
        directory.mkdir(parents=True, exist_ok=True)
        data = picture(directory, demo if hv is None else elf, hv, words)
        pixels = []
        for y in range(HEIGHT):
            pixels += screen_text.colours(data[y * PITCH:y * PITCH + WIDTH * 4], 4)
        rows, back = screen_text.lines(WIDTH, HEIGHT, pixels)
        print("\n".join(rows))
        if back != want_back or not any(row.startswith(want) for row in rows):
            sys.exit(f"{hv}: background {back:#x}, and no line {want!r}")


if __name__ == "__main__":
    results.process(lambda: main())
