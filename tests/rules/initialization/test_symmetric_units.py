"""IN03: fires where units are the same and stay so, and not where symmetry breaks or is meant."""

import math

import pytest

from trainhealth.findings import Confidence, Severity
from trainhealth.records import LayerEntry, ParameterEntry
from trainhealth.rules.initialization.symmetric_units import SymmetricUnits
from trainhealth.testing import check_rule, make_run

FALLING = [2.3 * 0.98**step for step in range(200)]
FLAT = [2.3] * 200
STEPS = (0, 1, 2, 4, 8)


def judge(*shares, losses=FLAT, std=0.0, mean=0.0, shape=(10, 64), kind="Linear", trainable=True, first=0, steps=STEPS):
    """Judge a run of one weight with these shares of equal units (the last one holds on)."""
    each = [shares[min(i, len(shares) - 1)] for i in range(len(steps))]
    samples = {
        first + step: {"equal_units": [share], "weight_std": [std], "weight_mean": [mean]}
        for step, share in zip(steps, each, strict=True)
    }
    entry = ParameterEntry(name="0.weight", shape=list(shape), layer="0", trainable=trainable)
    layers = [LayerEntry(name="0", type=kind)]
    return check_rule(SymmetricUnits, make_run(losses, parameters=[entry], layers=layers, samples=samples))


def test_fires_where_all_weights_are_zero():
    """Critical at a loss that stands, and certain."""
    (found,) = judge(1.0)
    assert (found.severity, found.confidence) == (Severity.CRITICAL, Confidence.CERTAIN)
    assert found.message.startswith(
        "10 of 10 units of 0.weight are all zero, get equal gradients, and are still the same after 200 steps;"
    )
    assert found.first_step == 0


def test_units_that_are_equal_and_not_zero():
    """A constant initialisation; a net of one unit a layer may learn something all the same: a warning."""
    (found,) = judge(1.0, losses=FALLING, mean=0.1)
    assert found.severity is Severity.WARNING
    assert "10 of 10 units of 0.weight are equal, get equal gradients" in found.message


def test_nine_of_ten_units_count_and_fewer_do_not():
    """Pruning leaves fewer."""
    assert judge(0.91)
    assert judge(0.89) == ()


def test_symmetry_that_breaks_is_no_illness():
    """Dropout, or a gradient that differs later, tells the units apart."""
    assert judge(1.0, 1.0, 1.0, 0.0) == ()


def test_symmetry_that_comes_later_is_another_matter():
    """Units that were pruned, or died, were not drawn equal."""
    assert judge(0.0, 1.0) == ()


def test_waits_for_three_samples_from_the_start_on():
    """One batch may give two units the same gradient."""
    assert judge(1.0, steps=STEPS[:3])
    assert judge(1.0, steps=STEPS[:2]) == ()
    assert judge(1.0, first=5) == ()


# --- when it is wrong ---


@pytest.mark.parametrize("other", [{"kind": "Embedding"}, {"trainable": False}, {"shape": (1, 64)}, {"shape": (64,)}])
def test_what_is_not_meant(other):
    """Rows of an embedding that were not looked up, frozen weights, a single unit, biases and gains."""
    assert judge(1.0, **other) == ()


def test_values_that_are_no_numbers_say_nothing():
    """After a NaN every comparison fails."""
    assert judge(math.nan) == ()
