"""MO06: fires where prediction and target are broadcast against each other."""

import pytest

from tests.rules.loss_facts import run_with
from trainhealth.findings import Confidence, NotChecked, Severity
from trainhealth.rules.mode.broadcast_loss import BroadcastLoss
from trainhealth.testing import check_rule


def judge(prediction, target, function="mse", expanded=True):
    shapes = {"output_shape": prediction, "target_shape": target}
    known = {name: shape for name, shape in shapes.items() if shape is not None}
    return check_rule(BroadcastLoss, run_with(function, "Addmm", loss_expanded=expanded, **known))


@pytest.mark.parametrize(
    ("prediction", "target", "pairs"), [([32, 1], [32], 1024), ([32], [32, 1], 1024), ([8, 8, 1], [8, 8], 512)]
)
def test_fires_where_shapes_make_a_larger_one(prediction, target, pairs):
    """All pairs of a batch, either way round."""
    (found,) = judge(prediction, target)
    assert (found.severity, found.confidence) == (Severity.CRITICAL, Confidence.CERTAIN)
    assert f"it is the mean over all {pairs} pairs" in found.message
    assert found.recommendations[0].recipe == "match-shapes"


def test_the_shape_that_entered_the_loss_counts_too():
    """The outputs were passed in the right shape, and the loss got another one."""
    shapes = {"loss_input_shape": [32, 1], "output_shape": [32], "target_shape": [32]}
    assert check_rule(BroadcastLoss, run_with("l1", "Addmm", loss_expanded=True, **shapes))


@pytest.mark.parametrize(
    ("prediction", "target", "expanded"),
    [([32, 1], [32, 1], True), ([32, 1], [32], False), ([1, 5], [32, 5], True), ([1, 1], [1], True)],
)
def test_silent_on_shapes_that_agree_or_are_expanded_on_purpose(prediction, target, expanded):
    """Squeezed before the loss; one vector for all rows; a batch of one."""
    assert judge(prediction, target, expanded=expanded) == ()


def test_unknown_shapes_make_it_likely():
    """The graph says that there was an expansion, and no more."""
    (found,) = judge(None, [32])
    assert found.confidence is Confidence.LIKELY


def test_other_losses_check_shapes_themselves():
    """cross_entropy refuses what does not fit."""
    assert judge([32, 1], [32], function="cross_entropy") == ()


def test_not_checked_without_the_graph():
    """Shapes alone do not tell what the script did with them before the loss."""
    assert isinstance(judge([32, 1], [32], expanded=None), NotChecked)


def test_a_formula_written_out_by_hand_is_likely():
    """No loss function is known, but the mean was taken over all pairs."""
    (found,) = check_rule(BroadcastLoss, run_with(None, "Addmm", loss_pairs=[32, 1]))
    assert (found.severity, found.confidence) == (Severity.CRITICAL, Confidence.LIKELY)
    assert "shape [32, 1] are broadcast in the loss: it is taken over all 1024 pairs" in found.message
    assert isinstance(check_rule(BroadcastLoss, run_with(None, "Addmm")), NotChecked)
