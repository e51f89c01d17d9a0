"""OP11 always-clipped-gradients: the step's length comes from the clipping and no longer from the gradient."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from trainhealth.findings import Confidence, Evidence, Finding, NotChecked, Recommendation, Reference, Severity
from trainhealth.rules.base import Rule, number, option
from trainhealth.rules.clipping import Clipping, clipping
from trainhealth.rules.optimizers import all_adaptive
from trainhealth.series import RunView


class AlwaysClippedGradients(Rule):
    """Gradients are clipped at nearly every step: the step's length is that of the clipping, not of the gradient.

    What it detects
        kept = clipped_gradient_norm / gradient_norm (both over all parameters): the share of the gradient that the
        optimizer gets, a value a sampled step.

    Why it matters
        Clipping is meant for the rare steep step. Where it always acts, plain SGD moves by rate x limit at every step:
        near a minimum the steps do not become shorter, and a rate that is too high stays hidden.

    How it decides
        kept is below 0.99 in at least `often` of at least `least_samples` samples, with a median of at most `strong`,
        and the optimizer is not adaptive.

    What to try
        A limit near the upper tenth of the norms that were seen; then a rate to match.

    When it is wrong
        Transformers, recurrent networks and reinforcement learning are trained well with a gradient that is clipped at
        most steps, and an adaptive optimizer divides the factor out: silent, and never more than a note. Where clipping
        is so tight that nothing moves, see ineffective-clipping.
    """

    code = "OP11"
    name = "always-clipped-gradients"
    topic = "optimization"
    severity = Severity.NOTE
    confidence = Confidence.LIKELY
    since = "0.1"
    requires = ("clipped_gradient_norm", "gradient_norm")
    references = (
        Reference(
            "UO, Underfitting, Overfitting, Regularization, Optimization: cliffs and gradient clipping",
            "Clipping reduces the step where the gradient is too large, so that it does not leave the steep region.",
        ),
        Reference(
            "Pascanu, Mikolov and Bengio 2013, On the difficulty of training recurrent neural networks, section 3.2",
            "The limit is chosen by the average norm of the gradient over many updates: half to ten times of it.",
            "https://arxiv.org/abs/1211.5063",
        ),
    )

    @dataclass(frozen=True, slots=True)
    class Options:
        """Thresholds."""

        often: float = option(0.95, "share of the samples", "house choice: nearly every step")
        strong: float = option(0.1, "share of the norm that is kept", "Pascanu 2013: half to ten times the mean norm")
        least_samples: int = option(16, "samples", "house choice: more than the first steps")

    def check(self, run: RunView, options: Options) -> Iterable[Finding] | NotChecked:
        """Return a note if clipping always acts, and strongly."""
        clipped = clipping(run)
        if len(clipped.steps) < options.least_samples or all_adaptive(run):
            return []
        kept = float(np.median(clipped.kept))
        if clipped.acted < options.often or not 0 < kept <= options.strong:
            return []
        return [self._describe(clipped, kept)]

    def _describe(self, clipped: Clipping, kept: float) -> Finding:
        limit, typical = float(np.median(clipped.after)), float(np.median(clipped.before))
        wanted = float(f"{np.quantile(clipped.before, 0.9):.1g}")
        return self.finding(
            f"Gradients are clipped in {100 * clipped.acted:.0f} % of the sampled steps, from {number(typical)} to "
            f"{number(limit)} (medians of their norms).",
            [
                Evidence(
                    "clipped_gradient_norm",
                    None,
                    int(clipped.steps[0]),
                    int(clipped.steps[-1]),
                    limit,
                    f"{number(typical)} at most steps",
                )
            ],
            [
                Recommendation(
                    f"Raise the limit from {number(limit)} to {number(wanted)}, and divide the rate by "
                    f"{number(float(f'{1 / kept:.1g}'))}.",
                    f"A limit of {number(wanted)} leaves nine of ten gradients as they are; the rate then keeps the "
                    f"length of a step.",
                    "Fewer than one step in ten is clipped, and train_loss falls further at the end.",
                    "A spike that the tight limit held back may show: watch train_loss.",
                    "gradient-clipping",
                )
            ],
        )
