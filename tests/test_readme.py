"""The README says what is: its code runs, its finding is printed like that, its picture is of today's dashboard."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

import trainhealth

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()

sys.path.insert(0, str(ROOT / "docs"))
import refresh  # noqa: E402  # after the path to it


def test_the_fifteen_lines_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The script in the README is fifteen lines long, trains, and its run is healthy."""
    monkeypatch.chdir(tmp_path)
    code = re.search(r"```python\n(.*?)```", README, re.DOTALL)
    assert code is not None
    assert code[1].count("\n") == 15
    exec(compile(code[1], "README.md", "exec"), {})
    report = trainhealth.check("runs/digits")
    assert report.findings == ()
    assert report.run.view.series("train_loss").values[-29:].mean() < 0.3  # the last epoch; its last batch is tiny


def test_the_finding_is_the_one_that_is_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    """`python docs/refresh.py` would change nothing in the README."""
    monkeypatch.chdir(ROOT)
    assert refresh.readme(README) == README


def test_the_picture_is_of_a_sample_log() -> None:
    """The picture shows the run that it says, and loads nothing from the web."""
    svg = (ROOT / "docs" / "dashboard.svg").read_text()
    assert str(refresh.PICTURED) in svg.replace("&#160;", " ")
    assert "@font-face" not in svg
    assert "learning-rate-too-high" in svg


def test_every_link_leads_somewhere() -> None:
    """Files that the README links to exist."""
    links = re.findall(r"\]\(([^)#]+)\)", README)
    assert links
    for link in links:
        assert (ROOT / link).exists(), link
