# SPDX-License-Identifier: BSD-2-Clause
"""Every message that stops a boot or leaves something out has its cause and remedy beside it in the
source; docs/troubleshooting.md is made of them (`make docs`). A conversion of printf (%u, %s...) is
"…" there.

    /* Cause (SECTION): why the user sees this.
     * Remedy: what to do about it. */

covers the messages below it, up to the next blank line, comment of this kind or end of a function.
Directly above a function it covers the function, alone between blank lines the rest of the file,
where no other does. A message that ends a boot says the remedy, too: "CAUSE; do this: REMEDY". Equal
pairs share a row of the table, which has only as much of each message as a reader would search for.
Both are Markdown; docs/PAGE.md becomes a link.
"""

import itertools
import os.path
import re

import sources

LITERAL = r'((?:"(?:\\.|[^"\\\n])*"\s*)+)'
# Whose first string is a message; plan_fail() and fail() carry what fatal("%s") then says.
CALLS = re.compile(r"\b(?:fatal|boot_refuse|log_warn|plan_fail|fail)\s*\(((?:[^;\"]|\n)*?)" + LITERAL)
# Those that end a boot: core/diag/result.h. CPU requirements get theirs where they are printed.
REFUSALS = re.compile(r"\b(?:(?:fatal|boot_refuse|plan_fail|fail)\s*\(|fmt_print\s*\(r->why)"
                      r"((?:[^;\"]|\n)*?)" + LITERAL)
DO_THIS = "; do this: "
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
SECTIONS = ("cpu", "loader", "left-out", "guest", "options", "screen", "selftest", "disk")

COMMENT = re.compile(r"^([ \t]*)/\*((?:(?!\*/).)*?\bCause \(.*?)\*/[ \t]*\n", re.S | re.M)
PARTS = re.compile(r"\s*Cause \(([\w-]+)\): (.+?)\.? Remedy: (.+?)\.?\s*")
END_OF_FUNCTION = re.compile(r"^\}", re.M)
BLANK_LINE = re.compile(r"\n[ \t]*\n")


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


def in_scope(path):
    name = str(path)
    return name.startswith(SCOPE) and not name.startswith(SKIPPED) and path.suffix in (".c", ".S")


def messages(path):
    """[(offset, message)] of a file, in its order."""
    text, name = sources.text(path), str(path)
    if path.suffix == ".S":
        found = [(m.start(), plain(f'"{m[1]}"')) for m in ASM.finditer(text)]
    else:
        found = [(m.start(), plain(m[2])) for m in CALLS.finditer(text)]
        if name in PRINT_FILES:
            found += [(m.start(), plain(m[2])) for m in PRINTS.finditer(text)]
        if CONSTANT_FILES.match(name):
            found += [(m.start(), plain(m[1])) for m in CONSTANTS.finditer(text)]
    return sorted((at, message) for at, message in found if is_message(message))


def reach(text, comment):
    """Where what @comment covers ends; 0: it is the one of the whole file."""
    if comment[1] == "" and text.startswith("\n", comment.end()):
        return 0
    ends = [m.start() for m in (END_OF_FUNCTION.search(text, comment.end()),
                                None if comment[1] == "" and text[comment.end()] not in "\t."
                                else BLANK_LINE.search(text, comment.end())) if m]
    return min(ends, default=len(text))


def comments(path):
    """[(start, end of what it covers or 0, (section, cause, remedy) or None)] of a file."""
    text, out = sources.text(path), []
    for found in COMMENT.finditer(text):
        parts = PARTS.fullmatch(re.sub(r"\s*\n[ \t]*\*?[ \t]*", " ", found[2]))
        out.append((found.start(), reach(text, found), parts.groups() if parts else None))
    return out


def explained(path):
    """[(message, offset, its (section, cause, remedy) or None)] of a file."""
    notes, out = comments(path), []
    for at, message in messages(path):
        above = [note for note in notes if note[1] > at > note[0]] or \
            [note for note in notes if note[1] == 0 and note[0] < at]
        out.append((message, at, above[-1][2] if above else None))
    return out


SHOWN = 40      # characters of a message
FOLDED = 3      # messages, or words with which they begin alike
CONTINUES = re.compile(r"\w\)")     # what is printed behind a number


def shown(message):
    """What a reader would search for: its first clause, without remarks, shortened."""
    cause, _, remedy = message.partition(DO_THIS)
    text = cause if re.search("[a-z]", cause) else remedy
    clauses = (text[:end.start()] for end in re.finditer("[;:.] |$", text))
    text = re.sub(r"\s*(\([^()]*\))?[….:]*$", "", next(filter(is_message, clauses), text))
    words = text.split(" ")
    lengths = itertools.accumulate(len(word) + 1 for word in words)
    keep = sum(length <= SHOWN for length in lengths)
    return re.sub("( (0x)?…?)+$", "", " ".join(words[:keep])) + " …" * (keep < len(words))


def folded(texts):
    """@texts; instead of FOLDED or more that begin alike, or with FOLDED words, what they share."""
    def start(text):
        first, second, *_ = text.split(" ")
        return first if first.endswith(":") else f"{first} {second.rstrip(':')}"
    out = []
    for words, group in itertools.groupby(sorted(set(texts), key=start), start):
        group = sorted(group, key=texts.index)
        common = os.path.commonprefix([text.split(" ") for text in group])
        if len(group) > 1 and max(len(group), len(common)) >= FOLDED:
            group = [max(" ".join(common), words, key=len) + " …"]
        out += group
    return out


def table(section):
    """The rows of a section: {(cause, remedy): [what is shown of the messages]}, in the order of the
    sources."""
    rows = {}
    for path in filter(in_scope, sources.all_files()):
        for message, _, why in explained(path):
            if why and why[0] == section and not CONTINUES.match(message):
                rows.setdefault(why[1:], []).append(shown(message))
    return {why: folded(texts) for why, texts in rows.items()}


def without_remedy(path):
    """[(offset, message)] of refusals whose text ends without what to do."""
    text, out = sources.text(path) if path.suffix == ".c" else "", []
    for found in REFUSALS.finditer(text):
        message = plain(found[2])
        # What is passed on has it; so has a macro behind the text.
        if is_message(message) and not (DO_THIS in message or message.endswith("…") or
                                        re.match(r"DO_[A-Z]", text[found.end():])):
            out.append((found.start(), message))
    return out


def check(files):
    bad = []
    for path in filter(in_scope, files):
        text, lines = sources.text(path), lambda at: text.count("\n", 0, at) + 1
        for start, _, parts in comments(path):
            if parts is None or parts[0] not in SECTIONS:
                bad.append(f"{path}:{lines(start)}: write Cause (SECTION): ... Remedy: ...")
        bad += [f"{path}:{lines(at)}: no `{DO_THIS}REMEDY` in it: {message}"
                for at, message in without_remedy(path)]
        bad += [f"{path}:{lines(at)}: no comment with cause and remedy: {message}"
                for message, at, why in explained(path) if why is None]
    return bad
