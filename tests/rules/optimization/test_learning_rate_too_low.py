"""OP02: fires where weights hardly move because of the rate, and not because of the gradient or the schedule."""

import dataclasses

import numpy as np
import pytest

from trainhealth.findings import Confidence, NotChecked, Severity
from trainhealth.records import OptimizerInfo, ParameterEntry, RunInfo
from trainhealth.rules.optimization.learning_rate_too_low import LearningRateTooLow
from trainhealth.testing import check_rule, make_run

WEIGHTS = [ParameterEntry(name=f"{i}.weight", shape=[100, 100]) for i in (0, 2, 4)]
CLASSES = {"loss_function": "cross_entropy", "loss_reduction": "mean", "classes": 10}
LECTURE = [2.302576, 2.302582, 2.302558, 2.302519, 2.302517, 2.302518, 2.302466, 2.302452, 2.302459, 2.302420]


def flat(steps=400, end=2.28):
    return np.linspace(2.31, end, steps) + np.random.default_rng(0).normal(0, 0.01, steps)


def judge(losses, ratio=None, learning_rate=1e-5, norm=10.0, **run):
    if ratio is not None:
        columns = {"update_ratio": [ratio] * 3, "parameter_norm": [norm] * 3}
        sampled = sorted({0, 1, 2, 4, 8, 16, 32, 64, *range(100, len(losses), 50)})
        run = {"parameters": WEIGHTS, "samples": dict.fromkeys(sampled, columns), "facts": CLASSES} | run
    return check_rule(LearningRateTooLow, make_run(list(losses), learning_rate=learning_rate, **run))


def test_fires_for_the_lectures_example_from_loss_and_rate_alone():
    """2.302576 -> 2.302420 in ten epochs at 1e-6: barely changing."""
    (found,) = judge(LECTURE, learning_rate=1e-6)
    assert (found.severity, found.confidence) == (Severity.WARNING, Confidence.HINT)
    assert found.message == "train_loss moved only from 2.302576 to 2.30242 by step 9 at a learning rate of 1e-06."


def test_fires_where_updates_are_tiny_and_the_loss_stands():
    """It names the ratio and the rate at which it would be 1e-2."""
    (found,) = judge(flat(), 1e-6)
    assert found.confidence is Confidence.LIKELY
    assert "an update changes the weights by 1e-06 of their norm" in found.message
    change = found.recommendations[0].change
    assert (change.parameter, change.from_, change.to) == ("learning_rate", 1e-5, 0.1)
    assert found.first_step == 0


def test_a_ratio_of_2e_4_is_too_low_and_a_larger_one_is_not():
    """A fifth of the lectures' 1e-3 is the limit."""
    assert judge(flat(), 2e-4)
    assert judge(flat(), 2.2e-4) == ()


def test_a_loss_that_fell_by_a_tenth_moves():
    """At 0.91 of its start it stands, at 0.88 it learns."""
    assert judge(flat(end=2.12), 1e-4)
    assert judge(flat(end=2.0), 1e-4) == ()


def test_waits_for_a_hundred_steps_and_for_three_hundred_at_a_fair_ratio():
    """A ratio above a tenth of the limit may only need time."""
    assert judge(flat(100), 1e-5)
    assert judge(flat(99), 1e-5) == ()
    assert judge(flat(300), 1e-4)
    assert judge(flat(299), 1e-4) == ()


# --- when it is wrong: it is not the rate ---


def test_silent_where_no_usual_rate_would_help():
    """SGD at 0.01 with a ratio of 1e-6 would need a rate of 10: the gradient has vanished."""
    assert judge(flat(), 1e-6, learning_rate=0.01) == ()
    assert judge(flat(), 1e-6, learning_rate=2.9e-4)


@pytest.mark.parametrize("optimizer", ["Adam", "AdamW", "RMSprop"])
def test_silent_where_an_adaptive_optimizer_gets_no_gradient(optimizer):
    """Weights of rms 0.1 at a rate of 1e-5 move by 1e-4 a step: a thousandth of that means no gradient at all."""
    info = RunInfo(optimizers=[OptimizerInfo(name="", type=optimizer)])
    assert judge(flat(), 1e-7, info=info) == ()
    assert judge(flat(), 1e-4, info=info)


def test_silent_while_the_rate_warms_up():
    """A warm-up longer than all that has been seen, linear from 0."""
    assert judge(flat(), 1e-6, learning_rate=np.linspace(1e-8, 1e-4, 400).tolist()) == ()


def test_silent_where_the_full_rate_was_held_for_a_short_time_only():
    """A rate that collapsed after eighty steps is another illness."""
    assert judge(flat(), 1e-6, learning_rate=[1e-4] * 80 + [1e-9] * 320) == ()


def test_only_the_steps_at_full_rate_count():
    """Small updates at the end of a decay are meant; a run that stood still at its full rate is still sick."""
    rates = np.linspace(1e-5, 1e-9, 400).tolist()
    columns = {step: {"update_ratio": [1e-3 if step < 250 else 1e-7] * 3} for step in range(0, 400, 25)}
    assert judge(flat(), learning_rate=rates, parameters=WEIGHTS, samples=columns, facts=CLASSES) == ()
    assert judge(flat(), 1e-6, learning_rate=rates)


def test_silent_on_fine_tuning():
    """The loss began far below that of guessing and hardly moves: so it should be."""
    assert judge(np.full(400, 0.31), 1e-5) == ()
    assert judge(np.full(400, 2.0), 1e-5) == ()


def test_a_loss_whose_guess_is_unknown_needs_a_smaller_ratio():
    """Fine-tuning can't be told from standing still: only updates below what fine-tuning uses count."""
    assert judge(flat(), 1e-5, facts={}) == ()
    assert judge(flat(), 4e-6, facts={})


def test_silent_on_a_converged_run():
    """A plateau far below the start, at small updates."""
    assert judge([*2.3 * np.exp(-np.arange(100) / 20), *[0.02] * 300], 1e-5) == ()


def test_silent_on_labels_that_cannot_be_learnt():
    """The loss stays at that of guessing, but the weights move as they should."""
    assert judge(flat(end=2.31), 1e-3, learning_rate=1e-3) == ()


def test_adversaries_are_not_checked():
    """Their losses do not tell whether they learn."""
    info = RunInfo(optimizers=[OptimizerInfo(name=name, type="Adam") for name in ("actor", "critic")])
    assert isinstance(judge(flat(), 1e-6, info=info), NotChecked)


def test_without_update_ratios_everything_must_fit():
    """A usual rate, a loss that is no log C, a loss that moves or does not fall: silent."""
    assert judge(LECTURE, learning_rate=1e-3) == ()
    assert judge([1.7 * loss for loss in LECTURE], learning_rate=1e-6) == ()
    assert judge([2.302, 2.2, 2.0, 1.8, 1.6, 1.4], learning_rate=1e-6) == ()
    assert judge([2.3026] * 10, learning_rate=1e-6) == ()
    assert judge(LECTURE[:4], learning_rate=1e-6) == ()


def test_without_any_rate_it_is_not_checked():
    """A loss alone says nothing about the rate."""
    assert isinstance(judge(LECTURE, learning_rate=None), NotChecked)


# --- the advice ---


def test_an_unknown_rate_is_multiplied():
    """Update ratios without a rate: the factor, and no change that a program could apply."""
    (found,) = judge(flat(), 1e-6, learning_rate=None)
    assert found.recommendations[0].change is None
    assert found.recommendations[0].action == "Raise the learning rate 10000-fold."


def test_the_advice_stays_below_a_usual_rate():
    """No more than 0.3, whatever the ratio asks for."""
    (found,) = judge(flat(), 1e-6, learning_rate=2.9e-4)
    assert found.recommendations[0].change.to == 0.3


@pytest.mark.parametrize(("end", "fires"), [(2.35, True), (2.0, False)])
def test_coming_down_to_guessing_is_no_progress(end, fires):
    """From 3 to 2.35 the loss fell by a fifth, and the model still knows nothing; at 2.0 it knows something."""
    assert bool(judge(np.linspace(3.0, end, 400), 1e-4)) is fires


@pytest.mark.parametrize(
    ("ratio", "losses", "fires"),
    [
        (5e-5, flat(end=1.2), True),
        (6e-5, flat(end=1.2), False),
        (5e-5, flat(end=0.5), False),
        (5e-5, 0.9 + 1.4 * np.exp(-np.arange(400) / 100), False),
    ],
)
def test_fires_on_a_loss_that_falls_evenly_and_is_far_from_its_end(ratio, losses, fires):
    """At a twentieth of 1e-3: a straight line to half of the start, and not a curve that comes to its level."""
    assert bool(judge(losses, ratio, learning_rate=1e-3)) is fires


def test_a_loss_that_is_divided_too_often_is_named():
    """`loss / 32` of a mean: the gradient is 32 times too small, and the rate that would make up for it unusual."""
    facts = CLASSES | {"loss_graph": ["DivBackward0", "NllLossBackward0"], "loss_factor": 1 / 32}
    (found,) = judge(flat() / 32, 1e-5, learning_rate=0.01, facts=facts)
    assert found.recommendations[0].action.startswith("Take the mean loss as it is: the script multiplies it by 0.0312")
    assert judge(flat() / 32, 1e-5, learning_rate=0.01, facts=CLASSES) == ()


def test_adadelta_has_no_step_of_its_own():
    """Its updates don't have the size of the rate: a small ratio there is the rate's doing all the same."""
    for kind, fires in (("Adadelta", True), ("Adam", False)):
        info = RunInfo(optimizers=[OptimizerInfo(name="", type=kind)])
        assert bool(judge(flat(), 1e-5, learning_rate=1e-3, norm=1.0, info=info)) is fires


def test_a_warm_up_that_never_ended_is_a_rate_that_is_too_low():
    """While the run goes on it may still rise; when it has ended, it was stepped too seldom."""
    rates = np.linspace(1e-6, 1e-5, 400)
    run = {"learning_rate": list(rates), "parameters": WEIGHTS, "facts": CLASSES}
    columns = {"update_ratio": [1e-5] * 3, "parameter_norm": [10.0] * 3}
    made = make_run(list(flat()), samples=dict.fromkeys(range(0, 400, 20), columns), **run)
    assert check_rule(LearningRateTooLow, made) == ()
    (found,) = check_rule(LearningRateTooLow, dataclasses.replace(made, ended="closed"))
    assert found.recommendations[0].action.startswith("Let the warm-up end within the run")
    assert "from 1e-06 to 1e-05" in found.recommendations[0].because


def hardly_moved(ratio=2e-4, end=1.5, steps=400, start=2.31, ended="closed", gain=1.0):
    """A run whose updates are small for its length, and whose loss bends as it falls."""
    entries = [*WEIGHTS, ParameterEntry(name="norm.weight", shape=[100])]
    columns = {"update_ratio": [ratio] * 4, "parameter_norm": [10.0, 10.0, 10.0, 10.0 * gain]}
    losses = end + (start - end) * np.exp(-np.arange(steps) / (steps / 6))
    samples = dict.fromkeys(range(0, steps, 20), columns)
    run = make_run(losses.tolist(), learning_rate=1e-3, parameters=entries, samples=samples, facts=CLASSES)
    return check_rule(LearningRateTooLow, dataclasses.replace(run, ended=ended))


@pytest.mark.parametrize(
    ("run", "fires"),
    [
        ({"ratio": 2.4e-4}, True),
        ({"ratio": 2.6e-4}, False),
        ({"ratio": 2.9e-4, "steps": 320}, True),
        ({"ratio": 3.1e-4, "steps": 300}, False),
        ({"end": 0.72}, True),
        ({"end": 0.66}, False),
        ({"ended": None}, False),
        ({"start": 1.9}, False),
        ({"gain": 1.2}, False),
    ],
    ids=[
        *("96 % of a tenth of the norm", "beyond it", "a third of a good ratio", "more than that"),
        *("a third of guessing", "below it", "goes on", "began with knowledge", "trained before"),
    ],
)
def test_fires_where_all_updates_together_were_too_small(run, fires):
    """Fresh weights that could change by no more than a tenth of their norm, and a loss that is far from its end."""
    assert bool(hardly_moved(**run)) is fires


def test_says_how_far_the_weights_can_have_come():
    """The ratio of a step, and the sum of all."""
    (found,) = hardly_moved()
    assert "an update changes the weights by 0.0002 of their norm, all 400 together by 8 % at most" in found.message


def of_schedule(losses, rates, group, ratio=1e-3, ended="closed"):
    columns = {"update_ratio": [ratio] * 3, "parameter_norm": [10.0] * 3}
    info = RunInfo(optimizers=[OptimizerInfo(name="", type="SGD", groups=[group])])
    samples = dict.fromkeys(range(0, len(losses), 10), columns)
    parts = {"parameters": WEIGHTS, "samples": samples, "facts": CLASSES, "info": info}
    return dataclasses.replace(make_run(list(losses), learning_rate=list(rates), **parts), ended=ended)


def test_names_a_schedule_that_returns_a_rate_for_a_factor():
    """The script says 0.001, and nobody finds the 1e-6 in it: 0.001 times what should have been 1."""
    run = of_schedule(flat(), np.linspace(1e-6, 5e-7, 400), {"lr": 1e-6, "initial_lr": 1e-3}, ratio=5e-6)
    (found,) = check_rule(LearningRateTooLow, run)
    first = found.recommendations[0]
    assert "LambdaLR" in first.action
    assert "was made with 0.001, and a schedule keeps it at or below 1e-06" in first.because
    assert first.change.to == 1e-3
    assert not any(advice.action.startswith("Raise") for advice in found.recommendations)


def test_a_rate_a_little_below_the_optimizers_own_is_no_mistake():
    """A factor of a tenth may be meant."""
    run = of_schedule(flat(), [1e-6] * 400, {"lr": 1e-6, "initial_lr": 1e-5}, ratio=5e-6)
    (found,) = check_rule(LearningRateTooLow, run)
    assert found.recommendations[0].action.startswith("Raise the learning rate")


ONE_CYCLE = {"lr": 0.002, "initial_lr": 0.002, "max_lr": 0.05}


@pytest.mark.parametrize(
    ("end", "rates", "group", "ended", "fires"),
    [
        (1.95, np.linspace(0.002, 0.004, 400), ONE_CYCLE, "closed", True),
        (1.95, np.linspace(0.002, 0.004, 400), ONE_CYCLE, None, False),  # it may yet rise
        (1.75, np.linspace(0.002, 0.004, 400), ONE_CYCLE, "closed", False),  # it has learnt
        (1.95, np.linspace(0.002, 0.02, 400), ONE_CYCLE, "closed", False),  # near its peak
        (1.95, np.linspace(1e-5, 0.02, 400), {"lr": 1e-5}, "closed", True),  # of another kind
        (1.95, np.geomspace(1e-5, 0.02, 400), {"lr": 1e-5}, "closed", False),  # a test of a range of rates
        (2.3, np.linspace(0.002, 0.004, 400), ONE_CYCLE, "closed", False),  # something else holds it up
    ],
)
def test_fires_where_the_run_ended_in_its_warm_up(end, rates, group, ended, fires):
    """OneCycleLR that is stepped once an epoch: updates are large enough by then, and the peak is far."""
    found = check_rule(LearningRateTooLow, of_schedule(flat(end=end), rates, group, ended=ended))
    assert bool(found) is fires
    if fires:
        assert "was still rising at the last step" in found[0].message
        assert found[0].recommendations[0].action.startswith("Let the warm-up end within the run")


def test_the_sum_of_all_updates_shows_its_digits():
    """A tenth of a per cent is not 0 %."""
    run = of_schedule(flat(), [1e-6] * 400, {"lr": 1e-6}, ratio=2e-6)
    (found,) = check_rule(LearningRateTooLow, run)
    assert "all 400 together by 0.08 % at most" in found.message


@pytest.mark.parametrize(("epochs", "fires"), [(20, True), (9, False), (0, False)])
def test_a_few_steps_suffice_where_they_were_many_epochs(epochs, fires):
    """One step for all data, twenty times: together they can have changed the weights by 0.4 %."""
    columns = {"update_ratio": [2e-4] * 3, "parameter_norm": [10.0] * 3}
    rows = [{"validation_loss": 2.31} for _ in range(epochs)]
    parts = {"parameters": WEIGHTS, "samples": dict.fromkeys((0, 1, 2, 4, 8, 16), columns), "facts": CLASSES}
    run = make_run(np.linspace(2.312, 2.309, 20).tolist(), learning_rate=0.01, epochs=rows, **parts)
    assert bool(check_rule(LearningRateTooLow, dataclasses.replace(run, ended="closed"))) is fires
