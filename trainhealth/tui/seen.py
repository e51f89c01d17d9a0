"""A figure through the lens: the part that is shown, and what is marked in it beside the curves."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from trainhealth.findings import Finding
from trainhealth.schedules import SUDDEN
from trainhealth.series import RunView
from trainhealth.tui.across import Ruler
from trainhealth.tui.charts import Band, Figure, Mark
from trainhealth.tui.figures import window
from trainhealth.tui.lens import Lens
from trainhealth.tui.raster import Window

EVALUATION, DECAY = "◆", "↘"  # the signs on the axis below
_MOST_EVALUATIONS = 30  # in what is shown: more of them would be a line
_MOST_DECAYS = 12  # more of them are a schedule, which its own chart shows


def seen(
    figure: Figure,
    view: RunView,
    lens: Lens,
    ruler: Ruler,
    finding: Finding | None = None,
    findings: Sequence[Finding] = (),
) -> Figure:
    """Return the figure as the lens shows it, with `findings` marked, and the evidence of the selected one shaded."""
    extent = window(view)
    if extent is None:
        return figure
    shown = lens.shown(extent)
    marks = [*_evaluations(view, shown), *_decays(view), *_beginnings(finding, findings)]
    return dataclasses.replace(
        figure,
        window=shown,
        ruler=ruler,
        cursor=lens.cursor,
        marks=tuple(marks),
        bands=_evidence(figure, finding),
        log=lens.log if figure.log is None else figure.log,
    )


def _evaluations(view: RunView, shown: Window) -> list[Mark]:
    series = view.series("validation_loss") if view.has("validation_loss") else view.series("validation_accuracy")
    steps = series.between(*shown).steps.tolist()
    if len(steps) > _MOST_EVALUATIONS:
        return []
    return [Mark(step, "guide", EVALUATION, line=False, rank=-5) for step in steps]


def _decays(view: RunView) -> list[Mark]:
    """Return the sudden cuts of the learning rate, after it had stood for a while."""
    rate = view.series("learning_rate")
    if len(rate) < 2:
        return []
    changed = np.flatnonzero(rate.values[1:] != rate.values[:-1]) + 1
    before, stood = rate.values[changed - 1], np.diff(rate.steps[np.append(0, changed)])
    cuts = rate.steps[changed][(rate.values[changed] < SUDDEN * before) & (stood > 1)].tolist()
    return [Mark(step, "guide", DECAY, rank=-4) for step in cuts] if len(cuts) <= _MOST_DECAYS else []


def _beginnings(finding: Finding | None, findings: Sequence[Finding]) -> list[Mark]:
    """Return a sign where each finding began, and a line for the selected one."""
    marks = [
        Mark(other.first_step, str(other.severity), line=False, rank=-other.severity.rank)
        for other in findings
        if finding is None or other.id != finding.id
    ]
    return [*marks, Mark(finding.first_step, str(finding.severity), rank=1)] if finding else marks


def _evidence(figure: Figure, finding: Finding | None) -> tuple[Band, ...]:
    """Return the steps of the evidence about what the figure shows; pieces that touch are one band."""
    if finding is None:
        return ()
    signals = {curve.series.name for curve in figure.curves}
    bands: list[Band] = []
    for first, last in sorted((item.first_step, item.last_step) for item in finding.evidence if item.signal in signals):
        if bands and first <= bands[-1].last + 1:
            first, last = int(bands[-1].first), max(int(bands.pop().last), last)
        bands.append(Band(first, last, str(finding.severity)))
    return tuple(bands)
