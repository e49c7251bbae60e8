#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Every structure of the Hyper-V ABI against Linux' headers: sizes, and offsets of members by name.

    tests/lint/layouts.py

Compares at compile time: our offsets become static assertions behind the kernel's headers. The
headers are those of tests/lint/constants.py; results as lint:layouts.
"""

import re
import subprocess
import sys
import tempfile

import constants
import sources

sys.path.insert(0, str(sources.ROOT / "tests/run"))
import results  # noqa: E402

NAME = "lint:layouts"
OURS = "hv/hyperv/hyperv_abi.h"
THEIRS = ["arch/x86/include/asm/hyperv-tlfs.h", "include/asm-generic/hyperv-tlfs.h"]
PRELUDE = """
typedef unsigned char u8, __u8;
typedef unsigned short u16, __u16;
typedef unsigned u32, __u32;
typedef unsigned long u64, __u64;
typedef long s64;
#define bool _Bool
#define PAGE_SIZE 4096
#define __packed __attribute__((packed))
#define __aligned(n) __attribute__((aligned(n)))
"""
# Our structures that Linux has none for, and why.
WITHOUT = {"hv_x64_segment_register": "not in Linux 6.1", "hv_x64_table_register": "not in Linux 6.1",
           "hv_init_vp_context": "not in Linux 6.1",
           "hv_input_post_message": "in a header of the VMBus driver only"}
RESERVED = re.compile(r"(reserved|pad)\d*")


def structures():
    """[(name, [member])] of our header."""
    text = (sources.ROOT / OURS).read_text()
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    out = []
    for name, body in re.findall(r"^struct (\w+) \{(.*?)^\}", text, re.M | re.S):
        body = re.sub(r"\{.*?\}", "", body, flags=re.S)  # of a member
        members = [re.match(r"\w+", part.split()[-1].lstrip("*"))[0]
                   for line in body.split(";") if line.strip() for part in line.split(",")]
        out.append((name, members))
    return out


def compiled(text, *args):
    with tempfile.NamedTemporaryFile() as out:
        done = subprocess.run(["gcc", "-xc", "-std=gnu11", "-w", "-", "-o", out.name, *args],
                              input=text, cwd=sources.ROOT, text=True, stderr=subprocess.PIPE)
        out.file.close()
        run = subprocess.run([out.name], text=True, stdout=subprocess.PIPE).stdout \
            if done.returncode == 0 and "-c" not in args else ""
    return done.stderr, run


def our_layout(wanted):
    """{(struct, member or ""): offset or size}"""
    asks = "".join(
        f'printf("{name} . %zu\\n", sizeof(struct {name}));\n' +
        "".join(f'printf("{name} {m} %zu\\n", __builtin_offsetof(struct {name}, {m}));\n'
                for m in members) for name, members in wanted)
    errors, said = compiled(f'#include <stdio.h>\n#include "{OURS}"\nint main(void) {{\n{asks}'
                            "return 0; }\n", "-I.")
    if not said:
        raise RuntimeError(f"{OURS} does not compile: {errors}")
    return {(name, "" if member == "." else member): int(at)
            for name, member, at in map(str.split, said.splitlines())}


def their_text(root):
    return constants.PRELUDE.split("#define UL")[0] + constants.PRELUDE[
        constants.PRELUDE.index("#define GENMASK"):constants.PRELUDE.index("#define FEATURE")] + \
        PRELUDE + "".join(re.sub(r"^\s*#\s*include.*$", "", (root / name).read_text(), flags=re.M)
                          for name in THEIRS)


def check():
    root = next(constants.CACHE.glob("usr/src/linux-headers-*-common"), None)
    if root is None:
        return ["Linux' headers are not there: tools/setup.sh test"], ""
    text = their_text(root)
    known = set(re.findall(r"^(?:struct|union) (\w+) \{", text, re.M))
    ours = structures()
    bad = [f"{name}: Linux has no such structure, and WITHOUT has no reason"
           for name, _ in ours if name not in known and name not in WITHOUT]
    bad += [f"{name}: listed in WITHOUT, but we have none, or Linux has one"
            for name in WITHOUT if name in known or name not in dict(ours)]
    wanted = [(name, [m for m in members if not RESERVED.fullmatch(m)])
              for name, members in ours if name in known]
    asserts = [f'_Static_assert({f"__builtin_offsetof(struct {s}, {m})" if m else f"sizeof(struct {s})"}'
               f' == {at}, "{s} {m or "(size)"}: ours is {at}");'
               for (s, m), at in our_layout(wanted).items()]
    errors, _ = compiled(text + "\n" + "\n".join(asserts) + "\n", "-c")
    bad += [line.partition("error: ")[2] for line in errors.splitlines() if "error: " in line]
    return bad, f"{len(asserts)} sizes and offsets of {len(wanted)} structures"


def main(pattern=""):
    return results.judge(NAME, check, pattern)


if __name__ == "__main__":
    results.process(main)
