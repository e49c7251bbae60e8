#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""What a VM exit executes with each mitigations= setting (rule P4), as Bochs' debugger lists it.

The first exit of the boot, whose HOST_RIP is another one, and a CPUID exit of a guest that loops:
every instruction from VM exit to VMRESUME. Only instructions that run count, not what the image has
at some address.
"""

import os
import pathlib
import re
import subprocess
import sys

import results

sys.path.insert(0, str(results.ROOT / "tools"))
import emu  # noqa: E402
import mkiso  # noqa: E402

DIR = pathlib.Path(os.environ.get("RUN_DIR", results.ROOT / "build/runs/mitigation/run"))
LOOPS_AT = 150_000_000          # ticks: the guest has long been looping
FILLED = 32                     # entries of the return stack buffer
TIMEOUT_S = 100
SETTINGS = {"off": "", "auto": "retpoline rsb-fill", "all": "retpoline rsb-fill verw"}


def address(name):
    text = subprocess.run(["nm", str(mkiso.HV_ELF)], check=True, text=True,
                          stdout=subprocess.PIPE).stdout
    return int(re.search(rf"^(\w+) \w {name}$", text, re.M)[1], 16)


def resume_address():
    text = subprocess.run(["objdump", "-d", "--no-show-raw-insn", str(mkiso.HV_ELF)], check=True,
                          text=True, stdout=subprocess.PIPE).stdout
    text = text.partition("<vmenter_verw_resume>:")[2]  # the self test has a VMRESUME of its own
    return int(re.search(r"^([0-9a-f]+):\s+vmresume", text, re.M)[1], 16)


def listings(setting):
    """([(address, text)] of the first exit, the same of a later one, bytes of the VMLAUNCH site)"""
    where = DIR / setting
    where.mkdir(parents=True, exist_ok=True)
    guest = mkiso.Module(results.ROOT / "build/guest/suite.elf", "guest", "test=crash_wait")
    iso = mkiso.make_iso(where / "boot.iso", mkiso.Boot(
        hv=f"log=com2 apicv=off mitigations={setting}", modules=[guest]))
    one = "trace on\nc\ntrace off\n"
    machine = emu.Machine(dir=where, iso=iso, debugger="".join((
        "vmexitbp\nc\n", f"lb 0x{resume_address():x}\n", one,
        f"x /7bx 0x{address('vmenter_verw_launch'):x}\n", "d 1\nvmexitbp\n",
        f"sb {LOOPS_AT}\nc\nvmexitbp\nc\n", f"lb 0x{resume_address():x}\n", one, "q\n")))
    emulator = emu.Emulator(emu.bochs_command(machine), where)
    try:
        emulator.proc.wait(TIMEOUT_S)
    finally:
        emulator.kill()
    text = (where / "emulator.out").read_text(errors="replace")
    parts = text.split("Caught VMEXIT")
    if len(parts) != 3:
        raise AssertionError(f"{setting}: {len(parts) - 1} exits caught, see {where}/emulator.out")
    lists = [[(int(at, 16), insn.strip()) for at, insn in re.findall(
        r"^\(0\)\.\[\d+\] \[0x\w+\] \w+:(\w+) \([^)]*\): (.*?)\s*;", part, re.M)]
        for part in parts[1:]]
    site = re.search(r"^\[bochs\]:\n0x\w+ <[^>]*>:((?:[ \t]+0x\w\w){7})", parts[1], re.M)
    return lists[0], lists[1], bytes(int(b, 16) for b in site[1].split()) if site else b""


def filled(insns):
    """CALLs to the instruction behind their INT3, from the first, before anything returns."""
    count = 0
    for i, (at, text) in enumerate(insns):
        if text.startswith("ret"):
            break
        if text.startswith("call") and i + 1 < len(insns) and insns[i + 1][0] == at + 6:
            count += 1
        elif text.startswith("call"):
            break
        elif text == "lfence":
            return count
    return 0


def check(setting, insns, first):
    want, bad = SETTINGS[setting], []
    if insns and insns[-1][1].startswith("vmresume"):
        insns = insns[:-1]      # the debugger lists it or not
    texts = [text for _, text in insns]
    thunks = range(address("thunk_table"), address("thunk_table") + 16 * 32)
    indirect = [t for at, t in insns if re.match(r"(jmp|call) (qword|r\w\w?\b)", t)]
    thunked = [t.split()[0] for at, t in insns if at in thunks]
    if len(insns) < 50 or insns[-1][0] + 7 != resume_address():
        bad.append(f"{len(insns)} instructions, the last one {insns[-1:]}")
    if filled(insns) != (FILLED if "rsb-fill" in want or first else 0):
        bad.append(f"{filled(insns)} entries of the return stack filled before the first return")
    if not thunked:
        bad.append("no indirect branch at all: nothing was tested")
    if "retpoline" in want:
        if indirect:
            bad.append(f"indirect branches: {indirect}")
        if thunked[:3] != ["call", "mov", "ret"]:
            bad.append(f"the thunk runs {thunked[:3]}")
    elif thunked != ["jmp"] * len(thunked):
        bad.append(f"the plain thunk runs {thunked}")
    verw = [i for i, t in enumerate(texts) if t.startswith("verw")]
    if verw != ([len(texts) - 1] if "verw" in want else []):
        bad.append(f"VERW is instruction {verw} of {len(texts)}")
    return [f"{setting}, {'first' if first else 'CPUID'} exit: {text}" for text in bad]


def main():
    bad = []
    for setting, want in SETTINGS.items():
        first, later, site = listings(setting)
        bad += check(setting, first, True) + check(setting, later, False)
        if (site[:3] == b"\x0f\x00\x2d") != ("verw" in want):
            bad.append(f"{setting}: before VMLAUNCH stand {site.hex()}")
        print(f"{setting}: {len(later)} instructions from VM exit to VMRESUME")
    print("\n".join(bad))
    return 1 if bad else 0


if __name__ == "__main__":
    results.process(lambda: main())
