"""MO12: fires where a ReLU cuts the scores of a classification loss."""

import pytest

from tests.rules.loss_facts import run_with
from trainhealth.findings import Confidence, NotChecked
from trainhealth.rules.mode.relu_before_loss import ReluBeforeLoss
from trainhealth.testing import check_rule, make_run


@pytest.mark.parametrize("function", ["cross_entropy", "binary_cross_entropy_with_logits", "soft_margin"])
def test_fires_before_losses_of_scores(function):
    """Scores below zero are lost for each of them."""
    (found,) = check_rule(ReluBeforeLoss, run_with(function, "Relu", "Addmm"))
    assert found.message.startswith(f"The outputs pass a ReLU before {function}: scores below 0 become 0")
    assert found.evidence[0].signal == "train_loss"


def test_the_smallest_output_is_the_evidence_where_it_is_known():
    """It is zero."""
    (found,) = check_rule(ReluBeforeLoss, run_with("cross_entropy", "Relu", batch={"output_minimum": 0.0}))
    assert (found.evidence[0].signal, found.evidence[0].observed) == ("output_minimum", 0.0)


@pytest.mark.parametrize(
    ("function", "nodes"), [("mse", ("Relu", "Addmm")), ("cross_entropy", ("Addmm", "Relu")), ("l1", ("Relu",))]
)
def test_silent_on_sizes_and_on_hidden_relus(function, nodes):
    """A size may rightly be cut at zero; a ReLU before the last layer is a hidden one."""
    assert check_rule(ReluBeforeLoss, run_with(function, *nodes)) == ()


def test_outputs_alone_count_only_if_they_are_never_negative():
    """The outputs that were passed may not be what entered the loss."""
    facts = {"loss_function": "cross_entropy", "output_graph": ["ReluBackward0"]}
    assert check_rule(ReluBeforeLoss, make_run([1.0], facts=facts, batch={0: {"output_minimum": 0.0}}))
    assert check_rule(ReluBeforeLoss, make_run([1.0], facts=facts, batch={0: {"output_minimum": -0.1}})) == ()


def test_a_number_as_loss_is_not_checked():
    """It has no graph."""
    assert isinstance(check_rule(ReluBeforeLoss, make_run([1.0])), NotChecked)


def test_fires_on_a_relu_before_the_sigmoid():
    """Its probabilities begin at a half; a hidden ReLU has a layer in between."""
    (found,) = check_rule(ReluBeforeLoss, run_with("binary_cross_entropy", "Squeeze", "Sigmoid", "Relu", "Addmm"))
    assert found.confidence is Confidence.CERTAIN
    assert "no probability is ever below 0.5" in found.message
    assert check_rule(ReluBeforeLoss, run_with("binary_cross_entropy", "Sigmoid", "Addmm", "Relu")) == ()


def test_what_selects_values_changes_none():
    """The value of the action that was taken, gathered from all of them."""
    assert check_rule(ReluBeforeLoss, run_with("cross_entropy", "Gather", "Relu", "Addmm"))
