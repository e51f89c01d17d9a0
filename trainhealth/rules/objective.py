"""Whether a run's loss measures its progress: in reinforcement learning and between adversaries it does not."""

from __future__ import annotations

import numpy as np

from trainhealth.column_words import cut
from trainhealth.series import RunView, Series, once

_REWARD = frozenset({"reward", "rewards", "rew", "return", "returns", "episode", "episodic"})
# how far a policy has moved, what it was clipped by, what it is weighted with
_OF_POLICY_GRADIENT = (
    {"approx", "kl"},
    {"approxkl"},
    {"clip", "fraction"},
    {"clip", "frac"},
    {"clipfrac"},
    {"advantage"},
    {"advantages"},
    {"td", "error"},
)
_OF_GRADIENTS = frozenset({"grad", "grads", "gradient", "gradients"})  # they are clipped, too
_ACTOR = frozenset({"actor", "policy"})
_VALUE = frozenset({"critic", "value"})
_GENERATOR = frozenset({"g", "gen", "generator"})
_DISCRIMINATOR = frozenset({"d", "disc", "discriminator", "critic"})

_CROSS_ENTROPIES = ("cross_entropy", "soft_cross_entropy", "nll")
_OF_NUMBERS = ("mse", "l1", "smooth_l1", "huber")
_PICKED = 2  # nodes before the loss: the gather, and what takes the axis away that it has left
_BEGINNING = 32  # values of train_loss
_FEW = 8  # of them: four and four of both signs by chance are rare where the level is not 0
_NEAR_ZERO = 0.1  # of the largest of the first values
_ENOUGH = 12  # samples of the targets
_GROWN = 3.0  # times their first size
_TASKS = 10  # folds and trials are fewer
_RUN_AWAY = 1000.0  # times their first size


@once
def moving_target(run: RunView) -> str | None:
    """Return why the loss of `run` does not fall when training goes well; None where nothing says so.

    Rewards among the signals mean reinforcement learning (the data changes with the policy), and so do an actor beside
    a critic (optimizers, losses, or parts of one model), and a cross-entropy that is weighted with numbers of both
    signs, or what is logged of a policy's updates (approx_kl, clip_fraction, advantages). Losses or optimizers of a
    generator and a discriminator mean adversaries (each one's gain is the other's loss), whatever they are called where
    an optimizer's own loss is negative; so does a difference of means that began near 0, as an untrained critic's or
    energy's. Targets that grow with the run are values that a model learns from its
    own. Weights that are set from outside again and again, each time for a new optimizer, are sent to another task.
    """
    names = [*run.scalars, *(optimizer.name for optimizer in run.info.optimizers)]
    words = set().union(*(_words(name) for name in names))
    if words & _REWARD:
        return "the log holds rewards, and in reinforcement learning the loss does not measure progress"
    if any(_is_of_policy_gradient(_words(name)) for name in names):
        return "the log follows a policy's updates, and in reinforcement learning the loss does not measure progress"
    if words & _ACTOR and words & _DISCRIMINATOR:
        return "an actor and its critic are trained, and in reinforcement learning the loss does not measure progress"
    if _has_actor_and_critic(run):
        return "an actor and its critic are one model, and in reinforcement learning the loss does not measure progress"
    if words & _GENERATOR and words & _DISCRIMINATOR:
        return "two adversaries are trained, and the loss of either rises when the other one learns"
    own = [run.series(f"loss/{name}").finite().values for name in {one.name for one in run.info.optimizers}]
    own = [values for values in own if len(values)]
    if len(own) > 1 and min(values.min() for values in own) < 0:
        return "optimizers have losses of their own, below 0, and one may gain what another loses"
    if _is_weighted_with_both_signs(run):
        return (
            "the loss is a cross-entropy of both signs, as that of a policy is, whose level does not measure progress"
        )
    if _is_difference(run):
        return "the loss is a difference that began near 0, as between data and samples: it does not measure progress"
    return _many_tasks(run) or _grown_targets(run)


def hovers_around_zero(losses: Series) -> bool:
    """Tell whether the loss goes to and fro across 0 from its beginning: it has no level that it could lose.

    A policy's is weighted with advantages of mean 0. A log-likelihood that crosses 0 begins on one side of it.
    """
    first = losses.finite().values[:_BEGINNING]
    least = min(int((first < 0).sum()), int((first > 0).sum()))
    crossings = int(np.count_nonzero(np.diff(np.signbit(first))))
    return len(first) >= _FEW and least >= len(first) / 4 and crossings >= len(first) / 8


def values_of_actions(run: RunView) -> str | None:
    """Return why the loss of `run` jumps when all is well: it is that of the values of actions; None if it is not.

    Each is picked out of the outputs by the action that was taken (a gather right before a squared or absolute error)
    and held against what a copy of the model expects of the next state: the targets move whenever the copy does.
    """
    behind = run.facts.get("loss_input_graph")
    picked = isinstance(behind, list) and any(str(name).startswith("Gather") for name in behind[:_PICKED])
    if run.facts.get("loss_function") not in _OF_NUMBERS or not picked:
        return None
    return "one output an example is picked for the loss, as the value of an action is, whose targets move by jumps"


def losses_of_adversaries(run: RunView) -> tuple[Series, Series] | None:
    """Return the losses of the generator and of the discriminator; None where it is not one of each that is logged."""
    losses = [series.finite() for name, series in run.scalars.items() if name.startswith("loss/")]
    generators, discriminators = (
        [loss for loss in losses if _words(loss.name) & words] for words in (_GENERATOR, _DISCRIMINATOR)
    )
    return (generators[0], discriminators[0]) if len(generators) == len(discriminators) == 1 else None


def _words(name: str) -> set[str]:
    return {word.rstrip("0123456789") for word in cut(name)}  # of several discriminators one is D1


def _is_of_policy_gradient(words: set[str]) -> bool:
    return not words & _OF_GRADIENTS and any(phrase <= words for phrase in _OF_POLICY_GRADIENT)


def _has_actor_and_critic(run: RunView) -> bool:
    """Tell whether one model holds both, by its name and those of its parts, and the loss is no error of answers.

    Such a one is torch's own, and never negative: a policy that is learnt from examples has it.
    """
    parts = {parameter.name.partition(".")[0] for parameter in run.parameters}
    words = set().union(*(_words(name) for name in (run.info.model, *parts)))
    losses = run.series("train_loss").finite().values
    return bool(words & _ACTOR and words & _VALUE) and (not run.facts.get("loss_function") or bool((losses < 0).any()))


def _many_tasks(run: RunView) -> str | None:
    """Return that the run is made of many short trainings, as meta-learning is: without an evaluation after each."""
    happened = [event.event for event in run.events]
    begun = min(happened.count("weights-set"), happened.count("optimizer-added"))
    if begun < _TASKS or 2 * max(len(run.epochs), len(run.series("validation_loss"))) > begun:
        return None
    return "weights are set from outside again and again for a new optimizer: each time another task begins"


def _is_difference(run: RunView) -> bool:
    """Tell whether the loss subtracts means, or sums, from each other, and began near 0 beside where it soon went."""
    nodes = [str(node) for node in run.facts.get("loss_graph") or ()]
    reduced = next((i for i, node in enumerate(nodes) if node.startswith(("Mean", "Sum"))), 0)
    first = np.abs(run.series("train_loss").finite().values[:_BEGINNING])
    if run.facts.get("loss_function") or not any(node.startswith("Sub") for node in nodes[:reduced]):
        return False
    return len(first) == _BEGINNING and float(np.median(first[:3])) < _NEAR_ZERO * float(first.max())


def _grown_targets(run: RunView) -> str | None:
    """Return that the targets have grown with the run, as values that a model learns from its own outputs do.

    Those of data are the same from beginning to end, or in each epoch anew (sorted ones). Values that run away
    altogether are no progress either.
    """
    if run.epochs:
        return None
    means, deviations = run.series("target_mean"), run.series("target_std")
    _, first, second = np.intersect1d(means.steps, deviations.steps, return_indices=True)
    sizes = np.hypot(means.values[first], deviations.values[second])
    sizes = sizes[np.isfinite(sizes)]
    if len(sizes) < _ENOUGH:
        return None
    begin, now = float(np.median(sizes[:5])), float(np.median(sizes[-3:]))
    if not 0 < _GROWN * begin < now or sizes.max() > _RUN_AWAY * begin:
        return None
    return "the targets have grown with the run, as what a model learns from its own outputs does: so may the loss"


def _is_weighted_with_both_signs(run: RunView) -> bool:
    """Tell whether a cross-entropy behind a softmax, which is never negative by itself, is both from the beginning."""
    if run.facts.get("loss_function") not in _CROSS_ENTROPIES or not isinstance(run.facts.get("softmax_axis"), int):
        return False
    first = run.series("train_loss").finite().values[:_BEGINNING]
    return bool((first < 0).any() and (first > 0).any())
