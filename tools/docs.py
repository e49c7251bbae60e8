#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""`make docs`: the parts of Markdown pages that are made of the sources.

    tools/docs.py [--check]     --check: write nothing, name the blocks that are stale

A block lies between `<!-- generated: WHAT ... -->` and `<!-- end -->`:

    options kensho|partition|NAME...    build/host/tools/options --markdown ...
    troubleshooting SECTION             messages with the causes and remedies beside them in the
                                        sources: tests/lint/messages.py
"""

import pathlib
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests/lint"))
import messages  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent
BLOCK = re.compile(r"^<!-- generated: ([^\n]+) -->\n(.*?)^<!-- end -->$", re.S | re.M)


def options(page, *names):
    tool = ROOT / "build/host/tools/options"
    text = subprocess.run([tool, "--markdown", *names], check=True, text=True,
                          stdout=subprocess.PIPE).stdout
    return text.replace("](docs/", "](" if page.parent.name == "docs" else "](docs/")


def troubleshooting(page, section):
    def cell(text):
        return re.sub(r"\bdocs/([\w-]+\.md)", r"[\1](\1)", text)
    rows = ["| message | cause | remedy |", "|---|---|---|"]
    for (cause, remedy), found in messages.table(section).items():
        spans = "<br>".join(f"`{message}`" for message in found).replace("|", "\\|")
        rows.append(f"| {spans} | {cell(cause)} | {cell(remedy)} |")
    return "\n".join(rows) + "\n"


MAKERS = {"options": options, "troubleshooting": troubleshooting}


def pages():
    return [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def fresh(page, text):
    """@text of @page with its blocks made anew."""
    def block(found):
        what, *words = found[1].split()
        return f"<!-- generated: {found[1]} -->\n{MAKERS[what](page, *words)}<!-- end -->"
    return BLOCK.sub(block, text)


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
    main(*sys.argv[1:])
