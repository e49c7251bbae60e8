# SPDX-License-Identifier: BSD-2-Clause
"""The command line of a tool: its usage is its docstring, its arguments are names of files; and how
a tool ends."""

import os
import signal
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


def number(name, default, low, high, unit):
    """The value of the environment variable @name; ends the tool when it is none from low to high."""
    text = os.environ.get(name, "")
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 20 and low <= int(text) <= high):
        sys.exit(f"{name}={text}: give a number of {unit} from {low} to {high}, such as "
                 f"{name}={default}")
    return int(text)


def _open_standard_files():
    """Python has None for those that our parent closed, and the next file would get their number."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if getattr(sys, name) is None:
            fd = os.open(os.devnull, os.O_RDWR)
            if fd != number:
                os.dup2(fd, number)
                os.close(fd)
            setattr(sys, name, open(number, mode))


def _stop_at_once(signum, _frame):
    """Without the end of what other threads wait for; the kernel ends our emulators."""
    os.write(2, b"\ninterrupted\n")
    os._exit(128 + signum)


def run(main, at_once=False):
    """Be a process: call @main and end with its status. Ctrl-C and a closed pipe behind us are no
    reason for a traceback. at_once: nothing needs tidying up, and threads may run."""
    _open_standard_files()
    if at_once:
        signal.signal(signal.SIGINT, _stop_at_once)
    try:
        status = main()
        sys.stdout.flush()
    except KeyboardInterrupt:
        os.write(2, b"\ninterrupted\n")
        status = 128 + signal.SIGINT
    except BrokenPipeError:
        # Whoever read our output has gone. Python would complain when it flushes at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        status = 128 + signal.SIGPIPE
    sys.exit(status)
