"""The page of one layer."""

from __future__ import annotations

import dataclasses

import pytest

from tests.tui.cases import CAUSE, HEALTHY, snapshot
from trainhealth.records import LayerEntry, ParameterEntry
from trainhealth.series import RunView
from trainhealth.testing import make_run
from trainhealth.tui.layer_page import layer_page, module_of
from trainhealth.tui.lines import plain, width_of
from trainhealth.tui.look import Look
from trainhealth.tui.snapshot import Snapshot

LAYERS = (
    LayerEntry(name="hidden.0", type="Linear", units=4),
    LayerEntry(name="hidden.0/relu", type="relu", units=4, fed_by="hidden.0"),
    LayerEntry(name="hidden.1", type="Linear", units=4),
)
PARAMETERS = (
    ParameterEntry(name="hidden.0.weight", shape=[4, 8], layer="hidden.0"),
    ParameterEntry(name="hidden.0.bias", shape=[4], layer="hidden.0", trainable=False),
    ParameterEntry(name="hidden.1.weight", shape=[4, 4], layer="hidden.1"),
)


def named() -> RunView:
    """Return a run with modules, their functions and their parameters."""
    samples = {
        step: {
            "activation_std": [1.0, 0.5, 2.0],
            "activation_nonfinite": [0.0, 0.0, 0.0],
            "update_ratio": [1e-3, 2e-3, 3e-3],
        }
        for step in range(0, 100, 10)
    }
    return make_run([1.0] * 100, layers=LAYERS, parameters=PARAMETERS, samples=samples)


def page(place: str, shown: Snapshot | None = None, width: int = 90) -> str:
    return "\n".join(plain(row) for row in layer_page(shown or snapshot(named()), place, width, Look()))


@pytest.mark.parametrize("place", ["hidden.0", "hidden.0/relu", "hidden.0.weight", "hidden.0.bias"])
def test_outputs_and_parameters_open_the_page_of_their_module(place: str) -> None:
    """What it is, and every signal of all its parts."""
    text = page(place)
    for part in (
        "hidden.0\n",
        "hidden.0: Linear, 4 units",
        "hidden.0/relu: relu, 4 units, fed by hidden.0",
        "hidden.0.weight: 4 x 8",
        "hidden.0.bias: 4, frozen",
        "Activation std  ━ hidden.0 1  ━ hidden.0/relu 0.5",
        "Update ratio  ━ hidden.0.weight 0.001  ━ hidden.0.bias 0.002  ┄ usual",
    ):
        assert part in text
    assert "hidden.1" not in text


def test_counts_of_nan_are_left_out_while_there_are_none() -> None:
    """A line at zero tells nothing in most runs."""
    assert "nonfinite" not in page("hidden.0")


def test_the_findings_that_name_it_stand_before_the_curves() -> None:
    """By their place or by their evidence; also those that are muted."""
    finding = dataclasses.replace(CAUSE, place="hidden.1", evidence=())
    diagnosis = dataclasses.replace(HEALTHY, findings=(finding, dataclasses.replace(CAUSE, code="OP02")))
    shown = snapshot(named(), diagnosis, muted=frozenset({finding.id}))
    assert "✖ learning-rate-too-high  muted" in page("hidden.1.weight", shown)
    assert CAUSE.message in page("hidden.1.weight", shown, 200)
    assert "✓ no finding names it" in page("hidden.0", shown)


def test_wide_pages_have_charts_side_by_side() -> None:
    """Two of them, in half the lines."""
    narrow, wide = page("hidden.0", width=90), page("hidden.0", width=120)
    assert len(wide.splitlines()) < len(narrow.splitlines())
    row = next(row for row in wide.splitlines() if row.startswith("Activation std"))
    assert "Update ratio" in row


@pytest.mark.parametrize("width", [160, 80, 40])
def test_nothing_is_wider_than_the_page(width: int) -> None:
    """Only a name that is longer than a line sticks out, and is clipped later."""
    assert all(width_of(row) <= width for row in layer_page(snapshot(named()), "hidden.0", width, Look()))


def test_a_place_that_the_layout_does_not_know_has_a_page() -> None:
    """Another tool's probe, or a layout that has changed since."""
    assert module_of("somewhere/else", RunView()) == "somewhere"
    assert "✓ no finding names it" in page("somewhere/else")
