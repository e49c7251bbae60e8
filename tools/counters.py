# SPDX-License-Identifier: BSD-2-Clause
"""The dumps of the counters in a Kensho log, and what happened between two of them."""

import re

import columns

TOOK = re.compile(r"^dump (\d+): took=[\d.]+")     # the last line may be cut when a guest powers off
HEAD = re.compile(r"^dump (\d+): tsc=(\d+) tsc_hz=(\d+) seconds=([\d.]+) dumping=([\d.]+) "
                  r"pieces=(\d+)\s*$")
ENTRY = re.compile(r"^(exit|counter|gauge) vp(\d+) (\S+) (\d+)\s*$")
TIME = re.compile(r"^time vp(\d+) (\S+) (\d+) (\d+) (\d+) (\d+)\s*$")


class Dump:
    """One dump. values: {(kind, vp, name): value}, kind = exit counter gauge; times: {(vp, name):
    (count, ticks, min, max)} of exits, min and max since the dump before."""

    def __init__(self, why, number, tsc, hz, seconds, dumping, pieces):
        self.why, self.number, self.tsc, self.hz = why, number, tsc, hz
        self.seconds, self.dumping, self.pieces = seconds, dumping, pieces
        self.values, self.times = {}, {}

    def vps(self):
        return sorted({vp for _, vp, _ in self.values})


def start():
    """What a dump at the guest's start would say."""
    return Dump("the guest's start", 0, 0, 0, 0.0, 0.0, 0)


def parse(text):
    """The complete dumps of the last boot in a log, in their order."""
    out, dump, why = [], None, ""
    for line in text.splitlines():
        head, entry, time = HEAD.match(line), ENTRY.match(line), TIME.match(line)
        if TOOK.match(line):
            if dump is not None:
                out.append(dump)
            dump = None
        elif line.startswith("counters: "):
            why, dump = line[10:].strip(), None
        elif head:
            dump = Dump(why, *map(int, head.groups()[:3]), *map(float, head.groups()[3:5]),
                        int(head[6]))
            if out and dump.number <= out[-1].number:
                out = []            # the machine was started again
        elif dump is not None and entry:
            dump.values[entry[1], int(entry[2]), entry[3]] = int(entry[4])
        elif dump is not None and time:
            dump.times[int(time[1]), time[2]] = tuple(map(int, time.groups()[2:]))
    return out


class Interval:
    """From one dump to a later one. between: the dumps after the first, up to and with the last."""

    def __init__(self, first, between, vp=None):
        self.first, self.last, self.between = first, between[-1], between
        self.vps = [n for n in self.last.vps() if vp in (None, n)]
        self.seconds = self.last.seconds - first.seconds
        self.dumping = self.last.dumping - first.dumping
        self.pieces = self.last.pieces - first.pieces

    def window(self, vp):
        """Seconds in which the VP could run: dumps take VP 0's CPU."""
        return max(self.seconds - (self.dumping if vp == 0 else 0.0), 1e-9)

    def names(self, kind):
        return sorted({name for k, vp, name in self.last.values if k == kind and vp in self.vps})

    def count(self, kind, name, vp):
        key = kind, vp, name
        return self.last.values.get(key, 0) - self.first.values.get(key, 0)

    def total(self, kind, name):
        """(how many, per second), over the VPs."""
        counts = {vp: self.count(kind, name, vp) for vp in self.vps}
        return sum(counts.values()), sum(n / self.window(vp) for vp, n in counts.items())

    def time(self, name):
        """(seconds, min, max, how many were timed) of an exit, over the VPs; None: none was."""
        count = ticks = 0
        least, most = [], []
        for vp in self.vps:
            first = self.first.times.get((vp, name), (0, 0, 0, 0))
            last = self.last.times.get((vp, name))
            if last is None or last[0] == first[0]:
                continue
            count, ticks = count + last[0] - first[0], ticks + last[1] - first[1]
            for before, dump in zip([self.first, *self.between], self.between):
                now = dump.times.get((vp, name), (0, 0, 0, 0))
                if now[0] > before.times.get((vp, name), (0,))[0]:
                    least.append(now[2])
                    most.append(now[3])
        if not count:
            return None
        hz = self.last.hz
        return ticks / hz, min(least) / hz, max(most) / hz, count


def as_json(interval):
    """The numbers of an interval for other programs; times in seconds."""
    rows = {}
    for kind in ("exit", "counter"):
        rows[kind + "s"] = {}
        for name in interval.names(kind):
            count, rate = interval.total(kind, name)
            if count:
                rows[kind + "s"][name] = {"count": count, "per_second": rate}
    for name, row in rows["exits"].items():
        time = interval.time(name)
        if time:
            seconds, least, most, timed = time
            row.update(seconds=seconds, min=least, mean=seconds / timed, max=most, timed=timed)
    return {"from": interval.first.number, "to": interval.last.number, "why": interval.last.why,
            "seconds": interval.seconds, "dumping": interval.dumping, "pieces": interval.pieces,
            "vps": interval.vps, **rows,
            "gauges": {f"vp{vp} {name}": value for (kind, vp, name), value in
                       interval.last.values.items() if kind == "gauge" and vp in interval.vps}}


def exit_rows(interval):
    cpu = sum(interval.window(vp) for vp in interval.vps)
    rows = [(name, *interval.total("exit", name), interval.time(name))
            for name in interval.names("exit")]
    rows = [row for row in rows if row[1]]
    rows.sort(key=lambda row: (-(row[3] or (0,))[0], -row[1], row[0]))
    timed = [row[3] for row in rows if row[3]]
    all_time = (sum(t[0] for t in timed), min(t[1] for t in timed), max(t[2] for t in timed),
                sum(t[3] for t in timed)) if timed else None
    rows.append(("all exits", sum(r[1] for r in rows), sum(r[2] for r in rows), all_time))
    def cells(seconds, least, most, count):
        return (columns.duration(seconds), columns.percent(seconds, cpu), columns.duration(least),
                columns.duration(seconds / count), columns.duration(most))

    return [(name, str(count), columns.number(rate), *(cells(*time) if time else ("-",) * 5))
            for name, count, rate, time in rows], bool(timed)


def span(interval):
    first, last = interval.first, interval.last
    since = f"dump {first.number} at {first.seconds:.3f} s" if first.number else first.why
    return (f"From {since} to dump {last.number} at {last.seconds:.3f} s ({last.why}): "
            f"{interval.seconds:.3f} s, {len(interval.vps)} VP" + "s" * (len(interval.vps) != 1))


def report(interval):
    """Lines for a person."""
    out = [span(interval)]
    if interval.pieces:
        out.append(f"Dumps took VP 0's CPU for {columns.duration(interval.dumping)} of it, in "
                   f"{interval.pieces} pieces: no part of its rates and times")
    rows, timed = exit_rows(interval)
    head = ("exit", "count", "per s", "time", "time %", "min", "mean", "max")
    out += ["", *(columns.table(head, rows) if timed else
                  columns.table(head[:3], [row[:3] for row in rows]))]
    if not timed:
        out += ["", "No times of exits: boot with trace=exits, or a part of them such as trace=msr"]
    counters = [(name, *interval.total("counter", name)) for name in interval.names("counter")]
    counters = [(name, str(n), columns.number(rate)) for name, n, rate in counters if n]
    if counters:
        out += ["", *columns.table(("counter", "count", "per s"), counters)]
    return out
