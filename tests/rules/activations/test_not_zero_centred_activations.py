"""AC03: fires where hidden activations are nearly one large number for all inputs and units."""

import numpy as np
import pytest

from trainhealth.findings import NotChecked, Severity
from trainhealth.records import LayerEntry
from trainhealth.rules.activations.not_zero_centred_activations import NotZeroCentredActivations
from trainhealth.testing import check_rule, make_run

FALLING = (2.2 * np.exp(-np.arange(300) / 40) + 0.05).tolist()
STUCK = [2.3] * 300


def judge(*ratios, losses=FALLING, steps=(0, 1, 2, 4), std=1.0, function="relu"):
    """Judge a net whose hidden functions have these means, in standard deviations."""
    layers, means, spreads = [], [], []
    for i, ratio in enumerate(ratios):
        layers.append(LayerEntry(name=f"{i}", type="Linear", units=8))
        layers.append(LayerEntry(name=f"{i}/{function}", type=function, activation=function, fed_by=f"{i}", units=8))
        means += [0.0, ratio * std]
        spreads += [1.0, std]
    layers.append(LayerEntry(name="out", type="Linear", units=10))
    columns = {"activation_mean": [*means, 50.0], "activation_std": [*spreads, 1.0]}
    run = make_run(losses, layers=layers, samples=dict.fromkeys(steps, columns))
    return check_rule(NotZeroCentredActivations, run)


def test_fires_where_half_of_the_functions_are_off():
    """Three standard deviations; a note while it learns, a warning where the loss stands."""
    (found,) = judge(3.0, 0.7)
    assert found.severity is Severity.NOTE
    assert found.message == (
        "1 of 2 hidden activation functions have a mean of 3 or more standard deviations, 0/relu of 3."
    )
    assert judge(3.0, 0.7, losses=STUCK)[0].severity is Severity.WARNING
    assert judge(2.9, 2.9) == ()


@pytest.mark.parametrize(
    ("ratios", "function", "severity"),
    [((6.0,), "sigmoid", Severity.NOTE), ((6.0, 6.0), "sigmoid", Severity.WARNING), ((6.0,), "relu", Severity.WARNING)],
)
def test_one_sigmoid_as_it_began_is_no_cause_of_a_loss_that_stands(ratios, function, severity):
    """Every fresh sigmoid is off by so much: a rate that is too low leaves it there, and is the cause."""
    assert judge(*ratios, losses=STUCK, function=function)[0].severity is severity


def test_silent_on_one_among_many_on_usual_functions_and_on_dead_layers():
    """A gate that is open; ReLU's 0.7; a layer whose outputs are all zero has no spread to compare with."""
    assert judge(9.0, 0.7, 0.7) == ()
    assert judge(0.7, 1.6) == ()
    assert isinstance(judge(5.0, 5.0, std=0.0), NotChecked)


def test_needs_three_samples():
    """One batch may be unusual."""
    assert isinstance(judge(5.0, 5.0, steps=(0, 1)), NotChecked)
