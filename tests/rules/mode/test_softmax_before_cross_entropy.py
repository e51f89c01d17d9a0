"""MO04: fires where a softmax stands before a cross-entropy, which applies it itself."""

import pytest

from tests.rules.loss_facts import run_with
from trainhealth.findings import Confidence, NotChecked
from trainhealth.rules.mode.softmax_before_cross_entropy import SoftmaxBeforeCrossEntropy
from trainhealth.testing import check_rule, make_run


def judge(*nodes, function="cross_entropy", **run):
    return check_rule(SoftmaxBeforeCrossEntropy, run_with(function, *nodes, **run))


def test_fires_on_probabilities():
    """The message says how low the loss can get: log(1 + 9/e) for ten classes."""
    (found,) = judge("Softmax", "Addmm", classes=10)
    assert found.confidence is Confidence.CERTAIN
    assert found.message == (
        "The outputs pass a softmax and then cross_entropy, which applies softmax itself: with 10 classes train_loss"
        " can't fall below 1.46; it stands at 0.0518."
    )
    assert found.recommendations[0].recipe == "logits-loss"


def test_fires_behind_operations_on_shapes_and_with_probabilities_as_targets():
    """Sequences are reshaped before the loss; one-hot targets make it soft_cross_entropy."""
    assert judge("View", "Transpose", "Softmax")
    assert judge("Softmax", function="soft_cross_entropy")


@pytest.mark.parametrize(
    ("function", "nodes"),
    [
        ("cross_entropy", ("Addmm", "Relu")),
        ("cross_entropy", ("LogSoftmax", "Addmm")),
        ("nll", ("Log", "Softmax")),
        ("binary_cross_entropy", ("Softmax", "Addmm")),
        ("mse", ("Softmax", "Addmm")),
    ],
)
def test_silent_on_what_is_right(function, nodes):
    """Logits; log_softmax twice; softmax and log before nll; a softmax before another loss."""
    assert judge(*nodes, function=function) == ()


def test_probabilities_for_the_accuracy_only_are_silent():
    """The loss's own graph shows logits, whatever was passed as outputs."""
    run = run_with("cross_entropy", "Addmm", output_graph=["SoftmaxBackward0"], batch={"output_sum_error": 0.0})
    assert check_rule(SoftmaxBeforeCrossEntropy, run) == ()


def test_outputs_alone_make_it_likely():
    """Without the loss's graph, outputs that sum to 1 are needed as well."""
    facts = {"loss_function": "cross_entropy", "output_graph": ["SoftmaxBackward0"]}
    (found,) = check_rule(
        SoftmaxBeforeCrossEntropy, make_run([1.0], facts=facts, batch={0: {"output_sum_error": 1e-6}})
    )
    assert found.confidence is Confidence.LIKELY
    assert check_rule(SoftmaxBeforeCrossEntropy, make_run([1.0], facts=facts)) == ()


def test_a_number_as_loss_is_not_checked():
    """It has no graph."""
    assert isinstance(check_rule(SoftmaxBeforeCrossEntropy, make_run([1.0], facts={"classes": 10})), NotChecked)
