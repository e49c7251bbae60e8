#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""What hand-written speed saves: each place of tests/run/bench_plain.txt written the plain way, and
the rows of the benchmark with and without.

    tests/run/bench_plain.py [REGEX]        of the names; a minute each

Prints all rows that differ, and how the table of docs/bench.md should begin. A place that saves
nothing is one to write the plain way for good.
"""

import re
import shutil
import subprocess
import sys

import bench            # and tools/ and tests/lint/ in the path
import emu
import results
import speed

COPIED = ("Makefile", "linker.ld", "arch", "boot", "core", "drivers", "guests", "hv", "tests")
TREE = results.ROOT / "build/bench/plain"
HV = "mitigations=off apicv=off"
SMP_ROWS = ("ipi_",)    # how the names of rows begin that need two CPUs


def copy_sources():
    """Only what differs in TREE, so that a second run rebuilds little."""
    for name in COPIED:
        for path in [results.ROOT / name, *(results.ROOT / name).rglob("*")]:
            to = TREE / path.relative_to(results.ROOT)
            if path.is_dir():
                to.mkdir(parents=True, exist_ok=True)
            elif not to.exists() or to.read_bytes() != path.read_bytes():
                to.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, to)


def build(file="", old=(), new=()):
    """kensho.elf with the lines @new of @file in place of @old"""
    copy_sources()
    if file:
        text = (TREE / file).read_text()
        found = speed.place(text, old)
        (TREE / file).write_text(text[:found.start()] + "\n".join(new) + text[found.end():])
    subprocess.run(["make", "-s", "-j2", "WERROR=0", "build/kensho.elf"], cwd=TREE, check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return TREE / "build/kensho.elf"


def measure(elf, row, options, name):
    smp = row.startswith(SMP_ROWS)
    rows = bench.guest_rows("", name, f"{HV} {options}", "smp=1" if smp else "", 1 + smp, elf)
    return {row: value for row, _, value, _ in rows}


def main(pattern=""):
    if emu.bochs_info(emu.bochs_binary()) != (bench.VERSION, True):
        sys.exit(f"bench_plain: needs Debian's Bochs {bench.VERSION} with its debugger")
    known, table = {}, []
    for name, file, row, options, old, new in speed.plain_ways():
        if not re.search(pattern, name):
            continue
        setting = row.startswith(SMP_ROWS), options
        if setting not in known:
            known[setting] = measure(build(), row, options, "as-it-is")
        now, plain = known[setting], measure(build(file, old, new), row, options, name)
        saved = {row: plain[row] - now[row] for row in plain if plain[row] != now[row]}
        print(f"  {name}: {', '.join(f'{row} {n:g}' for row, n in saved.items()) or 'nothing'}",
              flush=True)
        table.append(f"| `{name}` | `{file}` | `{row}` {options} | {saved.get(row, 0):g} |")
    print("\n".join(table))


if __name__ == "__main__":
    results.process(lambda: main(*sys.argv[1:]))
