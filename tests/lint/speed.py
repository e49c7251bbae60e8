# SPDX-License-Identifier: BSD-2-Clause
"""Hand-written speed is marked and measured: the tags SPEED(name) in the sources, the plain ways in
tests/run/bench_plain.txt and the table of docs/bench.md are about the same places.
"""

import re

import sources

LIST = "tests/run/bench_plain.txt"
PAGE = "docs/bench.md"
TAGGED = ("arch", "boot", "core", "drivers", "hv")


def plain_ways():
    """[(name, file, row, options, [lines as they are], [lines the plain way])]"""
    out = []
    for line in (sources.ROOT / LIST).read_text().splitlines():
        if line[:2] in ("- ", "+ "):
            out[-1][4 if line[0] == "-" else 5].append(line[2:])
        elif line and line[0] != "#":
            name, file, row, *options = line.split()
            out.append((name, file, row, " ".join(options), [], []))
    return out


def place(text, old):
    """The one place in @text with the lines @old, whatever blanks begin them; else None."""
    found = list(re.finditer(r"\s*\n\s*".join(re.escape(line.strip()) for line in old), text))
    return found[0] if len(found) == 1 else None


def check(files):
    ways = plain_ways()
    want = {(name, file) for name, file, *_ in ways}
    tags = {(name, str(path)) for path in files if path.parts[0] in TAGGED
            for name in re.findall(r"\bSPEED\(([\w-]+)\)", sources.text(path))}
    rows = set(re.findall(r"^\| `([\w-]+)` \| `([\w/.]+)` \| `([\w:]+)`[^|]*\| \d+ \|",
                          (sources.ROOT / PAGE).read_text(), re.M))
    bad = [f"{file}: no SPEED({name}), which {LIST} has" for name, file in sorted(want - tags)]
    bad += [f"{file}: SPEED({name}) is not in {LIST}" for name, file in sorted(tags - want)]
    listed = {(name, file, row) for name, file, row, *_ in ways}
    bad += [f"{PAGE}: no row `{' '.join(row)}`" for row in sorted(listed - rows)]
    bad += [f"{PAGE}: `{' '.join(row)}` is not in {LIST}" for row in sorted(rows - listed)]
    return bad + [f"{LIST}: {name}: {file} does not have the lines once"
                  for name, file, _, _, old, new in ways
                  if not old or not new or not place(sources.text(sources.ROOT / file), old)]
