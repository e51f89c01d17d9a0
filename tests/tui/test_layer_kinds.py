"""Which signals of layers are offered, and on which scale."""

from __future__ import annotations

import numpy as np
import pytest

from tests.tui.cases import run
from trainhealth.series import RunView
from trainhealth.signals import SIGNALS, Scope
from trainhealth.testing import make_run
from trainhealth.tui.layer_kinds import KINDS, held_signal, kind_of, kinds_in, scale_of


def scale(signal: str, *values: float) -> tuple[float, float, bool]:
    chosen = scale_of(kind_of(signal), np.array(values, np.float32))
    return chosen.low, chosen.high, chosen.log


def test_every_signal_of_layers_that_the_run_holds_is_offered() -> None:
    """Those that tell most come first; one that nobody has thought of comes too; a batch's signals do not."""
    samples = {0: {"probe_of_mine": [1.0], "zero_fraction": [0.1], "activation_std": [1.0], "parameter_norm": [2.0]}}
    view = make_run([1.0], layers=run(layers=1).layers, parameters=run(layers=1).parameters[:1], samples=samples)
    assert [kind.signal for kind in kinds_in(view)] == [
        "activation_std",
        "zero_fraction",
        "parameter_norm",
        "probe_of_mine",
    ]
    assert kinds_in(RunView()) == ()


def test_only_signals_that_the_run_holds_are_offered() -> None:
    """Turning through signals never ends on an empty one."""
    assert [kind.signal for kind in kinds_in(run())] == [
        "activation_std",
        "update_ratio",
        "parameter_gradient_norm",
        "zero_fraction",
    ]


def test_a_signal_with_a_value_in_the_middle_only_is_offered() -> None:
    """Neither the first nor the newest sampled step has one."""
    nan = float("nan")
    samples = {step: {"activation_std": [1.0 if step == 1 else nan]} for step in range(3)}
    view = make_run([1.0] * 3, layers=run(layers=1).layers, samples=samples)
    assert [kind.signal for kind in kinds_in(view)] == ["activation_std"]


def test_every_kind_is_a_signal_of_ours() -> None:
    """With a sentence that says what it is."""
    for kind in KINDS:
        assert SIGNALS[kind.signal].scope in (Scope.LAYER, Scope.PARAMETER)
        assert kind.meaning
    assert kind_of("probe_of_mine").title == "probe of mine"
    assert kind_of("probe_of_mine").meaning == ""


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ((0.02, 3.0), (-2.0, 1.0, True)),
        ((0.0, 3.0, np.nan, np.inf), (0.0, 1.0, True)),
        ((1e-38, 3.0), (-7.0, 1.0, True)),  # eight powers of ten at most
        ((-0.3, 0.21), (-0.3, 0.3, False)),
        ((-0.31, 0.21), (-0.4, 0.4, False)),
        ((0.0, 0.0), (-3.0, 0.0, True)),
        ((np.nan,), (-3.0, 0.0, True)),
    ],
)
def test_a_scale_fits_the_values(values: tuple[float, ...], expected: tuple[float, float, bool]) -> None:
    """Whole powers of ten; around zero where signs differ."""
    assert scale("probe_of_mine", *values) == pytest.approx(expected)


def test_a_scale_of_its_own_comes_first() -> None:
    """What is usual does not depend on this run's values."""
    assert scale("update_ratio", 0.5) == (-5, -1, True)
    assert scale("zero_fraction", 0.5) == (0, 1, False)


def test_zeros_stand_for_dead_units_that_are_not_counted_yet() -> None:
    """A finding's evidence is shown all the same."""
    assert held_signal("dead_fraction", run()) == "zero_fraction"
    assert held_signal("update_ratio", run()) == "update_ratio"
    assert held_signal("unheard_of", run()) == "unheard_of"
