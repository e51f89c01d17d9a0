"""AC04: fires where all inputs give the same output, at the loss of a constant."""

import math

import numpy as np
import pytest

from trainhealth.findings import NotChecked
from trainhealth.rules.activations.collapsed_outputs import CollapsedOutputs
from trainhealth.testing import check_rule, make_run

CLASSES = {"loss_function": "cross_entropy", "loss_reduction": "mean", "classes": 10}
NUMBERS = {"loss_function": "mse", "loss_reduction": "mean", "target_mean_square": 4.0, "target_std": 2.0}


def judge(spread, level=2.3, facts=CLASSES, steps=100, **batch):
    samples = {step: {"output_example_std": spread, **batch} for step in (0, 8, 16, 32, 64)}
    return check_rule(CollapsedOutputs, make_run([level] * steps, batch=samples, facts=facts))


def test_fires_on_equal_scores_at_the_loss_of_chance():
    """Below a hundredth of a nat, and at log 10."""
    (found,) = judge(0.009)
    assert found.message == (
        "The outputs of the examples of a batch differ by 0.009 (standard deviation), and train_loss stands at 2.3; one"
        " answer to everything gives 2.3."
    )
    assert judge(0.011) == ()


def test_probabilities_and_numbers_have_their_own_scale():
    """A third of that for probabilities; two per cent of the targets' deviation."""
    assert judge(0.0029, output_sum_error=1e-6)
    assert judge(0.0031, output_sum_error=1e-6) == ()
    assert judge(0.039, 4.0, NUMBERS)
    assert judge(0.041, 4.0, NUMBERS) == ()


def test_silent_where_the_loss_is_better_than_a_constant():
    """Whatever was passed as outputs, the model has learnt."""
    assert judge(0.0, 2.1) == ()


@pytest.mark.parametrize(("begun", "fires"), [(0.005, False), (0.02, True)])
def test_silent_where_learning_only_begins(begun, fires):
    """The loss leaves the level of guessing, and the outputs never were further apart; else they have come together."""
    samples = {step: {"output_example_std": begun if step < 8 else 0.006} for step in (0, 1, 2, 8, 16, 32, 64)}
    run = make_run(np.linspace(2.31, 2.27, 100).tolist(), batch=samples, facts=CLASSES)
    assert bool(check_rule(CollapsedOutputs, run)) is fires


@pytest.mark.parametrize(
    "case", [{"steps": 40}, {"facts": {}}, {"facts": {**NUMBERS, "target_std": math.nan}, "level": 4.0}]
)
def test_not_checked_early_or_without_a_constant_answer(case):
    """Output layers may begin at zero; a policy's loss has no level; targets of unknown spread."""
    assert isinstance(judge(0.0, **case), NotChecked)


@pytest.mark.parametrize(("begun", "now", "fires"), [(0.2, 0.009, True), (0.2, 0.011, False), (0.05, 0.001, False)])
def test_without_a_constant_answer_outputs_must_have_told_examples_apart(begun, now, fires):
    """A contrastive loss has no level: below a hundredth of the outputs' spread, from a tenth of it or more."""
    spread = dict(zip((0, 8, 16, 32, 64), (begun, now, now, now, now), strict=True))
    batch = {step: {"output_example_std": value, "output_std": 1.0} for step, value in spread.items()}
    found = check_rule(CollapsedOutputs, make_run([0.1] * 100, batch=batch, facts={}))
    assert (isinstance(found, tuple) and len(found) == 1) is fires
