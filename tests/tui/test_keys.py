"""Every key in the help does what the help says."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import NamedTuple

import pytest
from textual.command import CommandPalette
from textual.pilot import Pilot

from tests.tui.cases import CAUSE, OTHER, SYMPTOM, run, snapshot
from tests.tui.run_tables import opened_table, table
from tests.tui.screen import dashboard, main_screen, opened, replay_of, replayed, screen_text
from trainhealth.tui.across import Across
from trainhealth.tui.commands import DASHBOARD, SECTIONS, Command
from trainhealth.tui.dashboard_screen import DashboardScreen
from trainhealth.tui.export_menu import ExportMenu, MenuRows
from trainhealth.tui.help_page import help_page
from trainhealth.tui.lens import Lens
from trainhealth.tui.lines import plain
from trainhealth.tui.overlay_screen import OverlayScreen
from trainhealth.tui.page import Page, PageText
from trainhealth.tui.runs_screen import RunsScreen
from trainhealth.tui.widgets.chart_view import ChartView
from trainhealth.tui.widgets.findings_list_view import FindingsList
from trainhealth.tui.widgets.heat_map_view import HeatMapView
from trainhealth.tui.widgets.runs_table_view import RunsTable
from trainhealth.tui.widgets.search_line import SearchLine


@pytest.fixture(autouse=True)
def _own_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)  # where exports go
    monkeypatch.delenv("NO_COLOR", raising=False)


def sick_run() -> AbstractAsyncContextManager[Pilot[None]]:
    return opened(snapshot(run(layers=60)))


CHART = ("space", "v")  # the keys that show two runs of the table in one chart


class Case(NamedTuple):
    """The keys before, and what holds after the key that is tested and did not hold before."""

    before: tuple[str, ...]
    holds: Callable[[Pilot[None]], bool]
    where: Callable[[], AbstractAsyncContextManager[Pilot[None]]] = sick_run


def page_open(pilot: Pilot[None]) -> bool:
    return isinstance(pilot.app.screen, Page)


def view(name: str) -> Callable[[Pilot[None]], bool]:
    return lambda pilot: main_screen(pilot).current_view == name


def selected(finding: object) -> Callable[[Pilot[None]], bool]:
    return lambda pilot: main_screen(pilot).query_one(FindingsList).finding == finding


def first_layer(name: str) -> Callable[[Pilot[None]], bool]:
    return lambda pilot: main_screen(pilot).query_one(HeatMapView).render_line(2).text[4:].startswith(f"{name} ")


def layer(pilot: Pilot[None]) -> str:
    row = main_screen(pilot).query_one(HeatMapView).row
    return row.name if row else ""


def copied(pilot: Pilot[None]) -> bool:
    return pilot.app.clipboard.startswith("# Lower the learning rate from 0.5 to 0.005.")


def muted(pilot: Pilot[None]) -> bool:
    return main_screen(pilot).shown.muted == {CAUSE.id}


def searching(pilot: Pilot[None]) -> bool:
    return isinstance(pilot.app.focused, SearchLine)


def signal(name: str) -> Callable[[Pilot[None]], bool]:
    return lambda pilot: main_screen(pilot).query_one(HeatMapView).kind.signal == name


def scrolled_to(row: int) -> Callable[[Pilot[None]], bool]:
    return lambda pilot: pilot.app.screen.query_one(PageText).scroll_offset.y == row


def at_the_end(pilot: Pilot[None]) -> bool:
    text = pilot.app.screen.query_one(PageText)
    return 0 < text.max_scroll_y == text.scroll_offset.y


def left(pilot: Pilot[None]) -> bool:
    return pilot.app.return_code == 0


def replay_at(index: int) -> Callable[[Pilot[None]], bool]:
    return lambda pilot: replay_of(pilot).place.index == index


def menu_open(pilot: Pilot[None]) -> bool:
    return isinstance(pilot.app.screen, ExportMenu)


def menu_at(entry: int) -> Callable[[Pilot[None]], bool]:
    return lambda pilot: pilot.app.screen.query_one(MenuRows).selected == entry


def written(suffix: str) -> Callable[[Pilot[None]], bool]:
    return lambda _: any(path.suffix == suffix for path in Path.cwd().iterdir())


def lens(holds: Callable[[Lens], bool]) -> Callable[[Pilot[None]], bool]:
    return lambda pilot: holds(main_screen(pilot).board.lens)


def run_selected(name: str) -> Callable[[Pilot[None]], bool]:
    def holds(pilot: Pilot[None]) -> bool:
        row = table(pilot).query_one(RunsTable).selected
        return row is not None and row.name == name

    return holds


def runs(holds: Callable[[RunsTable], bool]) -> Callable[[Pilot[None]], bool]:
    return lambda pilot: holds(table(pilot).query_one(RunsTable))


def overlay(holds: Callable[[OverlayScreen], bool]) -> Callable[[Pilot[None]], bool]:
    return lambda pilot: isinstance(pilot.app.screen, OverlayScreen) and holds(pilot.app.screen)


def run_open(pilot: Pilot[None]) -> bool:
    return isinstance(pilot.app.screen, DashboardScreen)


CASES = {
    "leave": Case((), left),
    "palette": Case((), lambda pilot: isinstance(pilot.app.screen, CommandPalette)),
    "quit": Case((), left),
    "help": Case((), lambda pilot: page_open(pilot) and "Freeze the screen" in screen_text(pilot)),
    "pause": Case((), lambda pilot: main_screen(pilot).paused and "paused" in screen_text(pilot)),
    "overview": Case(("3",), view("overview")),
    "curves": Case((), view("curves")),
    "layers": Case((), view("layers")),
    "next-view": Case((), view("curves")),
    "previous-view": Case((), view("log")),
    "down": Case((), selected(SYMPTOM)),
    "up": Case(("end",), selected(SYMPTOM)),
    "page-down": Case(("3",), first_layer("features.17.weight")),
    "page-up": Case(("3", "pagedown", "pagedown"), first_layer("features.17.weight")),
    "first": Case(("end",), selected(CAUSE)),
    "last": Case((), selected(OTHER)),
    "details": Case((), lambda pilot: page_open(pilot) and "explains   ✖ nonfinite-loss" in screen_text(pilot)),
    "copy": Case((), copied),
    "mute": Case((), muted),
    "show-muted": Case(("m",), lambda pilot: "learning-rate-too-high" in screen_text(pilot)),
    "group": Case(("3",), lambda pilot: "▸ features (60)" in screen_text(pilot)),
    "search": Case(("3",), searching),
    "search-forget": Case(
        ("3", "slash", "5", "9"), lambda pilot: not searching(pilot) and layer(pilot).endswith("0.weight")
    ),
    "finding-copy": Case(("enter",), copied),
    "finding-mute": Case(("enter",), muted),
    "not-checked": Case((), lambda pilot: page_open(pilot) and "saturated-activations" in screen_text(pilot)),
    "log-axis": Case((), lambda pilot: main_screen(pilot).query_one("#loss", ChartView).is_log),
    "x-axis": Case(("2",), lens(lambda lens: lens.across is Across.EPOCH)),
    "smoother": Case(("2",), lens(lambda lens: lens.smoothing == 1)),
    "rougher": Case(("2",), lens(lambda lens: lens.smoothing == -1)),
    "zoom-in": Case(("2",), lens(lambda lens: lens.window == (50, 100))),
    "zoom-out": Case(("2", "plus", "plus"), lens(lambda lens: lens.window == (50, 100))),
    "cursor-left": Case(("2",), lens(lambda lens: lens.cursor == 100)),
    "cursor-right": Case(("2",), lens(lambda lens: lens.cursor == 0)),
    "pan-left": Case(("2", "plus"), lens(lambda lens: lens.window == (25, 75))),
    "pan-right": Case(("2", "plus", "H", "H", "H"), lens(lambda lens: lens.window == (25, 75))),
    "reset": Case(("2", "left", "plus"), lens(lambda lens: lens == Lens())),
    "all-curves": Case(("2",), lambda pilot: "all 10 charts" in screen_text(pilot)),
    "next-signal": Case((), signal("parameter_gradient_norm")),
    "previous-signal": Case(("s", "s"), signal("parameter_gradient_norm")),
    "log": Case((), view("log")),
    "runs": Case((), lambda pilot: isinstance(pilot.app.screen, RunsScreen)),
    "runs-quit": Case((), left, opened_table),
    "runs-help": Case((), page_open, opened_table),
    "run-open": Case((), run_open, opened_table),
    "run-choose": Case((), runs(lambda runs: runs.chosen == ["runs/run-00"]), opened_table),
    "runs-overlay": Case(("space",), overlay(lambda screen: len(screen.runs) == 2), opened_table),
    "runs-compare": Case(("space",), page_open, opened_table),
    "runs-clear": Case(("space",), runs(lambda runs: not runs.chosen), opened_table),
    "runs-sort": Case((), runs(lambda runs: runs.order.id == "name"), opened_table),
    "runs-reverse": Case((), runs(lambda runs: runs.rows[0].name == "run-39"), opened_table),
    "runs-filter": Case((), searching, opened_table),
    "run-down": Case((), run_selected("run-01"), opened_table),
    "run-up": Case(("down", "down"), run_selected("run-01"), opened_table),
    "run-page-down": Case((), run_selected("run-15"), opened_table),
    "run-page-up": Case(("pagedown", "pagedown"), run_selected("run-15"), opened_table),
    "run-first": Case(("end",), run_selected("run-00"), opened_table),
    "run-last": Case((), run_selected("run-39"), opened_table),
    "runs-export": Case((), menu_open, opened_table),
    "runs-theme": Case((), lambda pilot: pilot.app.theme == "trainhealth-light", opened_table),
    "runs-back": Case(("slash", "7", "enter"), runs(lambda runs: len(runs.rows) == 40), opened_table),
    "overlay-quit": Case(CHART, left, opened_table),
    "overlay-help": Case(CHART, page_open, opened_table),
    "overlay-next-signal": Case(CHART, overlay(lambda screen: screen.shown_signal == "validation_loss"), opened_table),
    "overlay-previous-signal": Case(
        (*CHART, "s", "s"), overlay(lambda screen: screen.shown_signal == "validation_loss"), opened_table
    ),
    "overlay-log": Case(CHART, overlay(lambda screen: screen.is_log is True), opened_table),
    "overlay-across": Case(CHART, overlay(lambda screen: screen.across is Across.EPOCH), opened_table),
    "overlay-rougher": Case(CHART, overlay(lambda screen: screen.smoothing == -1), opened_table),
    "overlay-smoother": Case(CHART, overlay(lambda screen: screen.smoothing == 1), opened_table),
    "overlay-down": Case(CHART, overlay(lambda screen: screen.front == 1), opened_table),
    "overlay-up": Case((*CHART, "down", "down"), overlay(lambda screen: screen.front == 0), opened_table),
    "overlay-open": Case(CHART, run_open, opened_table),
    "overlay-theme": Case(CHART, lambda pilot: pilot.app.theme == "trainhealth-light", opened_table),
    "overlay-export": Case(CHART, menu_open, opened_table),
    "compare-export": Case(("space", "d"), menu_open, opened_table),
    "overlay-back": Case(CHART, lambda pilot: isinstance(pilot.app.screen, RunsScreen), opened_table),
    "slower": Case((), lambda pilot: replay_of(pilot).place.speed == 0.5, replayed),
    "faster": Case((), lambda pilot: replay_of(pilot).place.speed == 2.0, replayed),
    "moment-back": Case(("full_stop", "full_stop"), replay_at(1), replayed),
    "moment-forward": Case((), replay_at(1), replayed),
    "beginning": Case(("full_stop",), replay_at(0), replayed),
    "ending": Case((), replay_at(99), replayed),
    "export": Case((), menu_open),
    "next-theme": Case((), lambda pilot: pilot.app.theme == "trainhealth-light"),
    "export-svg": Case(("e",), written(".svg")),
    "export-csv": Case(("e",), written(".csv")),
    "export-markdown": Case(("e",), written(".md")),
    "export-html": Case(("e",), written(".html")),
    "export-choose": Case(("e",), written(".svg")),
    "export-down": Case(("e",), menu_at(1)),
    "export-up": Case(("e", "down", "down"), menu_at(1)),
    "export-back": Case(("e",), lambda pilot: not menu_open(pilot)),
    "page-quit": Case(("question_mark",), left),
    "back": Case(("question_mark",), lambda pilot: not page_open(pilot)),
    "page-scroll-down": Case(("question_mark",), scrolled_to(1)),
    "page-scroll-up": Case(("question_mark", "down", "down"), scrolled_to(1)),
    "page-next": Case(("question_mark",), scrolled_to(22)),
    "page-previous": Case(("question_mark", "end"), lambda pilot: not at_the_end(pilot)),
    "page-top": Case(("question_mark", "end"), scrolled_to(0)),
    "page-bottom": Case(("question_mark",), at_the_end),
}
COMMANDS = {command.id: command for _, commands in SECTIONS for command in commands}


def test_every_command_is_tested_here() -> None:
    """A new key without a test fails this one."""
    assert CASES.keys() == COMMANDS.keys()


@pytest.mark.parametrize(("command", "key"), [(c, key) for c in COMMANDS for key in COMMANDS[c].keys.split(",")])
async def test_a_key_does_what_the_help_says(command: str, key: str) -> None:
    """Every key of every command, at 80x24; most of them on a sick run with sixty layers."""
    case = CASES[command]
    async with case.where() as pilot:
        await pilot.press(*case.before)
        await pilot.pause()
        assert not case.holds(pilot)
        await pilot.press(key)
        await pilot.pause()
        assert case.holds(pilot)


@pytest.mark.parametrize("command", ["up", "down", "first", "last"])
async def test_the_same_keys_select_layers(command: str) -> None:
    """In the view of the layers they move what is there to move."""
    async with opened(snapshot(run(layers=60))) as pilot:
        await pilot.press("3", "j", "j")
        await pilot.pause()
        await pilot.press(COMMANDS[command].keys.split(",")[0])
        await pilot.pause()
        name = {"up": "features.1", "down": "features.3", "first": "features.0", "last": "features.59"}[command]
        assert layer(pilot) == f"{name}.weight"


async def test_pausing_twice_goes_on() -> None:
    """The key is a switch."""
    async with opened(snapshot()) as pilot:
        await pilot.press("p", "space")
        assert not main_screen(pilot).paused


async def test_keys_can_be_changed_by_the_id_of_their_command() -> None:
    """A keymap of the user's names the ids."""
    async with opened(snapshot()) as pilot:
        pilot.app.set_keymap({"pause": "z"})
        await pilot.press("p")
        assert not main_screen(pilot).paused
        await pilot.press("z")
        assert main_screen(pilot).paused


async def test_the_palette_has_every_command_and_runs_it() -> None:
    """Who forgets a key finds the command by its name; the theme is chosen there too."""
    async with opened(snapshot()) as pilot:
        offered = {command.title: command for command in dashboard(pilot).get_system_commands(pilot.app.screen)}
        assert offered.keys() == {command.label for command in DASHBOARD} | {"Theme", "Screenshot"}
        for command in DASHBOARD:
            assert command.shown in offered[command.label].help
        await pilot.press("ctrl+p", *"layers", "enter", "enter")
        await pilot.pause()
        assert main_screen(pilot).current_view == "layers"


@pytest.mark.parametrize("command", COMMANDS.values(), ids=lambda command: command.id)
def test_the_help_has_every_command(command: Command) -> None:
    """Its keys and its meaning, in one row."""
    rows = [plain(row).split() for row in help_page(100, {})]
    assert [*command.shown.split(), *command.meaning.split()] in rows


def test_ids_are_unique() -> None:
    """A keymap could not tell two commands of one id apart."""
    assert len(COMMANDS) == sum(len(commands) for _, commands in SECTIONS)


async def test_the_footer_fits_into_80_columns() -> None:
    """Its last key too."""
    async with opened(snapshot()) as pilot:
        assert screen_text(pilot).splitlines()[-1].rstrip().endswith("Signal")
