"""MO11: fires where a sigmoid stands before a loss that applies it itself."""

import pytest

from tests.rules.loss_facts import run_with
from trainhealth.findings import Confidence, NotChecked
from trainhealth.rules.mode.sigmoid_before_bce_with_logits import SigmoidBeforeBceWithLogits
from trainhealth.testing import check_rule, make_run

WITH_LOGITS = "binary_cross_entropy_with_logits"


def judge(function, *nodes, **run):
    return check_rule(SigmoidBeforeBceWithLogits, run_with(function, *nodes, **run))


def test_fires_on_probabilities():
    """Directly, or squeezed."""
    (found,) = judge(WITH_LOGITS, "Squeeze", "Sigmoid", "Addmm")
    assert found.confidence is Confidence.CERTAIN
    assert "no probability falls below 0.5 or rises above 0.73; train_loss stands at 0.0518." in found.message


@pytest.mark.parametrize(
    ("function", "nodes"),
    [(WITH_LOGITS, ("Addmm", "Sigmoid")), ("binary_cross_entropy", ("Sigmoid", "Addmm")), ("mse", ("Sigmoid",))],
)
def test_silent_on_what_is_right(function, nodes):
    """Logits of a sigmoid net; a sigmoid with the loss that expects it; another loss."""
    assert judge(function, *nodes) == ()


def test_probabilities_for_the_accuracy_only_are_silent():
    """The loss's own graph shows logits."""
    assert judge(WITH_LOGITS, "Addmm", output_graph=["SigmoidBackward0"]) == ()


def test_outputs_alone_make_it_likely():
    """Without the loss's graph, outputs must stay between 0 and 1."""
    facts = {"loss_function": WITH_LOGITS, "output_graph": ["SigmoidBackward0"]}
    for high, fires in ((1.0, True), (1.2, False)):
        run = make_run([0.7], facts=facts, batch={0: {"output_minimum": 0.0, "output_maximum": high}})
        assert [f.confidence for f in check_rule(SigmoidBeforeBceWithLogits, run)] == [Confidence.LIKELY] * fires


def test_a_number_as_loss_is_not_checked():
    """It has no graph."""
    assert isinstance(check_rule(SigmoidBeforeBceWithLogits, make_run([1.0])), NotChecked)
