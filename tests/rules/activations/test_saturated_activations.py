"""AC02: fires where hidden sigmoids or tanhs are in their flat part from the start, or driven there at a poor loss."""

import numpy as np
import pytest

from trainhealth.findings import NotChecked, Severity
from trainhealth.records import LayerEntry
from trainhealth.rules.activations.saturated_activations import SaturatedActivations
from trainhealth.testing import check_rule, make_run

FALLING = (2.2 * np.exp(-np.arange(300) / 40) + 0.05).tolist()
STUCK = [2.3] * 300
SAMPLED = (0, 1, 2, 4, 8, 16, 32, 64, 128, 256)


def layer(name):
    return LayerEntry(name=name, type="Linear")


def function(name, kind="tanh"):
    return LayerEntry(name=f"{name}/{kind}", type=kind, activation=kind, fed_by=name)


LAYERS = [layer("0"), function("0"), layer("2"), function("2"), layer("4")]


def judge(losses, *shares, layers=LAYERS, **run):
    """Judge a run whose tanhs had these shares: a number, or one a sampled step."""
    tracks = [[share] * len(SAMPLED) if isinstance(share, float) else share for share in shares]
    waiting = {i: iter(tracks[k]) for k, i in enumerate(i for i, entry in enumerate(layers) if entry.activation)}
    samples = {
        step: {"saturated_fraction": [next(waiting[i]) if i in waiting else None for i in range(len(layers))]}
        for step, _ in zip(SAMPLED, tracks[0], strict=False)
    }
    return check_rule(SaturatedActivations, make_run(losses, layers=layers, samples=samples, **run))


def fired(*args, **run):
    (found,) = judge(*args, **run)
    return found


def rising(to):
    return [0.0, 0.1, 0.2, 0.5, *[to] * 6]


# --- from the start ---


def test_fires_where_half_of_the_outputs_are_saturated_from_the_start():
    """Weights of 1.0 x randn: a warning even if the last layer learns, critical if nothing does."""
    found = fired(FALLING, 0.5, 0.9)
    assert found.severity is Severity.WARNING
    assert found.first_step == 0
    assert found.message == (
        "Saturated from the start: 2 of 2 hidden sigmoid and tanh layers. 90 % of the outputs of 2/tanh lie in its "
        "flat part."
    )
    assert fired(STUCK, 0.9, 0.9).severity is Severity.CRITICAL
    assert judge(FALLING, 0.49, 0.49) == ()


@pytest.mark.parametrize(
    ("shares", "fires"), [((0.75, 0.0), False), ((0.81, 0.0), True), ((0.55, 0.5), False), ((0.6, 0.55), True)]
)
def test_one_layer_that_lets_a_quarter_through_is_silent(shares, fires):
    """Raw inputs saturate the first layer of nets that learn as well as with scaled ones; several layers add up."""
    assert bool(judge(STUCK, *shares)) is fires


def test_a_start_that_heals_is_silent():
    """The first batch was saturated, the last three are not."""
    assert judge(STUCK, [0.9, 0.9, 0.8, 0.6, *[0.1] * 6], 0.0) == ()


def test_a_log_that_begins_later_does_not_show_the_start():
    """A resumed run's first sample is not the initialisation."""
    samples = {step: {"saturated_fraction": [None, 0.9, None, 0.9, None]} for step in (500, 600, 700)}
    run = make_run(FALLING, steps=range(500, 800), layers=LAYERS, samples=samples)
    assert check_rule(SaturatedActivations, run) == ()


# --- by training ---


def test_fires_where_training_drove_them_there_and_the_loss_is_poor():
    """From 0 to eight tenths, at a loss that stands; it began where the share stayed above the limit."""
    found = fired(STUCK, rising(0.8), 0.0)
    assert found.severity is Severity.CRITICAL
    assert found.first_step == 8
    assert found.message.startswith("Driven into saturation: 1 of 2 hidden sigmoid and tanh layers. 80 %")
    assert judge(STUCK, rising(0.79), 0.0) == ()


def test_silent_on_a_confident_net():
    """Trained nets saturate their hidden units, too: at a small loss that is health."""
    assert judge(FALLING, rising(0.97), rising(0.97)) == ()


def test_the_median_of_three_samples_counts():
    """One unusual batch neither makes nor hides a finding."""
    assert judge(STUCK, [0.0] * 9 + [0.95], 0.0) == ()
    assert judge(STUCK, [0.0, 0.1, 0.2, 0.5, 0.9, 0.9, 0.9, 0.9, 0.1, 0.9], 0.0)


def test_one_finding_for_each_history():
    """Saturated from the start and driven there are two illnesses."""
    born, driven = judge(STUCK, 0.9, rising(0.95))
    assert (born.place, driven.place) == ("0/tanh", "2/tanh")


# --- not yet, or nothing to saturate ---


def test_not_checked_before_three_samples():
    """Silence would be read as health."""
    assert isinstance(judge(STUCK, [0.9, 0.9], [0.9, 0.9]), NotChecked)


def test_silent_for_a_model_without_bounded_functions():
    """ReLUs do not saturate."""
    run = make_run(
        STUCK, layers=[layer("0"), function("0", "relu"), layer("2")], samples={0: {"activation_std": [1.0] * 3}}
    )
    assert check_rule(SaturatedActivations, run) == ()


# --- when it is wrong ---


@pytest.mark.parametrize("kind", ["sigmoid", "tanh"])
def test_silent_on_the_output(kind):
    """A classifier's sigmoid and a policy's tanh stand after the last layer and may rightly be at a bound."""
    layers = [layer("0"), function("0", "relu"), layer("2"), function("2", kind)]
    samples = {step: {"saturated_fraction": [None, None, None, 0.99]} for step in SAMPLED}
    assert check_rule(SaturatedActivations, make_run(STUCK, layers=layers, samples=samples)) == ()


# --- the advice ---


def recipes(found):
    return [advice.recipe for advice in found.recommendations]


def test_unscaled_inputs_are_the_first_suspect_at_the_start():
    """Sums over inputs around 200 leave the steep part at once."""
    unscaled = {0: {"input_mean": 70.0, "input_std": 200.0}}
    assert recipes(fired(STUCK, 0.9, 0.0, batch=unscaled))[0] == "standardize-inputs"
    assert recipes(fired(STUCK, 0.9, 0.0)) == ["xavier-initialization", "batch-normalization"]


def test_unscaled_targets_are_the_first_suspect_later():
    """Units are driven to their bounds to reach targets around 150."""
    facts = {"target_mean_square": 22500.0}
    assert recipes(fired(STUCK, rising(0.9), 0.0, facts=facts))[0] == "scale-targets"
    assert recipes(fired(STUCK, rising(0.9), 0.0)) == ["lower-learning-rate", "relu-instead-of-sigmoid"]
