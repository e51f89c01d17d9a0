"""What the machine was doing: processor, memory, accelerator, and what watching has cost."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from trainhealth.series import FloatArray, RunView, Series
from trainhealth.tui.amounts import figure
from trainhealth.tui.lines import Line, Span, line, paragraph, table
from trainhealth.tui.look import Glyphs, Look
from trainhealth.tui.ramps import BARS, DIGITS

_UNITS = ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"))
_NARROWEST, _WIDEST = 8, 60  # cells of a small chart
_FOREIGN = re.compile(r"(^|[/._ ])(system|gpu|cuda|cpu|ram|mem|memory|vram)([/._ ]|$)", re.IGNORECASE)


@dataclass(frozen=True)
class Gauge:
    """A signal of the machine: what people call it, and whether it is a share of all, or bytes."""

    label: str
    share: bool = False
    size: bool = False

    def text(self, value: float) -> str:
        """Return a value with its unit."""
        if not np.isfinite(value):
            return figure(value)
        if self.share:
            return f"{value:.0%}"
        if self.size:
            factor, unit = next(((factor, unit) for factor, unit in _UNITS if value >= factor), (1, "B"))
            return f"{value / factor:.3g} {unit}"
        return figure(value)


GAUGES = {
    "cpu_share": Gauge("CPU", share=True),
    "process_memory": Gauge("memory of the process", size=True),
    "gpu_share": Gauge("GPU", share=True),
    "device_memory": Gauge("memory of the GPU", size=True),
    "data_share": Gauge("waiting for data", share=True),
}
WATCHING = Gauge("watching", share=True)


def system_lines(view: RunView, width: int, look: Look) -> list[Line]:
    """Return a row a signal of the machine: how it went, and its newest and largest value."""
    known = [(gauge, view.series(name).finite()) for name, gauge in GAUGES.items()]
    known += [(Gauge(name), series.finite()) for name, series in view.scalars.items() if _is_foreign(name)]
    known.append((WATCHING, view.sampling["overhead"].finite() if "overhead" in view.sampling else view.series("")))
    present = [(gauge, series) for gauge, series in known if len(series)]
    title = line(Span("System", "title"))
    if not present:
        return [title, *paragraph("The log says nothing about the machine.", width, role="label")]
    label = max(len(gauge.label) for gauge, _ in present)
    cells = min(max(width - label - 28, _NARROWEST), _WIDEST)
    rows = [
        [
            Span(gauge.label, "label"),
            Span(bars(series, cells, look, top=1.0 if gauge.share else None), "raw"),
            Span(gauge.text(float(series.values[-1])), "strong"),
            # what watching costs is a mean since the start, which is allowed a second: its largest value says nothing
            Span("of all time" if gauge is WATCHING else f"at most {gauge.text(float(series.values.max()))}", "label"),
        ]
        for gauge, series in present
    ]
    return [title, *table(rows, width)]


def _is_foreign(name: str) -> bool:
    return name not in GAUGES and bool(_FOREIGN.search(name))


def bars(series: Series, cells: int, look: Look, top: float | None = None) -> str:
    """Return a series as a row of bars from 0 to `top` (by default, its largest value); no value is left out.

    Each cell stands for an equal part of the steps and shows the largest value in it; where a part has none, the one
    before goes on.
    """
    marks = DIGITS if look.glyphs is Glyphs.ASCII else BARS
    first, last = int(series.steps[0]), series.last_step
    borders = np.linspace(first, last + 1, cells + 1)
    starts = np.searchsorted(series.steps, borders[:-1])
    ends = np.append(starts[1:], len(series))
    heights: FloatArray = np.full(cells, np.nan)
    filled = ends > starts
    heights[filled] = np.fmax.reduceat(series.values, starts[filled])
    known = np.maximum.accumulate(np.where(filled, np.arange(cells), 0))
    top = top or max(float(np.nanmax(heights)), 1e-300)
    levels = (heights[known] / top * len(marks)).clip(0, len(marks) - 1).astype(int)
    return "".join(marks[level] for level in levels)
