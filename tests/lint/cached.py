# SPDX-License-Identifier: BSD-2-Clause
"""Slow analysers, one file at a time, with a cache.

A file is clean as long as its text, its headers' text and the command stay the same: an empty file
build/tidy/HASH says so. Complaints are never cached.
"""

import concurrent.futures
import hashlib
import os
import subprocess
import sys

import sources

sys.path.insert(0, str(sources.ROOT / "tests/run"))
import results  # noqa: E402

CACHE = sources.ROOT / "build/tidy"
FLAGS = ["-std=gnu17", "-ffreestanding", "-mgeneral-regs-only", "-I.", "-D__KENSHO_TIDY__",
         '-DKENSHO_VERSION="tidy"']


def key(path, command, config):
    """A hash of everything the answer depends on; None when the file does not preprocess."""
    done = subprocess.run(["gcc", *FLAGS, "-MM", str(path)], cwd=sources.ROOT, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    if done.returncode:
        return None
    state = hashlib.sha256(repr(command).encode())
    names = done.stdout.replace("\\\n", " ").split()[1:] + config
    for name in names:
        state.update(name.encode() + b"\0" + (sources.ROOT / name).read_bytes())
    return state.hexdigest()


def check(name, files, command, complaint, config=()):
    """Run command(path) on every file and record result lint:NAME.

    complaint(done) is "" for a clean answer; config names files it depends on as well.
    """
    CACHE.mkdir(parents=True, exist_ok=True)

    def one(path):
        cmd = command(path)
        stamp = key(path, cmd, list(config))
        if stamp and (CACHE / stamp).exists():
            return ""
        done = subprocess.run(cmd, cwd=sources.ROOT, text=True, errors="replace",
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        text = complaint(done)
        if stamp and not text:
            (CACHE / stamp).touch()
        return text

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        bad = [text for text in pool.map(one, files) if text]
    results.record(f"lint:{name}", "fail" if bad else "pass",
                   "\n".join(bad) if bad else f"{len(files)} files")
    return 1 if bad else 0
