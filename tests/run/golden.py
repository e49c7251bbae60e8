# SPDX-License-Identifier: BSD-2-Clause
"""What Kensho shows against what QEMU on KVM showed for the same cpu=: tests/golden/{cpuid,msr}.tsv.

The guest prints lines `# cpuid LEAF SUBLEAF EAX EBX ECX EDX` and `# msr INDEX VALUE|#GP`. Golden XOR
ours must be exactly docs/golden-differences.tsv: what is not listed there fails, and so does what is
listed and no difference any more. What only one of them has counts, too: a leaf that is not there is
0, an MSR #GP.
"""

import re

import results

REGISTERS = ("eax", "ebx", "ecx", "edx")
ANY = "*"               # bits of a line: the machine's own value, whatever it is
ACCESS = "access"       # register of an MSR that one side reads and the other answers with #GP
NO_LEAF, NO_MSR = (0, 0, 0, 0), "#GP"
LISTED = "docs/golden-differences.tsv"


def rows(path):
    for line in (results.ROOT / path).read_text().splitlines():
        if line and not line.startswith("#"):
            yield line.split("\t")


def golden(setting):
    """({(leaf, subleaf): [register values]}, {msr: "#GP", "linux" or value})"""
    cpuid = {(r[1], r[2]): [int(x, 16) for x in r[3:]]
             for r in rows("tests/golden/cpuid.tsv") if r[0] == setting}
    msr = {r[1]: r[2] for r in rows("tests/golden/msr.tsv") if r[0] == setting}
    return cpuid, msr


def ours(text):
    cpuid = {(m[1], m[2]): [int(x, 16) for x in m[3].split()] for m in
             re.finditer(r"^# cpuid (\w{8}) (\w+)((?: \w{8}){4})\s*$", text, re.M)}
    msr = dict(re.findall(r"^# msr (\w{8}) (#GP|\w{16})\s*$", text, re.M))
    return cpuid, msr


def settings():
    return {row[0] for row in rows("tests/golden/cpuid.tsv")}


def listed(setting):
    """{(leaf, register, bit)}; the bits of a line are "3", "4-7", several of these with commas, or ANY."""
    out = set()
    for where, leaf, register, bits, reason in rows(LISTED):
        names = settings() if where == "all" else set(where.split(","))
        if not names <= settings() or not reason:
            raise ValueError(f"{LISTED}: {where} {leaf} {register}: no such setting, or no reason")
        if setting not in names:
            continue
        if bits == ANY:
            out.add((leaf, register, ANY))
            continue
        for part in bits.split(","):
            first, _, last = part.partition("-")
            out |= {(leaf, register, bit)
                    for bit in range(int(first), int(last or first) + 1)} if first else \
                   {(leaf, register, None)}
    return out


def set_bits(leaf, register, value):
    return {(leaf, register, bit) for bit in range(64) if value >> bit & 1}


def differences(theirs, mine):
    out = set()
    for leaf in {*theirs[0], *mine[0]}:
        for register, a, b in zip(REGISTERS, theirs[0].get(leaf, NO_LEAF), mine[0].get(leaf, NO_LEAF)):
            out |= set_bits(leaf[0], register, a ^ b)
    for msr in {*theirs[1], *mine[1]}:
        want, got = theirs[1].get(msr, NO_MSR), mine[1].get(msr, NO_MSR)
        if NO_MSR in (want, got):
            out |= {(f"msr {msr}", ACCESS, None)} if want != got else set()
        elif want != "linux":
            out |= set_bits(f"msr {msr}", "value", int(want, 16) ^ int(got, 16))
    return out


def spell_out(known, found):
    """@known with the bits of @found that its lines with ANY stand for."""
    own = {(leaf, register) for leaf, register, bit in known if bit == ANY}
    bits = {d for d in found if d[:2] in own}
    return {d for d in known if d[2] != ANY or d[:2] not in {b[:2] for b in bits}} | bits


def compare(text, setting):
    theirs, mine = golden(setting), ours(text)
    bad = [f"the guest did not print {key}" for want, got in zip(theirs, mine)
           for key in want if key not in got]
    found = differences(theirs, mine)
    known = spell_out(listed(setting), found)
    say = "{0[0]} {0[1]} bit {0[2]}".format
    bad += [f"differs from KVM and is not in {LISTED}: {say(d)}"
            for d in sorted(found - known, key=str)]
    bad += [f"in {LISTED} and no difference: {say(d)}" for d in sorted(known - found, key=str)]
    return bad
