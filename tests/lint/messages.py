# SPDX-License-Identifier: BSD-2-Clause
"""docs/troubleshooting.md has every message that stops a boot or leaves something out, in the words
of the sources, and no other. A conversion of printf (%u, %s...) is "…" there."""

import re

import sources

DOC = "docs/troubleshooting.md"
LITERAL = r'((?:"(?:\\.|[^"\\\n])*"\s*)+)'
# Whose first string is a message; plan_fail() and fail() carry what fatal("%s") then says.
CALLS = re.compile(r"\b(?:fatal|boot_refuse|log_warn|plan_fail|fail)\s*\(((?:[^;\"]|\n)*?)" + LITERAL)
# Those that format one into the caller's buffer, in files where that is what they do.
PRINTS = re.compile(r"\bfmt_print\s*\(((?:[^;\"]|\n)*?)" + LITERAL)
PRINT_FILES = ("boot/option/option.c", "boot/option/option_cpu.c", "boot/load/roles.c",
               "arch/x86/vmx_caps.c")
# Why a CPU is left out, why tables cannot be used: a constant that is passed on.
CONSTANTS = re.compile(r"(?:\*?\bwhy\s*=|->left_out\s*=|\breturn)\s*" + LITERAL + ";")
CONSTANT_FILES = re.compile(r"arch/x86/vmx(_caps|_ctls)?\.c|boot/\w+\.c|boot/acpi/|boot/load/mb2")
ASM = re.compile(r'\.asciz\s+"((?:\\.|[^"\\])*)"')
SCOPE = ("boot/", "arch/x86/")
# What only development of Kensho can meet, and the demonstration guest's own text.
SKIPPED = ("boot/test_fault.c", "guests/demo/")


def plain(literals):
    """The text of adjacent C literals, conversions as an ellipsis."""
    text = "".join(re.findall(r'"((?:\\.|[^"\\\n])*)"', literals))
    text = text.replace('\\"', '"').replace("\\\\", "\\")
    text = re.sub(r"\\[rn]", "", text)
    text = re.sub(r"%[-0 #]*(?:\*|\d+)?(?:\.(?:\*|\d+))?(?:ll|l|z|h)?[a-zA-Z]", "…", text)
    return text.replace("%%", "%").strip()


def is_message(text):
    """Three words: not a list of fields, nor a wrapper around another message."""
    return len(re.findall(r"[A-Za-z]{2,}", text)) >= 3 and " " in text


def in_sources(files):
    """{message: where}"""
    out = {}
    for path in files:
        name = str(path)
        if not name.startswith(SCOPE) or name.startswith(SKIPPED) or path.suffix not in (".c", ".S"):
            continue
        text = sources.text(path)
        found = [plain(f'"{m[1]}"') for m in ASM.finditer(text)] if path.suffix == ".S" else \
            [plain(m[2]) for m in CALLS.finditer(text)]
        if name in PRINT_FILES:
            found += [plain(m[2]) for m in PRINTS.finditer(text)]
        if CONSTANT_FILES.match(name) and path.suffix == ".c":
            found += [plain(m[1]) for m in CONSTANTS.finditer(text)]
        for message in filter(is_message, found):
            out.setdefault(message, name)
    return out


def in_doc():
    """The code spans of the first column of the tables below the heading "Messages"."""
    text = (sources.ROOT / DOC).read_text().partition("\n## Messages\n")[2]
    rows = re.findall(r"^\| (`.*?) \| .* \| .* \|$", text, re.M)
    return {span.replace("\\|", "|") for row in rows for span in re.findall(r"`([^`]+)`", row)}


def check(files):
    ours, theirs = in_sources(files), in_doc()
    return [f"{DOC}: no row for this message of {where}: {message}"
            for message, where in sorted(ours.items(), key=lambda i: (i[1], i[0]))
            if message not in theirs] + \
        [f"{DOC}: no source has this message any more: {m}" for m in sorted(theirs - ours.keys())]
