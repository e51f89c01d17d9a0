"""The screen with several runs in one chart."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.screen import Screen
from textual.widgets import Footer

from trainhealth.tui.across import Across
from trainhealth.tui.charts import draw_chart
from trainhealth.tui.commands import OVERLAY, Command, bindings
from trainhealth.tui.help_page import help_page
from trainhealth.tui.lines import Line, Span, line
from trainhealth.tui.navigation import OpenRun
from trainhealth.tui.page import Page
from trainhealth.tui.runs_overlay import Overlaid, axes_of, overlay_csv, overlay_figure, overlay_lines, signals_of
from trainhealth.tui.runs_row import RunsSnapshot
from trainhealth.tui.smoothing import STRONGEST, WEAKEST
from trainhealth.tui.snapshot import Snapshot
from trainhealth.tui.widgets.painting import ROLES
from trainhealth.tui.widgets.panel import Panel


class OverlayScreen(Screen[None]):
    """A chart of the chosen runs, and a list of them; it follows the runs."""

    BINDINGS = bindings(OVERLAY)
    commands: ClassVar[tuple[Command, ...]] = OVERLAY  # what the command palette offers
    COMPONENT_CLASSES: ClassVar[set[str]] = set(ROLES)

    def __init__(self, snapshot: RunsSnapshot, colours: Mapping[str, int]) -> None:
        super().__init__()
        self.signal = ""  # "": the first that any of the runs has
        self.across, self.smoothing, self.front = Across.STEP, 0, 0
        self.is_log: bool | None = None  # None: as the values are
        self.runs: list[Overlaid] = []
        self._folder, self._colours = snapshot.folder, dict(colours)
        self._take(snapshot)

    def compose(self) -> ComposeResult:
        """Lay out the chart over the list."""
        yield Panel("overlay", self._chart)
        names = Panel("overlay-runs", self._list)
        names.styles.height = len(self._colours) + 1
        yield names
        yield Footer(show_command_palette=False)

    def receive(self, snapshot: RunsSnapshot) -> None:
        """Show a new snapshot of the folder."""
        self._take(snapshot)
        self._redraw()

    def _take(self, snapshot: RunsSnapshot) -> None:
        rows = {row.path: row for row in snapshot.rows}
        kept = {run.row.path: run.kept for run in self.runs}
        self.runs = [
            Overlaid(rows[path], snapshot.opened[path].view, colour, **({"kept": kept[path]} if path in kept else {}))
            for path, colour in self._colours.items()
            if path in rows and path in snapshot.opened
        ]

    @property
    def shown_signal(self) -> str:
        """The signal in the chart."""
        return self.signal or next(iter(signals_of(self.runs)), "train_loss")

    def _chart(self, width: int, height: int) -> list[Line]:
        if not self.runs:
            return [line(Span("reading the runs …", "label"))]
        shown = overlay_figure(self.runs, self.shown_signal, self.across, self.smoothing, self.front)
        return draw_chart(shown, width, height, self.query_one("#overlay", Panel).look, self.is_log)

    def _list(self, width: int, height: int) -> list[Line]:
        return overlay_lines(self.runs, self.shown_signal, width, self.front)

    def csv(self) -> str:
        """Return what the runs have logged of the signal: a row a step, a column a run."""
        return overlay_csv(self.runs, self.shown_signal)

    def _redraw(self) -> None:
        for panel in self.query(Panel):
            panel.redraw()

    # --- actions, in the order of `commands.OVERLAY` ---

    def action_help(self) -> None:
        """Show the help."""
        keymap = self.query_one("#overlay", Panel).dashboard.keymap
        self.app.push_screen(Page("Help", Snapshot(self._folder), lambda _, width: help_page(width, keymap)))

    def action_signal(self, by: int) -> None:
        """Show another signal."""
        signals = signals_of(self.runs)
        if signals:
            self.signal = signals[(signals.index(self.shown_signal) + by) % len(signals)]
            self.is_log = None
            self._redraw()

    def action_log_axis(self) -> None:
        """Switch between a linear and a logarithmic axis of values."""
        shown = overlay_figure(self.runs, self.shown_signal, self.across, self.smoothing)
        self.is_log = not (shown.is_log if self.is_log is None else self.is_log)
        self._redraw()

    def action_across(self) -> None:
        """Show the runs over steps, epochs or time."""
        axes = axes_of(self.runs) or [Across.STEP]
        self.across = axes[(axes.index(self.across) + 1) % len(axes)] if self.across in axes else axes[0]
        self._redraw()

    def action_smooth(self, by: int) -> None:
        """Smooth the curves more, or less."""
        self.smoothing = min(max(self.smoothing + by, WEAKEST), STRONGEST)
        self._redraw()

    def action_move(self, by: int) -> None:
        """Bring another run to the front."""
        self.front = min(max(self.front + by, 0), max(len(self.runs) - 1, 0))
        self._redraw()

    def action_open(self) -> None:
        """Show the run in front."""
        if self.runs:
            self.post_message(OpenRun(self.runs[self.front].row.path))

    def action_export(self) -> None:
        """Choose what to keep of the chart."""
        from trainhealth.tui.export_menu import open_export_menu  # it loads the reports

        open_export_menu(self, f"{Path(self._folder).name}-{self.shown_signal}")

    def action_back(self) -> None:
        """Go back to the table."""
        self.dismiss()
