# SPDX-License-Identifier: BSD-2-Clause
"""tests/run/golden.py: what it takes for a difference between KVM's surface and ours."""

import pathlib
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests/run"))
import golden  # noqa: E402

LEAF = ("40000001", "0")


class GoldenTest(unittest.TestCase):
    def same(self, want, theirs, mine):
        self.assertEqual(golden.differences(theirs, mine), want)

    def test_golden_bits_of_both(self):
        theirs = {LEAF: [1, 0, 0, 8]}, {"00000011": "linux", "0000003a": f"{5:016x}"}
        self.same(set(), theirs, theirs)
        self.same({("40000001", "eax", 1), ("40000001", "edx", 3)}, theirs,
                  ({LEAF: [3, 0, 0, 0]}, theirs[1]))
        self.same({("msr 0000003a", "value", 2)}, theirs,
                  (theirs[0], {"00000011": f"{7:016x}", "0000003a": f"{1:016x}"}))

    def test_golden_only_theirs(self):
        theirs = {LEAF: [0, 4, 0, 0]}, {"00000011": "linux"}
        self.same({("40000001", "ebx", 2), ("msr 00000011", golden.ACCESS, None)}, theirs, ({}, {}))

    def test_golden_only_ours(self):
        """The leaf, the bit and the MSR that nobody has written into the golden files."""
        self.same({("40000001", "ecx", 31), ("msr 4b564d09", golden.ACCESS, None)}, ({}, {}),
                  ({LEAF: [0, 0, 1 << 31, 0]}, {"4b564d09": f"{0:016x}"}))
        self.same(set(), ({}, {}), ({LEAF: [0, 0, 0, 0]}, {"4b564d09": "#GP"}))

    def test_golden_lines(self):
        """What the guest prints, and what else stands around it."""
        cpuid, msr = golden.ours("x\n# cpuid 40000001 0 00000001 00000002 00000003 00000004\r\n"
                                 "# msr 0000003a #GP\r\n# msr 00000011 00000000000000ff\r\nok 1 - x\n")
        self.assertEqual((cpuid, msr), ({LEAF: [1, 2, 3, 4]},
                                        {"0000003a": "#GP", "00000011": "00000000000000ff"}))

    def test_golden_own_value(self):
        """A line for a value of the machine: any bits of that register, but not none."""
        line, bit = ("40000010", "eax", golden.ANY), ("40000010", "eax", 3)
        other = ("40000010", "ebx", 3)
        self.assertEqual(golden.spell_out({line}, {bit, other}), {bit})
        self.assertEqual(golden.spell_out({line}, {other}), {line})
        self.assertEqual(golden.spell_out({other}, {bit}), {other})


if __name__ == "__main__":
    unittest.main()
