"""OP17 cycling-learning-rate: a cosine that was meant for the whole run goes up and down within it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from trainhealth import curves
from trainhealth.findings import Change, Confidence, Evidence, Finding, NotChecked, Recommendation, Reference, Severity
from trainhealth.rules.base import Rule, number, option
from trainhealth.series import FloatArray, RunView, Series


class CyclingLearningRate(Rule):
    """The learning rate swings up and down along a cosine, many times: the schedule is stepped more often than meant.

    What it detects
        learning_rate (1): a cosine from its peak to its lowest value that goes on beyond it, up as slowly as down.

    Why it matters
        The rate is not annealed: steps at the peak undo what those at the lowest rate have refined, and it is chance
        where in a swing the run ends.

    How it decides
        The rates follow lowest + (peak - lowest) (1 + cos(pi t / T)) / 2 over the whole run, to `fit` of the peak, for
        `cycles` whole swings at least; and T, in steps, is below the steps of an epoch, or is the number of epochs of a
        run that has ended (to one): T was counted in epochs, and the scheduler is stepped for each batch.

    What to try
        scheduler.step() once an epoch; or T_max = epochs x batches an epoch.

    When it is wrong
        Warm restarts jump up: another curve, silent. Triangular cycles (Smith 2017) are straight lines: silent. Swings
        that take more than an epoch each may be meant: silent, unless their number of steps is that of the epochs.
        Without epochs in the log it is not known how long one is: not checked.
    """

    code = "OP17"
    name = "cycling-learning-rate"
    topic = "optimization"
    severity = Severity.WARNING
    confidence = Confidence.LIKELY
    since = "0.1"
    requires = ("learning_rate", "train_loss")
    references = (
        Reference(
            "PyTorch: CosineAnnealingLR",
            "T_max counts calls of step(); beyond it the rate rises again, along the same cosine.",
            "https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.CosineAnnealingLR.html",
        ),
        Reference("Opt Optimization Tutorial: learning rate schedules", "A rate that decays lets the weights settle."),
    )

    @dataclass(frozen=True, slots=True)
    class Options:
        """Thresholds."""

        fit: float = option(0.02, "share of the peak", "house choice: scheduled rates have no noise but rounding")
        cycles: int = option(3, "swings", "house choice: a run that goes on a little beyond T is no cycle")

    def check(self, run: RunView, options: Options) -> Iterable[Finding] | NotChecked:
        """Return a finding if the rate swings faster than an epoch passes."""
        if len(run.epochs) < 2:
            return NotChecked("the log has no epochs: whether a swing is shorter is not known")
        rates = curves.clean(run.learning_rate)
        half = _half_swing(rates, options.fit)
        if half is None or rates.last_step - int(rates.steps[0]) < 2 * half * options.cycles:
            return []
        ends = [0, *(epoch.step for epoch in run.epochs)]
        length = float(np.median(np.diff(ends)))
        counts_epochs = run.ended is not None and abs(half - len(run.epochs)) <= 1
        if not (half < length or counts_epochs):
            return []
        peak, lowest = float(rates.values.max()), float(rates.values.min())
        swings = (rates.last_step - int(rates.steps[0]) + 1) / (2 * half)
        first, last = int(rates.steps[0]), rates.last_step
        return [
            self.finding(
                f"The learning rate swings between {number(peak)} and {number(lowest)} {swings:.0f} times, along a"
                f" cosine that takes {half} steps down and {half} up; an epoch has {number(length)} steps.",
                [Evidence("learning_rate", None, first, last, float(rates.values[-1]), "one fall over the whole run")],
                [
                    Recommendation(
                        "Call scheduler.step() once an epoch, after the loop over batches; or set T_max to the number"
                        " of all steps.",
                        f"The schedule counts calls: {half} of them are over after {half} batches, and then the rate"
                        " rises again.",
                        "The rate falls from its peak to its lowest value once, over the whole run.",
                        recipe="learning-rate-schedule",
                        change=Change("T_max", half, last - first + 1),
                    )
                ],
            )
        ]


def _half_swing(rates: Series, fit: float) -> int | None:
    """Return T, the steps from a peak to the next lowest rate, where the rates are one cosine; else None."""
    values = rates.values
    if len(values) < 4 or not values.max() > values.min() >= 0 or values[0] < (1 - fit) * values.max():
        return None
    steps = (rates.steps - rates.steps[0]).astype(np.float64)
    turns = np.flatnonzero((values[1:-1] <= values[:-2]) & (values[1:-1] < values[2:])) + 1
    if not len(turns):
        return None
    about = int(steps[turns[0]])  # the first lowest rate; the log may lack the very step
    found = [half for half in (about - 1, about, about + 1) if half > 1 and _misfit(steps, values, half) <= fit]
    return min(found, key=lambda half: _misfit(steps, values, half), default=None)


def _misfit(steps: FloatArray, values: FloatArray, half: int) -> float:
    """Return the largest distance between the rates and the cosine of half period `half`, as a share of the peak."""
    peak, lowest = values.max(), values.min()
    cosine = lowest + (peak - lowest) * (1 + np.cos(np.pi * steps / half)) / 2
    return float(np.abs(values - cosine).max() / peak)
