"""LS01: non-finite numbers that persist, and where they came from."""

import math

import pytest

from trainhealth.findings import Confidence, Severity
from trainhealth.records import LayerEntry, OptimizerInfo, ParameterEntry, RunInfo
from trainhealth.rules.loss.nonfinite_loss import NonfiniteLoss
from trainhealth.rules.optimization.learning_rate_too_high import LearningRateTooHigh
from trainhealth.testing import check_rule, make_run

NAN, INF = math.nan, math.inf
LAYERS = [LayerEntry(name="first", type="Linear"), LayerEntry(name="first/log", type="log", activation="log")]
PARAMETERS = [ParameterEntry(name="first.weight", shape=[4, 4], layer="first")]


def judge(losses=(), **run):
    return check_rule(NonfiniteLoss, make_run(losses, **run))


def sampled(activations, parameters=None, gradients=None):
    """Return samples: step -> counts of non-finite elements."""
    return {
        "layers": LAYERS,
        "parameters": PARAMETERS,
        "samples": {
            step: {
                "activation_nonfinite": counts,
                "gradient_nonfinite": [(gradients or {}).get(step, 0.0)],
                "parameter_nonfinite": [(parameters or {}).get(step, 0.0)],
            }
            for step, counts in activations.items()
        },
    }


# --- persistent ---


@pytest.mark.parametrize(("step", "advised"), [(0, False), (1, True)])
def test_no_rate_is_to_blame_before_the_first_update(step, advised):
    """The square root of 0 makes the first gradient NaN: a lower rate is advised from the second step on only."""
    losses = [2.0] * (step + 1) + [NAN] * 20
    (found,) = judge(losses, learning_rate=0.1, **sampled({step: [0.0, 0.0]}, gradients={step: 8.0}))
    assert found.recommendations[0].action.startswith("Guard operations whose derivative is infinite at 0")
    assert any("learning rate" in one.action for one in found.recommendations) is advised


@pytest.mark.parametrize("value", [NAN, INF, -INF])
def test_fires_for_a_loss_that_is_not_finite_to_the_end(value):
    """Critical and certain, from the first bad step on."""
    (found,) = judge([2.0] * 30 + [value] * 20)
    assert (found.severity, found.confidence) == (Severity.CRITICAL, Confidence.CERTAIN)
    assert found.first_step == 30
    assert "from step 30 to the end (20 values)" in found.message


def test_fires_for_a_run_that_never_had_a_number():
    """NaN from the first step on."""
    (found,) = judge([NAN] * 30)
    assert "from the first step on" in found.message


def test_one_or_two_values_are_a_warning_three_are_critical():
    """A script may guard against a single bad batch: only the third makes it certain."""
    assert [judge([2.0] * 30 + [NAN] * count)[0].severity for count in (1, 2, 3)] == [
        Severity.WARNING,
        Severity.WARNING,
        Severity.CRITICAL,
    ]


def test_one_value_suffices_for_a_short_log_and_for_spoilt_parameters():
    """The lecture's five epochs; and a parameter that is NaN will not heal."""
    lecture = make_run((), epochs=[{"train_loss": loss} for loss in (2.19, 2.18, 1.94, 1.83, INF)])
    assert check_rule(NonfiniteLoss, lecture)[0].severity is Severity.CRITICAL
    spoilt = judge([2.0] * 30 + [NAN], **sampled({30: [9, 9]}, parameters={30: 16}))
    assert spoilt[0].severity is Severity.CRITICAL


def test_finite_numbers_are_silent():
    """Neither zero nor huge."""
    assert judge([2.0, 0.0, 1e300] * 10, gradient_norm=[1e30] * 30) == ()


# --- where it began ---


def test_inputs_come_first():
    """NaN in the data explains everything after it."""
    (found,) = judge(
        [2.0] * 8 + [NAN] * 20,
        batch={0: {"input_nonfinite": 0.0}, 8: {"input_nonfinite": 3.0}},
        **sampled({0: [0, 0], 8: [64, 64]}, parameters={8: 16}),
    )
    assert found.place == "input"
    assert "Of the inputs, 3 elements were not finite at step 8" in found.message
    assert found.recommendations[0].recipe == "standardize-inputs"


def test_names_the_first_layer_in_order_of_execution():
    """At the first bad step the first layer is fine, and the logarithm after it is not."""
    (found,) = judge([2.0] * 8 + [NAN] * 20, **sampled({0: [0, 0], 8: [0, 32], 16: [64, 64]}, {8: 16, 16: 16}))
    assert found.place == "first/log"
    assert (found.evidence[0].signal, found.evidence[0].first_step) == ("activation_nonfinite", 8)
    assert "first/log" in found.recommendations[0].action


def test_blames_the_loss_function_where_all_layers_were_finite():
    """All outputs of the first bad step were finite."""
    (found,) = judge([2.0] * 8 + [NAN] * 20, **sampled({0: [0, 0], 8: [0, 0]}, {8: 16}))
    assert "what follows them made it, the loss function or what goes into it" in found.message
    assert found.recommendations[0].recipe == "check-the-loss"


def test_blames_the_end_of_the_model_where_its_outputs_were_not_finite():
    """Layers give numbers, and a logarithm that the model takes by itself does not."""
    outputs = {0: {"output_maximum": 1.0}, 8: {"output_maximum": NAN}}
    (found,) = judge([2.0] * 8 + [NAN] * 20, batch=outputs, **sampled({0: [0, 0], 8: [0, 0]}, {8: 16}))
    assert "what it does behind its last layer made it" in found.message
    finite = outputs | {8: {"output_maximum": 3.0}}
    (found,) = judge([2.0] * 8 + [NAN] * 20, batch=finite, **sampled({0: [0, 0], 8: [0, 0]}, {8: 16}))
    assert "what follows them made it" in found.message


def test_blames_nothing_where_a_step_has_batches_that_nobody_looked_at():
    """Of four accumulated batches, the layers' outputs were seen for one."""
    facts = {"micro_batches": 4}
    (found,) = judge([2.0] * 8 + [NAN] * 20, facts=facts, **sampled({0: [0, 0], 8: [0, 0]}, {8: 16}))
    assert "it may have begun in any of the 4" in found.message
    assert "what follows them" not in found.message


def test_a_gradient_of_the_step_before_comes_before_the_loss():
    """Backward made it: the loss of that step was still finite."""
    (found,) = judge([2.0] * 8 + [NAN] * 20, gradient_norm=[1.0] * 7 + [INF] * 21)
    assert found.first_step == 7
    assert found.evidence[0].signal == "gradient_norm"


def test_a_parameter_that_an_update_made_non_finite():
    """The update of step 4 overflowed: a lower rate comes first."""
    (found,) = judge([2.0] * 5 + [NAN] * 20, learning_rate=10.0, **sampled({0: [0, 0], 4: [0, 0]}, {4: 16}))
    assert found.place == "first.weight"
    assert (found.recommendations[0].change.from_, found.recommendations[0].change.to) == (10.0, 1.0)


@pytest.mark.parametrize(
    ("kind", "eps", "gradients", "named"),
    [
        ("Adam", 1e-8, {}, True),
        ("Adam", 1e-4, {}, False),
        ("SGD", 1e-8, {}, False),
        ("Adam", 1e-8, {0: 16.0}, False),  # the gradient was at fault
    ],
)
def test_an_epsilon_that_float16_has_no_number_for(kind, eps, gradients, named):
    """A first step of Adam is about as long as its rate: only 0 / 0 spoils weights whose gradient is finite."""
    info = RunInfo(optimizers=[OptimizerInfo(name="", type=kind, groups=[{"lr": 0.001, "eps": eps}])])
    samples = sampled({0: [0.0, 0.0], 1: [4.0, 4.0]}, parameters={0: 9.0, 1: 16.0}, gradients=gradients)
    run = make_run([2.3, *[NAN] * 20], learning_rate=0.001, info=info, **samples)
    (found,) = check_rule(NonfiniteLoss, run)
    assert ("float32" in found.recommendations[0].action) is named
    assert any(advice.change for advice in found.recommendations) is not (named or bool(gradients))
    blamed = check_rule(LearningRateTooHigh, run)
    assert bool(blamed) is not (named or bool(gradients))


def test_after_growth_the_rate_is_to_blame():
    """2.19 to 90 and then infinity is an overflow, not a logarithm of zero."""
    (found,) = judge([2.0] * 8 + [9.0, 60.0, 400.0] + [INF] * 20, learning_rate=1.0)
    assert [r.recipe for r in found.recommendations] == [
        "lower-learning-rate",
        "gradient-clipping",
        "find-first-nonfinite",
    ]


def test_says_that_the_step_was_not_sampled():
    """Samples before and after the first bad step don't know which layer it was."""
    (found,) = judge([2.0] * 10 + [NAN] * 20, **sampled({8: [0, 0], 16: [64, 64]}, {16: 16}))
    assert "not sampled" in found.message


# --- beside a finite loss ---


def test_gradient_and_validation_together_are_critical():
    """A loss that prints as 0.0 while the gradient and validation are NaN: a run that broke down."""
    (found,) = judge(
        [2.0] * 30 + [0.0] * 30, gradient_norm=[1.0] * 30 + [NAN] * 30, evaluations={60: {"validation_loss": NAN}}
    )
    assert found.severity is Severity.CRITICAL


@pytest.mark.parametrize(("count", "fires"), [(20, True), (19, False)])
def test_gradients_alone_warn_from_twenty_in_a_row(count, fires):
    """A loss scaler that searches its scale skips a few in a row."""
    assert bool(judge([2.0] * 60, gradient_norm=[1.0] * (60 - count) + [NAN] * count)) is fires


def test_validation_alone_warns_from_the_second_on():
    """One evaluation may be broken; two to the end are worth a look."""
    evaluations = {10: {"validation_loss": 1.0}, 20: {"validation_loss": NAN}}
    assert judge([2.0] * 30, evaluations=evaluations) == ()
    (found,) = judge([2.0] * 30, evaluations=evaluations | {30: {"validation_loss": NAN}})
    assert found.severity is Severity.WARNING


def test_the_advice_for_a_validation_loss_is_about_the_evaluation():
    """It has no gradient that autograd could watch."""
    (found,) = judge([2.0] * 30, evaluations={step: {"validation_loss": NAN} for step in (10, 20)})
    assert not any("autograd" in advice.action for advice in found.recommendations)


def test_a_parameter_that_turned_nan_warns():
    """An unused row of an embedding need not show in the loss yet."""
    (found,) = judge([2.0] * 30, **sampled({0: [0, 0], 16: [0, 0]}, parameters={16: 4}))
    assert (found.severity, found.place) == (Severity.WARNING, "first.weight")


# --- when it is wrong ---


def test_steps_that_a_loss_scaler_skipped_do_not_count():
    """Skipping is its normal operation."""
    bad = [3, 4, 28, 29]
    losses = [INF if step in bad else 2.0 for step in range(30)]
    assert judge(losses, skipped_steps=bad, gradient_norm=losses) == ()


def test_single_bad_gradients_are_silent():
    """Foreign logs don't say what a scaler skipped."""
    norms = [NAN if step % 7 == 0 else 1.0 for step in range(60)]
    assert judge([2.0] * 60, gradient_norm=norms) == ()


def test_a_loss_that_healed_is_a_note():
    """The script has thrown that batch away."""
    (found,) = judge([2.0] * 10 + [NAN] + [2.0] * 30)
    assert found.severity is Severity.NOTE
    assert "1 of 41" in found.message


def test_masks_of_minus_infinity_are_silent_and_are_not_the_origin():
    """What was not finite while the loss was finite did not reach it."""
    masks = {0: [0, 5], 4: [0, 5], 8: [0, 5], 16: [0, 5]}
    assert judge([2.0] * 20, **sampled(masks)) == ()
    (found,) = judge([2.0] * 8 + [NAN] * 20, **sampled(masks))
    assert found.place == "run"


def test_inputs_that_mark_what_is_missing_with_nan_are_silent():
    """The model fills them in: the loss is finite."""
    assert judge([2.0] * 20, batch={0: {"input_nonfinite": 7.0}, 8: {"input_nonfinite": 7.0}}) == ()


def test_other_metrics_are_not_read():
    """NaN in a metric that no rule knows means nothing here."""
    assert judge([2.0] * 20, evaluations={10: {"explained_variance": NAN}, 20: {"explained_variance": NAN}}) == ()
