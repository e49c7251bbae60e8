# SPDX-License-Identifier: BSD-2-Clause
"""Tables of measurements as text: `kensho stat` and the summary of a trace."""

UNITS = ((1, "s"), (1e-3, "ms"), (1e-6, "us"), (1e-9, "ns"))


def duration(seconds):
    """Three digits and a unit: 12.3 us. "-" for None."""
    if seconds is None:
        return "-"
    for scale, unit in UNITS:
        if seconds >= scale * 0.9995 or unit == "ns":
            value = seconds / scale
            digits = max(0, 2 - len(str(int(value))) + 1) if value else 0
            return f"{value:.{digits}f} {unit}"


def number(value):
    """A count or a rate: whole from 100 on. "-" for None."""
    if value is None:
        return "-"
    return f"{value:.0f}" if isinstance(value, int) or value >= 100 else f"{value:.1f}"


def percent(part, whole):
    return f"{100 * part / whole:.2f}%" if whole and part is not None else "-"


def table(head, rows):
    """Lines: the first column to the left, the others to the right."""
    rows = [head, *rows]
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    return ["  ".join([row[0].ljust(widths[0]),
                       *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:]))])
            for row in rows]
