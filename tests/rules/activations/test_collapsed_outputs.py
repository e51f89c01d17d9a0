"""AC04: fires where all inputs give the same output, at the loss of a constant."""

import math

import numpy as np
import pytest

from trainhealth.findings import Confidence, NotChecked, Severity
from trainhealth.records import LayerEntry
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


@pytest.mark.parametrize(
    ("spread", "level", "fires"), [(9e-7, 2.1, True), (1.1e-6, 2.1, False), (9e-7, 1.1, False), (0.0, 2.1, True)]
)
def test_outputs_that_are_the_same_to_rounding_need_no_constant_answer(spread, level, fires):
    """Uneven classes: one answer may be better than guessing; what has learnt half of the task is none."""
    assert bool(judge(spread, level, output_minimum=-1.0, output_maximum=0.2)) is fires


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


# --- an accuracy alone ---


def judge_accuracies(validation, losses=(0.7, 0.693), train=None):
    """Another tool's log: an accuracy an evaluation, and a loss that goes from one value to the other."""
    columns = {"validation_accuracy": validation, "train_loss": np.linspace(*losses, len(validation))}
    columns |= {"train_accuracy": train} if train is not None else {}
    rows = [dict(zip(columns, map(float, row), strict=True)) for row in zip(*columns.values(), strict=True)]
    return check_rule(CollapsedOutputs, make_run((), epochs=rows))


def test_an_accuracy_that_never_changes_is_one_answer_to_everything():
    """Eight evaluations at the share of one class, as a hint and a warning; in per cent as well."""
    (found,) = judge_accuracies([0.724137931] * 8)
    assert (found.severity, found.confidence) == (Severity.WARNING, Confidence.HINT)
    assert found.message.startswith("validation_accuracy is 0.724 in each of 8 evaluations")
    assert judge_accuracies([72.4137931] * 8)
    assert isinstance(judge_accuracies([0.724137931] * 7), NotChecked)


@pytest.mark.parametrize(
    "healthy",
    [
        {"validation": [0.5] * 7 + [0.501]},  # one answer differs
        {"validation": [0.0] * 12},  # another tool's accuracy of a regression
        {"validation": [0.95] * 12},  # a model that was right from the start
        {"validation": [0.8] * 12, "losses": (0.7, 0.2)},  # ten examples, and all is learnt
        {"validation": [0.5] * 12, "train": np.linspace(0.5, 0.7, 12)},  # the training data are told apart
    ],
)
def test_silent_on_accuracies_that_change_or_belong_to_a_model_that_learns(healthy):
    """An answer that differs, no accuracy at all, or a loss and a training accuracy that say otherwise."""
    assert judge_accuracies(**healthy) == ()


def test_the_outputs_themselves_decide_where_they_are_known():
    """Scores that differ from example to example are not one answer, whatever the accuracy."""
    samples = {step: {"output_example_std": 1.0} for step in (0, 8, 16, 32, 64)}
    accuracies = [{"validation_accuracy": 0.5}] * 10
    assert check_rule(CollapsedOutputs, make_run([2.3] * 100, batch=samples, epochs=accuracies, facts=CLASSES)) == ()


def layered(shares, spread, kind="Linear"):
    """Outputs that differ by `spread` at first and at the end; hidden layers whose examples differ by such shares."""
    layers = [LayerEntry(name=str(i), type=kind, units=8) for i in range(len(shares))]
    layers.append(LayerEntry(name="head", type="Linear", units=10))
    steps = (0, 8, 16, 32, 64)
    samples = {step: {"example_std": [*shares, 0.0], "activation_std": [1.0] * len(layers)} for step in steps}
    begun, now = spread
    batch = {step: {"output_example_std": now if step else begun, "output_std": 0.05} for step in steps}
    return make_run([2.3] * 100, layers=layers, samples=samples, batch=batch, facts=CLASSES)


@pytest.mark.parametrize(
    ("run", "recipe", "lost"),
    [
        (layered([0.8, 0.6], (0.03, 0.005)), "check-labels", False),
        (layered([0.8, 0.2], (0.03, 0.005)), "check-the-loss", True),  # the second layer has lost them
        (layered([0.8, 0.6], (1e-9, 1e-9), kind="LSTM"), "pack-the-sequences", False),
        (layered([0.8, 0.6], (1e-9, 1e-9)), "check-the-loss", True),
    ],
)
def test_where_to_look_depends_on_where_the_examples_get_lost(run, recipe, lost):
    """In no layer: the labels, or the state that is taken; else in one of them."""
    (found,) = check_rule(CollapsedOutputs, run)
    assert found.recommendations[0].recipe == recipe
    assert ("every hidden layer still tells them apart" in found.message) is not lost
