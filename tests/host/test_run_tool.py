# SPDX-License-Identifier: BSD-2-Clause
"""tools/run.py and tools/emu.py: which emulator and firmware `make run` takes."""

import os
import pathlib
import sys
import unittest
from unittest import mock

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent.parent / "tools"))
import emu  # noqa: E402
import mkiso  # noqa: E402
import run  # noqa: E402

HERE = pathlib.Path("/nonexistent")


class RunTest(unittest.TestCase):
    def start(self, nested, **env):
        """The emulator's command line for a machine that offers nested VMX, or why not."""
        with mock.patch.dict(os.environ, env), \
                mock.patch.object(emu, "nested_kvm", lambda: nested), \
                mock.patch.object(emu, "bochs_info", lambda _: ("2.7", True)), \
                mock.patch.object(emu, "bochs_command", lambda _: ["bochs"]), \
                mock.patch.object(emu, "OVMF", pathlib.Path(__file__)), \
                mock.patch.object(emu, "Emulator", lambda cmd, _: cmd), \
                mock.patch.object(run, "say", lambda _: None):
            for name in ("UEFI", "BOCHS", "MEMORY", "CPUS", "VNC"):
                if name not in env:
                    os.environ.pop(name, None)
            return " ".join(run.start(HERE, "/dev/pts/9", run.choose())[0])

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
        for kind in ("linux", "multiboot", "multiboot2"):
            with mock.patch.dict(os.environ, BARE="1"), \
                    mock.patch.object(mkiso, "guest_files", lambda kind=kind: (kind, [])), \
                    mock.patch.object(mkiso, "make_iso", lambda _, boot: boot):
                boot = run.build_image(HERE)
            self.assertEqual((boot.hv, boot.kind), (None, kind))

    def test_run_refuses_before_it_builds(self):
        """Neither the directory of a run nor the image: the old ones are still there."""
        for env, word in (({"UEFI": "1"}, "UEFI=1 needs"), ({"KERNEL": "/nonexistent"}, "no such file"),
                          ({"INITRD": "/nonexistent"}, "no such file"), ({"APPEND": "'"}, "APPEND")):
            env = {"UEFI": "", "KERNEL": "", "INITRD": "", "APPEND": "", "RUN_DIR": "/proc/x", **env}
            with mock.patch.dict(os.environ, env), mock.patch.object(sys, "argv", ["run.py"]), \
                    mock.patch.object(mkiso, "LINUX", pathlib.Path(__file__)), \
                    mock.patch.object(emu, "nested_kvm", lambda: "no VMX"), \
                    self.assertRaises(SystemExit) as why:
                run.main()
            self.assertIn(word, str(why.exception))

    def test_run_uefi_without_ovmf(self):
        with mock.patch.object(emu, "OVMF", HERE), mock.patch.dict(os.environ, UEFI="1"), \
                self.assertRaises(SystemExit) as why:
            run.firmware("")
        self.assertIn("package ovmf", str(why.exception))


if __name__ == "__main__":
    unittest.main()
