"""GE09: fires where a penalty has shrunk the weights of a model that stays poor, and on nothing less."""

import math

import numpy as np
import pytest

from trainhealth.findings import NotChecked
from trainhealth.records import OptimizerInfo, ParameterEntry, RunInfo
from trainhealth.rules.generalization.over_regularised import OverRegularised
from trainhealth.testing import check_rule, make_run

TEN = {"loss_function": "cross_entropy", "loss_reduction": "mean", "classes": 10, "target_shape": [64]}
CHANCE = math.log(10)
PARAMETERS = [ParameterEntry(name="weight", shape=[10, 64]), ParameterEntry(name="bias", shape=[10])]


def judge(share=0.95, validation=None, norms=(8.0, 4.0, 1.0), decay=0.1, bias=5.0, info=None, **run):
    """A run whose train_loss ends at `share` of guessing, and whose weight's norm takes the values `norms`."""
    losses = share * CHANCE + np.random.default_rng(0).normal(0, 0.02, 600)
    groups = [{"lr": 0.1, "weight_decay": 0.0}, {"lr": 0.1, "weight_decay": decay}]
    info = info or RunInfo(optimizers=[OptimizerInfo(name="", type="SGD", groups=groups)])
    samples = {200 * i: {"parameter_norm": [norm, bias]} for i, norm in enumerate(norms)}
    epochs = [{"validation_loss": (share if validation is None else validation) * CHANCE}] * 10
    facts = run.pop("facts", TEN)
    return check_rule(
        OverRegularised,
        make_run(
            losses.tolist(), info=info, facts=facts, parameters=PARAMETERS, samples=samples, **{"epochs": epochs, **run}
        ),
    )


def test_fires_on_weights_that_a_decay_has_shrunk():
    """A norm of 8 down to 1 at a decay of 0.1, and a loss near guessing; the advice is a hundredth."""
    (found,) = judge()
    assert found.message.startswith("weight_decay is 0.1: the weights have shrunk from a norm of 8 to 1")
    assert found.recommendations[0].change.to == pytest.approx(0.001)


@pytest.mark.parametrize(("last", "fires"), [(3.9, True), (4.1, False)])
def test_fires_below_half_of_the_first_norm(last, fires):
    """Just below and just above."""
    assert bool(judge(norms=(8.0, 6.0, last))) is fires


@pytest.mark.parametrize(("decay", "fires"), [(1e-3, True), (5e-4, False)])
def test_fires_from_a_decay_of_a_thousandth(decay, fires):
    """The usual 5e-4 does not shrink weights by half."""
    assert bool(judge(decay=decay)) is fires


def test_waits_for_three_samples():
    """Two may be the first two steps."""
    assert judge(norms=(8.0, 1.0)) == ()


RIGHT = {"validation_loss": 0.4 * CHANCE, "validation_accuracy": 0.95}


@pytest.mark.parametrize(("last", "fires"), [(2.2, True), (2.1, False)])
def test_fires_on_a_decay_that_holds_the_loss_up_whatever_the_accuracy_is(last, fires):
    """At 0.4 of guessing, 0.92: a decay of 0.1 on a norm of 2.2 pulls with 0.48, more than half of that."""
    assert bool(judge(share=0.4, norms=(8.0, 4.0, last), epochs=[RIGHT] * 10)) is fires


@pytest.mark.parametrize(
    ("share", "gap", "optimizer"),
    [
        (0.26, 1.0, "SGD"),  # a decay as large served validation well in trainings of ours
        (0.4, 1.3, "SGD"),  # it has a gap to close
        (0.4, math.nan, "SGD"),  # nobody knows whether it has
        (0.4, 1.0, "AdamW"),  # its decay is no part of the gradient: there is no such balance
    ],
)
def test_silent_where_a_decay_that_pulls_may_serve(share, gap, optimizer):
    """A low training loss, a gap to validation, or a decay beside the loss."""
    info = RunInfo(optimizers=[OptimizerInfo(name="", type=optimizer, groups=[{"weight_decay": 0.1}])])
    epoch = RIGHT | {"validation_loss": gap * share * CHANCE} if gap == gap else {"train_accuracy": 0.95}
    assert judge(share=share, norms=(8.0, 4.0, 3.0), info=info, epochs=[epoch] * 10) == ()


# --- a penalty in the loss ---


def penalized(level=1.0, samples=10, decay=0.0, **run):
    """A run whose loss is mostly penalty, with a data_loss that ends at `level` of guessing."""
    data = {60 * i: {"data_loss": CHANCE * (1 + (level - 1) * i / (samples - 1))} for i in range(samples)}
    facts = TEN | {"loss_composed": True, "penalized": True}
    return judge(share=9.0, validation=level, decay=decay, facts=facts, batch=data, **run)


def test_fires_on_weights_that_a_penalty_in_the_loss_has_shrunk():
    """What the loss function alone says is near guessing, whatever the sum is."""
    (found,) = penalized()
    assert found.message.startswith("The loss holds a penalty on parameters: the weights have shrunk from a norm of 8")
    assert "data_loss ends at 2.3" in found.message
    assert found.recommendations[0].recipe == "l1-l2-elastic-net"


def test_a_penalty_with_which_the_task_is_learnt_is_silent():
    """Weights shrink, and the data are fitted; or still improving, well below guessing."""
    assert penalized(level=0.1) == ()
    assert penalized(level=0.8) == ()


def test_a_penalty_that_leaves_the_weights_alone_is_silent():
    """A poor fit has another cause then."""
    assert penalized(norms=(8.0, 8.1, 8.2)) == ()


def test_a_penalty_without_the_loss_of_the_data_is_not_checked():
    """Outputs and targets were not passed, or too few steps were sampled."""
    assert isinstance(penalized(samples=4), NotChecked)


# --- when it is wrong ---


def test_silent_where_the_model_learns_with_small_weights():
    """Before a normalisation the size of weights does not matter."""
    assert judge(share=0.3) == ()


def test_silent_where_the_accuracy_is_good():
    """Weights that small make a model unsure; it may be right all the same."""
    assert judge(share=0.7, epochs=[{"validation_loss": 1.6, "validation_accuracy": 0.9}] * 10) == ()


def test_silent_on_overfitting():
    """Validation is a fifth worse than training: the penalty is not too strong."""
    assert judge(share=0.6, validation=0.75) == ()


def test_silent_while_it_improves():
    """By a tenth over the last half."""
    losses = np.linspace(1.1, 0.85, 600) * CHANCE
    info = RunInfo(optimizers=[OptimizerInfo(name="", type="SGD", groups=[{"weight_decay": 0.1}])])
    samples = {200 * i: {"parameter_norm": [8.0 / 4**i, 1.0]} for i in range(3)}
    run = make_run(losses.tolist(), info=info, facts=TEN, parameters=PARAMETERS, samples=samples)
    assert check_rule(OverRegularised, run) == ()


def test_biases_do_not_count():
    """They begin at zero and may do what they like."""
    assert judge(norms=(8.0, 8.0, 8.0), bias=0.0) == ()


@pytest.mark.parametrize("run", [{"facts": TEN | {"loss_composed": True}}, {"info": RunInfo()}])
def test_not_checked_without_settings_or_a_known_loss(run):
    """A penalty inside the loss hides what a poor loss is; a log without optimizers hides the decay."""
    assert isinstance(judge(**run), NotChecked)


@pytest.mark.parametrize(("last", "fires"), [(0.07, True), (0.09, False)])
def test_weights_that_are_gone_excuse_a_gap(last, fires):
    """Below a hundredth of the first norm nothing is left that could overfit, whatever the splits' levels are."""
    assert bool(judge(norms=(8.0, 2.0, last), validation=1.2)) is fires
