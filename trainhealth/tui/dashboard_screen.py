"""The dashboard's screen."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.containers import Grid, Horizontal, Vertical
from textual.screen import Screen
from textual.widgets import Footer

from trainhealth.findings import Finding
from trainhealth.tui.commands import DASHBOARD, bindings
from trainhealth.tui.figures import SMALL_FIGURES, loss_figure
from trainhealth.tui.finding_page import finding_page
from trainhealth.tui.help_page import help_page
from trainhealth.tui.not_checked_page import not_checked_page
from trainhealth.tui.page import Page
from trainhealth.tui.snapshot import Snapshot
from trainhealth.tui.widgets.chart_view import ChartView
from trainhealth.tui.widgets.drawing import Drawing
from trainhealth.tui.widgets.findings_list_view import FindingsList
from trainhealth.tui.widgets.heat_map_view import HeatMapView
from trainhealth.tui.widgets.painting import ROLES
from trainhealth.tui.widgets.run_header import RunHeader

VIEWS = ("overview", "curves", "layers")


class DashboardScreen(Screen[None]):
    """One set of widgets; the style sheet decides by size and view which of them show, and where."""

    BINDINGS = bindings(DASHBOARD)
    COMPONENT_CLASSES: ClassVar[set[str]] = set(ROLES)
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-wide")]  # noqa: RUF012  # as Textual declares it
    VERTICAL_BREAKPOINTS = [(0, "-short"), (32, "-tall"), (50, "-huge")]  # noqa: RUF012  # as Textual declares it

    def __init__(self, snapshot: Snapshot) -> None:
        super().__init__(classes=f"-{VIEWS[0]}")
        self._newest = snapshot
        self.shown = snapshot
        self.paused = False
        self.current_view = VIEWS[0]

    def compose(self) -> ComposeResult:
        """Lay out the widgets, in the order in which a person reads."""
        yield RunHeader()
        with Horizontal(id="body"):
            yield FindingsList()
            with Vertical(id="charts"):
                yield ChartView("loss", loss_figure)
                with Grid(id="small"):
                    for name, figure_of in SMALL_FIGURES.items():
                        yield ChartView(name, figure_of)
                yield HeatMapView()
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        """Show what there is, be it nothing."""
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

    def _point_out(self, finding: Finding | None) -> None:
        """Mark where the selected finding began, and show in the layers what it rests on."""
        for chart in self.query(ChartView):
            chart.mark(finding)
        self._layers.suggest(tuple(item.signal for item in finding.evidence) if finding else ())

    @property
    def _header(self) -> RunHeader:
        return self.query_one(RunHeader)

    @property
    def _findings(self) -> FindingsList:
        return self.query_one(FindingsList)

    @property
    def _layers(self) -> HeatMapView:
        return self.query_one(HeatMapView)

    def on_findings_list_selected(self, message: FindingsList.Selected) -> None:
        """Point out another finding."""
        self._point_out(message.finding)

    def on_findings_list_opened(self) -> None:
        """Open the finding that was clicked."""
        self.action_details()

    # --- actions, in the order of `commands.DASHBOARD` ---

    def action_help(self) -> None:
        """Show the help."""
        self.app.push_screen(Page("Help", self.shown, lambda _, width: help_page(width)))

    def action_pause(self) -> None:
        """Freeze the screen, or go on with what has come in the meantime."""
        self.paused = not self.paused
        self._header.show_behind(0 if self.paused else None)
        if not self.paused:
            self._show(self._newest)

    def action_view(self, view: str) -> None:
        """Show one of the views."""
        self.current_view = view
        self.update_classes({f"-{name}": name == view for name in VIEWS})

    def action_turn(self, by: int) -> None:
        """Go from view to view."""
        self.action_view(VIEWS[(VIEWS.index(self.current_view) + by) % len(VIEWS)])

    def action_move(self, by: int) -> None:
        """Select another finding, or scroll the layers."""
        if self.current_view == "layers":
            self._layers.scroll_rows(by)
        else:
            self._findings.move(by)

    def action_page(self, by: int) -> None:
        """Scroll by a page."""
        (self._layers if self.current_view == "layers" else self._findings).scroll_pages(by)

    def action_edge(self, direction: int) -> None:
        """Go to the first or the last finding or layer."""
        self.action_move(direction * 1_000_000)

    def action_details(self) -> None:
        """Show the selected finding in full; its page follows the run."""
        finding = self._findings.finding
        if finding is None:
            self.notify("There is no finding to show.", timeout=3)
            return
        identity = finding.id
        self.app.push_screen(Page("Finding", self.shown, lambda s, width: finding_page(s, identity, width)))

    def action_not_checked(self) -> None:
        """Show what was not checked, and why."""
        self.app.push_screen(Page("Not checked", self.shown, not_checked_page))

    def action_log_axis(self) -> None:
        """Switch the charts of losses and gradients between a linear and a logarithmic axis."""
        log = not self.query_one("#loss", ChartView).is_log
        for name in ("loss", "learning-rate", "gradient-norm"):
            self.query_one(f"#{name}", ChartView).set_log(log)

    def action_signal(self, by: int) -> None:
        """Show another signal of the layers."""
        self._layers.turn(by)
