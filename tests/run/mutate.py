#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Break one line at a time and see the tests fail that tests/host/mutations.txt names.

    tests/run/mutate.py [REGEX]

Works on a copy of the sources in build/mutants, built without sanitizers.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys

import host
import mtrr_model
import results

LIST = results.ROOT / "tests/host/mutations.txt"
TREE = results.ROOT / "build/mutants"
COPIED = ("Makefile", "linker.ld", "arch", "boot", "core", "drivers", "guests", "hv", "tests")
MAKE = os.environ.get("MAKE", "make").split() + ["-s", "SAN=", "COVERAGE=-O0"]
TIMEOUT_S = 60      # a mutant that hangs is one that fails


def read_list():
    """[(name, file, tests, original, replacement)]"""
    lines = [line for line in LIST.read_text().splitlines() if line and not line.startswith("#")]
    if len(lines) % 3:
        raise ValueError(f"{LIST}: every mutation has three lines")
    out = []
    for head, old, new in zip(lines[::3], lines[1::3], lines[2::3]):
        if old[:2] != "- " or new[:2] != "+ ":
            raise ValueError(f"{LIST}: {head}: `- original` and `+ replacement` must follow")
        name, file, *tests = head.split()
        out.append((name, file, tests, old[2:], new[2:]))
    return out


def copy_sources(tree):
    """To @tree only what differs there, so that a second run rebuilds little."""
    for name in COPIED:
        for path in [results.ROOT / name, *(results.ROOT / name).rglob("*")]:
            to = tree / path.relative_to(results.ROOT)
            if path.is_dir():
                to.mkdir(parents=True, exist_ok=True)
            elif not to.exists() or to.read_bytes() != path.read_bytes():
                to.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, to)


def run_test(name):
    """"" when it passes, else how it fails: a build error is no answer."""
    target = "tools/ept_types" if name == "mtrr_model" else name
    made = subprocess.run(MAKE + [f"-j{os.cpu_count()}", f"build/host/{target}"], cwd=TREE,
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if made.returncode:
        raise RuntimeError("does not build: " + made.stderr[-1000:])
    if name == "mtrr_model":
        return "\n".join(mtrr_model.run(TREE / "build/host" / target, sets=200)[0][:1])
    try:
        done = subprocess.run([f"build/host/{name}"], cwd=TREE, env=host.ENV, text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, errors="replace", timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired:
        return f"no end after {TIMEOUT_S} s"
    failed = re.findall(r"^not ok \d+ - (\S+)", done.stdout, re.M)
    return ", ".join(failed) or (f"exit status {done.returncode}" if done.returncode else "")


def mutate(file, tests, old, new):
    """Complaints about one mutation; the file is as before when this returns."""
    path = TREE / file
    text = path.read_text()
    if text.count(old) != 1:
        return [f"{file}: the original occurs {text.count(old)} times: {old}"]
    before = [f"{test} fails without it" for test in tests if run_test(test)]
    if before:
        return before
    path.write_text(text.replace(old, new))
    try:
        return [f"{test} does not notice: {new}" for test in tests if not run_test(test)]
    except RuntimeError as error:
        return [str(error)]
    finally:
        path.write_text(text)


def main(pattern=""):
    failed = 0
    mutations = [m for m in read_list() if re.search(pattern, f"mutation:{m[0]}")]
    if mutations:
        copy_sources(TREE)
    for name, file, tests, old, new in mutations:
        bad = mutate(pathlib.Path(file), tests, old, new)
        failed += bool(bad)
        results.record(f"mutation:{name}", "fail" if bad else "pass",
                       "\n".join(bad) or f"{file}: caught by {', '.join(tests)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
