"""The page of curves on the screen: what keys and mouse do to all charts at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from textual.events import MouseScrollDown, MouseScrollUp
from textual.pilot import Pilot

from tests.tui.cases import HEALTHY, STATES, run, snapshot
from tests.tui.screen import SIZES, main_screen, opened, post, screen_text
from trainhealth.series import RunView
from trainhealth.tui.lens import Lens
from trainhealth.tui.lines import Line
from trainhealth.tui.look import Glyphs, Look
from trainhealth.tui.widgets.chart_view import ChartView
from trainhealth.tui.widgets.curves_view import CurvesView


@pytest.fixture(autouse=True)
def _own_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.delenv("NO_COLOR", raising=False)


def page(pilot: Pilot[None]) -> CurvesView:
    return main_screen(pilot).query_one(CurvesView)


def lens(pilot: Pilot[None]) -> Lens:
    return main_screen(pilot).board.lens


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("look", [Look(), Look(Glyphs.ASCII)], ids=["braille", "ascii"])
async def test_every_state_can_be_seen_in_every_size(look: Look, size: tuple[int, int]) -> None:
    """With all charts, a cursor and a zoom on them; in ASCII there is nothing else than ASCII."""
    async with opened(snapshot(), size, look) as pilot:
        await pilot.press("2", "a", "left", "plus", "x")
        for state in STATES.values():
            await post(pilot, state)
            text = screen_text(pilot)
            assert "trainhealth failed" not in text
            assert look.glyphs is not Glyphs.ASCII or text.isascii()


@pytest.mark.parametrize(("size", "charts"), [((80, 24), 2), ((120, 40), 6), ((200, 60), 6)])
async def test_a_screen_shows_whole_charts(size: tuple[int, int], charts: int) -> None:
    """As many as can be read; the others are below."""
    async with opened(snapshot(), size) as pilot:
        await pilot.press("2")
        await pilot.pause()
        text = screen_text(pilot)
        titles = ["Loss  ", "Accuracy  ", "Loss gap", "Learning rate", "Gradient norm", "Update ratio"]
        assert all(title in text for title in titles[:charts])
        assert (page(pilot).max_scroll_y > 0) == (charts < len(titles))


async def test_the_page_scrolls_to_its_last_chart() -> None:
    """By lines, by whole charts, and to the end."""
    async with opened(snapshot()) as pilot:
        await pilot.press("2", "pagedown")
        await pilot.pause()
        assert page(pilot).scroll_offset.y == 18
        assert "Loss gap" in screen_text(pilot)
        await pilot.press("k")
        await pilot.pause()
        assert page(pilot).scroll_offset.y == 17
        await pilot.press("end")
        await pilot.pause()
        assert "Update ratio" in screen_text(pilot)


async def test_the_cursor_reads_all_charts_at_one_step() -> None:
    """Also the charts of the overview."""
    async with opened(snapshot(run([float(n) for n in range(100)])), (200, 60)) as pilot:
        await pilot.press("2", "left", "left", "left")
        await pilot.pause()
        step = lens(pilot).cursor
        assert step is not None
        assert 90 < step < 100
        text = screen_text(pilot)
        assert f"step {step}" in text
        assert f"raw {step}" in text
        assert "validation 2" in text  # its value in force; the newest is 1
        await pilot.press("1")
        await pilot.pause()
        assert f"raw {step}" in screen_text(pilot)


async def test_zoomed_in_on_the_newest_steps_the_charts_follow_the_run() -> None:
    """A run that goes on stays in sight; an old moment stays too."""
    async with opened(snapshot(run([2.0] * 100)), (120, 40)) as pilot:
        await pilot.press("2", "plus")
        await post(pilot, snapshot(run([2.0] * 160)))
        assert {tuple(figure.window or ()) for figure in page(pilot).figures} == {(110, 160)}
        await pilot.press("H")
        await post(pilot, snapshot(run([2.0] * 200)))
        assert {tuple(figure.window or ()) for figure in page(pilot).figures} == {(85, 135)}


async def test_a_click_sets_the_cursor_and_dragging_moves_what_is_shown() -> None:
    """What a hand on a mouse expects; beside the plots a click does nothing."""
    async with opened(snapshot(), (80, 24)) as pilot:
        await pilot.press("2")
        await pilot.click(CurvesView, offset=(40, 4))
        await pilot.pause()
        cursor = lens(pilot).cursor
        assert cursor is not None
        assert 40 < cursor < 60
        await pilot.click(CurvesView, offset=(2, 4))
        assert lens(pilot).cursor == cursor
        await pilot.press("plus")
        await pilot.pause()
        before = lens(pilot).window
        await pilot.mouse_down(CurvesView, offset=(40, 4))
        await pilot.hover(CurvesView, offset=(50, 4))
        await pilot.mouse_up(CurvesView, offset=(50, 4))
        await pilot.pause()
        after = lens(pilot).window
        assert before is not None
        assert after is not None
        assert after.first < before.first
        assert after.last - after.first == before.last - before.first
        assert lens(pilot).cursor == cursor


async def test_the_wheel_zooms_on_a_plot_and_scrolls_beside_it() -> None:
    """About the pointer, back to the whole run; on titles and labels it scrolls the page."""
    async with opened(snapshot(), (80, 24)) as pilot:
        await pilot.press("2")
        await pilot._post_mouse_events([MouseScrollUp], CurvesView, offset=(70, 4))
        await pilot.pause()
        window = lens(pilot).window
        assert window is not None
        assert window.last > 90
        await pilot._post_mouse_events([MouseScrollDown], CurvesView, offset=(70, 4))
        await pilot.pause()
        assert lens(pilot).window is None
        assert page(pilot).scroll_offset.y == 0
        await pilot._post_mouse_events([MouseScrollDown], CurvesView, offset=(2, 4))
        await pilot.pause()
        assert lens(pilot).window is None
        assert page(pilot).scroll_offset.y > 0


async def test_mouse_and_keys_work_on_the_charts_of_the_overview_too() -> None:
    """A cursor that is set there is read on the page of curves."""
    async with opened(snapshot(), (120, 40)) as pilot:
        loss = main_screen(pilot).query_one("#loss", ChartView)
        await pilot.click(ChartView, offset=(loss.size.width // 2, 4))
        await pilot.pause()
        clicked = lens(pilot).cursor
        assert clicked is not None
        assert 40 < clicked < 60
        await pilot.press("right", "plus")
        await pilot.pause()
        assert lens(pilot).cursor in (clicked + 1, clicked + 2)
        await pilot.press("2")
        await pilot.pause()
        assert f"step {lens(pilot).cursor}" in screen_text(pilot)


async def test_words_choose_charts_while_they_are_typed() -> None:
    """Escape takes them back."""
    async with opened(snapshot(), (120, 40)) as pilot:
        await pilot.press("2", "slash", *"std")
        await pilot.pause()
        assert [figure.title for figure in page(pilot).figures] == ["Activation std"]
        await pilot.press("escape")
        await pilot.pause()
        assert len(page(pilot).figures) == 6


async def test_only_charts_that_can_be_seen_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred signals cost what a screenful costs; a page that is not shown costs nothing."""
    drawn: list[str] = []
    from trainhealth.tui.widgets import curves_view

    draw = curves_view.draw_chart

    def counted(figure: Any, *more: Any) -> list[Line]:
        drawn.append(figure.title)
        return draw(figure, *more)

    monkeypatch.setattr(curves_view, "draw_chart", counted)
    async with opened(snapshot(), (80, 24)) as pilot:
        await post(pilot, snapshot(run([2.0] * 50)))
        assert drawn == []
        await pilot.press("2", "a")
        await pilot.pause()
        assert len(set(drawn)) <= 3


async def test_a_chart_that_can_not_be_drawn_leaves_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says so in its own place."""
    from trainhealth.tui.widgets import curves_view

    draw = curves_view.draw_chart

    def failing(figure: Any, *more: Any) -> list[Line]:
        return draw(figure, *more) if figure.title != "Loss" else [1 / 0]  # type: ignore[list-item]  # the defect

    monkeypatch.setattr(curves_view, "draw_chart", failing)
    async with opened(snapshot(), (120, 40)) as pilot:
        await pilot.press("2")
        await pilot.pause()
        text = screen_text(pilot)
        assert "ZeroDivisionError" in text
        assert "Learning rate" in text


async def test_a_paused_page_stays_as_it_is() -> None:
    """Zooming goes on in what was there, and the new steps come when the pause ends."""
    async with opened(snapshot(run([2.0] * 50)), (120, 40)) as pilot:
        await pilot.press("2", "p")
        await post(pilot, snapshot(run([2.0] * 100), HEALTHY))
        await pilot.press("plus")
        await pilot.pause()
        assert lens(pilot).window == (25, 50)
        await pilot.press("0", "p")
        await pilot.pause()
        assert page(pilot).figures[0].shown == (0, 100)


async def test_the_page_of_a_run_without_values_says_so() -> None:
    """No frame, and no failure."""
    async with opened(snapshot(RunView()), (80, 24)) as pilot:
        await pilot.press("2", "left", "plus", "x", "a")
        await pilot.pause()
        assert "no values logged" in screen_text(pilot)
