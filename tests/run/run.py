#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Run rows of suites/*.cfg, J emulators at a time, each in build/runs/NAME.

    tests/run/run.py [--when ci|nightly|all] [REGEX | --names]

Results go to build/results.tsv as run:NAME, and run:NAME/TEST for the lines of a guest's TAP.
"""

import argparse
import concurrent.futures
import os
import re
import shutil
import socket
import subprocess
import sys
import time

import results

import acpi_tables

sys.path.insert(0, str(results.ROOT / "tools"))
import checks  # noqa: E402
import disk  # noqa: E402
import emu  # noqa: E402
import images  # noqa: E402
import mkiso  # noqa: E402
import picture  # noqa: E402
import screen_text  # noqa: E402
import suites  # noqa: E402

RUNS = results.ROOT / "build/runs"
LONG = "x=" + "0123456789" * 300        # longer than any bzImage's cmdline_size
PANIC = "hypervisor panic"
NOISE = re.compile(r"ALSA lib|0{11}i\[|=====")
BANNER = "a type-1 hypervisor"
HALTED = "the machine is halted: reset it"     # core/diag/panic.h
HANG_S = 20                             # silence after which another last line is final
QUIET_S = 1                             # how long a stopped machine must stay silent


def lines(text):
    return [line.strip() for line in (text or "").splitlines() if line.strip()]


class Run:
    """One row: builds its image, runs its emulator, judges what came out."""

    def __init__(self, name, row):
        self.name, self.row = name, row
        self.dir = RUNS / name
        self.qemu = row["emulator"].startswith("qemu")
        self.firmware = row["emulator"].partition("-")[2] or "bios"
        self.problems = []
        self.ended = False          # by itself
        self.emulator = None
        self.picture_rows = [], 0
        self.started = 0.0

    def text(self, where):
        if where == "end":
            return self.emulator.end_reason()
        try:
            text = (self.dir / f"{where}.log").read_bytes().decode(errors="replace")
            return checks.COLOUR.sub("", text)
        except OSError:
            return ""

    def execute(self):
        shutil.rmtree(self.dir, ignore_errors=True)
        self.dir.mkdir(parents=True)
        self.started = time.monotonic()
        if "script" in self.row:
            return self.execute_script()
        self.build()
        machine = emu.Machine(**self.ports(), dir=self.dir, iso=self.dir / "boot.iso",
                              cpus=int(self.row["cpus"]), memory=int(self.row["memory"]),
                              model=self.row["model"], extra=self.row.get("extra", ""),
                              firmware=self.firmware, graphics=bool(self.mode()))
        machine.disk, machine.disk2 = (
            disk.image(self.row[key], self.dir / f"{key}.img", self.row["append"])
            if key in self.row else None for key in ("disk", "disk2"))
        if self.row.get("screen") == "yes":
            machine.debugger = emu.picture_script(self.mode()[3]) if self.mode() else \
                emu.SCREEN_SCRIPT
        cmd = emu.qemu_command(machine) if self.qemu else emu.bochs_command(machine)
        self.emulator = emu.Emulator(cmd, self.dir, terminal=machine.graphics and not self.qemu)
        try:
            self.wait()
            if self.qemu and self.emulator.poll() is None:
                self.screen_dump()
            if self.row.get("screen") == "yes":
                self.bochs_screen()
        finally:
            self.emulator.kill()
        self.judge()

    def build(self):
        row = self.row
        kind, _, program = row["image"].partition(":")
        if kind == "make-iso":
            env = dict(os.environ, KERNEL=f"build/guest/{program}.elf" if program else "",
                       INITRD="", APPEND=row["append"], HV=row["hv"])
            subprocess.run([sys.executable, "tools/mkiso.py", str(self.dir / "boot.iso")],
                           cwd=results.ROOT, env=env, check=True, stdout=subprocess.DEVNULL)
            return
        hv = None
        if row.get("bare") != "yes":
            hv = row["hv"] if "log=" in row["hv"] else f"log=com2 {row['hv']}".strip()
        append = LONG if row["append"] == "@long" else row["append"]
        files = {"data/random.bin": mkiso.data_file()[0]} if row.get("cdfile") == "yes" else {}
        before = row.get("grub", "")
        if row["emulator"] == "bochs-ovmf" and row.get("acpi") != "no":
            before += self.acpi_tables(files)
        if "madt" in row:
            files["boot/apic.aml"] = self.dir / "apic.aml"
            files["boot/apic.aml"].write_bytes(acpi_tables.madt(int(row["madt"]), twice=True))
            before += "\nacpi --exclude=APIC /boot/apic.aml\n"
        mkiso.make_iso(self.dir / "boot.iso", mkiso.Boot(
            hv=hv, before=before, modules=images.image(row["image"], self.dir, append), files=files,
            gfxpayload=row.get("gfxpayload", "")))

    def acpi_tables(self, files):
        """OVMF has none for Bochs: GRUB loads ours. Adds to files, returns GRUB's command."""
        for name, data in acpi_tables.tables(int(self.row["cpus"])).items():
            path = self.dir / name
            path.write_bytes(data)
            files[f"boot/{name}"] = path
        return "acpi /boot/dsdt.aml /boot/facp.aml /boot/apic.aml\n"

    def execute_script(self):
        cmd = self.row["script"].split()
        env = dict(os.environ, RUN_DIR=str(self.dir / "run"))
        out = self.dir / "script.log"
        with open(out, "wb") as log:
            proc = subprocess.Popen([sys.executable] + cmd, cwd=results.ROOT, stdout=log, env=env,
                                    stdin=subprocess.DEVNULL, stderr=subprocess.STDOUT)
            try:
                status = proc.wait(timeout=int(self.row["timeout"]))
            except subprocess.TimeoutExpired:
                proc.terminate()        # the script ends what it started
                proc.wait()
                status = "timeout"
        if status != 0:
            self.problems.append(f"{self.row['script']}: {status}")
            self.problems += out.read_text(errors="replace").splitlines()[-40:]

    # --- waiting ---------------------------------------------------------------------------------

    def wait(self):
        """Until the emulator ends, what the row waits for appears, or time is up."""
        kind, _, rest = self.row.get("end", "off").partition(" ")
        where, pattern = rest.partition(" ")[::2] if kind == "until" else ("com1", rest)
        deadline = self.started + int(self.row["timeout"])
        while time.monotonic() < deadline:
            if self.emulator.poll() is not None:
                self.ended = True
                break
            if self.text("com1").count(BANNER) > 1 and self.row.get("reboots") != "yes":
                self.problems.append("the machine rebooted")
                return
            if kind == "until" and re.search(pattern, self.text(where), re.M):
                return
            if kind == "ram" and self.ram_holds(rest):
                return
            if kind == "halt" and re.search(pattern, self.last_line()):
                return self.stays_silent(pattern)
            if kind == "halt" and self.silent_for() > HANG_S:
                self.problems.append(f"stopped with: {self.last_line()!r}")
                return
            time.sleep(0.2)
        else:
            self.problems.append(f"no end after {self.row['timeout']} s")
            return
        if kind in ("until", "halt", "ram"):
            self.problems.append(f"{where} never said /{pattern}/ and the emulator ended: "
                                 f"{self.emulator.end_reason()}")
        elif kind == "off" and not self.emulator.powered_off(self.qemu):
            self.problems.append("the emulator ended, but not by power-off: "
                                 f"{self.emulator.end_reason() or 'no reason in bochs.log'}")

    def last_line(self):
        """Of COM1; the last sentence of a boot, which may take several, in one piece."""
        text = self.text("com1").rstrip().removesuffix(HALTED).rstrip()
        return checks.last_sentence(text) or text.rpartition("\n")[2]

    def silent_for(self):
        try:
            return time.time() - (self.dir / "com1.log").stat().st_mtime
        except OSError:
            return 0

    def stays_silent(self, pattern):
        """The line that matched was the last one, complete, and the machine stands still."""
        time.sleep(QUIET_S)
        before = self.text("com1")
        time.sleep(QUIET_S)
        if self.emulator.poll() is not None:
            self.problems.append(f"the emulator ended: {self.emulator.end_reason()}")
        if self.text("com1") != before or not re.search(pattern, self.last_line()):
            self.problems.append("COM1 goes on after what should be the last line")

    def mode(self):
        """(width, height, bytes of a pixel, bytes in all) of the graphics mode of the row, or None"""
        words = self.row.get("gfxpayload", "").split("x")
        if len(words) != 3:
            return None
        width, height, bits = map(int, words)
        return width, height, (bits + 7) // 8, width * height * ((bits + 7) // 8)

    def bochs_screen(self):
        if not self.mode():
            self.screen_text(self.emulator.bochs_screen())
            return
        width, height, depth, count = self.mode()
        self.picture_text(width, height, screen_text.colours(
            self.emulator.bochs_picture(count), depth))

    def picture_text(self, width, height, pixels):
        """What is written on a picture as screen.log, the backgrounds of its rows as colour.log."""
        rows, _ = screen_text.lines(width, height, pixels)
        full = width // (8 * screen_text.cell_size(width, height)[0])
        self.picture_rows = list(rows), full
        (self.dir / "screen.log").write_text(
            "".join(row + ("" if len(row) == full else "\n") for row in rows))
        (self.dir / "colour.log").write_text("".join(
            f"{back:x}\n" for back in screen_text.row_colours(width, height, pixels)))

    def ports(self):
        if self.row.get("mute") == "yes":
            return {"com1": "none", "com2": "none", "vga": "none"}
        return {"vga": self.row.get("vga", "std")}

    def ram_holds(self, pattern):
        """QEMU's monitor: what is in the machine's memory, for those that cannot speak."""
        time.sleep(3)
        dump = self.dir / "ram.bin"
        self.monitor(f"pmemsave 0 0x{int(self.row['memory']) << 20:x} ram.bin\n")
        found = dump.exists() and re.search(pattern.encode(), dump.read_bytes())
        dump.unlink(missing_ok=True)
        return found

    def monitor(self, commands):
        mon = socket.socket(socket.AF_UNIX)
        mon.settimeout(5)
        try:
            mon.connect(os.path.relpath(self.dir / "monitor.sock", os.getcwd()))
            mon.sendall(commands.encode())
            time.sleep(1)
        except OSError as err:
            self.problems.append(f"QEMU's monitor: {err}")
        finally:
            mon.close()

    def screen_dump(self):
        """QEMU's monitor: a picture as screen.ppm; what is written on it, or the VGA text buffer, as
        screen.log."""
        if "none" in self.ports().values():
            return
        self.monitor("pmemsave 0xb8000 4000 vga.bin\nscreendump screen.ppm\n")
        raw, ppm = self.dir / "vga.bin", self.dir / "screen.ppm"
        if "gfxpayload" in self.row or self.row["emulator"] == "qemu-ovmf":
            width, height, pixels = picture.read_ppm(ppm.read_bytes())
            self.picture_text(width, height, [int.from_bytes(pixels[i:i + 3], "big")
                                              for i in range(0, len(pixels), 3)])
        elif raw.exists():
            self.screen_text(raw.read_bytes())

    def screen_text(self, cells):
        chars = cells[::2].decode("cp437").replace("\0", " ")
        # Full lines go on in the next one: long messages stay in one piece.
        rows = [chars[i:i + 80].rstrip() for i in range(0, 2000, 80)]
        (self.dir / "screen.log").write_text(
            "".join(row + ("" if len(row) == 80 else "\n") for row in rows))
        (self.dir / "colour.log").write_text("".join(
            f"{attribute:x}\n" for attribute in cells[1:4000:160]))
        ours = next((i for i, row in enumerate(rows) if BANNER in row), 0)  # GRUB's are above
        self.picture_rows = rows[ours:], 80

    # --- judging ---------------------------------------------------------------------------------

    def judge(self):
        if self.row.get("panic") != "yes" and PANIC in self.text("com1") + self.text("com2"):
            self.problems.append("the hypervisor panicked")
        for line in lines(self.row.get("expect")):
            where, _, pattern = line.partition(" ")
            found = re.search(pattern, self.text(where.lstrip("!")), re.M)
            if where.startswith("!") and found:
                self.problems.append(f"{where[1:]} must not say /{pattern}/: "
                                     f"{found[0].splitlines()[0]!r}")
            elif not where.startswith("!") and not found:
                self.problems.append(f"{where} does not say /{pattern}/")
        for name in self.row.get("check", "").split():
            self.problems += getattr(checks, name)(self)
        tap = self.row.get("tap", "yes" if self.row["image"].startswith("guest:") and
                           "end" not in self.row else "no")
        if tap == "yes":
            self.judge_tap()

    def judge_tap(self):
        text = self.text("com1").replace("\r", "")
        plan = re.search(r"^1\.\.(\d+)", text, re.M)
        rows = re.findall(r"^(ok|not ok) (\d+) - (\S+)(?: # (.*))?$", text, re.M)
        if not plan or int(plan[1]) != len(rows) or not rows:
            last = re.findall(r"^# run (\S+)", text, re.M)
            self.problems.append(f"TAP: planned {plan[1] if plan else 'nothing'}, saw {len(rows)} "
                                 f"results; last started: {last[-1] if last else 'none'}")
        allowed = [line.partition(": ") for key in ("skips", "usual_skips")
                   for line in lines(self.row.get(key))]
        for verdict, _, test, note in rows:
            name = f"run:{self.name}/{test}"
            if verdict == "not ok":
                results.record(name, "fail", note)
                self.problems.append(f"{test}: {note}")
            elif note.startswith("SKIP"):
                if any(re.fullmatch(pattern.removeprefix("~"),
                                    note[5:] if pattern.startswith("~") else test)
                       for pattern, _, _ in allowed):
                    results.record(name, "skip", note[5:], quiet=True)
                else:
                    results.record(name, "fail", f"skipped without a reason in the table: {note}")
                    self.problems.append(f"{test}: skipped, and the table gives no reason")
            else:
                results.record(name, "pass", quiet=True)

    def logs(self):
        out = []
        for name in ("com1.log", "com2.log", "emulator.out"):
            path = self.dir / name
            if path.exists() and path.stat().st_size:
                out.append(f"--- {path.relative_to(results.ROOT)}")
                text = path.read_bytes().decode(errors="replace")
                out += [line[:160] for line in text.splitlines() if not NOISE.match(line)][-40:]
        return out


def run_row(name, row):
    if "skip" in row:
        results.record(f"run:{name}", "skip", row["skip"])
        return True
    run = Run(name, row)
    try:
        run.execute()
    except (RuntimeError, OSError, KeyError, ValueError) as err:
        run.problems.append(f"{type(err).__name__}: {err}")
    took = f"{time.monotonic() - run.started:.0f} s"
    if run.problems:
        results.record(f"run:{name}", "fail", "\n".join([*run.problems, *run.logs()]))
        return False
    for big in ("boot.iso", "disk.img", "disk2.img", "kernel.img", "initrd.img", "initrd"):
        (run.dir / big).unlink(missing_ok=True)
    results.record(f"run:{name}", "pass", took)
    return True


def load():
    try:
        return suites.load()
    except suites.SuiteError as err:
        sys.exit(str(err))


def names(when):
    return [f"run:{name}" for name, row in load().items() if when in ("all", row["when"])]


def arguments(argv):
    parser = argparse.ArgumentParser()
    parser.add_argument("--when", choices=("ci", "nightly", "all"), default="all")
    parser.add_argument("--names", action="store_true")
    parser.add_argument("pattern", nargs="?", default="")
    args = parser.parse_args(argv)
    args.pattern = "--names" if args.names else args.pattern
    return args


def main(argv):
    args = arguments(argv)
    rows = {name: row for name, row in load().items()
            if re.search(args.pattern, f"run:{name}") and args.when in ("all", row["when"])}
    if not rows:
        return 0
    jobs = int(os.environ.get("J", 2))
    version = (mkiso.LINUX.parent / "version").read_text().strip()
    print(f"  {len(rows)} rows, {jobs} at a time, in {RUNS.relative_to(results.ROOT)}; Linux rows: "
          f"{version}", flush=True)
    mkiso.mkinitrd()
    mkiso.data_file()
    # The long ones first: the short ones fill the gaps.
    order = sorted(rows, key=lambda n: -int(rows[n]["timeout"]))
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        done = list(pool.map(lambda name: run_row(name, rows[name]), order))
    return 0 if all(done) else 1


def command(argv):
    """As a program: what fits no row is a mistake."""
    given = arguments(argv)
    results.select(given.pattern, names(given.when), "tests/run/run.py")
    return main(argv)


if __name__ == "__main__":
    results.process(lambda: command(sys.argv[1:]))
