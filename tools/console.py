# SPDX-License-Identifier: BSD-2-Clause
"""The user's terminal and the two serial ports of a machine: tools/run.py.

The terminal is the guest's. Ctrl-] is ours: a key after it switches to Kensho's console on COM2 and
back, restarts, or ends. Both ports are kept in files.
"""

import contextlib
import dataclasses
import os
import pathlib
import pty
import re
import select
import sys
import termios
import time
import tty

CTRL_C, ESCAPE = 0x03, 0x1d             # Ctrl-]
PROMPT = re.compile(rb"[\r\n][\w:/@.~-]{1,30} ?[#$] ")
BANNER = re.compile(rb"^Kensho [^\n]*hypervisor", re.M)
GUEST_STARTS = re.compile(rb"^starting the guest\b[^\n]*\n", re.M)
# What Kensho says before it stands still for ever: at boot, and when a guest was running. The guest
# may print the same, but goes on then.
HALTED = re.compile(rb"^the machine is halted: reset it\r?$|RESULT: Kensho can", re.M)
HALTED_LATE = re.compile(rb"^(?:---- |error: )the machine is halted: reset it[^\n]*\s*\Z", re.M)
DONE = re.compile(rb"RESULT: Kensho can run here")     # it did what it was asked for
LAST_WORDS_S = 2.0                      # of silence behind them
BACKLOG = 1 << 16                       # bytes of a port that nobody looks at
HELP = """\
Ctrl-] and then:
  q       end the run (exit status 0)
  1       the guest: its COM1
  2       Kensho's console on COM2 (? lists its keys; with log=none the guest's COM2)
  r       restart the machine
  h       this help
  Ctrl-]  send a Ctrl-] to where the keys go"""


def say(text):
    try:
        for line in text.splitlines():
            sys.stderr.write(f"run: {line}{Terminal.newline}")
        sys.stderr.flush()
    except OSError:
        pass                # the terminal has gone; what we are doing matters more


class Terminal:
    """Our side of the user's terminal: character at a time, no signals from keys."""

    newline = "\n"              # what ends a line of ours: differs while the terminal is raw

    def __init__(self):
        self.fd = sys.stdin.fileno()
        self.saved = termios.tcgetattr(self.fd) if os.isatty(self.fd) else None

    def __enter__(self):
        if self.saved:
            mode = termios.tcgetattr(self.fd)
            mode[tty.IFLAG] &= ~(termios.ICRNL | termios.IXON | termios.INLCR)
            mode[tty.OFLAG] &= ~termios.OPOST
            mode[tty.LFLAG] &= ~(termios.ICANON | termios.ECHO | termios.IEXTEN | termios.ISIG)
            mode[tty.CC][termios.VMIN], mode[tty.CC][termios.VTIME] = 1, 0
            termios.tcsetattr(self.fd, termios.TCSADRAIN, mode)
            Terminal.newline = "\r\n"
        return self

    def __exit__(self, *_):
        if self.saved:
            Terminal.newline = "\n"
            with contextlib.suppress(termios.error):    # it has gone
                termios.tcsetattr(self.fd, termios.TCSADRAIN, self.saved)


class Port:
    """A serial port: the emulator has the slave side of a pty, a file all that came out."""

    def __init__(self, log):
        self.path = pathlib.Path(log)
        self.log = open(log, "ab", buffering=0)
        self.fd, self.slave = pty.openpty()
        os.set_blocking(self.fd, False)
        tty.setraw(self.slave)
        self.name = os.ttyname(self.slave)
        self.unseen = b""                       # what came while the terminal showed the other
        self.pending = b""                      # input that was not sent yet

    def close(self):
        for fd in (self.fd, self.slave):
            os.close(fd)
        self.log.close()

    def read(self):
        try:
            data = os.read(self.fd, 65536)
        except OSError:
            return b""
        self.log.write(data)
        return data

    def send_some(self):
        # As much as its FIFO holds: the UART has no flow control. The emulator may take less.
        if self.pending:
            with contextlib.suppress(BlockingIOError):
                self.pending = self.pending[os.write(self.fd, self.pending[:16]):]


@dataclasses.dataclass
class Speech:
    """What COM1 has said so far, as far as it matters."""
    kensho: bool                    # Kensho speaks there before the guest does
    text: bytes = b""               # since the last thing that was found in it
    guest: bool = False             # the guest has spoken
    halted: bool = False
    done: bool = False              # halted because it did what it was asked for

    def add(self, data):
        self.text += data
        again = BANNER.search(self.text) if self.guest and self.kensho else None
        if again:                                       # the machine has started again
            self.guest, self.text = False, self.text[again.start():]
        start = GUEST_STARTS.search(self.text)
        if start and start.end() < len(self.text):
            self.guest, self.text = True, self.text[start.end():]
        elif not self.kensho and self.text.strip():
            self.guest = True
        self.done = self.done or bool(DONE.search(self.text))
        self.halted = bool((HALTED_LATE if self.guest else HALTED).search(self.text))
        self.text = self.text[-4096:]


class Session:
    """Moves bytes between the terminal and the ports until the machine ends or the user does."""

    def __init__(self, emulator, com1, com2, kensho):
        """kensho: it speaks on COM1 before the guest does"""
        self.emulator, self.ports = emulator, {1: com1, 2: com2}
        self.shown = 1
        self.speech = Speech(kensho)
        self.tty = os.isatty(sys.stdin.fileno())
        self.hold = not self.tty                # input from a pipe waits for a prompt
        self.escaped = False
        self.end = ""                           # quit, interrupt, restart, halted; "": by itself
        self.stdin_open = True
        self.started = self.noted = self.heard = time.monotonic()

    def run(self):
        while not self.end:
            ended = self.emulator.poll() is not None
            fds = {port.fd: number for number, port in self.ports.items()}
            wanted = list(fds) + ([sys.stdin.fileno()] if self.stdin_open else [])
            ready, _, _ = select.select(wanted, [], [], 0 if ended else 0.2)
            heard = [self.from_port(fds[fd]) for fd in ready if fd in fds]
            if ended and not any(heard):
                break
            if sys.stdin.fileno() in ready:
                self.from_user()
            self.to_ports()
            self.waiting()
        if self.shown != 1:
            self.show(1)

    def from_port(self, number):
        port = self.ports[number]
        data = port.read()
        if number == 1:
            self.speech.add(data)
            self.heard = time.monotonic()
        if number == self.shown:
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
        else:
            port.unseen = (port.unseen + data)[-BACKLOG:]
        return data

    def show(self, number):
        self.shown = number
        say("COM1, the guest (Ctrl-] 2: Kensho's console)" if number == 1 else
            "COM2, Kensho's console (? lists its keys; Ctrl-] 1: back to the guest)")
        port = self.ports[number]
        sys.stdout.buffer.write(port.unseen.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
                                if Terminal.newline != "\n" else port.unseen)
        sys.stdout.buffer.flush()
        port.unseen = b""

    def from_user(self):
        data = os.read(sys.stdin.fileno(), 4096)
        if not data:
            self.stdin_open = False
        for byte in data:
            if not self.tty:                    # a pipe has no keys of ours
                self.ports[1].pending += bytes([byte])
            elif self.escaped:
                self.escaped = False
                self.command(byte)
            elif byte == ESCAPE:
                self.escaped = True
            elif byte == CTRL_C and not self.speech.guest and self.shown == 1:
                self.end = "interrupt"
            else:
                self.ports[self.shown].pending += bytes([byte])

    def command(self, byte):
        key = chr(byte).lower()
        if key in "qr":
            self.end = {"q": "quit", "r": "restart"}[key]
        elif key in "12":
            self.show(int(key))
        elif byte == ESCAPE:
            self.ports[self.shown].pending += bytes([byte])
        elif key in "h?":
            say(HELP)
        else:
            say("Ctrl-] has no such key; Ctrl-] h lists them")

    def to_ports(self):
        if self.hold and PROMPT.search(self.speech.text[-64:]):
            self.hold = False
        if not self.hold:
            for port in self.ports.values():
                port.send_some()

    def waiting(self):
        now = time.monotonic()
        if self.speech.halted and now - self.heard >= LAST_WORDS_S:
            self.end = "halted"
        elif not self.speech.text and not self.speech.guest and now - self.noted >= 5:
            self.noted = now
            say(f"{now - self.started:.0f} s: firmware and boot loader, nothing on COM1 yet")
