#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""`make bench`: the numbers of bench_targets.tsv, on packaged Bochs 2.7 only.

    tests/run/bench.py [micro] [points] [smp] [linux] [pinned] [trace] [screen] [size]    all without
                                                                                          arguments

micro  build/guest/bench.elf prints `bench NAME VALUE UNIT` lines; it runs under Kensho (once per
       setting in MICRO) and bare, for the rows that want the difference.
points the same guest under a Kensho without a trace point in it: what they cost when they are off.
smp    the same guest on 2 CPUs, for IPIs, and on 8 for the EPT shoot-down: what one takes longer
       than with a single VP, divided by 7. On 8 CPUs, of which 7 spin with interrupts off, CPU 0
       crashes: Kensho's report says how long all others took to stop.
linux  Debian's kernel from its entry to the first instruction of its init. Bochs' debugger stops
       at both places and reads two counters of the emulated CPU: `icount`, instructions that
       were executed (halted time does not count in it), and the time in ticks. The hypervisor's
       instructions are in icount, so the difference between a run under Kensho and a bare one is
       what Kensho adds. Nothing in the guest or the hypervisor takes part in the measurement.
pinned tests/linux/pinned.S: a fixed amount of work on each of 4 CPUs, five times between magic
       breakpoints; the sum of all CPUs' icount, the middle one of the five. What lies between the
       least and the most of them is a number with a limit of its own: above it, the difference
       between two runs proves nothing.
trace  the same boot, stopped in its middle: the debugger lists every instruction of TRACED exits,
       from VM exit to VM entry. VMREADs, VMWRITEs and MSR accesses are counted in that list.
screen a log line on a framebuffer of 1024x768x32, average and worst: from one to the next in the
       table of options, printed until the screen has scrolled several times.
size   bytes to load, memory reserved.

Writes build/bench.tsv: name, value, unit, limit, comparison. A miss is marked, and is no error.
"""

import re
import shutil
import statistics
import struct
import subprocess
import sys
import time

import results

for folder in ("tools", "tests/lint"):
    sys.path.insert(0, str(results.ROOT / folder))
import binary  # noqa: E402
import checks  # noqa: E402
import emu  # noqa: E402
import mkinitrd  # noqa: E402
import mkiso  # noqa: E402

VERSION = "2.7"
RUNS = results.ROOT / "build/bench"
OUT = results.ROOT / "build/bench.tsv"
TARGETS = results.ROOT / "tests/run/bench_targets.tsv"
TIMEOUT_S = 300

# label: (Kensho's options or None = bare, the guest's command line)
MICRO = {
    "apicv=off": ("mitigations=off apicv=off", ""),
    "kvm-test": ("mitigations=off apicv=off profile=kvm-test", "kvm=1"),
    "apicv=auto": ("mitigations=off apicv=auto", ""),
    "mitigations=auto": ("mitigations=auto apicv=off", ""),
    "bare": (None, ""),
}
COLUMNS = ("kvm-test", "apicv=auto", "mitigations=auto", "bare")     # of the table, beside Kensho's own
TRACED, TRACE_AT = 200, 1_000_000_000
JUDGED = ("apicv=off", "kensho")    # the settings the limits are about

# The guest must take the same paths in both runs, or their difference is not Kensho's cost:
#   quiet            no time spent waiting for the UART
#   nokaslr          no random layout
#   tsc_early_khz    the emulated CPUID claims 3.5 GHz; Kensho corrects it
LINUX_APPEND = "console=ttyS0,115200 quiet nokaslr tsc_early_khz=50000 rdinit=/mark"
LINUX_HV = "cpu=host,kvm=off console=none mitigations=off"

# Both sides of the pinned work must do the same besides, or their difference is not Kensho's cost:
#   idle=halt        not by MWAIT: Bochs' MONITOR often arms the wrong line, and a sleeping CPU hears
#                    of work at its next interrupt only, while others wait for it, some of them busily
#   clearcpuid=124   no APERF and MPERF, which every tick reads; Kensho hides them
#   the CPU model    one whose TSC deadline the bare kernel uses; of the other one it knows an erratum
PINNED_CPUS, PINNED_PARTS, PINNED_MODEL = 4, 5, "corei3_cnl"
PINNED_APPEND = LINUX_APPEND + " idle=halt clearcpuid=124"
PINNED_RUNS = (     # name, label, Kensho's options
    ("linux_pinned", "bare", None),
    ("linux_pinned", "kensho", LINUX_HV.replace("cpu=host,kvm=off", "cpu=host")),
    ("linux_pinned_xapic", "kensho", LINUX_HV))
ENTRIES = (0x1000000, 0x1000200)    # where GRUB enters a bzImage, in 32-bit or 64-bit mode


def finish(machine, timeout=TIMEOUT_S):
    """Run a machine to its power-off; returns what the debugger printed."""
    emulator = emu.Emulator(emu.bochs_command(machine), machine.dir)
    try:
        emulator.proc.wait(timeout)
    except subprocess.TimeoutExpired:
        raise RuntimeError(f"{machine.dir.name}: no end after {timeout} s") from None
    finally:
        emulator.kill()
    if not emulator.powered_off():
        raise RuntimeError(f"{machine.dir.name}: ended by {emulator.end_reason()!r}, not power-off")
    return (machine.dir / "emulator.out").read_text(errors="replace")


def machine_for(name, boot, **settings):
    directory = RUNS / re.sub(r"[^\w.-]", "-", name)
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    iso = mkiso.make_iso(directory / "boot.iso", boot)
    return emu.Machine(dir=directory, iso=iso, ips=emu.IPS_BENCH, **settings)


# --- micro --------------------------------------------------------------------------------------

def guest_rows(label, name, hv, append, cpus=1, elf=mkiso.HV_ELF):
    """What bench.elf prints: [(name, label, value, unit)]"""
    print(f"  bench   guest, {name}", flush=True)
    guest = results.ROOT / "build/guest/bench.elf"
    machine = machine_for(f"guest-{name}", mkiso.Boot(
        hv=hv, elf=elf, modules=[mkiso.Module(guest, "guest", append)]), cpus=cpus)
    finish(machine)
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


def changed(name, file, pattern, text):
    """kensho.elf of the same sources with one line of one file replaced."""
    source = RUNS / name
    shutil.rmtree(source, ignore_errors=True)
    names = subprocess.run(["git", "ls-files", "-z"], cwd=results.ROOT, check=True,
                           stdout=subprocess.PIPE).stdout.decode().split("\0")[:-1]
    for name in names:
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(results.ROOT / name, source / name)
    path = source / file
    new, count = re.subn(pattern, text, path.read_text(), count=1, flags=re.M)
    if count != 1:
        raise RuntimeError(f"{file} does not contain {pattern}")
    path.write_text(new)
    subprocess.run(["make", "-s", "-j2", "WERROR=0", "build/kensho.elf"], cwd=source, check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return source / "build/kensho.elf"


def points():
    hv = "mitigations=off apicv=off"
    elf = changed("no-trace", "core/diag/trace.h", r"^#define TRACE\(.*$",
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
        out.append(("shootdown_7", label, change[8] - change[1], "instructions"))
        out.append(("shootdown_per_vp", label, round((change[8] - change[1]) / 7, 1),
                    "instructions"))
    return out


def stop_all(label, hv):
    """TSC ticks, which are instructions, from the decision to stop to the last CPU that stopped."""
    print(f"  bench   guest, 8 CPUs, stop-all, {label}", flush=True)
    guest = results.ROOT / "build/guest/bench.elf"
    machine = machine_for(f"guest-stop-all-{label}", mkiso.Boot(
        hv=f"{hv} on_crash=halt",
        modules=[mkiso.Module(guest, "guest", "deaf=1")]), cpus=8)
    emulator = emu.Emulator(emu.bochs_command(machine), machine.dir)
    deadline, found, log = time.monotonic() + TIMEOUT_S, None, machine.dir / "com1.log"
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


# --- Linux --------------------------------------------------------------------------------------

def linux_program(source="mark"):
    """The program that is all of the guest's user space, built."""
    RUNS.mkdir(parents=True, exist_ok=True)
    path = RUNS / source
    subprocess.run(["gcc", "-nostdlib", "-static", "-no-pie", "-Wl,-z,noexecstack,--build-id=none",
                    "-s", f"tests/linux/{source}.S", "-o", str(path)], cwd=results.ROOT,
                   check=True)
    return path


def linux_initrd(source="mark"):
    program = linux_program(source)
    initrd = RUNS / f"initrd-{source}"
    initrd.write_bytes(mkinitrd.build({"mark": program}))
    return initrd


def hypervisor_entry():
    """Physical address where GRUB enters the image."""
    data = mkiso.HV_ELF.read_bytes()
    entry, phoff = struct.unpack_from("<QQ", data, 24)
    size, count = struct.unpack_from("<HH", data, 54)
    for i in range(count):
        kind, _, _, vaddr, paddr, _, memsz, _ = struct.unpack_from("<2I6Q", data, phoff + i * size)
        if kind == 1 and vaddr <= entry < vaddr + memsz:
            return entry - vaddr + paddr
    return entry


def debugger_script(stops):
    """Stop at each set of physical addresses in turn, then at the magic breakpoint, and read the
    counters there."""
    read = 'ptime\nshow "cpu0.icount"\n'
    lines, number = [], 0
    for addresses in stops:
        lines += [f"pb 0x{a:x}" for a in addresses]
        lines += ["c", read.strip()]
        lines += [f"d {number + i + 1}" for i in range(len(addresses))]
        number += len(addresses)
    return "\n".join([*lines, "c", read.strip(), "c", ""])


def samples(text):
    """[(ticks, instructions)] at each stop."""
    ticks = [int(n) for n in re.findall(r"ptime: (\d+)", text)]
    count = [int(n) for n in re.findall(r"icount = (\d+)", text)]
    return list(zip(ticks, count))


def linux_run(name, hv, initrd, stops):
    print(f"  bench   Linux, {name}", flush=True)
    boot = mkiso.Boot(hv=hv, modules=[mkiso.Module(mkiso.LINUX, "kernel", LINUX_APPEND),
                                      mkiso.Module(initrd, "initrd")])
    machine = machine_for(f"linux-{name}", boot, debugger=debugger_script(stops),
                          extra="magic_break: enabled=1")
    found = samples(finish(machine))
    if len(found) != len(stops) + 1:
        raise RuntimeError(f"linux-{name}: {len(found)} stops instead of {len(stops) + 1}: "
                           f"see {machine.dir}/emulator.out")
    return found


def linux():
    initrd = linux_initrd()
    exits, entry = linux_exits(initrd)
    bare = linux_run("bare", None, initrd, [ENTRIES])
    kensho = linux_run("kensho", LINUX_HV, initrd, [(hypervisor_entry(),), (entry,)])
    base = bare[1][1] - bare[0][1]
    mine = kensho[2][1] - kensho[1][1]
    out = [("linux_boot", "bare", base, "instructions"),
           ("linux_boot", "kensho", mine, "instructions"),
           ("linux_boot_idle", "bare", bare[1][0] - bare[0][0] - base, "ticks"),
           ("linux_boot_idle", "kensho", kensho[2][0] - kensho[1][0] - mine, "ticks"),
           ("linux_boot_added", "kensho", round((mine - base) * 100 / base, 3), "%"),
           ("boot_to_guest", "kensho", kensho[1][1] - kensho[0][1], "instructions")]
    return out + exits


def linux_exits(initrd):
    """Exits by reason during the same boot and the KiB reserved, from the log on COM2; and the
    address where Kensho enters the kernel."""
    print("  bench   Linux, exits by reason", flush=True)
    boot = mkiso.Boot(hv=LINUX_HV.replace("console=none", "log=com2"), modules=[
        mkiso.Module(mkiso.LINUX, "kernel", LINUX_APPEND), mkiso.Module(initrd, "initrd")])
    machine = machine_for("linux-exits", boot)
    finish(machine)
    text = (machine.dir / "com2.log").read_text(errors="replace")
    exits = checks.counters(text, "exit")
    out = [(f"exits:{name}", "kensho", count, "exits")
           for name, count in sorted(exits.items(), key=lambda e: -e[1])]
    out.append(("exits", "kensho", sum(exits.values()), "exits"))
    region = re.search(r"region: (\d+) MiB", text)
    if region:
        out.append(("region_kib", "kensho", int(region[1]) << 10, "KiB"))
    entry = re.search(r"guest: Linux.* entry ([0-9a-f]+)", text)
    if not entry:
        raise RuntimeError("linux-exits: COM2 does not say where the kernel is entered")
    return out, int(entry[1], 16)


# --- four CPUs, each with work of its own ---------------------------------------------------------

def pinned_run(name, hv, initrd):
    """Instructions that all CPUs executed in each part of pinned.S, and the ticks it took."""
    print(f"  bench   Linux, {PINNED_CPUS} CPUs, {name}", flush=True)
    boot = mkiso.Boot(hv=hv, modules=[mkiso.Module(mkiso.LINUX, "kernel", PINNED_APPEND),
                                      mkiso.Module(initrd, "initrd")])
    read = "ptime\n" + "".join(f'show "cpu{i}.icount"\n' for i in range(PINNED_CPUS))
    machine = machine_for(f"pinned-{name}", boot, cpus=PINNED_CPUS, model=PINNED_MODEL,
                          debugger=f"c\n{read}" * (PINNED_PARTS + 1) + "c\n",
                          extra="magic_break: enabled=1")
    text = finish(machine, 2 * TIMEOUT_S)
    ticks = [int(n) for n in re.findall(r"ptime: (\d+)", text)]
    count = [int(n) for n in re.findall(r"icount = (\d+)", text)]
    if len(count) != (PINNED_PARTS + 1) * PINNED_CPUS:
        raise RuntimeError(f"pinned-{name}: see {machine.dir}/emulator.out")
    sums = [sum(count[i:i + PINNED_CPUS]) for i in range(0, len(count), PINNED_CPUS)]
    parts = [after - before for before, after in zip(sums, sums[1:])]
    print(f"          {' '.join(number(n) for n in parts)}", flush=True)
    return parts, [after - before for before, after in zip(ticks, ticks[1:])]


def pinned():
    initrd = linux_initrd("pinned")
    out, middle, spread = [], {}, {}
    for name, label, hv in PINNED_RUNS:
        parts, ticks = pinned_run(f"{name}-{label}", hv, initrd)
        middle[name, label] = statistics.median(parts)
        spread[name, label] = round((max(parts) - min(parts)) * 100 / middle[name, label], 3)
        out += [(name, label, middle[name, label], "instructions"),
                (f"{name}_ticks", label, statistics.median(ticks), "ticks")]
    base = middle["linux_pinned", "bare"]
    out += [(f"{name}_added", label, round((value - base) * 100 / base, 3), "%")
            for (name, label), value in middle.items() if label != "bare"]
    out.append(("linux_pinned_spread", "bare", spread["linux_pinned", "bare"], "%"))
    out.append(("linux_pinned_spread", "kensho", max(spread.values()), "%"))    # the limit's
    return out


# --- what an exit executes ----------------------------------------------------------------------

def vmresume_address():
    text = subprocess.run(["objdump", "-d", "--no-show-raw-insn", str(mkiso.HV_ELF)], check=True,
                          text=True, stdout=subprocess.PIPE).stdout
    return re.search(r"^([0-9a-f]+):\s+vmresume", text, re.M)[1]


def trace():
    print(f"  bench   Linux, instructions of {TRACED} exits", flush=True)
    initrd = linux_initrd()
    boot = mkiso.Boot(hv=LINUX_HV, modules=[mkiso.Module(mkiso.LINUX, "kernel", LINUX_APPEND),
                                            mkiso.Module(initrd, "initrd")])
    step = "c\ntrace on\nc\ntrace off\n"
    machine = machine_for("trace", boot, debugger=f"sb {TRACE_AT}\nc\nvmexitbp\n"
                          f"lb 0x{vmresume_address()}\n{step * TRACED}q\n")
    emulator = emu.Emulator(emu.bochs_command(machine), machine.dir)
    try:
        emulator.proc.wait(TIMEOUT_S)
    except subprocess.TimeoutExpired:
        raise RuntimeError("trace: no end") from None
    finally:
        emulator.kill()
    text = (machine.dir / "emulator.out").read_text(errors="replace")
    body = re.findall(r"^\(\d\)\.\[\d+\] .*?: (\S+)", text, re.M)
    if text.count("Caught VMEXIT") < TRACED or not body:
        raise RuntimeError(f"trace: see {machine.dir}/emulator.out")

    def per_exit(names):
        return round(sum(name in names for name in body) / TRACED, 2)

    return [("instructions_per_exit", "kensho", round(len(body) / TRACED, 1), "instructions"),
            ("vmread_vmwrite_per_exit", "kensho", per_exit(("vmread", "vmwrite")), "count"),
            ("msr_per_exit", "kensho", per_exit(("rdmsr", "wrmsr")), "count"),
            ("port_io_per_exit", "kensho", per_exit(("in", "out")), "count")]


# --- the screen ---------------------------------------------------------------------------------

SCREEN_TABLES, SCREEN_LEAD = 5, 4       # tables printed; lines before the first


def screen():
    """The debugger stops where a line reaches the framebuffer's text."""
    print("  bench   lines on a framebuffer", flush=True)
    elf = changed("screen-tables", "boot/early.c", r"^\t\toptions_print\(print_line\);$",
                  "\t\toptions_print(print_line);\n" * SCREEN_TABLES)
    names = subprocess.run(["nm", str(elf)], check=True, text=True, stdout=subprocess.PIPE).stdout
    at = re.search(r"^(\w+) . fb_text_write\b", names, re.M)[1]
    machine = machine_for("screen", mkiso.Boot(hv="console=screen help", elf=elf,
                                               gfxpayload="1024x768x32"), graphics=True,
                          extra="com1: enabled=0",      # help speaks there, too
                          debugger=f"lb 0x{at}\n" + 'c\nshow "cpu0.icount"\n' * 1000)
    emulator = emu.Emulator(emu.bochs_command(machine), machine.dir, terminal=True)
    found, deadline = [], time.monotonic() + TIMEOUT_S
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


def number(value):
    return f"{value:,.3f}".rstrip("0").rstrip(".").replace(",", " ")


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
    print(f"\n  {'':<24}{'Kensho':>15}{'kvm-test':>12}{'apicv=auto':>12}{'mitigations':>12}{'bare':>15}"
          f"{'limit':>12}        compare")
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
        text = "".join(f"{'' if c is None else number(c):>{w}}"
                       for c, w in zip(cells, (15, 12, 12, 12, 15, 12)))
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
    every = {"micro": micro, "points": points, "smp": smp, "linux": linux, "pinned": pinned, "trace": trace,
             "screen": screen, "size": size}
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
    sys.exit(main(sys.argv[1:]))
