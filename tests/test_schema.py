# SPDX-License-Identifier: Apache-2.0
"""doc/memtool.schema.json is what the commands write: every output fits it, no object has a field that
it does not name, and every field of it has a meaning and occurs.

The validator here knows the keywords that the schema uses, and refuses others. Needs at run time:
memtool, tests/fixtures, MEMTOOL_BUILDDIR, srcdir. Run it through test_schema.sh.
"""
import os
import re
import unittest

from test_cli import BUILD, MEMTOOL, Fixture, as_json, parse, run

SOURCE = os.environ.get("srcdir", ".")
ANNOTATIONS = {"$schema", "$defs", "title", "description"}
TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None)}

with open(os.path.join(SOURCE, "doc/memtool.schema.json"), encoding="utf-8") as file:
    SCHEMA = parse(file.read())


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def is_of_type(value, name):
    if name == "integer":
        return is_number(value) and value == int(value)
    if name == "number":
        return is_number(value)
    return isinstance(value, TYPES[name])


class Validator:
    """JSON Schema draft 2020-12, as far as the schema goes. errors says what does not fit; seen has the
    fields that occurred, as (identity of the schema's "properties", name)."""

    def __init__(self):
        self.errors = []
        self.seen = set()

    def check(self, value, schema, place):
        for keyword, argument in schema.items():
            if keyword not in ANNOTATIONS:
                getattr(self, "check_" + keyword.lstrip("$"))(value, argument, schema, place)

    def expect(self, fits, place, what):
        if not fits:
            self.errors.append(f"{place}: {what}")

    def check_ref(self, value, argument, _, place):
        self.check(value, SCHEMA["$defs"][argument.removeprefix("#/$defs/")], place)

    def check_type(self, value, argument, _, place):
        names = argument if isinstance(argument, list) else [argument]
        self.expect(any(is_of_type(value, name) for name in names), place, f"{value!r} is not {names}")

    def check_enum(self, value, argument, _, place):
        self.expect(value in argument, place, f"{value!r} is not one of {argument}")

    def check_const(self, value, argument, _, place):
        self.expect(value is argument, place, f"{value!r} is not {argument!r}")

    def check_pattern(self, value, argument, _, place):
        if isinstance(value, str):
            self.expect(re.search(argument, value), place, f"{value!r} does not match {argument}")

    def check_minimum(self, value, argument, _, place):
        self.expect(not is_number(value) or value >= argument, place, f"{value!r} is below {argument}")

    def check_maximum(self, value, argument, _, place):
        self.expect(not is_number(value) or value <= argument, place, f"{value!r} is above {argument}")

    def check_items(self, value, argument, _, place):
        if isinstance(value, list):
            for index, item in enumerate(value):
                self.check(item, argument, f"{place}[{index}]")

    def check_properties(self, value, argument, _, place):
        if isinstance(value, dict):
            for name in value.keys() & argument.keys():
                self.seen.add((id(argument), name))
                self.check(value[name], argument[name], f"{place}.{name}")

    def check_required(self, value, argument, _, place):
        if isinstance(value, dict):
            self.expect(set(argument) <= value.keys(), place, f"lacks {set(argument) - value.keys()}")

    def check_additionalProperties(self, value, argument, schema, place):
        assert argument is False
        if isinstance(value, dict):
            more = value.keys() - schema["properties"].keys()
            self.expect(not more, place, f"has {more}, which the schema does not name")

    def check_anyOf(self, value, argument, _, place):
        errors = []
        for schema in argument:
            attempt = Validator()
            attempt.check(value, schema, place)
            if not attempt.errors:
                self.seen |= attempt.seen
                return
            errors += attempt.errors
        self.expect(False, place, "; ".join(errors))


def subschemas(schema):
    yield schema
    for keyword, argument in schema.items():
        if keyword in ("properties", "$defs"):
            children = argument.values()
        elif keyword == "items":
            children = [argument]
        else:
            children = argument if keyword == "anyOf" else []
        for child in children:
            yield from subschemas(child)


# Where the schema has another name for the output of a command than the command.
NAMES = {"chunk": "one-chunk", "thread": "one-thread"}


def name_of(words):
    """Of what a command writes, in the schema."""
    if words[0] == "peek" and ("struct" in words or "malloc_par" in words or "tcbhead" in words):
        return "peek-struct"
    return NAMES.get(words[0], words[0])


def questions(fixture):
    """Commands with their operands, such that as many fields as can be occur."""
    pid = fixture.pid
    for command in ("heap", "chunks", "arenas", "bins", "threads", "info", "maps", "modules"):
        yield [command, pid]
    yield ["symbol", pid, "malloc", "errno"]
    yield ["symbol", "--demangle", "--no-stop", pid, "free", "errno"]
    # What the fixture tls tells of itself, but for thread ids.
    told = ["0x" + line[1] for line in fixture.lines
            if len(line) == 2 and re.fullmatch("[0-9a-f]{8,}", line[1])]
    cached = [one["chunks"][0] for one in as_json("bins", pid)["lists"] if "thread" in one]
    yield ["address", "--demangle", pid, "0x10", "main_arena+96", *told, *cached]
    yield ["address", pid, "main_arena"]
    yield ["peek", pid, "main_arena+96", 24]
    yield ["peek", "--words", pid, "main_arena+96", 20]
    yield ["peek", pid, "malloc_par", "mp_"]
    yield ["peek", pid, "tcbhead"]
    yield ["peek", pid, "struct", "_IO_FILE", "_IO_2_1_stdout_"]
    yield ["chunk", pid, "main_arena"]
    yield ["thread", pid, pid]
    for place in cached:
        yield ["chunk", "--length=24", pid, place]
        yield ["reveal", pid, place]
    for place in ["main_arena", *told]:
        yield ["string", "--max-length=4", pid, place]


class Schema(unittest.TestCase):
    validator = Validator()

    def fits(self, words, name, value):
        before = len(self.validator.errors)
        self.validator.check(value, SCHEMA["$defs"][name], " ".join(map(str, words)))
        self.assertEqual([], self.validator.errors[before:])

    def ask(self, *words):
        """Both forms of an answer fit, where there is one, and each is an answer of memtool's."""
        for form in "json", "jsonl":
            result = run(words[0], f"--format={form}", *words[1:])
            if result.returncode == 2:  # a fixture that is not for this question
                continue
            self.assertEqual(0, result.returncode, (words, result.stderr))
            text = result.stdout.decode()
            if form == "json":
                self.fits(words, name_of(words), parse(text))
            else:
                for line in text.splitlines():
                    self.fits(words, name_of(words) + "-line", parse(line))

    def on(self, *words, **more):
        fixture = Fixture(*words, **more)
        try:
            for question in questions(fixture):
                self.ask(*question)
        finally:
            fixture.close()

    def test_schema(self):
        """What it says of each field is there, and it uses nothing that the validator does not know."""
        for schema in subschemas(SCHEMA):
            for keyword in schema.keys() - ANNOTATIONS:
                self.assertTrue(hasattr(Validator, "check_" + keyword.lstrip("$")), keyword)
            if schema.get("type") == "object":
                self.assertIs(schema["additionalProperties"], False)
            for name, field in schema.get("properties", {}).items():
                self.assertTrue("description" in field or "$ref" in field, name)
        for name, schema in SCHEMA["$defs"].items():
            self.assertIn("description", schema, name)
        refs = [schema["$ref"] for schema in subschemas(SCHEMA) if "$ref" in schema]
        self.assertEqual({f"#/$defs/{name}" for name in SCHEMA["$defs"]}, set(refs))

    def test_validator(self):
        """It is no use if everything fits."""
        for name, value in (("hex_address", 16), ("hex_address", "0x01"), ("state", "used"),
                            ("tally", {"count": 1}), ("tally", {"count": -1, "bytes": 0}),
                            ("tally", {"count": 1, "bytes": 0, "more": 0}),
                            ("tally", {"count": True, "bytes": 0}), ("hexdigits", "0")):
            attempt = Validator()
            attempt.check(value, SCHEMA["$defs"][name], name)
            self.assertTrue(attempt.errors, (name, value))

    def test_output(self):
        """And what the schema has occurs, but for what takes more than a fixture to bring about."""
        self.on("tls", os.path.join(BUILD, "tests/fixtures/.libs/tls_plugin.so"))
        for words in (["empty"], ["pattern", "fastbin", "3"], ["bins", "thread"], ["mmapped", "thread"],
                      ["multi_heap", "30"], ["cross"], ["ended", "3"], ["many", "50"], ["idle-static"],
                      ["damage", "size-zero"]):
            self.on(*words)
        carrier = Fixture("", "run", "--", os.path.join(BUILD, "tests/fixtures/idle"), path=MEMTOOL)
        try:
            self.ask("info", carrier.pid)
            self.ask("ps")
        finally:
            carrier.close()
        rare = {"bits", "file_missing", "first_bit", "inventory_refused", "layout_note", "orphan", "unknown"}
        missing = {name for schema in subschemas(SCHEMA) for name in schema.get("properties", {})
                   if (id(schema["properties"]), name) not in self.validator.seen}
        self.assertEqual(set(), missing - rare)


if __name__ == "__main__":
    unittest.main()
