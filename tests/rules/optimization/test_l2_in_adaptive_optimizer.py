"""OP08: a note about weight decay that an adaptive optimizer divides out again, and silence about any other."""

import pytest

from trainhealth.findings import Confidence, NotChecked, Severity
from trainhealth.records import OptimizerInfo, ParameterEntry, RunInfo
from trainhealth.rules.optimization.l2_in_adaptive_optimizer import L2InAdaptiveOptimizer
from trainhealth.testing import check_rule, make_run

SIZES = (30.0, 1.0, 1.0, 0.01)  # of gradients, from the first sample to the last


def judge(*optimizers, losses=(2.3, 1.0)):
    infos = [OptimizerInfo(name="", type=kind, groups=[group]) for kind, group in optimizers]
    return check_rule(L2InAdaptiveOptimizer, make_run(list(losses), info=RunInfo(optimizers=infos)))


@pytest.mark.parametrize("kind", ["Adam", "Adamax", "NAdam", "RAdam", "RMSprop", "Adagrad", "Adadelta"])
def test_a_note_for_every_optimizer_that_adds_the_decay_to_the_gradient(kind):
    """The settings say it all: certain, and never more than a note."""
    (found,) = judge((kind, {"weight_decay": 1e-4}))
    assert (found.severity, found.confidence) == (Severity.NOTE, Confidence.CERTAIN)
    assert found.message.startswith(f"{kind} has weight_decay=0.0001")
    assert found.recommendations[0].change.to == "AdamW"


@pytest.mark.parametrize("kind", ["AdamW", "SGD", "Lion", "MyAdam"])
def test_silent_where_the_decay_is_apart_from_the_gradient_or_unknown(kind):
    """AdamW decays the weights themselves, in SGD the two are the same, and other classes are not known."""
    assert judge((kind, {"weight_decay": 0.1})) == ()


def test_silent_on_no_decay_and_on_one_without_effect():
    """At 1e-6 it counts, below it doesn't."""
    assert judge(("Adam", {"weight_decay": 0})) == ()
    assert judge(("Adam", {})) == ()
    assert judge(("Adam", {"weight_decay": 9e-7})) == ()
    assert judge(("Adam", {"weight_decay": 1e-6}))


@pytest.mark.parametrize(("decay", "fires"), [(0.011, True), (0.009, False)])
def test_silent_where_the_penalty_is_small_beside_the_gradient(decay, fires):
    """Weights of norm 10 and gradients of norm 1, in half of the samples or more: a tenth at a decay of 0.01."""
    rows = {
        5 * i: {"parameter_norm": [8.0, 6.0], "parameter_gradient_norm": [size, 0.0]} for i, size in enumerate(SIZES)
    }
    adam = OptimizerInfo(name="", type="Adam", groups=[{"weight_decay": decay}])
    weights = [ParameterEntry(name=name, shape=[4, 4]) for name in "ab"]
    run = make_run([2.3] * 20, info=RunInfo(optimizers=[adam]), samples=rows, parameters=weights)
    assert bool(check_rule(L2InAdaptiveOptimizer, run)) is fires


def test_silent_where_torch_keeps_the_two_apart():
    """Adam, NAdam and RAdam have an option for it."""
    assert judge(("NAdam", {"weight_decay": 0.01, "decoupled_weight_decay": True})) == ()


def test_two_such_optimizers_are_one_note():
    """A generator and a discriminator that are set alike need no second one."""
    assert len(judge(("Adam", {"weight_decay": 1e-4}), ("Adam", {"weight_decay": 1e-4}))) == 1


def test_an_unknown_optimizer_is_not_checked():
    """A log of a loss alone does not tell."""
    assert isinstance(judge(), NotChecked)
