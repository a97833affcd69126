# SPDX-License-Identifier: Apache-2.0
"""What the command promises to programs: every format parses, has the fields that DESIGN names,
filters filter, and all commands tell the same of a process at rest.

Needs at run time: memtool, tests/fixtures, MEMTOOL_BUILDDIR. Run it through test_cli.sh.
"""
import csv
import io
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import unittest

BUILD = os.environ.get("MEMTOOL_BUILDDIR", ".")
MEMTOOL = os.environ.get("MEMTOOL_COMMAND", os.path.join(BUILD, "memtool"))
COMMANDS = ["heap", "chunks", "arenas", "bins", "threads", "info", "maps", "modules"]
STATES = ["in-use", "mmapped", "tcache", "fastbin", "unsorted", "smallbin", "largebin", "unlisted",
          "top", "fencepost", "malloc-state", "heap-info", "tcache-struct"]
LISTED = ["tcache", "fastbin", "unsorted", "smallbin", "largebin"]
BARE = ["malloc-state", "heap-info"]
PATIENCE_S = 60

signal.alarm(600)  # ends this program, and with it (through their input) all that it started


class Fixture:
    """A program of tests/fixtures that has come to rest."""

    def __init__(self, *words, path=None):
        self.process = subprocess.Popen(
            [path or os.path.join(BUILD, "tests/fixtures", words[0]), *words[1:]],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.pid = self.process.pid
        self.lines = []
        for line in self.process.stdout:
            self.lines.append(line.decode().split())
            if self.lines[-1] == ["ready"]:
                return
        raise AssertionError(f"{words} ended before it was ready")

    def close(self):
        """True if it was not harmed: it sees the end of its input and exits."""
        self.process.stdin.close()
        try:
            status = self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = self.process.wait()
        self.process.stdout.close()
        return status == 0


def run(*words):
    return subprocess.run([MEMTOOL, *map(str, words)], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, timeout=PATIENCE_S)


def output(*words):
    result = run(*words)
    if result.returncode != 0:
        raise AssertionError(f"{words}: exit status {result.returncode}: {result.stderr.decode()}")
    return result.stdout.decode()


def without_duplicates(pairs):
    keys = [key for key, _ in pairs]
    assert len(keys) == len(set(keys)), f"a key stands twice in {keys}"
    return dict(pairs)


def refuse_constant(text):
    raise AssertionError(f"{text} is not JSON")


def parse(text):
    return json.loads(text, object_pairs_hook=without_duplicates, parse_constant=refuse_constant)


def as_json(command, pid, *options):
    return parse(output(command, "--format=json", *options, pid))


def as_jsonl(command, pid, *options):
    return [parse(line) for line in
            output(command, "--format=jsonl", *options, pid).splitlines()]


def as_csv(command, pid, *options):
    text = output(command, "--format=csv", *options, pid)
    return list(csv.DictReader(io.StringIO(text), strict=True))


def chunks_of(pid, *options):
    return as_json("chunks", pid, *options)["chunks"]


def count_states(chunks):
    return {state: sum(chunk["state"] == state for chunk in chunks) for state in STATES}


FIXTURES = [("empty",), ("pattern", "fastbin", "3"), ("bins", "thread"), ("mmapped", "thread"),
            ("multi_heap", "30"), ("ended", "3"), ("cross",), ("many", "50"), ("brk", "blocked")]


def on_every_fixture(test):
    def test_each(self):
        for words in FIXTURES:
            with self.subTest(" ".join(words)):
                fixture = Fixture(*words)
                try:
                    test(self, fixture)
                finally:
                    self.assertTrue(fixture.close())
    return test_each


class AtRest(unittest.TestCase):
    @on_every_fixture
    def test_formats_parse(self, fixture):
        for command in COMMANDS:
            self.assertIsInstance(as_json(command, fixture.pid), dict)
            objects = as_jsonl(command, fixture.pid)
            rows = as_csv(command, fixture.pid)
            self.assertTrue(all(isinstance(one, dict) for one in objects), command)
            self.assertEqual(len(objects), len(rows), command)
            for row in rows:
                self.assertNotIn(None, row, f"{command}: a row longer than the header")
                self.assertNotIn(None, row.values(), f"{command}: a row too short")

    @on_every_fixture
    def test_text(self, fixture):
        for command in COMMANDS:
            text = output(command, fixture.pid)
            if command != "bins":  # there may be none
                self.assertTrue(text.strip(), command)
            self.assertNotIn("\x1b", text, f"{command}: colour without a terminal")
        rows = [line for line in output("chunks", fixture.pid).splitlines() if "0x" in line]
        self.assertEqual(len(rows), len(chunks_of(fixture.pid)))

    @on_every_fixture
    def test_chunk_fields(self, fixture):
        last = 0
        for chunk in chunks_of(fixture.pid):
            self.check_chunk(chunk)
            self.assertGreaterEqual(int(chunk["address"], 16), last)
            last = int(chunk["address"], 16) + chunk["size"]

    def check_chunk(self, chunk):
        self.assertLessEqual(set(chunk), {"address", "user", "size", "usable", "state", "arena",
                                          "thread", "bin"})
        for key in "address", "user":
            self.assertRegex(chunk[key], r"^0x[0-9a-f]+$")
        header = 0 if chunk["state"] in BARE else 16
        self.assertEqual(int(chunk["user"], 16), int(chunk["address"], 16) + header)
        self.assertIs(type(chunk["size"]), int)
        self.assertIs(type(chunk["usable"]), int)
        self.assertIn(chunk["state"], STATES)
        if chunk["state"] == "mmapped":
            self.assertIsNone(chunk.get("arena"))
            self.assertEqual(chunk["usable"], chunk["size"] - 16)
        else:
            self.assertIs(type(chunk["arena"]), int)
        if chunk["state"] in ["in-use", *LISTED]:
            self.assertEqual(chunk["usable"], chunk["size"] - 8)
        self.assertEqual("bin" in chunk, chunk["state"] in LISTED)
        self.assertEqual("thread" in chunk, chunk["state"] in ["tcache", "tcache-struct"])
        if chunk["state"] == "tcache":
            self.assertEqual(chunk["bin"], (chunk["size"] - 32) // 16)

    @on_every_fixture
    def test_formats_agree(self, fixture):
        chunks = chunks_of(fixture.pid)
        self.assertEqual(chunks, as_jsonl("chunks", fixture.pid))
        rows = as_csv("chunks", fixture.pid)
        texts = [{key: "" if chunk.get(key) is None else str(chunk[key]) for key in row}
                 for row, chunk in zip(rows, chunks)]
        self.assertEqual(rows, texts)

    @on_every_fixture
    def test_chunks_are_the_truth(self, fixture):
        chunks = {int(chunk["user"], 16): chunk for chunk in chunks_of(fixture.pid)}
        named = set()
        for line in fixture.lines:
            if line[0] != "chunk":
                continue
            _, state, user, usable, tid = line
            chunk = chunks[int(user, 16)]
            self.assertEqual((chunk["state"], chunk["usable"]), (state, int(usable)))
            self.assertEqual(chunk.get("thread", 0), int(tid))
            named.add(int(user, 16))
        rest = {chunk["state"] for user, chunk in chunks.items() if user not in named}
        self.assertFalse(rest & {"in-use", "mmapped", "unlisted", *LISTED})

    @on_every_fixture
    def test_filters(self, fixture):
        every = chunks_of(fixture.pid)
        sizes = sorted(chunk["size"] for chunk in every) or [64]
        low, high = sizes[len(sizes) // 3], sizes[len(sizes) * 2 // 3]
        arenas = {chunk["arena"] for chunk in every if chunk.get("arena") is not None}
        cases = [([f"--min-size={low}"], lambda c: c["size"] >= low),
                 ([f"--max-size={high}"], lambda c: c["size"] <= high),
                 ([f"--min-size={low}", f"--max-size={high}"],
                  lambda c: low <= c["size"] <= high),
                 (["--min-size=1K"], lambda c: c["size"] >= 1024),
                 (["--state=in-use,mmapped", f"--max-size={high}"],
                  lambda c: c["state"] in ("in-use", "mmapped") and c["size"] <= high)]
        for state in STATES:
            cases.append(([f"--state={state}"], lambda c, s=state: c["state"] == s))
        for arena in arenas:
            cases.append(([f"--arena={arena}"], lambda c, a=arena: c.get("arena") == a))
        for options, keep in cases:
            self.assertEqual(chunks_of(fixture.pid, *options), list(filter(keep, every)),
                             options)
        for limit in 0, 1, 5, len(every), len(every) + 1:
            self.assertEqual(chunks_of(fixture.pid, f"--limit={limit}"), every[:limit])
        self.assertEqual(chunks_of(fixture.pid, "--state=tcache", "--limit=2"),
                         [c for c in every if c["state"] == "tcache"][:2])

    @on_every_fixture
    def test_counts_agree(self, fixture):
        chunks = chunks_of(fixture.pid)
        counted = count_states(chunks)
        heap = as_json("heap", fixture.pid)
        arenas = as_json("arenas", fixture.pid)["arenas"]
        info = as_json("info", fixture.pid)
        for state in STATES:
            self.assertEqual(heap["totals"][state]["count"], counted[state], state)
            self.assertEqual(heap["totals"][state]["bytes"],
                             sum(c["size"] for c in chunks if c["state"] == state), state)
            if state != "mmapped":
                self.assertEqual(sum(a["states"][state]["count"] for a in arenas),
                                 counted[state], state)
        self.assertEqual(info["chunks"], len(chunks))
        self.assertEqual(info["arenas"], len(arenas))
        self.assertEqual(sum(one["count"] for one in as_jsonl("heap", fixture.pid)),
                         len(chunks))
        for line in fixture.lines:
            if line[0] == "mallinfo2":
                names = ["arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks",
                         "uordblks", "fordblks", "keepcost"]
                self.assertEqual([heap["mallinfo"][name] for name in names],
                                 [int(number) for number in line[1:]])

    @on_every_fixture
    def test_bins(self, fixture):
        chunks = {chunk["address"]: chunk for chunk in chunks_of(fixture.pid)}
        in_lists = []
        for one in as_json("bins", fixture.pid)["lists"]:
            self.assertEqual(one["count"], len(one["chunks"]))
            self.assertEqual(one["bytes"], sum(chunks[a]["size"] for a in one["chunks"]))
            for address in one["chunks"]:
                chunk = chunks[address]
                self.assertEqual((chunk["state"], chunk["bin"]), (one["kind"], one["bin"]))
                owner = "thread" if one["kind"] == "tcache" else "arena"
                self.assertEqual(chunk[owner], one[owner])
            in_lists += one["chunks"]
        self.assertEqual(len(in_lists), len(set(in_lists)), "a chunk is in two lists")
        self.assertEqual(set(in_lists), {a for a, c in chunks.items() if c["state"] in LISTED})

    @on_every_fixture
    def test_threads(self, fixture):
        chunks = chunks_of(fixture.pid)
        threads = as_json("threads", fixture.pid)["threads"]
        said = {int(line[1]) for line in fixture.lines if line[0] in ("thread", "idle")}
        self.assertEqual({thread["tid"] for thread in threads}, said)
        self.assertEqual(as_json("info", fixture.pid)["threads"], len(threads))
        for thread in threads:
            mine = [c for c in chunks
                    if c["state"] == "tcache" and c["thread"] == thread["tid"]]
            self.assertEqual(thread["tcached"], {"count": len(mine),
                                                 "bytes": sum(c["size"] for c in mine)})
            structs = [c["user"] for c in chunks if c["state"] == "tcache-struct" and
                       c["thread"] == thread["tid"]]
            idle = ["idle", str(thread["tid"])] in fixture.lines
            self.assertEqual(structs, [] if idle else [thread["tcache"]])

    @on_every_fixture
    def test_info(self, fixture):
        info = as_json("info", fixture.pid)
        self.assertLessEqual({"pid", "glibc", "source", "layout", "threads", "arenas",
                              "chunks", "stopped_ms", "audit"}, set(info))
        self.assertEqual(info["pid"], fixture.pid)
        self.assertRegex(info["glibc"], r"^2\.\d\d$")
        self.assertIn(info["source"], ["inventory", "symbols", "structure"])
        self.assertIn(info["layout"], ["table", "dwarf"])
        self.assertGreater(info["stopped_ms"], 0)
        self.assertIs(info["audit"]["ok"], True)
        self.assertEqual(info["audit"]["findings"], [])


class Options(unittest.TestCase):
    def setUp(self):
        self.fixture = Fixture("bins", "thread")

    def tearDown(self):
        self.assertTrue(self.fixture.close())

    def test_output_file(self):
        with tempfile.TemporaryDirectory() as place:
            path = os.path.join(place, "chunks")
            result = run("chunks", "--format=csv", f"--output={path}", self.fixture.pid)
            self.assertEqual((result.returncode, result.stdout), (0, b""))
            with open(path, encoding="ascii") as file:
                self.assertEqual(file.read(), output("chunks", "--format=csv", self.fixture.pid))

    def test_layouts_and_sources_agree(self):
        every = chunks_of(self.fixture.pid)
        for option in "--layout=table", "--layout=dwarf", "--source=symbols", "--source=auto":
            self.assertEqual(chunks_of(self.fixture.pid, option), every, option)
        for layout in "table", "dwarf":
            info = as_json("info", self.fixture.pid, f"--layout={layout}")
            self.assertEqual(info["layout"], layout)

    def test_quiet(self):
        for command in COMMANDS:
            result = run(command, "--quiet", self.fixture.pid)
            self.assertEqual((result.returncode, result.stderr), (0, b""), command)

    def test_thread_id_as_target(self):
        tids = [int(tid) for tid in os.listdir(f"/proc/{self.fixture.pid}/task")]
        self.assertEqual(len(tids), 2)
        for tid in tids:
            self.assertEqual(as_json("info", tid)["pid"], self.fixture.pid)

    def test_repeatable(self):
        first = output("chunks", "--format=jsonl", self.fixture.pid)
        for _ in range(5):
            self.assertEqual(output("chunks", "--format=jsonl", self.fixture.pid), first)


class HostileName(unittest.TestCase):
    """A program's name is the program's: any bytes, which must not reach a terminal or break JSON."""

    NAMES = [b'a"b\\c', b"x\ny,z", b"\x1b[31mred", b"\xff\xfe\xc3", "na\u00efve".encode(), b"''`$(id)"]

    def test_names(self):
        source = os.path.join(BUILD, "tests/fixtures/pattern")
        for name in self.NAMES:
            with self.subTest(name), tempfile.TemporaryDirectory() as place:
                path = os.path.join(os.fsencode(place), name)
                shutil.copy(source, path)
                fixture = Fixture("pattern", "tcache", "1", path=path)
                try:
                    self.check(fixture.pid)
                finally:
                    self.assertTrue(fixture.close())

    def check(self, pid):
        for command in COMMANDS:
            as_json(command, pid)
            self.assertEqual(len(as_jsonl(command, pid)), len(as_csv(command, pid)))
            self.assertFalse(re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", output(command, pid)),
                             f"{command}: a control character in text")
        for thread in as_json("threads", pid)["threads"]:
            self.assertTrue(thread["name"])

    def test_encoding(self):
        """Text is in the locale's encoding; what that has no character for, is told as bytes."""
        source = os.path.join(BUILD, "tests/fixtures/pattern")
        with tempfile.TemporaryDirectory() as place:
            path = os.path.join(place, "na\u00efve")
            shutil.copy(source, path)
            fixture = Fixture("pattern", "tcache", "1", path=path)
            try:
                for locale, shown in [("C.UTF-8", "na\u00efve"), ("C", "na\\xc3\\xafve")]:
                    for command in ["info", "threads"]:
                        result = subprocess.run(
                            [MEMTOOL, command, str(fixture.pid)], stdout=subprocess.PIPE,
                            env={**os.environ, "LC_ALL": locale}, timeout=PATIENCE_S)
                        self.assertIn(shown, result.stdout.decode(), f"{command} in {locale}")
            finally:
                self.assertTrue(fixture.close())


if __name__ == "__main__":
    unittest.main()
