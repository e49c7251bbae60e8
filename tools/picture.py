# SPDX-License-Identifier: BSD-2-Clause
"""Pictures of a screen: QEMU's PPM files in, PNG files out."""

import re
import struct
import zlib


def read_ppm(data):
    """(width, height, bytes: red, green, blue of each pixel) of a binary PPM with 8-bit colours."""
    found = re.match(rb"P6\s+(?:#.*\s+)*(\d+)\s+(\d+)\s+255\s", data)
    if not found:
        raise ValueError("not a PPM picture")
    width, height = int(found[1]), int(found[2])
    pixels = data[found.end():]
    if len(pixels) != width * height * 3:
        raise ValueError("the PPM picture is cut off")
    return width, height, pixels


def write_png(path, width, height, pixels):
    """A PNG with a palette where 256 colours are enough."""
    colours = sorted({pixels[i:i + 3] for i in range(0, len(pixels), 3)})

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + \
            struct.pack(">I", zlib.crc32(kind + body))

    if len(colours) <= 256:
        number = {colour: i for i, colour in enumerate(colours)}
        raw = bytes(number[pixels[i:i + 3]] for i in range(0, len(pixels), 3))
        palette, kind, step = chunk(b"PLTE", b"".join(colours)), 3, width
    else:
        raw, palette, kind, step = pixels, b"", 2, width * 3
    lines = b"".join(b"\0" + raw[y * step:(y + 1) * step] for y in range(height))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" +
                     chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0)) +
                     palette + chunk(b"IDAT", zlib.compress(lines, 9)) + chunk(b"IEND", b""))
