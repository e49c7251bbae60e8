# SPDX-License-Identifier: BSD-2-Clause
"""The host tests of a changed source file, without building everything again.

build/mutants has all host tests without sanitizers. A mutant compiles the objects that its file is
in, archives them with the others, and links a test when that test is to run, all in a folder of its
own. The commands are make's: what `make -n` prints, with other paths.
"""

import hashlib
import os
import shlex
import shutil
import subprocess
import sys

import host
import results

BUILD = "build/mutants"
HOST = f"{BUILD}/host/"
ARCHIVE = HOST + "libpure.a"
MAKE = [*os.environ.get("MAKE", "make").split(), "-s", f"B={BUILD}", "SAN=", "COVERAGE=-g0",
        "WERROR=0"]
MODEL = "mtrr_model"            # compares what this program of tests/host/tools prints
MODEL_PROGRAM = "tools/ept_types"
LIMITS = ["prlimit", "--core=0", f"--as={4 << 30}", f"--fsize={16 << 20}", "--"]


class BuildError(Exception):
    pass


def command(argv):
    done = subprocess.run(argv, cwd=results.ROOT, stdin=subprocess.DEVNULL, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if done.returncode:
        raise BuildError("does not build: " + done.stderr[-1000:])
    return done.stdout


def read_commands(text):
    """{file under HOST: [argv] that make it} of what `make -n V=1` printed"""
    out = {}
    for line in text.replace("\\\n", " ").splitlines():
        if line.startswith(("mkdir ", "rm ", "printf ")) or HOST not in line:
            continue
        argv = shlex.split(line)
        ours = [word for word in argv if word.startswith(HOST)]
        if ours:
            made = ours[0] if ours[0].endswith(".a") else ours[-1]
            out.setdefault(made, []).append(argv)
    return out


def read_parts(text):
    """The files an object is made of, of what gcc -MMD wrote"""
    return set(text.replace("\\\n", " ").split("\n", 1)[0].partition(":")[2].split())


def program(test):
    return HOST + (MODEL_PROGRAM if test == MODEL else test)


def run_test(test, path, folder, timeout_s):
    """"" when @test passes with its program at @path, else what failed"""
    argv = [path]
    if test == MODEL:
        argv = [sys.executable, "tests/host/models/mtrr_model.py", path, "200"]
    with open(folder / "output", "w+", errors="replace") as output:
        try:
            done = subprocess.run(LIMITS + argv, cwd=results.ROOT, env=host.ENV, stdout=output,
                                  stdin=subprocess.DEVNULL, stderr=subprocess.STDOUT,
                                  timeout=timeout_s)
        except subprocess.TimeoutExpired:
            return f"{test}, no end after {timeout_s:.0f} s"
        output.seek(0)
        for name, result, _ in host.parse(test, output.read(), done.returncode):
            if done.returncode and result == "fail":
                return name.removeprefix("host:")
    return test if done.returncode else ""


class Build:
    """All host tests, built from the sources as they are"""

    def __init__(self):
        command([*MAKE, f"-j{os.cpu_count()}", "host-tests"])
        self.commands = read_commands(command([*MAKE, "-n", "-B", "V=1", "host-tests"]))
        self.parts = {made: read_parts((results.ROOT / made).with_suffix(".d").read_text())
                      for made in self.commands if made.endswith(".o")}
        # test -> the folder it stands in
        self.tests = {path.stem: path.parent.name
                      for path in (results.ROOT / "tests/host").glob("*/test_*.c")}
        self.tests[MODEL] = "mem"

    def digest(self, test):
        return hashlib.sha1((results.ROOT / program(test)).read_bytes()).hexdigest()


class Mutant:
    """@file with @text in it: objects and programs in @folder"""

    def __init__(self, build, folder, file, text):
        self.build, self.folder = build, folder
        shutil.rmtree(folder, ignore_errors=True)
        changed = folder / file
        changed.parent.mkdir(parents=True)
        changed.write_text(text)
        self.moved = {file: str(changed)}
        objects = [made for made, parts in build.parts.items() if file in parts]
        if not objects:
            raise BuildError(f"no host test has {file}")
        for made in objects:
            self.make(made)
        self.make(ARCHIVE)

    def make(self, made):
        path = self.folder / made
        path.parent.mkdir(parents=True, exist_ok=True)
        self.moved[made] = str(path)
        for argv in self.build.commands[made]:
            command(list(self.here(argv)))
        return path

    def here(self, argv):
        for word in argv:
            if word == "-I.":
                yield f"-I{self.folder}"        # in case the file is a header
            yield self.moved.get(word, word)

    def fails(self, test, timeout_s):
        """Like run_test(); a program that is the same as without the change is not run."""
        made = program(test)
        path = self.make(made)
        try:
            if path.read_bytes() == (results.ROOT / made).read_bytes():
                return ""
            return run_test(test, str(path), self.folder, timeout_s)
        finally:
            path.unlink()
