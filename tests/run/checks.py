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
from check_demo import demo_facts, demo_picture  # noqa: E402, F401 (checks like those below)


COLOUR = re.compile(r"\x1b\[[\d;]*m")       # what a serial line gets around the last sentence
SENTENCE = re.compile("RESULT: Kensho (can run here|cannot run here: .+; do this: .+)")


def last_sentence(text):
    """The last sentence of a boot (core/diag/result.h) at the end of a log, "" if there is none."""
    _, found, rest = text.rpartition("RESULT: ")
    return " ".join((found + rest).split()) if found else ""


def section(text, name):
    """The lines between `=== name` and the next `===` that tests/linux/*.sh print."""
    found = re.search(rf"^=== {name}\r?\n(.*?)(?=^=== |\Z)", text, re.S | re.M)
    return found[1].replace("\r", "") if found else ""


def counters(text, kind="counter"):
    """{name: sum over VPs} of the last dump in a log: lines `counter vpN NAME VALUE`, and with
    kind="exit" the exits by reason."""
    start = max((found.start() for found in re.finditer("counters: (?!end)", text)), default=0)
    out = {}
    for name, value in re.findall(rf"\b{kind} vp\d+ (\S+) (\d+)", text[start:]):
        out[name] = out.get(name, 0) + int(value)
    return out


def counters_by_vp(text, kind="counter"):
    """[{name: value}] of the last dump in a log, one per VP."""
    start = max(text.rpartition("counters: end")[0].rfind("counters: "), 0)
    out = {}
    for vp, name, value in re.findall(rf"\b{kind} vp(\d+) (\S+) (\d+)", text[start:]):
        out.setdefault(int(vp), {})[name] = int(value)
    return [out[vp] for vp in sorted(out)]


def counters_match(run):
    """What the guest says it did, `# counter NAME N` at its end, is what Kensho counted."""
    seen = counters(run.text("com2"))
    seen.update((f"exit:{name}", n) for name, n in counters(run.text("com2"), "exit").items())
    wanted = re.findall(r"^# counter (\S+) (\d+)", run.text("com1"), re.M)
    bad = [] if wanted else ["the guest names no counter"]
    return bad + [f"counter {name}: got {seen.get(name, 0)}, the guest did {n}"
                  for name, n in wanted if seen.get(name, 0) != int(n)]


def disk_hash(run):
    """The file the guest read through its own CD driver is the file on the host."""
    _, want = mkiso.data_file()
    text = section(run.text("com1"), "disk")
    got = re.search(r"^([0-9a-f]{64})\s", text, re.M)
    count = re.search(r"disk interrupts: (\d+)", text)
    bad = []
    if not got or got[1] != want:
        bad.append(f"SHA-256 of the file on the CD: got {got and got[1]}, want {want}")
    if not count or int(count[1]) < 1000:
        bad.append(f"disk interrupts: got {count and count[1]}, want at least 1000")
    return bad


def our_counters(run):
    """Timer and device interrupts as counted by Kensho, printed at guest end."""
    seen = counters(run.text("com2"))
    bad = []
    for name, least in (("IRQ_EDGE", 1000), ("IRQ_INJECTED", 1500), ("TIMER_FIRED", 100),
                        ("EOI", 1000)):
        if seen.get(name, 0) < least:
            bad.append(f"counter {name}: got {seen.get(name)}, want at least {least}")
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


def vp_starts(run, starts):
    """Every VP was kicked, and had ticks; every VP but the first was started that often."""
    vps, cpus, bad = counters_by_vp(run.text("com2")), int(run.row["cpus"]), []
    if len(vps) != cpus:
        return [f"counters of {len(vps)} VPs, want {cpus}"]
    for vp, seen in enumerate(vps):
        for names, least in (
                ("KICK_RECEIVED", 1), ("TIMER_FIRED HV_STIMER_FIRED", 50), ("EOI", 50)):
            got = sum(seen.get(name, 0) for name in names.split())
            if got < least:
                bad.append(f"vp{vp} counter {names}: got {got}, want at least {least}")
        if vp > 0 and (seen.get("SIPI") != starts or seen.get("INIT", 0) < starts):
            bad.append(f"vp{vp}: INIT {seen.get('INIT')}, SIPI {seen.get('SIPI')}, want {starts}")
        if seen.get("IRQ_EXTINT_LOST"):
            bad.append(f"vp{vp}: {seen['IRQ_EXTINT_LOST']} ExtINTs lost")
    return bad


def started_four_times(run):
    """By the boot, and three times more: plugged in again, or by the next kernel."""
    return vp_starts(run, 4)


def started_five_times(run):
    return vp_starts(run, 5)


def kexec_counters(run):
    """Started once by each of three kernels. The first two left a level interrupt on every VP; each
    kernel was served one."""
    bad = vp_starts(run, 3)
    for vp, seen in enumerate(counters_by_vp(run.text("com2"))):
        if seen.get("IRQ_HELD_DRAINED") != 2:
            bad.append(f"vp{vp}: {seen.get('IRQ_HELD_DRAINED')} held level vectors drained, want 2")
        if seen.get("IRQ_LEVEL", 0) < 5:
            bad.append(f"vp{vp}: {seen.get('IRQ_LEVEL')} level interrupts, want at least 5")
    return bad


def at_least(run, least):
    seen = counters(run.text("com2"))
    return [f"counter {name}: got {seen.get(name, 0)}, want at least {count}"
            for name, count in least.items() if seen.get(name, 0) < count]


def none_of(run, names):
    seen = counters(run.text("com2"))
    bad = [f"counter {name}: got {seen[name]}, want none" for name in names if name in seen]
    return bad if seen.get("HLT") else bad + ["no counters of the guest's end"]


# What kvm.sh and hyperv.sh make Linux do, from far below what it does.
KVM_LEAST = {"KVM_SEND_IPI": 100, "KVM_SEND_IPI_TARGETS": 200, "PARK_FLUSH": 100, "KVM_KICK": 20,
             "KVM_KICK_WAKE": 5, "KVM_SCHED_YIELD": 5, "KVM_CLOCK_PAIRING": 4}
HV_LEAST = {"HV_FLUSH": 100, "HV_IPI": 500, "HV_IPI_TARGETS": 500, "HV_GUEST_IDLE": 20,
            "HV_STIMER_FIRED": 1000}
LAZY_EOI_LEAST = {"LAZY_EOI": 1000}     # only where the EOI register exits


def kvm_counters(run):
    """Each KVM feature had an effect."""
    return at_least(run, KVM_LEAST | (LAZY_EOI_LEAST if "apicv=off" in run.row["hv"] else {}))


def kvm_counters_off(run):
    """None had, but for the clock pairs, which have no feature bit."""
    return none_of(run, (KVM_LEAST | LAZY_EOI_LEAST).keys() - {"KVM_CLOCK_PAIRING"})


def hv_counters(run):
    """Each Hyper-V feature had an effect."""
    return at_least(run, HV_LEAST | LAZY_EOI_LEAST)


# What iPXE's driver does once. Its delays read TIME_REF_COUNT in a loop: nothing else reads MSRs.
IPXE_LEAST = {"HV_HCALL_32": 1, "HV_SINT_AUTO_EOI": 1, "HV_POST_MESSAGE": 1, "HV_EOM": 500}
IPXE_READS = 20000


def ipxe_counters(run):
    """Each part of Hyper-V's interface that iPXE has a use for."""
    reads = counters(run.text("com2"), "exit").get("rdmsr", 0)
    return at_least(run, IPXE_LEAST) + (
        [] if reads >= IPXE_READS else [f"{reads} MSR reads, want {IPXE_READS}"])


def ipxe_counters_no_time(run):
    reads = counters(run.text("com2"), "exit").get("rdmsr", 0)
    return at_least(run, IPXE_LEAST) + (
        [] if reads < IPXE_READS / 100 else [f"{reads} MSR reads without TIME_REF_COUNT"])


def hv_counters_off(run):
    """None had; lazy EOIs where neither interface has them."""
    off = LAZY_EOI_LEAST if "-hv-vapic" in run.row["hv"] else {}
    return none_of(run, HV_LEAST | off)


def steal_gauges(run):
    """Kensho's own sum for each VP is what its Linux counted, and no more than it was paused. The
    first VP is also paused a few times before its Linux registers: nothing shows those."""
    vps = counters_by_vp(run.text("com2"), "gauge")
    pauses = counters_by_vp(run.text("com2"))
    shown = re.findall(r"^cpu(\d+)" + r" \d+" * 7 + r" (\d+)",
                       section(run.text("com1"), "stat"), re.M)
    bad = [] if len(shown) == len(vps) == int(run.row["cpus"]) else ["VPs or CPUs are missing"]
    for cpu, ticks in shown[:len(vps)]:
        gauges, linux_ms = vps[int(cpu)], int(ticks) * 10
        own_ms = sum(ns for name, ns in gauges.items() if name.startswith("steal_")) / 1e6
        pause_ms, count = gauges.get("steal_pause_ns", 0) / 1e6, pauses[int(cpu)].get("PAUSE", 0)
        early_ms = 0 if int(cpu) else 3000
        if not own_ms * 0.95 - early_ms <= linux_ms <= own_ms * 1.05 + 50:
            bad.append(f"vp{cpu}: {own_ms:.0f} ms stolen, Linux shows {linux_ms}")
        if count < 5 or not 1900 <= pause_ms <= count * 500 * 1.05:
            bad.append(f"vp{cpu}: {count} pauses, {pause_ms:.0f} ms stolen by them")
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
            name.startswith(("vmx_", "vmenter_")) for name in names):
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
