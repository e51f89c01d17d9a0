"""DA01: fires where the inputs' mean is far from zero against their spread."""

import numpy as np
import pytest

from trainhealth.findings import NotChecked, Severity
from trainhealth.records import LayerEntry, ParameterEntry
from trainhealth.rules.data.uncentred_inputs import UncentredInputs
from trainhealth.testing import check_rule, make_run

FALLING = (2.2 * np.exp(-np.arange(300) / 40) + 0.05).tolist()
STUCK = [2.3] * 300


def judge(ratio, *, losses=FALLING, fan_in=64, types=("Linear", "Linear"), **inputs):
    batch = {"input_mean": 5.0, "input_std": 1.0} | ({} if ratio is None else {"feature_mean_ratio": ratio}) | inputs
    layers = [LayerEntry(name=str(i), type=kind) for i, kind in enumerate(types)]
    parameters = [ParameterEntry(name="0.weight", shape=[32, fan_in], layer="0")]
    run = make_run(losses, layers=layers, parameters=parameters, batch=dict.fromkeys((0, 1, 2, 4), batch))
    return check_rule(UncentredInputs, run)


def test_fires_where_the_offset_makes_a_ravine():
    """At 3 deviations; a warning where fan-in times its square is at least 150, a note below."""
    assert judge(2.99) == ()
    (found,) = judge(3.0, fan_in=17)
    assert found.severity is Severity.WARNING
    assert found.message == (
        "The mean of a usual feature lies 3 standard deviations from zero (all inputs: mean 5, standard deviation 1)."
    )
    assert judge(3.0, fan_in=16)[0].severity is Severity.NOTE


def test_a_poor_loss_makes_it_a_warning():
    """Whatever the fan-in."""
    (found,) = judge(4.0, fan_in=4, losses=STUCK)
    assert found.severity is Severity.WARNING
    assert "stands at 2.3 after 300 steps" in found.message


def test_the_whole_input_stands_in_for_its_features():
    """Inputs without an axis of features: mean over deviation."""
    assert judge(None)
    assert judge(None, input_mean=0.47, input_std=0.25) == ()  # natural images in [0, 1]
    assert judge(None, input_mean=0.0, input_std=0.0) == ()


@pytest.mark.parametrize("types", [("BatchNorm1d", "Linear"), ("Conv2d", "BatchNorm2d"), ("LayerNorm", "Linear")])
def test_silent_where_the_model_normalises(types):
    """At its input, or right behind the first layer."""
    assert judge(9.0, types=types) == ()


def test_token_ids_are_not_checked():
    """They are no floating-point input: nothing is measured."""
    assert isinstance(check_rule(UncentredInputs, make_run(FALLING)), NotChecked)
