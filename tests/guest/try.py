#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Run a test guest once on Bochs, for people who write guest tests.

    tests/guest/try.py [--image suite|bench] [--hv[=OPTIONS]] [--ips N] [--timeout S] [ARG...]

ARG goes on the guest's command line (test=apic,cpuid skip=... region=0x...). Without --hv GRUB boots
the guest on the bare emulator, which checks the tests themselves. Prints COM1; with --hv also COM2.
Exit status 0: TAP plan complete and no "not ok".
"""

import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BOCHSRC = """\
megs: {megs}
cpu: model=corei7_skylake_x, count={cpus}, ips={ips}, reset_on_triple_fault=1, \
ignore_bad_msrs=0, cpuid_limit_winnt=0
romimage: file=/usr/share/bochs/BIOS-bochs-latest
vgaromimage: file=/usr/share/bochs/VGABIOS-lgpl-latest
ata0-master: type=cdrom, path={iso}, status=inserted
boot: cdrom
clock: sync=none, time0=1700000000
display_library: rfb, options="timeout=0"
com1: enabled=1, mode=file, dev={dir}/com1
com2: enabled=1, mode=file, dev={dir}/com2
log: {dir}/bochs.log
panic: action=fatal
error: action=report
info: action=ignore
debug: action=ignore
speaker: enabled=0
"""


def grub_cfg(args, options):
    lines = ["set timeout=0", "set default=0", "set gfxpayload=text", "menuentry guest {"]
    guest = " ".join(options)
    if args.hv is None:
        lines.append(f"multiboot /guest.elf {guest}")
    else:
        lines += [f"multiboot2 /kensho.elf {args.hv}", f"module2 /guest.elf kernel: {guest}"]
    return "\n".join(lines + ["}", ""])


def make_iso(work, args, options):
    tree = work / "tree"
    (tree / "boot/grub").mkdir(parents=True)
    (tree / "boot/grub/grub.cfg").write_text(grub_cfg(args, options))
    shutil.copy(ROOT / f"build/guest/{args.image}.elf", tree / "guest.elf")
    if args.hv is not None:
        shutil.copy(args.kensho, tree / "kensho.elf")
    modules = "multiboot multiboot2 normal iso9660 biosdisk part_msdos"
    subprocess.run(["grub-mkrescue", "-d", "/usr/lib/grub/i386-pc", "-o", work / "boot.iso",
                    "--themes=", "--fonts=", "--locales=", f"--install-modules={modules}",
                    "--compress=no", tree],
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def text(path):
    return path.read_bytes().decode("ascii", "replace").replace("\r", "") if path.exists() else ""


def run_bochs(work, args):
    (work / "bochsrc").write_text(BOCHSRC.format(iso=work / "boot.iso", dir=work, ips=args.ips,
                                                 megs=args.megs, cpus=args.cpus))
    (work / "rc").write_text("c\n")
    with open(work / "console", "wb") as console:
        bochs = subprocess.Popen([os.environ.get("BOCHS", "bochs"), "-q", "-f", work / "bochsrc",
                                  "-rc", work / "rc"], stdin=subprocess.DEVNULL,
                                 stdout=console, stderr=console, cwd=work)
    end, shown = time.time() + args.timeout, 0
    try:
        while bochs.poll() is None and time.time() < end:
            time.sleep(0.2)
            out = text(work / "com1")
            sys.stdout.write(out[shown:])
            sys.stdout.flush()
            shown = len(out)
        if bochs.poll() is None:
            print(f"\n# timeout after {args.timeout} s")
    finally:
        bochs.kill()
        bochs.wait()
    out = text(work / "com1")
    sys.stdout.write(out[shown:])
    return out


def main():
    par = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    par.add_argument("--image", default="suite")
    par.add_argument("--hv", nargs="?", const="log=com2", help="options of the hypervisor")
    par.add_argument("--kensho", default=ROOT / "build/kensho.elf")
    par.add_argument("--ips", type=int, default=20000000)
    par.add_argument("--megs", type=int, default=512)
    par.add_argument("--cpus", type=int, default=1)
    par.add_argument("--timeout", type=float, default=300)
    par.add_argument("--keep", help="directory that receives com1, com2, bochs.log")
    args, options = par.parse_known_args()
    with tempfile.TemporaryDirectory(prefix="kensho-guest-") as tmp:
        work = pathlib.Path(tmp)
        make_iso(work, args, options)
        out = run_bochs(work, args)
        if args.hv is not None:
            print("--- COM2"), print(text(work / "com2"))
        panic = [line for line in text(work / "bochs.log").splitlines()
                 if re.search(r"PANIC|>>PANIC<<", line)]
        print("\n".join(["--- Bochs"] + panic))
        if args.keep:
            pathlib.Path(args.keep).mkdir(parents=True, exist_ok=True)
            for name in ("com1", "com2", "bochs.log", "console", "boot.iso"):
                if (work / name).exists():
                    shutil.copy(work / name, args.keep)
    bad = re.search(r"^not ok|^Bail out", out, re.M)
    plan = re.search(r"^1\.\.(\d+)", out, re.M)
    done = len(re.findall(r"^ok ", out, re.M))
    sys.exit(bool(bad) or args.image == "suite" and (not plan or done != int(plan[1])))


if __name__ == "__main__":
    main()
