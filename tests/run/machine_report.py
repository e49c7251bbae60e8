# SPDX-License-Identifier: BSD-2-Clause
"""Read the machine report of dryrun and selftest: the format of docs/report.md.

    tests/run/machine_report.py FILE    print what a log holds, or what is wrong with its frame
"""

import re
import sys

FIELD = re.compile(r' ([\w.-]+)(\+?)=(?:"((?:[^"\\]|\\.)*)"|([^ "]+))')


def unquote(text):
    return re.sub(r"\\(x[0-9a-f]{2}|.)",
                  lambda m: chr(int(m[1][1:], 16)) if len(m[1]) == 3 else m[1], text)


class Report:
    """lines: [(section, {key: value})]; errors: what is wrong with the frame."""

    def __init__(self, text):
        self.lines, self.errors = [], []
        count = 0
        for line in text.replace("\r", "").splitlines():
            found = re.match(r"report: (\S+)(.*)$", line)
            if not found:
                continue
            if found[1] == "begin":
                self.lines, count = [], 0
            count += 1
            self.one_line(found[1], found[2], line)
        if not self.lines or self.lines[0][0] != "begin":
            self.errors.append("there is no begin line")
        elif self.lines[0][1].get("format") != "1":
            self.errors.append(f"format {self.lines[0][1].get('format')} is unknown")
        end = self.one("end")
        if not end or self.lines[-1][0] != "end":
            self.errors.append("there is no end line")
        elif end["lines"] != str(count):
            self.errors.append(f"{count} lines, the end line says {end['lines']}")

    def one_line(self, section, rest, line):
        if section == "+":
            fields = self.lines[-1][1]
        else:
            fields = {}
            self.lines.append((section, fields))
        at = 0
        for field in FIELD.finditer(rest):
            value = field[4] if field[3] is None else unquote(field[3])
            fields[field[1]] = fields[field[1]] + value if field[2] else value
            if field.start() != at:
                break
            at = field.end()
        if at != len(rest):
            self.errors.append(f"unreadable: {line}")

    def all(self, section):
        return [fields for name, fields in self.lines if name == section]

    def one(self, section):
        found = self.all(section)
        return found[-1] if found else {}

    def ranges(self, section):
        """[(base, end, fields)]"""
        return [(int(f["base"], 16), int(f["end"], 16), f) for f in self.all(section)]

    def states(self, section):
        """{name: state} of lines whose first field is NAME=STATE."""
        return dict(next(iter(f.items())) for f in self.all(section))


def main():
    report = Report(open(sys.argv[1], errors="replace").read())
    for section, fields in report.lines:
        print(section, *(f"\n    {key} = {value}" for key, value in fields.items()))
    for error in report.errors:
        print(f"wrong: {error}")
    return 1 if report.errors else 0


if __name__ == "__main__":
    sys.exit(main())
