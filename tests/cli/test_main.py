"""The command line as a whole: help, exit codes, errors, streams."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from types import ModuleType

import click
import pytest

import trainhealth
from trainhealth import cli
from trainhealth.cli import COMMANDS, main
from trainhealth.errors import LogError, TrainHealthError, UsageError


@pytest.fixture
def plant(monkeypatch: pytest.MonkeyPatch):
    """Return a function that makes a callable a subcommand."""

    def planted(name: str, action) -> None:
        module = ModuleType(f"trainhealth.cli.{name}")
        setattr(module, name, click.command(name)(action))
        monkeypatch.setitem(sys.modules, module.__name__, module)
        monkeypatch.setitem(COMMANDS, name, "A planted command.")

    return planted


def _raiser(error: BaseException):
    def action() -> None:
        raise error

    return action


def test_help_names_every_command_with_its_line(capsys):
    """The list of commands is what a new user sees first."""
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    for name, line in COMMANDS.items():
        assert f"  {name} " in out
        assert line.split()[0] in out


@pytest.mark.parametrize("name", [name for name in COMMANDS if importlib.util.find_spec(f"trainhealth.cli.{name}")])
def test_every_command_explains_itself(name, capsys):
    """The table of commands names modules that hold a command of that name."""
    assert main([name, "--help"]) == 0
    assert f"Usage: trainhealth {name}" in capsys.readouterr().out


def test_version_is_that_of_the_package(capsys):
    """Bug reports quote this line."""
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"trainhealth {trainhealth.__version__}\n"


def test_alone_it_follows_the_newest_run(plant):
    """`trainhealth` without arguments is `trainhealth live`."""
    called = []
    plant("live", lambda: called.append("live"))
    assert main([]) == 0
    assert called == ["live"]


def test_an_unknown_command_is_a_usage_error_that_names_the_nearest(capsys):
    """A slip of the keyboard is answered with the command that was meant."""
    assert main(["chekc"]) == 2
    captured = capsys.readouterr()
    assert "There is no command 'chekc'. Did you mean check?" in captured.err
    assert captured.out == ""


def test_a_path_without_a_command_is_answered_with_the_command_for_it(tmp_path, capsys):
    """`trainhealth runs/x` is a natural thing to try."""
    assert main([str(tmp_path)]) == 2
    assert f"trainhealth check {tmp_path}" in " ".join(capsys.readouterr().err.split())


def test_an_unknown_option_is_a_usage_error(capsys):
    """click says which; the exit code is ours."""
    assert main(["check", "--frmat", "json", "x"]) == 2
    assert "--format" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (LogError("log.jsonl: broken", "Mend it."), 3),
        (UsageError("no such thing", "Mend it."), 2),
        (TrainHealthError("odd", "Mend it."), 2),
    ],
)
def test_an_error_is_a_fact_and_a_hint_on_stderr(plant, capsys, error, code):
    """No traceback, and nothing on stdout: stdout is data."""
    plant("planted", _raiser(error))
    assert main(["planted"]) == code
    captured = capsys.readouterr()
    assert captured.err == f"error: {error.message}\n  hint: Mend it.\n"
    assert captured.out == ""


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt(), click.Abort()])
def test_an_interrupt_is_130_and_quiet(plant, capsys, interrupt):
    """Ctrl-C is no error."""
    plant("planted", _raiser(interrupt))
    assert main(["planted"]) == 130
    assert "Traceback" not in capsys.readouterr().err


def test_a_crash_is_told_apart_from_a_finding(plant, capsys):
    """CI must not take a defect of ours for a sick run: the code is 70, and the traceback is there to be reported."""
    plant("planted", _raiser(ZeroDivisionError("oops")))
    assert main(["planted"]) == 70
    assert "ZeroDivisionError: oops" in (err := capsys.readouterr().err)
    assert "please report it" in err


def test_a_command_that_returns_no_code_has_succeeded(plant):
    """Only `check` has a verdict to return."""
    plant("planted", lambda: None)
    assert main(["planted"]) == 0


def test_narration_comes_after_the_data_that_was_written_before_it(plant, capfd):
    """stdout is flushed first, so that a terminal shows both in the order of events."""
    order = []

    def action() -> None:
        sys.stdout.write("data")
        flush = sys.stdout.flush
        sys.stdout.flush = lambda: (order.append("flush"), flush())
        cli.say("narration")
        order.append("said")

    plant("planted", action)
    assert main(["planted"]) == 0
    assert order[:2] == ["flush", "said"]


def test_a_closed_pipe_is_quiet():
    """`trainhealth recipes | head -1` ends without a complaint on stderr."""
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([sys.executable, "-m", "trainhealth", "recipes"], stdout=write, stderr=subprocess.PIPE)
    os.close(write)
    assert done.stderr == b""
    assert done.returncode == 141


def test_a_terminal_that_lacks_a_character_gets_another():
    """In an ASCII locale nothing fails: what can't be shown becomes a question mark."""
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(
        [sys.executable, "-m", "trainhealth", "explain", "he-initialization"], capture_output=True, env=environment
    )
    assert done.returncode == 0
    assert done.stdout.isascii()
