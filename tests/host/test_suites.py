# SPDX-License-Identifier: BSD-2-Clause
"""tests/run/suites.py: how rows inherit and spread, each mistake by its line; and our own rows."""

import pathlib
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests/run"))
import checks  # noqa: E402
import suites  # noqa: E402

DEFAULTS = """
[KEYS]
image = what boots
cpus = how many
expect = lines
[DEFAULT]
cpus = 1
"""


class SuitesTest(unittest.TestCase):
    def load(self, text, **more):
        """The rows of a.cfg, beside defaults.cfg and other files."""
        with tempfile.TemporaryDirectory() as folder:
            for name, content in {"defaults": DEFAULTS, "a": text, **more}.items():
                (pathlib.Path(folder) / f"{name}.cfg").write_text(content)
            return suites.load(pathlib.Path(folder))

    def refused(self, message, text, **more):
        with self.assertRaises(suites.SuiteError) as caught:
            self.load(text, **more)
        self.assertEqual(str(caught.exception), message)

    def test_suites_inherit(self):
        rows = self.load("[BASE]\nimage = x\nexpect = one\n"
                         "[row]\nlike = BASE\ncpus = 2\nexpect +=\n\ttwo\n\tthree\n"
                         "[last]\nlike = row\nexpect = four\n[alone]\n",
                         b="[BASE-2]\nlike = BASE\n[far]\nlike = BASE-2\n")
        self.assertEqual(rows, {
            "row": {"cpus": "2", "image": "x", "expect": "one\ntwo\nthree"},
            "last": {"cpus": "2", "image": "x", "expect": "four"},
            "alone": {"cpus": "1"},
            "far": {"cpus": "1", "image": "x", "expect": "one"}})

    def test_suites_spread(self):
        rows = self.load("[BASE-{A B}]\nimage = {n}\n"
                         "[row-{2 4}-x]\nlike = {BASE-A BASE-B}\ncpus = {n}\n"
                         "expect = {ci nightly} \\d{3} {n}\n"
                         "[single]\nexpect = a{n} {b c}\n")
        self.assertEqual(rows, {
            "row-2-x": {"cpus": "2", "image": "A", "expect": "ci \\d{3} 2"},
            "row-4-x": {"cpus": "4", "image": "B", "expect": "nightly \\d{3} 4"},
            "single": {"cpus": "1", "expect": "a{n} {b c}"}})

    def test_suites_mistakes(self):
        self.refused("a.cfg: [row]: unknown key expct, did you mean expect?", "[row]\nexpct = 1\n")
        self.refused("a.cfg: [row]: unknown key zzz", "[row]\nzzz += 1\n")
        self.refused("a.cfg: [row]: unknown key CPUS", "[row]\nCPUS = 1\n")
        self.refused("a.cfg: [row]: like = NONE: there is no such section", "[row]\nlike = NONE\n")
        self.refused("a.cfg: [one]: inherits from itself: one -> two -> one",
                     "[one]\nlike = two\n[two]\nlike = one\n")
        self.refused("a.cfg: [row]: expect += adds to nothing", "[row]\nexpect += x\n")
        self.refused("a.cfg: [row]: twice in this file", "[row]\n[row]\n")
        self.refused("a.cfg: [row]: cpus twice", "[row]\ncpus = 1\ncpus = 2\n")
        self.refused("b.cfg: [row-2]: already in a.cfg", "[row-{1 2}]\n", b="[row-2]\n")
        self.refused("a.cfg: [row-1]: already in a.cfg", "[row-{1 2}]\n[row-1]\n")
        self.refused("a.cfg: [row-{1 2}]: {1 2 3} has 3 words, the name has 2",
                     "[row-{1 2}]\ncpus = {1 2 3}\n")
        self.refused("a.cfg: [row-{1 2}-{3 4}]: more than one list", "[row-{1 2}-{3 4}]\n")
        self.refused("a.cfg: [DEFAULT]: belongs to defaults.cfg", "[DEFAULT]\ncpus = 2\n")
        self.refused("a.cfg:2: neither [section] nor key = value", "[row]\nno equals sign\n")
        self.refused("a.cfg:1: before the first [section]", "cpus = 1\n")

    def test_suites_rows(self):
        """Our own rows expand, and what they name is there."""
        rows = suites.load()
        self.assertGreater(len(rows), 200)
        for name, row in rows.items():
            with self.subTest(name):
                for check in row.get("check", "").split():
                    self.assertTrue(hasattr(checks, check), check)
                self.assertIn(row["when"], ("ci", "nightly"))
                self.assertGreater(int(row["timeout"]), 0)
                self.assertTrue("image" in row or "script" in row)
                if "script" in row:
                    self.assertTrue((ROOT / row["script"].split()[0]).exists())


if __name__ == "__main__":
    unittest.main()
