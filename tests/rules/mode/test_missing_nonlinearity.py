"""MO09: fires where linear layers follow each other with no activation function between them."""

import pytest
import torch
from torch import nn

import trainhealth
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


# --- a leaky ReLU that is none ---

LEAKY = [
    *(("0", "Linear", [64, 2], None), ("0/leaky_relu", "leaky_relu", None, "0")),
    *(("2", "Linear", [64, 64], "0/leaky_relu"), ("2/leaky_relu", "leaky_relu", None, "2")),
    ("4", "Linear", [2, 64], "2/leaky_relu"),
]


def judge_leaky(means, function="leaky_relu"):
    """Judge a net of two leaky ReLUs, of which each sample has these means, in order of execution."""
    entries = [
        LayerEntry(name=name, type=kind, fed_by=fed_by, activation=function if kind == "leaky_relu" else None)
        for name, kind, _, fed_by in LEAKY
    ]
    parameters = [
        ParameterEntry(name=f"{name}.weight", shape=shape, layer=name) for name, _, shape, _ in LEAKY if shape
    ]
    samples = {
        step: {
            "activation_mean": row,
            "activation_std": [1.0 + abs(value) for value in row],
            "activation_maximum": [2.0] * 5,
        }
        for step, row in enumerate(means)
    }
    run = make_run([1.0] * len(means), layers=entries, parameters=parameters, samples=samples)
    return check_rule(MissingNonlinearity, run)


def test_a_leaky_relu_with_a_slope_of_1():
    """nn.LeakyReLU(True): it gives what it gets; that one of them got numbers below 0 is known."""
    (found,) = judge_leaky([[0.5, 0.5, -0.1, -0.1, 0.0], [0.4, 0.4, 0.1, 0.1, 0.0]])
    assert found.message == (
        "There is no activation function between 0 and 2, 2 and 4."
        " What 0/leaky_relu gives is what it gets: its slope is 1."
    )
    assert "nn.LeakyReLU(inplace=True)" in found.recommendations[0].action


@pytest.mark.parametrize(
    "means",
    [
        [[0.5, 0.5, 0.1, 0.1, 0.0]] * 3,
        [[0.5, 0.6, -0.1, 0.3, 0.0]] * 3,
        [[0.5, 0.5, -0.1, -0.1, 0.0], [0.5, 0.51, -0.1, -0.08, 0.0]],
        [[0.5, 0.5, float("nan"), float("nan"), 0.0]] * 3,
    ],
    ids=["all positive", "a usual slope", "one sample tells", "not a number"],
)
def test_leaky_relus_that_are_some(means):
    """Positive inputs pass any slope; a single sample in which the two differ tells."""
    assert judge_leaky(means) == ()


def test_only_leaky_relu_has_a_slope():
    """A hard tanh gives small inputs back as they are, and is meant to."""
    assert judge_leaky([[-0.5, -0.5, -0.1, -0.1, 0.0]] * 3, "hardtanh") == ()


@pytest.mark.parametrize(("slope", "fires"), [(True, True), (0.2, False)])
def test_a_net_that_is_trained(tmp_path, slope, fires):
    """What is changed in place is measured before it is."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 8), nn.LeakyReLU(slope, inplace=True), nn.Linear(8, 2))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    with trainhealth.watch(net, optimizer, run_dir=tmp_path / "run", overhead=1.0) as watch:
        for _ in range(4):
            inputs = torch.randn(16, 4)
            loss = nn.functional.cross_entropy(net(inputs), (inputs[:, 0] > 0).long())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss)
    found = check_rule(MissingNonlinearity, trainhealth.load(tmp_path / "run").view)
    assert bool(found) is fires
