#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Build a bootable ISO with grub-mkrescue.

    tools/mkiso.py OUTPUT       the image of `make iso`; KERNEL, INITRD, APPEND and HV from the
                                environment replace the default Linux guest

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

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"
HV_ELF = BUILD / "kensho.elf"
LINUX = BUILD / "cache/linux/vmlinuz"
INITRD = BUILD / "initrd"
# The last console= is /dev/console: the shell is on the serial line.
APPEND = "console=tty0 console=ttyS0,115200"
# Modules that both platforms have; what reads the medium is in grub-mkrescue's core image.
# The partition modules are those that grub-mkrescue's UEFI image asks for.
GRUB_MODULES = "multiboot2 multiboot linux normal iso9660 fat test echo iorw serial terminal " \
               "all_video halt reboot " + " ".join(f"part_{name}" for name in (
                   "msdos gpt acorn amiga apple bsd dfly dvh plan sun sunpc").split())
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
    multiboot 1 guest."""
    hv: str | None = ""
    elf: pathlib.Path = HV_ELF
    modules: list[Module] = dataclasses.field(default_factory=list)
    files: dict[str, pathlib.Path] = dataclasses.field(default_factory=dict)
    before: str = ""    # GRUB commands run before the boot


def quote(text):
    """A command line for grub.cfg: the words that need it in single quotes."""
    def word(w):
        if all(c.isalnum() or c in "-_=,.:/+@%" for c in w):
            return w
        return "'" + w.replace("'", "'\\''") + "'"
    return " ".join(word(w) for w in text.split())


def menu_entry(boot):
    lines = boot.before.splitlines()
    mods = boot.modules
    if boot.hv is None and mods[0].name == "guest":
        lines.append(f"multiboot /boot/guest {quote(mods[0].string)}")
    elif boot.hv is None:
        lines.append(f"linux /boot/{mods[0].name} {quote(mods[0].string)}")
        lines += [f"initrd /boot/{m.name}" for m in mods[1:]]
    else:
        lines.append(f"multiboot2 /boot/kensho.elf {quote(boot.hv)}")
        lines += [f"module2 /boot/{m.name} {quote(m.string)}" for m in mods]
    return "\n".join("\t" + line.rstrip() for line in lines)


def grub_cfg(boot):
    text = (ROOT / "iso/grub.cfg.in").read_text()
    return text.replace("@SERIAL@\n", "").replace("@ENTRY@", menu_entry(boot))


def make_iso(out, boot):
    """Write the ISO. Raises RuntimeError with grub-mkrescue's words when that fails."""
    out = pathlib.Path(out)
    for platform, package in PLATFORMS.items():
        if not (GRUB_DIR / platform / "modinfo.sh").exists():
            raise RuntimeError(f"GRUB for {platform} is missing: install the package {package}")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent) as tmp:
        tree = pathlib.Path(tmp)
        (tree / "boot/grub").mkdir(parents=True)
        (tree / "boot/grub/grub.cfg").write_text(grub_cfg(boot))
        if boot.hv is not None:
            shutil.copy(boot.elf, tree / "boot/kensho.elf")
        for module in boot.modules:
            shutil.copy(module.path, tree / "boot" / module.name)
        for name, path in boot.files.items():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            os.link(path, tree / name)
        image = tree.with_name(tree.name + ".iso")
        cmd = ["grub-mkrescue", "-o", str(image), "--themes=", "--fonts=", "--locales=",
               f"--install-modules={GRUB_MODULES}", "--compress=no"]
        done = subprocess.run(cmd + [str(tree)], stdin=subprocess.DEVNULL, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode or not image.exists():
            image.unlink(missing_ok=True)
            raise RuntimeError("grub-mkrescue failed:\n" + done.stdout)
        image.rename(out)
    return out


def data_file():
    """A 33 MiB file of reproducible noise for the guest to read, and its SHA-256."""
    path = BUILD / "cache/random.bin"
    size = 33 << 20
    if not path.exists() or path.stat().st_size != size:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(hashlib.shake_256(b"kensho").digest(size))
    return path, hashlib.sha256(path.read_bytes()).hexdigest()


def mkinitrd():
    subprocess.run([sys.executable, str(ROOT / "tools/mkinitrd.py"), str(INITRD)], check=True)
    return INITRD


def check_file(path, what):
    if not pathlib.Path(path).is_file():
        sys.exit(f"{what}={path}: there is no such file")
    return pathlib.Path(path)


def default_guest(env=os.environ):
    """The modules `make run` and `make iso` boot: Debian's kernel unless the user names one."""
    append = env.get("APPEND") or APPEND
    kernel, initrd = env.get("KERNEL"), env.get("INITRD")
    mods = [Module(check_file(kernel, "KERNEL") if kernel else LINUX, "kernel", append)]
    if initrd:
        mods.append(Module(check_file(initrd, "INITRD"), "initrd"))
    elif not kernel:
        mods.append(Module(mkinitrd(), "initrd"))
    return mods


def main():
    out = sys.argv[1] if len(sys.argv) > 1 else BUILD / "kensho.iso"
    try:
        make_iso(out, Boot(hv=os.environ.get("HV", ""), modules=default_guest()))
    except RuntimeError as err:
        sys.exit(str(err))
    print(f"{out}: write it to a USB stick with dd, or boot it in a virtual machine")


if __name__ == "__main__":
    main()
