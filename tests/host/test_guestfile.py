# SPDX-License-Identifier: BSD-2-Clause
"""tools/guestfile.py and tools/grubcfg.py: the user's guest checked, and what GRUB is told."""

import os
import pathlib
import re
import struct
import subprocess
import sys
import tempfile
import unittest
from unittest import mock

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tools"))
import grubcfg  # noqa: E402
import guestfile  # noqa: E402
import mkiso  # noqa: E402


def bzimage(version=0x020F, xloadflags=1, setup_sects=1, paragraphs=64, cmdline=2047):
    """A setup header as Documentation/arch/x86/boot.rst has it, and as much behind it as it says."""
    data = bytearray(512 * (setup_sects + 1) + 16 * paragraphs)
    struct.pack_into("<B", data, 0x1F1, setup_sects)
    struct.pack_into("<I", data, 0x1F4, paragraphs)
    struct.pack_into("<H", data, 0x1FE, 0xAA55)
    data[0x202:0x206] = b"HdrS"
    struct.pack_into("<H", data, 0x206, version)
    struct.pack_into("<H", data, 0x236, xloadflags)
    struct.pack_into("<I", data, 0x238, cmdline)
    return bytes(data)


def multiboot(at=0x40, magic=0x1BADB002, words=3, flags=3):
    """Multiboot 1: magic, flags, checksum. Multiboot 2: magic, architecture, length, checksum."""
    fields = [magic, flags] if words == 3 else [magic, 0, 16]
    fields.append(-sum(fields) & 0xFFFFFFFF)
    return b"\x7fELF\1\1\1".ljust(18, b"\0") + struct.pack("<H", 3) + bytes(at - 20) + \
        struct.pack(f"<{words}I", *fields) + bytes(16384)


class GuestfileTest(unittest.TestCase):
    def setUp(self):
        self.tmp = tempfile.TemporaryDirectory()
        self.path = pathlib.Path(self.tmp.name) / "file"

    def tearDown(self):
        self.tmp.cleanup()

    def kernel(self, data, append=""):
        self.path.write_bytes(data)
        return guestfile.check_kernel(self.path, append)

    def refused(self, call, *words):
        with self.assertRaises(SystemExit) as caught:
            call()
        text = str(caught.exception)
        self.assertEqual(text.count("\n"), 0, text)
        for word in words:
            self.assertIn(word, text)

    def test_guest_kinds(self):
        self.assertEqual(self.kernel(bzimage()), "linux")
        self.assertEqual(self.kernel(multiboot()), "multiboot")
        self.assertEqual(self.kernel(multiboot(at=8180)), "multiboot")
        self.assertEqual(self.kernel(multiboot(magic=0xE85250D6, words=4)), "multiboot2")
        self.assertEqual(self.kernel(multiboot(at=32752, magic=0xE85250D6, words=4)), "multiboot2")

    def test_guest_with_both_headers(self):
        """As boot/load/load.c orders its loaders."""
        both = multiboot(at=0x40)[:0x60] + multiboot(at=0x60, magic=0xE85250D6, words=4)[0x60:]
        self.assertEqual(self.kernel(both), "multiboot2")

    def test_guest_no_kernel(self):
        for data, words in (
                (b"", ("an empty file",)),
                (b"hello\n" * 100, ("a text file", "bzImage")),
                (multiboot(at=8192), ("an ELF file for x86", "8 KiB", "vmlinux", "accepted are")),
                (multiboot(at=32768, magic=0xE85250D6, words=4), ("multiboot 2 in its first 32 KiB",)),
                (b"\x7fELF\2\1\1".ljust(18, b"\0") + b"\xb7\0" + bytes(600), ("64-bit ARM",)),
                (b"\x1f\x8b" + bytes(600), ("gzip", "INITRD=")),
                (b"070701" + bytes(600), ("cpio", "INITRD=")),
                (bytes(0x8001) + b"CD001" + bytes(99), ("ISO image",)),
                (b"QFI\xfb" + bytes(600), ("qcow2",)),
                (b"!<arch>\ndebian-binary", ("Debian package", "vmlinuz")),
                (b"MZ" + bytes(600), ("EFI",)),
                (bytes(510) + b"\x55\xaa", ("boot sector",)),
                (bytes(range(1, 200)), ("nothing known", "01 02 03"))):
            self.refused(lambda data=data: self.kernel(data), "KERNEL=", *words)

    def test_guest_bad_bzimage(self):
        self.refused(lambda: self.kernel(bzimage(version=0x0205)), "boot protocol 2.05", "3.8")
        self.refused(lambda: self.kernel(bzimage(xloadflags=0)), "64-bit entry")
        self.refused(lambda: self.kernel(bzimage()[:-16]), "truncated", "copy it again")
        self.kernel(bzimage()[:-15])    # syssize counts paragraphs of 16 bytes
        self.refused(lambda: self.kernel(bzimage()[:0x230]), "truncated")
        self.refused(lambda: self.kernel(bzimage(cmdline=10), "x" * 11), "APPEND", "takes 10")

    def test_guest_missing_and_unreadable(self):
        self.refused(lambda: guestfile.check_kernel(self.path, ""), "there is no such file")
        self.refused(lambda: guestfile.check_kernel(self.tmp.name, ""), "a directory")
        self.refused(lambda: guestfile.check_kernel("/dev/null", ""), "a device")
        if os.geteuid():
            self.path.write_bytes(bzimage())
            self.path.chmod(0)
            self.refused(lambda: guestfile.check_kernel(self.path, ""), "cannot be read")

    def test_guest_too_large(self):
        self.path.write_bytes(bzimage())
        os.truncate(self.path, (2 << 30) + 1)       # a hole: no space is used
        self.refused(lambda: guestfile.check_kernel(self.path, ""), "too large", "2048 MiB")
        self.path.write_bytes(b"\x1f\x8b")
        os.truncate(self.path, 1 << 30)
        guestfile.check_initrd(self.path, 1 << 30)
        self.refused(lambda: guestfile.check_initrd(self.path, (1 << 30) + 1), "too large")

    def test_guest_initrd(self):
        for magic, _ in guestfile.ARCHIVES:
            self.path.write_bytes(magic + bytes(64))
            guestfile.check_initrd(self.path)
        self.path.write_bytes(bzimage())
        self.refused(lambda: guestfile.check_initrd(self.path), "KERNEL=")
        self.path.write_bytes(b"text")
        self.refused(lambda: guestfile.check_initrd(self.path), "no initrd but a text file", "cpio")

    def test_guest_module_of_multiboot(self):
        """Any file, but one that is there and can be loaded."""
        for data in (b"text", bzimage(), multiboot()):
            self.path.write_bytes(data)
            for kind in ("multiboot", "multiboot2"):
                guestfile.check_initrd(self.path, 0, kind)
        self.refused(lambda: guestfile.check_initrd(self.path, 2 << 30, "multiboot"), "too large")
        self.refused(lambda: guestfile.check_initrd("/nonexistent", 0, "multiboot"), "no such file")

    def test_guest_files(self):
        self.path.write_bytes(multiboot(magic=0xE85250D6, words=4))
        module = pathlib.Path(self.tmp.name) / "module"
        module.write_bytes(b"text")
        kind, mods = mkiso.guest_files({"KERNEL": str(self.path), "INITRD": str(module)})
        self.assertEqual((kind, [m.path for m in mods]), ("multiboot2", [self.path, module]))

    def test_guest_check_builds_nothing(self):
        """mkiso.py --check, with files that are right."""
        self.path.write_bytes(multiboot())
        env = {"KERNEL": str(self.path), "INITRD": "", "APPEND": "", "HV": ""}
        with mock.patch.dict(os.environ, env), mock.patch.object(sys, "argv", ["", "--check"]), \
                mock.patch.object(mkiso, "make_iso") as make:
            mkiso.main()
        make.assert_not_called()

    def test_guest_archives_are_kensho_s(self):
        """The list is that of boot/load/roles.c."""
        table = (ROOT / "boot/load/roles.c").read_text().partition("initrd_magics[] = {")[2]
        rows = re.findall(r'\{ "((?:\\.|[^"])*)", (\d+) \}', table.partition("};")[0])
        ours = {magic for magic, _ in guestfile.ARCHIVES}
        # C's octal and hexadecimal escapes are Python's, but \x in C is as long as it can be.
        theirs = {text.encode().decode("unicode_escape").encode("latin-1")[:int(length)]
                  for text, length in rows}
        self.assertEqual(theirs, ours)

    def test_line_odd_characters(self):
        for text, words in (("a\tb", ("position 2", "printable")), ("a\nb", ("printable",)),
                            ("gr\u00fcn", ("position 3",)), ("a'b", ("single quotes",)),
                            ("a\\b", ("backslashes",)), ('a"b', ("no second one",)),
                            ("x" * 2048, ("2048 characters",))):
            self.refused(lambda text=text: guestfile.check_line(text, "APPEND"), "APPEND", *words)
        for text in ("", "console=ttyS0,115200 ro $x `y` ;#!&|<>(){}*?~", 'dyndbg="file x.c +p"'):
            guestfile.check_line(text, "APPEND")

    def test_options_checked(self):
        """By Kensho's own parser: names, values, what excludes each other, features."""
        guestfile.check_options("log=com2 apicv=off cpu=host,-kvm-pv-eoi")
        for words, answer in (
                ("lgo=com2", 'HV: unknown option "lgo", did you mean "log"?'),
                ("hlt=exti", "HV: option hlt=exti: did you mean hlt=exit?"),
                ("stats=many", "HV: option stats=many: give a number from 0 to 86400"),
                ("dryrun selftest", "HV: option dryrun=on excludes selftest"),
                ("hv_relaxed", 'did you mean "cpu=host,hv_relaxed"?'),
                ("cpu=host,kvm-pv-eio", 'did you mean "kvm-pv-eoi"?')):
            self.refused(lambda words=words: guestfile.check_options(words), answer)

    def test_options_help(self):
        """Is no boot: printed, and the tool ends."""
        code = "import sys; sys.path.insert(0, 'tools'); import guestfile; " \
            "guestfile.check_options('help=stats')"
        done = subprocess.run([sys.executable, "-c", code], cwd=guestfile.ROOT, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertEqual((done.returncode, done.stderr),
                         (1, "HV asks for help: nothing was started\n"))
        self.assertIn("stats=SECONDS", done.stdout)

    def test_quote(self):
        for text, want in (("a=b,c.d:/e+f@g%h-i_j", "a=b,c.d:/e+f@g%h-i_j"), ("  a   b ", "a b"),
                           ("$x;#", "'$x;#'"), ('d="file x +p" ro', "'d=file x +p' ro"),
                           ('"all of it"', "'all of it'"), ('""', "''")):
            self.assertEqual(grubcfg.quote(text), want)


class DirectTest(unittest.TestCase):
    """`make run BARE=1`: GRUB starts the guest by itself."""

    def lines(self, names, **how):
        mods = [mkiso.Module(pathlib.Path(name), name, f"{name}=1") for name in names]
        return re.sub(r"\s*\n\s*", "\n", grubcfg.direct_lines(mkiso.Boot(
            hv=None, modules=mods, **how))).partition("\nif ")[0].strip()   # the screen's mode

    def test_bare_kinds(self):
        for kind, module in (("linux", "initrd /boot/initrd"),
                             ("multiboot", "module /boot/initrd initrd=1"),
                             ("multiboot2", "module2 /boot/initrd initrd=1")):
            self.assertEqual(self.lines(["kernel", "initrd"], kind=kind),
                             f"{kind} /boot/kernel kernel=1\n{module}")

    def test_bare_kind_by_name(self):
        for name, kind in (("kernel", "linux"), ("guest", "multiboot"), ("guest2", "multiboot2")):
            self.assertEqual(self.lines([name]), f"{kind} /boot/{name} {name}=1")


class MenuTest(unittest.TestCase):
    GUEST = grubcfg.Guest("vmlinuz", "linux", "root=/dev/sda1", True)

    def entries(self, guest=GUEST, hv=""):
        return dict(re.findall(r'^\s*menuentry "\[(\w)\] [^\n]*--hotkey=\1 \{\n(.*?)^\s*\}',
                               grubcfg.menu(guest, hv), re.S | re.M))

    def test_menu_keys_are_free(self):
        """Each letter once, and none that GRUB's menu takes itself."""
        keys = re.findall(r"--hotkey=(\w)", grubcfg.menu(self.GUEST, ""))
        self.assertEqual(len(keys), len(set(keys)))
        self.assertFalse(set(keys) & set("cepv"))

    def test_menu_gfxpayload_after_multiboot2(self):
        for key, text in self.entries().items():
            if "multiboot2" in text:
                self.assertRegex(text, r"(?s)multiboot2.*set gfxpayload=text", key)

    def test_menu_user_options_everywhere(self):
        for key, text in self.entries(hv="apicv=off").items():
            self.assertEqual("kensho.elf" in text, "apicv=off" in text, key)

    def test_menu_of_multiboot_guest(self):
        guest = grubcfg.Guest("g", "multiboot", "test=x", True)
        self.assertIn("multiboot /boot/kernel test=x\n\tmodule /boot/initrd",
                      self.entries(guest)["b"])
        self.assertNotIn("console=", self.entries(guest)["s"].replace("console=com1", ""))

    def test_menu_bare_linux(self):
        self.assertEqual(self.entries()["b"],
                         "\tlinux /boot/kernel root=/dev/sda1\n\tinitrd /boot/initrd\n")


if __name__ == "__main__":
    unittest.main()
