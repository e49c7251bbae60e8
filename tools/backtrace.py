# SPDX-License-Identifier: BSD-2-Clause
"""Names for the addresses of a panic's backtrace, from the debug information of kensho.elf."""

import re
import subprocess

# A report's part, up to a line of another kind; the ends of serial lines may be there or not.
PART = re.compile(r"^backtrace [^\n]*\n((?:[ ?] [0-9a-f]{16}\r?\n)+)", re.M)
LINE = re.compile(r"([ ?]) ([0-9a-f]{16})")


def resolve(text, elf):
    """["FUNCTION at FILE:LINE"] of the last backtrace in @text, innermost call first, a '?' before
    what the scan of the stack found; [] when there is none or its addresses have no names."""
    parts = PART.findall(text)
    if not parts:
        return []
    found = [(mark, int(at, 16)) for mark, at in LINE.findall(parts[-1])]
    # A return address stands behind its call, which may be the last instruction of a function.
    wanted = [hex(at - (i != 0)) for i, (_, at) in enumerate(found)]
    try:
        names = subprocess.run(["addr2line", "-fpse", str(elf), *wanted], text=True, check=True,
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
    except (OSError, subprocess.CalledProcessError):
        return []
    return [f"{mark} {name}" for (mark, _), name in zip(found, names.splitlines())]
