#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A picture of Kensho's boot log, or of its demonstration guest, as a PNG file.

    tools/screenshot.py FILE.png [MODE [OPTIONS OF KENSHO]]

MODE: text (the default), WIDTHxHEIGHTxBITS, or efi: Bochs, whose processors have VMX, at the moment
the guest starts. demo: there, when the demonstration guest has shown everything. With qemu- before it (qemu-text...): QEMU, where the log ends with the refusal of a
processor without VMX; also for dryrun and help, which start no guest.
"""

import fcntl
import os
import pathlib
import re
import socket
import struct
import subprocess
import sys
import tempfile
import time

import cli
import emu
import mkiso
import picture
import rfb

sys.path.insert(0, str(mkiso.ROOT / "tests/run"))
import acpi_tables  # noqa: E402

TIMEOUT_S, QUIET_S, STEP_S = 120, 3, 0.2
BANNER, LAST_WORDS = b"a type-1 hypervisor", b"starting the guest"
# Bochs' own buttons above the screen; the size of what VGA shows in text mode of 80x25.
VNC_PORT, VNC_BAR = 5900, 32
TEXT_WIDTH, TEXT_HEIGHT = 720, 400
EFI_MODE, DEMO_MODE = "800x600x32", "800x600x32"
DEMO_DONE = b"demo: end of the tour"
# A card that UEFI's GRUB finds.
PCI_CARD = "pci: enabled=1, chipset=i440fx, slot1=pcivga"
IFREQ_FLAGS, SIOCSIFFLAGS, IFF_UP = "16sH14x", 0x8914, 1


def own_network():
    """Bochs' screen is a VNC server without a password on every interface, at the first free port:
    this program goes on in a network of its own, where only the loopback device is."""
    if "KENSHO_OWN_NETWORK" not in os.environ:
        prefix = list(emu.no_network())
        if not prefix:
            raise RuntimeError("needs `unshare --net`: root, or user namespaces")
        os.environ["KENSHO_OWN_NETWORK"] = "1"
        os.execvp(prefix[0], [*prefix, sys.executable, *sys.argv])
    with socket.socket() as sock:
        fcntl.ioctl(sock, SIOCSIFFLAGS, struct.pack(IFREQ_FLAGS, b"lo", IFF_UP))


def wait_for(emulator, log, done):
    """Until done(COM1, seconds of silence)."""
    end, size, since = time.monotonic() + TIMEOUT_S, 0, time.monotonic()
    while time.monotonic() < end:
        time.sleep(STEP_S)
        ended = emulator.poll() is not None
        text = log.read_bytes() if log.exists() else b""
        if len(text) != size:
            size, since = len(text), time.monotonic()
        if done(text, time.monotonic() - since):
            return
        if ended:
            raise RuntimeError(f"the emulator ended: {emulator.end_reason()}")
    raise RuntimeError("no end of the boot log")


def qemu(machine):
    emulator = emu.Emulator(emu.qemu_command(machine), machine.dir)
    try:
        wait_for(emulator, machine.dir / "com1.log",
                 lambda text, silence: BANNER in text and silence > QUIET_S)
        with socket.socket(socket.AF_UNIX) as monitor:
            monitor.connect(os.path.relpath(machine.dir / "monitor.sock"))
            monitor.sendall(b"screendump screen.ppm\n")
            time.sleep(1)
    finally:
        emulator.kill()
    return picture.read_ppm((machine.dir / "screen.ppm").read_bytes())


def bochs_text(machine):
    """By VNC, before the guest has unpacked itself and writes."""
    machine.vnc = True
    emulator = emu.Emulator(emu.bochs_command(machine), machine.dir)
    try:
        wait_for(emulator, machine.dir / "com1.log", lambda text, _: LAST_WORDS in text)
        client, last, width, pixels = rfb.Client(VNC_PORT), None, 0, b""
        while pixels != last:       # the picture follows the text by a fraction of a second
            time.sleep(STEP_S)
            last, (width, _, pixels) = pixels, client.screen()
        client.close()
    finally:
        emulator.kill()
    line = width * 3
    return TEXT_WIDTH, TEXT_HEIGHT, b"".join(
        pixels[y * line:y * line + TEXT_WIDTH * 3] for y in range(VNC_BAR, VNC_BAR + TEXT_HEIGHT))


def bochs_framebuffer(machine, mode, done=None):
    """By the debugger: `rfb` has no such modes. It stops at the entry into the guest, or when COM1
    has said @done."""
    width, height, bits = map(int, mode.split("x"))
    depth = (bits + 7) // 8
    if depth < 3:
        raise ValueError("24 or 32 bits a pixel")
    names = subprocess.run(["nm", str(mkiso.HV_ELF)], check=True, text=True, stdout=subprocess.PIPE)
    entry = re.search(r"^(\w+) T vmx_run$", names.stdout, re.M)[1]
    machine.graphics = True
    machine.debugger = ("" if done else f"lb 0x{entry}\n") + \
        emu.picture_script(width * height * depth)
    emulator = emu.Emulator(emu.bochs_command(machine), machine.dir, terminal=True)
    try:
        wait_for(emulator, machine.dir / "com1.log",
                 lambda text, _: done in text if done else
                 LAST_WORDS in text and emulator.poll() is not None)
        data = emulator.bochs_picture(width * height * depth)
    finally:
        emulator.kill()
    return width, height, b"".join(data[i:i + 3][::-1] for i in range(0, len(data), depth))


def screenshot(mode, hv, here):
    """(width, height, pixels)"""
    on_qemu, efi, demo = mode.startswith("qemu-"), mode.endswith("efi"), mode == "demo"
    mode = DEMO_MODE if demo else mode.removeprefix("qemu-")
    boot = mkiso.Boot(hv=hv, gfxpayload="" if mode in ("text", "efi") else mode,
                      modules=[] if demo else
                      [mkiso.Module(mkiso.LINUX, "kernel", mkiso.APPEND),
                       mkiso.Module(mkiso.mkinitrd(), "initrd")])
    if efi and not on_qemu:
        boot.gfxpayload = EFI_MODE
        boot.before = "acpi"        # Bochs gives OVMF none
        for name, data in acpi_tables.tables(1).items():
            boot.files[f"boot/{name}"] = here / name
            boot.files[f"boot/{name}"].write_bytes(data)
            boot.before += f" /boot/{name}"
    machine = emu.Machine(dir=here, iso=mkiso.make_iso(here / "boot.iso", boot),
                          firmware="ovmf" if efi else "bios")
    if on_qemu:
        machine.cpus, machine.model = 2, "Skylake-Client-v1"
        return qemu(machine)
    if mode == "text":
        return bochs_text(machine)
    machine.extra = PCI_CARD if efi else ""
    return bochs_framebuffer(machine, EFI_MODE if efi else mode, DEMO_DONE if demo else None)


def main(argv):
    args = cli.arguments(argv, __doc__, 1, 3)
    path, mode, hv = [*args, *("text", "")[len(args) - 1:]]
    if not re.fullmatch(r"(qemu-)?(text|efi|demo|\d+x\d+x\d+)", mode):
        sys.exit(__doc__)
    if mode == "text":
        own_network()
    with tempfile.TemporaryDirectory(dir=mkiso.BUILD) as tmp:
        picture.write_png(pathlib.Path(path), *screenshot(mode, hv, pathlib.Path(tmp)))


if __name__ == "__main__":
    try:
        cli.run(lambda: main(sys.argv))
    except (RuntimeError, OSError, ValueError) as err:
        sys.exit(f"screenshot: {err}")
