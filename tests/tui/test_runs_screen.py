"""The table of runs on the screen, and the ways between it and the runs."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.screen import Screen

from tests.tui.cases import HEALTHY, snapshot
from tests.tui.run_tables import COUNT, Followed, opened_table, post_runs, runs, table
from tests.tui.screen import SIZES, dashboard, screen_text
from trainhealth.tui.app import Dashboard
from trainhealth.tui.dashboard_screen import DashboardScreen
from trainhealth.tui.look import Glyphs, Look
from trainhealth.tui.page import Page
from trainhealth.tui.runs_order import ORDERS
from trainhealth.tui.runs_row import Depth, RunRow, RunsSnapshot
from trainhealth.tui.runs_screen import RunsScreen
from trainhealth.tui.snapshot import Condition, State
from trainhealth.tui.widgets.runs_table_view import RunsTable


@pytest.fixture(autouse=True)
def _own_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.delenv("NO_COLOR", raising=False)


def selected(pilot: Pilot[None]) -> str:
    row = table(pilot).query_one(RunsTable).selected
    return row.name if row else ""


def showing(pilot: Pilot[None], kind: type[Screen[None]]) -> bool:
    return isinstance(pilot.app.screen, kind)


STATES = {
    "nothing yet": RunsSnapshot("runs"),
    "empty": RunsSnapshot("runs", listed=True, problem="runs: there is no run here, nor in the folders below"),
    "many": runs(),
    "listed only": runs(rows=tuple(RunRow(f"runs/{n}", f"{n}") for n in range(5)), opened={}),
    "every state": runs(
        rows=tuple(RunRow(f"runs/{s}", str(s), Condition(s, "so it is"), Depth.GLANCED) for s in State), opened={}
    ),
}


@pytest.mark.parametrize("size", [*SIZES, (20, 5)], ids=str)
@pytest.mark.parametrize("look", [Look(), Look(colour=False), Look(Glyphs.ASCII)], ids=["colours", "plain", "ascii"])
async def test_every_folder_can_be_seen_in_every_size(look: Look, size: tuple[int, int]) -> None:
    """Nothing fails, and in ASCII there is nothing else than ASCII."""
    async with opened_table(STATES["nothing yet"], size, look) as pilot:
        for state in STATES.values():
            await post_runs(pilot, state)
            text = screen_text(pilot)
            assert "failed (" not in text
            assert look.glyphs is not Glyphs.ASCII or text.isascii()


async def test_80x24_shows_the_runs_and_what_is_wrong_with_the_selected_one() -> None:
    """Its first finding, and the first thing to do."""
    async with opened_table() as pilot:
        text = screen_text(pilot)
        for part in (
            "40 runs",
            "run-00",
            "✖ learning-rate-too-high",
            "do this",
            "Lower the",
            "✓ nothing",
        ):
            assert part in text
        assert text.splitlines()[-1].rstrip().endswith("/ Find")


async def test_a_large_screen_shows_the_loss_of_the_selected_run() -> None:
    """Beside what is wrong with it; without its curves the rest stands alone."""
    async with opened_table(size=(120, 40)) as pilot:
        assert "Loss  ━ train" in screen_text(pilot)
        await post_runs(pilot, runs(opened={}))
        assert "Loss  ━ train" not in screen_text(pilot)
        assert "do this" in screen_text(pilot)


async def test_only_what_is_on_the_screen_is_asked_for() -> None:
    """Scrolled elsewhere, other runs are."""
    followed = Followed()
    async with opened_table(followed=followed) as pilot:
        assert len(followed.wish().visible) < COUNT
        assert followed.wish().visible[0] == "runs/run-00"
        assert followed.wish().held == ()
        await pilot.press("end")
        await pilot.pause()
        assert "runs/run-39" in followed.wish().visible
        assert "runs/run-00" not in followed.wish().visible


async def test_curves_are_asked_for_where_they_are_shown() -> None:
    """Those of the selected run on a large screen, those of the chosen ones in a chart; then no row is read."""
    followed = Followed()
    async with opened_table(size=(120, 40), followed=followed) as pilot:
        await pilot.press("down")
        assert followed.wish().held == ("runs/run-01",)
        await pilot.press("space", "space", "v")
        await pilot.pause()
        assert followed.wish().held == ("runs/run-01", "runs/run-02")
        assert followed.wish().visible == ()
        await pilot.press("escape")
        await pilot.pause()
        assert followed.wish().held == ("runs/run-03",)


@pytest.mark.parametrize(("keys", "depth"), [("", Depth.LISTED), ("ooo", Depth.GLANCED), ("oooooo", Depth.READ)])
async def test_an_order_asks_for_what_it_needs(keys: str, depth: Depth) -> None:
    """By age nothing is read that cannot be seen, by loss all runs are glanced at, by findings all are read."""
    followed = Followed()
    async with opened_table(followed=followed) as pilot:
        await pilot.press(*keys)
        assert followed.wish().everywhere is depth


async def test_a_filter_reads_what_it_looks_for_in_and_escape_shows_all_again() -> None:
    """The table follows every letter."""
    followed = Followed()
    async with opened_table(followed=followed) as pilot:
        await pilot.press("slash", *"run-3")
        await pilot.pause()
        assert "10 of 40 runs with “run-3”" in screen_text(pilot)
        assert followed.wish().everywhere is Depth.READ
        await pilot.press(*"9x")
        await pilot.pause()
        assert "no run has “run-39x”" in screen_text(pilot)
        await pilot.press("escape")
        await pilot.pause()
        assert followed.wish().everywhere is Depth.LISTED
        assert len(table(pilot).query_one(RunsTable).rows) == COUNT


async def test_the_selected_run_stays_selected_wherever_it_goes() -> None:
    """A new order, and new runs, move it."""
    async with opened_table() as pilot:
        await pilot.press("down", "down", "o", "O")
        assert selected(pilot) == "run-02"
        rows = runs().rows
        await post_runs(pilot, runs(rows=(dataclasses.replace(rows[0], path="runs/a", name="a"), *rows)))
        assert selected(pilot) == "run-02"
        await post_runs(pilot, runs(rows=(rows[0],)))
        assert selected(pilot) == "run-00"


async def test_the_selected_run_stays_on_the_screen_in_another_order() -> None:
    """Where the table is longer than the screen the run would else be out of sight, and its preview beside others."""
    async with opened_table(size=(80, 24)) as pilot:
        await pilot.press("down", "down")
        shown = table(pilot).query_one(RunsTable)
        for order in ORDERS:
            for reverse in (False, True):
                shown.sort(order, reverse=reverse)
                await pilot.pause()
                rows = [shown.render_line(y).text for y in range(1, shown.size.height)]
                assert any(selected(pilot) in row for row in rows)


async def test_a_click_selects_a_second_one_opens_and_the_head_sorts() -> None:
    """The mouse does what the keys do."""
    async with opened_table() as pilot:
        await pilot.click(RunsTable, offset=(10, 4))
        assert selected(pilot) == "run-03"
        head = table(pilot).query_one(RunsTable).render_line(0).text
        await pilot.click(RunsTable, offset=(head.index("loss") + 1, 0))
        assert table(pilot).query_one(RunsTable).order.id == "loss"
        await pilot.click(RunsTable, offset=(head.index("loss") + 1, 0))
        assert table(pilot).query_one(RunsTable).reverse
        shown = table(pilot).query_one(RunsTable)
        row = [one.name for one in shown.rows].index("run-03") - round(shown.scroll_offset.y)
        await pilot.click(RunsTable, offset=(10, row + 1))
        await pilot.pause()
        assert showing(pilot, DashboardScreen)


async def test_no_more_runs_can_be_chosen_than_there_are_colours() -> None:
    """The ninth is told so; space on a chosen one lets it go."""
    async with opened_table() as pilot:
        await pilot.press(*["space"] * 9)
        view = table(pilot).query_one(RunsTable)
        assert len(view.chosen) == len(set(view.colours.values())) == 8
        await pilot.press("home", "space")
        assert view.chosen[0] == "runs/run-01"


@pytest.mark.parametrize(
    ("keys", "told"), [(("v",), "at least two"), (("d",), "two runs"), (("space",) * 3 + ("d",), "two")]
)
async def test_what_can_not_be_compared_is_said(keys: tuple[str, ...], told: str) -> None:
    """The table stays."""
    async with opened_table() as pilot:
        await pilot.press(*("space" if key == " " else key for key in keys))
        await pilot.pause()
        assert showing(pilot, RunsScreen)
        assert told in [*pilot.app._notifications][-1].message


# --- ways ---


async def test_from_the_table_to_a_run_and_back() -> None:
    """The run is followed while it is shown, the folder while the table is; the cursor stays."""
    followed = Followed()
    async with opened_table(followed=followed) as pilot:
        await pilot.press("down", "enter")
        await pilot.pause()
        assert showing(pilot, DashboardScreen)
        assert (followed.runs, followed.following) == (["run-01"], False)
        dashboard(pilot).post(dataclasses.replace(snapshot(), path="runs/run-01"))
        dashboard(pilot).post(dataclasses.replace(snapshot(diagnosis=HEALTHY), path="runs/other"))
        await pilot.pause()
        assert "learning-rate-too-high" in screen_text(pilot)
        await pilot.press("r")
        await pilot.pause()
        assert showing(pilot, RunsScreen)
        assert (followed.runs, followed.following, selected(pilot)) == (["run-01", "-run-01"], True, "run-01")
        await pilot.press("down", "enter")
        await pilot.pause()
        assert followed.runs == ["run-01", "-run-01", "run-02"]
    assert followed.runs[-1] == "-run-02"


async def test_without_a_run_that_was_open_escape_says_what_to_do() -> None:
    """There is nowhere to go back to."""
    async with opened_table() as pilot:
        await pilot.press("escape")
        assert showing(pilot, RunsScreen)
        assert "enter" in [*pilot.app._notifications][-1].message


async def test_a_run_that_was_opened_alone_goes_on_below_the_table(tmp_path: Path) -> None:
    """r shows the table of its folder, escape goes back; another run replaces it until then."""
    followed = Followed()
    run = tmp_path / "a"
    app = Dashboard(run, Look(), followed.run(run), follow_run=followed.run)
    async with app.run_test() as pilot:
        await pilot.pause()
        app.post(dataclasses.replace(snapshot(), path=str(run)))
        await pilot.press("r")
        await pilot.pause()
        rows = tuple(RunRow(str(tmp_path / name), name) for name in ("a", "b"))
        await post_runs(pilot, RunsSnapshot(str(tmp_path), rows, listed=True))
        app.post(dataclasses.replace(snapshot(diagnosis=HEALTHY), path=str(run)))
        await pilot.press("down", "enter")
        await pilot.pause()
        assert followed.runs == ["a", "-a", "b"]
        assert [type(screen) for screen in app.screen_stack] == [DashboardScreen, RunsScreen, DashboardScreen]
        app.post(dataclasses.replace(snapshot(), path=str(tmp_path / "b")))
        await pilot.pause()
        assert "learning-rate-too-high" in screen_text(pilot)
        await pilot.press("r", "escape")
        await pilot.pause()
        assert followed.runs == ["a", "-a", "b", "-b", "a"]
        assert [type(screen) for screen in app.screen_stack] == [DashboardScreen]
        assert "nothing found" in screen_text(pilot)


async def test_the_same_run_is_not_opened_twice(tmp_path: Path) -> None:
    """It is there still, where it was left."""
    followed = Followed()
    run = tmp_path / "a"
    app = Dashboard(run, Look(), followed.run(run), follow_run=followed.run)
    async with app.run_test() as pilot:
        await pilot.pause()
        await pilot.press("2", "r")
        await pilot.pause()
        await post_runs(pilot, RunsSnapshot(str(tmp_path), (RunRow(str(run), "a"),), listed=True))
        await pilot.press("enter")
        await pilot.pause()
        assert followed.runs == ["a"]
        assert isinstance(app.screen, DashboardScreen)
        assert app.screen.current_view == "curves"


async def test_the_palette_and_the_help_are_there_over_the_table() -> None:
    """With the table's own commands, and the keys of all screens."""
    async with opened_table() as pilot:
        offered = {command.title for command in dashboard(pilot).get_system_commands(pilot.app.screen)}
        assert {"Open", "Overlay", "Compare", "Theme"} <= offered
        await pilot.press("question_mark")
        await pilot.pause()
        assert showing(pilot, Page)
        await pilot.press("escape", "ctrl+p", *"overlay", "enter", "enter")
        await pilot.pause()
        assert "Choose at least two" in [*pilot.app._notifications][-1].message
