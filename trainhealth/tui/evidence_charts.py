"""The pieces of curve that a finding rests on: each signal of its evidence around the steps that it names."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from trainhealth.findings import Evidence, Finding
from trainhealth.series import Columns, RunView
from trainhealth.tui.charts import Band, Curve, Figure, Guide, Mark
from trainhealth.tui.figures import USUAL_UPDATE_RATIO, signal_figure, update_ratio_figure, window
from trainhealth.tui.kept import Kept
from trainhealth.tui.layer_kinds import held_signal, kind_of
from trainhealth.tui.raster import Window

MOST = 3  # charts of a finding
_MOST_PLACES = 3  # curves in a chart
_ROLES = ("train", "validation", "note")  # of the curves, in the order of the evidence
_GLYPHS = ("*", "o", "+")
_AROUND = 0.5  # of the evidence's length is shown before and after it
_LEAST_AROUND = 20  # steps


def evidence_figures(finding: Finding, view: RunView, kept: Kept) -> list[Figure]:
    """Return a chart for each signal of the evidence that the run holds, with its steps shaded.

    Where what the evidence rests on has no curve, the loss shows what came of it.
    """
    by_signal: dict[str, list[Evidence]] = {}
    for item in finding.evidence:
        by_signal.setdefault(held_signal(item.signal, view), []).append(item)
    figures = [_figure(signal, pieces, finding, view, kept) for signal, pieces in by_signal.items()]
    drawn = [figure for figure in figures if _has_values(figure)]
    if not drawn:
        began = Evidence("train_loss", None, finding.first_step, finding.first_step, 0.0, "")
        loss = _figure(began.signal, [began], finding, view, kept)
        drawn = [loss] if _has_values(loss) else []
    return drawn[:MOST]


def place_figure(signal: str, places: Sequence[str], view: RunView) -> Figure:
    """Return the chart of a signal with a curve for each of some layers or parameters, of which it holds values."""
    kind = kind_of(signal)
    columns = view.columns(signal)
    curves = _place_curves(columns, [place for place in columns.places if place in places])
    guides: tuple[Guide, ...] = ()
    log = False if kind.scale is not None and not kind.scale.log else None  # as the values are: a zero is worth a line
    if signal == "update_ratio":
        guides, log = (Guide(USUAL_UPDATE_RATIO, "usual"),), True
    title = kind.title[0].upper() + kind.title[1:]
    return Figure(title, curves, window(view), "no sampled step has it", log, guides)


def _figure(signal: str, pieces: Sequence[Evidence], finding: Finding, view: RunView, kept: Kept) -> Figure:
    """Return the chart of one signal: of the places that the evidence names; where it names none, of them all."""
    first, last = min(piece.first_step for piece in pieces), max(piece.last_step for piece in pieces)
    named = [piece.place for piece in pieces if piece.place in view.columns(signal).places]
    if named:
        figure = place_figure(signal, [place for place in named if place is not None], view)
    elif signal == "update_ratio":
        figure = update_ratio_figure(view, kept=kept)
    else:
        figure = signal_figure(signal, view, kept)
    role = str(finding.severity)
    marks = (Mark(first, role),)
    return dataclasses.replace(figure, window=_around(first, last, view), marks=marks, bands=(Band(first, last, role),))


def _around(first: int, last: int, view: RunView) -> Window:
    """Return the evidence's steps with as much around them as tells what was usual before; never beyond the run."""
    around = max(int(_AROUND * (last - first)), _LEAST_AROUND)
    end = max(view.last_step, last)
    begin = max(first - around, 0)
    return Window(begin, max(min(last + around, end), begin + 1))


def _has_values(figure: Figure) -> bool:
    assert figure.window is not None  # the caller has set it
    return any(len(curve.series.between(*figure.window)) for curve in figure.curves)


def _place_curves(columns: Columns, places: Sequence[str]) -> tuple[Curve, ...]:
    """Return the curves of the first of these places; more than a few in one chart can't be told apart."""
    series = [(place, columns.place(place)) for place in places]
    held = [(place, values) for place, values in series if len(values)][:_MOST_PLACES]
    return tuple(
        Curve(values, role, place, float(values.values[-1]), glyph)
        for (place, values), role, glyph in zip(held, _ROLES, _GLYPHS, strict=False)
    )
