"""IN01: fires where the signal fades with depth at the start and the loss does not get going, and not otherwise."""

import math

import numpy as np
import pytest

from trainhealth.findings import NotChecked, Severity
from trainhealth.records import LayerEntry, OptimizerInfo, ParameterEntry, RunInfo
from trainhealth.rules.initialization.vanishing_activations import VanishingActivations
from trainhealth.testing import check_rule, make_run

TANH_001 = [0.213, 0.0476, 0.0106, 0.00238, 0.000532, 0.000119, 2.6e-5, 6e-6, 1e-6]  # lecture Tr1: W = 0.01 randn
TANH_XAVIER = [0.628, 0.486, 0.408, 0.357, 0.321, 0.292, 0.273, 0.255, 0.239, 0.228]
RELU_XAVIER = [0.582, 0.404, 0.277, 0.199, 0.140, 0.103, 0.0727, 0.0516, 0.0386, 0.0261]
RELU_HE = [0.825, 0.828, 0.814, 0.827, 0.834, 0.860, 0.871, 0.889, 0.845, 0.845]
FALLING = (2.2 * np.exp(-np.arange(300) / 40) + 0.1).tolist()
STUCK = [2.3] * 300


def net(stds, function="tanh", norm=None):
    """A chain of linear layers (of 100 inputs) and functions, with a normalisation layer in front of each function."""
    layers, column = [], []
    for i, std in enumerate(stds):
        layers += [LayerEntry(name=f"{i}", type="Linear")]
        layers += [LayerEntry(name=f"{i}.norm", type=norm)] if norm else []
        layers += [LayerEntry(name=f"{i}/{function}", type=function, activation=function, fed_by=f"{i}")]
        column += [*[1.0] * (2 if norm else 1), std]
    return [*layers, LayerEntry(name="out", type="Linear")], [*column, 1.0]


def judge(losses, stds, gradient=1e-5, function="tanh", norm=None, ratio=1e-3, learning_rate=0.1, **run):
    layers, column = net(stds, function, norm)
    parameters = [ParameterEntry(name=f"{i}.weight", shape=[100, 100]) for i in range(len(stds))]
    of_each = {"parameter_norm": 1.0, "parameter_gradient_norm": gradient, "update_ratio": ratio}
    sample = {"activation_std": column} | {name: [value] * len(stds) for name, value in of_each.items()}
    view = make_run(
        losses,
        layers=layers,
        parameters=parameters,
        samples={0: sample, 128: sample},
        learning_rate=learning_rate,
        **run,
    )
    return check_rule(VanishingActivations, view)


def fired(*args, **run):
    (found,) = judge(*args, **run)
    return found


def test_fires_for_the_lectures_tanh_net():
    """Ten layers at W = 0.01 randn, and a loss that stands: critical, with the std of every layer."""
    found = fired(STUCK, TANH_001)
    assert found.severity is Severity.CRITICAL
    assert (found.first_step, found.place) == (0, "0/tanh")
    assert found.message.startswith(
        "At step 0 the signal fades over 9 tanh layers: its std falls from 0.213 (0/tanh) to 1e-06 (8/tanh)"
    )
    assert [piece.observed for piece in found.evidence] == pytest.approx(TANH_001)


def test_a_mild_fall_counts_where_the_gradient_is_small():
    """ReLU with Xavier: 22 times in ten layers; it matters if the gradients show it and the loss stands."""
    assert fired(STUCK, RELU_XAVIER, function="relu", gradient=2.9e-3).severity is Severity.WARNING
    assert judge(STUCK, RELU_XAVIER, function="relu", gradient=3.1e-3) == ()
    assert judge(STUCK, [0.5, 0.3, 0.2, 0.11]) == ()  # 4.5 times


def test_a_strong_fall_counts_at_a_poor_loss():
    """At 0.6 of its start after 200 steps a warning; at 0.58, or earlier, nothing."""
    losses = [*np.linspace(2.3, 1.4, 100), *[1.4] * 100]
    assert fired(losses, TANH_001).severity is Severity.WARNING
    assert judge([*losses[:-100], *[1.33] * 100], TANH_001) == ()
    assert judge(losses[:-1], TANH_001) == ()


def test_a_start_that_training_has_healed_is_a_note():
    """The loss was flat for a third of the run and then fell."""
    found = fired([2.3] * 120 + FALLING[:200], TANH_001)
    assert found.severity is Severity.NOTE
    assert "training has healed it" in found.message


def test_silent_where_the_loss_falls_at_once():
    """An initialisation that training overcomes in no time needs no repair."""
    assert judge(FALLING, TANH_001) == ()
    assert judge(FALLING, RELU_XAVIER, function="relu") == ()


def test_waits_for_a_hundred_steps():
    """Every loss stands for a while."""
    assert judge(STUCK[:99], TANH_001) == ()
    assert judge(STUCK[:100], TANH_001)


def test_not_checked_where_the_start_was_not_seen():
    """A log that begins at step 500 shows trained weights."""
    layers, column = net(TANH_001)
    run = make_run(STUCK, steps=range(500, 800), layers=layers, samples={500: {"activation_std": column}})
    assert isinstance(check_rule(VanishingActivations, run), NotChecked)


# --- when it is wrong ---


@pytest.mark.parametrize(("stds", "function"), [(TANH_XAVIER, "tanh"), (RELU_HE, "relu")])
def test_silent_on_the_right_initialisation(stds, function):
    """Xavier for tanh, He for ReLU, even where the loss stands for another reason."""
    assert judge(STUCK, stds, function=function) == ()


@pytest.mark.parametrize("norm", ["BatchNorm1d", "LayerNorm", "GroupNorm", "RMSNorm"])
def test_normalisation_sets_the_signal_anew(norm):
    """Behind a normalisation layer there is no chain."""
    assert judge(STUCK, TANH_001, norm=norm) == ()


def test_silent_where_the_rate_is_too_low():
    """A mild fall, and weights that stand still because of a rate of 1e-7: raising it is the cure."""
    info = RunInfo(optimizers=[OptimizerInfo(name="", type="Adam")])
    assert judge(STUCK, RELU_XAVIER, function="relu", ratio=1e-5, learning_rate=1e-7, info=info) == ()
    assert judge(STUCK, RELU_XAVIER, function="relu", ratio=1e-3, learning_rate=1e-3, info=info)


def test_silent_where_one_layer_is_dead():
    """From normal to nothing at a blow is no geometric fall: units died."""
    assert judge(STUCK, [0.5, 0.5, 0.5, 0.0, 0.0], function="relu") == ()


def test_silent_on_two_layers():
    """Three functions are the fewest that show a fall with depth."""
    assert judge(STUCK, [0.2, 0.001]) == ()
    assert judge(STUCK, [0.2, 0.01, 0.0005])


# --- the advice ---


def test_the_advice_fits_the_function_and_says_how_large_the_weights_should_be():
    """Xavier for tanh, He for ReLU; 100 x 100 weights of norm 1 have a std of 0.01."""
    advice = fired(STUCK, TANH_001).recommendations[0]
    assert advice.recipe == "xavier-initialization"
    assert advice.because == "Layer 8 has weights of std 0.01; for 100 inputs 0.1 is right."
    assert fired(STUCK, RELU_XAVIER, function="relu").recommendations[0].recipe == "he-initialization"


def test_xavier_is_not_enough_for_a_sigmoid():
    """Its slope is a quarter: another function comes first, and the weights must be four times as large."""
    first, second, _ = fired(STUCK, TANH_001, function="sigmoid").recommendations
    assert first.recipe == "relu-instead-of-sigmoid"
    assert "4/sqrt(fan_in)" in second.action
    assert "0.4 is right" in second.because


def test_biases_hide_the_fading_only_from_a_log_without_example_std():
    """Biases that differ between units keep activation_std up; what depends on the examples fades all the same."""
    layers, fading = net(TANH_001)
    kept_up = [0.05] * len(fading)
    old = make_run(STUCK, layers=layers, samples={0: {"activation_std": kept_up}})
    assert check_rule(VanishingActivations, old) == ()
    new = make_run(STUCK, layers=layers, samples={0: {"activation_std": kept_up, "example_std": fading}})
    (found,) = check_rule(VanishingActivations, new)
    assert {piece.signal for piece in found.evidence} == {"example_std"}
    assert "1e-06 (8/tanh)" in found.message


def test_a_loss_that_jumped_has_another_illness():
    """A rate that is too high has blown the net up: a signal that fades moves nothing that far."""
    assert fired([2.3, 6.8, *[2.3] * 298], TANH_001)
    assert judge([2.3, 7.0, *[2.3] * 298], TANH_001) == ()
    assert judge([*[2.3] * 290, *[math.nan] * 10], TANH_001) == ()


def test_only_the_gradient_before_the_first_update_counts():
    """Later ones are what training has made of the net."""
    layers, column = net(RELU_XAVIER, "relu")
    parameters = [ParameterEntry(name=f"{i}.weight", shape=[100, 100]) for i in range(10)]
    samples = {}
    for step, gradient in ((0, 0.1), (1, 1e-5), (8, 1e-5), (128, 1e-5)):
        of_each = {"parameter_norm": 1.0, "parameter_gradient_norm": gradient, "update_ratio": 1e-3}
        samples[step] = {"activation_std": column} | {name: [value] * 10 for name, value in of_each.items()}
    view = make_run(STUCK, layers=layers, parameters=parameters, samples=samples, learning_rate=0.1)
    assert check_rule(VanishingActivations, view) == ()
