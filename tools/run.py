#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""`make run`: boot Kensho with a Linux guest and connect its COM1 to this terminal.

QEMU/KVM when this machine offers nested VMX, else Bochs. The terminal is the guest's: a Ctrl-C goes
to it once it speaks, before that it ends the run. Ctrl-] is the escape: q ends, 2 shows Kensho's
console on COM2, 1 the guest again, r restarts, h helps. Input from a pipe waits for the first shell
prompt. Both serial ports are kept in files.

Exit status: 0 when the guest powered off, after Ctrl-] q, and after a dry run that says "can run";
130 after a Ctrl-C; 128 + N when signal N ended it; else 1.

Environment: KERNEL, INITRD, APPEND, HV (see `make help`), BOCHS, BARE=1 (the guest without
Kensho), MEMORY (MiB), CPUS, VNC=1 (the screen on port 5900), UEFI=1 (QEMU/KVM boots OVMF, not its
BIOS; Bochs has a BIOS only), RUN_DIR (a folder of its own for a second run at the same time; it is
build/run). `tools/run.py --help` prints this, --check starts nothing but says what cannot work.
"""

import dataclasses
import fcntl
import os
import pathlib
import re
import shutil
import signal
import sys

import backtrace
import cli
import console
import emu
import guestfile
import mkiso
from console import say

RUN_DIR = emu.ROOT / "build/run"
# What a run leaves there, and the next one replaces.
FILES = ("boot.iso", "kensho.elf", "com1.log", "com2.log", "emulator.out", "bochsrc", "bochs.log",
         "debugger.rc", "monitor.sock")
# Bochs 2.7 has no timers for more.
BOCHS_CPUS = 14
# Unless the user decides: Kensho's console on COM2, and a crash that can be read ends the run.
DEFAULTS = {"log": "log=com2", "on_crash": "on_crash=halt"}


class Signalled(Exception):
    pass


def signalled(signum, _frame):
    raise Signalled(signum)


def is_set(name):
    return os.environ.get(name, "") not in ("", "0")


@dataclasses.dataclass
class Wish:
    """What the user asked for, checked; nothing has been built or started."""
    kvm: bool
    why: str            # not QEMU/KVM
    firmware: str       # QEMU's: bios or ovmf
    memory: int         # MiB
    cpus: int
    hv: str | None      # Kensho's options; None: without Kensho


def firmware(why_not_kvm, check):
    """QEMU's name of the firmware that the user wants; ends the tool when it cannot be had. check:
    what is not installed yet will be."""
    if not is_set("UEFI"):
        return "bios"
    if why_not_kvm and not (check and why_not_kvm == emu.NO_QEMU):
        sys.exit(f"run: UEFI=1 needs QEMU/KVM ({why_not_kvm}); Bochs, which runs instead, has a BIOS "
                 "only. Omit UEFI=1, or try the image of `make iso` on a real machine")
    if not check and not emu.OVMF.exists():
        sys.exit(f"run: UEFI=1 needs {emu.OVMF}: install Debian's package ovmf")
    return "ovmf"


def options():
    """Kensho's, with our defaults for those the user does not name."""
    if is_set("BARE"):
        return None
    hv = os.environ.get("HV", "")
    given = {word.partition("=")[0] for word in hv.split()}
    hv = " ".join([word for name, word in DEFAULTS.items() if name not in given] + hv.split())
    guestfile.check_options(hv)
    return hv


def wish(check=False):
    """Ends the tool when the user wants the impossible. check: nothing is installed yet."""
    mkiso.check_guest()
    memory = cli.number("MEMORY", 512, 64, 1 << 20, "MiB")
    why = emu.nested_kvm() or ("BOCHS= is set" if os.environ.get("BOCHS") else "")
    kvm = not why or check and why == emu.NO_QEMU
    cpus = cli.number("CPUS", 1, 1, 255 if kvm else BOCHS_CPUS, "CPUs")
    return Wish(kvm=not why, why=why, firmware=firmware(why, check), hv=options(), memory=memory,
                cpus=cpus)


def speaks_on_com1(hv):
    """Kensho does, before the guest: hv as in Wish."""
    consoles = re.findall(r"(?:^| )console=(\w+)", hv or "")
    return hv is not None and (not consoles or consoles[-1] in ("all", "com1"))


def build_image(directory, hv):
    kind, modules = mkiso.guest_files()
    boot = mkiso.Boot(hv=hv, modules=modules, kind=kind)
    try:
        return mkiso.make_iso(directory / "boot.iso", boot)
    except RuntimeError as err:
        sys.exit(f"run: {err}")


def start(directory, ports, want):
    machine = emu.Machine(dir=directory, iso=directory / "boot.iso", memory=want.memory,
                          com1=f"term:{ports[0].name}", com2=f"term:{ports[1].name}",
                          cpus=want.cpus, vnc=is_set("VNC"), firmware=want.firmware,
                          ips=emu.IPS_BENCH, paced=True)
    if want.kvm:
        say(f"starting QEMU/KVM with {'OVMF' if want.firmware == 'ovmf' else 'its BIOS'} (this "
            "machine offers nested VMX)")
        return emu.Emulator(emu.qemu_command(machine, kvm=True), directory)
    binary = emu.bochs_binary()
    info = emu.bochs_info(binary)
    if info is None:
        sys.exit(f"run: {binary} does not run: install Debian's package bochs, or set BOCHS=")
    say(f"starting Bochs {info[0]} ({want.why}): Linux needs half a minute to two to its shell")
    return emu.Emulator(emu.bochs_command(machine), directory)


def once(directory, want):
    """One run of the machine: (how it ended, exit status)."""
    ports = [console.Port(directory / f"com{n}.log") for n in (1, 2)]
    emulator = None
    try:
        emulator = start(directory, ports, want)
        session = console.Session(emulator, *ports, speaks_on_com1(want.hv))
        with console.Terminal():
            session.run()
        return verdict(emulator, session, want)
    finally:
        if emulator:
            emulator.kill()
        for port in ports:
            port.close()


def verdict(emulator, session, want):
    if session.end == "restart":
        return "restart", 0
    if session.end == "quit":
        return "ended by Ctrl-] q", 0
    if session.end == "interrupt":
        return "ended by Ctrl-C", 130
    if session.end == "halted":
        return "the machine is halted, which ends the run", 0 if session.speech.done else 1
    if emulator.powered_off(want.kvm):
        return "the guest powered off", 0
    return "the emulator ended by itself: " + (emulator.end_reason() or last_line(emulator.dir)), 1


def last_line(directory):
    """Of what the emulator itself said."""
    lines = (directory / "emulator.out").read_text(errors="replace").split("\n")
    return next((line for line in reversed(lines) if line.strip()), "it said nothing")


def show_end(directory):
    """What helps to understand how it ended, and where the rest is."""
    logs = [directory / name for name in ("com1.log", "com2.log")]
    text = logs[0].read_text(errors="replace") if logs[0].exists() else ""
    names = backtrace.resolve(text, directory / mkiso.HV_ELF.name)
    if names:
        say("--- the backtrace of the panic, by name\n" + "\n".join(names))
    if logs[0].exists():
        say("COM1 is kept in {}, COM2 in {}".format(*map(shown, logs)))


def shown(path):
    """As the user would type it."""
    here = pathlib.Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def session(directory, want):
    say(f"building the boot image ({shown(directory / 'boot.iso')})")
    if not os.environ.get("KERNEL"):
        say(f"guest kernel: {(mkiso.LINUX.parent / 'version').read_text().strip()}")
    if want.hv is not None:
        say(f"Kensho's options: {want.hv}")
    build_image(directory, want.hv)
    shutil.copy(mkiso.HV_ELF, directory)    # the names of a panic's addresses
    how = "restart"
    while how == "restart":
        say("COM1 follows. Ctrl-] is the escape: q ends, 2 Kensho's console, r restarts, h helps")
        how, status = once(directory, want)
        say("restarting" if how == "restart" else how)
    return status


def clear(directory):
    """Make the folder of a run, alone: the lock ends with this process."""
    directory.mkdir(parents=True, exist_ok=True)
    lock = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.exit(f"run: another run uses {shown(directory)}: wait for its end, or give this one a "
                 "folder of its own with RUN_DIR=")
    for name in FILES:
        (directory / name).unlink(missing_ok=True)


def main():
    cli.arguments([arg for arg in sys.argv if arg != "--check"], __doc__, 0, 0)
    want = wish("--check" in sys.argv)
    if "--check" in sys.argv:
        return 0
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signalled)
    directory = pathlib.Path(os.environ.get("RUN_DIR") or RUN_DIR).resolve()
    try:
        clear(directory)
        status = session(directory, want)
    except Signalled as stop:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        number = stop.args[0]
        say(f"ended by {signal.Signals(number).name}")
        status = 128 + number
    except BrokenPipeError:
        raise
    except OSError as err:
        sys.exit(f"run: {err.filename or 'the terminal'}: {err.strerror}")
    show_end(directory)
    return status


if __name__ == "__main__":
    cli.run(main)
