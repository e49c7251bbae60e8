# SPDX-License-Identifier: BSD-2-Clause
"""The user's own guest, checked before an image is built of it: kernel, initrd, command lines.

Whatever is wrong ends the tool with one line: what it is, what is accepted. Kensho checks all of
this again when it loads the guest; here it costs no reboot.
"""

import functools
import os
import pathlib
import re
import struct
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
CMDLINE_MAX = 2047              # BOOT_CMDLINE_MAX of boot/load/boot_info.h, without the zero
FILES_MAX = 2 << 30             # GRUB and Kensho need them below 4 GiB, beside all else there
HEAD_BYTES = 0x9000             # what the checks look at
MULTIBOOT_SEARCH = 8192

# Setup header of a bzImage: Documentation/arch/x86/boot.rst of Linux.
HDR_SETUP_SECTS, HDR_SYSSIZE, HDR_BOOT_FLAG, HDR_MAGIC = 0x1F1, 0x1F4, 0x1FE, 0x202
HDR_VERSION, HDR_XLOADFLAGS, HDR_CMDLINE_SIZE, HDR_END = 0x206, 0x236, 0x238, 0x268
XLF_KERNEL_64 = 1

# What Linux accepts as an initramfs: an archive, plain or compressed (boot/load/roles.c).
ARCHIVES = ((b"070701", "cpio archive"), (b"070702", "cpio archive"), (b"\x1f\x8b", "gzip file"),
            (b"\xfd7zXZ\0", "xz file"), (b"\x28\xb5\x2f\xfd", "zstd file"),
            (b"\x02\x21\x4c\x18", "lz4 file"), (b"BZh", "bzip2 file"),
            (b"\x89LZO\0\r\n\x1a\n", "lzop file"), (b"\x5d\0\0", "lzma file"))
OTHERS = ((0, b"QFI\xfb", "a qcow2 disk image"), (0, b"!<arch>\n", "a Debian package or a library "
                                                   "(ar): unpack it, the kernel is boot/vmlinuz-*"),
          (0, b"\xed\xab\xee\xdb", "an RPM package: unpack it, the kernel is inside"),
          (0x8001, b"CD001", "an ISO image: take the kernel out of it"),
          (56, b"ARM\x64", "a Linux kernel for 64-bit ARM"),
          (0, b"#!", "a script"))
MACHINES = {3: "x86", 62: "x86-64", 40: "ARM", 183: "64-bit ARM", 243: "RISC-V"}
ACCEPTED = "accepted are an x86-64 Linux bzImage (Linux 3.8 or later) and multiboot images"


def u16(data, at):
    return struct.unpack_from("<H", data, at)[0]


def u32(data, at):
    return struct.unpack_from("<I", data, at)[0]


def multiboot_version(head):
    """2, 1, or 0. Kensho takes multiboot 2 when an image has both headers, too."""
    for at in range(0, min(len(head), 4 * MULTIBOOT_SEARCH) - 15, 8):
        magic, arch, length, check = struct.unpack_from("<4I", head, at)
        if magic == 0xE85250D6 and (magic + arch + length + check) & 0xFFFFFFFF == 0:
            return 2
    for at in range(0, min(len(head), MULTIBOOT_SEARCH) - 11, 4):
        magic, flags, check = struct.unpack_from("<3I", head, at)
        if magic == 0x1BADB002 and (magic + flags + check) & 0xFFFFFFFF == 0:
            return 1
    return 0


def is_bzimage(head):
    return len(head) >= HDR_VERSION + 2 and u16(head, HDR_BOOT_FLAG) == 0xAA55 and \
        head[HDR_MAGIC:HDR_MAGIC + 4] == b"HdrS"


def archive(head):
    return next((name for magic, name in ARCHIVES if head.startswith(magic)), "")


def what_is(head):
    """A file that is neither kernel nor initrd, in words."""
    if not head:
        return "an empty file"
    if head.startswith(b"\x7fELF") and len(head) >= 20:
        return f"an ELF file for {MACHINES.get(u16(head, 18), 'another machine')}"
    for at, magic, name in OTHERS:
        if head[at:at + len(magic)] == magic:
            return name
    if head.startswith(b"MZ"):
        return "an EFI or Windows program"
    if len(head) >= 512 and head[510:512] == b"\x55\xaa":
        return "a boot sector or a disk image"
    if all(byte in b"\t\n\r" or 32 <= byte < 127 for byte in head[:512]):
        return "a text file"
    return f"nothing known: it begins with {head[:8].hex(' ')}"


def readable(path, name):
    """The first bytes and the length of a regular file."""
    path = pathlib.Path(path)
    if path.is_dir():
        sys.exit(f"{name}={path}: that is a directory; name the file in it")
    if not path.exists():
        sys.exit(f"{name}={path}: there is no such file")
    if not path.is_file():
        sys.exit(f"{name}={path}: that is a device, not a file")
    try:
        with open(path, "rb") as file:
            return file.read(HEAD_BYTES), os.fstat(file.fileno()).st_size
    except OSError as err:
        sys.exit(f"{name}={path}: cannot be read ({err.strerror}): "
                 "run as a user who may, or chmod a+r it")


def check_bzimage(path, head, size):
    version = u16(head, HDR_VERSION)
    if len(head) < HDR_END:
        sys.exit(f"KERNEL={path}: a truncated kernel: {size} bytes are not even its header; "
                 "copy it again")
    if version < 0x020C or not u16(head, HDR_XLOADFLAGS) & XLF_KERNEL_64:
        sys.exit(f"KERNEL={path}: a Linux kernel without a 64-bit entry (boot protocol "
                 f"{version >> 8}.{version & 255:02}); {ACCEPTED}")
    want = ((head[HDR_SETUP_SECTS] or 4) + 1) * 512 + u32(head, HDR_SYSSIZE) * 16
    if size <= want - 16:        # syssize counts paragraphs: the file may end in the last one
        sys.exit(f"KERNEL={path}: a truncated kernel: {size} bytes of {want}; copy it again")


def check_kernel(path, append):
    """"linux", "multiboot" or "multiboot2": how a boot loader starts it without Kensho."""
    head, size = readable(path, "KERNEL")
    if size > FILES_MAX:
        sys.exit(f"KERNEL={path}: too large: {size >> 20} MiB, at most {FILES_MAX >> 20} MiB "
                 "can be loaded below 4 GiB")
    if is_bzimage(head):
        check_bzimage(path, head, size)
        room = u32(head, HDR_CMDLINE_SIZE)
        if len(append) > room:
            sys.exit(f"APPEND: {len(append)} characters, this kernel takes {room}; shorten it")
        return "linux"
    version = multiboot_version(head)
    if archive(head):
        sys.exit(f"KERNEL={path}: no kernel but a {archive(head)}: an initrd? That is INITRD=")
    if not version:
        hint = ", and no multiboot header in its first 8 KiB, nor one of multiboot 2 in its first " \
            "32 KiB (of a Linux kernel take arch/x86/boot/bzImage, not vmlinux)" if head.startswith(b"\x7fELF") else ""
        sys.exit(f"KERNEL={path}: no kernel but {what_is(head)}{hint}; {ACCEPTED}")
    return "multiboot2" if version == 2 else "multiboot"


def check_initrd(path, kernel_bytes=0, kind="linux"):
    """kind: of the kernel. A multiboot guest takes any file as a module."""
    head, size = readable(path, "INITRD")
    if size + kernel_bytes > FILES_MAX:
        sys.exit(f"INITRD={path}: too large: {size >> 20} MiB, with the kernel at most "
                 f"{FILES_MAX >> 20} MiB can be loaded below 4 GiB")
    if kind != "linux":
        return
    if is_bzimage(head):
        sys.exit(f"INITRD={path}: a Linux kernel: that is KERNEL=")
    if not archive(head):
        sys.exit(f"INITRD={path}: no initrd but {what_is(head)}; accepted are cpio archives, "
                 "plain or compressed (gzip, xz, zstd, lz4, bzip2, lzop, lzma)")


def check_line(text, name):
    """A command line that comes out of GRUB as it went in."""
    for at, char in enumerate(text, 1):
        if not " " <= char <= "~":
            sys.exit(f"{name}: character {char!r} at position {at}: only printable ASCII is "
                     "possible in a command line (no tabs, no new lines)")
        if char in "\\'":
            sys.exit(f"{name}: character {char} at position {at}: GRUB changes backslashes and "
                     'single quotes; use double quotes, as in dyndbg="file x.c +p"')
    if text.count('"') % 2:
        sys.exit(f'{name}: a double quote (") has no second one')
    if len(text) > CMDLINE_MAX:
        sys.exit(f"{name}: {len(text)} characters, at most {CMDLINE_MAX} are possible")


@functools.lru_cache(None)
def options_tool():
    """Kensho's own parser, built for this machine: a second the first time."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    made = subprocess.run(["make", "-s", f"-j{os.cpu_count()}", "build/options"], cwd=ROOT, env=env,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if made.returncode:
        sys.exit(f"build/options cannot be built, which checks HV=:\n{made.stdout}")
    return ROOT / "build/options"


def check_options(text):
    """Ends the tool when Kensho would not boot with these options: a wrong one, or help."""
    check_line(text, "HV")
    done = subprocess.run([options_tool(), "--check", text], text=True, stderr=subprocess.PIPE)
    if done.returncode == 3:
        sys.exit("HV asks for help: nothing was started")
    if done.returncode:
        sys.exit(f"HV: {done.stderr.strip() or 'the parser ended with ' + str(done.returncode)}")
