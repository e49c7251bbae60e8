# SPDX-License-Identifier: BSD-2-Clause
"""A picture from a VNC server: as much of RFB 3.3 as Bochs' screen speaks (RFC 6143).

No password, one byte a pixel in the server's own format, raw encoding.
"""

import socket
import struct

VERSION = b"RFB 003.003\n"
NO_AUTHENTICATION = 1
SET_ENCODINGS, UPDATE_REQUEST = 2, 3    # to the server
UPDATE = 0                              # from it
RAW = 0
TIMEOUT_S = 20


class Client:
    def __init__(self, port, host="127.0.0.1"):
        self.sock = socket.create_connection((host, port), TIMEOUT_S)
        self.take(len(VERSION))
        self.sock.sendall(VERSION)
        security, = self.unpack(">I")
        if security != NO_AUTHENTICATION:
            raise ValueError(f"the VNC server wants security type {security}")
        self.sock.sendall(b"\1")        # others may look, too
        self.width, self.height = self.unpack(">2H")
        bits, _, big, true_colour, *self.maximum = self.unpack(">4B3H")
        self.shift = self.unpack(">3B3x")
        if (bits, true_colour) != (8, 1):
            raise ValueError(f"{bits} bits a pixel: only 8 in true colour are understood")
        self.take(self.unpack(">I")[0])     # the screen's name
        self.sock.sendall(struct.pack(">BxHi", SET_ENCODINGS, 1, RAW))

    def close(self):
        self.sock.close()

    def take(self, count):
        data = b""
        while len(data) < count:
            more = self.sock.recv(count - len(data))
            if not more:
                raise ValueError("the VNC server hung up")
            data += more
        return data

    def unpack(self, fmt):
        return struct.unpack(fmt, self.take(struct.calcsize(fmt)))

    def colour(self, pixel):
        return bytes((pixel >> shift & most) * 255 // most
                     for shift, most in zip(self.shift, self.maximum))

    def screen(self):
        """(width, height, bytes: red, green, blue of each pixel), all of it."""
        self.sock.sendall(struct.pack(">BB4H", UPDATE_REQUEST, 0, 0, 0, self.width, self.height))
        lines = [bytearray(self.width) for _ in range(self.height)]
        missing = self.width * self.height
        while missing > 0:
            kind, count = self.unpack(">BxH")
            if kind != UPDATE:
                raise ValueError(f"the VNC server sent message {kind}")
            for _ in range(count):
                missing -= self.rectangle(lines)
        table = [self.colour(pixel) for pixel in range(256)]
        return self.width, self.height, b"".join(table[p] for line in lines for p in line)

    def rectangle(self, lines):
        left, top, width, height, encoding = self.unpack(">4Hi")
        if encoding != RAW:
            raise ValueError(f"the VNC server sent encoding {encoding}")
        for y in range(top, top + height):
            lines[y][left:left + width] = self.take(width)
        return width * height
