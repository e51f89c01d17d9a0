"""OP07 stalled-adagrad: AdaGrad has divided its rate down until nothing moves any more."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from trainhealth.findings import Change, Confidence, Evidence, Finding, NotChecked, Recommendation, Reference, Severity
from trainhealth.rules.base import Rule, number, option
from trainhealth.rules.breakdown import Breakdown, poor_loss
from trainhealth.rules.objective import moving_target
from trainhealth.rules.update_ratio import SMALL, model_update_ratio
from trainhealth.rules.weights import of_weights, typical_weight
from trainhealth.series import FloatArray, RunView, Series


class StalledAdagrad(Rule):
    """AdaGrad has stalled: its sum of squared gradients has grown so large that the steps are next to nothing.

    What it detects
        update_ratio (norm of the step's update over norm of the weight, median over the weights) against the one that
        a fresh AdaGrad would have: rate / root mean square of the weights, as its first update moves every element by
        the rate.

    Why it matters
        The sum only grows. Large gradients of the first steps are never forgotten, and the loss stays where the steps
        ended, however long training goes on.

    How it decides
        The optimizer is Adagrad; the largest ratio of the first five samples is above 2e-4; over the last quarter of
        the samples (at least two) the median is at most 2e-4 and at most `fallen` of a fresh one's; the gradient is
        still there (its norm over that quarter is at least `gradient` of the median over all samples); and train_loss
        is poor: above `poor` of the untrained loss, falling no more.

    What to try
        RMSprop or Adam, which forget old gradients; a higher rate, where gradients are sparse.

    When it is wrong
        Updates fall in every AdaGrad run, with the root of the number of steps at the least: silent as long as the loss
        gets low or falls. A task that can't be learnt keeps its gradient, which is noise, and its loss, too.
    """

    code = "OP07"
    name = "stalled-adagrad"
    topic = "optimization"
    severity = Severity.WARNING
    confidence = Confidence.LIKELY
    since = "0.1"
    requires = ("train_loss", "update_ratio")
    uses = ("effective_learning_rate", "gradient_norm", "learning_rate")
    references = (
        Reference(
            "L16 Practical Aspects, Opt Optimizing Neural Networks: AdaGrad",
            "The sum of squares grows monotonically; the step decays to zero, and training may stop too early.",
        ),
        Reference(
            "UO, Underfitting, Overfitting, Regularization, Optimization: AdaGrad",
            "Accumulation from the beginning can cause an excessive decrease of the effective rate; RMSProp forgets.",
        ),
    )

    @dataclass(frozen=True, slots=True)
    class Options:
        """Thresholds."""

        fallen: float = option(0.05, "share of a fresh update", "house choice: 1/sqrt(t) after 400 steps")
        gradient: float = option(0.1, "share of the median gradient norm", "house choice: it has not vanished")
        poor: float = option(0.6, "share of the untrained loss", "house choice: as for the other rules")

    def check(self, run: RunView, options: Options) -> Iterable[Finding] | NotChecked:
        """Return a finding if AdaGrad's steps have decayed while there was still something to learn."""
        kinds = [optimizer.type for optimizer in run.info.optimizers]
        if not kinds:
            return NotChecked("which optimizer it is, is not known: pass it to trainhealth.watch(model, optimizer)")
        if any("adagrad" not in kind.lower() for kind in kinds):
            return []
        ratios, norms = model_update_ratio(run).finite(), run.series("gradient_norm").finite()
        if min(len(ratios), len(norms)) < 8 or moving_target(run):
            return []
        fresh = float(run.learning_rate.at(0)) / typical_weight(run)
        moved, moves = float(ratios.values[:5].max()), float(np.median(_recent(ratios)))
        still = float(np.median(_recent(norms))) >= options.gradient * float(np.median(norms.values))
        if not moves <= SMALL < moved or not moves <= options.fallen * fresh or not still:
            return []
        lost = poor_loss(run, options.poor)
        return [self._describe(run, ratios, moved, lost)] if lost else []

    def _describe(self, run: RunView, ratios: Series, moved: float, lost: Breakdown) -> Finding:
        moves, first, last = float(np.median(_recent(ratios))), int(ratios.steps[0]), ratios.last_step
        evidence = [Evidence("update_ratio", None, first, last, moves, "about 0.001")]
        now = of_weights(run, "effective_learning_rate").latest()
        effective = float(np.nanmedian(now)) if np.isfinite(now).any() else math.nan
        said = f" (effective rate: {number(effective)})" if effective > 0 else ""
        if said:
            evidence.append(Evidence("effective_learning_rate", None, first, last, effective, "no less than the rate"))
        return self.finding(
            f"AdaGrad's updates fell from {number(moved)} to {number(moves)} of the weights{said}, while the gradient "
            f"is still there; {lost.fact}.",
            evidence,
            _recommend(run.info.optimizers[0].type),
        )


def _recent(series: Series) -> FloatArray:
    return series.values[-max(2, len(series) // 4) :]


def _recommend(kind: str) -> Iterable[Recommendation]:
    verify = "The update ratios of the weights stay near 0.001, and train_loss goes on falling."
    yield Recommendation(
        "Use Adam at a rate of 0.001.",
        "It averages squared gradients over the last thousand steps or so, and forgets those of the start.",
        verify,
        recipe="adamw",
        change=Change("optimizer", kind, "Adam"),
    )
    yield Recommendation(
        "Or keep AdaGrad and start anew at ten times the rate.",
        "The effective rate is in proportion to the rate.",
        verify,
        "The first steps are larger by as much: warm up.",
        "raise-learning-rate",
    )
