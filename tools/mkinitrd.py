#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Build the guest's initramfs: busybox, the modules that read a CD, /init, test scripts.

    tools/mkinitrd.py OUTPUT

The cpio archive is written here and not by cpio(1): device nodes need no root, and the same
input gives the same bytes (fixed owners, times and order).
"""

import os
import pathlib
import sys

import cli

ROOT = pathlib.Path(__file__).resolve().parent.parent
LINUX = ROOT / "build/cache/linux"
WANTED = ("ata_piix", "sr_mod", "isofs")


def modules_in_order(tree):
    """Paths of the wanted modules and what they need, dependencies first."""
    by_name = {p.name.removesuffix(".ko"): p for p in tree.rglob("*.ko")}
    order = []

    def add(name):
        name = name.replace("-", "_")
        path = by_name.get(name) or by_name.get(name.replace("_", "-"))
        if path is None:
            return  # built into this kernel
        if path in order:
            return
        for need in depends(path):
            add(need)
        order.append(path)

    for name in WANTED:
        add(name)
    return order


def depends(path):
    """The `depends=` entry of a module's .modinfo section."""
    data = path.read_bytes()
    at = data.find(b"\0depends=")
    if at < 0:
        return []
    text = data[at + len(b"\0depends="):data.index(b"\0", at + 1)].decode()
    return [name for name in text.split(",") if name]


class Cpio:
    """A "newc" archive."""

    def __init__(self):
        self.out = bytearray()
        self.inode = 0

    def add(self, name, mode, data=b"", rdev=(0, 0)):
        self.inode += 1
        raw = name.encode() + b"\0"
        fields = (self.inode, mode, 0, 0, 1, 0, len(data), 0, 0, *rdev, len(raw), 0)
        self.out += b"070701" + b"".join(b"%08x" % f for f in fields) + raw
        self.pad()
        self.out += data
        self.pad()

    def pad(self):
        self.out += b"\0" * (-len(self.out) % 4)

    def dir(self, name):
        self.add(name, 0o040755)

    def file(self, name, data, mode=0o644):
        self.add(name, 0o100000 | mode, data)

    def finish(self):
        self.add("TRAILER!!!", 0)
        self.out += b"\0" * (-len(self.out) % 512)
        return bytes(self.out)


def build(extra=None):
    """The archive's bytes; extra: {name in the archive: host file, made executable}."""
    busybox = next((p for p in (pathlib.Path("/bin/busybox"), pathlib.Path("/usr/bin/busybox"))
                    if p.exists()), None)
    if busybox is None:
        sys.exit("mkinitrd: no busybox: run tools/setup.sh run")
    modules = modules_in_order(LINUX / "lib/modules")

    cpio = Cpio()
    for name in ("bin", "cd", "dev", "etc", "lib", "lib64", "modules", "proc", "sys", "tests", "tmp"):
        cpio.dir(name)
    cpio.add("dev/console", 0o020600, rdev=(5, 1))
    cpio.add("dev/null", 0o020666, rdev=(1, 3))
    cpio.file("bin/busybox", busybox.read_bytes(), 0o755)
    cpio.add("bin/sh", 0o120777, b"busybox")
    for path in modules:
        cpio.file(f"modules/{path.name}", path.read_bytes())
    cpio.file("modules/order", "".join(p.name + "\n" for p in modules).encode())
    for path in sorted((ROOT / "tests/linux").iterdir()):
        if path.name == "init":
            cpio.file("init", path.read_bytes(), 0o755)
        elif path.suffix in (".sh", ".early"):
            cpio.file(f"tests/{path.name}", path.read_bytes())
    for name, path in (extra or {}).items():
        cpio.file(name, pathlib.Path(path).read_bytes(), 0o755)
    return cpio.finish()


def main():
    out = pathlib.Path(cli.arguments(sys.argv, __doc__, 1, 1)[0])
    data = build()
    if not out.exists() or out.read_bytes() != data:
        out.parent.mkdir(parents=True, exist_ok=True)
        tmp = out.with_name(out.name + f".{os.getpid()}")
        tmp.write_bytes(data)
        tmp.rename(out)


if __name__ == "__main__":
    cli.run(main)
