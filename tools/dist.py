#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""`make dist`: the release, of what is committed.

    tools/dist.py [FOLDER]      build/dist, or FOLDER, gets
                                    kensho-VERSION-src.tar.xz   the sources
                                    kensho-VERSION.elf, .iso    built from them, in a folder of
                                                                their own
                                    SHA256SUMS                  sha256sum -c checks them
    tools/dist.py --image FILE  the image alone, with the build/kensho.elf beside this tool

The same commit gives the same bytes wherever and whenever it is built, with the same packages.
DIRTY=1: in spite of changes that are not committed, without them.
"""

import hashlib
import io
import lzma
import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
import tempfile

import cli
import grubcfg
import mkiso

ROOT = mkiso.ROOT
LICENCES = {"LICENSE.txt": ROOT / "LICENSE", "GRUB/GRUB.txt": ROOT / "iso/GRUB.txt",
            "GRUB/GPL-3.txt": pathlib.Path("/usr/share/common-licenses/GPL-3")}


def output(*command):
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if done.returncode:
        sys.exit(f"dist: {' '.join(command)}: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout


def is_dirty():
    return output("git", "status", "--porcelain") != b""


def version():
    return output("tools/version.sh", "HEAD").decode().strip()


def epoch():
    """When HEAD was committed."""
    return int(output("git", "log", "-1", "--format=%ct"))


def source_archive(stem):
    """The bytes of the sources: HEAD, with the whole version in VERSION. Git's settings and the
    umask do not show."""
    out = io.BytesIO()
    head = io.BytesIO(output("git", "archive", f"--prefix={stem}/", "HEAD"))
    with tarfile.open(fileobj=head) as src, \
            tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as dst:
        for member in src:
            data = src.extractfile(member).read() if member.isfile() else b""
            if member.name == f"{stem}/VERSION":
                data = version().encode() + b"\n"
            member.size, member.mtime = len(data), epoch()
            member.uid = member.gid = 0
            member.uname = member.gname = "root"
            member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
            dst.addfile(member, io.BytesIO(data))
    return lzma.compress(out.getvalue(), preset=9)


def image(out):
    """GRUB, Kensho, licences: no guest of somebody else's."""
    try:
        mkiso.make_iso(out, mkiso.Boot(files=LICENCES), grubcfg.menu(grubcfg.DEMO, ""))
    except RuntimeError as err:
        sys.exit(str(err))


def build(archive, folder, stem):
    """ELF and image of the sources in the archive, beside it."""
    tree = folder / stem
    env = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "LC_ALL": "C",
           "SOURCE_DATE_EPOCH": str(epoch())}
    subprocess.run(["tar", "-xf", archive], cwd=folder, check=True)
    for command in (["make", "-s", f"-j{os.cpu_count()}", "build/kensho.elf"],
                    [sys.executable, "tools/dist.py", "--image", folder / f"{stem}.iso"]):
        if subprocess.run(command, cwd=tree, env=env).returncode:
            sys.exit("dist: this commit does not build by itself: see above")
    shutil.copy(tree / "build/kensho.elf", folder / f"{stem}.elf")
    shutil.rmtree(tree)


def release(out):
    stem = f"kensho-{version()}"
    os.umask(0o022)
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out) as tmp:
        folder = pathlib.Path(tmp)
        archive = folder / f"{stem}-src.tar.xz"
        archive.write_bytes(source_archive(stem))
        build(archive, folder, stem)
        files = sorted(folder.iterdir())
        sums = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files]
        (folder / "SHA256SUMS").write_text("".join(sums))
        for path in folder.iterdir():
            path.replace(out / path.name)
    print(f"{out}: {', '.join(path.name for path in files)}, SHA256SUMS")


def main():
    if sys.argv[1:2] == ["--image"] and len(sys.argv) == 3:
        return image(pathlib.Path(sys.argv[2]))
    given = cli.arguments(sys.argv, __doc__, 0, 1)
    out = pathlib.Path(given[0] if given else ROOT / "build/dist").absolute()
    if not (ROOT / ".git").exists():
        sys.exit("dist: this is no git repository: a release is made of commits; "
                 "make build/kensho.elf builds a source archive")
    if is_dirty() and os.environ.get("DIRTY") != "1":
        sys.exit("dist: there are changes that are not committed: commit them, or make dist DIRTY=1 "
                 "leaves them out")
    return release(out)


if __name__ == "__main__":
    cli.run(main)
