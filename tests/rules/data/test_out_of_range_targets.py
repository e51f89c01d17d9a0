"""DA10: fires where targets are outside of what the loss is defined for."""

import dataclasses

import pytest

from trainhealth.findings import Confidence, NotChecked, Severity
from trainhealth.records import ErrorRecord
from trainhealth.rules.data.out_of_range_targets import OutOfRangeTargets
from trainhealth.testing import check_rule, make_run

WITH_LOGITS = "binary_cross_entropy_with_logits"


def judge(low, high, function=WITH_LOGITS, error=None, classes=None):
    batch = {step: {"target_minimum": low, "target_maximum": high} for step in range(4)}
    run = make_run([1.0] * 8, batch=batch, facts={"loss_function": function, "classes": classes})
    stopped = ErrorRecord(step=8, time=0.0, type="IndexError", message=error) if error else None
    return check_rule(OutOfRangeTargets, dataclasses.replace(run, error=stopped))


@pytest.mark.parametrize(
    ("low", "high", "severity"),
    [
        (1.0, 2.0, Severity.CRITICAL),
        (-1.0, 1.0, Severity.CRITICAL),
        (0.0, 255.0, Severity.CRITICAL),
        (0.0, 1.2, Severity.WARNING),
    ],
)
def test_fires_on_binary_targets_beyond_0_and_1(low, high, severity):
    """Classes 1 and 2, -1 and 1, pixels; noisy labels of a discriminator are a warning only."""
    (found,) = judge(low, high)
    assert found.severity is severity
    assert f"{WITH_LOGITS} is defined for targets from 0 to 1." in found.message


@pytest.mark.parametrize(
    ("low", "high", "function"),
    [
        (0.0, 1.0, WITH_LOGITS),
        (0.05, 0.95, "binary_cross_entropy"),
        (-0.0005, 1.0005, WITH_LOGITS),
        (-1.0, 1.0, "soft_margin"),
        (0.0, 255.0, "cross_entropy"),
        (-5.0, 300.0, "mse"),
    ],
)
def test_silent_on_targets_of_the_losss_domain(low, high, function):
    """Smoothed labels, rounding, both signs, an index that is ignored, any number for a squared error."""
    assert judge(low, high, function) == ()


def test_fires_on_zeros_for_soft_margin():
    """It has no gradient for them."""
    (found,) = judge(0.0, 1.0, "soft_margin")
    assert "targets -1 and 1" in found.message


@pytest.mark.parametrize("facts", [{}, {"loss_function": "cross_entropy"}])
def test_fires_on_zeros_for_losses_of_pairs(facts):
    """A script was seen to give them to such a loss, whatever else is in the sum."""
    run = make_run([1.0] * 8, facts={"unsigned_targets": "cosine_embedding_loss", **facts})
    (found,) = check_rule(OutOfRangeTargets, run)
    assert found.confidence is Confidence.CERTAIN
    assert "cosine_embedding_loss are 0 and 1, and it is defined for -1 and 1" in found.message


def test_names_the_label_at_which_a_run_stopped():
    """Torch stops with these words."""
    (found,) = judge(0.0, 3.0, "cross_entropy", "Target 4 is out of bounds.", classes=4)
    assert found.message == (
        "The run stopped at step 8, at a target of 4: the model has 4 outputs, for classes 0 to 3."
    )
    assert "5 outputs" in found.recommendations[0].action
    (found,) = judge(0.0, 3.0, "cross_entropy", "Target -1 is out of bounds.")
    assert "ignore_index" in found.recommendations[0].action
    assert judge(0.0, 3.0, "cross_entropy", "CUDA out of memory") == ()


def test_names_the_label_that_stopped_the_first_batch():
    """Classes from 1 to C raise before any loss is there: the error is all that the log holds."""
    stopped = ErrorRecord(step=0, time=0.0, type="IndexError", message="Target 3 is out of bounds.")
    (found,) = check_rule(OutOfRangeTargets, dataclasses.replace(make_run([]), error=stopped))
    assert found.message == "The run stopped at step 0, at a target of 3: no such output."


def test_not_checked_without_targets_or_loss():
    """Neither is guessed."""
    run = make_run([1.0], facts={"loss_function": WITH_LOGITS})
    assert isinstance(check_rule(OutOfRangeTargets, run), NotChecked)
    assert isinstance(check_rule(OutOfRangeTargets, make_run([1.0])), NotChecked)


BOTTOMLESS = [0.7 - 40.0 * epoch**3 for epoch in range(12)]


def test_in_a_log_of_losses_a_loss_without_a_minimum_is_a_hint():
    """What binary cross-entropy does with classes 1 to 3; the log doesn't say which loss it is."""
    (found,) = check_rule(OutOfRangeTargets, make_run(BOTTOMLESS))
    assert found.confidence is Confidence.HINT
    assert "from 0.7 to " in found.message
    assert found.recommendations[0].recipe == "check-labels"


@pytest.mark.parametrize(
    "losses",
    [
        BOTTOMLESS[:7],
        [0.7 - 4.0 * epoch**2 for epoch in range(12)],
        [3000.0 - 60000.0 * (1 - 0.5**epoch) for epoch in range(24)],
        [1.0 - 5000.0 * (1 - 0.5**epoch) for epoch in range(24)],
    ],
    ids=["too few values", "not far enough", "a likelihood of many dimensions", "one that has converged"],
)
def test_losses_below_zero_that_have_a_minimum_are_not_checked(losses):
    """A density may be above 1, and so a likelihood's loss below 0."""
    assert isinstance(check_rule(OutOfRangeTargets, make_run(losses)), NotChecked)


GRAPH = {"loss_form": "tensor", "loss_graph": ["MeanBackward0", "SubBackward0", "LogBackward0"]}


def test_a_loss_of_the_scripts_own_has_its_sign_looked_at_first():
    """A log-likelihood that is lowered; none of torch's functions is in the graph."""
    (found,) = check_rule(OutOfRangeTargets, make_run(BOTTOMLESS, facts=GRAPH))
    assert found.recommendations[0].action.startswith("Look at the sign")
    assert found.recommendations[1].recipe == "check-labels"


JUMPING = [9e3, 4e3, *[-1e24] * 40, *[-1e21] * 20]  # a divergence that is added with a minus
SUM = GRAPH | {"loss_function": "binary_cross_entropy", "loss_composed": True}


@pytest.mark.parametrize("function", ["binary_cross_entropy", "mse"])
def test_a_sum_of_which_another_term_has_no_minimum(function):
    """Whatever its way down: there is none back from there."""
    batch = {step: {"target_minimum": 0.0, "target_maximum": 1.0} for step in range(4)}
    run = make_run(JUMPING, facts=SUM | {"loss_function": function}, batch=batch)
    (found,) = check_rule(OutOfRangeTargets, run)
    assert "falls faster" not in found.message
    assert f"{function} is never below 0: another term has none." in found.message
    assert found.recommendations[0].action.startswith("Look at the sign")


def test_a_sum_of_which_the_targets_are_not_known():
    """Either may be at fault."""
    (found,) = check_rule(OutOfRangeTargets, make_run(JUMPING, facts=SUM))
    assert "another term than binary_cross_entropy may have none, or targets lie outside" in found.message


def test_targets_that_are_out_of_range_are_the_better_reason():
    """In a sum, too."""
    batch = {step: {"target_minimum": 1.0, "target_maximum": 3.0} for step in range(4)}
    (found,) = check_rule(OutOfRangeTargets, make_run(JUMPING, facts=SUM, batch=batch))
    assert "from 1 to 3" in found.message


@pytest.mark.parametrize(
    "losses",
    [
        [1.0 - 5000.0 * (1 - 0.5**epoch) for epoch in range(24)],
        [1e4 - 2e6 * (1 - 0.5**epoch) for epoch in range(24)],
        [2.0 * 0.9**epoch - 0.5 for epoch in range(60)],
    ],
    ids=["a density beside", "a density of many dimensions", "an entropy beside"],
)
def test_sums_that_end_below_zero(losses):
    """Each term has a minimum."""
    assert check_rule(OutOfRangeTargets, make_run(losses, facts=SUM | {"loss_function": "mse"})) == ()


def test_a_sum_with_a_function_that_may_fall_itself():
    """The likelihood of raw scores has no minimum either: the rule of unsuited losses tells."""
    assert check_rule(OutOfRangeTargets, make_run(JUMPING, facts=SUM | {"loss_function": "nll"})) == ()


def test_a_sum_whose_function_is_all_there_is_to_say():
    """Not composed: a squared error that falls below zero has its sign wrong, which is another rule's."""
    run = make_run(JUMPING, facts=SUM | {"loss_function": "mse", "loss_composed": False})
    assert check_rule(OutOfRangeTargets, run) == ()


def test_the_losses_of_adversaries_may_fall_without_end():
    """A critic's loss has no minimum."""
    run = make_run(BOTTOMLESS, evaluations={11: {"d_loss": 1.0, "g_loss": 1.0}})
    assert isinstance(check_rule(OutOfRangeTargets, run), NotChecked)
