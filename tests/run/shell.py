#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A scripted terminal on `make run`: what a user does by hand.

    tests/run/shell.py            boots to the shell, types, reads the answers, powers off
    tests/run/shell.py ctrl-c     presses Ctrl-C during the boot: no emulator may stay behind
    tests/run/shell.py refused    Kensho's refusal in the machine ends the run
    tests/run/shell.py mistakes   make targets with wrong words: one line, within a second or two
"""

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time

import results

CTRL_C, ESCAPE = b"\x03", b"\x1d"
FIRST_WORD_S = 5            # something must be on the screen by then
BOOT_S, ANSWER_S = 240, 60
IDLE_S = 8
MISTAKE_S = 5               # a second on an idle machine


class Terminal:
    """A pty with `make run` (or its last step) on it."""

    def __init__(self, cmd):
        self.seen = b""
        self.started = time.monotonic()
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
    """While nobody types the guest's clock goes with the one on the wall. On a busy host it lags
    behind when the guest is busy and catches up when it is idle, but is never ahead."""
    def uptime():
        return int(term.ask(b"echo up $(cut -d. -f1 /proc/uptime)", rb"up (\d+)\r?\n")[1])

    before = uptime()
    term.read_for(IDLE_S)
    now, wall = uptime(), time.monotonic() - term.started
    assert now <= wall, f"the guest is up for {now} s, {wall:.0f} s after make run"
    assert now - before >= IDLE_S * 3 / 4, f"{now - before} s passed for the guest in {IDLE_S} s"


def ctrl_c_is_the_guests(term):
    start = len(term.seen)
    os.write(term.fd, b"sleep 1000; echo status $?\r")
    term.expect(rb"status \$\?", ANSWER_S, start)
    term.read_for(1)
    os.write(term.fd, CTRL_C)
    term.expect(rb"guest# ", ANSWER_S, term.expect(rb"\^C", ANSWER_S, start).end())
    term.ask(b"echo still $((1 + 1))", rb"still 2\r?\n")


def kenshos_console(term):
    start = len(term.seen)
    os.write(term.fd, ESCAPE + b"2")
    term.expect(rb"run: COM2, Kensho's console", ANSWER_S, start)
    os.write(term.fd, b"?")
    term.expect(rb"\bcounters\b.*dump the counters", ANSWER_S, start)
    os.write(term.fd, b"c")
    term.expect(rb"exit vp0 \S+ \d+", ANSWER_S, start)
    term.read_for(3)    # VP 0 stands while the dump goes out: keys for the guest would get lost
    os.write(term.fd, ESCAPE + b"1")
    term.expect(rb"run: COM1, the guest", ANSWER_S, start)
    term.ask(b"echo back $((1 + 2))", rb"back 3\r?\n")


def shell(term):
    term.expect(rb"run: ", FIRST_WORD_S)
    term.expect(rb"[\r\n]guest# ", BOOT_S)
    term.ask(b"echo answer $((6 * 7))", rb"answer 42\r?\n")
    term.ask(b"uname -s -m", rb"Linux x86_64\r?\n")
    term.ask(b"dmesg | grep -c 'Hypervisor detected: KVM'", rb"\n1\r?\n")
    term.ask(b"ls /cd/boot", rb"kensho\.elf")
    idle_at_the_prompt(term)
    ctrl_c_is_the_guests(term)
    kenshos_console(term)
    os.write(term.fd, b"poweroff\r")
    status = term.wait(ANSWER_S)
    assert status == 0, f"exit status {status}, want 0"
    for number, text in ((1, b"answer 42"), (2, b"counters: ")):
        found = re.search(rb"COM%d (?:is kept )?in ([^\s,]+)" % number, term.seen)
        path = results.ROOT / os.fsdecode(found[1])
        assert text in path.read_bytes(), f"{path} has no {text}"


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


def refused(term):
    """What `make run` cannot know beforehand: the guest does not fit in the memory."""
    term.expect(rb"the machine is halted: reset it", BOOT_S)
    status = term.wait(ANSWER_S)
    assert status != 0, "a refusal ended with exit status 0"
    assert rb"add memory" in term.seen


MISTAKES = (("run", "HV=hlt=exti", "HV: option hlt=exti: did you mean hlt=exit?"),
            ("run", "HV=hv_relaxed", 'did you mean "cpu=host,hv_relaxed"?'),
            ("run", "HV=help", "Options and their defaults"),
            ("run", "KERNEL=/nonexistent", "KERNEL=/nonexistent: there is no such file"),
            ("run", "MEMORY=2G", "MEMORY=2G: give a number of MiB"),
            ("run", "CPUS=abc", "CPUS=abc: give a number of CPUs"),
            ("iso", "HV=hv_relaxed", 'did you mean "cpu=host,hv_relaxed"?'),
            ("iso", "KERNEL=/nonexistent", "KERNEL=/nonexistent: there is no such file"),
            ("options", "NAME=statz", 'did you mean "stats"?'))


def mistakes():
    """They end before anything is built or installed; --trace-like noise of make is all there is."""
    made = results.ROOT / "build/options"
    subprocess.run(["make", "-s", "build/options"], cwd=results.ROOT, check=True)
    assert made.exists()
    for target, word, answer in MISTAKES:
        start = time.monotonic()
        done = subprocess.run(["make", target, word], cwd=results.ROOT, text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
        took = time.monotonic() - start
        print(f"{took:.1f} s  make {target} {word}: {answer}")
        assert answer in done.stdout, done.stdout
        assert done.returncode != 0 and "Traceback" not in done.stdout, done.stdout
        assert len([line for line in done.stdout.splitlines() if not line.startswith("make")]) == 1 or \
            word == "HV=help", done.stdout
        assert took < MISTAKE_S, f"make {target} {word} took {took:.1f} s"


SCRIPTS = {"": shell, "ctrl-c": ctrl_c, "refused": refused}


def main(argv):
    script = argv[1] if len(argv) > 1 else ""
    if script == "mistakes":
        mistakes()
        return 0
    if script == "refused":
        os.environ["MEMORY"] = "64"
    term = Terminal(os.environ.get("RUN_COMMAND", "make run").split())
    try:
        SCRIPTS[script](term)
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
