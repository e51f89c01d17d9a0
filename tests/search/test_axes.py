"""Scales of settings: logarithmic, linear, words; there and back."""

from __future__ import annotations

import numpy as np
import pytest

from tests.search.tables import trials_from
from trainhealth.search.axes import axis_of
from trainhealth.search.sampling import linear_evidence
from trainhealth.search.trials import Space


def axis(name, values, space=None):
    trials = trials_from({name: values}, range(len(values)), spaces={name: space} if space else None)
    return axis_of(trials, name)


@pytest.mark.parametrize(
    ("name", "values", "kind"),
    [
        ("lr", [1e-4, 3e-3, 1e-1], "log"),
        ("optimizer.weight_decay", [1e-5, 1e-4, 1e-3], "log"),
        ("batch_size", [16.0, 32.0, 64.0, 128.0], "log"),
        ("dropout", [0.0, 0.2, 0.5], "linear"),
        ("layers", [1.0, 2.0, 3.0], "linear"),
        ("activation", ["relu", "tanh", "relu"], "words"),
        ("temperature", [0.9, 1.0, 1.1], "linear"),
    ],
)
def test_a_setting_is_looked_at_on_its_own_scale(name, values, kind):
    """By its name and its values."""
    assert axis(name, values).kind == kind


def test_an_unknown_name_is_logarithmic_where_it_was_drawn_so():
    """Log-uniform values say so themselves; uniform ones over the same range, too."""
    random = np.random.default_rng(0)
    assert axis("knob", (10 ** random.uniform(-3, 1, 40)).tolist()).kind == "log"
    assert axis("knob", random.uniform(1e-3, 10, 40).tolist()).kind == "linear"


def test_what_the_table_declares_goes_before_what_the_values_look_like():
    """Bounds and scale of an Optuna study hold, also where few values were drawn."""
    declared = axis("knob", [1.0, 2.0, 3.0], Space(0.1, 1000.0, True))
    assert (declared.kind, declared.low, declared.high) == ("log", 0.1, 1000.0)


def test_coordinates_lead_back_to_values():
    """Also beyond the ends, and for zero on a logarithmic scale."""
    rates = axis("lr", [1e-4, 1e-3, 1e-2])
    assert rates.codes([1e-4, 1e-3, 1e-2]) == pytest.approx([0, 0.5, 1])
    assert rates.value(1.5) == pytest.approx(1e-1)
    decays = axis("weight_decay", [0.0, 1e-5, 1e-4])
    codes = decays.codes([0.0, 1e-5, 1e-4])
    assert codes == pytest.approx([0, 0.5, 1])
    assert [decays.value(code) for code in codes] == pytest.approx([0.0, 1e-5, 1e-4])


def test_a_missing_value_stands_in_the_middle():
    """A setting that depends on another one is missing in some trials, and the other one tells that."""
    rates = axis("momentum", [0.5, None, 0.9, None])
    codes = rates.codes([0.5, None, 0.9, None])
    apart = rates.distances(codes, codes)
    assert apart[1].tolist() == [0.5, 0.0, 0.5, 0.0]


def test_natural_bounds_are_known():
    """No dropout above 1, no layer below 1, no negative width; a temperature has no upper end."""
    assert axis("dropout", [0.1, 0.3, 0.5]).natural == (0.0, 1.0)
    assert axis("layers", [1.0, 2.0, 3.0]).natural[0] == 1.0
    assert axis("width", [0.5, 3.0, 7.0]).natural == (0.0, float("inf"))


@pytest.mark.parametrize(("log", "sign"), [(True, -1), (False, 1)])
def test_the_evidence_tells_uniform_from_log_uniform_draws(log, sign):
    """Over three decades and twenty values it does so in all of fifty searches but two."""
    right = 0
    for seed in range(50):
        random = np.random.default_rng(seed)
        values = 10 ** random.uniform(-4, -1, 20) if log else random.uniform(1e-4, 1e-1, 20)
        right += sign * linear_evidence(values) > 0
    assert right >= 48
