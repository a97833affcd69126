# SPDX-License-Identifier: Apache-2.0
"""The manual pages and the completions of the shells know the commands and options that --help shows,
and no others. Nothing here has a list of its own: --help is the measure.

Needs at run time: memtool, MEMTOOL_BUILDDIR, srcdir. Run it through test_docs.sh.
"""
import os
import re
import shutil
import subprocess
import unittest

BUILD = os.environ.get("MEMTOOL_BUILDDIR", ".")
SOURCE = os.environ.get("srcdir", ".")
MEMTOOL = os.environ.get("MEMTOOL_COMMAND", os.path.join(BUILD, "memtool"))
MAN = os.path.join(SOURCE, "doc/memtool.1")
LIBRARY_MAN = os.path.join(BUILD, "doc/libmemtool.3")
BASH = os.path.join(SOURCE, "completions/memtool.bash")
ZSH = os.path.join(SOURCE, "completions/_memtool")
FISH = os.path.join(SOURCE, "completions/memtool.fish")
OPTION = re.compile(r"(?<![\w-])(--?[?\w][\w-]*)")


def text_of(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def run(*words, **more):
    if "input" not in more:
        more["stdin"] = subprocess.DEVNULL
    return subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=60, **more)


def help_of(*command):
    result = run(MEMTOOL, *command, "--help")
    assert result.returncode == 0, result.stderr
    return result.stdout


def commands():
    return re.findall(r"^  ([a-z]+) +\S", help_of().partition("Commands:")[2], re.M)


def options_of(*command):
    """All of them, short and long: an option's line has it in one of the first columns."""
    found = set()
    for line in help_of(*command).splitlines():
        if re.match(r" {2,6}-", line):
            found.update(OPTION.findall(re.split(r" {2,}", line.strip())[0]))
    return found


def long_options_of(*command):
    return {option for option in options_of(*command) if option.startswith("--")}


def choices_of(option):
    """The words of the help of an option that takes one of some: 'text (default), json or csv'."""
    text = re.search(r"^ +--%s=\w+ +((?:.*\n)(?: {20,}.*\n)*)" % option, help_of("heap"), re.M).group(1)
    text = " ".join(text.split()).rpartition(": ")[2].replace("(default)", "")
    return set(re.split(r"[ ,]+(?:or )?", text.strip()))


def states():
    text = re.search(r"--state=\S+ +((?:.*\n)(?: {20,}.*\n)*)", help_of("chunks")).group(1)
    return set(re.split(r",\s*", " ".join(text.split()).rpartition(": ")[2]))


class ManPages(unittest.TestCase):
    @staticmethod
    def sections():
        """.SH and .SS by name, with what stands there."""
        parts = re.split(r"^\.S[HS] (.*)\n", text_of(MAN), flags=re.M)
        return dict(zip(parts[1::2], parts[2::2]))

    @staticmethod
    def entries(section):
        """The options that have an entry of their own."""
        tags = re.findall(r"^\.TP\n(.*)\n", section, re.M)
        return {option for tag in tags for option in OPTION.findall(tag.replace("\\", ""))}

    def options(self, section):
        """Those with what the section's synopsis refers to."""
        sections = self.sections()
        found = self.entries(sections[section]) | self.entries(sections["Options of every command"])
        synopsis = sections[section].partition(".PP")[0]
        for word, of in (("COMMON-OPTION", "Common options"), ("HEAP-OPTION", "Heap options")):
            if word in synopsis:
                found |= self.entries(sections[of])
        return found

    def test_commands(self):
        names = re.findall(r"^\.SS ([a-z]+)$", text_of(MAN), re.M)
        self.assertEqual(commands(), names)

    def test_options(self):
        self.assertEqual(options_of(), self.entries(self.sections()["Options of every command"]))
        for command in commands():
            self.assertEqual(options_of(command), self.options(command), command)

    def test_shell(self):
        """What the shell calls by names of its own."""
        listed = run(MEMTOOL, "shell", input="help\n").stdout.partition("Short for other commands:")[2]
        names = re.findall(r"^  ([a-z]+)", listed.partition("\n\n")[0], re.M)
        self.assertGreater(len(names), 5)
        section = self.sections()["shell"]
        for name in names:
            self.assertRegex(section, r"(?m)^\.B %s$" % name)

    def test_choices(self):
        sections = self.sections()
        for option, section in (("format", "Common options"), ("source", "Heap options"),
                                ("layout", "Heap options")):
            entry = re.search(r"\\-\\-%s=(.*?)^\.TP" % option, sections[section] + ".TP",
                              re.M | re.S).group(1)
            for choice in choices_of(option):
                self.assertRegex(entry, r"\b%s\b" % choice)
        description = sections["DESCRIPTION"].replace("\\", "")
        self.assertGreater(len(states()), 10)
        for state in states():
            self.assertRegex(description, r"\b%s\b" % state)

    def test_library(self):
        page = text_of(LIBRARY_MAN).replace("\\-", "-")
        functions = re.findall(r"^\t(memtool_\w+);", text_of(os.path.join(SOURCE, "reader/libmemtool.map")), re.M)
        self.assertGreater(len(functions), 40)
        for name in functions:
            self.assertRegex(page, r"\b%s\(" % name)
        for leftover in ("MEMTOOL_NONNULL", "MEMTOOL_NULLABLE", "MEMTOOL_PUBLIC", "MEMTOOL_OPEN_ENUM", "/**"):
            self.assertNotIn(leftover, page)

    @unittest.skipUnless(shutil.which("man") and shutil.which("groff"), "no man here")
    def test_formatting(self):
        for page in (MAN, LIBRARY_MAN, os.path.join(SOURCE, "doc/inventory.5")):
            result = run("man", "--warnings", "-l", os.path.abspath(page),
                         env=dict(os.environ, MANWIDTH="80", LC_ALL="C.UTF-8"))
            if "No manual entry" in result.stderr or "minimized" in result.stdout + result.stderr:
                self.skipTest("man is a stub here")
            self.assertEqual("", result.stderr, page)
            self.assertEqual(0, result.returncode, page)


class Completion:
    """What holds in each shell. complete(line) gives what may stand in place of its last word."""

    def test_commands(self):
        self.assertEqual(set(commands()), set(self.complete("memtool ")))

    def test_options(self):
        for command in commands():
            found = {word.rstrip("=") for word in self.complete(f"memtool {command} --")}
            self.assertEqual(long_options_of(command), found, command)

    def test_choices(self):
        for option in ("format", "source", "layout"):
            found = {word.rpartition("=")[2] for word in self.complete(f"memtool heap --{option}=")}
            self.assertEqual(choices_of(option), found)

    def test_states(self):
        found = {word.rpartition("=")[2] for word in self.complete("memtool chunks --state=")}
        self.assertEqual(states(), found)
        found = {word.rpartition("=")[2] for word in self.complete("memtool chunks --state=top,s")}
        self.assertEqual({"top,smallbin"}, found)

    def test_processes(self):
        self.assertIn(str(os.getpid()), self.complete("memtool heap --no-stop "))

    def test_program(self):
        self.assertIn("python3", self.complete("memtool run pytho"))


@unittest.skipUnless(shutil.which("bash"), "no bash here")
class Bash(Completion, unittest.TestCase):
    @staticmethod
    def complete(line):
        """As readline calls it, which takes '=' for a word of its own."""
        words = [word for word in re.split(r"\s+|(=)", line) if word]
        if line[-1:] in (" ", "="):
            words += [""] if line[-1] == " " else []
        script = ('source "$1"; shift; COMP_LINE=$1; shift; COMP_POINT=${#COMP_LINE}; COMP_WORDS=("$@")'
                  '; COMP_CWORD=$(($# - 1)); _memtool; ((${#COMPREPLY[@]})) && '
                  'printf "%s\\n" "${COMPREPLY[@]}"')
        result = run("bash", "--norc", "-c", script, "bash", BASH, line, *words)
        assert result.stderr == "", result.stderr
        return result.stdout.split()

    def test_files(self):
        found = self.complete(f"memtool heap --output={SOURCE}/READM")
        self.assertEqual([f"{SOURCE}/README.md"], found)
        found = self.complete(f"memtool heap -o {SOURCE}/READM")
        self.assertEqual([f"{SOURCE}/README.md"], found)

    def test_operands(self):
        self.assertEqual([], self.complete("memtool heap 1 "), "more than one process")
        self.assertEqual([], self.complete("memtool chunks --limit "))
        self.assertIn(str(os.getpid()), self.complete("memtool chunks --limit 7 "))

    def test_syntax(self):
        self.assertEqual("", run("bash", "-n", BASH).stderr)


@unittest.skipUnless(shutil.which("fish"), "no fish here")
class Fish(Completion, unittest.TestCase):
    @staticmethod
    def complete(line):
        # Without configuration, and in a home directory that there is not.
        result = run("fish", "--no-config", "--private", "-c", 'source "$argv[1]"; complete -C "$argv[2]"',
                     FISH, line, env=dict(os.environ, HOME="/nonexistent"))
        return [row.split("\t")[0] for row in result.stdout.splitlines()]


@unittest.skipUnless(shutil.which("zsh"), "no zsh here")
class Zsh(unittest.TestCase):
    """The specifications that the file hands to _arguments, which needs a terminal to be asked itself."""

    @staticmethod
    def specifications(*words):
        script = ('_arguments() { [[ $1 == -C ]] && { state=operands; return 1 }; print -rl -- "$@" }\n'
                  '_describe() { print -rl -- "${(@P)2}" }\n'
                  'file=$1; shift; words=("$@"); complete() { . $file }; complete')
        result = run("zsh", "-f", "-c", script, "zsh", ZSH, *words)
        assert result.stderr == "", result.stderr
        return result.stdout.splitlines()

    def test_options(self):
        for command in commands():
            found = {option for line in self.specifications(command)
                     for option in re.findall(r"(?:^|\))(--?[?\w][\w-]*)", line)}
            # -o+ says that the value may follow at once.
            self.assertEqual(options_of(command), found, command)

    def test_commands(self):
        text = text_of(ZSH)
        self.assertEqual(commands(), re.findall(r"^\t'([a-z]+):", text, re.M))

    def test_choices(self):
        text = "\n".join(self.specifications("heap"))
        for option in ("format", "source", "layout"):
            found = re.search(r"--%s=.*\((.*)\)" % option, text).group(1).split()
            self.assertEqual(choices_of(option), set(found))
        found = re.search(r"_values -s , state ((?:.*\\\n)*.*)\n", text_of(ZSH)).group(1)
        self.assertEqual(states(), set(found.replace("\\", "").split()))


if __name__ == "__main__":
    unittest.main()
