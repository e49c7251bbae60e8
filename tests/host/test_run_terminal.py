# SPDX-License-Identifier: BSD-2-Clause
"""`make run` in a scripted terminal, on a machine that only talks: tests/host/fake_machine.py."""

import os
import pathlib
import pty
import re
import select
import signal
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
# tools/run.py, but what GRUB would load is not built.
CODE = ("import sys; sys.path.insert(0, 'tools'); sys.argv = ['run.py']; import cli, run; "
        "run.build_image = lambda *args: None; run.mkiso.check_guest = lambda *args: 'linux'; "
        "run.emu.nested_kvm = lambda: 'no VMX'; cli.run(run.main)")
ESCAPE = b"\x1d"
WAIT_S = 20


class Terminal:
    def __init__(self, case, scenario, **env):
        self.dir = tempfile.TemporaryDirectory()
        case.addCleanup(self.dir.cleanup)
        case.addCleanup(self.close)
        env = dict(os.environ, BOCHS=str(ROOT / "tests/host/fake_machine.py"), SCENARIO=scenario,
                   RUN_DIR=f"{self.dir.name}/run", KERNEL="/dev/null", HV="", **env)
        self.seen, self.status = b"", None
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(ROOT)
            os.execve(sys.executable, [sys.executable, "-c", CODE], env)

    def pump(self):
        try:
            data = os.read(self.fd, 65536) if select.select([self.fd], [], [], 0.1)[0] else None
        except OSError:
            data = b""
        self.seen += data or b""
        return data != b""

    def expect(self, pattern):
        """Wait for it behind what was expected before."""
        deadline = time.monotonic() + WAIT_S
        while not (found := re.search(pattern, self.seen)):
            if not self.pump() or time.monotonic() > deadline:
                raise AssertionError(f"no /{pattern.decode()}/ in {self.seen.decode()}")
        self.seen = self.seen[found.end():]

    def type(self, keys):
        os.write(self.fd, keys)

    def end(self):
        """The exit status."""
        deadline = time.monotonic() + WAIT_S
        while self.pump() and time.monotonic() < deadline:
            pass
        self.status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self.status

    def close(self):
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.fd)

    def log(self, number):
        return (pathlib.Path(self.dir.name) / f"run/com{number}.log").read_bytes()


class RunTerminalTest(unittest.TestCase):
    def test_the_keys_are_the_guests(self):
        term = Terminal(self, "guest")
        term.expect(rb"Kensho's options: log=com2 on_crash=halt\r\n")
        term.expect(rb"Ctrl-\] is the escape: q ends, 2 Kensho's console")
        term.expect(rb"guest# ")
        for keys, seen in ((b"\x03", b"03"), (b"\x1a", b"1a"), (b"\x1c", b"1c"),
                           (ESCAPE + ESCAPE, b"1d"), (b"\r", b"0d")):
            term.type(keys)
            term.expect(b"com1 got " + seen + rb"\r\n")
        term.type(b"p")
        self.assertEqual(term.end(), 0)
        self.assertIn(b"run: the guest powered off", term.seen)
        self.assertRegex(term.seen, rb"run: COM1 is kept in \S+/com1.log, COM2 in \S+/com2.log")
        self.assertIn(b"com1 got 1a", term.log(1))
        self.assertIn(b"log: the guest has started", term.log(2))

    def test_escape_keys(self):
        term = Terminal(self, "guest")
        term.expect(rb"guest# ")
        term.type(ESCAPE + b"h")
        for key in (b"q ", b"1 ", b"2 ", b"r ", b"h ", rb"Ctrl-\] "):
            term.expect(rb"run:   " + key + rb" +\S")
        term.type(ESCAPE + b"x")
        term.expect(rb"no such key; Ctrl-\] h lists them")
        term.type(ESCAPE + b"2")
        term.expect(rb"run: COM2, Kensho's console.*\r\nlog: the guest has started\r\n")
        term.type(b"?")
        term.expect(rb"com2 got 3f")
        term.type(b"\x03")
        term.expect(rb"com2 got 03")
        term.type(ESCAPE + b"1")
        term.expect(rb"run: COM1, the guest")
        term.type(b"x")
        term.expect(rb"com1 got 78")
        term.type(ESCAPE + b"q")
        self.assertEqual(term.end(), 0)
        self.assertIn(b"run: ended by Ctrl-] q", term.seen)

    def test_restart(self):
        term = Terminal(self, "guest")
        term.expect(rb"guest# ")
        term.type(ESCAPE + b"r")
        term.expect(rb"run: restarting")
        term.expect(rb"guest# ")
        term.type(b"p")
        self.assertEqual(term.end(), 0)

    def test_ctrl_c_before_the_guest_speaks(self):
        term = Terminal(self, "silent")
        term.expect(rb"loader GRUB")
        term.type(b"\x03")
        self.assertEqual(term.end(), 130)
        self.assertNotIn(b"Traceback", term.seen)

    def test_a_halted_machine_ends_the_run(self):
        for scenario, status in (("refused", 1), ("dry-run", 0)):
            term = Terminal(self, scenario)
            self.assertEqual(term.end(), status)
            self.assertIn(b"run: the machine is halted, which ends the run", term.seen)

    def test_signals(self):
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            term = Terminal(self, "guest")
            term.expect(rb"guest# ")
            os.kill(term.pid, number)
            self.assertEqual(term.end(), 128 + number)
            self.assertNotIn(b"Traceback", term.seen)
            self.assertIn(b"COM1 is kept in", term.seen)

    def test_the_terminal_goes(self):
        term = Terminal(self, "guest")
        term.expect(rb"guest# ")
        os.close(term.fd)           # the kernel sends a SIGHUP
        term.status = os.waitstatus_to_exitcode(os.waitpid(term.pid, 0)[1])
        term.fd = os.open(os.devnull, os.O_RDONLY)
        self.assertEqual(term.status, 128 + signal.SIGHUP)

    def test_closed_stdin(self):
        """As from a service: it runs, and nobody types."""
        env = dict(os.environ, BOCHS=str(ROOT / "tests/host/fake_machine.py"), SCENARIO="dry-run",
                   KERNEL="/dev/null", HV="")
        with tempfile.TemporaryDirectory() as here:
            done = subprocess.run(["sh", "-c", 'exec "$0" -c "$1" <&-', sys.executable, CODE], cwd=ROOT,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=WAIT_S,
                                  env=dict(env, RUN_DIR=f"{here}/run"))
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_closed_pipe(self):
        env = dict(os.environ, BOCHS=str(ROOT / "tests/host/fake_machine.py"), SCENARIO="guest",
                   KERNEL="/dev/null", HV="")
        with tempfile.TemporaryDirectory() as here:
            tool = subprocess.Popen([sys.executable, "-c", CODE], cwd=ROOT, stdin=subprocess.PIPE,
                                    stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                    env=dict(env, RUN_DIR=f"{here}/run"))
            tool.stdout.close()
            said = tool.stderr.read()
            self.assertEqual(tool.wait(WAIT_S), 128 + signal.SIGPIPE, said)
            self.assertNotIn(b"Traceback", said)
            tool.stdin.close()
            tool.stderr.close()

    def test_a_panic_has_names(self):
        elf = ROOT / "build/kensho.elf"
        names = subprocess.run(["nm", elf], stdout=subprocess.PIPE, text=True, check=True).stdout
        address = int(re.search(r"^(\w+) [tT] panic$", names, re.M)[1], 16)
        term = Terminal(self, "panic", PANIC_AT=f"{address + 1:x}")
        self.assertEqual(term.end(), 1)
        self.assertRegex(term.seen, rb"run:   panic at panic\.c:\d+\r\nrun: \? panic at panic\.c:\d+")


if __name__ == "__main__":
    unittest.main()
