#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Run a test guest once on Bochs, for people who write guest tests.

    tests/guest/try.py [--hv | --options OPTIONS] [--cpus N] [...] [ARG...]

ARG goes on the guest's command line (test=apic,cpuid skip=... region=0x...). Without --hv GRUB boots
the guest on the bare emulator, which checks the tests themselves. Prints COM1 as it comes; under
Kensho also COM2, where its log goes. Exit status 0: the TAP plan is complete, without "not ok".
"""

import argparse
import pathlib
import re
import shutil
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tools"))
import emu  # noqa: E402
import mkiso  # noqa: E402


def parse():
    par = argparse.ArgumentParser(
        description=__doc__.split("\n")[0], usage="%(prog)s [options] [ARG...]",
        epilog="ARG: the guest's command line, such as test=apic,cpuid: the beginnings of names")
    par.add_argument("--hv", action="store_true", help="under Kensho, not on the bare emulator")
    par.add_argument("--options", default="", help="options of Kensho, which they imply")
    par.add_argument("--image", default="suite", help="build/guest/IMAGE.elf (suite)")
    par.add_argument("--cpus", type=int, default=1)
    par.add_argument("--memory", type=int, default=512, help="MiB")
    par.add_argument("--timeout", type=float, default=300, help="seconds")
    par.add_argument("--keep", type=pathlib.Path, help="copy com1.log, com2.log, bochs.log there")
    args, rest = par.parse_known_args()
    for word in rest:
        if word.startswith("-"):
            par.error(f"no such option: {word}")
    elf = ROOT / f"build/guest/{args.image}.elf"
    for file in [elf] + [mkiso.HV_ELF] * bool(args.hv or args.options):
        if not file.exists():
            par.error(f"{file.relative_to(ROOT)} is missing: make -s guests build/kensho.elf")
    return args, mkiso.Module(elf, "guest", " ".join(rest))


def follow(emulator, com1, timeout):
    """Print what COM1 says until the emulator ends. All of it, and whether time was left."""
    end, shown = time.monotonic() + timeout, 0
    while True:
        ended = emulator.poll() is not None
        text = com1.read_bytes().decode("ascii", "replace").replace("\r", "") \
            if com1.exists() else ""
        print(text[shown:], end="", flush=True)
        shown = len(text)
        if ended or time.monotonic() > end:
            return text, ended
        time.sleep(0.2)


def run(args, module, work):
    """COM1's text, or exit."""
    hv = f"log=com2 {args.options}".strip() if args.hv or args.options else None
    mkiso.make_iso(work / "boot.iso", mkiso.Boot(hv=hv, modules=[module], kind="multiboot"))
    emulator = emu.Emulator(emu.bochs_command(emu.Machine(
        dir=work, iso=work / "boot.iso", cpus=args.cpus, memory=args.memory)), work)
    try:
        text, ended = follow(emulator, work / "com1.log", args.timeout)
    finally:
        emulator.kill()
    if hv is not None:
        print("--- COM2")
        print((work / "com2.log").read_text(errors="replace").replace("\r", ""))
    if args.keep:
        args.keep.mkdir(parents=True, exist_ok=True)
        for log in work.glob("*.log"):
            shutil.copy(log, args.keep)
    if not ended:
        sys.exit(f"try.py: no end after {args.timeout:g} s (--timeout)")
    if not emulator.powered_off():
        sys.exit(f"try.py: the emulator ended: {emulator.end_reason() or 'see bochs.log (--keep)'}")
    return text


def main():
    args, module = parse()
    with tempfile.TemporaryDirectory(prefix="kensho-guest-") as tmp:
        text = run(args, module, pathlib.Path(tmp))
    plan = re.search(r"^1\.\.(\d+)", text, re.M)
    done = len(re.findall(r"^ok ", text, re.M))
    bad = re.search(r"^not ok|^Bail out", text, re.M)
    sys.exit(bool(bad) or args.image == "suite" and (not plan or done != int(plan[1])))


if __name__ == "__main__":
    try:
        main()
    except RuntimeError as err:
        sys.exit(f"try.py: {err}")
    except KeyboardInterrupt:
        sys.exit(130)
