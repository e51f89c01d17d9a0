"""GE01: fires where validation turns while training goes on, and not where it only wavers."""

import dataclasses

import numpy as np
import pytest

from trainhealth.findings import Confidence, NotChecked, Severity
from trainhealth.rules.generalization.overfitting import Overfitting
from trainhealth.series import Series
from trainhealth.testing import check_rule, make_run

EPOCHS = np.arange(30)
FALLING = 2.0 * np.exp(-EPOCHS / 6) + 0.02  # train_loss: 2.0 -> 0.04


def turned(rise, best=10):
    """A validation loss that falls from 2.0 to 0.5 at epoch `best` and rises by `rise` until the last epoch."""
    down = 0.5 + 1.5 * np.exp(-EPOCHS / 2)
    return down + rise * np.maximum(EPOCHS - best, 0) / (29 - best)


def noisy(values, share=0.01, seed=0):
    values = np.asarray(values, float)
    return values * (1 + np.random.default_rng(seed).normal(0, share, len(values)))


def run_of(validation=None, train=FALLING, **others):
    columns = {"validation_loss": validation, "train_loss": train, **others}
    columns = {name: column for name, column in columns.items() if column is not None}
    return make_run(
        (), epochs=[dict(zip(columns, map(float, row), strict=True)) for row in zip(*columns.values(), strict=True)]
    )


def judge(validation=None, train=FALLING, **others):
    return check_rule(Overfitting, run_of(validation, train, **others))


# --- (1) the loss turns ---


def test_fires_just_above_a_tenth_of_the_progress_and_not_just_below():
    """From 2.0 down to 0.5, and up by 0.17 or by 0.13 (the end is the median of three)."""
    assert judge(noisy(turned(0.18), 0.002))
    assert judge(noisy(turned(0.13), 0.002)) == ()


def test_says_when_it_was_best_and_what_is_lost():
    """The message and the advice name the epoch; the evidence holds both losses."""
    (found,) = judge(turned(0.4))
    assert found.message.startswith("validation_loss was best at epoch 10 (0.51), now it is 0.879, 72% worse")
    assert "the weights of epoch 10" in found.recommendations[0].action
    assert {evidence.signal for evidence in found.evidence} == {"validation_loss", "train_loss"}
    assert (found.severity, found.confidence) == (Severity.WARNING, Confidence.LIKELY)


def test_is_critical_where_more_is_lost_than_was_gained():
    """At the end validation is worse than after the first epoch, and at least twice its best."""
    (found,) = judge(turned(2.5))
    assert found.severity is Severity.CRITICAL


def test_fires_on_evaluations_by_step():
    """Validation has its own axis, and train_loss is logged at every step."""
    steps = np.arange(3000)
    losses = noisy(2 * np.exp(-steps / 500) + 0.02, 0.2)
    evaluations = {100 * (i + 1): {"validation_loss": float(loss)} for i, loss in enumerate(turned(0.4))}
    (found,) = check_rule(Overfitting, make_run(losses.tolist(), evaluations=evaluations))
    assert "best at step 1100" in found.message


def test_fires_where_the_training_loss_is_already_zero():
    """Nothing is left to fall: it is far below the validation loss."""
    assert judge(turned(0.4), np.where(EPOCHS < 5, FALLING, 0.0))


@pytest.mark.parametrize("scale", [1e-8, 1e8])
def test_scale_does_not_matter(scale):
    """Tiny and huge losses are judged alike."""
    assert judge(scale * turned(0.4), scale * FALLING)


def test_losses_may_be_negative():
    """A log-likelihood has no ratio, but progress and noise."""
    (found,) = judge(turned(0.6) - 5, FALLING - 5)
    assert "worse" not in found.message


# --- (2) and (3) ---


@pytest.mark.parametrize(("end", "fires"), [(0.78, True), (0.82, False)])
def test_fires_for_a_training_accuracy_that_leaves_validation_behind(end, fires):
    """Training reaches 0.99; validation stands still 0.21 or 0.17 below."""
    validation = np.minimum(0.5 + 0.05 * EPOCHS, end)
    found = judge(None, None, train_accuracy=np.minimum(0.4 + 0.05 * EPOCHS, 0.99), validation_accuracy=validation)
    assert bool(found) is fires


def test_fires_for_a_validation_loss_that_never_came_down():
    """A regression that learns its training data by heart: 0.9 to 0.01 and 0.69 to 0.68."""
    train, validation = 0.9 * np.exp(-EPOCHS / 4) + 0.01, noisy(np.full(30, 0.68))
    (found,) = judge(validation, train)
    assert "has stayed at 0.6" in found.message
    assert judge(0.6 * validation, train) == ()


def test_what_a_validation_loss_never_came_down_from_may_be_guessing():
    """A fresh model began at three times the targets' variance: 0.74 of the variance is no progress."""
    rows = [{"validation_loss": 0.95 - 0.002 * epoch, "train_loss": 3 * float(np.exp(-epoch / 3))} for epoch in EPOCHS]
    facts = {"loss_function": "mse", "target_mean_square": 1.0, "target_std": 1.0, "target_shape": [64]}
    assert check_rule(Overfitting, make_run((), epochs=rows)) == ()
    assert check_rule(Overfitting, make_run((), epochs=rows, facts=facts))


def test_validation_that_asks_for_more_has_a_start_of_its_own():
    """Training has ten steps of a trajectory, validation all: it came from 0.86 to 0.2, and training began at 0.17."""
    validation = noisy(0.2 + 0.66 * np.exp(-EPOCHS / 3))
    rows = [{"validation_loss": float(v), "train_loss": 0.17 * float(np.exp(-e / 4))} for e, v in enumerate(validation)]
    assert check_rule(Overfitting, make_run((), epochs=rows, facts={"loss_function": "l1"})) == ()


def test_a_turn_that_is_a_note_gives_way_to_a_loss_that_never_came_down():
    """From 0.99 to 0.92 and up to 0.95: what was lost is little, and so is what was ever won."""
    validation = np.interp(EPOCHS, [0, 4, 12, 29], [0.99, 0.92, 0.95, 0.95])
    (found,) = judge(validation, 1.0 * np.exp(-EPOCHS / 4))
    assert found.severity is Severity.WARNING
    assert "has stayed at 0.95" in found.message


@pytest.mark.parametrize(("rise", "fires"), [(0.02, True), (0.06, False)])
def test_a_gap_that_closes_by_less_than_a_tenth_a_third_of_the_run_stays(rise, fires):
    """Training is perfect, validation 0.3 below and creeping up: no more can be learnt."""
    validation = 0.7 - rise + rise * (EPOCHS // 10) / 2 * 2 - rise
    found = judge(None, None, train_accuracy=np.full(30, 1.0), validation_accuracy=validation)
    assert bool(found) is fires


def test_a_gap_that_was_there_from_the_start_counts_where_all_is_learnt_by_heart():
    """Few examples are learnt within an epoch or two: the gap has no time to open."""
    by_heart = {"train_accuracy": np.full(30, 1.0), "validation_accuracy": np.full(30, 0.7)}
    (found,) = judge(None, None, **by_heart)
    assert "30% of all samples above" in found.message
    assert judge(None, None, **{**by_heart, "train_accuracy": np.full(30, 0.95)}) == ()


# --- not before there is enough ---


def test_waits_for_five_evaluations():
    """Four are too few; with five, three follow the best."""
    assert isinstance(judge([0.5, 0.9, 1.3, 1.7], FALLING[:4]), NotChecked)
    assert judge([0.6, 0.5, 0.9, 1.3, 1.7], FALLING[:5])


# --- when it is wrong ---


def test_silent_on_a_single_bad_evaluation():
    """One epoch up is not overfitting, in the middle or at the end."""
    for epoch in (15, 29):
        validation = turned(0.0)
        validation[epoch] = 1.5
        assert judge(validation) == ()


def test_silent_on_the_noise_of_a_small_validation_set():
    """Flat and noisy, with a training loss that falls: at most two alarms in a hundred runs."""
    alarms = sum(bool(judge(noisy(turned(0.0), 0.1, seed))) for seed in range(100))
    assert alarms <= 2


def test_silent_on_a_constant_gap():
    """Validation is worse, and both improve."""
    assert judge(FALLING + 0.5) == ()
    accuracy = np.minimum(0.5 + 0.015 * EPOCHS, 0.99)
    assert judge(None, None, train_accuracy=accuracy, validation_accuracy=accuracy - 0.25) == ()


def test_a_rising_loss_with_rising_accuracy_is_a_note():
    """Too sure, not too narrow."""
    others = {"validation_accuracy": 0.6 + 0.01 * EPOCHS, "train_accuracy": 0.65 + 0.01 * EPOCHS}
    (found,) = judge(turned(0.4), **others)
    assert found.severity is Severity.NOTE
    assert "too sure" in found.message


def test_a_rising_accuracy_does_not_excuse_a_wide_gap():
    """Training accuracy 0.99 against 0.5: a note would be too kind."""
    others = {"validation_accuracy": 0.4 + 0.004 * EPOCHS, "train_accuracy": np.minimum(0.4 + 0.05 * EPOCHS, 0.99)}
    (found,) = judge(turned(0.4), **others)
    assert found.severity is Severity.WARNING


def test_an_accuracy_that_holds_its_level_is_a_note():
    """The loss rises by overconfidence, and nothing is lost in accuracy."""
    others = {"validation_accuracy": np.full(30, 0.95), "train_accuracy": np.full(30, 0.99)}
    (found,) = judge(turned(0.4), **others)
    assert found.severity is Severity.NOTE


def test_silent_when_validation_has_come_down_again():
    """The second descent of an epoch-wise double descent ends the finding; in its middle it stands."""
    bump = turned(0.0) + 0.6 * np.exp(-(((EPOCHS - 17) / 3) ** 2))
    assert judge(bump) == ()
    assert judge(bump[:19], FALLING[:19])


def test_without_a_training_loss_it_is_a_hint():
    """Overfitting is likely, and a run that gets worse altogether looks the same."""
    (found,) = judge(turned(0.4), None)
    assert found.confidence is Confidence.HINT
    assert "no train_loss" in found.message


def test_silent_where_the_training_loss_rises_too():
    """The run gets worse altogether: that is no overfitting."""
    assert judge(turned(0.4), turned(0.4)) == ()


def test_silent_where_nothing_was_learnt():
    """A training loss that is where it began holds nothing that could be too special."""
    assert judge(10 + 10 * turned(0.4), 2.3 - 0.001 * EPOCHS) == ()


def test_silent_on_a_solved_task():
    """From 2.0 to 1e-5, and then to 3e-5: nothing against the progress."""
    assert judge(2 * np.exp(-EPOCHS) + 1e-5 + 1e-6 * EPOCHS, FALLING) == ()


def test_silent_on_a_validation_loss_that_stalls_at_a_good_level():
    """Training goes on improving, validation keeps what it has."""
    assert judge(noisy(np.maximum(FALLING, 0.3)), 0.5 * FALLING) == ()


def test_accuracies_in_per_cent_are_not_taken_for_fractions():
    """A gap of one per cent is not a gap of one."""
    percent = {"train_accuracy": 98 + 0.03 * EPOCHS, "validation_accuracy": np.full(30, 97.0)}
    assert judge(None, None, **percent) == ()


# --- the accuracy comes down again ---


@pytest.mark.parametrize(("lost", "fires"), [(0.1, True), (0.03, False)])
def test_fires_where_validation_accuracy_comes_down_again(lost, fires):
    """Wrong labels are learnt last, and a tenth of the answers is lost meanwhile; three in a hundred are not enough."""
    accuracy = noisy(0.85 - 0.5 * np.exp(-EPOCHS) - lost * np.clip((EPOCHS - 8) / 12, 0, 1), 0.002)
    found = judge(1.0 + np.exp(-EPOCHS), train=2.3 - 0.04 * EPOCHS, validation_accuracy=accuracy)
    assert bool(found) is fires
    if fires:
        assert [advice.recipe for advice in found[0].recommendations[:2]] == ["early-stopping", "check-labels"]


def test_an_accuracy_that_wavers_may_sink_all_the_same():
    """By a tenth over the run, with swings of three hundredths from one evaluation to the next."""
    swings = 0.9 - 0.1 * EPOCHS / 29 + np.where(EPOCHS % 2, 0.03, -0.03)
    train = 2.3 - 0.04 * EPOCHS
    assert judge(1.0 + np.exp(-EPOCHS), train=train, validation_accuracy=swings)
    flat = 0.85 + np.where(EPOCHS % 2, 0.03, -0.03)
    assert judge(1.0 + np.exp(-EPOCHS), train=train, validation_accuracy=flat) == ()


@pytest.mark.parametrize(("change", "fires"), [(0.1, True), (-0.3, False)])
def test_silent_where_training_accuracy_sinks_as_well(change, fires):
    """Both losses fall, and both "accuracies" with them: they are errors."""
    error = noisy(0.85 - 0.5 * np.exp(-EPOCHS) - 0.2 * np.clip((EPOCHS - 3) / 20, 0, 1), 0.002)
    train = {"train": 2.3 - 0.04 * EPOCHS, "train_accuracy": 0.7 + change * EPOCHS / 29}
    assert bool(judge(1.0 + np.exp(-EPOCHS), validation_accuracy=error, **train)) is fires


def test_a_little_lost_is_a_note_where_no_accuracy_is_known():
    """A seventh of the progress given back hurts nobody much; a third does."""
    for rise, severity in ((0.24, Severity.NOTE), (0.5, Severity.WARNING)):
        (found,) = judge(noisy(turned(rise), 0.002))
        assert found.severity is severity


# --- a short turn, and what other scores say of it ---

SHORT = [0.2102, 0.1725, 0.1634, 0.1603, 0.1679, 0.1786, 0.1566, 0.1845, 0.176, 0.1824, 0.1987, 0.183, 0.2047, 0.2196]


def test_a_trend_tells_where_single_evaluations_are_noisy():
    """Fourteen evaluations, seven of which rise after the best one; shuffled they are noise."""
    train = np.linspace(0.27, 0.09, 14)
    assert judge(SHORT, train)
    shuffled = [*SHORT[:8], 0.2047, 0.1824, 0.2196, 0.183, 0.1987, 0.176]
    assert judge(shuffled, train) == ()


@pytest.mark.parametrize(
    ("rates", "severity"),
    [
        ([34.6, 33.5, 33.1, 32.6, 32.0, 32.1], Severity.NOTE),
        ([34.6, 34.7, 34.5, 34.6, 34.7, 34.6], Severity.WARNING),
        ([34.6, 32.0, 32.3, 32.6, 32.8, 33.0], Severity.WARNING),
    ],
)
def test_a_note_where_a_word_error_rate_still_falls(rates, severity):
    """The loss says too sure, and the words say better; not where they stand, or had their best long ago."""
    run = run_of([0.31, 0.36, 0.40, 0.42, 0.45, 0.47], np.linspace(0.5, 0.05, 6))
    steps = run.series("validation_loss").steps
    rows = {"eval_wer": Series("eval_wer", steps, np.array(rates))}
    (found,) = check_rule(Overfitting, dataclasses.replace(run, scalars={**run.scalars, **rows}))
    assert found.severity is severity
    assert ("eval_wer still gets better" in found.message) is (severity is Severity.NOTE)


def few_examples(learnt=1.0, apart=0.15, batch_size=8):
    """Ten steps an epoch: training accuracy is soon at `learnt`, validation creeps up to `apart` below it."""
    right = {step: {"train_accuracy": min(0.5 + step / 100, learnt)} for step in range(0, 300, 10)}
    rows = [
        {"validation_loss": 0.6 - 0.001 * epoch, "validation_accuracy": round(learnt - apart - 0.005 * (29 - epoch), 3)}
        for epoch in EPOCHS.tolist()
    ]
    losses = (2.0 * np.exp(-np.arange(300) / 30) + 0.2).tolist()
    return check_rule(Overfitting, make_run(losses, epochs=rows, batch=right, batch_size=batch_size))


@pytest.mark.parametrize(
    ("changed", "fires"),
    [
        ({}, True),
        ({"apart": 0.05}, False),
        ({"learnt": 0.9}, False),
        ({"batch_size": 16}, False),
    ],
)
def test_few_examples_that_are_known_by_heart_need_a_smaller_gap(changed, fires):
    """Eighty an epoch, all right, and others 15 points worse, rising still; not with 160, and not half learnt."""
    found = few_examples(**changed)
    assert bool(found) is fires
    if fires:
        assert found[0].message.startswith("The 80 examples of an epoch are known by heart (train_accuracy 1)")
        assert found[0].recommendations[0].recipe == "data-augmentation"
