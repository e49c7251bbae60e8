#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Stands for xorriso when grub-mkrescue makes an image that must be reproducible.

grub-mkrescue names the file system by the time of day: GRUB on UEFI machines looks for that name.
Here it becomes the one of SOURCE_DATE_EPOCH, in the files that have it and in xorriso's arguments; so
do the time of every file and the serial number of the UEFI partition. All files are under TMPDIR.
xorriso itself does the rest when SOURCE_DATE_EPOCH is set.
"""

import os
import pathlib
import re
import struct
import sys
import time

DATE = re.compile(r"--modification-date=(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)")
FAT_SERIAL = 39     # in the boot sector of FAT12 and FAT16


def file_system_id(digits):
    """As GRUB writes it."""
    return "-".join(digits).encode()


def settle(tree, old, new, epoch):
    for path in [*sorted(tree.rglob("*"), reverse=True), tree]:     # directories behind what they hold
        if path.is_file():
            before = path.read_bytes()
            data = before.replace(old, new)
            if path.name == "efi.img":
                data = data[:FAT_SERIAL] + struct.pack("<I", epoch) + data[FAT_SERIAL + 4:]
            if data != before:
                path.write_bytes(data)
        os.utime(path, (epoch, epoch))


def main(argv):
    epoch = int(os.environ["SOURCE_DATE_EPOCH"])
    date = time.strftime("%Y %m %d %H %M %S 00", time.gmtime(epoch)).split()
    for at, arg in enumerate(argv):
        found = DATE.fullmatch(arg)
        if found:
            argv[at] = "--modification-date=" + "".join(date)
            settle(pathlib.Path(os.environ["TMPDIR"]), file_system_id(found.groups()),
                   file_system_id(date), epoch)
    os.execvp("xorriso", ["xorriso", *argv])


if __name__ == "__main__":
    main(sys.argv[1:])
