"""What a path on the command line may not be."""

from __future__ import annotations

import pytest

from trainhealth.cli import main


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", ""),
        ("check", "runs/a", ""),
        ("live", ""),
        ("info", ""),
        ("sweep", ""),
        ("compare", "", "b"),
        ("compare", "a", ""),
        ("export", ""),
        ("import", "", "folder"),
        ("import", "log.csv", ""),
    ],
)
def test_an_empty_path_is_an_error_and_not_the_current_folder(arguments, capsys, tmp_path, monkeypatch):
    """``trainhealth check "$RUN"`` in a job in which RUN is not set must not judge whatever lies there."""
    monkeypatch.chdir(tmp_path)
    assert main(list(arguments)) == 2
    assert "the path is empty" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
