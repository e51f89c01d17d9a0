"""Runs whose loss does not measure progress: rewards, adversaries, policies, by names and by what losses look like."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from trainhealth.records import OptimizerInfo, RunInfo
from trainhealth.rules.objective import losses_of_adversaries, moving_target
from trainhealth.series import Series
from trainhealth.testing import make_run

STEPS = 40
NOISE = np.random.default_rng(0).normal(0, 0.05, STEPS)


def run_of(optimizers=(), losses=None, train_loss=None, **facts):
    """Return a run with these optimizers, and these losses of each of them."""
    info = RunInfo(optimizers=[OptimizerInfo(name=name, type="Adam") for name in optimizers])
    run = make_run(list(np.ones(STEPS) if train_loss is None else train_loss), info=info, facts=facts)
    own = {
        f"loss/{name}": Series(f"loss/{name}", np.arange(STEPS), np.array(values))
        for name, values in (losses or {}).items()
    }
    return dataclasses.replace(run, scalars={**run.scalars, **own})


@pytest.mark.parametrize(
    "names", [("loss/D", "loss/G"), ("errD", "errG"), ("disc_loss", "gen_loss"), ("netD_loss", "netG_loss")]
)
def test_names_of_adversaries(names):
    """A generator and a discriminator, as people write them."""
    run = make_run([1.0] * 4, evaluations={3: dict.fromkeys(names, 1.0)})
    assert "two adversaries" in moving_target(run)


def test_a_critic_is_known_by_its_loss_whatever_it_is_called():
    """Both losses are an optimizer's own, and one is below 0."""
    run = run_of(("G", "C"), {"G": 0.5 + NOISE, "C": -0.3 + NOISE})
    assert "below 0" in moving_target(run)


@pytest.mark.parametrize(
    ("optimizers", "losses"),
    [
        (("left", "right"), {"left": 0.5 + NOISE, "right": 0.9 + NOISE}),
        (("encoder", "decoder"), {}),
        (("",), {"": -0.3 + NOISE}),
    ],
    ids=["two nets side by side", "one loss of both", "one optimizer"],
)
def test_optimizers_that_have_nothing_against_each_other(optimizers, losses):
    """Losses of their own that are positive, one loss, or one optimizer with a likelihood."""
    assert moving_target(run_of(optimizers, losses)) is None


@pytest.mark.parametrize("function", ["soft_cross_entropy", "nll", "cross_entropy"])
def test_a_policy_is_known_by_the_signs_of_its_cross_entropy(function):
    """Advantages are of both signs."""
    run = run_of(train_loss=NOISE, loss_function=function, softmax_axis=1)
    assert "as that of a policy" in moving_target(run)


@pytest.mark.parametrize(
    ("losses", "facts"),
    [
        (2.3 + NOISE, {"loss_function": "cross_entropy", "softmax_axis": 1}),
        (-2.3 + NOISE, {"loss_function": "cross_entropy", "softmax_axis": 1}),
        (NOISE, {"loss_function": "nll"}),
        (NOISE, {"loss_function": "mse", "softmax_axis": 1}),
        (NOISE, {}),
    ],
    ids=["a classifier", "a wrong sign", "raw scores", "a squared error", "a function that is not known"],
)
def test_other_losses(losses, facts):
    """One sign, or scores without a softmax, or no cross-entropy: something else is at work."""
    assert moving_target(run_of(train_loss=losses, **facts)) is None


def test_the_losses_of_generator_and_discriminator():
    """One of each, by name; not where there are several, or none."""
    run = run_of(("netG", "netD"), {"netG": NOISE, "netD": 1 + NOISE})
    generator, discriminator = losses_of_adversaries(run)
    assert (generator.name, discriminator.name) == ("loss/netG", "loss/netD")
    assert losses_of_adversaries(run_of(losses={"G": NOISE, "D_A": NOISE, "D_B": NOISE})) is None
    assert losses_of_adversaries(run_of(losses={"left": NOISE, "right": NOISE})) is None


@pytest.mark.parametrize(
    ("last", "grown"), [(10.0, True), (2.0, False), (1e6, False)], ids=["values", "data", "values that run away"]
)
def test_targets_that_a_model_makes_for_itself_grow(last, grown):
    """Q-values begin near the rewards and come to many times that; those of data stay, or are sorted in each epoch."""
    sizes = np.geomspace(1.0, last, STEPS)
    samples = {step: {"target_mean": float(size), "target_std": 0.1} for step, size in enumerate(sizes)}
    told = moving_target(make_run([1.0] * STEPS, batch=samples))
    assert (told is not None) is grown
    assert moving_target(make_run([1.0] * STEPS, batch=samples, epochs=[{"validation_loss": 1.0}])) is None
