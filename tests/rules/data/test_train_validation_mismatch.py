"""DA06: fires where evaluation inputs have another mean or spread than training inputs."""

import pytest

from trainhealth.findings import NotChecked, Severity
from trainhealth.rules.data.train_validation_mismatch import TrainValidationMismatch
from trainhealth.testing import check_rule, make_run


def judge(mean, std, *, epochs=2, loss=1.0, **run):
    training = {"input_mean": 0.0, "input_std": 1.0}
    batch = {step: training | {"evaluation_input_mean": mean, "evaluation_input_std": std} for step in (0, 4, 8)}
    made = make_run([1.0] * 9, epochs=[{"validation_loss": loss}] * epochs, batch=batch, **run)
    return check_rule(TrainValidationMismatch, made)


@pytest.mark.parametrize(
    ("mean", "std", "fires"),
    [(0.1, 2.5, True), (0.1, 0.39, True), (1.1, 1.0, True), (0.1, 2.4, False), (0.1, 0.41, False), (1.0, 1.0, False)],
)
def test_fires_on_another_spread_or_mean(mean, std, fires):
    """A factor of 2.5, or a shift of a standard deviation."""
    assert bool(judge(mean, std)) is fires


def test_says_both_scales():
    """The numbers of training and of evaluation."""
    (found,) = judge(0.3, 0.25)
    assert found.message == (
        "Inputs have mean 0 and standard deviation 1 in training, and mean 0.3 and standard deviation 0.25 in"
        " evaluation."
    )
    assert found.evidence[0].signal == "evaluation_input_std"


def test_not_checked_where_nothing_is_evaluated():
    """Other forwards without gradients may see anything."""
    assert isinstance(judge(9.0, 9.0, epochs=0), NotChecked)
    assert isinstance(judge(9.0, 9.0, evaluations={1: {"episode_reward": 1.0}}), NotChecked)


@pytest.mark.parametrize(
    ("mean", "std", "validation", "severity"),
    [
        (2.0, 1.0, 1.9, Severity.NOTE),  # moved on in time, and the model does about as well there
        (2.0, 1.0, 2.1, Severity.WARNING),
        (0.1, 9.0, 1.0, Severity.WARNING),  # another scale is never meant
    ],
)
def test_a_shift_that_costs_nothing_is_a_note(mean, std, validation, severity):
    """The training loss is 1; a validation loss of twice that is the limit."""
    (found,) = judge(mean, std, loss=validation)
    assert found.severity is severity


def test_zeros_that_enter_with_a_recurrent_state_are_silent():
    """Each evaluation begins with a state of zeros, as the training did; a split that is all zeros is another thing."""
    batch = {step: {"input_mean": 0.0, "input_std": 0.1 * step} for step in (0, 4, 8)}
    evaluations = {step: {"evaluation_input_mean": 0.0, "evaluation_input_std": 0.0} for step in (4, 8)}
    state = {step: values | evaluations.get(step, {}) for step, values in batch.items()}
    run = make_run([1.0] * 9, epochs=[{"validation_loss": 1.0}] * 2, batch=state)
    assert check_rule(TrainValidationMismatch, run) == ()
    assert judge(0.0, 0.0)
