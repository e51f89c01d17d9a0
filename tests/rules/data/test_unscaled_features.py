"""DA02: fires where features differ by orders of magnitude, or all inputs are far from unit scale."""

import numpy as np
import pytest

from trainhealth.findings import NotChecked
from trainhealth.records import LayerEntry, ParameterEntry
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


@pytest.mark.parametrize(
    ("losses", "inputs", "silent"),
    [
        (np.full(200, 2.29), 64, False),
        (np.full(200, 2.29), 10_000, True),
        (np.linspace(2.3, 0.2, 200), 64, True),
    ],
)
def test_inputs_divided_twice_are_small_but_for_the_rarest(losses, inputs, silent):
    """Standardized digits / 255: rare pixels reach 0.14. Rows of 10,000 words add up to more than a bias."""
    batch = {"input_mean": 0.0, "input_std": 0.004, "input_minimum": -0.01, "input_maximum": 0.14}
    run = make_run(
        losses.tolist(),
        layers=[LayerEntry(name="first", type="Linear")],
        parameters=[ParameterEntry(name="first.weight", shape=[32, inputs], layer="first")],
        batch=dict.fromkeys((0, 1, 2), batch),
        facts={"loss_function": "cross_entropy", "loss_reduction": "mean", "classes": 10, "target_shape": [64]},
    )
    found = check_rule(UnscaledFeatures, run)
    assert (found == ()) is silent
    if not silent:
        assert found[0].message.startswith("The inputs are far smaller than one, and train_loss began at 2.29")


def whole_numbers(types=("LSTM",), size=1, largest=1.0, deviation=0.4, step=0):
    """A run on 32 sequences of 20 whole numbers, of which the log holds no scale."""
    layers = [LayerEntry(name=kind.lower(), type=kind) for kind in types]
    weight = ParameterEntry(name="first.weight", shape=[64, size], layer=layers[0].name)
    columns = {
        "activation_mean": [0.0] * len(types),
        "activation_std": [deviation] * len(types),
        "activation_maximum": [largest] * len(types),
        "parameter_norm": [8 * 3**-0.5],
    }
    facts = {"input_shape": [32, 20], "sequences": [{"layer": layers[0].name, "shape": [32, 20, size]}]}
    run = make_run([0.69] * 9, layers=layers, parameters=[weight], samples={step: columns, 8: columns}, facts=facts)
    return check_rule(UnscaledFeatures, run)


def test_word_numbers_taken_as_sizes_want_an_embedding():
    """One number an element saturates a fresh recurrent layer, and makes large sums in a linear one."""
    (found,) = whole_numbers()
    assert found.message == (
        "The input is of whole numbers, and the model has no embedding: it takes them as sizes, and lstm has outputs of"
        " 1, saturated before anything is learnt."
    )
    assert "nn.Embedding in front of lstm" in found.recommendations[0].action
    (found,) = whole_numbers(("Linear",), size=20, deviation=90.0)
    assert "linear has sums as of inputs of 160" in found.message


@pytest.mark.parametrize(
    "known",
    [
        {"types": ("Embedding", "LSTM")},
        {"size": 26},
        {"largest": 0.9},
        {"step": 4},
        {"types": ("Linear",), "size": 20, "deviation": 5.0},
        {"types": ("Linear",), "size": 120, "deviation": 90.0},
        {"types": ("Conv1d",), "size": 20, "deviation": 90.0},
    ],
)
def test_whole_numbers_that_are_no_sizes_are_not_checked(known):
    """An embedding, one-hot vectors, bits, weights that have been trained, numbers that were scaled on the way."""
    assert isinstance(whole_numbers(**known), NotChecked)
