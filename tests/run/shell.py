#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A scripted terminal on `make run`: what a user does by hand.

    tests/run/shell.py            boots to the shell, types, reads the answers, powers off
    tests/run/shell.py ctrl-c     presses Ctrl-C during the boot: no emulator may stay behind
"""

import os
import pty
import re
import select
import signal
import sys
import time

import results

CTRL_C = b"\x03"
FIRST_WORD_S = 5            # something must be on the screen by then
BOOT_S, ANSWER_S = 240, 60
IDLE_S = 8


class Terminal:
    """A pty with `make run` (or its last step) on it."""

    def __init__(self, cmd):
        self.seen = b""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(results.ROOT)
            os.execvp(cmd[0], cmd)
        self.status = None

    def pump(self, seconds):
        """Read for a while; False when the program has closed the terminal."""
        ready, _, _ = select.select([self.fd], [], [], seconds)
        if not ready:
            return True
        try:
            data = os.read(self.fd, 65536)
        except OSError:
            data = b""
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        self.seen += data
        return bool(data)

    def read_for(self, seconds):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self.pump(0.2):
            pass

    def expect(self, pattern, seconds, start=0):
        """Wait for a regular expression beyond `start`; returns the match."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            found = re.compile(pattern, re.S).search(self.seen, start)
            if found:
                return found
            if not self.pump(0.2):
                break
        raise AssertionError(f"no /{pattern.decode()}/ within {seconds} s")

    def ask(self, command, answer):
        start = len(self.seen)
        os.write(self.fd, command + b"\r")
        # The echo of the command may hold the answer's text: look behind it.
        echo = self.expect(re.escape(command[-20:]), ANSWER_S, start)
        return self.expect(answer, ANSWER_S, echo.end())

    def wait(self, seconds):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if not self.pump(0.2):
                break
        while time.monotonic() < deadline:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = os.waitstatus_to_exitcode(status)
                return self.status
            time.sleep(0.1)
        raise AssertionError(f"make run did not end within {seconds} s")

    def kill(self):
        if self.status is None:
            os.kill(self.pid, signal.SIGTERM)
            time.sleep(2)


def emulators():
    """Process ids of emulators that run for our build/run directory."""
    mine, want = [], os.environ.get("RUN_DIR", str(results.ROOT / "build/run"))
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            comm = open(f"/proc/{pid}/comm").read()
            cwd = os.readlink(f"/proc/{pid}/cwd")
        except OSError:
            continue
        if cwd == os.path.realpath(want) and re.match("bochs|qemu", comm):
            mine.append(int(pid))
    return mine


def idle_at_the_prompt(term):
    """While nobody types the guest's clock goes with the one on the wall."""
    def uptime():
        return int(term.ask(b"echo up $(cut -d. -f1 /proc/uptime)", rb"up (\d+)\r?\n")[1])

    wall, guest = time.monotonic(), uptime()
    term.read_for(IDLE_S)
    guest, wall = uptime() - guest, time.monotonic() - wall
    assert guest <= wall + 2, f"{guest} s passed for the guest in {wall:.0f} s"
    assert guest >= IDLE_S / 4, f"only {guest} s passed for the guest in {wall:.0f} s"


def shell(term):
    term.expect(rb"run: ", FIRST_WORD_S)
    term.expect(rb"[\r\n]guest# ", BOOT_S)
    term.ask(b"echo answer $((6 * 7))", rb"answer 42\r?\n")
    term.ask(b"uname -s -m", rb"Linux x86_64\r?\n")
    term.ask(b"dmesg | grep -c 'Hypervisor detected: KVM'", rb"\n1\r?\n")
    term.ask(b"ls /cd/boot", rb"kensho\.elf")
    idle_at_the_prompt(term)
    os.write(term.fd, b"poweroff\r")
    status = term.wait(ANSWER_S)
    assert status == 0, f"exit status {status}, want 0"


def ctrl_c(term):
    term.expect(rb"run: ", FIRST_WORD_S)
    deadline = time.monotonic() + 20
    while not emulators() and time.monotonic() < deadline:
        term.pump(0.2)
    assert emulators(), "no emulator was started"
    term.pump(1)
    os.write(term.fd, CTRL_C)
    status = term.wait(10)
    assert status != 0, "Ctrl-C ended with exit status 0"


def main(argv):
    term = Terminal(os.environ.get("RUN_COMMAND", "make run").split())
    try:
        (ctrl_c if argv[1:] == ["ctrl-c"] else shell)(term)
        assert not emulators(), f"emulators left behind: {emulators()}"
    except AssertionError as err:
        print(f"\nshell.py: {err}")
        return 1
    finally:
        term.kill()
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    sys.exit(main(sys.argv))
