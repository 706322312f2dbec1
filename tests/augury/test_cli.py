"""The command as a whole: instant help, nothing heavy imported for it, errors in one line, the right exit codes."""

import errno
import inspect
import os
import pty
import signal
import subprocess
import sys
import time
import types
from importlib import import_module
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from augury import cli
from features.errors import AuguryError
from models.processes import JobInterrupted

ROOT = Path(__file__).parents[2]
HEAVY = ("apache_beam", "tensorflow", "pyarrow", "numpy", "xgboost", "optuna")
COMMANDS = {name: entry for panel in cli._COMMANDS.values() for name, entry in panel.items()}


def augury(*argv, **how):
    return subprocess.run(
        [sys.executable, "-m", "augury.cli", *argv], cwd=ROOT, capture_output=True, text=True, timeout=120, **how
    )


@pytest.fixture
def run():
    return lambda *argv: CliRunner().invoke(cli.app, argv)


@pytest.fixture
def broken(monkeypatch):
    """Adds a command ``broken`` that raises."""

    def add(error):
        def command() -> None:
            """Break."""
            raise error

        module = types.ModuleType("augury.commands.broken")
        module.broken = command
        monkeypatch.setitem(sys.modules, module.__name__, module)
        monkeypatch.setitem(cli._COMMANDS["Start here"], "broken", ("broken:broken", "Break."))

    return add


def test_importing_the_command_imports_nothing_heavy():
    code = f"import sys, augury.cli; print([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_help_is_instant_and_lists_every_command():
    seconds = []
    for _ in range(3):
        started = time.perf_counter()
        done = augury("--help")
        seconds.append(time.perf_counter() - started)
        assert done.returncode == 0
    assert all(f" {name} " in done.stdout for name in COMMANDS)
    assert min(seconds) < 2.5, "0.4 s on an idle machine; this one may be busy"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_help_says_what_the_list_says_and_shows_examples(name, run):
    path, short_help = COMMANDS[name]
    module, _, attribute = path.partition(":")
    command = getattr(import_module(f"augury.commands.{module}"), attribute)
    commands = {name: command}
    if isinstance(command, typer.Typer):
        assert inspect.getdoc(command.registered_callback.callback).splitlines()[0] == short_help
        inner = [each.callback for each in command.registered_commands]
        commands = {f"{name} {callback.__name__.replace('_', '-')}": callback for callback in inner}
    else:
        assert inspect.getdoc(command).splitlines()[0] == short_help
    for words, callback in commands.items():
        assert f"- `augury {words}" in inspect.getdoc(callback).partition("**Examples**")[2]
        assert run(*words.split(), "--help").exit_code == 0


def test_every_flag_has_help():
    for name in COMMANDS:
        command = cli._Deferred(name, COMMANDS[name][0], "", "").load()
        for each in getattr(command, "commands", {name: command}).values():
            assert [parameter.name for parameter in each.params if not parameter.help] == [], name


def test_no_command_shows_the_help(run):
    assert "Usage: " in run().output


def test_version(run):
    done = run("--version")
    assert (done.exit_code, done.stdout) == (0, "augury 0.1.0\n")


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (("exmples",), "No such command 'exmples'. Did you mean 'examples'?"),
        (("simulate", "shop", "--visitor", "3"), "No such option: --visitor"),
        (("simulate",), "Missing argument 'output'"),
        (("simulate", "shop", "--visitors", "many"), "Invalid value for '--visitors'"),
        (("check-generator", "purchase", "-p", "days"), "'days' is no NAME=VALUE"),
        (("check-generator", "purchase", "-p", "days=1", "-p", "days=2"), "'days' is given twice"),
        (("history", "purchase"), "'purchase' is no FAMILY/NAME such as"),
    ],
)
def test_mistakes_on_the_command_line_exit_with_2(argv, words, run):
    done = run(*argv)
    assert done.exit_code == 2
    assert words in " ".join(done.stderr.replace("│", "").split())
    assert done.stdout == ""


@pytest.mark.parametrize("family", ["behavior", "attention"])
def test_training_asks_for_its_two_folders_and_nothing_else(family, run, monkeypatch):
    asked = []
    monkeypatch.setattr("augury.commands.train.run_module", lambda name, argv: asked.append((name, argv)) or 0)
    assert run("train", family, "--examples", "a", "--output", "b").exit_code == 0
    assert asked == [(f"models.{family}.train", ["--examples=a", "--output=b"])]


def test_an_error_is_one_red_line_on_stderr_and_exit_code_1(run, broken):
    broken(AuguryError("visitors is -1;\n expected 1 or more"))
    done = run("broken")
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == "error: visitors is -1; expected 1 or more\n"


def test_a_full_disk_is_one_line(run, broken):
    broken(OSError(errno.ENOSPC, "No space left on device", "out/part-0"))
    done = run("broken")
    assert done.exit_code == 1
    assert done.stderr == (
        "error: No space left on device (out/part-0); free some space, mend the permissions, or write somewhere else\n"
    )


def test_a_missing_extra_is_named(run, broken):
    broken(ModuleNotFoundError("No module named 'apache_beam'", name="apache_beam.io"))
    done = run("broken")
    assert done.exit_code == 1
    assert done.stderr == (
        "error: this command needs apache_beam.io, which is not installed; "
        "install it with: pip install 'augury[pipelines]'\n"
    )


def test_a_job_that_was_interrupted_is_not_reported_twice(run, broken):
    broken(JobInterrupted())
    done = run("broken")
    assert (done.exit_code, done.output) == (130, "")


def test_ctrl_c_that_a_runner_wrapped_is_still_ctrl_c(run, broken):
    error = RuntimeError("KeyboardInterrupt [while running 'ReadEvents']")
    error.__cause__ = KeyboardInterrupt()
    broken(error)
    done = run("broken")
    assert (done.exit_code, done.stderr) == (130, "interrupted; nothing half-written was left\n")
    broken(RuntimeError("something else"))
    assert isinstance(run("broken").exception, RuntimeError)


def test_a_defect_keeps_its_traceback(run, broken):
    broken(ZeroDivisionError("division by zero"))
    done = run("broken")
    assert isinstance(done.exception, ZeroDivisionError)


def test_ctrl_c_is_one_line_and_leaves_nothing(tmp_path):
    ours, theirs = pty.openpty()
    argv = [sys.executable, "-m", "augury.cli", "simulate", str(tmp_path / "shop"), "--visitors", "1000000"]
    child = subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, stderr=theirs, text=True)
    os.close(theirs)
    os.read(ours, 1)  # the progress bar is up: the work has begun
    child.send_signal(signal.SIGINT)
    said = b""
    while True:
        try:
            piece = os.read(ours, 4096)
        except OSError:  # a terminal that the last writer has left
            break
        if not piece:
            break
        said += piece
    assert child.wait(60) == 130
    os.close(ours)
    assert said.endswith(b"interrupted; nothing half-written was left\x1b[0m\r\n")
    assert b"Traceback" not in said
    assert child.stdout.read() == ""
    child.stdout.close()
    assert list(tmp_path.iterdir()) == []
