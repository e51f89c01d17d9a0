"""What the trials of a search say: what matters, where the best lies, and where to look next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from trainhealth.search.axes import Axis, axis_of
from trainhealth.search.influence import Influence, Interaction, influences
from trainhealth.search.optimum import Region, regions
from trainhealth.search.ranges import NextRange, Tried, next_range
from trainhealth.search.surface import Surface, fit
from trainhealth.search.trials import Trials
from trainhealth.series import FloatArray

LEAST = 8  # trials below which a setting that matters can't be told from chance
SCORED = 4  # trials with a score among them
LEADING = 3  # best trials that the next range holds in any case
TELLING = 20  # trials from which on a setting without effect may be fixed
HINTED = 1.0  # evidence below which no effect is seen
MOST = 250  # trials that the surface is fitted to: its cost grows with their cube


@dataclass(frozen=True)
class Search:
    """The analysis of a search; everything is computed when it is asked for."""

    trials: Trials

    @property
    def lacking(self) -> str:
        """Why nothing can be said of the settings; "" where something can."""
        count, scored = len(self.trials), len(self.trials) - self.trials.failed
        if count < LEAST:
            trials = "is one trial" if count == 1 else f"are {count} trials"
            return f"there {trials}, and fewer than {LEAST} tell no setting from chance"
        if not self.trials.settings:
            return "no setting has two values"
        if scored < SCORED:
            return f"{scored} of {count} trials have a score, and it takes {SCORED}"
        if len(np.unique(self.trials.scores[np.isfinite(self.trials.scores)])) < 2:
            return "all trials have the same score"
        return ""

    @cached_property
    def axes(self) -> Mapping[str, Axis]:
        """The scale of each setting."""
        return {name: axis_of(self.trials, name) for name in self.trials.settings}

    def codes(self, name: str) -> FloatArray:
        """Return the coordinates of one setting's values, float64 [trials]."""
        return self.axes[name].codes(self.trials.column(name))

    @cached_property
    def _found(self) -> tuple[tuple[Influence, ...], tuple[Interaction, ...]]:
        return ((), ()) if self.lacking else influences(self._surface(tuple(self.axes)))

    @property
    def influences(self) -> tuple[Influence, ...]:
        """What each setting explains, the weightiest first; none where there are too few trials."""
        return self._found[0]

    @property
    def interactions(self) -> tuple[Interaction, ...]:
        """What pairs of settings explain together."""
        return self._found[1]

    @property
    def mattering(self) -> tuple[str, ...]:
        """The settings that matter, the weightiest first."""
        return tuple(influence.name for influence in self.influences if influence.matters)

    @cached_property
    def regions(self) -> Mapping[str, Region]:
        """Where the best value lies of each setting that matters."""
        if not self.mattering:
            return {}
        return {region.axis.name: region for region in regions(self._model)}

    @cached_property
    def next_ranges(self) -> Mapping[str, NextRange]:
        """Where to look next, for each setting."""
        if self.lacking:
            return {}
        enough = len(self.trials) >= TELLING
        idle = {influence.name for influence in self.influences if enough and influence.evidence < HINTED}
        return {
            name: next_range(axis, self.regions.get(name), self.tried(name), idle=name in idle)
            for name, axis in self.axes.items()
        }

    def tried(self, name: str) -> Tried:
        """Return what was tried of one setting."""
        codes, order = self.codes(name), np.argsort(-self.trials.goodness, kind="stable")
        best = self.trials.trials[self.trials.best].settings.get(name)
        return Tried(best, codes[order[:LEADING]], np.unique(codes[codes >= 0]), codes[np.isnan(self.trials.scores)])

    def drop(self, name: str, code: float) -> float:
        """Return by how much the surface falls from the best trial to where one setting has another coordinate."""
        surface = self._model
        here = np.array([self.codes(one)[self.trials.best] for one in self.mattering])
        there = np.where(np.array(self.mattering) == name, code, here)
        mean, _ = surface.posterior(np.stack([here, there]))
        return float(mean[0] - mean[1])

    @cached_property
    def _model(self) -> Surface:
        """The surface over the settings that matter."""
        return self._surface(self.mattering)

    def _surface(self, names: tuple[str, ...]) -> Surface:
        kept = np.arange(len(self.trials))
        if len(kept) > MOST:  # every so manieth in order of goodness, with the best one
            order = np.argsort(-self.trials.goodness)
            kept = np.sort(order[np.unique(np.linspace(0, len(order) - 1, MOST).astype(np.int64))])
        codes = np.stack([self.codes(name)[kept] for name in names], axis=1)
        return fit([self.axes[name] for name in names], codes, self.trials.goodness[kept])
