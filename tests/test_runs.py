"""Which runs a path means."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from trainhealth.errors import LogError
from trainhealth.runs import find_runs, runs_of

LOG = "epoch,loss,val_loss\n0,2.5,2.6\n1,2.0,2.2\n2,1.5,2.0\n"


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Paths are relative to a folder of its own."""
    monkeypatch.chdir(tmp_path)


def write(*paths: str, text: str = LOG) -> None:
    """Write a log to each path."""
    for path in map(Path, paths):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_a_run_folder_and_a_file_are_one_run_each() -> None:
    """Also a file of which nobody knows what it is: its reader will say."""
    write("run/run.json", "run/events-0.jsonl", "a log.bin")
    assert runs_of("run") == ["run"]
    assert runs_of("run/events-0.jsonl") == ["run/events-0.jsonl"]
    assert runs_of("a log.bin") == ["a log.bin"]
    assert runs_of("missing") == ["missing"]


def test_a_folder_means_the_runs_and_logs_below_it_in_order() -> None:
    """What is within a run is part of it; notes, pictures, and what is hidden are none."""
    write("runs/b/run.json", "runs/b/old/log.csv", "runs/a run/log.csv", "runs/deep/2026/lightning_logs/v0/metrics.csv")
    write("runs/.hidden/log.csv", "runs/notes.bin")
    write("runs/readme.txt", text="Some notes.\n")
    assert runs_of("runs") == ["runs/a run/log.csv", "runs/b", "runs/deep/2026/lightning_logs/v0"]


def test_runs_that_are_numbered_come_in_the_order_of_their_numbers() -> None:
    """The tenth try stands behind the ninth, also below a folder and behind a pattern."""
    for number in (10, 9, 1, 100):
        write(f"runs/try-{number}/run.json")
    expected = [f"runs/try-{number}" for number in (1, 9, 10, 100)]
    assert runs_of("runs") == expected
    assert runs_of("runs/*") == expected


def test_settings_that_stand_beside_logs_are_no_logs() -> None:
    """A JSON document counts below a folder if something was measured in it; one that is named is read in any case."""
    write("runs/a/log.csv")
    write("runs/a/config.json", text='{"learning_rate": 0.1, "layers": [64, 64], "name": "a"}')
    write("runs/a/model/config.json", text='{"lr": 0.1, "batch_size": 32, "epochs": 10}\n')
    write("runs/a/rows.json", text='[{"epoch": 0, "loss": 2.0}, {"epoch": 1, "loss": 1.5}]')
    assert runs_of("runs") == ["runs/a/log.csv", "runs/a/rows.json"]
    assert runs_of("runs/a/config.json") == ["runs/a/config.json"]


def test_a_file_without_a_suffix_is_a_log_if_it_begins_like_one() -> None:
    """A metric of MLflow that has left its folder, or what a cluster wrote; of the others, which are many, no word."""
    write("runs/loss", text="1763712000123 2.3125 0\n1763712001456 1.75 1\n")
    write("runs/stdout", text="Epoch 1: loss 0.5\nEpoch 2: loss 0.4\n")
    write("runs/LICENSE", text="Permission is hereby granted, without loss of generality, to 1 person.\n")
    found = find_runs("runs")
    assert found.runs == ["runs/loss", "runs/stdout"]
    assert not found.passed_over


def test_a_table_that_the_dashboard_has_kept_is_no_run_of_its_own() -> None:
    """It lies where the dashboard was opened, beside the runs; whoever names it gets it read."""
    write("runs/a/log.csv", "runs/trainhealth-a-overview.csv")
    assert runs_of("runs") == ["runs/a/log.csv"]
    assert runs_of("runs/trainhealth-a-overview.csv") == ["runs/trainhealth-a-overview.csv"]


def test_links_and_pipes_below_a_folder_are_left_out() -> None:
    """A link may lead in a circle, a pipe may wait for ever; a link that is named is followed."""
    write("runs/a/log.csv")
    os.symlink("..", "runs/a/up")
    os.symlink("runs/a", "named")
    os.mkfifo("runs/pipe.csv")
    assert runs_of("runs") == ["runs/a/log.csv"]
    assert runs_of("named") == ["named/log.csv"]


def test_a_pattern_means_what_it_matches_each_run_once() -> None:
    """`runs/**` matches folders, the runs in them, and the files of these."""
    write("runs/a/run.json", "runs/a/events-0.jsonl", "runs/b/log.csv")
    assert runs_of("runs/*") == ["runs/a", "runs/b/log.csv"]
    assert runs_of("runs/**") == ["runs/a", "runs/b/log.csv"]
    assert runs_of("**/events-*.jsonl") == ["runs/a/events-0.jsonl"]


def test_a_name_with_brackets_is_a_name_where_it_exists() -> None:
    """Experiments are called lr[0.1]."""
    write("lr[0.1]/log.csv", "lr0/log.csv")
    assert runs_of("lr[0.1]") == ["lr[0.1]/log.csv"]
    assert runs_of("lr[0-9]") == ["lr0/log.csv"]


@pytest.mark.parametrize("path", ["empty", "no*thing", "empty/*"])
def test_where_there_is_no_run_that_is_said(path: str) -> None:
    """With the path in it."""
    Path("empty").mkdir()
    with pytest.raises(LogError) as error:
        runs_of(path)
    assert error.value.message.startswith(f"{path}: ")


def test_a_folder_that_may_not_be_read_is_not_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """There may be runs in it: its reader says that it can't be read."""
    write("runs/a/log.csv", "runs/locked/log.csv")
    listed = Path.iterdir

    def locked(folder: Path):  # tests may run as root, who may read everything
        if folder.name == "locked":
            raise PermissionError(13, "Permission denied", str(folder))
        return listed(folder)

    monkeypatch.setattr(Path, "iterdir", locked)
    assert runs_of("runs") == ["runs/a/log.csv", "runs/locked"]


def test_a_name_that_no_file_can_have_is_left_to_the_reader() -> None:
    """It is too long: an error of the path, not of the program."""
    assert runs_of("a" * 300) == ["a" * 300]
