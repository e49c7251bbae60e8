# SPDX-License-Identifier: BSD-2-Clause
"""Which files the lint looks at, and small helpers the checks share."""

import functools
import os
import pathlib
import shlex
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
CODE = (".c", ".h", ".S", ".def", ".ld")
SCRIPTS = (".py", ".sh")
SKIP = ("build", ".git")


def all_files():
    """Every source file of the tree, relative to its root, sorted."""
    out = []
    for folder, names, files in os.walk(ROOT):
        names[:] = sorted(n for n in names if n not in SKIP and not n.startswith("__"))
        here = pathlib.Path(folder).relative_to(ROOT)
        out += [here / f for f in sorted(files) if pathlib.Path(f).suffix in CODE + SCRIPTS]
    return out


@functools.lru_cache(None)
def text(path):
    return (ROOT / path).read_text(errors="replace")


def make_variable(name):
    """A list variable of the Makefile."""
    out = subprocess.run(["make", "-s", f"print-{name}"], cwd=ROOT, text=True, check=True,
                         stdout=subprocess.PIPE, env=dict(os.environ, MAKEFLAGS="")).stdout
    return shlex.split(out)
