"""The folder of a run: a free name, the same one for all ranks, or a clear error."""

from __future__ import annotations

from pathlib import Path

import pytest

from trainhealth.errors import UsageError
from trainhealth.hooks.run_folder import open_folder, write_info
from trainhealth.records import RunInfo, decode_info


def test_an_empty_folder_is_used_and_a_run_never_overwritten(tmp_path: Path) -> None:
    """A folder that holds other things is taken; one that holds a run gets a number."""
    (tmp_path / "baseline").mkdir()
    (tmp_path / "baseline" / "checkpoint.pt").write_text("")
    assert open_folder(tmp_path / "baseline", "Net", resume=False) == tmp_path / "baseline"
    write_info(tmp_path / "baseline", RunInfo(name="baseline"))
    assert open_folder(tmp_path / "baseline", "Net", resume=False) == tmp_path / "baseline-2"
    assert open_folder(tmp_path / "baseline", "Net", resume=True) == tmp_path / "baseline"


def test_the_default_name_is_time_and_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without run_dir the run lies below ``runs`` in the present folder."""
    monkeypatch.chdir(tmp_path)
    folder = open_folder(None, "Net", resume=False)
    assert folder.parent == Path("runs")
    assert folder.name.endswith("-Net")
    assert folder.is_dir()


def test_ranks_take_the_launchers_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under a launcher all ranks come to the same folder without talking; without a common id they are told to."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "job 7")
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    assert open_folder(None, "Net", resume=False) == Path("runs/job-7-Net")
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
    with pytest.raises(UsageError, match="no common id"):
        open_folder(None, "Net", resume=False)
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "events-0.jsonl").write_text("")
    assert open_folder("shared", "Net", resume=False) == Path("shared")
    (tmp_path / "shared" / "events-1.jsonl").write_text("")
    with pytest.raises(UsageError, match="already holds a log of rank 1"):
        open_folder("shared", "Net", resume=False)


def test_run_json_is_written_whole(tmp_path: Path) -> None:
    """run.json appears under its name only when it is complete, and reads back."""
    info = RunInfo(name="x", hyperparameters={"lr": 0.1, "layers": [1, 2], "note": "µ", "nothing": None})
    write_info(tmp_path, info)
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]
    assert decode_info((tmp_path / "run.json").read_bytes(), "run.json") == info
