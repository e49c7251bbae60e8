# SPDX-License-Identifier: BSD-2-Clause
"""Checks on the text of sources: licence line, where inline assembly may be, tags."""

import re

import sources

ASM_FOLDERS = ("arch/x86/", "boot/", "tests/")   # tests: encodings from an independent assembler


def spdx(files):
    bad = []
    for path in files:
        head = "\n".join(sources.text(path).splitlines()[:2])
        if sources.text(path) and "SPDX-License-Identifier: BSD-2-Clause" not in head:
            bad.append(f"{path}:1: no `SPDX-License-Identifier: BSD-2-Clause` in the first lines")
    return bad


def strip_comments(text):
    """The code, with comments and strings blanked so that line numbers stay."""
    pattern = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"', re.S)
    return pattern.sub(lambda m: re.sub(r"[^\n]", " ", m[0]), text)


def no_asm(files):
    bad = []
    for path in files:
        if path.suffix not in (".c", ".h", ".def") or str(path).startswith(ASM_FOLDERS):
            continue
        for number, line in enumerate(strip_comments(sources.text(path)).splitlines(), 1):
            if re.search(r"\b(asm|__asm__|__asm)\b", line):
                bad.append(f"{path}:{number}: inline assembly outside arch/x86 and boot")
    return bad


def tags(files):
    """TODO names an issue; leftovers of editing do not stay."""
    bad = []
    for path in files:
        if path.parts[:2] == ("tests", "lint"):
            continue
        for number, line in enumerate(sources.text(path).splitlines(), 1):
            if re.search(r"\b(TODO|FIXME|XXX)\b(?!\([^)]*\))", line):
                bad.append(f"{path}:{number}: write TODO(owner): and name an issue")
            if re.match(r"(<<<<<<<|>>>>>>>) ", line):
                bad.append(f"{path}:{number}: merge conflict marker")
            if line != line.rstrip():
                bad.append(f"{path}:{number}: blanks at the end of the line")
    return bad


def readme_options(files):
    """Every option row has its line in README's table."""
    rows = re.findall(r'\.name = "(\w+)"', (sources.ROOT / "core/option_rows.c").read_text())
    table = (sources.ROOT / "README.md").read_text()
    return [f"README.md: no table row for option {name}" for name in rows
            if f"| `{name}` |" not in table]
