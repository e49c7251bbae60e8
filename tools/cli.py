# SPDX-License-Identifier: BSD-2-Clause
"""The command line of a tool: its usage is its docstring, its arguments are names of files."""

import sys


def arguments(argv, doc, least, most):
    """argv without the tool's name. Prints doc for --help, ends the tool when it cannot be meant:
    a name with - at its front is an option misspelt, and one that does not exist would be made."""
    args = argv[1:]
    if "--help" in args or "-h" in args:
        print(doc.strip())
        sys.exit(0)
    for arg in args:
        if arg.startswith("-"):
            sys.exit(f"{arg}: no such option; --help prints the usage (a file of this name is "
                     f"./{arg})")
    if not least <= len(args) <= most:
        print(doc.strip(), file=sys.stderr)
        sys.exit(2)
    return args
