"""Several runs in one chart, and two runs beside each other."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest

from tests.tui.cases import CAUSE, HEALTHY, SICK, run
from tests.tui.run_tables import opened_table, post_runs, row, runs
from tests.tui.screen import SIZES, screen_text
from trainhealth.comparison import Verdict
from trainhealth.findings import Diagnosis
from trainhealth.records import RunInfo
from trainhealth.series import RunView
from trainhealth.testing import make_run
from trainhealth.tui.across import Across
from trainhealth.tui.charts import draw_chart
from trainhealth.tui.compare_page import compare_opened, compare_page
from trainhealth.tui.lines import plain
from trainhealth.tui.look import Glyphs, Look
from trainhealth.tui.overlay_screen import OverlayScreen
from trainhealth.tui.page import Page
from trainhealth.tui.runs_overlay import FEW, Overlaid, axes_of, curve_of, overlay_figure, overlay_lines, signals_of
from trainhealth.tui.runs_row import Opened

GOOD = run()
BAD = run([2.3] * 60)


def overlaid(*views: RunView) -> list[Overlaid]:
    """Return runs in the first colours."""
    return [Overlaid(row(number), view, number) for number, view in enumerate(views)]


def chart(runs: list[Overlaid], signal: str = "train_loss", across: Across = Across.STEP, **more: Any) -> str:
    figure = overlay_figure(runs, signal, across, 0, **more)
    return "\n".join(plain(one) for one in draw_chart(figure, 80, 16, Look()))


def test_every_run_ends_in_its_letter() -> None:
    """Who can't see colours reads it there; a run that is shorter ends earlier."""
    rows = chart(overlaid(GOOD, BAD)).splitlines()
    ends = {letter: text.index(letter) for text in rows[1:-2] for letter in "ab" if letter in text}
    assert ends["b"] < ends["a"]


def test_the_run_in_front_is_drawn_last() -> None:
    """Where curves meet, it can be seen."""
    for front, role in ((0, "run-1"), (1, "run-2")):
        curves = overlay_figure(overlaid(GOOD, GOOD), "train_loss", Across.STEP, 0, front).curves
        assert curves[-1].role == role


def test_a_run_of_nan_is_marked_where_it_began() -> None:
    """On the axis, in the run's colour; the curve ends in its letter before."""
    broken = overlaid(run([2.0] * 50 + [math.nan] * 50))
    figure = overlay_figure(broken, "train_loss", Across.STEP, 0)
    assert [(mark.step, mark.role, mark.sign) for mark in figure.marks] == [(50, "run-1", "✖")]
    assert "✖" in chart(broken)


def test_signals_of_any_of_the_runs_can_be_shown() -> None:
    """What nearly everybody wants to see comes first; of layers the median is shown."""
    both = overlaid(GOOD, make_run([1.0, 1.0], evaluations={1: {"my_metric": 0.5}}))
    signals = signals_of(both)
    assert signals[:3] == ["train_loss", "validation_loss", "validation_accuracy"]
    assert {"activation_std", "update_ratio", "my_metric"} <= set(signals)
    assert set(curve_of(both[0], "activation_std", 0).values) == {2.0}
    for signal in signals:
        assert "trainhealth failed" not in chart(both, signal)
    assert "none of the runs has logged it" in chart(both, "test_loss")


def test_a_value_a_step_is_smoothed_and_evaluations_are_not() -> None:
    """Noise would hide which run is better."""
    noisy = overlaid(make_run([1.0 + step % 2 for step in range(400)]))[0]
    few = overlaid(make_run([1.0 + step % 2 for step in range(FEW)]))[0]
    assert float(curve_of(noisy, "train_loss", 0).values[-50:].std()) < 0.1
    assert float(curve_of(few, "train_loss", 0).values.std()) == 0.5


def test_runs_can_be_shown_over_steps_epochs_and_time() -> None:
    """Of those that know it; one with other batch sizes has fewer steps in an epoch."""
    timeless = dataclasses.replace(BAD, times=BAD.times.between(0, -1), epochs=())
    assert axes_of(overlaid(GOOD, timeless)) == [Across.STEP, Across.EPOCH, Across.TIME]
    assert axes_of(overlaid(timeless)) == [Across.STEP]
    half = chart(overlaid(GOOD), across=Across.EPOCH).splitlines()[-1]
    assert half.split()[0] == "epoch"
    assert 1 < float(half.split()[-1]) <= 2
    assert "a" not in chart(overlaid(timeless), across=Across.TIME).splitlines()[3]
    assert "can be shown over time" in chart(overlaid(timeless), across=Across.TIME)


def test_another_signal_stands_over_the_same_steps() -> None:
    """Those of all runs, whichever of them has it, and where."""
    short = make_run([1.0] * 10, evaluations={5: {"my_metric": 0.5}, 6: {"my_metric": 0.6}})
    windows = {
        overlay_figure(overlaid(GOOD, short), name, Across.STEP, 0).window for name in ("train_loss", "my_metric")
    }
    assert windows == {(0, 100)}
    assert overlay_figure([], "train_loss", Across.STEP, 0).window is None


def test_the_list_says_what_the_curves_came_to() -> None:
    """The best value and where it was; of a signal that is no result, only the last value."""
    lines = [plain(one) for one in overlay_lines(overlaid(GOOD, run([2.0, 0.5, 1.0])), "train_loss", 100)]
    assert lines[2].split()[:5] == ["b", "━", "run-01", "1.00", "0.500"]
    assert lines[2].split()[5] == "1"
    assert lines[1].startswith("▎a")
    rate = [plain(one) for one in overlay_lines(overlaid(GOOD), "learning_rate", 100)]
    assert rate[1].split()[:5] == ["▎a", "━", "run-00", "0.500", "■"]
    assert "NaN" in plain(overlay_lines(overlaid(run([1.0, math.nan])), "train_loss", 100)[1])


# --- two runs ---


def page(before: RunView, after: RunView, *diagnoses: Diagnosis, width: int = 100) -> list[str]:
    one, other = (Opened(view, diagnosis) for view, diagnosis in zip((before, after), diagnoses, strict=True))
    compared = compare_opened(one, other)
    first, second = overlaid(before, after)
    return [plain(content) for content in compare_page(compared, (first, second), width, Look())]


def test_the_comparison_says_how_much_is_muted() -> None:
    """What is muted is not in the findings that are compared."""
    compared = compare_opened(Opened(GOOD, HEALTHY), Opened(BAD, HEALTHY))
    before, after = overlaid(GOOD, BAD)
    after = dataclasses.replace(after, row=dataclasses.replace(after.row, muted=2))
    said = [plain(content) for content in compare_page(compared, (before, after), 100, Look())]
    assert "2 muted, and left out of the comparison" in said


def test_the_verdict_comes_first_then_what_it_rests_on() -> None:
    """Which run against which, in their colours' letters; the curves, marked where they part."""
    sick = Diagnosis(SICK.findings, HEALTHY.not_checked)
    lines = page(GOOD, BAD, HEALTHY, sick)
    assert lines[0].split()[:6] == ["✖", str(Verdict.WORSE), "b", "run-01", "against", "a"]
    text = "\n".join(lines)
    assert "learning-rate-too-high" in lines[1]
    assert text.index("┤") < text.index("\nFindings\n") < text.index("\nCurves\n")
    assert "came       ✖ learning-rate-too-high" in text


def test_settings_that_differ_stand_side_by_side() -> None:
    """What only one of the runs has too."""
    infos = (
        RunInfo(hyperparameters={"rate": 0.1, "seed": 1}),
        RunInfo(hyperparameters={"rate": 0.01, "width": 8, "seed": 1}),
    )
    before, after = (dataclasses.replace(GOOD, info=info) for info in infos)
    lines = [line.split() for line in page(before, after, HEALTHY, HEALTHY)]
    assert ["rate", "0.1", "0.01"] in lines
    assert ["width", "none", "8"] in lines
    assert ["seed", "1", "1"] not in lines


@pytest.mark.parametrize("views", [(GOOD, BAD), (RunView(), RunView()), (run(layers=60), GOOD), (make_run([1.0]), BAD)])
@pytest.mark.parametrize("width", [16, 78, 200])
def test_any_two_runs_can_be_compared(views: tuple[RunView, RunView], width: int) -> None:
    """Also where there is nothing to compare, and however little room there is."""
    lines = page(*views, HEALTHY, HEALTHY, width=width)
    assert lines[0].strip()


# --- on the screen ---


@pytest.mark.parametrize("size", [*SIZES, (20, 5)], ids=str)
@pytest.mark.parametrize("keys", ["v", "d"])
async def test_both_can_be_seen_in_every_size(size: tuple[int, int], keys: str) -> None:
    """In ASCII as well."""
    async with opened_table(size=size, look=Look(Glyphs.ASCII)) as pilot:
        await pilot.press("space", *keys)
        await pilot.pause()
        text = screen_text(pilot)
        assert isinstance(pilot.app.screen, OverlayScreen if keys == "v" else Page)
        assert text.isascii()
        assert "failed (" not in text
        if size != (20, 5):
            assert "run-00" in text
            assert "run-01" in text


async def test_they_follow_the_runs() -> None:
    """And say that they are reading until the curves are there."""
    async with opened_table(runs(opened={}), (120, 40)) as pilot:
        await pilot.press("space", "v")
        await pilot.pause()
        assert "reading the runs" in screen_text(pilot)
        await post_runs(pilot, runs())
        assert "Train loss" in screen_text(pilot)
        await pilot.press("escape", "d")
        await pilot.pause()
        assert CAUSE.name in screen_text(pilot)
        await post_runs(pilot, runs(opened={}))
        assert "reading the runs" in screen_text(pilot)
