#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The image of `make iso` on every firmware and medium, its menu's entries chosen by keys.

    tests/run/bootpath.py bios|uefi cd|disk     the boots of that path
    tests/run/bootpath.py net                   the same menu over the network: docs/boot-grub.md
    tests/run/bootpath.py rest                  every other pair of path and entry

The machine is QEMU's emulated one, without VMX: an entry with Kensho must get to the refusal that
names the cause, with the options of that entry; one without Kensho to the guest's shell.
"""

import dataclasses
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import time

import results

sys.path.insert(0, str(results.ROOT / "tools"))
import emu  # noqa: E402
import grubcfg  # noqa: E402
import mkiso  # noqa: E402

BOOT_S = 120
MENU = r"executed automatically in [45]s"
REFUSED = r"RESULT: Kensho cannot run here: the CPU vendor is"
SHELL = r"This is a Linux guest of Kensho.*guest# "
GRUB_ERROR = re.compile(r"^(error: .*|.*no suitable video mode.*)", re.M)


def kensho(options, modules=2):
    """COM1 after an entry with Kensho, {com2}: with a second serial port."""
    return rf"boot: loader GRUB [^\n]*, {modules} modules?, options: {{com2}}{options}\r?\n.*{REFUSED}"


# What follows each key of the menu; "": no key, the time elapses.
EXPECT = {
    "": kensho(""),
    "k": kensho(""),
    "s": kensho("console=com1"),
    "l": kensho("trace=exits stats=10"),
    "t": kensho("selftest"),
    "d": r"options: dryrun\r?\n.*report: begin .*report: end",
    "g": kensho("guest=demo", 0),
    "h": kensho("guest=disk0", 0),
    "b": SHELL,
    "m": "GNU GRUB.*GNU GRUB.*GNU GRUB",    # once more on each of two terminals
    "u": "Boot Manager",
    "r": rf"{MENU}.*{MENU}",
}
NOT_UEFI, ONLY_UEFI = {"h"}, {"m", "u"}


@dataclasses.dataclass
class Case:
    firmware: str           # bios, uefi
    medium: str             # a key of emu.MEDIA
    key: str = ""
    typed: str = "serial"   # where: GRUB's terminal on COM1, or keyboard
    com2: bool = True

    def name(self):
        return f"{self.firmware} {self.medium} [{self.key or 'no key'}] by {self.typed}" + \
            ("" if self.com2 else ", no COM2")


PATHS = {
    ("bios", "cd"): [Case("bios", "cd"), Case("bios", "cd", "b"), Case("bios", "cd", "l"),
                     Case("bios", "cd", "l", "keyboard", com2=False), Case("bios", "cd", "d"),
                     Case("bios", "cd", "g", "keyboard")],
    ("bios", "disk"): [Case("bios", "usb"), Case("bios", "usb", "s", "keyboard"),
                       Case("bios", "ide", "b", "keyboard"), Case("bios", "virtio", "h"),
                       Case("bios", "usb", "r"), Case("bios", "ide", "t")],
    ("uefi", "cd"): [Case("uefi", "cd"), Case("uefi", "cd", "b", "keyboard"),
                     Case("uefi", "cd", "d"), Case("uefi", "cd", "m")],
    # GRUB's clock under UEFI is slow on a busy host: one wait for the end of the time is enough.
    ("uefi", "disk"): [Case("uefi", "usb", "k"), Case("uefi", "usb", "b"), Case("uefi", "virtio", "s"),
                       Case("uefi", "usb", "u", "keyboard"), Case("uefi", "usb", "g")],
    ("net",): [Case("bios", "net", "b"), Case("uefi", "net", "k")],
}


def menu_keys():
    return [e.key for e in grubcfg.ENTRIES] + ["m", "u", "r"]


def rest():
    """Each medium with each entry, where PATHS has not got it."""
    done = {(c.firmware, c.medium, c.key) for cases in PATHS.values() for c in cases}
    return [Case(firmware, medium, key)
            for firmware in ("bios", "uefi") for medium in emu.MEDIA for key in menu_keys()
            if medium != "net" and (firmware, medium, key) not in done and
            key not in (ONLY_UEFI if firmware == "bios" else NOT_UEFI)]


class Boot:
    """One machine: its COM1 both ways, its keyboard."""

    def __init__(self, case, iso, directory):
        self.case, self.dir = case, directory
        directory.mkdir(parents=True, exist_ok=True)
        machine = emu.Machine(dir=directory, iso=iso, model="qemu64", medium=case.medium,
                              firmware="ovmf" if case.firmware == "uefi" else "bios",
                              com1="socket:com1", com2="file:com2.log" if case.com2 else "none")
        self.emulator = emu.Emulator(emu.qemu_command(machine), directory)
        self.com1, self.monitor = self.connect("com1"), self.connect("monitor.sock")
        self.seen = ""

    def connect(self, name):
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            link = socket.socket(socket.AF_UNIX)
            try:
                link.connect(os.path.relpath(self.dir / name))
                link.settimeout(0.2)
                return link
            except OSError:
                link.close()
                time.sleep(0.05)
        raise RuntimeError(f"QEMU's {name} does not answer")

    def wait(self, pattern, seconds):
        deadline = time.monotonic() + seconds
        while not re.search(pattern, self.seen, re.S):
            if time.monotonic() > deadline or self.emulator.poll() is not None:
                raise AssertionError(f"no /{pattern}/ within {seconds} s; COM1 ends with:\n"
                                     + self.seen[-2000:])
            try:
                self.seen += self.com1.recv(65536).decode(errors="replace")
            except TimeoutError:
                pass

    def press(self, key):
        if self.case.typed == "serial":
            self.com1.sendall(key.encode())
        else:
            self.monitor.sendall(f"sendkey {key}\n".encode())

    def run(self):
        case = self.case
        if case.key:
            self.wait(MENU, BOOT_S)
            self.press(case.key)
        # Not format(): the patterns have braces of their own.
        com2 = "log=com2 ?" if case.com2 else "none" if case.key in ("", "k") else ""
        self.wait(EXPECT[case.key].replace("{com2}", com2), BOOT_S)
        error = GRUB_ERROR.search(self.seen)
        if error:
            raise AssertionError(f"GRUB says: {error[0]}")

    def close(self):
        self.com1.close()
        self.monitor.close()
        self.emulator.kill()


def net_directory(work):
    """What a TFTP server offers, made as docs/boot-grub.md says."""
    tree = pathlib.Path(os.path.abspath(work / "tftp"))
    shutil.rmtree(tree, ignore_errors=True)
    tree.mkdir()
    subprocess.run(["grub-mknetdir", f"--net-directory={tree}", "--subdir=/boot/grub"], check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    kind, mods = mkiso.guest_files({})
    for path, name in ((mkiso.HV_ELF, "kensho.elf"), *((m.path, m.name) for m in mods)):
        shutil.copy(path, tree / "boot" / name)
    (tree / "boot/grub/grub.cfg").write_text(grubcfg.menu(
        grubcfg.Guest("Linux", kind, mods[0].string, True), ""))
    return tree


def image(work):
    iso = pathlib.Path(os.path.abspath(work / "kensho.iso"))
    env = dict(os.environ, KERNEL="", INITRD="", APPEND="", HV="")
    subprocess.run([sys.executable, "tools/mkiso.py", str(iso)], cwd=results.ROOT, env=env,
                   check=True)
    return iso


def main(argv):
    where = "-".join(argv[1:])
    cases = rest() if argv[1:] == ["rest"] else PATHS[tuple(argv[1:])]
    keys = menu_keys()
    work = results.ROOT / "build/runs" / f"boot-{where}" / "machines"
    work.mkdir(parents=True, exist_ok=True)
    iso = net_directory(work) if where == "net" else image(work)
    failed = 0
    for number, case in enumerate(cases):
        if case.key and case.key not in keys:
            continue
        start, boot = time.monotonic(), None
        try:
            boot = Boot(case, iso, work / str(number))
            boot.run()
            print(f"ok   {case.name()}, {time.monotonic() - start:.0f} s", flush=True)
        except (AssertionError, RuntimeError) as err:
            print(f"FAIL {case.name()}: {err}", flush=True)
            failed += 1
        finally:
            if boot:
                boot.close()
    if iso.is_dir():
        shutil.rmtree(iso)
    else:
        iso.unlink()
    return 1 if failed else 0


if __name__ == "__main__":
    results.process(lambda: main(sys.argv))
