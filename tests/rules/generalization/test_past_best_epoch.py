"""GE04: fires where the best lies far behind and nothing came of the rest, and leaves overfitting to GE01."""

import numpy as np
import pytest

from trainhealth.findings import NotChecked, Severity
from trainhealth.rules.generalization.overfitting import Overfitting
from trainhealth.rules.generalization.past_best_epoch import PastBestEpoch
from trainhealth.testing import check_rule, make_run

EPOCHS = np.arange(40)


def noisy(values, sigma=0.003, seed=0):
    return np.asarray(values, float) + np.random.default_rng(seed).normal(0, sigma, len(values))


def judge(rule=PastBestEpoch, **columns):
    rows = [dict(zip(columns, map(float, row), strict=True)) for row in zip(*columns.values(), strict=True)]
    return check_rule(rule, make_run((), epochs=rows))


def peaked(fall, peak=10):
    """An accuracy that rises to 0.8 at epoch `peak` and loses `fall` by the last one."""
    return noisy(0.8 - 0.5 * np.exp(-EPOCHS / 2) - fall * np.maximum(EPOCHS - peak, 0) / (39 - peak))


STANDING = {"validation_loss": noisy(np.where(EPOCHS < 5, 1 - 0.1 * EPOCHS, 0.5)), "train_loss": np.full(40, 0.3)}


def test_fires_on_an_accuracy_that_fell_since_its_best():
    """By ten points, over 29 evaluations; the advice names the epoch."""
    (found,) = judge(validation_accuracy=peaked(0.1))
    assert found.severity is Severity.NOTE
    assert found.message.startswith("validation_accuracy was best at epoch 1")
    assert "now it is 0.7" in found.message
    assert "keep the weights of epoch 1" in found.recommendations[0].action


def test_fires_where_nothing_has_moved_for_most_of_the_run():
    """35 of 40 evaluations stand still, and the losses too."""
    (found,) = judge(**STANDING)
    assert "of 40 evaluations brought nothing" in found.message


def test_silent_where_nothing_was_ever_gained():
    """A run that has learnt nothing has no best to come back to: that is another illness."""
    assert judge(validation_loss=noisy(np.full(40, 2.3)), train_loss=np.full(40, 2.3)) == ()


# --- not before there is enough ---


@pytest.mark.parametrize(("peak", "fires"), [(18, True), (24, False)])
def test_waits_for_half_of_the_run(peak, fires):
    """21 of 40 evaluations follow the best, or 15."""
    assert bool(judge(validation_accuracy=peaked(0.1, peak))) is fires


def test_waits_for_patience():
    """Ten evaluations must be able to follow the best."""
    assert isinstance(judge(validation_accuracy=peaked(0.1)[:10]), NotChecked)


# --- when it is wrong ---


def test_silent_where_overfitting_has_been_said():
    """One illness, one finding."""
    losses = {"validation_loss": 0.5 + np.abs(EPOCHS - 10) / 30, "train_loss": np.exp(-EPOCHS / 10)}
    assert judge(Overfitting, **losses)
    assert judge(**losses) == ()


def test_silent_on_one_bad_evaluation_at_the_end():
    """One epoch is not a turn."""
    accuracy = peaked(0.0)
    accuracy[-1] = 0.5
    assert judge(validation_accuracy=accuracy, train_loss=np.exp(-EPOCHS / 10)) == ()


def test_silent_on_one_lucky_evaluation_at_the_beginning():
    """A single best value has two neighbours that it does not share its luck with."""
    accuracy = noisy(0.6 + 0.005 * EPOCHS)
    accuracy[3] = 0.95
    assert judge(validation_accuracy=accuracy) == ()


def test_silent_when_the_second_descent_is_over():
    """A double descent ends below its first minimum."""
    loss = 0.5 + 0.5 * np.exp(-EPOCHS / 2) - 0.004 * EPOCHS + 0.5 * np.exp(-(((EPOCHS - 15) / 4) ** 2))
    assert judge(validation_loss=loss) == ()


def test_silent_while_a_loss_still_falls():
    """Validation stands, and training goes on learning: what comes of it is not known yet."""
    assert judge(**STANDING | {"train_loss": np.exp(-EPOCHS / 10)}) == ()


def test_silent_on_two_examples_of_a_small_split():
    """From 1.0 down to 0.94 where 30 examples are validated."""
    accuracy = np.where(EPOCHS < 10, 1.0, 28 / 30)
    accuracy[30] = 29 / 30
    assert judge(validation_accuracy=accuracy, train_loss=np.exp(-EPOCHS / 10)) == ()


def test_silent_on_the_noise_of_a_flat_curve():
    """While training goes on: at most two alarms in a hundred runs."""
    falling = np.exp(-EPOCHS / 10)
    alarms = sum(bool(judge(validation_loss=noisy(np.ones(40), 0.1, s), train_loss=falling)) for s in range(100))
    assert alarms <= 2


# --- worse than at first ---

WORSE = [2.55, 3.62, 3.49, 3.19, 3.96, 3.98, 3.72, 4.46, 4.0, 4.17, 3.64, 3.4]


def test_warns_where_the_first_evaluation_was_never_reached_again():
    """Whatever train_loss does, and with eight evaluations; seven are too few."""
    (found,) = judge(validation_loss=WORSE)
    assert found.severity is Severity.WARNING
    assert found.message.startswith("validation_loss was 2.55 at the first of 12 evaluations")
    assert judge(validation_loss=WORSE[:8])
    assert isinstance(judge(validation_loss=WORSE[:7]), NotChecked)


def test_no_warning_where_one_of_the_last_half_comes_near():
    """Within a tenth of the first: 2.7, while 2.9 is beyond it."""
    assert judge(validation_loss=[*WORSE[:9], 2.9, *WORSE[10:]])
    found = judge(validation_loss=[*WORSE[:9], 2.7, *WORSE[10:]])
    assert all(finding.severity is Severity.NOTE for finding in found)


def test_no_warning_of_an_accuracy_that_lost_half_a_point():
    """From 0.99 to 0.985: half as many errors again, and nobody minds."""
    assert judge(validation_accuracy=np.array([0.99, *[0.985] * 15])) == ()
    assert judge(validation_accuracy=np.array([0.7, *[0.6, 0.61, 0.59, 0.6, 0.62] * 3]))


def test_an_accuracy_that_falls_as_the_model_learns_is_not_checked():
    """Other people's logs call an error so: it falls in training, too, while both losses do."""
    falling = noisy(np.linspace(0.6, 0.35, 40))
    losses = {"train_loss": np.linspace(0.7, 0.4, 40), "validation_loss": np.linspace(0.3, 0.2, 40)}
    found = judge(validation_accuracy=noisy(falling - 0.1), train_accuracy=falling, **losses)
    assert isinstance(found, NotChecked)
    (found,) = judge(validation_accuracy=noisy(falling - 0.1))
    assert found.severity is Severity.WARNING
