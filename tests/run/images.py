# SPDX-License-Identifier: BSD-2-Clause
"""Guest images for the rows of suites/*.cfg, the broken ones among them.

image(NAME, directory, append) returns the multiboot2 modules. Names:

    linux                Debian's kernel and our initrd
    linux:VARIANT        the same, damaged by one of VARIANTS; big-initrd: BIG_INITRD bytes
    linux-load           the same with load.c, clocks.c and ptp_kvm.ko in the initrd
    linux-load-6.12      the same initrd, without modules that fit, and Debian's kernel 6.12
    linux-load-kexec     linux-load and linux-guest in one initrd
    linux-efi            the same with efivarfs.ko in the initrd
    linux-kexec          the same with Debian's kexec and what it is linked with in the initrd
    linux-guest          linux-kexec, and the program of tests/guest for kexec as guest.elf
    linux-full           Debian's kernel for real machines, with the same initrd
    memtest              Debian's memtest86+ for PCs of 64 bits
    xen                  Debian's Xen; xen:dom0: and Debian's kernel with our initrd as its dom0
    guest:PROGRAM        build/guest/PROGRAM.elf
    guest64:PROGRAM      the same in an ELF64
    abi-test             build/abi-test.elf
    elf:VARIANT          a tiny multiboot ELF32 with a fault in its program headers
    mb2:VARIANT          a tiny multiboot 2 image with a fault in its header
    junk                 a file that is no kernel at all
    none                 no module
    many:N               N modules
    demo                 the demonstration guest's own file
"""

import gzip
import re
import struct
import subprocess
import sys
import zlib

import results

sys.path.insert(0, str(results.ROOT / "tools"))
import mkinitrd  # noqa: E402
import mkiso  # noqa: E402

# Setup-header fields of a bzImage: Documentation/x86/boot.rst of the kernel.
HDR_SETUP_SECTS, HDR_SYSSIZE, HDR_MAGIC, HDR_VERSION = 0x1F1, 0x1F4, 0x202, 0x206
HDR_XLOADFLAGS, HDR_INIT_SIZE = 0x236, 0x260

BIG_INITRD = 40 << 20


def poke(data, offset, fmt, value):
    struct.pack_into(fmt, data, offset, value)


def fix_crc(data):
    """The CRC-32 over what the header calls the image is 0: its last four bytes make it so. The
    signature that follows it, and what PE says of it, go."""
    setup, = struct.unpack_from("<B", data, HDR_SETUP_SECTS)
    paragraphs, = struct.unpack_from("<I", data, HDR_SYSSIZE)
    end = (setup + 1) * 512 + paragraphs * 16
    pe, = struct.unpack_from("<I", data, 0x3C)
    struct.pack_into("<I", data, pe + 88, 0)        # checksum
    struct.pack_into("<Q", data, pe + 168, 0)       # certificate table
    del data[end:]
    struct.pack_into("<I", data, end - 4, zlib.crc32(data[:end - 4]) ^ 0xFFFFFFFF)


def corrupt(data):
    data[len(data) // 2] ^= 1


def truncated(data):
    del data[len(data) // 2:]


def short(data):
    del data[0x230:]


def old_protocol(data):
    poke(data, HDR_VERSION, "<H", 0x0205)


def no_64bit_entry(data):
    poke(data, HDR_XLOADFLAGS, "<H", 0)


def no_setup_end(data):
    poke(data, HDR_SETUP_SECTS, "<B", 255)
    del data[0x8000:]


def huge_init_size(data):
    poke(data, HDR_INIT_SIZE, "<I", 0x7FFF0000)
    fix_crc(data)


def bad_magic(data):
    poke(data, HDR_MAGIC, "<4s", b"HdrX")


VARIANTS = {f.__name__.replace("_", "-"): f for f in (
    corrupt, truncated, short, old_protocol, no_64bit_entry, no_setup_end, huge_init_size,
    bad_magic)}


def elf32(segments, entry=0x400000, phnum=None, phoff=52):
    """A multiboot 1 ELF32; segments: (paddr, filesz, memsz, file offset or None)."""
    body = 0x1000
    headers, data = b"", b""
    for paddr, filesz, memsz, offset in segments:
        at = body + len(data) if offset is None else offset
        headers += struct.pack("<8I", 1, at, paddr, paddr, filesz, memsz, 7, 0x1000)
        data += b"\xf4" * (filesz if offset is None else 0)
    ident = b"\x7fELF\1\1\1" + bytes(9)
    header = ident + struct.pack("<2H5I6H", 2, 3, 1, entry, phoff, 0, 0, 52, 32,
                                 len(segments) if phnum is None else phnum, 0, 0, 0)
    multiboot = struct.pack("<3I", 0x1BADB002, 3, -(0x1BADB002 + 3) & 0xFFFFFFFF)
    return ((header + headers).ljust(0x800, b"\0") + multiboot).ljust(body, b"\0") + data


ELFS = {
    "overlap": elf32([(0x400000, 0x1000, 0x1000, None), (0x400800, 0x1000, 0x1000, None)]),
    "out-of-range": elf32([(0xF0000000, 0x1000, 0x1000, None)], entry=0xF0000000),
    "past-file": elf32([(0x400000, 0x1000, 0x1000, 0x10000000)]),
    "filesz-above-memsz": elf32([(0x400000, 0x1000, 0x800, None)]),
    "wraps": elf32([(0xFFFFF000, 0x1000, 0x2000, None)], entry=0xFFFFF000),
    "too-large": elf32([(0x400000, 0x1000, 0x70000000, None)]),
    "low-memory": elf32([(0x0, 0x1000, 0x1000, None)], entry=0),
    "entry-outside": elf32([(0x400000, 0x1000, 0x1000, None)], entry=0x900000),
    "no-segments": elf32([], phnum=0),
    "headers-outside": elf32([(0x400000, 0x1000, 0x1000, None)], phoff=0x7FFFFFF0),
}


def mb2(*tags, arch=0, end=True):
    """A multiboot 2 image without a container; tags: (type, flags, words...)."""
    body = b""
    for kind, flags, *words in (*tags, *([(0, 0)] if end else [])):
        body = body.ljust(-(-len(body) // 8) * 8, b"\0")
        body += struct.pack(f"<HHI{len(words)}I", kind, flags, 8 + 4 * len(words), *words)
    size = 16 + len(body)
    header = struct.pack("<4I", 0xE85250D6, arch, size, -(0xE85250D6 + arch + size) & 0xFFFFFFFF)
    return (header + body).ljust(0x1000, b"\xf4")


ADDRESS, ENTRY = (2, 0, 0x400000, 0x400000, 0, 0), (3, 0, 0x400800)
MB2S = {
    "unknown-tag": mb2(ADDRESS, ENTRY, (99, 0)),
    "vbe": mb2((1, 0, 6, 7), ADDRESS, ENTRY),
    "unknown-request": mb2((1, 0, 6, 1000), ADDRESS, ENTRY),
    "no-place": mb2(ADDRESS, ENTRY, (10, 0, 0xC0000000, 0xD0000000, 4096, 1)),
    "no-entry": mb2(ADDRESS),
    "entry-outside": mb2(ADDRESS, (3, 0, 0x500000)),
    "no-end": mb2(ADDRESS, ENTRY, end=False),
    "short-tag": mb2((2, 0, 0x400000), ENTRY),
    "out-of-range": mb2((2, 0, 0xF0000000, 0xF0000000, 0, 0), (3, 0, 0xF0000800)),
    "neither": mb2(),
    "mips": mb2(ADDRESS, ENTRY, arch=4),
    "framebuffer-only": mb2((4, 0, 1), (5, 0, 1024, 768, 32), ADDRESS, ENTRY),
}


def write(directory, name, data):
    path = directory / name
    path.write_bytes(data)
    return path


def linux(variant, directory, append):
    kernel, initrd = mkiso.LINUX, mkiso.mkinitrd()
    if variant == "big-initrd":
        initrd = write(directory, "initrd.img", initrd.read_bytes().ljust(BIG_INITRD, b"\0"))
    elif variant:
        data = bytearray(mkiso.LINUX.read_bytes())
        VARIANTS[variant](data)
        kernel = write(directory, "kernel.img", data)
    return [mkiso.Module(kernel, "kernel", append),
            mkiso.Module(initrd, "initrd")]


def kexec_files(directory):
    """{name in the initrd: host file}: Debian's kexec, unpacked and never installed; the host's C
    library; xenctrl.S in the place of nine packages of Xen that it would need otherwise; sci.S and
    msr.ko."""
    kexec = mkiso.BUILD / "cache/kexec/sbin/kexec"
    if not kexec.exists():
        raise RuntimeError(f"{kexec} is missing: run tools/setup.sh test")
    xenctrl, version = directory / "libxenctrl.so.4.17", directory / "xenctrl.map"
    version.write_text("VERS_4.17.0 { *; };\n")
    subprocess.run(["gcc", "-shared", "-nostdlib", f"-Wl,-soname,{xenctrl.name}",
                    f"-Wl,--version-script={version},-z,noexecstack,--build-id=none", "-s",
                    "tests/linux/xenctrl.S", "-o", str(xenctrl)], cwd=results.ROOT, check=True)
    out = {"bin/kexec": kexec, "lib/libxenctrl.so.4.17": xenctrl}
    libs = subprocess.run(["ldd", "/bin/sh"], stdout=subprocess.PIPE, text=True, check=True).stdout
    for path in re.findall(r"(/\S*/(?:libc\.so\.6|ld-linux-x86-64\.so\.2)) ", libs):
        name = path.rpartition("/")[2]
        out[("lib64/" if name.startswith("ld-") else "lib/") + name] = path
    return out | {"bin/sci": program(directory, "sci")} | module("msr")


def guest_files(directory):
    """kexec, and the tests of tests/guest as what it starts."""
    return kexec_files(directory) | {"guest.elf": results.ROOT / "build/guest/suite.elf"}


def program(directory, name):
    """tests/linux/NAME.S, built."""
    path = directory / name
    subprocess.run(["gcc", "-static", "-nostdlib", "-Wl,--build-id=none,-z,noexecstack", "-s",
                    f"tests/linux/{name}.S", "-o", str(path)], cwd=results.ROOT, check=True)
    return path


def linux_extra(kernel, directory, append, extra):
    """extra: as for mkinitrd.build()"""
    initrd = write(directory, "initrd", mkinitrd.build(extra))
    return [mkiso.Module(kernel, "kernel", append), mkiso.Module(initrd, "initrd")]


def module(name):
    return {f"modules/{name}.ko": next(mkinitrd.LINUX.rglob(f"{name}.ko"))}


C_PROGRAM = ("gcc", "-std=gnu17", "-O2", "-Wall", "-Wextra", "-Werror", "-ffreestanding",
             "-fno-stack-protector", "-fcf-protection=none", "-fno-pic", "-no-pie", "-static",
             "-nostdlib", "-Wl,--build-id=none,-z,noexecstack", "-s", "-I.")


def load_files(directory):
    """{name in the initrd: host file}"""
    out = module("ptp_kvm")
    for name in ("load", "clocks"):
        out[f"bin/{name}"] = directory / name
        subprocess.run([*C_PROGRAM, f"tests/linux/{name}.c", "tests/linux/threads.c",
                        "tests/linux/sys_start.S", "-o", str(directory / name)],
                       cwd=results.ROOT, check=True)
    return out


LINUX_EXTRAS = {
    "linux-load": load_files,
    "linux-load-6.12": load_files,
    "linux-load-kexec": lambda directory: load_files(directory) | guest_files(directory),
    "linux-kexec": kexec_files,
    "linux-guest": guest_files,
    "linux-efi": lambda directory: module("efivarfs"),
    "linux-vectors": lambda directory: {"bin/vectors": program(directory, "vectors")},
}


def linux_full(directory, append):
    return [mkiso.Module(mkiso.cached("linux-full/vmlinuz"), "kernel", append),
            mkiso.Module(mkiso.mkinitrd(), "initrd")]


def xen(dom0, directory, append):
    xen_elf = write(directory, "xen", gzip.decompress(
        mkiso.cached("xen/boot/xen-4.17-amd64.gz").read_bytes()))
    modules = [mkiso.Module(xen_elf, "xen", f"kernel: {append}")]
    if dom0:
        modules += [mkiso.Module(mkiso.cached("linux-full/vmlinuz"), "dom0",
                                 "earlyprintk=xen console=hvc0 kensho.test=quick"),
                    mkiso.Module(mkiso.mkinitrd(), "initrd")]
    return modules


# Linux would test its ciphers for half of its boot.
LINUX_APPEND = "cryptomgr.notests"


def image(name, directory, append):
    kind, _, arg = name.partition(":")
    if kind.startswith("linux"):
        append = f"{append} {LINUX_APPEND}"
    if kind == "linux":
        return linux(arg, directory, append)
    if kind == "linux-full":
        return linux_full(directory, append)
    if kind == "memtest":
        return [mkiso.Module(mkiso.cached("memtest/boot/memtest86+x64.bin"), "memtest", append)]
    if kind == "xen":
        return xen(arg == "dom0", directory, append)
    if kind in LINUX_EXTRAS:
        kernel = mkiso.cached("linux-6.12/vmlinuz") if kind.endswith("-6.12") else mkiso.LINUX
        return linux_extra(kernel, directory, append, LINUX_EXTRAS[kind](directory))
    if kind == "guest":
        return [mkiso.Module(results.ROOT / f"build/guest/{arg}.elf", "guest", append)]
    if kind == "abi-test":
        return [mkiso.Module(results.ROOT / "build/abi-test.elf", "guest", append)]
    if kind == "guest64":
        return [mkiso.Module(results.ROOT / f"build/guest/{arg}.elf64", "guest", append)]
    if kind == "elf":
        return [mkiso.Module(write(directory, "guest.elf", ELFS[arg]), "guest", append)]
    if kind == "mb2":
        return [mkiso.Module(write(directory, "guest.mb2", MB2S[arg]), "guest", append)]
    if kind == "junk":
        return [mkiso.Module(write(directory, "junk", b"no kernel here\n" * 100), "junk", append)]
    if kind == "demo":
        return [mkiso.Module(results.ROOT / "build/demo.elf", "guest2", append)]
    if kind == "none":
        return []
    if kind == "many":
        program = results.ROOT / "build/guest/suite.elf"
        return [mkiso.Module(program, f"guest{i}", "module:") for i in range(int(arg))]
    raise ValueError(f"unknown image {name}")
