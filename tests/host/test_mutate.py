# SPDX-License-Identifier: BSD-2-Clause
"""tests/run/mutate.py: the list and its mistakes, the sample, the order of tests, the score; and
tests/run/mutant.py: what it reads of make's and gcc's output."""

import pathlib
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests/run"))
import mutant  # noqa: E402
import mutate  # noqa: E402

LIST = """# a remark
one core/a.c
- x < 1
+ x <= 1

two hv/b.c row=linux-boot
- f();
+ (void)0;
"""


class MutateTest(unittest.TestCase):
    def refused(self, message, text):
        with self.assertRaises(mutate.ListError) as caught:
            mutate.read_list(text)
        self.assertEqual(str(caught.exception), "mutations.txt: " + message)

    def test_mutate_list(self):
        self.assertEqual(mutate.read_list(LIST),
                         [("one", "core/a.c", "", "x < 1", "x <= 1"),
                          ("two", "hv/b.c", "linux-boot", "f();", "(void)0;")])

    def test_mutate_list_mistakes(self):
        form = "want NAME FILE [row=GUEST_ROW], `- original`, `+ replacement`"
        self.refused("every mutation has three lines", LIST + "three core/c.c\n- x\n")
        self.refused(f"three core/c.c test_c: {form}", "three core/c.c test_c\n- x\n+ y\n")
        self.refused(f"three core/c.c: {form}", "three core/c.c\n+ x\n- y\n")
        self.refused("one twice", LIST + "one core/c.c\n- x\n+ y\n")
        self.refused("three: no row nothing", "three core/c.c row=nothing\n- x\n+ y\n")

    def test_mutate_our_list(self):
        listed = mutate.read_list(mutate.LIST.read_text())
        wrong = [m.name for m in listed if (ROOT / m.file).read_text().count(m.old) != 1]
        self.assertEqual(wrong, [])
        self.assertGreaterEqual(len(listed), 150)

    def test_mutate_sample(self):
        listed = [mutate.Mutation(f"m{i}", "core/a.c", "row" * (i < 5), "x", "y")
                  for i in range(40)]
        chosen = mutate.sample(listed, "abc")
        self.assertEqual(len(set(chosen)), mutate.SAMPLE)
        self.assertEqual([m for m in chosen if m.row], [])
        self.assertEqual(chosen, mutate.sample(listed[::-1], "abc"))
        self.assertNotEqual(chosen, mutate.sample(listed, "abd"))
        self.assertEqual(len(mutate.sample(listed[:8], "abc")), 3)

    def test_mutate_order(self):
        tests = {"test_a": "vp", "test_slow": "mem", "test_gpa": "apic", "test_gpa_room": "mem",
                 "test_walk": "mem", "test_kvm": "hv"}
        seconds = {"test_slow": 9, "test_a": 2, "test_kvm": 3}
        self.assertEqual(mutate.order(tests, "core/mem/gpa.c", "test_a", seconds),
                         ["test_a", "test_gpa_room", "test_walk", "test_slow", "test_gpa",
                          "test_kvm"])
        self.assertEqual(mutate.order(tests, "hv/kvm/clock.c", None, seconds)[0], "test_kvm")

    def test_mutate_score(self):
        self.assertEqual(mutate.score(["host"] * 19 + ["row"], 95),
                         (True, "mutants: 19 of 20 killed by host tests (95.0 %), "
                                "1 by guest rows"))
        self.assertEqual(mutate.score(["host", "row"], 95),
                         (False, "mutants: 1 of 2 killed by host tests (50.0 %), "
                                 "1 by guest rows, want 95 %"))
        self.assertEqual(mutate.score(["host"] * 99 + ["alive"], 0),
                         (False, "mutants: 99 of 100 killed by host tests (99.0 %), "
                                 "1 by nothing"))
        self.assertEqual(mutate.score(["wrong"], 0),
                         (False, "mutants: 0 of 1 killed by host tests (0.0 %), "
                                 "1 wrong entries"))

    def test_mutant_commands(self):
        host = "build/mutants/host/"
        self.assertEqual(
            mutant.read_commands(f"mkdir -p {host}core\n:\n"
                                 f"gcc -I. -c core/a.c -o {host}core/a.o\n"
                                 f"objcopy --redefine-sym \\\n x=y {host}core/a.o\n"
                                 f"rm -f {host}libpure.a\nar rcs {host}libpure.a {host}core/a.o\n"
                                 f"gcc {host}t.o {host}libpure.a \\\n\t-lm -o {host}test_a\n"),
            {host + "core/a.o": [["gcc", "-I.", "-c", "core/a.c", "-o", host + "core/a.o"],
                                 ["objcopy", "--redefine-sym", "x=y", host + "core/a.o"]],
             host + "libpure.a": [["ar", "rcs", host + "libpure.a", host + "core/a.o"]],
             host + "test_a": [["gcc", host + "t.o", host + "libpure.a", "-lm",
                                "-o", host + "test_a"]]})
        self.assertEqual(mutant.read_parts("a.o: core/a.c \\\n core/a.h\n\ncore/a.h:\n"),
                         {"core/a.c", "core/a.h"})


if __name__ == "__main__":
    unittest.main()
