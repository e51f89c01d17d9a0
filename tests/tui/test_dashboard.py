"""The dashboard, fed with posted snapshots."""

from __future__ import annotations

import dataclasses
import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from textual.color import Color
from textual.events import MouseScrollDown
from textual.pilot import Pilot
from textual.widget import Widget

from tests.tui.cases import CAUSE, HEALTHY, OTHER, SICK, STATES, SYMPTOM, run, snapshot
from tests.tui.screen import SIZES, opened, post, screen_text
from trainhealth.findings import Diagnosis
from trainhealth.testing import make_run
from trainhealth.tui.app import FAILED, Dashboard, Post
from trainhealth.tui.charts import Figure, draw_chart
from trainhealth.tui.lines import Line
from trainhealth.tui.look import Glyphs, Look
from trainhealth.tui.snapshot import Condition, State
from trainhealth.tui.theme import THEME
from trainhealth.tui.widgets.chart_view import ChartView
from trainhealth.tui.widgets.curves_view import CurvesView
from trainhealth.tui.widgets.findings_list_view import FindingsList
from trainhealth.tui.widgets.heat_map_view import HeatMapView
from trainhealth.tui.widgets.run_header import RunHeader

LOOKS = {
    "colours": Look(),
    "blocks": Look(Glyphs.BLOCK),
    "no colours": Look(colour=False),
    "ascii": Look(Glyphs.ASCII),
}


@pytest.fixture(autouse=True)
def _logs_go_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failure that a test provokes is not written to the user's own log."""
    for name in ("HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    for name in ("NO_COLOR", "TEXTUAL_THEME"):
        monkeypatch.delenv(name, raising=False)


def shown(widget: Widget) -> bool:
    """Tell whether a widget takes room on the screen."""
    parents = [parent for parent in widget.ancestors_with_self if isinstance(parent, Widget)]
    return widget.region.area > 0 and all(parent.display for parent in parents)


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("look", LOOKS)
async def test_every_state_can_be_seen_in_every_size(look: str, size: tuple[int, int]) -> None:
    """The state's word stands at the top, nothing failed, and in ASCII there is nothing else than ASCII."""
    async with opened(size=size, look=LOOKS[look]) as pilot:
        for state in STATES.values():
            await post(pilot, state)
            text = screen_text(pilot)
            assert str(state.condition.state) in text.splitlines()[0]
            assert "trainhealth failed" not in text
            assert look != "ascii" or text.isascii()


async def test_80x24_shows_the_cause_what_to_do_and_the_loss() -> None:
    """The smallest usual terminal is where the dashboard is looked at over ssh."""
    async with opened(snapshot(), (80, 24)) as pilot:
        text = screen_text(pilot)
        for part in (
            "learning-rate-too-high",
            "do this",
            "Lower the learning rate from 0.5 to 0.005.",
            "Loss",
            "step 99",
        ):
            assert part in text
        loss = pilot.app.screen.query_one("#loss", ChartView)
        assert loss.size.height >= 7
        assert loss.size.width >= 76
        assert not shown(pilot.app.screen.query_one(HeatMapView))


@pytest.mark.parametrize("size", [(120, 40), (200, 60)])
async def test_a_large_terminal_shows_everything_at_once(size: tuple[int, int]) -> None:
    """The header above, findings at the left, all charts and the layers at the right: together they fill the screen."""
    async with opened(snapshot(), size) as pilot:
        screen = pilot.app.screen
        widgets = [screen.query_one(FindingsList), screen.query_one(HeatMapView), *screen.query(ChartView)]
        assert all(shown(widget) for widget in widgets)
        covered = sum(widget.outer_size.area for widget in [screen.query_one(RunHeader), *widgets])
        assert covered > 0.8 * size[0] * size[1]


@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_the_views_show_one_thing_alone(size: tuple[int, int]) -> None:
    """In every size the same widgets show, or don't."""
    async with opened(snapshot(), size) as pilot:
        screen = pilot.app.screen
        widgets = [screen.query_one(kind) for kind in (FindingsList, CurvesView, HeatMapView)]
        widgets.append(screen.query_one("#loss"))
        for key, expected in (("2", [False, True, False, False]), ("3", [False, False, True, False])):
            await pilot.press(key)
            await pilot.pause()
            assert [shown(widget) for widget in widgets] == expected


async def test_a_small_chart_without_values_leaves_its_room() -> None:
    """A foreign log holds a loss and a rate: their charts are large, and there are no empty ones."""
    async with opened(snapshot(make_run([1.0] * 50, learning_rate=0.1)), (120, 40)) as pilot:
        small = pilot.app.screen.query_one("#small")
        assert [chart.id for chart in small.query(ChartView) if shown(chart)] == ["learning-rate"]
        before = small.size.height
        await post(pilot, snapshot())
        assert all(shown(chart) for chart in small.query(ChartView))
        assert small.size.height > before
        await post(pilot, snapshot(make_run([1.0] * 50)))
        assert not shown(small)


async def test_a_paused_screen_stays_as_it_is_and_catches_up() -> None:
    """Only the header says how far behind it is; a page over it is frozen too."""
    async with opened(snapshot(run([2.0] * 50))) as pilot:
        await pilot.press("p", "enter")
        await post(pilot, snapshot(run([2.0] * 90), HEALTHY))
        assert "no longer found" not in screen_text(pilot)
        await pilot.press("escape")
        await pilot.pause()
        text = screen_text(pilot)
        assert "paused, 40 steps behind" in text
        assert "step 49" in text
        assert "learning-rate-too-high" in text
        await pilot.press("p")
        await pilot.pause()
        text = screen_text(pilot)
        assert "paused" not in text
        assert "step 89" in text
        assert "nothing found so far" in text


async def test_new_records_are_drawn() -> None:
    """Header, charts and layers follow the run."""
    async with opened(snapshot(run([2.0] * 50)), (120, 40)) as pilot:
        assert "train 2 " in screen_text(pilot)
        await post(pilot, snapshot(run([3.5] * 80, layers=5)))
        text = screen_text(pilot)
        for part in ("step 79", "train 3.5", "features.4.weight"):
            assert part in text


async def test_a_state_that_changes_alone_draws_no_chart(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stalled run counts its seconds in the header, and that must cost next to nothing."""
    drawn: list[Figure] = []

    def count(figure: Figure, *more: Any) -> list[Line]:
        drawn.append(figure)
        return draw_chart(figure, *more)

    monkeypatch.setattr("trainhealth.tui.widgets.chart_view.draw_chart", count)
    first = snapshot(condition=Condition(State.STALLED, "no new record for 60 s"))
    async with opened(first, (120, 40)) as pilot:
        before = len(drawn)
        await post(pilot, dataclasses.replace(first, condition=Condition(State.STALLED, "no new record for 61 s")))
        assert "no new record for 61 s" in screen_text(pilot)
        assert len(drawn) == before


async def test_the_selection_stays_with_its_finding() -> None:
    """A diagnosis that finds more must not move what somebody reads."""
    async with opened(snapshot(diagnosis=Diagnosis((CAUSE, OTHER)))) as pilot:
        findings = pilot.app.screen.query_one(FindingsList)
        await pilot.press("down")
        assert findings.finding == OTHER
        await post(pilot, snapshot(diagnosis=SICK))
        assert findings.finding == OTHER
        await post(pilot, snapshot(diagnosis=Diagnosis((CAUSE,))))
        assert findings.finding == CAUSE


async def test_who_has_selected_nothing_sees_the_first_finding() -> None:
    """The cause that comes to light later takes the first place."""
    async with opened(snapshot(diagnosis=Diagnosis((OTHER,)))) as pilot:
        findings = pilot.app.screen.query_one(FindingsList)
        assert findings.finding == OTHER
        await post(pilot, snapshot(diagnosis=SICK))
        assert findings.finding == CAUSE


async def test_the_page_of_a_finding_follows_the_run() -> None:
    """The numbers change under the reader's eyes, and a finding that is gone says so."""
    async with opened(snapshot()) as pilot:
        await pilot.press("enter")
        await pilot.pause()
        assert "310 times" in screen_text(pilot)
        changed = dataclasses.replace(CAUSE, message="Now it is 400 times.")
        await post(pilot, snapshot(diagnosis=Diagnosis((changed,))))
        assert "400 times" in screen_text(pilot)
        await post(pilot, snapshot(diagnosis=HEALTHY))
        assert "no longer found" in screen_text(pilot)


async def test_details_of_nothing_are_a_word_and_no_page() -> None:
    """Where there is no finding there is none to show."""
    async with opened(snapshot(diagnosis=HEALTHY)) as pilot:
        await pilot.press("enter")
        assert len(pilot.app.screen_stack) == 1


async def test_the_layers_show_what_the_selected_finding_rests_on_until_the_user_chooses() -> None:
    """The evidence is on the screen without a key; a choice of the user's stays."""
    async with opened(snapshot(diagnosis=Diagnosis((CAUSE, OTHER))), (120, 40)) as pilot:
        layers = pilot.app.screen.query_one(HeatMapView)
        assert layers.kind.signal == "update_ratio"
        await pilot.press("down")
        await pilot.pause()
        assert layers.kind.signal == "activation_std"
        await pilot.press("s", "up")
        await pilot.pause()
        assert layers.kind.signal == "update_ratio"
        await pilot.press("s", "down")
        await pilot.pause()
        assert layers.kind.signal == "parameter_gradient_norm"


async def test_the_beginning_of_the_selected_finding_is_marked_in_the_charts() -> None:
    """Another finding, another step."""
    async with opened(snapshot(), (120, 40)) as pilot:
        loss = pilot.app.screen.query_one("#loss", ChartView)
        before = [loss.render_line(y).text for y in range(loss.size.height)]
        assert any("┊" in row for row in before)
        await pilot.press("end")
        await pilot.pause()
        assert [loss.render_line(y).text for y in range(loss.size.height)] != before


async def test_a_click_selects_a_finding_and_another_click_opens_it() -> None:
    """The mouse does what the keys do."""
    async with opened(snapshot()) as pilot:
        findings = pilot.app.screen.query_one(FindingsList)
        row = next(y for y in range(findings.size.height) if "nonfinite-loss" in findings.render_line(y).text)
        await pilot.click(FindingsList, offset=(6, row))
        await pilot.pause()
        assert findings.finding == SYMPTOM
        assert len(pilot.app.screen_stack) == 1
        row = next(y for y in range(findings.size.height) if "nonfinite-loss" in findings.render_line(y).text)
        await pilot.click(FindingsList, offset=(6, row))
        await pilot.pause()
        assert len(pilot.app.screen_stack) == 2


async def test_the_mouse_wheel_scrolls_many_layers() -> None:
    """And stops at the ends."""
    async with opened(snapshot(run(layers=100)), (80, 24)) as pilot:
        await pilot.press("3")
        layers = pilot.app.screen.query_one(HeatMapView)
        await pilot._post_mouse_events([MouseScrollDown], HeatMapView)
        await pilot.pause()
        assert "features.3.weight" in layers.render_line(2).text


async def test_many_findings_scroll_with_the_selection() -> None:
    """The selected one can always be seen."""
    many = tuple(dataclasses.replace(OTHER, code=f"ZZ{n:02}", name=f"illness-{n}") for n in range(20))
    async with opened(snapshot(diagnosis=Diagnosis(many))) as pilot:
        for _ in range(19):
            await pilot.press("down")
        await pilot.pause()
        assert "illness-19" in screen_text(pilot)
        await pilot.press("home")
        await pilot.pause()
        assert "illness-0 " in screen_text(pilot)


async def test_a_terminal_that_is_resized_is_laid_out_anew() -> None:
    """Down to 20x5 and back, with everything in its place again."""
    async with opened(snapshot(), (200, 60)) as pilot:
        before = screen_text(pilot)
        for size in ((20, 5), (80, 24), (1, 1), (200, 60)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
            assert "trainhealth failed" not in screen_text(pilot)
        assert screen_text(pilot) == before


async def test_another_theme_draws_in_its_own_colours() -> None:
    """Colours that were looked up before must not stay."""
    async with opened(snapshot()) as pilot:
        findings = pilot.app.screen.query_one(FindingsList)
        dark = findings.render_line(1)
        pilot.app.theme = "textual-light"
        await pilot.pause()
        light = findings.render_line(1)
        assert light.text == dark.text
        assert [segment.style for segment in light] != [segment.style for segment in dark]


async def test_the_theme_of_the_environment_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who sets TEXTUAL_THEME wants it everywhere."""
    async with opened(snapshot()) as pilot:
        assert pilot.app.theme == "trainhealth"
        first_line = pilot.app.screen.query_one(FindingsList).render_line(1)
        colours = [segment.style.color.triplet for segment in first_line if segment.style and segment.style.color]
        red = Color.parse(THEME.error or "").rgb
        assert any(triplet and np.abs(np.subtract(triplet, red)).max() <= 2 for triplet in colours)
    monkeypatch.setenv("TEXTUAL_THEME", "nord")
    async with opened() as pilot:
        assert pilot.app.theme != "trainhealth"


async def test_no_color_leaves_no_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even greys: only the terminal's own two colours, bold and dim."""
    monkeypatch.setenv("NO_COLOR", "1")
    async with opened(snapshot(), (120, 40), Look(colour=False)) as pilot:
        drawn = set(re.findall(r"fill: (#\w+)", pilot.app.export_screenshot()))
        assert len(drawn) <= 2
        assert "▄" in screen_text(pilot)


async def test_a_chart_that_can_not_be_drawn_says_so_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Data may be of any kind: the exception is a text in its own place, and a file has the traceback."""
    monkeypatch.setattr("trainhealth.tui.widgets.chart_view.draw_chart", lambda *_: 1 / 0)
    async with opened(snapshot(), (120, 40)) as pilot:
        text = screen_text(pilot)
        assert "ZeroDivisionError" in text
        assert "trainhealth-dashboard.log" in text.replace("\n", "").replace(" ", "")
        assert "learning-rate-too-high" in text


def test_an_exception_ends_the_dashboard_without_a_traceback(capfd: pytest.CaptureFixture[str]) -> None:
    """One line says what it was and which file has the rest; the process ends with the code of a defect."""

    class Failing(Dashboard):
        def on_dashboard_arrived(self, message: Dashboard.Arrived) -> None:
            raise KeyError("gone")

    def follow(post: Post) -> Callable[[], None]:
        post(snapshot())
        return lambda: None

    app = Failing(Path("runs/baseline"), Look(), follow)
    app.run(headless=True, size=(80, 24))
    assert app.return_code == FAILED
    assert app.failure is not None
    assert "KeyError: 'gone'" in app.failure
    assert "Traceback" in Path(app.failure.rpartition(" ")[2]).read_text()
    said = capfd.readouterr()
    assert "Traceback" not in said.out + said.err


def test_the_end_leaves_nothing_behind() -> None:
    """The thread that reads may post once more, and the process gets its own signal handlers back."""
    posts: list[Post] = []

    def follow(post: Post) -> Callable[[], None]:
        posts.append(post)
        return lambda: posts.append(post)

    async def leave(pilot: Pilot[None]) -> None:
        await pilot.press("q")

    handlers = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)]
    app = Dashboard(Path("runs/baseline"), Look(), follow)
    app.run(headless=True, size=(80, 24), auto_pilot=leave)
    assert len(posts) == 2  # begun and stopped
    posts[0](snapshot())
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)] == handlers
