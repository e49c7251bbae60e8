# SPDX-License-Identifier: BSD-2-Clause
"""The part of bench.py that counts what an operation costs when Kensho itself runs in KVM.

There each exit of the guest is two of the outer hypervisor, the exit and the VM entry that Kensho
answers with, and so is, once, what Kensho executes in between and KVM intercepts. Bochs has no
nesting, but its debugger lists every instruction between two magic breakpoints of
tests/guest/bench/bench_outer.c, with registers and memory accesses: counted are

  VMRESUME, VMLAUNCH    2
  VMREAD and VMWRITE    1, unless the field is in the shadow VMCS that KVM gives its guests
  RDMSR and WRMSR       1, unless KVM lets the register through (with APIC virtualization)
  IN, OUT               1
  what always exits     1: CPUID, HLT, INVEPT, INVVPID, VMPTRLD, VMCLEAR, XSETBV, WBINVD
  local and I/O APIC    1 for an access to their pages, as if it were the x2APIC MSR, the physical
                        APIC's mode in KVM

The list itself goes to build/bench/NAME/outer.txt. Not counted: PAUSE, which KVM intercepts once in
some thousand, and what the guest's own instructions cost KVM, which is the same without Kensho.
"""

import re
import statistics

import bench_machine
import mkiso
import results

FIELDS = results.ROOT / "arch/x86/defs/vmcs_fields.def"
SETTINGS = {"outer": "mitigations=off apicv=off", "outer_vid": "mitigations=off apicv=on"}
SEGMENTS = 60           # more than there are; the machine is off by then
HYPERVISOR = 1 << 63    # its addresses have this bit, the benchmark guest's do not

# Linux 6.12, arch/x86/kvm/vmx/vmcs_shadow_fields.h. Read-only: a VMWRITE of them exits.
SHADOWED_READ = set("""EXIT_REASON VM_EXIT_INTR_INFO VM_EXIT_INSTRUCTION_LENGTH IDT_VECTORING_INFO
    IDT_VECTORING_ERROR_CODE VM_EXIT_INTR_ERROR_CODE GUEST_CS_AR GUEST_SS_AR EXIT_QUALIFICATION
    GUEST_LINEAR_ADDRESS GUEST_PHYSICAL_ADDRESS""".split())
SHADOWED = set("""GUEST_INTERRUPT_STATUS PML_INDEX HOST_FS_SELECTOR HOST_GS_SELECTOR PROC_BASED_CTLS
    PIN_BASED_CTLS EXCEPTION_BITMAP VM_ENTRY_EXCEPTION_ERROR_CODE VM_ENTRY_INTR_INFO
    VM_ENTRY_INSTRUCTION_LENGTH TPR_THRESHOLD GUEST_INTERRUPTIBILITY VMX_PREEMPTION_TIMER_VALUE
    GUEST_RIP GUEST_RSP GUEST_CR0 GUEST_CR3 GUEST_CR4 GUEST_RFLAGS CR0_GUEST_HOST_MASK
    CR0_READ_SHADOW CR4_READ_SHADOW HOST_FS_BASE HOST_GS_BASE""".split())

# Linux 6.12, vmx_possible_passthrough_msrs and vmx_update_msr_bitmap_x2apic(). TMCCT is computed.
X2APIC, TMCCT, TPR, EOI, SELF_IPI = range(0x800, 0x900), 0x839, 0x808, 0x80b, 0x83f
PASSED = {0x10, 0x48, 0x49, 0x10b, 0x174, 0x175, 0x176, 0xc0000100, 0xc0000101, 0xc0000102}
PASSED_READ = PASSED | set(X2APIC) - {TMCCT}
PASSED_WRITE = PASSED - {0x10} | {TPR, EOI, SELF_IPI}

ALWAYS = {"cpuid", "hlt", "invept", "invvpid", "vmptrld", "vmclear", "xsetbv", "wbinvd"}
LAPIC_PAGE, IOAPIC_PAGE = 0xfee00, 0xfec00

REGISTERS = re.compile(r"^(r\w+) ?: (\w{8})_(\w{8})$")
MEMORY = re.compile(r"^\[CPU\d (RD|WR|RW)\]: LIN \S+ PHY 0x(\w+)")
INSTRUCTION = re.compile(r"^\(\d\)\.\[\d+\] \[\S+\] \w+:(\w+) \(.*?\): (\w+) ?(.*?)\s*;")


def field_names():
    found = re.findall(r"^X\((\w+),\s*(0x\w+)", FIELDS.read_text(), re.M)
    return {int(code, 16): name for name, code in found}


def register(regs, name):
    """The value of a register operand of VMREAD or VMWRITE, which only have these."""
    name = name.strip()
    if name.startswith("e"):
        name = "r" + name[1:]
    return regs[name.removesuffix("d")] & 0xffff


def apic_access(kind, address):
    """A memory access, as the MSR access that it would be: (text, outer exits)."""
    if address >> 12 == IOAPIC_PAGE:
        return f"{kind} I/O APIC {address & 0xfff:x}", 1
    if address >> 12 != LAPIC_PAGE:
        return None
    msr = X2APIC.start + (address >> 4 & 0xff)
    free = PASSED_READ if kind == "RD" else PASSED_WRITE
    return f"{kind} local APIC {msr:x}", int(msr not in free)


def instruction(regs, name, operands, fields):
    """An instruction of the hypervisor: (text, outer exits), None if KVM has nothing to do with it."""
    if name in ("vmread", "vmwrite"):
        target, source = operands.split(",")
        field = fields[register(regs, source if name == "vmread" else target)]
        free = SHADOWED | SHADOWED_READ if name == "vmread" else SHADOWED
        return f"{name} {field}", int(field not in free)
    if name in ("rdmsr", "wrmsr"):
        msr = regs["rcx"] & 0xffffffff
        return f"{name} {msr:x}", int(msr not in (PASSED_READ if name == "rdmsr" else PASSED_WRITE))
    if name in ("vmresume", "vmlaunch"):
        return name, 2
    if name in ("in", "out"):
        return f"{name} {operands}, DX {regs['rdx'] & 0xffff:x}", 1
    return (name, 1) if name in ALWAYS else None


def segment(text, fields):
    """[(text, outer exits)] of what lies between two breakpoints, on all CPUs."""
    regs, found = {}, []
    for line in text.splitlines():
        if match := REGISTERS.match(line):
            regs[match[1]] = int(match[2] + match[3], 16)
        elif match := MEMORY.match(line):
            found.append(apic_access(match[1], int(match[2], 16)))
        elif (match := INSTRUCTION.match(line)) and int(match[1], 16) & HYPERVISOR:
            found.append(instruction(regs, match[2], match[3], fields))
    return [entry for entry in found if entry is not None]


def debugger_script():
    # Memory accesses only between breakpoints: it would print them from reset on.
    pair = "c\ntrace-mem on\ntrace on\nc\ntrace off\ntrace-mem off\n"
    return "trace-reg on\n" + pair * SEGMENTS


def run(prefix, hv, cpus):
    """{operation: outer exits on CPU 0}"""
    name = f"{prefix}-{cpus}"
    print(f"  bench   outer exits, {hv}, {cpus} CPU{'s' if cpus > 1 else ''}", flush=True)
    guest = results.ROOT / "build/guest/bench.elf"
    boot = mkiso.Boot(hv=hv, modules=[mkiso.Module(guest, "guest", "outer=1")])
    machine = bench_machine.create(name, boot, cpus=cpus, debugger=debugger_script(),
                                   extra="magic_break: enabled=1")
    output = bench_machine.finish(machine)
    com1 = (machine.dir / "com1.log").read_text(errors="replace")
    if wrong := re.search(r"^# WRONG: (.*)", com1, re.M):
        raise RuntimeError(f"{name}: {wrong[1]}")
    names = re.findall(r"^outer (\S+)", com1, re.M)
    parts = re.findall("^Tracing enabled for CPU0$(.*?)^Tracing disabled for CPU0$", output,
                       re.M | re.S)
    if not names or len(names) != len(parts):
        raise RuntimeError(f"{name}: {len(parts)} traces of {len(names)} operations: see "
                           f"{machine.dir}/emulator.out")
    fields, counts = field_names(), {}
    with open(machine.dir / "outer.txt", "w") as out:
        for operation, text in zip(names, parts):
            entries = segment(text, fields)
            counts.setdefault(operation, []).append(sum(exits for _, exits in entries))
            out.write(f"{operation}\n" + "".join(f"{exits:>4} {what}\n" for what, exits in entries))
    (machine.dir / "emulator.out").unlink()     # tens of megabytes
    return {operation: statistics.median(values) for operation, values in counts.items()}


def outer():
    rows = []
    for prefix, hv in SETTINGS.items():
        found = run(prefix, hv, 2) | run(prefix, hv, 1)
        rows += [(f"{prefix}_{name}", "kensho", count, "exits") for name, count in found.items()]
    return rows
