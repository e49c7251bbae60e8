# SPDX-License-Identifier: BSD-2-Clause
"""The command lines of tools/*.py: --help and misspelt options write nothing."""

import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import unittest

TOOLS = pathlib.Path(__file__).resolve().parent.parent.parent / "tools"
NAMES = ("dist", "mkinitrd", "mkiso", "mkusb", "run", "screenshot", "trace")


class CliTest(unittest.TestCase):
    def run_tool(self, name, *args):
        """The finished process; fails when it left a file behind."""
        with tempfile.TemporaryDirectory() as here:
            # Where `make run` would write, should it come to that.
            env = dict(os.environ, RUN_DIR=f"{here}/run", KERNEL="/nonexistent")
            done = subprocess.run([sys.executable, str(TOOLS / f"{name}.py"), *args], cwd=here,
                                  env=env, stdin=subprocess.DEVNULL, text=True, timeout=60,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            self.assertEqual(os.listdir(here), [], name)
        return done

    def test_cli_help(self):
        for name in NAMES:
            for option in ("--help", "-h"):
                done = self.run_tool(name, option)
                self.assertEqual((done.returncode, done.stderr), (0, ""), name)
                self.assertIn(f"{name}.py", done.stdout)

    def test_cli_closed_pipe(self):
        """Whoever read the output has gone: no traceback, the status of a SIGPIPE."""
        for name in NAMES:
            read, write = os.pipe()
            os.close(read)
            done = subprocess.run([sys.executable, str(TOOLS / f"{name}.py"), "--help"], text=True,
                                  stdout=write, stderr=subprocess.PIPE, timeout=60)
            os.close(write)
            self.assertEqual(done.stderr, "", name)
            self.assertIn(done.returncode, (0, 141), name)     # 0: argparse does not flush its help

    def test_cli_interrupted(self):
        for how in ("cli.run(lambda: time.sleep(60))",
                    "cli.run(lambda: time.sleep(60), at_once=True)",
                    # at_once: a thread that goes on does not hold it up.
                    "threading.Thread(target=lambda: time.sleep(60)).start(); "
                    "cli.run(lambda: time.sleep(60), at_once=True)"):
            code = f"import sys, threading, time; sys.path.insert(0, '.'); import cli; {how}"
            tool = subprocess.Popen([sys.executable, "-c", "print('on', flush=True); " + code],
                                    cwd=TOOLS, text=True, stdout=subprocess.PIPE,
                                    stderr=subprocess.PIPE)
            tool.stdout.readline()
            time.sleep(0.5)
            tool.send_signal(signal.SIGINT)
            said = tool.communicate(timeout=20)[1]
            self.assertEqual((tool.returncode, said.strip()), (130, "interrupted"), how)

    def test_cli_no_names_with_dash(self):
        for name in NAMES:
            for option in ("--hlep", "-o"):
                done = self.run_tool(name, option)
                self.assertIn(done.returncode, (1, 2), name)
                self.assertIn(option, done.stderr)
                self.assertNotIn("Traceback", done.stderr)

    def test_cli_check(self):
        """`make iso` and `make run` begin with it."""
        for name in ("mkiso", "run"):
            done = self.run_tool(name, "--check")
            self.assertEqual(done.returncode, 1, name)
            self.assertEqual(done.stderr, "KERNEL=/nonexistent: there is no such file\n")

    def test_cli_check_comes_before_the_build(self):
        makefile = (TOOLS.parent / "Makefile").read_text()
        for target, tool in (("iso", "mkiso"), ("run", "run"), ("usb", "mkusb")):
            recipe = makefile.partition(f"\n{target}: ##")[2].partition("\n\n")[0]
            self.assertRegex(recipe, rf"(?s)tools/{tool}\.py [^\n]*--check.*"
                             r"(\$\(call build|\$\(MAKE\) iso)", target)

    def test_cli_number_of_names(self):
        for name, args in (("mkinitrd", ()), ("mkinitrd", "ab"), ("mkiso", "ab"), ("run", "a"),
                           ("screenshot", ()), ("screenshot", "abcd"), ("mkusb", "abc"),
                           ("mkusb", ("--check",))):
            done = self.run_tool(name, *args)
            self.assertEqual(done.returncode, 2, name)
            self.assertIn(f"tools/{name}.py", done.stderr)


if __name__ == "__main__":
    unittest.main()
