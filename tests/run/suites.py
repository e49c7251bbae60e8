# SPDX-License-Identifier: BSD-2-Clause
"""The rows of tests/run/suites/*.cfg, expanded; suites/defaults.cfg says how they are written.

Each mistake is a SuiteError of one line that names file and section.
"""

import configparser
import difflib
import pathlib
import re

FOLDER = pathlib.Path(__file__).resolve().parent / "suites"
SHARED = "defaults.cfg"
BASE, KEYS = "DEFAULT", "KEYS"
LIST = re.compile(r"\{([^{}]*\s[^{}]*)\}")          # {2 4 8}


class SuiteError(ValueError):
    pass


def load(folder=FOLDER):
    """{row: {key: value}}, in the order of files and sections."""
    sections = {}                                   # name -> (file, {key: value})
    for path in sorted(folder.glob("*.cfg")):
        for name, values in read(path):
            if name in sections:
                raise SuiteError(f"{path.name}: [{name}]: already in {sections[name][0]}")
            sections[name] = path.name, values
    known = {*sections.pop(KEYS, (SHARED, {}))[1], "like"}
    for name, (file, values) in sections.items():
        for key in values:
            check_key(f"{file}: [{name}]", key.removesuffix("+").rstrip(), known)
    return {name: resolve(name, sections) for name in sections if not is_template(name)}


def is_template(name):
    return name.isupper()


def read(path):
    """(section, {key: value}) of one file, with its lists of words spread out."""
    parser = configparser.ConfigParser(interpolation=None, delimiters=("=",), default_section="",
                                       comment_prefixes=("#",), strict=True)
    parser.optionxform = str
    try:
        parser.read(path)
    except configparser.DuplicateSectionError as err:
        raise SuiteError(f"{path.name}: [{err.section}]: twice in this file") from None
    except configparser.DuplicateOptionError as err:
        raise SuiteError(f"{path.name}: [{err.section}]: {err.option} twice") from None
    except configparser.MissingSectionHeaderError as err:
        raise SuiteError(f"{path.name}:{err.lineno}: before the first [section]") from None
    except configparser.ParsingError as err:
        raise SuiteError(f"{path.name}:{err.errors[0][0]}: neither [section] nor key = value"
                         ) from None
    for section in parser.sections():
        if section in (BASE, KEYS) and path.name != SHARED:
            raise SuiteError(f"{path.name}: [{section}]: belongs to {SHARED}")
        yield from spread(f"{path.name}: [{section}]", section, dict(parser[section]))


def spread(where, section, values):
    """[x-{2 4}] is x-2 and x-4; {n} in a value is that word, and {a b} is a in x-2 and b in x-4."""
    words = [found.split() for found in LIST.findall(section)]
    if not words:
        return [(section, values)]
    if len(words) > 1:
        raise SuiteError(f"{where}: more than one list")
    rows = []
    for i, word in enumerate(words[0]):
        def pick(found, i=i):
            choice = found[1].split()
            if len(choice) != len(words[0]):
                raise SuiteError(f"{where}: {found[0]} has {len(choice)} words, the name has "
                                 f"{len(words[0])}")
            return choice[i]
        rows.append((LIST.sub(word, section), {
            key: LIST.sub(pick, value).replace("{n}", word) for key, value in values.items()}))
    return rows


def check_key(where, key, known):
    if key not in known:
        close = difflib.get_close_matches(key, known, 1)
        raise SuiteError(f"{where}: unknown key {key}" +
                         (f", did you mean {close[0]}?" if close else ""))


def resolve(name, sections, below=()):
    """The values of a section with those that it inherits."""
    file, own = sections[name]
    where = f"{file}: [{name}]"
    if name in below:
        raise SuiteError(f"{where}: inherits from itself: {' -> '.join([*below, name])}")
    parent = own.get("like", "" if name == BASE else BASE)
    if parent and parent not in sections:
        raise SuiteError(f"{where}: like = {parent}: there is no such section")
    values = resolve(parent, sections, (*below, name)) if parent else {}
    for key, value in own.items():
        if key.endswith("+"):
            key = key[:-1].rstrip()
            if key not in values:
                raise SuiteError(f"{where}: {key} += adds to nothing")
            value = values[key] + "\n" + value.lstrip("\n")
        if key != "like":
            values[key] = value
    return values
