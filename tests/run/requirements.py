#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Fail when a test named in tests/requirements/*.tsv did not run in this `make test`.

One file per area, one line per requirement: what is required <tab> test [, test ...]; none stands
twice. A test is a name of build/results.tsv. It may be a file or a row (`host:test_mb2`,
`run:linux-boot`): then something below it must have run. `{2 4 8}` in a name stands for each of its
words. A name that was skipped counts as not run. A row of the nightly runs need only exist, but not
all tests of a requirement may be such rows. A line that starts with `# ` is a heading or a remark;
letters with a number in parentheses, as (K1), are rules of docs/design.md.
"""

import re
import sys

import results
import suites


def expand(name):
    braces = re.search(r"\{(.*?)\}", name)
    if not braces:
        return [name]
    return [full for word in braces[1].split()
            for full in expand(name.replace(braces[0], word, 1))]


def ran(name, done):
    if name in done:
        return done[name][0] != "skip"
    below = [result for key, (result, _) in done.items() if key.startswith(name + "/")]
    return any(result != "skip" for result in below)


def is_nightly(name, rows):
    row = rows.get(name.removeprefix("run:").partition("/")[0]) if name.startswith("run:") else None
    return row is not None and row["when"] == "nightly"


def main():
    done, rows, bad, seen = results.load(), suites.load(), 0, {}
    for path in sorted((results.ROOT / "tests/requirements").glob("*.tsv")):
        missing = []
        for line in path.read_text().splitlines():
            if not line.strip() or line.startswith("# "):
                continue
            item, _, names = line.partition("\t")
            if item in seen:
                missing.append(f"{item}: is in {seen[item]} already")
            seen[item] = path.name
            wanted = [full for n in names.replace("\t", ",").split(",") if n.strip()
                      for full in expand(n.strip())]
            if not wanted:
                missing.append(f"{item}: names no test")
            daily = [name for name in wanted if not is_nightly(name, rows)]
            if wanted and not daily:
                missing.append(f"{item}: all its tests are nightly")
            missing += [f"{item}: {name} did not run" for name in daily if not ran(name, done)]
        bad += bool(missing)
        results.record(f"requirements:{path.stem}", "fail" if missing else "pass", "\n".join(missing))
    return 1 if bad else 0


if __name__ == "__main__":
    results.process(lambda: main())
