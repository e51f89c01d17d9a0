"""MO09: fires where linear layers follow each other with no activation function between them."""

import pytest

from trainhealth.findings import NotChecked
from trainhealth.records import LayerEntry, ParameterEntry
from trainhealth.rules.mode.missing_nonlinearity import MissingNonlinearity
from trainhealth.testing import check_rule, make_run


def judge(*layers, frozen=()):
    """Judge a model of (name, type, shape of the weight, the layer that feeds it)."""
    entries = [
        LayerEntry(name=name, type=kind, fed_by=fed_by, activation=kind if kind == "relu" else None)
        for name, kind, _, fed_by in layers
    ]
    parameters = [
        ParameterEntry(name=f"{name}.weight", shape=shape, layer=name, trainable=name not in frozen)
        for name, _, shape, _ in layers
        if shape
    ]
    samples = {0: {"activation_std": [1.0] * len(entries)}}
    return check_rule(MissingNonlinearity, make_run([1.0], layers=entries, parameters=parameters, samples=samples))


RELU = ("0/relu", "relu", None, "0")


def test_fires_on_two_linear_layers_in_a_row():
    """Both are named, and that nothing else is in the model."""
    (found,) = judge(("0", "Linear", [64, 20], None), ("1", "Linear", [10, 64], "0"))
    assert found.message == (
        "There is no activation function between 0 and 1. No layer of the model is followed by one."
    )


def test_fires_through_batch_norm_and_from_a_convolution_to_a_linear_layer():
    """Both are affine; a flattened image has a whole number of values a channel."""
    (found,) = judge(
        ("0", "Conv2d", [8, 3, 3, 3], None),
        ("1", "BatchNorm2d", [8], "0"),
        ("2", "Linear", [32, 8 * 49], "1"),
        ("2/relu", "relu", None, "2"),
        ("3", "Linear", [10, 32], None),
    )
    assert found.message == "There is no activation function between 0 and 2."


@pytest.mark.parametrize(
    "layers",
    [
        [("0", "Linear", [4, 64], None), ("1", "Linear", [64, 4], "0")],
        [("0", "Linear", [32, 64], None), ("1", "Linear", [1000, 32], "0")],
        [("i", "Conv2d", [8, 3, 3, 3], None), ("0", "Conv2d", [8, 1, 3, 3], None), ("1", "Conv2d", [16, 8, 1, 1], "0")],
        [("0", "Conv2d", [24, 8, 1, 1], None), ("1", "Conv2d", [24, 1, 3, 3], "0")],
        [
            ("n", "LayerNorm", [8], None),
            *((name, "Linear", [8, 8], "n") for name in "qkv"),
            ("o", "Linear", [8, 8], None),
        ],
        [("0", "Linear", [8, 8], None), ("n", "LayerNorm", [8], "0"), ("1", "Linear", [8, 8], "n")],
        [("0", "Linear", [64, 20], None), RELU, ("1", "Linear", [10, 64], None), ("x", "Linear", [3, 5], "n")],
        [("e", "Embedding", [99, 8], None), ("1", "Linear", [8, 8], "e"), ("2", "Linear", [8, 8], None)],
        [("0", "Linear", [64, 20], None), ("a", "Linear", [5, 64], "0"), ("b", "Linear", [5, 64], "0")],
        [("0", "Linear", [64, 20], None)],
    ],
    ids=[
        *("adapter", "factorised output", "depthwise first", "depthwise second", "attention", "layer norm", "relu"),
        *("embedding", "branches", "regression"),
    ],
)
def test_silent_on_what_is_meant(layers):
    """Bottlenecks, separable convolutions, parallel projections, functions between, branches, a single layer."""
    assert judge(*layers) == ()


def test_silent_on_a_linear_probe():
    """The layer before is frozen: it is what the probe looks at."""
    layers = (("0", "Linear", [64, 20], None), ("1", "Linear", [10, 64], "0"))
    assert judge(*layers, frozen=("0",)) == ()


def test_not_checked_where_the_log_does_not_say_which_layer_feeds_which():
    """An older log, or a compiled model."""
    assert isinstance(judge(("0", "Linear", [64, 20], None), ("1", "Linear", [10, 64], None)), NotChecked)
