# SPDX-License-Identifier: BSD-2-Clause
"""What the parts of bench.py share: a machine of Bochs that runs to its power-off, a Kensho with
one line changed, and numbers as they are printed."""

import re
import shutil
import subprocess
import sys

import results

sys.path.insert(0, str(results.ROOT / "tools"))
import emu  # noqa: E402
import mkiso  # noqa: E402

RUNS = results.ROOT / "build/bench"
TIMEOUT_S = 300


def finish(machine, timeout=TIMEOUT_S):
    """Run a machine to its power-off; returns what the debugger printed."""
    emulator = emu.Emulator(emu.bochs_command(machine), machine.dir)
    try:
        emulator.proc.wait(timeout)
    except subprocess.TimeoutExpired:
        raise RuntimeError(f"{machine.dir.name}: no end after {timeout} s") from None
    finally:
        emulator.kill()
    if not emulator.powered_off():
        raise RuntimeError(f"{machine.dir.name}: ended by {emulator.end_reason()!r}, not power-off")
    return (machine.dir / "emulator.out").read_text(errors="replace")


def create(name, boot, **settings):
    """A machine that counts, in build/bench/NAME."""
    directory = RUNS / re.sub(r"[^\w.-]", "-", name)
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    iso = mkiso.make_iso(directory / "boot.iso", boot)
    return emu.Machine(dir=directory, iso=iso, ips=emu.IPS_BENCH, **settings)


def changed(name, file, pattern, text):
    """kensho.elf of the same sources with one line of one file replaced."""
    source = RUNS / name
    shutil.rmtree(source, ignore_errors=True)
    names = subprocess.run(["git", "ls-files", "-z"], cwd=results.ROOT, check=True,
                           stdout=subprocess.PIPE).stdout.decode().split("\0")[:-1]
    for name in names:
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(results.ROOT / name, source / name)
    path = source / file
    new, count = re.subn(pattern, text, path.read_text(), count=1, flags=re.M)
    if count != 1:
        raise RuntimeError(f"{file} does not contain {pattern}")
    path.write_text(new)
    subprocess.run(["make", "-s", "-j2", "WERROR=0", "build/kensho.elf"], cwd=source, check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return source / "build/kensho.elf"


def number(value):
    return f"{value:,.3f}".rstrip("0").rstrip(".").replace(",", " ")
