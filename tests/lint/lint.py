#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""`make lint`: every check on the sources and on the built image, as results lint:NAME.

    tests/lint/lint.py [REGEX | --names]
"""

import re
import sys

import binary
import layers
import links
import messages
import mirror
import size
import sources
import speed
import text
import tools

sys.path[:0] = [str(sources.ROOT / "tests/run"), str(sources.ROOT / "tools")]
import docs  # noqa: E402
import results  # noqa: E402


def docs_check(files):
    """What is made of the sources in README.md and docs/."""
    return [f"{page.relative_to(sources.ROOT)}: stale, run `make docs`" for page, _ in docs.stale()]


CHECKS = {
    "layers": layers.check,
    "no-asm": text.no_asm,
    "spdx": text.spdx,
    "tags": text.tags,
    "docs": docs_check,
    "troubleshooting": messages.check,
    "report-doc": text.report_doc,
    "monitor-doc": text.monitor_doc,
    "links": links.check,
    "mirror": mirror.check,
    "size": size.check,
    "speed": speed.check,
    "wx": binary.wx,
    "pure": binary.pure,
    "window": binary.window,
    "port-size": binary.port_size,
    "dead": binary.dead,
    "format": tools.clang_format,
    "headers": tools.headers,
    "cppcheck": tools.cppcheck,
}
SHOWN = 60


def names():
    return [f"lint:{name}" for name in CHECKS]


def main(pattern=""):
    files, failed = sources.all_files(), 0
    for name, check in CHECKS.items():
        if not re.search(pattern, f"lint:{name}"):
            continue
        bad = check(files)
        failed += bool(bad)
        more = [f"... and {len(bad) - SHOWN} more"] if len(bad) > SHOWN else []
        results.record(f"lint:{name}", "fail" if bad else "pass", "\n".join(bad[:SHOWN] + more))
    return 1 if failed else 0


if __name__ == "__main__":
    results.program(main, names, "tests/lint/lint.py")
