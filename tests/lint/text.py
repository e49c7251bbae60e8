# SPDX-License-Identifier: BSD-2-Clause
"""Checks on the text of sources: licence line, where inline assembly may be, tags."""

import re

import sources

ASM_FOLDERS = ("arch/x86/", "boot/", "guests/", "tests/")   # tests: an independent assembler
PURE_FOLDERS = ("boot/load/", "boot/acpi/", "boot/option/")


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
        if path.suffix not in (".c", ".h", ".def"):
            continue
        if str(path).startswith(ASM_FOLDERS) and not str(path).startswith(PURE_FOLDERS):
            continue
        for number, line in enumerate(strip_comments(sources.text(path)).splitlines(), 1):
            if re.search(r"\b(asm|__asm__|__asm)\b", line):
                bad.append(f"{path}:{number}: inline assembly outside arch/x86, guests and boot/*.c")
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


def monitor_doc(files):
    """docs/monitor.md has the monitor's commands as their rows have them."""
    source = (sources.ROOT / "core/mon/commands.c").read_text()
    rows = [(name, key.strip("'").replace("0", ""), args, text) for name, key, args, text in
            re.findall(r'\{ "(\w+)",\s*(\'.\'|0),\s*"([^"]*)",\s*"([^"]*)",\s*cmd_\w+ \}', source)]
    table = re.findall(r"^\| `(\w+)` \| (?:`(.)`)? ?\| (?:`([^`]*)`)? ?\| ([^|]*) \|$",
                       (sources.ROOT / "docs/monitor.md").read_text(), re.M)
    bad = [] if len(rows) >= 5 else ["core/mon/commands.c: its rows cannot be read"]
    bad += [f"docs/monitor.md: no row for the command {row}" for row in rows if row not in table]
    return bad + [f"docs/monitor.md: {row} is no command" for row in table if row not in rows]


def report_doc(files):
    """docs/report.md: every section of the machine report and every check of the self test has its
    row, and no row is left over."""
    code = {str(path): sources.text(path) for path in files
            if path.parts[0] == "boot" or path.name == "report.c"}
    names = {name for text in code.values() for name in
             re.findall(r'report_line\((?:&boot_report|r), "([\w-]+)"|report_map\("([\w-]+)"', text)}
    sections = {a or b for a, b in names}
    checks = {name for path, text in code.items() if "selftest" in path
              for name in re.findall(r'\{ "([\w-]+)", check_\w+ \}', text)}
    doc, _, tests = (sources.ROOT / "docs/report.md").read_text().partition("## The self test")
    bad = []
    for what, want, text in (("section", sections, doc), ("check", checks, tests)):
        have = set(re.findall(r"^\| `([\w-]+)` \|", text, re.M))
        bad += [f"docs/report.md: no row for {what} {name}" for name in sorted(want - have)]
        bad += [f"docs/report.md: {name} is no {what}" for name in sorted(have - want)]
    return bad
