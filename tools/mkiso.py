#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Build a bootable ISO with grub-mkrescue.

    tools/mkiso.py --check      could it be built of them? Writes nothing
    tools/mkiso.py [OUTPUT]     the image of `make iso`, with a menu; KERNEL, INITRD, APPEND and HV
                                from the environment replace the default Linux guest

Other tools import make_iso(). The image is a hybrid: CD and USB stick, BIOS (GRUB's i386-pc) and
64-bit UEFI (x86_64-efi).
"""

import dataclasses
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import cli
import grubcfg
import guestfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"
HV_ELF = BUILD / "kensho.elf"
LINUX = BUILD / "cache/linux/vmlinuz"
INITRD = BUILD / "initrd"
# The last console= is /dev/console: the shell is on the serial line.
APPEND = "console=tty0 console=ttyS0,115200"
# Modules of one platform, and what they need.
GRUB_OWN_MODULES = {"i386-pc": ["drivemap", "linux16"], "x86_64-efi": ["efifwsetup"]}
# Modules that both platforms have; what reads the medium is in grub-mkrescue's core image.
# The partition modules are those that grub-mkrescue's UEFI image asks for.
GRUB_MODULES = ("multiboot2 multiboot linux normal iso9660 fat test echo iorw serial terminal "
                "all_video halt reboot sleep ls cat lsmmap videoinfo rdmsr wrmsr cpuid "
                "regexp acpi mmap memrw "
                "part_msdos part_gpt part_acorn part_amiga part_apple part_bsd part_dfly part_dvh "
                "part_plan part_sun part_sunpc")
GRUB_DIR = pathlib.Path("/usr/lib/grub")
PLATFORMS = {"i386-pc": "grub-pc-bin", "x86_64-efi": "grub-efi-amd64-bin"}  # and its package


@dataclasses.dataclass
class Module:
    """A multiboot2 module: a host file, its name on the ISO, its command line."""
    path: pathlib.Path
    name: str
    string: str = ""


@dataclasses.dataclass
class Boot:
    """What GRUB loads. hv=None boots `modules` directly, without Kensho: kernel and initrd, or a
    multiboot guest and its modules."""
    hv: str | None = ""
    elf: pathlib.Path = HV_ELF
    modules: list[Module] = dataclasses.field(default_factory=list)
    files: dict[str, pathlib.Path] = dataclasses.field(default_factory=dict)
    before: str = ""    # GRUB commands run before the boot
    after: str = ""     # and when all is loaded
    kind: str = ""      # for hv=None: linux, multiboot or multiboot2; "": guest2 is multiboot2 by
                        # its name, guest is multiboot, all others are Linux
    gfxpayload: str = ""    # the mode of the screen; "": text on BIOS, the firmware's on UEFI


def add_modules(tree):
    """The modules that grub-mkrescue would look for on both platforms."""
    for platform, names in GRUB_OWN_MODULES.items():
        (tree / "boot/grub" / platform).mkdir(parents=True)
        for name in names:
            shutil.copy(GRUB_DIR / platform / f"{name}.mod", tree / "boot/grub" / platform)


def without_debug(elf, out):
    """A copy that loads fast: GRUB reads every section, and writes most of them byte by byte."""
    done = subprocess.run(["objcopy", "--strip-debug", str(elf), str(out)], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        raise RuntimeError(f"{elf}: {done.stdout.strip() or 'objcopy failed'}")


def make_iso(out, boot, cfg=None):
    """Write the ISO; cfg: GRUB's configuration, without it `boot` starts at once. Raises
    RuntimeError with grub-mkrescue's words when that fails."""
    out = pathlib.Path(out)
    for platform, package in PLATFORMS.items():
        if not (GRUB_DIR / platform / "modinfo.sh").exists():
            raise RuntimeError(f"GRUB for {platform} is missing: install the package {package}")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent) as tmp:
        tree = pathlib.Path(tmp) / "tree"
        (tree / "boot/grub").mkdir(parents=True)
        (tree / "boot/grub/grub.cfg").write_text(grubcfg.direct(boot) if cfg is None else cfg)
        add_modules(tree)
        if boot.hv is not None:
            without_debug(boot.elf, tree / "boot/kensho.elf")
        for module in boot.modules:
            shutil.copy(module.path, tree / "boot" / module.name)
        for name, path in boot.files.items():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            os.link(path, tree / name)
        image = pathlib.Path(tmp) / "image"
        cmd = ["grub-mkrescue", "-o", str(image), "--themes=", "--fonts=", "--locales=",
               f"--install-modules={GRUB_MODULES}", "--compress=no"]
        env = dict(os.environ, TMPDIR=tmp, TZ="UTC")     # FAT has local time
        if "SOURCE_DATE_EPOCH" in env:
            cmd.append(f"--xorriso={ROOT}/tools/xorriso.py")
        done = subprocess.run(cmd + [str(tree)], stdin=subprocess.DEVNULL, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=env)
        if done.returncode or not image.exists():
            raise RuntimeError("grub-mkrescue failed:\n" + done.stdout)
        image.rename(out)
    return out


def data_file():
    """A 5 MiB file of reproducible noise for the guest to read, and its SHA-256."""
    path = BUILD / "cache/random.bin"
    size = 5 << 20
    if not path.exists() or path.stat().st_size != size:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(hashlib.shake_256(b"kensho").digest(size))
    return path, hashlib.sha256(path.read_bytes()).hexdigest()


def cached(path):
    """A file that tools/setup.sh puts into build/cache."""
    found = BUILD / "cache" / path
    if not found.exists():
        raise RuntimeError(f"{found} is missing: run tools/setup.sh test (or nightly)")
    return found


def mkinitrd():
    subprocess.run([sys.executable, str(ROOT / "tools/mkinitrd.py"), str(INITRD)], check=True)
    return INITRD


def check_guest(env=os.environ):
    """How GRUB loads the guest without Kensho. Ends the tool when the user's files cannot be a
    guest; makes nothing."""
    kernel, initrd, append = (env.get(name, "") for name in ("KERNEL", "INITRD", "APPEND"))
    guestfile.check_line(append, "APPEND")
    kind = guestfile.check_kernel(kernel, append) if kernel else "linux"
    if initrd:
        ours = pathlib.Path(kernel or LINUX)        # Debian's is not there before the first run
        guestfile.check_initrd(initrd, ours.stat().st_size if ours.exists() else 0, kind)
    return kind


def guest_files(env=os.environ):
    """check_guest(), and the guest's modules: Debian's kernel unless the user names one."""
    kernel, initrd, append = (env.get(name, "") for name in ("KERNEL", "INITRD", "APPEND"))
    kind = check_guest(env)
    mods = [Module(pathlib.Path(kernel) if kernel else LINUX, "kernel",
                   append or (APPEND if kind == "linux" else ""))]
    if initrd:
        mods.append(Module(pathlib.Path(initrd), "initrd"))
    elif not kernel:
        mods.append(Module(mkinitrd(), "initrd"))
    return kind, mods


def guest_name(env):
    """The guest in the grubcfg."""
    if not env.get("KERNEL"):
        return "Debian's Linux 6.1"
    name = pathlib.Path(env["KERNEL"]).name[:40]
    return "".join(c if c.isalnum() or c in "-_.+" else "_" for c in name)


def main():
    only_check = sys.argv[1:] == ["--check"]
    out = BUILD / "kensho.iso" if only_check else \
        next(iter(cli.arguments(sys.argv, __doc__, 0, 1)), BUILD / "kensho.iso")
    hv = os.environ.get("HV", "")
    guestfile.check_options(hv)
    if only_check:
        check_guest()
        return
    kind, mods = guest_files()
    guest = grubcfg.Guest(guest_name(os.environ), kind, mods[0].string, len(mods) > 1)
    try:
        make_iso(out, Boot(hv=hv, modules=mods), grubcfg.menu(guest, hv))
    except RuntimeError as err:
        sys.exit(str(err))
    print(f"{out}: {pathlib.Path(out).stat().st_size >> 20} MiB, starts from CD and USB stick, BIOS "
          "and UEFI\n"
          "  write it to a USB stick: make usb (lists the sticks)\n"
          f"  try it: qemu-system-x86_64 -enable-kvm -cpu host,+vmx -m 2G -cdrom {out} "
          "-serial mon:stdio \\\n"
          "      -serial telnet:localhost:4555,server,nowait       (COM2: telnet localhost 4555)")


if __name__ == "__main__":
    cli.run(main)
