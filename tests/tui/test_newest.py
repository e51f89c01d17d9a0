"""The newest run below a folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from trainhealth.cli import newest
from trainhealth.cli.newest import find_newest_run


def make_run(folder: Path, written: int, name: str = "run.json") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("{}")
    os.utime(folder / name, (written, written))
    return folder


def test_the_run_that_was_written_to_last_is_found(tmp_path: Path) -> None:
    """The time of its files counts, not its name or that of its folder."""
    make_run(tmp_path / "z", 100)
    newest_one = make_run(tmp_path / "a" / "b", 300)
    make_run(tmp_path / "c", 200)
    assert find_newest_run(tmp_path) == newest_one


def test_a_growing_event_file_makes_a_run_the_newest(tmp_path: Path) -> None:
    """run.json is written once, at the beginning."""
    make_run(tmp_path / "began-later", 200)
    make_run(tmp_path / "still-training", 100)
    make_run(tmp_path / "still-training", 300, "events-1.jsonl")
    assert find_newest_run(tmp_path) == tmp_path / "still-training"


def test_the_folder_itself_may_be_the_run(tmp_path: Path) -> None:
    """Who stands in a run's folder means that run; no other is looked for within it."""
    make_run(tmp_path, 100)
    make_run(tmp_path / "below", 300)
    assert find_newest_run(tmp_path) == tmp_path


def test_the_search_ends_four_folders_down(tmp_path: Path) -> None:
    """A home folder may hold a million folders."""
    deep = tmp_path / "1" / "2" / "3" / "4"
    make_run(deep / "5", 300)
    assert find_newest_run(tmp_path) is None
    make_run(deep, 100)
    assert find_newest_run(tmp_path) == deep


def test_hidden_folders_and_links_are_left_out(tmp_path: Path) -> None:
    """Caches and environments are large, and links may lead anywhere, or round in a ring."""
    make_run(tmp_path / ".venv" / "run", 300)
    elsewhere = make_run(tmp_path.parent / f"{tmp_path.name}-elsewhere", 300)
    (tmp_path / "link").symlink_to(elsewhere)
    (tmp_path / "ring").symlink_to(tmp_path)
    assert find_newest_run(tmp_path) is None


def test_when_the_time_is_over_the_best_so_far_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is near was looked at first."""
    near = make_run(tmp_path / "near", 100)
    make_run(tmp_path / "far" / "away", 300)
    times = iter([0.0, 0.1, 0.2, 0.3, 99.0])
    monkeypatch.setattr(newest.time, "monotonic", lambda: next(times))
    assert find_newest_run(tmp_path) == near


def test_a_folder_that_is_not_there_holds_no_run(tmp_path: Path) -> None:
    """Nor does one that may not be read."""
    assert find_newest_run(tmp_path / "nowhere") is None
