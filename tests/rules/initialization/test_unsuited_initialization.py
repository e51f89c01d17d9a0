"""IN04: fires where weights are far from what suits the function after them and the loss shows it."""

import math

import pytest

from trainhealth.findings import NotChecked, Severity
from trainhealth.records import LayerEntry, ParameterEntry
from trainhealth.rules.initialization.unsuited_initialization import UnsuitedInitialization
from trainhealth.testing import check_rule, make_run

FALLING = [2.3 * 0.98**step for step in range(200)]
FLAT = [2.3] * 200
CLASSES = {"loss_function": "cross_entropy", "loss_reduction": "mean", "classes": 10}
HE = math.sqrt(2 / 100)
XAVIER = 0.1


def judge(
    *stds, losses=FLAT, function="relu", kind="Linear", normalised=False, first=0, facts=CLASSES, mean=0.0, units=50
):
    """Judge a run of layers of 100 inputs with these stds and mean, each before a function, and an output layer."""
    layers, parameters = [], []
    for i in range(len(stds)):
        layers += [LayerEntry(name=f"{i}", type=kind)]
        layers += [LayerEntry(name=f"{i}.norm", type="BatchNorm1d")] if normalised else []
        fed_by = f"{i}.norm" if normalised else f"{i}"
        layers += [LayerEntry(name=f"{fed_by}/{function}", type=function, activation=function, fed_by=fed_by)]
        parameters += [ParameterEntry(name=f"{i}.weight", shape=[units, 100 if units > 1 else 1], layer=f"{i}")]
    layers += [LayerEntry(name="out", type="Linear")]
    parameters += [ParameterEntry(name="out.weight", shape=[10, 100], layer="out")]
    samples = {first: {"weight_std": [*stds, 100.0], "weight_mean": [*(mean for _ in stds), 0.0]}}
    return check_rule(
        UnsuitedInitialization, make_run(losses, layers=layers, parameters=parameters, samples=samples, facts=facts)
    )


def test_fires_for_weights_that_are_too_large():
    """W = 1.0 randn with 100 inputs is seven times He, and the first loss shows it."""
    (found,) = judge(1.0, 1.0, losses=[100 * loss for loss in FALLING])
    assert found.severity is Severity.WARNING
    assert found.message == (
        "0.weight starts with a std of 1, 7.1 times too large before relu (2 weights are too large); "
        "train_loss begins at 230, where guessing gives 2.3."
    )
    assert found.recommendations[0].recipe == "he-initialization"
    assert "from std 1 to 0.14" in found.recommendations[0].action


def test_fires_for_weights_that_are_too_small():
    """W = 0.01 randn before tanh, and a loss that stands."""
    (found,) = judge(0.01, 0.01, function="tanh")
    assert found.message.startswith("0.weight starts with a std of 0.01, 10 times too small before tanh")
    assert found.recommendations[0].recipe == "xavier-initialization"


@pytest.mark.parametrize(("function", "suited"), [("relu", HE), ("gelu", HE), ("tanh", XAVIER), ("sigmoid", XAVIER)])
def test_a_tenth_of_the_suited_size_counts_and_more_does_not(function, suited):
    """He for ReLU and its like, Xavier for the bounded functions."""
    assert judge(0.099 * suited, function=function)
    assert judge(0.101 * suited, function=function) == ()


def test_four_times_the_suited_size_counts_and_less_does_not():
    """Before unbounded functions; too large weights before tanh saturate it, which another rule sees."""
    assert judge(4.01 * HE)
    assert judge(3.99 * HE) == ()
    assert judge(40 * XAVIER, function="tanh") == ()


def test_a_mean_adds_up_over_the_inputs():
    """Of 100 inputs each one in every element counts ten times as much as a spread of one, which cancels."""
    (found,) = judge(0.0, losses=[10 * loss for loss in FLAT], mean=1.0)
    assert found.message.startswith("0.weight starts at 1 in every element, 71 times too large before relu;")
    assert found.evidence[0].signal == "weight_mean"
    assert judge(HE, losses=[10 * loss for loss in FLAT], mean=0.4 * HE)
    assert judge(HE, losses=[10 * loss for loss in FLAT], mean=0.35 * HE) == ()


def test_the_mean_of_a_draw_around_zero_does_not_count():
    """It is about the std over the root of the number of elements: 50 units of 100 inputs."""
    assert judge(HE, losses=[10 * loss for loss in FLAT], mean=HE / math.sqrt(5000)) == ()


# --- when it is wrong ---


def test_torchs_default_is_not_unsuited():
    """kaiming_uniform with a = sqrt(5): a std of 1 / sqrt(3 fan_in), 0.41 of He."""
    assert judge(1 / math.sqrt(300), 1 / math.sqrt(300)) == ()


def test_silent_where_the_loss_begins_and_falls_as_it_should():
    """Then any size is good."""
    assert judge(1.0, 1.0, losses=FALLING) == ()
    assert judge(1e-3, 1e-3, losses=FALLING) == ()


def test_weights_that_are_not_judged():
    """Before normalisation, recurrent, exactly zero; and the output layer of 100.0 never counts."""
    assert judge(1.0, normalised=True) == ()
    assert judge(1.0, kind="LSTM") == ()
    assert judge(0.0) == ()
    assert judge(HE) == ()
    assert judge(0.001)
    assert judge(0.001, units=1) == ()  # one element, which any draw may give


def test_a_log_that_begins_later_is_not_checked():
    """How the weights were drawn was not seen."""
    assert isinstance(judge(1.0, first=5), NotChecked)


def test_small_weights_that_only_take_their_time():
    """A shallow net starts late from tiny weights, and gets there."""
    assert judge(0.001, losses=[2.3] * 50 + [1.7] * 150) == ()
    assert judge(1.0, losses=[2.3] * 50 + [1.7] * 150)


@pytest.mark.parametrize("shape", [[100, 50], [50, 100]])
def test_the_matrix_of_a_layer_of_ones_own_counts_either_way_round(shape):
    """`x @ W` holds inputs first, `F.linear(x, W)` outputs first: the axis that is as long as the outputs is theirs."""
    (found,) = judge_own(ParameterEntry(name="own.W", shape=shape, layer="own"))
    assert found.message.startswith("own.W starts with a std of 1, 7.1 times too large before relu")


def test_layers_of_ones_own_with_other_weights_are_not_judged():
    """Several matrices, a table, a vector of scales, a matrix that has no axis of outputs."""
    matrix = ParameterEntry(name="own.W", shape=[100, 50], layer="own")
    assert judge_own(matrix, ParameterEntry(name="own.U", shape=[50, 50], layer="own")) == ()
    assert judge_own(matrix, kind="Embedding") == ()
    assert judge_own(ParameterEntry(name="own.scale", shape=[50], layer="own")) == ()
    assert judge_own(ParameterEntry(name="own.W", shape=[100, 70], layer="own")) == ()


def judge_own(*parameters, kind="Dense"):
    """Judge a layer of 50 outputs before a ReLU, all of whose parameters have std 1, under a first loss of 230."""
    layers = [
        LayerEntry(name="own", type=kind, unit_axis=-1, units=50),
        LayerEntry(name="own/relu", type="relu", activation="relu", fed_by="own"),
    ]
    samples = {0: {"weight_std": [1.0] * len(parameters), "weight_mean": [0.0] * len(parameters)}}
    losses = [100 * loss for loss in FALLING]
    run = make_run(losses, layers=layers, parameters=list(parameters), samples=samples, facts=CLASSES)
    return check_rule(UnsuitedInitialization, run)
