# SPDX-License-Identifier: Apache-2.0
"""memtool peek of structs, glibc's own by layout and any by debug information, and the commands chunk,
thread and reveal, in every format.

Needs at run time: memtool, tests/fixtures, MEMTOOL_BUILDDIR, libc6-dbg. Run it through
test_structs.sh.
"""
import csv
import io
import os
import re
import shutil
import subprocess
import tempfile
import unittest

from test_cli import Fixture, as_json, chunks_of, output, parse, run


def structs_of(pid, *words):
    return parse(output("peek", "--format=json", pid, *words))["structs"]


def fields_of(pid, *words):
    (one,) = structs_of(pid, *words)
    return {field["name"]: field for field in one["fields"]}


class Structs(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.fixture = Fixture("structs")
        cls.pid = cls.fixture.pid

    @classmethod
    def tearDownClass(cls):
        assert cls.fixture.close()

    def fails(self, status, message, *words):
        result = run("peek", self.pid, *words)
        self.assertEqual((result.returncode, result.stdout), (status, b""), words)
        self.assertIn(message, result.stderr.decode().splitlines()[0])

    def test_members(self):
        (one,) = structs_of(self.pid, "struct", "sample", "sample")
        self.assertTrue(one["module"].endswith("/structs"))
        self.assertFalse(one["cut"])
        values = {field["name"]: field["value"] for field in one["fields"]}
        many = {f"many[{i}]": i for i in range(16)}
        self.assertEqual(values, {
            "pairs[0].first": 1, "pairs[0].name": "one", "pairs[1].first": -2,
            "pairs[1].name": "two", "low": 5, "middle": 4097, "negative": -3, "wide": "1.5",
            "narrow": "-2.25", "yes": True, "text": values["text"], "self": values["self"], **many,
            "many[16...99]": b"".join(i.to_bytes(4, "little") for i in range(16, 100)).hex(),
            "number.whole": 77, "number.part": values["number.part"], "inner": 9,
            "matrix[0]": 1, "matrix[1]": 2, "matrix[2]": 3, "matrix[3]": 4, "matrix[4]": 5,
            "matrix[5]": 6, "function": values["function"], "bytes[0]": 0, "bytes[1]": 255,
            "bytes[2]": 1, "bytes[3]": 2, "incomplete": "0x0"})

    def test_places_and_types(self):
        fields = fields_of(self.pid, "struct", "sample", "sample")
        self.assertEqual((fields["pairs[1].name"]["offset"], fields["pairs[1].name"]["size"]),
                         (16, 12))
        self.assertEqual((fields["low"]["bits"], fields["low"]["first_bit"]), (3, 0))
        self.assertEqual((fields["middle"]["bits"], fields["middle"]["first_bit"]), (13, 3))
        self.assertEqual(fields["number.whole"]["offset"], fields["number.part"]["offset"])
        self.assertEqual(fields["text"]["type"], "const char *")
        self.assertEqual(fields["self"]["type"], "struct sample *")
        self.assertEqual(fields["incomplete"]["type"], "struct incomplete *")
        self.assertEqual(fields["pairs[0].name"]["type"], "char[12]")

    def test_pointers(self):
        fields = fields_of(self.pid, "struct", "sample", "sample")
        self.assertRegex(fields["text"]["to"], r'/structs\+\d+ "hello"$')
        self.assertRegex(fields["self"]["to"], r"^chunk 0x[0-9a-f]+\+16 in-use 48$")
        self.assertEqual(fields["function"]["to"], "wait_for_end")
        self.assertIsNone(fields["incomplete"]["to"])

    def test_typedef(self):
        self.assertEqual(fields_of(self.pid, "struct", "only_typedef", "only")["value"]["value"], -7)

    def test_union(self):
        fields = fields_of(self.pid, "struct", "number", "sample")
        self.assertEqual(list(fields), ["whole", "part"])

    def test_of_another_module(self):
        (one,) = structs_of(self.pid, "struct", "malloc_par", "mp_")
        self.assertIn("libc", one["module"])
        self.assertEqual({field["name"]: field["value"] for field in one["fields"]}["n_mmaps_max"],
                         65536)

    def test_known_as_debug_information_has_them(self):
        for known, name, place in (("malloc_state", "malloc_state", "main_arena"),
                                   ("malloc_par", "malloc_par", "mp_"),
                                   ("r_debug", "r_debug", "_r_debug"),
                                   ("malloc_chunk", "malloc_chunk", "main_arena")):
            full = fields_of(self.pid, "struct", name, place)
            for field in fields_of(self.pid, known, place).values():
                if field["name"] in full:
                    self.assertEqual([field[key] for key in ("offset", "size")],
                                     [full[field["name"]][key] for key in ("offset", "size")])
                else:
                    self.assertRegex(field["name"], r"\[\d+\]$")  # beyond those shown

    def test_heap_structs(self):
        tcache = [one for one in chunks_of(self.pid) if one["state"] == "tcache-struct"][0]
        fields = fields_of(self.pid, "tcache", tcache["user"])
        self.assertEqual(len(fields), 2 * 64)
        self.assertEqual(fields["entries[63]"]["offset"] + 8, tcache["usable"] - 8)
        arena = fields_of(self.pid, "malloc_state", "main_arena")
        self.assertEqual(arena["next"]["to"], "main_arena.mutex")
        self.assertRegex(arena["top"]["to"], r"^chunk 0x[0-9a-f]+ top \d+$")
        self.assertEqual(arena["bins[0]"]["to"], "main_arena.top")

    def test_tcb(self):
        (thread,) = as_json("threads", self.pid)["threads"]
        for words in [], ["--thread", self.pid]:
            (one,) = structs_of(self.pid, *words, "tcbhead")
            self.assertEqual((one["thread"], one["address"]), (self.pid, thread["fs_base"]))
            fields = {field["name"]: field["value"] for field in one["fields"]}
            self.assertEqual((fields["tcb"], fields["self"]), (thread["fs_base"],) * 2)
            self.assertEqual(fields["tid"], self.pid)
            self.assertNotEqual(fields["stack_guard"], "0x0")
        self.fails(2, "has no thread 1 whose TCB is known", "--thread", "1", "tcbhead")

    def test_link_map(self):
        first = fields_of(self.pid, "r_debug", "_r_debug")["r_map"]["value"]
        names = []
        while first != "0x0" and len(names) < 100:
            fields = fields_of(self.pid, "link_map", first)
            names.append(fields["l_name"]["to"])
            first = fields["l_next"]["value"]
        self.assertTrue(any(name and re.search(r'"/.*libc\.so\.6"$', name) for name in names), names)

    def test_formats(self):
        words = [self.pid, "struct", "sample", "sample"]
        (one,) = structs_of(*words)
        (line,) = output("peek", "--format=jsonl", *words).splitlines()
        self.assertEqual(parse(line), one)
        rows = list(csv.DictReader(io.StringIO(output("peek", "--format=csv", *words)), strict=True))
        self.assertEqual([row["field"] for row in rows], [field["name"] for field in one["fields"]])
        self.assertEqual([row["to"] or None for row in rows], [field["to"] for field in one["fields"]])
        text = output("peek", *words)
        self.assertEqual(len(text.splitlines()), 2 + len(rows))
        self.assertRegex(text, r"(?m)^ *16 +12 char\[12\] +pairs\[1\]\.name +\"two\"$")

    def test_partly_readable(self):
        """The last mapped bytes of the program's stack, and what is behind them."""
        with open(f"/proc/{self.pid}/maps", encoding="ascii") as maps:
            ends = [int(line.split()[0].split("-")[1], 16) for line in maps if "[stack]" in line]
        fields = fields_of(self.pid, "struct", "sample", hex(ends[0] - 32))
        self.assertIsNotNone(fields["pairs[0].first"]["value"])
        self.assertIsNone(fields["inner"]["value"])
        self.assertIn("not readable", output("peek", self.pid, "struct", "sample",
                                             hex(ends[0] - 32)))

    def test_refusals(self):
        self.fails(2, "defines a struct or union nothing", "struct", "nothing", "sample")
        self.fails(2, "defines a struct or union incomplete", "struct", "incomplete", "sample")
        self.fails(2, "nothing of the", "struct", "sample", "0")
        self.fails(2, "bytes fits at", "struct", "sample", str(2**64 - 8))
        self.fails(2, "no module of process", "malloc_par", "no_such_symbol")
        self.fails(64, "the struct's name is missing", "struct")
        self.fails(64, "an address is missing", "struct", "sample")
        self.fails(64, "an address is missing", "malloc_state")
        self.fails(64, "too many operands", "malloc_state", "main_arena", "8")
        self.fails(64, "--thread goes with tcbhead", "--thread", "1", "main", "8")
        self.fails(64, "--words does not go with a struct", "--words", "malloc_par", "mp_")

    def test_without_debug_information(self):
        bare = Fixture("structs", path=self.strip())
        try:
            result = run("peek", bare.pid, "struct", "sample", "0")
            self.assertEqual(result.returncode, 2)
        finally:
            self.assertTrue(bare.close())

    def strip(self):
        directory = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, directory)
        path = os.path.join(directory, "structs")
        with open(f"/proc/{self.pid}/exe", "rb") as source, open(path, "wb") as target:
            shutil.copyfileobj(source, target)
        os.chmod(path, 0o755)
        if not shutil.which("strip") or subprocess.run(["strip", path], check=False).returncode:
            self.skipTest("no strip(1)")
        return path


class ChunkThreadReveal(unittest.TestCase):
    """The commands on one chunk, one thread, one pointer."""

    @classmethod
    def setUpClass(cls):
        cls.fixture = Fixture("bins", "thread")
        cls.pid = cls.fixture.pid
        cls.chunks = chunks_of(cls.pid)

    @classmethod
    def tearDownClass(cls):
        assert cls.fixture.close()

    def test_chunk(self):
        states = set()
        for chunk in self.chunks:
            if chunk["state"] in states:
                continue
            states.add(chunk["state"])
            inside = hex(int(chunk["address"], 16) + chunk["size"] - 1)
            found = parse(output("chunk", "--format=json", "--length=16", self.pid, inside))
            (line,) = output("chunk", "--format=jsonl", "--length=16", self.pid, inside).splitlines()
            self.assertEqual(parse(line), found)
            (row,) = csv.DictReader(io.StringIO(
                output("chunk", "--format=csv", "--length=16", self.pid, inside)), strict=True)
            header, data = found.pop("header"), found.pop("bytes")
            self.assertEqual(row["bytes"], data)
            self.assertEqual(len(data), 2 * min(16, chunk["usable"]))
            self.assertEqual(found, {"pid": self.pid, **chunk})
            if chunk["state"] in ("malloc-state", "heap-info"):
                self.assertIsNone(header)
            elif chunk["state"] != "fencepost":
                self.assertEqual(int(header["size"], 16) & ~7, chunk["size"])
                self.assertEqual(header["prev_inuse"], bool(int(header["size"], 16) & 1))
        self.assertGreaterEqual(states, {"in-use", "tcache", "largebin", "top", "tcache-struct"})

    def test_chunk_text(self):
        chunk = [one for one in self.chunks if one["usable"] > 600][0]
        text = output("chunk", self.pid, chunk["user"])
        self.assertIn(f"chunk      {chunk['address']}\nstate      {chunk['state']}\n", text)
        self.assertEqual(text.count("  |"), 16)
        self.assertTrue(text.endswith(f"\n{chunk['usable'] - 256} bytes more\n"))
        text = output("chunk", "-l", "1M", self.pid, chunk["user"])
        self.assertEqual(text.count("  |"), (chunk["usable"] + 15) // 16)

    def test_no_chunk(self):
        result = run("chunk", self.pid, "0")
        self.assertEqual((result.returncode, result.stdout), (2, b""))
        self.assertIn(b"contains 0x0", result.stderr)
        for words in ["chunk", self.pid], ["chunk", self.pid, "1", "2"], ["chunk", self.pid, "0x"]:
            self.assertEqual(run(*words).returncode, 64, words)

    def test_thread(self):
        for thread in as_json("threads", self.pid)["threads"]:
            found = parse(output("thread", "--format=json", self.pid, thread["tid"]))
            self.assertEqual(found["thread"], thread)
            expected = [one for one in self.chunks if one.get("thread") == thread["tid"] or
                        (one["arena"] is not None and one["arena"] == thread["arena"])]
            self.assertEqual(found["chunks"], expected)
            lines = output("thread", "--format=jsonl", self.pid, thread["tid"]).splitlines()
            self.assertEqual([parse(line) for line in lines], expected)
            rows = list(csv.DictReader(io.StringIO(
                output("thread", "--format=csv", self.pid, thread["tid"])), strict=True))
            self.assertEqual([row["address"] for row in rows],
                             [one["address"] for one in expected])
            text = output("thread", self.pid, thread["tid"]).splitlines()
            self.assertEqual(len(text), 2 + 1 + 1 + len(expected))

    def test_no_thread(self):
        self.assertIn(b"has no thread 1", run("thread", self.pid, "1").stderr)
        self.assertEqual(run("thread", self.pid, "1").returncode, 2)
        for words in [], ["x"], ["0"], ["1", "2"]:
            self.assertEqual(run("thread", self.pid, *words).returncode, 64, words)

    def test_reveal(self):
        lists = [one for one in as_json("bins", self.pid)["lists"] if one["kind"] == "tcache"]
        users = [one["user"] for one in self.chunks if one["state"] == "tcache"]
        self.assertTrue(lists and users)
        found = parse(output("reveal", "--format=json", self.pid, *users))["pointers"]
        ends = [one for one in found if one["revealed"] == "0x0"]
        self.assertEqual(len(ends), len(lists))
        for one in found:
            self.assertEqual(int(one["stored"], 16),
                             int(one["revealed"], 16) ^ int(one["address"], 16) >> 12)
            if one not in ends:
                self.assertIn(one["revealed"], users)
                self.assertRegex(one["to"], r"^chunk 0x[0-9a-f]+\+16 tcache \d+$")
        lines = output("reveal", "--format=jsonl", self.pid, *users).splitlines()
        self.assertEqual([parse(line) for line in lines], found)
        rows = list(csv.DictReader(io.StringIO(
            output("reveal", "--format=csv", self.pid, *users)), strict=True))
        self.assertEqual([row["revealed"] for row in rows], [one["revealed"] for one in found])
        text = output("reveal", self.pid, ends[0]["address"])
        self.assertTrue(text.endswith("the end of a list\n"), text)
        self.assertEqual(run("reveal", self.pid, "8").returncode, 2)
        self.assertEqual(run("reveal", self.pid).returncode, 64)


if __name__ == "__main__":
    unittest.main()
