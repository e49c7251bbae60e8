#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Build the image of `make abi-test.iso`: GRUB and build/abi-test.elf, no Kensho.

    tools/abi_iso.py OUTPUT     APPEND from the environment: the program's words
"""

import os
import pathlib
import sys

import cli
import mkiso

ELF = mkiso.BUILD / "abi-test.elf"


def main():
    out, = cli.arguments(sys.argv, __doc__, 1, 1)
    program = mkiso.Module(ELF, "guest", os.environ.get("APPEND", ""))
    try:
        mkiso.make_iso(out, mkiso.Boot(hv=None, modules=[program], kind="multiboot"))
    except RuntimeError as err:
        sys.exit(str(err))
    print(f"{out}: {pathlib.Path(out).stat().st_size >> 20} MiB, starts from CD and USB stick, BIOS "
          "and UEFI\n"
          f"  try it: qemu-system-x86_64 -enable-kvm -cpu host -smp 2 -cdrom {out} "
          "-serial mon:stdio")


if __name__ == "__main__":
    cli.run(main)
