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

_SURELY = 3.0  # Mann-Kendall's z: one flat curve in a thousand


class PastBestEpoch(Rule):
    """The best evaluation lies far behind: most of the training since then brought nothing.

    What it detects
        validation_accuracy (a fraction; its error, 1 - accuracy, is judged), or where there is none validation_loss (in
        the loss's own unit), whose best value is followed by `patience` evaluations or more that are not better.

    Why it matters
        Early stopping would have given the same model, or a better one, for a part of the time.

    How it decides
        Evaluations are taken one by one, or as medians of at most 60 blocks. `best` is the lowest median of three
        neighbours, `end` the median of the last three, e the noise of one of them. At least `patience` evaluations, and
        `share` of all, follow the best. It fires where they got worse: end - best > `errors` x e (for an accuracy also
        three examples of the split), and all of the last fifth (at least 3) lie above best + (end - best) / 3. It also
        fires where nothing moves any more: after a fall, all levels lie within 3 e of the end, these evaluations are
        twice the patience and `flat` of all, and neither they nor validation_loss nor train_loss falls (Mann-Kendall z
        above -1.64, or by less than 1 % of the level). And it is a warning where training has made the model worse: of
        at least `least` evaluations the first was the best (or the second: levels are medians of three), and all of the
        last half, taken one by one, lie more than `worse` above it (an accuracy also by 0.01 and by three examples).
        Silent where GE01 says that the model overfits.

    What to try
        Early stopping with patience: keep the weights of the best evaluation.

    When it is wrong
        A run of a fixed length on purpose, with the best weights kept, loses nothing but time: it is a note. In the
        middle of a double descent, or before a rate is lowered, the best may still come. A single lucky evaluation is
        not taken for the best: three neighbours are. Improvement that is slow against the noise is taken for standing
        still only where no trend shows in any loss. What is called accuracy and falls in training, too, while the loss
        falls (Mann-Kendall z of both below -3) may be an error: not checked. A run that never gained anything is
        another rule's.
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
        least: int = option(8, "evaluations", "house choice: four in the last half, none of them near the first")
        worse: float = option(0.1, "share of the first value", "house choice: beyond the scatter of evaluations")
        errors: float = option(5.0, "standard errors", "as GE01: 1 % of flat noisy curves")
        flat: float = option(0.75, "share of the evaluations", "house choice: three quarters of the time")

    def check(self, run: RunView, options: Options) -> Iterable[Finding] | NotChecked:
        """Return a finding if the best evaluation was followed by enough that were worse, or no better."""
        reason = moving_target(run)
        if reason:
            return NotChecked(reason)
        curve = validation_error(run)
        if curve.name == "validation_accuracy" and _falls_as_it_learns(run):
            return NotChecked("train_accuracy falls with train_loss: what the log calls accuracy may be an error")
        least = options.patience + 1
        if len(curve) < min(least, options.least):
            return NotChecked(f"there are {len(curve)} evaluations, and it takes {min(least, options.least)}")
        parts = curves.blocks(curve, EVALUATIONS)
        found = self._never_better(run, curve, parts, options)
        if found is None and len(curve) < least:
            return NotChecked(f"there are {len(curve)} evaluations, and patience takes {least}")
        found = found or self._worse(run, curve, parts, options) or self._standing(run, curve, parts, options)
        return [found] if found and not Overfitting().check(run, Overfitting.Options()) else []

    def _never_better(self, run: RunView, curve: Series, parts: curves.Blocks, options: Options) -> Finding | None:
        """Return the warning for evaluations that were best at first, and then worse for good."""
        begun, half = float(curve.values[0]), curve.values[len(curve) // 2 :]
        by = 0.01 if curve.name == "validation_accuracy" else 0.0
        room = max(options.worse * begun, by, 3 * resolution(curve) if by else 0.0)
        best = int(np.argmin(curves.smooth(parts.medians)))
        if len(curve) < options.least or curve.values.min() <= 0 or best > 1 or not half.min() > begun + room:
            return None
        step, end = int(curve.steps[0]), float(np.median(curve.values[-3:]))
        first, now = _shown(curve, begun), _shown(curve, end)
        return self.finding(
            f"{curve.name} was {number(first)} at the first of {len(curve)} evaluations, and none of the last half came"
            f" near that; now it is {number(now)}: training has made the model worse.",
            [Evidence(curve.name, None, step, curve.last_step, now, f"better than {number(first)}")],
            [
                _GENTLER,
                _stop_early(f"keep the weights of {when(run, step)}", f"{curve.name} ends near {number(first)}"),
            ],
            severity=Severity.WARNING,
        )

    def _worse(self, run: RunView, curve: Series, parts: curves.Blocks, options: Options) -> Finding | None:
        """Return the finding for evaluations that got worse since the best one."""
        levels = curves.smooth(parts.medians)
        best = int(np.argmin(levels))
        step, end = int(parts.last_steps[best]), float(np.median(parts.medians[-3:]))
        after = curve.between(step + 1, curve.last_step)
        lost = end - float(levels[best])
        latest = parts.medians[-max(3, len(parts) // 5) :]
        enough = len(after) >= max(options.patience, options.share * len(curve))
        clear = lost > max(options.errors * parts.error, 3 * resolution(curve))  # three examples of a split are luck
        if not (enough and clear and latest.min() > levels[best] + lost / 3):
            return None
        top, now = _shown(curve, float(levels[best])), _shown(curve, end)
        evidence = Evidence(curve.name, None, step, curve.last_step, now, f"better than {number(top)}")
        return self.finding(
            f"{curve.name} was best at {when(run, step)} ({number(top)}), {len(after)} evaluations ago; now it is"
            f" {number(now)}.",
            [evidence],
            [_stop_early(f"keep the weights of {when(run, step)}", f"{curve.name} ends near {number(top)}")],
        )

    def _standing(self, run: RunView, curve: Series, parts: curves.Blocks, options: Options) -> Finding | None:
        """Return the finding for a run in which nothing has moved for long."""
        first = curves.settled(parts, 3 * parts.error)
        levels = curves.smooth(parts.medians)
        if not 0 < first < len(parts) or levels[first - 1] < levels[first]:
            return None  # it stood from the beginning on, or came to stand by getting worse
        step = int(parts.last_steps[first])
        after = curve.between(step, curve.last_step)
        if len(after) < max(2 * options.patience, options.flat * len(curve)):
            return None
        losses = (run.series(name).between(step, run.last_step) for name in ("validation_loss", "train_loss"))
        if any(_falls(series) for series in (after, *losses)):
            return None
        now = _shown(curve, float(np.median(parts.medians[-3:])))
        return self.finding(
            f"{curve.name} has stood at {number(now)} since {when(run, step)}: {len(after)} of {len(curve)} evaluations"
            " brought nothing, and no loss falls any more.",
            [Evidence(curve.name, None, step, curve.last_step, now, f"better than {number(now)} at some evaluation")],
            [_stop_early("end the run", f"{curve.name} ends near {number(now)}, in a part of the time")],
        )


def _shown(curve: Series, value: float) -> float:
    """Return the accuracy for an error, and a loss as it is."""
    return 1 - value if curve.name == "validation_accuracy" else value


_GENTLER = Recommendation(
    "Start again with a tenth of the learning rate.",
    "Weights that were good before training, as in fine-tuning, are lost in a few steps that are too large.",
    "The second evaluation is better than the first.",
    "If no rate makes it better, training and validation data differ in kind, or in how they are prepared.",
    "lower-learning-rate",
)


def _stop_early(action: str, verify: str) -> Recommendation:
    return Recommendation(
        f"Stop early: {action} when 10 evaluations have brought nothing better.",
        "What comes after the best evaluation costs time and makes nothing better.",
        f"{verify}.",
        "A patience that is short against the noise stops too soon.",
        "early-stopping",
    )


def _falls_as_it_learns(run: RunView) -> bool:
    """Tell whether the training accuracy comes down together with the training loss: it is none, or of other data."""
    accuracy, loss = (curves.clean(run.series(name)) for name in ("train_accuracy", "train_loss"))
    return curves.trend(accuracy).z < -_SURELY and curves.trend(loss).z < -_SURELY


def _falls(series: Series) -> bool:
    change = curves.trend(series)
    return change.z < -1.64 and -change.change > 0.01 * float(np.abs(series.finite().values).mean())
