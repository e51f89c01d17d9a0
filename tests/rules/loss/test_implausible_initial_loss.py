"""LS07: the loss of step 0 against that of a model that knows nothing."""

import math

import pytest

from trainhealth.findings import Confidence, NotChecked, Severity
from trainhealth.records import OptimizerInfo, ParameterEntry, RunInfo
from trainhealth.rules.loss.implausible_initial_loss import ImplausibleInitialLoss
from trainhealth.testing import check_rule, make_run

TEN = {"loss_function": "cross_entropy", "loss_reduction": "mean", "classes": 10, "target_shape": [64]}
SQUARES = {
    "loss_function": "mse",
    "loss_reduction": "mean",
    "target_mean_square": 4.0,
    "target_std": 2.0,
    "target_shape": [64, 1],
}


def judge(first, facts, end=1.9, **run):
    return check_rule(ImplausibleInitialLoss, make_run([first, 2.0, end], facts=facts, **run))


@pytest.mark.parametrize(
    ("facts", "limit"),
    [
        (TEN, 2 * math.log(10)),
        (TEN | {"loss_function": "nll"}, 2 * math.log(10)),
        (TEN | {"classes": 1000}, math.log(1000) + 3),
        (TEN | {"loss_function": "binary_cross_entropy_with_logits", "classes": 2}, 4 * math.log(2)),
        (SQUARES, 40.0),
    ],
)
def test_fires_just_above_the_limit_and_not_just_below(facts, limit):
    """Cross-entropy, many classes (room is bounded), binary cross-entropy, squared error; of a batch without end."""
    many = facts | {"target_shape": [1_000_000]}
    assert judge(limit * 1.01, many)
    assert judge(limit * 0.99, many) == ()


@pytest.mark.parametrize(("examples", "fires"), [(8, False), (64, True)])
def test_a_few_examples_may_have_a_high_loss_by_chance(examples, fires):
    """Eight of a fresh model with two classes had 1.45, twice what was to be expected."""
    two = TEN | {"classes": 2, "target_shape": [examples]}
    assert bool(judge(1.6, two)) is fires


BY_HAND = {"loss_function": "soft_cross_entropy", "loss_input_shape": [15, 10]}


@pytest.mark.parametrize("facts", [TEN, BY_HAND])
def test_names_a_wrong_sign(facts):
    """It begins at -log 10 and falls on and on."""
    (found,) = check_rule(ImplausibleInitialLoss, make_run([-2.3, *[-50.0] * 20], facts=facts))
    assert found.severity is Severity.CRITICAL
    assert "wrong sign" in found.message
    assert found.recommendations[0].action.startswith("Turn the sign")


BINARY = {"loss_function": "binary_cross_entropy_with_logits", "loss_composed": False}
ERROR = {"loss_function": "l1", "loss_composed": False}


@pytest.mark.parametrize(("facts", "first"), [(BINARY, -0.7), (ERROR, -0.2), (SQUARES | ERROR, -4.0)])
def test_names_a_wrong_sign_of_other_losses(facts, first):
    """A binary cross-entropy begins at -log 2; squares and absolute values are never below 0."""
    (found,) = check_rule(ImplausibleInitialLoss, make_run([first, *[-50.0] * 20], facts=facts))
    assert (found.severity, found.confidence) == (Severity.CRITICAL, Confidence.CERTAIN)
    assert "has the wrong sign" in found.message


@pytest.mark.parametrize(
    ("facts", "first", "optimizers"),
    [
        (BINARY, -2.0, 1),  # other targets
        (BINARY, -0.7, 2),  # a generator that is to make the other's loss large
        (ERROR | {"loss_composed": True}, -0.2, 1),
    ],
)
def test_other_losses_may_be_negative_for_other_reasons(facts, first, optimizers):
    """Targets beyond 0 and 1, adversaries, further terms."""
    info = RunInfo(optimizers=[OptimizerInfo(name=f"o{i}", type="Adam", groups=[]) for i in range(optimizers)])
    found = check_rule(ImplausibleInitialLoss, make_run([first, *[-50.0] * 20], facts=facts, info=info))
    assert isinstance(found, NotChecked) or not any("wrong sign" in one.message for one in found)


@pytest.mark.parametrize(("first", "last"), [(-2.3, -2.25), (-0.4, -50.0), (2.3, -50.0), (-2.3, math.nan)])
def test_a_negative_loss_is_no_wrong_sign_by_itself(first, last):
    """Policies and rewards below 0 begin at -log C and stay above it; other terms give other values."""
    assert isinstance(judge_to(first, last), NotChecked)


def judge_to(first, last):
    return check_rule(ImplausibleInitialLoss, make_run([first, *[last] * 20], facts=BY_HAND))


def test_says_what_was_expected_and_why():
    """The lecture's number: log 10 = 2.30."""
    (found,) = judge(20.0, TEN)
    assert "2.3 (log 10)" in found.message
    assert found.severity is Severity.WARNING


def test_a_factor_of_the_script_is_said():
    """A loss that is divided by 32 for accumulation begins at log 10 / 32, not at log 10."""
    facts = TEN | {"loss_graph": ["DivBackward0", "NllLossBackward0"], "loss_factor": 0.03125}
    (found,) = judge(1.0, facts)
    assert "0.072 (log 10, times 0.0312)" in found.message


def test_names_a_sum():
    """64 times log 10 in a batch of 64 is a sum, where the reduction is one or is not known."""
    for reduction in ("sum", None):
        (found,) = judge(64 * 2.35, TEN | {"loss_reduction": reduction})
        assert found.severity is Severity.NOTE
        assert "a sum over 64 terms" in found.message


def test_a_sum_is_judged_by_the_loss_of_a_term():
    """A summed loss far above the sum of chance is as implausible as a mean."""
    (found,) = judge(64 * 20.0, TEN | {"loss_reduction": "sum"}, end=64 * 1.9)
    assert found.severity is Severity.WARNING


@pytest.mark.parametrize(("end", "severity"), [(0.22, Severity.NOTE), (0.24, Severity.WARNING)])
def test_a_start_that_has_healed_is_a_note(end, severity):
    """Just below and just above a tenth of log 10."""
    (found,) = judge(20.0, TEN, end=end)
    assert found.severity is severity
    assert ("come down to 0.22 since" in found.message) is (severity is Severity.NOTE)


def test_a_negative_cross_entropy_is_certain():
    """nll_loss of probabilities instead of log-probabilities begins at about -1/C."""
    (found,) = judge(-0.1, TEN | {"loss_function": "nll"})
    assert found.recommendations[0].recipe == "check-the-loss"


def test_puts_the_inputs_first_unless_they_are_of_unit_scale():
    """The order of the advice follows what was measured."""
    raw = {0: {"input_mean": 90.0, "input_std": 60.0}}
    (found,) = judge(50.0, TEN, batch=raw)
    assert found.recommendations[0].recipe == "standardize-inputs"
    assert "mean 90" in found.recommendations[0].action
    (found,) = judge(50.0, TEN, batch={0: {"input_mean": 0.1, "input_std": 1.0}})
    assert found.recommendations[0].recipe == "he-initialization"


def test_judges_a_full_batch_loop_that_evaluates_after_each_step():
    """As many epochs as steps: the loss of step 0 is that of a step all the same, and nobody passed the targets."""
    facts = {"loss_function": "cross_entropy", "loss_reduction": "mean", "classes": 10, "loss_input_shape": [200, 10]}
    run = make_run([3374.0, 900.0, 80.0, 6.0], epochs=[{"validation_loss": 900.0}] * 4, facts=facts)
    assert check_rule(ImplausibleInitialLoss, run)


@pytest.mark.parametrize(("norms", "first"), [((8.0, 3.0), "check-the-loss"), ((8.0, 30.0), "he-initialization")])
def test_looks_between_the_layers_where_no_weight_is_large(norms, first):
    """Sums over neighbours make large outputs of ordinary weights: drawing them anew would not help."""
    parameters = [ParameterEntry(name="a.weight", shape=[64, 50]), ParameterEntry(name="b.weight", shape=[10, 64])]
    (found,) = judge(
        3374.0,
        TEN,
        parameters=parameters,
        samples={0: {"parameter_norm": list(norms)}},
        batch={0: {"input_mean": 0.1, "input_std": 0.3}},
    )
    assert found.recommendations[0].recipe == first


# --- when it is wrong ---


def test_silent_on_a_model_that_is_trained_already():
    """Fine-tuning begins below the expected loss."""
    assert judge(0.3, TEN) == ()
    assert judge(0.01, SQUARES) == ()


def test_silent_on_a_deep_default_initialisation():
    """One and a half times log C happens."""
    assert judge(1.5 * math.log(10), TEN) == ()


def test_silent_on_a_positive_weight_of_four():
    """pos_weight raises the binary cross-entropy of a model that knows nothing."""
    assert judge(0.5 * (1 + 4) * math.log(2), TEN | {"loss_function": "binary_cross_entropy_with_logits"}) == ()


def test_small_targets_are_a_note():
    """Outputs of unit scale against targets of 0.001: scale the targets."""
    (found,) = judge(0.03, SQUARES | {"target_mean_square": 1e-6, "target_std": 1e-3})
    assert found.severity is Severity.NOTE
    assert found.recommendations[0].recipe == "scale-targets"


@pytest.mark.parametrize(
    "facts",
    [
        {"loss_form": "number"},
        TEN | {"loss_composed": True},
        TEN | {"loss_graph": ["MulBackward0", "NllLossBackward0"]},
        TEN | {"classes": None},
        {"loss_function": "smooth_l1"},
        SQUARES | {"target_mean_square": 0.0},
        SQUARES | {"target_mean_square": math.nan},
    ],
)
def test_not_checked_where_the_expected_loss_is_not_known(facts):
    """A number, penalties, factors, no classes, a loss without a known scale, targets that are all zero."""
    assert isinstance(judge(50.0, facts), NotChecked)


def test_not_checked_where_the_log_begins_later():
    """A resumed run's first loss is not the initial one; neither is the mean of an epoch."""
    resumed = make_run([50.0, 2.0], steps=[100, 101], facts=TEN)
    assert isinstance(check_rule(ImplausibleInitialLoss, resumed), NotChecked)
    by_epoch = make_run((), epochs=[{"train_loss": 50.0}], facts=TEN)
    assert isinstance(check_rule(ImplausibleInitialLoss, by_epoch), NotChecked)


def test_leaves_a_non_finite_loss_to_its_own_rule():
    """NaN at step 0 is no level."""
    assert judge(math.nan, TEN) == ()
