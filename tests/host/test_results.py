# SPDX-License-Identifier: BSD-2-Clause
"""tests/run/results.py: what counts as a failure; and ONLY=, which must choose something."""

import os
import pathlib
import subprocess
import sys
import tempfile
import unittest
from unittest import mock

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests/run"))
import results  # noqa: E402

TOOLS = ("host.py", "run.py", "fuzz.py", "mutate.py", "../lint/lint.py")


class ResultsTest(unittest.TestCase):
    def after(self, *rows):
        """(status, {name: result}) of a run with these results, in this order."""
        with tempfile.TemporaryDirectory() as folder, \
                mock.patch.object(results, "FILE", pathlib.Path(folder) / "results.tsv"), \
                mock.patch("builtins.print"):
            results.start()
            for name, result in rows:
                results.record(name, result, "why")
            return results.summary(), {name: row[0] for name, row in results.load().items()}

    def test_results_worst_counts(self):
        for rows in ((("a", "fail"), ("a", "pass")), (("a", "pass"), ("a", "fail")),
                     (("a", "fail"), ("a", "skip"), ("a", "pass"))):
            self.assertEqual(self.after(*rows), (1, {"a": "fail"}), rows)
        self.assertEqual(self.after(("a", "skip"), ("a", "pass"), ("b", "pass")),
                         (0, {"a": "skip", "b": "pass"}))

    def test_results_need_a_pass(self):
        self.assertEqual(self.after()[0], 1)
        self.assertEqual(self.after(("a", "skip"))[0], 1)
        self.assertEqual(self.after(("a", "skip"), ("b", "pass"))[0], 0)

    def refused(self, why, *command, **env):
        done = subprocess.run([sys.executable, *command], cwd=ROOT, text=True, timeout=60,
                              env={**os.environ, "MAKE": "false", **env}, capture_output=True)
        self.assertEqual((done.returncode, done.stdout), (1, ""), command)
        self.assertRegex(done.stderr, rf"\A'.*' {why}.*: `\S+.* --names` prints what there is\n\Z")

    def test_results_only_fits(self):
        """ONLY= that fits nothing ends `make check` and the others before they build anything."""
        for kind in ("check", "test", "nightly"):
            self.refused("fits no test", "tests/run/all.py", kind, ONLY="no-such-test")
            self.refused("is no regular expression", "tests/run/all.py", kind, ONLY="(")
        # What only another kind of run has.
        self.refused("fits no test", "tests/run/all.py", "check", ONLY="run:linux-boot")

    def test_results_tools_fit(self):
        for tool in TOOLS:
            self.refused("fits no test", f"tests/run/{tool}", "no-such-test")
        self.refused("fits no test", "tests/run/run.py", "--when", "nightly", ":linux-boot$")

    def test_results_names(self):
        """What --names prints fits."""
        for command in (["all.py", "test"], ["all.py", "nightly"], *([tool] for tool in TOOLS)):
            done = subprocess.run([sys.executable, f"tests/run/{command[0]}", *command[1:], "--names"],
                                  cwd=ROOT, text=True, timeout=60, capture_output=True, check=True)
            names = done.stdout.split()
            self.assertGreater(len(names), 5, command)
            for name in names:
                results.select(f"{name}$", names, "")


if __name__ == "__main__":
    unittest.main()
