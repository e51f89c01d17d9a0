"""Advice that contradicts other advice of the same report: the one that a person reads first stays."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable
from typing import NamedTuple

from trainhealth.findings import Change, Finding, Recommendation

UP, DOWN = 1.0, -1.0


class Turn(NamedTuple):
    """What a recommendation turns, and which way: up, down, or to a word ("AdamW")."""

    setting: str
    way: float | str


class _Remedy(NamedTuple):
    """What following a recipe turns; `turned` are words of an action that say the opposite of the usual."""

    setting: str
    way: float
    turned: frozenset[str] = frozenset()


_LESS = frozenset({"divide", "halve", "lower"})

# Recipes that a rule recommends without naming a value, or that several settings lead to.
REMEDIES = {
    "lower-learning-rate": _Remedy("learning_rate", DOWN),
    "raise-learning-rate": _Remedy("learning_rate", UP),
    "train-longer": _Remedy("length of the training", UP),
    "early-stopping": _Remedy("length of the training", DOWN),
    "larger-model": _Remedy("size of the model", UP),
    "data-augmentation": _Remedy("regularisation", UP),
    "dropout": _Remedy("regularisation", UP, _LESS),
    "l1-l2-elastic-net": _Remedy("regularisation", UP, _LESS),
    "weight-decay": _Remedy("regularisation", UP, _LESS),
    "batch-size": _Remedy("batch_size", UP, frozenset({"smaller"})),
    "gradient-accumulation": _Remedy("batch_size", UP),
    "gradient-clipping": _Remedy("clip_norm", DOWN, frozenset({"raise"})),
    "batch-normalization": _Remedy("batch normalisation", UP),
    "group-normalization": _Remedy("batch normalisation", DOWN),
}

# Parameters of a script that are one setting to whoever turns them.
_SETTINGS = {
    "epochs": "length of the training",
    "dropout": "regularisation",
    "weight_decay": "regularisation",
}


def without_contradictions(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return the findings, in their order, without recommendations that turn an earlier finding's setting back.

    Two contradict each other where they turn one setting in opposite directions (a higher and a lower learning rate,
    more and less regularisation) or to different words. A finding's own recommendations are alternatives and stay
    together; the first of them decides.
    """
    decided: dict[str, float | str] = {}
    kept: list[Finding] = []
    for finding in findings:
        advice = tuple(item for item in finding.recommendations if not _contradicts(item, decided))
        kept.append(dataclasses.replace(finding, recommendations=advice))
        for item in advice:
            for turn in turned_by(item):
                decided.setdefault(turn.setting, turn.way)
    return tuple(kept)


def turned_by(advice: Recommendation) -> tuple[Turn, ...]:
    """Return what the recommendation turns: its change says so, else its recipe; words may add the rate."""
    action = advice.action.lower()
    change, remedy = advice.change, REMEDIES.get(advice.recipe or "")
    turns: list[Turn] = []
    if change is not None:
        turns.append(Turn(_SETTINGS.get(change.parameter, change.parameter), _direction(change)))
    elif remedy is not None:
        words = set(re.findall(r"[a-z]+", action))
        turns.append(Turn(remedy.setting, -remedy.way if words & remedy.turned else remedy.way))
    if re.search(r"\b(divide|halve|lower) the (learning )?rate\b", action):  # by a schedule, or beside another setting
        turns.append(Turn("learning_rate", DOWN))
    return tuple(turns)


def _contradicts(advice: Recommendation, decided: dict[str, float | str]) -> bool:
    return any(decided.get(turn.setting, turn.way) != turn.way for turn in turned_by(advice))


def _direction(change: Change) -> float | str:
    """Return up or down; the word that is to be set, where it is one."""
    if isinstance(change.to, str) or not isinstance(change.from_, int | float):
        return str(change.to)
    return UP if change.to > change.from_ else DOWN
