# SPDX-License-Identifier: Apache-2.0
"""memtool shell, with its lines piped in, and on a terminal (a pty).

Needs at run time: memtool, tests/fixtures, MEMTOOL_BUILDDIR, libc6-dbg. Run it through
test_shell.sh.
"""
import errno
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
import unittest

from test_cli import BUILD, COMMANDS, MEMTOOL, PATIENCE_S, Fixture, chunks_of, output, run

NAP_S = 0.01  # between two looks at what nothing tells of


def field_of(path, name):
    with open(path, encoding="utf-8", errors="replace") as file:
        return re.search(rf"^{name}:\s+(\S+)", file.read(), re.M).group(1)


def tracer_of(pid):
    return int(field_of(f"/proc/{pid}/status", "TracerPid"))


def state_of(pid):
    return field_of(f"/proc/{pid}/status", "State")


def children_of(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return [int(word) for word in file.read().split()]


def is_held_by(tid, pid):
    """Stopped, and by a thread of that process: a tracer is one."""
    return state_of(tid) == "t" and os.path.exists(f"/proc/{pid}/task/{tracer_of(tid)}")


def exists(pid):
    try:
        return state_of(pid) not in "ZX"
    except FileNotFoundError:
        return False


def wait_until(condition, what):
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"it never came true: {what}")
        time.sleep(NAP_S)


def shell(*lines, arguments=(), end="\n"):
    """All lines at once; exit status, standard output, standard error."""
    text = "\n".join(map(str, lines)) + end
    result = subprocess.run([MEMTOOL, "shell", *map(str, arguments)], input=text.encode(),
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=PATIENCE_S)
    return result.returncode, result.stdout.decode(), result.stderr.decode()


class Piped:
    """A shell that is given one line after the other; status answers when the line is done."""

    def __init__(self, test, *arguments):
        self.process = subprocess.Popen([MEMTOOL, "shell", *map(str, arguments)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT,
                                        # In a child LeakSanitizer misses the tracer's thread.
                                        env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0"})
        self.pid = self.process.pid
        test.addCleanup(self.kill)

    def send(self, line):
        self.process.stdin.write(f"{line}\n".encode())
        self.process.stdin.flush()

    def ask(self, line):
        """What the line prints: up to the line of the next status."""
        self.send(line)
        self.send("nonsense-that-marks-the-end")
        lines = []
        while True:
            text = self.process.stdout.readline().decode()
            if not text:
                raise AssertionError(f"the shell ended: {lines}")
            if "nonsense-that-marks-the-end" in text:
                return "".join(lines)
            lines.append(text)

    def close(self):
        self.process.stdin.close()
        status = self.process.wait(PATIENCE_S)
        self.process.stdout.close()
        return status

    def kill(self):
        if self.process.returncode is not None:
            return
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


class FromAPipe(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.fixture = Fixture("bins", "thread")
        cls.pid = cls.fixture.pid

    @classmethod
    def tearDownClass(cls):
        assert cls.fixture.close()

    def answers(self, *lines):
        status, out, err = shell(*lines, arguments=[self.pid])
        self.assertEqual((status, err), (0, ""), lines)
        return out

    def test_as_the_command_line(self):
        for command in COMMANDS:
            if command not in ("heap", "info"):  # these tell how long the process stood still
                self.assertEqual(self.answers(command), output(command, self.pid))
        tcache = [one for one in chunks_of(self.pid) if one["state"] == "tcache"][0]
        for words in (["address", "main_arena+96"], ["symbol", "main_arena"],
                      ["peek", "--words", "main_arena", 64], ["chunks", "--limit=3"],
                      ["chunk", tcache["user"]], ["thread", self.pid], ["reveal", tcache["user"]],
                      ["peek", "malloc_par", "mp_"], ["string", "main"]):
            self.assertEqual(self.answers(" ".join(map(str, words))),
                             output(words[0], self.pid, *words[1:]))

    def test_aliases(self):
        pid = self.pid
        self.assertIn("Audit", self.answers("analyze") + "Audit")
        self.assertEqual(self.answers("addr main_arena"), output("address", pid, "main_arena"))
        self.assertEqual(self.answers("map"), output("maps", pid))
        self.assertEqual(self.answers("lookup -e main_arena"), output("symbol", pid, "main_arena"))
        self.assertEqual(self.answers("lookup main_ar"), output("symbol", pid, "--part", "main_ar"))
        self.assertEqual(self.answers("tbss errno"), output("symbol", pid, "errno"))
        self.assertEqual(self.answers("errno"), output("symbol", pid, "errno"))
        self.assertEqual(self.answers("tcb"), output("peek", pid, "tcbhead"))
        self.assertEqual(self.answers(f"tcb {pid}"), output("peek", "--thread", pid, pid, "tcbhead"))
        self.assertEqual(self.answers("word 4 main_arena"),
                         output("peek", "--words", pid, "main_arena", 32))
        self.assertEqual(self.answers("word 5 main_arena -a"), output("peek", pid, "main_arena", 5))

    def test_shortened(self):
        self.assertEqual(self.answers("are"), output("arenas", self.pid))
        status, _, err = shell("st", arguments=[self.pid])
        self.assertEqual(status, 64)
        self.assertIn("may be", err)

    def test_quoting(self):
        self.assertEqual(self.answers("symbol 'main_arena'"), output("symbol", self.pid, "main_arena"))
        self.assertEqual(self.answers('sym"bol" main\\_arena'),
                         output("symbol", self.pid, "main_arena"))
        status, out, err = shell("symbol 'main", arguments=[self.pid])
        self.assertEqual((status, out), (64, ""))
        self.assertIn("ends within a quotation", err)

    def test_comments_and_blanks(self):
        self.assertEqual(self.answers("", "# nothing", "   ", "\t#", "status"),
                         self.answers("status"))

    def test_last_line_without_newline(self):
        status, out, _ = shell("status", end="", arguments=[self.pid])
        self.assertEqual(status, 0)
        self.assertIn(f"attached to {self.pid}", out)

    def test_no_input(self):
        self.assertEqual(shell(end="", arguments=[self.pid]), (0, "", ""))
        self.assertEqual(shell(end=""), (0, "", ""))

    def test_goes_on_after_errors(self):
        status, out, err = shell("nothing", "symbol no_such_symbol", "chunks --nonsense", "peek 0 8",
                                 "status", arguments=[self.pid])
        self.assertEqual(status, 0)
        self.assertIn("it runs", out)
        self.assertIn("there is no command 'nothing'", err)
        self.assertIn("no_such_symbol", err)
        self.assertIn("nothing of the 8 bytes", err)

    def test_exit_status_of_the_last(self):
        for line, expected in (("status", 0), ("symbol no_such_symbol", 2), ("nothing", 64),
                               ("chunks --nonsense", 64), ("attach 0", 64), ("symbol main", 0)):
            self.assertEqual(shell("status", line, arguments=[self.pid])[0], expected, line)
        self.assertEqual(shell("nothing", "exit", "nothing", arguments=[self.pid])[0], 0)

    def test_needs_a_process(self):
        for line in ("heap", "stop", "resume", "detach", "tcb", "word 1 main"):
            status, out, err = shell(line)
            self.assertEqual((status, out), (64, ""), line)
            self.assertIn("no process is attached", err)
        self.assertEqual(shell("status"), (0, "idle: no process is attached\n", ""))
        self.assertEqual(shell("ps")[0], 0)
        self.assertIn("main_arena", shell("help bins", "help", "arenas --help")[1] + "main_arena")

    def test_help(self):
        text = self.answers("help")
        for name in ("attach", "run", "detach", "stop", "resume", "status", "help", "exit",
                     "analyze", "addr", "map", "lookup", "tbss", "errno", "tcb", "word", *COMMANDS,
                     "chunk", "thread", "reveal", "peek", "string", "symbol", "address", "ps"):
            self.assertRegex(text, rf"(?m)^  {name} ")
        self.assertIn("--limit", self.answers("help chunks"))
        self.assertIn("PID", self.answers("help attach"))

    def test_wrong_arguments(self):
        for line in ("attach", "attach 1 2", "attach x", "detach 1", "addr", "lookup", "lookup -e",
                     "word 1", "word x main", "word 0 main", "word 1 main -b", "tcb 1 2", "run"):
            status, out, _ = shell(line, arguments=[self.pid])
            self.assertEqual((status, out), (64, ""), line)

    def test_usage(self):
        self.assertEqual(run("shell", "x").returncode, 64)
        self.assertEqual(run("shell", "1", "2").returncode, 64)
        self.assertEqual(run("shell", 2**31 - 1).returncode, 2)

    def test_attach_to_another(self):
        other = Fixture("empty")
        try:
            status, out, _ = shell(f"attach {other.pid}", "status", "attach 999999999", "status",
                                   arguments=[self.pid])
            self.assertEqual(status, 0)
            # One that cannot be attached to leaves the one that is.
            self.assertEqual(out.count(f"attached to {other.pid},"), 2)
        finally:
            self.assertTrue(other.close())

    def test_detach(self):
        status, out, err = shell("detach", "status", "heap", arguments=[self.pid])
        self.assertEqual(status, 64)
        self.assertIn("idle", out)
        self.assertIn("no process is attached", err)
        self.assertTrue(exists(self.pid))

    def test_target_dies(self):
        fixture = Fixture("empty")
        session = Piped(self, fixture.pid)
        self.assertIn("it runs", session.ask("status"))
        self.assertTrue(fixture.close())
        self.assertIn("it has ended", session.ask("status"))
        self.assertRegex(session.ask("heap"), r"^memtool: ")
        self.assertRegex(session.ask("stop"), r"^memtool: ")
        self.assertEqual(session.ask(f"attach {self.pid}"), "")
        self.assertIn("it runs", session.ask("status"))
        session.close()

    def test_stopped_target_dies(self):
        fixture = Fixture("empty")
        session = Piped(self, fixture.pid)
        self.assertEqual(session.ask("stop"), "")
        fixture.process.kill()
        wait_until(lambda: not exists(fixture.pid), "it is a zombie")
        self.assertIn("it has ended", session.ask("status"))
        self.assertEqual(fixture.process.wait(), -signal.SIGKILL)
        self.assertRegex(session.ask("heap"), r"^memtool: ")
        self.assertEqual(session.ask("detach"), "")
        session.close()
        fixture.process.stdin.close()
        fixture.process.stdout.close()


class Stopped(unittest.TestCase):
    def setUp(self):
        self.fixture = Fixture("bins", "thread")
        self.pid = self.fixture.pid
        self.tids = [int(tid) for tid in os.listdir(f"/proc/{self.pid}/task")]

    def tearDown(self):
        self.assertTrue(self.fixture.close())

    def assert_runs(self):
        for tid in self.tids:
            self.assertEqual(tracer_of(tid), 0)
            wait_until(lambda tid=tid: state_of(tid) == "S", "the thread waits")

    def test_stop_and_resume(self):
        session = Piped(self, self.pid)
        self.assertEqual(tracer_of(self.pid), 0)
        self.assertEqual(session.ask("stop"), "")
        for tid in self.tids:
            self.assertTrue(is_held_by(tid, session.pid))
        self.assertIn(f"stopped, all of its {len(self.tids)} threads", session.ask("status"))
        self.assertEqual(session.ask("stop"), "")
        for command in ("arenas", "threads", "bins", "chunks", "maps", "tcb", "errno"):
            text = session.ask(command)
            self.assertNotIn("memtool:", text)
        self.assertIn("in-use", session.ask("chunks"))
        self.assertIn("stopped", session.ask("status"))
        for tid in self.tids:
            self.assertTrue(is_held_by(tid, session.pid))
        self.assertEqual(session.ask("resume"), "")
        self.assert_runs()
        self.assertEqual(session.ask("resume"), "")
        self.assertIn("it runs", session.ask("status"))
        self.assertEqual(session.close(), 64)

    def test_same_answers(self):
        session = Piped(self, self.pid)
        running = [session.ask(command) for command in ("chunks", "arenas", "bins", "threads")]
        session.ask("stop")
        self.assertEqual([session.ask(command) for command in ("chunks", "arenas", "bins", "threads")],
                         running)
        session.close()
        self.assert_runs()

    def test_let_go_at_the_end(self):
        for last in ("exit", "detach", ""):
            shell("stop", last, arguments=[self.pid])
            self.assert_runs()

    def test_let_go_for_another(self):
        other = Fixture("empty")
        session = Piped(self, self.pid)
        session.ask("stop")
        session.ask(f"attach {other.pid}")
        self.assert_runs()
        self.assertEqual(state_of(other.pid), "S")
        session.close()
        self.assertTrue(other.close())

    def test_shell_is_killed(self):
        session = Piped(self, self.pid)
        session.ask("stop")
        self.assertEqual(state_of(self.pid), "t")
        session.kill()
        wait_until(lambda: tracer_of(self.pid) == 0, "nobody traces it")
        self.assert_runs()


class Started(unittest.TestCase):
    """Programs that run starts."""

    PROGRAM = os.path.join(BUILD, "tests/fixtures/worker")

    def start(self, session, program="cat"):
        self.assertEqual(session.ask(f"run {program}"), "")
        return int(re.search(r"attached to (\d+),", session.ask("status")).group(1))

    def test_run(self):
        session = Piped(self)
        pid = self.start(session)
        self.assertIn("which was started here: it runs", session.ask("status"))
        self.assertIn("inventory", session.ask("info"))
        self.assertEqual(children_of(session.pid), [pid])
        self.assertEqual(session.ask("detach"), "")
        self.assertFalse(os.path.exists(f"/proc/{pid}"))
        self.assertEqual(children_of(session.pid), [])
        session.close()

    def test_ends_with_the_shell(self):
        for end in (lambda session: session.ask("stop"), lambda session: None):
            session = Piped(self)
            pid = self.start(session)
            end(session)
            session.close()
            self.assertFalse(os.path.exists(f"/proc/{pid}"))

    def test_another_is_let_live(self):
        fixture = Fixture("empty")
        session = Piped(self)
        pid = self.start(session)
        self.assertEqual(session.ask(f"attach {fixture.pid}"), "")
        self.assertFalse(os.path.exists(f"/proc/{pid}"))
        session.ask("detach")
        session.close()
        self.assertTrue(fixture.close())

    def test_descriptors(self):
        """The program has those that it would have had anyhow."""
        session = Piped(self)
        pid = self.start(session)
        self.assertEqual(sorted(map(int, os.listdir(f"/proc/{pid}/fd"))), [0, 1, 2])
        pipes = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in (0, 1)]
        self.assertEqual(pipes[1], os.readlink(f"/proc/{session.pid}/fd/1"))
        self.assertNotEqual(pipes[0], os.readlink(f"/proc/{session.pid}/fd/0"))
        session.close()

    def test_no_program(self):
        session = Piped(self)
        text = session.ask("run no-such-program")
        self.assertIn("no-such-program", text)
        self.assertIn("idle", session.ask("status"))
        # It may just be alive still when it is attached; then status tells of its end.
        if "attached" in session.ask("run true"):
            wait_until(lambda: "ended" in session.ask("status"), "it has ended")
            session.ask("detach")
        self.assertEqual(children_of(session.pid), [])
        session.close()

    def test_that_ends_by_itself(self):
        session = Piped(self)
        pid = self.start(session)
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not exists(pid), "the program is gone")
        self.assertIn("it has ended", session.ask("status"))
        self.assertEqual(session.ask("detach"), "")
        self.assertEqual(children_of(session.pid), [])
        session.close()

    def test_no_descriptors_stay(self):
        session = Piped(self)
        session.ask("status")  # it has come so far
        before = sorted(os.listdir(f"/proc/{session.pid}/fd"))
        for _ in range(3):
            self.start(session)
            session.ask("stop")
            session.ask("heap")
            session.ask("resume")
            session.ask("detach")
            session.ask("run no-such-program")
        self.assertEqual(sorted(os.listdir(f"/proc/{session.pid}/fd")), before)
        self.assertEqual(children_of(session.pid), [])
        session.close()


class Terminal:
    """A shell on a pty of its own, which it is the session leader of."""

    PROMPT = "memtool> "

    def __init__(self, *arguments, command=None, columns=200, **environment):
        pid, self.fd = pty.fork()
        if pid == 0:
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # which Python ignores
            os.environ.update({"TERM": "xterm", "LC_ALL": "C.UTF-8", "HOME": "/nonexistent"})
            os.environ["PAGER"] = ""
            # libedit keeps the names of functions that were added to it.
            os.environ["ASAN_OPTIONS"] = "detect_leaks=0"
            os.environ.update(environment)
            words = command or [MEMTOOL, "shell", *map(str, arguments)]
            self.resize(columns, 0)  # here, as a later one prints the prompt again
            os.execvp(words[0], words)
        self.pid = pid
        self.text = ""
        self.status = None

    def resize(self, columns, fd=None):
        fcntl.ioctl(self.fd if fd is None else fd, termios.TIOCSWINSZ,
                    struct.pack("4H", 24, columns, 0, 0))

    def send(self, text):
        os.write(self.fd, text.encode())

    def read(self):
        """Some more output; False at its end."""
        ready, _, _ = select.select([self.fd], [], [], PATIENCE_S)
        if not ready:
            raise AssertionError(f"nothing comes any more: {self.text!r}")
        try:
            data = os.read(self.fd, 65536)
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            data = b""
        self.text += re.sub(r"\x1b(\[[0-9;?]*[A-Za-z]|[=>])", "", data.decode(errors="replace"))
        return bool(data)

    def until(self, pattern):
        """All output up to the pattern, which goes with it; the rest is kept."""
        while True:
            match = re.search(pattern, self.text)
            if match:
                before = self.text[:match.end()]
                self.text = self.text[match.end():]
                return before
            if not self.read():
                raise AssertionError(f"the end came before {pattern!r}: {self.text!r}")

    def prompt(self):
        """Up to the prompt, and to when Ctrl-C and Ctrl-Z are keys, which is a little later."""
        text = self.until(re.escape(self.PROMPT))
        wait_until(lambda: not termios.tcgetattr(self.fd)[3] & termios.ISIG, "a line is edited")
        return text

    def line(self, text):
        """What a line prints, up to the next prompt."""
        self.send(text + "\r")
        return self.prompt()

    def wait(self):
        """Reads all that is left; the exit status, negative for a signal."""
        while self.read():
            pass
        _, status = os.waitpid(self.pid, 0)
        self.status = os.waitstatus_to_exitcode(status)
        os.close(self.fd)
        return self.status

    def end(self):
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)
            self.wait()


class OnATerminal(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.fixture = Fixture("bins", "thread")
        cls.pid = cls.fixture.pid

    @classmethod
    def tearDownClass(cls):
        assert cls.fixture.close()

    def open(self, *arguments, **environment):
        terminal = Terminal(*(arguments or (self.pid,)), **environment)
        self.addCleanup(terminal.end)
        terminal.prompt()
        return terminal

    def test_answers(self):
        terminal = self.open()
        self.assertIn("it runs", terminal.line("status"))
        self.assertIn("malloc-state", terminal.line("chunks --state=malloc-state"))
        self.assertIn("there is no command", terminal.line("nothing"))
        terminal.send("exit\r")
        self.assertEqual(terminal.wait(), 0)

    def test_end_of_input(self):
        terminal = self.open()
        terminal.send("\x04")
        self.assertEqual(terminal.wait(), 0)

    def test_no_process(self):
        terminal = Terminal()
        self.addCleanup(terminal.end)
        terminal.prompt()
        self.assertIn("idle", terminal.line("status"))
        self.assertIn("no process is attached", terminal.line("heap"))
        terminal = Terminal(2**31 - 1)
        self.addCleanup(terminal.end)
        self.assertEqual(terminal.wait(), 2)

    def test_completion(self):
        terminal = self.open()
        self.assertIn("it runs", terminal.line("stat\t"))
        for line in ("help mod\t", "hel\tmodu\t"):
            self.assertIn("memtool modules", terminal.line(line))
        self.assertEqual(terminal.line("chunks --lim\t2").count("0x"), 4)
        self.assertIn("object", terminal.line("symbol main_ar\t"))
        self.assertEqual(terminal.line("word 4 main_ar\t").count("  |"), 4)
        # Ctrl-A goes to the beginning of the line, which shows what it was.
        self.assertIn("'x-modules'", terminal.line("mod\t\x01x-"))

    def test_completion_of_many(self):
        terminal = self.open()
        terminal.send("s\t")
        text = terminal.until(r"symbol")
        self.assertIn("status", text + terminal.until("memtool> s"))
        terminal.send("tat\t\r")
        self.assertIn("it runs", terminal.prompt())

    def test_completion_of_nothing(self):
        terminal = self.open()
        terminal.send("zzz\t")
        terminal.until("\a")
        terminal.send("symbol zzz_no_such\t")
        terminal.until("\a")
        terminal.send("\x03")
        terminal.prompt()

    def test_history(self):
        terminal = self.open()
        terminal.line("status")
        terminal.line("symbol main_arena")
        self.assertIn("it runs", terminal.line("\x1b[A\x1b[A"))
        self.assertIn("main_arena", terminal.line("\x1b[A\x1b[A"))

    def test_interrupt_drops_the_line(self):
        terminal = self.open()
        terminal.send("exit")
        terminal.until("exit")
        terminal.send("\x03")
        self.assertIn("^C", terminal.prompt())
        self.assertIn("it runs", terminal.line("status"))

    def test_interrupt_ends_a_command(self):
        terminal = self.open(PAGER="echo paging; exec sleep 1000")
        terminal.send("help peek\r")
        terminal.until("paging")
        terminal.send("\x03")
        terminal.prompt()
        self.assertEqual(children_of(terminal.pid), [])
        self.assertEqual(tracer_of(self.pid), 0)
        terminal.send("exit\r")
        self.assertEqual(terminal.wait(), 0)

    def test_interrupt_at_a_held_target(self):
        terminal = self.open(PAGER="echo paging; exec sleep 1000")
        terminal.line("stop")
        terminal.send("chunks\r")
        terminal.until("paging")
        terminal.send("\x03")
        terminal.prompt()
        self.assertTrue(is_held_by(self.pid, terminal.pid))
        terminal.line("resume")
        self.assertEqual(tracer_of(self.pid), 0)

    def test_interrupt_spares_a_program(self):
        terminal = self.open()
        terminal.line("run cat")
        pid = int(re.search(r"attached to (\d+),", terminal.line("status")).group(1))
        terminal.send("x\x03")
        terminal.prompt()
        self.assertTrue(exists(pid))
        terminal.line("detach")
        self.assertFalse(exists(pid))

    def test_suspend(self):
        terminal = Terminal(command=["bash", "--norc", "-i"], PS1="$ ", PS0="", HISTFILE="/dev/null")
        self.addCleanup(terminal.end)
        terminal.until(r"\$ ")
        terminal.send(f"{MEMTOOL} shell {self.pid}\r")
        terminal.prompt()
        for _ in range(2):
            terminal.send("sta")
            terminal.until("sta")
            terminal.send("\x1a")
            terminal.until("Stopped")
            terminal.send("fg\r")
            terminal.prompt()
            terminal.until("sta")
            terminal.send("tus\r")
            self.assertIn("it runs", terminal.prompt())
        terminal.send("exit\r")
        terminal.until(r"\$ ")
        terminal.send("exit\r")
        self.assertEqual(terminal.wait(), 0)

    def test_suspend_at_a_held_target(self):
        """Then neither the shell stops, nor a command of its, nor, later, with resume, the shell."""
        terminal = self.open(PAGER="echo paging; exec sleep 1000")
        terminal.line("stop")
        terminal.send("\x1a")
        terminal.until("\a")
        terminal.send("chunks\r")
        terminal.until("paging")
        terminal.send("\x1a\x03")
        terminal.prompt()
        self.assertIn("stopped", terminal.line("status"))

    def test_program_has_no_signals_blocked(self):
        terminal = self.open()
        terminal.line("stop")
        terminal.line("run cat")
        pid = int(re.search(r"attached to (\d+),", terminal.line("status")).group(1))
        self.assertEqual(int(field_of(f"/proc/{pid}/status", "SigBlk"), 16), 0)
        terminal.line("detach")

    def test_resize(self):
        terminal = self.open()
        terminal.send("stat")
        terminal.until("stat")
        terminal.resize(40)
        os.kill(terminal.pid, signal.SIGWINCH)
        terminal.send("us\r")
        self.assertIn("it runs", terminal.prompt())
        # A line that is longer than the window is wide.
        terminal.send("symbol " + "x" * 60)
        terminal.resize(100)
        os.kill(terminal.pid, signal.SIGWINCH)
        terminal.send("\r")
        self.assertIn("no module", terminal.prompt())

    def test_pager(self):
        terminal = self.open(PAGER="sed s/^/paged:/")
        self.assertRegex(terminal.line("maps"), r"(?s)(\r\npaged:[^\r]*){10}")

    def test_pager_is_none(self):
        for pager in "", "cat":
            terminal = self.open(PAGER=pager)
            self.assertIn("[heap]", terminal.line("maps"))

    def test_pager_that_ends_early(self):
        terminal = self.open(PAGER="head -n 1")
        self.assertIn("memtool", terminal.line("chunks"))
        self.assertIn("it runs", terminal.line("status"))
        self.assertEqual(children_of(terminal.pid), [])

    def test_pager_that_is_not_there(self):
        terminal = self.open(PAGER="/no/such/pager")
        terminal.line("maps")
        self.assertIn("it runs", terminal.line("status"))

    def test_no_pager_in_a_pipe(self):
        result = subprocess.run([MEMTOOL, "shell", str(self.pid)], input=b"maps\n",
                                stdout=subprocess.PIPE, timeout=PATIENCE_S,
                                env={**os.environ, "PAGER": "sed s/^/paged:/"})
        self.assertEqual(result.stdout.decode(), output("maps", self.pid))

    def test_dumb_terminal(self):
        for term in "dumb", "no-such-terminal":
            terminal = self.open(TERM=term)
            self.assertIn("it runs", terminal.line("status"))
            terminal.send("exit\r")
            self.assertEqual(terminal.wait(), 0)

    def test_terminal_is_given_back(self):
        master, slave = pty.openpty()
        before = termios.tcgetattr(slave)
        process = subprocess.Popen([MEMTOOL, "shell"], stdin=slave, stdout=slave, stderr=slave,
                                   start_new_session=True,
                                   env={**os.environ, "TERM": "xterm",
                                        "ASAN_OPTIONS": "detect_leaks=0"})
        os.write(master, b"exit\r")
        self.assertEqual(process.wait(PATIENCE_S), 0)
        self.assertEqual(termios.tcgetattr(slave), before)
        os.close(slave)
        os.close(master)


if __name__ == "__main__":
    unittest.main()
