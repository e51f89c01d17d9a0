"""A project's settings: found above the current folder, checked, and used by every way to a diagnosis."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import trainhealth
from trainhealth.config import Config, load_config
from trainhealth.errors import UsageError


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project's folder, in which the test runs."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def settings(project: Path, text: str) -> Config:
    """Return the settings of a project whose file says `text`."""
    (project / "pyproject.toml").write_text(text)
    return load_config()


def test_without_a_file_everything_is_as_it_comes(project: Path) -> None:
    """Nor does a project that does not mention us change anything."""
    assert load_config().rules == {}
    assert settings(project, "[tool.ruff]\nline-length = 9\n").rules == {}


def test_the_nearest_project_that_mentions_us_counts(project: Path) -> None:
    """A package inside of the project has a file of its own without our table."""
    (project / "package").mkdir()
    (project / "package" / "pyproject.toml").write_text("[project]\nname = 'part'\n")
    settings(project, "[tool.trainhealth.rules.overfitting]\ngap = 0.5\n")
    assert load_config(project / "package").rules == {"overfitting": {"gap": 0.5}}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[tool.trainhealth\n", "no valid TOML"),
        ("[tool]\ntrainhealth = 3\n", "which is no table"),
        ("[tool.trainhealth.rule.overfitting]\n", "Did you mean 'rules'"),
        ("[tool.trainhealth.rules]\noverfitting = 3\n", "a table"),
        ("[tool.trainhealth.map]\ntrain_loss = 3\n", "names of columns"),
        ("[tool.trainhealth.keys]\npause = 3\n", "maps commands to keys"),
        ("[tool.trainhealth.map]\nmy_loss = 'loss'\n", "'my_loss' in the map of names is no signal"),
    ],
)
def test_what_is_off_is_an_error_that_says_how_to_mend_it(project: Path, text: str, said: str) -> None:
    """It names the file, or the key."""
    with pytest.raises(UsageError, match=said):
        settings(project, text)


def test_options_and_names_reach_the_diagnosis(project: Path) -> None:
    """The overfitted run is found with the defaults; with a patience of a thousand evaluations it is not judged."""
    rows = [f"{epoch},{2 / (epoch + 1):.4f},{1 + abs(epoch - 5) / 5:.4f}" for epoch in range(40)]
    (project / "log.csv").write_text("epoch,fitted,unseen_loss_of_mine\n" + "\n".join(rows) + "\n")
    names = "[tool.trainhealth.map]\ntrain_loss = 'fitted'\nvalidation_loss = 'unseen_loss_of_mine'\n"
    assert "GE01" not in {finding.code for finding in trainhealth.check("log.csv").findings}
    settings(project, names)
    assert "GE01" in {finding.code for finding in trainhealth.check("log.csv").findings}
    settings(project, f"{names}[tool.trainhealth.rules.overfitting]\nleast = 1000\n")
    assert "GE01" in {rule.code for rule in trainhealth.check("log.csv").not_checked}


def test_in_a_folder_that_is_gone_there_are_no_settings(project: Path) -> None:
    """A shell may stand in one; absolute paths can be diagnosed from there."""
    gone = project / "gone"
    gone.mkdir()
    os.chdir(gone)
    gone.rmdir()
    assert load_config() == Config()
