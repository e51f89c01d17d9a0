"""The layers alone on the screen: selecting, grouping, searching, opening."""

from __future__ import annotations

import dataclasses

import pytest
from textual.pilot import Pilot

from tests.tui.cases import CAUSE, HEALTHY, STATES, snapshot
from tests.tui.screen import SIZES, main_screen, opened, post, said, screen_text
from tests.tui.test_layer_page import named
from tests.tui.test_layer_rows import BLOCKS
from trainhealth.findings import Diagnosis, Evidence
from trainhealth.records import LayerEntry
from trainhealth.series import RunView
from trainhealth.testing import make_run
from trainhealth.tui.layer_page import LayerPage
from trainhealth.tui.look import Glyphs, Look
from trainhealth.tui.widgets.heat_map_view import HeatMapView


def deep() -> RunView:
    """Return a run with thirty-six layers in twelve blocks."""
    layers = [LayerEntry(name=name, type="Linear", units=4) for name in BLOCKS]
    samples = {step: {"activation_std": [1.0] * len(BLOCKS)} for step in range(0, 100, 10)}
    return make_run([1.0] * 100, layers=layers, samples=samples)


def layers(pilot: Pilot[None]) -> HeatMapView:
    return main_screen(pilot).query_one(HeatMapView)


def selected(pilot: Pilot[None]) -> str:
    row = layers(pilot).row
    return row.name if row else ""


@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_runs_of_every_kind_can_be_seen_in_every_size(size: tuple[int, int]) -> None:
    """Nothing yet, one step, numbers that broke, hundreds of layers."""
    async with opened(size=size) as pilot:
        await pilot.press("3")
        for name in ("nothing read yet", "one step", "sick", "many layers"):
            await post(pilot, STATES[name])
            text = screen_text(pilot)
            assert "Layers: " in text
            assert "trainhealth failed" not in text


async def test_ascii_is_all_there_is_on_the_pages_too() -> None:
    """A page of a finding, the layers, a page of a layer."""
    async with opened(snapshot(), look=Look(Glyphs.ASCII)) as pilot:
        for keys in (("enter",), ("escape", "3", "o"), ("enter", "j", "enter")):
            await pilot.press(*keys)
            await pilot.pause()
            assert screen_text(pilot).isascii()


async def test_enter_opens_the_page_of_the_selected_layer_which_follows_the_run() -> None:
    """Its curves and findings; escape goes back to the layers."""
    async with opened(snapshot(named(), HEALTHY)) as pilot:
        await pilot.press("3", "j", "enter")
        await pilot.pause()
        assert isinstance(pilot.app.screen, LayerPage)
        assert "hidden.0/relu: relu" in screen_text(pilot)
        await post(pilot, snapshot(RunView()))
        assert "hidden.0/relu: relu" not in screen_text(pilot)
        await pilot.press("escape")
        assert main_screen(pilot).current_view == "layers"


async def test_enter_on_a_group_shows_its_layers_and_hides_them_again() -> None:
    """Many layers are grouped at first; the selection stays where it is."""
    async with opened(snapshot(deep())) as pilot:
        await pilot.press("3", "j")
        assert selected(pilot) == "h.1"
        await pilot.press("enter", "j")
        assert selected(pilot) == "h.1.attn.c_attn"
        await pilot.press("k", "enter", "j")
        assert selected(pilot) == "h.2"


async def test_the_place_of_the_selected_finding_is_brought_into_view() -> None:
    """In the overview without a key; in the view of the layers it is selected."""
    finding = dataclasses.replace(CAUSE, evidence=(Evidence("activation_std", "h.9.mlp", 0, 90, 9.0, "about 1"),))
    async with opened(snapshot(deep(), Diagnosis((finding,))), (120, 40)) as pilot:
        assert "✖ ▸ h.9 (3)" in screen_text(pilot)
        await pilot.press("3")
        await pilot.pause()
        assert selected(pilot) == "h.9.mlp"


async def test_grouping_is_a_switch_of_the_user_s() -> None:
    """From groups to single layers and back."""
    async with opened(snapshot(deep())) as pilot:
        await pilot.press("3", "o", "j")
        assert selected(pilot) == "h.0.attn.c_proj"
        await pilot.press("o", "j")
        assert selected(pilot) == "h.1"


async def test_names_without_anything_in_common_are_not_grouped() -> None:
    """A word says so, rather than nothing happening."""
    view = make_run(
        [1.0],
        layers=[LayerEntry(name=name, type="Linear") for name in ("stem", "body", "head")],
        samples={0: {"activation_std": [1.0, 1.0, 1.0]}},
    )
    async with opened(snapshot(view)) as pilot:
        await pilot.press("3", "o")
        assert said(pilot) == ["No names of layers begin alike: there is nothing to group."]


async def test_words_narrow_the_layers_at_every_letter_and_stay_until_they_are_forgotten() -> None:
    """Enter keeps them, and the title says what they are; the keys belong to the layers again."""
    async with opened(snapshot(deep())) as pilot:
        await pilot.press("3", "slash", *"mlp 11")
        await pilot.pause()
        assert selected(pilot) == "h.11.mlp"
        await pilot.press("enter", "j")
        await pilot.pause()
        text = screen_text(pilot)
        assert "/mlp 11" in text
        assert "h.10" not in text
        await pilot.press("slash", "escape")
        await pilot.pause()
        assert "h.10 (3)" in screen_text(pilot)


async def test_a_click_selects_a_layer_and_another_opens_it() -> None:
    """The mouse does what the keys do; a click on the title does nothing."""
    async with opened(snapshot(named(), HEALTHY)) as pilot:
        await pilot.press("3")
        await pilot.pause()
        view = layers(pilot)
        row = next(y for y in range(view.size.height) if "hidden.1" in view.render_line(y).text)
        await pilot.click(HeatMapView, offset=(10, 0))
        assert selected(pilot) == "hidden.0"
        await pilot.click(HeatMapView, offset=(10, row))
        assert selected(pilot) == "hidden.1"
        await pilot.click(HeatMapView, offset=(10, row))
        await pilot.pause()
        assert isinstance(pilot.app.screen, LayerPage)


async def test_a_large_screen_shows_the_curve_of_the_selected_layer() -> None:
    """Below the heat map; it goes with the selection. A small screen has no room for it."""
    async with opened(snapshot(named()), (120, 40)) as pilot:
        await pilot.press("3")
        await pilot.pause()
        assert "Update ratio  ━ hidden.0.weight 0.001" in screen_text(pilot)
        await pilot.press("j")
        await pilot.pause()
        assert "Update ratio  ━ hidden.1.weight 0.003" in screen_text(pilot)
        await pilot.resize_terminal(80, 24)
        await pilot.pause()
        assert "━ hidden" not in screen_text(pilot)


async def test_what_to_do_is_said_where_the_findings_are_not() -> None:
    """In the header of every other view."""
    async with opened(snapshot()) as pilot:
        assert "Do this:" not in screen_text(pilot)
        await pilot.press("3")
        await pilot.pause()
        assert "Do this: Lower the learning rate from 0.5 to 0.005." in screen_text(pilot)
        await pilot.press("1")
        await pilot.pause()
        assert "Do this:" not in screen_text(pilot)
