"""GE04 past-best-epoch: the best evaluation lies far behind, and nothing since has been better."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from trainhealth import curves
from trainhealth.findings import Confidence, Evidence, Finding, NotChecked, Recommendation, Reference, Severity
from trainhealth.rules.base import Rule, number, option
from trainhealth.rules.generalization.comparison import EVALUATIONS, resolution, validation_error, when
from trainhealth.rules.generalization.overfitting import Overfitting
from trainhealth.rules.objective import moving_target
from trainhealth.series import RunView, Series


class PastBestEpoch(Rule):
    """The best evaluation lies far behind: most of the training since then brought nothing.

    What it detects
        validation_accuracy (a fraction; its error, 1 - accuracy, is judged), or where there is none validation_loss (in
        the loss's own unit), whose best value is followed by `patience` evaluations or more that are not better.

    Why it matters
        Early stopping would have given the same model, or a better one, for a part of the time.

    How it decides
        Evaluations are taken one by one, or as medians of at most 60 blocks. `best` is the lowest median of three
        neighbours, `end` the median of the last three, e the noise of one of them. At least `patience` evaluations,
        and `share` of all, follow the best. It fires where they got worse: end - best > `errors` x e, and all of the
        last fifth (at least 3) lie above best + (end - best) / 3. It also fires where they stood still: they are
        twice the patience and `flat` of all, and do not fall (Mann-Kendall z above -1.64). Silent where GE01 has said
        that the model overfits.

    What to try
        Early stopping with patience: keep the weights of the best evaluation.

    When it is wrong
        A run of a fixed length on purpose, with the best weights kept, loses nothing but time: it is a note. In the
        middle of a double descent, or before a rate is lowered, the best may still come. A single lucky evaluation is
        not taken for the best: three neighbours are. Slow improvement below the noise is taken for standing still
        only where no trend shows.
    """

    code = "GE04"
    name = "past-best-epoch"
    topic = "generalization"
    severity = Severity.NOTE
    confidence = Confidence.LIKELY
    since = "0.1"
    requires = ("validation_accuracy|validation_loss",)
    uses = ("train_loss", "train_accuracy")
    references = (
        Reference(
            "UO, Underfitting and Overfitting: early stopping (Algorithm 7.1)",
            "Stop when the validation error has not improved for p evaluations, and return the best parameters.",
        ),
        Reference(
            "L16, Practical Aspects: early stopping",
            "The validation error fluctuates: smooth it over time, and be patient.",
        ),
    )

    @dataclass(frozen=True, slots=True)
    class Options:
        """Thresholds."""

        patience: int = option(10, "evaluations", "UO: a patience of 5 to 10")
        share: float = option(0.5, "share of the evaluations", "house choice: half of the time")
        errors: float = option(5.0, "standard errors", "as GE01: 1 % of flat noisy curves")
        flat: float = option(0.75, "share of the evaluations", "house choice: three quarters of the time")

    def check(self, run: RunView, options: Options) -> Iterable[Finding] | NotChecked:
        """Return a finding if the best evaluation was followed by enough that were worse, or no better."""
        reason = moving_target(run)
        if reason:
            return NotChecked(reason)
        curve = validation_error(run)
        least = options.patience + 1
        if len(curve) < least:
            return NotChecked(f"there are {len(curve)} evaluations, and patience takes {least}")
        parts = curves.blocks(curve, EVALUATIONS)
        levels = curves.smooth(parts.medians)
        best = int(np.argmin(levels))
        after = curve.between(int(parts.last_steps[best]) + 1, curve.last_step)
        if len(after) < max(options.patience, options.share * len(curve)):
            return []
        end = float(np.median(parts.medians[-3:]))
        lost = end - float(levels[best])
        latest = parts.medians[-max(3, len(parts) // 5) :]
        worse = lost > options.errors * parts.error and bool(latest.min() > levels[best] + lost / 3)
        worse = worse and lost > 3 * resolution(curve)  # three examples of a small split are luck
        if not (worse or _stands(run, after, options)) or Overfitting().check(run, Overfitting.Options()):
            return []
        return [self._describe(run, after, int(parts.last_steps[best]), float(levels[best]), end, worse)]

    def _describe(self, run: RunView, after: Series, step: int, best: float, end: float, worse: bool) -> Finding:
        rises = after.name == "validation_accuracy"
        top, now = (number(1 - value if rises else value) for value in (best, end))
        since = f"now it is {now}" if worse else f"the {len(after)} evaluations since then brought nothing better"
        return self.finding(
            f"{after.name} was best at {when(run, step)} ({top}); {since}.",
            [Evidence(after.name, None, step, after.last_step, float(now), f"better than {top}")],
            [
                Recommendation(
                    f"Stop early: keep the weights of {when(run, step)}, with a patience of 10 evaluations.",
                    f"{len(after)} evaluations have passed since, and none was better.",
                    f"The run ends about 10 evaluations after its best, with {after.name} near {top}.",
                    "A patience that is short against the noise stops too soon.",
                    "early-stopping",
                )
            ],
            first_step=step,
        )


def _stands(run: RunView, after: Series, options: PastBestEpoch.Options) -> bool:
    """Tell whether nothing has got better for most of the run: neither `after` nor any loss."""
    if len(after) < max(2 * options.patience, options.flat * len(run.series(after.name))):
        return False
    losses = (run.series(name).between(int(after.steps[0]), run.last_step) for name in ("validation_loss", "train_loss"))
    return not any(_falls(series) for series in (after, *losses))


def _falls(series: Series) -> bool:
    change = curves.trend(series)
    return change.z < -1.64 and -change.change > 0.01 * float(np.abs(series.finite().values).mean())
