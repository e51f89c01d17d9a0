"""The pieces of curve that a finding rests on."""

from __future__ import annotations

import dataclasses

import pytest

from tests.tui.cases import CAUSE, OTHER, SICK_LOSSES, STATES, run, snapshot
from trainhealth.findings import Evidence, Finding
from trainhealth.series import RunView
from trainhealth.tui.charts import Band, Figure, Mark, draw_chart
from trainhealth.tui.evidence_charts import MOST, evidence_figures
from trainhealth.tui.finding_page import finding_page
from trainhealth.tui.kept import Kept
from trainhealth.tui.lines import plain
from trainhealth.tui.look import Look


def resting_on(*evidence: Evidence) -> Finding:
    return dataclasses.replace(CAUSE, evidence=evidence)


def figures(finding: Finding, view: RunView) -> list[Figure]:
    return evidence_figures(finding, view, Kept())


def ends(figure: Figure) -> tuple[int, int]:
    assert figure.window is not None
    return figure.window.first, figure.window.last


def test_every_signal_of_the_evidence_has_a_chart_with_its_steps_shaded() -> None:
    """That of a parameter shows this parameter; the steps from the first to the last piece are shaded."""
    ratio, loss = figures(CAUSE, run(SICK_LOSSES))
    assert (ratio.title, loss.title) == ("Update ratio", "Train loss")
    assert [curve.name for curve in ratio.curves] == ["features.0.weight"]
    assert ratio.bands == (Band(40, 48, "critical"),)
    assert loss.bands == (Band(60, 60, "critical"),)
    assert loss.marks == (Mark(60, "critical"),)


def test_a_chart_shows_what_was_usual_before_and_never_more_than_the_run() -> None:
    """Half of the evidence's length around it, twenty steps at least."""
    view = run([2.0] * 1000)
    near = resting_on(Evidence("train_loss", None, 500, 510, 1.0, "less"))
    far = resting_on(Evidence("train_loss", None, 400, 600, 1.0, "less"))
    whole = resting_on(Evidence("train_loss", None, 0, 999, 1.0, "less"))
    assert [ends(figures(finding, view)[0]) for finding in (near, far, whole)] == [
        (480, 530),
        (300, 700),
        (0, 999),
    ]


def test_evidence_of_no_place_shows_what_all_places_span() -> None:
    """Their median between the smallest and the largest; of update ratios, those of weights only."""
    (ratio,) = figures(resting_on(Evidence("update_ratio", None, 8, 8, 0.1, "0.001")), run())
    assert {curve.name: curve.newest for curve in ratio.curves if curve.newest} == {"median": pytest.approx(1e-3)}
    (zeros,) = figures(resting_on(Evidence("zero_fraction", None, 8, 8, 0.1, "0.001")), run())
    assert [curve.name for curve in zeros.curves] == ["smallest", "largest", "median"]


def test_several_places_share_a_chart() -> None:
    """Three of them at most; more could not be told apart."""
    places = [f"features.{number}" for number in range(5)]
    pieces = [Evidence("activation_std", place, 8, 8, 0.1, "about 1") for place in places]
    (figure,) = figures(resting_on(*pieces), run(layers=5))
    assert [curve.name for curve in figure.curves] == places[:3]
    assert len({curve.role for curve in figure.curves}) == 3


def test_dead_units_show_as_zeros_where_they_are_not_counted_yet() -> None:
    """A window of data takes its time; a unit that is dead gives zeros from the beginning."""
    (figure,) = figures(resting_on(Evidence("dead_fraction", "features.1", 0, 99, 1.0, "below 0.5")), run())
    assert figure.title == "Zero share"
    assert [curve.name for curve in figure.curves] == ["features.1"]


def test_evidence_without_a_curve_shows_the_loss() -> None:
    """What came of it is seen there; where there is no loss, there is no chart."""
    unheard = resting_on(Evidence("unheard_of", None, 30, 30, 1.0, "none"))
    assert [figure.title for figure in figures(unheard, run())] == ["Train loss"]
    assert figures(unheard, RunView()) == []


def test_more_signals_than_a_page_bears_are_cut() -> None:
    """The first ones are those that the rule thinks most of."""
    names = ("train_loss", "gradient_norm", "validation_loss", "update_ratio")
    pieces = [Evidence(name, None, 0, 99, 1.0, "less") for name in names]
    assert len(figures(resting_on(*pieces), run())) == MOST < len(names)


def test_the_page_draws_the_curve_below_the_numbers() -> None:
    """With the place in the legend, in braille."""
    rows = [plain(row) for row in finding_page(snapshot(run(SICK_LOSSES)), CAUSE.id, 100, Look())]
    numbers = next(row for row, text in enumerate(rows) if text.startswith("update_ratio  0.31"))
    chart = next(row for row, text in enumerate(rows) if text.startswith("Update ratio  ━ features.0.weight"))
    remedy = next(row for row, text in enumerate(rows) if text.startswith("do this"))
    assert numbers < chart < remedy
    assert any("\u2800" < character <= "\u28ff" for text in rows[chart:remedy] for character in text)


def test_the_page_has_the_code_under_the_remedy() -> None:
    """As it is in the recipe book, not wrapped."""
    rows = [plain(row) for row in finding_page(snapshot(), CAUSE.id, 100, Look())]
    first = rows.index("recipe     trainhealth explain lower-learning-rate") + 1
    assert rows[first].lstrip().startswith("│ ")
    assert any("optimizer.param_groups" in row for row in rows[first:])


@pytest.mark.parametrize("name", STATES)
def test_no_run_is_too_strange_for_its_page(name: str) -> None:
    """Nothing read, one step, NaN to the end: there is a chart for each signal of the evidence, be it empty."""
    for finding in (CAUSE, OTHER):
        drawn = figures(finding, STATES[name].view)
        assert all(len(draw_chart(figure, 60, 9, Look())) == 9 for figure in drawn)
