#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""`make bench`: the numbers of bench_targets.tsv, on packaged Bochs 2.7 only.

    tests/run/bench.py [micro] [points] [smp] [outer] [linux] [pinned] [trace] [screen] [size]
                                                                       all without arguments

micro  build/guest/bench.elf prints `bench NAME VALUE UNIT` lines; it runs under Kensho (once per
       setting in MICRO) and bare, for the rows that want the difference.
points the same guest under a Kensho without a trace point in it: what they cost when they are off.
smp    the same guest on 2 CPUs, for IPIs, and on 8 for the EPT shoot-down: what one takes longer
       than with a single VP, divided by 7. On 8 CPUs, of which 7 spin with interrupts off, CPU 0
       crashes: Kensho's report says how long all others took to stop.
outer  what operations cost under an outer KVM, in its exits: bench_outer.py says how.
linux  a boot of Debian's kernel; bench_linux.py says how, also for the next two.
pinned the same work on each of 4 CPUs, under Linux.
trace  what an exit executes, in the same boot.
screen a log line on a framebuffer of 1024x768x32, average and worst: from one to the next in the
       table of options, printed until the screen has scrolled several times.
size   bytes to load, memory reserved.

Writes build/bench.tsv: name, value, unit, limit, comparison. A miss is marked, and is no error.
"""

import re
import statistics
import subprocess
import sys
import time

import bench_linux
import bench_machine
import bench_outer
import results

for folder in ("tools", "tests/lint"):
    sys.path.insert(0, str(results.ROOT / folder))
import binary  # noqa: E402
import emu  # noqa: E402
import mkiso  # noqa: E402

VERSION = "2.7"
OUT = results.ROOT / "build/bench.tsv"
TARGETS = results.ROOT / "tests/run/bench_targets.tsv"

LOOPS = "synic_loopback=1:0:2,2:0:3:event"      # what PostMessage and SignalEvent reach
# label: (Kensho's options or None = bare, the guest's command line)
MICRO = {
    "apicv=off": ("mitigations=off apicv=off", ""),
    "kvm-test": ("mitigations=off apicv=off profile=kvm-test", "kvm=1"),
    "apicv=auto": ("mitigations=off apicv=auto", ""),
    "both": ("mitigations=off apicv=off profile=both " + LOOPS, "hv=1"),
    "both,auto": ("mitigations=off apicv=auto profile=both " + LOOPS, "hv=1"),
    "mitigations=auto": ("mitigations=auto apicv=off", ""),
    "bare": (None, ""),
}
# Of the table, beside Kensho's own.
COLUMNS = ("kvm-test", "apicv=auto", "both", "both,auto", "mitigations=auto", "bare")
JUDGED = ("apicv=off", "kensho", "both")    # the settings the limits are about, the first that has it


# --- micro --------------------------------------------------------------------------------------

def guest_rows(label, name, hv, append, cpus=1, elf=mkiso.HV_ELF):
    """What bench.elf prints: [(name, label, value, unit)]"""
    print(f"  bench   guest, {name}", flush=True)
    guest = results.ROOT / "build/guest/bench.elf"
    machine = bench_machine.create(f"guest-{name}", mkiso.Boot(
        hv=hv, elf=elf, modules=[mkiso.Module(guest, "guest", append)]), cpus=cpus)
    bench_machine.finish(machine)
    text = (machine.dir / "com1.log").read_text(errors="replace")
    wrong = re.findall(r"^# WRONG: (.*)", text, re.M)
    if wrong:
        raise RuntimeError(f"guest-{name}: {wrong[0]}")
    rows = re.findall(r"^bench (\S+) (-?[\d.]+) (\S+)", text, re.M)
    rows += [("per_cpu_kib", kib, "KiB") for kib in re.findall(r"cpu \d+: .* (\d+) KiB", text)[:1]]
    return [(name, label, float(value), unit) for name, value, unit in rows]


def micro():
    out = []
    for label, (hv, append) in MICRO.items():
        out += guest_rows(label, label, hv, append)
    return out


RECORDED = "xsetbv"             # the one row whose exit is an event that is always recorded


def points():
    hv = "mitigations=off apicv=off"
    elf = bench_machine.changed("no-trace", "core/diag/trace.h", r"^#define TRACE\(.*$",
                                "#define TRACE(vp, name, c, a, b) ((void)(vp))")
    value = [{row[0]: row[2] for row in guest_rows("kensho", name, *args)} for name, args in (
        ("trace off", (hv, "")), ("no trace points", (hv, "", 1, elf)),
        ("trace=exits", (f"{hv} trace=exits", "")))]
    cost = {name: value[0][name] - value[1][name] for name in value[0]}
    return [("trace_record", "kensho", cost.pop(RECORDED), "instructions"),
            ("trace_point_off", "kensho", max(cost.values()), "instructions"),
            ("trace_exits_cpuid", "kensho", value[2]["cpuid_0"] - value[0]["cpuid_0"],
             "instructions")]


def smp():
    out, change = [], {}
    for label, (hv, append) in MICRO.items():
        if label not in ("apicv=off", "kvm-test", "apicv=auto"):
            continue
        append = f"smp=1 {append}".strip()
        out += [row for row in guest_rows(label, f"2 CPUs, {label}", hv, append, 2)
                if row[0] != "ept_change"]
        for vps in (1, 8):
            rows = guest_rows(label, f"8 CPUs, {vps} VPs, {label}", f"{hv} maxcpus={vps}",
                              append, 8)
            change[vps] = {name: value for name, _, value, _ in rows}["ept_change"]
        out += [row for row in rows if row[0] == "send_ipi_4"]
        out += stop_all(label, hv)
        out.append(("apic_move", label, change[1], "instructions"))
        out.append(("shootdown_7", label, change[8] - change[1], "instructions"))
        out.append(("shootdown_per_vp", label, round((change[8] - change[1]) / 7, 1),
                    "instructions"))
    return out + hv_smp()


def hv_smp():
    """The calls to many VPs of the Hyper-V ABI."""
    return [row for label in ("apicv=off", "apicv=auto")
            for row in guest_rows(label, f"5 CPUs, hv-test, {label}",
                                  f"{MICRO[label][0]} profile=hv-test", "hvsmp=1", 5)
            if row[0].startswith("hv_")]


def stop_all(label, hv):
    """TSC ticks, which are instructions, from the decision to stop to the last CPU that stopped."""
    print(f"  bench   guest, 8 CPUs, stop-all, {label}", flush=True)
    guest = results.ROOT / "build/guest/bench.elf"
    machine = bench_machine.create(f"guest-stop-all-{label}", mkiso.Boot(
        hv=f"{hv} on_crash=halt",
        modules=[mkiso.Module(guest, "guest", "deaf=1")]), cpus=8)
    emulator = emu.Emulator(emu.bochs_command(machine), machine.dir)
    deadline = time.monotonic() + bench_machine.TIMEOUT_S
    found, log = None, machine.dir / "com1.log"
    try:
        while not found and time.monotonic() < deadline and emulator.poll() is None:
            time.sleep(0.2)
            text = log.read_text(errors="replace") if log.exists() else ""
            found = re.search(r"stopped (\d+) of 7 other CPUs within (\d+) ticks", text)
    finally:
        emulator.kill()
    if not found or found[1] != "7":
        raise RuntimeError(f"stop-all: {found[0] if found else 'no report'}")
    return [("stop_all", label, int(found[2]), "instructions")]


# --- the screen ---------------------------------------------------------------------------------

SCREEN_TABLES, SCREEN_LEAD = 5, 4       # tables printed; lines before the first


def screen():
    """The debugger stops where a line reaches the framebuffer's text."""
    print("  bench   lines on a framebuffer", flush=True)
    call = "\t\toptions_print(b->options.help, print_line);"
    elf = bench_machine.changed("screen-tables", "boot/early.c", f"^{re.escape(call)}$",
                                f"{call}\n" * SCREEN_TABLES)
    names = subprocess.run(["nm", str(elf)], check=True, text=True, stdout=subprocess.PIPE).stdout
    at = re.search(r"^(\w+) . fb_text_write\b", names, re.M)[1]
    boot = mkiso.Boot(hv="console=screen help", elf=elf, gfxpayload="1024x768x32")
    machine = bench_machine.create("screen", boot, graphics=True,
                                   extra="com1: enabled=0",     # help speaks there, too
                                   debugger=f"lb 0x{at}\n" + 'c\nshow "cpu0.icount"\n' * 1000)
    emulator = emu.Emulator(emu.bochs_command(machine), machine.dir, terminal=True)
    found, deadline = [], time.monotonic() + bench_machine.TIMEOUT_S
    try:
        while time.monotonic() < deadline and emulator.poll() is None:
            time.sleep(3)
            text = (machine.dir / "emulator.out").read_text(errors="replace")
            count = [int(n) for n in re.findall(r"icount = (\d+)", text)]
            if count and len(count) == len(found):
                break           # the machine has halted
            found = count
    finally:
        emulator.kill()
    lines = [after - before for before, after in zip(found, found[1:])][SCREEN_LEAD:]
    if len(lines) < 100:
        raise RuntimeError(f"screen: {len(lines)} lines")
    return [("screen_line", "kensho", round(statistics.mean(lines)), "instructions"),
            ("screen_line_worst", "kensho", max(lines), "instructions")]


def size():
    return [("load_bytes", "kensho", binary.load_bytes(), "bytes")]


# --- report -------------------------------------------------------------------------------------

def targets():
    """{name: (limit or None, unit, comparison)}"""
    out = {}
    for line in TARGETS.read_text().splitlines():
        if line and not line.startswith("#"):
            name, limit, unit, comparison = line.split("\t")
            out[name] = (float(limit) if limit else None, unit, comparison)
    return out


def with_differences(rows):
    """Add an `added:NAME` row for what runs under Kensho and bare."""
    bare = {name: value for name, label, value, _ in rows if label == "bare"}
    more = [(f"added:{name}", label, value - bare[name], unit) for name, label, value, unit in rows
            if label != "bare" and name in bare]
    return rows + more


def write_tsv(rows, wanted):
    with open(OUT, "w") as tsv:
        tsv.write("name\tvalue\tunit\ttarget\tcomparison\tsetting\n")
        for name, label, value, unit in rows:
            limit, _, comparison = wanted.get(name, (None, unit, ""))
            tsv.write(f"{name}\t{value:.10g}\t{unit}\t{'' if limit is None else f'{limit:g}'}\t"
                      f"{comparison}\t{label}\n")


def judge(value, limit, unit):
    """A path is never shorter than nothing: a difference below 0 has subtracted the wrong thing."""
    if value is None:
        return "absent"
    if unit == "instructions" and value < 0:
        return "WRONG"
    return "ok" if value <= limit else "MISS"


def report(rows, complete):
    """complete: every part ran, so a target without a value is worth a word."""
    wanted, marked = targets(), {"ok": [], "MISS": [], "WRONG": [], "absent": []}
    write_tsv(rows, wanted)
    value = {(name, label): v for name, label, v, _ in rows}
    measured = list(dict.fromkeys(name for name, _, _, _ in rows))
    names = list(wanted) + [n for n in measured if n not in wanted and not n.startswith("added:")]
    print(f"\n  {'':<24}{'Kensho':>15}{'kvm-test':>12}{'apicv=auto':>12}{'both':>12}"
          f"{'both,auto':>12}{'mitigations':>12}{'bare':>15}{'limit':>12}        compare")
    for name in names:
        mine = next((value[name, label] for label in JUDGED if (name, label) in value), None)
        limit, unit, comparison = wanted.get(name, (None, "", ""))
        if mine is None and not complete:
            continue
        mark = ""
        if limit is not None:
            mark = judge(mine, limit, unit)
            marked[mark].append(name)
        cells = (mine, *(value.get((name, label)) for label in COLUMNS), limit)
        text = "".join(f"{'' if c is None else bench_machine.number(c):>{w}}"
                       for c, w in zip(cells, (15, 12, 12, 12, 12, 12, 15, 12)))
        print(f"  {name:<24}{text} {mark:<7}{comparison}".rstrip())
    misses, wrong, absent = marked["MISS"], marked["WRONG"], marked["absent"]
    print(f"\nbench: {len(marked['ok'])} within their limits, {len(misses)} missed"
          f"{': ' + ', '.join(misses) if misses else ''}"
          f"{'; measured wrongly: ' + ', '.join(wrong) if wrong else ''}"
          f"{'; not measured: ' + ', '.join(absent) if absent else ''}")


def main(parts):
    info = emu.bochs_info(emu.bochs_binary())
    if info is None or info != (VERSION, True):
        sys.exit(f"bench: needs Debian's Bochs {VERSION} with its debugger, found "
                 f"{info[0] if info else 'none'}: numbers of other emulators do not compare")
    rows, failed, started = [], [], time.monotonic()
    every = {"micro": micro, "points": points, "smp": smp, "outer": bench_outer.outer,
             "linux": bench_linux.linux,
             "pinned": bench_linux.pinned, "trace": bench_linux.trace, "screen": screen,
             "size": size}
    if "--help" in parts:
        print(__doc__.strip())
        return 0
    if unknown := [part for part in parts if part not in every]:
        sys.exit(f"bench: no part `{unknown[0]}`: parts are {' '.join(every)}")
    for part in parts or every:
        try:
            rows += every[part]()
        except (RuntimeError, OSError) as err:
            failed.append(str(err))
            print(f"  bench   {part}: {err}", flush=True)
    report(with_differences(rows), not parts)
    print(f"bench: {time.monotonic() - started:.0f} s, table in {OUT.relative_to(results.ROOT)}")
    return 1 if failed else 0


if __name__ == "__main__":
    results.process(lambda: main(sys.argv[1:]))
