"""MO01: fires where dropout and batch norm are in training mode in evaluations."""

from trainhealth.findings import NotChecked, Severity
from trainhealth.rules.mode.evaluating_in_train_mode import EvaluatingInTrainMode
from trainhealth.testing import check_rule, make_run

VALIDATED = [{"validation_loss": 1.0}] * 4


def judge(*shares, epochs=VALIDATED, **run):
    batch = {10 * i: {"evaluation_training_mode": share} for i, share in enumerate(shares)}
    return check_rule(EvaluatingInTrainMode, make_run([1.0] * 40, epochs=epochs, batch=batch, **run))


def test_fires_where_all_modules_are_in_training_mode():
    """In the usual evaluation: a first look before training may differ."""
    (found,) = judge(0.0, 1.0, 1.0)
    assert found.severity is Severity.WARNING
    assert found.message.startswith("In the 3 evaluations that were looked at, 100 %")
    assert found.recommendations[0].recipe == "train-and-eval-mode"


def test_silent_in_evaluation_mode_and_with_dropout_left_on():
    """Monte Carlo dropout leaves batch norm in evaluation mode."""
    assert judge(0.0, 0.0) == ()
    assert judge(0.5, 0.5, 0.5) == ()
    assert judge(1.0, 0.0, 0.0) == ()


def judge_calls(*calls, mode=None, epochs=VALIDATED):
    batch = {10 * i: {"evaluation_active_dropout": count} for i, count in enumerate(calls)}
    for values in batch.values() if mode is not None else ():
        values["evaluation_training_mode"] = mode
    return check_rule(EvaluatingInTrainMode, make_run([1.0] * 40, epochs=epochs, batch=batch))


def test_fires_where_functional_dropout_acts_in_evaluation_mode():
    """Whether the model has modules with a mode besides, or has none."""
    for mode in (None, 0.0):
        (found,) = judge_calls(2.0, 2.0, mode=mode)
        assert found.severity is Severity.WARNING
        assert "2 calls of dropout" in found.message
        assert found.evidence[0].signal == "evaluation_active_dropout"


def test_silent_where_no_call_drops_anything():
    """F.dropout(x, p, self.training) is called in evaluations, too; that of one evaluation may be an experiment."""
    assert judge_calls(0.0, 0.0) == ()
    assert judge_calls(0.0, 0.0, 1.0) == ()


def test_one_finding_where_both_are_wrong():
    """In training mode every dropout acts: model.eval() comes first."""
    (found,) = judge_calls(2.0, 2.0, mode=1.0)
    assert found.evidence[0].signal == "evaluation_training_mode"


def test_not_checked_where_nothing_is_evaluated():
    """Forwards without gradients may be samples or targets; so may those of adversaries and policies."""
    assert isinstance(judge(1.0, epochs=()), NotChecked)
    assert isinstance(judge(1.0, evaluations={5: {"episode_reward": 1.0}}), NotChecked)
    assert isinstance(check_rule(EvaluatingInTrainMode, make_run([1.0], epochs=VALIDATED)), NotChecked)
