# SPDX-License-Identifier: BSD-2-Clause
"""Layer edges: which folder may include headers of which (README "Layers").

`*_internal.h` stays in its folder, and outside tests only the freestanding C headers exist.
"""

import re

import sources

# layer: what it may include besides its own folder, core/lib and arch/x86/defs
EDGES = {
    "core/lib": [],
    "arch/x86/defs": [],
    "core": [],
    # The port it implements, and what stubs and dumps hand to the machine model.
    "arch/x86": ["core/hw.h", "core/diag/log.h", "core/vp/vp.h", "core/apic/irq_fwd.h"],
    "drivers": ["core/hw.h", "core/diag/log.h", "arch/x86"],
    "hv/kvm": ["core", "hv/hv.h"],
    "hv/hyperv": ["core", "hv/hv.h", "hv/nested"],
    "hv/nested": ["core", "hv/hv.h"],
    "hv": ["core", "hv/kvm", "hv/hyperv", "hv/nested"],
    "boot": ["core", "arch/x86", "drivers", "hv", "boot/load", "boot/acpi", "boot/option"],
    # Parsers of foreign bytes: pure, like core.
    "boot/load": ["core", "boot/acpi"],
    "boot/acpi": ["core"],
    "boot/option": ["core"],
    # A guest: of the hypervisor it takes pure code (the parser of ACPI tables, text on a
    # framebuffer) and KVM's names.
    "guests/demo": ["boot/acpi/acpi.h", "boot/load/boot_info.h", "boot/load/framebuffer.h",
                  "drivers/fb_text.h", "hv/kvm/kvm_abi.h"],
}
LEAVES = ("core/lib", "arch/x86/defs")
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


def check(files):
    bad = []
    for path in files:
        if path.suffix not in (".c", ".h", ".S", ".def"):
            continue
        for number, line in enumerate(sources.text(path).splitlines(), 1):
            found = re.match(r'\s*#\s*include\s*([<"])([^">]+)[">]', line)
            problem = found and check_include(str(path), found[2], found[1] == "<")
            if problem:
                bad.append(f"{path}:{number}: {problem}")
    return bad
