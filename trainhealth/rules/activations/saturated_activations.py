"""AC02 saturated-activations: hidden sigmoids or tanhs work in their flat part, where the gradient vanishes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from trainhealth.findings import Confidence, Evidence, Finding, NotChecked, Recommendation, Reference, Severity
from trainhealth.rules.base import Rule, number, option
from trainhealth.rules.breakdown import Breakdown, poor_loss
from trainhealth.rules.data_scale import UNSCALED, inputs, scale_targets, standardize_inputs, targets_size
from trainhealth.rules.hidden_layers import hidden_activations
from trainhealth.series import RunView, Series

_BOUNDED = ("sigmoid", "tanh", "hardsigmoid", "hardtanh")
_LATEST = 3  # samples whose median is the present state: one batch may be unusual


class _Saturated(NamedTuple):
    """An activation function in its flat part: its place, the sample since when, and its present share."""

    place: str
    since: int
    share: float


class SaturatedActivations(Rule):
    """Hidden sigmoid or tanh units are saturated: their gradient is nearly zero, and the layers before do not learn.

    What it detects
        saturated_fraction: the share of a hidden sigmoid's or tanh's outputs within 1 % of the range's width of a
        bound (sigmoid below 0.01 or above 0.99, tanh beyond 0.98), a value a place and sampled step.

    Why it matters
        There the slope is below 0.01 (sigmoid) or 0.04 (tanh): the gradient that passes is nearly zero, so that
        everything before the layer stands still.

    How it decides
        now = median of the last three samples of a place. Functions after the last layer do not count.
        Saturated from the start: the first sample (at step 0 or 1) and now are at least `at_start`, and what passes all
        such layers, the product of 1 - now, is at most `passing`.
        Saturated by training: now is at least `by_training`, the first sample was below `at_start`, and train_loss is
        poor: not finite or above 3 times its start for good, or it gave back half of its progress, or it stands,
        falling no more, above `poor` of the untrained loss (the first one, or that of guessing where it is lower).

    What to try
        From the start: standardized inputs where they are large, Xavier initialisation, batch normalisation before the
        function. By training: a lower rate where updates were large, scaled targets, ReLU.

    When it is wrong
        A trained, confident net saturates its hidden units, too, at a small loss: healthy and silent. So is one layer
        of which a quarter still passes: nets whose first layer gets inputs far beyond 1 learn as fast and as well as
        with standardized ones. A gate (a sigmoid that multiplies another signal) may rightly be open or shut: from the
        start it is not. A task that can't be learnt keeps the loss poor for a reason of its own. A policy's bounded
        output in the middle of a model looks like a hidden layer. Gates inside nn.LSTM and nn.GRU are not seen.
    """

    code = "AC02"
    name = "saturated-activations"
    topic = "activations"
    severity = Severity.WARNING
    confidence = Confidence.LIKELY
    since = "0.1"
    requires = ("saturated_fraction|activation_std",)
    uses = ("train_loss", "input_mean", "input_std")
    references = (
        Reference(
            "Tr1 Training Networks (Part 1): activation functions",
            "Saturated neurons kill the gradients; almost all neurons are saturated with weights of 1.0 x randn.",
        ),
        Reference(
            "Reg Regularization: weight initialization",
            "Weights that are too large saturate tanh: local gradients are all zero, no learning.",
        ),
        Reference(
            "L16 Practical Aspects: Xavier initialization", "std = 1/sqrt(fan_in) keeps tanh in its active part."
        ),
    )

    @dataclass(frozen=True, slots=True)
    class Options:
        """Thresholds."""

        at_start: float = option(0.5, "share of outputs", "lecture Tr1: weights of 1.0 x randn give 0.6 and more")
        by_training: float = option(0.8, "share of outputs", "house choice")
        passing: float = option(0.2, "share of the ways", "house choice: healthy nets had 0.24 to 0.5")
        poor: float = option(0.6, "share of the untrained loss", "house choice: healthy nets with 0.97 had learnt well")

    def check(self, run: RunView, options: Options) -> Iterable[Finding] | NotChecked:
        """Return a finding for layers saturated from the start, and one for those saturated by training."""
        columns = run.columns("saturated_fraction")
        sampled = [(entry.name, columns.place(entry.name)) for entry in hidden_activations(run, _BOUNDED)]
        if not sampled:
            return []  # no function that could saturate
        sampled = [(place, shares) for place, shares in sampled if len(shares) >= _LATEST]
        if not sampled:
            return NotChecked(f"fewer than {_LATEST} sampled steps have saturated_fraction")
        born: list[_Saturated] = []
        driven: list[_Saturated] = []
        for place, shares in sampled:
            now = float(np.median(shares.values[-_LATEST:]))
            if shares.steps[0] <= 1 and shares.values[0] >= options.at_start:
                if now >= options.at_start:
                    born.append(_Saturated(place, int(shares.steps[0]), now))
            elif now >= options.by_training:
                driven.append(_Saturated(place, _since(shares, options.by_training), now))
        if math.prod(1 - one.share for one in born) > options.passing:
            born = []
        lost = poor_loss(run, options.poor) if born or driven else None
        found = []
        if born:
            found.append(self._describe(run, born, lost, "Saturated from the start", _repair_start(run, born)))
        if driven and lost:
            found.append(self._describe(run, driven, lost, "Driven into saturation", _repair_training(run)))
        return found

    def _describe(
        self,
        run: RunView,
        saturated: Sequence[_Saturated],
        lost: Breakdown | None,
        fact: str,
        advice: Iterable[Recommendation],
    ) -> Finding:
        functions = len(hidden_activations(run, _BOUNDED))
        worst = max(saturated, key=lambda one: one.share)
        return self.finding(
            f"{fact}: {len(saturated)} of {functions} hidden sigmoid and tanh layers. {100 * worst.share:.0f} % of the "
            f"outputs of {worst.place} lie in its flat part{f', and {lost.fact}' if lost else ''}.",
            [
                Evidence("saturated_fraction", one.place, one.since, run.last_step, one.share, "below 0.5")
                for one in saturated
            ],
            advice,
            severity=Severity.CRITICAL if lost else Severity.WARNING,
        )


def _since(shares: Series, limit: float) -> int:
    """Return the step of the first sample of the last stretch above `limit` (single samples below do not end it)."""
    levels = np.convolve(shares.values >= limit, np.ones(_LATEST), "same") >= 2
    below = np.flatnonzero(~levels[:-1])
    return int(shares.steps[below[-1] + 1]) if len(below) else int(shares.steps[0])


def _repair_start(run: RunView, born: Sequence[_Saturated]) -> Iterable[Recommendation]:
    verify = "At step 0 the saturated fraction of every hidden layer is below 0.1, and train_loss falls from the start."
    if inputs(run).unscaled:
        yield standardize_inputs(run, "sums over them leave the steep part of the function at once", verify)
    yield Recommendation(
        f"Initialise the weights before {born[0].place} and its like with Xavier (std = 1/sqrt(fan_in)).",
        "Larger weights push the sums far beyond the steep part of the function.",
        verify,
        recipe="xavier-initialization",
    )
    yield Recommendation(
        "Or put batch normalisation between the layers and their functions.",
        "It brings the sums back to mean 0 and standard deviation 1 in every batch.",
        verify,
        "It behaves differently in training and in evaluation: switch with model.train() and model.eval().",
        "batch-normalization",
    )


def _repair_training(run: RunView) -> Iterable[Recommendation]:
    verify = "The saturated fraction of hidden layers stays below 0.5 while train_loss falls."
    if targets_size(run) > UNSCALED:
        yield scale_targets(run, "units are driven to their bounds to reach it", verify)
    rate = run.learning_rate.at(run.last_step)
    yield Recommendation(
        f"Lower the learning rate from {number(rate)} to {number(rate / 10)} and start again."
        if rate > 0
        else "Divide the learning rate by 10 and start again.",
        "Few large updates carry weights so far that the units can't come back: their gradient is zero.",
        verify,
        "Saturated units do not recover by a lower rate alone: start from fresh weights.",
        "lower-learning-rate",
    )
    yield Recommendation(
        "Use ReLU in the hidden layers.",
        "It does not saturate for positive sums.",
        "Gradients of the first layers are of the size of those of the last.",
        "It can die at a high rate: watch the dead fraction.",
        "relu-instead-of-sigmoid",
    )
