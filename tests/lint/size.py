# SPDX-License-Identifier: BSD-2-Clause
"""Budgets: files of 500 lines, functions of 80 lines and 6 parameters.

Tables (.def) and tests may be longer; any other file only with a `Size:` line in its header that
says why. The parameters of tests are not counted.
"""

import re

import sources

FILE_LINES, FUNCTION_LINES, PARAMETERS = 500, 80, 6
# K&R with Linux braces: a definition starts at column 0 and its braces are alone at column 0.
DEFINITION = re.compile(r"^([A-Za-z_][^;={}#]*?\b(\w+)\(([^;{}]*)\))\s*\n\{\n(.*?)^\}", re.S | re.M)


def parameters(text):
    depth, count = 0, 1
    for char in text:
        depth += (char in "([") - (char in ")]")
        count += char == "," and depth == 0
    return count


def check_file(path, text):
    lines = text.count("\n")
    exempt = path.suffix == ".def" or path.parts[0] == "tests" or "Size:" in text[:2000]
    if lines > FILE_LINES and not exempt:
        yield f"{path}: {lines} lines, more than {FILE_LINES}; split it or say why in `Size:`"
    if path.suffix != ".c":
        return
    for found in DEFINITION.finditer(text):
        number = text.count("\n", 0, found.start()) + 1
        length = found[4].count("\n")
        if length > FUNCTION_LINES:
            yield f"{path}:{number}: {found[2]}() has {length} lines, more than {FUNCTION_LINES}"
        if parameters(found[3]) > PARAMETERS and path.parts[0] != "tests":
            yield f"{path}:{number}: {found[2]}() has {parameters(found[3])} parameters"


def check(files):
    bad = []
    for path in files:
        if path.suffix in (".c", ".h", ".S", ".def"):
            bad += check_file(path, sources.text(path))
    return bad
