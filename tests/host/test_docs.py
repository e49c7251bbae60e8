# SPDX-License-Identifier: BSD-2-Clause
"""tools/docs.py: what wrapping changes, and what it leaves alone."""

import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent.parent / "tools"))
import docs  # noqa: E402

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

    def test_wrap_begins_no_item(self):
        """A dash or a number in the middle of a sentence does not come first in a line."""
        for at in range(15, 30):
            for mark in ("-", "#", "7.", "|"):
                text = docs.wrap("word " * at + mark + " " + LONG)
                self.assertNotIn(f"\n{mark} ", text)
                self.assertEqual(text, docs.wrap(text))


if __name__ == "__main__":
    unittest.main()
