# SPDX-License-Identifier: BSD-2-Clause
"""tools/mkusb.py against a made-up /sys, /proc and /dev: what it refuses, what it writes."""

import contextlib
import errno
import io
import os
import pathlib
import sys
import tempfile
import unittest
from unittest import mock

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent.parent / "tools"))
import mkusb  # noqa: E402

MIB = 1 << 20
IMAGE_BYTES = 3 * MIB + 2048
USB = "pci0000:00/0000:00:14.0/usb1/1-2/1-2:1.0/host6/target6:0:0/6:0:0:0/block"
SATA = "pci0000:00/0000:00:17.0/ata1/host0/target0:0:0/0:0:0:0/block"
MMC = "pci0000:00/0000:00:1c.0/mmc_host/mmc0/mmc0:aaaa/block"


class Terminal(io.StringIO):
    def __init__(self, text, tty=True):
        super().__init__(text)
        self.tty = tty

    def isatty(self):
        return self.tty


class System(mkusb.System):
    """Its block devices are files: /dev has their numbers."""

    def __init__(self, machine):
        super().__init__(machine.root)
        self.numbers = machine.numbers

    def number(self, info):
        return self.numbers.get(info.st_ino, "")


class Machine:
    """A root directory in which /dev/sdb is a stick with a partition, and sda the machine's disk."""

    def __init__(self, root):
        self.root = pathlib.Path(root)
        self.numbers = {}               # inode in dev: major:minor
        for name in ("sys/block", "sys/class/block", "sys/dev/block", "proc/self", "dev"):
            (self.root / name).mkdir(parents=True)
        self.add_disk("sda", removable=0, model="System disk", bus=SATA)
        self.add_disk("sdb", model="Stick 3.0")
        self.add_part("sdb", "sdb1")
        self.write("proc/self/mountinfo", "22 1 8:0 / / rw - ext4 /dev/sda rw\n")
        self.write("proc/swaps", "Filename Type Size Used Priority\n")
        self.image = self.root / "kensho.iso"
        self.image.write_bytes(os.urandom(IMAGE_BYTES))

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def add_node(self, name, where, size):
        device = self.root / "dev" / name
        device.write_bytes(b"")
        os.truncate(device, size)
        number = f"8:{len(self.numbers)}"
        self.numbers[device.stat().st_ino] = number
        self.write(f"{where}/size", f"{size // 512}\n")
        self.write(f"{where}/dev", f"{number}\n")
        self.write(f"{where}/ro", "0\n")
        (self.root / where / "holders").mkdir()
        (self.root / "sys/class/block" / name).symlink_to(self.root / where)
        (self.root / "sys/dev/block" / number).symlink_to(self.root / where)

    def add_disk(self, name, removable=1, model="", size=8 * MIB, bus=USB):
        where = f"sys/devices/{bus}/{name}"
        self.add_node(name, where, size)
        self.write(f"{where}/removable", f"{removable}\n")
        self.write(f"{where}/device/model", f"{model}\n")
        (self.root / "sys/block" / name).symlink_to(self.root / where)

    def add_part(self, disk, name):
        where = f"{self.node(disk)}/{name}"
        self.add_node(name, where, 4 * MIB)
        self.write(f"{where}/partition", "1\n")

    def node(self, name):
        """Where a disk or partition is in /sys, below the root."""
        return (self.root / "sys/class/block" / name).resolve().relative_to(self.root)

    def get(self, name):
        return (self.root / "sys/class/block" / name).read_text().strip()

    def run(self, *args, answer="", tty=True, env=None, image=None, stdin=None):
        """(exit status, output)"""
        out, argv = io.StringIO(), ["mkusb.py", *args]
        if args and args[0] != "--check":
            argv.append(str(image or self.image))
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            status = mkusb.main(argv, env or {"HOME": "/"}, System(self),
                                stdin or Terminal(answer, tty))
        return status, out.getvalue()


class MkusbTest(unittest.TestCase):
    def setUp(self):
        self.tmp = tempfile.TemporaryDirectory()
        self.machine = Machine(self.tmp.name)
        mkusb.IMAGE = self.machine.image
        self.before = self.stick()

    def tearDown(self):
        self.tmp.cleanup()

    def stick(self):
        return (self.machine.root / "dev/sdb").read_bytes()

    def set(self, name, value, disk="sdb"):
        self.machine.write(f"{self.machine.node(disk)}/{name}", f"{value}\n")

    def refused(self, dev, *words, **how):
        """One line with these words; nothing was written, although the answer would be yes."""
        how.setdefault("answer", dev.rpartition("/")[2] + "\n")
        status, out = self.machine.run(dev, **how)
        self.assertEqual(status, 1, out)
        line = out.splitlines()[-1]
        self.assertTrue(line.startswith("usb: ") or "usb: " in line, out)
        for word in words:
            self.assertIn(word, line)
        self.assertEqual(self.stick(), self.before)

    def test_usb_writes_and_verifies(self):
        status, out = self.machine.run("/dev/sdb", answer="sdb\n")
        self.assertEqual(status, 0, out)
        data = self.machine.image.read_bytes()
        self.assertEqual(self.stick()[:len(data)], data)
        self.assertEqual(self.stick()[len(data):], self.before[len(data):])
        for word in ("Stick 3.0, 8 MiB", "sdb1", "lost", "writing: 100 %", "reading back: 100 %",
                     "done: plug the stick into the machine", "boot menu"):
            self.assertIn(word, out)

    def test_usb_question_names_what_is_on_it(self):
        self.machine.write(f"run/udev/data/b{self.machine.get('sdb1/dev')}",
                           "I:1\nE:ID_FS_TYPE=vfat\nE:ID_FS_LABEL=BACKUP\x1b 1\nE:ID_FS_LABEL_ENC=x\n")
        self.assertIn('sdb1, 4 MiB, vfat "BACKUP? 1"\n', self.machine.run("/dev/sdb")[1])
        self.machine.write(f"run/udev/data/b{self.machine.get('sdb/dev')}", "E:ID_FS_TYPE=iso9660\n")
        self.assertIn("Stick 3.0, 8 MiB, iso9660\n", self.machine.run("/dev/sdb")[1])

    def test_usb_confirm_from_environment(self):
        status, out = self.machine.run("/dev/sdb", tty=False, env={"CONFIRM": "sdb"})
        self.assertEqual(status, 0, out)
        self.assertNotEqual(self.stick(), self.before)

    def test_usb_link_names_the_disk(self):
        (self.machine.root / "dev/by-id").mkdir()
        (self.machine.root / "dev/by-id/usb-Stick").symlink_to("../sdb")
        status, out = self.machine.run("/dev/by-id/usb-Stick", answer="sdb\n")
        self.assertEqual(status, 0, out)

    def test_usb_refuses_any_other_answer(self):
        for answer in ("", "\n", "y\n", "yes\n", "sda\n", "SDB\n"):
            self.refused("/dev/sdb", "stopped, nothing was written", answer=answer)

    def test_usb_refuses_without_terminal(self):
        self.refused("/dev/sdb", "no terminal", "CONFIRM=sdb", tty=False)
        self.refused("/dev/sdb", "no terminal", tty=False, env={"CONFIRM": "sda"})
        self.refused("/dev/sdb", "no terminal", tty=False, env={"CONFIRM": "yes"})

    def test_usb_refuses_partition(self):
        self.refused("/dev/sdb1", "a partition", "DEV=/dev/sdb")

    def test_usb_refuses_not_removable(self):
        self.refused("/dev/sda", "not removable", "System disk")

    def test_usb_refuses_other_buses(self):
        """libata: a SATA disk on a hot-plug port is removable; eMMC is soldered in."""
        self.machine.add_disk("sdc", model="Bay disk", bus=SATA)
        self.refused("/dev/sdc", "removable, but not on USB", "Bay disk", "dd")
        self.machine.add_disk("mmcblk0", bus=MMC)
        self.set("device/type", "MMC", "mmcblk0")
        self.refused("/dev/mmcblk0", "not on USB")
        self.assertNotIn("sdc", self.machine.run()[1])

    def test_usb_takes_sd_card(self):
        self.machine.add_disk("mmcblk0", bus=MMC)
        self.set("device/type", "SD", "mmcblk0")
        self.set("device/name", "SU08G", "mmcblk0")
        status, out = self.machine.run("/dev/mmcblk0", answer="mmcblk0\n")
        self.assertEqual(status, 0, out)
        self.set("removable", 0, "mmcblk0")
        self.refused("/dev/mmcblk0", "not removable")

    def test_usb_refuses_missing(self):
        self.refused("/dev/sdx", "no such device", "make usb")

    def test_usb_refuses_unknown_to_kernel(self):
        self.machine.add_disk("sdc")
        (self.machine.root / "sys/dev/block" / self.machine.get("sdc/dev")).unlink()
        self.refused("/dev/sdc", "the kernel knows no such disk")

    def test_usb_refuses_files(self):
        self.refused("/kensho.iso", "a file, not a disk")
        self.refused("/dev", "a directory, not a disk")

    def test_usb_refuses_other_kinds(self):
        for name, what in (("loop0", "loop"), ("zram0", "memory"), ("sr0", "CD"),
                           ("nvme0n1", "NVMe"), ("fd0", "floppy")):
            self.machine.add_disk(name)
            self.refused(f"/dev/{name}", what)
        for name, sub, what in (("dm-0", "dm", "device-mapper"), ("md0", "md", "RAID")):
            self.machine.add_disk(name)
            (self.machine.root / self.machine.node(name) / sub).mkdir()
            self.refused(f"/dev/{name}", what)

    def test_usb_refuses_mounted_disk(self):
        self.machine.write("proc/self/mountinfo", f"40 22 {self.machine.get('sdb/dev')} / /mnt rw - vfat none rw\n")
        self.refused("/dev/sdb", "mounted on /mnt", "umount /mnt")

    def test_usb_refuses_mounted_partition(self):
        self.machine.write("proc/self/mountinfo",
                           "40 22 8:2 / /media/x rw shared:1 - vfat /dev/other rw\n")
        self.refused("/dev/sdb", "/dev/sdb1: mounted on /media/x")

    def test_usb_refuses_mount_with_own_number(self):
        """btrfs has no device number of a disk in mountinfo; its source names the disk."""
        (self.machine.root / "dev/stick").symlink_to("sdb1")
        self.machine.write("proc/self/mountinfo", "40 22 0:33 / /mnt rw - btrfs /dev/stick rw\n")
        self.refused("/dev/sdb", "/dev/sdb1: mounted on /mnt")

    def test_usb_refuses_swap(self):
        self.machine.write("proc/swaps", "Filename Type Size Used Priority\n"
                           "/dev/sdb1 partition 1024 0 -2\n")
        self.refused("/dev/sdb", "swaps to it", "swapoff /dev/sdb1")

    def test_usb_refuses_what_is_unknown(self):
        """Without the lists of mounts and swap areas nothing is known to be unused."""
        for name in ("proc/self/mountinfo", "proc/swaps"):
            path = self.machine.root / name
            text = path.read_text()
            path.write_text("")
            self.refused("/dev/sdb", f"/{name}: not the list", "container")
            path.unlink()
            self.refused("/dev/sdb", f"/{name}: cannot be read", "unknown")
            path.write_text(text)

    def test_usb_odd_names(self):
        r"""proc(5): space, tab, newline and backslash are \040, \011, \012 and \134."""
        number = self.machine.get("sdb1/dev")
        self.machine.write("proc/self/mountinfo",
                           f"40 22 {number} / /media/my\\040stick rw - vfat /dev/sdb1 rw\n")
        self.refused("/dev/sdb", "mounted on /media/my stick; umount '/media/my stick'")
        self.machine.write("proc/self/mountinfo",
                           f"40 22 {number} / /a\\012\\033$x rw - vfat none rw\n")
        self.refused("/dev/sdb", "mounted on /a??$x;")
        (self.machine.root / "dev/my stick").symlink_to("sdb1")
        self.machine.write("proc/self/mountinfo",
                           "40 22 0:9 / /mnt rw - btrfs /dev/my\\040stick rw\n")
        self.refused("/dev/sdb", "mounted on /mnt")
        self.machine.write("proc/self/mountinfo", "22 1 8:0 / / rw - ext4 /dev/sda rw\n")
        self.machine.write("proc/swaps", "Filename Type Size Used Priority\n"
                           "/dev/my\\040stick partition 1024 0 -2\n")
        self.refused("/dev/sdb", "swapoff '/dev/my stick'")

    def test_usb_refuses_loop_device(self):
        for name in ("sdb", "sdb1"):
            self.machine.write("sys/block/loop3/loop/backing_file", f"/dev/{name}\n")
            self.refused("/dev/sdb", f"/dev/{name}: in use by the loop device loop3",
                         "losetup -d /dev/loop3")

    def test_usb_refuses_holders(self):
        holders = self.machine.root / self.machine.node("sdb1") / "holders"
        (holders / "md127").mkdir()
        self.refused("/dev/sdb", "/dev/sdb1: in use by md127", "mdadm --stop /dev/md127")
        (holders / "md127").rmdir()
        (holders / "dm-3").mkdir()
        self.machine.write("sys/class/block/dm-3/dm/name", "vault\n")
        self.refused("/dev/sdb", "in use by vault", "dmsetup remove vault")

    def test_usb_refuses_read_only(self):
        self.set("ro", 1)
        self.refused("/dev/sdb", "write-protected", "switch")

    def test_usb_refuses_too_small(self):
        self.set("size", (IMAGE_BYTES - 512) // 512)
        self.refused("/dev/sdb", "too small", "3 MiB")
        self.set("size", 0)
        self.refused("/dev/sdb", "no medium")

    def test_usb_refuses_missing_image(self):
        self.refused("/dev/sdb", "no such image", "make iso", image="/nowhere.iso")

    def while_asking(self, act, *words):
        class Slow(Terminal):
            def readline(self, *_):
                act()
                return "sdb\n"

        self.refused("/dev/sdb", *words, stdin=Slow(""))

    def mount(self):
        self.machine.write("proc/self/mountinfo", f"40 22 {self.machine.get('sdb1/dev')} / /mnt rw "
                           "- vfat /dev/sdb1 rw\n")

    def test_usb_mounted_while_asking(self):
        with mock.patch.object(mkusb, "open_disk") as opened:
            self.while_asking(self.mount, "mounted on /mnt")
        opened.assert_not_called()      # it would only say that something uses it

    def test_usb_replaced_while_asking(self):
        """Another stick in the same port has the same name, maybe even the same model."""
        usb = str(self.machine.node("sdb")).partition("/1-2:1.0")[0]
        self.set("diskseq", 10)
        self.machine.write(f"{usb}/idVendor", "0781\n")
        self.machine.write(f"{usb}/serial", "1234\n")
        for name, value in (("diskseq", 11), ("size", 4096 * 5), ("device/model", "Other"),
                            ("device/vendor", "Other"), ("dev", "8:99")):
            old = self.machine.get(f"sdb/{name}") if name != "device/vendor" else ""
            self.while_asking(lambda name=name, value=value: self.set(name, value),
                              "not the stick that the question was about")
            self.set(name, old)
        self.while_asking(lambda: self.machine.write(f"{usb}/serial", "1235\n"), "not the stick")

    def with_open(self, act, *words):
        """act(real open, path, flags) in the place of os.open of the stick."""
        real = os.open

        def fake(path, flags, *args):
            if str(path) == str(self.machine.root / "dev/sdb"):
                self.assertEqual(flags & (os.O_EXCL | os.O_ACCMODE), os.O_EXCL | os.O_RDWR)
                return act(real, path, flags)
            return real(path, flags, *args)

        with mock.patch.object(mkusb.os, "open", fake):
            self.refused("/dev/sdb", *words)

    def test_usb_claimed_or_forbidden(self):
        for code, word in ((errno.EBUSY, "something uses it"), (errno.EROFS, "read-only"),
                           (errno.EACCES, "sudo tools/mkusb.py /dev/sdb")):
            def fail(*_, code=code):
                raise OSError(code, os.strerror(code))      # PermissionError for EACCES
            self.with_open(fail, word)

    def test_usb_forbidden_before_the_image(self):
        """`make usb` asks --check before it builds; the user is not asked in vain, either."""
        with mock.patch.object(mkusb.os, "access", lambda _, mode: mode != os.W_OK):
            for args in (("--check", "/dev/sdb"), ("/dev/sdb",)):
                status, out = self.machine.run(*args, answer="sdb\n")
                self.assertEqual(status, 1)
                self.assertIn("may not write to it; make iso && sudo tools/mkusb.py /dev/sdb", out)
                self.assertEqual(out.count("\n"), 1, out)
            self.assertIn("make usb DEV=/dev/sdb", self.machine.run()[1])
        self.assertEqual(self.stick(), self.before)

    def test_usb_replaced_while_opening(self):
        """Between the last look and open(2), and what open(2) finds is another device."""
        def other(real, _, flags):
            return real(self.machine.root / "dev/sda", flags)
        self.with_open(other, "not the disk that was looked at")
        self.with_open(lambda real, _, flags: real(self.machine.image, flags), "not the disk")

        def replaced(real, path, flags):
            self.set("diskseq", 12)
            return real(path, flags)
        self.with_open(replaced, "not the stick")

    def test_usb_mounted_while_opening(self):
        def mounted(real, path, flags):
            self.mount()
            return real(path, flags)
        self.with_open(mounted, "mounted on /mnt")

    def test_usb_one_descriptor(self):
        """Opened once, and what is cached is dropped between writing and reading back."""
        calls = []

        def log(name, real):
            def call(*args):
                calls.append(name if name != "ioctl" else args[1])
                return real(*args)
            return call

        with mock.patch.object(mkusb.os, "open", log("open", os.open)), \
                mock.patch.object(mkusb, "write_image", log("write", mkusb.write_image)), \
                mock.patch.object(mkusb, "read_back", log("read", mkusb.read_back)), \
                mock.patch.object(mkusb.os, "posix_fadvise", log("fadvise", os.posix_fadvise)), \
                mock.patch.object(mkusb.fcntl, "ioctl", log("ioctl", mkusb.fcntl.ioctl)):
            status, out = self.machine.run("/dev/sdb", answer="sdb\n")
        self.assertEqual(status, 0, out)
        # _IO(0x12, 97) and _IO(0x12, 95) of linux/fs.h
        self.assertEqual(calls, ["open", "write", "fadvise", 0x12 << 8 | 97, "read", 0x12 << 8 | 95])

    def test_usb_broken_stick(self):
        """A stick that loses a byte is found by reading back."""
        real = mkusb.write_image

        def write(fd, disk, image):
            real(fd, disk, image)
            with open(disk.path, "r+b") as stick:
                stick.seek(2 * MIB + 77)
                byte = stick.read(1)
                stick.seek(2 * MIB + 77)
                stick.write(bytes([byte[0] ^ 1]))

        with mock.patch.object(mkusb, "write_image", write):
            status, out = self.machine.run("/dev/sdb", answer="sdb\n")
        self.assertEqual(status, 1)
        self.assertIn("differs, in the MiB after 2", out)

    def test_usb_full_or_pulled_out(self):
        def fail(fd, data):
            raise OSError(errno.EIO, "Input/output error")

        with mock.patch.object(mkusb, "write_all", fail):
            self.refused("/dev/sdb", "writing failed after 0 MiB", "pulled out")

    def test_usb_check_changes_nothing(self):
        self.assertEqual(self.machine.run("--check", "/dev/sdb")[0], 0)
        self.assertEqual(self.machine.run("--check", "/dev/sda")[0], 1)
        self.assertEqual(self.stick(), self.before)

    def test_usb_list(self):
        status, out = self.machine.run()
        self.assertEqual(status, 0)
        self.assertIn("make usb DEV=/dev/sdb", out)
        self.assertIn("Stick 3.0", out)
        self.assertNotIn("sda", out)
        self.machine.write("proc/self/mountinfo", "40 22 8:2 / /mnt rw - vfat /dev/sdb1 rw\n")
        self.assertIn("not now: /dev/sdb1: mounted on /mnt", self.machine.run()[1])
        self.set("removable", 0)
        self.assertIn("There is no removable disk", self.machine.run()[1])


if __name__ == "__main__":
    unittest.main()
