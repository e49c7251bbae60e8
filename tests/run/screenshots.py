#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""tools/screenshot.py's pictures of the boot log show it, to its last line."""

import os
import pathlib
import sys

import results
import screen_text

sys.path.insert(0, str(results.ROOT / "tools"))
import screenshot  # noqa: E402

LAST = "starting the guest: COM1 and the screen are its own from here on"
CELL_HEIGHT = 16        # of VGA's font


def framebuffer(directory):
    rows, _ = screen_text.lines(*(
        screen_text.colours(part) if isinstance(part, bytes) else part
        for part in screenshot.screenshot("efi", "", directory)))
    rows = [row for row in rows if row]
    if not rows[0].startswith("Kensho ") or rows[-1] != LAST:
        raise ValueError(f"from {rows[0]!r} to {rows[-1]!r}")


def text(directory):
    """VGA's font is not ours to read: as many lines as COM1 has, and the last as long as LAST."""
    width, height, pixels = screenshot.screenshot("text", "", directory)
    rows = [pixels[y * width * 3:(y + 1) * width * 3] for y in range(height)]
    cells = [rows[y:y + CELL_HEIGHT] for y in range(0, height, CELL_HEIGHT)]
    written = [cell for cell in cells[:-1] if any(any(row) for row in cell)]    # below: the cursor
    log = (directory / "com1.log").read_bytes().decode(errors="replace").partition("Kensho 0.")[2]
    log = log.partition("starting the guest")[0]
    want = 2 + sum(1 + len(line.rstrip()) // 80 for line in log.splitlines())   # GRUB's, and LAST
    right = max(x // 27 + 1 for row in written[-1] for x, dot in enumerate(row) if dot)
    if len(written) != want or right != len(LAST):
        raise ValueError(f"{len(written)} lines, not {want}; the last has {right} characters")


def main():
    screenshot.own_network()
    base = pathlib.Path(os.environ["RUN_DIR"])
    for mode in (framebuffer, text):
        directory = base / mode.__name__
        directory.mkdir(parents=True, exist_ok=True)
        mode(directory)


if __name__ == "__main__":
    results.process(lambda: main())
