#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Dry runs in QEMU's machines (TCG: no VMX), each report compared with QEMU's own view.

    tests/run/report.py [all | machines [nightly]] [REGEX]

Without a word the rows of TABLE, which hold every pair of values of two factors, except that not
every number of CPUs meets every size of memory; with `all` every combination. `machines`: those of
MACHINES, which have something that ordinary ones have not; with `nightly` the slow ones, too.
"""

import itertools
import json
import os
import pathlib
import re
import socket
import sys
import time
import zlib

import acpi_tables
import checks
import machine_report
import results

sys.path.insert(0, str(results.ROOT / "tools"))
import emu  # noqa: E402
import images  # noqa: E402
import mkiso  # noqa: E402

FACTORS = {
    "firmware": ("bios", "ovmf"),
    "machine": ("pc", "q35"),
    "vga": ("std", "none"),
    "cpus": (1, 2, 3, 4),
    "memory": (256, 512, 1024, 3072, 4096, 6144),
}
# firmware machine vga cpus memory. vga=none: without HPET, too.
TABLE = """
    bios pc  std  1 256
    ovmf q35 none 2 256
    bios q35 none 3 512
    ovmf pc  std  4 512
    bios pc  none 2 1024
    ovmf q35 std  1 1024
    bios q35 std  4 3072
    ovmf pc  none 3 3072
    bios pc  none 4 4096
    ovmf q35 std  3 4096
    bios q35 std  2 6144
    ovmf pc  none 1 6144
"""
MODELS = ("Nehalem", "qemu64", "max")

# Many CPUs. QEMU 7.2 has no x2APIC without KVM, and so no CPU with an APIC ID of 255 or more: GRUB
# puts a MADT that lists them in place of QEMU's.
ORDINARY = {"firmware": "bios", "machine": "q35", "vga": "std", "cpus": 1, "memory": 512,
            "model": "max"}
MACHINES = {
    "65-cpus": {"cpus": 65},
    "255-cpus": {"cpus": 255},
    "255-cpus-2-for-the-guest": {"cpus": 255, "options": "maxcpus=2"},
    "288-cpus": {"cpus": 2, "madt": 288},
    "288-cpus-2-for-the-guest": {"cpus": 2, "madt": 288, "options": "maxcpus=2"},
    "sparse-ids": {"cpus": 90, "smp": "90,sockets=18,cores=5,threads=1"},
    "hot-plug": {"cpus": 2, "smp": "2,maxcpus=200"},
    "65-cpus-ovmf": {"cpus": 65, "firmware": "ovmf", "when": "nightly"},
    "iommu": {"cpus": 4, "extra": "-device intel-iommu,intremap=on"},
    "iommu-ovmf": {"firmware": "ovmf", "extra": "-device intel-iommu,intremap=on,aw-bits=48"},
    # As firmware with "DMA protection" leaves it: TE, then TE and IRE in the Global Command Register.
    "iommu-on": {"extra": "-device intel-iommu,intremap=on", "grub": "insmod memrw", "remaps": 1,
                 "after": "write_dword 0xfed90018 0x80000000\nwrite_dword 0xfed90018 0x82000000"},
    # Neither PIT nor port 61h, keyboard controller, SMBus or HPET.
    "no-pit": {"machine": "q35,pit=off,i8042=off,smbus=off,vmport=off", "vga": "none"},
    "no-pit-ovmf": {"firmware": "ovmf", "vga": "none",
                    "machine": "q35,pit=off,i8042=off,smbus=off,vmport=off"},
    "no-timer": {"machine": "q35,pit=off", "vga": "none", "grub": "acpi --exclude=FACP",
                 "refused": "no TSC frequency"},
    "4-tib": {"memory": 4 << 20, "model": "max,phys-bits=46"},
    "1-tib-of-1-gib-pages": {"memory": 1 << 20, "model": "Skylake-Server,phys-bits=42"},
    **{f"{bits}-bits": {"model": f"max,phys-bits={bits}"} for bits in range(36, 53)},
    "52-bits-ovmf": {"firmware": "ovmf", "model": "max,phys-bits=52", "memory": 3072},
    **{name: {"model": name, "cpus": 2} for name in (
        "Westmere", "SandyBridge", "IvyBridge", "Haswell", "Broadwell", "Skylake-Client",
        "Skylake-Server", "Cascadelake-Server", "Cooperlake", "Icelake-Server", "Snowridge")},
    # QEMU 7.2 does not have the name.
    "SapphireRapids": {"model": "Icelake-Server,model=143,stepping=8", "cpus": 2},
}
INTEL = re.compile("Nehalem|Westmere|.*Bridge|Haswell|Broadwell|.*lake|Snowridge")
TIMEOUT_S = 120
MIB = 1 << 20
GIB = 1 << 30
# What firmware may keep of the RAM for itself: SeaBIOS its tables and 384 KiB below 1 MiB, OVMF its
# runtime services and variables.
KEPT = {"bios": 2 * MIB, "ovmf": 24 * MIB}
ONES = (0xFEE00000, 0xFEF00000)


def combinations():
    names = list(FACTORS)
    return [dict(zip(names, values)) for values in itertools.product(*FACTORS.values())]


def table():
    rows = []
    for line in TABLE.split("\n"):
        if line.strip():
            values = [int(v) if v.isdigit() else v for v in line.split()]
            rows.append(dict(zip(FACTORS, values)))
    return rows


def missing_pairs(rows):
    """Pairs of values that no row of the table has."""
    bad = []
    for a, b in itertools.combinations(FACTORS, 2):
        if (a, b) == ("cpus", "memory"):
            continue
        have = {(row[a], row[b]) for row in rows}
        bad += [f"{a}={x} {b}={y}" for x in FACTORS[a] for y in FACTORS[b] if (x, y) not in have]
    return bad


class Qmp:
    """QEMU's own view of the machine."""

    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(20)
        self.sock.connect(os.path.relpath(path))
        self.file = self.sock.makefile("r")
        self.file.readline()
        self.run("qmp_capabilities")

    def run(self, command, **arguments):
        self.sock.sendall(json.dumps({"execute": command, "arguments": arguments}).encode())
        while True:
            answer = json.loads(self.file.readline())
            if "error" in answer:
                raise RuntimeError(f"{command}: {answer['error']['desc']}")
            if "return" in answer:
                return answer["return"]

    def hmp(self, line):
        return self.run("human-monitor-command", **{"command-line": line})

    def cpus(self):
        """Properties of each CPU."""
        return [{name: self.run("qom-get", path=cpu["qom-path"], property=name)
                 for name in ("apic-id", "family", "model", "stepping", "vendor", "phys-bits")}
                for cpu in self.run("query-cpus-fast")]

    def flat(self, space):
        """[(base, end, kind, name)] of an address space as the CPU sees it now."""
        for view in re.split(r"^FlatView #", self.hmp("info mtree -f"), flags=re.M):
            if re.search(rf'AS "{space}",', view):
                return [(int(base, 16), int(end, 16) + 1, kind, name) for base, end, kind, name in
                        re.findall(r"^\s+(\w+)-(\w+) \(prio -?\d+, (\S+)\): (\S+)", view, re.M)]
        raise RuntimeError(f"QEMU has no address space {space}")


def boot(row, iso, directory):
    """The report and QEMU's view of one machine."""
    machine = f"{row['machine']},hpet={'on' if row['vga'] == 'std' else 'off'},memory-backend=pc.ram"
    cmd = ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-accel", "tcg",
           "-machine", machine, "-cpu", row["model"], "-smp", row.get("smp", str(row["cpus"])),
           "-m", str(row["memory"]), *row.get("extra", "").split(),
           # Terabytes, of which little is used.
           "-object", f"memory-backend-ram,id=pc.ram,size={row['memory']}M,reserve=off", "-vga", row["vga"], "-display", "none", "-cdrom", str(iso),
           "-boot", "d", "-serial", "file:com1.log",
           "-chardev", "socket,id=qmp,path=qmp.sock,server=on,wait=off", "-mon",
           "chardev=qmp,mode=control"]
    if row["firmware"] == "ovmf":
        cmd += ["-drive", f"if=pflash,format=raw,unit=0,readonly=on,file={emu.OVMF}"]
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "com1.log").write_text("")
    qemu = emu.Emulator(cmd, directory)
    try:
        end, text = time.monotonic() + TIMEOUT_S, ""
        while not text.endswith("\x1b[0m"):      # behind the last sentence
            if time.monotonic() > end or qemu.poll() is not None:
                raise RuntimeError("no report: " + text[-300:])
            time.sleep(0.1)
            text = (directory / "com1.log").read_text(errors="replace")
        qmp = Qmp(directory / "qmp.sock")
        view = {"cpus": qmp.cpus(), "memory": qmp.flat("memory"), "ports": qmp.flat("I/O"),
                "result": checks.last_sentence(checks.COLOUR.sub("", text)),
                "bytes": qmp.run("query-memory-size-summary")["base-memory"], "screen": None}
        if row["vga"] != "none":
            qmp.hmp("screendump screen.ppm")
            header = (directory / "screen.ppm").read_bytes()[:32].split()
            view["screen"] = (int(header[1]), int(header[2]))
    finally:
        qemu.kill()
    return machine_report.Report(text), view


# --- the comparisons: each yields complaints ------------------------------------------------------

def covered(base, end, ranges):
    """[base, end) lies in the union of sorted ranges."""
    for start, stop, *_ in sorted(ranges):
        if start <= base < stop:
            base = stop
    return base >= end


def check_frame(report, row, view):
    yield from report.errors
    if report.one("end").get("complete") != "yes":
        yield "the report is not complete"
    if report.one("begin").get("mode") != "dryrun":
        yield f"mode: {report.one('begin')}"
    if report.one("firmware").get("kind") != ("efi" if row["firmware"] == "ovmf" else "bios"):
        yield f"firmware: {report.one('firmware')}"
    if report.one("options").get("dryrun") != "on" or report.one("loader").get("modules") != "1":
        yield "options or modules"


def check_serial(report, row, view):
    if report.one("serial") != {"com1": "live", "com2": "unused"}:
        yield f"serial ports: {report.one('serial')}"


def check_cpus(report, row, view):
    want = sorted(cpu["apic-id"] for cpu in view["cpus"])
    if len(want) != row["cpus"]:
        yield f"QEMU has {want}"
    want = list(range(row["madt"])) if "madt" in row else want
    got = sorted(int(f["apic_id"]) for f in report.all("madt-cpu"))
    if got != want:
        yield f"APIC IDs {got}, QEMU has {want}"
    limit = int(row["options"].partition("=")[2]) if "options" in row else 256
    given = [id for id in want if id < 255][:limit]     # in xAPIC mode
    for f in report.all("madt-cpu"):
        id, why = int(f["apic_id"]), f.get("why", "")
        if (f["guest"] == "yes") != (id in given) or \
                why != "" and ("maxcpus=" in why) != (len(given) == limit):
            yield f"CPU {id}: {f}"
    # In a MADT of ours the CPUs that can be listed both ways are.
    disabled = [id for id in want if id not in given]
    entries = len(disabled) + sum("madt" in row and id < 255 for id in disabled)
    if report.one("madt").get("guest_cpus") != str(len(given)) or \
            report.one("madt").get("disabled") != str(entries):
        yield f"{report.one('madt')}, not {len(given)} of {len(want)} CPUs, {entries} disabled"
    cpu, boot_cpu = report.one("cpu"), view["cpus"][0]
    for name, text in (("family", str), ("model", hex), ("stepping", str), ("vendor", str)):
        if cpu.get(name) != text(boot_cpu[name]):
            yield f"CPU {name} {cpu.get(name)}, QEMU has {text(boot_cpu[name])}"


def check_requirements(report, row, view):
    states = report.states("require")
    missing = {name for name, state in states.items() if state == "missing"}
    known = {name for name, state in states.items() if state == "ok"}
    intel = INTEL.match(row["model"])
    want = {"vmx"} if intel else {"vendor", "vmx"}
    if missing != want:
        yield f"missing {sorted(missing)}, a {row['model']} lacks {sorted(want)}"
    if known != {"vendor", "vmx"} - want:
        yield f"ok {sorted(known)}"
    if len(states) < 30 or any("because" not in f for f in report.all("require")):
        yield f"the list of {len(states)} requirements is not complete"
    if report.one("vmx").get("readable") != "no":
        yield "VMX registers that do not exist were read"
    verdict = report.one("verdict")
    reason = "no VMX" if intel else "AuthenticAMD"
    if verdict.get("run") != "no" or reason not in verdict.get("reason", ""):
        yield f"verdict {verdict}"
    more = len(report.all("refusal")) + len(missing) - 2      # the first is one of both
    if view["result"] != f"RESULT: Kensho cannot run here: {verdict.get('reason')}" + (
            f"; and {more} more: see the report above" if more else ""):
        yield f"the last sentence: {view['result']}"
    if "; do this: start this virtual machine with VMX" not in view["result"]:
        yield f"what to do in a virtual machine does not come first: {view['result']}"


def check_memory(report, row, view):
    ram = [r for r in view["memory"] if r[3].startswith("pc.ram")]
    usable = [(base, end) for base, end, f in report.ranges("loader-map") if f["type"] == "ram"]
    for base, end in usable:
        if not covered(base, end, ram):
            yield f"usable {base:#x}-{end:#x} is no RAM of QEMU's"
    kept = view["bytes"] - sum(end - base for base, end in usable)
    if not 0 <= kept <= KEPT[row["firmware"]]:
        yield f"{kept >> 10} KiB of {view['bytes'] >> 20} MiB are not usable"
    for base, end, *_ in ram:
        if base >= 4 * GIB and (base, end) not in usable:
            yield f"RAM above 4 GiB {base:#x}-{end:#x} is not usable"
    region = report.one("region")
    base, end = int(region["base"], 16), int(region["end"], 16)
    if base % (2 * MIB) or end % (2 * MIB) or end > 4 * GIB or not covered(base, end, ram):
        yield f"region {base:#x}-{end:#x}"
    if not covered(base, end, usable):
        yield "the region was not usable memory"
    if f"{base:#x}" not in [f["fits_at"] for f in report.all("region-candidate")]:
        yield "no candidate is the region"
    guest = report.ranges("guest-map")
    if any(b < end and base < e for b, e, f in guest if f["type"] == "ram"):
        yield "the guest's map offers the region"
    if not covered(base, end, [r for r in guest if r[2]["type"] == "reserved"]):
        yield "the region is not reserved in the guest's map"
    left = sum(e - b for b, e, f in guest if f["type"] == "ram")
    if left != sum(e - b for b, e in usable) - (end - base):
        yield "the guest's map lacks other memory than the region"


def check_ept(report, row, view):
    ept = report.ranges("ept")
    region = report.one("region")
    hidden = [(int(region["base"], 16), int(region["end"], 16)), ONES]
    if report.one("ept-audit").get("result") != "ok":
        yield f"audit: {report.one('ept-audit')}"
    if ept[0][0] != 0 or any(a[1] != b[0] for a, b in zip(ept, ept[1:])):
        yield "the EPT ranges have gaps"
    for base, end, f in ept:
        ours = any(base < stop and start < end for start, stop in hidden)
        if ours != (f["maps"] == "ones") or ours and f["perms"] != "r--":
            yield f"EPT {base:#x}-{end:#x} maps {f['maps']} {f.get('perms')}"
    itself = [r for r in ept if r[2]["maps"] == "itself"]
    memory = [r for r in itself if r[2]["perms"] == "rwx" and r[2]["type"] == "WB"] + hidden[:1]
    device = [r for r in itself if r[2]["perms"].startswith("rw") and r[2]["type"] == "UC"]
    for base, end, f in report.ranges("loader-map"):
        if f["type"] == "ram" and not covered(base & -4096, end, memory):
            yield f"EPT: RAM {base:#x}-{end:#x} is not WB and executable"
    limits, bits = report.one("ept-limits"), min(view["cpus"][0]["phys-bits"], 48)
    limit = int(limits["mapped_to"], 16)
    if limits["phys_bits"] != str(bits) or int(limits["on_access_to"], 16) != 1 << bits or \
            not ept[-1][1] == limit <= 1 << bits:
        yield f"the CPU has {bits} address bits: {limits}"
    for base, end, kind, name in view["memory"]:
        # SeaBIOS' MTRRs leave the ECAM of q35 to the operating system.
        if MIB <= base < limit and (kind == "i/o" or name.startswith("vga.")) and \
                name != "pcie-mmcfg-mmio" and \
                not (ONES[0] <= base < ONES[1]) and \
                not covered(base & -4096, (end + 4095) & -4096, device):
            yield f"EPT: device {name} {base:#x}-{end:#x} is not UC"


def check_acpi(report, row, view):
    acpi = report.one("acpi")
    timer = [base for base, _, _, name in view["ports"] if name == "acpi-tmr"]
    if [int(acpi["pm_timer_port"], 16)] != timer:
        yield f"PM timer at {acpi['pm_timer_port']}, QEMU has {[hex(t) for t in timer]}"
    hpet = [base for base, _, _, name in view["memory"] if name == "hpet"] or [0]
    if int(acpi["hpet"], 16) != hpet[0]:
        yield f"HPET at {acpi['hpet']}, QEMU has {hpet[0]:#x}"
    if acpi["cpus"] != str(row.get("madt", row["cpus"])) or acpi["bad_checksums"] != "0":
        yield f"ACPI: {acpi}"
    signatures = {f["signature"] for f in report.all("acpi-table")}
    if not {"FACP", "APIC", "DSDT"} <= signatures or ("HPET" in signatures) != (hpet[0] != 0):
        yield f"tables {sorted(signatures)}"
    if ("DMAR" in signatures) != ("intel-iommu" in row.get("extra", "")):
        yield f"remapping of interrupts: {sorted(signatures)}"
    if int(acpi["dmar_flags"], 16) & 3 != ("DMAR" in signatures):
        yield f"remapping of interrupts: flags {acpi['dmar_flags']}"
    iommu, on = report.one("iommu"), str(row.get("remaps", 0))
    if iommu != {"units": str(int("DMAR" in signatures)), "translating": on,
                 "remapping_interrupts": on}:
        yield f"IOMMU: {iommu}"


def check_time(report, row, view):
    tsc = report.one("tsc")
    if tsc["measured_by"] != "PM timer" or tsc["used_hz"] != tsc["measured_hz"] or \
            not 10**8 <= int(tsc["used_hz"]) <= 10**10:
        yield f"TSC: {tsc}"
    if not 1 <= int(tsc["error_ppm"]) <= 1000:  # TCG's port reads are slow, its host is busy
        yield f"TSC's error: {tsc}"
    if int(tsc["cpuid_hz"]) == 0 and (tsc["deviation_ppm"] != "0" or tsc["cpuid_trusted"] != "no"):
        yield f"TSC without CPUID's word: {tsc}"
    if abs(int(report.one("clock")["unix"]) - time.time()) > 60:
        yield f"clock: {report.one('clock')}"


def check_screen(report, row, view):
    screen = report.one("framebuffer")
    if screen.get("kind") == "pixel" and \
            (int(screen["width"]), int(screen["height"])) != view["screen"]:
        yield f"framebuffer {screen}, QEMU's picture is {view['screen']}"
    if screen.get("kind") == "text" and view["screen"] not in (None, (720, 400), (640, 400)):
        yield f"text, but QEMU's picture is {view['screen']}"
    if row["vga"] == "none" and screen.get("kind") == "pixel":
        yield f"framebuffer {screen} without a graphics card"


CHECKS = (check_frame, check_serial, check_cpus, check_requirements, check_memory, check_ept, check_acpi,
          check_time, check_screen)


def check_refusal(report, row, view):
    verdict = report.one("verdict")
    if verdict.get("run") != "no" or row["refused"] not in verdict.get("reason", ""):
        yield f"verdict {verdict}"


def run(row, iso, directory):
    try:
        report, view = boot(row, iso, directory)
    except (RuntimeError, OSError) as err:
        return [str(err)]
    bad = []
    for check in (check_refusal,) if "refused" in row else CHECKS:
        try:
            bad += check(report, row, view)
        except (KeyError, ValueError, IndexError) as err:
            bad.append(f"{check.__name__}: {type(err).__name__} {err}")
    return bad


def named_rows(words):
    """{name: row}"""
    if "machines" in words:
        return {name: {**ORDINARY, **row} for name, row in MACHINES.items()
                if "nightly" in words or row.get("when") != "nightly"}
    rows = combinations() if "all" in words else table()
    for number, row in enumerate(rows):
        row["model"] = MODELS[number % len(MODELS)]
    return {"-".join(str(v) for v in row.values()): row for row in rows}


def make_iso(row, work):
    """The ISO that the row's machine starts; rows share one if they can."""
    differs = {key: row[key] for key in ("options", "madt", "grub", "after") if key in row}
    path = work / f"boot-{zlib.crc32(repr(differs).encode()):x}.iso"
    if path.exists():
        return path
    boot = mkiso.Boot(hv=f"dryrun {row.get('options', '')}".strip(),
                      modules=images.image("guest:suite", work, ""),
                      before=row.get("grub", "") + "\n", after=row.get("after", ""))
    if "madt" in row:
        table = work / "apic.aml"
        table.write_bytes(acpi_tables.madt(row["madt"], twice=True))
        boot.files["boot/apic.aml"] = table
        boot.before = "acpi --exclude=APIC /boot/apic.aml\n"
    return mkiso.make_iso(path, boot)


def main(argv):
    words = [a for a in argv if a in ("all", "machines", "nightly")]
    pattern = next((a for a in argv if a not in words), "")
    bad = missing_pairs(table())
    if bad:
        print("the table lacks", *bad)
        return 1
    work = pathlib.Path(os.environ.get("RUN_DIR", results.ROOT / "build/runs/report"))
    work.mkdir(parents=True, exist_ok=True)
    for iso in work.glob("*.iso"):      # of an older Kensho
        iso.unlink()
    ran = failed = 0
    for name, row in named_rows(words).items():
        if not re.search(pattern, name):
            continue
        ran += 1
        started = time.monotonic()
        complaints = run(row, make_iso(row, work), work / name)
        failed += bool(complaints)
        print(f"{'FAIL' if complaints else 'ok':4} {name} {time.monotonic() - started:.0f} s",
              *(f"\n     {text}" for text in complaints), flush=True)
    for iso in work.glob("*.iso"):
        iso.unlink()
    print(f"{ran} machines, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    results.process(lambda: main(sys.argv[1:]))
