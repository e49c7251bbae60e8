#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Analysers: clang-tidy, with clang's path-sensitive analyser in it, on every C file that is not a
test; gcc's on the pure files. Cached per file, see cached.py. The path-sensitive one stops in a
function after NODES states; nightly runs let it go on as far as clang does by itself.

What is off in .clang-tidy, and why:

  easily-swappable-parameters   register code is full of (u64, u64); types do that job here
  reserved-identifier           __stack_chk_guard and thunks have the compiler's names
  narrowing-conversions         gcc's -Wconversion does it without the noise on u8/u16
  assignment-in-if-condition    not our style, but in macros of tests
  implicit-widening-of-multiplication-result   every register offset is such a product
  DeprecatedOrUnsafeBufferHandling   wants memcpy_s, which does not exist here
  no-int-to-ptr                 physical addresses become pointers in hw_phys_to_virt()
"""

import re
import sys

import cached
import sources

sys.path.insert(0, str(sources.ROOT / "tests/run"))
import results  # noqa: E402

NAMES = ("clang-tidy", "gcc-analyzer")
NODES = 30000   # of clang's 225000, which take five times as long


def tidy_complaint(done):
    text = done.stdout.strip()
    return (text or done.stderr.strip()) if done.returncode or "error:" in text else ""


def any_output(done):
    return (done.stdout + done.stderr).strip()


def deep_tidy(path):
    return ["clang-tidy", "--quiet", str(path), "--", *cached.FLAGS]


def tidy(path):
    return [*deep_tidy(path), "-Xclang", "-analyzer-config", "-Xclang", f"max-nodes={NODES}"]


def gcc(path):
    return ["gcc", *cached.FLAGS, "-O2", "-fanalyzer", "-c", str(path), "-o", "/dev/null"]


def names():
    return [f"lint:{name}" for name in NAMES]


def main(pattern="", deep=False):
    every = [p for p in sources.all_files() if p.suffix == ".c" and p.parts[0] != "tests"]
    pure = [p for p in every if str(p) in set(sources.make_variable("PURE"))]
    failed = 0
    for name, (files, command, complaint, config) in zip(NAMES, (
            (every, deep_tidy if deep else tidy, tidy_complaint, [".clang-tidy"]),
            (pure, gcc, any_output, []))):
        if re.search(pattern, f"lint:{name}"):
            failed += cached.check(name, files, command, complaint, config)
    return 1 if failed else 0


if __name__ == "__main__":
    results.process(lambda: main(*sys.argv[1:]))
