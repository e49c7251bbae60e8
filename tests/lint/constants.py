#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Every constant of arch/x86/defs and of the ABIs against Linux' headers, by name.

    tests/lint/constants.py

Tests use the same definitions as the code: none of them would notice a wrong number. constants.tsv
gives the name on Linux' side where RULES do not, or says why there is none. The headers are
Debian's package linux-headers-6.1.*-common, unpacked by tools/setup.sh; results as lint:constants.
"""

import re
import subprocess
import sys

import sources

sys.path.insert(0, str(sources.ROOT / "tests/run"))
import results  # noqa: E402

NAME = "lint:constants"
CACHE = sources.ROOT / "build/cache/linux-headers"
LIST = sources.ROOT / "tests/lint/constants.tsv"
OURS = [*sorted((sources.ROOT / "arch/x86/defs").glob("*.h")), sources.ROOT / "hv/kvm/kvm_abi.h",
        sources.ROOT / "hv/hyperv/hyperv_abi.h"]
THEIRS = """
arch/x86/include/uapi/asm/processor-flags.h arch/x86/include/uapi/asm/debugreg.h
arch/x86/include/asm/msr-index.h arch/x86/include/asm/vmxfeatures.h
arch/x86/include/uapi/asm/vmx.h arch/x86/include/asm/vmx.h arch/x86/include/asm/cpufeatures.h
arch/x86/include/asm/apicdef.h arch/x86/include/asm/trapnr.h arch/x86/include/asm/pgtable_types.h
arch/x86/include/uapi/asm/kvm_para.h include/uapi/linux/kvm_para.h
arch/x86/include/asm/pvclock-abi.h arch/x86/include/asm/mce.h arch/x86/include/asm/desc_defs.h
arch/x86/include/asm/fpu/types.h arch/x86/include/uapi/asm/mtrr.h
arch/x86/include/asm/kvm_host.h include/uapi/asm-generic/errno-base.h
include/uapi/asm-generic/errno.h arch/x86/include/asm/hyperv-tlfs.h
include/asm-generic/hyperv-tlfs.h
""".split()

# What the kernel's own helpers are, so that each header can be read without those it includes.
# FEATURE() is a bit of one word of cpufeatures.h, 0 when the feature is in another word.
PRELUDE = """
#define BIT(n) (1ULL << (n))
#define BIT_ULL(n) BIT(n)
#define _BITUL(n) BIT(n)
#define _BITULL(n) BIT(n)
#define _AC(x, suffix) x
#define _AT(type, x) x
#define UL(x) x
#define GENMASK(hi, lo) ((~0ULL >> (63 - (hi))) & (~0ULL << (lo)))
#define GENMASK_ULL(hi, lo) GENMASK(hi, lo)
#define FEATURE(word, name) \\
        ((X86_FEATURE_##name / 32 == (word)) * BIT(X86_FEATURE_##name % 32))
"""
ALL_ONES = 2 ** 64 - 1
DEFINED = ["-D__KERNEL__", "-DCONFIG_X86_64", "-DCONFIG_X86_INTEL_MEMORY_PROTECTION_KEYS"]
WORDS = {"1_EDX": 0, "80000001_EDX": 1, "1_ECX": 4, "80000001_ECX": 6, "7_EBX": 9, "D_1_EAX": 10,
         "7_1_EAX": 12, "80000008_EBX": 13, "6_EAX": 14, "7_ECX": 16, "7_EDX": 18}

# Our name, and what it is there. The first rule whose result exists there counts.
RULES = [(r"(\w+)", r"\1"), (r"MSR_IA32_(\w+)", r"MSR_\1"),
         (r"MSR_IA32_MTRR_FIX(\w+)", lambda m: f"MSR_MTRRfix{m[1]}"),
         (r"MSR_IA32_(LBR_\w+)", r"MSR_ARCH_\1"), (r"MSR_IA32_(\w+)", r"MSR_CORE_\1"),
         (r"VMCS_(\w+)", r"\1"), (r"VMCS_(\w+)", r"\1_FIELD"), (r"VMCS_(\w+_AR)", r"\1_BYTES"),
         (r"VMCS_(\w+)_CTLS", r"\1_CONTROLS"), (r"VMCS_(\w+)_CTLS", r"\1_VM_EXEC_CONTROL"),
         (r"VMCS_(GUEST|HOST)_(\w+)", r"\1_IA32_\2"), (r"PIN_(\w+)", r"PIN_BASED_\1"),
         (r"PROC_(\w+)", r"CPU_BASED_\1"), (r"PROC_(ACTIVATE_\w+)", r"CPU_BASED_\1_CONTROLS"),
         (r"PROC2_(\w+)", r"SECONDARY_EXEC_\1"), (r"PROC2_\w+?_(\w+)", r"SECONDARY_EXEC_\1"),
         (r"(EXIT|ENTRY)_CTL_(\w+)", r"VM_\1_\2"),
         (r"(EXIT|ENTRY)_CTL_(LOAD|SAVE|CLEAR)_(\w+)", r"VM_\1_\2_IA32_\3"),
         (r"(CR[0-9]_\w+)", r"X86_\1"), (r"RFLAGS_(\w+)", r"X86_EFLAGS_\1"),
         (r"DEBUGCTL_(\w+)", r"DEBUGCTLMSR_\1"), (r"MISC_ENABLE_(\w+)", r"MSR_IA32_MISC_ENABLE_\1"),
         (r"MCG_CAP_(\w+)", r"MCG_\1"), (r"MCU_OPT_CTRL_(\w+)", r"\1"),
         (r"EXC_(\w+)", r"X86_TRAP_\1"),
         (r"EPT_VPID_CAP_(\w+)", r"VMX_EPT_\1_BIT"), (r"APIC_MODE_(\w+)", r"APIC_DM_\1"),
         (r"AR_(\w+)", r"VMX_AR_\1_MASK"), (r"PTE_(\w+)", r"_PAGE_\1"),
         (r"KVM_(E[A-Z]+)", r"\1")]


def preprocess(text, *args):
    return subprocess.run(["gcc", "-E", "-xc", "-", *args], input=text, cwd=sources.ROOT, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout


def number(text, known):
    """The value of a C expression of numbers and @known names, in 64 bits; None: it has none."""
    text = re.sub(r"\(\s*(unsigned|int|long|u8|u16|u32|u64)(\s+(int|long))*\s*\)", "", text)
    text = re.sub(r"~0u\b", str(2 ** 32 - 1), text)
    text = re.sub(r"\b(0[xX][0-9a-fA-F]+|\d+)[uUlL]+\b", r"\1", text)
    text = re.sub(r"\b[A-Za-z_]\w*\b", lambda m: str(known.get(m[0], m[0])), text)
    text = re.sub(r"~\s*0\b", str(ALL_ONES), text)
    text = re.sub(r"\b0+(?=\d)", "0o", text)
    text = text.replace(" / ", " // ")
    if not re.fullmatch(r"[0-9xobA-Fa-f\s()<>|&~+\-*/%=!]+", text):
        return None
    try:
        return int(eval(text)) & ALL_ONES
    except (SyntaxError, TypeError):
        return None


def enumerators(text):
    """{name: value} of the enumerations in preprocessed @text."""
    out = {}
    for body in re.findall(r"\benum\s*\w*\s*\{([^}]*)\}", re.sub(r"^#.*$", "", text, flags=re.M)):
        last = -1
        for item in body.split(","):
            name, _, value = (part.strip() for part in item.partition("="))
            if re.fullmatch(r"\w+", name):
                found = number(value, out) if value else last + 1
                last = last + 1 if found is None else found
                out[name] = last
    return out


def values(text, names, *args):
    """{name: value} of those of @names, or expressions, that are numbers behind @text."""
    asked = "".join(f"\n=={i}== ({name})" for i, name in enumerate(names))
    done = preprocess(text + asked, "-P", *args)
    known = enumerators(done)
    found = {names[int(i)]: number(value, known)
             for i, value in re.findall(r"^==(\d+)== (.*)$", done, re.M)}
    return {name: value for name, value in found.items() if value is not None}


def defined(text, *args):
    """Macros without parameters, and enumerators."""
    macros = re.findall(r"^#define (\w+) \S", preprocess(text, "-dM", *args), re.M)
    return {*macros, *enumerators(preprocess(text, "-P", *args))}


def ours():
    """{name: value}"""
    out = {}
    shared = defined('#include "core/lib/bits.h"\n', "-I.")
    for path in OURS:
        include = f'#include "{path.relative_to(sources.ROOT)}"\n'
        out.update(values(include, sorted(defined(include, "-I.") - shared), "-I."))
    return out


def linux():
    """Their headers in one text; None: they are not there."""
    root = next(CACHE.glob("usr/src/linux-headers-*-common"), None)
    return root and PRELUDE + "".join(
        re.sub(r"^\s*#\s*include.*$", "", (root / name).read_text(), flags=re.M) for name in THEIRS)


def listed():
    """({our name: expression}, [(pattern, reason)]) of constants.tsv"""
    names, without = {}, []
    for line in LIST.read_text().splitlines():
        if line and not line.startswith("#"):
            name, text, reason = (line.split("\t") + ["", ""])[:3]
            if text == "-":
                without.append((re.compile(name), reason))
            else:
                names[name] = text
    return names, without


def by_rule(name, theirs):
    """What @name is called there; "" when no rule leads to a name."""
    for word, index in WORDS.items():
        bit = name.removeprefix(f"CPUID{word}_")
        if bit != name and f"X86_FEATURE_{bit}" in theirs:
            return f"FEATURE({index}, {bit})"
    for pattern, there in RULES:
        found = re.fullmatch(pattern, name)
        if found and (there(found) if callable(there) else found.expand(there)) in theirs:
            return there(found) if callable(there) else found.expand(there)
    return ""


def check():
    text = linux()
    if text is None:
        return [f"{CACHE.relative_to(sources.ROOT)} is not there: tools/setup.sh test"], ""
    mine, theirs = ours(), defined(text, *DEFINED)
    names, without = listed()
    bad = [f"{LIST.name}: {name}: we have no such constant" for name in names if name not in mine]
    bad += [f"{LIST.name}: {pattern.pattern}: no constant without a counterpart fits, or no reason"
            for pattern, reason in without if not reason or
            not any(pattern.fullmatch(name) for name in mine if name not in names)]
    there = {}
    for name in mine:
        if name in names:
            there[name] = names[name]
        elif not any(pattern.fullmatch(name) for pattern, _ in without):
            there[name] = by_rule(name, theirs)
    found = values(text, sorted({*there.values()} - {""}), *DEFINED)
    for name, expression in there.items():
        if not expression:
            bad.append(f"{name}: which constant of Linux is it? {LIST.name}")
        elif found.get(expression) != mine[name]:
            bad.append(f"{name} is {mine[name]:#x}, Linux' {expression} is "
                       f"{found[expression]:#x}" if expression in found else
                       f"{name}: {expression}: no number there")
    return bad, f"{len(there)} of {len(mine)} constants"


def main(pattern=""):
    return results.judge(NAME, check, pattern)


if __name__ == "__main__":
    results.process(main)
