# SPDX-License-Identifier: BSD-2-Clause
"""The text on a picture of Kensho's framebuffer console, read by comparing its cells with the font.

    lines(WIDTH, HEIGHT, PIXELS)    pixels: a sequence of colours, row after row

The glyphs come from the table in drivers/font8x8.c as a reader sees it; nothing else is shared with
the code that draws. A cell that is no glyph becomes BROKEN.
"""

import collections
import functools
import re

import results

BROKEN = "\N{REPLACEMENT CHARACTER}"


@functools.lru_cache(None)
def font():
    """{(the 8 lines of a glyph, "..##...."): character}"""
    text = (results.ROOT / "drivers/font8x8.c").read_text()
    rows = re.findall(r'"([.#]{8}(?: [.#]{8}){7})"', text)
    out = {}
    for block in range(0, len(rows), 8):
        for i in range(8):
            glyph = tuple(row.split()[i] for row in rows[block:block + 8])
            out[glyph] = chr(0x20 + block + i)
    if len(out) != 96:
        raise ValueError(f"drivers/font8x8.c has {len(out)} different glyphs, not 96")
    return out


def cell_size(width, height):
    """Dots of a cell: docs/screen.md, "Which screens work"."""
    scale = max(1, min(width // 1024, height // 384, 16))
    return scale, scale * 2 if height >= 384 else 1


def one_cell(picture, x, y, scale, scale_y, back):
    """A character; its dots must be rectangles of one colour, and it must have two colours at most."""
    glyph, ink = [], set()
    for row in range(8):
        line = ""
        for col in range(8):
            dot = {picture[y + row * scale_y + j][x + col * scale + i]
                   for j in range(scale_y) for i in range(scale)}
            ink |= dot - {back}
            if len(dot) != 1 or len(ink) > 1:
                return BROKEN
            line += "." if back in dot else "#"
        glyph.append(line)
    return font().get(tuple(glyph), BROKEN)


def row_colours(width, height, pixels):
    """The background of each row."""
    step = 8 * cell_size(width, height)[1] * width
    return [collections.Counter(pixels[at:at + step]).most_common(1)[0][0]
            for at in range(0, width * height - step + 1, step)]


def lines(width, height, pixels):
    """(text of the rows without blanks at their ends, background colour of most of them)"""
    scale, scale_y = cell_size(width, height)
    back = collections.Counter(pixels).most_common(1)[0][0]
    picture = [pixels[y * width:(y + 1) * width] for y in range(height)]
    blank, out = [back] * width, []
    tops = range(0, height - 8 * scale_y + 1, 8 * scale_y)
    for top, row_back in zip(tops, row_colours(width, height, pixels)):
        if all(picture[top + y] == blank for y in range(8 * scale_y)):
            out.append("")
            continue
        out.append("".join(one_cell(picture, left, top, scale, scale_y, row_back)
                           for left in range(0, width - 8 * scale + 1, 8 * scale)).rstrip())
    return out, back


def colours(data, pixel_bytes=3):
    """A list of numbers from packed pixels, first byte lowest."""
    return [int.from_bytes(data[i:i + pixel_bytes], "little")
            for i in range(0, len(data), pixel_bytes)]
