# SPDX-License-Identifier: BSD-2-Clause
"""The command lines of tools/*.py: --help and misspelt options write nothing."""

import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

TOOLS = pathlib.Path(__file__).resolve().parent.parent.parent / "tools"
NAMES = ("mkinitrd", "mkiso", "mkusb", "run", "screenshot", "trace")


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
