"""What a dashboard remembers of how it was looked at."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tui.cases import snapshot
from tests.tui.screen import main_screen, opened
from trainhealth.tui.across import Across
from trainhealth.tui.lens import Lens
from trainhealth.tui.memory import Memory
from trainhealth.tui.raster import Window
from trainhealth.tui.remembered import remember_lens, remembered_lens, remembered_view


@pytest.fixture
def memory(tmp_path: Path) -> Memory:
    return Memory(tmp_path / "runs", tmp_path)


@pytest.mark.parametrize(
    "lens", [Lens(), Lens(Across.EPOCH, -2, True, True), Lens(Across.TIME, 1, False), Lens(log=None, everything=True)]
)
def test_curves_are_drawn_as_they_were(memory: Memory, lens: Lens) -> None:
    """Over what, how smooth, on which axis, all of them or the usual ones."""
    remember_lens(memory, lens)
    assert remembered_lens(memory) == lens


def test_a_part_of_one_run_says_nothing_of_another(memory: Memory) -> None:
    """Neither the window nor the cursor nor the words that were searched for come back, nor are they written down."""
    remember_lens(memory, Lens(window=Window(3, 9), cursor=4, words="loss"))
    assert remembered_lens(memory) == Lens()
    assert not memory.file.exists()


def test_what_is_no_choice_any_more_is_none(memory: Memory) -> None:
    """It may have been written by another version."""
    for name, value in (("view", "histogram"), ("across", "tokens"), ("axis", "cubic"), ("smoothing", 10_000)):
        memory.choose(name, value)
    assert remembered_view(memory, ("overview", "curves"), "overview") == "overview"
    assert remembered_lens(memory) == Lens().smoother(10_000)


async def test_the_next_dashboard_begins_as_the_last_one_ended() -> None:
    """In the same folder, with whatever run."""
    async with opened(snapshot()) as pilot:
        await pilot.press("2", "x", "right_square_bracket")
        await pilot.pause()
        lens = main_screen(pilot).board.lens
        assert lens != Lens()
    async with opened(snapshot()) as pilot:
        assert main_screen(pilot).current_view == "curves"
        assert main_screen(pilot).has_class("-curves")
        assert main_screen(pilot).board.lens == lens
