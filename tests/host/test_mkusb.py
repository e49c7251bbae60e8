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


class Machine:
    """A root directory in which /dev/sdb is a stick with a partition, and sda the machine's disk."""

    def __init__(self, root):
        self.root = pathlib.Path(root)
        self.number = 0
        for name in ("sys/block", "sys/class/block", "proc/self", "dev"):
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
        self.write(f"{where}/size", f"{size // 512}\n")
        self.write(f"{where}/dev", f"8:{self.number}\n")
        self.write(f"{where}/ro", "0\n")
        (self.root / where / "holders").mkdir()
        (self.root / "sys/class/block" / name).symlink_to(self.root / where)
        self.number += 1

    def add_disk(self, name, removable=1, model="", size=8 * MIB, bus=USB):
        where = f"sys/devices/{bus}/{name}"
        self.add_node(name, where, size)
        self.write(f"{where}/removable", f"{removable}\n")
        self.write(f"{where}/device/model", f"{model}\n")
        (self.root / "sys/block" / name).symlink_to(self.root / where)
        with open(self.root / "dev" / name, "wb") as disk:
            disk.truncate(size)

    def add_part(self, disk, name):
        where = f"{self.node(disk)}/{name}"
        self.add_node(name, where, 4 * MIB)
        self.write(f"{where}/partition", "1\n")
        (self.root / "dev" / name).write_bytes(b"")

    def node(self, name):
        """Where a disk or partition is in /sys, below the root."""
        return (self.root / "sys/class/block" / name).resolve().relative_to(self.root)

    def get(self, name):
        return (self.root / "sys/class/block" / name).read_text().strip()

    def run(self, *args, answer="", tty=True, env=None, image=None):
        """(exit status, output)"""
        out, argv = io.StringIO(), ["mkusb.py", *args]
        if args and args[0] != "--check":
            argv.append(str(image or self.image))
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            status = mkusb.main(argv, env or {"HOME": "/"}, mkusb.System(self.root),
                                Terminal(answer, tty))
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
                     "boot menu"):
            self.assertIn(word, out)

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
        (self.machine.root / "dev/sdc").write_bytes(b"")
        self.refused("/dev/sdc", "the kernel knows no such disk")

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
        self.machine.write("proc/self/mountinfo", "40 22 8:1 / /mnt rw - vfat /dev/sdb rw\n")
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

    def test_usb_mounted_while_asking(self):
        machine = self.machine

        class Slow(Terminal):
            def readline(self, *_):
                machine.write("proc/self/mountinfo", "40 22 8:2 / /mnt rw - vfat /dev/sdb1 rw\n")
                return "sdb\n"

        out = io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            status = mkusb.main(["mkusb.py", "/dev/sdb", str(machine.image)], {"HOME": "/"},
                                mkusb.System(machine.root), Slow(""))
        self.assertEqual(status, 1)
        self.assertIn("mounted on /mnt", out.getvalue())
        self.assertEqual(self.stick(), self.before)

    def test_usb_claimed_or_forbidden(self):
        for code, word in ((errno.EBUSY, "something uses it"), (errno.EACCES, "sudo tools/mkusb.py")):
            real = os.open

            def fail(path, flags, *args, code=code, real=real):
                if str(path).endswith("dev/sdb"):
                    self.assertTrue(flags & os.O_EXCL)
                    raise OSError(code, os.strerror(code)) if code != errno.EACCES else \
                        PermissionError(code, "")
                return real(path, flags, *args)

            mkusb.os.open = fail
            try:
                self.refused("/dev/sdb", word)
            finally:
                mkusb.os.open = real

    def test_usb_broken_stick(self):
        """A stick that loses a byte is found by reading back."""
        real = mkusb.write_image

        def write(disk, image):
            real(disk, image)
            with open(disk.path, "r+b") as stick:
                stick.seek(2 * MIB + 77)
                byte = stick.read(1)
                stick.seek(2 * MIB + 77)
                stick.write(bytes([byte[0] ^ 1]))

        mkusb.write_image = write
        try:
            status, out = self.machine.run("/dev/sdb", answer="sdb\n")
        finally:
            mkusb.write_image = real
        self.assertEqual(status, 1)
        self.assertIn("differs, in the MiB after 2", out)

    def test_usb_full_or_pulled_out(self):
        real = mkusb.write_all

        def fail(fd, data):
            raise OSError(errno.EIO, "Input/output error")

        mkusb.write_all = fail
        try:
            self.refused("/dev/sdb", "writing failed after 0 MiB", "pulled out")
        finally:
            mkusb.write_all = real

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
