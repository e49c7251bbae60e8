# SPDX-License-Identifier: BSD-2-Clause
"""tools/docs.py: what wrapping changes, and what it leaves alone; what the table of messages shows."""

import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent.parent / "tools"))
import docs  # noqa: E402
import messages  # noqa: E402

LONG = "word " * 40
KEPT = f"""# {LONG.strip()}

    code {LONG.strip()}

```
fenced {LONG.strip()}
```

| table | {LONG.strip()} |

<!-- generated: options {LONG.strip()} -->
made {LONG.strip()}
<!-- end -->
"""


class WrapTest(unittest.TestCase):
    def test_wrap_leaves_what_is_no_prose(self):
        self.assertEqual(KEPT, docs.wrap(KEPT))

    def test_wrap_items_hang(self):
        text = docs.wrap(f"* {LONG}\n  {LONG}\n* short\n\n10. {LONG}\n")
        lines = text.splitlines()
        self.assertLessEqual(max(map(len, lines)), docs.COLUMNS)
        self.assertTrue(lines[1].startswith("  word"))
        self.assertEqual("* short", lines[5])
        self.assertTrue(lines[8].startswith("    word"))
        self.assertEqual(text, docs.wrap(text))

    def test_wrap_fault_is_no_heading(self):
        """#GP may come first in a line."""
        self.assertEqual("raises #UD, #NM or #MF\n", docs.wrap("raises #UD,\n#NM or #MF\n"))

    def test_wrap_begins_no_item(self):
        """A dash or a number in the middle of a sentence does not come first in a line."""
        for at in range(15, 30):
            for mark in ("-", "#", "7.", "|"):
                text = docs.wrap("word " * at + mark + " " + LONG)
                self.assertNotIn(f"\n{mark} ", text)
                self.assertEqual(text, docs.wrap(text))


class MessageTest(unittest.TestCase):
    def test_message_shown_is_its_first_clause(self):
        for message, want in (
                ("the local APIC is disabled; do this: enable it", "the local APIC is disabled"),
                ("image is too large: it needs … MiB", "image is too large"),
                ("cpu …: no memory for it: it is left out", "cpu …: no memory for it"),
                ("the CPU has no VMX (CPUID.1:ECX.VMX is 0)", "the CPU has no VMX"),
                ("; do this: start this machine (QEMU)……", "start this machine"),
                ("one two three " + "word " * 9 + "end", "one two three word word word word word …")):
            with self.subTest(message):
                self.assertEqual(want, messages.shown(message))

    def test_messages_that_begin_alike_are_folded(self):
        alike = ["ELF header: a b", "ELF header is c", "ELF header: d e"]
        self.assertEqual(["ELF header …", "no kernel here"],
                         messages.folded([*alike, "no kernel here"]))
        self.assertEqual(["acpi: …"], messages.folded(["acpi: a b", "acpi: c d", "acpi: e f"]))
        self.assertEqual(alike[:2], messages.folded(alike[:2] * 2))
        self.assertEqual(["a b c …"], messages.folded(["a b c d", "a b c e"]))


if __name__ == "__main__":
    unittest.main()
