#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""`make run`: boot Kensho with a Linux guest and connect its COM1 to this terminal.

QEMU/KVM when this machine offers nested VMX, else Bochs. Exit status 0 when the guest powered
off. Ctrl-C always ends the run and leaves no emulator behind; Ctrl-] c sends a Ctrl-C to the
guest, Ctrl-] q ends the run too. Input from a pipe waits for the first shell prompt.

Environment: KERNEL, INITRD, APPEND, HV (see `make help`), BOCHS, BARE=1 (the guest without
Kensho), MEMORY (MiB), CPUS, VNC=1 (the screen on port 5900), UEFI=1 (QEMU/KVM boots OVMF, not its
BIOS; Bochs has a BIOS only). `tools/run.py --help` prints this, --check starts nothing but says
what cannot work.
"""

import os
import pathlib
import pty
import re
import select
import shutil
import signal
import sys
import termios
import time
import tty

import cli
import emu
import mkiso

ESCAPE = 0x1d               # Ctrl-]
PROMPT = re.compile(rb"[\r\n][\w:/@.~-]{1,30} ?[#$] ")
RUN_DIR = emu.ROOT / "build/run"


def say(text):
    sys.stderr.write(f"run: {text}{Terminal.newline}")
    sys.stderr.flush()


class Terminal:
    """Our side of the user's terminal: character at a time, signals left to Ctrl-C alone."""

    newline = "\n"              # what ends a line of ours: differs while the terminal is raw

    def __init__(self):
        self.fd = sys.stdin.fileno()
        self.saved = termios.tcgetattr(self.fd) if os.isatty(self.fd) else None

    def __enter__(self):
        if self.saved:
            mode = termios.tcgetattr(self.fd)
            mode[tty.IFLAG] &= ~(termios.ICRNL | termios.IXON | termios.INLCR)
            mode[tty.OFLAG] &= ~termios.OPOST
            mode[tty.LFLAG] &= ~(termios.ICANON | termios.ECHO | termios.IEXTEN)
            mode[tty.CC][termios.VMIN], mode[tty.CC][termios.VTIME] = 1, 0
            for key in (termios.VQUIT, termios.VSUSP):
                mode[tty.CC][key] = b"\0"
            termios.tcsetattr(self.fd, termios.TCSADRAIN, mode)
            Terminal.newline = "\r\n"
        return self

    def __exit__(self, *_):
        if self.saved:
            termios.tcsetattr(self.fd, termios.TCSADRAIN, self.saved)
            Terminal.newline = "\n"


class Bridge:
    """Moves bytes between the terminal and COM1 until the emulator ends."""

    def __init__(self, emulator, com1):
        self.emulator, self.com1 = emulator, com1
        self.tail = b""                         # last bytes of the guest's output
        self.pending = b""                      # input the guest has not been given yet
        self.hold = not os.isatty(sys.stdin.fileno())
        self.escaped = False
        self.quit = False
        self.stdin_open = True
        self.started = self.noted = time.monotonic()

    def run(self):
        while not self.quit:
            ended = self.emulator.poll() is not None
            fds = [self.com1] + ([sys.stdin.fileno()] if self.stdin_open else [])
            ready, _, _ = select.select(fds, [], [], 0 if ended else 0.2)
            if self.com1 in ready:
                self.from_guest()
            elif ended:
                return
            if sys.stdin.fileno() in ready:
                self.from_user()
            self.to_guest()
            if not self.tail:
                self.waiting()

    def from_guest(self):
        try:
            data = os.read(self.com1, 65536)
        except OSError:
            return
        self.tail = (self.tail + data)[-64:]
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()

    def from_user(self):
        data = os.read(sys.stdin.fileno(), 4096)
        if not data:
            self.stdin_open = False
            return
        for byte in data:
            if self.escaped:
                self.escaped = False
                if byte == ord("q"):
                    self.quit = True
                    return
                byte = 3 if byte == ord("c") else byte
            elif byte == ESCAPE and not self.hold:
                self.escaped = True
                continue
            self.pending += bytes([byte])

    def to_guest(self):
        if self.hold and PROMPT.search(self.tail):
            self.hold = False
        # A line at a time: the guest's UART has no flow control.
        if self.pending and not self.hold:
            os.write(self.com1, self.pending[:16])
            self.pending = self.pending[16:]

    def waiting(self):
        now = time.monotonic()
        if now - self.noted >= 5:
            self.noted = now
            say(f"{now - self.started:.0f} s: firmware and boot loader, nothing on COM1 yet")


def interrupted(signum, _frame):
    raise KeyboardInterrupt(signum)


def build_image(directory):
    bare = os.environ.get("BARE") == "1"
    kind, modules = mkiso.guest_files()
    boot = mkiso.Boot(hv=None if bare else os.environ.get("HV", ""), modules=modules, kind=kind)
    try:
        return mkiso.make_iso(directory / "boot.iso", boot)
    except RuntimeError as err:
        sys.exit(f"run: {err}")


def firmware(kvm):
    """QEMU's name of the firmware that the user wants; ends the tool when it cannot be had."""
    if os.environ.get("UEFI", "0") in ("", "0"):
        return "bios"
    if kvm:
        sys.exit(f"run: UEFI=1 needs QEMU/KVM ({kvm}); Bochs, which runs instead, has a BIOS only. "
                 "Leave UEFI=1 away, or try the image of `make iso` on a real machine")
    if not emu.OVMF.exists():
        sys.exit(f"run: UEFI=1 needs {emu.OVMF}: install Debian's package ovmf")
    return "ovmf"


def choose():
    """(why not QEMU/KVM, or "", its firmware); ends the tool when the user wants the impossible."""
    reason = emu.nested_kvm() or ("BOCHS= is set" if os.environ.get("BOCHS") else "")
    return reason, firmware(reason)


def start(directory, com1_dev, chosen):
    """chosen: of choose()"""
    machine = emu.Machine(dir=directory, iso=directory / "boot.iso", com1=f"term:{com1_dev}",
                          memory=int(os.environ.get("MEMORY", 512)),
                          cpus=int(os.environ.get("CPUS", 1)), vnc=os.environ.get("VNC") == "1",
                          ips=emu.IPS_BENCH, paced=True)
    reason, wanted = chosen
    if not reason:
        say(f"starting QEMU/KVM with {'OVMF' if wanted == 'ovmf' else 'its BIOS'} (this machine "
            "offers nested VMX)")
        machine.firmware = wanted
        return emu.Emulator(emu.qemu_command(machine, kvm=True), directory), True
    binary = emu.bochs_binary()
    info = emu.bochs_info(binary)
    if info is None:
        sys.exit(f"run: {binary} does not run: install Debian's package bochs, or set BOCHS=")
    say(f"starting Bochs {info[0]} ({reason}): "
        "Linux needs half a minute to two to its shell")
    return emu.Emulator(emu.bochs_command(machine), directory), False


def main():
    cli.arguments([arg for arg in sys.argv if arg != "--check"], __doc__, 0, 0)
    chosen = choose()
    mkiso.check_guest()
    if "--check" in sys.argv:
        return 0
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupted)
    directory = pathlib.Path(os.environ.get("RUN_DIR", RUN_DIR)).resolve()
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    say(f"building the boot image ({directory.name}/boot.iso)")
    if not os.environ.get("KERNEL"):
        say(f"guest kernel: {(mkiso.LINUX.parent / 'version').read_text().strip()}")
    build_image(directory)
    com1, slave = pty.openpty()
    tty.setraw(slave)
    emulator = None
    try:
        emulator, qemu = start(directory, os.ttyname(slave), chosen)
        say("COM1 follows; Ctrl-C ends the run, Ctrl-] c sends a Ctrl-C to the guest")
        bridge = Bridge(emulator, com1)
        with Terminal():
            bridge.run()
        if bridge.quit:
            say("ended by Ctrl-] q")
            return 130
    except KeyboardInterrupt as stop:
        say(f"ended by {signal.Signals(stop.args[0]).name if stop.args else 'Ctrl-C'}")
        return 130
    finally:
        if emulator:
            emulator.kill()
    if emulator.powered_off(qemu):
        say("the guest powered off")
        return 0
    say(f"the emulator ended by itself: {emulator.end_reason() or 'see below'}")
    for name in ("emulator.out", "com2.log"):
        path = directory / name
        if path.exists():
            say(f"--- last lines of {path}")
            for line in path.read_text(errors="replace").splitlines()[-15:]:
                say(line)
    return 1


if __name__ == "__main__":
    sys.exit(main())
