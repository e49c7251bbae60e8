#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""clang-tidy on every C file that is not a test, with a cache.

A file is clean as long as its text, its headers' text, .clang-tidy and the command stay the same;
build/tidy/HASH says so. What is off in .clang-tidy, and why:

  easily-swappable-parameters   register code is full of (u64, u64); types do that job here
  reserved-identifier           __stack_chk_guard and thunks have the compiler's names
  narrowing-conversions         gcc's -Wconversion does it without the noise on u8/u16
  assignment-in-if-condition    not our style, but in macros of tests
  implicit-widening-of-multiplication-result   every register offset is such a product
  DeprecatedOrUnsafeBufferHandling   wants memcpy_s, which does not exist here
  no-int-to-ptr                 physical addresses become pointers in hw_phys_to_virt()
"""

import concurrent.futures
import hashlib
import os
import re
import subprocess
import sys

import sources

sys.path.insert(0, str(sources.ROOT / "tests/run"))
import results  # noqa: E402

CACHE = sources.ROOT / "build/tidy"
FLAGS = ["-std=gnu17", "-ffreestanding", "-mgeneral-regs-only", "-I.", "-D__KENSHO_TIDY__",
         '-DKENSHO_VERSION="tidy"']


def key(path):
    """A hash of everything clang-tidy's answer depends on; None when it does not preprocess."""
    done = subprocess.run(["gcc", *FLAGS, "-MM", str(path)], cwd=sources.ROOT, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    if done.returncode:
        return None
    state = hashlib.sha256(repr(FLAGS).encode())
    state.update((sources.ROOT / ".clang-tidy").read_bytes())
    for name in done.stdout.replace("\\\n", " ").split()[1:]:
        state.update(name.encode() + b"\0" + (sources.ROOT / name).read_bytes())
    return state.hexdigest()


def check(path):
    """(path, complaint or "")"""
    stamp = key(path)
    if stamp and (CACHE / stamp).exists():
        return path, ""
    done = subprocess.run(["clang-tidy", "--quiet", str(path), "--", *FLAGS], cwd=sources.ROOT,
                          text=True, errors="replace", stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE)
    text = done.stdout.strip()
    if done.returncode or "error:" in text:
        return path, text or done.stderr.strip()
    if stamp:
        (CACHE / stamp).touch()
    return path, ""


def main(pattern=""):
    if not re.search(pattern, "lint:clang-tidy"):
        return 0
    CACHE.mkdir(parents=True, exist_ok=True)
    files = [p for p in sources.all_files() if p.suffix == ".c" and p.parts[0] != "tests"]
    bad = []
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for path, complaint in pool.map(check, files):
            if complaint:
                bad.append(complaint)
    results.record("lint:clang-tidy", "fail" if bad else "pass",
                   "\n".join(bad) if bad else f"{len(files)} files")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
