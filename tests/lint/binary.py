# SPDX-License-Identifier: BSD-2-Clause
"""Checks on what was built: the image's segments, and what pure objects call."""

import re
import struct
import subprocess
import tempfile

import sources

ELF = sources.ROOT / "build/kensho.elf"
PT_LOAD, PF_X, PF_W = 1, 1, 2
LOAD_MAX = 512 << 10
# What the compiler calls by itself.
COMPILER = re.compile(r"mem(cpy|move|set|cmp)|__stack_chk_(fail|guard)|__x86_\w+|"
                      r"_GLOBAL_OFFSET_TABLE_")
# Data the composition root provides.
FROM_BOOT = {"kensho_version"}


def segments():
    """[(type, flags, filesz, memsz)] of the hypervisor image."""
    data = ELF.read_bytes()
    phoff, = struct.unpack_from("<Q", data, 32)
    size, count = struct.unpack_from("<HH", data, 54)
    out = []
    for i in range(count):
        kind, flags, _, _, _, filesz, memsz, _ = struct.unpack_from("<2I6Q", data, phoff + i * size)
        out.append((kind, flags, filesz, memsz))
    return out


def load_bytes():
    return sum(filesz for kind, _, filesz, _ in segments() if kind == PT_LOAD)


def wx(_files):
    if not ELF.exists():
        return [f"{ELF.relative_to(sources.ROOT)} was not built"]
    loads = [s for s in segments() if s[0] == PT_LOAD]
    bad = [f"segment {i} is writable and executable" for i, s in enumerate(loads)
           if s[1] & PF_X and s[1] & PF_W]
    if len(loads) != 4:
        bad.append(f"{len(loads)} PT_LOADs, not 4 (text, rodata, data, bss)")
    if load_bytes() > LOAD_MAX:
        bad.append(f"PT_LOADs hold {load_bytes()} bytes, more than {LOAD_MAX}")
    return bad


def symbols(objects, option):
    out = subprocess.run(["nm", option, "--format=posix", *objects], cwd=sources.ROOT, text=True,
                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
    where = "?"
    for line in out.splitlines():
        if line.endswith(":"):
            where = line[:-1]
        elif line.strip():
            yield where, line.split()[0]


def pure(_files):
    """Pure objects call nothing but themselves and the port core/hw.h."""
    objects = [f"build/kernel/{src[:-2]}.o" for src in sources.make_variable("PURE")]
    missing = [o for o in objects if not (sources.ROOT / o).exists()]
    if missing:
        return [f"{o} was not built" for o in missing]
    port = set(re.findall(r"\b(hw_\w+)\(", sources.text("core/hw.h")))
    defined = {name for _, name in symbols(objects, "--defined-only")}
    known = port | defined | FROM_BOOT
    return sorted({f"{where}: needs {name}, which is neither pure nor in core/hw.h"
                   for where, name in symbols(objects, "--undefined-only")
                   if name not in known and not COMPILER.fullmatch(name)})


def window(_files):
    """Rule K1: between the check of vp->work and each VM entry of vmenter.S nothing but loads."""
    obj = sources.ROOT / "build/kernel/arch/x86/vmenter.S.o"
    if not obj.exists():
        return [f"{obj.relative_to(sources.ROOT)} was not built"]
    code = subprocess.run(["objdump", "-d", "--no-show-raw-insn", obj], text=True, check=True,
                          stdout=subprocess.PIPE).stdout
    body = code[code.index("<vmenter_window_start>:"):]
    insns = re.findall(r"^\s+[0-9a-f]+:\s+(\w+)\s*(.*)", body, re.M)
    work = int(re.search(r"define VP_WORK (\d+)", sources.text("build/asm_offsets.h"))[1])
    out, entries = [], 0
    for i, (name, _) in enumerate(insns):
        if name not in ("vmresume", "vmlaunch"):
            continue
        entries += 1
        before = i - 1
        while before >= 0 and insns[before][0] in ("mov", "pop", "nop", "nopl", "jne"):
            before -= 1
        if before < 0 or insns[before][0] != "cmpl" or f"{work:#x}(%rbx)" not in insns[before][1]:
            out.append(f"arch/x86/vmenter.S: {name} does not follow a check of vp->work")
    return out if entries == 2 else out + [f"arch/x86/vmenter.S: {entries} VM entries, not 2"]


def port_size(_files):
    """core/hw.h is one small port."""
    names = set(re.findall(r"^(?!\s*\*).*\b(hw_\w+)\(", sources.text("core/hw.h"), re.M))
    return [] if len(names) <= 42 else [f"core/hw.h has {len(names)} functions, more than 42"]


# Functions that are no more than a part of their file to the hypervisor, and why they are not static.
OPEN_TO_TESTS = {
    "ctx_init_windows": "tests make contexts by hand",
    "ctx_release": "only tests have a second context so far",
    "ctx_set_exits": "only ctx.c gives a context its table so far",
    "ctx_switch": "only tests have a second context so far",
    "exit_table_row": "which row an exit reason has",
    "log_reset": "tests start afresh", "panic_reset": "tests start afresh",
    "stop_all_reset": "tests start afresh",
    "log_ring_read": "people and the rows `end = ram` find the ring in a dump of the memory",
    "guest_crash_reset": "tests start afresh",
    "pio_lookup": "rows by number",
    "vlapic_timer_adapt": "one step of the adaptation, of an error that the test chooses",
    "vmx_adjust_ctls": "one control word by itself",
}


def dead(_files):
    """No function that the linker drops: each one is called, and called from outside if it is not
    static."""
    objects = sources.make_variable("KOBJ")
    flags = sources.make_variable("KLDFLAGS")
    if not all((sources.ROOT / o).exists() for o in objects):
        return ["the hypervisor was not built"]
    with tempfile.TemporaryDirectory() as where:
        text = subprocess.run(
            ["gcc", "-fno-lto", *flags, "-Wl,-T,linker.ld,--print-gc-sections", *objects,
             "-o", f"{where}/elf"], cwd=sources.ROOT, text=True, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT).stdout
    found = dict(re.findall(r"section '\.text\.(\w+)' in file 'build/kernel/(\S+)\.o'", text))
    return [f"{where}.c: nothing outside calls {name}(): remove it, or make it static"
            for name, where in sorted(found.items()) if name not in OPEN_TO_TESTS] + \
        [f"tests/lint/binary.py: {name}() is called now: shorten OPEN_TO_TESTS"
         for name in sorted(OPEN_TO_TESTS.keys() - found.keys())]
