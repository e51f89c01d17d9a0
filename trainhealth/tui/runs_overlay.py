"""Several runs in one chart: one signal, each run in its colour, with its letter where its curve ends."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from trainhealth.series import RunView, Series
from trainhealth.signals import HIGHER_IS_BETTER, SIGNALS
from trainhealth.tui.across import Across, Ruler, axes_in, ruler
from trainhealth.tui.amounts import count, figure
from trainhealth.tui.chart_csv import chart_csv
from trainhealth.tui.charts import Curve, Figure, Mark
from trainhealth.tui.figures import window
from trainhealth.tui.kept import Kept
from trainhealth.tui.lines import Line, Span, line, table
from trainhealth.tui.raster import Window
from trainhealth.tui.run_colours import LETTERS, run_role
from trainhealth.tui.runs_row import RunRow
from trainhealth.tui.runs_table import message_of
from trainhealth.tui.signs import state_sign

FIRST = ("train_loss", "validation_loss", "train_accuracy", "validation_accuracy", "learning_rate", "gradient_norm")
FEW = 60  # values up to which a curve is an evaluation's, and is not smoothed
_PARTS = 1000  # steps of the chart in an epoch or a second: charts count in whole steps


@dataclass(frozen=True, eq=False)
class Overlaid:
    """A run in the chart."""

    row: RunRow
    view: RunView
    colour: int
    kept: Kept = field(default_factory=Kept)

    @property
    def letter(self) -> str:
        """What the colour says, for who can't see it."""
        return LETTERS[self.colour]


def signals_of(runs: Sequence[Overlaid]) -> list[str]:
    """Return the signals that any of the runs has, those that nearly everybody wants to see first."""
    present = {name for run in runs for name, series in run.view.scalars.items() if len(series)}
    present |= {name for run in runs for name, columns in run.view.columns_by_signal.items() if len(columns)}
    return [name for name in dict.fromkeys((*FIRST, *SIGNALS, *sorted(present))) if name in present]


def axes_of(runs: Sequence[Overlaid]) -> list[Across]:
    """Return the axes that any of the runs can be shown over."""
    return [across for across in Across if any(across in axes_in(run.view) for run in runs)]


def overlay_figure(
    runs: Sequence[Overlaid], signal: str, across: Across, smoothing: int, front: int = 0, marks: tuple[Mark, ...] = ()
) -> Figure:
    """Return the chart of a signal; the run of number `front` is drawn over the others."""
    title = signal.replace("_", " ").capitalize() if signal in SIGNALS else signal
    curves: list[Curve] = []
    lost: list[Mark] = []
    for run in (*runs[:front], *runs[front + 1 :], *runs[front : front + 1]):
        series = _on_axis(curve_of(run, signal, smoothing), run.view, across)
        if len(series):
            role = run_role(run.colour)
            holds = signal == "learning_rate"
            curves.append(Curve(series, role, ascii_glyph=run.letter, holds=holds, derived=True))
            if len(ends := series.finite()):
                last = Series(signal, ends.steps[-1:], ends.values[-1:])
                curves.append(Curve(last, role, marker=run.letter, ascii_glyph=run.letter, derived=True))
            if len(broken := series.steps[~np.isfinite(series.values)]):  # where it began: the rest is a gap
                lost.append(Mark(int(broken[0]), role, "✖", line=False))
    missing = (
        "none of the runs has logged it" if across is Across.STEP else f"none of the runs can be shown over {across}"
    )
    log = False if signal.endswith("accuracy") else None
    shown = _window(runs) if across is Across.STEP else None
    end = shown.last if shown else None
    return Figure(
        title,
        tuple(curves),
        shown,
        missing=missing,
        log=log,
        ruler=_ruler(across),
        last_step=end,
        marks=(*marks, *lost),
    )


def _window(runs: Sequence[Overlaid]) -> Window | None:
    """Return the steps of all runs, so that another signal stands over the same ones."""
    windows = [found for run in runs if (found := window(run.view)) is not None]
    if not windows:
        return None
    return Window(min(found.first for found in windows), max(found.last for found in windows))


def overlay_csv(runs: Sequence[Overlaid], signal: str) -> str:
    """Return what the runs have logged of a signal as CSV: a row a step, a column a run."""
    curves = (Curve(dataclasses.replace(_logged(run, signal), name=run.row.name), run_role(run.colour)) for run in runs)
    return chart_csv(Figure(signal, tuple(curve for curve in curves if len(curve.series))))


def curve_of(run: Overlaid, signal: str, smoothing: int) -> Series:
    """Return a signal of a run, smoothed where it has a value a step; of layers and parameters the median."""
    series = _logged(run, signal)
    if len(series) <= FEW or signal == "learning_rate" or _is_of_layers(run, signal):
        return series
    return run.kept.smoothed(signal, series, smoothing)


def _logged(run: Overlaid, signal: str) -> Series:
    if not _is_of_layers(run, signal):
        return run.view.series(signal)
    columns = run.view.columns(signal)
    return run.kept.middle(columns, tuple(range(len(columns.places))))[1]


def _is_of_layers(run: Overlaid, signal: str) -> bool:
    columns = run.view.columns(signal)
    return len(columns) > 0 and columns.table != "batch"


def _on_axis(series: Series, view: RunView, across: Across) -> Series:
    if across is Across.STEP:
        return series
    if across not in axes_in(view):
        return Series(series.name, series.steps[:0], series.values[:0])
    places = ruler(view, across).place(series.steps)
    return Series(series.name, np.round(places * _PARTS).astype(np.int64), series.values)


def _ruler(across: Across) -> Ruler:
    if across is Across.STEP:
        return Ruler()
    ends = np.array([0, 2**31], np.int64)
    return Ruler(across, ends, ends / _PARTS)


def overlay_lines(runs: Sequence[Overlaid], signal: str, width: int, front: int = 0) -> list[Line]:
    """Return the list below the chart: a run a line, with what its curve came to."""
    head = ["", "run", "last", "best", "at step", "state", "findings"]
    rows: list[list[str | Span]] = [[Span(title, "label") for title in head]]
    for number, run in enumerate(runs):
        series = curve_of(run, signal, 0)
        finite = series.finite()
        last = figure(float(series.values[-1])) if len(series) else ""
        best, at = "", ""
        if len(finite) and signal in FIRST[:4]:
            index = int(np.argmax(finite.values) if signal in HIGHER_IS_BETTER else np.argmin(finite.values))
            best, at = figure(float(finite.values[index])), count(int(finite.steps[index]))
        glyph, role = state_sign(run.row.condition.state)
        mark = Span(f"{'▎' if number == front else ' '}{run.letter} ━", run_role(run.colour))
        name = Span(run.row.name, "strong" if number == front else "")
        broken = bool(len(series)) and not math.isfinite(float(series.values[-1]))
        said = Span("".join(span.text for span in message_of(run.row)), next((s.role for s in message_of(run.row)), ""))
        rows.append(
            [
                mark,
                name,
                Span(last, "critical" if broken else ""),
                best,
                at,
                Span(f"{glyph} {run.row.condition.state}", role),
                said,
            ]
        )
    return table(rows, width, right=frozenset((2, 3, 4))) if runs else [line()]
