"""MO02: fires where dropout and batch norm are in evaluation mode while the model is trained."""

import pytest

from trainhealth.findings import NotChecked
from trainhealth.records import LayerEntry, ParameterEntry
from trainhealth.rules.mode.training_in_eval_mode import TrainingInEvalMode
from trainhealth.testing import check_rule, make_run

NORM = [LayerEntry(name="0", type="Linear"), LayerEntry(name="1", type="BatchNorm1d")]


def judge(shares, *, epochs=4, layers=(), trainable=True, batch_size=32):
    parameters = [ParameterEntry(name="1.weight", shape=[8], layer="1", trainable=trainable)]
    batch = {step: {"training_mode": share} for step, share in shares.items()}
    run = make_run(
        [1.0] * 40,
        batch_size=batch_size,
        epochs=[{"validation_loss": 1.0}] * epochs,
        layers=layers,
        parameters=parameters if layers else (),
        batch=batch,
    )
    return check_rule(TrainingInEvalMode, run)


FORGOTTEN = {0: 1.0, 4: 1.0, 8: 1.0, 16: 0.0, 24: 0.0, 32: 0.0}
NEVER = dict.fromkeys((0, 8, 16, 32), 0.0)


def test_fires_where_train_was_forgotten_after_the_first_evaluation():
    """The first epoch of ten steps was in training mode, everything after it is not."""
    (found,) = judge(FORGOTTEN)
    assert found.first_step == 16
    assert "since step 16 at the latest, and were in training mode before" in found.message


def test_fires_where_it_never_was_in_training_mode():
    """A pretrained model comes in evaluation mode."""
    (found,) = judge(NEVER)
    assert found.first_step == 0
    assert "from the start" in found.message
    assert judge(NEVER, layers=NORM)


@pytest.mark.parametrize(
    "case", [{"trainable": False, "layers": NORM}, {"batch_size": 4, "layers": NORM}], ids=["frozen", "small batches"]
)
def test_silent_on_batch_norm_frozen_on_purpose(case):
    """Its weights are frozen, too; or batches are too small for it."""
    assert judge(NEVER, **case) == ()


def test_silent_where_it_is_frozen_later():
    """It was in training mode again after the first evaluation: nothing was forgotten there."""
    assert judge({0: 1.0, 8: 1.0, 16: 1.0, 24: 0.0, 28: 0.0, 32: 0.0}) == ()


def test_silent_in_training_mode_and_where_a_part_is():
    """Some modules frozen is a choice."""
    assert judge(dict.fromkeys((0, 8, 16), 1.0)) == ()
    assert judge(dict.fromkeys((0, 8, 16), 0.5)) == ()


def test_needs_three_samples():
    """Both to judge at all and to call it lasting."""
    assert isinstance(judge({0: 0.0, 1: 0.0}), NotChecked)
    assert judge({0: 1.0, 8: 1.0, 16: 0.0, 32: 0.0}) == ()
