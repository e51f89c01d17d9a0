"""The page of curves: which charts it has, how they are laid out, and the line above them that says how one looks."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

from trainhealth.series import RunView
from trainhealth.tui.across import Ruler, axes_in
from trainhealth.tui.amounts import count
from trainhealth.tui.board import Board
from trainhealth.tui.charts import Figure
from trainhealth.tui.figures import STANDARD_FIGURES, FigureOf, other_signals, signal_figure, window
from trainhealth.tui.kept import Kept
from trainhealth.tui.lens import Lens
from trainhealth.tui.lines import Line, Span, clip, line, paragraph, spread, width_of
from trainhealth.tui.raster import Window
from trainhealth.tui.smoothing import WEAKEST
from trainhealth.tui.snapshot import Snapshot

_WIDE = 58  # cells that a chart should have before there is another beside it
_MOST_ABREAST = 4
_LOWEST, _USUAL = 9, 11  # rows of a chart in a low terminal, and in one with room
_LOW = 28  # rows of the page up to which a terminal is low


class Layout(NamedTuple):
    """So many charts abreast, each of so many cells and rows."""

    abreast: int
    width: int
    height: int


class Charts(NamedTuple):
    """The charts of a page by what makes them, and what to say of those that the log has no values for."""

    shown: tuple[FigureOf, ...]
    missing: tuple[str, ...]
    total: int  # that there are, shown or not


def charts_of(snapshot: Snapshot, board: Board) -> Charts:
    """Return the charts that the lens chooses: the standard ones, all, or those that have its words."""
    lens, view = board.lens, snapshot.view
    standard = [(figure_of, board.figure(figure_of, snapshot)) for figure_of in STANDARD_FIGURES]
    filled = [(figure_of, figure) for figure_of, figure in standard if figure.shown is not None]
    others = other_signals(view)
    words = lens.words.lower().split()
    shown = [figure_of for figure_of, figure in filled if _has(words, _names(figure))]
    if lens.everything or words:
        shown += [partial(_other, name) for name in others if _has(words, name)]
    missing = () if words else tuple(f"{f.title}: {f.missing}" for _, f in standard if f.shown is None)
    return Charts(tuple(shown), missing, len(filled) + len(others))


def layout(charts: int, width: int, height: int) -> Layout:
    """Return a layout that fills the screen with whole charts; what has no room is scrolled to."""
    abreast = min(max(width // _WIDE, 1), _MOST_ABREAST, max(charts, 1))
    rows = -(-max(charts, 1) // abreast)
    fit = max(height // (_LOWEST if height <= _LOW else _USUAL), 1)
    return Layout(abreast, (width - 2 * (abreast - 1)) // abreast, max(height // min(rows, fit), 3))


def lens_line(snapshot: Snapshot, board: Board, charts: Charts, width: int) -> Line:
    """Return how one looks at the charts: the keys, with what they are set to."""
    lens, view = board.lens, snapshot.view
    extent = window(view)
    if extent is None:
        return clip(line(Span("no values logged", "label")), width)
    ruler = board.ruler(view)
    parts: list[tuple[str, str]] = []
    if len(axes_in(view)) > 1:
        parts.append(("x", f"by {ruler.across}"))
    parts.append(("[ ]", _smoothing(lens)))
    parts.append(("+ -", _zoom(lens, extent, ruler)))
    parts.append(("y", {None: "as it fits", True: "logarithmic", False: "linear"}[lens.log]))
    everything = "all" if lens.everything else f"{len(charts.shown)} of"
    parts.append(
        ("/" if lens.words else "a", f"“{lens.words}”" if lens.words else f"{everything} {charts.total} charts")
    )
    where = line(Span(_where(lens, view, ruler), "value")) if lens.cursor is not None else ()
    while parts and sum(len(key) + len(text) + 4 for key, text in parts) + width_of(where) > width:
        parts.pop()
    spans = [span for key, text in parts for span in (Span(f"{key} ", "strong"), Span(f"{text}   ", "label"))]
    return spread(line(*spans), where, width)


def missing_lines(charts: Charts, words: str, width: int) -> list[Line]:
    """Return what the page says below its charts."""
    lines: list[Line] = []
    if words and not charts.shown:
        lines += paragraph(f"No chart has “{words}” in its name.", width, role="label")
    for text in charts.missing:
        lines += paragraph(text, width, role="label")
    return lines


def _other(name: str, view: RunView, finding: object, kept: Kept, smoothing: int) -> Figure:
    return signal_figure(name, view, kept, smoothing)


def _names(figure: Figure) -> str:
    return " ".join([figure.title, *(f"{curve.name} {curve.series.name}" for curve in figure.curves)])


def _has(words: Sequence[str], name: str) -> bool:
    text = name.lower().replace("_", " ")
    return all(word in text or word in name.lower() for word in words)


def _smoothing(lens: Lens) -> str:
    if lens.smoothing == WEAKEST:
        return "raw"
    return "smooth" if lens.smoothing == 0 else f"smooth x {2.0**lens.smoothing:g}"


def _zoom(lens: Lens, extent: Window, ruler: Ruler) -> str:
    if lens.window is None:
        return "whole run"
    shown = lens.shown(extent)
    return f"{ruler.label(shown.first)} to {ruler.label(shown.last).removeprefix(f'{ruler.across} ')}"


def _where(lens: Lens, view: RunView, ruler: Ruler) -> str:
    """Return where the cursor stands: the step and, where the axis is another, the place on that."""
    assert lens.cursor is not None  # the caller has looked
    step = f"step {count(lens.cursor)}"
    return step if ruler.label(lens.cursor).startswith("step") else f"{step} · {ruler.label(lens.cursor)}"
