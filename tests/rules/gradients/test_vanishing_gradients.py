"""GR01: fires where the first layers get a thousandth of the gradient and the loss is poor."""

import numpy as np
import pytest

from trainhealth.findings import NotChecked, Severity
from trainhealth.records import LayerEntry, ParameterEntry
from trainhealth.rules.gradients.vanishing_gradients import VanishingGradients
from trainhealth.testing import check_rule, make_run

FLAT = [2.3] * 200
FALLING = [2.3 * 0.98**step for step in range(200)]
STEPS = (0, 1, 2, 4, 8, 16, 32, 64, 128)


def judge(gradients, losses=FLAT, norms=None, steps=STEPS, order=None, kinds=None):
    """Judge a run of hidden weights with these gradient norms, declared in this order and executed in `order`.

    An output layer with a gradient of a thousand, which is not to count, follows.
    """
    gradients, norms = [*gradients, 1e3], [*(norms or [8.0] * len(gradients)), 8.0]
    names = [str(i) for i in range(len(gradients))]
    parameters = [ParameterEntry(name=f"{name}.weight", shape=[64, 64], layer=name) for name in names]
    executed = [names[i] for i in [*order, len(order)]] if order else names
    layers = [LayerEntry(name=name, type=(kinds or {}).get(name, "Linear")) for name in executed]
    column = {"parameter_gradient_norm": list(gradients), "parameter_norm": norms}
    run = make_run(losses, parameters=parameters, layers=layers, samples=dict.fromkeys(steps, column))
    return check_rule(VanishingGradients, run)


def down_to(ratio, count=6):
    """Gradients that fall by `ratio` from the last weight to the first."""
    return list(np.geomspace(ratio, 1.0, count))


def test_fires_where_the_gradient_fades_and_the_loss_stands():
    """Six layers, each passing a tenth: medians of two and two are four orders apart."""
    (found,) = judge(down_to(1e-5))
    assert found.severity is Severity.WARNING
    assert found.message.startswith(
        "The first layers (0.weight …) get 0.0001 of the gradient of the last ones (… 5.weight), each relative to its "
        "weights; train_loss began at 2.3"
    )
    assert len(found.evidence) == 6
    assert found.first_step == 0


def test_a_thousandth_counts_and_more_does_not():
    """The limit is on the ratio of the first third to the last."""
    assert judge([0.99e-3] * 2 + [1.0] * 4)
    assert judge([1.01e-3] * 2 + [1.0] * 4) == ()


def test_gradients_of_zero_have_vanished():
    """In float32 a product of many small factors ends so."""
    (found,) = judge([0.0, 0.0, 1e-4, 1e-2, 1.0, 1.0])
    assert "get nothing of the gradient" in found.message


def test_order_is_that_of_execution():
    """Layers may be declared in any order."""
    assert judge(down_to(1e-5)[::-1]) == ()
    assert judge(down_to(1e-5)[::-1], order=[5, 4, 3, 2, 1, 0])


def test_the_scale_of_loss_and_weights_cancels():
    """A summed loss, and weights that are larger in the same proportion."""
    assert judge([1e3 * g for g in down_to(1e-5)])
    assert judge([1e-4, 1e-4, 1.0, 1.0, 1.0, 1.0], norms=[1e-3, 1e-3, 8, 8, 8, 8]) == ()


def test_waits_for_five_samples():
    """One batch says little."""
    assert judge(down_to(1e-5), steps=STEPS[:5])
    assert judge(down_to(1e-5), steps=STEPS[:4]) == ()


# --- when it is wrong ---


def test_silent_at_a_loss_that_falls():
    """An adaptive optimizer makes up for small gradients."""
    assert judge(down_to(1e-5), losses=FALLING) == ()


def test_embeddings_do_not_count():
    """Few of their rows are looked up in a batch."""
    assert judge([1e-6, 1e-6, 1.0, 1.0, 1.0, 1.0, 1.0], kinds={"0": "Embedding", "1": "Embedding"}) == ()


@pytest.mark.parametrize("count", [1, 3])
def test_a_shallow_net_has_no_depth_to_vanish_over(count):
    """Fewer than four weights are not checked."""
    assert isinstance(judge(down_to(1e-5, count)), NotChecked)


def test_a_loss_that_exploded_is_another_illness():
    """What gradients are in a wreck says nothing."""
    assert judge(down_to(1e-5), losses=[2.3] * 50 + [400.0] * 150) == ()


# --- over time ---


def judge_recurrent(gain, losses=FLAT):
    parameters = [ParameterEntry(name="rnn.weight_hh_l0", shape=[16, 16], layer="rnn")]
    column = {"recurrent_gain": [gain], "parameter_gradient_norm": [1.0], "parameter_norm": [4.0]}
    samples = dict.fromkeys(STEPS, column)
    run = make_run(losses, parameters=parameters, layers=[LayerEntry(name="rnn", type="RNN")], samples=samples)
    return check_rule(VanishingGradients, run)


@pytest.mark.parametrize(("gain", "losses", "fires"), [(-7.0, FLAT, True), (-5.0, FLAT, False), (-7.0, FALLING, False)])
def test_fires_along_a_sequence_where_nothing_is_learnt(gain, losses, fires):
    """A millionth of the gradient at the sequence's beginning; a net that learns needs no long memory."""
    found = judge_recurrent(gain, losses)
    assert (isinstance(found, tuple) and len(found) == 1) is fires
    if fires:
        assert found[0].place == "rnn"
        assert found[0].recommendations[0].recipe == "gated-recurrence"
