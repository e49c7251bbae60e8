#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""`make docs`: the parts of Markdown pages that are made of the sources, and prose of 100 columns.

    tools/docs.py [--check]     --check: write nothing, name the blocks that are stale

A block lies between `<!-- generated: WHAT ... -->` and `<!-- end -->`:

    options kensho|partition|NAME...    build/options --markdown ...
    exits handled|ud|gp|stop            build/host/tools/exits ...
    features [ABI]                      build/host/tools/features: the features by their surface; of
                                        one ABI, with the comments "Manual: ..." before them in
                                        hv/ABI/*.c
    hypercalls ABI                      the same of its hypercalls
    msrs ABI                            the same of its MSRs; "#GP when | ..." behind their reserved
                                        bits
    troubleshooting SECTION             messages with the causes and remedies beside them in the
                                        sources: tests/lint/messages.py
"""

import pathlib
import re
import subprocess
import sys
import textwrap

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests/lint"))
import cli  # noqa: E402
import links  # noqa: E402
import messages  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent
COLUMNS = 100
BLOCK = re.compile(r"^<!-- generated: ([^\n]+) -->\n(.*?)^<!-- end -->$", re.S | re.M)


def run(tool, *words):
    folder = ROOT / ("build" if tool == "options" else "build/host/tools")
    return subprocess.run([folder / tool, *words], check=True, text=True,
                          stdout=subprocess.PIPE).stdout


def options(page, *names):
    text = run("options", "--markdown", *names)
    return text.replace("](docs/", "](" if page.parent == ROOT / "docs" else "](docs/")


def troubleshooting(page, section):
    def cell(text):
        return re.sub(r"\bdocs/([\w-]+\.md)", r"[\1](\1)", text)
    rows = ["| message | cause | remedy |", "|---|---|---|"]
    for (cause, remedy), found in messages.table(section).items():
        spans = "<br>".join(f"`{message}`" for message in found).replace("|", "\\|")
        rows.append(f"| {spans} | {cell(cause)} | {cell(remedy)} |")
    return "\n".join(rows) + "\n"


def exits(page, kind):
    return "\n" + wrapped(run("exits", kind)) + "\n"


NAMED = r'(?:const struct hv_feature \w+ = )?\{[^"{]*\.name = "([\w-]+)"'
MSR_ROW = r"(?:\{ MSR_(?:ONE|RANGE)|[A-Z]+_MSR)\((\w+),"


def manual(abi, item=NAMED):
    """name -> what "Manual: ..." before a feature or a hypercall, or an MSR's row, says"""
    pattern = re.compile(r"/\*[\s*]*Manual: ((?:(?!\*/).)*)\*/\s*" + item, re.S)
    says = {m[2]: re.sub(r"\s*\n\s*\*\s*", " ", m[1]).strip()
            for path in sorted((ROOT / "hv" / abi).glob("*.c"))
            for m in pattern.finditer(path.read_text())}
    return lambda name: says.get(name) or \
        sys.exit(f"hv/{abi}: no comment `Manual: ...` before {name}")


def features(page, abi=None):
    if not abi:
        return "| feature | bit | profiles | MSRs and hypercalls | needs |\n|---|---|---|---|---|\n" + \
            run("features", "table")
    says = manual(abi)
    return "| feature | what Kensho does |\n|---|---|\n" + "".join(
        f"| `{name}` | {says(name)} |\n" for name in run("features", "names", abi).split())


CALL_NUMBER = {"kvm": "d", "hyperv": "#06x"}    # as each ABI's own documents write them


def hypercalls(page, abi):
    says = manual(abi)
    return "| number | name | what it does | result |\n|---|---|---|---|\n" + "".join(
        f"| {int(nr):{CALL_NUMBER[abi]}} | {name} | {'not offered | 6' if more else says(name)} |\n"
        for nr, name, *more in
        (line.split() for line in run("features", "hcalls", abi).splitlines()))


def msrs(page, abi):
    says = manual(abi, MSR_ROW)
    out = ["| MSR | name | #GP when | a bad address | INIT | RESET |", "|---|---|---|---|---|---|"]
    lines = run("features", "msrs", abi).splitlines()
    for nr, name, *reserved in sorted(map(str.split, lines), key=lambda row: int(row[0], 16)):
        more, _, rest = says(name).partition("|")
        bits = [f"bit {high}" if high == low else f"any of bits {high}:{low}" for high, low in
                (pair.split(":") for pair in reserved)]
        when = "; ".join(bits + [more.strip()] * bool(more.strip())) or "never"
        out.append(f"| {nr} | {re.sub('^(MSR_KVM|HV_X64_MSR)_', '', name)} | {when} | {rest.strip()} |")
    return "\n".join(out) + "\n"


# What begins a block of its own when it comes first in a line.
MARKER = re.compile(r"[*+-]|#+|>|\||\d+[.)]")


def wrapped(text, first="", rest=""):
    """One paragraph."""
    words = []
    for word in text.split():
        if words and MARKER.fullmatch(word):
            words[-1] += "\0" + word
        else:
            words.append(word)
    return "".join(line.replace("\0", " ") + "\n" for line in textwrap.wrap(
        " ".join(words), COLUMNS, initial_indent=first, subsequent_indent=rest,
        break_long_words=False, break_on_hyphens=False))


ITEM = re.compile(r"( *)([*+-]|\d+[.)]) +(?=\S)")


def wrap(text):
    """@text with its paragraphs and list items wrapped; code, tables, headings, HTML and what
    stands in a generated block stay."""
    out, paragraph, first, rest = [], [], "", ""
    fenced = made = in_list = False

    def flush():
        if paragraph:
            out.append(wrapped(" ".join(paragraph), first, rest))
            paragraph.clear()
    for line in text.splitlines():
        item = ITEM.match(line)
        made = made or line.startswith("<!-- generated")
        if fenced or made or re.match(r" *```|#+ |\||<|!\[|\[!", line) or not line.strip():
            flush()
            fenced ^= line.lstrip().startswith("```")
            made = made and line != "<!-- end -->"
            in_list = in_list and not re.match(r"#+ |\||<", line)
            out.append(line + "\n")
        elif line.startswith("    ") and not paragraph and not in_list:
            out.append(line + "\n")
        elif item:
            flush()
            first, rest, in_list = item[0], " " * len(item[0]), True
            paragraph.append(line[len(item[0]):])
        else:
            if not paragraph:
                indent = re.match(" *", line)[0]
                first = rest = indent
                in_list = in_list and indent != ""
            paragraph.append(line)
    flush()
    return "".join(out)


MAKERS = {"exits": exits, "features": features, "hypercalls": hypercalls, "msrs": msrs,
          "options": options, "troubleshooting": troubleshooting}


def pages():
    return [ROOT / page for page in links.pages()]


def fresh(page, text):
    """@text of @page with its blocks made anew."""
    def block(found):
        what, *words = found[1].split()
        return f"<!-- generated: {found[1]} -->\n{MAKERS[what](page, *words)}<!-- end -->"
    return wrap(BLOCK.sub(block, text))


def stale():
    """[(page, its text as it should be)] of the pages that are not."""
    texts = [(page, page.read_text()) for page in pages()]
    return [(page, fresh(page, text)) for page, text in texts if fresh(page, text) != text]


def main(option=""):
    for page, text in stale():
        if option == "--check":
            print(f"{page.relative_to(ROOT)}: stale, run `make docs`")
        else:
            page.write_text(text)
            print(f"  DOCS    {page.relative_to(ROOT)}")


if __name__ == "__main__":
    cli.run(lambda: main(*sys.argv[1:]))
