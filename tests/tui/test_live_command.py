"""``trainhealth live`` where there is no terminal; the dashboard in one is in ``test_live_process``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from trainhealth.cli import main
from trainhealth.cli.exit_codes import ExitCode
from trainhealth.records import RunInfo, StartRecord, StepRecord, encode, encode_info


@pytest.fixture(autouse=True)
def _plain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    for name in ("NO_COLOR", "TRAINHEALTH_GLYPHS"):
        monkeypatch.delenv(name, raising=False)


def write_run(folder: str) -> str:
    path = Path(folder)
    path.mkdir(parents=True)
    (path / "run.json").write_bytes(encode_info(RunInfo(name="run", model="Net")))
    records = [StartRecord(step=0, time=1e9), *(StepRecord(step=k, time=1e9 + k, train_loss=2.3) for k in range(9))]
    (path / "events-0.jsonl").write_bytes(b"".join(map(encode, records)))
    return folder


@pytest.mark.parametrize("options", [[], ["--once"]])
def test_one_frame_is_printed_as_plain_text(options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Where stdout is no terminal, with --once and without: data, no escape codes, exit code 0."""
    assert main(["live", write_run("runs/baseline"), *options]) == ExitCode.OK
    printed = capsys.readouterr()
    assert "stalled  baseline" in printed.out.splitlines()[0]
    assert "Loss  ━ train 2.3" in printed.out
    assert "\x1b" not in printed.out
    assert printed.err == ""


def test_without_a_path_it_is_the_newest_run(capsys: pytest.CaptureFixture[str]) -> None:
    """Below the current folder; so too where the path is a folder of runs."""
    write_run("a/runs/baseline")
    assert main(["live"]) == ExitCode.OK
    assert "a/runs/baseline" in capsys.readouterr().out
    assert main(["live", "a"]) == ExitCode.OK
    assert "a/runs/baseline" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["events-0.jsonl", "run.json"])
def test_the_path_may_be_a_file_of_the_run(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Shells complete file names."""
    assert main(["live", f"{write_run('run')}/{name}"]) == ExitCode.OK
    assert "step 8" in capsys.readouterr().out


def test_where_there_is_no_run_the_error_says_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 3, as for every log that can't be read; nothing on stdout."""
    assert main(["live"]) == ExitCode.UNREADABLE
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "there is no run in" in printed.err
    assert "trainhealth.watch(model, optimizer)" in printed.err


def test_a_run_that_is_not_there_yet_is_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    """It is a state like others: the training may begin later."""
    assert main(["live", "runs/later", "--once"]) == ExitCode.OK
    assert "waiting" in capsys.readouterr().out


def test_a_log_that_can_not_be_read_is_told_by_the_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    """A script that prints frames finds out; the frame says why."""
    Path("events-0.jsonl").write_text('{"kind":"start","step":0,"time":1.0,"schema_version":99}\n')
    assert main(["live", "events-0.jsonl", "--once"]) == ExitCode.UNREADABLE
    assert "unreadable" in capsys.readouterr().out


def test_a_text_without_any_loss_is_no_log(capsys: pytest.CaptureFixture[str]) -> None:
    """As `check` says; with a name for its column it is one."""
    Path("notes.log").write_text("".join(f"this is line {number} of my notes\n" for number in range(50)))
    assert main(["live", "notes.log", "--once"]) == main(["check", "notes.log"]) == ExitCode.UNREADABLE
    printed = capsys.readouterr()
    assert "unreadable" in printed.out
    assert "no loss and no accuracy was found (read as text)" in " ".join(printed.out.split())


def test_the_columns_of_a_foreign_log_can_be_named(capsys: pytest.CaptureFixture[str]) -> None:
    """As for `check`."""
    Path("log.csv").write_text("step,quux\n" + "".join(f"{step},{3.5}\n" for step in range(20)))
    assert main(["live", "log.csv", "--once", "--map", "train_loss=quux"]) == ExitCode.OK
    assert "Loss  ━ train 3.5" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--alert", ""], "an alert is empty"),
        (["--map", "train_loss"], "not SIGNAL=COLUMN"),
        (["--speed", "0"], "--speed"),
    ],
)
def test_what_is_off_is_a_usage_error(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Before anything is drawn."""
    assert main(["live", write_run("run"), *arguments]) == ExitCode.USAGE
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("options", [[], ["--replay"]])
def test_keys_that_are_off_are_an_error_before_the_terminal_is_taken(
    options: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On the dashboard itself nobody would see it."""
    monkeypatch.setattr("trainhealth.cli.live._has_terminal", lambda: True)
    Path("pyproject.toml").write_text("[tool.trainhealth.keys]\npaus = 'z'\n")
    assert main(["live", write_run("run"), *options]) == ExitCode.USAGE
    assert "Did you mean 'pause'?" in capsys.readouterr().err


def test_a_replay_of_what_can_not_be_read_is_an_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """There is nothing to wait for."""
    monkeypatch.setattr("trainhealth.cli.live._has_terminal", lambda: True)
    assert main(["live", "--replay", "nowhere"]) == ExitCode.UNREADABLE
    assert "there is no such file or folder" in capsys.readouterr().err


def test_ascii_is_an_option_and_a_variable(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """For terminals whose encoding promises more than their font can show."""
    write_run("run")
    assert main(["live", "run", "--ascii"]) == ExitCode.OK
    assert capsys.readouterr().out.isascii()
    monkeypatch.setenv("TRAINHEALTH_GLYPHS", "ascii")
    assert main(["live", "run"]) == ExitCode.OK
    assert capsys.readouterr().out.isascii()
    assert main(["live", "run", "--glyphs", "braille"]) == ExitCode.OK
    assert not capsys.readouterr().out.isascii()


def test_unknown_glyphs_are_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    """The known ones are named."""
    assert main(["live", "--glyphs", "emoji"]) == ExitCode.USAGE
    assert "braille" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("code", "absent"),
    [
        (
            "from trainhealth.cli import main; main(['live', 'run', '--once'])",
            {"torch", "textual", "pandas", "sklearn"},
        ),
        ("import trainhealth.tui.app, trainhealth.tui.feed, trainhealth.tui.reading", {"torch", "pandas", "sklearn"}),
        (
            "import trainhealth.tui.app; from pathlib import Path; from trainhealth.tui.reading import Reading\n"
            "assert Reading(Path('run')).turn().view.last_step == 8",
            {"trainhealth.rules.engine", "trainhealth.comparison", "trainhealth.readers.tensorboard", "numpy.ma"},
        ),
    ],
)
def test_live_loads_nothing_that_it_does_not_need(code: str, absent: set[str]) -> None:
    """It runs beside the job and starts in half a second: no torch, no pandas, and for one frame no textual.

    The first curves stand before the rules are imported, and need no reader of other tools' logs.
    """
    write_run("run")
    look = f"{code}\nimport sys\nprint(*sorted({absent!r} & set(sys.modules)), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr.split() == []
