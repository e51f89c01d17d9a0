"""What can be done with a finding: copy the code of its remedies, mute it."""

from __future__ import annotations

import dataclasses

from tests.tui.cases import CAUSE, HEALTHY, OTHER, SYMPTOM, snapshot
from tests.tui.screen import main_screen, opened, post, said, screen_text
from trainhealth.findings import Diagnosis
from trainhealth.tui.widgets.chart_view import ChartView
from trainhealth.tui.widgets.findings_list_view import FindingsList

SECOND = dataclasses.replace(CAUSE.recommendations[1], recipe="warm-up")
TWO_RECIPES = dataclasses.replace(CAUSE, recommendations=(CAUSE.recommendations[0], SECOND))


async def test_copying_again_copies_the_next_remedy() -> None:
    """And says so; after the last one comes the first, and another finding begins with its first."""
    async with opened(snapshot(diagnosis=Diagnosis((TWO_RECIPES, SYMPTOM)))) as pilot:
        await pilot.press("c")
        assert said(pilot)[-1] == "Copied lower-learning-rate (1 of 2; c again: the next) to the terminal's clipboard."
        await pilot.press("enter", "c")
        assert "warm-up" in pilot.app.clipboard
        await pilot.press("c")
        assert "lower-learning-rate" in pilot.app.clipboard
        await pilot.press("c", "escape", "down", "c")
        assert "lower-learning-rate" in pilot.app.clipboard


async def test_where_there_is_no_code_nothing_is_copied() -> None:
    """A word says why."""
    async with opened(snapshot(diagnosis=Diagnosis((OTHER,)))) as pilot:
        await pilot.press("c")
        assert said(pilot) == ["There is no code for this finding."]
        await post(pilot, snapshot(diagnosis=HEALTHY))
        await pilot.press("c", "m")
        assert said(pilot)[1:] == ["There is no finding.", "There is no finding to mute."]
        assert pilot.app.clipboard == ""


async def test_muting_goes_down_the_list_and_holds_for_new_snapshots() -> None:
    """The next finding is selected, and the verdict is that of what is left."""
    async with opened(snapshot()) as pilot:
        findings = main_screen(pilot).query_one(FindingsList)
        await pilot.press("m")
        assert findings.finding == SYMPTOM
        await post(pilot, snapshot())
        assert "Sick: nonfinite-loss" in screen_text(pilot).splitlines()[1]
        await pilot.press("m", "m")
        await pilot.pause()
        assert findings.finding is None
        assert "Healthy so far  9 of 10 rules checked, 3 muted" in screen_text(pilot)


async def test_a_muted_finding_leaves_the_charts_and_the_layers_too() -> None:
    """Its sign goes from the axis and from the rows, without a new record."""
    async with opened(snapshot(diagnosis=Diagnosis((CAUSE,))), (120, 40)) as pilot:
        assert "✖ features.0.weight" in screen_text(pilot)
        chart = main_screen(pilot).query_one("#loss", ChartView)
        before = [chart.render_line(y).text for y in range(chart.size.height)]
        await pilot.press("m")
        await pilot.pause()
        assert "✖ features.0.weight" not in screen_text(pilot)
        assert [chart.render_line(y).text for y in range(chart.size.height)] != before


async def test_a_muted_finding_comes_back_with_the_same_key() -> None:
    """It is listed at the end while muted ones are shown."""
    async with opened(snapshot()) as pilot:
        findings = main_screen(pilot).query_one(FindingsList)
        await pilot.press("m", "M", "end")
        assert findings.finding == CAUSE
        await pilot.press("m", "home")
        assert main_screen(pilot).shown.muted == frozenset()
        assert findings.finding == CAUSE


async def test_the_page_says_that_its_finding_is_muted() -> None:
    """It stays open, and so does what it shows."""
    async with opened(snapshot()) as pilot:
        await pilot.press("enter", "m")
        await pilot.pause()
        assert "muted for this run" in screen_text(pilot).splitlines()[2]
        await pilot.press("m")
        await pilot.pause()
        assert "muted for this run" not in screen_text(pilot).splitlines()[2]


async def test_a_paused_screen_stays_at_its_moment_while_findings_are_muted() -> None:
    """Muting must not bring in what has come since."""
    async with opened(snapshot(diagnosis=Diagnosis((CAUSE, OTHER)))) as pilot:
        await pilot.press("p")
        await post(pilot, snapshot(diagnosis=HEALTHY))
        await pilot.press("m")
        assert main_screen(pilot).shown.findings == (OTHER,)
        await pilot.press("p")
        assert main_screen(pilot).shown.diagnosis is HEALTHY
