# SPDX-License-Identifier: BSD-2-Clause
"""One line per test that ran: build/results.tsv (name, pass|fail|skip, detail)."""

import collections
import pathlib
import re
import sys
import threading

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
FILE = ROOT / "build/results.tsv"
sys.path.append(str(ROOT / "tools"))     # behind tests/run, which has a run.py, too
import cli  # noqa: E402

RESULTS = ("pass", "skip", "fail")      # the worst last
_lock = threading.Lock()


def start():
    """Forget earlier results: a new `make test` or `make check` begins."""
    FILE.parent.mkdir(parents=True, exist_ok=True)
    FILE.write_text("")


def record(name, result, detail="", quiet=False):
    """result: pass, fail or skip. A failure prints its detail; quiet keeps the others silent."""
    assert result in RESULTS
    first = detail.splitlines()[0] if detail else ""
    FILE.parent.mkdir(parents=True, exist_ok=True)
    with _lock:
        with open(FILE, "a") as out:
            out.write(f"{name}\t{result}\t{first}\n")
        if result == "fail":
            print(f"  FAIL    {name}")
            for line in detail.splitlines():
                print(f"          {line}")
        elif result == "skip" and not quiet:
            print(f"  skip    {name}: {first}")
        elif not quiet:
            print(f"  pass    {name}{'  ' + first if first else ''}")
        sys.stdout.flush()


def judge(name, check, pattern=""):
    """Record what @check() found, ([failure], line for a pass), if @pattern fits. Exit status."""
    if not re.search(pattern, name):
        return 0
    bad, line = check()
    record(name, "fail" if bad else "pass", "\n".join(bad[:60]) or line)
    return 1 if bad else 0



def load():
    """{name: (result, detail)}; of several results of one name the worst."""
    out = {}
    if FILE.exists():
        for line in FILE.read_text().splitlines():
            name, result, detail = (line.split("\t") + ["", ""])[:3]
            if name not in out or RESULTS.index(result) > RESULTS.index(out[name][0]):
                out[name] = (result, detail)
    return out


def select(pattern, names, command):
    """What a person asked for: `--names` prints them; what fits none of them ends the program."""
    if pattern == "--names":
        print("\n".join(names))
        sys.exit(0)
    try:
        if any(re.search(pattern, name) for name in names):
            return
        why = "fits no test"
    except re.error as err:
        why = f"is no regular expression ({err})"
    sys.exit(f"{pattern!r} {why}: `{command} --names` prints what there is")


def summary():
    """Print the one closing line and return the exit status."""
    count = collections.Counter(result for result, _ in load().values())
    print(f"{count['pass']} passed, {count['fail']} failed, {count['skip']} skipped")
    return 1 if count["fail"] or not count["pass"] else 0


def process(main):
    """Be a process that calls @main and ends with its status; Ctrl-C ends it at once."""
    cli.run(main, at_once=True)


def program(main, names, tool):
    """Be the process `TOOL [REGEX | --names]` that calls @main with the pattern."""
    pattern = (sys.argv[1:] or [""])[0]
    process(lambda: select(pattern, names(), tool) or main(pattern))
