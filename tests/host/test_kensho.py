# SPDX-License-Identifier: BSD-2-Clause
"""tools/kensho and tools/trace.py: what they make of a log, number by number."""

import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

TOOLS = pathlib.Path(__file__).resolve().parent.parent.parent / "tools"
sys.path.insert(0, str(TOOLS))
import columns  # noqa: E402
import trace  # noqa: E402

FIRST = """starting the guest: COM1 and the screen are its own from here on
counters: asked for on COM2
dump 1: tsc=3000000000 tsc_hz=1000000000 seconds=2.000000 dumping=0.000000 pieces=1
exit vp0 cpuid 100
exit vp0 hlt 10
exit vp1 cpuid 50
counter vp0 EOI 7
gauge vp0 halt_poll_ns 50000
time vp0 cpuid 100 200000 1000 9000
dump 1: took=0.500000
counters: end
"""
# 4.5 s later, 0.5 s of which VP 0 printed the first dump: 4 s of its own.
SECOND = """counters: periodic
dump 2: tsc=7500000000 tsc_hz=1000000000 seconds=6.500000 dumping=0.500000 pieces=21
exit vp0 cpuid 500
exit vp0 hlt 10
exit vp1 cpuid 95
counter vp0 EOI 7
counter vp1 EOI 9
gauge vp0 halt_poll_ns 0
time vp0 cpuid 500 1000000 1500 8000
time vp1 cpuid 45 450000 500 20000
dump 2: took=0.010000
counters: end
"""
THIRD = SECOND.replace("dump 2", "dump 3").replace("seconds=6.500000", "seconds=7.500000") \
    .replace("exit vp1 cpuid 95", "exit vp1 cpuid 96") \
    .replace("time vp1 cpuid 45 450000 500 20000", "time vp1 cpuid 46 450100 100 100")

EXITS = """TSC: CPUID says 1000000 kHz, using 1000000 kHz
trace vp0 1000 EXIT 1e 400000 10
trace vp0 3000 ENTRY 0 0 0
trace vp0 4000 EXIT 20 400010 6e0
trace vp1 5000 EXIT 0 400000 ec
trace vp0 5000 STOLEN 3 1f4 0
trace vp0 6000 ENTRY 2 800000ec 0
trace vp0 7000 EXIT 1f 400020 10
trace vp0 8000 ENTRY 0 0 0
trace vp0 9000 EXIT a 400030 300000007
trace vp0 9500 NMI 0 0 0
trace vp0 10000 ENTRY 0 0 0
trace vp0 10100 EXIT 48001e 400040 3f8
trace vp0 10400 ENTRY 0 0 0
trace vp0 11000 EXIT 1820030 400050 fee00300
"""


class KenshoTest(unittest.TestCase):
    def run_tool(self, tool, *words, log="", status=0):
        done = subprocess.run([str(TOOLS / tool), *words], input=log, text=True, timeout=60,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertEqual(done.returncode, status, done.stderr)
        self.assertNotIn("Traceback", done.stderr)
        return done.stderr if status else done.stdout

    def stat(self, log, *words):
        return self.run_tool("kensho", "stat", *words, log=log)

    def data(self, log, *words):
        return json.loads(self.stat(log, "--json", *words))

    def test_kensho_rates_between_two_dumps(self):
        one, = self.data(FIRST + SECOND)
        self.assertEqual((one["from"], one["to"], one["seconds"]), (1, 2, 4.5))
        cpuid = one["exits"]["cpuid"]
        self.assertEqual(cpuid["count"], 400 + 45)
        self.assertAlmostEqual(cpuid["per_second"], 400 / 4 + 45 / 4.5)
        self.assertAlmostEqual(cpuid["seconds"], (800000 + 450000) / 1e9)
        self.assertAlmostEqual(cpuid["mean"], 1250000 / 445 / 1e9)
        self.assertAlmostEqual(cpuid["min"], 500 / 1e9)
        self.assertAlmostEqual(cpuid["max"], 20000 / 1e9)
        self.assertNotIn("hlt", one["exits"])       # it did not happen meanwhile
        self.assertEqual(one["counters"], {"EOI": {"count": 9, "per_second": 2.0}})
        self.assertEqual(one["gauges"], {"vp0 halt_poll_ns": 0})

    def test_kensho_dumps_are_apart(self):
        one, = self.data(FIRST + SECOND)
        self.assertEqual((one["dumping"], one["pieces"]), (0.5, 20))
        self.assertIn("Dumps took VP 0's CPU for 500 ms of it, in 20 pieces",
                      self.stat(FIRST + SECOND))

    def test_kensho_one_dump(self):
        text = self.stat(FIRST)
        self.assertRegex(text, r"From the guest's start to dump 1 at 2\.000 s")
        self.assertRegex(text, r"(?m)^cpuid +150 +75\.0 ")
        self.assertIn("Only one dump: for the rates of a while press c again", text)

    def test_kensho_chooses(self):
        log = FIRST + SECOND + THIRD
        self.assertEqual([(i["from"], i["to"]) for i in self.data(log)], [(2, 3)])
        self.assertEqual([(i["from"], i["to"]) for i in self.data(log, "--each")],
                         [(0, 1), (1, 2), (2, 3)])
        wide, = self.data(log, "--from", "1", "--to", "3")
        self.assertEqual(wide["exits"]["cpuid"]["count"], 446)
        self.assertAlmostEqual(wide["exits"]["cpuid"]["min"], 1e-7)     # of the third dump
        self.assertAlmostEqual(wide["exits"]["cpuid"]["max"], 2e-5)     # of the second
        late, = self.data(log)
        self.assertAlmostEqual(late["exits"]["cpuid"]["max"], 1e-7)     # VP 0 had none since
        vp1, = self.data(FIRST + SECOND, "--vp", "1")
        self.assertEqual(vp1["exits"]["cpuid"]["count"], 45)
        self.assertIn("--vp 2: the log has VPs 0 to 1",
                      self.run_tool("kensho", "stat", "--vp", "2", log=FIRST, status=1))
        self.assertIn("--from 7: the log has dumps 1 to 3",
                      self.run_tool("kensho", "stat", "--from", "7", log=log, status=1))
        self.assertIn("must be the earlier one",
                      self.run_tool("kensho", "stat", "--from", "3", "--to", "1", log=log, status=1))

    def test_kensho_incomplete_and_older_dumps(self):
        cut = FIRST + SECOND[:SECOND.index("counter vp0")]
        self.assertIn("to dump 1 at", self.stat(cut))
        self.assertIn("to dump 2 at", self.stat(FIRST + SECOND[:SECOND.index("\ncounters: end")]))
        self.assertIn("to dump 1 at", self.stat(FIRST + SECOND + FIRST))    # started again
        for nothing in ("", SECOND[:SECOND.index("counter vp0")]):
            said = self.run_tool("kensho", "stat", log=nothing, status=1)
            self.assertRegex(said, r"^kensho: no complete dump .* press c on COM2 .*\n$")

    def test_kensho_says_what_times_need(self):
        log = "".join(line for line in FIRST.splitlines(True) if not line.startswith("time"))
        self.assertIn("No times of exits: boot with trace=exits", self.stat(log))
        self.assertNotIn("time %", self.stat(log))

    def test_trace_summary(self):
        text = self.run_tool("trace.py", "--summary", log=EXITS)
        self.assertEqual(text, self.run_tool("kensho", "trace", "--summary", log=EXITS))
        head = "exit           count     time  time %      min     mean      max\n"
        self.assertIn(head, text)
        rows = {line.split()[0]: line.split()[1:] for line in text.splitlines() if line}
        # Without the 500 ticks stolen meanwhile; 10 us of VP 0 and none of VP 1 were seen.
        self.assertEqual(rows["wrmsr"], "1 1.50 us 15.00% 1.50 us 1.50 us 1.50 us".split())
        self.assertEqual(rows["io"], "2 2.30 us 23.00% 300 ns 1.15 us 2.00 us".split())
        self.assertEqual(rows["ept-violation"], ["1", *"-----"])      # no entry seen
        self.assertEqual(rows["NMI"], ["1"])
        self.assertEqual(text.splitlines()[3].split()[0], "io")         # what takes most is first

    def test_trace_by_number(self):
        text = self.run_tool("trace.py", "--by", "number", log=EXITS)
        for words in ("rdmsr msr=0x10", "wrmsr msr=0x6e0", "cpuid leaf=0x7 subleaf=0x3",
                      "io port=0x3f8 in size=1", "exception-nmi vector=0xec",
                      "ept-violation gpa=0xfee00300 write"):
            self.assertRegex(text, rf"(?m)^{words} +1 ")

    def test_trace_lines(self):
        text = self.run_tool("trace.py", log=EXITS)
        self.assertIn("         3.000 us vp0 EXIT reason=wrmsr rip=0x400010 msr=0x6e0\n", text)
        self.assertIn("us vp0 STOLEN cause=flush ticks=500\n", text)
        self.assertIn("us vp0 ENTRY work=0x2 event=0x800000ec\n", text)
        self.assertNotIn("vp1", self.run_tool("trace.py", "--vp", "0", log=EXITS))

    def test_trace_json(self):
        with tempfile.TemporaryDirectory() as here:
            self.run_tool("trace.py", "--json", f"{here}/t.json", log=EXITS)
            events = json.loads(pathlib.Path(here, "t.json").read_text())["traceEvents"]
        bars = {e["name"]: e for e in events if e["ph"] == "X"}
        self.assertEqual(bars["wrmsr"]["args"], {"rip": "0x400010", "what": "msr=0x6e0"})
        self.assertEqual((bars["wrmsr"]["ts"], bars["wrmsr"]["dur"]), (3.0, 2.0))

    def test_kensho_closed_pipe_is_quiet(self):
        log = "".join(f"trace vp0 {1000 + i} NMI 0 0 0\n" for i in range(20000))
        for words in (["trace.py"], ["kensho", "trace"]):
            tool = subprocess.Popen([str(TOOLS / words[0]), *words[1:]], text=True,
                                    stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                    stderr=subprocess.PIPE)
            tool.stdout.close()
            _, said = tool.communicate(log, timeout=60)
            self.assertEqual((tool.returncode, said), (141, ""))

    def test_kensho_mistakes_are_one_line(self):
        for words in (("kensho", "stat", "/nonexistent"), ("trace.py", "/nonexistent")):
            said = self.run_tool(*words, status=1)
            self.assertRegex(said, r"^\S+: /nonexistent: No such file or directory\n$")
        self.assertEqual(self.run_tool("trace.py", "--json", "/nonexistent/t.json", log=EXITS, status=1),
                         "trace.py: --json /nonexistent/t.json: No such file or directory\n")
        self.assertIn("choose from 'stat', 'trace'",
                      self.run_tool("kensho", "stta", status=2))

    def test_kensho_help(self):
        for words in (("--help",), ("stat", "--help"), ("trace", "--help")):
            self.assertIn("usage: kensho", self.run_tool("kensho", *words))

    def test_trace_knows_the_sources(self):
        self.assertEqual(trace.exit_numbers()["ept-violation"], "gpa")
        self.assertEqual(trace.steal_causes()[-1], "dump")
        self.assertEqual(trace.tsc_hz("dump 4: tsc=7 tsc_hz=123 seconds=1"), 123)

    def test_columns(self):
        for seconds, text in ((0, "0 ns"), (1.234e-9, "1.23 ns"), (123.4e-6, "123 us"),
                              (0.0999, "99.9 ms"), (0.9999, "1.00 s"), (75.2, "75.2 s"),
                              (12345.0, "12345 s")):
            self.assertEqual(columns.duration(seconds), text)


if __name__ == "__main__":
    unittest.main()
