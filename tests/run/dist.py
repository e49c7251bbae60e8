#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""`make dist` of one commit, twice: in folders of other names, with files of other times, another
umask, time zone and language. The bytes are the same, and they are what docs/release.md says.
"""

import os
import pathlib
import subprocess
import sys
import tarfile
import time

import results

sys.path.insert(0, str(results.ROOT / "tools"))
import emu  # noqa: E402
import mkiso  # noqa: E402

BUILDS = (("one", 0o022, {"TZ": "UTC", "LC_ALL": "C"}),
          ("another/place", 0o077, {"TZ": "Asia/Tokyo", "LANG": "de_DE.UTF-8", "LC_ALL": ""}))
BOOT_S = 60
GRUBS_OWN = ("boot/grub/", "boot.catalog", "efi.img", "mach_kernel", "System/")


def output(*command, **more):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, **more).stdout


def clone(folder, commit):
    output("git", "clone", "-q", "--no-hardlinks", results.ROOT, folder)
    output("git", "checkout", "-q", commit, cwd=folder)


def make_dist(folder, umask, env):
    """{name: bytes} of what a clone makes."""
    for number, path in enumerate(sorted(folder.rglob("*.[ch]"))):
        os.utime(path, (10**9 + number * umask, 10**9 + number * umask))
    subprocess.run([sys.executable, folder / "tools/dist.py"], umask=umask, check=True,
                   env={**os.environ, **env}, stdout=subprocess.DEVNULL)
    return {path.name: path.read_bytes() for path in (folder / "build/dist").iterdir()}


def check_same(first, second):
    if sorted(first) != sorted(second):
        yield f"{sorted(first)}, and {sorted(second)}"
    for name in first:
        a, b = first[name], second.get(name, b"")
        if a != b:
            at = next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))
            yield f"{name}: {len(a)} and {len(b)} bytes, different from {at} on"


def check_contents(folder, commit):
    """The archive has the commit's files, the image the ELF, which says its version."""
    dist = folder / "build/dist"
    output("sha256sum", "--quiet", "-c", "SHA256SUMS", cwd=dist)
    stem = next(dist.glob("*.elf")).stem
    with tarfile.open(dist / f"{stem}-src.tar.xz") as archive:
        names = {m.name.removeprefix(stem + "/") for m in archive if not m.isdir()}
        version = archive.extractfile(f"{stem}/VERSION").read().decode().strip()
    if names != set(output("git", "ls-tree", "-r", "--name-only", commit, cwd=folder).split()):
        yield "the archive does not have the files of the commit"
    if stem != f"kensho-{version}" or version.encode() + b"\0" not in \
            (dist / f"{stem}.elf").read_bytes():
        yield f"{stem}: the archive says {version}, or the ELF something else"
    on_image = folder / "on-image"
    output("xorriso", "-osirrox", "on", "-indev", dist / f"{stem}.iso", "-extract", "/", on_image,
           stderr=subprocess.DEVNULL)
    mkiso.without_debug(dist / f"{stem}.elf", folder / "loaded.elf")
    if (on_image / "boot/kensho.elf").read_bytes() != (folder / "loaded.elf").read_bytes():
        yield "the image has another ELF"
    files = {str(path.relative_to(on_image)) for path in on_image.rglob("*") if path.is_file()}
    ours = {name for name in files if not name.startswith(GRUBS_OWN)}
    if ours != {"boot/kensho.elf", "LICENSE.txt", "GRUB/GRUB.txt", "GRUB/GPL-3.txt"}:
        yield f"on the image: {sorted(ours)}"


def check_boot(firmware, folder):
    """GRUB finds Kensho on the image; without VMX it says so."""
    work = folder / firmware
    work.mkdir()
    emulator = emu.Emulator(emu.qemu_command(emu.Machine(
        dir=work, iso=next((folder / "build/dist").glob("*.iso")), model="Nehalem",
        firmware=firmware)), work)
    try:
        end, log = time.monotonic() + BOOT_S, work / "com1.log"
        while time.monotonic() < end:
            if log.exists() and "RESULT: Kensho cannot run here" in log.read_text(errors="replace"):
                return
            time.sleep(0.2)
    finally:
        emulator.kill()
    yield f"{firmware}: the image does not start"


def check_dirty(folder):
    """Changes that are not committed are not released unawares."""
    with open(folder / "README.md", "a") as readme:
        readme.write("\n")
    done = subprocess.run([sys.executable, folder / "tools/dist.py"], stderr=subprocess.PIPE,
                          text=True, env={k: v for k, v in os.environ.items() if k != "DIRTY"})
    if done.returncode == 0 or "not committed" not in done.stderr or done.stderr.count("\n") != 1:
        yield f"with changes: {done.returncode} {done.stderr}"


def main():
    work = pathlib.Path(os.environ["RUN_DIR"])
    # What is not committed yet is tested, too, but for new files.
    commit = (output("git", "stash", "create", cwd=results.ROOT) or
              output("git", "rev-parse", "HEAD", cwd=results.ROOT)).strip()
    made = []
    for name, umask, env in BUILDS:
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        clone(work / name, commit)
        made.append(make_dist(work / name, umask, env))
    folder = work / BUILDS[0][0]
    bad = [*check_same(*made), *check_contents(folder, commit), *check_boot("bios", folder),
           *check_boot("ovmf", folder), *check_dirty(folder)]
    print(*bad, sep="\n")
    return 1 if bad else 0


if __name__ == "__main__":
    results.process(main)
