# SPDX-License-Identifier: BSD-2-Clause
"""tools/version.sh: what Kensho says it is, between releases, at a tag, and without git."""

import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

SCRIPT = pathlib.Path(__file__).resolve().parent.parent.parent / "tools/version.sh"
IDENTITY = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false",
            "-c", "tag.gpgsign=false")


class VersionTest(unittest.TestCase):
    def setUp(self):
        here = tempfile.TemporaryDirectory()
        self.addCleanup(here.cleanup)
        self.tree = pathlib.Path(here.name)
        (self.tree / "tools").mkdir()
        shutil.copy(SCRIPT, self.tree / "tools")
        (self.tree / "VERSION").write_text("1.2.3\n")

    def git(self, *args):
        return subprocess.run(("git", *IDENTITY, *args), cwd=self.tree, check=True, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout.strip()

    def commit(self):
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", "x")
        return self.git("rev-parse", "HEAD")[:12]

    def version(self, *args):
        return subprocess.run([self.tree / "tools/version.sh", *args], cwd="/", check=True, text=True,
                              stdout=subprocess.PIPE).stdout

    def test_version_of_a_commit(self):
        self.git("init", "-q")
        commit = self.commit()
        self.assertEqual(self.version(), f"1.2.3-{commit}\n")
        (self.tree / "VERSION").write_text("1.2.4\n")
        self.assertEqual(self.version(), f"1.2.4-{commit}-dirty\n")
        self.assertEqual(self.version("HEAD"), f"1.2.3-{commit}\n")

    def test_version_of_a_release(self):
        self.git("init", "-q")
        self.commit()
        self.git("tag", "v1.2.2")           # not the one that is being made
        first = self.version()
        self.git("tag", "-a", "-m", "x", "v1.2.3")
        self.assertNotEqual(first, "1.2.3\n")
        self.assertEqual(self.version(), "1.2.3\n")
        self.assertEqual(self.version("HEAD"), "1.2.3\n")
        commit = self.commit()
        self.assertEqual(self.version(), f"1.2.3-1-g{commit}\n")

    def test_version_without_git(self):
        """An archive, also one that was unpacked in somebody else's repository."""
        self.assertEqual(self.version(), "1.2.3\n")
        inner = self.tree / "kensho"
        shutil.copytree(self.tree / "tools", inner / "tools")
        shutil.copy(self.tree / "VERSION", inner)
        self.git("init", "-q")
        self.commit()
        out = subprocess.run([inner / "tools/version.sh"], check=True, text=True,
                             stdout=subprocess.PIPE, env={"PATH": os.environ["PATH"]}).stdout
        self.assertEqual(out, "1.2.3\n")


if __name__ == "__main__":
    unittest.main()
