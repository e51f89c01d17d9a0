"""What can be kept of the screen, and where it goes."""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path

import numpy as np
import pytest

from tests.tui.cases import SICK, run, snapshot
from tests.tui.run_tables import COUNT, opened_table
from tests.tui.screen import opened, said, screen_text
from trainhealth.diagnosis import Report, Run
from trainhealth.errors import TrainHealthError
from trainhealth.series import Columns
from trainhealth.tui.exports import columns_csv, keep, report_text
from trainhealth.tui.widgets.chart_view import ChartView

WRITTEN = [f"trainhealth-baseline-{name}" for name in ("overview.svg", "layers.csv", "layers.md", "layers.html")]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def test_the_report_is_what_check_prints() -> None:
    """One diagnosis, one text: for Markdown and for HTML."""
    text = report_text(snapshot(), "markdown")
    assert "learning-rate-too-high" in text
    assert "Lower the learning rate from 0.5 to 0.005." in text
    assert report_text(snapshot(), "html").startswith("<!doctype html>")
    assert Report(Run("runs/baseline", run()), SICK).to_json() == report_text(snapshot(), "json")


def test_layers_become_a_table() -> None:
    """A row a sampled step; a place's name is quoted where it must be, and a missing value is empty."""
    values = np.array([[0.5, math.nan], [math.inf, 1 / 3]], np.float32)
    text = columns_csv(Columns("zero_fraction", np.array([0, 8]), ("conv", 'odd,"name"'), values))
    rows = list(csv.reader(io.StringIO(text)))
    assert rows == [["step", "conv", 'odd,"name"'], ["0", "0.5", ""], ["8", "inf", "0.333333"]]


def test_a_file_is_never_overwritten(here: Path) -> None:
    """The second one gets a number."""
    assert [keep("baseline", ".csv", text) for text in "ab"] == [here / "baseline.csv", here / "baseline-2.csv"]
    assert (here / "baseline.csv").read_text() == "a"


@pytest.mark.parametrize(("name", "file"), [("a/b c", "a-b-c.svg"), ("../..", "trainhealth.svg"), ("é", "é.svg")])
def test_a_runs_name_can_not_lead_elsewhere(here: Path, name: str, file: str) -> None:
    """A run's folder may be named in any way."""
    assert keep(name, ".svg", "") == here / file


def test_where_the_folder_takes_no_files_it_goes_home(here: Path) -> None:
    """A run is often looked at in a folder of somebody else's; a folder may also be deleted meanwhile."""
    here.rmdir()
    assert keep("baseline", ".md", "x") == Path.home() / "baseline.md"


def test_where_nothing_takes_files_the_error_says_why(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk, a read-only system."""
    here.rmdir()
    monkeypatch.setenv("HOME", "/dev/null")
    monkeypatch.setattr("tempfile.gettempdir", lambda: "/dev/null")
    with pytest.raises(TrainHealthError, match=r"baseline\.md could not be written: Not a directory"):
        keep("baseline", ".md", "x")


async def test_the_menu_writes_what_is_chosen_and_says_where(here: Path) -> None:
    """The picture shows the view without the menu; the numbers are those of what stands alone."""
    async with opened(snapshot(run(layers=3)), (120, 40)) as pilot:
        for keys in (("e", "s"), ("3", "e", "c"), ("e", "down", "down", "enter"), ("e", "h")):
            await pilot.press(*keys)
            await pilot.pause()
            await pilot.pause()
        told = said(pilot)
    files = {path.name: path.read_text() for path in here.iterdir()}
    assert set(files) == set(WRITTEN)
    assert "Findings" in files["trainhealth-baseline-overview.svg"]
    assert "Export" not in files["trainhealth-baseline-overview.svg"]
    assert files["trainhealth-baseline-layers.csv"].startswith("step,features.0")
    assert told == [f"Written: {here / name}" for name in WRITTEN]


async def test_a_chart_is_kept_as_numbers(here: Path) -> None:
    """In the overview that is the loss."""
    async with opened(snapshot()) as pilot:
        await pilot.press("e", "c")
        await pilot.pause()
        await pilot.pause()
    rows = list(csv.DictReader((here / "trainhealth-baseline-overview.csv").open()))
    assert float(rows[0]["train_loss"]) == pytest.approx(2.3)


async def test_an_export_that_fails_is_said_and_the_dashboard_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Data may be of any kind."""
    monkeypatch.setattr(ChartView, "csv", lambda _: 1 / 0)
    async with opened(snapshot(), (120, 40)) as pilot:
        await pilot.press("e", "c")
        await pilot.pause()
        await pilot.pause()
        assert "ZeroDivisionError" in said(pilot)[0]


async def test_a_click_chooses_from_the_menu(here: Path) -> None:
    """The mouse does what the keys do."""
    async with opened(snapshot()) as pilot:
        await pilot.press("e")
        await pilot.pause()
        assert "The diagnosis with its curves" in screen_text(pilot)
        await pilot.click("MenuRows", offset=(4, 2))
        await pilot.pause()
        await pilot.pause()
    assert [path.suffix for path in here.iterdir()] == [".md"]


async def test_a_folder_of_runs_is_kept_as_numbers(here: Path) -> None:
    """The whole table with all settings, the values of an overlay, what differs between two runs; no report."""
    async with opened_table() as pilot:
        for keys in (("e", "m", "h", "c"), ("space", "v", "e", "c"), ("escape", "d", "e", "c")):
            await pilot.press(*keys)
            await pilot.pause()
            await pilot.pause()
    files = {path.name: list(csv.DictReader(path.open())) for path in here.iterdir()}
    table, overlay, compared = (
        files[f"trainhealth-{name}.csv"] for name in ("runs-runs", "runs-train_loss", "run-01-against-run-00")
    )
    assert len(table) == COUNT
    assert table[3].items() >= {"run": "run-03", "loss": "1.97", "learning_rate": "0.03"}.items()
    assert table[3]["findings"] == "learning-rate-too-high nonfinite-loss overfitting"
    assert len(overlay) == len(run().series("train_loss").values)
    assert [float(overlay[0][name]) for name in ("run-00", "run-01")] == pytest.approx([2.3, 3.0])
    assert {"what": "finding gone", "name": "overfitting", "before": "", "after": ""} in compared
    assert any(row["what"] == "curve" and row["name"] == "train_loss" for row in compared)
