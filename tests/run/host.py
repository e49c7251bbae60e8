#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Run the host tests: every build/host/test_* binary, cmocka's TAP output into results; then the
models in Python, which compare what a program of tests/host/tools prints, and the unit tests of
tools/*.py (tests/host/test_*.py).

    tests/run/host.py [REGEX | --names]
"""

import concurrent.futures
import os
import re
import subprocess
import sys

import results

sys.path.insert(0, str(results.ROOT / "tests/host/models"))
import mtrr_model  # noqa: E402

TIMEOUT_S = 120
ENV = dict(os.environ, CMOCKA_MESSAGE_OUTPUT="TAP",
           ASAN_OPTIONS="detect_leaks=1:abort_on_error=0:color=never",
           UBSAN_OPTIONS="print_stacktrace=1:color=never")
MODELS = (("mtrr_model", mtrr_model, "ept_types"),)


def sources():
    return sorted(p.stem for p in (results.ROOT / "tests/host").glob("*/test_*.c"))


def scripts():
    return sorted((results.ROOT / "tests/host").glob("test_*.py"))


def names():
    return [f"host:{name}" for name in
            [*sources(), *(model[0] for model in MODELS), *(path.stem for path in scripts())]]


def run_binary(name):
    """[(test name, result, detail)] of one test binary."""
    path = results.ROOT / "build/host" / name
    if not path.exists():
        return [(f"host:{name}", "fail", "did not build")]
    try:
        done = subprocess.run([str(path)], cwd=results.ROOT, env=ENV, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=TIMEOUT_S, errors="replace", text=True)
    except subprocess.TimeoutExpired as late:
        text = (late.stdout or b"").decode(errors="replace")
        return [(f"host:{name}", "fail", f"no end after {TIMEOUT_S} s\n" + tail(text))]
    return parse(name, done.stdout, done.returncode)


def parse(name, text, status):
    out, failed = [], False
    for line in text.splitlines():
        found = re.match(r"(ok|not ok) \d+ - (\S+)( # SKIP (.*))?", line)
        if not found:
            continue
        result = "pass" if found[1] == "ok" else "fail"
        if found[3] is not None:
            result = "skip"
        failed |= result == "fail"
        out.append((f"host:{name}/{found[2]}", result,
                    tail(text) if result == "fail" else found[4] or ""))
    if not out or (status != 0 and not failed):
        out.append((f"host:{name}", "fail", f"exit status {status}\n" + tail(text)))
    return out


def run_models(pattern):
    """Number of failures."""
    failed = 0
    for name, model, program in MODELS:
        if not re.search(pattern, f"host:{name}"):
            continue
        path = results.ROOT / "build/host/tools" / program
        bad, line = model.run(path) if path.exists() else ([f"{program} did not build"], "")
        failed += bool(bad)
        results.record(f"host:{name}", "fail" if bad else "pass", "\n".join(bad[:20]) or line)
    return failed


def run_script(path):
    """[(test name, result, detail)] of one script."""
    done = subprocess.run([sys.executable, str(path), "-v"], cwd=results.ROOT, text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=TIMEOUT_S)
    # A test's docstring goes between its name and its verdict.
    found = re.findall(r"^(test_\w+) \(.*\)\n?(?:.*) \.\.\. (ok|FAIL|ERROR)$", done.stdout, re.M)
    rows = [(f"host:{path.stem}/{name}", "pass" if verdict == "ok" else "fail",
             "" if verdict == "ok" else tail(done.stdout)) for name, verdict in found]
    if not rows or done.returncode and all(row[1] == "pass" for row in rows):
        rows.append((f"host:{path.stem}", "fail", tail(done.stdout)))
    return rows


def tail(text):
    return "\n".join(text.splitlines()[-40:])


def main(pattern=""):
    # Scripts first: some wait for most of their time, and the others fill it.
    jobs = [(path.stem, run_script, path) for path in scripts()] + \
        [(name, run_binary, name) for name in sources()]
    jobs = [job for job in jobs if re.search(pattern, f"host:{job[0]}")]
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for (name, _, _), rows in zip(jobs, pool.map(lambda job: job[1](job[2]), jobs)):
            bad = [r for r in rows if r[1] == "fail"]
            failed += len(bad)
            for row in rows:
                results.record(*row, quiet=True)
            print(f"  host    {name}: {len(rows) - len(bad)} of {len(rows)}", flush=True)
    failed += run_models(pattern)
    return 1 if failed else 0


if __name__ == "__main__":
    results.program(main, names, "tests/run/host.py")
