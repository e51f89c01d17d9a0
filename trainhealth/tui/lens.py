"""How the charts are looked at: over what, how smooth, which part, and where the cursor stands. All share one lens."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from trainhealth.tui.across import Across, Ruler
from trainhealth.tui.raster import Window
from trainhealth.tui.smoothing import STRONGEST, WEAKEST

CLOSER, FARTHER = 0.5, 2.0  # what a key does to the width of what is shown
_NARROWEST = 2  # steps


@dataclass(frozen=True)
class Lens:
    """What a person has chosen; a chart's own choices hold where this says nothing.

    The methods that change what is shown take the run's `extent` (its first and last step) and the ruler in use.
    """

    across: Across = Across.STEP
    smoothing: int = 0  # powers of two of the usual span, more or fewer
    log: bool | None = None
    everything: bool = False  # all signals, not only those that nearly everybody wants to see
    words: str = ""  # only charts with these words in their titles
    window: Window | None = None  # None: the whole run
    follows: bool = False  # whether the window moves on with the run's last step
    cursor: int | None = None  # a step

    def shown(self, extent: Window) -> Window:
        """Return the steps that are shown; all of a run that began anew and has not come as far again."""
        if self.window is None or self.window.first >= extent.last:
            return extent
        if self.follows:
            return Window(max(extent.last - (self.window.last - self.window.first), extent.first), extent.last)
        return Window(max(self.window.first, extent.first), min(self.window.last, extent.last))

    def smoother(self, by: int) -> Lens:
        """Return a lens that smooths by so many powers of two more."""
        return dataclasses.replace(self, smoothing=min(max(self.smoothing + by, WEAKEST), STRONGEST))

    def zoomed(self, extent: Window, ruler: Ruler, factor: float, about: float | None = None) -> Lens:
        """Return a lens that shows `factor` times as much; the step `about` (None: the cursor) stays where it is."""
        first, last = _places(self.shown(extent), ruler)
        at_end = self.shown(extent).last >= extent.last
        fixed = about if about is not None else self.cursor
        centre = (
            float(ruler.place(np.array([fixed]))[0]) if fixed is not None else (last if at_end else (first + last) / 2)
        )
        centre = min(max(centre, first), last)
        return self._showing(extent, ruler, centre + (first - centre) * factor, centre + (last - centre) * factor)

    def panned(self, extent: Window, ruler: Ruler, share: float) -> Lens:
        """Return a lens moved by a share of what is shown, to the right if that is positive; not beyond the run."""
        if self.window is None:
            return self
        first, last = _places(self.shown(extent), ruler)
        begin, end = _places(extent, ruler)
        by = min(max(share * (last - first), begin - first), end - last)
        return self._showing(extent, ruler, first + by, last + by)

    def moved(self, extent: Window, ruler: Ruler, cells: int, by: int) -> Lens:
        """Return a lens with its cursor `by` cells further, where `cells` are what is shown; the window comes along."""
        window = self.shown(extent)
        if self.cursor is None or not window.first <= self.cursor <= window.last:
            return self.pointed(extent, window.last if by < 0 else window.first)
        first, last = _places(window, ruler)
        place = float(ruler.place(np.array([self.cursor]))[0]) + by * (last - first) / max(cells, 1)
        step = round(float(ruler.step_at(np.array([place]))[0]))
        if step == self.cursor:
            step += 1 if by > 0 else -1
        lens = self.pointed(extent, step)
        assert lens.cursor is not None  # it has just been set
        outside = min(lens.cursor - window.first, 0) + max(lens.cursor - window.last, 0)
        if not outside:
            return lens
        return dataclasses.replace(
            lens, window=Window(window.first + outside, window.last + outside), follows=lens.cursor == extent.last
        )

    def pointed(self, extent: Window, step: float) -> Lens:
        """Return a lens with its cursor at a step, be it at the run's end."""
        return dataclasses.replace(self, cursor=min(max(round(step), extent.first), extent.last))

    def reset(self) -> Lens:
        """Return a lens that shows the whole run, without a cursor."""
        return dataclasses.replace(self, window=None, follows=False, cursor=None)

    def _showing(self, extent: Window, ruler: Ruler, first: float, last: float) -> Lens:
        begin, end = ruler.step_at(np.array([first, last])).tolist()
        window = Window(max(round(begin), extent.first), min(round(end), extent.last))
        if window.last - window.first < _NARROWEST:
            return self
        if window == extent:
            return dataclasses.replace(self, window=None, follows=False)
        return dataclasses.replace(self, window=window, follows=window.last >= extent.last)


def _places(window: Window, ruler: Ruler) -> tuple[float, float]:
    first, last = ruler.place(np.array(window)).tolist()
    return first, last
