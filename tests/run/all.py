#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""`make test`, `make check`, `make nightly`: every stage in order, then one line that counts.

    tests/run/all.py test|check|nightly [--names]

ONLY=REGEX runs only what matches, and then does not ask whether every test of tests/requirements ran.
--names prints what it is matched with.
"""

import os
import re
import subprocess
import sys
import time

import coverage
import fuzz
import host
import mutate
import requirements
import results
import run

sys.path.insert(0, str(results.ROOT / "tests/lint"))
import constants  # noqa: E402
import layouts  # noqa: E402
import lint  # noqa: E402
import tidy  # noqa: E402

MAKE = os.environ.get("MAKE", "make").split()
BUILDS = {"check": ["build/kensho.elf", "pure-objects", "host-tests"],
          "test": ["build/kensho.elf", "pure-objects", "host-tests", "fuzzers", "guests"],
          "nightly": ["build/kensho.elf", "host-tests", "fuzzers", "guests"]}
NIGHTLY_FUZZ = ["--seconds", "60", "--least", "10000000"]


def stage(name):
    print(f"== {name} ({time.strftime('%H:%M:%S')})", flush=True)


def build(targets):
    stage("build")
    for target in targets:
        status = subprocess.run(MAKE + ["-k", f"-j{os.cpu_count()}", target]).returncode
        results.record(f"build:{target}", "fail" if status else "pass",
                       "see the messages above" if status else "", quiet=True)


def names(kind):
    """What ONLY= can choose from."""
    if kind == "nightly":
        return [*tidy.names(), *fuzz.names(), *mutate.names(), *run.names("nightly")]
    out = [*lint.names(), *host.names()]
    if kind == "test":
        out += [*tidy.names(), constants.NAME, layouts.NAME, *mutate.names(), "host:coverage",
                *fuzz.names(), *run.names("ci")]
    return out


def nightly(only):
    """What takes too long for every change; `make test` does not do it, nor this its stages."""
    stage("analysers")
    tidy.main(only, deep=True)
    stage("fuzz")
    fuzz.main([*NIGHTLY_FUZZ, only])
    stage("mutations")
    mutate.stage(only)
    stage("guest runs")
    run.main(["--when", "nightly", only])
    return results.summary()


def main(kind, only):
    results.select(only, names(kind), f"tests/run/all.py {kind}")
    os.chdir(results.ROOT)
    results.start()
    build(BUILDS[kind])
    if kind == "nightly":
        return nightly(only)
    stage("lint")
    lint.main(only)
    if kind == "test":
        stage("analysers")
        tidy.main(only)
        constants.main(only)
        layouts.main(only)
    stage("host tests")
    host.main(only)
    if kind == "test":
        stage("mutations")
        mutate.stage(only, mutate.head())
        if re.search(only, "host:coverage"):
            stage("coverage")
            coverage.main()
        stage("fuzz")
        # A change is not to blame for what only other inputs find: those are nightly's.
        fuzz.main(["--seed", "1", "--seconds", os.environ.get("FUZZ_SECONDS", "10"), only])
        stage("guest runs")
        run.main(["--when", "ci", only])
        if not only:
            stage("requirements")
            requirements.main()
    return results.summary()


if __name__ == "__main__":
    results.process(lambda: main(sys.argv[1], *(sys.argv[2:] or [os.environ.get("ONLY", "")])))
