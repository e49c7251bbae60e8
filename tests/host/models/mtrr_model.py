# SPDX-License-Identifier: BSD-2-Clause
"""Memory types by the SDM's rules, against the EPT that core/mem/mtrr.c and core/mem make of them.

Spec: SDM Vol. 3A "Memory Type Range Registers (MTRRs)": the fixed ranges, the base and mask of a
variable range, and "MTRR Precedences". Undefined overlaps must be UC (the choice of core/mem/mtrr.c).

    tests/host/models/mtrr_model.py PROGRAM [SETS [SEED]]

PROGRAM is build/host/tools/ept_types. Every leaf must have the type that the registers give all of
it, and where neighbours agree in everything the largest page must be used.
"""

import bisect
import random
import subprocess
import sys

UC, WC, WT, WP, WB = 0, 1, 4, 5, 6
TYPES = (UC, WC, WT, WP, WB)
KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
PAGE_SIZES = (GIB, 2 * MIB, 4 * KIB)
PHYS_BITS = 40
TOP = 6 * GIB

# SDM "Fixed Range MTRRs": eight ranges per register, the lowest in its lowest byte.
FIXED = [64 * KIB] * 8 + [16 * KIB] * 16 + [4 * KIB] * 64


class Registers:
    def __init__(self, rng):
        self.rng = rng
        self.has_fixed = rng.random() < 0.9
        self.count = rng.choice((0, 4, 8, 10))
        self.default = rng.choice(TYPES)
        self.enabled = rng.random() < 0.95
        self.fixed_enabled = rng.random() < 0.7
        few = rng.sample(TYPES, rng.choice((1, 2, 5)))  # often few types: neighbours that merge
        self.fixed = [rng.choice(few) for _ in FIXED]
        self.variable = [self.random_range(few) for _ in range(self.count)]

    def random_range(self, few):
        """(base, size, type, valid): anywhere, or at an edge of pages or of another range."""
        rng = self.rng
        size = 1 << rng.choice((12, 13, 16, 20, 21, 22, 25, 29, 30, 31, 32))
        near = rng.choice((0, MIB, 2 * MIB, GIB, 3 * GIB, 4 * GIB, 5 * GIB, rng.randrange(TOP)))
        base = (near + rng.choice((-1, 0, 1)) * rng.choice((size, 4 * KIB, 2 * MIB))) % TOP
        return base & -size, size, rng.choice(few), rng.random() < 0.85

    def line(self, retype, has_1g):
        """The registers as MSR values, in the program's order."""
        cap = self.count | self.has_fixed << 8 | 1 << 10
        default = self.default | self.fixed_enabled << 10 | self.enabled << 11
        msrs = [sum(t << 8 * k for k, t in enumerate(self.fixed[i:i + 8])) for i in range(0, 88, 8)]
        pairs = []
        for base, size, kind, valid in self.variable:
            mask = ((1 << PHYS_BITS) - 1) & -size
            pairs += [base | kind, mask | valid << 11]
        values = [retype, has_1g, cap, default, *msrs, self.count, *pairs]
        return " ".join(f"{value:x}" for value in values)

    def type_at(self, address):
        if not self.enabled:
            return UC
        if address < MIB and self.fixed_enabled and self.has_fixed:
            return self.fixed[bisect.bisect_right(FIXED_STARTS, address) - 1]
        full = (1 << PHYS_BITS) - 1
        hits = {kind for base, size, kind, valid in self.variable
                if valid and address & full & -size == base & full & -size}
        if not hits:
            return self.default
        if UC in hits:
            return UC
        if len(hits) == 1:
            return hits.pop()
        return WT if hits == {WT, WB} else UC

    def segments(self):
        """[(start, type)]: the whole map, neighbours of one type joined."""
        edges = {0, *(start for start in FIXED_STARTS), MIB}
        for base, size, _, _ in self.variable:
            edges |= {base, base + size}
        out = []
        for start in sorted(e for e in edges if e < TOP):
            kind = self.type_at(start)
            if not out or out[-1][1] != kind:
                out.append((start, kind))
        return out


FIXED_STARTS = [sum(FIXED[:i]) for i in range(len(FIXED))]
assert sum(FIXED) == MIB


def types_of(segments, starts, base, end):
    """The set of types that [base, end) has."""
    first = bisect.bisect_right(starts, base) - 1
    return {kind for start, kind in segments[first:] if start < end}


def largest_pages(base, end, sizes):
    """The largest pages that [base, end) can be made of: {size: count}."""
    if base >= end:
        return {}
    first, last = -(-base // sizes[0]) * sizes[0], end // sizes[0] * sizes[0]
    if first >= last:
        return largest_pages(base, end, sizes[1:])
    out = {sizes[0]: (last - first) // sizes[0]}
    for part in (largest_pages(base, first, sizes[1:]), largest_pages(last, end, sizes[1:])):
        for size, count in part.items():
            out[size] = out.get(size, 0) + count
    return out


def check(registers, runs, has_1g):
    """Complaints about the leaves of one set; counts leaves by size into STATS."""
    segments = registers.segments()
    starts = [start for start, _ in segments]
    at, extents = 0, []
    for base, size, count, kind, perms, identity in runs:
        end = base + size * count
        if base != at:
            return [f"a hole at {at:x}"]
        at = end
        want = types_of(segments, starts, base, end) if identity else {WB}
        if want != {kind}:
            return [f"{base:x}-{end:x}: type {kind}, want {sorted(want)}"]
        STATS[size] = STATS.get(size, 0) + count
        if not identity:
            continue
        if extents and extents[-1][1:4] == (base, kind, perms):
            extents[-1] = (extents[-1][0], end, kind, perms, extents[-1][4] + [(size, count)])
        else:
            extents.append((base, end, kind, perms, [(size, count)]))
    if at != TOP:
        return [f"ends at {at:x}"]
    sizes = PAGE_SIZES if has_1g else PAGE_SIZES[1:]
    for base, end, _, _, pages in extents:
        have = {}
        for size, count in pages:
            have[size] = have.get(size, 0) + count
        want = largest_pages(base, end, sizes)
        if have != want:
            return [f"{base:x}-{end:x}: pages {have}, want {want}"]
    return []


def mixed_pages(registers):
    """Large-page frames that the registers divide: what must be split."""
    edges = [start for start, _ in registers.segments()]
    return len({e // size * size for e in edges for size in PAGE_SIZES[:2] if e % size})


STATS = {}


def read_runs(lines):
    runs = []
    for line in lines:
        if line == "end":
            yield runs
            runs = []
        else:
            runs.append([int(word, 16) for word in line.split()])


def run(program, sets=1000, seed=1):
    """(complaints, one line of numbers)"""
    rng = random.Random(seed)
    has_1g, cases = True, []
    for i in range(sets):
        retype = i % 8 != 0     # most follow another set: pages must split and merge again
        has_1g = has_1g if retype else rng.random() < 0.8
        cases.append((Registers(rng), retype, has_1g))
    text = "\n".join(r.line(retype, huge) for r, retype, huge in cases) + "\n"
    done = subprocess.run([str(program)], input=text, text=True, capture_output=True)
    if done.returncode:
        return [f"exit status {done.returncode}", *done.stderr.splitlines()[-40:]], ""
    answers, bad = list(read_runs(done.stdout.splitlines())), []
    if len(answers) != sets:
        return [f"{len(answers)} answers to {sets} sets"], ""
    STATS.clear()
    for number, ((registers, retype, huge), runs) in enumerate(zip(cases, answers)):
        bad += [f"set {number} (seed {seed}, retype {retype}, 1-GiB pages {huge}): {text}\n"
                f"    {registers.line(retype, huge)}" for text in check(registers, runs, huge)]
    mixed = sum(mixed_pages(registers) for registers, _, _ in cases)
    return bad, (f"{sets} register sets, {mixed} mixed large pages; leaves of 1 GiB "
                 f"{STATS.get(GIB, 0)}, 2 MiB {STATS.get(2 * MIB, 0)}, 4 KiB {STATS.get(4 * KIB, 0)}")


def main(argv):
    bad, line = run(argv[0], *(int(a) for a in argv[1:3]))
    print("\n".join(bad[:20] + [line]))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
