"""Whether a run's loss measures its progress: in reinforcement learning and between adversaries it does not."""

from __future__ import annotations

import re

from trainhealth.series import RunView

_REWARD = frozenset({"reward", "rewards", "rew", "return", "returns", "episode", "episodic"})
_GENERATOR = frozenset({"g", "gen", "generator", "actor", "policy"})
_DISCRIMINATOR = frozenset({"d", "disc", "discriminator", "critic"})

# "EpRewMean" -> Ep Rew Mean; "loss/D_real" -> loss D real
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")


def moving_target(run: RunView) -> str | None:
    """Return why the loss of `run` does not fall when training goes well; None where nothing says so.

    Rewards among the signals mean reinforcement learning (the data changes with the policy); losses or optimizers of
    a generator and a discriminator mean adversaries (each one's gain is the other's loss). Both are read from names.
    """
    names = [*run.scalars, *(optimizer.name for optimizer in run.info.optimizers)]
    words = {word.lower() for name in names for word in _WORD.findall(name)}
    if words & _REWARD:
        return "the log holds rewards, and in reinforcement learning the loss does not measure progress"
    if words & _GENERATOR and words & _DISCRIMINATOR:
        return "two adversaries are trained, and the loss of either rises when the other one learns"
    return None
