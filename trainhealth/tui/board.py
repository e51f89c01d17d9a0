"""What all charts of a dashboard share: the lens, the selected finding, and what has been computed for drawing them."""

from __future__ import annotations

import dataclasses

from trainhealth.findings import Finding
from trainhealth.series import RunView
from trainhealth.tui.across import Across, Ruler, axes_in, ruler
from trainhealth.tui.charts import Figure
from trainhealth.tui.figures import FigureOf, window
from trainhealth.tui.kept import Kept
from trainhealth.tui.lens import Lens
from trainhealth.tui.seen import seen
from trainhealth.tui.snapshot import Snapshot


class Board:
    """Makes the figures of one run, snapshot after snapshot."""

    def __init__(self) -> None:
        self.lens = Lens()
        self.finding: Finding | None = None  # the selected one
        self.kept = Kept()
        self._ruled: tuple[RunView, Across, Ruler] | None = None

    def figure(self, figure_of: FigureOf, snapshot: Snapshot) -> Figure:
        """Return a figure of the run, through the lens."""
        view = snapshot.view
        plain = figure_of(view, None, self.kept, self.lens.smoothing)
        return seen(plain, view, self.lens, self.ruler(view), self.finding, snapshot.findings)

    def ruler(self, view: RunView) -> Ruler:
        """Return the ruler of a view, made once; that of steps where the run does not have what the lens asks for."""
        if self._ruled is None or self._ruled[0] is not view or self._ruled[1] is not self.lens.across:
            self._ruled = (view, self.lens.across, ruler(view, self.lens.across))
        return self._ruled[2]

    def changed(self, change: str, amount: float, view: RunView, cells: int) -> Lens:
        """Return the lens after a key, where a chart is `cells` wide; the same lens where that changes nothing."""
        lens, extent, now = self.lens, window(view), self.ruler(view)
        if extent is None:
            return lens
        match change:
            case "across":
                axes = axes_in(view)
                turned = axes[(axes.index(now.across) + 1) % len(axes)]
                return dataclasses.replace(lens, across=turned)
            case "smoother":
                return lens.smoother(int(amount))
            case "zoom":
                return lens.zoomed(extent, now, amount)
            case "pan":
                return lens.panned(extent, now, amount)
            case "move":
                return lens.moved(extent, now, cells, int(amount))
            case "everything":
                return dataclasses.replace(lens, everything=not lens.everything)
        return lens.reset()
