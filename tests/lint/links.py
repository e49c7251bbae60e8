# SPDX-License-Identifier: BSD-2-Clause
"""Markdown: every relative link leads to a file and a heading that exist, and so does every file of
the tree that is named in `code`."""

import re

import sources

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
FILE = re.compile(r"`((?:arch|boot|core|docs|drivers|hv|iso|tests|tools)/[\w./-]+\.(?:c|h|S|def|in|py|sh|cfg|md|tsv))`")


def pages():
    """As sources.all_files(), Markdown."""
    return sorted(path.relative_to(sources.ROOT) for path in sources.ROOT.rglob("*.md")
                  if path.relative_to(sources.ROOT).parts[0] not in sources.SKIP)


def anchors(text):
    """What GitHub calls the headings."""
    heads = re.findall(r"^#+ +(.*?)\s*$", text, re.M)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def broken(page, target):
    """Why a link leads nowhere, or ""."""
    path, _, anchor = target.partition("#")
    there = (sources.ROOT / page.parent / path).resolve() if path else sources.ROOT / page
    if not there.exists():
        return "no such file"
    if anchor and (there.suffix != ".md" or anchor not in anchors(there.read_text())):
        return "no such heading"
    return ""


def check(files):
    bad = []
    for page in pages():
        text = re.sub(r"`[^`]*`", "", sources.text(page))      # links may be wrapped
        for target in LINK.findall(text):
            why = "" if re.match(r"\w+:", target) else broken(page, target)
            if why:
                bad.append(f"{page}: {target}: {why}")
        for number, line in enumerate(sources.text(page).splitlines(), 1):
            bad += [f"{page}:{number}: {name}: no such file" for name in FILE.findall(line)
                    if not (sources.ROOT / name).exists()]
    return bad
