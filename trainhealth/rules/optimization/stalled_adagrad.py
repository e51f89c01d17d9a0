"""OP07 stalled-adagrad: AdaGrad has divided its rate down until nothing moves any more."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from trainhealth.findings import Change, Confidence, Evidence, Finding, NotChecked, Recommendation, Reference, Severity
from trainhealth.rules.base import Rule, number, option
from trainhealth.rules.breakdown import poor_loss
from trainhealth.rules.objective import moving_target
from trainhealth.rules.update_ratio import SMALL, model_update_ratio
from trainhealth.rules.weights import of_weights
from trainhealth.series import RunView, Series


class StalledAdagrad(Rule):
    """AdaGrad has stalled: its sum of squared gradients has grown so large that the steps are next to nothing.

    What it detects
        effective_learning_rate (parameter unit / gradient unit): what the optimizer multiplies a gradient with, rate /
        (root of the sum of squared gradients + eps), the median over elements, then over the weights.

    Why it matters
        The sum only grows. Large gradients of the first steps are never forgotten, and the loss stays where the steps
        ended, however long training goes on.

    How it decides
        The optimizer is Adagrad; the effective rate has fallen to `fallen` of its first value or below; the median
        update ratio of the last quarter of the samples is at most 2e-4, and of the first five it was above that; the
        gradient is still there (its norm over the last quarter is at least `gradient` of the first five's); and
        train_loss is poor: above `poor` of the untrained loss, falling no more.

    What to try
        RMSprop or Adam, which forget old gradients; a higher rate, where gradients are sparse.

    When it is wrong
        The effective rate falls in every AdaGrad run, with the root of the number of steps at the least: silent as
        long as the loss gets low or falls. A task that can't be learnt keeps its gradient, which is noise, and its
        loss, too.
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
            "UO Understanding Optimization: AdaGrad",
            "Accumulation from the beginning can cause an excessive decrease of the effective rate; RMSProp forgets.",
        ),
    )

    @dataclass(frozen=True, slots=True)
    class Options:
        """Thresholds."""

        fallen: float = option(0.1, "share of the first effective rate", "house choice: 1/sqrt(t) after 100 steps")
        gradient: float = option(0.1, "share of the first gradient norm", "house choice: it has not vanished")
        poor: float = option(0.6, "share of the untrained loss", "house choice: as for the other rules")

    def check(self, run: RunView, options: Options) -> Iterable[Finding] | NotChecked:
        """Return a finding if AdaGrad's steps have decayed while there was still something to learn."""
        kinds = [optimizer.type for optimizer in run.info.optimizers]
        if not kinds:
            return NotChecked("which optimizer it is, is not known: pass it to trainhealth.watch(model, optimizer)")
        if any("adagrad" not in kind.lower() for kind in kinds):
            return []
        if not run.has("effective_learning_rate"):
            return NotChecked("no sampled step has effective_learning_rate yet")
        effective, ratios, norms = (
            _effective(run),
            model_update_ratio(run).finite(),
            run.series("gradient_norm").finite(),
        )
        if min(len(effective), len(ratios), len(norms)) < 8 or moving_target(run):
            return []
        began, now = float(effective.values[0]), float(np.median(_recent(effective)))
        moved, moves = float(np.median(ratios.values[:5])), float(np.median(_recent(ratios)))
        still = float(np.median(_recent(norms))) >= options.gradient * float(np.median(norms.values[:5]))
        if not 0 < now <= options.fallen * began or not moves <= SMALL < moved or not still:
            return []
        lost = poor_loss(run, options.poor)
        if lost is None:
            return []
        first, last = int(effective.steps[0]), effective.last_step
        return [
            self.finding(
                f"AdaGrad's effective rate fell from {number(began)} to {number(now)}, and updates from "
                f"{number(moved)} to {number(moves)} of the weights; {lost.fact}.",
                [
                    Evidence("effective_learning_rate", None, first, last, now, f"above {number(began / 10)}"),
                    Evidence("update_ratio", None, int(ratios.steps[0]), ratios.last_step, moves, "about 0.001"),
                ],
                _recommend(kinds[0]),
            )
        ]


def _effective(run: RunView) -> Series:
    """Return the effective rate, the median over the weights, a value a sample."""
    columns = of_weights(run, "effective_learning_rate")
    known = np.isfinite(columns.values).any(axis=1)
    medians = np.nanmedian(columns.values[known].astype(np.float64), axis=1)
    return Series("effective_learning_rate", columns.steps[known], medians).finite()


def _recent(series: Series) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return series.values[-max(1, len(series) // 4) :]


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
