# SPDX-License-Identifier: BSD-2-Clause
"""The machines Kensho runs on: command lines for Bochs and QEMU, and their processes.

Every emulator lives in a directory and a process group of its own, and dies with the Python that
started it. Shared by tools/run.py (a terminal), tests/run/run.py (rows) and tests/run/bench.py.
"""

import ctypes
import dataclasses
import functools
import os
import pathlib
import re
import shutil
import signal
import subprocess
import threading

ROOT = pathlib.Path(__file__).resolve().parent.parent
BXSHARE = pathlib.Path("/usr/share/bochs")
OVMF = pathlib.Path("/usr/share/OVMF/OVMF_CODE.fd")
OVMF_2M = pathlib.Path("/usr/share/ovmf/OVMF.fd")     # code and variables: Bochs' ROM has 2 MiB
IPS_RUN = 20_000_000        # functional runs: delays and idle seconds are short
IPS_BENCH = 50_000_000
# 16 heads, 63 sectors: what Bochs wants a flat disk image to be a multiple of.
DISK_HEADS, DISK_SECTORS = 16, 63
DISK_CYLINDER = DISK_HEADS * DISK_SECTORS * 512
# Until somebody interrupts it; then the VGA text buffer.
SCREEN_SCRIPT = "c\nxp /4000bx 0xb8000\nq\n"
# How QEMU shows the image to the firmware. A disk is never written.
MEDIA = {
    "cd": ["-cdrom", "{iso}", "-boot", "d"],
    "ide": ["-drive", "file={iso},format=raw,snapshot=on"],
    "virtio": ["-drive", "file={iso},format=raw,snapshot=on,if=virtio"],
    "usb": ["-drive", "file={iso},format=raw,snapshot=on,if=none,id=stick", "-device", "qemu-xhci",
            "-device", "usb-storage,drive=stick,removable=on,bootindex=0"],
    # {iso} is a directory here, with what grub-mknetdir makes.
    "net": ["-boot", "n", "-netdev", "user,id=net,tftp={iso},bootfile=boot/grub/{core}",
            "-device", "e1000,netdev=net"],
}
NET_CORES = {"bios": "i386-pc/core.0", "ovmf": "x86_64-efi/core.efi"}
FRAMEBUFFER = 0xE0000000        # of Bochs' VGA card
OUR_FRAMEBUFFER = 0xFFFFFFFFE0000000    # FRAMEBUFFER_BASE of arch/x86/layout.h
POWERED_OFF = re.compile(r"soft power off|Shutdown port: shutdown requested")


@dataclasses.dataclass
class Machine:
    dir: pathlib.Path
    iso: pathlib.Path
    cpus: int = 1
    memory: int = 512               # MiB
    ips: int = IPS_RUN
    paced: bool = False         # Bochs: not faster than the clock on the wall
    model: str = "corei7_skylake_x"
    medium: str = "cd"              # where QEMU has the image: a name of MEDIA
    com1: str = "file:com1.log"     # file:NAME, term:/dev/pts/N; QEMU: socket:NAME (and NAME.log), none
    com2: str = "file:com2.log"
    debugger: str = "c\n" * 1000    # commands for a Bochs with debugger: a reset stops there
    extra: str = ""                 # further bochsrc lines
    firmware: str = "bios"          # or ovmf; QEMU: or secboot
    vnc: bool = False               # leave Bochs' screen reachable by VNC
    disk: pathlib.Path | None = None    # image of a hard disk, a multiple of DISK_CYLINDER long
    disk2: pathlib.Path | None = None   # another, behind it
    disk_first: bool = False        # boot from the disk; else from the CD
    vga: str = "std"                # QEMU's -vga
    graphics: bool = False          # Bochs' VGA card has modes of 15 to 32 bits per pixel


def picture_script(count):
    """SCREEN_SCRIPT for that many bytes of the framebuffer, where the guest has it or Kensho."""
    return "c\n" + "".join(f'writemem "{name}" 0x{at:x} {count}\n' for name, at in (
        ("guest.fb", FRAMEBUFFER), ("kensho.fb", OUR_FRAMEBUFFER))) + "q\n"


def bochs_binary():
    return os.environ.get("BOCHS") or "bochs"


@functools.lru_cache(None)
def bochs_info(binary):
    """(version line, has a debugger) or None when the binary does not run."""
    try:
        text = subprocess.run([binary, "--help"], stdin=subprocess.DEVNULL, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=20).stdout
    except OSError:
        return None
    found = re.search(r"Bochs x86 Emulator (\S+)", text)
    return (found.group(1) if found else "unknown", "-rc filename" in text)


@functools.lru_cache(None)
def no_network():
    """A prefix that runs a command without network. Bochs' screen is a VNC server without a
    password on every interface; nobody needs it here."""
    prefix = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--net", "--map-root-user"]
    try:
        ok = subprocess.run(prefix + ["true"], stderr=subprocess.DEVNULL).returncode == 0
    except OSError:
        ok = False
    return tuple(prefix) if ok else ()


def bochsrc(m):
    def port(n, spec):
        mode, _, dev = spec.partition(":")
        return f"com{n}: enabled=1, mode={mode}, dev={dev}"

    def disk(place, path):
        if path is None:
            return []
        cylinders, rest = divmod(path.stat().st_size, DISK_CYLINDER)
        if rest:
            raise ValueError(f"{path}: not a multiple of {DISK_CYLINDER} bytes")
        return [f"{place}: type=disk, path={path}, mode=flat, cylinders={cylinders}, "
                f"heads={DISK_HEADS}, spt={DISK_SECTORS}, translation=auto"]

    share = pathlib.Path(os.environ.get("BXSHARE", BXSHARE))
    return "\n".join([
        # The card has what the display library says: rfb 8 bits a pixel, term 32, although it panics
        # when it is to show them.
        "display_library: term" if m.graphics else 'display_library: rfb, options="timeout=0"',
        f"cpu: model={m.model}, count={m.cpus}, ips={m.ips}",
        f"memory: guest={m.memory}, host={m.memory}",
        # fastboot: without the boot menu, which waits for three seconds of emulated time.
        f"romimage: file={OVMF_2M}" if m.firmware == "ovmf" else
        f"romimage: file={share}/BIOS-bochs-latest, options=fastboot",
        f"vgaromimage: file={share}/VGABIOS-lgpl-latest",
        "ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14",
        f"ata0-master: type=cdrom, path={m.iso}, status=inserted",
        *disk("ata0-slave", m.disk),
        "ata1: enabled=1, ioaddr1=0x170, ioaddr2=0x370, irq=15" if m.disk2 else "",
        *disk("ata1-master", m.disk2),
        "boot: disk" if m.disk_first else "boot: cdrom",
        f"clock: sync={'slowdown' if m.paced else 'none'}, time0=1700000000",
        port(1, m.com1),
        port(2, m.com2),
        "log: bochs.log",
        "panic: action=fatal" + (", term=report" if m.graphics else ""),
        "error: action=report",
        "info: action=ignore",
        "debug: action=ignore",
        "speaker: enabled=0",
        m.extra, ""])


def bochs_command(m):
    """Write the configuration into m.dir and return the command to run there."""
    binary = bochs_binary()
    info = bochs_info(binary)
    if info is None:
        raise RuntimeError(f"{binary}: cannot be run (BOCHS= names the binary)")
    (m.dir / "bochsrc").write_text(bochsrc(m))
    cmd = [binary, "-q", "-f", "bochsrc"]
    if info[1]:
        (m.dir / "debugger.rc").write_text(m.debugger)
        cmd += ["-rc", "debugger.rc"]
    return ([] if m.vnc else list(no_network())) + cmd


def ovmf_flash(firmware):
    """QEMU's options for OVMF; secboot: with Microsoft's keys enrolled and Secure Boot on."""
    flash = "if=pflash,format=raw,unit={},{}file={}".format
    if firmware == "ovmf":
        return ["-drive", flash(0, "readonly=on,", OVMF)]
    return ["-drive", flash(0, "readonly=on,", OVMF.parent / "OVMF_CODE_4M.secboot.fd"),
            "-drive", flash(1, "snapshot=on,", OVMF.parent / "OVMF_VARS_4M.ms.fd"),
            "-global", "driver=cfi.pflash01,property=secure,value=on"]


def qemu_command(m, kvm=False):
    """QEMU with the same ISO. kvm: nested VMX; else TCG, which has none."""
    # Secure Boot is enforced in SMM, which only q35 has.
    board = "q35,smm=on" if m.firmware == "secboot" else "pc"
    cmd = ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-m", str(m.memory),
           "-smp", str(m.cpus), "-display", "none", "-vga", m.vga, "-machine", board]
    cmd += [word.format(iso=m.iso, core=NET_CORES.get(m.firmware)) for word in MEDIA[m.medium]]
    cmd += ["-enable-kvm", "-cpu", "host,+vmx"] if kvm else \
        ["-accel", "tcg", "-cpu", m.model]
    for number, spec in ((1, m.com1), (2, m.com2)):
        mode, _, dev = spec.partition(":")
        name = f"com{number}"
        if mode == "none":
            continue
        if mode == "socket":
            cmd += ["-chardev", f"socket,id={name},path={dev},server=on,wait=on,logfile={dev}.log"]
        elif mode == "term":
            cmd += ["-chardev", f"serial,id={name},path={dev}"]
        else:
            cmd += ["-chardev", f"file,id={name},path={dev}"]
        cmd += ["-serial", f"chardev:{name}"]
    if m.firmware != "bios":
        cmd += ovmf_flash(m.firmware)
    # The monitor is how a test takes a screenshot.
    cmd += ["-chardev", "socket,id=mon,path=monitor.sock,server=on,wait=off", "-mon", "chardev=mon"]
    return cmd


NO_QEMU = "qemu-system-x86_64 is not installed"


def nested_kvm():
    """Why QEMU/KVM cannot be used, or "" when it can."""
    if "vmx" not in pathlib.Path("/proc/cpuinfo").read_text().split():
        return "this CPU does not have (or hides) VMX"
    nested = pathlib.Path("/sys/module/kvm_intel/parameters/nested")
    if not nested.exists() or nested.read_text().strip() not in ("Y", "1"):
        return "nested VMX is off (kvm_intel nested=1 turns it on)"
    try:
        os.close(os.open("/dev/kvm", os.O_RDWR))
    except OSError as err:
        return f"/dev/kvm: {err.strerror}"
    if shutil.which("qemu-system-x86_64") is None:
        return NO_QEMU
    return ""


def _die_with_parent():
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


class Emulator:
    """A running emulator in its own session."""

    def __init__(self, cmd, directory, stdout=None, terminal=False):
        """terminal: it insists on one for its output"""
        self.dir = pathlib.Path(directory)
        self.out = open(self.dir / "emulator.out", "wb", buffering=0)
        env = dict(os.environ)
        if terminal:
            env |= {"TERM": "linux", "LINES": "30", "COLUMNS": "100"}
            master, stdout = os.openpty()
        self.proc = subprocess.Popen(cmd, cwd=self.dir, stdin=subprocess.DEVNULL, env=env,
                                     stdout=stdout or self.out, stderr=subprocess.STDOUT,
                                     start_new_session=True, preexec_fn=_die_with_parent)
        if terminal:
            os.close(stdout)
            threading.Thread(target=self._drain, args=(master,), daemon=True).start()

    def _drain(self, master):
        try:
            while data := os.read(master, 65536):
                self.out.write(data)
        except (OSError, ValueError):
            pass        # the other side has gone, or the file was closed
        os.close(master)

    def poll(self):
        return self.proc.poll()

    def kill(self):
        """End the process group, and clean up what a killed Bochs leaves behind."""
        if self.proc.poll() is None:
            try:
                os.killpg(self.proc.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            self.proc.wait()
        self.out.close()
        for lock in self.dir.glob("*.lock"):
            lock.unlink(missing_ok=True)

    def _enter_debugger(self):
        if self.proc.poll() is None:
            os.killpg(self.proc.pid, signal.SIGINT)
            try:
                self.proc.wait(10)
            except subprocess.TimeoutExpired:
                pass

    def bochs_screen(self):
        """The 4000 bytes of VGA text, from the debugger of a Bochs that runs SCREEN_SCRIPT."""
        self._enter_debugger()
        text = (self.dir / "emulator.out").read_text(errors="replace")
        rows = re.findall(r"^0x0*b[89]\w+ <[^>]*>:((?:[ \t]+0x\w\w)+)", text, re.M)
        found = bytes(int(n, 16) for row in rows for n in row.split())
        if len(found) != 4000:
            raise RuntimeError("no screen: it takes a Bochs with debugger")
        return found

    def bochs_picture(self, count):
        """The bytes of the framebuffer, from the debugger of a Bochs that runs picture_script()."""
        self._enter_debugger()
        for path in (self.dir / "guest.fb", self.dir / "kensho.fb"):
            if path.exists() and path.stat().st_size == count:
                return path.read_bytes()
        raise RuntimeError("no picture: it takes a Bochs with debugger")

    def end_reason(self):
        """Why Bochs ended: its last panic line, "" if there is none."""
        try:
            log = (self.dir / "bochs.log").read_text(errors="replace")
        except OSError:
            log = ""
        found = re.findall(r">>PANIC<< (.*)", log)
        return found[-1] if found else ""

    def powered_off(self, qemu=False):
        return self.proc.returncode == 0 if qemu else bool(POWERED_OFF.search(self.end_reason()))
