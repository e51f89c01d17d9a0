"""Zoom, pan, cursor and smoothing."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from trainhealth.tui.across import STEPS, Across, Ruler
from trainhealth.tui.lens import CLOSER, FARTHER, Lens
from trainhealth.tui.raster import Window
from trainhealth.tui.smoothing import STRONGEST, WEAKEST

RUN = Window(0, 1000)


def test_zooming_leaves_the_cursor_where_it_is() -> None:
    """A fifth from the left before, a fifth from the left after."""
    lens = Lens(cursor=200).zoomed(RUN, STEPS, CLOSER)
    assert lens.window == (100, 600)
    assert lens.zoomed(RUN, STEPS, FARTHER).window is None


def test_without_a_cursor_the_newest_steps_stay_in_sight() -> None:
    """That is what one looks at while a run goes on; in the past it is the middle."""
    assert Lens().zoomed(RUN, STEPS, CLOSER).window == (500, 1000)
    assert Lens(window=Window(200, 600)).zoomed(RUN, STEPS, CLOSER).window == (300, 500)


def test_the_mouse_zooms_about_the_pointer() -> None:
    """Whatever the cursor is."""
    assert Lens(cursor=900).zoomed(RUN, STEPS, CLOSER, about=0).window == (0, 500)


def test_a_window_at_the_end_follows_the_run_and_another_stays() -> None:
    """Who looks at the newest steps goes on to see the newest, who looks at an old spike keeps it."""
    newest, old = Lens(cursor=1000).zoomed(RUN, STEPS, CLOSER), Lens(cursor=0).zoomed(RUN, STEPS, CLOSER)
    later = Window(0, 1300)
    assert newest.shown(later) == (800, 1300)
    assert old.shown(later) == (0, 500)


def test_a_run_that_begins_anew_is_shown_from_its_beginning() -> None:
    """What was zoomed in on is not there yet; as soon as it is, it is shown."""
    lens = Lens(window=Window(300, 500))
    assert lens.shown(Window(0, 40)) == (0, 40)
    assert lens.shown(Window(0, 400)) == (300, 400)


def test_zooming_ends_at_a_few_steps() -> None:
    """Closer there is nothing to see."""
    lens = Lens(cursor=500)
    for _ in range(30):
        lens = lens.zoomed(RUN, STEPS, CLOSER)
    assert lens.window is not None
    assert 2 <= lens.window.last - lens.window.first <= 4


def test_panning_ends_at_the_ends_of_the_run() -> None:
    """By half of what is shown; the width stays."""
    lens = Lens(window=Window(300, 500))
    assert lens.panned(RUN, STEPS, -0.5).window == (200, 400)
    assert lens.panned(RUN, STEPS, -9.0).window == (0, 200)
    assert lens.panned(RUN, STEPS, 9.0).window == (800, 1000)
    assert lens.panned(RUN, STEPS, 9.0).follows
    assert Lens().panned(RUN, STEPS, 0.5) == Lens()


def test_the_cursor_goes_by_cells_and_takes_the_window_along() -> None:
    """At least a step; beyond the edge of what is shown the charts move."""
    assert Lens(cursor=500).moved(RUN, STEPS, 100, 1).cursor == 510
    assert Lens(cursor=500).moved(Window(0, 50), STEPS, 100, -1).cursor == 50  # it lay outside: back in, at the end
    assert Lens(window=Window(10, 20), cursor=15).moved(RUN, STEPS, 100, -1).cursor == 14
    beyond = Lens(window=Window(10, 20), cursor=20).moved(RUN, STEPS, 5, 1)
    assert (beyond.cursor, beyond.window) == (22, (12, 22))
    assert Lens(cursor=1000).moved(RUN, STEPS, 100, 1).cursor == 1000


def test_the_first_key_brings_the_cursor_to_an_end() -> None:
    """Where it comes from, so that it can be seen coming."""
    assert Lens().moved(RUN, STEPS, 100, -1).cursor == 1000
    assert Lens().moved(RUN, STEPS, 100, 1).cursor == 0


def test_reset_keeps_what_is_no_place() -> None:
    """The axis and the smoothing are choices of another kind."""
    lens = Lens(Across.TIME, 2, window=Window(1, 5), follows=True, cursor=3)
    assert lens.reset() == Lens(Across.TIME, 2)


def test_smoothing_has_two_ends() -> None:
    """Beyond them a key changes nothing."""
    lens = Lens()
    for _ in range(9):
        lens = lens.smoother(1)
    assert lens.smoothing == STRONGEST
    for _ in range(20):
        lens = lens.smoother(-1)
    assert lens.smoothing == WEAKEST


def test_half_of_the_time_is_half_of_the_axis() -> None:
    """Zooming is by what the axis counts: the second half of the hours may hold a tenth of the steps."""
    slow = Ruler(Across.TIME, np.array([0, 900, 1000]), np.array([0.0, 100.0, 200.0]))
    assert Lens().zoomed(RUN, slow, CLOSER).window == (900, 1000)


@given(
    st.lists(st.sampled_from(["closer", "farther", "left", "right", "back", "on"]), max_size=40), st.integers(1, 5000)
)
def test_no_keys_lead_out_of_the_run(keys: list[str], length: int) -> None:
    """The window has at least a step, and lies inside the run with the cursor."""
    extent, lens = Window(7, 7 + length), Lens()
    for key in keys:
        lens = {
            "closer": lambda lens: lens.zoomed(extent, STEPS, CLOSER),
            "farther": lambda lens: lens.zoomed(extent, STEPS, FARTHER),
            "left": lambda lens: lens.panned(extent, STEPS, -0.5),
            "right": lambda lens: lens.panned(extent, STEPS, 0.5),
            "back": lambda lens: lens.moved(extent, STEPS, 60, -1),
            "on": lambda lens: lens.moved(extent, STEPS, 60, 1),
        }[key](lens)
        shown = lens.shown(extent)
        assert extent.first <= shown.first < shown.last <= extent.last
        assert lens.cursor is None or extent.first <= lens.cursor <= extent.last
