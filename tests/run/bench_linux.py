# SPDX-License-Identifier: BSD-2-Clause
"""Parts of bench.py that boot Linux.

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
"""

import re
import statistics
import struct
import subprocess
import sys

import bench_machine
import results

sys.path.insert(0, str(results.ROOT / "tools"))
import checks  # noqa: E402
import emu  # noqa: E402
import mkinitrd  # noqa: E402
import mkiso  # noqa: E402

TRACED, TRACE_AT = 200, 1_000_000_000

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


def linux_program(source="mark"):
    """The program that is all of the guest's user space, built."""
    bench_machine.RUNS.mkdir(parents=True, exist_ok=True)
    path = bench_machine.RUNS / source
    subprocess.run(["gcc", "-nostdlib", "-static", "-no-pie", "-Wl,-z,noexecstack,--build-id=none",
                    "-s", f"tests/linux/{source}.S", "-o", str(path)], cwd=results.ROOT,
                   check=True)
    return path


def linux_initrd(source="mark"):
    program = linux_program(source)
    initrd = bench_machine.RUNS / f"initrd-{source}"
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
    machine = bench_machine.create(f"linux-{name}", boot, debugger=debugger_script(stops),
                                   extra="magic_break: enabled=1")
    found = samples(bench_machine.finish(machine))
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
    machine = bench_machine.create("linux-exits", boot)
    bench_machine.finish(machine)
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
    machine = bench_machine.create(f"pinned-{name}", boot, cpus=PINNED_CPUS, model=PINNED_MODEL,
                                   debugger=f"c\n{read}" * (PINNED_PARTS + 1) + "c\n",
                                   extra="magic_break: enabled=1")
    text = bench_machine.finish(machine, 2 * bench_machine.TIMEOUT_S)
    ticks = [int(n) for n in re.findall(r"ptime: (\d+)", text)]
    count = [int(n) for n in re.findall(r"icount = (\d+)", text)]
    if len(count) != (PINNED_PARTS + 1) * PINNED_CPUS:
        raise RuntimeError(f"pinned-{name}: see {machine.dir}/emulator.out")
    sums = [sum(count[i:i + PINNED_CPUS]) for i in range(0, len(count), PINNED_CPUS)]
    parts = [after - before for before, after in zip(sums, sums[1:])]
    print(f"          {' '.join(bench_machine.number(n) for n in parts)}", flush=True)
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
    machine = bench_machine.create("trace", boot, debugger=f"sb {TRACE_AT}\nc\nvmexitbp\n"
                                   f"lb 0x{vmresume_address()}\n{step * TRACED}q\n")
    emulator = emu.Emulator(emu.bochs_command(machine), machine.dir)
    try:
        emulator.proc.wait(bench_machine.TIMEOUT_S)
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
