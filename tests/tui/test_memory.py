"""What the dashboard remembers of a folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from trainhealth.tui.memory import MOST_RUNS, Memory


def test_what_was_chosen_and_muted_is_there_next_time(tmp_path: Path) -> None:
    """Another dashboard on the same folder begins as the last one ended; one on another folder does not."""
    first = Memory(tmp_path / "runs", tmp_path / "state")
    first.choose("view", "curves")
    first.choose("smoothing", 0.9)
    first.set_muted("baseline", {"OP01@run", "LS01@run"})
    again, elsewhere = (Memory(tmp_path / name, tmp_path / "state") for name in ("runs", "other"))
    assert (again.choice("view", "overview"), again.choice("smoothing", 0.6)) == ("curves", 0.9)
    assert again.muted("baseline") == {"OP01@run", "LS01@run"}
    assert again.muted("another") == set()
    assert (elsewhere.choice("view", "overview"), elsewhere.muted("baseline")) == ("overview", set())


def test_a_run_is_remembered_by_the_folder_it_stands_in(tmp_path: Path) -> None:
    """A choice that was made with one run holds for its neighbours."""
    Memory.beside(tmp_path / "runs" / "a", tmp_path / "state").choose("theme", "light")
    assert Memory.beside(tmp_path / "runs" / "b", tmp_path / "state").choice("theme", "") == "light"


def test_unmuting_everything_forgets_the_run(tmp_path: Path) -> None:
    """The file does not collect runs that nothing is known of."""
    memory = Memory(tmp_path, tmp_path / "state")
    memory.set_muted("baseline", {"OP01@run"})
    memory.set_muted("baseline", set())
    assert "baseline" not in memory.file.read_text()


def test_two_dashboards_do_not_undo_each_other(tmp_path: Path) -> None:
    """Each changes what it was told to, and leaves the rest as the other has written it."""
    one, two = (Memory(tmp_path, tmp_path / "state") for _ in range(2))
    assert two.choice("view", "overview") == "overview"
    one.choose("view", "layers")
    two.choose("theme", "light")
    assert Memory(tmp_path, tmp_path / "state").choice("view", "overview") == "layers"


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff", b'{"choices": 3, "muted": {"baseline": "x"}}'])
def test_a_file_that_is_no_good_is_as_none(tmp_path: Path, content: bytes) -> None:
    """Half a file, or somebody else's: the defaults hold, and the next choice is written all the same."""
    memory = Memory(tmp_path, tmp_path / "state")
    memory.file.parent.mkdir()
    memory.file.write_bytes(content)
    assert (memory.choice("view", "overview"), memory.muted("baseline")) == ("overview", set())
    memory.choose("view", "curves")
    assert Memory(tmp_path, tmp_path / "state").choice("view", "overview") == "curves"


def test_a_choice_of_another_type_is_none(tmp_path: Path) -> None:
    """An older version may have meant something else by the name."""
    Memory(tmp_path, tmp_path / "state").choose("smoothing", "strong")
    assert Memory(tmp_path, tmp_path / "state").choice("smoothing", 0.6) == 0.6


def test_where_nothing_can_be_kept_choices_hold_until_the_end(tmp_path: Path) -> None:
    """A home that can't be written to (a container, a full disk) is no reason to fail or to complain."""
    (tmp_path / "state").write_text("a file where the folder should be")
    memory = Memory(tmp_path, tmp_path / "state")
    memory.choose("view", "curves")
    memory.set_muted("baseline", {"OP01@run"})
    assert (memory.choice("view", "overview"), memory.muted("baseline")) == ("curves", {"OP01@run"})
    assert [path.name for path in tmp_path.iterdir()] == ["state"]


def test_nothing_half_written_is_left_behind(tmp_path: Path) -> None:
    """The file is replaced in one piece, and what that took is gone."""
    memory = Memory(tmp_path, tmp_path / "state")
    memory.choose("view", "curves")
    memory.choose("view", "layers")
    assert list((tmp_path / "state").iterdir()) == [memory.file]


def test_muted_runs_do_not_pile_up(tmp_path: Path) -> None:
    """The runs that were muted first are forgotten first."""
    memory = Memory(tmp_path, tmp_path / "state")
    memory.file.parent.mkdir()
    memory.file.write_text(json.dumps({"muted": {f"run-{k}": ["OP01@run"] for k in range(MOST_RUNS)}}))
    memory.set_muted("newest", {"OP01@run"})
    assert memory.muted("newest") == {"OP01@run"}
    assert (memory.muted("run-0"), memory.muted("run-1")) == (set(), {"OP01@run"})


def test_a_current_folder_that_is_gone_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder of a finished job may be deleted while its dashboard is open."""
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert Memory.beside(Path("run"), tmp_path / "state").muted("run") == set()
