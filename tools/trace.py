#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Decode the trace lines of a Kensho log: what a panic prints, or COM2 after the key `t`.

    tools/trace.py [--json FILE] [--hz N] [LOG]

LOG: a file, or standard input. Prints one line per record: time since the first one, VP, event and
its values by name (core/diag/trace_events.def). With --json also writes the events for Perfetto
(ui.perfetto.dev) or chrome://tracing: one track per VP, an exit and the entry after it as one bar.

Times are microseconds when the log names the TSC frequency or --hz does, else TSC ticks.
"""

import argparse
import json
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
DEFS = ROOT / "core/diag/trace_events.def"
REASONS = ROOT / "arch/x86/defs/exit_reasons.def"
LINE = re.compile(r"\btrace vp(\d+) (\d+) (\w+) ([0-9a-f]+) ([0-9a-f]+) ([0-9a-f]+)\s*$")
HZ = re.compile(r"^TSC: .*using (\d+) kHz", re.M)


def event_fields():
    """{event: its value names in the order of a line}"""
    rows = re.findall(r'^X\((\w+),\s*"(\w*)",\s*"(\w*)",\s*"(\w*)"\)', DEFS.read_text(), re.M)
    return {name: labels for name, *labels in rows}


def exit_reasons():
    rows = re.findall(r'^X\(\w+,\s*(\d+),\s*"([\w-]+)"\)', REASONS.read_text(), re.M)
    return {int(number): name for number, name in rows}


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


def show(event, values, reasons):
    def one(name, value):
        if event == "EXIT" and name == "reason":
            return f"{name}={reasons.get(value & 0xffff, hex(value))}"
        return f"{name}={value:#x}"
    return " ".join([event, *(one(k, v) for k, v in values.items())])


def perfetto(rows, scale, reasons):
    """Chrome's trace event format: times in microseconds."""
    out, left, start = [], {}, rows[0][0] if rows else 0
    for tsc, vp, event, values in rows:
        us = (tsc - start) * scale
        base = {"pid": 0, "tid": vp, "args": {k: hex(v) for k, v in values.items()}}
        if event == "EXIT":
            left[vp] = (us, reasons.get(values["reason"] & 0xffff, "?"), base["args"])
        elif event == "ENTRY" and vp in left:
            since, name, args = left.pop(vp)
            out.append({**base, "name": name, "ph": "X", "ts": since, "dur": us - since,
                        "args": args})
        elif event != "ENTRY":
            out.append({**base, "name": event, "ph": "i", "s": "t", "ts": us})
    out += [{"pid": 0, "tid": vp, "ph": "M", "name": "thread_name", "args": {"name": f"VP {vp}"}}
            for vp in sorted({row[1] for row in rows})]
    return {"traceEvents": out, "displayTimeUnit": "ns"}


def main():
    par = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    par.add_argument("log", nargs="?", help="default: standard input")
    par.add_argument("--json", metavar="FILE", help="write Perfetto's format, too")
    par.add_argument("--hz", type=float, help="TSC frequency, when the log does not say it")
    args = par.parse_args()
    try:
        text = open(args.log, errors="replace").read() if args.log else sys.stdin.read()
    except OSError as err:
        sys.exit(f"trace.py: {err}")
    rows = records(text, event_fields())
    if not rows:
        sys.exit("trace.py: no trace lines in this log: press t on COM2 (log=com2), or see a panic")
    found = HZ.search(text)
    hz = args.hz or (float(found[1]) * 1000 if found else 0)
    scale, unit = (1e6 / hz, "us") if hz else (1.0, "ticks")
    reasons = exit_reasons()
    for tsc, vp, event, values in rows:
        print(f"{(tsc - rows[0][0]) * scale:14.3f} {unit} vp{vp} {show(event, values, reasons)}")
    if args.json:
        pathlib.Path(args.json).write_text(json.dumps(perfetto(rows, scale, reasons)))


if __name__ == "__main__":
    main()
