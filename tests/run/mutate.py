#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Break one line at a time and see a host test fail: the mutants of tests/host/mutations.txt.

    tests/run/mutate.py [REGEX | --names]   of the names
    tests/run/mutate.py --sample COMMIT     the few that `make test` tries at that commit

All tests must pass on the sources as they are. Then a mutant goes through them until one fails,
the likeliest first: the one that failed last time, those of its folder, the others by their time.
"""

import argparse
import concurrent.futures
import hashlib
import json
import os
import pathlib
import queue
import re
import subprocess
import sys
import time
import typing

import mutant
import results
import suites

LIST = results.ROOT / "tests/host/mutations.txt"
MEMORY = results.ROOT / mutant.BUILD / "memory.json"
GOAL = 95.0         # percent of all that host tests must kill
SAMPLE = 15
TIMEOUT_S = 60      # of a test on the sources as they are
SCORE = {"row": "by guest rows", "alive": "by nothing", "wrong": "wrong entries"}
KILLED = {"host", "row"}


class ListError(ValueError):
    pass


class Mutation(typing.NamedTuple):
    name: str
    file: str
    row: str        # of a guest, when no host test can fail; or ""
    old: str
    new: str


def read_list(text):
    """[Mutation]"""
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    if len(lines) % 3:
        raise ListError(f"{LIST.name}: every mutation has three lines")
    out = {}
    for head, old, new in zip(lines[::3], lines[1::3], lines[2::3]):
        found = re.fullmatch(r"([a-z0-9-]+) (\S+)(?: row=(\S+))?", head)
        if not found or old[:2] != "- " or new[:2] != "+ ":
            raise ListError(f"{LIST.name}: {head}: want NAME FILE [row=GUEST_ROW], "
                            "`- original`, `+ replacement`")
        name, file, row = found.groups(default="")
        if name in out:
            raise ListError(f"{LIST.name}: {name} twice")
        if row and row.partition("/")[0] not in suites.load():
            raise ListError(f"{LIST.name}: {name}: no row {row}")
        out[name] = Mutation(name, file, row, old[2:], new[2:])
    return list(out.values())


def names():
    try:
        return [f"mutation:{m.name}" for m in read_list(LIST.read_text())]
    except (ListError, suites.SuiteError) as error:
        sys.exit(str(error))


def matching(pattern):
    return [m for m in read_list(LIST.read_text()) if re.search(pattern, f"mutation:{m.name}")]


def sample(mutations, commit):
    """A few that host tests kill: others at every commit, the same ones when it is tried again."""
    def place(m):
        return hashlib.sha256(f"{commit} {m.name}".encode()).digest()
    return sorted((m for m in mutations if not m.row), key=place)[:SAMPLE]


def head():
    done = subprocess.run(["git", "rev-parse", "--short=12", "HEAD"], cwd=results.ROOT, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return done.stdout.strip() or "none"


def order(tests, file, killer, seconds):
    """@tests (name -> folder), the likeliest to notice a change of @file first"""
    path = pathlib.PurePath(file)
    folder = next((f for f in reversed(path.parts[:-1]) if f in tests.values()), "")

    def place(test):
        return (test != killer, tests[test] != folder, not test.startswith(f"test_{path.stem}"),
                seconds.get(test, 0))
    return sorted(tests, key=place)


class Run:
    """One build, and what is known of earlier runs: times of tests, killers of mutants"""

    def __init__(self):
        self.build = mutant.Build()
        known = json.loads(MEMORY.read_text()) if MEMORY.exists() else {}
        self.passed, self.killers = known.get("passed", {}), known.get("killers", {})
        self.folders = queue.SimpleQueue()
        for i in range(os.cpu_count()):
            self.folders.put(results.ROOT / mutant.BUILD / f"work{i}")
            (results.ROOT / mutant.BUILD / f"work{i}").mkdir(exist_ok=True)

    def remember(self):
        MEMORY.write_text(json.dumps({"passed": self.passed, "killers": self.killers}, indent=1))

    def spread(self, function, items):
        """@function of each item and a folder to work in"""
        def one(item):
            folder = self.folders.get()
            try:
                return function(item, folder)
            finally:
                self.folders.put(folder)
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            return list(pool.map(one, items))

    def before(self, test, folder):
        """What fails without any mutation; a program that has passed already is not run again."""
        digest = self.build.digest(test)
        if self.passed.get(test, [""])[0] == digest:
            return ""
        start = time.monotonic()
        path = str(results.ROOT / mutant.program(test))
        failed = mutant.run_test(test, path, folder, TIMEOUT_S)
        if not failed:
            self.passed[test] = [digest, round(time.monotonic() - start, 3)]
        return failed

    def killer(self, m, folder):
        """The test that fails; "" when the mutant survives"""
        text = (results.ROOT / m.file).read_text()
        if text.count(m.old) != 1:
            raise mutant.BuildError(f"{m.file}: the original occurs {text.count(m.old)} times")
        changed = mutant.Mutant(self.build, folder, m.file, text.replace(m.old, m.new))
        seconds = {test: value[1] for test, value in self.passed.items()}
        for test in order(self.build.tests, m.file, self.killers.get(m.name), seconds):
            failed = changed.fails(test, 10 + 10 * seconds[test])
            if failed:
                self.killers[m.name] = test
                return failed
        return ""

    def judge(self, m, folder):
        """Record it and answer how it went: a key of SCORE."""
        try:
            failed = self.killer(m, folder)
        except mutant.BuildError as error:
            kind, text = "wrong", str(error)
        else:
            if failed and m.row:
                kind, text = "wrong", f"row={m.row} is not needed: killed by {failed}"
            elif failed:
                kind, text = "host", f"{m.file}: killed by {failed}"
            elif m.row:
                kind, text = "row", f"{m.file}: killed by run:{m.row}"
            else:
                kind, text = "alive", f"{m.file}: no host test fails with: {m.new}"
        results.record(f"mutation:{m.name}", "pass" if kind in KILLED else "fail", text)
        return kind


def score(kinds, goal):
    """(whether that is good enough, the line to print) of the answers of Run.judge()"""
    percent = 100 * kinds.count("host") / len(kinds)
    line = f"mutants: {kinds.count('host')} of {len(kinds)} killed by host tests ({percent:.1f} %)"
    line += "".join(f", {kinds.count(kind)} {text}" for kind, text in SCORE.items()
                    if kind in kinds)
    line += f", want {goal:g} %" if percent < goal else ""
    return percent >= goal and KILLED.issuperset(kinds), line


def run(mutations, goal=0):
    """Judge @mutations; 0 when each is killed, and @goal percent of them by host tests."""
    tried = Run()
    failing = [f"{name} fails without any mutation"
               for name in tried.spread(tried.before, tried.build.tests) if name]
    tried.remember()
    if failing:
        raise mutant.BuildError("\n".join(failing))
    kinds = tried.spread(tried.judge, mutations)
    tried.remember()
    good, line = score(kinds, goal)
    results.record("mutation:score", "pass" if good else "fail", line)
    return 0 if good else 1


def stage(pattern, commit=""):
    """Judge what matches, or the sample of @commit. What keeps it from running is a failure, too."""
    try:
        chosen = matching(pattern)
        if commit:
            chosen = sample(chosen, commit)
            print(f"  the {len(chosen)} mutants of this commit; again: "
                  f"tests/run/mutate.py --sample {commit}", flush=True)
        return run(chosen, 0 if pattern or commit else GOAL) if chosen else 0
    except (ListError, mutant.BuildError, suites.SuiteError) as error:
        results.record("mutation:score", "fail", str(error))
        return 1


def main(argv):
    parser = argparse.ArgumentParser(description="Break lines and see host tests fail.")
    parser.add_argument("regex", nargs="?", default="", help="of the names of the mutants")
    parser.add_argument("--sample", metavar="COMMIT", help="the few that make test tries there")
    parser.add_argument("--names", action="store_true", help="print them")
    args = parser.parse_args(argv)
    results.select("--names" if args.names else args.regex, names(), "tests/run/mutate.py")
    return stage(args.regex, args.sample)


if __name__ == "__main__":
    results.process(lambda: main(sys.argv[1:]))
