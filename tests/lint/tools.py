# SPDX-License-Identifier: BSD-2-Clause
"""Checks by other programs: clang-format, cppcheck, the compiler on each header alone."""

import concurrent.futures
import os
import subprocess

import sources

# Suppressed: X-macro lists are not C by themselves; it does not understand asm outputs; the
# distance between two linker symbols is what they are for.
CPPCHECK = ["cppcheck", "--quiet", "--enable=warning,performance,portability",
            "--error-exitcode=1", "--inline-suppr", "--std=c11", "--language=c",
            "--platform=unix64", "-I.", "--cppcheck-build-dir=build/cppcheck",
            "--suppress=syntaxError:*.def", "--suppress=legacyUninitvar:arch/x86/*",
            "--suppress=comparePointers", "-U__ASSEMBLER__", "-D__KENSHO_TIDY__",
            "--template={file}:{line}: {severity}: {message} [{id}]"]


def run(cmd):
    done = subprocess.run(cmd, cwd=sources.ROOT, text=True, errors="replace",
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.returncode, done.stdout


def c_files(files, suffixes=(".c", ".h")):
    return [str(p) for p in files if p.suffix in suffixes]


def clang_format(files):
    status, out = run(["clang-format", "--dry-run", "-Werror", *c_files(files)])
    bad = sorted({line.split(": error")[0] for line in out.splitlines() if ": error" in line})
    return [f"{where}: not formatted (make format)" for where in bad] or ([out] if status else [])


def headers(files):
    """Each header compiles alone."""
    flags = {"kernel": [*sources.make_variable("KCFLAGS"), "-Wno-unused-function",
                        "-Wno-unused-const-variable"],
             "host": ["-std=gnu17", "-Wall", "-Werror", "-Wno-unused-function", "-I."]}

    def one(path):
        kind = "host" if path.startswith(("tests/host", "tests/fuzz")) else "kernel"
        return run(["gcc", *flags[kind], "-fsyntax-only", "-include", path, "-x", "c",
                    "/dev/null"])

    bad = []
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        paths = c_files(files, (".h",))
        for path, (status, out) in zip(paths, pool.map(one, paths)):
            if status:
                bad.append(f"{path}: does not compile alone\n{out}".rstrip())
    return bad


def cppcheck(files):
    (sources.ROOT / "build/cppcheck").mkdir(parents=True, exist_ok=True)
    paths = [p for p in c_files(files, (".c",)) if not p.startswith("tests/")]
    status, out = run([*CPPCHECK, f"-j{os.cpu_count()}", *paths])
    return out.splitlines() if status else []
