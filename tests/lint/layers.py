# SPDX-License-Identifier: BSD-2-Clause
"""Layer edges: which folder may include headers of which (CONTRIBUTING.md), and inside core which
floor stands on which.

`*_internal.h` stays in its folder, and outside tests only the freestanding C headers exist.
"""

import re

import sources

# What an ABI is made of.
HV_SEAM = ["core", "hv/feature.h", "hv/hv.h", "hv/hcall.h", "hv/hcall_mem.h"]

# layer: what it may include besides its own folder, core/lib and arch/x86/defs
EDGES = {
    "core/lib": [],
    "arch/x86/defs": [],
    # Names only: an ABI owns what it counts and its options.
    "core": ["hv/counters.def", "hv/config.def", "hv/settings.def"],
    # The port it implements, and what stubs and dumps hand to the machine model.
    "arch/x86": ["core/hw.h", "core/config.h", "core/diag/log.h", "core/diag/panic.h",
                 "core/vp/vp.h", "core/apic/irq_fwd.h", "core/surface/msr_values.h"],
    "drivers": ["core/hw.h", "core/diag/log.h", "core/time/tick.h", "arch/x86"],
    "hv/kvm": HV_SEAM,
    "hv/hyperv": [*HV_SEAM, "hv/nested"],
    "hv/nested": HV_SEAM,
    "hv": ["core", "hv/kvm", "hv/hyperv", "hv/nested"],
    "boot": ["core", "arch/x86", "drivers", "hv", "boot/load", "boot/acpi", "boot/option",
             "hv/hyperv/syndbg.h"],     # it hands a driver over
    # Parsers of foreign bytes: pure, like core.
    "boot/load": ["core", "boot/acpi"],
    "boot/acpi": ["core"],
    # cpu= and profile= are the features of the ABIs.
    "boot/option": ["core", "hv/feature.h", "hv/hv.h", "hv/settings.def", "hv/kvm/kvm.h",
                    "hv/hyperv/hyperv.h"],
    # A guest: of the hypervisor it takes pure code (the parser of ACPI tables, text on a
    # framebuffer) and the names of multiboot 2 and KVM.
    "guests/demo": ["boot/acpi/acpi.h", "boot/load/boot_info.h", "boot/load/framebuffer.h",
                    "boot/load/mb2_abi.h", "drivers/fb_text.h", "hv/kvm/kvm_abi.h"],
}
LEAVES = ("core/lib", "arch/x86/defs")

# Inside core, from the ground up: a folder includes headers of its own floor and of those below.
FLOORS = ["lib", "diag", "time", "mem", "surface", "apic", "vp", "emul", "dev", "task", "exit",
          "mon"]
# The nouns that every floor talks about: the port, the partition, a VP, what a
# handler answers. What *they* are made of is not an edge.
NOUNS = {"core/hw.h", "core/config.h", "core/config.def", "core/partition.h", "core/partition.c",
         "core/vp/vp.h", "core/vp/exit_info.h"}
# Steps up that are left. The list only gets shorter; a new one needs a better cut instead.
CLIMBS = {
    ("core/apic/vlapic_icr.c", "core/vp/event.h"),
    ("core/mem/mtrr.c", "core/vp/guest_cr.h"),
    ("core/mem/mtrr.h", "core/surface/msr.h"),
}
# What only an ABI's files name, comments included. KVM as a peer of Kensho is none of it.
ABI_WORDS = re.compile(r"pvclock|kvmclock|\bKVM_|MSR_KVM|\bPV EOI|\bHV_|HV_X64|Hyper-V|\bTLFS\b")
FREESTANDING = {"stdarg.h", "stdbool.h", "stddef.h", "stdint.h", "limits.h"}
GENERATED = {"build/asm_offsets.h"}


def layer(path):
    fits = [name for name in EDGES if path.startswith(name + "/")]
    return max(fits, key=len) if fits else None


def allowed(src, header):
    src_layer, dst_layer = layer(src), layer(header)
    if dst_layer in (src_layer, *LEAVES) or header in EDGES[src_layer]:
        return True
    return dst_layer in EDGES[src_layer]


def check_include(src, header, system):
    if layer(src) is None:
        return None             # tests include what they like
    if system:
        return None if header in FREESTANDING else f"<{header}> is not freestanding C"
    if header in GENERATED:
        return None
    if layer(header) is None:
        return f'"{header}" does not start at the repository root, or belongs to no layer'
    if header.endswith("_internal.h") and header.rsplit("/", 1)[0] != src.rsplit("/", 1)[0]:
        return f"{header} is internal to its folder"
    if not allowed(src, header):
        return f"{layer(src)} must not include {header}"
    return None


def floor(path):
    """Of a file of core; None: a noun, or not in core."""
    parts = path.split("/")
    return None if parts[0] != "core" or path in NOUNS else FLOORS.index(parts[1])


def check_climb(src, header, seen):
    here, there = floor(src), floor(header)
    if here is None or there is None or there <= here:
        return None
    seen.add((src, header))
    return None if (src, header) in CLIMBS else \
        f"core/{FLOORS[here]} stands below core/{FLOORS[there]} and must not include {header}"


def check(files):
    bad, seen = [], set()
    for path in files:
        if path.suffix not in (".c", ".h", ".S", ".def"):
            continue
        for number, line in enumerate(sources.text(path).splitlines(), 1):
            found = re.match(r'\s*#\s*include\s*([<"])([^">]+)[">]', line)
            problem = found and (check_include(str(path), found[2], found[1] == "<") or
                                 check_climb(str(path), found[2], seen))
            abi = str(path).startswith("core/") and ABI_WORDS.search(line)
            if abi:
                problem = f"core does not know an ABI's \"{abi[0]}\""
            if problem:
                bad.append(f"{path}:{number}: {problem}")
    bad += [f"tests/lint/layers.py: {src} no longer includes {header}: shorten CLIMBS"
            for src, header in sorted(CLIMBS - seen)]
    return bad
