# SPDX-License-Identifier: BSD-2-Clause
"""Tests stand where the code stands: tests/host/FOLDER and tests/guest/FOLDER mirror its folders.

A test_NAME.c is in the folder of the code's NAME.c, and if the comment at the top of a test names
code, some of that is in its folder. What such a comment names exists.
"""

import pathlib
import re

import sources

# Not about one folder of the code: helpers, and guests that are programs or attack all of it.
NO_MIRROR = ("fakes", "models", "tools", "abi", "bench", "disk", "hostile", "mb", "pm32", "smp")
CODE = ("arch/", "boot/", "core/", "drivers/", "hv/")


def folders(path):
    return set(path.parts[:-1])


def named(path):
    """The files and folders of the code that the first comment of @path names."""
    comment = re.match(r"(?:/\*.*?\*/|//[^\n]*\n)\s*(/\*.*?\*/|(?://[^\n]*\n)+)?",
                       sources.text(path), re.S)
    words = re.findall(r"\b[\w./-]+", comment[1] or "") if comment else []
    return [word.rstrip(".") for word in words if word.startswith(CODE)]


def check_file(path, homes):
    here, stem = path.parts[2], path.stem.removeprefix("test_")
    if here not in set().union(*homes.values()):
        yield f"{path}: no folder of the code is called {here}"
    elif path.name.startswith("test_") and here not in homes.get(stem, {here}):
        yield f"{path}: {stem} is code of {'/'.join(sorted(homes[stem]))}"
    about = [pathlib.Path(word) for word in named(path)]
    yield from (f"{path}: {word} does not exist" for word in about
                if not (sources.ROOT / word).exists())
    if about and not any(here in folders(word / "x") for word in about):
        yield f"{path}: its first comment names nothing of {here}"


def check(files):
    homes, bad = {}, []
    for path in files:
        if str(path).startswith(CODE):
            homes.setdefault(path.stem, set()).update(folders(path))
    for path in files:
        parts = path.parts
        if parts[0] == "tests" and parts[1] in ("host", "guest") and len(parts) == 4 and \
                parts[2] not in NO_MIRROR and path.suffix in (".c", ".h", ".S"):
            bad += check_file(path, homes)
    return bad
