#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Decode the trace lines of a Kensho log: what a panic prints, or COM2 after the key `t`.

    tools/trace.py [--summary [--by number]] [--vp N] [--json FILE] [--hz N] [LOG]

LOG: a file, or standard input. Prints one line per record: time since the first one, VP, event and
its values by name (core/diag/trace_events.def). With --summary it prints how many exits of each
reason the log has and how long they took; with --by number also of which MSR, CPUID leaf, port,
hypercall or address. With --json it also writes the events for Perfetto (ui.perfetto.dev) or
chrome://tracing: one track per VP, an exit and the entry after it as one bar.

Times are microseconds when the log names the TSC frequency or --hz does, else TSC ticks.
`tools/kensho trace` is the same. docs/tracing.md
"""

import argparse
import collections
import json
import pathlib
import re
import sys

import cli
import columns

ROOT = pathlib.Path(__file__).resolve().parent.parent
DEFS = ROOT / "core/diag/trace_events.def"
NUMBERS = ROOT / "core/diag/trace_exits.def"
REASONS = ROOT / "arch/x86/defs/exit_reasons.def"
CAUSES = ROOT / "core/vp/park.h"
LINE = re.compile(r"\btrace vp(\d+) (\d+) (\w+) ([0-9a-f]+) ([0-9a-f]+) ([0-9a-f]+)\s*$")
# At the start of the boot, and in each dump of the counters.
HZ = re.compile(r"^TSC: .*using (\d+) kHz|^dump \d+: tsc=\d+ tsc_hz=(\d+)", re.M)


def event_fields():
    """{event: its value names in the order of a line}"""
    rows = re.findall(r'^X\((\w+),\s*"(\w*)",\s*"(\w*)",\s*"(\w*)"\)', DEFS.read_text(), re.M)
    return {name: labels for name, *labels in rows}


def exit_reasons():
    """{basic exit reason: its short name}"""
    rows = re.findall(r'^X\(\w+,\s*(\d+),\s*"([\w-]+)"\)', REASONS.read_text(), re.M)
    return {int(number): name for number, name in rows}


def exit_numbers():
    """{short name of an exit reason: what the number in its record is}"""
    names = dict(re.findall(r'^X\((\w+),\s*\d+,\s*"([\w-]+)"\)', REASONS.read_text(), re.M))
    rows = re.findall(r'^X\((\w+),\s*\w+,\s*"(\w*)"', NUMBERS.read_text(), re.M)
    return {names[reason]: what for reason, what in rows}


def steal_causes():
    """Names in the order of enum steal_cause."""
    return re.findall(r'^\s*X\(\w+, "(\w+)", ', CAUSES.read_text(), re.M)


def tsc_hz(text):
    """0: the log does not say."""
    found = HZ.search(text)
    return float(found[1]) * 1000 if found and found[1] else float(found[2]) if found else 0.0


def records(text, fields):
    """[(tsc, vp, event, {name: value})], oldest first, each once however often it was dumped."""
    out = set()
    for line in text.splitlines():
        found = LINE.search(line)
        if not found:
            continue
        vp, tsc, event = int(found[1]), int(found[2]), found[3]
        if event not in fields:
            sys.exit(f"trace.py: unknown event {event}: the log is from another version; use the "
                     "tools of that one")
        out.add((tsc, vp, event, tuple(int(v, 16) for v in found.groups()[3:])))
    return [(tsc, vp, event, {k: v for k, v in zip(fields[event], values) if k})
            for tsc, vp, event, values in sorted(out)]


class Names:
    """What the sources call things."""

    def __init__(self):
        self.reasons, self.numbers, self.causes = exit_reasons(), exit_numbers(), steal_causes()

    def reason(self, values):
        number = values["reason"] & 0xffff
        return self.reasons.get(number, hex(number))

    def number(self, values):
        """The number of an EXIT by name, as words: msr=0x10."""
        reason, number, access = self.reason(values), values["number"], values["reason"] >> 16
        what = self.numbers.get(reason, "")
        if reason == "cpuid":
            return f"leaf={number & 0xffffffff:#x} subleaf={number >> 32:#x}"
        if reason == "io":
            return f"port={number:#x} {'in' if access & 8 else 'out'} size={(access & 7) + 1}"
        if reason == "ept-violation":
            how = [word for bit, word in enumerate(("read", "write", "fetch")) if access >> bit & 1]
            return f"gpa={number:#x} {'+'.join(how)}".rstrip()
        if what:
            return f"{what}={number:#x}"
        return f"qualification={number:#x}" if number else ""

    def show(self, event, values):
        if event == "EXIT":
            return f"EXIT reason={self.reason(values)} rip={values['rip']:#x} " \
                   f"{self.number(values)}".rstrip()
        if event == "STOLEN" and values["cause"] < len(self.causes):
            return f"STOLEN cause={self.causes[values['cause']]} ticks={values['ticks']}"
        return " ".join([event, *(f"{k}={v:#x}" for k, v in values.items())])


def pair(rows):
    """Exits with their entries: [(vp, EXIT's tsc, ticks, stolen ticks, EXIT's values)]; ticks is
    None where the trace has no entry."""
    out, left, stolen = [], {}, collections.Counter()
    for tsc, vp, event, values in rows:
        if event == "EXIT":
            if vp in left:
                out.append((vp, left[vp][0], None, 0, left[vp][1]))
            left[vp], stolen[vp] = (tsc, values), 0
        elif event == "STOLEN":
            stolen[vp] += values["ticks"]
        elif event == "ENTRY" and vp in left:
            since, exit_values = left.pop(vp)
            out.append((vp, since, max(0, tsc - since - stolen[vp]), stolen[vp], exit_values))
    return out + [(vp, since, None, 0, values) for vp, (since, values) in left.items()]


def perfetto(rows, scale, names):
    """Chrome's trace event format: times in microseconds."""
    start = rows[0][0] if rows else 0
    out = []
    for vp, since, ticks, stolen, values in pair(rows):
        if ticks is not None:
            words = names.number(values)
            out.append({"pid": 0, "tid": vp, "name": names.reason(values), "ph": "X",
                        "ts": (since - start) * scale, "dur": (ticks + stolen) * scale,
                        "args": {"rip": hex(values["rip"]), **({"what": words} if words else {})}})
    for tsc, vp, event, values in rows:
        if event not in ("EXIT", "ENTRY"):
            out.append({"pid": 0, "tid": vp, "name": event, "ph": "i", "s": "t",
                        "ts": (tsc - start) * scale, "args": {k: hex(v) for k, v in values.items()}})
    out += [{"pid": 0, "tid": vp, "ph": "M", "name": "thread_name", "args": {"name": f"VP {vp}"}}
            for vp in sorted({row[1] for row in rows})]
    return {"traceEvents": out, "displayTimeUnit": "ns"}


def summary(rows, hz, names, by_number):
    """Lines: what the exits of each reason cost, then the other events."""
    groups, spans = {}, {}
    for tsc, vp, _, _ in rows:
        spans[vp] = (min(tsc, spans.get(vp, (tsc, 0))[0]), tsc)
    for _, _, ticks, _, values in pair(rows):
        words = names.number(values) if by_number else ""
        count, times = groups.get((names.reason(values), words), (0, []))
        groups[names.reason(values), words] = (count + 1, times)
        if ticks is not None:
            times.append(ticks)
    cpu = sum(end - start for start, end in spans.values())

    def text(ticks):
        return columns.duration(ticks / hz) if hz else f"{ticks:.0f}"

    def cells(name, count, times):
        if not times:
            return (name, str(count), *"-----")
        return (name, str(count), text(sum(times)), columns.percent(sum(times), cpu),
                text(min(times)), text(sum(times) / len(times)), text(max(times)))

    every = [t for _, times in groups.values() for t in times]
    order = sorted(groups.items(), key=lambda item: (-sum(item[1][1]), -item[1][0], item[0]))
    out = [f"{len(rows)} records, VPs {', '.join(map(str, sorted(spans)))}, {text(cpu)} of their time" +
           ("" if hz else " in TSC ticks: --hz names the frequency"), ""]
    if groups:
        head = ("exit", "count", "time", "time %", "min", "mean", "max")
        out += columns.table(head, [
            *(cells(" ".join(filter(None, key)), *group) for key, group in order),
            cells("all exits", sum(count for count, _ in groups.values()), every)])
    else:
        out.append("no exits: boot with trace=exits, or a part of them such as trace=msr")
    events = collections.Counter(event for _, _, event, _ in rows if event not in ("EXIT", "ENTRY"))
    if events:
        out += ["", *columns.table(("event", "count"), [(k, str(n)) for k, n in
                                                         events.most_common()])]
    return out


def read_log(name, tool):
    try:
        return open(name, errors="replace").read() if name else sys.stdin.read()
    except OSError as err:
        sys.exit(f"{tool}: {name}: {err.strerror}")


def add_arguments(par):
    par.add_argument("log", metavar="LOG", nargs="?", help="default: standard input")
    par.add_argument("--summary", action="store_true",
                     help="count and time of the exits by reason, not the records")
    par.add_argument("--by", choices=("reason", "number"), default="reason",
                     help="number: each MSR, CPUID leaf, port, hypercall, address on its own")
    par.add_argument("--vp", type=int, metavar="N", help="only this VP")
    par.add_argument("--json", metavar="FILE", help="write Perfetto's format, too")
    par.add_argument("--hz", type=float, help="TSC frequency, when the log does not say it")


def run(args):
    text = read_log(args.log, "trace.py")
    rows = records(text, event_fields())
    if not rows:
        sys.exit("trace.py: no trace lines in this log: press t on COM2 (log=com2), or see a panic")
    if args.vp is not None:
        rows = [row for row in rows if row[1] == args.vp]
        if not rows:
            sys.exit(f"trace.py: no records of VP {args.vp}; without --vp all are shown")
    hz, names = args.hz or tsc_hz(text), Names()
    scale, unit = (1e6 / hz, "us") if hz else (1.0, "ticks")
    if args.json:
        try:
            pathlib.Path(args.json).write_text(json.dumps(perfetto(rows, scale, names)))
        except OSError as err:
            sys.exit(f"trace.py: --json {args.json}: {err.strerror}")
    if args.summary or args.by == "number":
        print("\n".join(summary(rows, hz, names, args.by == "number")))
        return
    for tsc, vp, event, values in rows:
        print(f"{(tsc - rows[0][0]) * scale:14.3f} {unit} vp{vp} {names.show(event, values)}")


def main():
    par = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add_arguments(par)
    run(par.parse_args())


if __name__ == "__main__":
    cli.run(main)
