#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Run every libFuzzer binary for a while, from the saved corpus in tests/fuzz/corpus/NAME.

    tests/run/fuzz.py [--seconds N] [--least RUNS] [--seed N] [REGEX | --names]

The inputs are others each time; with --seed the same, as many as the time takes. Prints runs and
runs per second of each, then the sum; --least makes fewer runs in all a failure. New inputs go to
build/fuzz/corpus/NAME; a crash is kept in build/fuzz/crash-NAME-*.
"""

import argparse
import concurrent.futures
import os
import re
import subprocess
import sys

import results

TARGETS = results.ROOT / "tests/fuzz"
BUILD = results.ROOT / "build/fuzz"


def run_target(name, seconds, seed):
    binary = BUILD / "bin" / name
    if not binary.exists():
        return f"fuzz:{name}", "fail", "did not build", 0
    grown, saved = BUILD / "corpus" / name, TARGETS / "corpus" / name
    grown.mkdir(parents=True, exist_ok=True)
    dictionary = TARGETS / f"{name}.dict"
    cmd = [str(binary), f"-max_total_time={seconds}", "-timeout=10", "-rss_limit_mb=1024",
           "-print_final_stats=1", f"-seed={seed}", f"-artifact_prefix={BUILD}/crash-{name}-"]
    if dictionary.exists():
        cmd.append(f"-dict={dictionary}")
    cmd += [str(grown)] + ([str(saved)] if saved.is_dir() else [])
    done = subprocess.run(cmd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                          stderr=subprocess.STDOUT, errors="replace", cwd=results.ROOT,
                          timeout=seconds * 10 + 60)
    if done.returncode:
        return f"fuzz:{name}", "fail", "\n".join(done.stdout.splitlines()[-40:]), 0
    stats = dict(re.findall(r"stat::(\w+): +(\d+)", done.stdout))
    runs = int(stats.get("number_of_executed_units", 0))
    if runs == 0:
        return f"fuzz:{name}", "fail", "no statistics\n" + done.stdout[-2000:], 0
    return (f"fuzz:{name}", "pass", f"{runs} inputs, {stats.get('average_exec_per_sec')} per second",
            runs)


def names():
    return sorted(f"fuzz:{path.stem}" for path in TARGETS.glob("*.c"))


def arguments(argv):
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--least", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--names", action="store_true")
    parser.add_argument("pattern", nargs="?", default="")
    args = parser.parse_args(argv)
    args.pattern = "--names" if args.names else args.pattern
    return args


def main(argv):
    args = arguments(argv)
    chosen = [name[5:] for name in names() if re.search(args.pattern, name)]
    bad, total = 0, 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for row in pool.map(lambda n: run_target(n, args.seconds, args.seed), chosen):
            bad += row[1] == "fail"
            total += row[3]
            results.record(*row[:3])
    if chosen and not args.pattern:
        short = total < args.least
        results.record("fuzz:total", "fail" if bad or short else "pass",
                       f"{total} inputs, {bad} crashes" + (f", want {args.least}" * short))
        bad += short
    return 1 if bad else 0


def command(argv):
    """As a program: what fits no fuzzer is a mistake."""
    results.select(arguments(argv).pattern, names(), "tests/run/fuzz.py")
    return main(argv)


if __name__ == "__main__":
    results.process(lambda: command(sys.argv[1:]))
