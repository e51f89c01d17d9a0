"""Pictures of a search in characters: a scatter a setting, and parallel coordinates over the settings that matter."""

from __future__ import annotations

from itertools import groupby, pairwise

import numpy as np

from trainhealth.reports.page import LABEL, STRONG, Piece
from trainhealth.rules.base import number
from trainhealth.search.analysis import Search
from trainhealth.search.axes import Axis
from trainhealth.series import FloatArray, IntArray

HEIGHT = 8  # rows of a picture
_BEHIND = 30  # trials that are drawn behind the best ones in parallel coordinates: more are a thicket
_LEADING = 10  # trials that are the best tenth, at most
_STYLES = ("", LABEL, "", STRONG)  # of empty cells, other trials, the best tenth, the best one
_MARKS = (" ·○●", " .o@")  # the same; the second row for streams that lack the characters of the first
_FAILED = ("×", "x")


def scatter(search: Search, name: str, width: int, *, plain: bool = False) -> list[tuple[Piece, ...]]:
    """Return lines with a mark a trial: to the right its value of the setting, upwards how good it is among all.

    Heights are normal scores of ranks, so that one exploded trial does not press the others into a line; trials without
    a score stand in the lowest row.
    """
    axis, codes, label = search.axes[name], search.codes(name), _label_width(search)
    columns = max(width - label - 2, 10)
    marks = np.zeros((HEIGHT, columns), np.int64)
    across = np.rint(_placed(axis, codes) * (columns - 1)).astype(np.int64).clip(0, columns - 1)
    down = np.rint((1 - _heights(search)) * (HEIGHT - 1)).astype(np.int64)
    failed = np.isnan(search.trials.scores)
    for row, column, mark in zip(down[~failed], across[~failed], _levels(search)[~failed], strict=True):
        marks[row, column] = max(marks[row, column], mark)
    lines = [(_side(search, row, label), *_pieces(marks[row], _MARKS[plain])) for row in range(HEIGHT)]
    if failed.any():
        crosses = "".join(_FAILED[plain] if column in across[failed] else " " for column in range(columns))
        lines.append((("failed".rjust(label) + "  ", LABEL), crosses.rstrip()))
    return [*lines, _foot(axis, label, columns)]


def parallel(search: Search, names: tuple[str, ...], width: int, *, plain: bool = False) -> list[tuple[Piece, ...]]:
    """Return lines with an axis a setting and one for the score, and a line a trial across them."""
    axes = [search.axes[name] for name in names]
    heights = [_placed(axis, search.codes(axis.name)) for axis in axes] + [_heights(search)]
    at = np.rint(np.linspace(0, width - 1, len(heights))).astype(np.int64)
    marks = np.zeros((HEIGHT + 2, width), np.int64)
    levels = _levels(search)
    order = np.argsort(levels, kind="stable")
    behind = order[levels[order] == 1]
    shown = [*behind[:: max(-(-len(behind) // _BEHIND), 1)], *order[levels[order] > 1]]
    for trial in shown:
        for axis, (first, last) in enumerate(pairwise(at)):
            columns = np.arange(first, last + 1)
            line = np.interp(columns, [first, last], [heights[axis][trial], heights[axis + 1][trial]])
            rows = np.rint((1 - line) * (HEIGHT + 1)).astype(np.int64)
            marks[rows, columns] = np.maximum(marks[rows, columns], levels[trial])
    titles = [*names, search.trials.score]
    ends = [_ends(axis) for axis in axes] + [_score_ends(search)]
    return [
        ((_spread(titles, at, width), STRONG),),
        ((_spread([high for _, high in ends], at, width), LABEL),),
        *(tuple(_pieces(row, _MARKS[plain])) for row in marks),
        ((_spread([low for low, _ in ends], at, width), LABEL),),
    ]


def _heights(search: Search) -> FloatArray:
    goodness = search.trials.goodness
    low, high = float(goodness.min()), float(goodness.max())
    return np.asarray((goodness - low) / max(high - low, 1e-12), np.float64)


def _levels(search: Search) -> IntArray:
    """Return 3 for the best trial, 2 for the best tenth, 1 for the others."""
    goodness = search.trials.goodness
    leading = np.sort(goodness)[-min(max(len(goodness) // 10, 1), _LEADING)]
    levels = np.where(goodness >= leading, 2, 1).astype(np.int64)
    levels[search.trials.best] = 3
    return levels


def _placed(axis: Axis, codes: FloatArray) -> FloatArray:
    """Return coordinates between 0 and 1; a missing value stands at 0."""
    scale = max(len(axis.words) - 1, 1) if axis.kind == "words" else 1
    return np.clip(codes / scale, 0.0, 1.0)


def _pieces(row: IntArray, marks: str) -> list[Piece]:
    return [(marks[level] * len(list(run)), _STYLES[level]) for level, run in groupby(row.tolist())]


def _label_width(search: Search) -> int:
    return max(*map(len, _score_ends(search)), len("failed"))


def _side(search: Search, row: int, width: int) -> Piece:
    low, high = _score_ends(search)
    text = high if row == 0 else low if row == HEIGHT - 1 else ""
    return text.rjust(width) + "  ", LABEL


def _score_ends(search: Search) -> tuple[str, str]:
    """Return the worst and the best score in words."""
    scores = search.trials.scores[np.isfinite(search.trials.scores)]
    low, high = number(float(scores.min())), number(float(scores.max()))
    return (low, high) if search.trials.maximize else (high, low)


def _foot(axis: Axis, label: int, columns: int) -> tuple[Piece, ...]:
    low, high = _ends(axis)
    scale = " (log)" if axis.kind == "log" else ""
    title = f"{axis.name}{scale}"
    inner = title.center(max(columns - len(low) - len(high), len(title) + 2))
    return ((" " * (label + 2) + low + inner + high, LABEL),)


def _ends(axis: Axis) -> tuple[str, str]:
    if axis.kind == "words":
        return axis.words[0], axis.words[-1]
    low, high = axis.value(0.0), axis.value(1.0)
    return number(float(low)), number(float(high))


def _spread(texts: list[str], at: IntArray, width: int) -> str:
    """Return texts at their columns, the first one to the left, the last one to the right, the others centred."""
    line = [" "] * width
    for index, (text, column) in enumerate(zip(texts, at.tolist(), strict=True)):
        shift = 0 if index == 0 else len(text) - 1 if index == len(texts) - 1 else len(text) // 2
        start = max(min(int(column) - shift, width - len(text)), 0)
        line[start : start + len(text)] = list(text)
    return "".join(line[:width]).rstrip()
