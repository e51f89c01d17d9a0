"""DA07: fires where all targets are one and the same."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainhealth.findings import Confidence, NotChecked, Severity
from trainhealth.rules.data.degenerate_targets import DegenerateTargets
from trainhealth.series import Series
from trainhealth.testing import check_rule, make_run

TO_ZERO = [1.0, 0.5, 0.1, 0.01, 0.01, 0.01, 0.01]
FLAT = [0.7] * 7


def judge(low, high, function, losses=TO_ZERO, *, size=50, seen=1.0, **run):
    batch = {step: {"target_minimum": low, "target_maximum": high, "classes_seen": seen} for step in range(len(losses))}
    made = make_run(losses, batch_size=size, batch=batch, facts={"loss_function": function}, **run)
    return check_rule(DegenerateTargets, made)


@pytest.mark.parametrize("losses", [TO_ZERO, FLAT])
def test_fires_on_one_class(losses):
    """Whatever the loss does."""
    (found,) = judge(3.0, 3.0, "cross_entropy", losses)
    assert found.severity is Severity.CRITICAL
    assert "All targets in 7 sampled batches (350 examples) are 3" in found.message


def test_fires_on_one_number_that_is_learnt():
    """A regression's, or all yes."""
    assert judge(2.5, 2.5, "mse")
    assert judge(1.0, 1.0, "binary_cross_entropy_with_logits")


@pytest.mark.parametrize(
    ("low", "high", "function", "losses"),
    [(0.0, 1.0, "mse", TO_ZERO), (0.0, 0.0, "mse", TO_ZERO), (1.0, 1.0, "binary_cross_entropy", FLAT)],
    ids=["different", "residuals", "generator"],
)
def test_silent_on_what_is_meant(low, high, function, losses):
    """Different targets; residuals that are driven to zero; ones that a generator never reaches."""
    assert judge(low, high, function, losses) == ()


def test_silent_on_probabilities_and_adversaries():
    """Uniform probabilities belong to several classes; a generator's targets are all ones."""
    assert judge(0.1, 0.1, "soft_cross_entropy", seen=2.0) == ()
    assert judge(1.0, 1.0, "binary_cross_entropy", evaluations={1: {"loss_D": 1.0, "loss_G": 1.0}}) == ()


def test_needs_enough_examples():
    """Two hundred."""
    assert isinstance(judge(3.0, 3.0, "cross_entropy", size=28), NotChecked)


# --- adversaries ---

WITH_LOGITS = {"loss_function": "binary_cross_entropy_with_logits", "loss_composed": True}


def play(generator, discriminator, facts=WITH_LOGITS):
    """Judge a generator and a discriminator with these losses."""
    run = make_run(list(np.add(generator, discriminator)), facts=facts)
    steps = np.arange(len(generator))
    own = {"loss/G": generator, "loss/D": discriminator}
    series = {name: Series(name, steps, np.array(values)) for name, values in own.items()}
    return check_rule(DegenerateTargets, dataclasses.replace(run, scalars={**run.scalars, **series}))


def falling(start, rate=0.85, count=100):
    return start * rate ** np.arange(count)


@pytest.mark.parametrize("start", [0.69, 1.39], ids=["mean of the two", "sum of the two"])
def test_a_discriminator_that_is_taught_one_label(start):
    """It agrees with its generator: both losses fall to 0, which no opponents' can."""
    (found,) = play(falling(0.55), falling(start))
    assert (found.severity, found.confidence) == (Severity.CRITICAL, Confidence.LIKELY)
    assert "their sum can't be below 1.39" in found.message


@given(scores=st.lists(st.floats(-30, 30), min_size=40, max_size=40), halved=st.booleans(), factor=st.floats(1e-3, 1))
def test_opponents_never_agree(scores, halved, factor):
    """Whatever a discriminator says of generated examples, even if it knows the real ones and the loss has a factor."""
    at_first = [0.0] * 3
    of_generated = np.array([*at_first, *scores])
    generator = factor * np.logaddexp(0, -of_generated)
    discriminator = np.logaddexp(0, of_generated) * (0.5 if halved else 1.0)
    assert play(generator, discriminator) == ()


@pytest.mark.parametrize(
    ("generator", "discriminator"),
    [
        (falling(0.7), 0.7 + 0 * falling(1)),
        (0.7 + 0 * falling(1), falling(1.4)),
        (falling(0.02), falling(1.4)),
        (falling(0.7, 0.97), falling(1.4, 0.97)),
    ],
    ids=["the generator wins", "the discriminator wins", "another loss with a tiny factor", "not near 0 yet"],
)
def test_losses_of_which_one_is_near_0(generator, discriminator):
    """One of two opponents may win."""
    assert play(generator, discriminator) == ()


@pytest.mark.parametrize("facts", [{}, {"loss_function": "mse"}], ids=["Wasserstein", "least squares"])
def test_adversaries_without_a_cross_entropy_are_not_checked(facts):
    """Their losses have no such bound."""
    assert isinstance(play(falling(0.7), falling(0.7), facts), NotChecked)


def test_a_game_that_has_just_begun_is_not_checked():
    """A few rounds."""
    assert isinstance(play(falling(0.7, 0.1, 10), falling(0.7, 0.1, 10)), NotChecked)
