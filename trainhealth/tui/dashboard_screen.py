"""The dashboard's screen."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.screen import Screen
from textual.widgets import Footer

from trainhealth.findings import Finding
from trainhealth.tui.board import Board
from trainhealth.tui.commands import DASHBOARD, Command, bindings
from trainhealth.tui.copying import Copier
from trainhealth.tui.figures import loss_figure
from trainhealth.tui.help_page import help_page
from trainhealth.tui.memory import Memory
from trainhealth.tui.muting import Muting
from trainhealth.tui.not_checked_page import not_checked_page
from trainhealth.tui.page import Page
from trainhealth.tui.remembered import remember_lens, remembered_lens, remembered_view
from trainhealth.tui.snapshot import Snapshot
from trainhealth.tui.widgets.chart_view import ChartView
from trainhealth.tui.widgets.curves_view import CurvesView
from trainhealth.tui.widgets.drawing import Drawing
from trainhealth.tui.widgets.findings_list_view import FindingsList
from trainhealth.tui.widgets.heat_map_view import HeatMapView
from trainhealth.tui.widgets.log_view import LogView
from trainhealth.tui.widgets.painting import ROLES
from trainhealth.tui.widgets.pointing import Pointing
from trainhealth.tui.widgets.run_header import RunHeader
from trainhealth.tui.widgets.small_charts import SmallCharts

VIEWS = ("overview", "curves", "layers", "log")


class DashboardScreen(Screen[None]):
    """One set of widgets; the style sheet decides by size and view which of them show, and where."""

    BINDINGS = bindings(DASHBOARD)
    commands: ClassVar[tuple[Command, ...]] = DASHBOARD  # what the command palette offers
    COMPONENT_CLASSES: ClassVar[set[str]] = set(ROLES)
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-wide")]  # noqa: RUF012  # as Textual declares it
    VERTICAL_BREAKPOINTS = [(0, "-short"), (32, "-tall"), (50, "-huge")]  # noqa: RUF012  # as Textual declares it

    def __init__(self, snapshot: Snapshot) -> None:
        super().__init__(classes=f"-{VIEWS[0]}")
        self._newest = snapshot
        self.shown = snapshot
        self.paused = False
        self.current_view = VIEWS[0]
        self.board = Board()
        self._copier = Copier()

    def compose(self) -> ComposeResult:
        """Lay out the widgets, in the order in which a person reads."""
        yield RunHeader()
        with Horizontal(id="body"):
            yield FindingsList()
            with Vertical(id="charts"):
                yield ChartView("loss", loss_figure, self.board)
                yield SmallCharts(self.board)
                yield HeatMapView()
            yield CurvesView(self.board)
            yield LogView()
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        """Show what there is, be it nothing, as it was looked at last in this folder."""
        self.board.lens = remembered_lens(self._memory)
        if (view := remembered_view(self._memory, VIEWS, self.current_view)) != self.current_view:
            self.action_view(view)
        self._show(self._newest)

    def receive(self, snapshot: Snapshot) -> None:
        """Show a new snapshot; a paused screen only says how far it is behind."""
        self._newest = snapshot
        if self.paused:
            self._header.show_behind(snapshot.view.last_step - self.shown.view.last_step)
        else:
            self._show(snapshot)

    def _show(self, snapshot: Snapshot) -> None:
        self.shown = snapshot
        self._findings.show(snapshot)
        self._point_out(self._findings.finding)
        for drawing in self.query(Drawing):
            drawing.show(snapshot)
        self._curves.show(snapshot)
        self.query_one(SmallCharts).choose(snapshot)
        self._show_log()

    def _show_log(self) -> None:
        """Show the log where it can be seen: its file is read for that."""
        if self.current_view == "log":
            self._log.show(self.shown)

    def remute(self, muting: Muting) -> None:
        """Show the same, with other findings muted."""
        self._newest = muting.applied(self._newest)
        self._show(muting.applied(self.shown))

    def _point_out(self, finding: Finding | None) -> None:
        """Mark where the selected finding began, and show in the layers what it rests on."""
        if finding != self.board.finding:
            self.board.finding = finding
            self._redraw_charts()
        self._layers.suggest(finding)

    def _redraw_charts(self) -> None:
        for chart in self.query(ChartView):
            chart.redraw()
        self._curves.redraw()

    @property
    def _curves(self) -> CurvesView:
        return self.query_one(CurvesView)

    @property
    def _memory(self) -> Memory:
        return self._findings.dashboard.memory

    @property
    def _header(self) -> RunHeader:
        return self.query_one(RunHeader)

    @property
    def _findings(self) -> FindingsList:
        return self.query_one(FindingsList)

    @property
    def _log(self) -> LogView:
        return self.query_one(LogView)

    @property
    def _layers(self) -> HeatMapView:
        return self.query_one(HeatMapView)

    @property
    def _list(self) -> FindingsList | HeatMapView | CurvesView | LogView:
        """What the keys move in: what the view shows alone, else the findings."""
        if self.current_view == "curves":
            return self._curves
        if self.current_view == "log":
            return self._log
        return self._layers if self.current_view == "layers" else self._findings

    def on_findings_list_selected(self, message: FindingsList.Selected) -> None:
        """Point out another finding."""
        self._point_out(message.finding)

    def on_findings_list_opened(self) -> None:
        """Open the finding that was clicked."""
        self.action_details()

    def on_pointing_looked(self, message: Pointing.Looked) -> None:
        """Show the charts through another lens."""
        self.board.lens = message.lens
        remember_lens(self._memory, message.lens)
        self._redraw_charts()

    # --- actions, in the order of `commands.DASHBOARD` ---

    def action_help(self) -> None:
        """Show the help."""
        keymap = self._findings.dashboard.keymap
        self.app.push_screen(Page("Help", self.shown, lambda _, width: help_page(width, keymap)))

    def action_pause(self) -> None:
        """Freeze the screen, or go on with what has come in the meantime."""
        self.paused = not self.paused
        self._header.show_behind(0 if self.paused else None)
        if not self.paused:
            self._show(self._newest)

    def action_view(self, view: str) -> None:
        """Show one of the views."""
        self.current_view = view
        self._show_log()
        self._memory.choose("view", view)
        self.update_classes({f"-{name}": name == view for name in VIEWS})
        self._header.show_remedy(view != "overview")  # where the list of findings does not say it

    def action_turn(self, by: int) -> None:
        """Go from view to view."""
        self.action_view(VIEWS[(VIEWS.index(self.current_view) + by) % len(VIEWS)])

    def action_move(self, by: int) -> None:
        """Select another finding, or another layer."""
        self._list.move(by)

    def action_page(self, by: int) -> None:
        """Scroll by a page."""
        self._list.scroll_pages(by)

    def action_edge(self, direction: int) -> None:
        """Go to the first or the last finding or layer."""
        self.action_move(direction * 1_000_000)

    def action_details(self) -> None:
        """Show the selected finding or layer in full; its page follows the run."""
        if self.current_view == "layers":
            self._layers.open()
        elif (finding := self._findings.finding) is not None:
            from trainhealth.tui.finding_screen import FindingScreen  # the first frame does without the recipe book

            self.app.push_screen(FindingScreen(self.shown, finding, self._findings.look, self._copier))
        else:
            self.notify("There is no finding to show.", timeout=3)

    def action_copy(self) -> None:
        """Copy the code that the selected finding advises."""
        self._copier.copy(self.app, self._findings.finding)

    def action_mute(self) -> None:
        """Mute the selected finding, or show it again."""
        self._findings.mute()

    def action_show_muted(self) -> None:
        """List the muted findings too, or hide them."""
        self._findings.show_muted()

    def action_not_checked(self) -> None:
        """Show what was not checked, and why."""
        self.app.push_screen(Page("Not checked", self.shown, not_checked_page))

    def action_log_axis(self) -> None:
        """Switch the charts of losses and gradients between a linear and a logarithmic axis."""
        self._curves.look_with(log=not self.query_one("#loss", ChartView).is_log)

    def action_lens(self, change: str, amount: float = 0.0) -> None:
        """Look at the charts in another way: over what, how smooth, which part, with a cursor."""
        charts = self._curves if self.current_view == "curves" else self.query_one("#loss", ChartView)
        charts.change(change, amount)

    def action_signal(self, by: int) -> None:
        """Show another signal of the layers; in the log, the settings of another run."""
        (self._log if self.current_view == "log" else self._layers).turn(by)

    def action_group(self) -> None:
        """Put the layers of a module into one row, or show every layer again."""
        self._layers.group()

    def action_search(self) -> None:
        """Ask for words, and show what has them in its name."""
        if self.current_view == "layers":
            self._layers.search()
        elif self.current_view == "curves":
            self._curves.search()
        elif self.current_view == "log":
            self._log.search()
        else:
            self.notify("Words are searched for in the curves, the layers and the log: not in this view.", timeout=3)

    def action_export(self) -> None:
        """Choose what to keep of what is on the screen."""
        from trainhealth.tui.export_menu import open_export_menu  # the first frame does without the reports

        open_export_menu(self, f"{Path(self.shown.path).name}-{self.current_view}", self.shown)
