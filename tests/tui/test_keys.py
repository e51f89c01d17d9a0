"""Every key in the help does what the help says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from textual.command import CommandPalette
from textual.pilot import Pilot

from tests.tui.cases import CAUSE, OTHER, SYMPTOM, run, snapshot
from tests.tui.screen import dashboard, main_screen, opened, screen_text
from trainhealth.tui.commands import ANYWHERE, DASHBOARD, PAGE, Command
from trainhealth.tui.help_page import help_page
from trainhealth.tui.lines import plain
from trainhealth.tui.page import Page, PageText
from trainhealth.tui.widgets.chart_view import ChartView
from trainhealth.tui.widgets.findings_list_view import FindingsList
from trainhealth.tui.widgets.heat_map_view import HeatMapView


@pytest.fixture(autouse=True)
def _own_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("NO_COLOR", raising=False)


class Case(NamedTuple):
    """The keys before, and what holds after the key that is tested and did not hold before."""

    before: tuple[str, ...]
    holds: Callable[[Pilot[None]], bool]


def page_open(pilot: Pilot[None]) -> bool:
    return isinstance(pilot.app.screen, Page)


def view(name: str) -> Callable[[Pilot[None]], bool]:
    return lambda pilot: main_screen(pilot).current_view == name


def selected(finding: object) -> Callable[[Pilot[None]], bool]:
    return lambda pilot: main_screen(pilot).query_one(FindingsList).finding == finding


def first_layer(name: str) -> Callable[[Pilot[None]], bool]:
    return lambda pilot: main_screen(pilot).query_one(HeatMapView).render_line(1).text.startswith(f"{name} ")


def signal(name: str) -> Callable[[Pilot[None]], bool]:
    return lambda pilot: main_screen(pilot).query_one(HeatMapView).kind.signal == name


def scrolled_to(row: int) -> Callable[[Pilot[None]], bool]:
    return lambda pilot: pilot.app.screen.query_one(PageText).scroll_offset.y == row


def at_the_end(pilot: Pilot[None]) -> bool:
    text = pilot.app.screen.query_one(PageText)
    return 0 < text.max_scroll_y == text.scroll_offset.y


def left(pilot: Pilot[None]) -> bool:
    return pilot.app.return_code == 0


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
    "previous-view": Case((), view("layers")),
    "down": Case((), selected(SYMPTOM)),
    "up": Case(("end",), selected(SYMPTOM)),
    "page-down": Case(("3",), first_layer("features.19.weight")),
    "page-up": Case(("3", "pagedown", "pagedown"), first_layer("features.19.weight")),
    "first": Case(("end",), selected(CAUSE)),
    "last": Case((), selected(OTHER)),
    "details": Case((), lambda pilot: page_open(pilot) and "explains   ✖ nonfinite-loss" in screen_text(pilot)),
    "not-checked": Case((), lambda pilot: page_open(pilot) and "saturated-activations" in screen_text(pilot)),
    "log-axis": Case((), lambda pilot: main_screen(pilot).query_one("#loss", ChartView).is_log),
    "next-signal": Case((), signal("parameter_gradient_norm")),
    "previous-signal": Case(("s", "s"), signal("parameter_gradient_norm")),
    "page-quit": Case(("question_mark",), left),
    "back": Case(("question_mark",), lambda pilot: not page_open(pilot)),
    "page-scroll-down": Case(("question_mark",), scrolled_to(1)),
    "page-scroll-up": Case(("question_mark", "down", "down"), scrolled_to(1)),
    "page-next": Case(("question_mark",), scrolled_to(22)),
    "page-previous": Case(("question_mark", "end"), lambda pilot: not at_the_end(pilot)),
    "page-top": Case(("question_mark", "end"), scrolled_to(0)),
    "page-bottom": Case(("question_mark",), at_the_end),
}
COMMANDS = {command.id: command for command in (*ANYWHERE, *DASHBOARD, *PAGE)}


def test_every_command_is_tested_here() -> None:
    """A new key without a test fails this one."""
    assert CASES.keys() == COMMANDS.keys()


@pytest.mark.parametrize(("command", "key"), [(c, key) for c in COMMANDS for key in COMMANDS[c].keys.split(",")])
async def test_a_key_does_what_the_help_says(command: str, key: str) -> None:
    """Every key of every command, on a sick run with sixty layers at 80x24."""
    case = CASES[command]
    async with opened(snapshot(run(layers=60))) as pilot:
        await pilot.press(*case.before)
        await pilot.pause()
        assert not case.holds(pilot)
        await pilot.press(key)
        await pilot.pause()
        assert case.holds(pilot)


@pytest.mark.parametrize("command", ["up", "down", "first", "last"])
async def test_the_same_keys_scroll_the_layers(command: str) -> None:
    """In the view of the layers they move what is there to move."""
    async with opened(snapshot(run(layers=60))) as pilot:
        await pilot.press("3", "j", "j")
        await pilot.pause()
        await pilot.press(COMMANDS[command].keys.split(",")[0])
        await pilot.pause()
        name = {"up": "features.1", "down": "features.3", "first": "features.0", "last": "features.41"}[command]
        assert first_layer(f"{name}.weight")(pilot)


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
    rows = [plain(row).split() for row in help_page(100)]
    assert [*command.shown.split(), *command.meaning.split()] in rows


def test_ids_are_unique() -> None:
    """A keymap could not tell two commands of one id apart."""
    assert len(COMMANDS) == len(ANYWHERE) + len(DASHBOARD) + len(PAGE)


async def test_the_footer_fits_into_80_columns() -> None:
    """Its last key too."""
    async with opened(snapshot()) as pilot:
        assert screen_text(pilot).splitlines()[-1].rstrip().endswith("Signal")
