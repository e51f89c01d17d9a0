"""The numbers of a chart as CSV: a row a step, a column a curve."""

from __future__ import annotations

import csv
import io

import numpy as np

from trainhealth.series import FloatArray, IntArray
from trainhealth.tui.across import Across
from trainhealth.tui.charts import Curve, Figure
from trainhealth.tui.raster import indices


def chart_csv(figure: Figure) -> str:
    """Return the values of the steps that the chart shows, with the places on its axis where that has no steps.

    A curve that has no value at a step leaves its cell empty; of two values at one step, the last one stands.
    """
    window = figure.shown
    if window is None:
        return "step\n"
    parts = []
    for curve in figure.curves:
        first, last = indices(curve.series, window)
        parts.append((curve.series.steps[first:last], curve.series.values[first:last]))
    steps = np.unique(np.concatenate([steps for steps, _ in parts]))
    columns = [("step", [str(step) for step in steps.tolist()])]
    if figure.ruler.across is not Across.STEP:
        columns.append((str(figure.ruler.across), [f"{place:.9g}" for place in figure.ruler.place(steps).tolist()]))
    names = _names(figure.curves)
    columns += [(name, _cells(steps, *part)) for name, part in zip(names, parts, strict=True) if len(part[0])]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([name for name, _ in columns])
    writer.writerows(zip(*(cells for _, cells in columns), strict=True))
    return text.getvalue()


def _names(curves: tuple[Curve, ...]) -> list[str]:
    """Return a name for each curve: its signal's and, where that is not the measured one alone, its own."""
    signals = [curve.series.name for curve in curves]
    names: list[str] = []
    for curve in curves:
        name = curve.series.name
        if curve.derived:
            name += " (smoothed)"
        elif signals.count(name) > 1 and curve.name:
            name += f" ({curve.name})"
        taken = sum(known == name or known.startswith(f"{name} ") for known in names)
        names.append(f"{name} {taken + 1}" if name in names else name)
    return names


def _cells(steps: IntArray, at: IntArray, values: FloatArray) -> list[str]:
    """Return a text for each of `steps`; nine digits, as in the log; nothing where there is none."""
    row = np.searchsorted(at, steps, side="right") - 1
    present = (row >= 0) & (at[row.clip(0)] == steps)
    found = values[row.clip(0)].tolist()
    return [f"{value:.9g}" if here else "" for value, here in zip(found, present.tolist(), strict=True)]
