#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A user at the log console: keys on COM2 dump counters and trace, and tools/trace.py decodes them.

    tests/run/request.py          a guest that works
    tests/run/request.py deaf     one whose CPUs all spin with interrupts off, for ever
    tests/run/request.py hold     one that counts aloud, held and released
    tests/run/request.py step     the same: one of its CPUs is stepped through a loop
    tests/run/request.py count    one whose exits are known in number: the tools say the same
"""

import json
import os
import pty
import re
import select
import subprocess
import sys
import time

import results

sys.path.insert(0, str(results.ROOT / "tools"))
import emu  # noqa: E402
import mkiso  # noqa: E402

RUNS = results.ROOT / "build/runs"
BOOT_S, ANSWER_S = 60, 60


class Console:
    def __init__(self):
        self.fd, slave = pty.openpty()
        self.name, self.seen = os.ttyname(slave), ""

    def expect(self, pattern, seconds, start=0):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            found = re.compile(pattern, re.S).search(self.seen, start)
            if found:
                return found
            if select.select([self.fd], [], [], 0.2)[0]:
                self.seen += os.read(self.fd, 65536).decode("ascii", "replace").replace("\r", "")
        raise AssertionError(f"COM2: no /{pattern}/ within {seconds} s")

    def press(self, key, answer):
        start = len(self.seen)
        os.write(self.fd, key)
        return self.expect(answer, ANSWER_S, start)[0]


def busy_dialogue(console, directory):
    console.expect("starting the guest", BOOT_S)
    console.press(b"?", r"monitor:  c  counters: dump the counters\n")
    console.press(b"z", r"monitor: this key does nothing; \? lists those that do\n")
    console.press(b":cuonters\r", r": cuonters\nmonitor: no command \"cuonters\"; the closest is "
                  r"\"counters\"\n")
    console.press(b":regs 7\r", r"monitor: a VP is a number from 0 to 1\n")
    one = console.press(b":regx\x7fs 1\r", r"registers: asked for on COM2\n.*registers: end\n")
    assert "guest of vp1: rip" in one and "guest of vp0: rip" not in one, "regs 1 is not about VP 1 alone"
    console.press(b"e", r"EPT audit: \d+ tables, pages of [^\n]*: all as they should be\n")
    counters = console.press(b"c", r"counters: asked for on COM2\n.*counters: end\n")
    assert re.search(r"^exit vp0 cpuid \d+$", counters, re.M), "no exit counter in the dump"
    registers = console.press(b"r", r"registers: asked for on COM2\n.*registers: end\n")
    for vp in (0, 1):
        assert re.search(rf"^vp{vp}: (running|halted|waiting for SIPI)\nguest of vp{vp}: rip \w+:\w+ rsp",
                         registers, re.M), f"no registers of VP {vp}"
    console.press(b"t", r"trace: asked for on COM2\n.*trace: end\n")
    check_decoded(directory, console.seen)


RFLAGS_IF = 1 << 9


def deaf_dialogue(console, directory):
    """Each key twice: answering once must not be the last thing it does."""
    console.expect("starting the guest", BOOT_S)
    deadline = time.monotonic() + BOOT_S
    while "# deaf" not in (directory / "com1.log").read_text(errors="replace"):
        assert time.monotonic() < deadline, "COM1: the guest does not become deaf"
        time.sleep(0.2)
    for _ in range(2):
        text = console.press(b"c", r"counters: asked for on COM2\n.*counters: end\n")
        assert len(set(re.findall(r"^exit vp(\d) ", text, re.M))) == DEAF_CPUS, "counters: not all VPs"
        text = console.press(b"r", r"registers: asked for on COM2\n.*registers: end\n")
        flags = re.findall(r"^guest of vp\d: rip .* rflags ([0-9a-f]+)$", text, re.M)
        assert len(flags) == DEAF_CPUS, f"registers of {len(flags)} VPs"
        assert not any(int(f, 16) & RFLAGS_IF for f in flags), f"IF is set: {flags}"
        console.press(b"t", r"trace: asked for on COM2\n.*trace: end\n")


def ticks(directory):
    """How far the guest has counted on COM1."""
    text = (directory / "com1.log").read_text(errors="replace")
    return max(map(int, re.findall(r"^# tick (\d+)", text, re.M)), default=-1)


def wait_ticks(directory, least):
    deadline = time.monotonic() + BOOT_S
    while ticks(directory) < least:
        assert time.monotonic() < deadline, f"COM1: {ticks(directory)} ticks, not {least}"
        time.sleep(0.2)


def hold_dialogue(console, directory):
    """All held: the guest stands still and the monitor works. One held: the other goes on."""
    console.expect("starting the guest", BOOT_S)
    wait_ticks(directory, 3)
    console.press(b":hold\r", r"monitor: stopping 2 of 2 VPs\n")
    console.press(b"v", r"vp0: [^\n]*running, held by the monitor, stopped\n"
                  r"vp1: [^\n]*running, held by the monitor, stopped\n")
    console.press(b"r", r"guest of vp1: rip.*registers: end\n")
    held = ticks(directory)
    for _ in range(3):      # time passes for the machine, not for the guest
        console.press(b"c", r"counters: end\n")
    assert ticks(directory) == held, "COM1 goes on while the guest is held"
    console.press(b":release 0\r", r"monitor: 1 VP released\n")
    wait_ticks(directory, held + 3)
    console.press(b"v", r"vp0: [^\n]*, running\nvp1: [^\n]*held by the monitor, stopped\n")
    console.press(b":release\r", r"monitor: 1 VP released\n")
    wait_ticks(directory, ticks(directory) + 3)
    text = console.press(b"c", r"counters: asked for on COM2\n.*counters: end\n")
    for vp in (0, 1):
        assert f"counter vp{vp} PAUSE 1\n" in text, f"VP {vp} was not held once"
        assert re.search(rf"^gauge vp{vp} steal_pause_ns \d{{6,}}$", text, re.M), "nothing stolen"


def step_dialogue(console, directory):
    """VP 1 is stepped twice through its loop, while VP 0 goes on: every address in its order, and
    no flag that is not its own."""
    console.expect("starting the guest", BOOT_S)
    wait_ticks(directory, 3)
    text = (directory / "com1.log").read_text(errors="replace")
    order = [int(at, 16) for at in re.findall(r"^# step (\w+)\r?$", text, re.M)]
    assert len(order) == 20, f"{len(order)} steps are told"
    console.press(b":step 1\r", r"vp1: not held, or on its way to the hold\n")
    console.press(b":hold 1\r", r"monitor: stopping 1 of 2 VPs\n")
    at, seen = None, []
    for _ in range(2 * len(order) + 1):
        found = re.search(r"vp1: step (\w+) -> (\w+)(.*)\n",
                          console.press(b":step 1\r", r"vp1: step \w+ -> \w+[^\n]*\n"))
        before, after = int(found[1], 16), int(found[2], 16)
        assert at in (None, before), f"VP 1 moved from {at:#x} to {before:#x} between two steps"
        at = after
        seen.append((before, after, found[3]))
    where = order.index(seen[0][0]) if seen[0][0] in order else 0
    if order[where] == order[(where + 1) % len(order)]:
        where += seen[0][2] == ""
    for i, (before, after, note) in enumerate(seen):
        want = order[(where + i) % len(order)], order[(where + i + 1) % len(order)]
        assert (before, after) == want, f"step {i}: {before:#x} -> {after:#x}, not to {want[1]:#x}"
        assert (note != "") == (before == after), f"step {i}, {before:#x} -> {after:#x}: {note}"
    console.press(b":release\r", r"monitor: 1 VP released\n")
    wait_ticks(directory, ticks(directory) + 3)
    console.press(b"v", r"vp1: [^\n]*, running\n")
    assert "seen TF" not in (directory / "com1.log").read_text(errors="replace"), \
        "the guest has seen TF"


ROUND = 100         # VMCALLs between two ticks: tests/guest/mon/t_count.c


def count_dialogue(console, directory):
    """The guest says what it did; two dumps of the counters and one of the trace say the same."""
    console.expect("starting the guest", BOOT_S)
    ticks_at = []
    for least in (3, 13):
        wait_ticks(directory, least)
        console.press(b":hold\r", r"monitor: stopping 1 of 1 VP\n")
        console.press(b"v", r"vp0: [^\n]*stopped\n")
        console.press(b"c", r"counters: end\n")
        ticks_at.append(ticks(directory))
        if least == 3:
            console.press(b":release\r", r"monitor: 1 VP released\n")
    console.press(b"t", r"trace: asked for on COM2\n.*trace: end\n")
    (directory / "com2.log").write_text(console.seen)
    check_stat(directory, ticks_at[1] - ticks_at[0])
    check_summary(directory)


def kensho(directory, *words):
    return subprocess.run([str(results.ROOT / "tools/kensho"), *words, "com2.log"], cwd=directory,
                          stdout=subprocess.PIPE, text=True, check=True).stdout


def check_stat(directory, rounds):
    stat, = json.loads(kensho(directory, "stat", "--json"))
    seen = stat["exits"]["vmcall"]
    assert abs(seen["count"] - rounds * ROUND) <= ROUND, \
        f"{seen['count']} VMCALL exits in {rounds} rounds of {ROUND}"
    assert 0 < stat["dumping"] < stat["seconds"], f"dumps of {stat['dumping']} s"
    rate = seen["count"] / (stat["seconds"] - stat["dumping"])
    assert abs(seen["per_second"] / rate - 1) < 1e-6, f"{seen['per_second']} per s, not {rate}"
    assert 0 < seen["min"] <= seen["mean"] * 1.000001 <= seen["max"] * 1.000002 < 1e-3, f"times {seen}"
    check_times(directory)
    text = kensho(directory, "stat")
    assert re.search(r"^vmcall +%d " % seen["count"], text, re.M), f"no row of VMCALL in\n{text}"


def check_times(directory):
    """Since the start all exits but the first are timed, and what the trace holds of one reason
    took as long as the counters say."""
    total, = json.loads(kensho(directory, "stat", "--json", "--from", "0"))
    missing = {name: row["count"] - row.get("timed", 0) for name, row in total["exits"].items()
               if name != "preempt-timer" and row["count"] != row.get("timed", 0)}
    assert sum(missing.values()) <= 1, f"exits without a time: {missing}"
    kensho(directory, "trace", "--json", "trace.json")
    took = sum(e["dur"] for e in json.loads((directory / "trace.json").read_text())["traceEvents"]
               if e["name"] == "cpuid") / 1e6
    assert abs(took / total["exits"]["cpuid"]["seconds"] - 1) < 0.001, \
        f"CPUID took {took} s in the trace, {total['exits']['cpuid']['seconds']} s in the counters"


def check_summary(directory):
    """Every exit that the guest says it made, by its number; and their time is the counters'."""
    text = kensho(directory, "trace", "--by", "number")
    said = re.findall(r"^# count (\S+) (\d+)",
                      (directory / "com1.log").read_text(errors="replace"), re.M)
    assert len(said) == 3, f"the guest says {said}"
    for what, count in said:
        assert re.search(rf"^{what.replace('_', ' ')} +{count} ", text, re.M), \
            f"not {count} times {what} in\n{text}"


def check_decoded(directory, log):
    """What a user does with the log."""
    (directory / "com2.log").write_text(log)
    text = subprocess.run([str(results.ROOT / "tools/trace.py"), "--json", "trace.json", "com2.log"],
                          cwd=directory, stdout=subprocess.PIPE, text=True, check=True).stdout
    lines = text.splitlines()
    assert len(lines) >= 128, f"{len(lines)} records: a ring of exits holds 128"
    assert re.search(r"us vp0 EXIT reason=(wrmsr|cpuid|preempt-timer|hlt|ext-intr) rip=0x", text), \
        "no exit of VP 0 by name"
    times = [float(line.split()[0]) for line in lines]
    assert times == sorted(times) and times[0] == 0, "records are not in order"
    bars = [e for e in json.loads((directory / "trace.json").read_text())["traceEvents"]
            if e["ph"] == "X"]
    assert bars and all(0 < e["dur"] < 1e6 for e in bars), "no exit with a length"


DEAF_CPUS = 4
# what: row, the guest's command line, Kensho's options, CPUs, dialogue
DIALOGUES = {
    "busy": ("trace-request", "test=timer,smp_timers,smp_ring", "log=com2 trace=exits", 2, busy_dialogue),
    "hold": ("hold-request", "test=loop_for_ever", "log=com2", 2, hold_dialogue),
    "step": ("step-request", "test=loop_for_ever", "log=com2", 2, step_dialogue),
    "count": ("count-request", "test=count_for_ever", "log=com2 trace=cpuid,msr,io trace_size=16384",
              1, count_dialogue),
    "deaf": ("deaf-request", "test=deaf_for_ever", "log=com2", DEAF_CPUS, deaf_dialogue),
}


def main(argv):
    row, append, hv, cpus, dialogue = DIALOGUES[argv[0] if argv else "busy"]
    directory = RUNS / row
    directory.mkdir(parents=True, exist_ok=True)
    console = Console()
    guest = mkiso.Module(results.ROOT / "build/guest/suite.elf", "guest", append)
    iso = mkiso.make_iso(directory / "boot.iso", mkiso.Boot(hv=hv, modules=[guest]))
    machine = emu.Machine(dir=directory, iso=iso, cpus=cpus, com2=f"term:{console.name}")
    emulator = emu.Emulator(emu.bochs_command(machine), directory)
    try:
        dialogue(console, directory)
    except (AssertionError, subprocess.CalledProcessError) as err:
        print(f"request.py: {err}\n{console.seen[-2000:]}")
        return 1
    finally:
        emulator.kill()
    return 0


if __name__ == "__main__":
    results.process(lambda: main(sys.argv[1:]))
