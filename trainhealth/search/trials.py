"""A search as a table: the settings that were tried, what each trial gave, and how it ended."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from statistics import NormalDist
from typing import TypeAlias

import numpy as np

from trainhealth.series import FloatArray

Value: TypeAlias = float | str | None  # None: the trial had no such setting (it depends on another)


@dataclass(frozen=True, slots=True)
class Space:
    """What is known beforehand of the values that a setting was drawn from; None where the table does not say it."""

    low: float | None = None
    high: float | None = None
    log: bool | None = None


@dataclass(frozen=True, slots=True)
class Trial:
    """One trial: its name in the table, its settings, and its score.

    The score is NaN where the trial diverged, crashed or was broken off: it counts as worse than every other.
    """

    name: str
    settings: Mapping[str, Value]
    score: float


@dataclass(frozen=True)
class Trials:
    """The trials of a search, in the order of the table."""

    trials: tuple[Trial, ...]
    score: str  # what the score is called
    maximize: bool
    spaces: Mapping[str, Space] = field(default_factory=dict)
    notes: tuple[str, ...] = ()  # what was left out of the table, and why
    path: str = ""

    def __len__(self) -> int:
        return len(self.trials)

    @cached_property
    def scores(self) -> FloatArray:
        """The scores, float64 [n]; NaN for the trials that failed."""
        values = np.array([trial.score for trial in self.trials], np.float64)
        return np.where(np.isfinite(values), values, np.nan)

    @property
    def failed(self) -> int:
        """How many trials have no score."""
        return int(np.isnan(self.scores).sum())

    @cached_property
    def best(self) -> int:
        """Row of the best trial; -1 where none has a score."""
        if self.failed == len(self):
            return -1
        return int(np.nanargmax(self.scores) if self.maximize else np.nanargmin(self.scores))

    @cached_property
    def settings(self) -> tuple[str, ...]:
        """Names of the settings, those that never change left out."""
        names = dict.fromkeys(name for trial in self.trials for name in trial.settings)
        return tuple(name for name in names if len({trial.settings.get(name) for trial in self.trials}) > 1)

    def column(self, name: str) -> tuple[Value, ...]:
        """Return one setting's values, a trial each."""
        return tuple(trial.settings.get(name) for trial in self.trials)

    def numbers(self, name: str) -> FloatArray | None:
        """Return one setting's values as float64 [n], NaN where it is missing; None where it has words for values."""
        column = self.column(name)
        if any(isinstance(value, str) for value in column):
            return None
        return np.array([math.nan if value is None else value for value in column], np.float64)

    @cached_property
    def goodness(self) -> FloatArray:
        """How good each trial is among all, float64 [n]: the normal score of its rank.

        Ranks make a loss and its logarithm the same search, and keep one exploded trial from hiding all others; normal
        scores (Blom's: the normal quantile of (rank - 3/8) / (n + 1/4)) spread the ends, where the best trials are.
        Trials without a score share the lowest ranks, equal ones their mean rank.
        """
        scores = self.scores if self.maximize else -self.scores
        ordered = np.where(np.isnan(scores), -np.inf, scores)
        _, group, sizes = np.unique(ordered, return_inverse=True, return_counts=True)
        ranks = (np.cumsum(sizes) - (sizes - 1) / 2)[group]
        return np.array([NormalDist().inv_cdf((rank - 0.375) / (len(ranks) + 0.25)) for rank in ranks], np.float64)
