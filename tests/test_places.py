# SPDX-License-Identifier: Apache-2.0
"""The commands on addresses and symbols: address, symbol, peek, string, maps, modules. In every
format, against what tests/fixtures/tls says of itself, /proc, and ELF tools where there are any.

Needs at run time: memtool, tests/fixtures, MEMTOOL_BUILDDIR, libc6-dbg. Run it through
test_places.sh.
"""
import csv
import io
import os
import re
import subprocess
import unittest

from test_cli import BUILD, Fixture, as_json, chunks_of, output, parse, run

PLUGIN = os.path.join(BUILD, "tests/fixtures/.libs/tls_plugin.so")
TEXT = b'two\nlines \x1b[31m\\ "quoted"'


def as_json_of(command, *words):
    return parse(output(command, "--format=json", *words))


def as_jsonl_of(command, *words):
    return [parse(line) for line in output(command, "--format=jsonl", *words).splitlines()]


def as_csv_of(command, *words):
    text = output(command, "--format=csv", *words)
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


def tracer_of(pid):
    with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
        return int(re.search(r"^TracerPid:\s+(\d+)$", file.read(), re.M).group(1))


class Places(unittest.TestCase):
    """One program that has everything; it is at rest, so what is true of it stays true."""

    @classmethod
    def setUpClass(cls):
        cls.fixture = Fixture("tls", PLUGIN)
        cls.pid = cls.fixture.pid
        told = {line[0]: line[1] for line in cls.fixture.lines if len(line) == 2}
        cls.worker = int(told["worker-tid"])
        cls.at = {key: int(value, 16) for key, value in told.items() if "-tid" not in key}

    @classmethod
    def tearDownClass(cls):
        assert cls.fixture.close()

    def fails(self, status, message, *words):
        result = run(*words)
        self.assertEqual(result.returncode, status, words)
        self.assertEqual(result.stdout, b"", words)
        lines = result.stderr.decode().splitlines()
        self.assertIn(message, lines[0])
        if status == 2:
            self.assertEqual(len(lines), 1, lines)

    def whereabouts(self, address, *options):
        place = address if isinstance(address, str) else hex(address)
        return as_json_of("address", self.pid, *options, place)["addresses"][0]

    # symbol

    def symbols(self, *names):
        return as_json_of("symbol", self.pid, *names)["symbols"]

    def test_symbol(self):
        (symbol,) = self.symbols("tls_string")
        self.assertEqual(int(symbol["address"], 16), self.at["string"])
        self.assertEqual((symbol["type"], symbol["binding"], symbol["size"]),
                         ("object", "global", len(TEXT) + 1))
        self.assertIsNone(symbol["version"])
        self.assertTrue(symbol["module"].endswith("/tls"))

    def test_symbol_versions(self):
        found = {one["version"]: one for one in self.symbols("regexec")}
        self.assertEqual(set(found), {"GLIBC_2.2.5", "GLIBC_2.3.4"})
        self.assertTrue(found["GLIBC_2.3.4"]["default_version"])
        self.assertFalse(found["GLIBC_2.2.5"]["default_version"])
        self.assertEqual(self.symbols("regexec@GLIBC_2.2.5"), [found["GLIBC_2.2.5"]])
        text = output("symbol", self.pid, "regexec")
        self.assertIn("regexec@@GLIBC_2.3.4", text)
        self.assertIn("regexec@GLIBC_2.2.5", text)

    def test_symbol_ifunc(self):
        self.assertIn("ifunc", {one["type"] for one in self.symbols("memcpy")})

    def test_symbol_tls(self):
        for options in [], ["--no-stop"]:
            (symbol,) = self.symbols(*options, "tls_variable")
            self.assertEqual(symbol["type"], "tls")
            self.assertEqual({one["tid"]: int(one["address"], 16) for one in symbol["threads"]},
                             {self.pid: self.at["main"], self.worker: self.at["worker"]})
            (symbol,) = self.symbols(*options, "plugin_variable")
            self.assertEqual({one["tid"]: one["address"] for one in symbol["threads"]},
                             {self.pid: hex(self.at["plugin"]), self.worker: None})
        errnos = [one for one in self.symbols("errno") if "/libc" in one["module"]]
        self.assertEqual([int(one["address"], 16) for one in errnos[0]["threads"]],
                         [self.at["main-errno"], self.at["worker-errno"]])

    def test_symbol_formats(self):
        names = ["tls_variable", "regexec", "main_arena"]
        found = self.symbols(*names)
        self.assertEqual(as_jsonl_of("symbol", self.pid, *names), found)
        rows = as_csv_of("symbol", self.pid, *names)
        self.assertEqual(len(rows), 2 + 2 + 1)
        self.assertEqual({row["name"] for row in rows}, set(names))
        self.assertEqual({int(row["thread"]) for row in rows if row["thread"]},
                         {self.pid, self.worker})
        lines = output("symbol", self.pid, *names).splitlines()
        self.assertEqual(len(lines), 1 + len(rows))

    def test_symbol_missing(self):
        self.fails(2, "no module of process", "symbol", self.pid, "no_such_symbol")
        result = run("symbol", self.pid, "no_such_symbol", "tls_string", "nor_this")
        self.assertEqual(result.returncode, 2)
        self.assertIn(b"tls_string", result.stdout)
        self.assertEqual(len(result.stderr.splitlines()), 2)
        self.fails(64, "a symbol's name is missing", "symbol", self.pid)
        self.fails(64, "is not a process id", "symbol", "tls_string")
        self.fails(64, "a name is empty", "symbol", self.pid, "")

    # address

    def test_address_of_chunk(self):
        for chunk in chunks_of(self.pid):
            start, user = int(chunk["address"], 16), int(chunk["user"], 16)
            if start % 5:  # one in five is enough
                continue
            for offset in 0, 8, chunk["size"] - 1:
                found = self.whereabouts(start + offset)["chunk"]
                self.assertEqual(found.pop("offset"), offset)
                self.assertEqual(found.pop("user_offset"), start + offset - user)
                self.assertEqual(found, chunk)

    def test_address_of_block(self):
        found = self.whereabouts(self.at["block"] + 10)
        self.assertEqual(found["chunk"]["state"], "in-use")
        self.assertEqual(int(found["chunk"]["user"], 16), self.at["block"])
        self.assertEqual(found["chunk"]["user_offset"], 10)
        self.assertEqual(found["mapping"]["name"], "[heap]")
        text = output("address", self.pid, self.at["block"] - 4)
        self.assertRegex(text, rf"chunk +0x[0-9a-f]+\+12, user {hex(self.at['block'])}-4: in-use")

    def test_address_of_symbol(self):
        found = self.whereabouts(self.at["string"] + 3)
        self.assertEqual((found["symbol"]["name"], found["symbol"]["offset"]), ("tls_string", 3))
        self.assertTrue(found["module"]["name"].endswith("/tls"))
        self.assertIsNone(found["chunk"])
        self.assertEqual(self.whereabouts("tls_string+3"), found)
        self.assertEqual(self.whereabouts(str(self.at["string"] + 3)), found)
        self.assertEqual(self.whereabouts(f"{hex(self.at['string'])}+0x3"), found)

    def test_address_of_glibcs_structs(self):
        found = self.whereabouts("main_arena")
        self.assertEqual((found["symbol"]["name"], found["chunk"]["state"], found["field"]),
                         ("main_arena", "malloc-state", "main_arena.mutex"))
        fields = [self.whereabouts(f"main_arena+{offset}")["field"] for offset in range(0, 2200, 8)]
        self.assertEqual(fields.count(None), 0)
        self.assertEqual([field for field in fields if field.startswith("main_arena.bins")],
                         [f"main_arena.bins[{i}]" for i in range(254)])
        self.assertEqual(fields[-1], "main_arena.max_system_mem")
        tcache = [one for one in chunks_of(self.pid) if one["state"] == "tcache-struct"][0]
        self.assertEqual(self.whereabouts(int(tcache["user"], 16))["field"], "tcache.counts[0]")
        self.assertEqual(self.whereabouts(int(tcache["user"], 16) + tcache["usable"] - 16)["field"],
                         "tcache.entries[63]")
        self.assertIsNone(self.whereabouts(int(tcache["address"], 16))["field"])

    def test_address_of_thread(self):
        for who, tid in ("main", self.pid), ("worker", self.worker):
            stack = self.whereabouts(self.at[f"{who}-stack"])["thread"]
            self.assertEqual((stack["tid"], stack["part"]), (tid, "stack"))
            self.assertEqual(int(stack["sp"], 16) + stack["offset"], self.at[f"{who}-stack"])
            for name, address in ("tls_variable", self.at[who]), ("errno", self.at[f"{who}-errno"]):
                tls = self.whereabouts(address + 1)["thread"]
                self.assertEqual((tls["tid"], tls["part"]), (tid, "tls"))
                self.assertEqual((tls["symbol"]["name"], tls["symbol"]["offset"]), (name, 1))
        tls = self.whereabouts(self.at["plugin"])
        self.assertEqual(tls["thread"]["symbol"]["name"], "plugin_variable")
        self.assertEqual(tls["chunk"]["state"], "in-use")
        for thread in as_json("threads", self.pid)["threads"]:
            tcb = self.whereabouts(int(thread["fs_base"], 16) + 16)["thread"]
            self.assertEqual((tcb["tid"], tcb["part"], tcb["offset"]), (thread["tid"], "tcb", 16))

    def test_address_unmapped(self):
        self.assertEqual(self.whereabouts(0),
                         {"address": "0x0", "mapping": None, "module": None, "symbol": None,
                          "chunk": None, "field": None, "thread": None})
        self.assertEqual(output("address", self.pid, 0), "0x0\n  not mapped\n")
        self.assertIsNone(self.whereabouts(2**64 - 1)["mapping"])

    def test_address_formats(self):
        places = ["main", "main_arena+96", hex(self.at["block"]), "0", hex(self.at["worker"])]
        found = as_json_of("address", self.pid, *places)
        self.assertEqual(found["pid"], self.pid)
        self.assertIsNone(found["heap_missing"])
        self.assertGreater(found["stopped_ms"], 0)
        self.assertEqual(as_jsonl_of("address", self.pid, *places), found["addresses"])
        rows = as_csv_of("address", self.pid, *places)
        self.assertEqual([row["address"] for row in rows],
                         [one["address"] for one in found["addresses"]])
        self.assertEqual([row["symbol"] for row in rows], ["main", "main_arena", "", "", ""])
        self.assertEqual([row["state"] for row in rows], ["", "malloc-state", "in-use", "", ""])
        self.assertEqual([row["part"] for row in rows], ["", "", "", "", "tls"])

    def test_address_bad(self):
        self.fails(2, "no module of process", "address", self.pid, "no_such_symbol")
        self.fails(2, "is thread-local", "address", self.pid, "tls_variable")
        self.fails(64, "is not an address", "address", self.pid, "0xyz")
        self.fails(64, "is not an address", "address", self.pid, "1+")
        self.fails(64, "is not an address", "address", self.pid, "")
        self.fails(64, "is not an address", "address", self.pid, "0x10000000000000000")
        self.fails(64, "an address is missing", "address", self.pid)

    # peek

    def test_peek(self):
        data = as_json_of("peek", self.pid, "tls_string", len(TEXT))
        self.assertEqual(data["parts"], [{"address": hex(self.at["string"]), "length": len(TEXT),
                                          "bytes": TEXT.hex()}])
        self.assertEqual(as_jsonl_of("peek", self.pid, "tls_string", len(TEXT)), data["parts"])
        self.assertEqual(as_csv_of("peek", self.pid, "tls_string", len(TEXT)),
                         [{key: str(value) for key, value in data["parts"][0].items()}])
        lines = output("peek", self.pid, "tls_string+1", "0x18").splitlines()
        self.assertEqual(len(lines), 2)
        self.assertTrue(lines[0].startswith(hex(self.at["string"] + 1)))
        self.assertIn(TEXT[1:9].hex(" "), lines[0])
        self.assertTrue(lines[0].endswith("|wo.lines .[31m\\ |"), lines[0])

    def test_peek_unreadable(self):
        parts = as_json_of("peek", self.pid, hex(self.at["cut"]), 100)["parts"]
        self.assertEqual([(part["length"], part["bytes"]) for part in parts],
                         [(5, b"abcde".hex()), (95, None)])
        lines = output("peek", self.pid, hex(self.at["cut"]), 100).splitlines()
        self.assertEqual(lines[1], f"{hex(self.at['cut'] + 5)}  not readable: 95 bytes")
        self.fails(2, "can be read", "peek", self.pid, 0, 10)
        self.fails(2, "can be read", "peek", self.pid, 0, "8K")
        self.fails(2, "beyond the end", "peek", self.pid, 2**64 - 1, 10)

    def test_peek_words(self):
        data = as_json_of("peek", self.pid, "--words", "main_arena+96", 20)
        (part,) = data["parts"]
        self.assertEqual([word["length"] for word in part["words"]], [8, 8, 4])
        words = [int.from_bytes(bytes.fromhex(part["bytes"])[i:i + 8], "little")
                 for i in range(0, 20, 8)]
        self.assertEqual([int(word["value"], 16) for word in part["words"]], words)
        self.assertRegex(part["words"][0]["to"], r"^chunk 0x[0-9a-f]+ top \d+$")
        rows = as_csv_of("peek", self.pid, "--words", "main_arena+96", 20)
        self.assertEqual([row["to"] for row in rows],
                         [word["to"] or "" for word in part["words"]])
        text = output("peek", self.pid, "-w", "main_arena+96", 16)
        self.assertRegex(text.splitlines()[0], r"^0x[0-9a-f]+  [0-9a-f]{16}  \|.{8}\|  chunk 0x")

    def test_peek_bad(self):
        self.fails(64, "an address and a length", "peek", self.pid, "main")
        self.fails(64, "is not a length", "peek", self.pid, "main", "x")
        self.fails(64, "from 1 to 16M", "peek", self.pid, "main", 0)
        self.fails(64, "from 1 to 16M", "peek", self.pid, "main", "17M")
        self.fails(64, "too many operands", "peek", self.pid, "main", 1, 2)

    # string

    def test_string(self):
        self.assertEqual(output("string", self.pid, "tls_string"),
                         '"two\\nlines \\x1b[31m\\\\ \\"quoted\\"" (25 bytes)\n')
        data = as_json_of("string", self.pid, "tls_string")
        self.assertEqual(data, {"pid": self.pid, "address": hex(self.at["string"]),
                                "length": len(TEXT), "end": "nul", "string": TEXT.decode(),
                                "bytes": TEXT.hex()})
        self.assertEqual(as_jsonl_of("string", self.pid, "tls_string"), [data])
        (row,) = as_csv_of("string", self.pid, "tls_string")
        self.assertEqual((row["length"], row["end"], row["string"]), ("25", "nul", TEXT.decode().replace("\x1b", "\ufffd")))

    def test_string_ends(self):
        data = as_json_of("string", self.pid, hex(self.at["cut"]))
        self.assertEqual((data["string"], data["end"]), ("abcde", "unreadable"))
        self.assertIn("(5 bytes, then unreadable memory)",
                      output("string", self.pid, hex(self.at["cut"])))
        data = as_json_of("string", self.pid, "--max-length=3", "tls_string")
        self.assertEqual((data["string"], data["end"]), ("two", "max-length"))
        data = as_json_of("string", self.pid, "--max-length=25", "tls_string")
        self.assertEqual(data["length"], 25)
        self.assertEqual(as_json_of("string", self.pid, "tls_string+25")["string"], "")
        # The block is filled, and longer than a piece of a page that is read at once.
        data = as_json_of("string", self.pid, hex(self.at["block"]))
        self.assertTrue(data["string"].startswith("x" * 1000))

    def test_string_bad(self):
        self.fails(2, "could not be read", "string", self.pid, 0)
        self.fails(2, "could not be read", "string", self.pid, hex(self.at["cut"] + 5))
        self.fails(64, "too many operands", "string", self.pid, 1, 2)
        self.fails(64, "an address is missing", "string", self.pid)
        self.fails(64, "is not a length", "string", "--max-length=0", self.pid, 1)

    # maps, modules

    def test_maps(self):
        with open(f"/proc/{self.pid}/maps", encoding="utf-8") as file:
            lines = file.read().splitlines()
        maps = as_json_of("maps", self.pid)["maps"]
        self.assertEqual(len(maps), len(lines))
        for one, line in zip(maps, lines):
            span, permissions, offset, device, inode, *name = line.split(None, 5)
            start, end = (int(text, 16) for text in span.split("-"))
            self.assertEqual((int(one["start"], 16), int(one["end"], 16), one["size"]),
                             (start, end, end - start))
            self.assertEqual((one["permissions"], int(one["offset"], 16), one["device"],
                              one["inode"], one["name"]),
                             (permissions, int(offset, 16), device, int(inode),
                              name[0] if name else ""))
        self.assertEqual(as_jsonl_of("maps", self.pid), maps)
        self.assertEqual([row["start"] for row in as_csv_of("maps", self.pid)],
                         [one["start"] for one in maps])
        self.assertEqual(len(output("maps", self.pid).splitlines()), len(maps) + 1)

    def test_modules(self):
        modules = as_json_of("modules", self.pid)["modules"]
        roles = {os.path.basename(one["name"]): one["role"] for one in modules}
        self.assertEqual(roles["tls"], "program")
        self.assertEqual(roles["tls_plugin.so"], "library")
        self.assertEqual(roles["libc.so.6"], "library")
        self.assertEqual(list(roles.values()).count("linker"), 1)
        symbols = {os.path.basename(one["name"]): one for one in modules}
        self.assertEqual(symbols["tls"]["symbols"], "symtab")
        self.assertIsNone(symbols["tls"]["debug_file"])
        libc = symbols["libc.so.6"]
        self.assertEqual(libc["build_id"], as_json("info", self.pid)["libc"]["build_id"])
        if not libc["symtab"]:
            self.assertEqual(libc["symbols"], "debug")
            self.assertTrue(os.path.exists(libc["debug_file"]))
        self.assertEqual(as_jsonl_of("modules", self.pid), modules)
        self.assertEqual([row["name"] for row in as_csv_of("modules", self.pid)],
                         [one["name"] for one in modules])
        self.assertEqual(len(output("modules", self.pid).splitlines()), len(modules) + 1)

    def test_left_alone(self):
        self.assertEqual(tracer_of(self.pid), 0)


class OtherProcesses(unittest.TestCase):
    def test_not_glibc(self):
        bare = subprocess.Popen([os.path.join(BUILD, "tests/fixtures/bare")],
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            self.assertEqual(bare.stdout.readline(), b"bare\n")
            result = run("address", "--format=json", bare.pid, "_start")
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertIn(b"nothing is told of the heap", result.stderr)
            self.assertIn(b'"name":"_start"', result.stdout)
            found = as_json_of("address", bare.pid, "_start")
            self.assertTrue(found["heap_missing"])
            self.assertEqual(found["addresses"][0]["symbol"]["offset"], 0)
            stack = [one for one in as_json_of("maps", bare.pid)["maps"]
                     if one["name"] == "[stack]"][0]
            end = int(stack["end"], 16) - 8
            found = as_json_of("address", "--quiet", bare.pid, end)["addresses"][0]
            self.assertEqual((found["thread"]["tid"], found["thread"]["part"]),
                             (bare.pid, "stack"))
            self.assertEqual(run("address", "--quiet", bare.pid, "_start").stderr, b"")
            words = as_json_of("peek", "--words", bare.pid, "_start", 64)["parts"][0]["words"]
            self.assertEqual(len(words), 8)
        finally:
            bare.stdin.close()
            self.assertEqual(bare.wait(), 42)
            bare.stdout.close()

    def test_static(self):
        idle = Fixture("idle-static")
        told = {line[0]: line[1] for line in idle.lines if len(line) == 2}
        try:
            (symbol,) = as_json_of("symbol", idle.pid, "idle_variable")["symbols"]
            self.assertEqual(int(symbol["address"], 16), int(told["variable"], 16))
            (errno,) = as_json_of("symbol", idle.pid, "errno")["symbols"]
            (instance,) = errno["threads"]
            found = as_json_of("address", idle.pid, instance["address"])["addresses"][0]
            self.assertEqual((found["thread"]["part"], found["thread"]["symbol"]["name"]),
                             ("tls", "errno"))
            self.assertEqual(as_json_of("modules", idle.pid)["modules"][0]["role"], "program")
        finally:
            self.assertTrue(idle.close())

    def test_traced(self):
        """Where another tracer is, only the heap is missing."""
        fixture = Fixture("empty")
        tracer = subprocess.Popen(
            ["python3", "-B", "-c", "import ctypes, sys\n"
             "libc = ctypes.CDLL(None)\n"
             f"libc.ptrace(0x4206, {fixture.pid}, None, None)\n"
             "print('attached', flush=True)\nsys.stdin.read()"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            self.assertEqual(tracer.stdout.readline(), b"attached\n")
            result = run("address", "--format=json", fixture.pid, "main")
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertIn(b"nothing is told of the heap", result.stderr)
            self.assertIn(b'"name":"main"', result.stdout)
            self.assertEqual(run("peek", fixture.pid, "main", 16).returncode, 0)
        finally:
            tracer.stdin.close()
            tracer.wait()
            tracer.stdout.close()
            self.assertTrue(fixture.close())

    def test_gone(self):
        fixture = Fixture("empty")
        self.assertTrue(fixture.close())
        for words in (["maps"], ["modules"], ["symbol", "main"], ["address", "1"],
                      ["peek", "1", "1"], ["string", "1"]):
            result = run(words[0], fixture.pid, *words[1:])
            self.assertEqual((result.returncode, result.stdout), (2, b""), words)
            self.assertEqual(len(result.stderr.splitlines()), 1, words)


if __name__ == "__main__":
    unittest.main()
