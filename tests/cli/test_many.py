"""Many runs: in order, whatever happens to one of them, on several processes, with a line of progress."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from concurrent.futures.process import BrokenProcessPool

import pytest

import trainhealth.diagnosis
from trainhealth.cli import main, many
from trainhealth.cli.many import ALONE, TOLD, Place, Progress, check_all, check_one
from trainhealth.diagnosis import Report
from trainhealth.errors import UsageError
from trainhealth.reports.base import Unreadable


def places(paths: list[str]) -> list[Place]:
    return [Place(path, path) for path in paths]


def test_a_reader_that_fails_hides_nothing_of_the_others(write_run, monkeypatch):
    """It is told as a defect, with the path; the next run is diagnosed."""
    path = write_run("good")
    right = trainhealth.diagnosis.load

    def load(path, **settings):
        if path == "bad":
            raise ZeroDivisionError("division by zero")
        return right(path, **settings)

    monkeypatch.setattr(trainhealth.diagnosis, "load", load)
    bad, good = check_all(places(["bad", path]))
    assert isinstance(bad, Unreadable)
    assert "bad: trainhealth failed on it (ZeroDivisionError: division by zero)" in bad.error.message
    assert isinstance(good, Report)


def test_a_run_may_be_called_otherwise_than_its_path(write_run):
    """In the report, in the evidence's location, and in what is said of a log that can't be read."""
    report = check_one(write_run(losses=(2.0, 5000.0)), called="the one of yesterday")
    assert isinstance(report, Report)
    assert report.run.path == "the one of yesterday"
    assert report.findings[0].evidence[0].location == "the one of yesterday: step 1"
    missing = check_one("missing", called="the one of today")
    assert isinstance(missing, Unreadable)
    assert (missing.path, missing.error.message) == (
        "the one of today",
        "the one of today: there is no such file or folder",
    )


def test_settings_that_are_off_end_it(write_run):
    """They hold for all runs."""
    with pytest.raises(UsageError):
        check_one(write_run(), {"no_signal": "loss"})


@pytest.mark.slow
def test_several_processes_give_the_same_in_the_same_order(write_run, monkeypatch):
    """Also what can't be read stands in its place."""
    monkeypatch.setattr(many.os, "sched_getaffinity", lambda pid: {0, 1}, raising=False)
    monkeypatch.setattr(many, "AHEAD", 1)
    paths = [write_run(f"r{place}") for place in range(ALONE + 2)]
    paths.insert(2, "missing")
    checked = list(check_all(places(paths)))
    assert [one.path if isinstance(one, Unreadable) else one.run.path for one in checked] == paths
    assert isinstance(checked[2], Unreadable)
    assert checked[2].error.hint
    steps = [one.run.view.last_step for one in checked if isinstance(one, Report)]
    assert steps == [2] * (ALONE + 2)


def test_a_process_that_is_killed_costs_no_run(write_run, monkeypatch, capsys):
    """The runs that are left are diagnosed by the one process that is sure to be there; none comes twice."""
    paths = [write_run(f"r{place}") for place in range(ALONE + 1)]

    def killed(check, places, processes):
        yield check(places[0])
        raise BrokenProcessPool

    monkeypatch.setattr(many.os, "sched_getaffinity", lambda pid: {0, 1}, raising=False)
    monkeypatch.setattr(many, "_spread", killed)
    assert [one.run.path for one in check_all(places(paths))] == paths
    assert "one by one" in capsys.readouterr().err


@pytest.mark.slow
def test_who_stops_asking_gets_no_error(write_run, monkeypatch):
    """`| head` closes the pipe after the first run."""
    monkeypatch.setattr(many.os, "sched_getaffinity", lambda pid: {0, 1}, raising=False)
    asked = check_all(places([write_run(f"r{place}") for place in range(ALONE + 1)]))
    first = next(asked)
    assert isinstance(first, Report)
    assert first.run.path == "r0"
    asked.close()


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("stream", "total", "shown"), [(_Terminal, TOLD, True), (_Terminal, TOLD - 1, False), (io.StringIO, TOLD, False)]
)
def test_progress_is_for_terminals_and_many_runs(monkeypatch, stream: Callable[[], io.StringIO], total, shown):
    """Elsewhere it would be noise; it is gone in the end."""
    err = stream()
    monkeypatch.setattr(sys, "stderr", err)
    with Progress(total) as progress:
        for _ in range(total):
            progress.hide()
            progress.advance()
    assert (f"{total} of {total} runs" in err.getvalue()) is shown
    assert err.getvalue() == "" or err.getvalue().endswith("\r\x1b[K")


def test_a_folder_a_pattern_and_a_map_reach_the_diagnosis(write_run, tmp_path, capsys):
    """Runs below a folder, runs that a pattern matches, and a column that the user names."""
    for name in ("runs/a", "runs/b"):
        write_run(name)
    assert main(["check", "runs", "runs/*"]) == 0
    assert capsys.readouterr().out.endswith("4 runs: 0 with findings, 4 without\n")
    (tmp_path / "odd.csv").write_text("epoch,mine\n" + "".join(f"{epoch},{5000 + epoch}\n" for epoch in range(9)))
    assert main(["check", "odd.csv"]) == 0
    assert main(["check", "odd.csv", "--map", "train_loss=mine"]) == 1


def test_of_several_runs_in_one_log_the_last_is_judged_and_that_is_said(write_run, tmp_path, monkeypatch, capsys):
    """On stderr, and in the line about the run."""
    monkeypatch.chdir(tmp_path)
    rows = "".join(f"{epoch},{2 / (epoch + 1)}\n" for epoch in range(9))
    (tmp_path / "two.csv").write_text(f"epoch,loss\n{rows}{rows}")
    assert main(["check", "two.csv"]) == 0
    captured = capsys.readouterr()
    assert "the last of 2 runs in this log" in captured.out
    assert "2 runs in one log: the last one is diagnosed" in captured.err


def test_a_name_cannot_steer_the_terminal_from_stderr(tmp_path, monkeypatch, capsys):
    """Control characters of a file's name are shown as such."""
    monkeypatch.chdir(tmp_path)
    assert main(["check", "\x1b]0;owned\x07"]) == 3
    assert "\x1b" not in capsys.readouterr().err
