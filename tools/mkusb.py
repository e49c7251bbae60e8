#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Write the image of `make iso` onto a USB stick. Everything on the stick is lost.

    tools/mkusb.py                      the sticks that are there
    tools/mkusb.py --check /dev/sdX     would it be written? Changes nothing
    tools/mkusb.py /dev/sdX [IMAGE]     asks, writes build/kensho.iso, reads it back

Only a removable whole disk on USB that nothing uses is written; a refusal is one line with the remedy.
The question is answered with the disk's name, by hand or (without a terminal) by CONFIRM=sdX.
"""

import errno
import fcntl
import os
import pathlib
import re
import shlex
import stat
import sys

import cli

ROOT = pathlib.Path(__file__).resolve().parent.parent
IMAGE = ROOT / "build/kensho.iso"
CHUNK = 1 << 20
BLKRRPART = 0x125F          # linux/fs.h: read the partition table again
BLKFLSBUF = 0x1261          # and: forget what is cached
KINDS = (("dm", "a device-mapper volume (LVM, LUKS)"),
         ("md", "a RAID array"))
NAMES = (("loop", "a loop device"), ("zram", "compressed memory"), ("ram", "a RAM disk"), ("nbd", "a network disk"),
         ("sr", "a CD drive: burn the image with a CD program"), ("fd", "a floppy drive"),
         ("nvme", "an NVMe disk"))


class Refused(Exception):
    """Why the disk is not written, and what to do."""


def human(size):
    return f"{size / (1 << 30):.1f} GiB" if size >= 1 << 30 else f"{size >> 20} MiB"


def decode(word):
    """The kernel writes blanks and other odd bytes of names as three octal digits."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), word)


def printable(text):
    return "".join(char if char.isprintable() else "?" for char in text)


class System:
    """What the kernel says of its disks. root: a directory with sys, proc and dev, for tests."""

    def __init__(self, root="/"):
        self.root = pathlib.Path(root)

    def number(self, info):
        """The major:minor of a block device, info: of stat(2); "" for everything else."""
        if not stat.S_ISBLK(info.st_mode):
            return ""
        return f"{os.major(info.st_rdev)}:{os.minor(info.st_rdev)}"

    def read(self, path, default=""):
        try:
            return (self.root / path).read_text(errors="replace").strip()
        except OSError:
            return default

    def listing(self, path, starts):
        """The lines of a list that must be there: without it nothing is known to be unused."""
        try:
            text = (self.root / path).read_text(errors="surrogateescape")
        except OSError as err:
            raise Refused(f"/{path}: cannot be read ({err.strerror}), so what is in use is unknown; "
                          "mount /proc, or run this outside of the container") from None
        if not re.match(starts, text):
            raise Refused(f"/{path}: not the list it should be, so what is in use is unknown; run "
                          "this outside of the container")
        return text.splitlines()

    def disk(self, dev):
        """The Disk behind a device file, whatever its name."""
        path = self.root / str(dev).lstrip("/")
        if not path.exists():
            raise Refused(f"{dev}: there is no such device; `make usb` lists the sticks")
        path = path.resolve()
        info = path.stat()
        number = self.number(info)
        if not number:
            what = "a directory" if stat.S_ISDIR(info.st_mode) else \
                "a character device" if stat.S_ISCHR(info.st_mode) else "a file"
            raise Refused(f"{dev}: {what}, not a disk; `make usb` lists the sticks")
        node = self.root / "sys/dev/block" / number
        if not node.exists():
            raise Refused(f"{dev}: the kernel knows no such disk; is it still plugged in?")
        return Disk(self, node.resolve(), path)

    def disks(self):
        for node in sorted((self.root / "sys/block").iterdir()):
            yield Disk(self, node.resolve(), self.root / "dev" / node.name)

    def mounts(self):
        """(major:minor, source, where)"""
        for line in self.listing("proc/self/mountinfo", r"\d+ \d+ \d+:\d+ "):
            left, _, right = line.partition(" - ")
            fields, source = left.split(" "), (right.split(" ") + ["", ""])[1]
            if len(fields) > 4:
                yield fields[2], decode(source), decode(fields[4])

    def swaps(self):
        return [decode(line.split()[0]) for line in self.listing("proc/swaps", "Filename")[1:]
                if line.strip()]

    def loops(self):
        """(name, the file that it shows as a disk)"""
        for node in sorted((self.root / "sys/block").glob("loop*/loop/backing_file")):
            yield node.parent.parent.name, self.read(node)


class Disk:
    def __init__(self, system, node, path):
        self.system, self.node, self.path = system, node, path
        self.name = node.name

    def get(self, name):
        return self.system.read(self.node / name)

    def size(self):
        return int(self.get("size") or 0) * 512

    def parts(self):
        """The nodes of its partitions."""
        return [p.parent for p in sorted(self.node.glob("*/partition"))]

    def describe(self):
        words = [self.get("device/vendor"), self.get("device/model") or self.get("device/name") or
                 "unknown model"]
        # A number is a PCI vendor, which says nothing here.
        named = " ".join(word for word in words if word and not word.startswith("0x"))
        return f"{named}, {human(self.size())}"

    def serial(self):
        """Of the USB device that the disk is in."""
        usb = next((up for up in self.node.parents if (up / "idVendor").exists()), None)
        return self.system.read(usb / "serial") if usb else self.get("device/serial")

    def identity(self):
        """Differs when another stick has come into the same port. diskseq: Linux 5.15 and later,
        a new number for each medium."""
        names = ("dev", "diskseq", "size", "device/vendor", "device/model", "device/name")
        return *map(self.get, names), self.serial()

    def content(self, node):
        """What udev has found on the disk or partition, such as `, vfat "BACKUP"`."""
        text = self.system.read(f"run/udev/data/b{self.system.read(node / 'dev')}")
        found = dict(re.findall(r"^E:(ID_FS_TYPE|ID_FS_LABEL)=(.*)$", text, re.M))
        label = found.get("ID_FS_LABEL", "")
        return printable(f", {found['ID_FS_TYPE']}" if found.get("ID_FS_TYPE") else "") + \
            printable(f' "{label}"' if label else "")

    # --- refusals --------------------------------------------------------------------------------

    def check(self, need):
        """Raises Refused unless this is a removable, idle whole disk of at least `need` bytes."""
        self.check_kind()
        self.check_mounts()
        self.check_swap()
        self.check_loops()
        self.check_holders()
        if self.get("ro") == "1":
            raise Refused(f"/dev/{self.name}: write-protected; some sticks have a switch")
        if self.size() == 0:
            raise Refused(f"/dev/{self.name}: no medium in it")
        if self.size() < need:
            raise Refused(f"/dev/{self.name}: too small: {human(self.size())}, the image has "
                          f"{human(need)}; take a larger one")

    def check_access(self):
        """Before an image is built and the question asked, not after it."""
        if not os.access(self.path, os.W_OK):
            raise Refused(f"/dev/{self.name}: you may not write to it; "
                          f"make iso && sudo tools/mkusb.py /dev/{self.name}")

    def check_kind(self):
        if (self.node / "partition").exists():
            raise Refused(f"/dev/{self.name}: a partition; name the whole disk: "
                          f"DEV=/dev/{self.node.parent.name}")
        what = next((what for sub, what in KINDS if (self.node / sub).is_dir()), "") or \
            next((what for start, what in NAMES if self.name.startswith(start)), "")
        if what:
            raise Refused(f"/dev/{self.name}: {what}, not a USB stick; `make usb` lists the sticks")
        if self.get("removable") != "1":
            raise Refused(f"/dev/{self.name}: not removable ({self.describe()}): it may be a disk "
                          "of this machine; if you are sure, write the image with dd")
        if not self.is_stick():
            raise Refused(f"/dev/{self.name}: removable, but not on USB ({self.describe()}): it may "
                          "be a disk of this machine in a hot-plug bay; if you are sure, write the "
                          "image with dd")

    def is_stick(self):
        """libata sets `removable` for SATA disks on hot-plug ports, too: the bus decides."""
        on = self.node.parts
        return any(re.fullmatch(r"usb\d+", part) for part in on) or \
            "mmc_host" in on and self.get("device/type") == "SD"     # "MMC": soldered in

    def nodes(self):
        return [self.node, *self.parts()]

    def check_mounts(self):
        for node in self.nodes():
            number = self.system.read(node / "dev")
            for mounted, source, where in self.system.mounts():
                if mounted == number or self.is_node(source, node):
                    raise Refused(f"/dev/{node.name}: mounted on {printable(where)}; "
                                  f"umount {printable(shlex.quote(where))}")

    def is_node(self, source, node):
        """`source` of /proc is a name of this device, perhaps by a link."""
        if not source.startswith("/dev/"):
            return False
        return (self.system.root / source[1:]).resolve().name == node.name

    def check_swap(self):
        for node in self.nodes():
            for source in self.system.swaps():
                if self.is_node(source, node):
                    raise Refused(f"/dev/{node.name}: the system swaps to it; "
                                  f"swapoff {printable(shlex.quote(source))}")

    def check_loops(self):
        for node in self.nodes():
            for loop, source in self.system.loops():
                if self.is_node(source, node):
                    raise Refused(f"/dev/{node.name}: in use by the loop device {loop}; "
                                  f"losetup -d /dev/{loop}")

    def check_holders(self):
        for node in self.nodes():
            for holder in sorted(p.name for p in (node / "holders").glob("*")):
                volume = self.system.read(self.system.root / "sys/class/block" / holder / "dm/name")
                remedy = f"dmsetup remove {volume} (or vgchange -an, cryptsetup close)" if volume \
                    else f"mdadm --stop /dev/{holder}" if holder.startswith("md") \
                    else "stop what uses it"
                raise Refused(f"/dev/{node.name}: in use by {volume or holder} "
                              f"(RAID, LVM, encryption); {remedy}")


# --- writing -------------------------------------------------------------------------------------


def check_same(disk, identity):
    if disk.identity() != identity:
        raise Refused(f"/dev/{disk.name}: not the stick that the question was about: it was pulled "
                      "out or replaced; nothing was written, run this again")


def open_disk(disk):
    """O_EXCL: the kernel refuses a disk that anything else has claimed."""
    try:
        return os.open(disk.path, os.O_RDWR | os.O_EXCL | os.O_CLOEXEC)
    except OSError as err:
        if err.errno in (errno.EACCES, errno.EPERM):
            raise Refused(f"/dev/{disk.name}: you may not write to it; "
                          f"sudo tools/mkusb.py /dev/{disk.name}") from None
        if err.errno == errno.EROFS:
            raise Refused(f"/dev/{disk.name}: read-only: some sticks have a switch, broken ones "
                          "become so; take another one") from None
        raise Refused(f"/dev/{disk.name}: cannot be opened ({err.strerror}): something uses it; "
                      "unmount it, or plug it out and in again") from None


class Progress:
    def __init__(self, what, total):
        self.what, self.total = what, total
        self.live, self.last = sys.stdout.isatty(), -1

    def show(self, done):
        percent = done * 100 // self.total
        if percent != self.last and (self.live or percent == 100):
            print(f"\r{self.what}: {percent} %" if self.live else f"{self.what}: {percent} %",
                  end="" if self.live and percent < 100 else "\n", flush=True)
        self.last = percent


def write_all(fd, data):
    while data:
        data = data[os.write(fd, data):]


def try_ioctl(fd, request):
    """For what is good to have: BLKFLSBUF wants root, BLKRRPART that nothing is mounted."""
    try:
        fcntl.ioctl(fd, request)
    except OSError:
        pass


def write_stick(disk, image, identity):
    """Write and read back by one descriptor: nothing else gets at the disk in between."""
    fd = open_disk(disk)
    try:
        # Its name may have come to mean something else while we waited; the open one cannot.
        if disk.system.number(os.fstat(fd)) != disk.get("dev"):
            raise Refused(f"/dev/{disk.name}: not the disk that was looked at; nothing was written, "
                          "run this again")
        check_same(disk, identity)
        disk.check(image.stat().st_size)
        write_image(fd, disk, image)
        # It is read back from the stick, not from the page cache.
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        try_ioctl(fd, BLKFLSBUF)
        read_back(fd, disk, image)
        try_ioctl(fd, BLKRRPART)        # or the kernel sees the partitions when it is plugged in
    finally:
        os.close(fd)


def write_image(fd, disk, image):
    total = image.stat().st_size
    progress, done = Progress("writing", total), 0
    try:
        with open(image, "rb") as source:
            while data := source.read(CHUNK):
                write_all(fd, data)
                os.fdatasync(fd)        # or the progress would be that of the page cache
                done += len(data)
                progress.show(done)
        os.fsync(fd)
    except OSError as err:
        raise Refused(f"/dev/{disk.name}: writing failed after {done >> 20} MiB ({err.strerror}): "
                      "it is broken or was pulled out; try another one") from None


def read_back(fd, disk, image):
    progress, done = Progress("reading back", image.stat().st_size), 0
    try:
        os.lseek(fd, 0, os.SEEK_SET)
        with open(image, "rb") as source, open(fd, "rb", closefd=False, buffering=0) as stick:
            while data := source.read(CHUNK):
                got = b""
                while len(got) < len(data) and (more := stick.read(len(data) - len(got))):
                    got += more
                if got != data:
                    raise Refused(f"/dev/{disk.name}: what was read back differs, in the MiB after "
                                  f"{done >> 20}: it is broken; try another one")
                done += len(data)
                progress.show(done)
    except OSError as err:
        raise Refused(f"/dev/{disk.name}: reading back failed after {done >> 20} MiB "
                      f"({err.strerror}): it is broken or was pulled out; try another one") from None


def confirm(disk, image, env, stdin):
    print(f"/dev/{disk.name}: {disk.describe()}{disk.content(disk.node)}")
    for part in disk.parts():
        size = int(disk.system.read(part / "size") or 0) * 512
        print(f"  with partition {part.name}, {human(size)}{disk.content(part)}")
    print(f"Everything on it will be lost; {image} ({human(image.stat().st_size)}) takes its place.",
          flush=True)
    if not stdin.isatty():
        if env.get("CONFIRM") != disk.name:
            raise Refused("no terminal to ask on, nothing was written; "
                          f"CONFIRM={disk.name} answers the question")
        return
    print(f"Type {disk.name} to write it, anything else to stop: ", end="", flush=True)
    if stdin.readline().strip() != disk.name:
        raise Refused("stopped, nothing was written")


def list_disks(system, need):
    found = False
    for disk in system.disks():
        if disk.get("removable") != "1" or disk.size() == 0 or disk.name.startswith("sr") or \
                not disk.is_stick():
            continue
        found = True
        try:
            disk.check(need)
            print(f"  make usb DEV=/dev/{disk.name:8} {disk.describe()}")
        except Refused as why:
            print(f"  not now: {why} ({disk.describe()})")
    if not found:
        print("There is no removable disk on USB: plug in a stick. "
              "(Disks that are not removable or not on USB are not offered.)")


def main(argv, env=None, system=None, stdin=None):
    env, system, stdin = env or os.environ, system or System(), stdin or sys.stdin
    only_check = "--check" in argv[1:]
    args = cli.arguments([arg for arg in argv if arg != "--check"], __doc__, int(only_check), 2)
    image = pathlib.Path(args[1] if len(args) > 1 else IMAGE)
    need = image.stat().st_size if image.is_file() else 0
    try:
        if not args:
            list_disks(system, need)
            return 0
        disk = system.disk(args[0])
        disk.check(need)
        disk.check_access()
        if only_check:
            return 0
        if not need:
            raise Refused(f"{image}: there is no such image; run make iso first")
        identity = disk.identity()
        confirm(disk, image, env, stdin)
        check_same(disk, identity)
        disk.check(need)                # it may have been mounted while we waited
        write_stick(disk, image, identity)
    except Refused as why:
        print(f"usb: {why}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nusb: stopped; if the writing had begun, the stick is not bootable", file=sys.stderr)
        return 130
    print("done: plug the stick into the machine, switch it on and open its boot menu (often F12, F11, "
          "F9, F8 or Esc).\n  With UEFI: Secure Boot off, VMX (\"Intel Virtualization "
          "Technology\") on. More in docs/boot-usb.md.")
    return 0


if __name__ == "__main__":
    cli.run(lambda: main(sys.argv))
