"""Whether a run's loss measures its progress: in reinforcement learning and between adversaries it does not."""

from __future__ import annotations

import re

import numpy as np

from trainhealth.series import RunView, Series

_REWARD = frozenset({"reward", "rewards", "rew", "return", "returns", "episode", "episodic"})
_ACTOR = frozenset({"actor", "policy"})
_GENERATOR = frozenset({"g", "gen", "generator"})
_DISCRIMINATOR = frozenset({"d", "disc", "discriminator", "critic"})

_CROSS_ENTROPIES = ("cross_entropy", "soft_cross_entropy", "nll")
_BEGINNING = 32  # values of train_loss
_ENOUGH = 12  # samples of the targets
_GROWN = 3.0  # times their first size
_RUN_AWAY = 1000.0  # times their first size

# "EpRewMean" -> Ep Rew Mean; "loss/D_real" -> loss D real
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")


def moving_target(run: RunView) -> str | None:
    """Return why the loss of `run` does not fall when training goes well; None where nothing says so.

    Rewards among the signals mean reinforcement learning (the data changes with the policy), and so do an actor beside
    a critic, and a cross-entropy that is weighted with numbers of both signs. Losses or optimizers of a generator and
    a discriminator mean adversaries (each one's gain is the other's loss), whatever they are called where an
    optimizer's own loss is negative. Targets that grow with the run are values that a model learns from its own.
    """
    names = [*run.scalars, *(optimizer.name for optimizer in run.info.optimizers)]
    words = set().union(*(_words(name) for name in names))
    if words & _REWARD:
        return "the log holds rewards, and in reinforcement learning the loss does not measure progress"
    if words & _ACTOR and words & _DISCRIMINATOR:
        return "an actor and its critic are trained, and in reinforcement learning the loss does not measure progress"
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
    return _grown_targets(run)


def losses_of_adversaries(run: RunView) -> tuple[Series, Series] | None:
    """Return the losses of the generator and of the discriminator; None where it is not one of each that is logged."""
    losses = [series.finite() for name, series in run.scalars.items() if name.startswith("loss/")]
    generators, discriminators = (
        [loss for loss in losses if _words(loss.name) & words] for words in (_GENERATOR, _DISCRIMINATOR)
    )
    return (generators[0], discriminators[0]) if len(generators) == len(discriminators) == 1 else None


def _words(name: str) -> set[str]:
    return {word.lower() for word in _WORD.findall(name)}


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
