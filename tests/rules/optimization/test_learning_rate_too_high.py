"""OP01: fires where training broke and large updates explain it, and never for large updates alone."""

import dataclasses
import math

import numpy as np
import pytest

from trainhealth.findings import Confidence, NotChecked, Severity
from trainhealth.records import ErrorRecord, LayerEntry, OptimizerInfo, ParameterEntry, RunInfo
from trainhealth.rules.optimization.learning_rate_too_high import LearningRateTooHigh
from trainhealth.testing import check_rule, make_run

WEIGHTS = [ParameterEntry(name=f"{i}.weight", shape=[64, 64]) for i in (0, 2, 4)]
BIAS = ParameterEntry(name="0.bias", shape=[64])
SAMPLED = [0, 1, 2, 4, 8, 16, 32, 64, 128, 256]
CLASSES = {"loss_function": "cross_entropy", "loss_reduction": "mean", "classes": 10, "task": "classification"}

FALLING = 2.2 * np.exp(-np.arange(300) / 40) + 0.1
SHAKEN = [2.3, 26.0, 9.0, 4.0, *[2.31] * 296]  # an explosion in the first steps, then the level of guessing


def ratios_of(ratio):
    """Samples in which the updates of all weights are `ratio`: a number, or one a sampled step."""
    values = [ratio] * len(SAMPLED) if isinstance(ratio, float) else ratio
    return {step: {"update_ratio": [value] * 3} for step, value in zip(SAMPLED, values, strict=False)}


def judge(losses, ratio=None, **run):
    if ratio is not None:
        run = {"parameters": WEIGHTS, "samples": ratios_of(ratio)} | run
    return check_rule(LearningRateTooHigh, make_run(list(losses), **run))


def fired(*args, **run):
    (found,) = judge(*args, **run)
    return found


# --- (1) not finite at the end ---

OVERFLOWING = [2.3, 2.4, 4.0, 40.0, 1e9, *[math.nan] * 20]


def test_fires_for_a_loss_that_overflows_after_large_updates():
    """It says from where, how large the update was, and at which rate."""
    found = fired(OVERFLOWING, 0.6, learning_rate=0.5)
    assert (found.severity, found.confidence) == (Severity.CRITICAL, Confidence.LIKELY)
    assert found.message.startswith("train_loss is NaN from step 5 on; the update of step")
    assert "at a learning rate of 0.5 changed the weights by 60 % of their norm" in found.message
    assert found.first_step == 1


def test_an_update_of_one_per_cent_is_enough_for_an_overflow_and_a_smaller_one_is_not():
    """The lectures' "about okay" is the limit: a NaN after small updates has another cause."""
    assert fired(OVERFLOWING, 0.011)
    assert judge(OVERFLOWING, 0.009) == ()


def test_large_updates_long_before_do_not_explain_an_overflow():
    """Adaptive optimizers start large; a NaN a hundred steps later, out of small updates, is not theirs."""
    losses = [*[2.0] * 130, *[math.nan] * 170]
    assert judge(losses, [0.5, 0.4, 0.3, 0.2, 0.1, 0.002, 0.001, 0.001, 0.001, 0.001]) == ()


def test_non_finite_inputs_explain_an_overflow():
    """No rate makes up for NaN in the data."""
    assert judge(OVERFLOWING, 0.6, batch={4: {"input_nonfinite": 3.0}}) == ()


def test_a_first_gradient_that_is_no_number_explains_a_loss_that_is_none():
    """The square root of 0 spoils the first update at any rate; a gradient that is spoilt later may be the rate's."""
    losses, none = [2.0, *[math.nan] * 30], [math.nan] * 3
    samples = {0: {"gradient_nonfinite": [8.0] * 3, "update_ratio": none}}
    assert judge(losses, parameters=WEIGHTS, samples=samples) == ()
    assert judge([2.0, 2.0, *losses], parameters=WEIGHTS, samples={2: samples[0]})


def test_silent_where_the_loss_was_never_a_number():
    """A loss that is NaN before the first update is not the rate's doing."""
    assert judge([math.nan] * 30, 0.6) == ()


@pytest.mark.parametrize("bad", [[math.nan], [math.inf, math.nan]])
def test_waits_whether_a_non_finite_loss_stays(bad):
    """A loss scaler's probing ends after a step or two; a log that ended with it says that it stayed."""
    assert judge([*FALLING[:40], *bad], 0.6) == ()
    assert judge([*FALLING[:40], *bad, 0.9], 0.6) == ()


# --- (2) above three times the first loss ---


def test_fires_above_three_times_the_first_loss_and_not_below():
    """The lectures' test for an explosion, on the median of the last tenth."""
    assert fired([2.3] * 50 + [7.0] * 50, 0.05).message.startswith("train_loss rose from 2.3 to 7 and stays there")
    assert judge([2.3] * 50 + [6.8] * 50, 0.05) == ()


def test_waits_for_the_first_fifty_steps():
    """What happens within them may heal."""
    assert judge([2.3, *[50.0] * 48], 0.5) == ()
    assert judge([2.3, *[50.0] * 49], 0.5)


def test_begins_at_the_last_healthy_step():
    """The cause must not begin after its symptoms."""
    found = fired([*FALLING, *np.geomspace(0.1, 500, 60), *[500.0] * 60], 0.2)  # 6.9 is reached at step 329
    assert found.first_step in range(300, 320)


# --- (3) gave back its progress ---

RELAPSED = [*FALLING, *[2.3] * 100]


def test_fires_where_the_loss_unlearns_for_good_and_an_update_was_large():
    """One sample of a tenth suffices: the loss itself is the proof."""
    found = fired(RELAPSED, [0.01, 0.01, 0.01, 0.01, 0.01, 0.01, 0.01, 0.01, 0.01, 0.11])
    assert "fell to 0.102" in found.message
    assert found.first_step in range(230, 301)
    assert judge(RELAPSED, [0.01] * 9 + [0.09]) == ()


def test_the_first_update_alone_explains_no_relapse():
    """RMSprop's first update is ten times the others, in every run."""
    assert judge(RELAPSED, [1.3] + [0.01] * 9) == ()


def test_silent_on_a_spike_that_heals():
    """It had gone up by half of its progress, and came back."""
    assert judge([*FALLING, *[2.3] * 20, *[0.1] * 80], 0.3) == ()


# --- (4) never learnt ---


def test_fires_where_the_loss_exploded_at_first_and_stands_at_the_level_of_guessing():
    """Two updates of a tenth and an explosion, as with a dead network."""
    found = fired(SHAKEN, [0.5, 0.1, *[0.0] * 8], facts=CLASSES)
    assert "having risen to 26 within the first 50" in found.message
    assert found.first_step == 0
    assert judge(SHAKEN, [0.5, 0.09, *[0.0] * 8], facts=CLASSES) == ()
    assert judge([2.3, 7.0, *[2.31] * 298], 0.3, facts=CLASSES)
    assert judge([2.3, 6.8, *[2.31] * 298], 0.3, facts=CLASSES) == ()


def test_one_update_as_large_as_the_weights_is_enough():
    """A single overthrow kills all units: afterwards there is no update to be seen."""
    assert fired(SHAKEN, [1.1, *[0.0] * 9], facts=CLASSES)


def test_fires_where_the_weights_stopped_moving():
    """All units dead or saturated: the gradient is gone, and the loss stands at the level of guessing."""
    found = fired([2.3, 2.5, *[2.31] * 298], [0.3, 0.3, 0.2, 0.2, 0.1, 0.0, 0.0, 0.0, 0.0, 0.0])
    assert "the weights have stopped moving" in found.message


def test_fires_where_the_loss_stays_worse_than_before_training():
    """Random steps that never get below the start."""
    assert "worse than before training" in fired([2.0, *[2.5] * 299], 0.3).message


def grown(factor):
    norms = np.linspace(1.0, factor, len(SAMPLED))
    samples = {
        step: {"update_ratio": [0.2] * 3, "parameter_norm": [float(norm)] * 3}
        for step, norm in zip(SAMPLED, norms, strict=True)
    }
    losses = [*np.linspace(2.3, 1.6, 50), *[1.6] * 250]
    return judge(losses, parameters=WEIGHTS, samples=samples)


def test_fires_where_weights_grew_and_the_loss_stalls_high():
    """A loss at 0.7 of its start is a warning where the weights grew fourfold, and nothing where they did not."""
    (found,) = grown(4.1)
    assert found.severity is Severity.WARNING
    assert "while the weights grew 4.1-fold" in found.message
    assert grown(3.9) == ()


def stalled_at(level, facts=CLASSES, **run):
    return judge([2.3, 26.0, *np.linspace(2.3, level, 48), *[level] * 250], 0.2, facts=facts, **run)


@pytest.mark.parametrize(("grown", "fires"), [(5.0, True), (3.0, False)])
def test_weights_that_grew_between_two_samples_tell_of_updates_that_were_not_sampled(grown, fires):
    """No ratio that was seen is large, and 32 steps made the weights five times as large."""
    samples = {
        step: columns | {"parameter_norm": [8.0 * (grown if step > 32 else 1.0)] * 3}
        for step, columns in ratios_of(0.05).items()
    }
    assert bool(judge([2.3] * 300, samples=samples, parameters=WEIGHTS, facts=CLASSES)) is fires


def test_after_a_shock_a_classifier_stalls_lower():
    """A fifth of the loss of guessing is poor for classes; a squared error or a text may have no lower level."""
    assert stalled_at(0.47)
    assert stalled_at(0.45) == ()
    assert stalled_at(0.9, facts=CLASSES | {"task": "language"}) == ()
    squared = {"loss_function": "mse", "target_std": 1.6, "target_mean_square": 3.0}
    assert stalled_at(0.9, facts=squared) == ()
    assert stalled_at(1.5, facts=squared)


def test_dying_units_are_a_trace_of_the_shock():
    """Units that were alive in the first window and dead in the next ones, at a loss that stalls."""
    relu = LayerEntry(name="0/relu", type="relu", activation="relu", fed_by="0", units=8)
    run = {"layers": [relu], "facts": CLASSES, "parameters": WEIGHTS, "samples": ratios_of(0.2)}
    losses = [*np.linspace(2.3, 0.7, 50), *[0.7] * 250]
    found = fired(losses, dead_units={64: ["0"], 128: ["7f"], 256: ["7f"]}, **run)
    assert "88 % of the units of 0/relu have died" in found.message
    assert judge(losses, dead_units={64: ["0"], 128: ["7"], 256: ["7"]}, **run) == ()


def test_waits_while_the_loss_still_falls():
    """After a shock the loss may need its time: as long as it falls by a tenth in a quarter of the run."""
    assert judge([2.3, 26.0, *np.geomspace(2.3, 0.6, 298)], 0.2, facts=CLASSES) == ()


# --- only the loss and the rate ---


def test_without_update_ratios_a_divergence_is_a_hint():
    """The lecture's example at 3e-3: 2.19, 2.18, 1.94, 1.83, infinity."""
    found = fired([2.186654, 2.176230, 1.942257, 1.827868, math.inf, math.inf], learning_rate=3e-3)
    assert found.confidence is Confidence.HINT
    assert found.recommendations[0].change.to == 3e-4


def test_without_update_ratios_an_explosion_in_the_first_steps_is_a_hint():
    """A loss that leapt and fell back to the level of guessing; without the leap there is nothing to see."""
    assert fired(SHAKEN).confidence is Confidence.HINT
    assert judge([2.3] * 300) == ()
    assert judge(RELAPSED) == ()


def test_batches_that_differ_tenfold_all_along_are_no_explosion_of_the_first_steps():
    """The costs of sentences of all lengths, the highest by chance among the first; with even ones later it is one."""
    batches = [60.0, *[200.0, 50.0, 480.0, 30.0, 90.0] * 60]
    batches[8] = 520.0
    assert judge(batches) == ()
    assert judge([*batches[:50], *[60.0] * 250])


def test_without_update_ratios_a_rate_that_was_lowered_before_is_not_to_blame():
    """A schedule had brought it to a tenth when the loss broke."""
    rates = [0.1] * 100 + [0.01] * 220
    assert judge([*FALLING, *[math.nan] * 20], learning_rate=rates) == ()
    assert judge([*FALLING, *[math.nan] * 20], learning_rate=[0.1] * 320)


# --- when it is wrong ---


@pytest.mark.parametrize("ratio", [0.3, [1.3, 0.6, 0.4, 0.3, 0.2, 0.1, 0.05, 0.02, 0.01, 0.01]])
def test_silent_on_large_updates_at_a_loss_that_falls_well(ratio):
    """Adaptive optimizers, small nets: a large ratio alone is no illness."""
    assert judge(FALLING, ratio) == ()


def test_silent_on_a_shock_that_heals():
    """A high first loss after RMSprop's first update, and then the usual fall."""
    assert judge([2.3, 200.0, 60.0, 20.0, *FALLING], [1.3, 0.6, 0.4, 0.3, 0.2, 0.1, 0.05, 0.02, 0.01, 0.01]) == ()


def test_silent_on_a_hard_task_with_large_first_updates():
    """Labels that can't be learnt keep the loss at its start; nothing was thrown about."""
    noise = np.random.default_rng(0).normal(0, 0.05, 300)
    assert judge(1.38 + noise, [0.4, 0.3, 0.2, 0.1, 0.08, 0.06, 0.05, 0.05, 0.04, 0.04], facts=CLASSES) == ()


def test_biases_and_frozen_weights_do_not_count():
    """A bias that starts at zero changes by more than itself in every run."""
    parameters = [*WEIGHTS, BIAS, ParameterEntry(name="5.bias", shape=[8]), ParameterEntry(name="6.bias", shape=[8])]
    small = {step: {"update_ratio": [0.001, 0.001, 0.001, 9.0, 9.0, 9.0]} for step in SAMPLED}
    assert judge(SHAKEN, parameters=parameters, samples=small) == ()
    frozen = [ParameterEntry(name=entry.name, shape=entry.shape, trainable=False) for entry in WEIGHTS]
    ratios = {step: {"update_ratio": [9.0, 9.0, 9.0, 0.001]} for step in SAMPLED}
    assert judge(SHAKEN, parameters=[*frozen, BIAS], samples=ratios) == ()


def test_adversaries_are_not_checked():
    """Between a generator and a discriminator a rising loss is no illness."""
    info = RunInfo(optimizers=[OptimizerInfo(name=name, type="Adam") for name in ("generator", "discriminator")])
    assert isinstance(judge([2.3] * 50 + [30.0] * 50, 0.3, info=info), NotChecked)
    assert fired(OVERFLOWING, 0.3, info=info)


# --- a script that gave up in the first steps ---


def broke_off(losses, ratio, message="the loss is nan", kind="ValueError"):
    parameters = [ParameterEntry(name="0.weight", shape=[64, 64])]
    samples = {step: {"update_ratio": [ratio], "parameter_norm": [8.0]} for step in range(len(losses))}
    run = make_run(losses, parameters=parameters, samples=samples, learning_rate=10.0)
    error = ErrorRecord(step=len(losses), time=1.0, type=kind, message=message)
    return check_rule(LearningRateTooHigh, dataclasses.replace(run, error=error, ended="exception"))


def test_fires_where_the_script_raised_over_a_number_after_a_huge_update():
    """Two finite losses are all there is, and an update larger than the weights."""
    (found,) = broke_off([2.3, 2.5], 40.0)
    assert found.severity is Severity.CRITICAL
    assert found.message == (
        "the script raised ValueError after 2 steps; the update of step 0 at a learning rate of 10 changed the weights "
        "by 40 times their norm."
    )


def test_a_loss_that_rose_before_the_script_raised_needs_no_word_for_it():
    """An assertion without a message."""
    (found,) = broke_off([2.3, 9000.0], 40.0, message="", kind="AssertionError")
    assert found.message.startswith("train_loss rose from 2.3 to 9000, and then the script raised AssertionError")


def test_another_exception_is_not_the_rates_doing():
    """A missing file, ordinary updates, or a run that had gone well for fifty steps."""
    assert broke_off([2.3, 2.5], 40.0, message="No such file: information.csv") == ()
    assert broke_off([2.3, 2.5], 0.99) == ()
    assert broke_off([2.3] * 51, 40.0) == ()


# --- large ratios that are not the rate's doing ---


def stuck_with(norms, weight_decay=0.0):
    """A run that never learns, with large updates, and weights [64, 64] of these norms at its first and last sample."""
    parameters = [ParameterEntry(name="0.weight", shape=[64, 64])]
    steps = [0, 1, 2, 4, 8, 16, 32, 64, 128, 199]
    middle = np.geomspace(*norms, len(steps))
    samples = {
        step: {"update_ratio": [0.5 if step < 64 else 1e-4], "parameter_norm": [norm]}
        for step, norm in zip(steps, middle, strict=True)
    }
    info = RunInfo(optimizers=[OptimizerInfo(name="", type="SGD", groups=[{"weight_decay": weight_decay}])])
    run = make_run([2.3] * 200, parameters=parameters, samples=samples, learning_rate=0.1, info=info)
    return check_rule(LearningRateTooHigh, run)


def test_tiny_weights_make_every_update_a_large_one():
    """Xavier's norm for 64 units is 8: below a tenth of it the ratio says nothing of the rate."""
    assert stuck_with((0.81, 0.81))
    assert stuck_with((0.79, 0.79)) == ()


def test_weights_that_decay_to_nothing_are_not_the_rates_doing():
    """Strong weight decay: the weights shrink, and the loss goes back to that of guessing."""
    assert stuck_with((8.0, 1.0))
    assert stuck_with((8.0, 1.0), weight_decay=1.0) == ()
    assert stuck_with((8.0, 8.0), weight_decay=1.0)


# --- (5) nothing learnt until the rate was lowered ---

LOWERED = np.concatenate([np.full(200, 0.1), np.geomspace(0.1, 1e-3, 100)])
STOOD = np.concatenate([np.full(220, 2.3), np.linspace(2.3, 1.9, 80)])


@pytest.mark.parametrize(
    ("losses", "ratio", "rates", "fires"),
    [
        (STOOD, 0.02, LOWERED, True),
        (STOOD, 0.005, LOWERED, False),  # updates of a usual size: a late start
        (STOOD, 0.02, np.full(300, 0.1), False),  # it fell by itself
        (FALLING, 0.02, LOWERED, False),  # it had learnt before
        (np.full(300, 2.3), 0.02, LOWERED, False),  # the lower rate did not help
    ],
)
def test_fires_where_learning_began_with_the_decay(losses, ratio, rates, fires):
    """Guessing at ratios above 1e-2 for 200 steps, and a fall once the schedule had lowered the rate tenfold."""
    found = judge(losses, ratio, learning_rate=list(rates), facts=CLASSES)
    assert bool(found) is fires
    if fires:
        assert found[0].severity is Severity.WARNING
        assert "and fell to 1.9" in found[0].message


def test_without_update_ratios_an_even_rise_is_not_the_rates_doing():
    """A curriculum's, from 0.2 to 20 over the whole run; with a step in it, it is one again."""
    climbing = np.linspace(0.2, 20, 300)
    assert judge(climbing.tolist()) == ()
    assert judge(np.where(np.arange(300) < 150, 0.2, climbing).tolist())


@pytest.mark.parametrize("ratio", [None, 0.3])
def test_silent_where_the_evaluations_get_better_meanwhile(ratio):
    """What has risen is another part of the loss; where they get worse as well, it is the model."""
    losses = [1.0] * 150 + [6.0] * 150
    falling, rising = (
        [{"validation_loss": float(loss)} for loss in levels]
        for levels in (np.geomspace(1, 0.1, 20), np.geomspace(1, 8, 20))
    )
    assert judge(losses, ratio, epochs=falling) == ()
    assert judge(losses, ratio, epochs=rising)
