"""LS02: fires where the loss runs away for good, and not where it only looks so."""

import math

import numpy as np
import pytest

from trainhealth.findings import Confidence, NotChecked, Severity
from trainhealth.records import OptimizerInfo, RunInfo
from trainhealth.rules.loss.diverging_loss import DivergingLoss
from trainhealth.testing import check_rule, make_run

STEPS = np.arange(400)
LEARNING = 2.3 * np.exp(-STEPS / 80) + 0.2  # 2.5 -> 0.22


def noisy(levels, share=0.05, seed=0):
    levels = np.asarray(levels, float)
    return (levels * (1 + np.random.default_rng(seed).normal(0, share, len(levels)))).tolist()


def judge(losses, **run):
    return check_rule(DivergingLoss, make_run(losses, **run))


def by_epoch(losses):
    return make_run((), epochs=[{"train_loss": loss} for loss in losses])


# --- (1) above the original cost ---


def test_fires_just_above_three_times_the_original_cost():
    """A loss that stays at 3.1 times the original cost is certain; at 2.9 times it is only likely, by its rise."""
    (found,) = judge(noisy([*[1.0] * 100, *[3.1] * 100], 0.001))
    assert (found.severity, found.confidence) == (Severity.CRITICAL, Confidence.CERTAIN)
    (below,) = judge(noisy([*[1.0] * 100, *[2.9] * 100], 0.001))
    assert below.confidence is Confidence.LIKELY


def test_says_from_where_to_where():
    """The message has both levels and both steps, the evidence the stretch, and the rate its tenth."""
    (found,) = judge(noisy([*LEARNING, *[20.0] * 200]), learning_rate=0.1)
    assert found.first_step == 400
    assert found.message.startswith(
        "train_loss rose from the original cost of 2.46 (step 0) to 18.5 at the end (step 599)"
    )
    change = found.recommendations[0].change
    assert (change.parameter, change.from_, change.to) == ("learning_rate", 0.1, pytest.approx(0.01))


def test_fires_for_a_log_by_epoch():
    """Five epochs suffice where a value stands for an epoch: the lecture's example, had it not overflowed."""
    (found,) = check_rule(DivergingLoss, by_epoch([2.19, 2.18, 1.94, 1.83, 40.0, 900.0]))
    assert found.severity is Severity.CRITICAL


def test_fires_although_it_ends_in_nan():
    """What the loss did before it was NaN counts, and the NaN do not look like a recovery."""
    (found,) = judge([2.3, 2.4, 3.0, 8.0, 90.0, 1e4, 1e9] + [math.nan] * 20)
    assert found.confidence is Confidence.CERTAIN


@pytest.mark.parametrize("scale", [1e-9, 1e9])
def test_scale_does_not_matter(scale):
    """Tiny and huge losses are judged alike."""
    assert judge(noisy(scale * np.concatenate([LEARNING, [20.0] * 200])))


def test_fires_for_a_loss_that_exploded_at_once_and_came_down_halfway():
    """A diverged run that plateaus high is still diverged."""
    assert judge(noisy([2.3, 50, 400, 200, *[9.0] * 300], 0.02))


# --- (2) above the best level ---


def test_fires_where_half_of_the_progress_is_lost_and_not_below():
    """From 2.5 down to 0.4 and up again: to 1.6 it is a divergence, to 1.2 it is not."""
    higher = LEARNING + 0.2
    assert judge(noisy([*higher, *np.linspace(0.4, 1.6, 100), *[1.6] * 200]))
    assert judge(noisy([*higher, *np.linspace(0.4, 1.2, 100), *[1.2] * 200])) == ()


def test_fires_for_a_collapse_to_the_level_of_guessing():
    """The net has unlearnt everything and stays there."""
    (found,) = judge(noisy([*LEARNING, *[2.31] * 200]))
    assert found.confidence is Confidence.LIKELY


def test_fires_for_a_negative_loss_that_climbs():
    """Where losses may be negative, progress and noise are the scale: there is no ratio."""
    noise = np.random.default_rng(0).normal(0, 0.3, 600)
    assert judge((np.concatenate([-np.linspace(0, 5, 300), np.linspace(-5, 4, 300)]) + noise).tolist())
    assert judge((np.linspace(-5, 4, 600) + noise).tolist())


RISING = [0.483, 0.484, 0.485, 0.486, 0.491, 0.494, 0.503, 0.510, 0.519, 0.535]


@pytest.mark.parametrize(
    ("losses", "accuracies", "fires"),
    [
        (RISING, np.linspace(0.833, 0.816, 10), True),
        (RISING, np.linspace(0.816, 0.833, 10), False),
        (RISING, None, False),
        (RISING[:7], np.linspace(0.833, 0.82, 7), False),
        ([*RISING[:5], *RISING[:5]], np.linspace(0.833, 0.816, 10), False),
    ],
    ids=["accuracy falls", "accuracy rises", "no accuracy", "seven epochs", "back again"],
)
def test_fires_where_each_epoch_makes_the_model_worse(losses, accuracies, fires):
    """Fashion-MNIST in ten epochs: a tenth more loss, little by little, and 2 % less accuracy."""
    scores = [{}] * len(losses) if accuracies is None else [{"train_accuracy": float(value)} for value in accuracies]
    run = make_run((), epochs=[{"train_loss": loss} | score for loss, score in zip(losses, scores, strict=True)])
    found = check_rule(DivergingLoss, run)
    assert bool(found) is fires
    assert not fires or found[0].severity is Severity.WARNING


def test_a_loss_around_zero_is_not_checked():
    """A policy's, which nothing names: 60 values of noise around 0 that come to lie a little higher."""
    noise = np.random.default_rng(1).normal(0, 0.02, 60)
    losses = (noise + np.linspace(-0.01, 0.06, 60)).tolist()
    assert isinstance(judge(losses), NotChecked)
    assert isinstance(check_rule(DivergingLoss, by_epoch(losses)), NotChecked)


# --- not before there is enough ---


def test_waits_for_the_first_steps():
    """In the first hundred steps of a run that goes on anything may happen."""
    assert isinstance(judge(noisy([1.0] * 50 + [5.0] * 49)), NotChecked)
    assert judge(noisy([1.0] * 50 + [5.0] * 50))


def test_waits_for_five_values():
    """Four epochs are too few."""
    assert isinstance(check_rule(DivergingLoss, by_epoch([2.0, 3.0, 9.0, 90.0])), NotChecked)


# --- when it is wrong ---


@pytest.mark.parametrize("length", [1, 5, 9])
def test_silent_on_spikes_that_heal_or_just_began(length):
    """A spike in the middle, or one at the end that is shorter than two per cent of the run."""
    assert judge(noisy([*LEARNING, *[30.0] * length, *LEARNING[-100:]])) == ()
    assert judge(noisy([*LEARNING, *LEARNING[-100:], *[30.0] * length])) == ()


def test_silent_on_a_warm_up_bump():
    """The loss doubles while the rate rises, and falls again; in the middle of the bump it waits."""
    bump = noisy([*[2.3] * 100, *np.linspace(2.3, 6, 100), *np.linspace(6, 0.5, 300)])
    rates = [min(1.0, (step + 1) / 200) for step in range(500)]
    assert judge(bump, learning_rate=rates) == ()
    assert judge(bump[:200], learning_rate=rates[:200]) == ()


def test_silent_on_restarts():
    """After a warm restart the loss is higher for as long as the rate is."""
    phase = np.arange(900) / 300 % 1
    losses = 0.3 + 0.8 * np.cos(phase * np.pi / 2) + 1.2 * np.exp(-np.arange(900) / 60)
    rates = (0.05 + np.cos(phase * np.pi / 2)).tolist()
    for end in (900, 700, 400):
        assert judge(noisy(losses[:end]), learning_rate=rates[:end]) == ()


def test_silent_on_a_harder_task_that_is_being_learnt():
    """A curriculum's step lifts the loss, and it falls from there."""
    assert judge(noisy([*LEARNING, *(1.8 * np.exp(-STEPS / 200))])) == ()


def test_silent_while_it_comes_back():
    """After an explosion at the start the loss is far above the original cost, but on its way down."""
    assert judge([2.3, *noisy(1000 * np.exp(-STEPS[:300] / 60) + 2, 0.2)]) == ()


def test_fires_where_it_comes_back_too_slowly():
    """From 1e6 times the original cost it falls a little: as many steps again would not bring it back."""
    assert judge([2.3, *noisy(1e6 * np.exp(-STEPS / 200), 0.1)])


@pytest.mark.parametrize("kind", ["exponential", "lognormal", "zeros"])
def test_silent_on_heavy_tailed_noise(kind):
    """A first value that happens to be low is no original cost to measure against."""
    alarms = 0
    for seed in range(150):
        random = np.random.default_rng(seed)
        values = {
            "exponential": random.exponential(0.3, 80),
            "lognormal": random.lognormal(0, 1.5, 80),
            "zeros": np.where(random.random(80) < 0.7, 1e-3 * random.random(80), random.exponential(1, 80)),
        }[kind]
        alarms += bool(judge([*values, *values]))
    assert alarms <= 1


def test_silent_on_a_drift_that_is_small_against_the_loss():
    """3.67 to 3.72 is beyond the noise, and no divergence."""
    assert judge(noisy(np.linspace(3.67, 3.72, 1000), 0.002)) == ()


def test_not_checked_in_reinforcement_learning():
    """With rewards in the log a rising value loss is no illness."""
    answer = judge(noisy([*LEARNING, *[20.0] * 200]), evaluations={500: {"episode_reward": 3.0}})
    assert isinstance(answer, NotChecked)
    assert "reward" in answer.because


def test_not_checked_between_adversaries():
    """A generator's loss rises when the discriminator learns."""
    info = RunInfo(optimizers=[OptimizerInfo(name=name, type="Adam") for name in ("generator", "discriminator")])
    assert isinstance(judge(noisy([*LEARNING, *[20.0] * 200]), info=info), NotChecked)


def test_not_checked_where_each_optimizer_has_a_loss():
    """Two nets without telling names may be adversaries, too; two optimizers of one loss are not."""
    info = RunInfo(optimizers=[OptimizerInfo(name=name, type="Adam") for name in ("one", "two")])
    rising = noisy([*LEARNING, *[20.0] * 200])
    assert isinstance(judge(rising, info=info, evaluations={9: {"loss/one": 1.0, "loss/two": 1.0}}), NotChecked)
    assert judge(rising, info=info)


# --- what to try ---


def evaluated(name, first, last, count=10):
    """Evaluations over 200 steps, from one value to another."""
    values = np.linspace(first, last, count)
    return {round(200 * (i + 1) / count): {name: float(value)} for i, value in enumerate(values)}


RISEN = noisy([*[1.0] * 40, *[9.0] * 160], 0.01)


@pytest.mark.parametrize(
    "evaluations", [evaluated("validation_loss", 2.0, 0.5), evaluated("validation_accuracy", 0.2, 0.9)]
)
def test_a_hint_where_the_model_improves_meanwhile(evaluations):
    """What has risen is a penalty, or longer sequences: the task is being learnt."""
    (found,) = judge(RISEN, evaluations=evaluations, learning_rate=0.1)
    assert (found.severity, found.confidence) == (Severity.NOTE, Confidence.HINT)
    assert "another part of the loss has risen" in found.message
    assert all(one.change is None for one in found.recommendations)


@pytest.mark.parametrize(
    "evaluations",
    [
        evaluated("validation_loss", 0.5, 2.0),
        evaluated("validation_loss", 2.0, 0.5, count=4),
        {10: {"validation_loss": 0.2}} | evaluated("validation_loss", 2.0, 0.5),
        evaluated("validation_accuracy", 0.5, 0.5),
    ],
)
def test_certain_where_no_evaluation_speaks_against_it(evaluations):
    """It worsens; too few evaluations; it was better before the rise; it stands still."""
    (found,) = judge(RISEN, evaluations=evaluations)
    assert (found.severity, found.confidence) == (Severity.CRITICAL, Confidence.CERTAIN)


def test_offers_clipping_at_the_usual_gradient_norm_and_warm_up_for_an_early_rise():
    """Clipping needs norms from before the rise; warm-up is for rises in the first tenth."""
    losses = noisy([*[2.3] * 60, *[20.0] * 1000])
    (found,) = judge(losses, gradient_norm=[1.5] * 60 + [80.0] * 1000)
    recipes = {r.recipe: r.action for r in found.recommendations}
    assert set(recipes) == {"lower-learning-rate", "gradient-clipping", "warm-up"}
    assert "1.5" in recipes["gradient-clipping"]


# --- (3) far above the best level, as a factor ---

DEEP = 2.3 * np.exp(-np.minimum(STEPS, 200) / 40)  # 2.3 -> 0.0155


def test_warns_of_a_rise_that_undoes_half_of_the_factor():
    """From a hundred-and-fiftieth back to a sixth of the original cost; a rise to a twentieth keeps nearly all."""
    (found,) = judge(noisy([*DEEP, *[0.4] * 150]))
    assert found.severity is Severity.WARNING
    assert found.message.startswith("train_loss rose from its best level of 0.0")
    assert "to 0.403 at the end" in found.message
    assert judge(noisy([*DEEP, *[0.11] * 150])) == ()


def test_a_factor_takes_the_32_values_of_whole_blocks():
    """A short log by epoch that swings is no divergence."""
    losses = [2.5, 2.3, 1.6, 1.3, 1.1, 0.8, 0.6, 0.4, 0.3, 0.2, 0.1, 0.07, 0.06, 0.07, 0.1, 0.2, 0.33, 0.46, 0.55]
    assert check_rule(DivergingLoss, by_epoch(losses)) == ()
