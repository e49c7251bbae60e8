# SPDX-License-Identifier: BSD-2-Clause
"""tools/run.py and tools/emu.py: which emulator and firmware `make run` takes."""

import os
import pathlib
import sys
import tempfile
import unittest
from unittest import mock

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent.parent / "tools"))
import console  # noqa: E402
import emu  # noqa: E402
import mkiso  # noqa: E402
import run  # noqa: E402

HERE = pathlib.Path("/nonexistent")


class Port:
    name = "/dev/pts/9"


class RunTest(unittest.TestCase):
    def wish(self, nested, **env):
        """What run.wish() makes of an environment with only @env."""
        names = ("UEFI", "BOCHS", "MEMORY", "CPUS", "VNC", "HV", "BARE", "KERNEL", "INITRD", "APPEND")
        with mock.patch.dict(os.environ, {name: "" for name in names} | env), \
                mock.patch.object(emu, "nested_kvm", lambda: nested), \
                mock.patch.object(emu, "OVMF", pathlib.Path(__file__)), \
                mock.patch.object(mkiso, "LINUX", pathlib.Path(__file__)):
            return run.wish()

    def start(self, nested, **env):
        """The emulator's command line for a machine that offers nested VMX, or why not."""
        want = self.wish(nested, **env)
        with mock.patch.object(emu, "bochs_info", lambda _: ("2.7", True)), \
                mock.patch.object(emu, "bochs_command", lambda _: ["bochs"]), \
                mock.patch.object(emu, "OVMF", pathlib.Path(__file__)), \
                mock.patch.object(emu, "Emulator", lambda cmd, _: cmd), \
                mock.patch.object(run, "say", lambda _: None):
            return " ".join(run.start(HERE, [Port, Port], want))

    def test_run_kvm_bios(self):
        cmd = self.start("")
        for words in ("-enable-kvm -cpu host,+vmx", "-cdrom /nonexistent/boot.iso", "/dev/pts/9"):
            self.assertIn(words, cmd)
        self.assertNotIn("pflash", cmd)
        self.assertEqual(cmd, self.start("", UEFI="0"))

    def test_run_kvm_uefi(self):
        cmd = self.start("", UEFI="1")
        self.assertIn("-enable-kvm", cmd)
        self.assertIn(f"if=pflash,format=raw,unit=0,readonly=on,file={__file__}", cmd)

    def test_run_bochs(self):
        self.assertEqual(self.start("no VMX"), "bochs")
        self.assertEqual(self.start("", BOCHS="/opt/bochs"), "bochs")

    def test_run_bochs_has_no_uefi(self):
        for nested, env in (("this CPU has no VMX", {}), ("", {"BOCHS": "/opt/bochs"})):
            with self.assertRaises(SystemExit) as why:
                self.start(nested, UEFI="1", **env)
            self.assertIn("UEFI=1 needs QEMU/KVM (" + (nested or "BOCHS= is set"),
                          str(why.exception))

    def test_run_bare_kind(self):
        """BARE=1: GRUB is told how to start the guest."""
        self.assertIsNone(self.wish("", BARE="1").hv)
        for kind in ("linux", "multiboot", "multiboot2"):
            with mock.patch.object(mkiso, "guest_files", lambda kind=kind: (kind, [])), \
                    mock.patch.object(mkiso, "make_iso", lambda _, boot: boot):
                boot = run.build_image(HERE, None)
            self.assertEqual((boot.hv, boot.kind), (None, kind))

    def test_run_options(self):
        """Kensho's console and a crash that stays are defaults; the user's words win."""
        for hv, want in (("", "log=com2 on_crash=halt"),
                         ("apicv=off", "log=com2 on_crash=halt apicv=off"),
                         ("log=none", "on_crash=halt log=none"),
                         ("on_crash=reboot log=com2", "on_crash=reboot log=com2")):
            self.assertEqual(self.wish("", HV=hv).hv, want)

    def test_run_mistakes_are_one_line(self):
        for env, words in (({"MEMORY": "2G"}, "MEMORY=2G: give a number of MiB from 64 "),
                           ({"MEMORY": "1"}, "MEMORY=1: give a number"),
                           ({"CPUS": "abc"}, "CPUS=abc: give a number of CPUs from 1 to 14"),
                           ({"CPUS": "15"}, "CPUS=15: give"), ({"CPUS": "9" * 5000}, "give"),
                           ({"CPUS": "0"}, "CPUS=0: give"), ({"CPUS": "-1"}, "CPUS=-1: give"),
                           ({"CPUS": "\u00b2"}, "CPUS=\u00b2: give"),
                           ({"HV": "hv_relaxed"}, 'did you mean "cpu=host,hv_relaxed"?'),
                           ({"KERNEL": "/nonexistent"}, "no such file"),
                           ({"INITRD": "/nonexistent"}, "no such file"), ({"APPEND": "'"}, "APPEND"),
                           ({"UEFI": "1"}, "UEFI=1 needs QEMU/KVM")):
            with self.assertRaises(SystemExit) as why:
                self.wish("no VMX", **env)
            self.assertIn(words, str(why.exception))
            self.assertNotIn("\n", str(why.exception))

    def test_run_check_before_packages(self):
        """What `make run` installs after the check does not make the check fail."""
        want = {"UEFI": "1", "CPUS": "200"}
        with mock.patch.object(emu, "nested_kvm", lambda: emu.NO_QEMU), \
                mock.patch.object(emu, "OVMF", HERE), mock.patch.dict(os.environ, want), \
                mock.patch.object(mkiso, "check_guest", lambda: "linux"):
            self.assertEqual(run.wish(check=True).firmware, "ovmf")
            with self.assertRaises(SystemExit):
                run.wish()

    def test_run_initrd_before_the_first_kernel(self):
        """Debian's kernel comes after the check."""
        with mock.patch.object(mkiso, "LINUX", HERE), self.assertRaises(SystemExit) as why:
            mkiso.check_guest({"INITRD": __file__})
        self.assertIn("no initrd but a text file", str(why.exception))

    def test_run_alone_in_its_folder(self):
        """Nothing of the user's is deleted, and a second run does not disturb the first."""
        with tempfile.TemporaryDirectory() as here:
            folder = pathlib.Path(here)
            (folder / "mine").write_text("x")
            (folder / "com1.log").write_text("x")
            run.clear(folder)
            self.assertEqual([path.name for path in folder.iterdir()], ["mine"])
            with self.assertRaises(SystemExit) as why:
                run.clear(folder)
            self.assertIn("another run uses", str(why.exception))

    def test_run_who_speaks_first(self):
        for hv, kensho in ((None, False), ("log=com2", True), ("console=none", False),
                           ("console=screen", False), ("console=none console=com1", True)):
            self.assertEqual(run.speaks_on_com1(hv), kensho)

    def test_run_speech(self):
        """Who has spoken, and whether the machine stands still."""
        boot = b"BdsDxe: loading Boot0001\r\nKensho 0.1, a type-1 hypervisor for Intel VMX\r\n"
        start = b"starting the guest: COM1 and the screen are its own\r\n"
        halted = b"the machine is halted: reset it"
        said = console.Speech(True)
        for data, guest, still in ((boot, False, False), (start, False, False), (b"x", True, False),
                                   (b"guest# echo " + halted + b"\r\n" + halted + b"\r\n", True, False),
                                   (b"error: " + halted + b" (on_crash=halt)\r\n", True, True),
                                   (b"guest# ", True, False), (b"\r\n" + boot, False, False),
                                   (halted + b"\r\nRESULT: Kensho cannot run here: x\r\n", False, True)):
            said.add(data)
            self.assertEqual((said.guest, said.halted), (guest, still), data)
        self.assertFalse(said.done)
        said = console.Speech(False)
        said.add(b"\r\n")
        self.assertFalse(said.guest)
        said.add(b"S")
        self.assertTrue(said.guest)

    def test_run_refuses_before_it_builds(self):
        """The directory of the last run is still there."""
        with mock.patch.dict(os.environ, RUN_DIR="/proc/x", MEMORY="2G"), \
                mock.patch.object(sys, "argv", ["run.py"]), self.assertRaises(SystemExit) as why:
            run.main()
        self.assertIn("MEMORY=2G", str(why.exception))

    def test_run_uefi_without_ovmf(self):
        with mock.patch.object(emu, "OVMF", HERE), mock.patch.dict(os.environ, UEFI="1"), \
                self.assertRaises(SystemExit) as why:
            run.firmware("", False)
        self.assertIn("package ovmf", str(why.exception))


if __name__ == "__main__":
    unittest.main()
