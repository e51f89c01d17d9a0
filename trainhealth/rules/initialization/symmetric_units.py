"""IN03 symmetric-units: all units of a layer have the same weights and gradients, and stay the same for ever."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from trainhealth.findings import Change, Confidence, Evidence, Finding, NotChecked, Recommendation, Reference, Severity
from trainhealth.records import ParameterEntry
from trainhealth.rules.base import Rule, number, option
from trainhealth.rules.breakdown import poor_loss
from trainhealth.rules.objective import moving_target
from trainhealth.series import RunView

_LATEST = 3  # samples: one batch may give two units the same gradient


class _Symmetric(NamedTuple):
    """A weight whose units are the same: its entry, the first sample's step, the present share and its spread."""

    entry: ParameterEntry
    first_step: int
    share: float
    zero: bool


class SymmetricUnits(Rule):
    """The units of a layer are copies of each other: weights that start alike get equal gradients and stay alike.

    What it detects
        equal_units: the share of a weight's units (its first axis) whose weights and gradients both equal those of
        another unit, a value a weight (two or more dimensions) and sampled step.

    Why it matters
        A layer of a hundred equal units computes what one unit computes, at a hundred times the cost, and training
        never tells them apart: equal gradients make equal updates.

    How it decides
        The share is at least `most` at the first sample (step 0 or 1) and in the last three, for a weight of at least
        `least_units` units that is trained and no embedding.

    What to try
        Random weights, He or Xavier; only biases may start at zero.

    When it is wrong
        Weights that start at zero on purpose (the last layer, the last of a residual branch, LoRA's B, a gate) get
        gradients that differ from unit to unit, and so does a constant layer behind a random one: silent. Dropout
        tells equal units apart, slowly: then the rule misses the symmetry. Pruned units are zero and get no gradient:
        silent as long as they are fewer than `most`, or were not there at the start. Rows of an embedding that were not
        looked up yet are equal, too: not meant.
    """

    code = "IN03"
    name = "symmetric-units"
    topic = "initialization"
    severity = Severity.CRITICAL
    confidence = Confidence.CERTAIN
    since = "0.1"
    requires = ("equal_units",)
    uses = ("weight_std", "train_loss")
    references = (
        Reference(
            "L16 Practical Aspects, Reg Regularization: weight initialization",
            "W = 0: every neuron computes the same output and gets the same gradient: no source of asymmetry.",
        ),
        Reference(
            "UO, Underfitting, Overfitting, Regularization, Optimization: parameter initialization",
            "Initial parameters must break the symmetry between units; random initialisation does.",
        ),
    )

    @dataclass(frozen=True, slots=True)
    class Options:
        """Thresholds."""

        most: float = option(0.9, "share of units", "house choice: pruning leaves fewer")
        least_units: int = option(2, "units", "fewer can't be equal")

    def check(self, run: RunView, options: Options) -> Iterable[Finding] | NotChecked:
        """Return one finding for all weights whose units are the same and stay so."""
        lookups = {layer.name for layer in run.layers if "Embedding" in layer.type}
        judged = [
            entry
            for entry in run.parameters
            if len(entry.shape) >= 2
            and entry.shape[0] >= options.least_units
            and entry.trainable
            and entry.layer not in lookups
        ]
        found = [one for entry in judged if (one := _symmetric(run, entry, options.most))]
        return [self._describe(run, found)] if found else []

    def _describe(self, run: RunView, found: list[_Symmetric]) -> Finding:
        first = found[0]
        lost = None if moving_target(run) else poor_loss(run, 0.6)
        count = f"{round(first.share * first.entry.shape[0])} of {first.entry.shape[0]}"
        state = "are all zero" if first.zero else "are equal"
        others = f" ({len(found)} weights are concerned)" if len(found) > 1 else ""
        return self.finding(
            f"{count} units of {first.entry.name} {state}, get equal gradients, and are still the same after "
            f"{run.last_step + 1} steps{others}{f'; {lost.fact}' if lost else ''}.",
            [Evidence("equal_units", one.entry.name, one.first_step, run.last_step, one.share, "0") for one in found],
            _RECOMMENDATIONS,
            severity=Severity.CRITICAL if lost else Severity.WARNING,
        )


def _symmetric(run: RunView, entry: ParameterEntry, most: float) -> _Symmetric | None:
    """Return the weight's symmetry if it was there at the start and still is."""
    shares = run.columns("equal_units").place(entry.name).finite()
    if len(shares) < _LATEST or shares.steps[0] > 1:
        return None
    share = float(np.min(shares.values[[0, -1, -2, -3]]))
    spread, mean = (run.columns(f"weight_{name}").place(entry.name).finite().values[:1] for name in ("std", "mean"))
    zero = bool(len(spread) and len(mean) and spread[0] == 0 == mean[0])
    return _Symmetric(entry, int(shares.steps[0]), share, zero) if share >= most else None


_RECOMMENDATIONS = (
    Recommendation(
        f"Draw the weights at random: He (std = sqrt(2/fan_in)) before ReLU; biases may stay {number(0)}.",
        "Random weights give every unit a gradient of its own.",
        "equal_units is 0 for every hidden weight from step 0 on, and train_loss falls below that of guessing.",
        recipe="he-initialization",
        change=Change("initialization", "constant", "he"),
    ),
    Recommendation(
        "Or, before tanh and sigmoid, with Xavier (std = 1/sqrt(fan_in)).",
        "It keeps the signal's size where the function is steep.",
        "equal_units is 0 for every hidden weight from step 0 on, and train_loss falls below that of guessing.",
        recipe="xavier-initialization",
    ),
)
