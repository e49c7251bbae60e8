# SPDX-License-Identifier: BSD-2-Clause
"""What the demonstration guest shows, against what the row, the emulator's configuration, Linux'
headers and Kensho's log say."""

import pathlib
import re

import emu

KVM_PARA = pathlib.Path("/usr/include/x86_64-linux-gnu/asm/kvm_para.h")
# /proc/cpuinfo's names of bits whose places everybody knows: Intel SDM, CPUID, leaf 1.
EDX = {"fpu": 0, "tsc": 4, "msr": 5, "pae": 6, "apic": 9, "sse2": 26, "ht": 28}
ECX = {"pni": 0, "vmx": 5, "x2apic": 21, "aes": 25, "avx": 28, "hypervisor": 31}


def raw_leaf(text, leaf):
    found = re.search(rf"^cpuid {leaf:08x} 00: (\w+) (\w+) (\w+) (\w+)", text, re.M)
    return [int(word, 16) for word in found.groups()] if found else [0] * 4


def words(text, heading):
    return set(" ".join(re.findall(rf"^{heading}:((?: .*\n)(?:    .*\n)*)", text, re.M)).split())


def cpuid(text, kvm):
    bad = []
    vendor = b"".join(word.to_bytes(4, "little") for word in
                      (raw_leaf(text, 0)[i] for i in (1, 3, 2)))
    if vendor != b"GenuineIntel" or "vendor GenuineIntel," not in text:
        bad.append(f"vendor: {vendor}")
    _, _, ecx, edx = raw_leaf(text, 1)
    shown = words(text, "features")
    for names, bits in ((EDX, edx), (ECX, ecx)):
        bad += [f"feature {name}: bit and name differ" for name, at in names.items()
                if (bits >> at & 1) != (name in shown)]
    features = {name.lower().replace("_", "-"): int(bit) for name, bit in
                re.findall(r"#define KVM_FEATURE_(\w+)\s+(\d+)\s", KVM_PARA.read_text())}
    eax = raw_leaf(text, 0x40000001)[0] if kvm else 0
    want = {name.replace("-bit", "") for name, bit in features.items() if eax >> bit & 1}
    if words(text, "KVM features") != want:
        bad.append(f"KVM features: {words(text, 'KVM features')}, the header says {want}")
    return bad


def memory(run, text, kensho):
    """All RAM that the emulator has, less Kensho's region and what the firmware keeps."""
    ranges = [(int(a, 16), int(b, 16) + 1, kind) for a, b, kind in
              re.findall(r"^(\w{16})-(\w{16}) (RAM|reserved|ACPI)", text, re.M)]
    ram = sum(end - start for start, end, kind in ranges if kind == "RAM")
    region = re.search(r"region: (\d+) MiB at ([0-9a-f]+)", run.text("com2"))
    size, bad = int(run.row["memory"]) << 20, []
    ours = int(region[1]) << 20 if kensho else 0
    if not size - ours - (1 << 20) < ram < size - ours:
        bad.append(f"RAM in the map: {ram} bytes")
    marked = re.findall(r"^(\w{16})-(\w{16}) reserved +<- Kensho itself", text, re.M)
    want = [(f"{int(region[2], 16):016x}", f"{int(region[2], 16) + ours - 1:016x}")] \
        if kensho else []
    if marked != want:
        bad.append(f"marked as Kensho: {marked}, the log says {want}")
    return bad


def clocks(text, kvm):
    """One second of the emulator's RTC is `ips` instructions, and as many TSC ticks."""
    bad = []
    for name, want in (("TSC", emu.IPS_RUN), ("kvmclock", 10**9), ("ACPI PM timer", 3579545)):
        found = re.search(rf"^  {name} +(\d+) ", text, re.M)
        if name == "kvmclock" and not kvm:
            if found:
                bad.append("kvmclock: it is not in this partition")
        elif not found or abs(int(found[1]) - want) > want // 1000:
            bad.append(f"{name}: {found and found[1]} in a second, want {want}")
    wall = re.search(r"^wall clock +it was (\d+) s after 1970", text, re.M)
    if kvm and not (wall and 0 <= int(wall[1]) - 1_700_000_000 < 60):
        bad.append(f"wall clock: {wall and wall[1]}")
    return bad


def processors(run, text):
    cpus = int(run.row["cpus"])
    found = re.findall(r"^CPU (\d+): APIC ID (\d+),", text, re.M)
    bad = [] if f"CPUs: {cpus} answer; the firmware's MADT has {cpus} enabled" in text else \
        ["not all CPUs answered"]
    if sorted(int(apic) for _, apic in found) != list(range(cpus)):
        bad.append(f"APIC IDs: {found}")
    return bad


def costs(text, kvm, cpus):
    names = ["reading the TSC", "CPUID", "IPI to itself, until handled"]
    names += ["RDMSR of kvmclock's address", "VMCALL, unknown hypercall"] if kvm else []
    names += ["IPI to CPU 1, which sleeps"] if cpus > 1 else []
    bad = []
    for name in names:
        found = re.search(rf"^{re.escape(name)} +min +(\d+)  median +(\d+)", text, re.M)
        if not found or not 0 < int(found[1]) <= int(found[2]):
            bad.append(f"cost of {name}: {found and found.groups()}")
    return bad


def counters(text, kvm, cpus):
    """The IPIs that were sent to measure them were counted; the hypervisor wrote the steal time."""
    page = text.partition("== counters")[2]
    sent = 65 * min(cpus, 2)
    ipis = re.search(r"^IPIs handled so far, all CPUs +(\d+)$", page, re.M)
    steal = re.search(r"^steal time, CPU 0 +\d+ ns, version (\d+)$", page, re.M)
    bad = [] if ipis and int(ipis[1]) == sent else [f"IPIs: {ipis}, sent {sent}"]
    if kvm != bool(steal) or steal and (int(steal[1]) == 0 or int(steal[1]) % 2 != 0):
        bad.append(f"steal time: {steal and steal[0]}")
    return bad


def demo_facts(run):
    text = run.text("com1").replace("\r", "").partition("== summary")[2]
    kensho = run.row.get("bare") != "yes"
    kvm = kensho and "kvm=off" not in run.row["hv"] and "profile=bare" not in run.row["hv"]
    return (cpuid(text, kvm) + memory(run, text, kensho) + clocks(text, kvm) +
            processors(run, text) + costs(text, kvm, int(run.row["cpus"])) +
            counters(text, kvm, int(run.row["cpus"])))


def demo_picture(run):
    """The picture shows the first page of what COM1 said, to the last character, and nothing else."""
    pages = re.split(r"^== (.*)\n", run.text("com1").replace("\r", ""), flags=re.M)[1:]
    rows, _ = run.picture_rows
    if not pages or len(rows) < 25:
        return [f"{len(pages)} pages on COM1, {len(rows)} lines on the screen"]
    title = re.escape(f"Kensho demonstration guest, page 1 of @: {pages[0]}").replace("@", r"\d+")
    want = [line[:80].rstrip() for line in (pages[1].rstrip("\n").split("\n") + [""] * 23)[:23]]
    bad = [] if re.fullmatch(" " + title, rows[0]) else [f"title: {rows[0]!r}"]
    bad += [f"screen row {i}: {got!r}, not {line!r}"
            for i, (got, line) in enumerate(zip(rows[1:], want), 1) if got != line]
    if not re.fullmatch(r" up \d+ s( by kvmclock)? \| space, b: next, last page \| r: reboot \| p: "
                        "power off", rows[24]):
        bad.append(f"status line: {rows[24]!r}")
    return bad + [f"below the page: {row!r}" for row in rows[25:] if row]
