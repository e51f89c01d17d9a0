"""Figures as lines of text: bars, and curves of braille dots (of letters, where there are several)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from trainhealth.figures import Figure
from trainhealth.rules.base import number
from trainhealth.series import FloatArray

HEIGHT = 10  # lines of a curve
NAMES = 28  # columns that the names of bars may take
LONGEST = 48  # columns of a bar: longer ones are no easier to compare
LETTERS = "*+ox#%"  # one a curve, where there are several
_EIGHTHS = " ▏▎▍▌▋▊▉█"
_BRAILLE = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))  # bits of a cell's dots, from the top


def picture(figure: Figure, width: int, *, ascii_only: bool = False) -> list[str]:
    """Return the lines of a figure, at most `width` wide, without its title; none where there is nothing to draw."""
    if figure.kind == "bars":
        return _bars(figure, width, ascii_only)
    return _curves(figure, width, ascii_only)


# --- bars ---


def _bars(figure: Figure, width: int, ascii_only: bool) -> list[str]:
    values = [value for series in figure.series.values() for value in series if math.isfinite(value)]
    if not values:
        return []
    several = len(figure.series) > 1
    names = [_shortened(label) for label in figure.labels]
    column = max(map(len, names), default=0)
    kinds = max(map(len, figure.series)) if several else 0
    texts = max(len(number(value)) for series in figure.series.values() for value in series)
    room = max(min(width - column - kinds - texts - 4, LONGEST), 8)
    lines = []
    for place, name in enumerate(names):
        for rank, (kind, series) in enumerate(figure.series.items()):
            head = f"{name if rank == 0 else '':{column}}" + (f" {kind:{kinds}}" if several else "")
            bar = _bar(_share(series[place], values, figure.log_y), room, ascii_only)
            lines.append(f"{head} {number(series[place]):>{texts}} {bar}".rstrip())
    if figure.log_y:
        lines.append("(lengths on a logarithmic scale)")
    return lines


def _shortened(name: str) -> str:
    """Return a name that fits: its end tells a layer from its neighbours."""
    return name if len(name) <= NAMES else f"…{name[1 - NAMES :]}"


def _share(value: float, values: Sequence[float], log: bool) -> float:
    """Return how long a value's bar is, 0 to 1; on a logarithmic axis the smallest one still shows."""
    if not math.isfinite(value):
        return 1.0 if value > 0 else 0.0
    largest = max(abs(one) for one in values)
    if not log:
        return abs(value) / largest if largest > 0 else 0.0
    positive = [one for one in values if one > 0]
    if value <= 0 or not positive:
        return 0.0
    low, high = math.log10(min(positive)), math.log10(max(positive))
    return 0.05 + 0.95 * (math.log10(value) - low) / (high - low) if high > low else 1.0


def _bar(share: float, room: int, ascii_only: bool) -> str:
    if ascii_only:
        return "#" * round(share * room)
    eighths = round(share * room * 8)
    return _EIGHTHS[8] * (eighths // 8) + _EIGHTHS[eighths % 8].strip()


# --- curves ---


def _curves(figure: Figure, width: int, ascii_only: bool) -> list[str]:
    x = _scaled(figure.x, figure.log_x)
    lines = {name: _scaled(values, figure.log_y) for name, values in figure.series.items()}
    known = np.isfinite(x)
    inside = [values[known & np.isfinite(values)] for values in lines.values()]
    heights = np.concatenate(inside) if inside else np.empty(0)
    if not len(heights) or not known.any():
        return []
    low, high = float(heights.min()), float(heights.max())
    left, right = float(x[known].min()), float(x[known].max())
    ticks = [number(float(f"{_back(value, figure.log_y):.3g}")) for value in (high, (low + high) / 2, low)]
    margin = max(map(len, ticks)) + 1
    columns = max(width - margin - 1, 16)
    across = (x - left) / ((right - left) or 1.0)
    up = {name: (values - low) / ((high - low) or 1.0) for name, values in lines.items()}
    if len(up) == 1 and not ascii_only:
        rows = _dotted(across, next(iter(up.values())), columns)
    else:
        rows = _lettered(across, up, columns)
    places = {0: ticks[0], HEIGHT // 2: ticks[1], HEIGHT - 1: ticks[2]}
    bar = "|" if ascii_only else "│"
    drawn = [f"{places.get(row, ''):>{margin - 1}} {bar}{text}".rstrip() for row, text in enumerate(rows)]
    drawn += _under(figure, left, right, margin + 1, columns, ascii_only)
    names = [f"{letter} {name}" for letter, name in zip(LETTERS, figure.series, strict=False)]
    return drawn if len(lines) == 1 else [*drawn, " " * (margin + 1) + "   ".join(names)]


def _scaled(values: Sequence[float], log: bool) -> FloatArray:
    array = np.asarray(values, np.float64)
    with np.errstate(all="ignore"):
        return np.where(array > 0, np.log10(np.maximum(array, 1e-300)), np.nan) if log else array


def _back(value: float, log: bool) -> float:
    return float(10**value) if log else value


def _dotted(across: FloatArray, up: FloatArray, columns: int) -> list[str]:
    """Return rows of braille cells, 2 x 4 dots each; neighbouring points are joined."""
    dots = np.zeros((HEIGHT * 4, columns * 2), bool)
    for column, row in _path(across, up, columns * 2, HEIGHT * 4):
        dots[row, column] = True
    rows = []
    for top in range(0, HEIGHT * 4, 4):
        cells = []
        for left in range(0, columns * 2, 2):
            code = sum(bit for y, pair in enumerate(_BRAILLE) for x, bit in enumerate(pair) if dots[top + y, left + x])
            cells.append(chr(0x2800 + code) if code else " ")
        rows.append("".join(cells))
    return rows


def _lettered(across: FloatArray, lines: Mapping[str, FloatArray], columns: int) -> list[str]:
    cells = [[" "] * columns for _ in range(HEIGHT)]
    for letter, up in zip(LETTERS, lines.values(), strict=False):
        for column, row in _path(across, up, columns, HEIGHT):
            cells[row][column] = letter
    return ["".join(row) for row in cells]


def _path(across: FloatArray, up: FloatArray, columns: int, rows: int) -> list[tuple[int, int]]:
    """Return the dots (column, row from the top) of points joined by straight lines; a gap where one is not finite."""
    found: list[tuple[int, int]] = []
    before: tuple[float, float] | None = None
    for x, y in zip(across.tolist(), up.tolist(), strict=True):
        if not (math.isfinite(x) and math.isfinite(y)):
            before = None
            continue
        point = (x * (columns - 1), (1 - y) * (rows - 1))
        start = point if before is None else before
        steps = max(math.ceil(max(abs(point[0] - start[0]), abs(point[1] - start[1]))), 1)
        for step in range(steps + 1):
            share = step / steps
            column, row = (round(a + share * (b - a)) for a, b in zip(start, point, strict=True))
            found.append((min(max(column, 0), columns - 1), min(max(row, 0), rows - 1)))
        before = point
    return found


def _under(figure: Figure, left: float, right: float, margin: int, columns: int, ascii_only: bool) -> list[str]:
    """Return the lines under the x axis: its ends and name, and what is marked on it."""
    first, last = (number(float(f"{_back(value, figure.log_x):.3g}")) for value in (left, right))
    gap = max(columns - len(first) - len(last), 1)
    lines = [" " * margin + first + f"{figure.x_name:^{gap}}" + last]
    arrow = "^" if ascii_only else "▲"
    for name, value in (figure.marks or {}).items():
        place = float(_scaled([value], figure.log_x)[0])
        if math.isfinite(place) and left <= place <= right:
            column = round((place - left) / ((right - left) or 1.0) * (columns - 1))
            text = f"{name} {number(float(f'{value:.3g}'))}"
            beside = f"{arrow} {text}" if column + len(text) + 2 <= columns else f"{text} {arrow}"
            start = column if beside.startswith(arrow) else max(column - len(text) - 1, 0)
            lines.append(" " * (margin + start) + beside)
    return lines
