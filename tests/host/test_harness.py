# SPDX-License-Identifier: BSD-2-Clause
"""What fails a test: tests/host/harness.h, in a program with one test of each kind, and
tests/linux/tap.sh."""

import os
import pathlib
import re
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PROGRAM = """
#include "tests/host/harness.h"

static int none;

static void test_nothing(void)
{
}

static void test_loop_that_never_runs(void)
{
	for (int i = 0; i < none; i++)
		EXPECT_EQ(i, i);
}

static void test_wrong_number(void)
{
	EXPECT_EQ(1, none);
}

static void test_not_true(void)
{
	EXPECT_TRUE(none);
}

static void test_each_kind(void) { KIND; }

TEST_MAIN(TEST(test_nothing), TEST(test_loop_that_never_runs), TEST(test_wrong_number),
	  TEST(test_not_true), TEST(test_each_kind))
"""
KINDS = ("EXPECT_TRUE(1)", "EXPECT_FALSE(none)", "EXPECT_EQ(0, none)", "EXPECT_NE(1, none)",
         "EXPECT_LE(none, 0)", "EXPECT_GE(none, 0)", 'EXPECT_STREQ("a", "a")',
         'EXPECT_MEMEQ("a", "a", 1)', "EXPECT_NULL(NULL)", "EXPECT_NOT_NULL(&none)",
         'EXPECT_CONTAINS("abc", "b")')


class HarnessTest(unittest.TestCase):
    def run_program(self, kind):
        """(status, {test: passed})"""
        with tempfile.TemporaryDirectory() as folder:
            program = pathlib.Path(folder) / "program"
            subprocess.run([os.environ.get("HOSTCC", "gcc"), f"-I{ROOT}", f"-DKIND={kind}", "-xc",
                            "-", "-o", program, "-lcmocka"], input=PROGRAM, text=True, check=True)
            done = subprocess.run([program], env={**os.environ, "CMOCKA_MESSAGE_OUTPUT": "TAP"},
                                  capture_output=True, text=True, timeout=20)
        rows = re.findall(r"^(ok|not ok) \d+ - (\S+)", done.stdout, re.M)
        return done.returncode, {name: verdict == "ok" for verdict, name in rows}

    def test_harness_wants_a_check(self):
        for kind in KINDS:
            self.assertEqual(self.run_program(kind), (1, {
                "test_nothing": False, "test_loop_that_never_runs": False,
                "test_wrong_number": False, "test_not_true": False, "test_each_kind": True}), kind)

    def test_linux_wants_a_check(self):
        script = """
            . tests/linux/tap.sh
            dmesg() { :; }
            verdict nothing
            want number 1 1; verdict equal
            verdict nothing-again
            more counter 1 3 2; verdict grew
            check broken true; verdict command
            want number 1 2; check broken false; verdict wrong"""
        done = subprocess.run(["sh", "-c", script], cwd=ROOT, capture_output=True, text=True,
                              check=True, timeout=20)
        self.assertEqual(done.stdout.splitlines(), [
            "not ok 1 - nothing # no check was reached", "ok 2 - equal",
            "not ok 3 - nothing-again # no check was reached", "ok 4 - grew", "ok 5 - command",
            "not ok 6 - wrong # number: got '1', want '2'; broken"])


if __name__ == "__main__":
    unittest.main()
