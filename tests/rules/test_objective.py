"""Runs whose loss does not measure progress: rewards, adversaries, policies, by names and by what losses look like."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from trainhealth.records import EventRecord, OptimizerInfo, ParameterEntry, RunInfo
from trainhealth.rules.objective import hovers_around_zero, losses_of_adversaries, moving_target, values_of_actions
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
    "names",
    [
        ("loss/D", "loss/G"),
        ("errD", "errG"),
        ("disc_loss", "gen_loss"),
        ("netD_loss", "netG_loss"),
        ("D1Loss", "G1Loss"),
    ],
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


@pytest.mark.parametrize(
    ("model", "parts", "losses", "facts", "told"),
    [
        ("ActorCritic", ["actor.0.weight", "critic.0.weight"], 1 + NOISE, {}, True),
        ("Policy", ["body.weight", "value_head.weight"], NOISE, {"loss_function": "mse"}, True),
        ("Policy", ["body.weight", "value_head.weight"], 1 + NOISE, {"loss_function": "cross_entropy"}, False),
        ("Attention", ["query.weight", "value.weight"], NOISE, {}, False),
        ("Policy", ["body.weight"], NOISE, {}, False),
    ],
    ids=["one of each", "a policy with values", "learnt from examples", "values of attention", "a policy alone"],
)
def test_an_actor_and_its_critic_are_known_by_the_names_of_a_models_parts(model, parts, losses, facts, told):
    """Their loss is no error of answers: of no function of torch's own, or negative."""
    info = RunInfo(model=model, optimizers=[OptimizerInfo(name="", type="Adam")])
    parameters = [ParameterEntry(name=name, shape=[2, 2]) for name in parts]
    run = make_run(list(losses), info=info, parameters=parameters, facts=facts)
    assert (moving_target(run) is not None) is told


@pytest.mark.parametrize(
    ("graph", "start", "facts", "told"),
    [
        (["AddBackward0", "SubBackward0", "MulBackward0", "MeanBackward0", "MeanBackward0"], 0.02, {}, True),
        (["AddBackward0", "SubBackward0", "MulBackward0", "MeanBackward0", "MeanBackward0"], 2.0, {}, False),
        (["MeanBackward0", "PowBackward0", "SubBackward0"], 0.02, {}, False),
        (["SubBackward0", "MseLossBackward0", "MeanBackward0"], 0.02, {"loss_function": "mse"}, False),
    ],
    ids=["an energy", "a bound on a likelihood", "a squared error", "a function of torch's own"],
)
def test_a_difference_of_means_begins_at_nothing(graph, start, facts, told):
    """What is said of data and of samples is the same at first; then it falls, and comes back as the samples do."""
    losses = np.concatenate([[start] * 3, np.linspace(-0.1, -0.5, 30), np.full(30, -0.05)])
    assert (moving_target(run_of(train_loss=losses, loss_graph=graph, **facts)) is not None) is told


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


@pytest.mark.parametrize(
    ("function", "nodes", "known"),
    [
        ("smooth_l1", ["Squeeze", "Gather", "Addmm"], True),
        ("mse", ["Gather", "Addmm", "Relu"], True),
        ("mse", ["Squeeze", "Addmm", "Gather"], False),
        ("mse", ["Index", "Addmm", "Relu"], False),
        ("cross_entropy", ["Gather", "Addmm", "Relu"], False),
    ],
    ids=["one value", "a column of values", "gathered before the last layer", "rows that are masked", "classes"],
)
def test_values_of_actions_are_picked_right_before_a_squared_error(function, nodes, known):
    """Their targets move by jumps, as a copy of the model does."""
    graph = [f"{node}Backward0" for node in nodes]
    found = values_of_actions(run_of(loss_function=function, loss_input_graph=graph))
    assert (found is not None) is known


@pytest.mark.parametrize(
    ("tasks", "evaluated", "moves"),
    [(20, 0, True), (5, 0, False), (20, 20, False)],  # a few folds; weights that each epoch draws anew
)
def test_weights_that_are_set_for_each_new_optimizer_mean_many_tasks(tasks, evaluated, moves):
    """Meta-learning: every task begins from the common weights, and its loss is no other's."""
    told = [
        EventRecord(step=2 * task, time=0.0, event=event)
        for task in range(tasks)
        for event in ("weights-set", "optimizer-added")
    ]
    run = make_run([1.0] * STEPS, epochs=[{"validation_loss": 1.0}] * evaluated)
    assert (moving_target(dataclasses.replace(run, events=(*run.events, *told))) is not None) is moves


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("train/approx_kl", True),
        ("clipfrac", True),
        ("ppo/clip_fraction", True),
        ("mean_advantage", True),
        ("gradient_clip_fraction", False),
        ("kl_loss", False),
        ("entropy", False),
        ("val/explained_variance", False),
    ],
)
def test_policy_gradients_are_known_by_what_is_logged_of_them(name, known):
    """What only they have; a divergence, an entropy and an explained variance are logged of much else."""
    run = make_run([1.0] * 4, evaluations={3: {name: 0.02}})
    assert (moving_target(run) is not None) is known


@pytest.mark.parametrize(
    ("losses", "hovers"),
    [
        (0.02 * np.sin(np.arange(40)), True),
        (2.0 - 0.2 * np.arange(40), False),
        (0.1 - 0.1 * np.arange(40), False),
        (np.array([0.1, -0.1] * 3), False),
    ],
    ids=["a policy's", "a likelihood that crosses 0 once", "one that begins near 0", "too few values"],
)
def test_a_loss_that_goes_to_and_fro_across_zero(losses, hovers):
    """A quarter of its first values at least is on either side."""
    assert hovers_around_zero(Series("train_loss", np.arange(len(losses)), losses)) is hovers
