# SPDX-License-Identifier: BSD-2-Clause
"""GRUB's configuration on an image: the menu of `make iso`, or one boot without a menu."""

import dataclasses
import re

import guestfile

ISO = guestfile.ROOT / "iso"

TIMEOUT_S = 5
SERIAL = "console=ttyS0,115200"
# GRUB's command for the files beside the kernel.
MODULE = {"linux": "initrd", "multiboot": "module", "multiboot2": "module2"}
# BIOS: Kensho wants text mode. It comes behind multiboot2, which overwrites gfxpayload.
TEXT_MODE = ['if [ "$grub_platform" = pc ]; then', "\tset gfxpayload=text", "fi"]
# Kensho's console: only with a second serial port, else Kensho would stop. In the entry, not before
# the menu: GRUB's own serial terminal moves to the port that is named last.
FIND_COM2 = ["set log=", "if serial --unit=1 --speed=115200; then", "\tset log=log=com2", "fi"]
# The stick is the first BIOS disk if the machine was started from it: then the next one takes its
# place, by an INT 13h of GRUB's.
SWAP_DISKS = ["if regexp ^hd0 $root; then", "\tif drivemap -s hd0 hd1; then",
              "\t\techo The first disk is the one behind the stick.", "\telse",
              "\t\techo There is no disk besides the one that this menu is on.", "\t\tsleep 5", "\tfi", "fi"]


def quote(text):
    """A command line as arguments of a GRUB command: those that need it in single quotes.

    Double quotes hold an argument with blanks together, wherever in it they are: GRUB puts them
    around the whole of it, which Linux understands as well."""
    out = []
    for word in re.findall(r'(?:"[^"]*"|[^\s"])+', text):
        word = word.replace('"', "")
        if not word or not all(c.isalnum() or c in "-_=,.:/+@%" for c in word):
            word = "'" + word.replace("'", "'\\''") + "'"
        out.append(word)
    return " ".join(out)


def screen_mode(boot):
    return ["insmod all_video", f"set gfxpayload={boot.gfxpayload}"] if boot.gfxpayload else TEXT_MODE


def direct_lines(boot):
    lines = boot.before.splitlines()
    mods = boot.modules
    if boot.hv is None:
        kind = boot.kind or \
            {"guest": "multiboot", "guest2": "multiboot2"}.get(mods[0].name, "linux")
        lines.append(f"{kind} /boot/{mods[0].name} {quote(mods[0].string)}")
        # initrd takes further files, not strings.
        lines += [f"{MODULE[kind]} /boot/{m.name} {quote(m.string) if kind != 'linux' else ''}"
                  for m in mods[1:]]
        if kind == "multiboot2":
            lines += screen_mode(boot)
    else:
        lines.append(f"multiboot2 /boot/kensho.elf {quote(boot.hv)}")
        lines += [f"module2 /boot/{m.name} {quote(m.string)}" for m in mods]
        lines += screen_mode(boot)
    lines += boot.after.splitlines()
    return "\n".join("\t" + line.rstrip() for line in lines)


def direct(boot):
    """The configuration that starts a mkiso.Boot at once."""
    return (ISO / "direct.cfg.in").read_text().replace("@ENTRY@", direct_lines(boot))


@dataclasses.dataclass
class Entry:
    key: str                        # not one of GRUB's own: c e p v
    title: str
    hv: str | None = ""             # Kensho's options; None: without Kensho
    append: str = ""                # more words for a Linux guest
    modules: bool = True
    before: list[str] = dataclasses.field(default_factory=list)
    bios_only: bool = False
    beside: bool = False            # only beside a guest of the image's own

    def lines(self, guest, hv):
        """The GRUB commands, guest: a Guest, hv: the user's options for all entries."""
        more = self.append if guest.kind == "linux" and self.append not in guest.append else ""
        args = quote(f"{guest.append} {more}")
        if self.hv is None:
            return guest.bare_lines(args)
        find = FIND_COM2 if "$log" in self.hv else []
        out = [*self.before, *find, f"multiboot2 /boot/kensho.elf {self.hv} {quote(hv)}"]
        if self.modules and guest != DEMO:
            out.append(f"module2 /boot/kernel kernel: {args}")
            out += ["module2 /boot/initrd initrd:"] if guest.initrd else []
        return out + TEXT_MODE

    def text(self, guest, hv):
        body = [f'menuentry "[{self.key}] {self.title}" --hotkey={self.key} {{',
                *("\t" + line.rstrip() for line in self.lines(guest, hv)), "}"]
        if self.bios_only:
            body = ['if [ "$grub_platform" = pc ]; then', *("\t" + line for line in body), "fi"]
        return "\n".join(body)


ENTRIES = (
    Entry("k", "Kensho with {guest}", "$log"),
    Entry("s", "... on a serial console (COM1, 115200 baud)", "$log console=com1", SERIAL),
    Entry("l", "... with a long log (verbose: every exit traced, messages on COM2)",
          "$log trace=exits stats=10", "ignore_loglevel"),
    Entry("t", "... after a self test of this machine", "$log selftest"),
    Entry("d", "Dry run: report on this machine, start nothing", "dryrun"),
    Entry("g", "Kensho with its demonstration guest", "$log guest=demo", modules=False,
          beside=True),
    Entry("h", "Kensho with what the first disk boots", "$log guest=disk0", modules=False,
          before=SWAP_DISKS, bios_only=True),
    Entry("b", "Without Kensho: {guest} on the bare machine", None, beside=True),
)


@dataclasses.dataclass
class Guest:
    """What the entries start: /boot/kernel and, with initrd, /boot/initrd on the image."""
    name: str
    kind: str                       # linux, multiboot, multiboot2: how GRUB loads it without Kensho
    append: str
    initrd: bool

    def bare_lines(self, args):
        module = MODULE[self.kind]
        return [f"{self.kind} /boot/kernel {args}"] + \
            ([f"{module} /boot/initrd"] if self.initrd else [])


# An image without a guest: Kensho brings its own.
DEMO = Guest("its demonstration guest", "", "", False)


def menu(guest, hv):
    """The menu's grub.cfg; hv: Kensho's options for all entries with it."""
    entries = [dataclasses.replace(e, title=e.title.format(guest=guest.name)) for e in ENTRIES
               if not (e.beside and guest == DEMO)]
    text = (ISO / "menu.cfg.in").read_text()
    return text.replace("@TIMEOUT@", str(TIMEOUT_S)).replace(
        "@ENTRIES@\n", "".join(e.text(guest, hv) + "\n" for e in entries))
