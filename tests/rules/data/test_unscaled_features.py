"""DA02: fires where features differ by orders of magnitude, or all inputs are far from unit scale."""

import pytest

from trainhealth.records import LayerEntry
from trainhealth.rules.data.unscaled_features import UnscaledFeatures
from trainhealth.testing import check_rule, make_run


def judge(std=1.0, ratio=1.0, low=-3.0, high=3.0, types=("Linear",)):
    inputs = {"input_mean": 0.0, "input_std": std, "input_minimum": low, "input_maximum": high}
    batch = dict.fromkeys((0, 1, 2), inputs | {"feature_std_ratio": ratio})
    layers = [LayerEntry(name=str(i), type=kind) for i, kind in enumerate(types)]
    return check_rule(UnscaledFeatures, make_run([1.0] * 3, layers=layers, batch=batch))


def test_fires_on_features_that_differ_by_orders_of_magnitude():
    """Where they are large as well."""
    (found,) = judge(std=3.1, ratio=30.0)
    assert found.message.startswith("The features' standard deviations differ by a factor of 30")
    assert judge(std=3.1, ratio=29.0) == ()


def test_fires_on_inputs_that_are_all_large_or_all_small():
    """Pixels up to 255, pixels divided by 255 twice."""
    assert judge(std=10.0)[0].message.startswith("The inputs are far larger than one")
    assert judge(std=0.001, low=0.0, high=0.0039)[0].message.startswith("The inputs are far smaller than one")
    assert judge(std=9.9) == ()
    assert judge(std=0.003, low=0.0, high=0.011) == ()


def test_silent_on_rare_features_of_unit_scale():
    """One-hot columns and bags of words differ a lot and are small; so are rows that sum to 1."""
    assert judge(std=0.3, ratio=300.0, low=0.0, high=9.0) == ()
    assert judge(std=0.004, ratio=20.0, low=0.0, high=0.1) == ()


@pytest.mark.parametrize(
    ("types", "silent"),
    [(("BatchNorm1d", "Linear"), (True, True)), (("Conv2d", "BatchNorm2d"), (True, False))],
)
def test_normalisation_takes_scales_away(types, silent):
    """At the input, those of features; behind the first layer, the common one only."""
    assert (judge(std=95.0, types=types) == ()) is silent[0]
    assert (judge(std=95.0, ratio=500.0, types=types) == ()) is silent[1]
