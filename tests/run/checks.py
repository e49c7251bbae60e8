# SPDX-License-Identifier: BSD-2-Clause
"""Assertions on a finished run that are more than a regular expression.

A check is named in suites/*.cfg (`check = NAME`), gets the Run and returns a list of complaints.
"""

import bisect
import hashlib
import re
import struct
import subprocess
import sys

import disk
import golden
import machine_report as report_format
import results

sys.path.insert(0, str(results.ROOT / "tools"))
import emu  # noqa: E402
import mkiso  # noqa: E402
from check_counters import (  # noqa: E402, F401 (checks like those below)
    section, counters, counters_by_vp, counters_match, our_counters, started_three_times,
    started_four_times, started_five_times, kexec_counters, kvm_counters, kvm_counters_off, hv_counters,
    ipxe_counters, ipxe_counters_no_time, hv_counters_off, steal_gauges)
from check_demo import demo_facts, demo_picture  # noqa: E402, F401 (checks like those below)


COLOUR = re.compile(r"\x1b\[[\d;]*m")       # what a serial line gets around the last sentence
SENTENCE = re.compile("RESULT: Kensho (can run here|cannot run here: .+; do this: .+)")


def last_sentence(text):
    """The last sentence of a boot (core/diag/result.h) at the end of a log, "" if there is none."""
    _, found, rest = text.rpartition("RESULT: ")
    return " ".join((found + rest).split()) if found else ""


def disk_hash(run):
    """The file the guest read through its own CD driver is the file on the host."""
    path, want = mkiso.data_file()
    least = (path.stat().st_size >> 14) * 3 // 4    # one for every 16 KiB, most of them
    text = section(run.text("com1"), "disk")
    got = re.search(r"^([0-9a-f]{64})\s", text, re.M)
    count = re.search(r"disk interrupts: (\d+)", text)
    bad = []
    if not got or got[1] != want:
        bad.append(f"SHA-256 of the file on the CD: got {got and got[1]}, want {want}")
    if not count or int(count[1]) < least:
        bad.append(f"disk interrupts: got {count and count[1]}, want at least {least}")
    return bad


def disk_slices(run):
    """What the guest read while its disk interrupt moved from CPU to CPU."""
    data = mkiso.data_file()[0].read_bytes()
    found = re.findall(r"^slice (\d+) (\d+) (\w+)", run.text("com1"), re.M)
    bad = [] if len(found) > int(run.row["cpus"]) * 2 else [f"only {len(found)} slices were read"]
    for skip, count, got in found:
        part = data[int(skip) << 16:int(skip) + int(count) << 16]
        if got != hashlib.sha256(part).hexdigest():
            bad.append(f"{count} blocks at {skip} of the file on the CD: their SHA-256 is {got}")
    return bad


def memory_map(run):
    """The guest's map reserves our region and leaves it less RAM than the machine has."""
    text = section(run.text("com1"), "dmesg")
    usable = sum(int(b, 16) + 1 - int(a, 16) for a, b in
                 re.findall(r"BIOS-e820: \[mem 0x(\w+)-0x(\w+)\] usable", text))
    bad = []
    if not 500 << 20 < usable < 512 << 20:
        bad.append(f"usable memory in the guest's E820 map: {usable} bytes")
    region = re.search(r"region: (\d+) MiB at ([0-9a-f]+)", run.text("com2"))
    if not region:
        return bad + ["COM2 does not name the hypervisor's region"]
    first, last = int(region[2], 16), int(region[2], 16) + (int(region[1]) << 20) - 1
    if not any(int(a, 16) <= first and last <= int(b, 16) for a, b in
               re.findall(r"BIOS-e820: \[mem 0x(\w+)-0x(\w+)\] reserved", text)):
        bad.append(f"the region at 0x{first:x} is not reserved in the guest's map")
    return bad


same_as_bare = disk.same_as_bare
disk_map = disk.disk_map


def joined(ranges):
    """Sorted [first, last] pairs, neighbours in one."""
    out = []
    for first, last in sorted(ranges):
        if out and first <= out[-1][1] + 1:
            out[-1][1] = max(last, out[-1][1])
        else:
            out.append([first, last])
    return out


def efi_map(run):
    """Linux with efi=debug: its EFI map and its E820 map call the same ranges RAM, our region is
    reserved in the EFI map, and runtime services are in it."""
    text = run.text("com1").partition("EFI runtime memory map")[0]
    efi = [(kind.strip(), int(a, 16), int(b, 16)) for kind, a, b in
           re.findall(r"efi: mem\d+: \[([^|\]]+)\|.*?range=\[0x(\w+)-0x(\w+)\]", text)]
    ram = joined((a, b) for kind, a, b in efi if kind in (
        "Loader Code", "Loader Data", "Boot Code", "Boot Data", "Conventional"))
    usable = joined((int(a, 16), int(b, 16)) for a, b in
                    re.findall(r"BIOS-e820: \[mem 0x(\w+)-0x(\w+)\] usable", text))
    region = re.search(r"region: (\d+) MiB at ([0-9a-f]+)", run.text("com2"))
    if not efi or not usable or not region:
        return ["no EFI map, no E820 map, or COM2 does not name the hypervisor's region"]
    first, last = int(region[2], 16), int(region[2], 16) + (int(region[1]) << 20) - 1
    bad = []
    if ram != usable:
        bad.append(f"RAM in the EFI map: {ram}; in the E820 map: {usable}")
    if not any(kind == "Reserved" and a <= first and last <= b for kind, a, b in efi):
        bad.append(f"the region at 0x{first:x} is not reserved in the guest's EFI map")
    if not any(kind == "Runtime Code" for kind, _, _ in efi):
        bad.append("no runtime services in the EFI map")
    return bad


def screenshot(run):
    """QEMU's picture of the screen is there and shows something."""
    path = run.dir / "screen.ppm"
    pixels = path.read_bytes()[64:] if path.exists() else b""
    return [] if len(set(pixels)) > 1 else ["the screenshot is missing or shows nothing"]


def log_on_screen(run):
    """The picture shows what COM1 said until the guest started, to the last character: its newest
    lines where it scrolled."""
    log = run.text("com1").replace("\r", "")
    log = log[re.search(r"Kensho 0\.|the machine is halted|RESULT: ", log).start():]
    end = log.find("starting the guest")
    rows, cols = list(run.picture_rows[0]), run.picture_rows[1]
    want = []
    for line in (log if end < 0 else log[:log.index("\n", end)]).rstrip().splitlines():
        want += [line[i:i + cols].rstrip() for i in range(0, max(len(line), 1), cols)]
    while rows and not rows[-1]:
        rows.pop()
    if len(rows) < min(len(want), 16):
        return [f"{len(rows)} lines on the screen of {len(want)} of the log"]
    return [f"screen row {i}: {got!r}, COM1 said {line!r}"
            for i, (got, line) in enumerate(zip(rows, want[-len(rows):])) if got != line]


def result(run):
    """The last words on every port and the screen are one plain sentence, in lines of 80 columns that
    end between words, green or red."""
    said = run.text("com1").replace("\r", "").rstrip()
    lines = said[said.rfind("RESULT: "):].splitlines()
    colour = "32" if " can run " in lines[0] else "31"
    bad = [] if SENTENCE.fullmatch(" ".join(lines)) else [f"not the last sentence: {lines}"]
    bad += [f"split badly: {line!r}, {after!r}" for line, after in zip(lines, lines[1:])
            if not len(line) <= 79 < len(line) + 1 + len(after.split()[0])]
    bad += [f"longer than 79 columns: {line!r}" for line in lines if len(line) > 79]
    for where in ("com1", "com2"):
        raw = (run.dir / f"{where}.log").read_bytes().decode(errors="replace").replace("\r", "")
        want = f"\x1b[1;{colour}m" + "\n".join(lines) + "\n\x1b[0m"
        if not raw.endswith(want):
            bad.append(f"{where} ends with {raw[-len(want):]!r}")
    return bad + result_on_screen(run, lines, colour == "32")


def result_on_screen(run, lines, good):
    rows = list(run.picture_rows[0])
    colours = run.text("colour").split()[-len(rows):]     # where rows above were left out
    while rows and not rows[-1]:
        rows.pop()
    if rows[-len(lines):] != lines:
        return [f"the screen ends with {rows[-len(lines):]}"]
    green = colours[len(rows) - len(lines):len(rows)]
    want = {True: ("2f", "6000"), False: ("4f", "a00000")}[good]
    plain = colours[:len(rows) - len(lines)] + colours[len(rows):]
    return [] if len(set(green)) == 1 and green[0] in want and set(plain) <= {"7", "0"} else \
        [f"colours of the last sentence: {green}, of the rest: {set(plain)}"]


def screen_info(run):
    """The kernel's copy of struct screen_info says what GRUB was asked for (a row with gfxpayload)."""
    data = bytes.fromhex(section(run.text("com1"), "screen_info").strip())
    width, height, depth, _ = run.mode()
    line = width * depth
    want = {    # name: offset and format in <linux/screen_info.h>, value
        "orig_video_isVGA": (0x0F, "<B", 0x23), "lfb_width": (0x12, "<H", width),
        "lfb_height": (0x14, "<H", height), "lfb_depth": (0x16, "<H", depth * 8),
        "lfb_base": (0x18, "<I", emu.FRAMEBUFFER),
        "lfb_size": (0x1C, "<I", -(-line * height // 65536)),
        "lfb_linelength": (0x24, "<H", line), "colours": (0x26, "<Q", 0x1808000808081008),
        "ext_lfb_base": (0x3A, "<I", 0)}
    got = {name: struct.unpack_from(fmt, data, at)[0] for name, (at, fmt, _) in want.items()}
    return [f"screen_info.{name}: {got[name]:#x}, not {value:#x}"
            for name, (_, _, value) in want.items() if got[name] != value]


def apicv_exits(run):
    """TPR writes and EOIs, a thousand of each in both modes, and accesses to the ICR's halves in xAPIC
    mode exit or do not as apicv= says."""
    seen = counters(run.text("com2"), "exit")
    count = sum(seen.get(reason, 0) for reason in (
        "apic-access", "apic-write", "virt-eoi", "tpr-threshold", "wrmsr"))
    low, high = (0, 200) if "apicv=on" in run.row["hv"] else (8000, 11000)
    return [] if low <= count <= high else [f"{count} exits for TPR, EOI and ICR, want {low} to {high}"]


STOP_ALL_TICKS = 20000


def stop_all_is_fast(run):
    """Every other CPU stopped, within the limit of instructions."""
    found = re.search(r"stopped (\d+) of (\d+) other CPUs within (\d+) ticks", run.text("com1"))
    if not found:
        return ["the report does not say how long the other CPUs took to stop"]
    count, others, ticks = (int(n) for n in found.groups())
    bad = [] if count == others == int(run.row["cpus"]) - 1 else [found[0]]
    return bad + ([f"{found[0]}: limit {STOP_ALL_TICKS}"] if ticks > STOP_ALL_TICKS else [])


def mode_of(report):
    """The mode that the registers of a guest's report show."""
    cr0, cr4, efer = (int(re.search(rf"{name} ([0-9a-f]+)", report)[1], 16)
                      for name in ("cr0", "cr4", "efer"))
    selector = int(re.search(r"rip ([0-9a-f]{4}):", report)[1], 16)
    if not cr0 & 1:
        return "real"
    if efer & 0x400:
        return {0x08: "long", 0x18: "compatibility", 0x33: "user"}.get(selector)
    if cr0 >> 31:
        return "pae" if cr4 & 0x20 else "paging32"
    return {0x18: "protected32", 0x38: "protected16"}.get(selector)


def triple_faults(run):
    """One report per mode that the guest crashed in, with the registers of that mode."""
    modes = re.findall(r"^# crashing in (\S+)", run.text("com1"), re.M)
    reports = run.text("com2").split("guest stopped: triple fault")[1:]
    seen = [mode_of(report) for report in reports]
    bad = [] if len(modes) == 8 else [f"crashed in {modes}, want 8 modes"]
    return bad + ([] if seen == modes else [f"the reports show {seen}, want {modes}"])


# Every line that a panic or the end of a guest may print.
REPORT = re.compile("|".join((
    "---- .* ----", "error: .*", r"test_fault=\w+: .*", "#PF page fault: .*",
    r"cpu \d+: cr0 [0-9a-f]{8} cr2 [0-9a-f]{16} cr3 [0-9a-f]+ cr4 [0-9a-f]{8} efer [0-9a-f]+",
    r"( {0,2}r\w\w? {1,2}[0-9a-f]{16}| rfl [0-9a-f]{16}){1,4}",
    r"vector \d+ error 0x[0-9a-f]+ cs 0x8 ss 0x(10|0)",
    r"rsp [0-9a-f]{16} rbp [0-9a-f]{16}", r"exception \d+ \(#\w+\) at rip .*",
    r"stack overflow: .*", r"stack overrun found .*", r"assertion failed: .*",
    r"VM entry of VP \d+ failed .*",
    r"guest of vp\d+: rip [0-9a-f]{4}:[0-9a-f]{16} rsp [0-9a-f]{16} rflags [0-9a-f]{8}",
    r"  last EPT violation: guest-physical [0-9a-f]+ linear [0-9a-f]+",
    r"  cr0 [0-9a-f]{8} cr3 [0-9a-f]+ cr4 [0-9a-f]{8} efer [0-9a-f]+, last exit \S+ \(0x[0-9a-f]+\)",
    r"vp\d+ stopped: guest rip [0-9a-f]{16}, last exit \S+",
    r"cpu \d+ \(vp\d+\) is lost: no answer to an NMI after \d+ us",
    r"backtrace \(.*\):", "[ ?] [0-9a-f]{16}", r"guest registers of vp\d+ \(.*\):",
    "VMCS, fields that are not zero:", "  [A-Z0-9_]+ +[0-9a-f]{16}",
    r"stopped \d+ of \d+ other CPUs within \d+ ticks",
    r"trace vp\d+ \d+ [A-Z0-9_]+ [0-9a-f]+ [0-9a-f]+ [0-9a-f]+",
    "counters: .*", r"dump \d+: (tsc|took)=.*", r"(exit|counter|gauge) vp\d+ \S+ \d+",
    r"time vp\d+ \S+ \d+ \d+ \d+ \d+")))


def one_report(run):
    """Exactly one report, the same on both lines, no line of it mixed with another one."""
    start = r"^(---- hypervisor panic: Kensho .* ----|error: guest stopped: .*)$"
    texts = {where: run.text(where).replace("\r", "") for where in ("com1", "com2")}
    reports, bad = [], []
    for where, text in texts.items():
        found = list(re.finditer(start, text, re.M))
        if len(found) != 1:
            return [f"{where} has {len(found)} reports"]
        reports.append(text[found[0].start():])
    if reports[0] != reports[1]:
        bad.append("the reports on COM1 and COM2 differ")
    bad += [f"a line of the report: {line!r}" for line in reports[0].splitlines()
            if not REPORT.fullmatch(line)]
    return bad


def golden_abi(run):
    """CPUID and MSRs differ from QEMU's on KVM as docs/golden-differences.tsv says, bit by bit."""
    return golden.compare(run.text("com1"), run.name.removeprefix("guest-golden-"))


def symbols():
    """[(address, name)] of kensho.elf's text, sorted."""
    text = subprocess.run(["nm", str(mkiso.HV_ELF)], stdout=subprocess.PIPE, text=True,
                          check=True).stdout
    return sorted((int(a, 16), name) for a, name in re.findall(r"^(\w+) [tT] (\S+)", text, re.M))


def called(report):
    """Names of the functions in the backtrace of a report, innermost first."""
    table = symbols()
    part = re.search(r"^backtrace .*\n((?:[ ?] [0-9a-f]{16}\n)+)", report, re.M)
    at = [int(a, 16) for a in re.findall(r"[0-9a-f]{16}", part[1])] if part else []
    # A call that does not return may be the last instruction of its function.
    return [table[bisect.bisect(table, (a - (i != 0), "~")) - 1][1] for i, a in enumerate(at)]


def panic_state(text):
    """What a developer needs of a guest that loops on all VPs: complaints."""
    bad = []
    loop = re.search(r"^# loops from (\w+) to (\w+)", text, re.M)
    report = text[text.find("---- hypervisor panic: Kensho "):]
    first, end = (int(n, 16) for n in loop.groups())
    rips = re.findall(r"^guest of vp\d+: rip \w+:(\w+)", report, re.M)
    rips += re.findall(r"^vp\d+ stopped: guest rip (\w+)", report, re.M)
    rips += re.findall(r"^  GUEST_RIP +(\w+)", report, re.M)
    if len(rips) < 2 or not all(first <= int(rip, 16) < end for rip in rips):
        bad.append(f"guests at {rips}, want {first:x} to {end:x}")
    for what in ("guest registers of vp", "cpu 0: cr0 8001", "  HOST_CR3", "  EPTP "):
        if what not in report:
            bad.append(f"the report does not have {what!r}")
    return bad


def panic_report(run):
    """A panic while the guest runs: trace of all VPs, merged, counters of all VPs, a backtrace from
    the assembly entry on, and the state of the guest."""
    text, cpus = run.text("com1").replace("\r", ""), int(run.row["cpus"])
    bad = panic_state(text)
    report = text[text.find("---- hypervisor panic: Kensho "):]
    trace = re.findall(r"^trace vp(\d+) (\d+) (\w+) ", report, re.M)
    times = [int(tsc) for _, tsc, _ in trace]
    if len(trace) != 64 or times != sorted(times):
        bad.append(f"{len(trace)} trace records, in order: {times == sorted(times)}")
    want = {"EXIT", "ENTRY"} if "trace=exits" in run.row["hv"] else {"MSR_FAULT", "EXCEPTION"}
    if {name for _, _, name in trace} - {"MSR_UNKNOWN", "TSC_OFFSET", "STOLEN"} != want:
        bad.append(f"trace records {set(name for _, _, name in trace)}, want {want}")
    if "trace=exits" in run.row["hv"] and len({vp for vp, _, _ in trace}) < min(cpus, 2):
        bad.append("the trace is of one VP")
    if {vp for vp in re.findall(r"^exit vp(\d+) cpuid \d+", report, re.M)} != \
            {str(vp) for vp in range(cpus)}:
        bad.append("the counters are not those of all VPs")
    names = called(report)
    if not names or "recurse" not in names[0] and not any(
            name.startswith(("vmx_", "vmexit_", "vmenter_")) for name in names):
        bad.append(f"the backtrace {names} does not reach the exit path")
    decoded = subprocess.run([sys.executable, str(results.ROOT / "tools/trace.py")], input=text,
                             stdout=subprocess.PIPE, text=True, check=True).stdout
    if len(decoded.splitlines()) != 64:
        bad.append("tools/trace.py does not find the 64 records")
    return bad


def machine_report(run):
    """The frame of the machine report, on every port; `missing =` names what the CPU lacks."""
    bad = []
    for where in ("com1", "com2"):
        report = report_format.Report(run.text(where))
        bad += [f"{where}: {text}" for text in report.errors]
        if "missing" in run.row:
            got = [name for name, state in report.states("require").items() if state == "missing"]
            if got != run.row["missing"].split():
                bad.append(f"{where}: the CPU lacks {' '.join(got)}")
        if len(report.states("require")) < 30 and report.one("end").get("complete") == "yes":
            bad.append(f"{where}: {len(report.states('require'))} requirements only")
    return bad


def selftest(run):
    """Every check of the self test passed; those of several CPUs may be skipped with one."""
    checks = report_format.Report(run.text("com1")).all("selftest")
    bad = [] if len(checks) == 16 else [f"{len(checks)} checks of the self test"]
    return bad + [f"selftest: {f}" for f in checks if f["result"] != "pass" and not (
        f["result"] == "skip" and run.row["cpus"] == "1" and
        f["name"] in ("tsc-in-step", "kick-latency"))]
