#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Line coverage of the host tests, by gcov, in a build of its own (build/coverage).

    tests/run/coverage.py [-v]      -v: every file, and the lines that were not run

Fails below 90 % of lines in core (core/lib included), in hv or in the pure folders of boot.
"""

import json
import os
import re
import subprocess
import sys

import host
import results

MAKE = os.environ.get("MAKE", "make").split()
BUILD = "build/coverage"
LEAST = {"core": 90.0, "hv": 90.0, "boot": 90.0}      # boot: its pure folders


def build():
    """Also forgets the counts of earlier runs. True when it built."""
    for old in (results.ROOT / BUILD).rglob("*.gcda"):
        old.unlink()
    done = subprocess.run(MAKE + ["-s", "-k", f"-j{os.cpu_count()}", f"B={BUILD}", "SAN=",
                                  "COVERAGE=--coverage -O0", "host-tests"],
                          cwd=results.ROOT, stdout=subprocess.DEVNULL)
    return done.returncode == 0


def run_tests():
    """Names of the programs that failed."""
    bad = []
    for name in host.sources():
        done = subprocess.run([str(results.ROOT / BUILD / "host" / name)], cwd=results.ROOT,
                              env=host.ENV, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, timeout=host.TIMEOUT_S)
        if done.returncode:
            bad.append(name)
    return bad


def line_counts():
    """{file: {line: times}} of every pure file, inline functions included."""
    data = [str(p) for p in (results.ROOT / BUILD / "host").rglob("*.gcno")]
    out = {}
    for first in range(0, len(data), 50):
        done = subprocess.run(["gcov", "--json-format", "--stdout", *data[first:first + 50]],
                              cwd=results.ROOT, text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL)
        for text in done.stdout.splitlines():
            for file in json.loads(text)["files"] if text.startswith("{") else ():
                if re.match(r"(core|hv|boot/(load|acpi|option))/", file["file"]):
                    lines = out.setdefault(file["file"], {})
                    for line in file["lines"]:
                        number = line["line_number"]
                        lines[number] = lines.get(number, 0) + line["count"]
    return out


def share(files):
    """(lines run, lines) of {file: {line: times}}."""
    counts = [count for lines in files.values() for count in lines.values()]
    return sum(count > 0 for count in counts), len(counts)


def ranges(numbers):
    """1, 2, 3, 7 -> "1-3 7"."""
    out = []
    for number in numbers:
        if out and out[-1][1] == number - 1:
            out[-1][1] = number
        else:
            out.append([number, number])
    return " ".join(f"{a}" if a == b else f"{a}-{b}" for a, b in out)


def print_files(files):
    for name, lines in sorted(files.items(), key=lambda item: -share({0: item[1]})[1]):
        hit, total = share({name: lines})
        missed = ranges(sorted(n for n, count in lines.items() if count == 0))
        print(f"  {100 * hit / total:6.1f} %  {name}  {missed}")


def main(argv=()):
    if not build():
        results.record("host:coverage", "fail", "did not build")
        return 1
    bad = [f"{name} fails in this build" for name in run_tests()]
    files, parts = line_counts(), []
    if "-v" in argv:
        print_files(files)
    for folder, least in LEAST.items():
        hit, total = share({n: c for n, c in files.items() if n.startswith(folder + "/")})
        percent = 100 * hit / max(total, 1)
        parts.append(f"{folder} {percent:.1f} % of {total} lines")
        if percent < least:
            bad.append(f"{folder}: {percent:.1f} %, want {least} % (make coverage names the lines)")
    results.record("host:coverage", "fail" if bad else "pass", "\n".join(bad) or ", ".join(parts))
    return 1 if bad else 0


if __name__ == "__main__":
    results.process(lambda: main(sys.argv[1:]))
