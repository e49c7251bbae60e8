# SPDX-License-Identifier: BSD-2-Clause
"""What Kensho counted, against what the guest did."""

import re


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


def our_counters(run):
    """Timer and device interrupts as counted by Kensho, printed at guest end."""
    seen = counters(run.text("com2"))
    bad = []
    for name, least in (("IRQ_EDGE", 1000), ("IRQ_INJECTED", 1500), ("TIMER_FIRED", 100),
                        ("EOI", 1000)):
        if seen.get(name, 0) < least:
            bad.append(f"counter {name}: got {seen.get(name)}, want at least {least}")
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


def started_three_times(run):
    """By the boot, and twice more: plugged in again, or by the next kernel."""
    return vp_starts(run, 3)


def started_four_times(run):
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
