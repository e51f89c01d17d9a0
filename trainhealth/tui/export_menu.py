"""The menu of what can be kept: a picture of the view, the numbers in it, the report."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import ClassVar, Protocol, runtime_checkable

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.events import Click
from textual.screen import ModalScreen, Screen

from trainhealth.errors import TrainHealthError
from trainhealth.tui.commands import EXPORT, bindings
from trainhealth.tui.exports import keep, report_text
from trainhealth.tui.failures import failure_text, record_failure
from trainhealth.tui.lines import Line, Span, table
from trainhealth.tui.snapshot import Snapshot
from trainhealth.tui.widgets.drawing import Drawing
from trainhealth.tui.widgets.painting import ROLES

_SAID_FOR = 8.0  # seconds that the file's name can be read
_KINDS = {"svg": ".svg", "csv": ".csv", "markdown": ".md", "html": ".html"}


@runtime_checkable
class HasNumbers(Protocol):
    """A screen or a widget whose numbers can be kept."""

    def csv(self) -> str:
        """Return what is drawn, as CSV with a header."""
        ...


def open_export_menu(screen: Screen[None], name: str, snapshot: Snapshot | None = None) -> None:
    """Let the user choose what to keep of a screen, in files of that name.

    The reports tell of `snapshot`; there are none where the screen shows several runs.
    """
    contents = _contents(screen, name, snapshot)

    def chosen(kind: str | None) -> None:
        if kind is not None:  # the picture is taken when the menu is gone
            screen.call_after_refresh(_export, screen, f"trainhealth-{name}", contents, kind)

    screen.app.push_screen(ExportMenu(list(contents)), chosen)


def _contents(screen: Screen[None], name: str, snapshot: Snapshot | None) -> dict[str, Callable[[], str]]:
    seen = {"svg": partial(screen.app.export_screenshot, title=name), "csv": partial(_csv, screen)}
    reports = {kind: partial(report_text, snapshot, kind) for kind in ("markdown", "html")} if snapshot else {}
    return {**seen, **reports}


def _csv(screen: Screen[None]) -> str:
    """Return the numbers of the screen; else of its first drawing that can be seen: the losses, or what stands alone.

    Raises:
        TrainHealthError: nothing is drawn that has numbers.
    """
    drawn = (widget for widget in (screen, *screen.query("*")) if widget.region.area)
    numbers = next((widget for widget in drawn if isinstance(widget, HasNumbers)), None)
    if numbers is None:
        raise TrainHealthError("Nothing here has numbers to keep: choose the curves or the layers first.")
    return numbers.csv()


def _export(screen: Screen[None], name: str, contents: dict[str, Callable[[], str]], kind: str) -> None:
    """Write the file and say where it is; what goes wrong is said too, and the dashboard goes on."""
    try:
        path = keep(name, _KINDS[kind], contents[kind]())
    except TrainHealthError as error:
        failure = error.message
    except Exception as error:  # noqa: BLE001  # data may be of any kind: this export fails, the dashboard goes on
        failure = failure_text(error, record_failure(error))
    else:
        screen.notify(f"Written: {path}", timeout=_SAID_FOR, markup=False)
        return
    screen.notify(failure, severity="error", timeout=_SAID_FOR, markup=False)


class MenuRows(Drawing):
    """The entries of the menu, one of which is selected."""

    def __init__(self, kinds: Sequence[str]) -> None:
        super().__init__()
        self._kinds, self.selected = kinds, 0
        self._entries = [command for command in EXPORT if command.id.removeprefix("export-") in kinds]
        self.styles.height = len(self._entries)

    def move(self, by: int) -> None:
        """Select another entry; at the ends the selection stays."""
        self.selected = min(max(self.selected + by, 0), len(self._entries) - 1)
        self.redraw()

    @property
    def kind(self) -> str:
        """The kind of file that is selected."""
        return self._kinds[self.selected]

    def draw(self, snapshot: Snapshot, width: int, height: int) -> list[Line]:
        """Return a line an entry."""
        rows = [
            [
                Span("▎" if number == self.selected else " ", "train"),
                Span(entry.shown, "strong"),
                Span(entry.label, "strong" if number == self.selected else ""),
                Span(entry.meaning, "label"),
            ]
            for number, entry in enumerate(self._entries)
        ]
        return table(rows, width)

    async def on_click(self, event: Click) -> None:
        """Choose what is clicked."""
        if event.y < len(self._entries):
            self.selected = event.y
            await self.run_action("screen.choose")


class ExportMenu(ModalScreen[str | None]):
    """Asks what to keep; its result is the kind, None where the user wants nothing."""

    BINDINGS = bindings(EXPORT)
    COMPONENT_CLASSES: ClassVar[set[str]] = set(ROLES)

    def __init__(self, kinds: Sequence[str]) -> None:
        super().__init__()
        self._kinds = kinds

    def compose(self) -> ComposeResult:
        """Put the entries into a frame."""
        with Vertical(id="frame") as frame:
            frame.border_title = "Export"
            frame.border_subtitle = "esc to go back"
            yield MenuRows(self._kinds)

    def on_mount(self) -> None:
        """Show the entries."""
        self._rows.show(Snapshot(""))

    @property
    def _rows(self) -> MenuRows:
        return self.query_one(MenuRows)

    # --- actions, in the order of `commands.EXPORT` ---

    def action_keep(self, kind: str) -> None:
        """Choose a kind, where it is one of the entries."""
        if kind in self._kinds:
            self.dismiss(kind)

    def action_choose(self) -> None:
        """Choose the selected kind."""
        self.dismiss(self._rows.kind)

    def action_move(self, by: int) -> None:
        """Select another kind."""
        self._rows.move(by)

    def action_back(self) -> None:
        """Keep nothing."""
        self.dismiss(None)
