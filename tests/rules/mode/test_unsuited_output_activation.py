"""MO07: fires where the last activation can't give the targets."""

import dataclasses

import pytest

from tests.rules.loss_facts import run_with
from trainhealth.findings import Confidence, NotChecked, Severity
from trainhealth.records import ErrorRecord
from trainhealth.rules.mode.unsuited_output_activation import UnsuitedOutputActivation
from trainhealth.testing import check_rule, make_run


def judge(function, *nodes, **run):
    return check_rule(UnsuitedOutputActivation, run_with(function, *nodes, **run))


def targets(low, high, mean, std=1.0):
    return {"target_minimum": low, "target_maximum": high, "target_mean": mean, "target_std": std}


# --- one output ---


@pytest.mark.parametrize(
    ("function", "node"),
    [("binary_cross_entropy", "Softmax"), ("mse", "Softmax"), ("cross_entropy", "Addmm"), ("cross_entropy", "Relu")],
)
def test_fires_on_a_softmax_over_one_output(function, node):
    """It is 1 for every input; cross-entropy is a softmax, too."""
    (found,) = judge(function, node, output_shape=[32, 1])
    assert found.severity is Severity.CRITICAL
    assert "over one output is 1 for every input" in found.message


@pytest.mark.parametrize(
    ("function", "shape"), [("binary_cross_entropy_with_logits", [32, 1]), ("cross_entropy", [32, 2])]
)
def test_silent_on_one_output_with_a_sigmoid_and_on_two_with_a_softmax(function, shape):
    """Both are right for two classes."""
    assert judge(function, "Addmm", output_shape=shape) == ()


# --- outputs that binary cross-entropy refuses ---

REFUSED = ErrorRecord(step=0, time=0.0, type="RuntimeError", message="all elements of input should be between 0 and 1")


def judge_refused(run):
    return check_rule(UnsuitedOutputActivation, dataclasses.replace(run, error=REFUSED))


def test_fires_on_outputs_that_are_no_probabilities():
    """BCELoss has raised: at the first step nothing else is known; later the graph shows that no sigmoid was there."""
    (found,) = judge_refused(make_run([]))
    assert found.confidence is Confidence.LIKELY
    assert "The run stopped at step 0" in found.message
    assert "or they are NaN" in found.message
    (found,) = judge_refused(run_with("binary_cross_entropy", "Addmm"))
    assert found.confidence is Confidence.CERTAIN
    assert "nothing makes probabilities of them" in found.message
    assert "BCEWithLogitsLoss" in found.recommendations[0].action


def test_silent_on_a_sigmoid_whose_outputs_are_refused():
    """They are NaN then, which is another rule's."""
    assert judge_refused(run_with("binary_cross_entropy", "Sigmoid", "Addmm")) == ()


# --- scores with bounds ---


def test_fires_on_bounded_scores_before_cross_entropy():
    """The lowest loss of ten classes: log(1 + 9/e) behind a sigmoid, log(1 + 9/e^2) behind a tanh."""
    (found,) = judge("cross_entropy", "Sigmoid", "Addmm", classes=10, output_shape=[32, 10])
    assert "stay between 0 and 1: with 10 classes train_loss can't fall below 1.46" in found.message
    (found,) = judge("cross_entropy", "Tanh", "Addmm", classes=10, output_shape=[32, 10])
    assert "can't fall below 0.797" in found.message


# --- range ---


@pytest.mark.parametrize(
    ("node", "low", "high", "mean", "severity"),
    [
        ("Sigmoid", -2.0, 2.0, 0.0, Severity.WARNING),
        ("Sigmoid", 0.0, 150.0, 75.0, Severity.CRITICAL),
        ("Sigmoid", 0.0, 1.26, 0.6, Severity.WARNING),
        ("Tanh", -3.0, 3.0, 0.0, Severity.WARNING),
        ("Relu", -0.3, 3.0, 1.0, Severity.WARNING),
        ("Relu", -3.0, -1.0, -2.0, Severity.CRITICAL),
        ("Softmax", 0.0, 9.0, 4.5, Severity.CRITICAL),
    ],
)
def test_fires_on_targets_out_of_reach(node, low, high, mean, severity):
    """Critical where even the mean is."""
    (found,) = judge("mse", node, "Addmm", batch=targets(low, high, mean))
    assert found.severity is severity
    assert found.recommendations[0].recipe == "output-activation"


@pytest.mark.parametrize(
    ("node", "low", "high"),
    [
        ("Sigmoid", 0.0, 1.0),
        ("Sigmoid", -0.1, 1.24),
        ("Tanh", -1.0, 1.0),
        ("Relu", 0.0, 30.0),
        ("Relu", -0.2, 5.0),
        ("Addmm", -3.0, 300.0),
    ],
)
def test_silent_on_targets_that_fit(node, low, high):
    """Images, actions, counts, a little noise on them, and a linear output for anything."""
    assert judge("mse", node, "Addmm", batch=targets(low, high, (low + high) / 2)) == ()


def test_single_outliers_do_not_count():
    """The median over batches is in range."""
    batch = {step: targets(0.0, 5.0 if step == 4 else 1.0, 0.5) for step in range(8)}
    facts = {"loss_function": "mse", "loss_input_graph": ["SigmoidBackward0"]}
    assert check_rule(UnsuitedOutputActivation, make_run([1.0] * 8, facts=facts, batch=batch)) == ()


# --- several labels ---


def test_fires_on_a_softmax_for_several_labels():
    """Outputs that sum to 1 can't say three labels of six."""
    run = {"target_shape": [32, 6], "output_shape": [32, 6]}
    (found,) = judge("binary_cross_entropy", "Softmax", **run, batch=targets(0.0, 1.0, 0.5))
    assert "the targets hold 3 positives an example" in found.message
    assert judge("binary_cross_entropy", "Softmax", **run, batch=targets(0.0, 1.0, 1 / 6)) == ()


def test_a_number_as_loss_is_not_checked():
    """It has no graph."""
    assert isinstance(check_rule(UnsuitedOutputActivation, make_run([1.0])), NotChecked)
