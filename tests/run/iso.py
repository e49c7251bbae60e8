#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The image of `make iso` as a USB stick: a disk, in QEMU's emulated machine without VMX.

It must boot through GRUB to Kensho's refusal, which names the cause.
"""

import pathlib
import re
import subprocess
import sys
import time

import results

REFUSAL = re.compile(r"Kensho needs an Intel CPU with VMX")
TIMEOUT_S = 60


def main():
    work = results.ROOT / "build/runs/iso-usb"
    work.mkdir(parents=True, exist_ok=True)
    iso, com1 = work / "kensho.iso", work / "com1.log"
    subprocess.run([sys.executable, "tools/mkiso.py", str(iso)], cwd=results.ROOT, check=True)
    qemu = subprocess.Popen(
        ["qemu-system-x86_64", "-accel", "tcg", "-cpu", "qemu64", "-m", "512", "-display", "none",
         "-serial", f"file:{com1}", "-drive", f"file={iso},format=raw"], stdin=subprocess.DEVNULL)
    try:
        end = time.monotonic() + TIMEOUT_S
        while time.monotonic() < end:
            text = com1.read_text(errors="replace") if com1.exists() else ""
            if REFUSAL.search(text):
                print("booted from a disk, refused readably")
                return 0
            time.sleep(0.5)
    finally:
        qemu.kill()
        pathlib.Path(iso).unlink(missing_ok=True)
    print(f"no refusal within {TIMEOUT_S} s; COM1:\n{text}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
